"""SMS through SMSC.ru (HTTP API: smsc.ru/api/http)."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, SecretStr, model_validator

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
)
from channels.batches import calls
from channels.http import NoReply, ProviderHttp, Reply, unclear
from channels.money import money
from channels.sms import smsc_hook

# The reference names no maximum; a hundred is what comparable services take.
_NUMBERS = 100
_TEXT_LENGTH = 1000

# Error codes of send.php, for the whole call as for one number of it.
_TOO_OFTEN = 9
_BLOCKED_IP = 4
_REFUSALS: Mapping[int, Scope] = {
    1: Scope.MESSAGE,  # parameters
    2: Scope.ACCOUNT,  # login or password, or an address that may not sign in
    3: Scope.ACCOUNT,  # no money
    5: Scope.MESSAGE,  # date format
    6: Scope.MESSAGE,  # text or sender forbidden
    7: Scope.RECIPIENT,  # number format
    8: Scope.RECIPIENT,  # cannot be delivered to this number
}
_BLOCKED_FOR = timedelta(minutes=5)
_PATIENCE = timedelta(seconds=60)
_NOT_FOUND = -3


class SmscConfig(AccountConfig):
    """`token` is an API key; without one `login` and `password`.

    `sender`: a registered name (up to 11 Latin characters or 15 digits); empty: the account's own.
    `callback_secret`: the one set in their console; with it, a status without its signature is refused.
    """

    token: SecretStr | None = None
    login: str = ""
    password: SecretStr | None = None
    sender: Annotated[str, Field(max_length=15)] = ""
    callback_secret: SecretStr | None = None
    base_url: BaseUrl = "https://smsc.ru"

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        key = bool(self.token and self.token.get_secret_value())
        pair = bool(self.login and self.password and self.password.get_secret_value())
        if key == pair:
            raise ValueError("needs either token, or login and password")
        return self

    @property
    def credentials(self) -> dict[str, str]:
        if self.token and self.token.get_secret_value():
            return {"apikey": self.token.get_secret_value()}
        password = self.password.get_secret_value() if self.password else ""
        return {"login": self.login, "psw": password}


class Smsc:
    Config: ClassVar[type[AccountConfig]] = SmscConfig
    channel: ClassVar[Channel] = Channel.SMS
    provider: ClassVar[str] = "smsc"
    tells: ClassVar[Tells] = Tells.DELIVERED
    # From five calls at once under one login on, they answer with error 9.
    limits: ClassVar[Limits] = Limits(concurrency=4)
    deduplicates: ClassVar[timedelta] = timedelta(minutes=1)
    whole_calls: ClassVar[Literal[True]] = True

    def __init__(self, config: SmscConfig, http: ProviderHttp) -> None:
        self._config = config
        self._http = http

    def split(self, messages: Sequence[Message]) -> list[list[Message]]:
        """One text a call. Their `list` takes many, but how it tells the numbers apart is not documented."""
        return calls(messages, limit=_NUMBERS, alike=lambda m: (m.batch_key, m.text))

    async def send(self, messages: Sequence[Message]) -> list[Outcome]:
        text = messages[0].text
        if len(text) > _TEXT_LENGTH:
            reason = f"{len(text)} characters; SMSC.ru takes {_TEXT_LENGTH} at most"
            return [Refused(Scope.MESSAGE, "text-too-long", reason)] * len(messages)
        call_id = _call_id(messages)
        form = {
            "id": str(call_id),
            # With the plus sign the service leaves numbers as they are.
            "phones": ",".join(message.to for message in messages),
            "mes": text,
            "cost": "2",
            "op": "1",
            "err": "1",
        }
        if self._config.sender:
            form["sender"] = self._config.sender
        try:
            reply = await self._post("send", form)
            body = reply.json()
        except NoReply as none:
            return [none.outcome] * len(messages)
        code = _error_code(body)
        if code == _TOO_OFTEN:
            return await self._repeated(call_id, messages)
        if code is not None:
            return [_refused(code, _text(body), alone=len(messages) == 1)] * len(messages)
        return _outcomes(messages, call_id, reply, body)

    async def check(self) -> Check:
        try:
            body = (await self._post("balance", {"cur": "1"})).json()
        except NoReply as none:
            return Check(False, f"SMSC.ru cannot be used now: {none.outcome.reason}")
        if isinstance(body, dict) and "balance" in body:
            return Check(
                True, f"SMSC.ru answers, balance {body['balance']} {body.get('currency', '')}"
            )
        return Check(False, f"SMSC.ru refuses: {_error_code(body)} {_text(body)}")

    async def close(self) -> None:
        """Nothing of its own is open."""

    def read_hook(self, request: HookRequest) -> Told:
        return smsc_hook.read(request, self._config.callback_secret)

    async def _repeated(self, call_id: int, messages: Sequence[Message]) -> list[Outcome]:
        """Error 9 is said of the same call within a minute and of too many calls alike.

        Our id tells them apart: the service knows it only if an earlier call with it went through.
        """
        # A comma behind a single number keeps the answer a list.
        phones = [_digits(message.to) for message in messages]
        form = {
            "phone": ",".join(phones) + ("," if len(phones) == 1 else ""),
            "id": ",".join([str(call_id)] * len(phones)) + ("," if len(phones) == 1 else ""),
        }
        try:
            body = (await self._post("status", form)).json()
        except NoReply:
            body = None
        known = _statuses(body, phones)
        return [_of_repeat(known.get(phone), call_id, phone) for phone in phones]

    async def _post(self, method: str, form: Mapping[str, str]) -> Reply:
        return await self._http.post(
            f"{self._config.base_url}/sys/{method}.php",
            data={**self._config.credentials, "fmt": "3", "charset": "utf-8", **form},
        )


def _call_id(messages: Sequence[Message]) -> int:
    """The same for the same call: from 1 to 2^31-1. A status is asked for by this and the number."""
    keys = "\n".join(sorted(message.key for message in messages))
    digest = hashlib.sha256(keys.encode()).digest()
    return int.from_bytes(digest[:8], "big") % (2**31 - 1) + 1


def _digits(phone: str) -> str:
    return "".join(char for char in phone if char in "0123456789")


def _error_code(body: Any) -> int | None:
    code = body.get("error_code") if isinstance(body, dict) else None
    return code if isinstance(code, int) and code > 0 else None


def _text(body: Any) -> str:
    return str(body.get("error") or "")[:300] if isinstance(body, dict) else ""


def _refused(code: int, text: str, *, alone: bool) -> Outcome:
    """`alone`: it is certain which number is meant."""
    if code == _BLOCKED_IP:
        # For a while, after many calls with errors.
        return Retry("smsc-4-ip-blocked", _BLOCKED_FOR)
    scope = _REFUSALS.get(code, Scope.MESSAGE)
    suppress = alone or scope is not Scope.RECIPIENT
    return Refused(scope, str(code), text or f"SMSC.ru error {code}", suppress=suppress)


def _outcomes(messages: Sequence[Message], call_id: int, reply: Reply, body: Any) -> list[Outcome]:
    """Per number, as `op=1` lists them; a number that is not listed has nobody's word for anything."""
    if not isinstance(body, dict) or str(body.get("id")) != str(call_id):
        return [unclear(reply)] * len(messages)
    listed = body.get("phones")
    if listed is None and len(messages) == 1 and _number(body.get("cnt")) == 1:
        listed = [{"phone": messages[0].to, "cost": body.get("cost")}]
    by_digits = {
        _digits(str(entry.get("phone"))): entry
        for entry in (listed if isinstance(listed, list) else [])
        if isinstance(entry, dict)
    }
    return [
        _of_number(by_digits.get(_digits(message.to)), call_id, _digits(message.to))
        for message in messages
    ]


