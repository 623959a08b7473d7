"""How a provider feels: well most of the time, else slow, failing, throttling, lying or silent for some seconds."""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Mood(StrEnum):
    WELL = "well"
    SLOW = "slow"
    FAILING = "failing"
    """500 and 503: not done."""
    BEHIND_A_GATEWAY = "behind a gateway"
    """502 and 504: done or not."""
    THROTTLING = "throttling"
    LYING = "lying"
    """Breaks the connection off, or says 200 with rubbish; done or not."""
    SILENT = "silent"
    """Never answers; done or not."""


@dataclass(frozen=True, slots=True)
class Act:
    """What happens to one request. `takes`: the message is taken whatever is said then."""

    mood: Mood = Mood.WELL
    delay: float = 0.0
    takes: bool = True


# Of the requests in such a mood, how many it falls upon.
_SHARE = {
    Mood.SLOW: 1.0,
    Mood.FAILING: 0.6,
    Mood.BEHIND_A_GATEWAY: 0.4,
    Mood.THROTTLING: 0.6,
    Mood.LYING: 0.4,
    Mood.SILENT: 0.25,
}
_BAD = tuple(_SHARE)
_WELL_FOR, _BAD_FOR = (6.0, 25.0), (2.0, 8.0)
_ODD = 0.002
"""In good times, too, something goes wrong with every five hundredth request."""


class Moods:
    """One provider's, by chance; `calm_until` (of `clock`) keeps it well for a while. `over`, once set: for good."""

    def __init__(self, seed: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._chance = random.Random(seed)
        self._clock = clock
        self._mood = Mood.WELL
        self._until = clock() + self._chance.uniform(*_WELL_FOR) / 2
        self.calm_until = 0.0
        self.over = asyncio.Event()

    def act(self) -> Act:
        """What befalls the request that has just come."""
        now = self._clock()
        if self.over.is_set() or now < self.calm_until:
            return Act(delay=self._pace())
        self._go_on(now)
        mood = self._mood
        if mood is Mood.WELL and self._chance.random() < _ODD:
            mood = self._chance.choice(_BAD)
        elif mood is Mood.WELL or self._chance.random() >= _SHARE[mood]:
            return Act(delay=self._pace())
        if mood is Mood.SLOW:
            return Act(mood, self._chance.uniform(0.3, 2.5))
        unsure = mood in (Mood.BEHIND_A_GATEWAY, Mood.LYING, Mood.SILENT)
        return Act(mood, self._pace(), takes=unsure and self._chance.random() < 0.5)

    def pick(self, *choices: int) -> int:
        return self._chance.choice(choices)

    def _pace(self) -> float:
        return self._chance.uniform(0.005, 0.08)

    def _go_on(self, now: float) -> None:
        if now < self._until:
            return
        well = self._mood is not Mood.WELL
        self._mood = Mood.WELL if well else self._chance.choice(_BAD)
        self._until = now + self._chance.uniform(*(_WELL_FOR if well else _BAD_FOR))
