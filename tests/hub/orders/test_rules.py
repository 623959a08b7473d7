"""The decisions about orders and stock, as tables."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from hub.config import OrderSettings
from hub.orders import hours, rules
from hub.orders.hours import Hours
from hub.orders.model import STAGES, Line, OrderStatus, may_move
from hub.orders.rules import Escalation, Ignored

MOSCOW = ZoneInfo("Europe/Moscow")
BERLIN = ZoneInfo("Europe/Berlin")
OFFICE: Hours = dict.fromkeys(hours.DAYS[:5], ("09:00", "18:00"))
NIGHT: Hours = {"fri": ("22:00", "06:00")}
LINE = Line("1", "A", "Чайник", 2, None, None, UUID(int=7), "s", None, None)


def at(text: str, zone: ZoneInfo = MOSCOW) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


@pytest.mark.parametrize(
    ("start", "minutes", "open_hours", "expected"),
    [
        ("2026-12-01 23:00", 30, {}, "2026-12-01 23:30"),
        ("2026-12-01 10:00", 30, OFFICE, "2026-12-01 10:30"),
        ("2026-12-01 07:00", 30, OFFICE, "2026-12-01 09:30"),
        ("2026-12-01 17:50", 30, OFFICE, "2026-12-02 09:20"),
        ("2026-12-01 17:30", 30, OFFICE, "2026-12-01 18:00"),
        ("2026-12-01 18:00", 30, OFFICE, "2026-12-02 09:30"),
        # A Friday evening: Monday is the next day of work.
        ("2026-12-04 19:00", 10, OFFICE, "2026-12-07 09:10"),
        ("2026-12-01 12:00", 20 * 60, OFFICE, "2026-12-03 14:00"),
        # Saturday at three in the morning still belongs to Friday's night.
        ("2026-12-05 03:00", 60, NIGHT, "2026-12-05 04:00"),
        ("2026-12-05 05:30", 60, NIGHT, "2026-12-11 22:30"),
        ("2026-12-01 12:00", 0, OFFICE, "2026-12-01 12:00"),
        ("2026-12-01 20:00", 0, OFFICE, "2026-12-02 09:00"),
        ("2026-12-01 23:50", 20, {"tue": ("00:00", "24:00")}, "2026-12-08 00:10"),
    ],
)
def test_only_working_time_counts(
    start: str, minutes: int, open_hours: Hours, expected: str
) -> None:
    found = hours.after(at(start), timedelta(minutes=minutes), open_hours, MOSCOW)

    assert found.astimezone(MOSCOW) == at(expected)
    assert found.tzinfo is UTC


def test_a_night_that_loses_an_hour_is_an_hour_shorter() -> None:
    # On 29 March 2026 clocks go from two to three.
    night: Hours = {"sat": ("22:00", "06:00")}
    start = at("2026-03-28 22:00", BERLIN)

    assert hours.after(start, timedelta(hours=7), night, BERLIN) == at("2026-03-29 06:00", BERLIN)


def test_opening_time_is_by_the_clock_of_the_place() -> None:
    found = hours.after(at("2026-12-01 04:00"), timedelta(0), OFFICE, ZoneInfo("Asia/Novosibirsk"))

    assert found.astimezone(MOSCOW) == at("2026-12-01 05:00")


def test_every_status_has_its_stage() -> None:
    assert set(STAGES) == set(OrderStatus)


@pytest.mark.parametrize(
    ("now", "told", "to", "expected"),
    [
        ("placed", "placed", "paid", None),
        ("awaiting_stock", "placed", "placed", Ignored.REPEATED),
        ("paid", "paid", "confirmed", Ignored.LATE),
        ("paid", "paid", "paid", Ignored.REPEATED),
        ("confirmed", "placed", "partially_confirmed", None),
        ("rejected", "placed", "paid", None),
        ("shipped", "paid", "paid", Ignored.REPEATED),
        ("delivered", "delivered", "returned", None),
        ("returned", "returned", "delivered", Ignored.LATE),
        ("cancelled", "cancelled", "shipped", Ignored.LATE),
        ("delivered", "delivered", "cancelled", None),
    ],
)
def test_what_the_shop_says_is_weighed_against_where_the_order_stands(
    now: str, told: str, to: str, expected: Ignored | None
) -> None:
    assert rules.judged(OrderStatus(now), OrderStatus(told), OrderStatus(to)) is expected


def test_nothing_follows_a_cancelled_order() -> None:
    assert not any(may_move(OrderStatus.CANCELLED, status) for status in OrderStatus)


@pytest.mark.parametrize(
    ("confirmed", "expected"),
    [
        ([2, 2], OrderStatus.CONFIRMED),
        ([2, 1], OrderStatus.PARTIALLY_CONFIRMED),
        ([2, 0], OrderStatus.PARTIALLY_CONFIRMED),
        ([0, 0], OrderStatus.REJECTED),
        ([2, None], None),
        ([0, None], None),
    ],
)
def test_answers_come_to_a_status(
    confirmed: list[int | None], expected: OrderStatus | None
) -> None:
    lines = [replace(LINE, confirmed=number) for number in confirmed]

    assert rules.outcome(lines) is expected


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"title": "Другой"}, True),
        ({"image_url": "https://shop.example/1.jpg"}, True),
        ({"quantity": 1}, False),
        ({"sku": "B"}, False),
        ({"warehouse_id": UUID(int=1)}, False),
        ({"seller_id": UUID(int=8)}, False),
    ],
)
def test_a_line_is_asked_again_where_another_thing_is_asked(
    change: dict[str, object], same: bool
) -> None:
    assert rules.same_question(LINE, replace(LINE, **change)) is same  # type: ignore[arg-type]


def steps(settings: OrderSettings) -> list[tuple[Escalation, int]]:
    since = at("2026-12-01 12:00")
    found = []
    number = 1
    while step := rules.next_step(number, settings, since, {}, MOSCOW):
        assert rules.step(number, settings) is step.what
        found.append((step.what, int((step.at - since) / timedelta(minutes=1))))
        number += 1
    assert rules.step(number, settings) is None
    return found


def test_a_question_is_reminded_of_and_then_goes_to_those_above() -> None:
    assert steps(OrderSettings()) == [
        (Escalation.REMIND, 10),
        (Escalation.OVERDUE, 30),
        (Escalation.SELLER, 35),
        (Escalation.ADMIN, 65),
    ]


def test_it_may_go_to_the_admins_at_once() -> None:
    assert steps(OrderSettings(escalate_to="admin")) == [
        (Escalation.REMIND, 10),
        (Escalation.OVERDUE, 30),
        (Escalation.ADMIN, 35),
    ]


def test_a_reminder_after_the_end_is_left_out() -> None:
    late = OrderSettings(remind_after=timedelta(minutes=30), answer_within=timedelta(minutes=30))

    assert steps(late)[0] == (Escalation.OVERDUE, 30)
