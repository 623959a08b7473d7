"""Which account carries a delivery, and when one is left alone; decisions over a book without a database."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import pytest

from channels.base import (
    Channel,
    Limits,
)
from hub.accounts import health
from hub.accounts.book import AccountBook, LiveAccount, Need, NotSetUp
from hub.accounts.choice import (
    TRIAL_WAIT,
    Choice,
    NoneUsable,
    Wanted,
    again,
    choose,
    is_left,
    recognises,
)
from hub.accounts.health import Pause

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SHOP = 1


class Adapter:
    deduplicates = timedelta(minutes=50)


def account(name: str, provider: str = "smsc", **more: Any) -> LiveAccount:
    return LiveAccount(SHOP, name, Channel.SMS, provider, cast(Any, Adapter()), Limits(), **more)


def missing(name: str, place: int = 0, **more: Any) -> NotSetUp:
    return NotSetUp(SHOP, name, Channel.SMS, "smsc", ("SMSC_TOKEN",), place=place, **more)


def pause(until: timedelta, *, refused: bool = False, code: str = "http-503") -> Pause:
    return Pause(refused, "does not answer", code, 1, NOW + until)


def slow(until: timedelta = MINUTE) -> Pause:
    return pause(until, code=health.SLOW)


def book(*accounts: LiveAccount | NotSetUp, **pauses: Pause) -> AccountBook:
    made = AccountBook({}, cast(Any, None), cast(Any, None))
    live = tuple(a for a in accounts if isinstance(a, LiveAccount))
    made._by_name = {(SHOP, a.name): a for a in live}
    made._by_channel = {(SHOP, Channel.SMS): tuple(a for a in live if a.enabled)}
    made._not_set_up = {(SHOP, Channel.SMS): tuple(a for a in accounts if isinstance(a, NotSetUp))}
    made._pauses = {(SHOP, name): p for name, p in pauses.items()}
    return made


A, B = account("a"), account("b")


def wanted(last: str | None = None, provider: str | None = None, key: int = 1) -> Wanted:
    return Wanted(
        UUID(int=key), SHOP, Channel.SMS, Need(provider=provider), last=last, code="http-500"
    )


def chosen(held: AccountBook, *full: str, **more: Any) -> Any:
    found = choose(held, wanted(**more), now=NOW, room=lambda a: a.name not in full)
    return found.account.name if isinstance(found, Choice) else found


@pytest.mark.parametrize(
    ("pauses", "last", "name"),
    [
        ({}, None, "a"),
        ({}, "a", "b"),
        ({}, "b", "a"),
        ({"a": pause(MINUTE)}, None, "b"),
        ({"a": pause(MINUTE)}, "b", "b"),
        ({"a": pause(-MINUTE)}, None, "a"),
        ({"a": slow()}, None, "b"),
        # Slow is better than nobody, and than one that does not work.
        ({"a": slow(), "b": pause(MINUTE)}, None, "a"),
        ({"a": pause(MINUTE), "b": slow()}, "b", "b"),
        ({"a": slow(), "b": slow()}, "a", "b"),
    ],
)
def test_the_first_usable_account_carries_and_another_one_after_a_failure(
    pauses: dict[str, Pause], last: str | None, name: str
) -> None:
    assert chosen(book(A, B, **pauses), last=last) == name


@pytest.mark.parametrize(
    ("pauses", "full", "name"),
    [
        ({"a": pause(-MINUTE)}, "a", "b"),
        ({"a": pause(-MINUTE), "b": pause(-MINUTE)}, "ab", NoneUsable(NOW + TRIAL_WAIT)),
        ({"a": pause(-MINUTE), "b": pause(MINUTE)}, "a", NoneUsable(NOW + TRIAL_WAIT)),
        # There is nobody it could be compared with.
        ({"a": slow(-MINUTE), "b": pause(MINUTE)}, "a", "a"),
    ],
)
def test_an_account_that_comes_back_has_few_places(
    pauses: dict[str, Pause], full: str, name: object
) -> None:
    assert chosen(book(A, B, **pauses), *full) == name


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


# -- off, not set up -------------------------------------------------------------------------


def test_what_is_off_or_not_set_up_carries_nothing() -> None:
    off, unset = account("off", enabled=False), missing("unset")

    assert chosen(book(off, unset, B)) == "b"
    assert chosen(book(off, unset)) == NoneUsable(None)
    assert recognises(book(off), SHOP, "off", NOW, NOW) is None


# -- weights ---------------------------------------------------------------------------------

MANY = 4000


def shares(held: AccountBook, **more: Any) -> dict[Any, float]:
    counted = Counter(chosen(held, key=n, **more) for n in range(MANY))
    return {name: n / MANY for name, n in counted.items()}


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ({"a": 1, "b": 1}, {"a": 0.5, "b": 0.5}),
        ({"a": 9, "b": 1}, {"a": 0.9, "b": 0.1}),
        ({"a": 5, "b": 3, "c": 2}, {"a": 0.5, "b": 0.3, "c": 0.2}),
        ({"a": None, "b": 7}, {"b": 1}),
        ({"a": None, "b": 500, "c": 500}, {"b": 0.5, "c": 0.5}),
        ({"a": None, "b": None}, {"a": 1}),
    ],
)
def test_accounts_with_weights_share_in_proportion(
    weights: dict[str, int | None], expected: dict[str, float]
) -> None:
    held = book(*(account(name, weight=weight) for name, weight in weights.items()))

    assert shares(held) == pytest.approx(expected, abs=0.03)


def test_those_without_a_weight_are_reserves_in_the_order_of_the_file() -> None:
    held = [account("r"), account("a", weight=3), account("s"), account("b", weight=1)]
    paused = {"a": pause(MINUTE), "b": pause(MINUTE)}

    assert set(shares(book(*held))) == {"a", "b"}
    assert shares(book(*held, a=paused["a"])) == {"b": 1}
    assert chosen(book(*held, **paused)) == "r"
    assert chosen(book(*held, **paused), last="r") == "s"
    assert chosen(book(*held, a=paused["a"]), last="b") == "r"


def test_a_repeat_goes_the_same_way_and_only_what_loses_its_account_moves() -> None:
    three = [account(name, weight=weight) for name, weight in (("a", 2), ("b", 1), ("c", 1))]
    before = [chosen(book(*three), key=n) for n in range(MANY)]

    again = [chosen(book(*three), key=n) for n in range(MANY)]
    without = [chosen(book(*three, a=pause(MINUTE)), key=n) for n in range(MANY)]

    assert again == before
    assert all(was in ("a", now) for was, now in zip(before, without, strict=True))
    assert {now for was, now in zip(before, without, strict=True) if was == "a"} == {"b", "c"}


# -- why not the first one -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accounts", "pauses", "more", "why"),
    [
        ([A, B], {}, {}, None),
        ([A, B], {"a": pause(MINUTE)}, {}, ("a", "paused", "http-503", "does not answer")),
        (
            [A, B],
            {"a": pause(MINUTE, refused=True)},
            {"last": "a"},
            ("a", "refused", "http-503", "does not answer"),
        ),
        ([A, B], {"a": slow()}, {}, ("a", "slow", "slow", "does not answer")),
        ([A, B], {}, {"last": "a"}, ("a", "failed_before", "http-500", "")),
        ([A, B], {"a": pause(-MINUTE)}, {"full": ["a"]}, ("a", "coming_back", "", "")),
        ([missing("u"), account("b", place=1)], {}, {}, ("u", "not_set_up", "", "set SMSC_TOKEN")),
        ([account("o", enabled=False), B], {}, {}, None),
        ([B, missing("u", place=1)], {}, {}, None),
        ([account("r"), account("w", weight=1)], {}, {}, None),
        ([missing("u", enabled=False), B], {}, {}, None),
    ],
)
def test_it_is_told_why_another_one_than_the_first_carries(
    accounts: list[LiveAccount | NotSetUp],
    pauses: dict[str, Pause],
    more: dict[str, Any],
    why: tuple[str, str, str, str] | None,
) -> None:
    full = more.get("full", ())
    found = choose(
        book(*accounts, **pauses),
        wanted(more.get("last")),
        now=NOW,
        room=lambda a: a.name not in full,
    )

    assert isinstance(found, Choice)
    told = found.instead_of
    assert (told and (told.account, told.reason, told.code, told.detail)) == why


def test_who_would_recognise_a_repeat_carries_it_instead_of_the_first() -> None:
    def why(found: Choice) -> Any:
        return found.instead_of and (found.instead_of.account, found.instead_of.reason)

    assert why(again(book(A, B), wanted("a"), A, now=NOW)) is None
    assert why(again(book(A, B), wanted("b"), B, now=NOW)) == ("a", "repeat")
    assert why(again(book(A, B, a=pause(MINUTE)), wanted("b"), B, now=NOW)) == ("a", "paused")


@pytest.mark.parametrize(
    ("pauses", "left"),
    [
        ({}, False),
        ({"a": pause(-MINUTE)}, False),
        ({"a": pause(MINUTE)}, True),
        ({"a": slow()}, True),
        ({"a": slow(), "b": pause(MINUTE)}, False),
        ({"a": pause(MINUTE), "b": pause(MINUTE)}, True),
    ],
)
def test_nothing_more_is_begun_at_a_paused_account_unless_slow_is_all_there_is(
    pauses: dict[str, Pause], left: bool
) -> None:
    assert is_left(book(A, B, **pauses), A, [Need("phone")], NOW) is left


def test_an_address_goes_to_an_account_that_writes_to_its_kind() -> None:
    bot = LiveAccount(SHOP, "bot", Channel.VIBER, "bot_api", cast(Any, Adapter()), Limits())
    sandbox = LiveAccount(SHOP, "s", Channel.VIBER, "sandbox", cast(Any, Adapter()), Limits())

    carried = [
        (name, kind)
        for name, one in {"sms": A, "bot": bot, "sandbox": sandbox}.items()
        for kind in ("phone", "viber")
        if one.carries(Need(kind))
    ]

    assert carried == [
        ("sms", "phone"),
        ("bot", "viber"),
        ("sandbox", "phone"),
        ("sandbox", "viber"),
    ]
    # Of an address that is gone nothing is asked.
    assert all(one.carries(Need()) for one in (A, bot, sandbox))


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
