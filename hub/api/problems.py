"""Errors as `application/problem+json` (RFC 9457)."""

import math
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import web

from hub.errors import Fault, HubError, InvalidInput, RetryLater

MEDIA_TYPE = "application/problem+json"


class MethodNotAllowed(HubError):
    status = HTTPStatus.METHOD_NOT_ALLOWED
    code = "method-not-allowed"
    title = "This path does not know the method"


def type_of(code: str) -> str:
    """The same at every hub, so that a client may compare it."""
    return f"urn:vestnik:problem:{code}"


def body_of(error: HubError, request_id: str) -> dict[str, Any]:
    """The members of the problem, for one that is part of a larger answer, too."""
    body: dict[str, Any] = {
        "type": type_of(error.code),
        "title": error.title,
        "status": int(error.status),
        "detail": error.detail,
        "request_id": request_id,
    }
    faults = error.faults
    if not faults and isinstance(error, InvalidInput):
        # Nothing in it could be pointed at; who reads `errors` alone learns the reason all the same.
        faults = (Fault("", error.detail),)
    if faults:
        body["errors"] = [{"pointer": f.pointer, "detail": f.detail} for f in faults]
    if isinstance(error, InvalidInput) and error.is_partial:
        body["errors_truncated"] = True
    return body


def response_of(error: HubError, request_id: str) -> web.Response:
    response = web.Response(
        status=error.status,
        body=orjson.dumps(body_of(error, request_id)),
        content_type=MEDIA_TYPE,
    )
    if isinstance(error, RetryLater):
        response.headers["Retry-After"] = str(max(1, math.ceil(error.after.total_seconds())))
    if error.status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = 'Bearer realm="vestnik"'
    return response


def of_status(status: int, detail: str = "") -> HubError:
    """What aiohttp has no words of ours for (417, 431)."""
    known = {kind.status: kind for kind in kinds()}
    if status in known:
        return known[HTTPStatus(status)](detail)
    error = HubError(detail or HTTPStatus(status).phrase)
    error.status = HTTPStatus(status)  # type: ignore[misc]
    return error


def kinds() -> Iterator[type[HubError]]:
    """Every problem there is, in the order of statuses."""
    found: list[type[HubError]] = []
    waiting = [HubError]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if "code" in vars(kind):
            found.append(kind)
    yield from sorted(found, key=lambda kind: (kind.status, kind.code))
