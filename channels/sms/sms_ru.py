"""SMS through SMS.ru, up to a hundred a call (API: sms.ru/api)."""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar

from pydantic import Field, SecretStr

from channels.base import (
    Accepted,
    AccountConfig,
    BadHook,
    BaseUrl,
    Channel,
    Check,
    HookReply,
    HookRequest,
    Limits,
    Message,
    Outcome,
    Receipt,
    ReceiptStatus,
    Refused,
    Retry,
    Scope,
    Tells,
    Told,
)
from channels.batches import calls
from channels.http import NoReply, ProviderHttp, Reply, unclear
from channels.proof import same
from channels.sms.forms import fields

_NUMBERS = 100
_OK = 100

_ACCOUNT = frozenset(
    {
        *(200, 300, 301, 302),  # api_id, token, password, unconfirmed account
        *(201, 206),  # money, limit of the day
        204,  # sender's name not registered with the operator: our settings, though said per number
        *(901, 902),  # callback URL
    }
)
# True: the number will never do.
_RECIPIENT: Mapping[int, bool] = {
    202: True,  # no phone number, or no route to it
    207: False,  # no route to it
    209: True,  # on the account's stop list
    214: False,  # abroad, and that is switched off
    215: True,  # complained of spam
    230: False,  # limit of the day for this number
}
_RETRIES: Mapping[int, timedelta] = {220: timedelta(minutes=1), 500: timedelta(minutes=1)}
# Protection against floods: of codes to one number (233), and by user's address, country and hosting (501 to 508).
_PATIENCE: Mapping[int, timedelta] = {
    code: timedelta(minutes=10) for code in (233, *range(501, 509))
}
_SAME_WITHIN_A_MINUTE, _SAME_TODAY = 231, 232
_MINUTE = timedelta(seconds=60)

_STATUSES: Mapping[int, ReceiptStatus] = {
    100: ReceiptStatus.SENT,
    101: ReceiptStatus.SENT,
    102: ReceiptStatus.SENT,
    103: ReceiptStatus.DELIVERED,
    104: ReceiptStatus.FAILED,
    105: ReceiptStatus.FAILED,
    106: ReceiptStatus.FAILED,
    107: ReceiptStatus.FAILED,
    108: ReceiptStatus.FAILED,
    110: ReceiptStatus.READ,
    150: ReceiptStatus.FAILED,
}
_REASONS: Mapping[int, str] = {
    104: "expired",
    105: "deleted by the operator",
    106: "fault of the phone",
    107: "unknown reason",
    108: "rejected",
    150: "no route to the number",
}

_MAX_ENTRIES = 100
_CODE_LENGTH = 3
_REMEMBERED = 10_000


class SmsRuConfig(AccountConfig):
    """`token` is the account's `api_id`; it also checks the receipts.

    `sender`: a name agreed with them; empty: the account's own. `test`: they check everything and send nothing.
    """

    token: SecretStr = Field(min_length=1)
    sender: Annotated[str, Field(max_length=15)] = ""
    test: bool = False
    base_url: BaseUrl = "https://sms.ru"


