"""A shop's backend over real HTTP: keeps what it was called with and answers as it is told."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from tests.simulators.base import Simulator


@dataclass(frozen=True, slots=True)
class Call:
    """`headers` with lower-case names."""

    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def json(self) -> Any:
        return json.loads(self.raw)


class Backend(Simulator):
    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self.called = asyncio.Event()

    def routes(self, app: web.Application) -> None:
        app.router.add_route("*", "/{path:.*}", self._hook)

    @property
    def types(self) -> list[str]:
        return [call.json["type"] for call in self.calls]

    async def _hook(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.calls.append(Call(request.path, headers, await request.read()))
        self.called.set()
        return web.Response(text="taken")
