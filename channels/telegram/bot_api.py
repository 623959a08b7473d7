"""Telegram by the Bot API: one message a call, nothing said about what became of it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from typing import Any, ClassVar, Literal

from pydantic import SecretStr, field_validator

from channels.base import (
    GONE,
    Accepted,
    AccountConfig,
    BaseUrl,
    Button,
    Channel,
    Check,
    Limits,
    Message,
    Moved,
    Outcome,
    Refused,
    Retry,
    Scope,
    Tells,
    Unavailable,
    one_each,
)
from channels.http import NoReply, ProviderHttp, Reply, unclear

# Descriptions are no contract, so a part of the text is looked for, in lower case; the first that fits
# wins. They are written in td and telegram-bot-api (`Client.cpp`). The upper-case codes of the servers
# behind come as they are, and with 400 even where they mean 403: hence one table for both.
_REFUSALS: Mapping[str, tuple[Scope, str]] = {
    "bot was blocked by the user": (Scope.RECIPIENT, "blocked"),
    "user_is_blocked": (Scope.RECIPIENT, "blocked"),
    "user is deactivated": (Scope.RECIPIENT, "deactivated"),
    "input_user_deactivated": (Scope.RECIPIENT, "deactivated"),
    "bot can't initiate conversation": (Scope.RECIPIENT, "never-started"),
    "bot was kicked": (Scope.RECIPIENT, "kicked"),
    "bot is not a member": (Scope.RECIPIENT, "not-a-member"),
    "channel_private": (Scope.RECIPIENT, "not-a-member"),
    "the group chat was deleted": (Scope.RECIPIENT, "chat-deleted"),
    "can't send messages to the bot": (Scope.RECIPIENT, "is-a-bot"),
    "chat not found": (Scope.RECIPIENT, "chat-not-found"),
    "chat_id is empty": (Scope.RECIPIENT, "chat-not-found"),
    "peer_id_invalid": (Scope.RECIPIENT, "chat-not-found"),
    "not enough rights": (Scope.RECIPIENT, "no-rights-in-chat"),
    "have no write access": (Scope.RECIPIENT, "no-rights-in-chat"),
    "chat_write_forbidden": (Scope.RECIPIENT, "no-rights-in-chat"),
    "chat_restricted": (Scope.RECIPIENT, "no-rights-in-chat"),
    "topic_closed": (Scope.RECIPIENT, "topic-closed"),
    "topic_deleted": (Scope.RECIPIENT, "topic-closed"),
    "message is too long": (Scope.MESSAGE, "too-long"),
    "caption is too long": (Scope.MESSAGE, "too-long"),
    "message text is empty": (Scope.MESSAGE, "empty"),
    "text must be non-empty": (Scope.MESSAGE, "empty"),
    "can't parse entities": (Scope.MESSAGE, "bad-html"),
    "button_data_invalid": (Scope.MESSAGE, "bad-buttons"),
    "button_url_invalid": (Scope.MESSAGE, "bad-buttons"),
    "inline keyboard": (Scope.MESSAGE, "bad-buttons"),
    "reply markup is too long": (Scope.MESSAGE, "bad-buttons"),
    "wrong file identifier": (Scope.MESSAGE, "bad-media"),
    "wrong type of the web page content": (Scope.MESSAGE, "bad-media"),
    "failed to get http url content": (Scope.MESSAGE, "bad-media"),
}
# For a text that is not known. A 400 is then taken for the message's fault: neither a person nor the bot
# is switched off for it.
_OTHERWISE: Mapping[int, tuple[Scope, str]] = {
    HTTPStatus.FORBIDDEN: (Scope.RECIPIENT, "forbidden"),
    HTTPStatus.BAD_REQUEST: (Scope.MESSAGE, "bad-request"),
}
_ACCOUNT: Mapping[int, str] = {
    HTTPStatus.UNAUTHORIZED: "bad-token",
    # A malformed token in the path, or a `base_url` that leads elsewhere.
    HTTPStatus.NOT_FOUND: "bad-token",
    HTTPStatus.CONFLICT: "two-receivers",
}

# Of edits: the first is what was wanted; the others leave nothing to edit (td, `MessagesManager.cpp`).
_NOT_MODIFIED = "message is not modified"
_NOT_EDITABLE = ("message to edit not found", "message can't be edited", "message_id_invalid")

_TOKEN = re.compile(r"[0-9]+:\S+")
_REASON_LENGTH = 300


class BotApiConfig(AccountConfig):
    token: SecretStr
    base_url: BaseUrl = "https://api.telegram.org"
    receive: Literal["polling", "webhook"] = "polling"

    @field_validator("token")
    @classmethod
    def _form(cls, token: SecretStr) -> SecretStr:
        if not _TOKEN.fullmatch(token.get_secret_value()):
            raise ValueError("must look like 123456:ABC-DEF, as @BotFather shows it")
        return token


class BotApi:
    """A repeated call is a second message: Telegram knows no key to recognise it by.

    The URL holds the token. It is used in one place and is in no text that leaves this class.
    """

    Config: ClassVar[type[AccountConfig]] = BotApiConfig
    channel: ClassVar[Channel] = Channel.TELEGRAM
    provider: ClassVar[str] = "bot_api"
    # Bots learn neither of delivery nor of reading.
    tells: ClassVar[Tells] = Tells.SENT
    # The FAQ gives about 30/s over all chats: the rest is left to answers of the bot. A group takes 20 a minute
    # only; there the second message within 3 s may meet a 429, which costs a wait and nothing else.
    limits: ClassVar[Limits] = Limits(per_second=25, per_recipient=timedelta(seconds=1))
    deduplicates: ClassVar[timedelta] = timedelta(0)

    def __init__(self, config: BotApiConfig, http: ProviderHttp) -> None:
        self._token = config.token.get_secret_value()
        self._base_url = config.base_url
        self._http = http
        self._username = ""

    def split(self, messages: Sequence[Message]) -> list[list[Message]]:
        return one_each(messages)

    async def send(self, messages: Sequence[Message]) -> list[Outcome]:
        return [await self._send(message) for message in messages]

    async def edit(self, provider_id: str, message: Message) -> Outcome:
        """Bots may edit their messages at any age; nobody is alerted by it."""
        chat, _, number = provider_id.rpartition(":")
        fields = {**_fields(message), "chat_id": chat, "message_id": number}
        try:
            reply = await self._call("editMessageText", fields)
            outcome = self._outcome(reply)
        except NoReply as none:
            return none.outcome
        match outcome:
            case Refused(Scope.MESSAGE, _, reason) if _NOT_MODIFIED in reason.lower():
                return Accepted(provider_id)
            case Refused(Scope.MESSAGE, _, reason) if any(
                part in reason.lower() for part in _NOT_EDITABLE
            ):
                return Refused(Scope.MESSAGE, GONE, reason)
        return outcome

    async def me(self) -> str:
        """The bot's username, for links `https://t.me/<username>?start=…`; asked for once.

        Raises `Unavailable`.
        """
        if not self._username:
            self._username = await self._ask_username()
        return self._username

    async def check(self) -> Check:
        try:
            self._username = await self._ask_username()
        except Unavailable as error:
            return Check(False, str(error))
        return Check(True, f"@{self._username}")

    async def close(self) -> None:
        """Nothing is held: the connections are those of `ProviderHttp`."""

    async def _send(self, message: Message) -> Outcome:
        try:
            reply = await self._call("sendMessage", _fields(message))
            return self._outcome(reply)
        except NoReply as none:
            return none.outcome

    async def _ask_username(self) -> str:
        try:
            reply = await self._call("getMe", {})
            answer = _envelope(reply)
        except NoReply as none:
            raise Unavailable(f"Telegram did not answer: {none.outcome.reason}") from None
        match answer:
            case {"ok": True, "result": {"username": str(username)}} if username:
                return username
            case {"ok": False}:
                raise Unavailable(f"Telegram refused: {self._description(answer)}")
        raise Unavailable("Telegram answered something unreadable")

    async def _call(self, method: str, fields: Mapping[str, Any]) -> Reply:
        return await self._http.post(f"{self._base_url}/bot{self._token}/{method}", json=fields)

    def _outcome(self, reply: Reply) -> Outcome:
        if reply.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            # Said by the web server in front, not always as JSON.
            return Refused(Scope.MESSAGE, "too-long", "Request Entity Too Large")
        answer = _envelope(reply)
        match answer:
            case {"ok": True, "result": {"message_id": int(id_), "chat": {"id": int(chat_id)}}}:
                return Accepted(f"{chat_id}:{id_}")
            case {"ok": True}:
                return unclear(reply)
            case {"parameters": {"migrate_to_chat_id": int(chat_id)}}:
                return Moved(str(chat_id))
        return self._refusal(replace(reply, status=_error_code(answer, reply)), answer)

    def _refusal(self, reply: Reply, answer: Mapping[str, Any]) -> Outcome:
        """`reply` with the status of `error_code`, which is the same unless something stands in between."""
        text = self._description(answer)
        if reply.status == HTTPStatus.TOO_MANY_REQUESTS:
            return Retry("throttled", _retry_after(answer) or reply.retry_after, throttled=True)
        if reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return unclear(reply)
        if code := _ACCOUNT.get(reply.status):
            return Refused(Scope.ACCOUNT, code, text)
        if default := _OTHERWISE.get(reply.status):
            scope, code = _known(text) or default
            return Refused(scope, code, text)
        return unclear(reply)

    def _description(self, answer: Mapping[str, Any]) -> str:
        """Telegram's words, without the token should a proxy have put it there."""
        text = str(answer.get("description") or "no reason given")
        return text.replace(self._token, "***")[:_REASON_LENGTH]


