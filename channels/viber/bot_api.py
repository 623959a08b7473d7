"""Viber by the bot API: to subscribers of a bot, equal texts by broadcast (developers.viber.com)."""

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
from channels.viber import updates
from channels.viber.keyboard import keyboard, keyboard_problem

_TEXT_LENGTH = 7000
# "Broadcast message": 300 receivers, 30 kB with everything, 500 calls in 10 s.
_RECEIVERS = 300
_SHARED_BYTES = 15_000
_PLACE_HOLDER = "replace_me_with_"

_OK = 0
_TOO_MANY = 12
_ACCOUNT: Mapping[int, str] = {
    1: "the webhook's URL is invalid",
    2: "the token is invalid",
    7: "the bot is blocked",
    8: "there is no such bot",
    9: "the bot is suspended",
    10: "no webhook is set: start the hub's bots where Viber reaches public_url",
    15: "the bot is not allowed to do that",
    19: "the bot cannot broadcast",
    20: "the bot may not broadcast",
    21: "the country is not supported",
    22: "payments are not supported",
    23: "the month's free messages are used up",
    24: "no money on the account",
}
_NO_BROADCASTS = frozenset({19, 20})
# True: until the person comes back by himself.
_RECIPIENT: Mapping[int, bool] = {
    5: True,  # not registered
    6: True,  # not subscribed
    11: False,  # no device that shows it
    13: False,  # too old an app
}
_MESSAGE = frozenset({3, 4, 14, 16, 17, 18})

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
            case {"status": int(status)} if status != _OK:
                alone = len(messages) == 1
                if status in _NO_BROADCASTS and not alone:
                    self._broadcasts = False
                    again = Retry("broadcast-not-allowed", throttled=True, alone=True)
                    return [again] * len(messages)
                return [self._refused(body, reply, alone=alone)] * len(messages)
        return [unclear(reply)] * len(messages)

    def _refused(self, said: Mapping[str, Any], reply: Reply, *, alone: bool) -> Outcome:
        """`alone`: it is certain whom it means."""
        status = said["status"]
        if status == _TOO_MANY:
            # A hundred messages to one person in an hour without a word of his; or too many broadcasts.
            return Retry("throttled", reply.retry_after, throttled=True, alone=alone)
        text = self._clean(str(said.get("status_message") or f"Viber status {status}"))
        if status in _ACCOUNT:
            return Refused(Scope.ACCOUNT, str(status), f"{_ACCOUNT[status]} ({text})")
        if status in _RECIPIENT:
            suppress = alone and _RECIPIENT[status]
            return Refused(Scope.RECIPIENT, str(status), text, suppress=suppress)
        if status in _MESSAGE:
            return Refused(Scope.MESSAGE, str(status), text)
        # "General error", and what is not known.
        return Retry(f"viber-{status}", reply.retry_after)

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
        and item["status"] != _OK
    }
