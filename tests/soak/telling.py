"""What providers tell the hub later: receipts that are repeated until they are taken, twice at times, in no order."""

import asyncio
import heapq
import itertools
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.simulators import sms_ru, smsc, unisender_go
from tests.simulators.base import Sent
from tests.soak.journal import Journal

SMSC_SECRET = "what-smsc-signs-with"

_DELIVERED, _READ, _BOUNCED = 0.7, 0.2, 0.002
_TWICE = 0.05
_WAIT, _PAUSE = (0.2, 6.0), 2.0
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Telling:
    """One receipt. `key`: the hub's own id of the delivery where the provider repeats it."""

    by: str
    id: str
    key: str
    status: str
    to: str
    event: Any


@dataclass(frozen=True, slots=True)
class Way:
    """How one provider calls: so many receipts at once, this body; the hub has taken them if it says `thanks`."""

    most: int
    body: Callable[[Sequence[Any]], bytes]
    form: bool = False
    thanks: str = ""


class Teller:
    """Of all providers. `urls`: where the hub wants to be called, by provider; until then everything waits."""

    def __init__(self, seed: str, journal: Journal, ways: Mapping[str, Way]) -> None:
        self.urls: dict[str, str] = {}
        self.waiting = 0
        self._chance = random.Random(seed)
        self._journal = journal
        self._ways = ways
        self._heap: list[tuple[float, int, Telling]] = []
        self._count = itertools.count()

    def mail(self, by: str, sent: Sent) -> None:
        key = str(sent.extra["recipient"]["metadata"]["delivery"])
        words = {"delivered": "delivered", "read": "opened", "bounced": "hard_bounced"}
        for status in self._statuses():
            reason = "err_user_unknown" if status == "bounced" else ""
            event = unisender_go.event(sent, words[status], reason)
            event["event_time"] = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
            self._add(Telling(by, sent.provider_id, key, status, sent.to, event))

    def smsc(self, by: str, sent: Sent) -> None:
        words = {"delivered": "1", "read": "2", "bounced": "22"}
        id_, _, digits = sent.provider_id.partition(":")
        for status in self._statuses():
            form = {"id": id_, "phone": digits, "status": words[status], "ts": str(_now())}
            self._add(Telling(by, sent.provider_id, "", status, f"+{digits}", form))

    def sms_ru(self, by: str, sent: Sent) -> None:
        words = {"delivered": "103", "read": "110"}
        for status in self._statuses():
            if status in words:
                entry = f"sms_status\n{sent.provider_id}\n{words[status]}\n{_now()}"
                self._add(Telling(by, sent.provider_id, "", status, f"+{sent.to}", entry))

    async def run(self) -> None:
        """Until cancelled."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
            while True:
                calls = self._due()
                await asyncio.gather(*(self._call(session, call) for call in calls))
                await asyncio.sleep(0.0 if calls else 0.1)

    def _statuses(self) -> list[str]:
        """In the order in which they are told, which is not always that of the events."""
        drawn = self._chance.random()
        if drawn < _BOUNCED:
            return ["bounced"]
        if drawn > _DELIVERED:
            return []
        told = ["delivered"]
        if self._chance.random() < _READ:
            told.insert(self._chance.choice((0, 1)), "read")
        return told

    def _add(self, telling: Telling) -> None:
        copies = 2 if self._chance.random() < _TWICE else 1
        for _ in range(copies):
            self._push(telling, self._chance.uniform(*_WAIT))

    def _push(self, telling: Telling, wait: float) -> None:
        self.waiting += 1
        heapq.heappush(self._heap, (time.monotonic() + wait, next(self._count), telling))

    def _due(self) -> list[list[Telling]]:
        """Some calls that can be made now, each of one provider."""
        calls: list[list[Telling]] = []
        open_calls: dict[str, list[Telling]] = {}
        now = time.monotonic()
        while self.urls and self._heap and self._heap[0][0] <= now and len(calls) <= _AT_ONCE:
            _, _, telling = heapq.heappop(self._heap)
            call = open_calls.get(telling.by)
            if call is None or len(call) >= self._ways[telling.by].most:
                call = open_calls[telling.by] = []
                calls.append(call)
            call.append(telling)
        return calls

    async def _call(self, session: aiohttp.ClientSession, call: list[Telling]) -> None:
        way, url = self._ways[call[0].by], self.urls[call[0].by]
        kind = "application/x-www-form-urlencoded" if way.form else "application/json"
        body = way.body([telling.event for telling in call])
        try:
            async with session.post(url, data=body, headers={"Content-Type": kind}) as answer:
                text = await answer.text()
                taken = answer.status == 200 and (not way.thanks or text == way.thanks)
        except (aiohttp.ClientError, TimeoutError):
            taken = False
        self.waiting -= len(call)
        if taken:
            self._journal.note(
                *(
                    {"by": t.by, "id": t.id, "key": t.key, "status": t.status, "to": t.to}
                    for t in call
                )
            )
        else:
            for telling in call:
                self._push(telling, _PAUSE)


def unisender(simulator: unisender_go.UnisenderGoSimulator) -> Way:
    return Way(100, lambda events: simulator.receipt(*events))


SMSC = Way(1, lambda events: smsc.callback(events[0], SMSC_SECRET), form=True, thanks="OK")
SMS_RU = Way(100, lambda events: sms_ru.callback(list(events)), form=True, thanks="100")


def _now() -> int:
    return int(time.time())
