"""Sources: shops on platforms, connected, read back, paused; and what stands in their way."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from hub.api.console import asked
from hub.api.console.frame import Visit, form, see, show
from hub.api.console.set_up import pages, tabs, unmapped
from hub.api.console.settings_form import checked, drawn, filled_in, shown_again
from hub.api.v1.sources import Name, shown_source
from hub.audit import log as audit
from hub.audit.model import Action
from hub.config import OrderStatus
from hub.db.pool import transaction
from hub.errors import Conflict, HubError, NotFound
from hub.events import connecting, reading, views
from hub.events.connecting import Connected
from hub.events.views import UNKNOWN_STATUS
from hub.operators.model import Right
from hub.sources import queries, service
from hub.sources.base import Platform
from hub.sources.mapping import SourceMapping
from hub.sources.registry import UnknownPlatform, known, platform_class

_MOST = 100
_NOTHING = "-"
"""In the place of a status: the word says nothing of the order's state."""

_TIMEOUT = timedelta(seconds=60)
"""Somebody else's API is asked, several times over."""

_NAME: TypeAdapter[str] = TypeAdapter(Name)


@pages.get("/set-up/sources", right=Right.SET_UP)
async def sources(visit: Visit) -> web.StreamResponse:
    return show(
        visit,
        "sources.html",
        title=visit.said["tabs"]["sources"],
        tabs=tabs(visit, "/sources"),
        rows=await queries.page(visit.hub.db, visit.shop.id, before=None, limit=_MOST),
        platforms=_platforms(),
        titles={one.platform: one.title for one in _platforms()},
        unmapped=unmapped,
    )


@pages.get("/set-up/sources/new/{platform}", right=Right.SET_UP)
async def new_source(visit: Visit) -> web.StreamResponse:
    return _form_page(visit, _platform(visit), {}, {})


@pages.post("/set-up/sources/new/{platform}", right=Right.SET_UP)
async def make_source(visit: Visit) -> web.StreamResponse:
    """Where its platform signs with a secret of ours, that stands on the page that comes back, and nowhere else."""
    class_, filled = _platform(visit), await form(visit)
    settings = drawn(class_.Config).settings
    name, values = filled.text("name"), filled_in(settings, filled)
    faults = checked(class_.Config, values)[1]
    try:
        _NAME.validate_python(name)
    except ValidationError:
        faults["name"] = visit.said["sources_page"]["bad_name"]
    if not faults:
        setup = service.Setup(name=name, platform=class_.platform, config=values)
        try:
            made, secret = await service.create(
                visit.hub.db,
                visit.hub.signer,
                visit.shop.id,
                setup,
                allow=visit.hub.settings.hub.outgoing_allow,
                by=visit.actor,
            )
        except HubError as error:
            faults = _faults(error)
        else:
            return await _page(visit, str(made.id), secret=secret or "")
    return _form_page(visit, class_, shown_again(settings, filled) | {"name": name}, faults)


@pages.get("/set-up/sources/{id}", right=Right.SET_UP)
async def source(visit: Visit) -> web.StreamResponse:
    return await _page(visit, visit.request.match_info["id"])


@pages.post("/set-up/sources/{id}/connect", right=Right.SET_UP, timeout=_TIMEOUT)
async def connect_source(visit: Visit) -> web.StreamResponse:
    """With what the platform said."""
    found = await service.get(visit.hub.db, visit.shop.id, asked.in_path(visit))
    answer = await connecting.connect(visit.hub, found, by=visit.actor)
    return await _page(visit, str(found.id), answer=answer)


@pages.post("/set-up/sources/{id}/read", right=Right.SET_UP)
async def read_source(visit: Visit) -> web.StreamResponse:
    found = await service.get(visit.hub.db, visit.shop.id, asked.in_path(visit))
    if not found.active or not service.can_be_read(found):
        raise Conflict(visit.said["sources_page"]["cannot_read"])
    await reading.ask_now(visit.hub.db, visit.shop.id, found.id)
    return see(visit, f"/set-up/sources/{found.id}", note="read_soon")


