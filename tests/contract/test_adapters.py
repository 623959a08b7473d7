"""What the hub may rely on with every adapter, whoever carries the message."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest

from channels import registry
from channels.base import (
    Accepted,
    Asks,
    Listens,
    Message,
    ReadsHooks,
    Refused,
    Retry,
    Scope,
    WholeCalls,
)
from tests.contract.cases import (
    Case,
    Refusal,
    Throttle,
    Trouble,
    named,
)
from tests.contract.rig import Rig, only, recognises_repeats


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


@only(recognises_repeats)
async def test_a_recognised_repeat_is_not_a_second_message(rig: Rig) -> None:
    first = await rig.send(rig.call)

    second = await rig.send(rig.call)

    assert all(isinstance(outcome, Accepted) for outcome in (*first, *second)), (
        f"`deduplicates` promises that a repeat is Accepted: {first}, then {second}"
    )
    assert len(rig.simulator.sent) == len(rig.call), (
        "`deduplicates` promises that a repeat is no second message: it must hand over the same key, "
        "and the simulator must recognise it"
    )


@only(recognises_repeats)
async def test_a_repeat_of_a_part_is_recognised_too_or_the_adapter_says_that_it_is_not(
    rig: Rig,
) -> None:
    if len(rig.call) < 2:
        pytest.skip("this provider takes one message a call")
    await rig.send(rig.call)

    await rig.send(rig.call[1:])

    known = len(rig.simulator.sent) == len(rig.call)
    assert known is not isinstance(rig.adapter, WholeCalls)


async def test_check_names_who_answered(rig: Rig) -> None:
    check = await rig.adapter.check()

    assert check.ok, check.text
    assert check.text
    assert not rig.simulator.sent


@only(lambda case: case.bad_credentials)
async def test_check_says_what_is_wrong(rig: Rig) -> None:
    assert rig.case.bad_credentials
    rig.case.bad_credentials(rig.simulator)

    check = await rig.adapter.check()

    assert not check.ok
    assert check.text
    assert not rig.leaks(check.text)


@only(lambda case: case.bad_credentials)
async def test_check_survives_a_provider_that_is_away(rig: Rig) -> None:
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
