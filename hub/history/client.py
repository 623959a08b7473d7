"""A running hub's API as an import talks to it: patient with one that is starting anew, plain with one that refuses."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from http import HTTPStatus
from time import monotonic
from typing import Any

import aiohttp

from hub.config import SettingsError
from hub.errors import HubError

PATIENCE = timedelta(minutes=5)
"""How long a hub that does not answer is waited for: it may be starting anew."""

_BUSY = frozenset({408, 429, 500, 502, 503, 504})
_CALL = aiohttp.ClientTimeout(total=60)


class ImportFailed(HubError):
    """One line for whoever started it."""

    code = "import-failed"
    title = "The import did not go through"


class Refused(ImportFailed):
    """The hub answered, and not with what was asked for."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status_code = status


class Away(Exception):
    """Nobody answers, or nobody has time; `after`: how long to wait, where that was said."""

    def __init__(self, why: str, after: float = 0.0) -> None:
        super().__init__(why)
        self.after = after


class Client:
    """The hub's API; `find` says where it is, again each time when nobody answers there. What it refuses raises
    `Refused`."""

    def __init__(self, session: aiohttp.ClientSession, find: Callable[[], str]) -> None:
        self._session = session
        self._find = find
        self.key = ""
        self.url = find().rstrip("/")

    async def patiently(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Of what may be said twice. Raises `ImportFailed` when nobody answers for long."""
        until = monotonic() + PATIENCE.total_seconds()
        while True:
            try:
                return await self.call(method, path, body)
            except Away as away:
                await self.wait(away, until)

    async def wait(self, away: Away, until: float) -> None:
        if monotonic() > until:
            raise ImportFailed(f"the hub at {self.url} does not answer any more ({away})")
        await asyncio.sleep(away.after or 1.0)
        with suppress(SettingsError):
            # Started anew it may listen elsewhere.
            self.url = self._find().rstrip("/")

    async def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Raises `Away`."""
        proof = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        try:
            async with self._session.request(
                method, self.url + path, json=body, headers=proof, timeout=_CALL
            ) as response:
                if response.status in _BUSY:
                    after = response.headers.get("Retry-After", "")
                    raise Away(f"http-{response.status}", float(after) if after.isdigit() else 0.0)
                answer = await response.json(content_type=None)
                if response.status >= HTTPStatus.BAD_REQUEST:
                    raise Refused(response.status, _problem(answer))
                return answer
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise Away(type(error).__name__) from None


def _problem(answer: Any) -> str:
    faults = "; ".join(f"{e['pointer']} {e['detail']}" for e in answer.get("errors", []))
    return faults or str(answer.get("detail") or answer.get("title", ""))
