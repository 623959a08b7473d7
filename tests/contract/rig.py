"""An adapter that stands against its running simulator, and which tests are for which of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, get_args

from channels import registry
from channels.base import (
    Accepted,
    Adapter,
    Message,
    Outcome,
)
from tests.contract.cases import (
    Case,
)


def only(applies: Callable[[Case], Any]) -> Callable[[Any], Any]:
    """The test is made for those cases alone: what a provider cannot do is nothing to be skipped."""

    def mark(test: Any) -> Any:
        test.only = applies
        return test

    return mark


def recognises_repeats(case: Case) -> bool:
    return registry.adapter_class(case.channel, case.provider).deduplicates > timedelta(0)


@dataclass(frozen=True, slots=True)
class Rig:
    """An adapter that stands against its running simulator."""

    case: Case
    simulator: Any
    adapter: Adapter

    @property
    def call(self) -> list[Message]:
        """The first provider call of the case's messages."""
        return self.adapter.split(self.case.messages)[0]

    async def send(self, call: Sequence[Message]) -> list[Outcome]:
        """`send`, with what holds of every answer to it."""
        outcomes = await self.adapter.send(call)

        assert len(outcomes) == len(call), (
            f"`send` gives one outcome per message, and {len(call)} messages got {outcomes}; "
            "of a call that failed as a whole each message gets the same one"
        )
        assert all(isinstance(outcome, get_args(Outcome)) for outcome in outcomes), outcomes
        assert not self.leaks(repr(outcomes)), "a secret of the account is in an outcome"
        return outcomes

    async def accepted(self) -> tuple[list[Message], list[Accepted]]:
        """The first call's messages, sent, and what they came to."""
        every = await self.send(self.call)
        outcomes = [o for o in every if isinstance(o, Accepted)]
        assert len(outcomes) == len(every), f"the case's own `messages` must be accepted: {every}"
        assert len(self.simulator.sent) >= len(every), (
            "the simulator must `take` a Sent for each message that it accepts"
        )
        return self.call, outcomes

    def leaks(self, text: str) -> list[str]:
        return [secret for secret in self.case.secrets if secret in text]
