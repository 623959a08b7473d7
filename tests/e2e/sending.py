"""A hub in a folder of its own that sends to a Telegram on this machine, and what became of each message."""

import asyncio
import itertools
import json
import os
import signal
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self

import aiohttp
from aiohttp import web

from tests.e2e.process import Up
from tests.simulators.telegram import TOKEN, Telegram

# One message a call, no key that would let the provider drop a repeat: every double arrives.
_SETTINGS = """
[[shops.main.accounts]]
name = "tg"
channel = "telegram"
provider = "bot_api"
token = "{token}"
base_url = "http://127.0.0.1:{port}"
limits = {{ per_second = 10000, per_recipient = "0s", concurrency = 40 }}
"""

_CROWD = 1_000_000
_FIRST_CALL = 10_000

Notification = Mapping[str, Any]


class SlowTelegram(Telegram):
    """Takes a message at once and answers `answers_after` seconds later: who dies in between cannot know."""

    answers_after = 0.0

    async def _answer(self, request: web.Request) -> web.Response:
        response = await super()._answer(request)
        await asyncio.sleep(self.answers_after)
        return response


class Place:
    """A folder with settings and data, on which `vestnik up` is started again and again."""

    def __init__(self, folder: Path, **environ: str) -> None:
        self.folder = folder
        self.telegram_port = _free_port()
        self._environ = environ
        self.url = ""
        self.key = ""
        self.crowds = 0
        self.up: Up
        self._frozen: list[int] = []
        settings = _SETTINGS.format(token=TOKEN, port=self.telegram_port)
        (folder / "vestnik.toml").write_text(settings)

    def start(self) -> float:
        """Starts and waits for `ready`; the seconds it took."""
        began = time.monotonic()
        self.up = Up(self.folder / "data", **self._environ)
        self.url = self.up.ready()
        took = time.monotonic() - began
        self.key = self.key or self.up.key()
        return took

    def kill_everything(self) -> None:
        """As a power cut does it: nobody gets to say a word."""
        pids = self.up.pids().values()
        # The supervisor first, so that it restarts nobody.
        self.up.process.kill()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        self.up.end()
        self.up.close()

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, float]:
        """The exit code and the seconds it took."""
        began = time.monotonic()
        code = self.up.stop(number)
        took = time.monotonic() - began
        self.up.close()
        for pid in self._frozen:
            # Whose parent is gone by now, which nobody sees who stands still.
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return code, took

    def signal(self, name: str, number: int) -> None:
        """To one of its processes."""
        os.kill(self.up.pids()[name], number)

    def freeze(self, name: str) -> None:
        """That process and all its children stand still."""
        pid = self.up.pids()[name]
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        self._frozen = [pid, *map(int, children)]
        for one in self._frozen:
            os.kill(one, signal.SIGSTOP)

    def thaw(self) -> None:
        while self._frozen:
            os.kill(self._frozen.pop(), signal.SIGCONT)


@contextmanager
def running(folder: Path, **environ: str) -> Iterator[Place]:
    place = Place(folder, **environ)
    try:
        place.start()
        yield place
    finally:
        place.up.close()


@dataclass(frozen=True, slots=True)
class Answer:
    """To one request that came in while something was broken."""

    status: int
    seconds: float
    retry_after: str


