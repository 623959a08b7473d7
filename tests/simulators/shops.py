"""What simulators of shops have in common: objects, a clock that tests move, calls that were made, hooks that go out."""

import base64
import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from tests.simulators.base import Simulator

PAYLOADS = Path(__file__).parents[1] / "sources" / "payloads"


def payload(platform: str, name: str) -> Any:
    """One of the recorded bodies, a new one each time."""
    return json.loads((PAYLOADS / platform / f"{name}.json").read_text("utf-8"))


@dataclass(frozen=True, slots=True)
class Made:
    """A call of the hub's that was let in."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Any = None


class ShopSimulator(Simulator):
    """`orders`, `customers`, `products` by id as text. `login` and `password` let in. What `calls` holds came through.

    `later`: how far the shop's clock is ahead of ours, which tests move to make things happen later.
    """

    login = "login-1"
    password = "password-1"

    def __init__(self) -> None:
        super().__init__()
        self.orders: dict[str, dict[str, Any]] = {}
        self.customers: dict[str, dict[str, Any]] = {}
        self.products: dict[str, dict[str, Any]] = {}
        self.calls: list[Made] = []
        self.later = timedelta(0)
        self.told: list[int] = []
        """What the hub answered to each hook."""
        self.leads: dict[str, str] = {}
        """Where addresses of the world lead to here."""

    def now(self) -> datetime:
        """In whole seconds, as shops tell their times; up, so that what happens now is not before what was just done."""
        return datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1) + self.later

    def let_in(self, request: web.Request) -> bool:
        given = request.headers.get("Authorization", "").removeprefix("Basic ")
        return given == base64.b64encode(f"{self.login}:{self.password}".encode()).decode()

    async def note(self, request: web.Request) -> Any:
        """Keeps the call; its body as JSON."""
        body = await request.json() if request.can_read_body else None
        self.calls.append(Made(request.method, request.path, dict(request.query), body))
        return body

    def written(self) -> list[Made]:
        return [
            made for made in self.calls if made.method == "PUT" and "/webhooks" not in made.path
        ]

    async def deliver(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        for outside, here in self.leads.items():
            url = url.replace(outside, here)
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, data=body, headers=dict(headers), allow_redirects=False) as reply,
        ):
            await reply.read()
            self.told.append(reply.status)
            return reply.status


def number_of(held: Mapping[str, Any], first: int) -> int:
    return max((int(id_) for id_ in held), default=first - 1) + 1


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {**copy.deepcopy(dict(base)), **changes}
