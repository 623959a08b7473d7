"""The frame around every handler: request id, key, limits, errors, headers, metrics."""

import re
import time
import traceback
from collections.abc import Mapping, Sequence
from datetime import timedelta
from http import HTTPStatus

import structlog
from aiohttp import HttpVersion11, web
from aiohttp.typedefs import Middleware

from hub.api import problems
from hub.api.body import Query, TooSlow, read_query, receive
from hub.api.headers import Dress
from hub.api.keys import API_KEY, HUB, REQUEST_ID, ROOM, SHOP
from hub.api.limits import Limits, WrongKeys
from hub.api.metrics import RequestMetrics
from hub.api.patience import within
from hub.api.routes import PUBLIC, TIMEOUT, Handler, Route
from hub.db.pool import UNFIT, UNREACHABLE
from hub.errors import (
    HubError,
    InvalidInput,
    NotAllowed,
    NotFound,
    Unauthenticated,
    Unavailable,
)
from hub.ids import new_id
from hub.shops.keys import ApiKey, KeyRing, Scope

log = structlog.get_logger()

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)
_BEARER = re.compile(r"bearer +(\S+) *", re.IGNORECASE)

_RETRY_AFTER = timedelta(seconds=2)


def frame(
    table: Mapping[web.AbstractRoute, Route],
    keys: KeyRing,
    limits: Limits,
    metrics: RequestMetrics,
    dress: Dress,
) -> Middleware:
    @web.middleware
    async def framed(request: web.Request, handler: Handler) -> web.StreamResponse:
        started = time.perf_counter()
        route = table.get(request.match_info.route)
        request_id = _request_id(request)
        request[REQUEST_ID] = request_id
        # One task serves all requests of a connection, so what is bound here has to be unbound.
        bound = structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            response = await _answered(request, handler, route, keys, limits)
            dress(response, request_id)
        finally:
            structlog.contextvars.reset_contextvars(**bound)
        metrics.observe(
            route.name if route else "none",
            request.method,
            response.status,
            time.perf_counter() - started,
        )
        return response

    return framed


async def _answered(
    request: web.Request,
    handler: Handler,
    route: Route | None,
    keys: KeyRing,
    limits: Limits,
) -> web.StreamResponse:
    """Never raises, but for cancellation."""
    try:
        await _admit(request, route, keys, limits)
        if route and route.is_work:
            request.app[ROOM].check()
        if route and route.body:
            with limits.bodies.held(request.content_length):
                # A slow line is no fault of the handler's, so its clock starts afterwards.
                await receive(request)
                return await within(route.timeout, handler(request))
        return await within(route.timeout if route else TIMEOUT, handler(request))
    except HubError as error:
        return _told(error, request, route)
    except web.HTTPException as error:
        return _of_aiohttp(error, request[REQUEST_ID])
    except UNFIT as error:
        return _bug(error, request, route)
    except UNREACHABLE as error:
        if isinstance(error, TimeoutError) and not request.content.is_eof():
            slow = TooSlow("the body was still on its way when the time was up")
            return _told(slow, request, route)
        log.warning("request.unavailable", error=type(error).__name__, route=_name(route))
        away = Unavailable("the database cannot be reached right now", after=_RETRY_AFTER)
        return _told(away, request, route)
    except Exception as error:  # noqa: BLE001 (the top: a bug must not end the connection)
        return _bug(error, request, route)


def _bug(error: Exception, request: web.Request, route: Route | None) -> web.StreamResponse:
    # The message may hold anything, the lines of code hold nothing.
    log.error(
        "request.failed",
        error=type(error).__name__,
        route=_name(route),
        stack="".join(traceback.format_tb(error.__traceback__)),
    )
    hint = "it was logged with this request_id"
    return _told(HubError(hint), request, route)


def _told(error: HubError, request: web.Request, route: Route | None) -> web.StreamResponse:
    if route is not None and route.tell is not None:
        return route.tell(request, error)
    return problems.response_of(error, request[REQUEST_ID])


async def _admit(request: web.Request, route: Route | None, keys: KeyRing, limits: Limits) -> None:
    """Raises 401 or 429 (too many wrong keys), 404, 405, 429 (too many requests), 403 and 400, the first that
    fits."""
    _check_host(request)
    if (route is None or route.scope is PUBLIC) and not request.path.startswith("/v1/"):
        _check_match(request)
        return
    key = await _authenticated(request, keys, limits.wrong_keys)
    _check_match(request)
    limits.requests.take(key.id)
    if route is not None and route.scope is not PUBLIC:
        _check_rights(request, key, [s for s in (route.scope, route.also) if s])
        if route.query is None and request.query_string:
            read_query(request, Query)


def _check_host(request: web.Request) -> None:
    """Two names, or none, are read differently by a proxy in front (RFC 9112, 3.2)."""
    hosts = request.headers.getall("Host", [])
    if len(hosts) > 1 or (not hosts and request.version >= HttpVersion11):
        raise InvalidInput("the request must have the header Host, once")


async def _authenticated(request: web.Request, keys: KeyRing, wrong: WrongKeys) -> ApiKey:
    headers = request.headers.getall("Authorization", [])
    if not headers:
        raise Unauthenticated("send the header Authorization: Bearer KEY")
    bearer = _BEARER.fullmatch(headers[0])
    if bearer is None or len(headers) > 1:
        raise Unauthenticated("the header must read Authorization: Bearer KEY")
    if key := keys.at_hand(bearer[1]):
        return key
    address = wrong.address(request)
    # Who tried too many gets no answer about another one. A key that was good here before goes on: its shop may
    # come from the same address as the one who guesses.
    if not keys.has_met(bearer[1]):
        wrong.check(address)
    try:
        return await within(TIMEOUT, keys.authenticate(bearer[1]))
    except Unauthenticated:
        wrong.note(address)
        raise


def _check_match(request: web.Request) -> None:
    """Raises 404 and 405, only now that the key is known to be good."""
    missing = request.match_info.http_exception
    if isinstance(missing, web.HTTPMethodNotAllowed):
        raise missing
    if missing is not None:
        raise NotFound("there is nothing at this path")


def _check_rights(request: web.Request, key: ApiKey, scopes: Sequence[Scope]) -> None:
    if not any(map(key.allows, scopes)):
        raise NotAllowed(f"this needs the scope {' or '.join(scopes)}")
    shop = request.app[HUB].shops.get(key.shop_id)
    if shop is None:
        raise NotAllowed("the shop of this key is no longer in the settings")
    request[API_KEY], request[SHOP] = key, shop


def _of_aiohttp(error: web.HTTPException, request_id: str) -> web.StreamResponse:
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        refused = problems.MethodNotAllowed(f"{error.method} is not possible here, {allowed} is")
        response = problems.response_of(refused, request_id)
        response.headers["Allow"] = allowed
        return response
    if error.status < HTTPStatus.BAD_REQUEST:
        return web.Response(status=error.status, headers=error.headers)
    return problems.response_of(problems.of_status(error.status), request_id)


def _request_id(request: web.Request) -> str:
    given = request.headers.get("X-Request-Id")
    return given if given and _REQUEST_ID.fullmatch(given) else str(new_id())


def _name(route: Route | None) -> str:
    return route.name if route else "none"