class SmsRu:
    Config: ClassVar[type[AccountConfig]] = SmsRuConfig
    channel: ClassVar[Channel] = Channel.SMS
    provider: ClassVar[str] = "sms_ru"
    tells: ClassVar[Tells] = Tells.DELIVERED
    limits: ClassVar[Limits] = Limits(concurrency=10)
    deduplicates: ClassVar[timedelta] = timedelta(minutes=1)

    def __init__(self, config: SmsRuConfig, http: ProviderHttp) -> None:
        self._config = config
        self._http = http
        self._handed_over = _HandedOver()

    def split(self, messages: Sequence[Message]) -> list[list[Message]]:
        return calls(messages, limit=_NUMBERS, alike=lambda message: message.batch_key)

    async def send(self, messages: Sequence[Message]) -> list[Outcome]:
        form = {f"to[{_digits(message.to)}]": message.text for message in messages}
        if self._config.sender:
            form["from"] = self._config.sender
        if self._config.test:
            form["test"] = "1"
        try:
            reply = await self._post("sms/send", form)
            outcomes = self._outcomes(messages, reply, reply.json())
        except NoReply as none:
            outcomes = [none.outcome] * len(messages)
        for message, outcome in zip(messages, outcomes, strict=True):
            self._handed_over.note(message.key, outcome)
        return outcomes

    async def check(self) -> Check:
        try:
            body = (await self._post("my/balance", {})).json()
        except NoReply as none:
            return Check(False, f"SMS.ru cannot be used now: {none.outcome.reason}")
        if isinstance(body, dict) and body.get("status_code") == _OK:
            return Check(True, f"SMS.ru answers, balance {body.get('balance')}")
        said = body if isinstance(body, dict) else {}
        text = f"{said.get('status_code')} {said.get('status_text', '')}"
        return Check(False, f"SMS.ru refuses: {text}")

    async def close(self) -> None:
        """Nothing of its own is open."""

    def read_hook(self, request: HookRequest) -> Told:
        """Until the body is exactly `100` they call again, every minute for up to five days."""
        form = fields(request)
        said = [form[name] for i in range(_MAX_ENTRIES) if (name := f"data[{i}]") in form]
        signed = self._config.token.get_secret_value() + "".join(said)
        digest = hashlib.sha256(signed.encode()).hexdigest()
        if not same(form.get("hash", "").lower(), digest):
            raise BadHook("wrong hash", forged=True)
        receipts = [receipt for entry in said if (receipt := _receipt(entry))]
        return Told(receipts, reply=HookReply(str(_OK)))

    def _outcomes(self, messages: Sequence[Message], reply: Reply, body: Any) -> list[Outcome]:
        """Per number always: the whole says OK although single numbers failed."""
        if not isinstance(body, dict) or not isinstance(body.get("status_code"), int):
            return [unclear(reply)] * len(messages)
        results = body.get("sms")
        if body.get("status_code") == _OK and isinstance(results, dict):
            return [self._outcome(m, results.get(_digits(m.to)), alone=True) for m in messages]
        alone = len(messages) == 1
        return [self._outcome(message, body, alone=alone) for message in messages]

    def _outcome(self, message: Message, result: Any, *, alone: bool) -> Outcome:
        code = result.get("status_code") if isinstance(result, dict) else None
        if not isinstance(code, int):
            return Retry("number-not-listed", maybe_sent=True)
        if code == _OK:
            sms_id = result.get("sms_id")
            if not isinstance(sms_id, str) or not sms_id:
                return Retry("no-id", maybe_sent=True)
            return Accepted(sms_id)
        if code in (_SAME_WITHIN_A_MINUTE, _SAME_TODAY):
            known = self._handed_over.id_of(message.key)
            if known is None and message.doubtful:
                # Another process made the call that got no answer.
                known = ""
            if known is not None:
                return Accepted(known)
        return _refused(code, str(result.get("status_text") or f"SMS.ru error {code}"), alone=alone)

    async def _post(self, method: str, form: Mapping[str, str]) -> Reply:
        return await self._http.post(
            f"{self._config.base_url}/{method}",
            data={"api_id": self._config.token.get_secret_value(), "json": "1", **form},
        )


class _HandedOver:
    """The last deliveries that SMS.ru has, or may have.

    It refuses an equal text to an equal number (231, 232) without saying whose the first one was; here it is known
    that it was the same delivery, and by which id.
    """

    def __init__(self) -> None:
        self._ids: OrderedDict[str, str] = OrderedDict()

    def note(self, key: str, outcome: Outcome) -> None:
        match outcome:
            case Accepted(provider_id):
                self._ids[key] = provider_id
            case Retry(maybe_sent=True):
                self._ids.setdefault(key, "")
        while len(self._ids) > _REMEMBERED:
            self._ids.popitem(last=False)

    def id_of(self, key: str) -> str | None:
        """Empty where no answer came, so that its receipts will not be recognised."""
        return self._ids.get(key)


def _digits(phone: str) -> str:
    return phone.removeprefix("+")


def _refused(code: int, text: str, *, alone: bool) -> Outcome:
    """`alone`: it is certain which number is meant."""
    if after := _RETRIES.get(code):
        return Retry(f"sms-ru-{code}", after)
    if after := _PATIENCE.get(code):
        return Retry(f"sms-ru-{code}", after, throttled=True, alone=alone)
    if code == _SAME_WITHIN_A_MINUTE:
        return Retry(f"sms-ru-{code}", _MINUTE, throttled=True, alone=True)
    text = text[:300]
    if code == _SAME_TODAY:
        return Refused(Scope.RECIPIENT, str(code), text, suppress=False)
    if code in _ACCOUNT:
        return Refused(Scope.ACCOUNT, str(code), text)
    if code in _RECIPIENT:
        return Refused(Scope.RECIPIENT, str(code), text, suppress=alone and _RECIPIENT[code])
    return Refused(Scope.MESSAGE, str(code), text)


def _receipt(entry: str) -> Receipt | None:
    """Lines: `sms_status`, id, code, Unix time. Other kinds (`test`, `callcheck_status`) are not about an SMS."""
    kind, *rest = entry.splitlines()[:4] or [""]
    if kind != "sms_status" or len(rest) < 2:
        return None
    sms_id, code, *when = (line.strip() for line in rest)
    # Python reads no number of any length.
    known = code.isdecimal() and len(code) <= _CODE_LENGTH
    status = _STATUSES.get(int(code)) if known else None
    if status is None:
        return None
    reason = _REASONS.get(int(code), "")
    return Receipt(status, provider_id=sms_id, code=code, text=reason, at=_time(when))


def _time(lines: Sequence[str]) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(lines[0]), UTC)
    except (IndexError, ValueError, OverflowError, OSError):
        return None
