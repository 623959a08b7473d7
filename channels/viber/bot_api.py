"""Viber by the bot API: to subscribers of a bot, equal texts by broadcast (developers.viber.com)."""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, ClassVar

from pydantic import Field, SecretStr

from channels.base import (
    Accepted,
    AccountConfig,
    BaseUrl,
    Channel,
    Check,
    HookReply,
    HookRequest,
    Limits,
    Message,
    Outcome,
    Refused,
    Retry,
    Scope,
    Tells,
    Told,
    Unavailable,
)
from channels.batches import calls
from channels.http import NoReply, ProviderHttp, Reply, unclear
from channels.updates import Incoming
from channels.viber import statuses, updates
from channels.viber.keyboard import keyboard, keyboard_problem

_TEXT_LENGTH = 7000
# "Broadcast message": 300 receivers, 30 kB with everything, 500 calls in 10 s.
_RECEIVERS = 300
_SHARED_BYTES = 15_000
_PLACE_HOLDER = "replace_me_with_"

_REASON_LENGTH = 300


class BotApiConfig(AccountConfig):
    """`sender`: the name above the messages. `welcome` and `start`: what is said, and stands on the button, to whoever
    opens the bot and has not subscribed yet."""

    token: SecretStr = Field(min_length=1)
    sender: Annotated[str, Field(min_length=1, max_length=28)]
    avatar: Annotated[str, Field(pattern=r"^(https?://\S+)?$", max_length=2000)] = ""
    welcome: Annotated[str, Field(min_length=1, max_length=_TEXT_LENGTH)] = (
        "Нажмите «Начать», чтобы получать сообщения о заказах."
    )
    start: Annotated[str, Field(min_length=1, max_length=40)] = "Начать"
    base_url: BaseUrl = "https://chatapi.viber.com/pa"


