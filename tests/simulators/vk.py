"""VK as one community sees it: what it refuses, what it keeps, and what people do with the community."""

import json
import re
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from aiohttp import web

from tests.simulators.base import Sent, Simulator
from tests.simulators.vk_events import CallbackServer, Events
from tests.simulators.vk_wire import (
    TEXTS,
    Fields,
    Refuse,
    check_version,
    error,
    invalid,
    number,
    read_fields,
    read_keyboard,
    read_text,
)

TOKEN = "vk1.a.test"
GROUP_ID = 1

_REMEMBERED = timedelta(hours=1).total_seconds()
_REMEMBERED_MESSAGES = 100
_EDITABLE = timedelta(hours=24).total_seconds()
_ANSWERABLE = timedelta(minutes=1).total_seconds()
_CALLS_PER_SECOND = 20
_CLIENT = {
    "button_actions": ["text", "callback", "open_link"],
    "keyboard": True,
    "inline_keyboard": True,
    "carousel": True,
    "lang_id": 0,
}


@dataclass(slots=True)
class Dialog:
    """One person's dialog with the community. `refusal`: the error code of every message to it, 0 for none."""

    peer_id: int
    refusal: int = 0
    messages: dict[int, dict[str, Any]] = field(default_factory=dict)
    """What stands there now, by conversation_message_id."""
    last_id: int = 0


