"""What holds for every platform: the right messages to the right people, each once, whatever the platform does.

To join: `tests/sources/case_<platform>.py` with a `CASE`, see `tests/sources/case.py`.
"""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from time import monotonic
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels.base import BadHook
from hub.db.pool import as_json
from hub.sources import service
from hub.sources.base import Call, Unreadable
from hub.sources.model import Heard
from hub.sources.registry import PLATFORMS, platform_class
from tests.fuzz.calls import calls
from tests.fuzz.spoiling import spoiled
from tests.hub.notifications.conftest import Drive
from tests.simulators.base import Fault
from tests.sources.alone import no_http
from tests.sources.case import SourceCase, cases, with_body
from tests.sources.conftest import Connected

CASES = cases()


def test_every_platform_is_in_it() -> None:
    assert {case.platform for case in CASES} == set(PLATFORMS)


async def test_each_stage_is_told_to_the_buyer_once(shop: Connected, drive: Drive) -> None:
    case, order = shop.case, shop.case.place(shop.simulator)

    await shop.hear(order, "created")

    assert await shop.statuses() == [case.first]
    expected = [f"order.{case.first}"]
    for stage in case.stages:
        case.move(shop.simulator, order, stage)
        await shop.hear(order)
        assert await shop.statuses() == [stage]
        expected.append(f"order.{stage}")
    assert await shop.buyer_heard() == (expected if case.buyer else [])
    # Nothing failed on the way, and no word was unknown.
    events = await shop.events()
    assert {event["result"] for event in events} <= {"applied", "repeated"}, [
        (event["result"], event["reason"]) for event in events
    ]
    assert (await shop.row())["unknown_codes"] == []
    if case.buyer:
        await drive.all()
        messages = (await shop.api.get("/v1/sandbox/messages")).json["items"]
        assert len([m for m in messages if m["to"] != "boss@example.com"]) == len(expected)


async def test_what_is_told_twice_is_told_to_people_once(shop: Connected) -> None:
    case, order = shop.case, shop.case.place(shop.simulator)
    await shop.hear(order, "created")
    case.move(shop.simulator, order, case.stages[0])
    call = shop.call(order)

    answers = await asyncio.gather(*(shop.post(call) for _ in range(3)))
    await shop.apply()
    # Told anew, under another name.
    await shop.hear(order)
    await shop.post(call)
    await shop.apply()

    assert {answer.status for answer in answers} == {answers[0].status}
    heard = await shop.buyer_heard()
    assert heard.count(f"order.{case.stages[0]}") == (1 if case.buyer else 0)
    assert len(heard) <= 2
    assert await shop.statuses() == [case.stages[0]]


async def test_told_in_the_wrong_order_it_stands_where_it_stands(shop: Connected) -> None:
    case, order = shop.case, shop.case.place(shop.simulator)
    calls = [shop.call(order, "created")]
    for stage in case.stages:
        case.move(shop.simulator, order, stage)
        calls.append(shop.call(order))

    for call in reversed(calls):
        assert (await shop.post(call)).status < 300
        await shop.apply()

    assert await shop.statuses() == [case.stages[-1]]
    assert await shop.buyer_heard() == ([f"order.{case.stages[-1]}"] if case.buyer else [])


async def test_two_codes_of_one_stage_are_one_message(shop: Connected) -> None:
    case, order = shop.case, shop.case.place(shop.simulator)
    if case.same is None:
        pytest.skip("it has one code for it")
    await shop.hear(order, "created")
    for stage in case.stages:
        case.move(shop.simulator, order, stage)
        await shop.hear(order)
    heard = await shop.buyer_heard()

    case.same(shop.simulator, order)
    await shop.hear(order)

    assert await shop.buyer_heard() == heard
    assert await shop.statuses() == [case.stages[-1]]


async def test_a_wrong_proof_is_refused_and_nothing_kept(shop: Connected) -> None:
    case, order = shop.case, shop.case.place(shop.simulator)
    if case.forged is None:
        pytest.skip("its address is its proof")

    answer = await shop.post(case.forged(shop.call(order, "created")))

    assert answer.status == 401
    assert await shop.events() == []


