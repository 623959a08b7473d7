"""Letters through SendPulse's SMTP service, one a call (sendpulse.com/integrations/api/smtp)."""

import html
from base64 import b64encode
from collections.abc import Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Any, ClassVar

from pydantic import Field

from channels.access_token import NoToken
from channels.base import (
    Accepted,
    AccountConfig,
    Channel,
    Check,
    HookRequest,
    Limits,
    Message,
    Outcome,
    Receipt,
    Sent,
    Tells,
    Told,
    Unavailable,
    one_each,
)
from channels.email import sendpulse_receipts
from channels.email.mime import one_line
from channels.email.sender import Mailbox, MailboxField, OwnMailboxField
from channels.http import NoReply, ProviderHttp, unclear
from channels.sendpulse.api import LIMITS, Api, Declined, SendpulseConfig
from channels.sendpulse.refusals import accepts, refusal

_NO_SUCH_LETTERS = 14


class SendpulseEmailConfig(SendpulseConfig):
    sender: OwnMailboxField = Field(alias="from")
    reply_to: MailboxField | None = None


class SendpulseEmail:
    Config: ClassVar[type[AccountConfig]] = SendpulseEmailConfig
    channel: ClassVar[Channel] = Channel.EMAIL
    provider: ClassVar[str] = "sendpulse"
    tells: ClassVar[Tells] = Tells.DELIVERED
    limits: ClassVar[Limits] = LIMITS
    deduplicates: ClassVar[timedelta] = timedelta(0)
    # Beside the calls of the hook, which nobody has to set up.
    asks_after: ClassVar[Sequence[timedelta]] = (
        timedelta(minutes=2),
        timedelta(minutes=15),
        timedelta(hours=2),
        timedelta(hours=12),
        timedelta(days=2),
    )
    asks_at_once: ClassVar[int] = 500

    def __init__(self, config: SendpulseEmailConfig, http: ProviderHttp) -> None:
        self._config = config
        self._api = Api(config, http)

    def split(self, messages: Sequence[Message]) -> list[list[Message]]:
        """Recipients of one call see each other, and have one id together."""
        return one_each(messages)

    async def send(self, messages: Sequence[Message]) -> list[Outcome]:
        return [await self._send(message) for message in messages]

    async def check(self) -> Check:
        address = self._config.sender.address
        try:
            balance = await self._api.balance()
            senders = await self._api.ask("GET", "/smtp/senders")
        except Unavailable as trouble:
            return Check(False, str(trouble))
        if address.casefold() in _addresses(senders):
            return Check(True, f"SendPulse answers, sends as {address}, {balance}")
        return Check(
            False,
            f"SendPulse does not send as {address}: add it to the senders of the SMTP service and confirm it",
        )

    async def close(self) -> None:
        """Nothing of its own is open."""

    def read_hook(self, request: HookRequest) -> Told:
        return sendpulse_receipts.read(request)

    async def ask(self, sent: Sequence[Sent]) -> list[Receipt]:
        letters = [s.provider_id for s in sent if s.provider_id]
        if not letters:
            return []
        try:
            records = await self._api.ask("POST", "/smtp/emails/info", {"emails": letters})
        except Declined as declined:
            if declined.code == _NO_SUCH_LETTERS:
                # Not on file yet.
                return []
            raise
        if not isinstance(records, list):
            raise Unavailable("SendPulse gives no list of letters")
        return [
            receipt
            for record in records
            if isinstance(record, dict)
            for receipt in sendpulse_receipts.of_record(record)
        ]

    async def _send(self, message: Message) -> Outcome:
        try:
            reply = await self._api.call("POST", "/smtp/emails", {"email": self._letter(message)})
            body = reply.json()
        except (NoReply, NoToken) as none:
            return none.outcome
        if reply.status != HTTPStatus.OK or not accepts(body):
            return refusal(reply, body)
        letter = body.get("id")
        return Accepted(letter) if isinstance(letter, str) and letter else unclear(reply)

    def _letter(self, message: Message) -> dict[str, Any]:
        letter: dict[str, Any] = {
            "subject": one_line(message.subject),
            # Both are demanded.
            "html": b64encode((message.html or _as_html(message.text)).encode()).decode(),
            "text": message.text,
            # Without a name of its own a sender is refused.
            "from": {"name": self._config.sender.address} | _person(self._config.sender),
            "to": [_person(Mailbox(message.to_name, message.to))],
        }
        if self._config.reply_to:
            letter["reply_to"] = _person(self._config.reply_to)
        return letter


def _person(mailbox: Mailbox) -> dict[str, str]:
    name = one_line(mailbox.name)
    return ({"name": name} if name else {}) | {"email": mailbox.address}


def _as_html(text: str) -> str:
    return "<br>\n".join(html.escape(text).splitlines())


def _addresses(senders: Any) -> set[str]:
    """Of the senders that may be used; a list of addresses."""
    return {
        sender.casefold()
        for sender in (senders if isinstance(senders, list) else [])
        if isinstance(sender, str)
    }
