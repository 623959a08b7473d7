"""Calls with one wrong value in them: each value of a call in turn, and each thing that does not belong there."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from channels.base import HookRequest
from tests.fuzz.replies import places, written

WRONG: Sequence[Any] = (
    *(None, True, 7, -1, 1.5, 1e400, 10**4000),
    *([], ["x"], [[["x"]]], {}, {"a": {"b": [None]}}, [{"delivery": []}]),
    *("", "\0", "\ud800", "x" * 100_000, "9" * 5000),
)


def put(value: Any, at: tuple[Any, ...], wrong: Any) -> Any:
    """`value` with `wrong` at that place."""
    if not at:
        return wrong
    value = json.loads(json.dumps(value))
    holder = value
    for key in at[:-1]:
        holder = holder[key]
    holder[at[-1]] = wrong
    return value


def _fields(call: HookRequest) -> dict[str, str]:
    return dict(parse_qsl(call.body.decode(), keep_blank_values=True))


def in_json(call: HookRequest) -> tuple[Any, Callable[[Any], HookRequest]] | None:
    """The JSON of a call, in its body or in a field of its form, and the same call with another one."""
    try:
        return json.loads(call.body), lambda value: replace(call, body=written(value))
    except ValueError:
        pass
    name = next((n for n, text in _fields(call).items() if text.startswith(("[", "{"))), None)
    if name is None:
        return None
    inner = json.loads(_fields(call)[name])
    return inner, lambda value: _with_field(call, name, written(value).decode())


def _with_field(call: HookRequest, name: str, text: str) -> HookRequest:
    fields = _fields(call) | {name: text}
    return replace(call, body=urlencode(fields, errors="surrogatepass").encode())


def spoiled(call: HookRequest) -> Iterator[HookRequest]:
    """The call with each of its values in turn replaced by each of what does not belong there."""
    if found := in_json(call):
        value, again = found
        for at in places(value):
            yield from (again(put(value, at, wrong)) for wrong in WRONG)
        return
    for name, text in _fields(call).items():
        lines = text.split("\n")
        for wrong in map(_as_text, WRONG):
            yield _with_field(call, name, wrong)
            for place in range(len(lines)):
                yield _with_field(call, name, "\n".join(put(lines, (place,), wrong)))


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
