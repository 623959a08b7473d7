"""What the hub may rely on where a provider calls back."""

from dataclasses import replace

import pytest

from channels.base import (
    BadHook,
    HookRequest,
    ReadsHooks,
)
from tests.contract.cases import (
    Hook,
)
from tests.contract.rig import Rig, only


def _reading(rig: Rig) -> tuple[ReadsHooks, Hook]:
    assert rig.case.hook
    assert isinstance(rig.adapter, ReadsHooks)
    return rig.adapter, rig.case.hook


@only(lambda case: case.hook)
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


@only(lambda case: case.hook)
async def test_a_receipt_told_twice_is_the_same(rig: Rig) -> None:
    adapter, hook = _reading(rig)
    await rig.accepted()
    call = hook.told(rig.simulator, rig.simulator.sent[0])

    assert adapter.read_hook(call) == adapter.read_hook(call)


@only(lambda case: case.hook and case.hook.forged)
async def test_a_forged_call_is_refused(rig: Rig) -> None:
    adapter, hook = _reading(rig)
    assert hook.forged
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


@only(lambda case: case.hook)
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


@only(lambda case: case.hook and case.hook.heard)
async def test_what_a_person_wrote_is_heard(rig: Rig) -> None:
    adapter, hook = _reading(rig)
    assert hook.heard

    told = adapter.read_hook(hook.heard(rig.simulator))

    [heard] = told.heard
    assert heard.address
    assert heard.text
