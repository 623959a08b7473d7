"""What the shop tells whom: the calls of a whole run, drawn from its seed."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.soak.people import KEEPERS, Keeper, Person

CASCADE_WAIT = 15
EXPIRES = timedelta(seconds=25)
LATEST = timedelta(seconds=30)
"""How far ahead `send_at` may be."""

_CHANNELS = {"email": 5, "telegram": 5, "vk": 3, "max": 3, "sms": 3, "push": 3}
_ORDER_EVERY = 150


@dataclass(frozen=True, slots=True)
class Said:
    """One notification. `seq`: its place among those with its `ordering_key`."""

    mark: str
    person: Person
    category: str
    channels: Sequence[str]
    text: str = ""
    strategy: str = "first"
    ordering_key: str = ""
    collapse_key: str = ""
    seq: int = 0
    waits: timedelta = timedelta(0)
    expires: bool = False

    @property
    def body(self) -> dict[str, Any]:
        now = datetime.now(UTC)
        body: dict[str, Any] = {
            "recipient": self.person.recipient,
            "content": {"subject": "Ромашка", "text": self.text or f"Заказ {self.mark} готов"},
            "category": self.category,
            "channels": list(self.channels),
            "strategy": self.strategy,
            "meta": {"mark": self.mark},
        }
        if self.strategy == "cascade":
            body["cascade"] = {"until": "delivered", "wait": CASCADE_WAIT}
        if self.ordering_key:
            body["ordering_key"] = self.ordering_key
        if self.collapse_key:
            body["collapse_key"] = self.collapse_key
        if self.waits:
            body["send_at"] = (now + self.waits).isoformat()
        if self.expires:
            body["expires_at"] = (now + EXPIRES).isoformat()
        return body

    def noted(self, id_: str) -> dict[str, Any]:
        """What is kept of it once it is accepted."""
        return {
            "id": id_,
            "mark": self.mark,
            "person": self.person.number,
            "category": self.category,
            "channels": list(self.channels),
            "strategy": self.strategy,
            "ordering_key": self.ordering_key,
            "collapse_key": self.collapse_key,
            "seq": self.seq,
            "expires": self.expires,
        }


@dataclass(frozen=True, slots=True)
class Call:
    """One request, or several that wait for each other's answers (`batch` false). `order`: one of its number."""

    said: Sequence[Said] = ()
    batch: bool = False
    order: str = ""


def calls(total: int, people: int, seed: int) -> Iterator[Call]:
    """Of exactly `total` notifications; orders come on top."""
    return _Plan(total, people, seed).calls()


def order(number: str) -> dict[str, Any]:
    """A question to the storekeeper whose turn it is."""
    keeper = Keeper(int(number[1:]) % KEEPERS)
    line = {
        "id": "1",
        "title": "Чайник",
        "quantity": 1,
        "seller": {"external_id": "seller"},
        "warehouse": {"external_id": keeper.warehouse},
    }
    return {"number": number, "status": "placed", "lines": [line]}


def keepers() -> Mapping[str, dict[str, Any]]:
    """Who has to be there before the first order, by external id."""
    found: dict[str, dict[str, Any]] = {"seller": {"role": "seller"}}
    for keeper in map(Keeper, range(KEEPERS)):
        found[f"keeper-{keeper.number}"] = {
            "role": "warehouse",
            "warehouses": [keeper.warehouse],
            "addresses": {keeper.channel: keeper.address},
        }
    return found


class _Plan:
    def __init__(self, total: int, people: int, seed: int) -> None:
        self._left = total
        self._people = people
        self._chance = random.Random(f"{seed}-plan")
        self._marks = 0
        self._series = 0

    def calls(self) -> Iterator[Call]:
        since_order, orders = _ORDER_EVERY, 0
        kinds = {
            self._single: 24,
            self._batch: 6,
            self._marketing: 3,
            self._security: 8,
            self._next_channel: 8,
            self._cascade: 3,
            self._everywhere: 2,
            self._series_of_singles: 4,
            self._series_in_batch: 3,
            self._collapsing: 2,
            self._later: 3,
            self._expiring: 2,
        }
        while self._left:
            [kind] = self._chance.choices(list(kinds), list(kinds.values()))
            call = kind()
            call = Call(call.said[: self._left], call.batch)
            self._left -= len(call.said)
            yield call
            since_order += len(call.said)
            while since_order >= _ORDER_EVERY:
                since_order -= _ORDER_EVERY
                orders += 1
                yield Call(order=f"s{orders:07}")

    def _said(self, channels: Sequence[str], category: str = "transactional", **more: Any) -> Said:
        person = more.pop("person", None) or self._person()
        return Said(self._mark(), person, category, channels, **more)

    def _mark(self) -> str:
        self._marks += 1
        return f"t{self._marks:07}"

    def _person(self) -> Person:
        return Person(self._chance.randrange(self._people))

    def _channel(self) -> str:
        return self._chance.choices(list(_CHANNELS), list(_CHANNELS.values()))[0]

    def _single(self) -> Call:
        return Call([self._said([self._channel()])])

    def _batch(self) -> Call:
        many = range(self._chance.randrange(10, 60))
        return Call([self._said([self._channel()]) for _ in many], batch=True)

    def _marketing(self) -> Call:
        """Letters and messages that are all alike go in calls of many."""
        channel = self._chance.choice(("email", "email", "telegram", "vk", "max"))
        size = min(self._chance.randrange(20, 120), self._people)
        numbers = self._chance.sample(range(self._people), size)
        mark = self._mark()
        text = f"Скидки до воскресенья {mark}"
        said = [Said(mark, Person(n), "marketing", [channel], text=text) for n in numbers]
        return Call(said, batch=True)

    def _security(self) -> Call:
        return Call([self._said([self._chance.choice(("push", "sms"))], "security")])

    def _next_channel(self) -> Call:
        first, second = self._chance.sample(list(_CHANNELS), 2)
        return Call([self._said([first, second])])

    def _cascade(self) -> Call:
        return Call([self._said(["email", "sms"], strategy="cascade")])

    def _everywhere(self) -> Call:
        return Call([self._said(["push", "telegram"], strategy="all")])

    def _series_of_singles(self) -> Call:
        return Call(self._ordered(4))

    def _series_in_batch(self) -> Call:
        return Call(self._ordered(6), batch=True)

    def _ordered(self, most: int) -> list[Said]:
        self._series += 1
        key, person, channel = f"series-{self._series}", self._person(), self._channel()
        many = range(self._chance.randrange(2, most + 1))
        return [
            self._said([channel], person=person, ordering_key=key, seq=number) for number in many
        ]

    def _collapsing(self) -> Call:
        """The later of two replaces the first where that has not left."""
        self._series += 1
        key, person = f"state-{self._series}", self._person()
        later: dict[str, Any] = {
            "person": person,
            "collapse_key": key,
            "waits": timedelta(seconds=3),
        }
        return Call([self._said(["telegram"], seq=number, **later) for number in range(2)])

    def _later(self) -> Call:
        wait = timedelta(seconds=self._chance.uniform(2, LATEST.total_seconds()))
        return Call([self._said([self._channel()], waits=wait)])

    def _expiring(self) -> Call:
        return Call([self._said([self._channel()], expires=True)])
