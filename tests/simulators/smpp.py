"""An SMSC on loopback that speaks SMPP 3.4 and refuses what an SMSC refuses."""

import asyncio
import contextlib
import re
import ssl
import struct
from asyncio import StreamReader, StreamWriter
from collections import deque
from dataclasses import dataclass, field
from typing import Self

from tests.simulators import smpp_wire as wire
from tests.simulators.base import Sent
from tests.simulators.smpp_peer import Peer
from tests.simulators.smpp_wire import Bind, Packet, Submit

OK = 0x00
INVMSGLEN, INVCMDID, INVBNDSTS, ALYBND = 0x01, 0x03, 0x04, 0x05
SYSERR, INVSRCADR, INVDSTADR = 0x08, 0x0A, 0x0B
INVPASWD, INVSYSID, MSGQFUL = 0x0E, 0x0F, 0x14
INVESMCLASS, INVDSTTON, THROTTLED, INVEXPIRY = 0x43, 0x50, 0x58, 0x62

_UDH, _SAR, _PAYLOAD = "udh", "sar", "payload"
_PAYLOAD_TAG = 0x0424
_RECEIPTED_ID, _STATE = 0x001E, 0x0427
_STATES = {"ENROUTE": 1, "DELIVRD": 2, "EXPIRED": 3, "DELETED": 4, "UNDELIV": 5, "REJECTD": 8}
_VALIDITY = re.compile(r"[0-9]{12}[0-9](?:[0-4][0-9][+-]|00R)")


@dataclass(frozen=True, slots=True)
class Accident:
    """What happens instead of an answer at `CONNECT`, `BIND` or `SUBMIT`: silence, or the end; `nonsense`: octets
    that are no SMPP.

    `after_taking`: the message is taken first, so a repeat would be a double.
    """

    at: str
    hang: bool = False
    nonsense: bool = False
    after_taking: bool = False


@dataclass
class _Whole:
    """A text as a phone puts it together."""

    total: int
    parts: dict[int, bytes] = field(default_factory=dict)
    ids: dict[int, str] = field(default_factory=dict)


class _Hangs(Exception):
    pass


class _Cut(Exception):
    pass


