"""JSON in and out: read with suspicion, checked against a model, every fault told with its place."""

import asyncio
import json
import math
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any, TypeVar
from uuid import UUID

import orjson
from aiohttp import ClientError, web
from aiohttp.http_exceptions import HttpProcessingError
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from hub.errors import Fault, HubError, InvalidInput, TooLarge, UnsupportedMedia
from hub.repeated import first_repeated
from hub.wording import told, wording

LIMIT = 1024 * 1024
"""Bytes of a body."""

DEPTH = 32
"""Objects and arrays inside each other."""

_MOST_FAULTS = 500

_PATIENCE = timedelta(seconds=30)

_LARGEST, _SMALLEST = 2**63 - 1, -(2**63)

# What makes a closer look at the strings necessary: escapes of control characters and surrogates, and DEL.
_SUSPICIOUS = re.compile(rb"\\u00|\\[bf]|\\u[dD][89a-fA-F]|\x7f")
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
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
    # The bytes, not the tree: from JSON, and only from JSON, strict models take times and enums as text.
    return _validated(model, await request.read(), tree, "")


def check(model: type[InT], value: Any, *, at: str = "") -> InT:
    """One part of a body that `read_json` gave; `at` is its JSON Pointer. Raises `InvalidInput`."""
    return _validated(model, orjson.dumps(value), value, at)


def _validated(model: type[InT], raw: bytes, tree: Any, at: str) -> InT:
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        raise InvalidInput(faults=_faults(error, tree, at)) from None


async def read_json(request: web.Request) -> dict[str, Any]:
    """The body: an object, at most `DEPTH` deep, without doubled names, NaN, integers beyond 64 bits,
    control characters and half surrogates. Raises as `parse` does."""
    raw, tree = await _read_object(request)
    if _is_suspicious(raw, tree):
        _inspect(tree)
    return tree


async def read_batch(
    request: web.Request, name: str, *, most: int, is_placed: bool = False
) -> list[Any | InvalidInput]:
    """The 1 to `most` items that the body lists as `name`, which is all that may stand in it. Control characters,
    half surrogates or too much depth in one concern that one only: their fault stands in its place, with
    pointers into the item or, `is_placed`, into the body. Raises as `read_json` does for all else."""
    raw, tree = await _read_object(request)
    faults = [
        Fault(_FORBIDDEN.sub("\ufffd", pointer("", other)), "is not a known field")
        for other in tree
        if other != name
    ]
    given = tree.get(name)
    if not isinstance(given, list):
        faults.append(Fault(f"/{name}", "must be a list"))
    elif not 1 <= len(given) <= most:
        faults.append(Fault(f"/{name}", f"must have 1 to {most} items"))
    if faults or not isinstance(given, list):
        raise InvalidInput(faults=faults)
    if not _is_suspicious(raw, tree):
        return given
    return [
        _inspected(item, f"/{name}/{place}" if is_placed else "")
        for place, item in enumerate(given)
    ]


async def _read_object(request: web.Request) -> tuple[bytes, dict[str, Any]]:
    """The bytes and what they say. Neither depth nor strings are looked at."""
    raw = await receive(request)
    if not raw.strip():
        raise InvalidInput("the body is empty; a JSON object is needed")
    try:
        tree = _DECODER.decode(raw.decode())
    except UnicodeDecodeError as error:
        raise InvalidInput(f"the body is not UTF-8 (byte {error.start})") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise InvalidInput(f"the body is not JSON: {error.msg} ({place})") from None
    except RecursionError:
        raise InvalidInput(_too_deep()) from None
    if not isinstance(tree, dict):
        raise InvalidInput("the body must be a JSON object")
    return raw, tree


def _is_suspicious(raw: bytes, tree: dict[str, Any]) -> bool:
    """Whether it takes a closer look, at every string."""
    nested = raw.count(b"{") + raw.count(b"[") > DEPTH
    return (nested and _is_deep(tree, DEPTH)) or _SUSPICIOUS.search(raw) is not None


def _inspected(item: Any, at: str) -> Any | InvalidInput:
    """One of a batch: itself, or what is wrong with its strings or its depth."""
    try:
        _inspect(item, at=at)
    except InvalidInput as error:
        return error
    return item


def _is_deep(value: dict[str, Any] | list[Any], most: int) -> bool:
    """Whether objects and arrays lie in more than `most` of each other."""
    if not most:
        return True
    inner = value.values() if isinstance(value, dict) else value
    return any(_is_deep(one, most - 1) for one in inner if isinstance(one, dict | list))


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


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        doubled = first_repeated(name for name, _ in pairs) or ""
        raise InvalidInput(
            f"the name {_FORBIDDEN.sub('?', doubled)[:100]!r} stands twice in one object"
        )
    return found


def _integer(digits: str) -> int:
    # int() of thousands of digits costs, and beyond 64 bits no database and few clients keep them.
    value = int(digits) if len(digits) <= 20 else _LARGEST + 1
    if not _SMALLEST <= value <= _LARGEST:
        raise InvalidInput("an integer is beyond 64 bits; send it as text")
    return value


def _float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise InvalidInput("a number is too large")
    return value


def _constant(name: str) -> Any:
    raise InvalidInput(f"the body is not JSON: {name} is no number")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=_integer,
    parse_float=_float,
    parse_constant=_constant,
)


def _inspect(tree: Any, *, at: str = "") -> None:
    """`at`: where the tree lies in the body."""
    faults: list[Fault] = []
    waiting: list[tuple[str, Any, int]] = [(at, tree, 1)]
    while waiting and len(faults) < _MOST_FAULTS:
        at, value, depth = waiting.pop()
        if isinstance(value, str):
            if _FORBIDDEN.search(value):
                faults.append(Fault(at, _FORBIDDEN_TEXT))
            continue
        if not isinstance(value, dict | list):
            continue
        if depth > DEPTH:
            raise InvalidInput(faults=[Fault(at, _too_deep())])
        pairs = list(value.items() if isinstance(value, dict) else enumerate(value))
        for name, inner in reversed(pairs):
            inside = pointer(at, name)
            if isinstance(name, str) and _FORBIDDEN.search(name):
                faults.append(Fault(_FORBIDDEN.sub("\ufffd", inside), _FORBIDDEN_TEXT))
            elif isinstance(inner, str | dict | list):
                waiting.append((inside, inner, depth + 1))
    if faults:
        raise InvalidInput(faults=faults)


def _too_deep() -> str:
    return f"must not be nested deeper than {DEPTH} levels"


def pointer(at: str, *parts: str | int) -> str:
    """`at` and the way further down, as a JSON Pointer (RFC 6901)."""
    return at + "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)


def _faults(error: ValidationError, tree: Any, at: str) -> list[Fault]:
    """One for each place and reason; the branches of a union often say the same."""
    details = error.errors(include_url=False, include_input=False)
    found: dict[Fault, None] = {}
    for detail in told(details):
        found[Fault(pointer(at, *_place(detail, tree)), wording(detail))] = None
        if len(found) == _MOST_FAULTS:
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