class Vk(Simulator):
    """`add_person` makes dialogs; `say`, `press`, `allow`, `deny` and `read` are what people do."""

    def __init__(self, token: str = TOKEN, group_id: int = GROUP_ID) -> None:
        super().__init__()
        self.token = token
        self.group_id = group_id
        self.screen_name = "test_shop"
        self.dialogs: dict[int, Dialog] = {}
        self.events = Events(group_id)
        self.calls: list[tuple[str, dict[str, str]]] = []
        """(method, fields) of every call with the right token."""
        self.answered: list[dict[str, str]] = []
        """Fields of each `messages.sendMessageEventAnswer` that was taken."""
        self.errors: deque[int] = deque()
        """Error codes of the next calls."""
        self.error: int = 0
        """Error code of every call until it is 0 again."""
        self.limited = False
        """Hold callers to 20 calls a second, as the real one does."""
        self._skew = 0.0
        self._next_message = 11
        self._presses: dict[str, float] = {}
        self._called_at: deque[float] = deque(maxlen=_CALLS_PER_SECOND)

    @property
    def api_url(self) -> str:
        return f"{self.url}/method/"

    def routes(self, app: web.Application) -> None:
        app.router.add_route("*", "/method/{method}", self._answer)
        app.router.add_route("*", "/wh{group}", self.events.poll)

    async def stop(self) -> None:
        await self.events.stop()
        await super().stop()

    def now(self) -> float:
        return time.time() + self._skew

    def pass_time(self, span: timedelta) -> None:
        """The simulator's clock goes ahead, nobody else's."""
        self._skew += span.total_seconds()

    # -- who there is, and what people do ----------------------------------------------------

    def add_person(self, id_: int, *, refusal: int = 0) -> Dialog:
        """`refusal`: 901 who never allowed messages, 900 who is blacklisted, 18 who is deleted."""
        dialog = self.dialogs[id_] = Dialog(id_, refusal)
        return dialog

    def say(self, user_id: int, text: str, **more: Any) -> str:
        """A person writes, and so allows messages. `ref` after a deep link, `payload` of a text button."""
        dialog = self.dialogs.get(user_id) or self.add_person(user_id)
        dialog.refusal = 0
        message = {
            "from_id": user_id,
            "text": text,
            "out": 0,
            "version": 10000001,
            "random_id": 0,
            "attachments": [],
            "fwd_messages": [],
            "important": False,
            "is_hidden": False,
            **more,
        }
        content = {"message": self._keep(dialog, message), "client_info": _CLIENT}
        return self.events.add("message_new", content)

    def press(self, user_id: int, conversation_message_id: int, payload: Mapping[str, Any]) -> str:
        """A callback button, or what a forging client says it is. Returns the press's own `event_id`."""
        press_id = f"p{len(self._presses) + 1}"
        self._presses[press_id] = self.now()
        content = {
            "user_id": user_id,
            "peer_id": user_id,
            "event_id": press_id,
            "payload": dict(payload),
            "conversation_message_id": conversation_message_id,
        }
        self.events.add("message_event", content)
        return press_id

    def allow(self, user_id: int, key: str = "") -> str:
        self.add_person(user_id)
        return self.events.add("message_allow", {"user_id": user_id, "key": key})

    def deny(self, user_id: int) -> str:
        self.dialogs[user_id].refusal = 901
        return self.events.add("message_deny", {"user_id": user_id})

    def read(self, user_id: int) -> str:
        """The person has read everything there is."""
        dialog = self.dialogs[user_id]
        last = dialog.messages[dialog.last_id]
        content = {
            "from_id": user_id,
            "peer_id": user_id,
            "read_message_id": last["id"],
            "conversation_message_id": dialog.last_id,
        }
        return self.events.add("message_read", content)

    def _keep(self, dialog: Dialog, content: Mapping[str, Any]) -> dict[str, Any]:
        dialog.last_id += 1
        message = {
            "id": self._next_message,
            "date": int(self.now()),
            "peer_id": dialog.peer_id,
            "conversation_message_id": dialog.last_id,
            **content,
        }
        dialog.messages[dialog.last_id] = message
        self._next_message += 1
        return message

    # -- the API -----------------------------------------------------------------------------

    async def _answer(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        fields = await read_fields(request)
        try:
            self._admit(method, fields)
            result = await self._call(method, fields)
        except Refuse as refusal:
            return error(refusal, method, fields)
        return web.json_response(result if method == "execute" else {"response": result})

    def _admit(self, method: str, fields: Fields) -> None:
        check_version(fields)
        if fields.get("access_token") != self.token:
            raise Refuse(5, TEXTS[5])
        self.calls.append((method, dict(fields)))
        if code := self.errors.popleft() if self.errors else self.error:
            raise Refuse(code, TEXTS.get(code, f"Error {code}"))
        if self.limited:
            now = time.monotonic()
            if len(self._called_at) == _CALLS_PER_SECOND and now - self._called_at[0] < 1:
                raise Refuse(6, TEXTS[6])
            self._called_at.append(now)

    async def _call(self, method: str, fields: Fields) -> Any:
        if method not in self._methods:
            raise Refuse(3, "Unknown method passed")
        return await self._methods[method](self, fields)

    async def _send(self, fields: Fields) -> Any:
        random_id = number(fields, "random_id")
        if not -(2**31) <= random_id < 2**31:
            raise invalid("random_id should be int32")
        text, keyboard = read_text(fields), read_keyboard(fields)
        content = {
            "from_id": -self.group_id,
            "text": text,
            "out": 1,
            "random_id": random_id,
            "keyboard": keyboard,
        }
        if "peer_ids" not in fields:
            name = next((n for n in ("peer_id", "user_id") if n in fields), "peer_id")
            return self._deliver(number(fields, name), content)["id"]
        peers = fields["peer_ids"].split(",")
        if len(peers) > 100 or not all(re.fullmatch(r"-?\d+", peer) for peer in peers):
            raise invalid("peer_ids should be up to 100 integers")
        return [self._deliver_to_one(int(peer), content) for peer in peers]

    def _deliver_to_one(self, peer_id: int, content: Mapping[str, Any]) -> dict[str, Any]:
        try:
            message = self._deliver(peer_id, content)
        except Refuse as refusal:
            # As the real one: no message_id at all beside the error.
            return {
                "peer_id": peer_id,
                "error": {"code": refusal.code, "description": refusal.text},
            }
        return {
            "peer_id": peer_id,
            "message_id": message["id"],
            "conversation_message_id": message["conversation_message_id"],
        }

    def _deliver(self, peer_id: int, content: Mapping[str, Any]) -> dict[str, Any]:
        dialog = self.dialogs.get(peer_id)
        code = dialog.refusal if dialog else 901
        if dialog is None or code:
            raise Refuse(code, TEXTS.get(code, f"Error {code}"))
        if known := self._repeat(dialog, content["random_id"]):
            return known
        message = self._keep(dialog, content)
        self.take(
            Sent(
                to=str(peer_id),
                text=content["text"],
                provider_id=f"{peer_id}:{message['conversation_message_id']}",
                extra={
                    "message_id": message["id"],
                    "random_id": content["random_id"],
                    "buttons": content["keyboard"].get("buttons", []),
                },
            )
        )
        return message

    def _repeat(self, dialog: Dialog, random_id: int) -> dict[str, Any] | None:
        """The message that had this `random_id` in this dialog within an hour and a hundred messages."""
        recent = list(dialog.messages.values())[-_REMEMBERED_MESSAGES:]
        since = self.now() - _REMEMBERED
        return next(
            (m for m in recent if random_id and m["random_id"] == random_id and m["date"] >= since),
            None,
        )

    async def _edit(self, fields: Fields) -> int:
        message = self._own(fields)
        if self.now() - message["date"] > _EDITABLE:
            raise Refuse(909, "Can't edit this message, because it's too old")
        # The message is replaced as a whole: a keyboard that is left out goes.
        message.update(text=read_text(fields), keyboard=read_keyboard(fields))
        return 1

    def _own(self, fields: Fields) -> dict[str, Any]:
        dialog = self.dialogs.get(number(fields, "peer_id"))
        name = next((n for n in ("conversation_message_id", "cmid") if n in fields), "message_id")
        key = "id" if name == "message_id" else "conversation_message_id"
        for message in dialog.messages.values() if dialog else ():
            if message[key] == number(fields, name) and message["out"]:
                return message
        raise invalid("message not found")

    async def _answer_event(self, fields: Fields) -> int:
        pressed_at = self._presses.pop(fields.get("event_id", ""), None)
        if pressed_at is None or self.now() - pressed_at > _ANSWERABLE:
            raise invalid("event_id is unknown, answered or too old")
        if len(fields.get("event_data", "")) > 1000:
            raise invalid("event_data is too long")
        self.answered.append(dict(fields))
        return 1

    async def _is_allowed(self, fields: Fields) -> Any:
        dialog = self.dialogs.get(number(fields, "user_id"))
        return {"is_allowed": int(dialog is not None and not dialog.refusal)}

    async def _conversations(self, fields: Fields) -> Any:
        items = []
        for peer in map(int, fields.get("peer_ids", "").split(",")):
            dialog = self.dialogs.get(peer)
            code = dialog.refusal if dialog else 901
            reason = {"reason": code} if code else {}
            can_write = {"allowed": not code, **reason}
            items.append({"peer": {"id": peer, "type": "user"}, "can_write": can_write})
        return {"count": len(items), "items": items}

    async def _groups(self, _: Fields) -> Any:
        group = {"id": self.group_id, "name": "Test shop", "screen_name": self.screen_name}
        return {"groups": [group], "profiles": []}

    async def _permissions(self, _: Fields) -> Any:
        return {"mask": 4096, "permissions": [{"name": "messages", "setting": 4096}]}

    async def _users(self, fields: Fields) -> Any:
        ids = map(int, fields.get("user_ids", "").split(","))
        return [{"id": id_, "first_name": "Анна", "last_name": "Иванова"} for id_ in ids]

    async def _nothing(self, _: Fields) -> int:
        return 1

    async def _poll_settings(self, fields: Fields) -> int:
        self.events.kinds = _kinds(fields)
        return 1

    async def _poll_server(self, _: Fields) -> Any:
        server = f"{self.url}/wh{self.group_id}"
        return {"key": self.events.key, "server": server, "ts": self.events.ts}

    async def _confirmation_code(self, _: Fields) -> Any:
        return {"code": self.events.confirmation}

    async def _add_server(self, fields: Fields) -> Any:
        servers = self.events.servers
        if len(servers) == 10:
            raise Refuse(2000, "Servers number limit reached")
        if len(fields.get("title", "")) > 14 or len(fields.get("secret_key", "")) > 50:
            raise invalid("title or secret_key is too long")
        server = CallbackServer(
            len(servers) + 1, fields["url"], fields.get("title", ""), fields.get("secret_key", "")
        )
        servers[server.id] = server
        await self.events.confirm(server)
        return {"server_id": server.id}

    async def _server_settings(self, fields: Fields) -> int:
        self.events.servers[number(fields, "server_id")].kinds = _kinds(fields)
        return 1

    async def _servers(self, _: Fields) -> Any:
        items = [server.shown for server in self.events.servers.values()]
        return {"count": len(items), "items": items}

    async def _delete_server(self, fields: Fields) -> int:
        self.events.servers.pop(number(fields, "server_id"), None)
        return 1

    async def _execute(self, fields: Fields) -> Any:
        """No engine: the calls are picked out of the code by their form `API.method({json})`."""
        calls = re.findall(r"API\.([\w.]+)\((\{.*?\})\)", fields.get("code", ""), re.DOTALL)
        if not calls or len(calls) > 25:
            raise Refuse(13, "Runtime error occurred during code invocation: too many api calls")
        results: list[Any] = []
        errors: list[dict[str, Any]] = []
        for method, arguments in calls:
            given = json.loads(arguments)
            try:
                results.append(await self._call(method, {k: str(v) for k, v in given.items()}))
            except Refuse as refusal:
                results.append(False)
                errors.append(
                    {"method": method, "error_code": refusal.code, "error_msg": refusal.text}
                )
        return {"response": results, **({"execute_errors": errors} if errors else {})}

    _methods: Mapping[str, Callable[["Vk", Fields], Awaitable[Any]]] = {
        "execute": _execute,
        "groups.addCallbackServer": _add_server,
        "groups.deleteCallbackServer": _delete_server,
        "groups.getById": _groups,
        "groups.getCallbackConfirmationCode": _confirmation_code,
        "groups.getCallbackServers": _servers,
        "groups.getLongPollServer": _poll_server,
        "groups.getTokenPermissions": _permissions,
        "groups.setCallbackSettings": _server_settings,
        "groups.setLongPollSettings": _poll_settings,
        "messages.edit": _edit,
        "messages.getConversationsById": _conversations,
        "messages.isMessagesFromGroupAllowed": _is_allowed,
        "messages.markAsRead": _nothing,
        "messages.send": _send,
        "messages.sendMessageEventAnswer": _answer_event,
        "messages.setActivity": _nothing,
        "users.get": _users,
    }


def _kinds(fields: Fields) -> set[str]:
    """The event types switched on: fields such as `message_new=1`."""
    return {name for name, value in fields.items() if value == "1" and "_" in name} - {
        "group_id",
        "server_id",
    }