class SmppSimulator:
    """`async with SmppSimulator() as smsc:`; `answers` holds a command_status for `BIND` or `SUBMIT`, `refused` one
    per number. `takes`: the ways of long texts that this SMSC's contract has.

    `parts` are the single submit_sm as they came, `sent` the texts that a phone would show.
    """

    def __init__(
        self,
        *,
        login: str = "shop",
        password: str = "secret",
        senders: frozenset[str] = frozenset({"Romashka", ""}),
        max_binds: int = 10,
        max_window: int = 10,
        takes: frozenset[str] = frozenset({_UDH, _SAR, _PAYLOAD}),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.login, self.password = login, password
        self.senders, self.takes = senders, takes
        self.max_binds, self.max_window = max_binds, max_window
        self.sent: list[Sent] = []
        self.parts: list[Submit] = []
        self.binds: list[Bind] = []
        self.answers: dict[str, int] = {}
        self.refused: dict[str, int] = {}
        self.statuses: deque[int] = deque()
        """Answers to the next submits, one each; after them all is as ever."""
        self.accident: Accident | None = None
        self.happened = asyncio.Event()
        self.taken = asyncio.Event()
        self.nacks = 0
        """Answers submits with a generic_nack of this status."""
        self.delay = 0.0
        self.most_waiting = 0
        self.unbound = 0
        self.enquired = 0
        self.alphabet = ""
        """The codec that `data_coding` 0 means here, if not the GSM alphabet."""
        self.deaf = False
        """Reads everything and answers nothing."""
        self.connections = 0
        self.port = 0
        self._tls = tls
        self._ids = 0
        self._wholes: dict[tuple[str, int, int], _Whole] = {}
        self._open: set[Peer] = set()
        self.faults: list[BaseException] = []
        """What an adapter wrote that no SMSC could read; raised at the end."""
        self._somebody = asyncio.Event()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    async def start(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is None:
            return
        self._server.close()
        self.hang_up()
        await self._server.wait_closed()
        await self.left()
        self._server = None
        for fault in self.faults:
            raise fault

    async def left(self) -> None:
        """When every connection is gone."""
        for peer in list(self._open):
            await peer.gone.wait()

    def hang_up(self) -> None:
        """Cuts every open connection, as an SMSC that restarts."""
        for peer in self._open:
            peer.cut()

    async def ask(self, command: int) -> list[Packet | None]:
        """Every peer's answer. `UNBIND` asks it to leave, as an SMSC does before its maintenance."""
        return [await peer.ask(command, b"") for peer in list(self._open)]

    @property
    def bound(self) -> int:
        return sum(bool(peer.bound) for peer in self._open)

    async def receipt(
        self,
        sent: Sent,
        stat: str = "DELIVRD",
        *,
        err: str = "000",
        written_as: str | None = None,
        tlvs: bool = True,
        esm_class: int = 0x04,
    ) -> bool:
        """Tells of a message as in appendix B; True if that was acknowledged."""
        id_ = sent.provider_id if written_as is None else written_as
        text = (
            f"id:{id_} sub:001 dlvrd:001 submit date:2601021203 done date:2601021204"
            f" stat:{stat} err:{err} text:{sent.text[:20]}"
        )
        known = {_RECEIPTED_ID: sent.provider_id.encode() + b"\0"}
        if stat in _STATES:
            known[_STATE] = bytes([_STATES[stat]])
        body = wire.deliver(
            (1, 1, sent.to),
            "Romashka",
            text.encode("ascii", errors="replace"),
            esm_class=esm_class,
            tlvs=known if tlvs else {},
        )
        return await self.deliver(body) == OK

    async def writes(self, text: str, number: str = "79990000001") -> list[int | None]:
        """A person writes to the shop's number; the answers to each part."""
        octets = text.encode("utf-16-be")
        cut = [octets[i : i + 134] for i in range(0, len(octets), 134)]
        if len(octets) <= 140:
            return [await self.deliver(wire.deliver((1, 1, number), "1234", octets, data_coding=8))]
        self._ids += 1
        bodies = [
            wire.deliver(
                (1, 1, number),
                "1234",
                bytes([5, 0, 3, self._ids & 0xFF, len(cut), place]) + piece,
                esm_class=0x40,
                data_coding=8,
            )
            for place, piece in enumerate(cut, 1)
        ]
        return await asyncio.gather(*(self.deliver(body) for body in bodies))

    async def deliver(self, body: bytes) -> int | None:
        """The answer's command_status; None where none came."""
        async with asyncio.timeout(10):
            while not (peers := [p for p in self._open if p.listens]):
                self._somebody.clear()
                await self._somebody.wait()
        answer = await peers[0].ask(wire.DELIVER_SM, body)
        return answer.status if answer else None

    async def _talk(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.connections += 1
        peer = Peer(reader, writer, self.faults)
        self._open.add(peer)
        try:
            await self._accident("CONNECT", peer)
            async for packet in peer.packets():
                if not self.deaf:
                    await self._answer(peer, packet)
        except (_Cut, OSError, EOFError):
            pass
        except _Hangs:
            with contextlib.suppress(OSError):
                await reader.read()
        finally:
            await peer.end()
            self._open.discard(peer)
            peer.gone.set()

    async def _accident(self, at: str, peer: Peer, *, taken: bool = False) -> None:
        accident = self.accident
        if accident is None or accident.at != at or accident.after_taking is not taken:
            return
        self.happened.set()
        if accident.hang:
            raise _Hangs
        if accident.nonsense:
            peer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            raise _Hangs
        peer.cut()
        raise _Cut

    async def _answer(self, peer: Peer, packet: Packet) -> None:
        match packet.command:
            case wire.BIND_RECEIVER | wire.BIND_TRANSMITTER | wire.BIND_TRANSCEIVER:
                await self._accident("BIND", peer)
                status = self._bind(peer, packet)
                peer.reply(packet, status, b"SIM\0" if status == OK else b"")
            case wire.SUBMIT_SM:
                peer.waiting += 1
                self.most_waiting = max(self.most_waiting, peer.waiting)
                peer.spawn(self._submit(peer, packet))
            case wire.ENQUIRE_LINK:
                self.enquired += 1
                peer.reply(packet)
            case wire.UNBIND:
                self.unbound += 1
                peer.reply(packet)
                peer.bound = 0
            case command if command & wire.RESP:
                peer.answered(packet)
            case _:
                peer.write(bytes(Packet(wire.GENERIC_NACK, INVCMDID, packet.sequence, b"")))

    def _bind(self, peer: Peer, packet: Packet) -> int:
        asked = Bind.parse(packet.body)
        if status := self.answers.get("BIND"):
            return status
        if asked.system_id != self.login:
            return INVSYSID
        if asked.password != self.password:
            return INVPASWD
        if peer.bound or self.bound >= self.max_binds:
            return ALYBND
        self.binds.append(asked)
        peer.bound = packet.command
        self._somebody.set()
        return OK

    async def _submit(self, peer: Peer, packet: Packet) -> None:
        try:
            await asyncio.sleep(self.delay)
            await self._accident("SUBMIT", peer)
            if self.nacks:
                peer.write(bytes(Packet(wire.GENERIC_NACK, self.nacks, packet.sequence, b"")))
                return
            status, message_id = self._take(peer, packet)
            await self._accident("SUBMIT", peer, taken=True)
            peer.reply(packet, status, message_id.encode() + b"\0" if status == OK else b"")
        except (_Cut, _Hangs):
            # Silence is of this answer; the connection goes on.
            pass
        finally:
            peer.waiting -= 1

    def _take(self, peer: Peer, packet: Packet) -> tuple[int, str]:
        if peer.bound not in (wire.BIND_TRANSMITTER, wire.BIND_TRANSCEIVER):
            return INVBNDSTS, ""
        if peer.waiting > self.max_window:
            return THROTTLED, ""
        submit = Submit.parse(packet.body)
        status = self.statuses.popleft() if self.statuses else self.answers.get("SUBMIT")
        if status := status or self._fault(submit):
            return status, ""
        self._ids += 1
        message_id = f"{self._ids:08x}"
        self.parts.append(submit)
        self._join(submit, message_id)
        return OK, message_id

    def _fault(self, submit: Submit) -> int:
        ton, npi, number = submit.to
        if (ton, npi) != (1, 1):
            return INVDSTTON
        if not re.fullmatch(r"[1-9][0-9]{6,14}", number):
            return INVDSTADR
        if number in self.refused:
            return self.refused[number]
        if submit.source[2] not in self.senders:
            return INVSRCADR
        if submit.source[2].isalpha() and submit.source[0] != 5:
            return INVSRCADR
        if submit.validity and not _VALIDITY.fullmatch(submit.validity):
            return INVEXPIRY
        return self._wrong_text(submit)

    def _wrong_text(self, submit: Submit) -> int:
        payload = submit.tlvs.get(_PAYLOAD_TAG)
        way = _way(submit)
        if way and way not in self.takes:
            return INVESMCLASS
        if payload is not None:
            return INVMSGLEN if submit.short_message else OK
        # 140 octets on the air, of which a header takes its own: 6, and 1 bit to the next septet.
        most = 140 if submit.data_coding == 8 else 160
        if way == _UDH and submit.data_coding != 8:
            return INVMSGLEN if len(submit.short_message) > 6 + 153 else OK
        if way == _SAR:
            most = 134 if submit.data_coding == 8 else 153
        return INVMSGLEN if len(submit.short_message) > most else OK

    def _join(self, submit: Submit, message_id: str) -> None:
        octets, reference, total, number = _placed(submit)
        key = (submit.to[2], reference, total)
        whole = self._wholes.setdefault(key, _Whole(total))
        whole.parts[number], whole.ids[number] = octets, message_id
        if len(whole.parts) < total:
            return
        del self._wholes[key]
        # Each part is whole by itself: a phone shows them one by one if others are late.
        text = "".join(self._read(submit, whole.parts[n]) for n in sorted(whole.parts))
        self.taken.set()
        self.sent.append(Sent(submit.to[2], text, provider_id=whole.ids[total]))

    def _read(self, submit: Submit, octets: bytes) -> str:
        if submit.data_coding == 8:
            return octets.decode("utf-16-be")
        assert submit.data_coding == 0
        return octets.decode(self.alphabet) if self.alphabet else wire.read_gsm(octets)


def _way(submit: Submit) -> str:
    if submit.esm_class & 0x40:
        return _UDH
    if 0x020E in submit.tlvs:
        return _SAR
    return _PAYLOAD if _PAYLOAD_TAG in submit.tlvs else ""


def _placed(submit: Submit) -> tuple[bytes, int, int, int]:
    """Text, reference, total, number."""
    octets = submit.short_message or submit.tlvs.get(_PAYLOAD_TAG, b"")
    match _way(submit):
        case "udh":
            assert octets[:3] == b"\x05\x00\x03"
            return octets[6:], octets[3], octets[4], octets[5]
        case "sar":
            [reference] = struct.unpack(">H", submit.tlvs[0x020C])
            [total], [number] = submit.tlvs[0x020E], submit.tlvs[0x020F]
            return octets, reference, total, number
    return octets, -1, 1, 1
