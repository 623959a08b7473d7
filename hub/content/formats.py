"""Numbers, money and times as a reader in one locale and one time zone expects them (CLDR, by Babel)."""

import datetime as dt
import re
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cached_property, lru_cache
from typing import Any, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers
from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time
from babel.numbers import NumberPattern, format_decimal, get_currency_precision, get_currency_symbol

# The order in which CLDR lists the plural categories, and so the order of a template's words.
_PLURALS = ("zero", "one", "two", "few", "many", "other")
_CURRENCY = re.compile(r"[A-Z]{3}")
# Beyond this no shop's amount lies, and Babel would print it for seconds.
_LARGEST = Decimal(10) ** 15
_LONGEST_NUMBER = 100


class Unfit(ValueError):
    """A value is not what a filter can show; `value` is the culprit, to find its place in the data."""

    def __init__(self, reason: str, value: object) -> None:
        super().__init__(reason)
        self.reason = reason
        self.value = value


# By identity: `formats` makes one for each kind of reader, and what it showed is remembered by it.
@dataclass(frozen=True, eq=False)
class Formats:
    """How one reader is shown things. Every method raises `Unfit` for a value that is not of its kind."""

    locale: Locale
    zone: dt.tzinfo

    def money(self, value: Any, currency: Any = "RUB") -> str:
        """Kopecks are shown where there are any: `4 990 ₽`, `4 990,50 ₽`. Spaces inside do not break."""
        if not isinstance(currency, str) or not _CURRENCY.fullmatch(currency):
            raise Unfit("is not a currency code of three capital letters", currency)
        return _money(self.locale, _number(value, "is not an amount of money"), currency)

    def number(self, value: Any) -> str:
        return _decimal(self.locale, _number(value, "is not a number"))

    def plural(self, value: Any, *forms: Any) -> str:
        """The word that goes with the number: for Russian `товар, товара, товаров`, for English
        `item, items`. Fractions take the form of a few: `1,5 товара`."""
        words: Sequence[Any] = forms[0] if len(forms) == 1 and isinstance(forms[0], list) else forms
        if len(words) != len(self._plurals):
            kinds = ", ".join(self._plurals)
            raise Unfit(f"needs {len(self._plurals)} words ({kinds}), not {len(words)}", value)
        kind = self.locale.plural_form(_number(value, "is not a number"))
        if kind not in self._plurals:
            kind = "few"
        return str(words[self._plurals.index(kind)])

    @cached_property
    def _plurals(self) -> tuple[str, ...]:
        """`other` is for fractions only where there are `few` and `many`: no word of its own."""
        kinds = [kind for kind in _PLURALS if kind in self.locale.plural_form.tags]
        return tuple(kinds) if {"few", "many"} <= set(kinds) else (*kinds, "other")

    def date(self, value: Any) -> str:
        """`1 декабря 2026 г.`: a date as it is, an instant as the day it falls on where the reader is."""
        moment = self._moment(value)
        day = moment.date() if isinstance(moment, dt.datetime) else moment
        return _date(self.locale, day)

    def time(self, value: Any) -> str:
        """`10:00` on the reader's clock."""
        moment = self._moment(value)
        if not isinstance(moment, dt.datetime):
            raise Unfit("is a date without a time", value)
        return format_time(moment, "short", locale=self.locale).replace("\u202f", "\xa0")

    def datetime(self, value: Any) -> str:
        """`1 декабря 2026 г., 10:00` on the reader's clock."""
        return f"{self.date(value)}, {self.time(value)}"

    def moment(self, at: dt.datetime, now: dt.datetime) -> str:
        """The time, with its date where that is another day than it is `now`."""
        is_today = at.astimezone(self.zone).date() == now.astimezone(self.zone).date()
        return self.time(at) if is_today else self.datetime(at)

    def _moment(self, value: Any) -> dt.date | dt.datetime:
        moment = _parsed(value)
        if not isinstance(moment, dt.datetime):
            return moment
        if moment.tzinfo is None:
            raise Unfit("is a time without an offset from UTC", value)
        try:
            return moment.astimezone(self.zone)
        except OverflowError:
            raise Unfit("lies too far off", value) from None

    def phone(self, value: Any) -> str:
        """`+7 999 123-45-67`. What is not a number in the international form is shown as it is."""
        if not isinstance(value, str):
            raise Unfit("is not a phone number", value)
        try:
            number = phonenumbers.parse(value)
        except phonenumbers.NumberParseException:
            return value
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


@lru_cache(maxsize=1024)
def formats(locale: str, timezone: str) -> Formats:
    """An unknown locale counts as Russian, an unknown zone as UTC: neither keeps a message from leaving."""
    return Formats(parse_locale(locale) or Locale("ru"), _zone(timezone))


@lru_cache(maxsize=1024)
def parse_locale(name: str) -> Locale | None:
    """`ru`, `en-GB`, `en_GB`; None for what Babel does not know."""
    try:
        return Locale.parse(name.replace("-", "_"))
    except (ValueError, UnknownLocaleError):
        return None


def _zone(name: str) -> dt.tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return dt.UTC


def decimal(value: Any) -> Decimal | None:
    """The number that a JSON number or a decimal string stands for; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        return None
    if isinstance(value, str) and len(value) > _LONGEST_NUMBER:
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number) < _LARGEST else None


def _number(value: Any, otherwise: str) -> Decimal:
    number = decimal(value)
    if number is None:
        raise Unfit(otherwise, value)
    return number


def _parsed(value: Any) -> dt.date | dt.datetime:
    if isinstance(value, dt.date):
        return value
    if not isinstance(value, str):
        raise Unfit("is not a date or time", value)
    try:
        return (
            dt.date.fromisoformat(value) if len(value) == 10 else dt.datetime.fromisoformat(value)
        )
    except ValueError:
        raise Unfit("is not a date or time in the form 2026-12-01T10:00:00+03:00", value) from None


# Prices, counts and days repeat from letter to letter, and one takes Babel longer than the rest of its row.
@lru_cache(maxsize=4096)
def _decimal(locale: Locale, number: Decimal) -> str:
    return format_decimal(number, locale=locale)


@lru_cache(maxsize=4096)
def _date(locale: Locale, day: dt.date) -> str:
    return format_date(day, "long", locale=locale)


@lru_cache(maxsize=16384)
def _money(locale: Locale, amount: Decimal, currency: str) -> str:
    digits = get_currency_precision(currency)
    amount = round(amount, digits)
    pattern = _pattern(locale, currency, 0 if amount == amount.to_integral_value() else digits)
    text: str = pattern.apply(amount, locale, currency=currency, currency_digits=False)
    return text


@lru_cache(maxsize=256)
def _pattern(locale: Locale, currency: str, digits: int) -> NumberPattern:
    pattern: Any = copy(locale.currency_formats["standard"])
    pattern.frac_prec = (digits, digits)
    if get_currency_symbol(currency, locale)[-1:].isalpha():
        # CLDR sets a code off from the digits; Babel leaves that out and prints `RUB4,990`.
        pattern.prefix = tuple(
            p.replace("¤", "¤\xa0").replace("\xa0\xa0", "\xa0") for p in pattern.prefix
        )
    return cast("NumberPattern", pattern)
