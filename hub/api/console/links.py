"""Links that open once: the first one of a hub, invitations, a password set anew."""

from http import HTTPStatus
from typing import Any

from aiohttp import web

from hub.api.console import guard
from hub.api.console.bare import asked_for, bare
from hub.api.console.entrance import details, let_in, to
from hub.api.keys import HUB
from hub.api.routes import Routes
from hub.errors import NotFound
from hub.operators import entrance, invitations, passwords
from hub.operators.invitations import FIRST, PATH, Invitation, Newcomer, Taken
from hub.operators.model import Operator, login_of
from hub.operators.queries import actor_of

routes = Routes("Console")

_TOKEN = "{token:[A-Za-z0-9_-]{43}}"  # noqa: S105 (a pattern)
_LONGEST_NAME = 100


@routes.get(f"{FIRST}{_TOKEN}", **details("first"))
@routes.get(f"{PATH}{_TOKEN}", **details("invite"))
async def ask(request: web.Request) -> web.StreamResponse:
    """Opening it changes nothing."""
    found = await invitations.look(request.app[HUB].db, request.match_info["token"])
    if found is None:
        return _gone(request)
    return await _page(request, found)


@routes.post(f"{FIRST}{_TOKEN}", **details("first.done"))
@routes.post(f"{PATH}{_TOKEN}", **details("invite.done"))
async def use(request: web.Request) -> web.StreamResponse:
    guard.check_origin(request, needed=True)
    filled, hub = await guard.read(request), request.app[HUB]
    token = request.match_info["token"]
    found = await invitations.look(hub.db, token)
    if found is None:
        return _gone(request)
    try:
        if found.operator_id is not None:
            return await _reset(request, found, filled)
        if "join" in filled:
            return await _accept(request, filled)
        return await _join(request, found, filled)
    except NotFound:
        return _gone(request)


async def _reset(request: web.Request, found: Invitation, filled: guard.Form) -> web.StreamResponse:
    faults = _password_faults(filled)
    if faults:
        return await _page(request, found, filled, faults)
    visitor, token = guard.visitor_of(request), request.match_info["token"]
    operator = await invitations.set_password(
        request.app[HUB].db,
        token,
        filled["password"],
        remote=visitor.remote,
        request_id=visitor.request_id,
    )
    return await _enter(request, operator)


async def _join(request: web.Request, found: Invitation, filled: guard.Form) -> web.StreamResponse:
    hub, visitor = request.app[HUB], guard.visitor_of(request)
    login = found.login or login_of(filled.get("login", ""))
    faults = _password_faults(filled)
    if login is None:
        faults["login"] = "login_wrong"
    if login is None or faults:
        return await _page(request, found, filled, faults)
    who = Newcomer(
        login,
        filled.text("name", longest=_LONGEST_NAME),
        filled["password"],
        asked_for(request),
    )
    try:
        operator = await invitations.join(
            hub.db,
            request.match_info["token"],
            who,
            hub.shops,
            remote=visitor.remote,
            request_id=visitor.request_id,
        )
    except Taken:
        return await _page(request, found, filled, {"login": "login_taken"})
    return await _enter(request, operator)


async def _accept(request: web.Request, filled: guard.Form) -> web.StreamResponse:
    """Somebody who is in already."""
    found, hub = await guard.who(request), request.app[HUB]
    if found is None:
        return guard.to_sign_in(request)
    operator, session = found
    guard.check_csrf(request, session, filled)
    visitor = guard.visitor_of(request)
    by = actor_of(operator, request_id=visitor.request_id, remote=visitor.remote)
    token = request.match_info["token"]
    await invitations.accept(hub.db, token, operator, hub.shops, by=by)
    return to(guard.local(request, None))


async def _enter(request: web.Request, operator: Operator) -> web.StreamResponse:
    visitor = guard.visitor_of(request)
    entered = await entrance.enter(request.app[HUB].db, operator, visitor)
    return await let_in(request, entered)


def _password_faults(filled: guard.Form) -> dict[str, str]:
    password = filled.get("password", "")
    if fault := passwords.fault(password):
        return {"password": fault}
    if password != filled.get("again", ""):
        return {"again": "password_differs"}
    return {}


async def _page(
    request: web.Request,
    found: Invitation,
    filled: guard.Form | None = None,
    faults: dict[str, str] | None = None,
) -> web.Response:
    hub = request.app[HUB]
    shops = [s for s in hub.shops.values() if found.shop_id in (None, s.id)]
    before = filled or guard.Form([])
    inside = await guard.who(request) if found.operator_id is None else None
    return _bare(
        request,
        "entrance/invitation.html",
        HTTPStatus.UNPROCESSABLE_ENTITY if faults else HTTPStatus.OK,
        found=found,
        shops=[shop.name for shop in shops],
        filled={name: before.get(name, "") for name in ("login", "name")},
        faults=faults or {},
        inside=inside[0] if inside else None,
        csrf=inside[1].csrf if inside else "",
        is_first=request.path.startswith(FIRST),
    )


def _gone(request: web.Request) -> web.Response:
    return _bare(request, "entrance/gone.html", HTTPStatus.NOT_FOUND)


def _bare(request: web.Request, name: str, status: int, **values: Any) -> web.Response:
    return bare(request, name, asked_for(request), status=status, **values)
