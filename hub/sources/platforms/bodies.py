"""Bodies of hooks in which nothing stands that could not be stored as JSON afterwards."""

import json
from typing import Any

from channels.base import BadHook

_MOST = 2**63


def read_body(body: bytes) -> Any:
    """What a body says; whole numbers beyond 64 bits are texts. Raises `BadHook`, without a word of the body."""
    try:
        return json.loads(body, parse_int=_whole)
    except (ValueError, RecursionError):
        # Without the cause: its text and attributes hold the body.
        raise BadHook("the body is no JSON") from None


def _whole(written: str) -> int | str:
    found = int(written)
    return found if -_MOST <= found < _MOST else written