class BotApi:
    """A repeated call is a second message: Viber knows no key to recognise it by."""

    Config: ClassVar[type[AccountConfig]] = BotApiConfig
    channel: ClassVar[Channel] = Channel.VIBER
    provider: ClassVar[str] = "bot_api"
    tells: ClassVar[Tells] = Tells.READ
    limits: ClassVar[Limits] = Limits(per_second=50)
    deduplicates: ClassVar[timedelta] = timedelta(0)

    def __init__(self, config: BotApiConfig, http: ProviderHttp) -> None:
        self._config = config
        self._http = http
        self._uri = ""
        # Broadcasting is switched on by Viber, bot by bot; nothing tells before it is tried.
        self._broadcasts = True

    def split(self, messages: Sequence[Message]) -> list[list[Message]]:
        return calls(messages, limit=_RECEIVERS, alike=self._alike)

    async def send(self, messages: Sequence[Message]) -> list[Outcome]:
        """Equal messages only, as `split` puts them together."""
        message = messages[0]
        if problem := _problem(message):
            return [problem] * len(messages)
        content = self._content(message)
        try:
            if len(messages) == 1:
                reply = await self._call("send_message", {"receiver": message.to, **content})
            else:
                to = [message.to for message in messages]
                reply = await self._call("broadcast_message", {"broadcast_list": to, **content})
            body = reply.json()
        except NoReply as none:
            return [none.outcome] * len(messages)
        return self._outcomes(messages, reply, body)

    async def me(self) -> str:
        """The bot's URI, for links `viber://pa?chatURI=…`; asked for once. Raises `Unavailable`."""
        if not self._uri:
            info = await self._info()
            if not isinstance(info.get("uri"), str) or not info["uri"]:
                raise Unavailable("Viber names no URI of the bot")
            self._uri = info["uri"]
        return self._uri

    async def set_webhook(self, url: str) -> None:
        """Viber calls `url` at once, and refuses it unless that is answered. Raises `Unavailable`."""
        kinds = [*updates.KINDS]
        body = {"url": url, "event_types": kinds, "send_name": False, "send_photo": False}
        await self._asked("set_webhook", body)

    async def check(self) -> Check:
        try:
            info = await self._info()
        except Unavailable as error:
            return Check(False, str(error))
        calls_back = "it calls back" if info.get("webhook") else "no webhook is set yet"
        return Check(True, f"{info.get('name')}, {calls_back}")

    async def close(self) -> None:
        """Nothing of its own is open."""

    def read_hook(self, request: HookRequest) -> Told:
        return updates.read(request, self._config.token.get_secret_value()).told

    def hook_problem(self, url: str) -> str:
        if url.startswith("https://"):
            return ""
        return (
            "Viber calls https addresses only, and sends nothing without one: set public_url to one"
        )

    def converse(self, request: HookRequest) -> tuple[list[Incoming], Told]:
        """As `read_hook`, for a bot that talks: what people say is for the conversation, and whoever opens the bot is
        welcomed. Raises `BadHook`."""
        found = updates.read(request, self._config.token.get_secret_value())
        reply = HookReply()
        if found.opened is not None:
            welcome = json.dumps(self.welcome(found.opened), ensure_ascii=False)
            reply = HookReply(welcome, content_type="application/json")
        return [found.incoming] if found.incoming else [], Told(found.told.receipts, reply=reply)

    def welcome(self, token: str) -> dict[str, Any]:
        """The answer to a conversation that begins with somebody who has not subscribed. With his first words,
        whatever they are, `token` comes back."""
        return {
            "sender": self._sender,
            "min_api_version": 1,
            "tracking_data": updates.START + token,
            "type": "text",
            "text": self._config.welcome,
            "keyboard": updates.start_keyboard(self._config.start, token),
        }

    @property
    def _sender(self) -> dict[str, str]:
        sender = {"name": self._config.sender}
        return sender | ({"avatar": self._config.avatar} if self._config.avatar else {})

    def _alike(self, message: Message) -> tuple[object, ...]:
        """A broadcast's words in place of names are not for ours, and it has no room for a long text and its
        receivers."""
        shared = self._broadcasts and _PLACE_HOLDER not in message.text
        if shared and len(message.text.encode()) <= _SHARED_BYTES:
            return (message.batch_key, message.text, message.buttons)
        return (message.key,)

    def _content(self, message: Message) -> dict[str, Any]:
        content: dict[str, Any] = {
            "min_api_version": 1,
            "sender": self._sender,
            # Of a broadcast nobody's own: receipts name token and person.
            "tracking_data": message.key,
            "type": "text",
            "text": message.text,
        }
        if message.buttons:
            content["keyboard"] = keyboard(message.buttons)
        return content

    def _outcomes(self, messages: Sequence[Message], reply: Reply, body: Any) -> list[Outcome]:
        match body:
            case {"status": 0, "message_token": int() | str() as token} if token:
                failed = _failed(body.get("failed_list"))
                return [
                    self._refused(failed[m.to], reply, alone=True)
                    if m.to in failed
                    else Accepted(updates.provider_id(str(token), m.to))
                    for m in messages
                ]
            case {"status": int(status)} if status != statuses.OK:
                alone = len(messages) == 1
                if status in statuses.NO_BROADCASTS and not alone:
                    self._broadcasts = False
                    again = Retry("broadcast-not-allowed", throttled=True, alone=True)
                    return [again] * len(messages)
                return [self._refused(body, reply, alone=alone)] * len(messages)
        return [unclear(reply)] * len(messages)

    def _refused(self, said: Mapping[str, Any], reply: Reply, *, alone: bool) -> Outcome:
        text = self._clean(str(said.get("status_message") or f"status {said['status']}"))
        return statuses.refused(said["status"], text, reply.retry_after, alone=alone)

    async def _info(self) -> Mapping[str, Any]:
        return await self._asked("get_account_info", {})

    async def _asked(self, method: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Raises `Unavailable`."""
        try:
            answer = (await self._call(method, body)).json()
        except NoReply as none:
            raise Unavailable(f"Viber cannot be used now: {none.outcome.reason}") from None
        match answer:
            case {"status": 0}:
                found: Mapping[str, Any] = answer
                return found
            case {"status": int(status)}:
                text = self._clean(str(answer.get("status_message") or ""))
                raise Unavailable(f"Viber refuses: {status} {text}")
        raise Unavailable("Viber answered something unreadable")

    async def _call(self, method: str, body: Mapping[str, Any]) -> Reply:
        return await self._http.post(
            f"{self._config.base_url}/{method}",
            headers={"X-Viber-Auth-Token": self._config.token.get_secret_value()},
            json=body,
        )

    def _clean(self, text: str) -> str:
        return text.replace(self._config.token.get_secret_value(), "***")[:_REASON_LENGTH]


def _problem(message: Message) -> Refused | None:
    if len(message.text) > _TEXT_LENGTH:
        reason = f"{len(message.text)} characters; Viber takes {_TEXT_LENGTH} at most"
        return Refused(Scope.MESSAGE, "text-too-long", reason)
    if problem := keyboard_problem(message.buttons):
        return Refused(Scope.MESSAGE, "bad-buttons", problem)
    return None


def _failed(listed: Any) -> dict[str, Mapping[str, Any]]:
    """By receiver, those whom a broadcast did not go to."""
    return {
        item["receiver"]: item
        for item in (listed if isinstance(listed, list) else [])
        if isinstance(item, dict)
        and isinstance(item.get("receiver"), str)
        and isinstance(item.get("status"), int)
        and item["status"] != statuses.OK
    }
