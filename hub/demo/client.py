"""The hub's API and pages as a shop, a storekeeper and a phone use them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Any, TypeVar

import aiohttp

from hub.errors import HubError

_EVERY = 0.25
_CALL = aiohttp.ClientTimeout(total=15)

Found = TypeVar("Found")


class DemoFailed(HubError):
    """One line for whoever started it."""

    code = "demo-failed"
    title = "The demonstration did not go through"


async def alive(session: aiohttp.ClientSession, url: str) -> None:
    """Raises `DemoFailed` where no hub answers."""
    await Client(session, url, "").get("/healthz")


class Client:
    """`url` of the hub, `key` with every right. Whatever does not work raises `DemoFailed`."""

    def __init__(self, session: aiohttp.ClientSession, url: str, key: str) -> None:
        self._session = session
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {key}"}

    async def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        try:
            async with self._session.request(
                method, f"{self._url}{path}", json=body, headers=self._headers, timeout=_CALL
            ) as response:
                if response.status >= HTTPStatus.BAD_REQUEST:
                    raise DemoFailed(f"{method} {path}: {await _problem(response)}")
                return await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise DemoFailed(
                f"no hub answers at {self._url} ({type(error).__name__});"
                " start one with `vestnik up`, or say where it is with --url"
            ) from None

    async def get(self, path: str) -> Any:
        return await self.call("GET", path)

    async def put(self, path: str, body: Mapping[str, Any]) -> Any:
        return await self.call("PUT", path, body)

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        return await self.call("POST", path, body)

    async def page(self, path: str, fields: Sequence[tuple[str, str]] | None = None) -> str:
        """What a phone shows after opening a link, or after sending the form on it."""
        method = "GET" if fields is None else "POST"
        try:
            async with self._session.request(
                method, f"{self._url}{path}", data=fields, timeout=_CALL
            ) as response:
                if response.status >= HTTPStatus.BAD_REQUEST:
                    raise DemoFailed(f"a link's page answers {response.status}")
                return await response.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise DemoFailed(f"a link's page does not open ({type(error).__name__})") from None


async def until(
    look: Callable[[], Awaitable[Found | None]], patience: timedelta, otherwise: str
) -> Found:
    """What `look` finds first. Raises `DemoFailed` with `otherwise` when it finds nothing in time."""
    try:
        async with asyncio.timeout(patience.total_seconds()):
            while True:
                if (found := await look()) is not None:
                    return found
                await asyncio.sleep(_EVERY)
    except TimeoutError:
        raise DemoFailed(otherwise) from None


async def _problem(response: aiohttp.ClientResponse) -> str:
    try:
        problem = await response.json(content_type=None)
        faults = "; ".join(f"{e['pointer']} {e['detail']}" for e in problem.get("errors", []))
        return f"{response.status} {problem.get('title', '')} {faults or problem.get('detail', '')}"
    except (ValueError, AttributeError, KeyError, TypeError):
        return str(response.status)
