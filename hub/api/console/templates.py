"""Templates: what is said of which event to whom, looked at with real data, and said in the shop's own words."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from aiohttp import web

from channels.base import Category, Channel
from hub.api.console.frame import Pages, Visit, form, framed, see, show
from hub.api.console.templates_shown import Chosen, Preview, chosen, excerpt, letter, preview
from hub.content import queries, service
from hub.content.beginning import beginning
from hub.content.catalog import ANSWERS
from hub.content.model import (
    WITH_HTML,
    Audience,
    Mistake,
    OwnBody,
    Source,
    TemplateInfo,
    Variant,
    Version,
)
from hub.content.render import LANGUAGES
from hub.errors import InvalidInput
from hub.operators.model import Right

pages = Pages("templates")

_GROUPS = ("order", "stock", "other", "own")
_SHOWN_VERSIONS = 20
_NUMBER = re.compile(r"[0-9]{1,9}")
_BUTTONS = {Channel.TELEGRAM, Channel.VK, Channel.MAX}


@dataclass(frozen=True, slots=True)
class _Row:
    """One template of the list. `own`: for whom the shop has texts of its own, and how many."""

    info: TemplateInfo
    own: Mapping[Audience, int]


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a test message. `url`: of its story, where there is one."""

    kind: str
    text: str
    url: str = ""


@pages.get("/templates", right=Right.TEMPLATES)
async def listed(visit: Visit) -> web.StreamResponse:
    """By what they are about; for each the audiences that it speaks to."""
    return _list(visit)


def _list(visit: Visit, *, fault: str = "", name: str = "") -> web.Response:
    catalog, shop = visit.hub.catalog, visit.shop
    groups: dict[str, list[_Row]] = {group: [] for group in _GROUPS}
    # As an order goes its way; what has no words of ours by its name.
    places = {name: place for place, name in enumerate(visit.said["events"])}
    infos = service.list_templates(catalog, shop.id)
    for info in sorted(infos, key=lambda one: places.get(one.name, len(places))):
        template = catalog.find(shop.id, info.name)
        if template is None:
            continue
        counts: dict[Audience, int] = {}
        for variant in template.own_sources():
            counts[variant.audience] = counts.get(variant.audience, 0) + 1
        groups[_group(info.name, built_in=template.built_in)].append(_Row(info, counts))
    return show(
        visit,
        "list.html",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if fault else HTTPStatus.OK,
        title=visit.said["nav"]["templates"],
        groups=[(visit.said["groups"][group], rows) for group, rows in groups.items() if rows],
        categories=[(str(one), visit.said["categories"][one]) for one in Category],
        fault=fault,
        name=name,
    )


def _group(name: str, *, built_in: bool) -> str:
    if not built_in:
        return "own"
    if name.startswith("stock.") or name in ANSWERS:
        return "stock"
    return "order" if name.startswith("order.") else "other"


@pages.get("/templates/-/new", right=Right.TEMPLATES)
async def begun(visit: Visit) -> web.StreamResponse:
    """To the page of a template that there is not yet. (No name begins with a dash.)"""
    name = visit.request.query.get("name", "").strip()
    category = visit.request.query.get("category", "")
    try:
        service.variant_of(name, Channel.EMAIL, "ru", Audience.BUYER)
    except InvalidInput:
        return _list(visit, fault=visit.said["wrong_name"], name=name[:100])
    known = category if category in set(Category) else str(Category.TRANSACTIONAL)
    return see(visit, f"/templates/{name}", new=known)


@pages.get("/templates/{name}", right=Right.TEMPLATES)
async def one(visit: Visit) -> web.StreamResponse:
    """The text in force; with `?edit=1` one of the shop's own to begin with."""
    what = chosen(visit)
    return await page(visit, what, begin(visit, what))


