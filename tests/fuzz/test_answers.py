"""Whatever a provider answers: no adapter raises, every message has one outcome, nothing secret is in it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import (
    Accepted,
    Asks,
    Check,
    Edits,
    Moved,
    Outcome,
    Receipt,
    ReceiptStatus,
    Refused,
    Retry,
    Scope,
    Unavailable,
)
from channels.http import Reply
from tests.contract.cases import Case, cases
from tests.fuzz.replies import replies
from tests.fuzz.rigs import Rig, rig

CASES = [case for case in cases() if case.provider not in ("smtp", "smpp")]
"""The others speak no HTTP: `test_wire.py`."""

_LONGEST_WAIT = timedelta(days=1)

Run = Callable[[Awaitable[Any]], Any]


@pytest.fixture(scope="module", params=CASES, ids=str)
def fuzzed(request: pytest.FixtureRequest) -> Iterator[tuple[Rig, Run]]:
    """A rig and the loop that it lives in: one for all examples of a provider."""
    case: Case = request.param
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        stack = AsyncExitStack()
        made = runner.run(stack.enter_async_context(rig(case)))
        try:
            yield made, runner.run  # type: ignore[misc]
        finally:
            runner.run(stack.aclose())


def drawn(data: st.DataObject, like: Sequence[Reply], odd: Sequence[Reply]) -> list[Reply]:
    """An answer to each call: the real ones, of which one or more are replaced."""
    answers = list(like)
    for place in range(len(answers)):
        if place == len(answers) - 1 or data.draw(st.booleans()):
            answers[place] = data.draw(replies([answers[place], *odd]))
    return answers or [data.draw(replies(odd))]


def check_text(text: object) -> None:
    assert isinstance(text, str)


def check_outcome(outcome: Outcome) -> None:
    match outcome:
        case Accepted(provider_id, cost):
            check_text(provider_id)
            check_cost(cost)
        case Retry(reason, after):
            check_text(reason)
            assert reason
            assert isinstance(after, timedelta)
            assert timedelta(0) <= after <= _LONGEST_WAIT
        case Refused(scope, code, reason):
            assert isinstance(scope, Scope)
            check_text(code)
            check_text(reason)
            assert code
            assert reason
        case Moved(to):
            check_text(to)
            assert to
        case _:
            raise AssertionError(f"no outcome: {outcome!r}")


def check_cost(cost: Decimal | None) -> None:
    assert cost is None or isinstance(cost, Decimal)
    if cost is not None:
        assert cost.is_finite()
        assert 0 <= cost < 10**9


def check_receipt(receipt: Receipt) -> None:
    assert isinstance(receipt.status, ReceiptStatus)
    for text in (receipt.provider_id, receipt.key, receipt.code, receipt.text, receipt.address):
        check_text(text)
    check_cost(receipt.cost)
    if receipt.at is not None:
        assert isinstance(receipt.at, datetime)
        assert receipt.at.tzinfo is not None


@given(st.data())
def test_send(fuzzed: tuple[Rig, Run], data: st.DataObject) -> None:
    made, run = fuzzed
    heard = made.heard
    answers = drawn(data, heard.sending, heard.odd)

    async def send() -> None:
        adapter, _ = made.adapter(answers)
        call = adapter.split(made.case.messages)[0]
        outcomes = await adapter.send(call)
        await adapter.close()

        assert len(outcomes) == len(call)
        for outcome in outcomes:
            check_outcome(outcome)
        assert not made.leaks(repr(outcomes))

    run(send())


@given(st.data())
def test_check(fuzzed: tuple[Rig, Run], data: st.DataObject) -> None:
    made, run = fuzzed
    answers = drawn(data, made.heard.checking, made.heard.odd)

    async def check() -> None:
        adapter, _ = made.adapter(answers)
        told = await adapter.check()
        await adapter.close()

        assert isinstance(told, Check)
        check_text(told.text)
        assert told.text
        assert not made.leaks(told.text)

    run(check())


@given(st.data())
def test_ask(fuzzed: tuple[Rig, Run], data: st.DataObject) -> None:
    made, run = fuzzed
    if made.case.asking is None:
        pytest.skip("this provider is not asked")
    answers = drawn(data, made.heard.asking, made.heard.odd)

    async def ask() -> None:
        adapter, _ = made.adapter(answers)
        assert isinstance(adapter, Asks)
        told: Sequence[Receipt] | Unavailable
        try:
            told = await adapter.ask(made.heard.sent)
        except Unavailable as away:
            told = away
        await adapter.close()

        for receipt in () if isinstance(told, Unavailable) else told:
            check_receipt(receipt)
        assert not made.leaks(repr(told))

    run(ask())


@given(st.data())
def test_edit(fuzzed: tuple[Rig, Run], data: st.DataObject) -> None:
    made, run = fuzzed
    if not made.heard.editing:
        pytest.skip("this provider's messages stay as they are")
    answers = drawn(data, made.heard.editing, made.heard.odd)

    async def edit() -> None:
        adapter, _ = made.adapter(answers)
        assert isinstance(adapter, Edits)
        outcome = await adapter.edit(made.heard.sent[0].provider_id, made.case.messages[0])
        await adapter.close()

        check_outcome(outcome)
        assert not made.leaks(repr(outcome))

    run(edit())
