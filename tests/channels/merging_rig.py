"""Services that fill in fields, each before its simulator: what people get of letters that share what is the same."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from channels.base import Accepted, Adapter, Merged, Message
from channels.email.mailchimp_transactional import (
    MailchimpTransactional,
    MailchimpTransactionalConfig,
)
from channels.email.unisender_go import UnisenderGo, UnisenderGoConfig
from channels.http import ProviderHttp
from tests.simulators import mailchimp_transactional, unisender_go
from tests.simulators.mailchimp_transactional import MailchimpTransactionalSimulator
from tests.simulators.unisender_go import UnisenderGoSimulator

SERVICES = ("unisender_go", "unisender_go, taken apart", "mailchimp_transactional")
"""Taken apart: what can be comes without its text and HTML."""

Letter = tuple[str, str, str]


@dataclass
class Service:
    """`enough`: of so many letters of one skeleton it sends that but once. `place`: how a field's place looks."""

    name: str
    adapter: Adapter
    simulator: UnisenderGoSimulator | MailchimpTransactionalSimulator
    enough: int
    place: str
    run: Callable[..., Any]

    def received(self, messages: Sequence[Message]) -> dict[str, Letter]:
        """Subject, text and HTML by the letter's key, of letters that were all accepted."""
        self.simulator.sent.clear()
        self.simulator.calls.clear()
        if "apart" in self.name:
            messages = list(map(_apart, messages))
        for call in self.adapter.split(messages):
            outcomes = self.run(self.adapter.send(call))
            assert all(isinstance(outcome, Accepted) for outcome in outcomes)
        return {
            # The first half of an address is the key.
            sent.to.partition("@")[0]: (sent.subject, sent.text, sent.html)
            for sent in self.simulator.sent
        }

    @property
    def shared(self) -> list[str]:
        """What the calls of `received` told it to send to everybody: text and HTML, or places for them."""
        told = [call.get("message", call) for call in self.simulator.calls]
        bodies = [message.get("body", message) for message in told]
        return [
            body.get("plaintext", body.get("text", "")) + body.get("html", "") for body in bodies
        ]


@contextmanager
def service(name: str) -> Iterator[Service]:
    """With a loop of its own, for tests that are no coroutines."""
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        started = _unisender_go() if name.startswith("unisender_go") else _mailchimp_transactional()
        adapter, simulator = runner.run(started.__aenter__())
        enough, place = (20, "{{f0}}") if name.startswith("unisender_go") else (10, "*|FIELD_0|*")
        yield Service(name, adapter, simulator, enough, place, runner.run)
        runner.run(started.__aexit__(None, None, None))


def _apart(message: Message) -> Message:
    """As the hub gives it to adapters that are `Merging`: never one of which nothing would be left in the end."""
    if message.merged is None or not message.text:
        return message
    return replace(message, text="", html="")


@asynccontextmanager
async def _unisender_go() -> AsyncIterator[tuple[Adapter, Any]]:
    async with UnisenderGoSimulator() as simulator:
        given = {"token": unisender_go.TOKEN, "base_url": simulator.base_url}
        http = ProviderHttp()
        config = UnisenderGoConfig.model_validate(given | {"from": "shop@example.com"})
        yield UnisenderGo(config, http), simulator
        await http.close()


@asynccontextmanager
async def _mailchimp_transactional() -> AsyncIterator[tuple[Adapter, Any]]:
    async with MailchimpTransactionalSimulator() as simulator:
        given = {"token": mailchimp_transactional.TOKEN, "base_url": simulator.base_url}
        http = ProviderHttp()
        config = MailchimpTransactionalConfig.model_validate(given | {"from": "shop@example.com"})
        yield MailchimpTransactional(config, http), simulator
        await http.close()


def letter(key: str, merged: Merged, **changes: Any) -> Message:
    """One that says what its fields make of the skeleton."""
    text, html = (
        "".join(p if isinstance(p, str) else merged.fields[p] for p in pieces)
        for pieces in (merged.skeleton.text, merged.skeleton.html)
    )
    known = {"subject": f"Скидки, {key}", "batch_key": "batch"} | changes
    return Message(key, f"{key}@example.com", text, html=html, merged=merged, **known)