def begin(visit: Visit, what: Chosen) -> Source | None:
    """What stands in the editor; None: there is no own text, and none is wanted."""
    own = what.template.own_sources().get(what.variant) if what.template else None
    if own is not None:
        return own.source
    if what.template is None:
        return Source()
    if "edit" not in visit.request.query:
        return None
    if not what.template.built_in:
        return Source()
    language = what.variant.locale.partition("-")[0]
    known = language if language in LANGUAGES else LANGUAGES[-1]
    file = what.template.built_in_source(known)
    return beginning(file, what.name, what.variant.channel, what.variant.audience)


@pages.post("/templates/{name}/preview", right=Right.TEMPLATES)
async def tried(visit: Visit) -> web.StreamResponse:
    """The same page with what is in the form; nothing is stored. For htmx only the preview."""
    filled = await form(visit)
    return await page(visit, chosen(visit), source_of(filled), number=filled.get("number", ""))


@pages.get("/templates/{name}/letter", right=Right.TEMPLATES)
async def letter_in_force(visit: Visit) -> web.StreamResponse:
    return framed(letter((await preview(visit, chosen(visit), None)).rendered))


@pages.post("/templates/{name}/letter", right=Right.TEMPLATES)
async def letter_tried(visit: Visit) -> web.StreamResponse:
    """What is in the form, as a page of its own for a frame."""
    source = source_of(await form(visit))
    return framed(letter((await preview(visit, chosen(visit), source)).rendered))


@pages.post("/templates/{name}/save", right=Right.TEMPLATES)
async def stored(visit: Visit) -> web.StreamResponse:
    """In force at once, if it passes what the API checks. Not over what somebody else stored meanwhile."""
    what, filled = chosen(visit), await form(visit)
    source = source_of(filled)
    hub, shop = visit.hub, visit.shop
    newest = await queries.versions_of(hub.db, shop.id, what.name, what.variant, limit=1)
    if newest and str(newest[0].number) != filled.get("number"):
        return await page(visit, what, source, overtaken=newest[0])
    wrong = await service.mistakes(hub.catalog, shop.id, what.name, what.variant, source)
    if wrong:
        return await page(visit, what, source, wrong=wrong, number=filled.get("number", ""))
    await put(visit, what, source)
    return see(visit, f"/templates/{what.name}", note="stored", **what.query | {"new": ""})


async def put(visit: Visit, what: Chosen, source: Source) -> None:
    """As the API does it."""
    body = OwnBody(what.variant.audience, what.category, source.subject, source.text, source.html)
    await service.put_version(
        visit.hub.db,
        visit.hub.catalog,
        visit.shop.id,
        what.name,
        what.variant.channel,
        what.variant.locale,
        body,
        author=visit.operator.login,
        by=visit.actor,
    )


@pages.post("/templates/{name}/remove", right=Right.TEMPLATES)
async def removed(visit: Visit) -> web.StreamResponse:
    """Back to the built-in text; a template of the shop's own is gone with its last text."""
    what = chosen(visit)
    await service.delete_version(
        visit.hub.db,
        visit.hub.catalog,
        visit.shop.id,
        what.name,
        what.variant.channel,
        what.variant.locale,
        audience=what.variant.audience,
        author=visit.operator.login,
        by=visit.actor,
    )
    if visit.hub.catalog.find(visit.shop.id, what.name) is None:
        return see(visit, "/templates", note="removed")
    return see(visit, f"/templates/{what.name}", note="removed", **what.query)


def source_of(filled: Mapping[str, str]) -> Source:
    """Of a form; a field that a channel has not is empty."""
    return Source(filled.get("subject", ""), filled.get("text", ""), filled.get("html", ""))


