"""Calls to a shop's platform: guarded, counted against its limits, and failing in three ways only."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from aiohttp import BasicAuth

from channels.http import BlockedAddress, NoReply, ProviderHttp, Reply
from hub.sources.base import Impossible, Later, Trouble

# Where a platform that asks for patience does not say how much.
_PATIENCE = timedelta(seconds=30)

_BUSY = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


class ShopHttp:
    """The calls of one source. `take` is awaited before each: it raises `Later` while the platform's limit is used
    up. Addresses come from outside, so that every call is kept to the public internet.

    Each call gives a `Reply` of 2xx (or 3xx) or raises: `Later` (throttled, away, no answer), `Trouble` (credentials,
    rights, an address that must not be called), `Impossible` (any other refusal).
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

    async def found_json(self, url: str, **options: Any) -> Any | None:
        """None: the platform has none (404, 410)."""
        reply = await self._call("GET", url, **options)
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
        await self._take()
        proof = {"Authorization": BasicAuth(*basic, encoding="utf-8").encode()} if basic else {}
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


def _good(reply: Reply) -> Reply:
    """The reply itself, where the platform did what it was asked."""
    status = reply.status
    if status < HTTPStatus.BAD_REQUEST:
        return reply
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise Trouble("credentials", f"the platform refuses the credentials or rights ({status})")
    if status in _BUSY:
        raise Later(f"http-{status}", reply.retry_after or _PATIENCE)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
        raise Later(f"http-{status}", reply.retry_after)
    raise Impossible(f"the platform refuses it ({status})")


def _json(reply: Reply) -> Any:
    """Raises `Later`: a page where JSON was due is a platform under repair."""
    try:
        return reply.json()
    except NoReply:
        raise Later("unreadable-answer") from None
