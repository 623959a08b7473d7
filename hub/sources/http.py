"""Calls to a shop's platform: guarded, counted against its limits, and failing in three ways only."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from aiohttp import encode_basic_auth

from channels.http import BlockedAddress, NoReply, ProviderHttp, Reply
from hub.sources.base import Impossible, Later, Trouble

# Where a platform that asks for patience does not say how much.
_PATIENCE = timedelta(seconds=30)

_TOO_MANY = (HTTPStatus.TOO_MANY_REQUESTS, 420)
"""The second is what some said before the first was agreed on."""

_TROUBLES: Mapping[int, tuple[str, str]] = {
    HTTPStatus.UNAUTHORIZED: ("credentials", "the platform refuses the credentials or rights"),
    HTTPStatus.FORBIDDEN: ("credentials", "the platform refuses the credentials or rights"),
    HTTPStatus.PAYMENT_REQUIRED: ("tariff", "the platform wants to be paid first"),
    HTTPStatus.LOCKED: ("locked", "the platform has locked the shop"),
}
_MOVED = "the platform is at another address: enter the one that it leads to"


class ShopHttp:
    """The calls of one source. `take` is awaited before each: it raises `Later` while the platform's limit is used
    up. Addresses come from outside, so that every call is kept to the public internet.

    Each call gives a `Reply` of 2xx or raises: `Later` (throttled, away, no answer), `Trouble` (credentials, rights, an
    unpaid or locked shop, an address that must not be called or leads elsewhere), `Impossible` (any other refusal).
    """

    def __init__(self, http: ProviderHttp, take: Callable[[], Awaitable[None]]) -> None:
        self._http = http
        self._take = take

    async def get(self, url: str, **options: Any) -> Reply:
        return _good(await self._call("GET", url, **options))

    async def post(self, url: str, **options: Any) -> Reply:
        return _good(await self._call("POST", url, **options))

    async def put(self, url: str, **options: Any) -> Reply:
        return _good(await self._call("PUT", url, **options))

    async def get_json(self, url: str, **options: Any) -> Any:
        return _json(await self.get(url, **options))

    async def found_json(self, url: str, *, method: str = "GET", **options: Any) -> Any | None:
        """None: the platform has none (404, 410). `method`: of those that are asked by a POST."""
        reply = await self._call(method, url, **options)
        if reply.status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
            return None
        return _json(_good(reply))

    async def _call(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        json: Any = None,
        data: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        basic: tuple[str, str] | None = None,
    ) -> Reply:
        """`data`: a form; `basic`: login and password."""
        proof = {"Authorization": _proof(*basic)} if basic else {}
        await self._take()
        try:
            return await self._http.request(
                method,
                url,
                params=params,
                json=json,
                data=data,
                headers={"Accept": "application/json", **proof, **(headers or {})},
                public_only=True,
            )
        except NoReply as none:
            raise Later(none.outcome.reason, none.outcome.after) from None
        except BlockedAddress:
            raise Trouble(
                "blocked", "its address leads outside the public internet, or is no URL"
            ) from None


def _proof(login: str, password: str) -> str:
    try:
        return encode_basic_auth(login, password)
    except ValueError:
        raise Trouble("credentials", "a login cannot hold a colon") from None


def _good(reply: Reply) -> Reply:
    """The reply itself, where the platform did what it was asked."""
    status = reply.status
    if status < HTTPStatus.MULTIPLE_CHOICES:
        return reply
    if status in (HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.PERMANENT_REDIRECT):
        # Not followed: a POST would become a GET, and the credentials would go who knows where.
        raise Trouble("moved", f"{_MOVED} ({status})")
    if status in _TROUBLES:
        code, reason = _TROUBLES[status]
        raise Trouble(code, f"{reason} ({status})")
    if status in _TOO_MANY or status == HTTPStatus.SERVICE_UNAVAILABLE:
        counts = status not in _TOO_MANY and not reply.retry_after
        raise Later(f"http-{status}", reply.retry_after or _PATIENCE, counts=counts)
    passes = status < HTTPStatus.BAD_REQUEST or status == HTTPStatus.REQUEST_TIMEOUT
    if passes or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        # A shop under repair sends everybody to a page that says so.
        raise Later(f"http-{status}", reply.retry_after)
    raise Impossible(f"the platform refuses it ({status})")


def _json(reply: Reply) -> Any:
    """Raises `Later`: a page where JSON was due is a platform under repair."""
    try:
        return reply.json()
    except NoReply:
        raise Later("unreadable-answer") from None
