"""JSON in and out: read with suspicion, checked against a model, every fault told with its place."""

import asyncio
import json
import math
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from itertools import islice
from typing import Any, TypeVar
from uuid import UUID

import orjson
from aiohttp import ClientError, web
from aiohttp.http_exceptions import HttpProcessingError
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from hub import bounds
from hub.errors import Fault, HubError, InvalidInput, TooLarge, UnsupportedMedia, pointer
from hub.repeated import first_repeated
from hub.wording import UNKNOWN, told, wording

LIMIT = 1024 * 1024
"""Bytes of a body."""

DEPTH = 32
"""Objects and arrays inside each other."""

_MOST_PARTS = 50_000
"""Objects and lists of a body, wherever they stand: each takes many times the bytes it is written in."""

MOST_FAULTS = 500
"""In one answer."""

_MOST_FAULTS_OF_ONE = 50
"""Of a batch, in which each may be as bad."""

_MANY = 200
"""Commas: with fewer nothing in a body takes long."""

_LARGE = 64 * 1024
"""Bytes: what is done with so many takes long enough that others have a turn in between."""

_PATIENCE = timedelta(seconds=30)

_NESTING = (dict, list)

_LARGEST, _SMALLEST = 2**63 - 1, -(2**63)

# What makes a closer look at the strings necessary: escapes of control characters and surrogates, and DEL.
_SUSPICIOUS = re.compile(rb"\\u00|\\[bf]|\\u[dD][89a-fA-F]|\x7f")
# One that is not ended goes to the end: else each quotation mark in it would be taken for a beginning, and read on from.
_STRING = re.compile(rb'"(?>(?:[^"\\]++|\\.)*)"?', re.DOTALL)
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
# Numbers that may be beyond 64 bits, with every digit as a nought: a regular expression takes ten times as long.
_DIGITS = bytes.maketrans(b"123456789", b"000000000")
_LONG_INTEGER = b"0" * 19
# And those that may be no finite ones.
_LONG_EXPONENT = re.compile(rb"[eE]\+?[0-9]{3}")
_FORBIDDEN_TEXT = "must not contain control characters (tab and line ends may stand)"


class In(BaseModel):
    """What a client sends: unknown fields are refused, `"1"` is no number and 1 is no boolean."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class Query(BaseModel):
    """Query parameters: text, read as the type of the field."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Out(BaseModel):
    """What a client gets."""

    model_config = ConfigDict(frozen=True)


class TooSlow(HubError):
    status = HTTPStatus.REQUEST_TIMEOUT
    code = "too-slow"
    title = "The body took too long to arrive"


InT = TypeVar("InT", bound=BaseModel)
OneT = TypeVar("OneT")


def answer(
    body: BaseModel | Mapping[str, Any] | None = None,
    *,
    status: int = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """JSON; None: an answer without a body (204)."""
    if body is None:
        return web.Response(status=HTTPStatus.NO_CONTENT, headers=headers)
    if isinstance(body, BaseModel):
        raw = body.__pydantic_serializer__.to_json(body, by_alias=True)
    else:
        # Enums as keys, too.
        raw = orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS)
    return web.Response(
        status=status, body=raw, headers=headers, content_type="application/json", charset="utf-8"
    )


async def parse(request: web.Request, model: type[InT]) -> InT:
    """The body as `model`. Raises `InvalidInput` with all faults, `TooLarge`, `UnsupportedMedia`."""
    tree = await read_json(request)
    raw = await request.read()
    await _let_others(raw)
    # The bytes, not the tree: from JSON, and only from JSON, strict models take times and enums as text.
    return _validated(model, raw, tree, "")


def check(model: type[InT], value: Any, *, at: str = "", most: int = MOST_FAULTS) -> InT:
    """One part of a body that `read_json` gave; `at` is its JSON Pointer. Raises `InvalidInput` with `most` faults at
    most."""
    return _validated(model, orjson.dumps(value), value, at, most)


def check_one(model: type[InT], value: Any, *, at: str = "") -> InT:
    """As `check`, one of those that `read_batch` gave."""
    return check(model, value, at=at, most=_MOST_FAULTS_OF_ONE)


async def in_turns(items: Iterable[OneT]) -> AsyncIterator[OneT]:
    """Each of a batch; every few of them others have a turn."""
    for place, item in enumerate(items):
        if place % 10 == 0:
            await asyncio.sleep(0)
        yield item


