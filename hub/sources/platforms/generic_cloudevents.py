"""CloudEvents 1.0 over HTTP (cloudevents.io): structured, batched and binary. What an event says, not what it means."""

import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from channels.base import BadHook, HookRequest
from hub.sources.platforms.wire import json_of
from hub.sources.values import text

_ONE = frozenset({"application/cloudevents", "application/cloudevents+json"})
_BATCH = frozenset({"application/cloudevents-batch", "application/cloudevents-batch+json"})
_JSON = re.compile(r"(application|text)/([a-z0-9.!#$&^_-]+\+)?json")
_NEEDED = ("id", "source", "type")
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class CloudEvent:
    """`time` and `subject` are empty where it has none; `data` is what its JSON is."""

    id: str
    source: str
    type: str
    subject: str
    time: str
    data: Any


def is_cloud(request: HookRequest) -> bool:
    return (
        _media(request).startswith("application/cloudevents") or "ce-specversion" in request.headers
    )


def events_of(request: HookRequest) -> list[CloudEvent]:
    """In order. Raises `BadHook`: one that is no CloudEvent spoils the call, so that its sender notices."""
    media = _media(request)
    if media in _BATCH:
        said = json_of(request.body)
        if not isinstance(said, list):
            raise BadHook("a batch of CloudEvents is a JSON array")
        return [_structured(one, f"[{place}]: ") for place, one in enumerate(said)]
    if media in _ONE:
        return [_structured(json_of(request.body), "")]
    if media.startswith("application/cloudevents"):
        raise BadHook("of the formats of CloudEvents only JSON can be read")
    return [_binary(request, media)]


def _structured(said: Any, where: str) -> CloudEvent:
    if not isinstance(said, dict):
        raise BadHook(f"{where}a CloudEvent is a JSON object")
    data = said.get("data")
    if "data_base64" in said:
        try:
            data = json_of(b64decode(text(said["data_base64"], 4_000_000), validate=True))
        except ValueError:
            raise BadHook(f"{where}data_base64 holds no JSON") from None
    elif not _is_json(text(said.get("datacontenttype"))):
        raise BadHook(f"{where}datacontenttype must be JSON")
    return _event(said, data, where)


def _binary(request: HookRequest, media: str) -> CloudEvent:
    """Attributes are headers, the body is the data."""
    if request.body and not _is_json(media):
        raise BadHook("Content-Type, which says what the data is, must be JSON")
    said = {
        name.removeprefix("ce-"): _unescaped(value)
        for name, value in request.headers.items()
        if name.startswith("ce-")
    }
    return _event(said, json_of(request.body) if request.body else None, "")


def _event(said: Mapping[str, Any], data: Any, where: str) -> CloudEvent:
    if said.get("specversion") != "1.0":
        raise BadHook(f'{where}specversion must be "1.0"')
    for name in _NEEDED:
        if not isinstance(said.get(name), str) or not text(said[name]):
            raise BadHook(f"{where}{name} is missing")
    return CloudEvent(
        **{name: text(said[name], 1000) for name in _NEEDED},
        subject=text(said.get("subject")),
        time=text(said.get("time")),
        data=data,
    )


def _unescaped(value: str) -> str:
    """A header's value as binding 3.1.3.2 wants it read: quotes are undone first, then one round of percents.

    Raises `BadHook` for what is no UTF-8 then.
    """
    if len(value) > 1 and value.startswith('"') and value.endswith('"'):
        value = _ESCAPED.sub(r"\1", value[1:-1])
    try:
        return unquote_to_bytes(value).decode()
    except UnicodeError:
        raise BadHook("a header that begins with ce- is no UTF-8") from None


def _media(request: HookRequest) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _is_json(media: str) -> bool:
    """Where nothing is said, it is."""
    return not media or _JSON.fullmatch(media.partition(";")[0].strip().lower()) is not None