def _fields(message: Message) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "chat_id": message.to,
        "text": message.html or message.text,
        "link_preview_options": {"is_disabled": True},
    }
    if message.html:
        fields["parse_mode"] = "HTML"
    if message.buttons:
        rows = [[_button(button) for button in row] for row in message.buttons]
        fields["reply_markup"] = {"inline_keyboard": rows}
    return fields


def _button(button: Button) -> dict[str, str]:
    if button.url:
        return {"text": button.text, "url": button.url}
    return {"text": button.text, "callback_data": button.data}


def _envelope(reply: Reply) -> Mapping[str, Any]:
    """`{"ok": …}`. Raises `NoReply` for anything else."""
    answer = reply.json()
    if isinstance(answer, dict) and isinstance(answer.get("ok"), bool):
        return answer
    raise NoReply(unclear(reply))


def _error_code(answer: Mapping[str, Any], reply: Reply) -> int:
    match answer:
        case {"error_code": int(code)}:
            return code
    return reply.status


def patience(seconds: int) -> timedelta:
    """What Telegram asks for as `retry_after`, a day at most."""
    return timedelta(seconds=min(max(seconds, 0), 86_400))


def _retry_after(answer: Mapping[str, Any]) -> timedelta:
    match answer:
        case {"parameters": {"retry_after": int(seconds)}}:
            return patience(seconds)
    return timedelta(0)


def _known(text: str) -> tuple[Scope, str] | None:
    text = text.lower()
    return next((refusal for part, refusal in _REFUSALS.items() if part in text), None)