async def _let_others(raw: bytes) -> None:
    if len(raw) > _LARGE:
        await asyncio.sleep(0)


def _validated(model: type[InT], raw: bytes, tree: Any, at: str, most: int = MOST_FAULTS) -> InT:
    if raw.count(b",") > _MANY:
        bounds.check(model, tree, at, most_faults=most)
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        faults = _faults(error, tree, at)
        raise InvalidInput(faults=faults[:most], is_partial=len(faults) > most) from None


async def read_json(request: web.Request) -> dict[str, Any]:
    """The body: an object, at most `DEPTH` deep, without doubled names, NaN, integers beyond 64 bits,
    control characters and half surrogates. Raises as `parse` does."""
    tree, is_suspicious = await _read_object(request)
    if is_suspicious:
        _inspect(tree)
    return tree


async def read_batch(
    request: web.Request, name: str, *, most: int, is_placed: bool = False
) -> list[Any | InvalidInput]:
    """The 1 to `most` items that the body lists as `name`, which is all that may stand in it. Control characters,
    half surrogates, doubled names, numbers that nobody keeps or too much depth in one concern that one only: their
    fault stands in its place, with pointers into the item or, `is_placed`, into the body. Raises as `read_json` does
    for all else."""
    tree, is_suspicious = await _read_object(request)
    faults = [
        Fault(_FORBIDDEN.sub("\ufffd", pointer("", other)), UNKNOWN)
        for other in islice(tree, MOST_FAULTS)
        if other != name
    ]
    given = tree.get(name)
    if not isinstance(given, list):
        faults.append(Fault(f"/{name}", "must be a list"))
    elif not 1 <= len(given) <= most:
        faults.append(Fault(f"/{name}", f"must have 1 to {most} items"))
    if faults or not isinstance(given, list):
        raise InvalidInput(faults=faults)
    if not is_suspicious:
        return given
    return [
        _inspected(item, f"/{name}/{place}" if is_placed else "")
        async for place, item in in_turns(enumerate(given))
    ]


async def _read_object(request: web.Request) -> tuple[dict[str, Any], bool]:
    """What the body says, and whether it takes a closer look, at every name, string and number."""
    raw = await receive(request)
    if not raw.strip():
        raise InvalidInput("the body is empty; a JSON object is needed")
    _check_parts(raw)
    tree, is_fit = _plain_object(raw), True
    if tree is None:
        tree, is_fit = _read_carefully(raw)
    await _let_others(raw)
    return tree, not is_fit or _is_suspicious(raw, tree)


def _plain_object(raw: bytes) -> dict[str, Any] | None:
    """What most programs send: an object as we would write it ourselves, byte for byte. So nothing in it was lost or
    changed in reading, no name stands twice; to look for that costs three times as much. None: it may be anything."""
    if _has_long_integer(raw):
        return None
    try:
        tree = orjson.loads(raw)
        return tree if isinstance(tree, dict) and orjson.dumps(tree) == raw else None
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return None


def _read_carefully(raw: bytes) -> tuple[dict[str, Any], bool]:
    """Whatever was sent, and whether nothing in it is `_Unfit`. Raises `InvalidInput`."""
    try:
        reading = _Reading(raw)
        tree = reading.decode(raw.decode())
    except UnicodeDecodeError as error:
        raise InvalidInput(f"the body is not UTF-8 (byte {error.start})") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise InvalidInput(f"the body is not JSON: {error.msg} ({place})") from None
    except RecursionError:
        raise InvalidInput(_too_deep()) from None
    if isinstance(tree, _Unfit):
        raise InvalidInput(tree.reason)
    if not isinstance(tree, dict):
        raise InvalidInput("the body must be a JSON object")
    return tree, reading.is_fit


def _has_long_integer(raw: bytes) -> bool:
    return _LONG_INTEGER in raw.translate(_DIGITS)


def _check_parts(raw: bytes) -> None:
    """Raises `InvalidInput`."""
    if raw.count(b"{") + raw.count(b"[") <= _MOST_PARTS:
        return
    bare = _STRING.sub(b"", raw)
    if bare.count(b"{") + bare.count(b"[") > _MOST_PARTS:
        raise InvalidInput(f"the body has more than {_MOST_PARTS} objects and lists")


