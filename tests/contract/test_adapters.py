"""What the hub may rely on with every adapter, whoever carries the message."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any, get_args

import pytest

from channels import registry
from channels.base import (
    Accepted,
    Adapter,
    Asks,
    BadHook,
    Heard,
    HookRequest,
    Listens,
    Message,
    Outcome,
    ReadsHooks,
    Receipt,
    ReceiptStatus,
    Refused,
    Retry,
    Scope,
    Sent,
    Told,
    Unavailable,
    WholeCalls,
)
from channels.http import ProviderHttp
from tests.contract.cases import (
    PATIENCE,
    Asking,
    Case,
    Hook,
    Listening,
    Refusal,
    Throttle,
    Trouble,
    cases,
    named,
    odd_answer,
)
from tests.simulators.base import Fault

CASES = cases()


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


@pytest.fixture
async def rig(case: Case) -> AsyncIterator[Rig]:
    async with case.simulator() as simulator:
        http = ProviderHttp(timeout=PATIENCE)
        adapter = case.build(simulator, http)
        yield Rig(case, simulator, adapter)
        await adapter.close()
        await http.close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`case` alone, or `case` with each of its troubles, throttles or refusals."""
    names = metafunc.fixturenames
    if "trouble" in names:
        pairs: list[tuple[Case, Any, str]] = [
            (case, trouble, trouble.name)
            for case in CASES
            for trouble in (*case.troubles, *map(odd_answer, case.odd_answers))
        ]
        _parametrize(metafunc, "trouble", pairs)
    elif "throttle" in names:
        _parametrize(metafunc, "throttle", [(c, t, t.name) for c in CASES for t in c.throttles])
    elif "refusal" in names:
        _parametrize(
            metafunc, "refusal", [(c, r, f"{r.scope}-{r.name}") for c in CASES for r in c.refusals]
        )
    elif "case" in names:
        metafunc.parametrize("case", CASES, ids=str)


def _parametrize(
    metafunc: pytest.Metafunc, name: str, pairs: Sequence[tuple[Case, Any, str]]
) -> None:
    metafunc.parametrize(
        ("case", name),
        [(case, value) for case, value, _ in pairs],
        ids=[f"{case}-{label}" for case, _, label in pairs],
    )


def test_every_adapter_is_here() -> None:
    missing = set(registry.known()) - named()
    assert not missing, (
        f"write tests/contract/case_<provider>.py and name it in cases.py: {missing}"
    )
    assert named() == set(registry.known())


def test_it_has_a_page(case: Case) -> None:
    page = Path("docs/providers") / f"{registry.described(case.channel, case.provider).page}.md"

    assert page.is_file(), f"write {page}: what to set, where to get it, limits, errors"
    shown = f'provider = "{case.provider}"' in page.read_text(encoding="utf-8")
    assert shown, (
        f'{page} needs an example of the account, with the line: provider = "{case.provider}"'
    )


async def test_the_case_has_what_the_adapter_can(rig: Rig) -> None:
    reads, asks = isinstance(rig.adapter, ReadsHooks), isinstance(rig.adapter, Asks)
    listens = isinstance(rig.adapter, Listens)

    assert reads is (rig.case.hook is not None), "read_hook needs `hook` in the case, and only it"
    assert asks is (rig.case.asking is not None), "ask needs `asking` in the case, and only it"
    assert listens is (rig.case.listening is not None), "listen needs `listening`, and only it"


def test_the_case_is_of_the_adapter_that_it_names(case: Case) -> None:
    adapter = registry.adapter_class(case.channel, case.provider)

    assert (adapter.channel, adapter.provider) == (case.channel, case.provider), (
        "the adapter's `channel` and `provider` are not those of its entry in the registry"
    )


def test_there_is_a_refusal_of_every_scope(case: Case) -> None:
    missing = set(Scope) - {refusal.scope for refusal in case.refusals}
    assert not missing, f"add to `refusals` of the case one of scope {sorted(missing)}"


def test_the_case_says_enough(case: Case) -> None:
    adapter = registry.adapter_class(case.channel, case.provider)
    secret = [
        name
        for name, field in adapter.Config.model_fields.items()
        if "SecretStr" in str(field.annotation)
    ]

    assert min(len({m.key for m in case.messages}), len({m.to for m in case.messages})) >= 3, (
        "`messages` of the case: three or more, with different keys and addresses"
    )
    assert case.troubles, "`troubles` of the case: HTTP_TROUBLES, or its own"
    assert not secret or case.secrets, f"`secrets` of the case must list the values of {secret}"


