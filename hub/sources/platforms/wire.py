"""What modules of platforms that speak JSON have in common. No platform is named here."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from channels.base import BadHook
from channels.http import NoReply, Reply
from hub.sources.base import Later
from hub.sources.values import table


def json_of(body: bytes) -> Any:
    """What came to a hook, as JSON. Raises `BadHook`."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        # Without the cause: its text holds a piece of the body.
        raise BadHook("the body is no JSON") from None


def object_of(body: bytes) -> Mapping[str, Any]:
    """A JSON object that came to a hook. Raises `BadHook`."""
    said = json_of(body)
    if not isinstance(said, dict):
        raise BadHook("the body is no JSON object")
    return said


def answered(reply: Reply) -> Mapping[str, Any]:
    """The JSON object of an answer, for calls that are not a plain GET. Raises `Later`."""
    try:
        return table(reply.json())
    except NoReply:
        raise Later("unreadable-answer") from None


def digest(value: Any) -> str:
    """Short, for keys of events: the same for the same JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def zulu(at: datetime) -> str:
    """RFC 3339 in UTC with `Z`, which some take where they refuse an offset."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