def _is_suspicious(raw: bytes, tree: dict[str, Any]) -> bool:
    """Whether it is too deep, or may hold strings that nobody can store."""
    nested = raw.count(b"{") + raw.count(b"[") > DEPTH
    if nested and _is_deep(tree, DEPTH):
        return True
    # Most bodies have nothing of what it begins with, and to see that takes a tenth of the time.
    return (b"\\" in raw or b"\x7f" in raw) and _SUSPICIOUS.search(raw) is not None


def _inspected(item: Any, at: str) -> Any | InvalidInput:
    """One of a batch: itself, or what is wrong with its strings or its depth."""
    try:
        _inspect(item, at=at)
    except InvalidInput as error:
        return error
    return item


def _is_deep(value: dict[str, Any] | list[Any], most: int) -> bool:
    """Whether objects and arrays lie in more than `most` of each other."""
    level: list[Any] = [value]
    for _ in range(most):
        # `isinstance` takes thrice as long, at every value of the body.
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) in _NESTING
        ]
        if not level:
            return False
    return True


def _check_media(request: web.Request) -> None:
    if not request.body_exists:
        raise InvalidInput("the body is empty; a JSON object is needed")
    kind = request.content_type
    if "Content-Type" not in request.headers or not (
        kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))
    ):
        raise UnsupportedMedia("Content-Type must be application/json")
    if (request.charset or "utf-8").lower() not in ("utf-8", "utf8"):
        raise UnsupportedMedia("the charset must be utf-8")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnsupportedMedia("the body must not be compressed")
    if request.content_length is not None and request.content_length > LIMIT:
        raise TooLarge(f"a body has at most {LIMIT} bytes")


async def receive(request: web.Request) -> bytes:
    """The body's bytes, JSON by their media type. Raises `UnsupportedMedia`, `TooLarge`, `InvalidInput`."""
    _check_media(request)
    return await read_all(request, LIMIT)


async def read_all(request: web.Request, limit: int) -> bytes:
    """The body's bytes, of whatever kind. Raises `TooLarge`, `TooSlow`, `InvalidInput` (it broke off)."""
    # The application's own limit is `LIMIT`; what was read is kept by the request itself only there.
    reading = request if limit == LIMIT else request.clone(client_max_size=limit)
    try:
        if reading.content.is_eof():
            # All of it is here, so there is nothing to wait for.
            return await reading.read()
        async with asyncio.timeout(_PATIENCE.total_seconds()):
            return await reading.read()
    except web.HTTPRequestEntityTooLarge:
        raise TooLarge(f"a body has at most {limit} bytes") from None
    except TimeoutError:
        raise TooSlow(f"the body did not arrive within {_PATIENCE.seconds} seconds") from None
    except (HttpProcessingError, ClientError, web.RequestPayloadError, ConnectionError):
        raise InvalidInput("the body was cut off or badly encoded") from None


@dataclass(frozen=True, slots=True)
class _Unfit:
    """In the place of what cannot be taken as it stands there."""

    reason: str


_BEYOND = _Unfit("must be within 64 bits; send a longer integer as text")
_TOO_LARGE = _Unfit("is too large a number")


class _Reading:
    """One JSON text being read; `is_fit`: nothing in it is `_Unfit`."""

    def __init__(self, raw: bytes) -> None:
        self.is_fit = True
        # Looking at each number takes twice as long.
        careful = _has_long_integer(raw) or _LONG_EXPONENT.search(raw) is not None
        self.decode = json.JSONDecoder(
            object_pairs_hook=self._object,
            parse_int=self._integer if careful else None,
            parse_float=self._float if careful else None,
            parse_constant=_constant,
        ).decode

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any] | _Unfit:
        found = dict(pairs)
        if len(found) == len(pairs):
            return found
        doubled = first_repeated(name for name, _ in pairs) or ""
        shown = _FORBIDDEN.sub("?", doubled)[:100]
        return self._noted(_Unfit(f"the name {shown!r} stands twice in one object"))

    def _integer(self, digits: str) -> int | _Unfit:
        # int() of thousands of digits costs, and beyond 64 bits no database and few clients keep them.
        value = int(digits) if len(digits) <= 20 else _LARGEST + 1
        return value if _SMALLEST <= value <= _LARGEST else self._noted(_BEYOND)

    def _float(self, digits: str) -> float | _Unfit:
        value = float(digits)
        return value if math.isfinite(value) else self._noted(_TOO_LARGE)

    def _noted(self, unfit: _Unfit) -> _Unfit:
        self.is_fit = False
        return unfit


def _constant(name: str) -> Any:
    raise InvalidInput(f"the body is not JSON: {name} is no number")


