"""Numbers in a table's cells: many on a page, so that they are made without CLDR's patterns."""

from decimal import Decimal

from hub.config import Locale


def count(value: int, locale: Locale) -> str:
    """`1 234` and `1,234`."""
    text = f"{int(value):,}"
    return text.replace(",", "\xa0") if locale == "ru" else text


def amount(value: Decimal, locale: Locale) -> str:
    """Of money, in whatever currency the account is charged: with two digits."""
    text = f"{value:,.2f}"
    return text.replace(",", "\xa0").replace(".", ",") if locale == "ru" else text


def share(value: float | None, locale: Locale) -> str:
    """`97,3 %` and `97.3%`: in tenths, and never as whole where something is missing. None is a dash."""
    if value is None:
        return "–"
    tenths = round(value * 1000)
    if tenths == 1000 and value < 1:
        tenths = 999
    if tenths == 0 and value > 0:
        tenths = 1
    text = f"{tenths // 10}.{tenths % 10}" if tenths % 10 else f"{tenths // 10}"
    return text.replace(".", ",") + "\xa0%" if locale == "ru" else f"{text}%"