def _of_number(entry: Mapping[str, Any] | None, call_id: int, digits: str) -> Outcome:
    if entry is None:
        return Retry("number-not-listed", maybe_sent=True)
    error = _number(entry.get("error"))
    if error == _TOO_OFTEN:
        # The call itself went through, so it is this number that had the same a moment ago.
        return Retry("throttled", _PATIENCE, throttled=True, alone=True)
    if error:
        return _refused(error, "", alone=True)
    status = _number(entry.get("status"))
    if status is not None and status in smsc_hook.WRONG_NUMBER:
        return Refused(Scope.RECIPIENT, f"status-{status}", "wrong number")
    return Accepted(smsc_hook.provider_id(str(call_id), digits), money(entry.get("cost")))


def _statuses(body: Any, phones: Sequence[str]) -> dict[str, int]:
    """By number; in the order of the question where the answer does not repeat the numbers."""
    if isinstance(body, dict):
        body = [body]
    if not isinstance(body, list) or len(body) != len(phones):
        return {}
    known: dict[str, int] = {}
    for entry, asked in zip(body, phones, strict=True):
        status = _number(entry.get("status")) if isinstance(entry, dict) else None
        if status is not None:
            known[_digits(str(entry.get("phone") or asked))] = status
    return known


def _of_repeat(status: int | None, call_id: int, digits: str) -> Outcome:
    if status is None:
        return Retry("repeat-or-too-often", _PATIENCE, throttled=True, maybe_sent=True)
    if status == _NOT_FOUND:
        # Equal to another message to that number of a moment ago, or one call too many.
        return Retry("throttled", _PATIENCE, throttled=True, perhaps_alone=True)
    return Accepted(smsc_hook.provider_id(str(call_id), digits))


def _number(value: Any) -> int | None:
    """Numbers come as such and as text."""
    try:
        return int(str(value))
    except ValueError:
        return None
