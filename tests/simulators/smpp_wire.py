"""SMPP 3.4 as an SMSC reads and writes it, put down from the specification and not from the adapter."""

import struct
from dataclasses import dataclass, field
from typing import Self

BIND_RECEIVER, BIND_TRANSMITTER, BIND_TRANSCEIVER = 0x01, 0x02, 0x09
SUBMIT_SM, DELIVER_SM, UNBIND, ENQUIRE_LINK = 0x04, 0x05, 0x06, 0x15
GENERIC_NACK = 0x80000000
RESP = 0x80000000

# 3GPP TS 23.038, 6.2.1: the basic table in rows of sixteen, 0x1B left out by a space.
_ROWS = (
    "@£$¥èéùìòÇ\nØø\rÅå",
    "Δ_ΦΓΛΩΠΨΣΘΞ\0ÆæßÉ",
    " !\"#¤%&'()*+,-./",
    "0123456789:;<=>?",
    "¡ABCDEFGHIJKLMNO",
    "PQRSTUVWXYZÄÖÑÜ§",
    "¿abcdefghijklmno",
    "pqrstuvwxyzäöñüà",
)
_SECOND = {
    0x0A: "\f",
    0x14: "^",
    0x28: "{",
    0x29: "}",
    0x2F: "\\",
    0x3C: "[",
    0x3D: "~",
    0x3E: "]",
    0x40: "|",
    0x65: "€",
}


def read_gsm(octets: bytes) -> str:
    """Raises for what a phone could not show: a broken escape pair, an octet that is no septet."""
    text, rest = "", iter(octets)
    for octet in rest:
        if octet == 0x1B:
            text += _SECOND[next(rest)]
        else:
            text += _ROWS[octet >> 4][octet & 15]
    return text


@dataclass
class Packet:
    command: int
    status: int
    sequence: int
    body: bytes

    @classmethod
    def parse(cls, header: bytes, body: bytes) -> Self:
        _, command, status, sequence = struct.unpack(">LLLL", header)
        return cls(command, status, sequence, body)

    def __bytes__(self) -> bytes:
        head = struct.pack(">LLLL", len(self.body) + 16, self.command, self.status, self.sequence)
        return head + self.body


@dataclass
class Bind:
    system_id: str
    password: str
    system_type: str
    version: int

    @classmethod
    def parse(cls, body: bytes) -> Self:
        system_id, password, system_type, rest = body.split(b"\0", 3)
        # Version, TON, NPI, address range.
        if len(rest) < 4 or rest[-1]:
            raise ValueError("not a bind")
        return cls(system_id.decode(), password.decode(), system_type.decode(), rest[0])


@dataclass
class Submit:
    """The mandatory fields that matter here, and the optional ones by tag."""

    service_type: str
    source: tuple[int, int, str]
    to: tuple[int, int, str]
    esm_class: int
    validity: str
    registered: int
    data_coding: int
    short_message: bytes
    tlvs: dict[int, bytes] = field(default_factory=dict)

    @classmethod
    def parse(cls, body: bytes) -> Self:
        place = 0

        def one() -> int:
            nonlocal place
            place += 1
            return body[place - 1]

        def string(longest: int) -> str:
            nonlocal place
            end = body.index(0, place)
            value, place = body[place:end], end + 1
            if len(value) >= longest:
                raise ValueError("too long")
            return value.decode("ascii")

        service_type = string(6)
        source = one(), one(), string(21)
        to = one(), one(), string(21)
        esm_class, _, _ = one(), one(), one()
        if string(17):
            raise ValueError("nothing is sent at a later time here")
        validity = string(17)
        registered, _, data_coding, _, length = one(), one(), one(), one(), one()
        short_message = body[place : place + length]
        if len(short_message) != length:
            raise ValueError("shorter than it says")
        place += length
        tlvs = {}
        while place < len(body):
            tag, size = struct.unpack_from(">HH", body, place)
            tlvs[tag] = body[place + 4 : place + 4 + size]
            place += 4 + size
        if place != len(body):
            raise ValueError("a parameter is shorter than it says")
        return cls(
            service_type,
            source,
            to,
            esm_class,
            validity,
            registered,
            data_coding,
            short_message,
            tlvs,
        )


def deliver(
    source: tuple[int, int, str],
    to: str,
    content: bytes,
    *,
    esm_class: int = 0,
    data_coding: int = 0,
    tlvs: dict[int, bytes] | None = None,
) -> bytes:
    """The body of a deliver_sm."""
    ton, npi, number = source
    fixed = b"\0" + bytes([ton, npi]) + number.encode("latin-1") + b"\0"
    fixed += b"\x01\x01" + to.encode() + b"\0" + bytes([esm_class, 0, 0]) + b"\0\0"
    fixed += bytes([0, 0, data_coding, 0, len(content)]) + content
    for tag, value in (tlvs or {}).items():
        fixed += struct.pack(">HH", tag, len(value)) + value
    return fixed
