"""Phone numbers in their one stored form."""

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType

# A number without a country code is read as it would be dialled here.
_REGION = "RU"

# Toll-free, landline and premium numbers take no messages (8 800 555-35-35 is a valid number, too).
_MOBILE = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)


def normalise(value: str) -> str:
    """E.164, like `+79991234567`. Raises `ValueError` with a reason for people."""
    try:
        number = phonenumbers.parse(value, _REGION)
    except NumberParseException:
        raise ValueError("is not a phone number") from None
    if number.extension or not phonenumbers.is_valid_number(number):
        raise ValueError("is not a phone number that exists")
    if phonenumbers.number_type(number) not in _MOBILE:
        raise ValueError("is not a mobile number, so it takes no messages")
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)