async def test_another_address_is_nobodys(shop: Connected) -> None:
    call = shop.call(shop.case.place(shop.simulator), "created")
    await service.rotate(shop.hub.db, shop.hub.signer, shop.hub.shop("main").id, shop.id, "url")

    answer = await shop.post(call)

    assert answer.status == 404
    assert await shop.events() == []


async def test_what_means_nothing_is_answered_well(shop: Connected) -> None:
    if shop.case.unknown is None:
        pytest.skip("it tells nothing else")

    answer = await shop.post(shop.case.unknown(shop.simulator, shop.secret))
    await shop.apply()

    assert answer.status < 300
    assert {event["result"] for event in await shop.events()} <= {"ignored"}
    assert all(event["payload"] is None for event in await shop.events())
    assert await shop.told() == []


async def test_a_ping_is_answered_and_not_kept(shop: Connected) -> None:
    if shop.case.ping is None:
        pytest.skip("it sends none")

    answer = await shop.post(shop.case.ping(shop.simulator, shop.secret))

    assert answer.status < 300
    assert await shop.events() == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"a": 1}', b"\xff\xfe", b"[" * 5000])
async def test_rubbish_is_refused_or_passed_over(shop: Connected, body: bytes) -> None:
    call = shop.call(shop.case.place(shop.simulator), "created")

    answer = await shop.post(with_body(call, body))
    await shop.apply()

    assert answer.status < 500
    if not shop.case.unreadable:
        assert await shop.statuses() == []
    assert await shop.told() == []
    assert {event["result"] for event in await shop.events()} <= {"ignored", "failed"}


async def test_it_answers_at_once(shop: Connected) -> None:
    call = shop.call(shop.case.place(shop.simulator), "created")
    # Whatever is to be read at the platform is read later.
    shop.simulator.fault = Fault(hang=True)
    began = monotonic()

    answer = await shop.post(call)

    assert answer.status < 300
    assert monotonic() - began < 1


async def test_a_platform_that_is_away_is_asked_again(shop: Connected) -> None:
    order = shop.case.place(shop.simulator)
    call = shop.call(order, "created")
    for fault in (Fault(status=503), Fault(status=429), Fault(status=500), Fault(close=True)):
        shop.simulator.fault = fault
        await shop.post(call)
        await shop.apply()
        await shop.hurry()
    shop.simulator.fault = None

    await shop.apply()

    [event] = await shop.events()
    assert event["result"] == "applied"
    assert await shop.statuses() == [shop.case.first]


# --- Whatever comes in at the door.


def _built(case: SourceCase) -> tuple[Any, Call]:
    """The platform's module without a hub, and a good call."""

    async def build() -> tuple[Any, Call]:
        async with case.simulator() as simulator:
            order = case.place(simulator)
            class_ = platform_class(case.platform)
            config = class_.Config.model_validate(dict(case.config(simulator)))
            call = case.call(simulator, order, "created", _SECRET if class_.signed else "")
            return class_(config, no_http(), secret=_SECRET), call

    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        return runner.run(build())


_SECRET = "whsec_" + "dGhlIHNlY3JldCBvZiB0aGUgc3VpdGUsIDMyIGJ5dGU="


@pytest.fixture(scope="module", params=CASES, ids=str)
def built(request: pytest.FixtureRequest) -> tuple[Any, Call]:
    return _built(request.param)


@given(st.data())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_posted_is_read_or_refused(
    built: tuple[Any, Call], data: st.DataObject
) -> None:
    adapter, call = built
    request = data.draw(calls([call.request]))
    with pytest.MonkeyPatch.context() as patch:
        # What is behind the proof has to hold as well.
        patch.setattr("hmac.compare_digest", lambda *_: True)
        try:
            heard = adapter.hear(Call(call.topic, request), now=datetime.now(UTC))
        except BadHook:
            return
    assert isinstance(heard, Heard)
    for event in heard.events:
        assert event.key or event.ignored
        if event.payload is not None and event.kind and not event.ignored:
            as_json(event.payload)
            with suppress(Unreadable):
                adapter.facts(event.kind, event.payload)


def test_one_wrong_value_is_read_or_refused(built: tuple[Any, Call]) -> None:
    adapter, call = built
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hmac.compare_digest", lambda *_: True)
        for request in spoiled(call.request):
            with suppress(BadHook):
                heard = adapter.hear(Call(call.topic, request), now=datetime.now(UTC))

                assert all(event.key or event.ignored for event in heard.events)
