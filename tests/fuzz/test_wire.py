"""Providers that speak no HTTP: what their server says is spoilt on its way to the adapter."""

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import Check, Listens, Told
from channels.http import ProviderHttp
from tests.contract.cases import Case, cases
from tests.fuzz.rigs import Answering
from tests.fuzz.test_answers import check_outcome, check_receipt, check_text

CASES = [case for case in cases() if case.provider in ("smtp", "smpp")]

_LONGEST_TALK = 600


@dataclass(frozen=True, slots=True)
class Spoil:
    """At this byte of what the server says: so many are left out and these put there; `cut`: and then silence."""

    at: int
    without: int
    put: bytes
    cut: bool


def _pdu(command: int, status: int, sequence: int, body: bytes) -> bytes:
    return struct.pack(">IIII", 16 + len(body), command, status, sequence) + body


_COMMANDS = (0x80000009, 0x80000004, 0x00000005, 0x00000015, 0x00000006, 0x80000000, 0x103, 0x99)
_pdus = st.builds(
    _pdu,
    st.sampled_from(_COMMANDS),
    st.sampled_from([0, 0, 0, 8, 0x58, 0x14, 0xFFFFFFFF]),
    st.integers(0, 4),
    st.binary(max_size=60),
)
_lines = st.one_of(
    st.from_regex(rb"[2345][0-9]{2}[ -]?[ -~]{0,20}\r\n", fullmatch=True),
    st.sampled_from(
        [b"\r\n", b"220", b"999 x\r\n", b"250-\r\n" * 50, b"\xff\xfe\r\n", b"5" * 5000]
    ),
)
_spoils = st.builds(
    Spoil,
    at=st.integers(0, _LONGEST_TALK),
    without=st.integers(0, 12),
    put=st.one_of(st.binary(max_size=20), _lines, _pdus),
    cut=st.sampled_from([False, False, False, True]),
)


@dataclass(slots=True)
class Door:
    """Where the adapter connects to, in the place of the simulator."""

    port: int


@asynccontextmanager
async def between(port: int, spoil: Spoil) -> AsyncIterator[Door]:
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with suppress(OSError, asyncio.CancelledError):
            theirs, ours = await asyncio.open_connection("127.0.0.1", port)
            try:
                async with asyncio.TaskGroup() as both:
                    both.create_task(_passed(reader, ours))
                    both.create_task(_spoilt(theirs, writer, spoil))
            finally:
                ours.close()
                writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield Door(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _passed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(4096):
            writer.write(data)
        writer.write_eof()


async def _spoilt(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, spoil: Spoil) -> None:
    said = 0
    with suppress(OSError):
        while data := await reader.read(4096):
            here = spoil.at - said
            said += len(data)
            if 0 <= here < len(data):
                data = data[:here] + spoil.put + data[here + spoil.without :]
                if spoil.cut:
                    writer.write(data[: here + len(spoil.put)])
                    break
            writer.write(data)
        writer.close()


Run = Callable[[Awaitable[Any]], Any]


@pytest.fixture(scope="module", params=CASES, ids=str)
def wired(request: pytest.FixtureRequest) -> Iterator[tuple[Case, Any, Run]]:
    case: Case = request.param
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        stack = AsyncExitStack()
        simulator = runner.run(stack.enter_async_context(case.simulator()))
        yield case, simulator, runner.run  # type: ignore[misc]
        runner.run(stack.aclose())


@given(spoil=_spoils)
def test_send(wired: tuple[Case, Any, Run], spoil: Spoil) -> None:
    case, simulator, run = wired

    async def send() -> None:
        async with between(simulator.port, spoil) as door:
            adapter = case.build(door, _unused())
            call = adapter.split(case.messages)[0]
            async with asyncio.timeout(20):
                outcomes = await adapter.send(call)
            await adapter.close()

        assert len(outcomes) == len(call)
        for outcome in outcomes:
            check_outcome(outcome)
        assert not [secret for secret in case.secrets if secret in repr(outcomes)]

    run(send())


@given(spoil=_spoils)
def test_check(wired: tuple[Case, Any, Run], spoil: Spoil) -> None:
    case, simulator, run = wired

    async def check() -> None:
        async with between(simulator.port, spoil) as door:
            adapter = case.build(door, _unused())
            async with asyncio.timeout(20):
                told = await adapter.check()
            await adapter.close()

        assert isinstance(told, Check)
        check_text(told.text)
        assert told.text
        assert not [secret for secret in case.secrets if secret in told.text]

    run(check())


@given(spoil=_spoils)
def test_listen(wired: tuple[Case, Any, Run], spoil: Spoil) -> None:
    case, simulator, run = wired

    async def take(told: Told) -> None:
        for receipt in told.receipts:
            check_receipt(receipt)
        for heard in told.heard:
            for text in (heard.address, heard.text, heard.id):
                check_text(text)

    async def listen() -> None:
        async with between(simulator.port, spoil) as door:
            adapter = case.build(door, _unused())
            if not isinstance(adapter, Listens):
                await adapter.close()
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(0.2):
                    await adapter.listen(take)
            await adapter.close()

    run(listen())


def _unused() -> ProviderHttp:
    """They have a connection of their own."""
    return Answering(())
