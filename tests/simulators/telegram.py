"""Telegram's Bot API as one bot sees it: what it refuses, what it keeps, and what people do with the bot."""

import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from tests.simulators.base import Sent, Simulator
from tests.simulators.telegram_updates import Updates, Webhook
from tests.simulators.telegram_wire import (
    Fields,
    Refuse,
    read_fields,
    read_json,
    read_markup,
    read_text,
    refused,
)

TOKEN = "1:test"
BOT = {"id": 1, "is_bot": True, "first_name": "Shop", "username": "shop_bot"}

_MAX_TEXT = 4096
_MAX_CAPTION = 1024
_DELETABLE = 48 * 3600
_HOOK_PORTS = (80, 88, 443, 8443)


@dataclass(slots=True)
class Chat:
    """A chat that the bot has heard of. `refusal`: (code, description) of every message to it."""

    id: int
    kind: str
    name: str
    refusal: tuple[int, str] | None = None
    moved_to: int = 0

    @property
    def shown(self) -> dict[str, Any]:
        key = "first_name" if self.kind == "private" else "title"
        return {"id": self.id, "type": self.kind, key: self.name}


class Telegram(Simulator):
    """`add_person` and `add_group` make the chats; `say`, `press`, `block` and so on are what people do."""

    def __init__(self, token: str = TOKEN) -> None:
        super().__init__()
        self.token = token
        self.bot: dict[str, Any] = dict(BOT)
        self.chats: dict[int, Chat] = {}
        self.messages: dict[tuple[int, int], dict[str, Any]] = {}
        """What stands in each chat now, by (chat, message); edits change it."""
        self.answered: list[dict[str, str]] = []
        """Fields of each `answerCallbackQuery` that was taken."""
        self.calls: list[tuple[str, dict[str, Any]]] = []
        """(method, fields) of every request with the right token."""
        self.plain_webhooks = True
        """Any port and http, as a server started with `--local` takes them; False: as the public one."""
        self._skew = 0.0
        self._queries: dict[str, float] = {}
        self._floods: dict[int | None, float] = {}
        self._next_message = 1
        self.updates = Updates(self.now)

    def routes(self, app: web.Application) -> None:
        app.router.add_route("*", "/bot{token}/{method}", self._answer)

    async def stop(self) -> None:
        await self.updates.stop_pushing()
        self.updates.take_over()
        await super().stop()

    def now(self) -> float:
        return time.time() + self._skew

    def pass_time(self, span: timedelta) -> None:
        """The simulator's clock goes ahead, nobody else's."""
        self._skew += span.total_seconds()

    # -- who there is ------------------------------------------------------------------------

    def add_person(self, id_: int, name: str = "Anna", *, started: bool = True) -> Chat:
        refusal = None if started else (403, "bot can't initiate conversation with a user")
        chat = self.chats[id_] = Chat(id_, "private", name, refusal)
        return chat

    def add_group(self, id_: int, title: str = "Warehouse") -> Chat:
        """`id_` is negative, as those of groups are."""
        chat = self.chats[id_] = Chat(id_, "group", title)
        return chat

    def upgrade_group(self, id_: int, new_id: int, by: int = 42) -> None:
        """The group becomes a supergroup: both chats tell of it, and the old id is answered with the new one."""
        self.chats[new_id] = Chat(new_id, "supergroup", self.chats[id_].name)
        self.chats[id_].moved_to = new_id
        for chat, said in (
            (id_, {"migrate_to_chat_id": new_id}),
            (new_id, {"migrate_from_chat_id": id_}),
        ):
            self.updates.add("message", chat, self._keep(chat, self._person(by), said))

    def deactivate(self, id_: int) -> None:
        self.chats[id_].refusal = (403, "user is deactivated")

    def flood(self, wait: timedelta, chat_id: int | None = None) -> None:
        """429 until the time is over, in one chat or (None) for the whole bot."""
        self._floods[chat_id] = self.now() + wait.total_seconds()

    # -- what people do ----------------------------------------------------------------------

    def say(self, user_id: int, text: str, *, chat_id: int | None = None, **more: Any) -> int:
        """A person writes; a first word to the bot opens the chat. Returns the `update_id`."""
        chat = self._heard(chat_id or user_id)
        if chat.kind == "private" and (chat.refusal or (0, ""))[1] != "user is deactivated":
            chat.refusal = None
        message = self._keep(chat.id, self._person(user_id), {"text": text, **more})
        if text.startswith("/"):
            length = len(text.split()[0])
            message["entities"] = [{"type": "bot_command", "offset": 0, "length": length}]
        return self.updates.add("message", chat.id, message)

    def share_contact(self, user_id: int, phone: str, *, owner_id: int | None = None) -> int:
        """The button `request_contact`; another `owner_id` is a card of somebody else."""
        contact = {"phone_number": phone, "first_name": "Anna", "user_id": owner_id or user_id}
        message = self._keep(user_id, self._person(user_id), {"contact": contact})
        return self.updates.add("message", user_id, message)

    def press(self, user_id: int, message_id: int, data: str, *, chat_id: int | None = None) -> str:
        """A button, or what a forging client says it is. Returns the query's id."""
        chat = self._heard(chat_id or user_id)
        query_id = str(4381 + len(self._queries))
        self._queries[query_id] = self.now()
        gone = {"message_id": message_id, "chat": chat.shown, "date": 0}
        query = {
            "id": query_id,
            "from": self._person(user_id),
            "chat_instance": str(-77 * chat.id),
            "data": data,
            "message": self.messages.get((chat.id, message_id), gone),
        }
        self.updates.add("callback_query", chat.id, query)
        return query_id

    def block(self, user_id: int) -> int:
        self.chats[user_id].refusal = (403, "bot was blocked by the user")
        return self._membership(user_id, user_id, "member", "kicked")

    def unblock(self, user_id: int) -> int:
        self.chats[user_id].refusal = None
        return self._membership(user_id, user_id, "kicked", "member")

    def kick(self, chat_id: int, by: int) -> int:
        chat = self.chats[chat_id]
        chat.refusal = (403, f"bot was kicked from the {chat.kind} chat")
        return self._membership(chat_id, by, "member", "kicked")

    def _membership(self, chat_id: int, user_id: int, old: str, new: str) -> int:
        change = {
            "chat": self.chats[chat_id].shown,
            "from": self._person(user_id),
            "date": int(self.now()),
            "old_chat_member": self._member(old),
            "new_chat_member": self._member(new),
        }
        return self.updates.add("my_chat_member", chat_id, change)

    def _member(self, status: str) -> dict[str, Any]:
        until = {"until_date": 0} if status == "kicked" else {}
        return {"status": status, "user": self.bot, **until}

    def _person(self, user_id: int) -> dict[str, Any]:
        chat = self.chats.get(user_id)
        name = chat.name if chat else "Anna"
        return {"id": user_id, "is_bot": False, "first_name": name, "language_code": "ru"}

    def _heard(self, chat_id: int) -> Chat:
        return self.chats.get(chat_id) or self.add_person(chat_id)

    def _keep(self, chat_id: int, sender: Fields, content: Fields) -> dict[str, Any]:
        message = {
            "message_id": self._next_message,
            "from": sender,
            "chat": self.chats[chat_id].shown,
            "date": int(self.now()),
            **content,
        }
        self.messages[chat_id, self._next_message] = message
        self._next_message += 1
        return message

    # -- the API -----------------------------------------------------------------------------

    async def _answer(self, request: web.Request) -> web.Response:
        try:
            result = await self._dispatch(request)
        except Refuse as refusal:
            return refused(refusal)
        return web.json_response({"ok": True, "result": result})

    async def _dispatch(self, request: web.Request) -> Any:
        token = request.match_info["token"]
        if not re.fullmatch(r"\d+:\S+", token):
            raise Refuse(404, "Not Found")
        if token != self.token:
            raise Refuse(401, "Unauthorized")
        method = request.match_info["method"].lower()
        if method not in self._methods:
            raise Refuse(404, "Not Found: method not found")
        fields = await read_fields(request)
        self.calls.append((method, fields))
        return await self._methods[method](self, fields)

    async def _get_me(self, _: Fields) -> Any:
        return self.bot

    async def _send_message(self, fields: Fields) -> Any:
        chat = self._writable(fields)
        text = read_text(fields, "text", _MAX_TEXT)
        content = {"text": text, **read_markup(fields)}
        message = self._keep(chat.id, self.bot, content)
        self._sent(chat, message, fields, text, str(fields.get("text", "")))
        return message

    async def _send_media(self, fields: Fields) -> Any:
        chat = self._writable(fields)
        kind = "photo" if "photo" in fields else "document"
        if not fields.get(kind):
            raise Refuse(400, f"there is no {kind} in the request")
        caption = read_text(fields, "caption", _MAX_CAPTION, may_be_empty=True)
        file = {"file_id": f"file-{self._next_message}", "file_unique_id": "u"}
        size = {**file, "width": 90, "height": 90}
        content = {kind: [size] if kind == "photo" else file, **read_markup(fields)}
        message = self._keep(chat.id, self.bot, {**content, "caption": caption})
        self._sent(chat, message, fields, caption, str(fields.get("caption", "")))
        return message

    def _sent(self, chat: Chat, message: Fields, fields: Fields, text: str, source: str) -> None:
        self.take(
            Sent(
                to=str(chat.id),
                text=text,
                html=source if fields.get("parse_mode") == "HTML" else "",
                provider_id=f"{chat.id}:{message['message_id']}",
                extra={
                    "message_id": message["message_id"],
                    "buttons": message.get("reply_markup", {}).get("inline_keyboard", []),
                    "fields": dict(fields),
                },
            )
        )

    async def _edit(self, fields: Fields) -> Any:
        message = self._own(fields, "message to edit not found")
        new = dict(message)
        if "text" in fields:
            new["text"] = read_text(fields, "text", _MAX_TEXT)
        if "caption" in fields:
            new["caption"] = read_text(fields, "caption", _MAX_CAPTION, may_be_empty=True)
        # Left out, the keyboard goes.
        new.pop("reply_markup", None)
        new.update(read_markup(fields))
        if new == message:
            raise Refuse(
                400,
                "message is not modified: specified new message content and reply markup are "
                "exactly the same as a current content and reply markup of the message",
            )
        new["edit_date"] = message.get("edit_date", int(self.now()))
        self.messages[new["chat"]["id"], new["message_id"]] = new
        return new

    async def _delete(self, fields: Fields) -> bool:
        message = self._own(fields, "message to delete not found")
        if self.now() - message["date"] > _DELETABLE:
            raise Refuse(400, "message can't be deleted for everyone")
        del self.messages[message["chat"]["id"], message["message_id"]]
        return True

    async def _answer_query(self, fields: Fields) -> bool:
        asked_at = self._queries.get(str(fields.get("callback_query_id")))
        if asked_at is None or self.now() - asked_at > 150:
            raise Refuse(
                400, "query is too old and response timeout expired or query ID is invalid"
            )
        if len(str(fields.get("text", ""))) > 200:
            raise Refuse(400, "MESSAGE_TOO_LONG")
        self.answered.append({key: str(value) for key, value in fields.items()})
        return True

    async def _get_chat(self, fields: Fields) -> Any:
        return self._chat(fields).shown

    async def _get_member(self, fields: Fields) -> Any:
        self._chat(fields)
        return {"status": "member", "user": self._person(int(fields["user_id"]))}

    async def _action(self, fields: Fields) -> bool:
        self._writable(fields)
        return True

    async def _nothing(self, _: Fields) -> bool:
        return True

    async def _get_updates(self, fields: Fields) -> Any:
        updates = self.updates
        if updates.webhook:
            raise Refuse(
                409,
                "can't use getUpdates method while webhook is active; "
                "use deleteWebhook to delete the webhook first",
            )
        self._allow(fields)
        updates.confirm(int(fields.get("offset") or 0))
        if not await updates.wait(min(float(fields.get("timeout") or 0), 50.0)):
            raise Refuse(
                409,
                "terminated by other getUpdates request; "
                "make sure that only one bot instance is running",
            )
        return updates.pending[: int(fields.get("limit") or 100)]

    async def _set_webhook(self, fields: Fields) -> bool:
        url = str(fields.get("url") or "")
        if not url:
            return await self._delete_webhook(fields)
        self._check_hook(url, str(fields.get("secret_token") or ""))
        self._allow(fields)
        if fields.get("drop_pending_updates") in (True, "true", "True"):
            self.updates.drop_all()
        self.updates.take_over()
        self.updates.webhook = Webhook(url, str(fields.get("secret_token") or ""))
        self.updates.start_pushing()
        return True

    def _check_hook(self, url: str, secret: str) -> None:
        parts = urlsplit(url)
        if not self.plain_webhooks:
            if parts.scheme != "https":
                raise Refuse(400, "bad webhook: An HTTPS URL must be provided for webhook")
            if (parts.port or 443) not in _HOOK_PORTS:
                ports = "80, 88, 443 or 8443"
                raise Refuse(400, f"bad webhook: Webhook can be set up only on ports {ports}")
        if len(secret) > 256:
            raise Refuse(400, "secret token is too long")
        if not re.fullmatch(r"[A-Za-z0-9_-]*", secret):
            raise Refuse(400, "secret token contains unallowed characters")

    async def _delete_webhook(self, fields: Fields) -> bool:
        self.updates.webhook = None
        await self.updates.stop_pushing()
        if fields.get("drop_pending_updates") in (True, "true", "True"):
            self.updates.drop_all()
        return True

    async def _webhook_info(self, _: Fields) -> Any:
        hook = self.updates.webhook
        error = {"last_error_message": self.updates.last_error} if self.updates.last_error else {}
        return {
            "url": hook.url if hook else "",
            "has_custom_certificate": False,
            "pending_update_count": len(self.updates.pending),
            **error,
        }

    def _allow(self, fields: Fields) -> None:
        """Left out, the list of the last call stays."""
        if (kinds := read_json(fields.get("allowed_updates"))) is not None:
            self.updates.allowed = frozenset(kinds)

    def _writable(self, fields: Fields) -> Chat:
        chat = self._chat(fields)
        if chat.moved_to:
            raise Refuse(
                400,
                "group chat was upgraded to a supergroup chat",
                migrate_to_chat_id=chat.moved_to,
            )
        if chat.refusal:
            raise Refuse(*chat.refusal)
        until = max(self._floods.get(None, 0.0), self._floods.get(chat.id, 0.0))
        if (wait := until - self.now()) > 0:
            seconds = max(round(wait), 1)
            raise Refuse(429, f"retry after {seconds}", retry_after=seconds)
        return chat

    def _chat(self, fields: Fields) -> Chat:
        chat_id = str(fields.get("chat_id") or "")
        if not chat_id:
            raise Refuse(400, "chat_id is empty")
        chat = self.chats.get(int(chat_id)) if re.fullmatch(r"-?\d+", chat_id) else None
        if chat is None:
            raise Refuse(400, "chat not found")
        return chat

    def _own(self, fields: Fields, otherwise: str) -> dict[str, Any]:
        chat = self._writable(fields)
        message = self.messages.get((chat.id, int(fields.get("message_id") or 0)))
        if message is None:
            raise Refuse(400, otherwise)
        if message["from"] != self.bot and "edit" in otherwise:
            raise Refuse(400, "message can't be edited")
        return message

    _methods: Mapping[str, Callable[["Telegram", Fields], Awaitable[Any]]] = {
        "getme": _get_me,
        "sendmessage": _send_message,
        "sendphoto": _send_media,
        "senddocument": _send_media,
        "editmessagetext": _edit,
        "editmessagecaption": _edit,
        "editmessagereplymarkup": _edit,
        "deletemessage": _delete,
        "answercallbackquery": _answer_query,
        "sendchataction": _action,
        "setmycommands": _nothing,
        "setmydescription": _nothing,
        "getchat": _get_chat,
        "getchatmember": _get_member,
        "getupdates": _get_updates,
        "setwebhook": _set_webhook,
        "deletewebhook": _delete_webhook,
        "getwebhookinfo": _webhook_info,
    }
