"""Which fields of a platform's payload may be kept; everything else never reaches the database."""

import math
from collections.abc import Mapping
from typing import Any, TypeAlias

from hub.db.text import storable

LONGEST = 2000
"""Longer texts are cut."""

_MOST = 2**63
"""Whole numbers beyond, our writer of JSON refuses."""

Spec: TypeAlias = "Mapping[str, bool | Spec | list[Spec]]"
"""Field → true (a plain value), a spec of its own (an object), or a list of one spec (a list of objects). The name `*`
stands for any key."""


def kept(payload: Mapping[str, Any], spec: Spec) -> dict[str, Any]:
    """What of `payload` the spec names. A field of another shape than it says is left out; true lets plain values
    and lists of plain values through, never objects. Whole numbers beyond 64 bits become texts; what is no number, or
    infinite, goes."""
    return {
        storable(name): value
        for name, given in payload.items()
        if isinstance(name, str)
        and (allowed := spec.get(name, spec.get("*"))) is not None
        and (value := _kept(given, allowed)) is not _NOTHING
    }


_NOTHING: Any = object()


def _kept(value: Any, allowed: Any) -> Any:
    if isinstance(allowed, Mapping):
        if isinstance(value, Mapping):
            return kept(value, allowed)
        # PHP writes an empty object as an empty list.
        return [] if value == [] else _NOTHING
    if isinstance(allowed, list):
        return _items(value, allowed[0])
    return _plain(value) if allowed else _NOTHING


def _items(value: Any, spec: Spec) -> Any:
    """Objects in a list, or, as PHP may write a list, in an object keyed by their places or ids."""
    if isinstance(value, Mapping):
        return {
            storable(str(name)): kept(item, spec)
            for name, item in value.items()
            if isinstance(item, Mapping)
        }
    if isinstance(value, list):
        return [kept(item, spec) for item in value if isinstance(item, Mapping)]
    return _NOTHING


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value, LONGEST)
    if isinstance(value, int) and not -_MOST <= value < _MOST:
        return str(value)[:LONGEST]
    if isinstance(value, float) and not math.isfinite(value):
        return _NOTHING
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list):
        found = [_plain(item) for item in value if not isinstance(item, list | Mapping)]
        return [item for item in found if item is not _NOTHING]
    return _NOTHING
