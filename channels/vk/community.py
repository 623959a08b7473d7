"""VK by a community's messages: equal texts go to up to a hundred people in one call."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, SecretStr, field_validator

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
    Outcome,
    Refused,
    Retry,
    Scope,
    Tells,
    Unavailable,
)
from channels.http import NoReply, ProviderHttp, Reply, unclear
from channels.vk.keyboard import keyboard, keyboard_problem

API_VERSION = "5.199"
BATCH_SIZE = 100

# Codes and texts: `errors.json` of VKCOM/vk-api-schema 5.199.
_NOT_NOW: Mapping[int, Retry] = {
    6: Retry("too-many-per-second", timedelta(seconds=1), throttled=True),
    # Of these two VK does not say how long they last; sooner is taken for more of the same.
    9: Retry("flood-control", timedelta(minutes=5), throttled=True),
    29: Retry("rate-limit", timedelta(minutes=15), throttled=True),
    # Nobody knows whether it was done; a repeat has the same `random_id`.
    1: Retry("vk-1", maybe_sent=True),
    10: Retry("vk-10", maybe_sent=True),
    36: Retry("vk-36", maybe_sent=True),
    13: Retry("vk-13"),
    43: Retry("section-unavailable", timedelta(minutes=1)),
}
_SCOPES: Mapping[Scope, frozenset[int]] = {
    Scope.RECIPIENT: frozenset(
        # The person: gone, has blocked us, never allowed messages, takes no requests.
        {18, 113, 900, 901, 902, 932, 936, 950, 985, 987, 988}
        # The chat: left, closed, for paying members only.
        | {917, 922, 927, 945, 946, 962, 1012}
    ),
    Scope.MESSAGE: frozenset(
        {12, 22, 100, 118, 121, 129}
        | {910, 911, 913, 914, 921, 940, 943, 944, 969}
        # Of edits only.
        | {909, 920, 949}
    ),
    Scope.ACCOUNT: frozenset(
        # Token, rights, settings of the community, addresses that the token is bound to.
        {2, 3, 5, 7, 8, 15, 23, 27, 28, 38, 42, 912, 2000}
        # A human is needed: captcha, validation, confirmation.
        | {14, 17, 24}
        # Restricted as a spammer.
        | {979, 983, 984}
    ),
}
_SCOPE_OF: Mapping[int, Scope] = {code: s for s, codes in _SCOPES.items() for code in codes}

# Too old (VK does not tell from when on), of a kind that is never edited, or not there.
_NOT_EDITABLE = frozenset({909, 920, 924})

_PEER = re.compile(r"-?[1-9][0-9]{0,18}")
_NOT_A_PEER = Refused(Scope.RECIPIENT, "not-a-peer", "a VK peer id is a number")
_REASON_LENGTH = 300


class CommunityConfig(AccountConfig):
    """`secret` and `confirmation` belong to `receive = "callback"`: what VK sends with each event, and what it
    wants to hear when the server is set up."""

    token: SecretStr
    group_id: Annotated[int, Field(gt=0)]
    base_url: BaseUrl = "https://api.vk.com/method"
    receive: Literal["polling", "callback"] = "polling"
    secret: SecretStr | None = None
    confirmation: str = ""

    @field_validator("token")
    @classmethod
    def _not_empty(cls, token: SecretStr) -> SecretStr:
        if not token.get_secret_value().strip():
            raise ValueError("must not be empty")
        return token


class Community:
    """VK always answers 200; errors are in the body, of the call or of a single peer.

    Repeats are recognised per dialog by `random_id`, for an hour or a hundred messages. It is a function
    of the message alone, (`batch_key` or `key`) and content, and so the same whether a message goes with
    its first batch or later by itself. The price: one text twice to one person under one `batch_key` is shown
    once.
    """

    Config: ClassVar[type[AccountConfig]] = CommunityConfig
    channel: ClassVar[Channel] = Channel.VK
    provider: ClassVar[str] = "community"
    # The event `message_read`; that a message was delivered is never told.
    tells: ClassVar[Tells] = Tells.READ
    # 20 a second are allowed to a community's token: the rest is left to answers of the bot.
    limits: ClassVar[Limits] = Limits(per_second=18, per_recipient=timedelta(seconds=1))
    # Less than VK's hour, since its clock starts when the message arrives there.
    deduplicates: ClassVar[timedelta] = timedelta(minutes=50)

    def __init__(self, config: CommunityConfig, http: ProviderHttp) -> None:
        self._token = config.token.get_secret_value()
        self._group_id = config.group_id
        self._base_url = config.base_url
        self._http = http
        self._screen_name = ""

    def split(self, messages: Sequence[Message]) -> list[list[Message]]:
        """Equal content of one batch to different peers, a hundred a call; what one peer gets stays in order."""
        calls: list[list[Message]] = []
        newest: dict[_Content, int] = {}
        last_of_peer: dict[str, int] = {}
        for message in messages:
            content = _content(message)
            at = newest.get(content, -1)
            # Into a call after the last one of its peer: not beside an equal message, not before an older one.
            if at <= last_of_peer.get(message.to, -1) or len(calls[at]) == BATCH_SIZE:
                at = newest[content] = len(calls)
                calls.append([])
            calls[at].append(message)
            last_of_peer[message.to] = at
        return calls

    async def send(self, messages: Sequence[Message]) -> list[Outcome]:
        if problem := keyboard_problem(messages[0].buttons):
            return [Refused(Scope.MESSAGE, "bad-buttons", problem)] * len(messages)
        # One unreadable id would have VK refuse the whole list (100).
        peers = [message for message in messages if _PEER.fullmatch(message.to)]
        outcomes = await self._send(peers) if peers else {}
        return [outcomes.get(message.to, _NOT_A_PEER) for message in messages]

    async def edit(self, provider_id: str, message: Message) -> Outcome:
        """The message is replaced as a whole: what is left out goes."""
        if problem := keyboard_problem(message.buttons):
            return Refused(Scope.MESSAGE, "bad-buttons", problem)
        peer, _, number = provider_id.rpartition(":")
        if not peer:
            return Refused(Scope.MESSAGE, GONE, "this message has no number in its dialog")
        fields = {
            "peer_id": peer,
            "conversation_message_id": number,
            "message": message.text,
            "dont_parse_links": "1",
        }
        if message.buttons:
            fields["keyboard"] = keyboard(message.buttons)
        try:
            answer = _envelope(await self._call("messages.edit", fields))
        except NoReply as none:
            return none.outcome
        if "response" in answer:
            return Accepted(provider_id)
        match self._error(answer["error"]):
            case Refused(_, code, reason) if code.isdecimal() and int(code) in _NOT_EDITABLE:
                return Refused(Scope.MESSAGE, GONE, reason)
            case Refused(_, "100", reason) if "not found" in reason:
                return Refused(Scope.MESSAGE, GONE, reason)
            case other:
                return other

    async def me(self) -> str:
        """The community's screen name, for links `https://vk.me/<screen_name>?ref=…`; asked for once.

        Raises `Unavailable`.
        """
        if not self._screen_name:
            self._screen_name = await self._ask_screen_name()
        return self._screen_name

    async def check(self) -> Check:
        try:
            self._screen_name = await self._ask_screen_name()
        except Unavailable as error:
            return Check(False, str(error))
        return Check(True, f"vk.com/{self._screen_name}")

    async def close(self) -> None:
        """Nothing is held: the connections are those of `ProviderHttp`."""

    async def _send(self, messages: Sequence[Message]) -> Mapping[str, Outcome]:
        """Outcomes by peer. Always by `peer_ids`: only its answer has `conversation_message_id`."""
        one = messages[0]
        fields = {
            "peer_ids": ",".join(message.to for message in messages),
            "random_id": str(_random_id(one)),
            "message": one.text,
            "dont_parse_links": "1",
        }
        if one.buttons:
            fields["keyboard"] = keyboard(one.buttons)
        peers = [message.to for message in messages]
        try:
            reply = await self._call("messages.send", fields)
            answer = _envelope(reply)
        except NoReply as none:
            return dict.fromkeys(peers, none.outcome)
        if "response" not in answer:
            return dict.fromkeys(peers, _of_call(self._error(answer["error"]), len(peers)))
        items = _by_peer(answer["response"])
        return {peer: self._of_peer(peer, items.get(peer), reply) for peer in peers}

    def _of_peer(self, peer: str, item: Any, reply: Reply) -> Outcome:
        match item:
            case {"error": dict(error)}:
                return self._error(error)
            case {"conversation_message_id": int(id_)} if id_ > 0:
                return Accepted(f"{peer}:{id_}")
            case {"message_id": int(id_)} if id_ > 0:
                return Accepted(str(id_))
            case {"message_id": 0}:
                # No error and no id: what VK says of a repeat is not documented, and sent it is.
                return Accepted()
        return unclear(reply)

    def _error(self, error: Any) -> Retry | Refused:
        """`{"error_code", "error_msg"}` of a call, `{"code", "description"}` of a peer."""
        match error:
            case {"error_code": int(code)} | {"code": int(code)}:
                text = str(error.get("error_msg") or error.get("description") or "no reason given")
            case _:
                return Retry("unreadable-error", maybe_sent=True)
        # `request_params` is never repeated; of the text nobody promises that it holds no token.
        text = text.replace(self._token, "***")[:_REASON_LENGTH]
        if retry := _NOT_NOW.get(code):
            return retry
        if scope := _SCOPE_OF.get(code):
            return Refused(scope, str(code), text)
        # Not done, and whose fault it is nobody knows: so neither the person nor the account is switched off.
        return Refused(Scope.RECIPIENT, str(code), text, suppress=False)

    async def _ask_screen_name(self) -> str:
        """The token's own community, which has to be the one that is set."""
        try:
            # Without `group_id`: given it, VK would describe any community to any token.
            answer = _envelope(await self._call("groups.getById", {}))
        except NoReply as none:
            raise Unavailable(f"VK did not answer: {none.outcome.reason}") from None
        match answer:
            case {"response": {"groups": [{"id": int(id_), "screen_name": str(name)}, *_]}}:
                if id_ != self._group_id:
                    raise Unavailable(
                        f"the token belongs to community {id_}, not to {self._group_id}"
                    )
                return name
            case {"error": error}:
                outcome = self._error(error)
                raise Unavailable(f"VK refused: {outcome.reason}")
        raise Unavailable("VK answered something unreadable")

    async def _call(self, method: str, fields: Mapping[str, str]) -> Reply:
        # The token goes in the body: query strings end up in the logs of whatever stands in between.
        data = {**fields, "access_token": self._token, "v": API_VERSION}
        return await self._http.post(f"{self._base_url}/{method}", data=data)


