"""`vestnik import`: takes a shop's history over, from its platform or from a file, and shows how far it is."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from hub.beside import check_shop, key_of, url_of
from hub.config import Settings
from hub.history import tables
from hub.history.client import Away, Client, ImportFailed
from hub.history.screen import Screen, line_of, say
from hub.history.sending import Sender
from hub.history.tables import Layout

_LOOK_EVERY = 0.5
_ENDED = ("done", "failed", "cancelled", "paused")


@dataclass(frozen=True, slots=True)
class Where:
    """Which hub, and as whom. None: the one of these settings, a key made for the run."""

    shop: str
    url: str | None = None
    key: str | None = None


def from_source(
    settings: Settings, where: Where, name: str, months: int, kinds: Sequence[str]
) -> int:
    """0 when all of it is taken over; the hub goes on by itself when this command is broken off."""

    async def take(client: Client) -> int:
        asked = {"source": name, "months": months} | ({"kinds": list(kinds)} if kinds else {})
        run = await client.patiently("POST", "/v1/imports", asked)
        with Screen() as screen:
            while run["state"] not in _ENDED:
                screen.show(run)
                await asyncio.sleep(_LOOK_EVERY)
                run = await client.patiently("GET", f"/v1/imports/{run['id']}")
        return _ended(run)

    return _run(
        settings, where, take, "The hub goes on with it: `vestnik import list` shows how far it is."
    )


def from_file(
    settings: Settings, where: Where, path: Path, layout: Layout, source: str | None
) -> int:
    """0 when every row of it was sent. Broken off, it goes on where it was when called again."""

    async def take(client: Client) -> int:
        found = tables.survey(path, layout)
        asked = {"kind": layout.kind, "total": found.total, "fingerprint": found.fingerprint}
        run = await client.patiently(
            "POST", "/v1/imports", asked | ({"source": source} if source else {})
        )
        if run["done"]:
            say(f"goes on after row {run['done']:,}")
        with Screen() as screen:
            run = await Sender(client, run, screen).send(tables.rows(path, layout))
        if run["state"] == "running":
            run = await client.patiently("POST", f"/v1/imports/{run['id']}/finish")
        return _ended(run, told=True)

    return _run(settings, where, take, "The same command goes on from here.")


def check_file(path: Path, layout: Layout) -> int:
    """Reads a file and says what is in it; no hub is needed. 1 where a row cannot be read."""
    found = tables.survey(path, layout)
    say(f"{found.total:,} {layout.kind}s")
    faulty = 0
    for number, row in enumerate(tables.rows(path, layout)):
        if number == 0:
            say(json.dumps(row.value, ensure_ascii=False, indent=1))
        if row.fault:
            faulty += 1
            say(f"line {row.line}: {row.fault}")
    return 1 if faulty else 0


def listed(settings: Settings, where: Where) -> int:
    async def show(client: Client) -> int:
        for run in (await client.patiently("GET", "/v1/imports"))["items"]:
            say(
                f"{run['id']}  {run['created_at'][:16]}  {run['source']}  {run['state']}  {line_of(run)}"
            )
        return 0

    return _run(settings, where, show)


def shown(settings: Settings, where: Where, id_: str, act: str = "") -> int:
    """One import, after `act` (pause, resume, cancel) was done to it."""

    async def show(client: Client) -> int:
        path = f"/v1/imports/{id_}"
        run = await (
            client.patiently("POST", f"{path}/{act}") if act else client.patiently("GET", path)
        )
        say(f"{run['state']}: {line_of(run)}")
        _say_counts(run)
        return 0

    return _run(settings, where, show)


def _run(
    settings: Settings,
    where: Where,
    work: Callable[[Client], Awaitable[int]],
    broken_off: str = "",
) -> int:
    check_shop(settings, where.shop)

    async def connected() -> int:
        async with _connected(settings, where) as client:
            return await work(client)

    try:
        return asyncio.run(connected())
    except KeyboardInterrupt:
        say(broken_off)
        return 130


@asynccontextmanager
async def _connected(settings: Settings, where: Where) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession() as session:
        client = Client(session, lambda: where.url or url_of(settings))
        try:
            # Before the database: without a hub one would be started for nothing.
            await client.call("GET", "/healthz")
        except Away as away:
            raise ImportFailed(
                f"no hub answers at {client.url} ({away}); start one with `vestnik up`,"
                " or say where it is with --url"
            ) from None
        async with key_of(settings, where.shop, where.key, "import") as key:
            client.key = key
            yield client


def _ended(run: dict[str, Any], *, told: bool = False) -> int:
    say(f"{run['state']}: {line_of(run)}")
    if not told:
        for fault in run["faults"]:
            say(f"row {fault['row']}: {fault['detail']}")
    _say_counts(run)
    if run["state"] in ("paused", "failed"):
        say(f"`vestnik import resume {run['id']}` goes on.")
    return 0 if run["state"] == "done" else 1


def _say_counts(run: dict[str, Any]) -> None:
    say(
        f"{run['added']:,} new, {run['changed']:,} changed, {run['known']:,} known before,"
        f" {run['faulty']:,} faulty"
    )
    if run["reason"]:
        say(run["reason"])
    if run["unknown_codes"]:
        say(f"states of orders that no map names: {', '.join(run['unknown_codes'])}")


def layout_of(
    settings: Settings,
    path: Path,
    kind: str,
    *,
    shop: str = "main",
    format_: str | None = None,
    delimiter: str = "",
    encoding: str = "utf-8-sig",
    columns: Sequence[str] = (),
) -> Layout:
    """How to read that file. Times without a zone are the shop's. Raises `BadTable` and `SettingsError`."""
    check_shop(settings, shop)
    named = dict(one.partition("=")[::2] for one in columns)
    return Layout(
        kind,
        tables.Format(format_) if format_ else tables.format_of(path),
        {"tab": "\t", "\\t": "\t"}.get(delimiter, delimiter),
        encoding,
        settings.shops[shop].zone,
        named,
    )