async def page(
    visit: Visit,
    what: Chosen,
    source: Source | None,
    *,
    wrong: Sequence[Mistake] = (),
    overtaken: Version | None = None,
    number: str = "",
    told: Told | None = None,
) -> web.Response:
    """`wrong`: why it was not stored; `overtaken`: somebody else was faster. `number`: of the version that was the newest
    when the form was shown first; the form keeps it."""
    shown = await preview(visit, what, source)
    if wrong:
        shown = Preview(None, [excerpt(visit, mistake, source or Source()) for mistake in wrong])
    history = await _history(visit, what)
    refused = HTTPStatus.UNPROCESSABLE_ENTITY if wrong else HTTPStatus.OK
    return show(
        visit,
        "one.html",
        status=HTTPStatus.CONFLICT if overtaken else refused,
        title=visit.said["events"].get(what.name, what.name),
        what=what,
        info=what.template.info() if what.template else None,
        source=source,
        shown=shown,
        refused=bool(wrong),
        overtaken=overtaken,
        told=told,
        may_send=visit.may(Right.SEND),
        version_url=lambda version: visit.url(
            f"/templates/{what.name}/versions/{version.number}", **what.query
        ),
        number=number or history["latest"],
        **history,
        **_choices(visit, what),
        **_links(visit, what),
    )


async def _history(visit: Visit, what: Chosen) -> dict[str, Any]:
    """Some of its versions, the number of the newest, and where the list goes on and began."""
    found: dict[str, Any] = {"versions": [], "latest": 0, "older": "", "newest": ""}
    if visit.is_part:
        return found
    db, shop_id, path = visit.hub.db, visit.shop.id, f"/templates/{what.name}"
    below = visit.request.query.get("below", "")
    rows = await queries.versions_of(
        db,
        shop_id,
        what.name,
        what.variant,
        limit=_SHOWN_VERSIONS + 1,
        below=int(below) if _NUMBER.fullmatch(below) else None,
    )
    first = rows[:1]
    if below:
        found["newest"] = visit.url(path, **what.query)
        first = await queries.versions_of(db, shop_id, what.name, what.variant, limit=1)
    if len(rows) > _SHOWN_VERSIONS:
        found["older"] = visit.url(path, **what.query, below=rows[_SHOWN_VERSIONS - 1].number)
    latest = first[0].number if first else 0
    return found | {"versions": rows[:_SHOWN_VERSIONS], "latest": latest}


def _choices(visit: Visit, what: Chosen) -> dict[str, Any]:
    template, said, variant = what.template, visit.said, what.variant
    info = template.info() if template else None
    audiences = info.audience if info and template and template.built_in else tuple(Audience)
    languages = {*LANGUAGES, visit.shop.settings.locale, variant.locale}
    languages |= set(info.languages if info else ())
    own = template.own_sources() if template else {}
    mark = said["own_mark"]

    def named(text: str, key: Variant) -> str:
        return f"{text} {mark}" if key in own else text

    return {
        "audiences": [(str(one), said["audiences"][one]) for one in audiences],
        "channels": [
            (
                str(one),
                named(
                    said["channels"].get(one, str(one)),
                    Variant(one, variant.locale, variant.audience),
                ),
            )
            for one in Channel
        ],
        "locales": [(one, said["languages"].get(one, one)) for one in sorted(languages)],
        "is_own": variant in own,
        "is_built_in": bool(template and template.built_in),
        "built_in_file": _file(what),
        "has_title": variant.channel in service.WITH_TITLE,
        "has_html": variant.channel in WITH_HTML,
        "has_buttons": what.name in ANSWERS and variant.channel in _BUTTONS,
    }


def _file(what: Chosen) -> str:
    language = what.variant.locale.partition("-")[0]
    if what.template is None or language not in LANGUAGES:
        return ""
    return what.template.built_in_source(language)


def _links(visit: Visit, what: Chosen) -> dict[str, str]:
    path = f"/templates/{what.name}"
    return {
        f"{name}_url": visit.url(f"{path}/{name}", **what.query)
        for name in ("preview", "letter", "save", "remove", "test")
    } | {"edit_url": visit.url(path, **what.query, edit="1"), "page_url": visit.url(path)}
