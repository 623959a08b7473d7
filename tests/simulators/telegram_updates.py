"""What Telegram holds back for a bot until it is fetched or pushed: the queue behind getUpdates and webhooks."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

# The server forgets presses much sooner than messages (telegram-bot-api, `Client.cpp`).
_LIVES = {"callback_query": 150.0}
_LIVES_OTHERWISE = 86_400.0
_NOT_BY_DEFAULT = frozenset({"chat_member", "message_reaction", "message_reaction_count"})


@dataclass(frozen=True, slots=True)
class Update:
    id: int
    kind: str
    chat_id: int
    made_at: float
    body: dict[str, Any]

    @property
    def dies_at(self) -> float:
        return self.made_at + _LIVES.get(self.kind, _LIVES_OTHERWISE)


@dataclass(slots=True)
class Webhook:
    url: str
    secret: str = ""


class Updates:
    """One bot's queue. Pushing: in order and one at a time per chat, repeated until a 2xx comes."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._queue: list[Update] = []
        self._next_id = 9001
        self._came = asyncio.Event()
        self.polled = asyncio.Event()
        """Set once somebody has begun to wait for updates."""
        self._poller: asyncio.Event | None = None
        self._pushing: dict[int, asyncio.Task[None]] = {}
        self.allowed: frozenset[str] = frozenset()
        self.webhook: Webhook | None = None
        self.first_pause = 1.0
        """Seconds before the first repeat of a push; doubled up to a minute."""
        self.pushes: list[tuple[int, int]] = []
        """(update_id, status) of each push; 0 where no answer came."""
        self.last_error = ""

    def add(self, kind: str, chat_id: int, content: dict[str, Any]) -> int:
        """The `update_id`; an update that is not among the allowed ones gets one, too, and is lost."""
        update_id = self._next_id
        self._next_id += 1
        if kind in self.allowed or (not self.allowed and kind not in _NOT_BY_DEFAULT):
            body = {"update_id": update_id, kind: content}
            self._queue.append(Update(update_id, kind, chat_id, self._now(), body))
            self._came.set()
            self._push(chat_id)
        return update_id

    @property
    def pending(self) -> list[dict[str, Any]]:
        self._queue = [update for update in self._queue if update.dies_at > self._now()]
        return [update.body for update in self._queue]

    def confirm(self, offset: int) -> None:
        """A negative offset keeps that many from the end, as the real one does."""
        if offset < 0:
            self._queue = self._queue[offset:]
        else:
            self._queue = [update for update in self._queue if update.id >= offset]

    def drop_all(self) -> None:
        self._queue.clear()

    async def wait(self, timeout: float) -> bool:
        """Until there is something or the time is over. False: another poller came in between."""
        self.take_over()
        mine = self._poller = asyncio.Event()
        self.polled.set()
        try:
            async with asyncio.timeout(timeout):
                while not self.pending and not mine.is_set():
                    self._came.clear()
                    await self._came.wait()
        except TimeoutError:
            pass
        finally:
            if self._poller is mine:
                self._poller = None
        return not mine.is_set()

    def take_over(self) -> None:
        """Ends the poll under way, if any: there is one receiver only."""
        if self._poller:
            self._poller.set()
            self._poller = None
            self._came.set()

    def start_pushing(self) -> None:
        for chat_id in {update.chat_id for update in self._queue}:
            self._push(chat_id)

    async def stop_pushing(self) -> None:
        tasks = list(self._pushing.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._pushing.clear()

    def _push(self, chat_id: int) -> None:
        running = self._pushing.get(chat_id)
        if self.webhook and (running is None or running.done()):
            self._pushing[chat_id] = asyncio.create_task(self._push_chat(chat_id))

    async def _push_chat(self, chat_id: int) -> None:
        pause = self.first_pause
        async with aiohttp.ClientSession() as session:
            while (hook := self.webhook) and (update := self._head(chat_id)):
                if await self._push_one(session, hook, update):
                    self._queue.remove(update)
                    pause = self.first_pause
                else:
                    # The head blocks its chat's queue; other chats go on.
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, 60.0)

    def _head(self, chat_id: int) -> Update | None:
        alive: Sequence[Update] = [u for u in self._queue if u.dies_at > self._now()]
        return next((update for update in alive if update.chat_id == chat_id), None)

    async def _push_one(
        self, session: aiohttp.ClientSession, hook: Webhook, update: Update
    ) -> bool:
        headers = {"X-Telegram-Bot-Api-Secret-Token": hook.secret} if hook.secret else {}
        try:
            async with session.post(
                hook.url, json=update.body, headers=headers, allow_redirects=False
            ) as response:
                await response.read()
                status = response.status
        except aiohttp.ClientError:
            status = 0
        self.pushes.append((update.id, status))
        if not 200 <= status < 300:
            self.last_error = f"Wrong response from the webhook: {status}"
        return 200 <= status < 300
