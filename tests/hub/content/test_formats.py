"""What readers in different places see of the same number and the same instant."""

from typing import Any

import pytest

from hub.content.formats import Unfit, formats

RU = formats("ru", "Asia/Novosibirsk")
EN = formats("en", "Europe/London")


@pytest.mark.parametrize(
    ("value", "currency", "russian", "english"),
    [
        ("4990.00", "RUB", "4 990 ₽", "RUB 4,990"),
        ("4990.5", "RUB", "4 990,50 ₽", "RUB 4,990.50"),
        (1234567, "RUB", "1 234 567 ₽", "RUB 1,234,567"),
        ("0", "RUB", "0 ₽", "RUB 0"),
        ("-10.10", "USD", "-10,10 $", "-$10.10"),
        ("1.255", "EUR", "1,26 €", "€1.26"),
        ("1500", "JPY", "1 500 ¥", "¥1,500"),
        (0.1, "RUB", "0,10 ₽", "RUB 0.10"),
    ],
)
def test_money_has_kopecks_only_where_there_are_any(
    value: Any, currency: str, russian: str, english: str
) -> None:
    assert RU.money(value, currency).replace("\xa0", " ") == russian
    assert EN.money(value, currency).replace("\xa0", " ") == english


def test_money_does_not_break_over_lines() -> None:
    assert " " not in RU.money("1234567.89")


@pytest.mark.parametrize(
    "value", ["abc", "", None, True, [], {}, "1e400", "NaN", "Infinity", 10**20]
)
def test_what_is_no_amount_is_refused(value: Any) -> None:
    with pytest.raises(Unfit, match="not an amount of money"):
        RU.money(value)


@pytest.mark.parametrize("currency", ["rub", "RUBL", "", None, 643])
def test_what_is_no_currency_is_refused(currency: Any) -> None:
    with pytest.raises(Unfit, match="currency code"):
        RU.money("1", currency)


@pytest.mark.parametrize(
    ("number", "russian", "english"),
    [
        (0, "товаров", "items"),
        (1, "товар", "item"),
        (2, "товара", "items"),
        (5, "товаров", "items"),
        (11, "товаров", "items"),
        (12, "товаров", "items"),
        (21, "товар", "items"),
        (22, "товара", "items"),
        (111, "товаров", "items"),
        ("3", "товара", "items"),
        ("1.5", "товара", "items"),
    ],
)
def test_words_agree_with_their_number(number: Any, russian: str, english: str) -> None:
    assert RU.plural(number, "товар", "товара", "товаров") == russian
    assert EN.plural(number, "item", "items") == english


def test_a_wrong_count_of_plural_forms_is_told_with_what_is_needed() -> None:
    with pytest.raises(Unfit, match=r"needs 3 words \(one, few, many\), not 2"):
        RU.plural(1, "товар", "товары")


def test_an_instant_is_shown_on_the_readers_clock() -> None:
    late = "2026-12-01T23:30:00+03:00"

    assert RU.date(late).replace("\u202f", " ") == "2 декабря 2026 г."
    assert RU.time(late) == "03:30"
    assert EN.date(late) == "December 1, 2026"
    assert EN.time(late).replace("\xa0", " ") == "8:30 PM"
    assert EN.datetime(late).replace("\xa0", " ") == "December 1, 2026, 8:30 PM"


def test_a_date_stays_on_its_day_in_every_zone() -> None:
    assert formats("en", "Pacific/Auckland").date("2026-12-01") == "December 1, 2026"
    assert formats("en", "America/Adak").date("2026-12-01") == "December 1, 2026"


@pytest.mark.parametrize("value", ["tomorrow", "2026-13-01", "2026-12-01T10:00:00", 5, None, {}])
def test_what_is_no_date_is_refused(value: Any) -> None:
    with pytest.raises(Unfit):
        RU.date(value)


def test_a_date_has_no_time() -> None:
    with pytest.raises(Unfit, match="without a time"):
        RU.time("2026-12-01")


def test_phones_are_set_in_groups_and_strangers_left_alone() -> None:
    assert RU.phone("+79991234567") == "+7 999 123-45-67"
    assert RU.phone("8 (999) 12") == "8 (999) 12"


@pytest.mark.parametrize(
    ("locale", "zone"), [("xx-nonsense", "Mars/Olympus"), ("", ""), ("ru", "../etc")]
)
def test_an_unknown_locale_or_zone_keeps_no_message_from_leaving(locale: str, zone: str) -> None:
    shown = formats(locale, zone)

    assert shown.money("5").replace("\xa0", " ") == "5 ₽"
    assert shown.time("2026-12-01T10:00:00+00:00") == "10:00"
