"""One connection to the SMSC of the tests, as the SMSC sees it."""

import asyncio
import contextlib
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from tests.simulators import smpp_wire as wire
from tests.simulators.smpp_wire import Packet


class Peer:
    """`bound`: the command that it was bound with."""

    def __init__(
        self, reader: StreamReader, writer: StreamWriter, faults: list[BaseException]
    ) -> None:
        self._reader, self._writer = reader, writer
        self._faults = faults
        self._asked: dict[int, asyncio.Future[Packet | None]] = {}
        self._sequence = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.bound = 0
        self.waiting = 0
        self.gone = asyncio.Event()

    @property
    def listens(self) -> bool:
        return self.bound in (wire.BIND_RECEIVER, wire.BIND_TRANSCEIVER)

    async def packets(self) -> AsyncIterator[Packet]:
        while True:
            header = await self._reader.readexactly(16)
            body = await self._reader.readexactly(int.from_bytes(header[:4], "big") - 16)
            yield Packet.parse(header, body)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._faults.append(error)

    def write(self, octets: bytes) -> None:
        self._writer.write(octets)

    def reply(self, packet: Packet, status: int = 0, body: bytes = b"") -> None:
        self.write(bytes(Packet(packet.command | wire.RESP, status, packet.sequence, body)))

    async def ask(self, command: int, body: bytes) -> Packet | None:
        """None where the connection ends before the answer."""
        self._sequence += 1
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Packet | None] = loop.create_future()
        self._asked[self._sequence] = answer
        self.write(bytes(Packet(command, 0, self._sequence, body)))
        return await answer

    def answered(self, packet: Packet) -> None:
        answer = self._asked.pop(packet.sequence, None)
        if answer:
            answer.set_result(packet)

    def cut(self) -> None:
        self._writer.transport.abort()

    async def end(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        for answer in self._asked.values():
            if not answer.done():
                answer.set_result(None)
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()
