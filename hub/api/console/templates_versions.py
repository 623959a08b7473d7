"""Versions of a text: what each changed, how it differs from the one in force, and putting it back."""

import asyncio
import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from hub.api.console.frame import Visit, see, show
from hub.api.console.templates import pages, put
from hub.api.console.templates_shown import Chosen, chosen
from hub.content import queries
from hub.content.model import Source, Version
from hub.errors import NotFound
from hub.operators.model import Right

_LONGEST_NUMBER = 9
_MOST_LINES = 4000
_CONTEXT = 3
_KINDS = {"+": "plus", "-": "minus", "@": "place"}


@dataclass(frozen=True, slots=True)
class Differences:
    """Of one part. `rows`: kind (plus, minus, place or nothing) and text; None: there is too much of it."""

    part: str
    rows: Sequence[tuple[str, str]] | None


@pages.get("/templates/{name}/versions/{number}", right=Right.TEMPLATES)
async def version(visit: Visit) -> web.StreamResponse:
    """What it changed; with `?against=now` what putting it back would."""
    what = chosen(visit)
    found, before = await _version(visit, what)
    own = what.template.own_sources().get(what.variant) if what.template else None
    to_now = visit.request.query.get("against") == "now"
    old = (own.source if own else Source()) if to_now else before
    new = Source() if found.deleted else found.source
    path = f"/templates/{what.name}"
    here = f"{path}/versions/{found.number}"
    return show(
        visit,
        "version.html",
        title=visit.said["version_number"].format(number=found.number),
        what=what,
        found=found,
        to_now=to_now,
        differences=await asyncio.to_thread(differences, old, new),
        parts=[(part, text) for part, text in _parts(found.source) if text],
        back_url=visit.url(path, **what.query),
        changed_url=visit.url(here, **what.query),
        against_url=visit.url(here, **what.query, against="now"),
        restore_url="" if found.deleted else visit.url(f"{here}/restore", **what.query),
    )


@pages.post("/templates/{name}/versions/{number}/restore", right=Right.TEMPLATES)
async def restored(visit: Visit) -> web.StreamResponse:
    """As a new version, checked like any other: what was taken once may not be today."""
    what = chosen(visit)
    found, _ = await _version(visit, what)
    if found.deleted:
        raise NotFound(visit.said["no_version"])
    await put(visit, what, found.source)
    return see(visit, f"/templates/{what.name}", note="restored", **what.query | {"new": ""})


async def _version(visit: Visit, what: Chosen) -> tuple[Version, Source]:
    """And the text that it took the place of, empty for none. Raises `NotFound`."""
    number = visit.request.match_info["number"]
    if number.isascii() and number.isdigit() and len(number) <= _LONGEST_NUMBER:
        found = await queries.versions_of(
            visit.hub.db, visit.shop.id, what.name, what.variant, limit=2, below=int(number) + 1
        )
        if found and found[0].number == int(number):
            before = found[1].source if len(found) > 1 and not found[1].deleted else Source()
            return found[0], before
    raise NotFound(visit.said["no_version"])


def _parts(source: Source) -> Sequence[tuple[str, str]]:
    return (("subject", source.subject), ("html", source.html), ("text", source.text))


def differences(old: Source, new: Source) -> list[Differences]:
    """Of the parts that differ."""
    found = []
    for (part, before), (_, after) in zip(_parts(old), _parts(new), strict=True):
        if before == after:
            continue
        one, other = before.splitlines(), after.splitlines()
        if len(one) + len(other) > _MOST_LINES:
            found.append(Differences(part, None))
            continue
        lines = list(difflib.unified_diff(one, other, n=_CONTEXT, lineterm=""))[2:]
        found.append(
            Differences(part, [(_KINDS.get(line[:1], ""), _spaced(line)) for line in lines])
        )
    return found


def _spaced(line: str) -> str:
    """`+ text`, so that the sign does not run into it."""
    return line if line.startswith("@") else f"{line[:1]} {line[1:]}"
