"""One's own settings."""

from typing import cast

from aiohttp import web

from hub.api.console import guard
from hub.api.console.frame import Pages, Visit, form
from hub.operators import people
from hub.operators.model import THEMES, Right, Theme

pages = Pages("me")


@pages.post("/me/theme", right=Right.VIEW)
async def theme(visit: Visit) -> web.StreamResponse:
    """Sent by the switch in the frame; back to where it was pressed."""
    filled = await form(visit)
    chosen = filled.get("theme", "")
    if chosen not in THEMES:
        chosen = "light" if visit.operator.theme == "dark" else "dark"
    await people.set_theme(visit.hub.db, visit.operator.id, cast("Theme", chosen))
    if visit.is_part:
        return web.Response(status=204)
    back = guard.local(visit.request, filled.get("back"))
    return web.Response(status=303, headers={"Location": back})
