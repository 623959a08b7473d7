"""Passwords: argon2id, worked on in a thread, as long for a login that nobody has."""

import asyncio

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from hub.operators.model import LONGEST_PASSWORD, SHORTEST_PASSWORD

_HASHER = PasswordHasher(time_cost=3, memory_cost=32 * 1024, parallelism=1, type=Type.ID)

NOBODYS = (
    "$argon2id$v=19$m=32768,t=3,p=1$s3BrmhyLzUvR044R/S7fqg"
    "$JmZ6MGCGoF/iUVFKhvv3TmSL3a6OKjEezj2GVxZYsKk"
)
"""Of no password: looked at where there is no such login, so that the answer takes as long."""


def fault(password: str) -> str | None:
    """Why it will not do, as a key of the console's words."""
    if len(password) < SHORTEST_PASSWORD:
        return "password_short"
    if len(password) > LONGEST_PASSWORD:
        return "password_long"
    if len(set(password)) < 4:
        return "password_simple"
    return None


async def hashed(password: str) -> str:
    return await asyncio.to_thread(_HASHER.hash, password)


async def is_right(password: str, kept: str | None) -> bool:
    """`kept` None: nobody's, and never right."""
    found = await asyncio.to_thread(_verify, kept or NOBODYS, password[:LONGEST_PASSWORD])
    return found and kept is not None


def is_dated(kept: str) -> bool:
    """Made with other costs than new ones are."""
    return _HASHER.check_needs_rehash(kept)


def _verify(kept: str, password: str) -> bool:
    try:
        return _HASHER.verify(kept, password)
    except (VerificationError, InvalidHashError):
        return False
