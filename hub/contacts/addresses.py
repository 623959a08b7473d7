"""Kinds of addresses, which channels they serve, and the digest by which they are found."""

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from hashlib import sha256

from channels.base import Channel
from channels.registry import address_kinds, usual_address
from hub.contacts import email, phone


class Kind(StrEnum):
    EMAIL = "email"
    PHONE = "phone"
    TELEGRAM = "telegram"
    VK = "vk"
    MAX = "max"
    VIBER = "viber"
    PUSH = "push"


KIND_OF: Mapping[Channel, Kind] = {channel: Kind(usual_address(channel)) for channel in Channel}
"""Phones serve SMS, Viber and WhatsApp; every other channel has addresses of its own."""

KINDS_OF: Mapping[Channel, tuple[Kind, ...]] = {
    channel: tuple(map(Kind, address_kinds(channel))) for channel in Channel
}
"""`KIND_OF` first, then what single providers of the channel write to instead: a Viber bot knows no phones."""

# Ids of chats and people have at most 52 significant bits; a group's is negative.
_CHAT = re.compile(r"-?[1-9][0-9]{0,17}")
_PEER = re.compile(r"[1-9][0-9]{0,17}")
# Base64 of a few bytes, different with every bot.
_VIBER = re.compile(r"[A-Za-z0-9+/_-]{1,62}={0,2}")


def chat(value: str) -> str:
    """A Telegram chat id, or MAX's id of a person or (negative) of a group, as text. Raises `ValueError`."""
    if not _CHAT.fullmatch(value):
        raise ValueError("must be a chat id: an integer as text")
    return value


def peer(value: str) -> str:
    """A VK peer id as text. Raises `ValueError`."""
    if not _PEER.fullmatch(value):
        raise ValueError("must be a VK peer id: a positive integer as text")
    return value


def viber(value: str) -> str:
    """A Viber user id. Raises `ValueError`."""
    if not _VIBER.fullmatch(value):
        raise ValueError("must be a Viber user id, as the bot is told it, like 01234567890A=")
    return value


NORMALISE: Mapping[Kind, Callable[[str], str]] = {
    Kind.EMAIL: email.normalise,
    Kind.PHONE: phone.normalise,
    Kind.TELEGRAM: chat,
    Kind.VK: peer,
    Kind.MAX: chat,
    Kind.VIBER: viber,
}
"""All kinds but push, whose addresses belong to a provider."""


def normalise(channel: Channel, value: str) -> str:
    """The stored form of an address given for one channel. Raises `ValueError` with a reason for people.

    Where the channel has several kinds, the first one counts whose form the value has.
    """
    faults = []
    for kind in KINDS_OF[channel]:
        if kind is Kind.PUSH:
            raise ValueError("a push device belongs to a contact; name the contact instead")
        try:
            return NORMALISE[kind](value)
        except ValueError as fault:
            faults.append(str(fault))
    raise ValueError(", or ".join(faults))


def kind_of(channel: Channel, value: str) -> Kind:
    """Of an address of the channel in its stored form."""
    usual, *others = KINDS_OF[channel]
    return next(
        (kind for kind in others if not _is_of(usual, value) and _is_of(kind, value)), usual
    )


def _is_of(kind: Kind, value: str) -> bool:
    try:
        return NORMALISE[kind](value) == value
    except ValueError:
        return False


def digest_at(channel: Channel, value: str) -> bytes:
    """`digest` of an address of the channel in its stored form."""
    return digest(kind_of(channel, value), value)


def digest(kind: str, value: str) -> bytes:
    """By what an address is found, and a suppression remembered when the address itself is gone.

    `value` in its stored form; for Web Push that is `push.canonical`.
    """
    return sha256(f"{kind}:{value}".encode()).digest()
