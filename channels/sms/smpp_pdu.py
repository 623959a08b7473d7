"""SMPP 3.4 on the wire: packets of a header and a body (SMPP Protocol Specification v3.4, issue 1.2, 3.2, 4, 5.3).

Reads leniently: SMSCs send values, parameters and octets that no specification knows, and a packet that
cannot be read stands in the way of all that follow.
"""

import asyncio
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

HEADER = 16
# A whole `message_payload` and room for the rest; what claims to be longer is no SMPP.
LONGEST = 128 * 1024

RESPONSE = 0x8000_0000
VERSION = 0x34


class Command(IntEnum):
    BIND_RECEIVER = 0x01
    BIND_TRANSMITTER = 0x02
    SUBMIT_SM = 0x04
    DELIVER_SM = 0x05
    UNBIND = 0x06
    BIND_TRANSCEIVER = 0x09
    ENQUIRE_LINK = 0x15
    ALERT_NOTIFICATION = 0x102
    GENERIC_NACK = 0x8000_0000


class Tag(IntEnum):
    RECEIPTED_MESSAGE_ID = 0x001E
    SAR_MSG_REF_NUM = 0x020C
    SAR_TOTAL_SEGMENTS = 0x020E
    SAR_SEGMENT_SEQNUM = 0x020F
    NETWORK_ERROR_CODE = 0x0423
    MESSAGE_PAYLOAD = 0x0424
    MESSAGE_STATE = 0x0427


class Malformed(ValueError):
    """Octets that are no SMPP."""


@dataclass(frozen=True, slots=True)
class Pdu:
    """One packet. `status` means something in answers only."""

    command: int
    sequence: int
    status: int = 0
    body: bytes = b""

    def encode(self) -> bytes:
        size = HEADER + len(self.body)
        return struct.pack(">4I", size, self.command, self.status, self.sequence) + self.body


@dataclass(frozen=True, slots=True)
class Address:
    """`ton`: type of number, `npi`: numbering plan."""

    value: str = ""
    ton: int = 0
    npi: int = 0

    def encode(self) -> bytes:
        return bytes((self.ton, self.npi)) + c_string(self.value)


@dataclass(frozen=True, slots=True)
class Short:
    """The body of submit_sm and deliver_sm; `text` as encoded, with the user data header if there is one."""

    source: Address
    to: Address
    text: bytes = b""
    data_coding: int = 0
    esm_class: int = 0
    service_type: str = ""
    validity: str = ""
    registered_delivery: int = 0
    tlvs: Mapping[int, bytes] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        """The text, wherever it is."""
        return self.text or self.tlvs.get(Tag.MESSAGE_PAYLOAD, b"")

    def encode(self) -> bytes:
        return b"".join(
            (
                c_string(self.service_type),
                self.source.encode(),
                self.to.encode(),
                # Protocol id and priority, then no time before which it must not be sent.
                bytes((self.esm_class, 0, 0)),
                c_string(""),
                c_string(self.validity),
                # Nothing is replaced, and no text of the SMSC's own is meant.
                bytes((self.registered_delivery, 0, self.data_coding, 0, len(self.text))),
                self.text,
                *(struct.pack(">HH", tag, len(v)) + v for tag, v in self.tlvs.items()),
            )
        )


def bind(login: str, password: str, system_type: str) -> bytes:
    """The body of the three bind requests: any address is served that the account has."""
    strings = (c_string(value) for value in (login, password, system_type))
    return b"".join(strings) + bytes((VERSION, 0, 0)) + c_string("")


def short(body: bytes) -> Short:
    """Reads a deliver_sm. Raises `Malformed` where its fixed part is not whole."""
    reader = _Reader(body)
    service_type = reader.string()
    source, to = reader.address(), reader.address()
    esm_class, _, _ = reader.octets(3)
    reader.string()
    validity = reader.string()
    registered, _, data_coding, _, length = reader.octets(5)
    text = reader.octets(length)
    return Short(
        source,
        to,
        text,
        data_coding,
        esm_class,
        service_type,
        validity,
        registered,
        tlvs=reader.tlvs(),
    )


def first_string(body: bytes) -> str:
    """The message id of a submit_sm_resp; empty where there is none, as in most refusals."""
    return body.partition(b"\0")[0].decode("latin-1")


def c_string(value: str) -> bytes:
    return value.encode("latin-1") + b"\0"


async def read(stream: asyncio.StreamReader) -> Pdu:
    """The next packet. Raises `Malformed`, and `EOFError` where the connection ends."""
    size, command, status, sequence = struct.unpack(">4I", await stream.readexactly(HEADER))
    if not HEADER <= size <= LONGEST:
        raise Malformed(f"a packet of {size} octets")
    return Pdu(command, sequence, status, await stream.readexactly(size - HEADER))


class _Reader:
    def __init__(self, body: bytes) -> None:
        self._rest = body

    def string(self) -> str:
        value, end, self._rest = self._rest.partition(b"\0")
        if not end:
            raise Malformed("a text without an end")
        return value.decode("latin-1")

    def octets(self, count: int) -> bytes:
        if len(self._rest) < count:
            raise Malformed("it ends too early")
        value, self._rest = self._rest[:count], self._rest[count:]
        return value

    def address(self) -> Address:
        ton, npi = self.octets(2)
        return Address(self.string(), ton, npi)

    def tlvs(self) -> dict[int, bytes]:
        """Those that are whole. The first of a tag counts."""
        found: dict[int, bytes] = {}
        while len(self._rest) >= 4:
            tag, length = struct.unpack(">HH", self.octets(4))
            if len(self._rest) < length:
                break
            found.setdefault(tag, self.octets(length))
        return found
