"""Phone numbers in their one stored form."""

import re

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType

# A number without a country code is read as it would be dialled here.
_REGION = "RU"

# Toll-free, landline and premium numbers take no messages (8 800 555-35-35 is a valid number, too).
_MOBILE = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)


# Every Russian mobile number but those that begin with 93, where some were never given out: nothing has to be
# looked up for them.
_USUAL = re.compile(r"\+79[0-24-9][0-9]{8}")


# Several in one field, as people write them.
_BETWEEN = re.compile(r"[,;/\n]")

_LONGEST_NATIONAL = 11
"""Digits, with the 8 or 7 before them."""


def as_typed(value: str) -> str:
    """As `normalise`, of what people typed into a shop's form, the first that can be read: also "+8 999 …", and a
    number of another country without its plus sign. Raises `ValueError`."""
    for part in _BETWEEN.split(value):
        for form in _forms(part):
            try:
                return normalise(form)
            except ValueError:
                continue
    # Says what is wrong with it.
    return normalise(value)


def _forms(written: str) -> list[str]:
    digits = "".join(filter(str.isdecimal, written))
    if written.strip().startswith("+8"):
        # China's and its neighbours' begin so, too.
        return [written, digits]
    # What could be one of this country, were it a landline, is none of another.
    is_foreign = len(digits) > _LONGEST_NATIONAL or digits[:1] not in ("", "0", "7", "8", "9")
    if written.strip().startswith("+") or not is_foreign or len(digits) < _LONGEST_NATIONAL:
        return [written]
    return [written, f"+{digits}"]


def normalise(value: str) -> str:
    """E.164, like `+79991234567`. Raises `ValueError` with a reason for people."""
    if _USUAL.fullmatch(value):
        return value
    try:
        number = phonenumbers.parse(value, _REGION)
    except NumberParseException:
        raise ValueError("is not a phone number") from None
    if number.extension or not phonenumbers.is_valid_number(number):
        raise ValueError("is not a phone number that exists")
    if phonenumbers.number_type(number) not in _MOBILE:
        raise ValueError("is not a mobile number, so it takes no messages")
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)
