"""A form drawn from the JSON Schema of a provider's or platform's settings, and what was filled in read back.

What a form cannot hold (tables, files on the hub's machine) is told apart: it has its place in the settings file."""

import asyncio
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError

from channels.guard import Network, PublicOnly
from hub.api.console.guard import Form
from hub.wording import wording

_LONGEST = 20_000
_LONG_KEYS = frozenset({"private_key", "welcome"})
_ADDRESSES = ("base_url", "host", "url")
"""Keys that say where we are to call."""


@dataclass(frozen=True, slots=True)
class Setting:
    """`kind`: text, password, number, select, tick or textarea. A `secret` is never shown again."""

    name: str
    kind: str
    required: bool
    secret: bool = False
    default: str = ""
    options: tuple[str, ...] = ()

    @property
    def field(self) -> str:
        """Its name in the form."""
        return f"s-{self.name}"

    @property
    def choices(self) -> list[tuple[str, str]]:
        """Of a select; nothing is chosen where nothing needs to be."""
        empty = () if self.required or self.default else ("",)
        return [(one, one or "–") for one in (*empty, *self.options)]


@dataclass(frozen=True, slots=True)
class SettingsForm:
    """What is required stands first. `elsewhere`: keys that only the settings file can hold."""

    settings: tuple[Setting, ...]
    elsewhere: tuple[str, ...]
    cannot: bool
    """Something required is among those."""


def drawn(model: type[BaseModel]) -> SettingsForm:
    schema = model.model_json_schema()
    required = frozenset(schema.get("required", ()))
    settings: list[Setting] = []
    elsewhere: list[str] = []
    for name, raw in schema.get("properties", {}).items():
        one = _setting(name, raw, schema.get("$defs", {}), is_required=name in required)
        if one is None:
            elsewhere.append(name)
        else:
            settings.append(one)
    settings.sort(key=lambda one: not one.required)
    return SettingsForm(tuple(settings), tuple(elsewhere), bool(required & set(elsewhere)))


def _setting(
    name: str, raw: Mapping[str, Any], known: Mapping[str, Any], *, is_required: bool
) -> Setting | None:
    about = _resolved(raw, known)
    kind, form = about.get("type"), about.get("format")
    default = raw.get("default")
    shown = "" if default is None or isinstance(default, list | dict) else str(default)
    if options := about.get("enum"):
        return Setting(name, "select", is_required, default=shown, options=tuple(map(str, options)))
    if kind == "boolean":
        return Setting(name, "tick", required=False, default="1" if default else "")
    if kind in ("integer", "number"):
        return Setting(name, "number", is_required, default=shown)
    if about.get("writeOnly") or form == "password":
        how = "textarea" if name in _LONG_KEYS else "password"
        return Setting(name, how, is_required, secret=True)
    if form == "path" or kind == "array" or (kind == "object" and "Mailbox" not in str(raw)):
        return None
    return Setting(name, "textarea" if name in _LONG_KEYS else "text", is_required, default=shown)


def _resolved(raw: Mapping[str, Any], known: Mapping[str, Any]) -> Mapping[str, Any]:
    """What stands behind a reference, and of something that may be left out what it is otherwise."""
    if way := raw.get("$ref"):
        found: Mapping[str, Any] = known.get(str(way).rpartition("/")[2], {})
        return found
    for one in raw.get("anyOf", ()):
        if one.get("type") != "null":
            return _resolved(one, known)
    return raw


def filled_in(settings: Sequence[Setting], form: Form) -> dict[str, Any]:
    """What was said; what was left empty, or as it is by itself, is not. Raises `InvalidInput`."""
    found: dict[str, Any] = {}
    for one in settings:
        if one.kind == "tick":
            ticked = bool(form.get(one.field))
            if ticked != bool(one.default):
                found[one.name] = ticked
            continue
        value = form.text(one.field, longest=_LONGEST)
        if value and value != one.default:
            found[one.name] = _number(value) if one.kind == "number" else value
    return found


def _number(value: str) -> Any:
    """As text where it is none; then it is the model that says so."""
    try:
        return int(value)
    except ValueError:
        return value


def shown_again(settings: Sequence[Setting], form: Form) -> dict[str, str]:
    """By the fields' names, after a fault: secrets are left out."""
    return {one.field: form.get(one.field, "") for one in settings if not one.secret}


def checked(
    model: type[BaseModel], values: Mapping[str, Any]
) -> tuple[BaseModel | None, dict[str, str]]:
    """The settings, or what is wrong by the fields' names; under `""` what is about no single one."""
    try:
        return model.model_validate(values), {}
    except ValidationError as error:
        return None, dict(_faults(error))


def _faults(error: ValidationError) -> Iterator[tuple[str, str]]:
    for one in error.errors(include_url=False, include_input=False):
        field = f"s-{one['loc'][0]}" if one["loc"] else ""
        yield field, wording(one)


async def inner(values: Mapping[str, Any], allow: Sequence[Network]) -> str:
    """The first key that leads into the inner network, where nobody calls whom a page names; empty: none does."""
    guard = PublicOnly(allow)
    for name in _ADDRESSES:
        value = str(values.get(name, ""))
        host = urlsplit(value).hostname if "://" in value else value
        if host and not all(guard.permits(at) for at in await _addresses(host)):
            return name
    return ""


async def _addresses(host: str) -> list[str]:
    """None: it cannot be found, which the call itself says better."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [str(address[4][0]) for address in found]