_Content = tuple[str, str, tuple[tuple[Button, ...], ...]]


def _content(message: Message) -> _Content:
    """What has to be equal in one call. Without a `batch_key` nothing is: the guard is then made of `key`."""
    return (message.batch_key or message.key, message.text, message.buttons)


def _random_id(message: Message) -> int:
    """A positive int32; zero would switch the check for repeats off."""
    batch, text, buttons = _content(message)
    parts = (batch, text, keyboard(buttons) if buttons else "")
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return int.from_bytes(digest[:4], "big") & 0x7FFFFFFF or 1


def _envelope(reply: Reply) -> Mapping[str, Any]:
    """`{"response": …}` or `{"error": …}`. Raises `NoReply` for anything else."""
    if reply.status != HTTPStatus.OK:
        # VK answers 200 to everything: this is somebody in between.
        raise NoReply(unclear(reply))
    answer = reply.json()
    if isinstance(answer, dict) and ("response" in answer or "error" in answer):
        return answer
    raise NoReply(unclear(reply))


def _by_peer(items: Any) -> dict[str, Any]:
    if not isinstance(items, list):
        return {}
    return {str(item.get("peer_id")): item for item in items if isinstance(item, dict)}


def _of_call(outcome: Retry | Refused, peers: int) -> Outcome:
    """Of many people who share one refusal it is not known whom it means: none of them is suppressed."""
    if isinstance(outcome, Refused) and outcome.scope is Scope.RECIPIENT and peers > 1:
        return replace(outcome, suppress=False)
    return outcome
