"""A body of a shop's own shape read by JMESPath, and made fit for the hub's: what is not said is left out."""

import re
from collections.abc import Mapping
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from channels.base import BadHook
from hub.config import Zone
from hub.sources.model import Action, Kind
from hub.sources.paths import compile_path
from hub.sources.values import instant

_DEPTH = 30
_WORD = re.compile(r"(?:.*[./:])?(customer|product|cart|order)[./:](created|updated|deleted)")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

_TIMES = frozenset({"changed_at", "created_at"})
# Numbers that are names: an article 4711 is "4711".
_TEXTS = frozenset(
    {
        *("number", "status", "name", "email", "phone", "locale", "title", "sku", "currency"),
        *("seller_name", "reason", "method", "address", "carrier", "tracking", "date"),
    }
)
_FREE = frozenset({"attributes", "subscribed"})


def _path(written: str) -> str:
    compile_path(written)
    return written


def _ours(written: str) -> str:
    if not _WORD.fullmatch(written):
        raise ValueError('must be like "order.updated": what, a point, created, updated or deleted')
    return written


PathText = Annotated[str, StringConstraints(max_length=4000), AfterValidator(_path)]
Words = Mapping[
    Annotated[str, StringConstraints(min_length=1, max_length=200)],
    Annotated[str, AfterValidator(_ours)],
]


class Shape(BaseModel):
    """Where in a body of one's own it stands. All are JMESPath expressions over the body; of a CloudEvent, which says
    the others itself, only `types` and `data` count, and `data` is read in the event's data.

    `type`: what happened; `types`: such words → ours (`order.updated`), needed where they do not end like ours;
    `id`: the event's; `time`: when it happened; `data`: by kind, an expression that makes what the hub's own shape has;
    left out: it is there already, in the body's `data`. `timezone`: of times that have no offset.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    type: PathText = "type"
    types: Words = Field(default_factory=dict, max_length=200)
    id: PathText | None = None
    time: PathText | None = None
    data: Mapping[Kind, PathText] = Field(default_factory=dict)
    timezone: Zone = "UTC"


def meaning(word: str, types: Mapping[str, str]) -> tuple[Kind, Action] | None:
    """What a word says happened; None: nothing that the hub knows."""
    match = _WORD.fullmatch(types.get(word, word).lower())
    return (Kind(match[1]), Action(match[2])) if match else None


def found(path: str | None, body: Any) -> Any:
    return compile_path(path).get(body) if path else None


def fit(value: Any, timezone: str) -> Any:
    """What an expression has found: without what is null or empty, numbers that are names as text, times with an
    offset. Raises `BadHook`."""
    return _fit(value, ZoneInfo(timezone), "", _DEPTH)


def storable(value: Any) -> Any:
    """As it is, but for characters that cannot be kept. Raises `BadHook`: too deep, or a number beyond all."""
    return _storable(value, _DEPTH)


def _fit(value: Any, zone: ZoneInfo, name: str, depth: int) -> Any:
    if name in _FREE or not depth:
        return value
    if isinstance(value, Mapping):
        read = {key: _fit(one, zone, key, depth - 1) for key, one in value.items()}
        return {key: one for key, one in read.items() if one is not None and one != ""}
    if isinstance(value, list):
        return [_fit(one, zone, "", depth - 1) for one in value if one is not None]
    if name in _TIMES and (at := instant(value, zone)):
        return at.isoformat()
    if name in _TEXTS and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value


def _storable(value: Any, depth: int) -> Any:
    if not depth:
        raise BadHook(f"objects and arrays lie more than {_DEPTH} deep in each other")
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, Mapping):
        return {_storable(str(key), depth): _storable(one, depth - 1) for key, one in value.items()}
    if isinstance(value, list):
        return [_storable(one, depth - 1) for one in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise BadHook("an integer has more than 64 bits")
    return value
