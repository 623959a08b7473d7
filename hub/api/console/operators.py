"""Who may do what in the shop: invitations, roles, sessions."""

from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from uuid import UUID

from aiohttp import web

from hub.api.body import path_id
from hub.api.console.frame import Pages, Visit, form, see, show, worded
from hub.api.console.guard import Form
from hub.errors import NotAllowed
from hub.operators import invitations, people, queries, sessions
from hub.operators.model import APART, RIGHTS, Membership, Operator, Right, Role, login_of

pages = Pages("operators")


@pages.get("/operators", right=Right.OPERATORS)
async def listed(visit: Visit) -> web.StreamResponse:
    return await _list(visit)


@pages.post("/operators/invite", right=Right.OPERATORS)
async def invite(visit: Visit) -> web.StreamResponse:
    """The link is shown this once."""
    filled = await form(visit)
    given = filled.text("login", longest=254)
    login = login_of(given) if given else None
    if given and login is None:
        return await _list(visit, filled, {"login": "login_wrong"})
    membership = _membership(filled)
    if membership is None:
        return await _list(visit, filled, {"role": "role_missing"})
    token = await invitations.invite(
        visit.hub.db, visit.shop.id, membership, login=login, by=visit.actor
    )
    return _link(visit, token, login or "")


@pages.post("/operators/invite/withdraw", right=Right.OPERATORS)
async def withdraw(visit: Visit) -> web.StreamResponse:
    digest = (await form(visit)).get("digest", "")
    with suppress(ValueError):
        await invitations.withdraw(visit.hub.db, visit.shop.id, bytes.fromhex(digest))
    return see(visit, "/operators", note="withdrawn")


@pages.get("/operators/{id}", right=Right.OPERATORS)
async def one(visit: Visit) -> web.StreamResponse:
    operator = await _of_path(visit)
    return show(
        visit,
        "one.html",
        title=operator.shown,
        operator=operator,
        membership=operator.shops[visit.shop.id],
        is_mine=people.is_over(visit.operator, operator),
        sessions=await sessions.of(visit.hub.db, operator.id),
        usual=_usual(),
        apart=APART,
        roles=list(Role),
    )


@pages.post("/operators/{id}", right=Right.OPERATORS)
async def change(visit: Visit) -> web.StreamResponse:
    operator = await _of_path(visit)
    membership = _membership(await form(visit))
    path = f"/operators/{operator.id}"
    if membership is None:
        return see(visit, path, note="role_missing", kind="bad")
    await people.set_membership(
        visit.hub.db, visit.shop.id, operator.id, membership, by=visit.actor
    )
    if operator.id == visit.operator.id and membership.role is not Role.OWNER:
        return see(visit, "/")
    return see(visit, path, note="saved")


@pages.post("/operators/{id}/remove", right=Right.OPERATORS)
async def remove(visit: Visit) -> web.StreamResponse:
    await people.remove(visit.hub.db, visit.shop.id, path_id(visit.request), by=visit.actor)
    return see(visit, "/operators", note="removed")


@pages.post("/operators/{id}/reset", right=Right.OPERATORS)
async def reset(visit: Visit) -> web.StreamResponse:
    """A link that sets the password anew."""
    operator = await _own(visit)
    token = await invitations.reset(visit.hub.db, operator.login, by=visit.actor)
    return _link(visit, token, operator.login)


@pages.post("/operators/{id}/sessions/end", right=Right.OPERATORS)
async def end(visit: Visit) -> web.StreamResponse:
    operator, only = await _own(visit), None
    if given := (await form(visit)).get("session"):
        with suppress(ValueError):
            only = UUID(given)
        if only is None:
            return see(visit, f"/operators/{operator.id}")
    but = visit.session.id
    await people.end_sessions(visit.hub.db, operator, only=only, but=but, by=visit.actor)
    return see(visit, f"/operators/{operator.id}", note="session_ended")


async def _of_path(visit: Visit) -> Operator:
    return await people.member(visit.hub.db, visit.shop.id, path_id(visit.request))


async def _own(visit: Visit) -> Operator:
    operator = await _of_path(visit)
    if not people.is_over(visit.operator, operator):
        raise NotAllowed(visit.said["not_yours"])
    return operator


def _membership(filled: Form) -> Membership | None:
    """None: no such role."""
    try:
        role = Role(filled.get("role", ""))
    except ValueError:
        return None
    ticked = set(filled.all("right"))
    return Membership.of(role, {right: right in ticked for right in APART})


async def _list(
    visit: Visit, filled: Form | None = None, faults: Mapping[str, str] | None = None
) -> web.Response:
    db, shop = visit.hub.db, visit.shop.id
    return show(
        visit,
        "list.html",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if faults else HTTPStatus.OK,
        title=visit.said["nav"]["operators"],
        people=await queries.listed(db, shop),
        waiting=await invitations.waiting(db, shop),
        filled=filled or {},
        ticked=filled.all("right") if filled else [str(r) for r in APART],
        faults=worded(visit, faults),
        apart=APART,
        roles=list(Role),
        usual=_usual(),
    )


def _link(visit: Visit, token: str, login: str) -> web.Response:
    address = f"{visit.hub.settings.public_url}{invitations.PATH}{token}"
    title = visit.said["link"]["title"]
    return show(visit, "link.html", title=title, address=address, login=login)


def _usual() -> dict[str, list[str]]:
    """By role: those rights apart that it has by itself."""
    return {str(role): [str(r) for r in APART if r in RIGHTS[role]] for role in Role}