async def test_accepted_messages_get_the_providers_ids_in_order(rig: Rig) -> None:
    calls = rig.adapter.split(rig.case.messages)

    outcomes = [await rig.send(call) for call in calls]

    every = list(chain.from_iterable(outcomes))
    assert all(isinstance(outcome, Accepted) for outcome in every), (
        f"the case's own `messages` must be accepted: {every}"
    )
    got = [
        (rig.case.recipient(message), outcome.provider_id)
        for call, results in zip(calls, outcomes, strict=True)
        for message, outcome in zip(call, results, strict=True)
        if isinstance(outcome, Accepted)
    ]
    assert got == [(sent.to, sent.provider_id) for sent in rig.simulator.sent], (
        "what was `Accepted` (left) is not what the simulator took (right): ids that differ are the adapter's, "
        "addresses that only look different need `recipient` in the case, nothing taken: the simulator's `take`"
    )
    assert len({provider_id for _, provider_id in got}) == len(rig.case.messages), (
        f"every message needs a provider_id of its own: {got}"
    )
    assert all(provider_id for _, provider_id in got)


async def test_trouble_is_a_retry_that_says_whether_it_may_have_been_sent(
    rig: Rig, trouble: Trouble
) -> None:
    if rig.case.warm:
        await rig.send(rig.call)
    trouble.arrange(rig.simulator)

    outcomes = await rig.send(rig.call)

    for outcome in outcomes:
        assert isinstance(outcome, Retry), f"{trouble.name} is a Retry, not {outcome}"
        assert outcome.maybe_sent is trouble.maybe_sent, (
            f"after {trouble.name} the message {'may' if trouble.maybe_sent else 'cannot'} have "
            f"been sent (see `unclear`), but the outcome is {outcome}"
        )
        assert outcome.reason


async def test_a_refused_connection_means_that_nothing_was_sent(rig: Rig) -> None:
    await rig.simulator.stop()

    outcomes = await rig.send(rig.call)

    for outcome in outcomes:
        assert isinstance(outcome, Retry), outcome
        assert not outcome.maybe_sent, f"nothing left this machine, but the outcome is {outcome}"


async def test_throttling_is_waited_out_and_is_nobodys_fault(rig: Rig, throttle: Throttle) -> None:
    throttle.arrange(rig.simulator)

    outcomes = await rig.send(rig.call)

    for outcome in outcomes:
        assert isinstance(outcome, Retry), f"{throttle.name} is a Retry, not {outcome}"
        assert outcome.throttled, f"{throttle.name} needs throttled=True: {outcome}"
        assert not outcome.maybe_sent, f"{throttle.name}: nothing was sent, but {outcome}"
        assert outcome.after >= throttle.after, f"they asked for {throttle.after}: {outcome}"


async def test_a_refusal_names_whose_fault_it_is(rig: Rig, refusal: Refusal) -> None:
    refusal.arrange(rig.simulator)

    [outcome] = await rig.send([refusal.message])

    assert isinstance(outcome, Refused), f"{refusal.name} is Refused, not {outcome}"
    assert outcome.scope is refusal.scope, f"{refusal.name} is of {refusal.scope}: {outcome}"
    assert outcome.code
    assert outcome.reason
    assert not rig.simulator.sent


async def test_one_bad_address_does_not_stop_the_others(rig: Rig) -> None:
    first, *rest = rig.case.messages
    refusal = next((r for r in rig.case.refusals if r.scope is Scope.RECIPIENT), None)
    assert refusal, "add to `refusals` of the case one of scope RECIPIENT"
    refusal.arrange(rig.simulator)
    calls = rig.adapter.split([first, refusal.message, *rest])

    outcomes = list(chain.from_iterable([await rig.send(call) for call in calls]))

    keys = [message.key for message in chain.from_iterable(calls)]
    accepted = [isinstance(outcome, Accepted) for outcome in outcomes]
    assert dict(zip(keys, accepted, strict=True)) == {
        first.key: True,
        refusal.message.key: False,
        **{message.key: True for message in rest},
    }, f"{refusal.name} must touch {refusal.message.key} alone: {outcomes}"