class Calls:
    """What came of single requests, sent one after the other."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []

    async def answered(self, status: int, within: float) -> None:
        """From now on."""
        seen = len(self.answers)
        await eventually(lambda: any(a.status == status for a in self.answers[seen:]), within)


class Crowd:
    """People on a Telegram, each of whom gets one message with a number as its text."""

    def __init__(self, telegram: SlowTelegram, place: Place) -> None:
        self.telegram = telegram
        self.place = place
        # What an earlier test left unsent must not be taken for ours.
        place.crowds += 1
        self._first = place.crowds * _CROWD
        self.ids: list[str] = []
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=30)
        self._session = aiohttp.ClientSession(timeout=timeout)
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._session:
            await self._session.close()

    async def call(
        self, method: str, path: str, body: Any = None, *, url: str = "", **headers: str
    ) -> tuple[int, Mapping[str, str], Any]:
        """Status, headers and JSON of an answer; of `place` where no other `url` is named."""
        assert self._session is not None
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        headers = {"Authorization": f"Bearer {self.place.key}", **named}
        async with self._session.request(
            method, (url or self.place.url) + path, json=body, headers=headers
        ) as response:
            return response.status, response.headers, json.loads(await response.read())

    def message(self, number: int, **more: Any) -> dict[str, Any]:
        """To a person of their own, with the number as its text."""
        id_ = self._first + number
        self.telegram.add_person(id_)
        recipient = {
            "external_id": f"buyer-{id_}",
            "addresses": {"telegram": str(id_)},
            "consents": {"marketing": {"telegram": "subscribed"}},
        }
        return {
            "recipient": recipient,
            "content": {"text": str(id_)},
            "meta": {"text": str(id_)},
            **more,
        }

    async def tell(self, numbers: Sequence[int], **more: Any) -> None:
        """All in one batch; every one is accepted."""
        messages = [self.message(number, **more) for number in numbers]
        status, _, answer = await self.call(
            "POST", "/v1/notifications/batch", {"notifications": messages}
        )
        assert status == 202, answer
        self.ids += [result["id"] for result in answer["results"]]

    @asynccontextmanager
    async def calling(self) -> AsyncIterator[Calls]:
        """Meanwhile single requests come in without a pause, one at a time."""
        calls = Calls()
        task = asyncio.create_task(self._call_on(calls))
        try:
            yield calls
        finally:
            task.cancel()
            await asyncio.wait([task])
        if not task.cancelled():
            await task

    async def _call_on(self, calls: Calls) -> None:
        for number in itertools.count(_FIRST_CALL):
            began = time.monotonic()
            status, headers, answer = await self.call(
                "POST", "/v1/notifications", self.message(number)
            )
            took = time.monotonic() - began
            calls.answers.append(Answer(status, took, headers.get("Retry-After", "")))
            if status == HTTPStatus.ACCEPTED:
                self.ids.append(answer["id"])
            await asyncio.sleep(0.02)

    async def notifications(self) -> list[Notification]:
        """Those that were told, in the order in which they were accepted."""
        found: dict[str, Notification] = {}
        wanted, cursor = set(self.ids), ""
        while wanted - found.keys():
            query = f"?limit=200&cursor={cursor}" if cursor else "?limit=200"
            status, _, page = await self.call("GET", f"/v1/notifications{query}")
            assert status == 200, page
            found |= {item["id"]: item for item in page["items"]}
            cursor = page["next_cursor"]
            if not cursor:
                break
        assert not wanted - found.keys(), "accepted and not known any more"
        return [found[id_] for id_ in self.ids]

    async def arrived(self, count: int, within: float = 30) -> None:
        """So many messages have reached Telegram."""
        await eventually(lambda: len(self.telegram.sent) >= count, within)

    async def refused(self, count: int, within: float = 20) -> None:
        """So many messages were tried, and it is written down that the provider did not take them."""
        async with asyncio.timeout(within):
            while True:
                attempts = [
                    attempt["outcome"]
                    for notification in await self.notifications()
                    for delivery in notification["deliveries"]
                    for attempt in delivery["attempts"]
                ]
                if attempts.count("retry") >= count and None not in attempts:
                    return
                await asyncio.sleep(0.1)

    async def ended(self, *statuses: str, within: float) -> float:
        """Every one has one of these statuses (`sent` where none is named); the seconds it took."""
        wanted, began = set(statuses or ("sent",)), time.monotonic()

        async def all_ended() -> bool:
            try:
                return {n["status"] for n in await self.notifications()} <= wanted
            except aiohttp.ClientError:
                return False

        while not await all_ended():
            assert time.monotonic() < began + within, f"it did not end within {within} s"
            await asyncio.sleep(0.2)
        return time.monotonic() - began

    async def check_arrivals(self) -> int:
        """What is `sent` has arrived, more than once only where it is marked; how many are marked."""
        times = Counter(sent.text for sent in self.telegram.sent)
        marked = 0
        for notification in await self.notifications():
            text = str(notification["meta"]["text"])
            doubtful = any(d["maybe_duplicate"] for d in notification["deliveries"])
            if notification["status"] == "sent":
                assert times[text] >= 1, f"{text} is sent and never arrived"
            assert times[text] <= 1 or doubtful, f"{text} came {times[text]} times"
            marked += doubtful
        return marked


async def eventually(happens: Callable[[], bool], within: float) -> None:
    end = time.monotonic() + within
    while not happens():
        assert time.monotonic() < end, f"it did not happen within {within} s"
        await asyncio.sleep(0.05)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])
