"""MoySklad's JSON API 1.2 and its hooks: links only, 200 or 204 within 1.5 seconds, three more tries at once.

As documented at dev.moysklad.ru: general, restrictions, errors, dictionaries/webhook, documents/customerOrder.
"""

import asyncio
import base64
import re
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from aiohttp import web

from tests.simulators.base import Simulator
from tests.simulators.moysklad_hooks import Notification, deliver

TOKEN = "0fa1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3"
LOGIN, PASSWORD = "admin@romashka", "sklad-password"
STATES = ("Новый", "Подтвержден", "Собран", "Отгружен", "Доставлен", "Возврат", "Отменен")
ACCOUNT = "5c1f7a10-0000-11ee-0a80-000000000001"

_ZONE = ZoneInfo("Europe/Moscow")
_API = "/api/remap/1.2"
_CONDITION = re.compile(r"(\w+)(>=|<=|>|<|=)(.*)")
_ACTIONS = ("CREATE", "UPDATE", "DELETE")
_PREFIX = re.compile(r"https?://[^/]+\.[^/]+")
_EXPANDED = 100

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class MoySkladSimulator(Simulator):
    """`objects`: by type and id, as they are stored (links as ids). `weight`: of a call in the 45 units that may be
    spent in 3 seconds. `admin`, `paid`: what hooks need. `notifications`: all that hooks were told."""

    def __init__(self) -> None:
        super().__init__()
        self.token = TOKEN
        self.admin = self.paid = True
        self.weight = 1
        self.states = {str(uuid4()): name for name in STATES}
        self.objects: dict[str, dict[str, dict[str, Any]]] = {
            "customerorder": {},
            "counterparty": {},
            "product": {},
            "store": {},
        }
        self.hooks: dict[str, dict[str, Any]] = {}
        self.notifications: list[Notification] = []
        self.calls: list[tuple[str, str]] = []
        self._spent: deque[float] = deque()
        self._under_way = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._clock = datetime.now(_ZONE)

    @property
    def base_url(self) -> str:
        return self.url + _API

    @property
    def orders(self) -> dict[str, dict[str, Any]]:
        return self.objects["customerorder"]

    def routes(self, app: web.Application) -> None:
        add = app.router.add_route
        add("GET", f"{_API}/entity/webhook", self._guarded(self._list_hooks))
        add("POST", f"{_API}/entity/webhook", self._guarded(self._add_hook))
        add("PUT", f"{_API}/entity/webhook/{{id}}", self._guarded(self._change_hook))
        add("GET", f"{_API}/entity/customerorder/metadata", self._guarded(self._metadata))
        add("GET", f"{_API}/entity/customerorder/{{id}}/positions", self._guarded(self._positions))
        add("GET", f"{_API}/entity/{{type}}", self._guarded(self._list))
        add("GET", f"{_API}/entity/{{type}}/{{id}}", self._guarded(self._get))
        add("PUT", f"{_API}/entity/customerorder/{{id}}", self._guarded(self._put))

    # --- what people in MoySklad do -------------------------------------------------------------------------------

    def now(self) -> str:
        """Moscow's, and later than whatever was said before."""
        self._clock = max(datetime.now(_ZONE), self._clock + timedelta(milliseconds=1))
        return self._clock.strftime("%Y-%m-%d %H:%M:%S.") + f"{self._clock.microsecond // 1000:03}"

    def _moment(self) -> str:
        """To the second, and not before what it tells of."""
        return (self._clock + timedelta(seconds=1)).strftime("%Y-%m-%d %H:%M:%S")

    def add(self, type_: str, id_: str = "", **fields: Any) -> str:
        id_, now = id_ or str(uuid4()), self.now()
        self.objects[type_][id_] = {"id": id_, "created": now, "updated": now, **fields}
        return id_

    def change(self, type_: str, id_: str, **fields: Any) -> None:
        self.objects[type_][id_] |= {"updated": self.now(), **fields}

    def place(self, *, state: str | None = "Новый", agent: str = "", **fields: Any) -> str:
        """An order of two kettles and a cup for 4,470.50 roubles."""
        name = f"{len(self.orders) + 1:05}"
        agent = agent or self.add(
            "counterparty",
            name="Анна Смирнова",
            email=f"anna{name}@example.ru",
            phone=f"8 (916) 000-{name[1:3]}-{name[3:]}",
            companyType="individual",
            tags=["опт"],
        )
        kettle = self.add("product", name="Чайник", article="A-1", code="1001", archived=False)
        cup = self.add("product", name="Чашка", code="1002", archived=False)
        shape: dict[str, Any] = {
            "name": name,
            "state": state,
            "agent": agent,
            "store": None,
            "sum": 447050,
            "payedSum": 0,
            "positions": [
                {"id": str(uuid4()), "quantity": 2.0, "price": 199000.0, "goods": kettle},
                {"id": str(uuid4()), "quantity": 1.0, "price": 49050.0, "goods": cup},
            ],
        }
        return self.add("customerorder", **(shape | fields))

    def move(self, id_: str, state: str) -> None:
        self.change("customerorder", id_, state=state)

    # --- hooks ----------------------------------------------------------------------------------------------------

    def body(self, type_: str, id_: str, action: str = "UPDATE") -> dict[str, Any]:
        return {
            "auditContext": {
                "meta": {"type": "audit", "href": f"{self.base_url}/audit/{uuid4()}"},
                "moment": self._moment(),
                "uid": LOGIN,
            },
            "events": [
                {
                    "meta": {"type": type_, "href": f"{self.base_url}/entity/{type_}/{id_}"},
                    "action": action,
                    "accountId": ACCOUNT,
                }
            ],
        }

    async def push(
        self, type_: str, id_: str, action: str = "UPDATE", *, muted: tuple[str, ...] = ()
    ) -> list[Notification]:
        """Tells each hook of that type and action. Whoever does not take it with 200 or 204 in time is told three
        more times, and then never again."""
        if not self.paid:
            return []
        hooks = [
            hook
            for hook in self.hooks.values()
            if (hook["entityType"], hook["action"]) == (type_, action)
            and hook["enabled"]
            and not any(prefix in hook["url"] for prefix in muted)
        ]
        told = [
            Notification(str(uuid4()), hook["url"], self.body(type_, id_, action)) for hook in hooks
        ]
        self.notifications += told
        for notification in told:
            await deliver(notification)
        return told

    async def quiet(self) -> None:
        """Until all hooks have been told."""
        while self._tasks:
            await asyncio.gather(*self._tasks)
            # From Python 3.12 on, gathering what has ended lets nobody else have a turn, who would take it off the list.
            await asyncio.sleep(0)

    # --- the API --------------------------------------------------------------------------------------------------

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: web.Request) -> web.StreamResponse:
            self.calls.append((request.method, request.path.removeprefix(_API)))
            if refusal := self._refusal(request):
                return refusal
            self._under_way += 1
            try:
                response = await handler(request)
            finally:
                self._under_way -= 1
            response.enable_compression(web.ContentCoding.gzip)
            return response

        return guarded

    def _refusal(self, request: web.Request) -> web.Response | None:
        if request.headers.get("Accept-Encoding", "").strip() != "gzip":
            return web.Response(status=415)
        accept = request.headers.get("Accept", "*/*").replace(" ", "").lower()
        if accept not in ("*/*", "application/json;charset=utf-8"):
            return _error(400, 1062, "Неверное значение заголовка 'Accept'")
        pair = base64.b64encode(f"{LOGIN}:{PASSWORD}".encode()).decode()
        if request.headers.get("Authorization") not in (f"Bearer {self.token}", f"Basic {pair}"):
            return _error(401, 1056, "Ошибка аутентификации")
        if self._under_way >= 5:
            return _error(429, 1073, "Превышено ограничение на одновременное количество запросов")
        return self._throttled()

    def _throttled(self) -> web.Response | None:
        now = time.monotonic()
        while self._spent and self._spent[0] < now - 3:
            self._spent.popleft()
        if (len(self._spent) + 1) * self.weight <= 45:
            self._spent.append(now)
            return None
        wait = str(int((self._spent[0] + 3 - now) * 1000))
        headers = {"X-Lognex-Retry-TimeInterval": "3000", "X-Lognex-Retry-After": wait}
        return _error(429, 1049, "Превышено ограничение на количество запросов", headers)

    async def _list(self, request: web.Request) -> web.StreamResponse:
        type_, query = request.match_info["type"], request.query
        limit, offset = int(query.get("limit", 1000)), int(query.get("offset", 0))
        if type_ not in self.objects or not 1 <= limit <= 1000:
            return _error(400, 1040, "Неверно заданы параметры запроса")
        found = [row for row in self.objects[type_].values() if "deleted" not in row]
        for condition in filter(None, query.get("filter", "").split(";")):
            parts = _CONDITION.fullmatch(condition)
            if not parts or parts[1] not in ("created", "updated", "moment", "name"):
                return _error(400, 1034, "Ошибка фильтрации")
            found = [row for row in found if _holds(row.get(parts[1], ""), parts[2], parts[3])]
        for order in reversed(list(filter(None, query.get("order", "").split(";")))):
            name, _, way = order.partition(",")
            found.sort(key=lambda row: str(row.get(name, "")), reverse=way == "desc")
        # More than a hundred are not expanded, and nobody is told.
        expand = query.get("expand", "") if limit <= _EXPANDED else ""
        rows = [self._shown(type_, row, expand) for row in found[offset : offset + limit]]
        meta = {"type": type_, "size": len(found), "limit": limit, "offset": offset}
        return web.json_response({"context": {}, "meta": meta, "rows": rows})

    async def _get(self, request: web.Request) -> web.StreamResponse:
        type_, id_ = request.match_info["type"], request.match_info["id"]
        found = self.objects.get(type_, {}).get(id_)
        if found is None:
            return _error(
                404, 1021, f"Объект с типом '{type_}' и идентификатором '{id_}' не найден"
            )
        return web.json_response(self._shown(type_, found, request.query.get("expand", "")))

    async def _positions(self, request: web.Request) -> web.StreamResponse:
        lines = self.orders[request.match_info["id"]]["positions"]
        limit, offset = int(request.query["limit"]), int(request.query["offset"])
        whole = request.query.get("expand") == "assortment" and limit <= _EXPANDED
        rows = [self._position(line, whole) for line in lines[offset : offset + limit]]
        meta = {"size": len(lines), "limit": limit, "offset": offset}
        return web.json_response({"meta": meta, "rows": rows})

    async def _metadata(self, request: web.Request) -> web.StreamResponse:
        states = [
            {"meta": self._meta_of_state(id_), "id": id_, "name": name, "stateType": "Regular"}
            for id_, name in self.states.items()
        ]
        return web.json_response({"states": states, "createShared": False})

    async def _put(self, request: web.Request) -> web.StreamResponse:
        order = self.orders.get(request.match_info["id"])
        if order is None:
            return _error(404, 1021, "Объект не найден")
        if not request.headers.get("Content-Type", "").startswith("application/json"):
            return _error(415, 1037, "Неверно указан Content-Type запроса")
        href = (await request.json()).get("state", {}).get("meta", {}).get("href", "")
        state = self.states.get(href.rpartition("/")[2])
        if state is None:
            return _error(412, 3000, "Ошибка сохранения объекта: не указан статус")
        muted = tuple(request.headers.getall("X-Lognex-WebHook-DisableByPrefix", []))
        if not all(map(_PREFIX.match, muted)):
            return _error(400, 1040, "Неверно заданы параметры запроса")
        self.move(order["id"], state)
        # It tells its hooks after the answer.
        task = asyncio.create_task(self.push("customerorder", order["id"], muted=muted))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return web.json_response(self._shown("customerorder", order, ""))

    async def _list_hooks(self, request: web.Request) -> web.StreamResponse:
        if not self.admin:
            return _error(403, 30004, "Необходимы права администратора для работы с webhook")
        return web.json_response({"meta": {}, "rows": list(self.hooks.values())})

    async def _add_hook(self, request: web.Request) -> web.StreamResponse:
        hook = await request.json()
        same = [h for h in self.hooks.values() if _sort(h) == _sort(hook)]
        if not self.admin:
            return _error(403, 30004, "Необходимы права администратора для работы с webhook")
        if not self.paid:
            return _error(403, 30006, "Ваш тарифный план не позволяет создавать веб-хуки")
        if hook["action"] not in _ACTIONS:
            return _error(400, 30002, "неизвестное действие")
        if len(hook["url"]) > 255:
            return _error(400, 30010, "длина url адреса больше 255 символов")
        if any(h["url"] == hook["url"] for h in same):
            return _error(400, 30003, "webhook с данным набором параметров уже существует")
        if len(same) >= 5:
            return _error(400, 30007, "Нельзя создать больше '5' веб-хуков одинакового типа")
        id_ = str(uuid4())
        self.hooks[id_] = {"id": id_, "enabled": True, "method": "POST", **hook}
        return web.json_response(self.hooks[id_])

    async def _change_hook(self, request: web.Request) -> web.StreamResponse:
        hook = self.hooks.get(request.match_info["id"])
        if hook is None:
            return _error(404, 1021, "Объект не найден")
        hook |= await request.json()
        return web.json_response(hook)

    # --- how objects look -----------------------------------------------------------------------------------------

    def _shown(self, type_: str, row: Mapping[str, Any], expand: str) -> dict[str, Any]:
        wanted = set(expand.split(","))
        shown = {"meta": self._meta(type_, row["id"]), **row}
        if type_ != "customerorder":
            return shown
        state = next((id_ for id_, name in self.states.items() if name == row["state"]), None)
        shown |= {
            "state": {"meta": self._meta_of_state(state)} if state else None,
            "rate": {"currency": {"meta": self._meta("currency", "rub")}},
            "agent": self._link("counterparty", row["agent"], "agent" in wanted),
            "store": row["store"] and self._link("store", row["store"], "store" in wanted),
        }
        if state and "state" in wanted:
            shown["state"] |= {"id": state, "name": row["state"], "stateType": "Regular"}
        if "rate.currency" in wanted:
            shown["rate"]["currency"] |= {"isoCode": "RUB", "name": "руб"}
        lines = row["positions"]
        shown["positions"] = {"meta": {"size": len(lines), "limit": 1000, "offset": 0}}
        if wanted & {"positions", "positions.assortment"}:
            whole = "positions.assortment" in wanted
            shown["positions"]["rows"] = [self._position(line, whole) for line in lines[:_EXPANDED]]
        # Fields without a value are not there at all.
        return {name: value for name, value in shown.items() if value is not None}

    def _position(self, line: Mapping[str, Any], whole: bool) -> dict[str, Any]:
        shown = {"discount": 0.0, "vat": 20, **line}
        shown["assortment"] = self._link("product", shown.pop("goods"), whole)
        return shown

    def _link(self, type_: str, id_: str, whole: bool) -> dict[str, Any]:
        rest = self.objects[type_].get(id_, {}) if whole else {}
        return {"meta": self._meta(type_, id_), **rest}

    def _meta(self, type_: str, id_: str) -> dict[str, str]:
        href = f"{self.base_url}/entity/{type_}/{id_}"
        return {"href": href, "type": type_, "mediaType": "application/json"}

    def _meta_of_state(self, id_: str) -> dict[str, str]:
        href = f"{self.base_url}/entity/customerorder/metadata/states/{id_}"
        return {"href": href, "type": "state", "mediaType": "application/json"}


def _error(
    status: int, code: int, text: str, headers: Mapping[str, str] | None = None
) -> web.Response:
    error = {"error": text, "code": code, "moreInfo": f"https://dev.moysklad.ru/#error_{code}"}
    return web.json_response({"errors": [error]}, status=status, headers=headers)


def _holds(value: str, sign: str, than: str) -> bool:
    """Times as text: seconds come before the same seconds with their milliseconds."""
    match sign:
        case ">=":
            return value >= than
        case ">":
            return value > than
        case "<=":
            return value <= than
        case "<":
            return value < than
    return value == than


def _sort(hook: Mapping[str, Any]) -> tuple[str, str]:
    return hook["entityType"], hook["action"]
