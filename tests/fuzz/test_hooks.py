"""Whatever calls at a provider's door: it is refused as a bad call, or it says something that can be kept.

The proof of the sender is switched off for most of it: what is behind it has to hold as well, against a provider
that changes its mind and against somebody who has learned the secret.
"""

import asyncio
import hmac
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.max import MaxBot
from bots.platform import Platform
from bots.telegram import TelegramBot
from bots.viber import ViberBot
from bots.vk import VkBot
from channels.base import BadHook, Channel, HookReply, HookRequest, ReadsHooks, Told
from channels.max import updates as max_
from channels.telegram import updates as telegram
from channels.updates import Incoming, storable
from channels.vk import updates as vk
from channels.vk.community import CommunityConfig
from hub.contacts import addresses
from hub.db.pool import as_json
from tests.contract.cases import Case, cases
from tests.fuzz.calls import calls
from tests.fuzz.examples import BOT_CALLS, MORE_CALLS, UPDATES
from tests.fuzz.replies import changed, places
from tests.fuzz.rigs import Rig, rig
from tests.fuzz.spoiling import WRONG, in_json, put, spoiled
from tests.fuzz.test_answers import check_receipt, check_text

CASES = [case for case in cases() if case.hook]


@pytest.fixture(scope="module", params=CASES, ids=str)
def heard(request: pytest.FixtureRequest) -> Iterator[tuple[Case, ReadsHooks, Rig]]:
    case: Case = request.param
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:

        async def build() -> tuple[Rig, ReadsHooks]:
            async with rig(case) as made:
                adapter, _ = made.adapter(())
                assert isinstance(adapter, ReadsHooks)
                return made, adapter

        made, adapter = runner.run(build())
        yield case, adapter, made
        runner.run(adapter.close())  # type: ignore[attr-defined]


def read(adapter: ReadsHooks, call: HookRequest, *, proven: bool) -> Told | BadHook:
    with pytest.MonkeyPatch.context() as patch:
        if proven:
            patch.setattr(hmac, "compare_digest", _is_comparable)
        try:
            return adapter.read_hook(call)
        except BadHook as bad:
            return bad


_real = hmac.compare_digest


def _is_comparable(given: Any, expected: Any) -> bool:
    """True for all that the real one compares; it raises for the rest."""
    _real(given, expected)
    return True


def check_told(told: Told | BadHook, made: Rig) -> None:
    if isinstance(told, BadHook):
        assert str(told)
        assert not made.leaks(str(told))
        return
    for receipt in told.receipts:
        check_receipt(receipt)
    for heard in told.heard:
        for text in (heard.address, heard.text, heard.id):
            check_text(text)
        assert heard.at is None or heard.at.tzinfo is not None
    check_reply(told.reply)
    assert not made.leaks(repr((told.receipts, told.heard)))


def check_reply(reply: HookReply) -> None:
    assert 200 <= reply.status < 500
    # A header is made of it.
    assert reply.content_type.isascii()
    reply.body.encode()


@given(st.data())
def test_a_call_of_the_provider(heard: tuple[Case, ReadsHooks, Rig], data: st.DataObject) -> None:
    _, adapter, made = heard
    call = data.draw(calls(made.heard.calls))

    check_told(read(adapter, call, proven=True), made)


@given(st.data())
def test_a_call_of_anybody(heard: tuple[Case, ReadsHooks, Rig], data: st.DataObject) -> None:
    _, adapter, made = heard
    call = data.draw(calls(made.heard.calls))

    check_told(read(adapter, call, proven=False), made)


_DEEPEST = 990
"""Some levels less than the reader of JSON goes down from here."""


def _calls_of(case: Case, made: Rig) -> Sequence[HookRequest]:
    return [*made.heard.calls, *MORE_CALLS.get((case.channel, case.provider), ())]


def test_a_call_with_one_wrong_value(heard: tuple[Case, ReadsHooks, Rig]) -> None:
    case, adapter, made = heard

    for call in _calls_of(case, made):
        for changed_call in spoiled(call):
            told = read(adapter, changed_call, proven=True)

            check_told(told, made)
            if isinstance(told, Told):
                _check_addresses(case, told)


def _check_addresses(case: Case, told: Told) -> None:
    """What the hub makes of them before they reach the database."""
    for address in [r.address for r in told.receipts] + [h.address for h in told.heard]:
        try:
            value = addresses.normalise(case.channel, address)
        except ValueError:
            continue
        assert addresses.digest_at(case.channel, value)


