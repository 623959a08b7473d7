"""SMS through any SMSC that speaks SMPP 3.4.

The session and the packets are our own. Of the libraries there are, `aiosmpplib` (0.7.4) is alive and asynchronous, but
it takes decisions that are the hub's (a queue and a splitting of its own, no window), holds up the whole connection
while one deliver_sm is being stored and can refuse it only by breaking that connection, has no TLS, and its reader
fails at a command_status, an alphabet or a parameter of the SMSC's own. `smpplib` (2.2.4) blocks, may cut an escape
pair in two, and its reader fails at parameters that it does not know.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import ClassVar
from zoneinfo import ZoneInfo

from channels.base import (
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
    Take,
    Tells,
    one_each,
)
from channels.http import ProviderHttp
from channels.sms import smpp_receipts, smpp_status, smpp_text
from channels.sms.smpp_config import SmppConfig
from channels.sms.smpp_inbox import Inbox
from channels.sms.smpp_link import Link
from channels.sms.smpp_pdu import Address, Command, Short, first_string
from channels.sms.smpp_receipts import known_as
from channels.sms.smpp_session import Lost, Reply, Session
from channels.sms.smpp_status import OK, Status
from channels.sms.smpp_text import Segment, TooLong

_CHECK_TIMEOUT = timedelta(seconds=15)

# A time that is past for the SMSC's clock is refused.
_LEAST_VALIDITY = timedelta(minutes=1)
_MOST_VALIDITY = timedelta(days=30)

_WITHOUT_RECEIPT, _WITH_RECEIPT = 0, 1


class Smpp:
    """Keeps one connection (two with `bind = "separate"`) from each process that sends or listens.

    Receipts find a message by the id of one of its segments: of the last one, unless `receipt_for` says otherwise.
    Only for this one a receipt is asked for, as the process that gets it knows nothing of the others.
    """

    Config: ClassVar[type[AccountConfig]] = SmppConfig
    channel: ClassVar[Channel] = Channel.SMS
    provider: ClassVar[str] = "smpp"
    tells: ClassVar[Tells] = Tells.DELIVERED
    # The protocol knows no limits, only the answer "throttled". SMSC.ru and others name thirty a second for a
    # start; more calls at once than the window has places would wait for it.
    limits: ClassVar[Limits] = Limits(per_second=30, concurrency=10)
    deduplicates: ClassVar[timedelta] = timedelta(0)

    def __init__(self, config: SmppConfig, http: ProviderHttp) -> None:
        self._config = config
        self._guard = http.guard
        read_receipt = partial(
            smpp_receipts.receipt,
            answer_ids=config.answer_ids,
            receipt_ids=config.receipt_ids,
            no_such_number=config.no_such_number,
            zone=ZoneInfo(config.timezone) if config.timezone else None,
        )
        self._inbox = Inbox(read_receipt, config.alphabet)
        if config.bind == "transceiver":
            self._out = self._in = Link(
                config, Command.BIND_TRANSCEIVER, self._inbox.put, self._guard
            )
        else:
            self._out = Link(config, Command.BIND_TRANSMITTER, self._inbox.put, self._guard)
            self._in = Link(config, Command.BIND_RECEIVER, self._inbox.put, self._guard)

    def split(self, messages: Sequence[Message]) -> list[list[Message]]:
        return one_each(messages)

    async def send(self, messages: Sequence[Message]) -> list[Outcome]:
        return [await self._send(message) for message in messages]

    async def listen(self, take: Take) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._inbox.run(take))
            group.create_task(self._in.keep())

    async def check(self) -> Check:
        """Over connections of its own, and not those that may have been bound with an older password."""
        host, port = self._config.server
        links = [Link(self._config, command, _not_now, self._guard) for command in self._binds]
        try:
            async with asyncio.timeout(_CHECK_TIMEOUT.total_seconds()):
                for link in links:
                    match await link.session():
                        case Refused(_, code, reason):
                            return Check(False, f"{host}:{port} refuses: {code} {reason}")
                        case Retry(reason):
                            return Check(False, f"{host}:{port} cannot be used now: {reason}")
        except TimeoutError:
            return Check(False, f"{host}:{port} cannot be used now: no-answer")
        finally:
            for link in links:
                await link.close()
        return Check(True, f"{host}:{port} answers, bound as {self._config.login}")

    async def close(self) -> None:
        await self._out.close()
        if self._in is not self._out:
            await self._in.close()

    @property
    def _binds(self) -> Sequence[Command]:
        if self._config.bind == "transceiver":
            return [Command.BIND_TRANSCEIVER]
        return [Command.BIND_TRANSMITTER, Command.BIND_RECEIVER]

    async def _send(self, message: Message) -> Outcome:
        digits = message.to.removeprefix("+")
        if not digits.isascii() or not digits.isdigit() or len(digits) > 20:
            return Refused(Scope.RECIPIENT, "not-a-number", "is not a phone number")
        config = self._config
        try:
            segments = smpp_text.segments(
                message.text, message.key, config.long_text, config.alphabet
            )
        except TooLong as error:
            return Refused(Scope.MESSAGE, "text-too-long", str(error))
        speaks = 0 if config.receipt_for == "first" else len(segments) - 1
        known = Accepted()
        for place, segment in enumerate(segments):
            outcome = await self._submit(
                self._short(message, digits, segment, receipt=place == speaks)
            )
            if isinstance(outcome, Retry) and place < len(segments) - 1:
                # Whatever became of this segment, the message has not gone as a whole.
                return replace(outcome, maybe_sent=False)
            if not isinstance(outcome, Accepted):
                return outcome
            if place == speaks:
                known = outcome
        return known

    def _short(self, message: Message, digits: str, segment: Segment, *, receipt: bool) -> Short:
        config = self._config
        return Short(
            config.source,
            Address(digits, config.dest_ton, config.dest_npi),
            segment.text,
            segment.data_coding,
            segment.esm_class,
            config.service_type,
            self._validity(message.expires_at, datetime.now(UTC)),
            _WITH_RECEIPT if receipt else _WITHOUT_RECEIPT,
            segment.tlvs,
        )

    def _validity(self, expires_at: datetime | None, now: datetime) -> str:
        """How long the SMSC may try (7.1.1); empty: as long as it likes."""
        if expires_at is None or self._config.validity == "none":
            return ""
        lasts = min(max(expires_at - now, _LEAST_VALIDITY), _MOST_VALIDITY)
        if self._config.validity == "absolute":
            return (now + lasts).astimezone(UTC).strftime("%y%m%d%H%M%S000+")
        minutes, seconds = divmod(int(lasts.total_seconds()), 60)
        hours, minutes = divmod(minutes, 60)
        days, hours = divmod(hours, 24)
        return f"0000{days:02}{hours:02}{minutes:02}{seconds:02}000R"

    async def _submit(self, short: Short) -> Outcome:
        session = await self._out.session()
        if not isinstance(session, Session):
            return session
        try:
            answer = await session.submit(short.encode())
        except Lost as lost:
            return Retry(lost.reason, maybe_sent=lost.sent)
        if answer.status != OK:
            if answer.status == Status.WRONG_BIND:
                # It has forgotten that we are bound.
                await session.abort()
            return smpp_status.outcome(answer.status, self._config.codes)
        if answer.command == Command.GENERIC_NACK:
            return Retry("unreadable-answer", maybe_sent=True)
        return Accepted(known_as(first_string(answer.body), self._config.answer_ids))


def _not_now(short: Short, reply: Reply) -> None:  # noqa: ARG001
    reply(Status.TEMPORARY)
