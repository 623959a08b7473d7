"""Viber Business Messages through SendPulse, up to a thousand phones a call (sendpulse.com/integrations/api/viber)."""

from collections.abc import Hashable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from channels.access_token import NoToken
from channels.base import (
    Accepted,
    AccountConfig,
    Button,
    Category,
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
from channels.duration import DurationOrSeconds, between
from channels.http import NoReply, ProviderHttp, unclear
from channels.money import money
from channels.sendpulse import tasks
from channels.sendpulse.api import LIMITS, Api, SendpulseConfig, digits
from channels.sendpulse.refusals import accepts, refusal

_PHONES = 1000
_TEXT_LENGTH = 1000
_PROMO, _TRANSACTIONAL = 2, 3
_SHORTEST, _LONGEST = timedelta(seconds=60), timedelta(days=1)

# The words of the statistics and of the documented example; a word not known yet says nothing.
_STATUSES: Mapping[str, ReceiptStatus] = {
    "send": ReceiptStatus.SENT,
    "sent": ReceiptStatus.SENT,
    "delivered": ReceiptStatus.DELIVERED,
    "read": ReceiptStatus.READ,
    "opened": ReceiptStatus.READ,
    "redirected": ReceiptStatus.CLICKED,
    "undelivered": ReceiptStatus.FAILED,
    "not_delivered": ReceiptStatus.FAILED,
    "error": ReceiptStatus.FAILED,
    "errors": ReceiptStatus.FAILED,
    # Viber's own words, as its resellers hand them on: nothing ever reaches this phone by Viber.
    "srvc_not_viber_user": ReceiptStatus.BOUNCED,
    "srvc_user_blocked": ReceiptStatus.BOUNCED,
    "srvc_no_suitable_device": ReceiptStatus.BOUNCED,
}
# The others of those words are troubles of this one message.
_VIBERS = "srvc_"

_VERIFIED = "verified"


class SendpulseViberConfig(SendpulseConfig):
    """`message_type`: `auto` sends marketing as promo and everything else as transactional, whose texts must
    match a template that Viber approved; a button and a picture go with promo only.

    `image`: the picture beside a button where the message names none. `live_time`: how long Viber tries to
    deliver what has no end of its own.
    """

    sender_id: Annotated[int, Field(gt=0)]
    message_type: Literal["auto", "promo", "transactional"] = "auto"
    image: Annotated[str, Field(pattern=r"^(https?://\S+)?$")] = ""
    live_time: Annotated[DurationOrSeconds, between(_SHORTEST, _LONGEST)] = _LONGEST


class SendpulseViber:
    Config: ClassVar[type[AccountConfig]] = SendpulseViberConfig
    channel: ClassVar[Channel] = Channel.VIBER
    provider: ClassVar[str] = "sendpulse"
    tells: ClassVar[Tells] = Tells.READ
    limits: ClassVar[Limits] = LIMITS
    deduplicates: ClassVar[timedelta] = timedelta(0)
    asks_after: ClassVar[Sequence[timedelta]] = (
        timedelta(minutes=1),
        timedelta(minutes=5),
        timedelta(minutes=20),
        timedelta(hours=1),
        timedelta(hours=6),
        timedelta(days=1),
        timedelta(days=2),
    )
    # At worst each is of a campaign of its own, and so a call.
    asks_at_once: ClassVar[int] = 50

    def __init__(self, config: SendpulseViberConfig, http: ProviderHttp) -> None:
        self._config = config
        self._api = Api(config, http)

    def split(self, messages: Sequence[Message]) -> list[list[Message]]:
        return calls(messages, limit=_PHONES, alike=self._kind)

    async def send(self, messages: Sequence[Message]) -> list[Outcome]:
        text = messages[0].text
        if len(text) > _TEXT_LENGTH:
            reason = f"{len(text)} characters; Viber takes {_TEXT_LENGTH} at most"
            return [Refused(Scope.MESSAGE, "text-too-long", reason)] * len(messages)
        return await tasks.sent_to_phones(messages, self._send)

    async def check(self) -> Check:
        number = self._config.sender_id
        try:
            balance = await self._api.balance()
            senders = await self._api.ask("GET", "/viber/senders")
        except Unavailable as trouble:
            return Check(False, str(trouble))
        for sender in senders if isinstance(senders, list) else []:
            if isinstance(sender, dict) and str(sender.get("id")) == str(number):
                status = str(sender.get("status"))
                name = f"sender {number} ({sender.get('name')})"
                if status == _VERIFIED:
                    return Check(True, f"SendPulse answers, {name} is verified, {balance}")
                return Check(False, f"SendPulse does not send as {name}: it is {status}")
        return Check(False, f"SendPulse knows no sender {number} (sender_id) for Viber")

    async def close(self) -> None:
        """Nothing of its own is open."""

    async def ask(self, sent: Sequence[Sent]) -> list[Receipt]:
        return await tasks.each(sent, self._read)

    async def _read(self, task: str, waiting: Sequence[Sent]) -> list[Receipt]:
        body = await self._api.ask("GET", f"/viber/task/{task}/recipients")
        # Described as an object, shown as a list elsewhere.
        listed = tasks.by_phone(body.get("recipients") if isinstance(body, dict) else body)
        return tasks.receipts_of(waiting, listed, _receipt)

    async def _send(self, messages: Sequence[Message]) -> list[Outcome]:
        phones = [digits(message.to) for message in messages]
        try:
            reply = await self._api.call("POST", "/viber", self._task(phones, messages[0]))
            body = reply.json()
        except (NoReply, NoToken) as none:
            return [none.outcome] * len(messages)
        if reply.status != HTTPStatus.OK or not accepts(body):
            return [refusal(reply, body, alone=len(messages) == 1)] * len(messages)
        data = body.get("data")
        task = tasks.number(data.get("task_id") if isinstance(data, dict) else None)
        if not task:
            return [unclear(reply)] * len(messages)
        return [Accepted(tasks.provider_id(task, phone)) for phone in phones]

    def _task(self, phones: Sequence[str], message: Message) -> dict[str, Any]:
        task: dict[str, Any] = {
            "task_name": f"vestnik {message.batch_key or message.key}",
            "message_type": self._type(message),
            "sender_id": self._config.sender_id,
            "message_live_time": self._live_time(message),
            "send_date": "now",
            "recipients": [int(phone) for phone in phones],
            "message": message.text,
        }
        button, image = self._extras(message)
        if button:
            task["additional"] = {"button": {"text": button.text, "link": button.url}}
            if image:
                task["additional"]["image"] = {"link": image}
        return task

    def _kind(self, message: Message) -> Hashable:
        """Messages that are equal for Viber. An end that differs by seconds is the same end."""
        until = message.expires_at
        return (
            message.batch_key,
            message.text,
            self._type(message),
            self._extras(message),
            until.replace(second=0, microsecond=0) if until else None,
        )

    def _type(self, message: Message) -> int:
        match self._config.message_type:
            case "promo":
                return _PROMO
            case "transactional":
                return _TRANSACTIONAL
        return _PROMO if message.category is Category.MARKETING else _TRANSACTIONAL

    def _extras(self, message: Message) -> tuple[Button | None, str]:
        """The first button that leads to a page, and the picture beside it.

        Transactional messages have text and nothing else, and a text with a picture alone is no kind of message.
        """
        urls = (button for row in message.buttons for button in row if button.url)
        button = next(urls, None) if self._type(message) == _PROMO else None
        own = message.data.get("image", "")
        image = own if own.startswith(("https://", "http://")) else self._config.image
        return button, image if button else ""

    def _live_time(self, message: Message) -> int:
        left = self._config.live_time
        if message.expires_at:
            left = min(max(message.expires_at - datetime.now(UTC), _SHORTEST), _LONGEST)
        return int(left.total_seconds())


def _receipt(provider_id: str, entry: Mapping[str, Any]) -> Receipt | None:
    word = str(entry.get("status") or "").strip().lower().replace(" ", "_")
    status = _STATUSES.get(word, ReceiptStatus.FAILED if word.startswith(_VIBERS) else None)
    if status is None:
        return None
    return Receipt(status, provider_id=provider_id, code=word[:100], cost=money(entry.get("price")))