def test_a_call_that_is_nested_as_deep_as_json_goes(heard: tuple[Case, ReadsHooks, Rig]) -> None:
    case, adapter, made = heard

    for call in _calls_of(case, made):
        if not (found := in_json(call)):
            continue
        value, again = found
        for at in places(value):
            written_so = again(put(value, at, "DEEP")).body
            for depth in (150, *range(_DEEPEST - 60, _DEEPEST, 1)):
                deep = b"[" * depth + b"]" * depth
                body = written_so.replace(b'"DEEP"', deep).replace(b"%22DEEP%22", deep)

                check_told(read(adapter, replace(call, body=body), proven=True), made)


def test_one_bad_event_takes_no_other_with_it(heard: tuple[Case, ReadsHooks, Rig]) -> None:
    case, adapter, made = heard

    for call in _calls_of(case, made):
        if not (found := in_json(call)):
            continue
        value, again = found
        good = read(adapter, again(value), proven=True)
        assert isinstance(good, Told)
        for beside in _beside_a_good_one(value):
            told = read(adapter, again(beside), proven=True)

            assert isinstance(told, Told), f"{told} for {beside}"
            assert set(good.receipts) <= set(told.receipts), beside
            assert set(good.heard) <= set(told.heard), beside


_EVENTS = (
    "events_by_user",
    "events",
    "entry",
    "changes",
    "statuses",
    "messages",
    "user_preferences",
)


def _beside_a_good_one(value: Any) -> Iterator[Any]:
    """Each list of events with its first item twice, first with something wrong in it, then as it was."""
    for at in places(value):
        items = value
        for key in at:
            items = items[key]
        if not isinstance(items, list) or not items or (at and at[-1] not in _EVENTS):
            continue
        for inside in places(items[0]):
            for wrong in WRONG:
                yield put(value, at, [put(items[0], inside, wrong), *items])


Read = Callable[[HookRequest], tuple[Sequence[Incoming], HookReply]]

_BOTS: dict[Channel, Read] = {
    Channel.TELEGRAM: lambda call: telegram.read_hook(call, ["secret"]),
    Channel.MAX: lambda call: max_.read_hook(call, ["secret"]),
    Channel.VK: lambda call: vk.read_hook(
        call,
        CommunityConfig.model_validate(
            {
                "token": "t",
                "group_id": 1,
                "receive": "callback",
                "secret": "secret",
                "confirmation": "c0ffee",
            }
        ),
    ),
}


@pytest.mark.parametrize("channel", _BOTS)
@given(st.data())
def test_an_update_of_a_bot(channel: Channel, data: st.DataObject) -> None:
    call = data.draw(calls(BOT_CALLS[channel]))
    with pytest.MonkeyPatch.context() as patch:
        if data.draw(st.booleans()):
            patch.setattr(hmac, "compare_digest", _is_comparable)
        try:
            found, reply = _BOTS[channel](call)
        except BadHook as bad:
            assert "secret" not in str(bad).replace("the secret", "")  # noqa: PT017
            return

    for one in found:
        as_json(one.raw).encode()
        assert isinstance(one.event, str)
        assert isinstance(one.chat, str)
        assert one.event
    check_reply(reply)


@pytest.mark.parametrize("channel", _BOTS)
def test_an_update_with_one_wrong_value(channel: Channel) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hmac, "compare_digest", _is_comparable)
        for call in BOT_CALLS[channel]:
            for changed_call in spoiled(call):
                try:
                    found, reply = _BOTS[channel](changed_call)
                except BadHook:
                    continue
                for one in found:
                    as_json(one.raw).encode()
                check_reply(reply)


_PLATFORMS: dict[Channel, type[Platform]] = {
    Channel.TELEGRAM: TelegramBot,
    Channel.VK: VkBot,
    Channel.MAX: MaxBot,
    Channel.VIBER: ViberBot,
}


@pytest.mark.parametrize("channel", _PLATFORMS)
@given(st.data())
def test_what_was_stored_is_read(channel: Channel, data: st.DataObject) -> None:
    raw = data.draw(st.sampled_from(UPDATES[channel]).flatmap(changed))
    if not isinstance(raw, dict):
        return
    kind = _PLATFORMS[channel]
    try:
        # Reading needs nothing of what a bot is made of.
        said = kind.read(object.__new__(kind), json.loads(as_json(storable(raw))))
    except ValueError:
        return

    if said is not None:
        assert said.chat
        as_json(asdict(said))
