"""The frame around every handler: request id, key, limits, errors, headers, metrics."""

import re
import time
import traceback
from collections.abc import Mapping, Sequence
from datetime import timedelta
from http import HTTPStatus

import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware

from hub.api import problems
from hub.api.body import Query, read_query, receive
from hub.api.keys import API_KEY, HUB, REQUEST_ID, SHOP
from hub.api.limits import RateLimit
from hub.api.metrics import RequestMetrics
from hub.api.patience import within
from hub.api.routes import PUBLIC, TIMEOUT, Handler, Route
from hub.db.pool import UNREACHABLE
from hub.errors import (
    HubError,
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

_HEADERS = {
    "Server": "vestnik",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
"""Of every answer; a handler's own header wins."""


def frame(
    table: Mapping[web.AbstractRoute, Route],
    keys: KeyRing,
    limit: RateLimit,
    metrics: RequestMetrics,
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
            response = await _answered(request, handler, route, keys, limit)
            _dress(response, request_id, no_store=request.path.startswith("/v1/"))
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
    limit: RateLimit,
) -> web.StreamResponse:
    """Never raises, but for cancellation."""
    try:
        await within(TIMEOUT, _admit(request, route, keys, limit))
        if route and route.body:
            # A slow line is no fault of the handler's, so its clock starts afterwards.
            await receive(request)
        return await within(route.timeout if route else TIMEOUT, handler(request))
    except HubError as error:
        return problems.response_of(error, request[REQUEST_ID])
    except web.HTTPException as error:
        return _of_aiohttp(error, request[REQUEST_ID])
    except UNREACHABLE as error:
        log.warning("request.unavailable", error=type(error).__name__, route=_name(route))
        away = Unavailable("the database cannot be reached right now", after=_RETRY_AFTER)
        return problems.response_of(away, request[REQUEST_ID])
    except Exception as error:  # noqa: BLE001 (the top: a bug must not end the connection)
        # The message may hold anything, the lines of code hold nothing.
        log.error(
            "request.failed",
            error=type(error).__name__,
            route=_name(route),
            stack="".join(traceback.format_tb(error.__traceback__)),
        )
        hint = "it was logged with this request_id"
        return problems.response_of(HubError(hint), request[REQUEST_ID])


async def _admit(
    request: web.Request, route: Route | None, keys: KeyRing, limit: RateLimit
) -> None:
    """Raises 401, 404, 405, 429, 403 and 400, the first that fits."""
    if (route is None or route.scope is PUBLIC) and not request.path.startswith("/v1/"):
        _check_match(request)
        return
    key = await _authenticated(request, keys)
    _check_match(request)
    limit.take(key.id)
    if route is not None and route.scope is not PUBLIC:
        _check_rights(request, key, [s for s in (route.scope, route.also) if s])
        if route.query is None and request.query_string:
            read_query(request, Query)


async def _authenticated(request: web.Request, keys: KeyRing) -> ApiKey:
    header = request.headers.get("Authorization")
    if header is None:
        raise Unauthenticated("send the header Authorization: Bearer KEY")
    bearer = _BEARER.fullmatch(header)
    if bearer is None:
        raise Unauthenticated("the header must read Authorization: Bearer KEY")
    return await keys.authenticate(bearer[1])


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


def _dress(response: web.StreamResponse, request_id: str, *, no_store: bool) -> None:
    if response.prepared:
        return
    headers = response.headers
    headers["X-Request-Id"] = request_id
    for name, value in _HEADERS.items():
        headers.setdefault(name, value)
    if no_store:
        headers.setdefault("Cache-Control", "no-store")


def _name(route: Route | None) -> str:
    return route.name if route else "none"
