"""Unisender's classic API, for whatever channel: the call, its envelope, its error codes, whose key it is."""

import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from time import monotonic
from typing import Any

from pydantic import Field, SecretStr

from channels.base import (
    Accepted,
    AccountConfig,
    BaseUrl,
    Check,
    Message,
    Outcome,
    Refused,
    Retry,
    Scope,
    Unavailable,
)
from channels.http import NoReply, ProviderHttp, unclear

# "Try again later": the reference recommends a minute, and counts calls by the minute.
_PATIENCE = timedelta(minutes=1)

PER_RECIPIENT = timedelta(seconds=60)
"""The least pause between two messages to one address, by letter as by SMS (code `has_been_sent`)."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a code means for a message. `suppress`: the address itself is at fault."""

    scope: Scope
    suppress: bool = False


_COMMON: Mapping[str, Meaning] = {
    "invalid_api_key": Meaning(Scope.ACCOUNT),
    "access_denied": Meaning(Scope.ACCOUNT),  # the API is switched off, or the method not allowed
    "not_enough_money": Meaning(Scope.ACCOUNT),
    # Of the service's own list: another account may still write what needs no consent.
    "unsubscribed_globally": Meaning(Scope.RECIPIENT),
    "unknown_method": Meaning(Scope.MESSAGE),
    "unspecified": Meaning(Scope.MESSAGE),
}
_RETRY_LATER = "retry_later"
_TOO_MANY_CALLS = frozenset(
    {"api_call_limit_exceeded_for_api_key", "api_call_limit_exceeded_for_ip"}
)
_INVALID_ARG = "invalid_arg"
_HAS_BEEN_SENT = "has_been_sent"

_REMEMBERED = 10_000


class UnisenderConfig(AccountConfig):
    """`token` is the key from the console's settings; the language in `base_url` is that of error texts."""

    token: SecretStr = Field(min_length=1)
    base_url: BaseUrl = "https://api.unisender.com/ru/api"


class Failed(Exception):
    """The service's own "no". `code` is its word for it, the text is for people and without the key."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Api:
    """The calls of one account."""

    def __init__(self, config: UnisenderConfig, http: ProviderHttp) -> None:
        self._config = config
        self._http = http

    async def call(self, method: str, form: Mapping[str, str]) -> Any:
        """What stands under `result`. Raises `NoReply` or `Failed`."""
        token = self._config.token.get_secret_value()
        reply = await self._http.post(
            f"{self._config.base_url}/{method}",
            params={"format": "json"},
            # The key in the body, so that no proxy writes it down.
            data={"api_key": token, **form},
        )
        if reply.status == HTTPStatus.TOO_MANY_REQUESTS or reply.status >= 500:
            raise NoReply(unclear(reply))
        body = reply.json()
        if isinstance(body, dict) and isinstance(body.get("error"), str) and body["error"]:
            text = body["error"].replace(token, "(key)")
            raise Failed(str(body.get("code") or "unspecified"), text[:300])
        if reply.status >= HTTPStatus.MULTIPLE_CHOICES or not isinstance(body, dict):
            raise NoReply(unclear(reply))
        return body.get("result")

    async def ask(self, method: str, form: Mapping[str, str]) -> Any:
        """`call` for statuses. Raises `Unavailable`."""
        try:
            return await self.call(method, form)
        except NoReply as none:
            raise Unavailable(f"Unisender cannot be asked now: {none.outcome.reason}") from None
        except Failed as no:
            raise Unavailable(f"Unisender refuses to tell: {no.code} {no}") from None

    async def account(self) -> Mapping[str, Any]:
        """Whose key it is: `login`, `balance`, `currency`. Raises `NoReply` or `Failed`."""
        info = await self.call("getUserInfo", {})
        if not isinstance(info, dict):
            raise NoReply(Retry("no-account-in-the-answer"))
        return info


def greeting(account: Mapping[str, Any]) -> str:
    """What a check says when the key holds."""
    balance = f"{account.get('balance', 'unknown')} {account.get('currency', '')}".strip()
    return f"Unisender answers for {account.get('login', 'this key')}, balance {balance}"


def wrong(error: NoReply | Failed) -> Check:
    """What a check says when it does not."""
    if isinstance(error, NoReply):
        return Check(False, f"Unisender cannot be used now: {error.outcome.reason}")
    return Check(False, f"Unisender refuses: {error.code} {error}")


def fault(entry: Mapping[str, Any]) -> Failed | None:
    """What is said of one recipient among several: `errors`, or `error` and `code` as of a whole call."""
    errors = entry.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else entry
    if not isinstance(first, dict) or not (first.get("code") or first.get("error")):
        return None
    text = str(first.get("message") or first.get("error") or "")
    return Failed(str(first.get("code") or "unspecified"), text)


def unreadable() -> Retry:
    """A success that does not say of what: the message was probably taken."""
    return Retry("answer-unreadable", maybe_sent=True)


def outcome(
    no: Failed,
    message: Message,
    *,
    meanings: Mapping[str, Meaning],
    arguments: Mapping[str, Meaning],
    otherwise: Scope = Scope.MESSAGE,
) -> Outcome:
    """What a "no" means for a message. `meanings`: of the method's own codes.

    `invalid_arg` is said of every argument alike; whose fault it is depends on which one the text names
    (`arguments`), `otherwise` where it names none of them.
    """
    code, text = no.code, str(no)
    if code == _RETRY_LATER:
        return Retry(code, _PATIENCE)
    if code in _TOO_MANY_CALLS:
        return Retry(code, _PATIENCE, throttled=True)
    if code == _HAS_BEEN_SENT:
        return Retry(code, PER_RECIPIENT, throttled=True, alone=True)
    meaning = meanings.get(code) or _COMMON.get(code) or Meaning(Scope.MESSAGE)
    if code == _INVALID_ARG:
        named = (arguments[word] for word in re.findall(r"\w+", text) if word in arguments)
        meaning = next(named, Meaning(otherwise))
    return Refused(meaning.scope, code, _about(text, message), suppress=meaning.suppress)


def _about(text: str, message: Message) -> str:
    """The service likes to quote the address, which has one home only."""
    for address in (message.to, message.to.removeprefix("+")):
        text = text.replace(address, "(address)")
    return text[:300] or "Unisender gives no reason"


class Unanswered:
    """Where a call went of which nobody knows whether it arrived.

    Within a minute the service refuses a second message to an address (`has_been_sent`) and does not say whose
    the first one was. If the last that we sent there was this very message, it was that.
    """

    def __init__(self) -> None:
        self._last: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def note(self, messages: Sequence[Message], outcomes: Sequence[Outcome]) -> None:
        for message, result in zip(messages, outcomes, strict=True):
            if isinstance(result, Retry) and not result.maybe_sent:
                # Did not leave: what was sent there before is still the last.
                continue
            self._last.pop(message.to, None)
            if isinstance(result, Retry):
                self._last[message.to] = message.key, monotonic()
        while len(self._last) > _REMEMBERED:
            self._last.popitem(last=False)

    def settle(self, message: Message, result: Outcome) -> Outcome:
        """The refusal of a repeat as what it means: that the first one had arrived."""
        key, at = self._last.get(message.to, ("", 0.0))
        recent = monotonic() - at < PER_RECIPIENT.total_seconds()
        refused = isinstance(result, Retry) and result.reason == _HAS_BEEN_SENT
        return Accepted() if refused and recent and key == message.key else result
