"""An account is tried before it is put into the settings file: with the provider's own answer, and the lines to copy.

Nothing of it is kept: no credentials in the database, none on the page that comes back."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from aiohttp import web

from channels.base import AccountConfig, Channel, Check
from channels.http import BlockedAddress, ProviderHttp
from channels.registry import UnknownProvider, adapter_class, build, described, known
from hub.accounts import check
from hub.api.console.frame import Visit, form, show
from hub.api.console.set_up import PATIENCE, TIMEOUT, pages, tabs
from hub.api.console.settings_form import (
    checked,
    drawn,
    filled_in,
    inner,
    shown_again,
)
from hub.errors import NotFound
from hub.logs import redact
from hub.operators.model import Right

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_BARE = re.compile(r"[A-Za-z0-9_-]+")


@pages.get("/set-up/try", right=Right.SET_UP)
async def choose(visit: Visit) -> web.StreamResponse:
    groups = [
        (channel, [(name, described(at, name)) for at, name in known() if at == channel])
        for channel in Channel
    ]
    return show(
        visit,
        "choose.html",
        title=visit.said["try"]["title"],
        tabs=tabs(visit, ""),
        groups=[(channel, found) for channel, found in groups if found],
    )


@pages.get("/set-up/try/{channel}/{provider}", right=Right.SET_UP)
async def to_fill_in(visit: Visit) -> web.StreamResponse:
    return _page(visit, *_chosen(visit), {}, {})


@pages.post("/set-up/try/{channel}/{provider}", right=Right.SET_UP, timeout=TIMEOUT)
async def tried(visit: Visit) -> web.StreamResponse:
    channel, provider = _chosen(visit)
    filled, model = await form(visit), adapter_class(channel, provider).Config
    settings = drawn(model).settings
    name, values = filled.text("name"), filled_in(settings, filled)
    config, faults = checked(model, values)
    if not _NAME.fullmatch(name):
        faults["name"] = visit.said["try"]["bad_name"]
    elif any(one.name == name for one in visit.shop.settings.accounts):
        faults["name"] = visit.said["try"]["taken"]
    if not faults and (key := await inner(values, visit.hub.settings.hub.outgoing_allow)):
        faults[f"s-{key}"] = visit.said["try"]["inner"]
    again = shown_again(settings, filled) | {"name": name}
    if faults or config is None:
        return _page(visit, channel, provider, again, faults)
    answer = await _answer(visit, channel, provider, cast("AccountConfig", config))
    variables = {one.name: _variable(name, one.name) for one in settings if one.secret}
    given = {key: variables[key] for key in values if key in variables}
    lines = _toml(visit.shop.slug, name, channel, provider, values, given)
    return _page(visit, channel, provider, again, {}, answer, lines, list(given.values()))


async def _answer(visit: Visit, channel: Channel, provider: str, config: AccountConfig) -> Check:
    # A name that led out of the inner network a moment ago may lead into it by now: what counts is what is connected to.
    http = ProviderHttp(allow=visit.hub.settings.hub.outgoing_allow, public_only=True)
    try:
        adapter = build(channel, provider, config, http)
        try:
            found = await check.answer_of(adapter, patience=PATIENCE)
        except BlockedAddress:
            found = Check(False, visit.said["try"]["inner"])
        finally:
            await adapter.close()
    finally:
        await http.close()
    return Check(found.ok, redact(found.text))


def _chosen(visit: Visit) -> tuple[Channel, str]:
    """Raises `NotFound`."""
    asked = visit.request.match_info
    try:
        channel = Channel(asked["channel"])
        described(channel, asked["provider"])
    except (ValueError, UnknownProvider):
        raise NotFound from None
    return channel, asked["provider"]


def _page(
    visit: Visit,
    channel: Channel,
    provider: str,
    filled: Mapping[str, str],
    faults: Mapping[str, str],
    answer: Check | None = None,
    toml: str = "",
    variables: Sequence[str] = (),
) -> web.Response:
    of = drawn(adapter_class(channel, provider).Config)
    names = visit.said["settings"]
    return show(
        visit,
        "try.html",
        status=422 if faults else 200,
        title=described(channel, provider).title,
        tabs=tabs(visit, ""),
        channel=channel,
        provider=provider,
        form=of,
        labels={one.name: names.get(one.name, one.name) for one in of.settings},
        filled=filled,
        faults=faults,
        answer=answer,
        toml=toml,
        variables=variables,
    )


def _variable(account: str, key: str) -> str:
    return re.sub(r"[^A-Z0-9]+", "_", f"{account}_{key}".upper())


def _toml(
    shop: str,
    name: str,
    channel: Channel,
    provider: str,
    values: Mapping[str, Any],
    variables: Mapping[str, str],
) -> str:
    """`variables`: of the environment, in the place of secrets, by their keys."""

    def lines() -> Iterator[str]:
        yield f"[[shops.{shop if _BARE.fullmatch(shop) else _quoted(shop)}.accounts]]"
        yield f"name = {_quoted(name)}"
        yield f"channel = {_quoted(channel)}"
        yield f"provider = {_quoted(provider)}"
        for key, value in values.items():
            yield f"{key} = {_quoted(f'env:{variables[key]}') if key in variables else _literal(value)}"

    return "\n".join(lines()) + "\n"


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else _quoted(str(value))


def _quoted(text: str) -> str:
    """What JSON escapes TOML escapes alike; it wants one sign more."""
    return json.dumps(str(text), ensure_ascii=False).replace("\x7f", "\\u007f")
