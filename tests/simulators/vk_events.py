"""What happens in a VK community, by Long Poll and by Callback API: the same events through two doors."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web


@dataclass(slots=True)
class CallbackServer:
    id: int
    url: str
    title: str
    secret: str = ""
    status: str = "unconfigured"
    kinds: set[str] = field(default_factory=set)

    @property
    def shown(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "title": self.title,
            "url": self.url,
            "secret_key": self.secret,
            "status": self.status,
        }


class Events:
    """Every event gets an `event_id` that stays when it is delivered again.

    Long Poll: `ts` counts events, several pollers each get all. Callback: pushed until `ok` is heard, in
    no order across events.
    """

    def __init__(self, group_id: int) -> None:
        self._group_id = group_id
        self._log: list[dict[str, Any]] = []
        self._came = asyncio.Event()
        self.polled = asyncio.Event()
        """Set once somebody has begun to wait for events."""
        self._pushes: set[asyncio.Task[None]] = set()
        self._stopping = False
        self.key = "k1"
        self.kinds: set[str] = set()
        """Kinds that Long Poll is set to tell; none set: all."""
        self.failures: deque[int] = deque()
        """`failed` answers (1 to 4) of the next polls."""
        self.servers: dict[int, CallbackServer] = {}
        self.confirmation = "1a2b3c4d"
        self.first_pause = 10.0
        """Seconds before the first repeat of a push; the next ones grow."""
        self.pushed: list[tuple[str, int, str]] = []
        """(event_id, HTTP status, body) of each push; status 0 where no answer came."""
        self.copies = 1
        """How often each event is pushed at least, whatever is answered."""

    def add(self, kind: str, content: dict[str, Any]) -> str:
        event_id = f"e{len(self._log) + 1}"
        event = {
            "group_id": self._group_id,
            "type": kind,
            "event_id": event_id,
            "v": "5.199",
            "object": content,
        }
        self._log.append(event)
        self._came.set()
        for server in self.servers.values():
            if server.status == "ok" and kind in server.kinds:
                self._start_push(server, event)
        return event_id

    # -- Long Poll ---------------------------------------------------------------------------

    @property
    def ts(self) -> str:
        return str(len(self._log))

    def expire_key(self) -> None:
        """Polls with the old key are answered `failed: 2` until a new one is fetched."""
        self.key = f"k{int(self.key[1:]) + 1}"

    async def poll(self, request: web.Request) -> web.Response:
        fields = {**request.query, **{k: str(v) for k, v in (await request.post()).items()}}
        if self.failures:
            failed = self.failures.popleft()
            more = {"ts": self.ts} if failed == 1 else {}
            return web.json_response({"failed": failed, **more})
        if fields.get("key") != self.key:
            return web.json_response({"failed": 2})
        ts = int(fields.get("ts") or 0)
        if ts > len(self._log):
            return web.json_response({"failed": 1, "ts": self.ts})
        await self._wait_after(ts, min(float(fields.get("wait") or 25), 90.0))
        events = [e for e in self._log[ts:] if not self.kinds or e["type"] in self.kinds]
        return web.json_response({"ts": self.ts, "updates": events})

    async def _wait_after(self, ts: int, wait: float) -> None:
        self.polled.set()
        try:
            async with asyncio.timeout(wait):
                while len(self._log) <= ts and not self._stopping:
                    self._came.clear()
                    await self._came.wait()
        except TimeoutError:
            pass

    # -- Callback API ------------------------------------------------------------------------

    async def confirm(self, server: CallbackServer) -> None:
        """Asks the server for the confirmation code, as VK does when it is added."""
        body = {"type": "confirmation", "group_id": self._group_id}
        status, text = await self._post(server, body, retry=0)
        server.status = "ok" if (status, text) == (200, self.confirmation) else "failed"

    def push_again(self, event_id: str) -> None:
        """A duplicate of an event that was delivered before."""
        event = next(event for event in self._log if event["event_id"] == event_id)
        for server in self.servers.values():
            self._start_push(server, event)

    async def stop(self) -> None:
        self._stopping = True
        self._came.set()
        pushes = list(self._pushes)
        for push in pushes:
            push.cancel()
        await asyncio.gather(*pushes, return_exceptions=True)

    def _start_push(self, server: CallbackServer, event: dict[str, Any]) -> None:
        push = asyncio.create_task(self._push(server, event))
        self._pushes.add(push)
        push.add_done_callback(self._pushes.discard)

    async def _push(self, server: CallbackServer, event: dict[str, Any]) -> None:
        retry, heard, pause = 0, 0, self.first_pause
        while heard < self.copies:
            status, text = await self._post(server, event, retry=retry)
            self.pushed.append((event["event_id"], status, text))
            if (status, text) == (200, "ok"):
                heard += 1
            else:
                await asyncio.sleep(pause)
                pause = min(pause * 6, 3600.0)
            retry += 1

    async def _post(
        self, server: CallbackServer, body: dict[str, Any], *, retry: int
    ) -> tuple[int, str]:
        """Status and body; status 0 where no answer came."""
        secret = {"secret": server.secret} if server.secret else {}
        headers = {"X-Retry-Counter": str(retry)} if retry else {}
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.post(server.url, json={**body, **secret}, headers=headers) as response,
            ):
                return response.status, await response.text()
        except aiohttp.ClientError:
            return 0, ""
