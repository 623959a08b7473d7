"""When an account is left alone, for failures or for slowness, and how it comes back."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from channels.base import Accepted, Channel, Limits, Moved, Outcome, Refused, Retry, Scope
from hub.accounts import health, recent
from hub.accounts.book import LiveAccount, Need
from hub.accounts.breaker import Breaker, Call
from hub.accounts.choice import is_left
from hub.accounts.recent import Ended, fails, is_slow
from hub.resources import Hub

EIGHT = timedelta(seconds=8)
NOW = 1000.0


def ended(signs: str, ago: float = 1) -> list[Ended]:
    """`.` well, `x` failed, `s` slow, `S` failed and slow; the last of them `ago` seconds ago, one a second."""
    times = [NOW - ago - n for n in reversed(range(len(signs)))]
    return [Ended(at, sign in "xS", sign in "sS") for at, sign in zip(times, signs, strict=True)]


@pytest.mark.parametrize(
    ("signs", "ago", "verdict"),
    [
        ("", 1, False),
        ("xxxx", 1, False),
        ("xxxxx", 1, True),
        # Rare calls, but nothing has worked for long.
        ("xxxxx", 900, True),
        ("xxxx.", 1, False),
        ("x.x.x.x.x", 1, False),
        ("x.x.x.x.x.", 1, True),
        ("xx.xx.xx.xx.", 1, True),
        ("x..x..x..x..x..x..", 1, False),
        ("x.x.x.x.x.x.x.x.x.", 40, False),
        (".xxxx.xxxx.", 1, True),
    ],
)
def test_five_failures_in_a_row_or_half_of_ten_are_too_many(
    signs: str, ago: float, verdict: bool
) -> None:
    assert fails(ended(signs, ago), now=NOW) is verdict


@pytest.mark.parametrize(
    ("signs", "ago", "hanging", "concurrency", "verdict"),
    [
        ("", 1, [], 20, False),
        ("sss", 1, [], 20, True),
        ("ss", 1, [], 20, False),
        ("s.s.s.", 1, [], 20, False),
        ("s.s.ss", 1, [], 20, True),
        # Slow once, quick since.
        ("ssss........", 1, [], 20, False),
        ("ssss", 60, [], 20, False),
        # Three that hang, after many that were quick.
        ("." * 20, 8.5, [9, 9, 9], 20, True),
        ("." * 20, 1, [9, 9, 9], 20, False),
        ("." * 20, 8.5, [9, 9, 7], 20, False),
        ("." * 20, 8.5, [9], 20, False),
        # All that may be under way at once.
        ("." * 20, 8.5, [9], 1, True),
        ("." * 20, 8.5, [9, 9], 2, True),
        ("SS", 1, [9], 20, True),
    ],
)
def test_an_account_is_slow_when_most_of_its_calls_are_those_that_hang_included(
    signs: str, ago: float, hanging: Sequence[float], concurrency: int, verdict: bool
) -> None:
    under_way = [NOW - seconds for seconds in hanging]

    found = is_slow(
        ended(signs, ago), under_way, now=NOW, slow_after=EIGHT, concurrency=concurrency
    )

    assert found is verdict


# -- with the database -----------------------------------------------------------------------

FAILS: list[Outcome] = [Retry("http-503")]
GOES: list[Outcome] = [Accepted("1")]


async def states(hub: Hub) -> list[tuple[str, str, int]]:
    rows = await hub.db.fetch("SELECT account, code, failures FROM account_state ORDER BY account")
    return [(r["account"], r["code"], r["failures"]) for r in rows]


@pytest.fixture
def sms(hub: Hub) -> LiveAccount:
    """Of many calls at once, so that the way back takes a while."""
    return replace(
        hub.accounts.of(hub.shop("main").id, Channel.SMS)[0], limits=Limits(concurrency=20)
    )


@pytest.fixture
def other(hub: Hub) -> LiveAccount:
    return hub.accounts.of(hub.shop("main").id, Channel.SMS)[1]


@pytest.fixture
def alone(hub: Hub) -> LiveAccount:
    [account] = hub.accounts.of(hub.shop("main").id, Channel.TELEGRAM)
    return account


def begin(breaker: Breaker, account: LiveAccount, seconds: float = 0) -> Call:
    """A call that began so long ago."""
    call = breaker.begin(account)
    call.began -= seconds
    return call


async def calls(
    hub: Hub,
    breaker: Breaker,
    account: LiveAccount,
    outcomes: list[Outcome],
    n: int = 1,
    seconds: float = 0,
) -> None:
    """One after the other, each of that length."""
    for _ in range(n):
        await breaker.ended(hub.db, begin(breaker, account, seconds), outcomes)


async def pass_pause(hub: Hub) -> None:
    await hub.db.execute("UPDATE account_state SET paused_until = now() - interval '1 s'")
    await hub.accounts.refresh(hub.db)


async def test_failures_in_a_row_pause_and_a_success_between_them_does_not(
    hub: Hub, sms: LiveAccount
) -> None:
    breaker = Breaker(hub.accounts)
    await calls(hub, breaker, sms, GOES, recent.ENOUGH)
    await calls(hub, breaker, sms, FAILS, recent.IN_A_ROW - 1)
    await calls(hub, breaker, sms, GOES)
    await calls(hub, breaker, sms, FAILS, recent.IN_A_ROW - 1)
    assert await states(hub) == []

    await calls(hub, breaker, sms, FAILS)

    assert await states(hub) == [("smsc", "http-503", 1)]
    assert hub.accounts.paused_until(sms, datetime.now(UTC))


async def test_half_of_the_calls_failing_is_enough(hub: Hub, sms: LiveAccount) -> None:
    breaker = Breaker(hub.accounts)
    for _ in range(recent.ENOUGH // 2):
        assert await states(hub) == []
        await calls(hub, breaker, sms, GOES)
        await calls(hub, breaker, sms, FAILS)

    assert await states(hub) == [("smsc", "http-503", 1)]


@pytest.mark.parametrize(
    "outcome",
    [
        Refused(Scope.RECIPIENT, "1", "gone"),
        Refused(Scope.MESSAGE, "1", "too long"),
        Moved("-100"),
        Retry("throttled", throttled=True),
    ],
)
async def test_a_provider_that_does_its_work_is_not_paused(
    outcome: Outcome, hub: Hub, sms: LiveAccount
) -> None:
    await calls(hub, Breaker(hub.accounts), sms, [outcome], 2 * recent.ENOUGH)

    assert await states(hub) == []


async def test_a_refused_account_is_paused_at_once_whatever_it_says(
    hub: Hub, sms: LiveAccount
) -> None:
    outcomes: list[Outcome] = [Accepted("1"), Refused(Scope.ACCOUNT, "3", "no\x00money")]

    await calls(hub, Breaker(hub.accounts), sms, outcomes)

    assert await states(hub) == [("smsc", "3", 1)]


async def test_the_way_back_is_gradual_and_one_failure_on_it_pauses_for_longer(
    hub: Hub, sms: LiveAccount
) -> None:
    breaker = Breaker(hub.accounts)
    await calls(hub, breaker, sms, FAILS, recent.IN_A_ROW)
    await pass_pause(hub)
    assert breaker.allowed(sms) == 1

    await calls(hub, breaker, sms, FAILS)
    assert await states(hub) == [("smsc", "http-503", 2)]

    await pass_pause(hub)
    allowed = []
    while await states(hub):
        allowed.append(breaker.allowed(sms))
        await calls(hub, breaker, sms, GOES)
    assert allowed[:3] == [1, 2, 4]
    assert breaker.allowed(sms) > 1000


async def test_what_began_before_the_pause_neither_ends_nor_lengthens_it(
    hub: Hub, sms: LiveAccount
) -> None:
    ours, theirs = Breaker(hub.accounts), Breaker(hub.accounts)
    early = [begin(theirs, sms) for _ in range(4)]
    late = [begin(ours, sms) for _ in range(2)]
    await calls(hub, ours, sms, FAILS, recent.IN_A_ROW)

    await theirs.ended(hub.db, early[0], GOES)
    await theirs.ended(hub.db, early[1], FAILS)
    await ours.ended(hub.db, late[0], GOES)
    assert await states(hub) == [("smsc", "http-503", 1)]

    await pass_pause(hub)
    await theirs.ended(hub.db, early[2], FAILS)
    await theirs.ended(hub.db, early[3], GOES)
    await ours.ended(hub.db, late[1], FAILS)
    assert await states(hub) == [("smsc", "http-503", 1)]
    assert theirs.allowed(sms) == 1


async def test_every_process_tries_anew_after_each_pause(hub: Hub, sms: LiveAccount) -> None:
    ours, theirs = Breaker(hub.accounts), Breaker(hub.accounts)
    await calls(hub, ours, sms, FAILS, recent.IN_A_ROW)
    await pass_pause(hub)
    assert theirs.allowed(sms) == 1
    await calls(hub, theirs, sms, GOES, 2)
    assert theirs.allowed(sms) == 4

    assert ours.allowed(sms) == 1
    await calls(hub, ours, sms, FAILS)
    await pass_pause(hub)

    assert theirs.allowed(sms) == 1


async def test_whoever_proves_it_first_opens_it_for_all(hub: Hub, sms: LiveAccount) -> None:
    ours, theirs = Breaker(hub.accounts), Breaker(hub.accounts)
    await calls(hub, ours, sms, FAILS, recent.IN_A_ROW)
    await pass_pause(hub)
    assert (ours.allowed(sms), theirs.allowed(sms)) == (1, 1)

    await calls(hub, theirs, sms, GOES, 7)

    assert await states(hub) == []
    assert ours.allowed(sms) > 1000


async def test_whoever_proves_it_does_not_end_what_another_process_just_began(
    hub: Hub, sms: LiveAccount
) -> None:
    """Its calls went well; those of the other one say that there is no money."""
    breaker = Breaker(hub.accounts)
    await calls(hub, breaker, sms, FAILS, recent.IN_A_ROW)
    await pass_pause(hub)
    await calls(hub, breaker, sms, GOES, 4)
    await health.pause(
        hub.db, sms.shop_id, sms.name, refused=True, reason="no money", code="3", failures=2
    )

    await calls(hub, breaker, sms, GOES)

    assert await states(hub) == [("smsc", "3", 2)]
    assert hub.accounts.paused_until(sms, datetime.now(UTC))


async def test_two_processes_that_find_it_out_at_once_make_one_pause(
    hub: Hub, sms: LiveAccount
) -> None:
    for _ in range(2):
        await calls(hub, Breaker(hub.accounts), sms, FAILS, recent.IN_A_ROW)

    assert [failures for _, _, failures in await states(hub)] == [1]


# -- slowness --------------------------------------------------------------------------------


async def test_calls_that_hang_are_noticed_before_they_end(hub: Hub, sms: LiveAccount) -> None:
    breaker = Breaker(hub.accounts)
    await calls(hub, breaker, sms, GOES, 2)
    hanging = [begin(breaker, sms, 7) for _ in range(5)]
    await breaker.look(hub.db)
    assert await states(hub) == []

    for call in hanging:
        call.began -= 2
    await breaker.look(hub.db)

    assert await states(hub) == [("smsc", "slow", 1)]
    for call in hanging:
        await breaker.ended(hub.db, call, [Retry("no-answer", maybe_sent=True)])
    assert await states(hub) == [("smsc", "slow", 1)]


async def test_answers_that_take_long_are_a_reason_too(hub: Hub, sms: LiveAccount) -> None:
    await calls(hub, Breaker(hub.accounts), sms, GOES, 3, seconds=9)

    assert await states(hub) == [("smsc", "slow", 1)]


async def test_nobody_is_left_for_slowness_without_another_one(
    hub: Hub, sms: LiveAccount, other: LiveAccount, alone: LiveAccount
) -> None:
    breaker = Breaker(hub.accounts)
    await calls(hub, breaker, alone, GOES, 5, seconds=9)
    await calls(hub, breaker, other, [Refused(Scope.ACCOUNT, "3", "no money")])
    await calls(hub, breaker, sms, GOES, 5, seconds=9)

    assert await states(hub) == [("sms-ru", "3", 1)]


async def test_a_slow_one_is_used_when_the_other_falls_out(
    hub: Hub, sms: LiveAccount, other: LiveAccount
) -> None:
    breaker = Breaker(hub.accounts)
    await calls(hub, breaker, sms, GOES, 3, seconds=9)
    now = datetime.now(UTC)
    assert is_left(hub.accounts, sms, [Need()], now)

    await calls(hub, breaker, other, [Refused(Scope.ACCOUNT, "3", "no money")])

    assert not is_left(hub.accounts, sms, [Need()], now)


async def test_a_device_has_nobody_else(hub: Hub) -> None:
    fcm = hub.accounts.get(hub.shop("main").id, "fcm")
    assert fcm
    breaker = Breaker(hub.accounts)
    breaker.given(fcm, {Need("push", "fcm")})

    await calls(hub, breaker, fcm, GOES, 5, seconds=9)

    assert await states(hub) == []


async def test_slowness_on_the_way_back_pauses_again(hub: Hub, sms: LiveAccount) -> None:
    breaker = Breaker(hub.accounts)
    await calls(hub, breaker, sms, GOES, 3, seconds=9)
    await pass_pause(hub)

    await calls(hub, breaker, sms, GOES, seconds=9)
    assert await states(hub) == [("smsc", "slow", 2)]

    await pass_pause(hub)
    begin(breaker, sms, 9)
    await breaker.look(hub.db)
    assert await states(hub) == [("smsc", "slow", 3)]


async def test_a_process_that_stood_still_blames_nobody(hub: Hub, sms: LiveAccount) -> None:
    breaker = Breaker(hub.accounts)
    for _ in range(5):
        begin(breaker, sms, 60)
    breaker._looked_at -= 60

    await breaker.look(hub.db)

    assert await states(hub) == []


@pytest.mark.parametrize("looks_first", [True, False])
async def test_calls_whose_time_ran_out_in_a_standstill_tell_nothing(
    hub: Hub, sms: LiveAccount, *, looks_first: bool
) -> None:
    """A machine that slept must not pause an account for the others."""
    breaker = Breaker(hub.accounts)
    await breaker.look(hub.db)
    calls = [begin(breaker, sms, 60) for _ in range(6)]
    breaker._looked_at -= 60

    if looks_first:
        await breaker.look(hub.db)
    for call in calls:
        await breaker.ended(hub.db, call, [Retry("timeout", maybe_sent=True)])

    assert await states(hub) == []
