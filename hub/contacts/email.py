"""E-mail addresses in their one stored form."""

import re
from functools import lru_cache

from email_validator import EmailNotValidError, validate_email

# Almost all there are: whatever the part before the @ may have that has to be looked at is not among it.
_USUAL = re.compile(r"([a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*)@([A-Za-z0-9.-]{1,150})")
_LONGEST_LOCAL = 64


def normalise(value: str) -> str:
    """The address with its domain in lower case and in ASCII (IDNA). The part before the @ stays as it is:
    only the receiving server knows whether its letters' case matters.

    Raises `ValueError` with a reason for people. Letters beyond ASCII before the @ are refused, since few
    providers carry them; so are names that never get mail (`localhost`, `.test`).
    """
    usual = _USUAL.fullmatch(value)
    if usual and len(usual[1]) <= _LONGEST_LOCAL and (domain := _domain(usual[2])):
        return f"{usual[1]}@{domain}"
    try:
        found = validate_email(value.strip(), check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError as error:
        raise ValueError(f"is not an e-mail address: {error}") from None
    return found.ascii_email or found.normalized


@lru_cache(maxsize=4096)
def _domain(name: str) -> str:
    """In its stored form; empty: it is none. Most people share a few."""
    try:
        found = validate_email(f"a@{name}", check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError:
        return ""
    return found.ascii_domain or ""