def _inspect(tree: Any, *, at: str = "") -> None:
    """Every name, string and number. `at`: where the tree lies in the body. Raises `InvalidInput`."""
    faults: list[Fault] = []
    # The way down, and what is still to be seen at each of its steps: pointers are made of faults only.
    way: list[str | int] = []
    waiting: list[Iterator[tuple[str | int, Any]]] = [iter([("", tree)])]
    while waiting and len(faults) < MOST_FAULTS:
        for name, value in waiting[-1]:
            if isinstance(name, str) and _FORBIDDEN.search(name):
                inside = pointer(at, *way[1:], name)
                faults.append(Fault(_FORBIDDEN.sub("\ufffd", inside), _FORBIDDEN_TEXT))
            elif isinstance(value, dict | list):
                way.append(name)
                if len(way) > DEPTH:
                    raise InvalidInput(faults=[Fault(pointer(at, *way[1:]), _too_deep())])
                waiting.append(_inside(value))
                break
            elif reason := _unfit(value):
                faults.append(Fault(pointer(at, *(*way, name)[1:]), reason))
            if len(faults) == MOST_FAULTS:
                break
        else:
            waiting.pop()
            if way:
                way.pop()
    if faults:
        raise InvalidInput(faults=faults, is_partial=bool(waiting))


def _inside(value: dict[str, Any] | list[Any]) -> Iterator[tuple[str | int, Any]]:
    return iter(value.items()) if isinstance(value, dict) else enumerate(value)


def _unfit(value: Any) -> str:
    """Why it cannot be taken; empty: it can."""
    if isinstance(value, str):
        return _FORBIDDEN_TEXT if _FORBIDDEN.search(value) else ""
    return value.reason if isinstance(value, _Unfit) else ""


def _too_deep() -> str:
    return f"must not be nested deeper than {DEPTH} levels"


def _faults(error: ValidationError, tree: Any, at: str) -> list[Fault]:
    """One for each place and reason; the branches of a union often say the same."""
    details = error.errors(include_url=False, include_input=False)
    found: dict[Fault, None] = {}
    for detail in told(details):
        found[Fault(pointer(at, *_place(detail, tree)), wording(detail))] = None
        if len(found) > MOST_FAULTS:
            # There may be as many as the body has places.
            break
    return list(found)


def _place(detail: ErrorDetails, tree: Any) -> Iterator[str | int]:
    """pydantic's `loc` without the names of union members and functions, which no client knows."""
    last = len(detail["loc"]) - 1
    for i, part in enumerate(detail["loc"]):
        if isinstance(tree, dict) and part in tree:
            tree = tree[part]
            yield part
        elif isinstance(tree, list) and isinstance(part, int):
            tree = tree[part] if 0 <= part < len(tree) else None
            yield part
        elif i == last and detail["type"] == "missing":
            yield part


def read_query(request: web.Request, model: type[InT]) -> InT:
    """The query as `model`; pointers name the parameter. Raises `InvalidInput`."""
    values: dict[str, Any] = {}
    faults = []
    for name in dict.fromkeys(request.query):
        given = request.query.getall(name)
        if any(map(_FORBIDDEN.search, (name, *given))):
            faults.append(Fault(_FORBIDDEN.sub("\ufffd", pointer("", name)), _FORBIDDEN_TEXT))
        elif len(given) == 1:
            values[name] = given[0]
        else:
            faults.append(Fault(pointer("", name), "stands twice"))
    try:
        checked = model.model_validate_strings(values)
    except ValidationError as error:
        faults += _faults(error, values, "")
    if faults:
        raise InvalidInput(faults=faults)
    return checked


def path_text(request: web.Request, name: str, *, longest: int = 255) -> str:
    """A part of the path, decoded. Raises `InvalidInput` for control characters and for more than `longest`."""
    value = request.match_info[name]
    if _FORBIDDEN.search(value):
        raise InvalidInput(faults=[Fault(pointer("", name), _FORBIDDEN_TEXT)])
    if len(value) > longest:
        raise InvalidInput(faults=[Fault(pointer("", name), f"has at most {longest} characters")])
    return value


def path_id(request: web.Request, name: str = "id") -> UUID:
    """Raises `InvalidInput` for what is no UUID."""
    try:
        return UUID(request.match_info[name])
    except ValueError:
        raise InvalidInput(faults=[Fault(pointer("", name), "must be a UUID")]) from None
