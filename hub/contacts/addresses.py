"""Kinds of addresses, which channels they serve, and the digest by which they are found."""

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from hashlib import sha256

from channels.base import Channel
from hub.contacts import email, phone


class Kind(StrEnum):
    EMAIL = "email"
    PHONE = "phone"
    TELEGRAM = "telegram"
    VK = "vk"
    MAX = "max"
    PUSH = "push"


KIND_OF: Mapping[Channel, Kind] = {
    Channel.EMAIL: Kind.EMAIL,
    Channel.TELEGRAM: Kind.TELEGRAM,
    Channel.VK: Kind.VK,
    Channel.MAX: Kind.MAX,
    Channel.SMS: Kind.PHONE,
    Channel.VIBER: Kind.PHONE,
    Channel.WHATSAPP: Kind.PHONE,
    Channel.PUSH: Kind.PUSH,
}

# Ids of chats and people have at most 52 significant bits; a group's is negative.
_CHAT = re.compile(r"-?[1-9][0-9]{0,17}")
_PEER = re.compile(r"[1-9][0-9]{0,17}")


def chat(value: str) -> str:
    """A Telegram or MAX chat id as text. Raises `ValueError`."""
    if not _CHAT.fullmatch(value):
        raise ValueError("must be a chat id: an integer as text")
    return value


def peer(value: str) -> str:
    """A VK peer id as text. Raises `ValueError`."""
    if not _PEER.fullmatch(value):
        raise ValueError("must be a VK peer id: a positive integer as text")
    return value


NORMALISE: Mapping[Kind, Callable[[str], str]] = {
    Kind.EMAIL: email.normalise,
    Kind.PHONE: phone.normalise,
    Kind.TELEGRAM: chat,
    Kind.VK: peer,
    Kind.MAX: chat,
}
"""All kinds but push, whose addresses belong to a provider."""


def normalise(channel: Channel, value: str) -> str:
    """The stored form of an address given for one channel. Raises `ValueError` with a reason for people."""
    try:
        return NORMALISE[KIND_OF[channel]](value)
    except KeyError:
        raise ValueError("a push device belongs to a contact; name the contact instead") from None


def digest(kind: str, value: str) -> bytes:
    """By what an address is found, and a suppression remembered when the address itself is gone.

    `value` in its stored form; for Web Push that is `push.canonical`.
    """
    return sha256(f"{kind}:{value}".encode()).digest()
