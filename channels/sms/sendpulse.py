"""SMS through SendPulse: a campaign for a list of phones (sendpulse.com/integrations/api/bulk-sms)."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any, ClassVar

from pydantic import Field

from channels.access_token import NoToken
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
    Scope,
    Sent,
    Tells,
    Unavailable,
)
from channels.batches import calls
from channels.http import NoReply, ProviderHttp, Reply, unclear
from channels.money import money
from channels.sendpulse import tasks
from channels.sendpulse.api import LIMITS, Api, SendpulseConfig, digits
from channels.sendpulse.refusals import accepts, refusal

# The reference names no maximum; a hundred is what comparable services take.
_NUMBERS = 100

_STATUSES: Mapping[str, ReceiptStatus] = {
    "1": ReceiptStatus.SENT,
    "2": ReceiptStatus.DELIVERED,
    "12": ReceiptStatus.FAILED,
}
_ACTIVE = "1"


class SendpulseSmsConfig(SendpulseConfig):
    """`sender`: a registered name. `route`: by country (`{"RU": "national"}`), where there are several.

    `test`: they check everything and send nothing.
    """

    sender: Annotated[str, Field(min_length=1, max_length=11)]
    route: Mapping[Annotated[str, Field(pattern=r"^[A-Z]{2}$")], str] = Field(default_factory=dict)
    test: bool = False


class SendpulseSms:
    Config: ClassVar[type[AccountConfig]] = SendpulseSmsConfig
    channel: ClassVar[Channel] = Channel.SMS
    provider: ClassVar[str] = "sendpulse"
    tells: ClassVar[Tells] = Tells.DELIVERED
    limits: ClassVar[Limits] = LIMITS
    deduplicates: ClassVar[timedelta] = timedelta(0)
    asks_after: ClassVar[Sequence[timedelta]] = (
        timedelta(minutes=1),
        timedelta(minutes=5),
        timedelta(minutes=30),
        timedelta(hours=3),
        timedelta(days=1),
        timedelta(days=2),
    )
    # At worst each is of a campaign of its own, and so a call.
    asks_at_once: ClassVar[int] = 50

    def __init__(self, config: SendpulseSmsConfig, http: ProviderHttp) -> None:
        self._config = config
        self._api = Api(config, http)

    def split(self, messages: Sequence[Message]) -> list[list[Message]]:
        """One text a call: places to fill in there are for address books only."""
        return calls(messages, limit=_NUMBERS, alike=lambda m: (m.batch_key, m.text))

    async def send(self, messages: Sequence[Message]) -> list[Outcome]:
        return await tasks.sent_to_phones(messages, self._send)

    async def check(self) -> Check:
        try:
            balance = await self._api.balance()
            senders = await self._api.ask("GET", "/sms/senders")
        except Unavailable as trouble:
            return Check(False, str(trouble))
        name = self._config.sender
        states = [
            sender
            for sender in (senders if isinstance(senders, list) else [])
            if isinstance(sender, dict) and str(sender.get("sender")).casefold() == name.casefold()
        ]
        if any(str(state.get("status")) == _ACTIVE for state in states):
            return Check(True, f"SendPulse answers, sends as {name}, {balance}")
        why = ", ".join(
            sorted({str(state.get("status_explain") or "not active") for state in states})
        )
        return Check(False, f"SendPulse does not send as {name}: {why or 'no such sender name'}")

    async def close(self) -> None:
        """Nothing of its own is open."""

    async def ask(self, sent: Sequence[Sent]) -> list[Receipt]:
        return await tasks.each(sent, self._read)

    async def _read(self, campaign: str, waiting: Sequence[Sent]) -> list[Receipt]:
        listed = await self._listed(campaign)
        return tasks.receipts_of(waiting, listed, _receipt)

    async def _send(self, messages: Sequence[Message]) -> list[Outcome]:
        """One call, and a question where it leaves open which phones the service has left out."""
        phones = [digits(message.to) for message in messages]
        try:
            reply = await self._api.call("POST", "/sms/send", self._campaign(phones, messages[0]))
            body = reply.json()
        except (NoReply, NoToken) as none:
            return [none.outcome] * len(messages)
        alone = len(messages) == 1
        if reply.status != HTTPStatus.OK or not accepts(body):
            return [refusal(reply, body, alone=alone)] * len(messages)
        left_out, taken = _counters(body)
        if left_out and not taken:
            return [_LEFT_OUT] * len(messages)
        campaign = tasks.number(body.get("campaign_id"))
        if not campaign:
            return [self._without_campaign(reply)] * len(messages)
        listed = set(phones)
        if left_out:
            listed = await self._taken(campaign, taken) or listed
        return [
            Accepted(tasks.provider_id(campaign, phone)) if phone in listed else _LEFT_OUT
            for phone in phones
        ]

    def _campaign(self, phones: Sequence[str], message: Message) -> dict[str, Any]:
        campaign: dict[str, Any] = {
            "sender": self._config.sender,
            "phones": phones,
            "body": message.text,
        }
        if self._config.route:
            campaign["route"] = dict(self._config.route)
        if self._config.test:
            campaign["emulate"] = 1
        return campaign

    def _without_campaign(self, reply: Reply) -> Outcome:
        # Whether what is only tried out has a number is not documented.
        return Accepted() if self._config.test else unclear(reply)

    async def _taken(self, campaign: str, count: int) -> set[str]:
        """The phones of a campaign; none where their list is not what the counters say, or cannot be had."""
        try:
            listed = await self._listed(campaign)
        except Unavailable:
            return set()
        return set(listed) if len(listed) == count else set()

    async def _listed(self, campaign: str) -> dict[str, Mapping[str, Any]]:
        body = await self._api.ask("GET", f"/sms/campaigns/info/{campaign}")
        # The description says a list, its example says an object.
        first = body[0] if isinstance(body, list) and body else body
        data = first.get("data") if isinstance(first, dict) else None
        return tasks.by_phone(data.get("task_phones_info") if isinstance(data, dict) else None)


# On the account's black list, or no phone after all: which of it nobody says.
_LEFT_OUT = Refused(
    Scope.RECIPIENT, "exception", "SendPulse leaves this number out", suppress=False
)


def _counters(body: Mapping[str, Any]) -> tuple[int, int]:
    """How many phones were left out, and how many taken."""
    counters = body.get("counters")
    counters = counters if isinstance(counters, dict) else {}
    left_out, taken = (counters.get(name) for name in ("exceptions", "sends"))
    return _whole(left_out), _whole(taken)


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _receipt(provider_id: str, entry: Mapping[str, Any]) -> Receipt | None:
    code = str(entry.get("status"))
    status = _STATUSES.get(code)
    if status is None:
        return None
    return Receipt(
        status,
        provider_id=provider_id,
        code=code,
        text=str(entry.get("status_explain") or "")[:300],
        cost=money(entry.get("money_spent")),
    )
