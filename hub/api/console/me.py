"""One's own settings: name, language, look, password, second factor, sessions."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from http import HTTPStatus
from typing import Any, cast
from uuid import UUID
from zoneinfo import available_timezones

import pyotp
from aiohttp import web

from hub.api.console import guard, rendering
from hub.api.console.frame import Pages, Visit, form, see, show, worded
from hub.config import Locale
from hub.errors import LimitExceeded
from hub.operators import passwords, people, sessions
from hub.operators.model import THEMES, Right, Theme
from hub.operators.people import Profile
from hub.tokens import BadToken

pages = Pages("me")

_SECRET = "console-new-totp"  # noqa: S105 (a purpose)
_LONGEST_NAME = 100
_SET_UP_WITHIN = timedelta(minutes=15)


@pages.get("/me")
async def me(visit: Visit) -> web.StreamResponse:
    return await _page(visit)


@pages.post("/me", right=Right.VIEW)
async def save(visit: Visit) -> web.StreamResponse:
    filled = await form(visit)
    locale, theme = filled.get("locale"), filled.get("theme", "")
    zone = filled.get("timezone", "")
    profile = Profile(
        filled.text("name", longest=_LONGEST_NAME),
        cast("Locale", locale if locale in ("ru", "en") else visit.operator.locale),
        zone if zone in _zones() else None,
        theme if theme in THEMES else visit.operator.theme,
    )
    await people.set_profile(visit.hub.db, visit.operator.id, profile)
    return see(visit, "/me", note="saved")


@pages.post("/me/theme", right=Right.VIEW)
async def theme(visit: Visit) -> web.StreamResponse:
    """Sent by the switch in the frame; back to where it was pressed."""
    filled = await form(visit)
    chosen = filled.get("theme", "")
    if chosen not in THEMES:
        chosen = "light" if visit.operator.theme == "dark" else "dark"
    await people.set_theme(visit.hub.db, visit.operator.id, cast("Theme", chosen))
    if visit.is_part:
        return web.Response(status=HTTPStatus.NO_CONTENT)
    back = guard.local(visit.request, filled.get("back"))
    return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": back})


@pages.post("/me/password", right=Right.VIEW)
async def password(visit: Visit) -> web.StreamResponse:
    filled = await form(visit)
    new = filled.get("password", "")
    faults: dict[str, str] = {}
    if fault := passwords.fault(new):
        faults["password"] = fault
    elif new != filled.get("again", ""):
        faults["again"] = "password_differs"
    elif fault := await _unknown_password(visit, filled.get("present", "")):
        faults["present"] = fault
    if faults:
        return await _page(visit, faults)
    keep = visit.session.id
    await people.change_password(visit.hub.db, visit.operator, new, keep=keep, by=visit.actor)
    return see(visit, "/me", note="password_changed")


@pages.get("/me/second")
async def second(visit: Visit) -> web.StreamResponse:
    """A new secret with each look; nothing is kept until its code was shown to be known."""
    if visit.operator.totp:
        return see(visit, "/me")
    return _second(visit, pyotp.random_base32())


@pages.post("/me/second", right=Right.VIEW)
async def second_on(visit: Visit) -> web.StreamResponse:
    filled, signer = await form(visit), visit.hub.signer
    try:
        told = signer.read(_SECRET, filled.get("secret", ""))
    except BadToken:
        return see(visit, "/me/second", note="late", kind="bad")
    if visit.operator.totp or told[:16] != visit.operator.id.bytes:
        return see(visit, "/me")
    secret = told[16:].decode()
    if fault := await _unknown_password(visit, filled.get("present", "")):
        return _second(visit, secret, {"present": fault})
    codes = await people.totp_on(
        visit.hub.db, signer, visit.operator, secret, filled.get("code", ""), by=visit.actor
    )
    if codes is None:
        return _second(visit, secret, {"code": "code_wrong"})
    return show(visit, "codes.html", title=visit.said["second"]["codes_title"], codes=codes)


@pages.post("/me/second/off", right=Right.VIEW)
async def second_off(visit: Visit) -> web.StreamResponse:
    filled = await form(visit)
    if fault := await _unknown_password(visit, filled.get("present", "")):
        return await _page(visit, {"off": fault})
    await people.totp_off(visit.hub.db, visit.operator, by=visit.actor)
    return see(visit, "/me", note="totp_off")


@pages.post("/me/sessions/end", right=Right.VIEW)
async def end(visit: Visit) -> web.StreamResponse:
    """One other session, or all others."""
    filled = await form(visit)
    only = None
    if given := filled.get("session"):
        with suppress(ValueError):
            only = UUID(given)
        if only is None or only == visit.session.id:
            return see(visit, "/me")
    await people.end_sessions(
        visit.hub.db, visit.operator, only=only, but=visit.session.id, by=visit.actor
    )
    return see(visit, "/me", note="session_ended")


async def _page(visit: Visit, faults: dict[str, str] | None = None) -> web.Response:
    operator = visit.operator
    return show(
        visit,
        "me.html",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if faults else HTTPStatus.OK,
        title=visit.said["nav"]["me"],
        faults=worded(visit, faults),
        zones=_zones(),
        sessions=await sessions.of(visit.hub.db, operator.id),
        recovery_left=await people.recovery_left(visit.hub.db, operator.id),
    )


def _second(visit: Visit, secret: str, faults: dict[str, str] | None = None) -> web.Response:
    uri = pyotp.TOTP(secret).provisioning_uri(name=visit.operator.login, issuer_name="Vestnik")
    payload = visit.operator.id.bytes + secret.encode()
    until = datetime.now(UTC) + _SET_UP_WITHIN
    values: dict[str, Any] = {
        "secret": visit.hub.signer.sign(_SECRET, payload, until),
        "shown": " ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
        "picture": rendering.qr(uri, visit.said["second"]["picture"]),
        "faults": worded(visit, faults),
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if faults else HTTPStatus.OK
    title = visit.said["second"]["title"]
    return show(visit, "second.html", status=status, title=title, **values)


async def _unknown_password(visit: Visit, given: str) -> str:
    """Why it will not do, as a key of the words; empty: it is his."""
    try:
        right = await people.knows_password(visit.hub.db, visit.hub.signer, visit.operator, given)
    except LimitExceeded:
        return "too_many"
    return "" if right else "password_wrong"


@cache
def _zones() -> tuple[str, ...]:
    """Places, without the names for machines."""
    return tuple(
        sorted(
            z for z in available_timezones() if "/" in z and not z.startswith(("Etc/", "SystemV/"))
        )
    )