async def test_a_recognised_repeat_is_not_a_second_message(rig: Rig) -> None:
    if rig.adapter.deduplicates == timedelta(0):
        pytest.skip("this provider recognises no repeats")
    first = await rig.send(rig.call)

    second = await rig.send(rig.call)

    assert all(isinstance(outcome, Accepted) for outcome in (*first, *second)), (
        f"`deduplicates` promises that a repeat is Accepted: {first}, then {second}"
    )
    assert len(rig.simulator.sent) == len(rig.call), (
        "`deduplicates` promises that a repeat is no second message: it must hand over the same key, "
        "and the simulator must recognise it"
    )


async def test_a_repeat_of_a_part_is_recognised_too_or_the_adapter_says_that_it_is_not(
    rig: Rig,
) -> None:
    if rig.adapter.deduplicates == timedelta(0) or len(rig.call) < 2:
        pytest.skip("this provider recognises no repeats, or takes one message a call")
    await rig.send(rig.call)

    await rig.send(rig.call[1:])

    known = len(rig.simulator.sent) == len(rig.call)
    assert known is not isinstance(rig.adapter, WholeCalls)


async def test_check_names_who_answered(rig: Rig) -> None:
    check = await rig.adapter.check()

    assert check.ok, check.text
    assert check.text
    assert not rig.simulator.sent


async def test_check_says_what_is_wrong(rig: Rig) -> None:
    if rig.case.bad_credentials is None:
        pytest.skip("there is nobody to ask")
    rig.case.bad_credentials(rig.simulator)

    check = await rig.adapter.check()

    assert not check.ok
    assert check.text
    assert not rig.leaks(check.text)


async def test_check_survives_a_provider_that_is_away(rig: Rig) -> None:
    if rig.case.bad_credentials is None:
        pytest.skip("there is nobody to ask")
    await rig.simulator.stop()

    check = await rig.adapter.check()

    assert not check.ok
    assert check.text
    assert not rig.leaks(check.text)


async def test_split_tells_how_many_messages_a_call_carries_without_looking_at_them(
    rig: Rig,
) -> None:
    """By that the hub knows how much of a backlog to hand out."""
    alike = [Message(key=str(i), to=str(i), text="-") for i in range(500)]

    assert len(list(chain.from_iterable(rig.adapter.split(alike)))) == 500


async def test_split_loses_nothing_and_keeps_the_order_of_each_address(rig: Rig) -> None:
    messages = [
        replace(message, key=f"{message.key}-{i}")
        for i in range(250)
        for message in rig.case.messages
    ]

    calls = rig.adapter.split(messages)

    handed_out = list(chain.from_iterable(calls))
    assert all(calls)
    assert len(handed_out) == len(messages)
    assert _by_address(handed_out) == _by_address(messages)
    assert rig.adapter.split([]) == []


def _by_address(messages: Sequence[Message]) -> dict[str, list[str]]:
    keys: dict[str, list[str]] = {}
    for message in messages:
        keys.setdefault(message.to, []).append(message.key)
    return keys


def _reading(rig: Rig) -> tuple[ReadsHooks, Hook]:
    if rig.case.hook is None:
        pytest.skip("this provider does not call back")
    assert isinstance(rig.adapter, ReadsHooks)
    return rig.adapter, rig.case.hook


async def test_a_receipt_finds_its_message(rig: Rig) -> None:
    adapter, hook = _reading(rig)
    messages, outcomes = await rig.accepted()

    for message, outcome, sent in zip(messages, outcomes, rig.simulator.sent, strict=True):
        told = adapter.read_hook(hook.told(rig.simulator, sent))

        receipts = [r for r in told.receipts if r.status is hook.status]
        assert len(receipts) == 1, f"one receipt of status {hook.status}, and not {told.receipts}"
        [receipt] = receipts
        assert receipt.key == message.key or receipt.provider_id == outcome.provider_id, (
            f"neither `key` nor `provider_id` finds {message.key}, {outcome.provider_id}: {receipt}"
        )
        assert receipt.at is None or receipt.at.tzinfo, f"`at` must be aware, in UTC: {receipt.at}"
        assert told.reply.status < 300
        assert not rig.leaks(repr(told))


