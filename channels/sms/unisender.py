"""SMS through Unisender's classic API, up to 150 numbers a call (sendSms: unisender.com/ru/support/api)."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator

from channels.base import (
    Accepted,
    AccountConfig,
    Channel,
    Check,
    Limits,
    Message,
    Outcome,
    Receipt,
    ReceiptStatus,
    Refused,
    Retry,
    Scope,
    Sent,
    Tells,
    Unavailable,
)
from channels.batches import calls
from channels.http import NoReply, ProviderHttp
from channels.money import money
from channels.unisender.api import (
    PER_RECIPIENT,
    Api,
    Failed,
    Meaning,
    Unanswered,
    UnisenderConfig,
    fault,
    greeting,
    outcome,
    unreadable,
    wrong,
)

_NUMBERS = 150
_TEXT_LENGTH = 1000

# Codes of sendSms.
_MEANINGS: Mapping[str, Meaning] = {
    "dest_invalid": Meaning(Scope.RECIPIENT, suppress=True),
    "src_invalid": Meaning(Scope.ACCOUNT),
}
# The page of sendSms explains `invalid_arg` by a sender's name that is not registered.
_ARGUMENTS: Mapping[str, Meaning] = {
    "sender": Meaning(Scope.ACCOUNT),
    "phone": Meaning(Scope.RECIPIENT),
    "text": Meaning(Scope.MESSAGE),
}

# Statuses of checkSms.
_STATUSES: Mapping[str, ReceiptStatus] = {
    "not_sent": ReceiptStatus.SENT,
    "ok_sent": ReceiptStatus.SENT,
    "ok_delivered": ReceiptStatus.DELIVERED,
    "err_src_invalid": ReceiptStatus.FAILED,
    "err_dest_invalid": ReceiptStatus.BOUNCED,
    "err_skip_letter": ReceiptStatus.FAILED,
    "err_not_allowed": ReceiptStatus.FAILED,  # the operator is not served
    "err_delivery_failed": ReceiptStatus.FAILED,  # mostly a phone that is switched off
    "err_lost": ReceiptStatus.LOST,
    "err_internal": ReceiptStatus.LOST,
}


def _sender(value: str) -> str:
    """Latin letters, digits, point, dash "and some others"; a registered name, so it has a letter."""
    fits = 3 <= len(value) <= 11 and value.isascii() and value.isprintable()
    if not fits or not any(char.isalpha() for char in value):
        raise ValueError("must be 3 to 11 Latin letters, digits and signs, at least one a letter")
    return value


class UnisenderSmsConfig(UnisenderConfig):
    """`sender`: a name that was registered with them."""

    sender: Annotated[str, AfterValidator(_sender)]


class UnisenderSms:
    Config: ClassVar[type[AccountConfig]] = UnisenderSmsConfig
    channel: ClassVar[Channel] = Channel.SMS
    provider: ClassVar[str] = "unisender"
    tells: ClassVar[Tells] = Tells.DELIVERED
    # 1200 calls a minute, for all methods.
    limits: ClassVar[Limits] = Limits(per_second=20.0, per_recipient=PER_RECIPIENT, concurrency=10)
    deduplicates: ClassVar[timedelta] = timedelta(0)
    asks_after: ClassVar[Sequence[timedelta]] = (
        timedelta(seconds=30),
        timedelta(minutes=2),
        timedelta(minutes=10),
        timedelta(hours=1),
        timedelta(hours=6),
        timedelta(days=1),
    )
    # One status a call: so each counts against the limit.
    asks_at_once: ClassVar[int] = 1

    def __init__(self, config: UnisenderSmsConfig, http: ProviderHttp) -> None:
        self._config = config
        self._api = Api(config, http)
        self._unanswered = Unanswered()

    def split(self, messages: Sequence[Message]) -> list[list[Message]]:
        return calls(messages, limit=_NUMBERS, alike=lambda message: message.text)

    async def send(self, messages: Sequence[Message]) -> list[Outcome]:
        text = messages[0].text
        if len(text) > _TEXT_LENGTH:
            reason = f"{len(text)} characters; Unisender takes {_TEXT_LENGTH} at most"
            return [Refused(Scope.MESSAGE, "text-too-long", reason)] * len(messages)
        results = [
            self._unanswered.settle(message, result)
            for message, result in zip(messages, await self._call(messages, text), strict=True)
        ]
        self._unanswered.note(messages, results)
        return results

    async def check(self) -> Check:
        """There is no method that tells which sender names are registered."""
        try:
            return Check(True, greeting(await self._api.account()))
        except (NoReply, Failed) as error:
            return wrong(error)

    async def close(self) -> None:
        """Nothing of its own is open."""

    async def ask(self, sent: Sequence[Sent]) -> list[Receipt]:
        """One call a message. Of some nothing may be learned while there is news of others."""
        asked = [message for message in sent if message.provider_id]
        answers = await asyncio.gather(*map(self._status, asked), return_exceptions=True)
        failures = [answer for answer in answers if isinstance(answer, BaseException)]
        for failure in failures:
            if not isinstance(failure, Unavailable) or len(failures) == len(asked):
                raise failure
        return [answer for answer in answers if isinstance(answer, Receipt)]

    async def _call(self, messages: Sequence[Message], text: str) -> list[Outcome]:
        form = {
            "phone": ",".join(_digits(message.to) for message in messages),
            "sender": self._config.sender,
            "text": text,
        }
        try:
            result = await self._api.call("sendSms", form)
        except NoReply as none:
            return [none.outcome] * len(messages)
        except Failed as no:
            alone = len(messages) == 1
            return [_refused(no, message, alone=alone) for message in messages]
        return _outcomes(messages, result)

    async def _status(self, message: Sent) -> Receipt | None:
        told = await self._api.ask("checkSms", {"sms_id": message.provider_id})
        status = told.get("status") if isinstance(told, dict) else None
        if not isinstance(status, str):
            raise Unavailable("Unisender gives an answer without a status")
        # "New values are likely; what begins with err_ has failed, with ok_ is on its way or has arrived."
        failed = status.startswith("err_")
        known = _STATUSES.get(status, ReceiptStatus.FAILED if failed else ReceiptStatus.SENT)
        if known is ReceiptStatus.SENT:
            return None
        return Receipt(
            known,
            provider_id=message.provider_id,
            key=message.key,
            code=status if failed else "",
        )


def _outcomes(messages: Sequence[Message], result: Any) -> list[Outcome]:
    """One number: an object; several: a list with `phone` in each entry."""
    if isinstance(result, dict) and len(messages) == 1:
        return [_outcome(result, messages[0])]
    listed = {
        _digits(str(entry.get("phone"))): entry
        for entry in (result if isinstance(result, list) else [])
        if isinstance(entry, dict)
    }
    return [_outcome(listed.get(_digits(message.to)), message) for message in messages]


def _outcome(entry: Mapping[str, Any] | None, message: Message) -> Outcome:
    """A number that is not listed has nobody's word for anything."""
    if entry is None:
        return Retry("number-not-listed", maybe_sent=True)
    if no := fault(entry):
        return _refused(no, message, alone=True)
    sms_id = entry.get("sms_id")
    if not isinstance(sms_id, str | int) or isinstance(sms_id, bool) or not sms_id:
        return unreadable()
    return Accepted(str(sms_id), money(entry.get("price")))


def _refused(no: Failed, message: Message, *, alone: bool) -> Outcome:
    """`alone`: it is certain which number is meant."""
    result = outcome(no, message, meanings=_MEANINGS, arguments=_ARGUMENTS, otherwise=Scope.ACCOUNT)
    if isinstance(result, Refused) and result.scope is Scope.RECIPIENT and not alone:
        return Refused(result.scope, result.code, result.reason, suppress=False)
    return result


def _digits(phone: str) -> str:
    return "".join(char for char in phone if char in "0123456789")
