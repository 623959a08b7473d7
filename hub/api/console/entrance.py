"""The console's door: signing in and out, and what is at no address."""

import asyncio
import math
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from hub.api.console import frame, guard, rendering
from hub.api.console.bare import asked_for, bare, nowhere_to_go, oops
from hub.api.keys import HUB
from hub.api.routes import PUBLIC, Handler, Routes
from hub.errors import LimitExceeded, NotFound
from hub.operators import entrance, sessions
from hub.operators.entrance import Entered, Refused, SecondNeeded
from hub.operators.queries import actor_of
from hub.tokens import BadToken

routes = Routes("Console")
nowhere = Routes("Console")
"""To be asked after all others."""


def door(path: str, name: str) -> Callable[[Handler], Handler]:
    return routes.get(path, **details(name))


def form_door(path: str, name: str) -> Callable[[Handler], Handler]:
    """Nobody is signed in yet, so the browser has to say where the form stood."""

    def register(handler: Handler) -> Handler:
        @wraps(handler)
        async def checked(request: web.Request) -> web.StreamResponse:
            guard.check_origin(request, needed=True)
            return await handler(request)

        return routes.post(path, **details(name))(checked)

    return register


def details(name: str) -> Any:
    return {
        "name": f"console.{name}",
        "scope": PUBLIC,
        "summary": "The console's door",
        "answers": {HTTPStatus.OK: "text/html"},
        "documented": False,
        "tell": oops,
    }


@door("/console/sign-in", "sign_in")
async def ask(request: web.Request) -> web.StreamResponse:
    if await guard.who(request):
        return to(guard.local(request, request.query.get("next")))
    # While somebody types his password.
    asyncio.get_running_loop().run_in_executor(None, rendering.warm_up)
    return _sign_in_page(request)


@form_door("/console/sign-in", "sign_in.done")
async def sign_in(request: web.Request) -> web.StreamResponse:
    form, hub = await guard.read(request), request.app[HUB]
    login, password = form.get("login", ""), form.get("password", "")
    visitor = guard.visitor_of(request)
    try:
        done = await entrance.sign_in(hub.db, hub.signer, login, password, visitor)
    except Refused:
        return _sign_in_page(request, login=login, fault="wrong")
    except LimitExceeded as error:
        return _wait_page(request, error)
    if isinstance(done, SecondNeeded):
        return _second_page(request, done.token)
    return await let_in(request, done)


@form_door("/console/sign-in/code", "sign_in.code")
async def second_step(request: web.Request) -> web.StreamResponse:
    form, hub = await guard.read(request), request.app[HUB]
    token, visitor = form.get("token", ""), guard.visitor_of(request)
    try:
        done = await entrance.second_step(hub.db, hub.signer, token, form.get("code", ""), visitor)
    except BadToken:
        return _sign_in_page(request, fault="late")
    except Refused:
        return _second_page(request, token, fault="wrong_code")
    except LimitExceeded as error:
        return _wait_page(request, error)
    return await let_in(request, done)


@form_door("/console/sign-out", "sign_out")
async def sign_out(request: web.Request) -> web.StreamResponse:
    found = await guard.who(request)
    response = to(f"{guard.base_of(request)}/console/sign-in")
    if found is not None:
        operator, session = found
        guard.check_csrf(request, session, await guard.read(request))
        visitor = guard.visitor_of(request)
        by = actor_of(operator, request_id=visitor.request_id, remote=visitor.remote)
        await entrance.sign_out(request.app[HUB].db, operator, session, by)
    guard.let_out(request, response)
    return response


@door("/console/", "home")
async def home(request: web.Request) -> web.StreamResponse:
    """To the first page of the first shop that is open to whoever asks."""
    found = await guard.who(request)
    if found is None:
        return guard.to_sign_in(request)
    visit = frame.visit_of(request, *found, "")
    if visit is None:
        return nowhere_to_go(request, found[0])
    return to(visit.url(frame.first_page(visit)))


@nowhere.get("/console{tail:(/.*)?}", **details("nowhere"))
async def not_here(request: web.Request) -> web.StreamResponse:
    tail = request.match_info["tail"]
    if not tail:
        return to(f"{guard.base_of(request)}/console/")
    found = await guard.who(request)
    if found is None:
        return guard.to_sign_in(request)
    slug = tail.split("/")[1]
    visit = frame.visit_of(request, *found, "", slug)
    if visit is None:
        return nowhere_to_go(request, found[0])
    if tail.strip("/") == visit.shop.slug:
        return to(visit.url(frame.first_page(visit)))
    return frame.failed(visit, NotFound())


async def let_in(request: web.Request, entered: Entered) -> web.StreamResponse:
    """With the cookie of a new session; the one there was before is over."""
    if before := await guard.who(request):
        operator, session = before
        await sessions.end(request.app[HUB].db, operator.id, only=session.id)
    response = to(guard.local(request, request.query.get("next")))
    guard.let_in(request, response, entered.token)
    return response


def to(path: str) -> web.Response:
    return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": path})


def _sign_in_page(request: web.Request, *, login: str = "", fault: str = "") -> web.Response:
    status = HTTPStatus.UNPROCESSABLE_ENTITY if fault else HTTPStatus.OK
    query = request.query
    other = {**query, "lang": "en" if asked_for(request) == "ru" else "ru"}
    return _page(
        request,
        "entrance/sign_in.html",
        status,
        login=login[:300],
        fault=fault,
        ended=guard.ENDED in query,
        other_url=f"?{urlencode(other)}",
    )


def _second_page(request: web.Request, token: str, *, fault: str = "") -> web.Response:
    status = HTTPStatus.UNPROCESSABLE_ENTITY if fault else HTTPStatus.OK
    return _page(request, "entrance/second.html", status, token=token, fault=fault)


def _wait_page(request: web.Request, error: LimitExceeded) -> web.Response:
    minutes = max(1, math.ceil(error.after.total_seconds() / 60))
    response = _page(request, "entrance/wait.html", error.status, minutes=minutes)
    response.headers["Retry-After"] = str(max(1, math.ceil(error.after.total_seconds())))
    return response


def _page(request: web.Request, name: str, status: int, **values: Any) -> web.Response:
    locale = asked_for(request)
    return bare(
        request, name, locale, status=status, query=request.rel_url.raw_query_string, **values
    )