async def test_a_receipt_told_twice_is_the_same(rig: Rig) -> None:
    adapter, hook = _reading(rig)
    await rig.accepted()
    call = hook.told(rig.simulator, rig.simulator.sent[0])

    assert adapter.read_hook(call) == adapter.read_hook(call)


async def test_a_forged_call_is_refused(rig: Rig) -> None:
    adapter, hook = _reading(rig)
    if hook.forged is None:
        pytest.skip("this provider signs nothing")
    await rig.accepted()

    with pytest.raises(BadHook) as refused:
        adapter.read_hook(hook.forged(rig.simulator, rig.simulator.sent[0]))

    assert refused.value.forged, "a wrong proof is BadHook(reason, forged=True)"
    assert not rig.leaks(str(refused.value))


_RUBBISH = (
    b"",
    b"\0",
    b"\xff\xfe",
    b"null",
    b"7",
    b'"text"',
    b"[]",
    b"{}",
    b"[null]",
    b"[[]]",
    b'{"a": ',
    b"[" * 100_000,
    b"a=b&a=c&%00=%ff",
    rb'{"\ud800": 1e400}',
    b"<html></html>",
)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
async def test_rubbish_at_the_door_is_no_crash(rig: Rig, method: str) -> None:
    adapter, hook = _reading(rig)
    calls = [HookRequest(method, {}, {}, body) for body in _RUBBISH]
    if hook.sealed:
        calls += [replace(hook.sealed(body), method=method) for body in _RUBBISH]

    for call in calls:
        try:
            told = adapter.read_hook(call)
        except BadHook:
            continue
        assert not told.receipts
        assert not told.heard


async def test_what_a_person_wrote_is_heard(rig: Rig) -> None:
    adapter, hook = _reading(rig)
    if hook.heard is None:
        pytest.skip("this provider hands on nothing")

    told = adapter.read_hook(hook.heard(rig.simulator))

    [heard] = told.heard
    assert heard.address
    assert heard.text


def _asked(rig: Rig) -> tuple[Asks, Asking]:
    if rig.case.asking is None:
        pytest.skip("this provider is not asked")
    assert isinstance(rig.adapter, Asks)
    return rig.adapter, rig.case.asking


def _sent(messages: Sequence[Message], outcomes: Sequence[Accepted]) -> list[Sent]:
    return [
        Sent(m.key, o.provider_id, m.to, datetime.now(UTC))
        for m, o in zip(messages, outcomes, strict=True)
    ]


async def test_asked_it_tells_what_became_of_which_message(rig: Rig) -> None:
    adapter, asking = _asked(rig)
    messages, outcomes = await rig.accepted()
    first, *_ = rig.simulator.sent

    before = await adapter.ask(_sent(messages, outcomes))
    asking.ends(rig.simulator, first)
    after = await adapter.ask(_sent(messages, outcomes))

    early = {ReceiptStatus.SENT, ReceiptStatus.DEFERRED}
    assert all(receipt.status in early for receipt in before)
    [receipt] = [r for r in after if r.status not in early]
    assert receipt.status is asking.status
    assert receipt.key == messages[0].key or receipt.provider_id == outcomes[0].provider_id
    assert not rig.leaks(repr(after))


async def test_asked_while_it_is_away_nothing_is_learned(rig: Rig) -> None:
    adapter, _ = _asked(rig)
    messages, outcomes = await rig.accepted()
    await rig.simulator.stop()

    with pytest.raises(Unavailable) as away:
        await adapter.ask(_sent(messages, outcomes))

    assert not rig.leaks(str(away.value))


@pytest.mark.parametrize(
    "body", ["", "null", "[]", "{}", "[null]", '{"a": ', '{"result": 7}', '{"data": [[]]}']
)
async def test_asked_it_answers_rubbish_and_nothing_is_learned(rig: Rig, body: str) -> None:
    adapter, _ = _asked(rig)
    messages, outcomes = await rig.accepted()
    rig.simulator.fault = Fault(status=200, body=body, content_type="application/json")

    try:
        receipts = await adapter.ask(_sent(messages, outcomes))
    except Unavailable:
        return

    assert not [r for r in receipts if r.status not in (ReceiptStatus.SENT, ReceiptStatus.DEFERRED)]


