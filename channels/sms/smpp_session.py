"""One bound connection to an SMSC: a window of requests without an answer, and what comes unasked."""

import asyncio
import contextlib
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from channels.sms import smpp_pdu
from channels.sms.smpp_pdu import RESPONSE, Command, Malformed, Pdu, Short
from channels.sms.smpp_status import OK, Status

_GOODBYE = timedelta(seconds=2)
_LAST_SEQUENCE = 0x7FFF_FFFF

Reply = Callable[[int], None]
"""Answers a deliver_sm with this command_status. Does nothing once the connection is gone: the SMSC says it again."""

Deliver = Callable[[Short, Reply], None]
"""What to do with a deliver_sm. It is answered by `Reply` whenever that is right, and not before."""


class Lost(Exception):
    """No answer came. `sent`: the request may have arrived all the same."""

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.sent = sent


class _Over(Exception):
    """The session ends, for whatever reason."""


@dataclass(frozen=True, slots=True)
class Pace:
    """`timeout`: for an answer; `idle`: after which silence the link is tested; `window`: submits without an answer."""

    timeout: timedelta
    idle: timedelta
    window: int


class Session:
    """From the connection to its end; there is no second life.

    `ended` is set when the connection is gone or the SMSC wants it gone. Requests without an answer are then `Lost`.
    """

    def __init__(
        self, streams: tuple[StreamReader, StreamWriter], pace: Pace, deliver: Deliver
    ) -> None:
        self._reader, self._writer = streams
        self._pace = pace
        self._deliver = deliver
        self._window = asyncio.Semaphore(pace.window)
        self._sequence = 0
        self._waiting: dict[int, asyncio.Future[Pdu]] = {}
        self._heard_at = asyncio.get_running_loop().time()
        self.ended = asyncio.Event()
        self._work = asyncio.create_task(self._run())

    async def submit(self, body: bytes) -> Pdu:
        """The answer to a submit_sm, whatever its status. Raises `Lost`."""
        try:
            async with asyncio.timeout(self._pace.timeout.total_seconds()):
                await self._window.acquire()
        except TimeoutError:
            raise Lost("window-full", sent=False) from None
        try:
            return await self.request(Command.SUBMIT_SM, body)
        finally:
            self._window.release()

    async def request(
        self, command: Command, body: bytes = b"", *, within: timedelta | None = None
    ) -> Pdu:
        """The answer, which may be a generic_nack. Raises `Lost`."""
        if self.ended.is_set() or self._writer.is_closing():
            raise Lost("connection-lost", sent=False)
        self._sequence = sequence = self._sequence % _LAST_SEQUENCE + 1
        answer: asyncio.Future[Pdu] = asyncio.get_running_loop().create_future()
        self._waiting[sequence] = answer
        try:
            async with asyncio.timeout((within or self._pace.timeout).total_seconds()):
                self._write(Pdu(command, sequence, body=body))
                await self._writer.drain()
                pdu = await answer
        except TimeoutError:
            raise Lost("no-answer", sent=True) from None
        except OSError:
            raise Lost("connection-lost", sent=True) from None
        finally:
            self._waiting.pop(sequence, None)
        if pdu.command not in (command | RESPONSE, Command.GENERIC_NACK):
            raise Lost("unreadable-answer", sent=True)
        return pdu

    async def close(self) -> None:
        """Unbinds where the SMSC plays along; the connection is gone in any case."""
        with contextlib.suppress(Lost):
            await self.request(Command.UNBIND, within=_GOODBYE)
        await self.abort()

    async def abort(self) -> None:
        self._work.cancel()
        await asyncio.wait([self._work])
        with contextlib.suppress(OSError):
            async with asyncio.timeout(_GOODBYE.total_seconds()):
                await self._writer.wait_closed()

    def _write(self, pdu: Pdu) -> None:
        self._writer.write(pdu.encode())

    async def _run(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._read())
                group.create_task(self._test())
        except* (_Over, Lost, Malformed, EOFError, OSError):
            pass
        finally:
            # Cancelled before it began, the reader has not said so.
            self.ended.set()
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(Lost("connection-lost", sent=True))
            self._writer.close()

    async def _test(self) -> None:
        """Ends the session where the SMSC has fallen silent: TCP alone may take hours to notice."""
        clock, idle = asyncio.get_running_loop().time, self._pace.idle.total_seconds()
        while True:
            quiet = clock() - self._heard_at
            if quiet < idle:
                await asyncio.sleep(idle - quiet)
                continue
            await self.request(Command.ENQUIRE_LINK)

    async def _read(self) -> None:
        try:
            while True:
                pdu = await smpp_pdu.read(self._reader)
                self._heard_at = asyncio.get_running_loop().time()
                if pdu.command & RESPONSE:
                    self._answered(pdu)
                else:
                    self._asked(pdu)
        finally:
            # At once, so that nothing more is given to a connection that nobody reads.
            self.ended.set()

    def _answered(self, pdu: Pdu) -> None:
        """An answer that nobody waits for any more came too late."""
        answer = self._waiting.get(pdu.sequence)
        if answer and not answer.done():
            answer.set_result(pdu)
        elif pdu.command == Command.GENERIC_NACK and pdu.sequence == 0:
            # It could not read what we wrote, nor can we tell which packet that was.
            raise _Over

    def _asked(self, pdu: Pdu) -> None:
        match pdu.command:
            case Command.DELIVER_SM:
                self._delivered(pdu)
            case Command.ENQUIRE_LINK:
                self._write(Pdu(pdu.command | RESPONSE, pdu.sequence))
            case Command.UNBIND:
                self._write(Pdu(pdu.command | RESPONSE, pdu.sequence))
                raise _Over
            case Command.ALERT_NOTIFICATION:
                # The only one that wants no answer.
                pass
            case _:
                self._write(Pdu(Command.GENERIC_NACK, pdu.sequence, Status.INVALID_COMMAND))

    def _delivered(self, pdu: Pdu) -> None:
        def reply(status: int) -> None:
            if not self.ended.is_set():
                # The message id of this answer is unused and must be empty.
                body = b"\0" if status == OK else b""
                self._write(Pdu(Command.DELIVER_SM | RESPONSE, pdu.sequence, status, body))

        try:
            short = smpp_pdu.short(pdu.body)
        except Malformed:
            reply(Status.PERMANENT)
            return
        self._deliver(short, reply)
