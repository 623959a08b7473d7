"""MAX's bot API as one bot sees it: what it refuses, what it keeps, and what people do with the bot.

Without uploads: nothing here sends files.
"""

import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

from aiohttp import web

from tests.simulators.base import Sent, Simulator
from tests.simulators.max_updates import Updates
from tests.simulators.max_wire import (
    Fields,
    Refuse,
    integer,
    invalid,
    read_body,
    read_json,
    read_subscription,
    refused,
)

TOKEN = "f9LHodD0cOL5-test-token"
BOT = {
    "user_id": 1,
    "first_name": "Shop",
    "name": "Shop",
    "username": "shop_bot",
    "is_bot": True,
    "last_activity_time": 1764000000000,
}

_EDITABLE = timedelta(days=7)


@dataclass(slots=True)
class Chat:
    """`person` None: a group. `refusal`: of every message to it."""

    id: int
    name: str
    person: int | None = None
    refusal: Refuse | None = None


class Max(Simulator):
    """`add_person` and `add_group` make the chats; `say`, `press`, `stop_bot` and so on are what people do."""

    def __init__(self, token: str = TOKEN) -> None:
        super().__init__()
        self.token = token
        self.bot: dict[str, Any] = dict(BOT)
        self.dialogs: dict[int, Chat] = {}
        """By the person."""
        self.groups: dict[int, Chat] = {}
        self.messages: dict[str, dict[str, Any]] = {}
        """What stands in the chats now, by `mid`: `chat`, `out`, `text`, `attachments`, `format`, `source`, `at`."""
        self.answered: list[dict[str, Any]] = []
        """Bodies of each POST /answers that was taken, with its `callback_id`."""
        self.calls: list[tuple[str, Fields]] = []
        """("POST /messages", query) of every request with the right token."""
        self.plain_webhooks = True
        """http and any port are called, too, for servers of tests; False: as the real one."""
        self.limited = False
        """Whether too many calls are refused."""
        self.per_second = 30
        self.per_chat = 2
        self.retry_after = 0
        """What a 429 says to wait, in seconds; zero: it has no such header."""
        self._lately: deque[float] = deque()
        self._lately_in: dict[tuple[str, int], deque[float]] = {}
        self._skew = 0.0
        self._callbacks: dict[str, tuple[str, int]] = {}
        self._next = 1
        self.updates = Updates(self.now)

    def routes(self, app: web.Application) -> None:
        app.router.add_route("*", "/{path:.*}", self._serve)

    async def stop(self) -> None:
        await self.updates.stop()
        await super().stop()

    def now(self) -> float:
        return time.time() + self._skew

    def pass_time(self, span: timedelta) -> None:
        """The simulator's clock goes ahead, nobody else's."""
        self._skew += span.total_seconds()

    # -- who there is ------------------------------------------------------------------------

    def add_person(self, id_: int, name: str = "Anna", *, started: bool = True) -> Chat:
        refusal = None if started else Refuse(404, "dialog.not.found", "error.dialog.notfound")
        chat = self.dialogs[id_] = Chat(700_000 + id_, name, id_, refusal)
        return chat

    def add_group(self, id_: int, title: str = "Warehouse") -> Chat:
        """`id_` is negative, as those of groups are."""
        chat = self.groups[id_] = Chat(id_, title)
        return chat

    def suspend(self) -> None:
        """The bot itself, by MAX: everybody is denied."""
        for chat in (*self.dialogs.values(), *self.groups.values()):
            chat.refusal = _denied()

    # -- what people do ----------------------------------------------------------------------

    def open_bot(self, user_id: int, payload: str | None = None) -> None:
        """The button of a new or stopped dialog, or a link. Where the bot was started before, a link only opens it."""
        known = self.dialogs.get(user_id)
        if known and known.refusal is None:
            return
        chat = self.add_person(user_id, known.name if known else "Anna")
        self._tell("bot_started", chat, user_id, payload=payload)

    def stop_bot(self, user_id: int) -> None:
        chat = self.dialogs[user_id]
        chat.refusal = _denied()
        self._tell("bot_stopped", chat, user_id)

    def say(self, user_id: int, text: str, *, chat_id: int | None = None) -> str:
        """A person writes, in a group or to the bot; there it starts it, too. Returns the `mid`."""
        if chat_id is None and (user_id not in self.dialogs or self.dialogs[user_id].refusal):
            self.open_bot(user_id)
        chat = self.groups[chat_id] if chat_id else self.dialogs[user_id]
        mid = self._keep(chat, {"text": text, "attachments": []}, out=False, sender=user_id)
        self.updates.add("message_created", message=self.shown(mid), user_locale="ru")
        return mid

    def press(
        self,
        user_id: int,
        mid: str,
        payload: str,
        *,
        chat_id: int | None = None,
        blind: bool = False,
    ) -> str:
        """A button, or what a forging client says it is. `blind`: the update does not name the message. Returns the
        callback's id."""
        callback_id = f"c{self._next}"
        self._next += 1
        self._callbacks[callback_id] = (mid, chat_id or user_id)
        callback = {
            "timestamp": int(self.now() * 1000),
            "callback_id": callback_id,
            "payload": payload,
            "user": self._person(user_id),
        }
        message = None if blind or mid not in self.messages else self.shown(mid)
        self.updates.add("message_callback", callback=callback, message=message, user_locale="ru")
        return callback_id

    def add_bot(self, chat_id: int, by: int) -> None:
        self.groups[chat_id].refusal = None
        self._tell("bot_added", self.groups[chat_id], by, is_channel=False)

    def remove_bot(self, chat_id: int, by: int) -> None:
        self.groups[chat_id].refusal = Refuse(404, "chat.not.found", f"Chat {chat_id} not found")
        self._tell("bot_removed", self.groups[chat_id], by, is_channel=False)

    def _tell(self, kind: str, chat: Chat, user_id: int, **more: Any) -> None:
        where = {"chat_id": chat.id, "user": self._person(user_id)}
        locale = {"user_locale": "ru"} if chat.person else {}
        self.updates.add(kind, **where, **more, **locale)

    def _person(self, user_id: int) -> dict[str, Any]:
        chat = self.dialogs.get(user_id)
        name = chat.name if chat else "Anna"
        common = {"is_bot": False, "last_activity_time": int(self.now() * 1000)}
        return {"user_id": user_id, "first_name": name, "last_name": "", "name": name, **common}

    def _keep(self, chat: Chat, content: Fields, *, out: bool, sender: int) -> str:
        mid = f"mid.{self._next:016x}"
        self._next += 1
        where = {"chat": chat, "out": out, "sender": sender, "at": self.now(), "seq": self._next}
        self.messages[mid] = {**content, **where}
        return mid

    def shown(self, mid: str) -> dict[str, Any]:
        """A message as the API has it."""
        kept = self.messages[mid]
        chat: Chat = kept["chat"]
        who: Mapping[str, Any] = self.bot if kept["out"] else self._person(kept["sender"])
        other = chat.person if kept["out"] else self.bot["user_id"]
        kind = {"chat_type": "dialog", "user_id": other} if chat.person else {"chat_type": "chat"}
        content = {"text": kept["text"], "attachments": kept["attachments"]}
        return {
            "sender": who,
            "recipient": {"chat_id": chat.id, **kind},
            "timestamp": int(kept["at"] * 1000),
            "body": {"mid": mid, "seq": kept["seq"], **content},
        }

    # -- the API -----------------------------------------------------------------------------

    async def _serve(self, request: web.Request) -> web.Response:
        try:
            return web.json_response(await self._dispatch(request))
        except Refuse as refusal:
            return refused(refusal)

    async def _dispatch(self, request: web.Request) -> Any:
        if "access_token" in request.query:
            text = "Query parameter access_token is deprecated, use Authorization header"
            raise Refuse(403, "deprecated.token", text)
        if request.headers.get("Authorization") != self.token:
            raise Refuse(401, "verify.token", "Invalid access_token")
        handler = self._methods.get(f"{request.method} {request.path}")
        if handler is None:
            raise Refuse(404, "method.not.found", f"Path {request.path} is not recognized")
        self._limit(self._lately, self.per_second)
        self.calls.append((f"{request.method} {request.path}", dict(request.query)))
        return await handler(self, request)

    def _limit(self, lately: deque[float], most: int) -> None:
        now = time.monotonic()
        while lately and now - lately[0] > 1:
            lately.popleft()
        if self.limited and len(lately) >= most:
            headers = {"Retry_After": str(self.retry_after)} if self.retry_after else {}
            raise Refuse(429, "too.many.requests", "Too many requests", **headers)
        lately.append(now)

    def _limit_in(self, what: str, chat: int) -> None:
        self._limit(self._lately_in.setdefault((what, chat), deque()), self.per_chat)

    async def _me(self, _: web.Request) -> Any:
        return self.bot

    async def _send(self, request: web.Request) -> Any:
        body = await read_json(request)
        chat = self._chat(request)
        self._limit_in("new", chat.id)
        if chat.refusal:
            raise chat.refusal
        content = read_body(body)
        mid = self._keep(chat, content, out=True, sender=self.bot["user_id"])
        self.take(
            Sent(
                to=str(chat.person or chat.id),
                text=content["text"],
                html=content["source"] if content["format"] == "html" else "",
                provider_id=mid,
                extra={
                    "buttons": buttons_of(content),
                    "query": dict(request.query),
                    "body": body,
                },
            )
        )
        return {"message": self.shown(mid)}

    def _chat(self, request: web.Request) -> Chat:
        if "chat_id" in request.query:
            id_ = integer(request, "chat_id")
            chat = self.groups.get(id_) or self._dialog(id_)
            if chat is None:
                raise Refuse(404, "chat.not.found", f"Chat {id_} not found")
            return chat
        chat = self.dialogs.get(integer(request, "user_id"))
        if chat is None:
            raise Refuse(404, "dialog.not.found", "error.dialog.notfound")
        return chat

    def _dialog(self, chat_id: int) -> Chat | None:
        return next((chat for chat in self.dialogs.values() if chat.id == chat_id), None)

    async def _edit(self, request: web.Request) -> Any:
        mid = request.query.get("message_id", "")
        kept = self._own(mid)
        self._limit_in("edit", kept["chat"].id)
        old = self.now() - kept["at"] > _EDITABLE.total_seconds()
        if old and kept["chat"].person and not kept["attachments"]:
            raise Refuse(403, "access.denied", "The message is too old to be edited")
        self.messages[mid] = read_body(await read_json(request), before=kept)
        return {"success": True}

    async def _delete(self, request: web.Request) -> Any:
        mid = request.query.get("message_id", "")
        self._own(mid)
        del self.messages[mid]
        return {"success": True}

    def _own(self, mid: str) -> dict[str, Any]:
        kept = self.messages.get(mid)
        if kept is None or not kept["out"]:
            raise Refuse(404, "not.found", f"Message {mid} not found")
        return kept

    async def _answer(self, request: web.Request) -> Any:
        callback_id = request.query.get("callback_id", "")
        if callback_id not in self._callbacks:
            raise Refuse(404, "not.found", "Callback not found")
        mid, chat = self._callbacks[callback_id]
        self._limit_in("answer", chat)
        body = await read_json(request)
        if body.get("message") is not None:
            self.messages[mid] = read_body(body["message"], before=self._own(mid))
        self.answered.append({**body, "callback_id": callback_id})
        return {"success": True}

    def forget_presses(self) -> None:
        """They can no longer be answered."""
        self._callbacks.clear()

    async def _subscriptions(self, _: web.Request) -> Any:
        return {"subscriptions": [one.shown for one in self.updates.subscriptions.values()]}

    async def _subscribe(self, request: web.Request) -> Any:
        body = await read_json(request)
        self.updates.subscribe(*read_subscription(body, plain=self.plain_webhooks))
        return {"success": True}

    async def _unsubscribe(self, request: web.Request) -> Any:
        found = self.updates.subscriptions.pop(request.query.get("url", ""), None)
        return {"success": True} if found else {"success": False, "message": "no such subscription"}

    async def _updates(self, request: web.Request) -> Any:
        marker = integer(request, "marker") if "marker" in request.query else None
        limit = int(request.query.get("limit", "100"))
        wait = int(request.query.get("timeout", "30"))
        if not (1 <= limit <= 1000 and 0 <= wait <= 90):
            raise invalid("limit, timeout: out of range")
        kinds = frozenset(filter(None, request.query.get("types", "").split(",")))
        # Since May 2026 both are lower for everybody.
        found, last = await self.updates.poll(marker, kinds, min(limit, 100), min(wait, 30))
        return {"updates": found, "marker": last}

    _methods: ClassVar[Mapping[str, Callable[["Max", web.Request], Awaitable[Any]]]] = {
        "GET /me": _me,
        "POST /messages": _send,
        "PUT /messages": _edit,
        "DELETE /messages": _delete,
        "POST /answers": _answer,
        "GET /subscriptions": _subscriptions,
        "POST /subscriptions": _subscribe,
        "DELETE /subscriptions": _unsubscribe,
        "GET /updates": _updates,
    }


def buttons_of(content: Fields) -> list[list[dict[str, Any]]]:
    """The rows under a message."""
    return [
        row
        for one in content["attachments"]
        if one["type"] == "inline_keyboard"
        for row in one["payload"]["buttons"]
    ]


def _denied() -> Refuse:
    return Refuse(403, "chat.denied", "error.dialog.suspended")