@dataclass(slots=True)
class Shelf:
    """Where what was told is kept. `closed`: nothing can be stored; `slow`: it takes until that is set."""

    told: list[Told] = field(default_factory=list)
    closed: bool = False
    slow: asyncio.Event | None = None
    busy: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, told: Told) -> None:
        self.busy.set()
        if self.slow:
            await self.slow.wait()
        if self.closed:
            raise ConnectionError("the database is away")
        self.told.append(told)

    @property
    def receipts(self) -> list[Receipt]:
        return [receipt for told in self.told for receipt in told.receipts]

    @property
    def heard(self) -> list[Heard]:
        return [heard for told in self.told for heard in told.heard]


@asynccontextmanager
async def _listening(rig: Rig, shelf: Shelf) -> AsyncIterator[Listening]:
    """While the adapter listens."""
    if rig.case.listening is None:
        pytest.skip("this provider keeps no connection")
    assert isinstance(rig.adapter, Listens)
    task = asyncio.create_task(rig.adapter.listen(shelf.take))
    try:
        yield rig.case.listening
        assert not task.done(), "it listens until it is cancelled"
    finally:
        task.cancel()
        await asyncio.wait([task])
    assert task.cancelled()


async def test_listening_it_hands_on_which_message_the_receipt_is_of(rig: Rig) -> None:
    shelf = Shelf()
    async with _listening(rig, shelf) as listening:
        messages, outcomes = await rig.accepted()

        told = [await listening.told(rig.simulator, sent) for sent in rig.simulator.sent]

    assert all(told)
    receipts = [r for r in shelf.receipts if r.status is listening.status]
    for message, outcome, receipt in zip(messages, outcomes, receipts, strict=True):
        assert receipt.key == message.key or receipt.provider_id == outcome.provider_id
    assert not rig.leaks(repr(shelf.told))


async def test_listening_it_says_nothing_before_it_is_stored(rig: Rig) -> None:
    shelf = Shelf(slow=asyncio.Event())
    async with _listening(rig, shelf) as listening:
        await rig.accepted()
        told = asyncio.ensure_future(listening.told(rig.simulator, rig.simulator.sent[0]))
        await shelf.busy.wait()

        early = await asyncio.wait([told], timeout=0.2)
        assert shelf.slow
        shelf.slow.set()

        assert not early[0]
        assert await told


async def test_listening_it_sends_while_something_is_being_stored(rig: Rig) -> None:
    shelf = Shelf(slow=asyncio.Event())
    async with _listening(rig, shelf) as listening:
        await rig.accepted()
        told = asyncio.ensure_future(listening.told(rig.simulator, rig.simulator.sent[0]))
        await shelf.busy.wait()

        await rig.accepted()

        assert shelf.slow
        shelf.slow.set()
        assert await told


async def test_listening_what_was_not_stored_is_told_again(rig: Rig) -> None:
    shelf = Shelf(closed=True)
    async with _listening(rig, shelf) as listening:
        await rig.accepted()
        [sent, *_] = rig.simulator.sent

        first = await listening.told(rig.simulator, sent)
        shelf.closed = False
        second = await listening.told(rig.simulator, sent)

    assert (first, second) == (False, True)
    assert len(shelf.receipts) == 1


async def test_listening_ends_and_what_is_under_way_is_told_again(rig: Rig) -> None:
    shelf = Shelf(slow=asyncio.Event())
    async with _listening(rig, shelf) as listening:
        await rig.accepted()
        told = asyncio.ensure_future(listening.told(rig.simulator, rig.simulator.sent[0]))
        await shelf.busy.wait()

    await rig.adapter.close()
    assert not await told


async def test_listening_it_comes_back_after_the_provider_was_away(rig: Rig) -> None:
    shelf = Shelf()
    async with _listening(rig, shelf) as listening:
        await rig.accepted()
        port = rig.simulator.port
        await rig.simulator.stop()
        await rig.simulator.start(port)

        assert await listening.told(rig.simulator, rig.simulator.sent[0])

    assert [receipt.status for receipt in shelf.receipts] == [listening.status]


async def test_listening_it_hands_on_what_a_person_wrote(rig: Rig) -> None:
    shelf = Shelf()
    async with _listening(rig, shelf) as listening:
        if listening.heard is None:
            pytest.skip("this provider hands on nothing")

        assert await listening.heard(rig.simulator)

    [heard] = shelf.heard
    assert heard.address
    assert heard.text
