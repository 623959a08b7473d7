"""Which account carries a delivery, and when one is left alone; decisions over a book without a database."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from channels.base import (
    Accepted,
    Channel,
    Limits,
    Moved,
    Outcome,
    Refused,
    Retry,
    Scope,
)
from hub.accounts import health
from hub.accounts.book import AccountBook, LiveAccount
from hub.accounts.breaker import Breaker
from hub.accounts.choice import NoneUsable, choose, recognises
from hub.accounts.health import Pause
from hub.resources import Hub

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SHOP = 1


class Adapter:
    deduplicates = timedelta(minutes=50)


def account(name: str, provider: str = "smsc") -> LiveAccount:
    return LiveAccount(SHOP, name, Channel.SMS, provider, cast(Any, Adapter()), Limits())


def pause(until: timedelta, *, refused: bool = False, failures: int = 1) -> Pause:
    return Pause(refused, "does not answer", "http-503", failures, NOW + until)


def book(*accounts: LiveAccount, **pauses: Pause) -> AccountBook:
    made = AccountBook({}, cast(Any, None), cast(Any, None))
    made._by_name = {(SHOP, a.name): a for a in accounts}
    made._by_channel = {(SHOP, Channel.SMS): accounts}
    made._pauses = {(SHOP, name): p for name, p in pauses.items()}
    return made


A, B = account("a"), account("b")


def chosen(held: AccountBook, last: str | None = None, provider: str | None = None) -> Any:
    found = choose(held, SHOP, Channel.SMS, provider, last=last, now=NOW)
    return found.name if isinstance(found, LiveAccount) else found


@pytest.mark.parametrize(
    ("pauses", "last", "name"),
    [
        ({}, None, "a"),
        ({}, "a", "b"),
        ({}, "b", "a"),
        ({"a": pause(MINUTE)}, None, "b"),
        ({"a": pause(MINUTE)}, "b", "b"),
        ({"a": pause(-MINUTE)}, None, "a"),
    ],
)
def test_the_first_usable_account_carries_and_another_one_after_a_failure(
    pauses: dict[str, Pause], last: str | None, name: str
) -> None:
    assert chosen(book(A, B, **pauses), last) == name


def test_with_all_accounts_paused_the_soonest_tells_when_and_why() -> None:
    both = book(A, B, a=pause(2 * MINUTE, refused=True), b=pause(MINUTE))
    refused = book(A, a=pause(MINUTE, refused=True))

    assert chosen(both) == NoneUsable(NOW + MINUTE, refused=False, code="http-503")
    assert chosen(refused) == NoneUsable(NOW + MINUTE, refused=True, code="http-503")
    assert chosen(book()) == NoneUsable(None)


def test_a_device_is_reached_by_its_own_provider_alone() -> None:
    held = book(account("f", "fcm"), account("w", "webpush"))

    assert chosen(held, provider="webpush") == "w"
    assert chosen(held, last="w", provider="webpush") == "w"
    assert chosen(book(account("s", "sandbox")), provider="webpush") == "s"
    assert chosen(held, provider="apns") == NoneUsable(None)


@pytest.mark.parametrize(
    ("name", "doubt_since", "known"),
    [
        ("a", NOW - 49 * MINUTE, True),
        ("a", NOW - 50 * MINUTE, False),
        ("a", None, False),
        ("gone", NOW, False),
        (None, NOW, False),
    ],
)
def test_a_repeat_is_recognised_by_the_account_that_was_called_and_for_a_while(
    name: str | None, doubt_since: datetime | None, known: bool
) -> None:
    found = recognises(book(A, B), SHOP, name, doubt_since, NOW)

    assert found is (A if known else None)


@pytest.mark.parametrize(
    ("refused", "seconds"),
    [(False, [10, 20, 40, 80, 120, 120]), (True, [30, 60, 120, 240, 480, 600, 600])],
)
def test_pauses_in_a_row_grow_and_then_stay(refused: bool, seconds: list[int]) -> None:
    found = [health.length(refused=refused, failures=n + 1) for n in range(len(seconds))]

    assert found == [timedelta(seconds=s) for s in seconds]
    assert health.length(refused=refused, failures=10_000) == found[-1]


# -- the breaker -----------------------------------------------------------------------------

FAILS: list[Outcome] = [Retry("http-503")]
GOES: list[Outcome] = [Accepted("1")]


async def states(hub: Hub) -> list[tuple[str, bool, int]]:
    rows = await hub.db.fetch("SELECT account, refused, failures FROM account_state")
    return [(r["account"], r["refused"], r["failures"]) for r in rows]


@pytest.fixture
def sms(hub: Hub) -> LiveAccount:
    return hub.accounts.of(hub.shop("main").id, Channel.SMS)[0]


async def times(
    hub: Hub, breaker: Breaker, sms: LiveAccount, outcomes: list[Outcome], n: int
) -> None:
    for _ in range(n):
        await breaker.saw(hub.db, sms, outcomes)


async def pass_pause(hub: Hub) -> None:
    await hub.db.execute("UPDATE account_state SET paused_until = now() - interval '1 s'")
    await hub.accounts.refresh(hub.db)


async def test_failures_in_a_row_pause_and_a_success_between_them_does_not(
    hub: Hub, sms: LiveAccount
) -> None:
    breaker = Breaker(hub.accounts)
    await times(hub, breaker, sms, FAILS, health.FAILURES_IN_A_ROW - 1)
    await breaker.saw(hub.db, sms, GOES)
    await times(hub, breaker, sms, FAILS, health.FAILURES_IN_A_ROW - 1)
    assert await states(hub) == []

    await breaker.saw(hub.db, sms, FAILS)

    assert await states(hub) == [(sms.name, False, 1)]
    assert hub.accounts.paused_until(sms, datetime.now(UTC))


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
    await times(hub, Breaker(hub.accounts), sms, [outcome], 2 * health.FAILURES_IN_A_ROW)

    assert await states(hub) == []


async def test_a_refused_account_is_paused_at_once(hub: Hub, sms: LiveAccount) -> None:
    outcomes: list[Outcome] = [Accepted("1"), Refused(Scope.ACCOUNT, "3", "no money")]

    await Breaker(hub.accounts).saw(hub.db, sms, outcomes)

    assert await states(hub) == [(sms.name, True, 1)]


async def test_the_way_back_is_gradual_and_one_failure_on_it_pauses_for_longer(
    hub: Hub, sms: LiveAccount
) -> None:
    breaker = Breaker(hub.accounts)
    await times(hub, breaker, sms, FAILS, health.FAILURES_IN_A_ROW)
    await pass_pause(hub)
    assert breaker.allowed(sms) == 1

    await breaker.saw(hub.db, sms, FAILS)
    assert await states(hub) == [(sms.name, False, 2)]

    await pass_pause(hub)
    allowed = []
    while await states(hub):
        allowed.append(breaker.allowed(sms))
        await breaker.saw(hub.db, sms, GOES)
    assert allowed[:2] == [1, 2]
    assert breaker.allowed(sms) > 1000


async def test_two_processes_that_find_it_out_at_once_make_one_pause(
    hub: Hub, sms: LiveAccount
) -> None:
    for _ in range(2):
        await times(hub, Breaker(hub.accounts), sms, FAILS, health.FAILURES_IN_A_ROW)

    assert [failures for _, _, failures in await states(hub)] == [1]
