"""What a provider could answer: rubbish, and above all valid answers with something wrong in them."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from hypothesis import strategies as st

from channels.http import Reply

_TRICKY_TEXTS = (
    "",
    "0",
    "-1",
    "1e400",
    "NaN",
    "Infinity",
    "1e999999",
    "\0",
    "\ud800",
    "٣",
    "²",
    "9" * 30,
    "9" * 5000,
    "2026-13-45T99:99:99Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-12:00",
    "Thu, 01 Jan 0001 00:00:00 +2359",
    "<b>",
    "true",
    "null",
    "+79991234567",
    "a@b@c",
)
_TRICKY_NUMBERS = (0, -1, 1, 2**31, 2**53 + 1, 2**63, 2**64, -(2**63) - 1, 10**30, 10**400)

_texts = st.one_of(st.sampled_from(_TRICKY_TEXTS), st.text(max_size=20))
_leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(_TRICKY_NUMBERS),
    st.integers(),
    st.floats(),
    _texts,
)
values: st.SearchStrategy[Any] = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)

_STATUSES = (
    *(200, 200, 200, 201, 202, 204, 207, 301, 302, 304, 400, 401, 402, 403, 404, 405, 406),
    *(408, 409, 410, 413, 415, 418, 422, 423, 425, 429, 451, 500, 501, 502, 503, 504, 520, 599),
)
_HEADERS = st.dictionaries(
    st.sampled_from(
        ["retry-after", "content-type", "x-ratelimit-reset", "apns-id", "location", "date"]
    ),
    st.one_of(_texts, st.integers().map(str)),
    max_size=2,
)

_DEEP = b"[" * 100_000
_BODIES = (b"", b"null", b"[]", b"{}", b"0", b'"ok"', b"\xff\xfe\0", _DEEP, b"<html>", b"ok", b"=")


def written(value: Any) -> bytes:
    """JSON as it may come: with NaN and half surrogates, which Python's reader takes."""
    return json.dumps(value).encode()


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every part of a JSON value, the whole of it first."""
    inner: Sequence[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    return [at, *(place for key, below in inner for place in places(below, (*at, key)))]


@st.composite
def changed(draw: st.DrawFn, value: Any) -> Any:
    """A JSON value with one to three parts replaced, left out, doubled or given another name."""
    value = json.loads(json.dumps(value))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.sampled_from(places(value)))
        if not at:
            if draw(st.integers(0, 9)) == 0:
                return draw(values)
            continue
        holder = value
        for key in at[:-1]:
            holder = holder[key]
        key = at[-1]
        match draw(st.sampled_from(["replace", "replace", "drop", "double", "rename"])):
            case "drop":
                del holder[key]
            case "double" if isinstance(holder, list):
                holder.append(holder[key])
            case "rename" if isinstance(holder, dict):
                holder[draw(_texts)] = holder.pop(key)
            case _:
                holder[key] = draw(values)
    return value


@st.composite
def body_like(draw: st.DrawFn, body: bytes) -> bytes:
    """`body` with something wrong in it: in its JSON or its form where it is one, else in its bytes."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return (
            draw(_form_like(body)) if b"=" in body and body.isascii() else draw(_bytes_like(body))
        )
    if draw(st.integers(0, 7)) == 0:
        return draw(_bytes_like(body))
    return written(draw(changed(value)))


@st.composite
def _form_like(draw: st.DrawFn, body: bytes) -> bytes:
    """Of fields that hold JSON the JSON is changed."""
    fields = parse_qsl(body.decode(), keep_blank_values=True)
    if not fields:
        return body
    place = draw(st.integers(0, len(fields) - 1))
    name, text = fields[place]
    try:
        inner = json.loads(text)
    except (ValueError, RecursionError):
        text = draw(_texts)
    else:
        text = written(draw(changed(inner))).decode()
    if draw(st.integers(0, 9)) == 0:
        name = draw(_texts)
    fields[place] = (name, text)
    return urlencode(fields, errors="surrogatepass").encode()


@st.composite
def _bytes_like(draw: st.DrawFn, body: bytes) -> bytes:
    at = draw(st.integers(0, len(body)))
    until = draw(st.integers(at, min(len(body), at + 10)))
    return body[:at] + draw(st.binary(max_size=8)) + body[until:]


def bodies(like: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Rubbish now and then, mostly one of `like` with something wrong in it."""
    rubbish = st.one_of(
        st.sampled_from(_BODIES), st.binary(max_size=40), values.map(written), st.just(b"")
    )
    if not like:
        return rubbish
    near = st.sampled_from(like).flatmap(body_like)
    return st.one_of(near, near, near, rubbish)


@st.composite
def replies(draw: st.DrawFn, like: Sequence[Reply]) -> Reply:
    """What may come in the place of one of `like`."""
    reply = draw(st.sampled_from(like)) if like else Reply(200, {}, b"")
    body = draw(bodies([reply.body]))
    status = draw(st.one_of(st.just(reply.status), st.sampled_from(_STATUSES)))
    headers = {**reply.headers, **draw(_HEADERS)}
    if draw(st.integers(0, 5)) == 0:
        headers = draw(_HEADERS)
    return replace(reply, status=status, headers=headers, body=body)
