"""What an SMSC hands over, on its way to `take`: nothing is acknowledged before that has returned."""

import asyncio
import contextlib
from asyncio import TimerHandle
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import chain

from channels.base import Heard, Receipt, Take, Told
from channels.sms import smpp_text
from channels.sms.smpp_pdu import Address, Short
from channels.sms.smpp_receipts import is_message
from channels.sms.smpp_session import Reply
from channels.sms.smpp_status import OK, Status
from channels.sms.smpp_text import Alphabet, Part

# What waits for `take` at most. An SMSC with so many answers outstanding does not mind waiting.
_ROOM = 500
_AT_ONCE = 100

# For the rest of a long text. Meanwhile its first parts are not acknowledged, and an SMSC that sends one at a time
# waits for that; most ask again after ten seconds or more.
_PATIENCE = timedelta(seconds=5)
_MISSING = "…"

_ALPHANUMERIC = 5


@dataclass(frozen=True, slots=True)
class _Item:
    """Something told, and the packets that told it."""

    told: Receipt | Heard
    replies: Sequence[Reply]

    def answer(self, status: int) -> None:
        for reply in self.replies:
            reply(status)


@dataclass(slots=True)
class _Growing:
    """A long text of which some parts are here."""

    total: int
    first: Short
    timer: TimerHandle
    parts: dict[int, bytes] = field(default_factory=dict)
    replies: list[Reply] = field(default_factory=list)

    def text(self, alphabet: Alphabet) -> str:
        """Parts side by side are joined before they are read: a character may be cut in two."""
        runs: list[bytes | None] = []
        for number in range(1, self.total + 1):
            content = self.parts.get(number)
            last = runs[-1] if runs else None
            if content is not None and last is not None:
                runs[-1] = last + content
            elif content is not None or last is not None or not runs:
                runs.append(content)
        return "".join(
            _MISSING if run is None else smpp_text.decode(run, self.first.data_coding, alphabet)
            for run in runs
        )


class Inbox:
    """`read_receipt` makes a receipt of a deliver_sm, or nothing; `patience`: with the rest of a long text."""

    def __init__(
        self,
        read_receipt: Callable[[Short], Receipt | None],
        alphabet: Alphabet,
        patience: timedelta = _PATIENCE,
    ) -> None:
        self._read_receipt = read_receipt
        self._alphabet = alphabet
        self._patience = patience
        self._ready: asyncio.Queue[_Item] = asyncio.Queue()
        self._growing: dict[tuple[str, str, int, int], _Growing] = {}
        self._listened_to = False
        self._singly = 0

    def put(self, short: Short, reply: Reply) -> None:
        """A deliver_sm. Where nobody listens, or too much waits, the SMSC is told to come again."""
        waiting = self._ready.qsize() + sum(len(g.replies) for g in self._growing.values())
        if not self._listened_to or waiting >= _ROOM:
            reply(Status.TEMPORARY)
        elif is_message(short):
            self._heard(short, reply)
        elif receipt := self._read_receipt(short):
            self._ready.put_nowait(_Item(receipt, [reply]))
        else:
            # Nothing to be stored: a state that is not known here, the acknowledgement of a phone.
            reply(OK)

    async def run(self, take: Take) -> None:
        """Hands on what comes, until cancelled. What is not stored by then the SMSC says again."""
        self._listened_to = True
        try:
            while True:
                await self._hand_on(await self._some(), take)
        finally:
            self._listened_to = False
            self._let_go()

    async def _some(self) -> list[_Item]:
        items = [await self._ready.get()]
        most = 1 if self._singly else _AT_ONCE
        while len(items) < most and not self._ready.empty():
            items.append(self._ready.get_nowait())
        return items

    async def _hand_on(self, items: Sequence[_Item], take: Take) -> None:
        told = Told(
            receipts=[i.told for i in items if isinstance(i.told, Receipt)],
            heard=[i.told for i in items if isinstance(i.told, Heard)],
        )
        status: int = Status.TEMPORARY
        try:
            # Whatever it is that `take` raises, it means "not stored", and its reason is told where it happened.
            with contextlib.suppress(Exception):
                await take(told)
                status = OK
        finally:
            for item in items:
                item.answer(status)
        # The next ones come singly, so that one that cannot be stored holds up nobody but itself.
        self._singly = max(self._singly - 1, 0) if status == OK else max(self._singly, len(items))

    def _heard(self, short: Short, reply: Reply) -> None:
        if not _number(short.source):
            # Of a service with a name: nobody could be answered, and no contact is known by it.
            reply(OK)
            return
        part = smpp_text.part(short)
        if part.total == 1:
            text = smpp_text.decode(part.content, short.data_coding, self._alphabet)
            self._ready.put_nowait(_Item(Heard(_number(short.source), text), [reply]))
        else:
            self._grow(short, part, reply)

    def _grow(self, short: Short, part: Part, reply: Reply) -> None:
        key = (short.source.value, short.to.value, part.reference, part.total)
        growing = self._growing.get(key)
        if growing is None:
            timer = asyncio.get_running_loop().call_later(
                self._patience.total_seconds(), self._grown, key
            )
            growing = self._growing[key] = _Growing(part.total, short, timer)
        growing.parts[part.number] = part.content
        growing.replies.append(reply)
        if len(growing.parts) == part.total:
            self._grown(key)

    def _grown(self, key: tuple[str, str, int, int]) -> None:
        """Whole, or as much of it as came in time."""
        growing = self._growing.pop(key)
        growing.timer.cancel()
        heard = Heard(_number(growing.first.source), growing.text(self._alphabet))
        self._ready.put_nowait(_Item(heard, growing.replies))

    def _let_go(self) -> None:
        for growing in self._growing.values():
            growing.timer.cancel()
        replies = list(chain.from_iterable(g.replies for g in self._growing.values()))
        self._growing.clear()
        while not self._ready.empty():
            replies += self._ready.get_nowait().replies
        for reply in replies:
            reply(Status.TEMPORARY)


def _number(source: Address) -> str:
    """A person's number in the normal form of the channel; empty for a name."""
    digits = source.value.removeprefix("+")
    if source.ton == _ALPHANUMERIC or not (digits.isascii() and digits.isdigit()):
        return ""
    return f"+{digits}"
