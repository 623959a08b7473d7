"""How Unisender and Unisender Go call back: one signature, one envelope, each with words of its own inside."""

import hashlib
import hmac
import json
import re
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr

from channels.base import BadHook

# At most 100 events a call, each with the answer of the recipient's server.
_MAX_BYTES = 4 * 1024 * 1024

_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)
_AUTH = re.compile(rb'"auth"\s*:\s*"([0-9a-fA-F]{32})"')


def authentic(body: bytes, token: SecretStr) -> dict[str, Any]:
    """What was said, plain or in gzip. Raises `BadHook`.

    `auth` is the MD5 of the raw body with the key in its place, so nothing is re-serialised here.
    """
    body = _plain(body)
    found = _AUTH.search(body)
    if not found:
        raise BadHook("no auth", forged=True)
    start, end = found.span(1)
    key = token.get_secret_value().encode()
    # MD5 is the provider's choice.
    digest = hashlib.md5(body[:start] + key + body[end:], usedforsecurity=False).hexdigest()
    if not hmac.compare_digest(digest.encode(), found[1].lower()):
        raise BadHook("wrong auth", forged=True)
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        raise BadHook("not JSON") from None
    if not isinstance(said, dict):
        raise BadHook("not a JSON object")
    return said


def events(said: Mapping[str, Any]) -> tuple[list[Mapping[str, Any]], int]:
    """All events of a call, also of one with `single_event`, and how many there are in no readable form: a user
    whose events are no list counts as one. Raises `BadHook`, also where none of them is readable."""
    users = said.get("events_by_user")
    if users is None:
        return [said], 0
    if not isinstance(users, list):
        raise BadHook("no list of events_by_user")
    found = [event for user in users for event in _events_of(user)]
    readable: list[Mapping[str, Any]] = [event for event in found if isinstance(event, dict)]
    if found and not readable:
        raise BadHook("no list of events")
    return readable, len(found) - len(readable)


def delivery(data: Mapping[str, Any]) -> str:
    """The key that a letter of ours carried in its metadata; empty for letters of others."""
    metadata = data.get("metadata")
    key = metadata.get("delivery") if isinstance(metadata, dict) else None
    return key if isinstance(key, str) else ""


def without(email: str, text: Any) -> str:
    """Servers like to quote the address, which has one home only."""
    said = str(text or "")
    return (said.replace(email, "(address)") if email else said)[:300]


def time(value: Any) -> datetime | None:
    """`YYYY-MM-DD hh:mm:ss` in UTC."""
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        return None
    try:
        # strptime takes a tenth of all that a receipt costs.
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    except ValueError:
        return None


def _plain(body: bytes) -> bytes:
    """Told by its first bytes: on the way here the header may have been served already."""
    if body.startswith(b"\x1f\x8b"):
        unpacker = zlib.decompressobj(wbits=31)
        try:
            body = unpacker.decompress(body, _MAX_BYTES + 1)
        except zlib.error:
            raise BadHook("not readable as gzip") from None
    if len(body) > _MAX_BYTES:
        raise BadHook("too long")
    return body


def _events_of(user: Any) -> list[Any]:
    events = user.get("events") if isinstance(user, dict) else None
    return events if isinstance(events, list) else [None]
