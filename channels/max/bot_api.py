"""MAX by its bot API: one message a call, nothing said about what became of it."""

from collections.abc import Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Any, ClassVar
from urllib.parse import urlsplit

from channels.base import (
    GONE,
    Accepted,
    AccountConfig,
    Channel,
    Check,
    Limits,
    Message,
    Outcome,
    Refused,
    Retry,
    Scope,
    Tells,
    Unavailable,
    one_each,
)
from channels.http import NoReply, ProviderHttp, Reply, unclear
from channels.max.body import body, recipient
from channels.max.client import BotApiConfig, Client

_DENIED = ("chat.denied", "dialog.suspended")
_SUSPECT = 20
"""So many people in a row who are denied, and nobody in between who is not: then it is the bot."""

_ALL_DENIED = f"MAX denied the last {_SUSPECT} people, one and all: see in its cabinet what has become of the bot"


class BotApi:
    """A repeated call is a second message: MAX knows no key to recognise it by."""

    Config: ClassVar[type[AccountConfig]] = BotApiConfig
    channel: ClassVar[Channel] = Channel.MAX
    provider: ClassVar[str] = "bot_api"
    # There are no receipts.
    tells: ClassVar[Tells] = Tells.SENT
    # dev.max.ru, POST /messages: 30 a second over all methods, where the rest is left to answers of the bot, and two
    # a second in one chat.
    limits: ClassVar[Limits] = Limits(per_second=25, per_recipient=timedelta(milliseconds=500))
    deduplicates: ClassVar[timedelta] = timedelta(0)

    def __init__(self, config: BotApiConfig, http: ProviderHttp) -> None:
        self._client = Client(config, http)
        self._username = ""
        self._denied: set[str] = set()

    def split(self, messages: Sequence[Message]) -> list[list[Message]]:
        return one_each(messages)

    async def send(self, messages: Sequence[Message]) -> list[Outcome]:
        return [self._judged(message.to, await self._send(message)) for message in messages]

    async def edit(self, provider_id: str, message: Message) -> Outcome:
        """Messages with buttons may be edited at any age, those of groups too, others for seven days."""
        fields = body(message.text, message.html, message.buttons)
        try:
            where = {"message_id": provider_id}
            reply = await self._client.call("PUT", "/messages", where, json=fields)
            if reply.status == HTTPStatus.OK:
                return _of_edit(provider_id, reply)
        except NoReply as none:
            return none.outcome
        match self._client.refusal(reply):
            case Refused(Scope.RECIPIENT, _, reason) if reply.status == HTTPStatus.NOT_FOUND:
                return Refused(Scope.MESSAGE, GONE, reason)
            case outcome:
                return outcome

    async def me(self) -> str:
        """The bot's username, for links `https://max.ru/<username>?start=…`; asked for once.

        Raises `Unavailable`.
        """
        if not self._username:
            self._username = await self._client.username()
        return self._username

    async def check(self) -> Check:
        try:
            self._username = await self._client.username()
        except Unavailable as error:
            return Check(False, str(error))
        return Check(True, f"@{self._username}")

    def hook_problem(self, url: str) -> str:
        """MAX calls https at port 443 and nothing else."""
        parts = urlsplit(url)
        if parts.scheme == "https" and parts.port in (None, 443):
            return ""
        return 'MAX calls only https at port 443: set such a public_url, or receive = "polling"'

    async def close(self) -> None:
        """Nothing is held: the connections are those of `ProviderHttp`."""

    async def _send(self, message: Message) -> Outcome:
        params = {**recipient(message.to), "disable_link_preview": "true"}
        fields = body(message.text, message.html, message.buttons)
        try:
            reply = await self._client.call("POST", "/messages", params, json=fields)
            if reply.status == HTTPStatus.OK:
                return _of_send(reply)
        except NoReply as none:
            return none.outcome
        return self._client.refusal(reply)

    def _judged(self, to: str, outcome: Outcome) -> Outcome:
        """MAX denies a person who stopped the bot and a bot that is suspended in the same words: many people in a
        row are no coincidence."""
        match outcome:
            case Accepted():
                self._denied.clear()
            case Refused(Scope.RECIPIENT, code, reason) if _is_denied(code, reason):
                self._denied.add(to)
                if len(self._denied) >= _SUSPECT:
                    return Refused(Scope.ACCOUNT, code, f"{_ALL_DENIED}: {reason}")
        return outcome


def _is_denied(code: str, reason: str) -> bool:
    words = f"{code} {reason}".lower()
    return any(part in words for part in _DENIED)


def _of_send(reply: Reply) -> Accepted | Retry:
    match reply.json():
        case {"message": {"body": {"mid": str(mid)}}} if mid:
            return Accepted(mid)
    return unclear(reply)


def _of_edit(provider_id: str, reply: Reply) -> Outcome:
    answer: Any = reply.json()
    match answer:
        case {"success": True}:
            return Accepted(provider_id)
        case {"success": False}:
            # Not documented when; the message stands as it stood.
            reason = str(answer.get("message") or "no reason given")
            return Refused(Scope.MESSAGE, "not-edited", reason[:300])
    return unclear(reply)