@pages.post("/set-up/sources/{id}/active", right=Right.SET_UP)
async def switch_source(visit: Visit) -> web.StreamResponse:
    id_, active = asked.in_path(visit), (await form(visit)).get("active") == "1"
    hub = visit.hub
    await service.change(hub.db, hub.signer, visit.shop.id, id_, {"active": active}, by=visit.actor)
    return see(visit, f"/set-up/sources/{id_}", note="switched_on" if active else "switched_off")


@pages.post("/set-up/sources/{id}/statuses", right=Right.SET_UP)
async def map_statuses(visit: Visit) -> web.StreamResponse:
    """What words of the platform mean; events that came without a status for them are applied once more."""
    hub, shop, filled = visit.hub, visit.shop, await form(visit)
    found = await service.get(hub.db, shop.id, asked.in_path(visit))
    chosen = {
        code: None if status == _NOTHING else status
        for code, status in zip(filled.all("code"), filled.all("status"), strict=False)
        if code in unmapped(found) and status in {_NOTHING, *OrderStatus}
    }
    if not chosen:
        return see(visit, f"/set-up/sources/{found.id}", note="nothing_chosen", kind="bad")
    whole = found.mapping.model_dump(mode="json")
    mapping = SourceMapping.model_validate(whole | {"statuses": whole["statuses"] | chosen})
    changes = {"mapping": mapping}
    await service.change(hub.db, hub.signer, shop.id, found.id, changes, by=visit.actor)
    async with transaction(hub.db) as connection:
        again = await views.replay_many(
            connection, shop.id, source=found.name, reason=UNKNOWN_STATUS
        )
        await audit.record(
            connection, shop.id, visit.actor, Action.EVENT_REPLAYED, found.id, events=again
        )
    return see(visit, f"/set-up/sources/{found.id}", note="mapped")


@pages.post("/set-up/sources/{id}/remove", right=Right.SET_UP)
async def remove_source(visit: Visit) -> web.StreamResponse:
    await service.remove(visit.hub.db, visit.shop.id, asked.in_path(visit), by=visit.actor)
    return see(visit, "/set-up/sources", note="deleted")


def _platforms() -> list[type[Platform]]:
    found = []
    for name in known():
        try:
            found.append(platform_class(name))
        except UnknownPlatform:
            continue
    return found


def _platform(visit: Visit) -> type[Platform]:
    """Raises `NotFound`."""
    try:
        return platform_class(visit.request.match_info["platform"])
    except UnknownPlatform:
        raise NotFound from None


def _faults(error: HubError) -> dict[str, str]:
    """By the fields' names; under `""` what is about none."""
    found = {
        one.pointer.replace("/config/", "s-", 1).lstrip("/"): one.detail for one in error.faults
    }
    return found or {"": error.detail}


def _form_page(
    visit: Visit,
    class_: type[Platform],
    filled: Mapping[str, str],
    faults: Mapping[str, str],
) -> web.Response:
    of, names = drawn(class_.Config), visit.said["settings"]
    return show(
        visit,
        "source_new.html",
        status=422 if faults else 200,
        title=class_.title,
        tabs=tabs(visit, "/sources"),
        platform=class_.platform,
        form=of,
        labels={one.name: names.get(one.name, one.name) for one in of.settings},
        filled=filled,
        faults=faults,
    )


async def _page(
    visit: Visit, id_: str, *, secret: str = "", answer: Connected | None = None
) -> web.Response:
    """`secret`: shown now and never again. `answer`: what the platform has just said."""
    found = await service.get(visit.hub.db, visit.shop.id, asked.uuid(id_) or asked.in_path(visit))
    told: dict[str, Any] = shown_source(visit.hub, found).config
    return show(
        visit,
        "source.html",
        title=found.name,
        tabs=tabs(visit, "/sources"),
        source=found,
        hooks=shown_source(visit.hub, found).hooks,
        config={
            name: visit.said["sources_page"]["kept"] if value == "set" else value
            for name, value in told.items()
        },
        can_be_read=service.can_be_read(found),
        unmapped=unmapped(found),
        statuses=[
            ("", visit.said["sources_page"]["later"]),
            (_NOTHING, visit.said["sources_page"]["nothing"]),
            *((str(one), visit.said["order_statuses"][one]) for one in OrderStatus),
        ],
        secret=secret,
        answer=answer,
        subscribed={one.topic: one.subscribed for one in answer.hooks} if answer else {},
    )
