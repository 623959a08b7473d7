"""A shop's backend that behaves well, a process of its own: `python -m tests.soak.feeder SETTINGS`, as JSON.

It sends the calls of `plan`, each with its Idempotency-Key until it is answered, and writes down every id that is
accepted. How many may be accepted in all it reads from stdin; how many were it says on stdout.
"""

import asyncio
import json
import random
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp

from hub.embedded.process import until
from tests.soak import plan
from tests.soak.journal import Journal
from tests.soak.plan import Call, Said

_CLIENTS = 8
_PATIENCE = aiohttp.ClientTimeout(total=15)
_AGAIN = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        # The first try with this key is still at work.
        HTTPStatus.CONFLICT,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)


@dataclass(frozen=True, slots=True)
class Settings:
    url: str
    key: str
    folder: str
    total: int
    people: int
    seed: int
    per_second: float


class Feeder:
    def __init__(self, settings: Settings, session: aiohttp.ClientSession) -> None:
        self._settings = settings
        self._session = session
        self._calls: Iterator[tuple[int, Call]] = enumerate(
            plan.calls(settings.total, settings.people, settings.seed)
        )
        self._accepted = Journal(Path(settings.folder) / "accepted.jsonl")
        self._trouble = Journal(Path(settings.folder) / "trouble.jsonl")
        self._orders = Journal(Path(settings.folder) / "orders.jsonl")
        self._next_at = time.monotonic()
        self.allowed = 0
        self.begun = 0
        self.accepted = 0

    async def run(self) -> None:
        await asyncio.gather(*(self._client() for _ in range(_CLIENTS)))

    async def _client(self) -> None:
        for number, call in self._calls:
            await self._turn(len(call.said) or 1)
            if call.order:
                await self._put_order(call.order)
            elif call.batch:
                await self._batch(number, call)
            else:
                for place, said in enumerate(call.said):
                    await self._single(f"{number}-{place}", said)

    async def _turn(self, size: int) -> None:
        """Waits for the pace, and for leave to go on."""
        self.begun += size
        mine = self.begun
        await until(lambda: self.allowed >= mine)
        now = time.monotonic()
        self._next_at = max(self._next_at, now) + size / self._settings.per_second
        await asyncio.sleep(max(0.0, self._next_at - now))

    async def _single(self, key: str, said: Said) -> None:
        body = await self._until_answered("POST", "/v1/notifications", said.body, key)
        self._note([said], [body])

    async def _batch(self, number: int, call: Call) -> None:
        body = {"notifications": [said.body for said in call.said]}
        answer = await self._until_answered("POST", "/v1/notifications/batch", body, str(number))
        self._note(call.said, answer.get("results", [answer]))

    async def _put_order(self, number: str) -> None:
        answer = await self._until_answered("PUT", f"/v1/orders/{number}", plan.order(number), "")
        self._orders.note({"number": number, "taken": "status" in answer})

    def _note(self, said: Any, answers: list[dict[str, Any]]) -> None:
        pairs = list(zip(said, answers, strict=False))
        self._accepted.note(*(one.noted(a["id"]) for one, a in pairs if "id" in a))
        refused = [a for _, a in pairs if "id" not in a]
        self._trouble.note(*({"refused": answer} for answer in refused))
        self.accepted += len(pairs) - len(refused)

    async def _until_answered(self, method: str, path: str, body: Any, key: str) -> dict[str, Any]:
        """The same bytes with the same key, again and again until there is an answer that will not change."""
        data = json.dumps(body).encode()
        headers = {
            "Content-Type": "application/json",
            "Authorization": f"Bearer {self._settings.key}",
        }
        if key:
            headers["Idempotency-Key"] = f"{self._settings.seed}-{key}"
        while True:
            wait = 0.2
            try:
                async with self._session.request(
                    method, self._settings.url + path, data=data, headers=headers
                ) as response:
                    text = await response.read()
                    if response.status not in _AGAIN:
                        answer: dict[str, Any] = json.loads(text)
                        return answer
                    wait = float(response.headers.get("Retry-After", wait))
                    if response.status == HTTPStatus.INTERNAL_SERVER_ERROR:
                        self._trouble.note({"error": text.decode(errors="replace")})
            except (aiohttp.ClientError, TimeoutError, ValueError):
                pass
            await asyncio.sleep(wait * random.uniform(0.5, 1.0))


async def _main(settings: Settings) -> None:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=_PATIENCE) as session:
        feeder = Feeder(settings, session)
        threading.Thread(target=_listen, args=(feeder,), daemon=True).start()
        saying = asyncio.create_task(_say(feeder))
        await feeder.run()
        saying.cancel()
        print(json.dumps({"accepted": feeder.accepted, "done": True}), flush=True)


def _listen(feeder: Feeder) -> None:
    for line in sys.stdin:
        feeder.allowed = int(line)


async def _say(feeder: Feeder) -> None:
    while True:
        print(json.dumps({"accepted": feeder.accepted}), flush=True)
        await asyncio.sleep(0.2)


if __name__ == "__main__":
    asyncio.run(_main(Settings(**json.loads(sys.argv[1]))))
