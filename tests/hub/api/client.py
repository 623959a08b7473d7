"""A client as a shop would write one, and one that writes whatever bytes it likes."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp
import orjson
from multidict import CIMultiDictProxy
from yarl import URL


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: CIMultiDictProxy[str]
    raw: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.raw)

    @property
    def pointers(self) -> list[str]:
        """Where the faults of a problem are."""
        return [fault["pointer"] for fault in self.json.get("errors", [])]


class Api:
    def __init__(self, url: str, key: str | None = None) -> None:
        self.url = url
        self.key = key
        self._session = aiohttp.ClientSession()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        key: str | None = "",
    ) -> Answer:
        """`path` goes out as it stands; `raw` instead of `body` for what is no JSON; `key` None: without."""
        sent = {"Content-Type": "application/json"} if body is not None or raw is not None else {}
        if bearer := (self.key if key == "" else key):
            sent["Authorization"] = f"Bearer {bearer}"
        sent |= headers or {}
        if body is not None:
            raw = orjson.dumps(body)
        async with self._session.request(
            method,
            URL(self.url + path, encoded=True),
            data=None if raw is None else BytesIO(raw),
            headers=sent,
            allow_redirects=False,
        ) as response:
            return Answer(response.status, response.headers, await response.read())

    async def get(self, path: str, **more: Any) -> Answer:
        return await self.call("GET", path, **more)

    async def post(self, path: str, body: Any = None, **more: Any) -> Answer:
        return await self.call("POST", path, body, **more)

    async def put(self, path: str, body: Any = None, **more: Any) -> Answer:
        return await self.call("PUT", path, body, **more)

    async def delete(self, path: str, **more: Any) -> Answer:
        return await self.call("DELETE", path, **more)


async def speak(url: str, data: bytes) -> bytes:
    """Writes `data` to the server as it is; what it answers until it closes or falls silent."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        writer.write(data)
        await writer.drain()
        async with asyncio.timeout(5):
            return await reader.read(65536)
    finally:
        writer.close()
