"""Foreign values: what can be read is ours, what cannot be is not there, and nothing raises."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given

from hub.sources import values
from hub.sources.base import Unreadable
from tests.fuzz.replies import values as anything

MOSCOW = timezone(timedelta(hours=3))


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        (" a ", "a"),
        (7, "7"),
        (Decimal("7.50"), "7.50"),
        (True, ""),
        (None, ""),
        ({"a": 1}, ""),
        ("\0", "\ufffd"),
        ("x" * 600, "x" * 500),
    ],
)
def test_text(given_: Any, expected: str) -> None:
    assert values.text(given_) == expected


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ("1990.5", Decimal("1990.50")),
        ("1 990,00", Decimal("1990.00")),
        (1.1, Decimal("1.10")),
        ("0", Decimal("0.00")),
        ("-1", None),
        ("1e400", None),
        ("NaN", None),
        (True, None),
        ("", None),
        ([], None),
    ],
)
def test_money(given_: Any, expected: Decimal | None) -> None:
    assert values.money(given_) == expected


def test_kopecks() -> None:
    assert values.kopecks(199050) == Decimal("1990.50")
    assert values.kopecks("x") is None


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ("2026-12-01T10:00:00+03:00", datetime(2026, 12, 1, 7, tzinfo=UTC)),
        ("2026-12-01T10:00:00+0300", datetime(2026, 12, 1, 7, tzinfo=UTC)),
        ("2026-12-01T07:00:00Z", datetime(2026, 12, 1, 7, tzinfo=UTC)),
        ("2026-12-01 10:00:00", datetime(2026, 12, 1, 7, tzinfo=UTC)),
        (1796108400, datetime.fromtimestamp(1796108400, UTC)),
        ("1796108400", datetime.fromtimestamp(1796108400, UTC)),
        (1796108400000, datetime.fromtimestamp(1796108400, UTC)),
        ("0000-00-00 00:00:00", None),
        ("-0001-11-30T00:00:00+02:30", None),
        (0, None),
        (True, None),
        ("yesterday", None),
    ],
)
def test_instants(given_: Any, expected: datetime | None) -> None:
    assert values.instant(given_, MOSCOW) == expected


def test_what_php_makes_of_an_empty_object() -> None:
    assert values.table([]) == {}
    assert values.rows({"1": {"a": 1}, "2": 3}) == [{"a": 1}]


def test_what_is_required_is_named_and_never_quoted() -> None:
    assert values.required({"order": {"id": 7}}, "order", "id") == "7"
    with pytest.raises(Unreadable, match=r"^order\.id is missing$"):
        values.required({"order": {"id": {"secret": "x"}}}, "order", "id")


@given(anything)
def test_nothing_raises(value: Any) -> None:
    for read in (
        *(values.text, values.money, values.kopecks, values.number, values.yes, values.instant),
        *(values.table, values.rows, values.first),
    ):
        read(value)
