"""What the hub may rely on where a provider keeps a connection."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from channels.base import (
    Heard,
    Listens,
    Receipt,
    Told,
)
from tests.contract.cases import (
    Listening,
)
from tests.contract.rig import Rig, only


@dataclass(slots=True)
class Shelf:
    """Where what was told is kept. `closed`: nothing can be stored; `slow`: it takes until that is set."""

    told: list[Told] = field(default_factory=list)
    closed: bool = False
    slow: asyncio.Event | None = None
    busy: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, told: Told) -> None:
        self.busy.set()
        if self.slow:
            await self.slow.wait()
        if self.closed:
            raise ConnectionError("the database is away")
        self.told.append(told)

    @property
    def receipts(self) -> list[Receipt]:
        return [receipt for told in self.told for receipt in told.receipts]

    @property
    def heard(self) -> list[Heard]:
        return [heard for told in self.told for heard in told.heard]


@asynccontextmanager
async def _listening(rig: Rig, shelf: Shelf) -> AsyncIterator[Listening]:
    """While the adapter listens."""
    assert rig.case.listening
    assert isinstance(rig.adapter, Listens)
    task = asyncio.create_task(rig.adapter.listen(shelf.take))
    try:
        yield rig.case.listening
        assert not task.done(), "it listens until it is cancelled"
    finally:
        task.cancel()
        await asyncio.wait([task])
    assert task.cancelled()


@only(lambda case: case.listening)
async def test_listening_it_hands_on_which_message_the_receipt_is_of(rig: Rig) -> None:
    shelf = Shelf()
    async with _listening(rig, shelf) as listening:
        messages, outcomes = await rig.accepted()

        told = [await listening.told(rig.simulator, sent) for sent in rig.simulator.sent]

    assert all(told)
    receipts = [r for r in shelf.receipts if r.status is listening.status]
    for message, outcome, receipt in zip(messages, outcomes, receipts, strict=True):
        assert receipt.key == message.key or receipt.provider_id == outcome.provider_id
    assert not rig.leaks(repr(shelf.told))


@only(lambda case: case.listening)
async def test_listening_it_says_nothing_before_it_is_stored(rig: Rig) -> None:
    shelf = Shelf(slow=asyncio.Event())
    async with _listening(rig, shelf) as listening:
        await rig.accepted()
        told = asyncio.ensure_future(listening.told(rig.simulator, rig.simulator.sent[0]))
        await shelf.busy.wait()

        early = await asyncio.wait([told], timeout=0.2)
        assert shelf.slow
        shelf.slow.set()

        assert not early[0]
        assert await told


@only(lambda case: case.listening)
async def test_listening_it_sends_while_something_is_being_stored(rig: Rig) -> None:
    shelf = Shelf(slow=asyncio.Event())
    async with _listening(rig, shelf) as listening:
        await rig.accepted()
        told = asyncio.ensure_future(listening.told(rig.simulator, rig.simulator.sent[0]))
        await shelf.busy.wait()

        await rig.accepted()

        assert shelf.slow
        shelf.slow.set()
        assert await told


@only(lambda case: case.listening)
async def test_listening_what_was_not_stored_is_told_again(rig: Rig) -> None:
    shelf = Shelf(closed=True)
    async with _listening(rig, shelf) as listening:
        await rig.accepted()
        [sent, *_] = rig.simulator.sent

        first = await listening.told(rig.simulator, sent)
        shelf.closed = False
        second = await listening.told(rig.simulator, sent)

    assert (first, second) == (False, True)
    assert len(shelf.receipts) == 1


@only(lambda case: case.listening)
async def test_listening_ends_and_what_is_under_way_is_told_again(rig: Rig) -> None:
    shelf = Shelf(slow=asyncio.Event())
    async with _listening(rig, shelf) as listening:
        await rig.accepted()
        told = asyncio.ensure_future(listening.told(rig.simulator, rig.simulator.sent[0]))
        await shelf.busy.wait()

    await rig.adapter.close()
    assert not await told


@only(lambda case: case.listening)
async def test_listening_it_comes_back_after_the_provider_was_away(rig: Rig) -> None:
    shelf = Shelf()
    async with _listening(rig, shelf) as listening:
        await rig.accepted()
        port = rig.simulator.port
        await rig.simulator.stop()
        await rig.simulator.start(port)

        assert await listening.told(rig.simulator, rig.simulator.sent[0])

    assert [receipt.status for receipt in shelf.receipts] == [listening.status]


@only(lambda case: case.listening and case.listening.heard)
async def test_listening_it_hands_on_what_a_person_wrote(rig: Rig) -> None:
    shelf = Shelf()
    async with _listening(rig, shelf) as listening:
        assert listening.heard

        assert await listening.heard(rig.simulator)

    [heard] = shelf.heard
    assert heard.address
    assert heard.text
