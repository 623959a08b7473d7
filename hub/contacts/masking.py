"""Addresses as those see them who may not: only as much as tells two of them apart."""

import re
from collections.abc import Callable, Collection

from hub.contacts import email, phone

_PHONES = frozenset({"phone", "sms", "viber", "whatsapp"})


def masked(value: str, kind: str) -> str:
    """`kind`: of the address, or the channel that it serves."""
    if kind == "email" and "@" in value:
        name, _, domain = value.rpartition("@")
        host, dot, zone = domain.rpartition(".")
        return f"{name[:1]}•••@{(host or zone)[:1]}•••{dot}{zone if host else ''}"
    if kind in _PHONES:
        return f"{value[:2]} ••• •• {value[-2:]}" if len(value) > 6 else "•••"
    return f"•••{value[-2:]}" if len(value) > 5 else "•••"


SHORTEST = 5
"""Of what is looked for in texts: shorter ids of chats cannot be told from codes of errors."""

_MAILBOX = re.compile(r"""[^\s<>()\[\],;:"@\\]+(?:@|%40)[\w.-]*\w""")
# What may stand in a name, and in front of one as well: `user=anna@…`, `'anna@…`, `?to=anna@…`.
_BEFORE_NAME = re.compile(r"[='/|`{&?]")
# `+7 (999) 123-45-67`, with whatever other numbers stand beside it.
_NUMBERS = re.compile(r"\+?\d+(?:[\s()./+-]{1,3}\d+)*")
_DIGITS = re.compile(r"\d+")
_FEWEST_DIGITS, _MOST_DIGITS = 7, 15
_MOST_GROUPS = 8
_RUSSIAN = 11
"""Digits of a number of Russia with its 7."""
_LIKE_A_PHONE = re.compile(r"\+?[\d\s()-]{7,24}")
_ID = re.compile(r"(?<![\w-])-?\d+(?!\w)")
_LAST_WORD = re.compile(r"""[^\s<>()\[\],;:"]*\Z""")

Is = Callable[[str], bool]


class Quotes:
    """Masks certain addresses in what others wrote, however they are written there: e-mail addresses in any case, phones
    with or without the plus sign, with blanks, with the 8 of Russia; ids of chats and tokens of devices as they are."""

    def __init__(self, addresses: Collection[str]) -> None:
        """`addresses` in their stored form."""
        mailboxes = {a.casefold() for a in addresses if "@" in a}
        phones = {form for a in addresses if a.startswith("+") for form in _forms(a)}
        others = {a for a in addresses if "@" not in a and a[:1] != "+" and len(a) >= SHORTEST}
        self._ids = {a for a in others if _ID.fullmatch(a)}
        self._tokens = others - self._ids
        self._mailboxes = mailboxes
        self._is_mailbox: Is = mailboxes.__contains__ if mailboxes else _never
        self._is_phone: Is = phones.__contains__ if phones else _never

    def masked(self, text: str) -> str:
        text = _without_mailboxes(text, self._is_mailbox)
        text = _without_phones(text, self._is_phone)
        if self._ids:
            text = _ID.sub(lambda m: masked(m[0], "") if m[0] in self._ids else m[0], text)
        for token in self._tokens:
            text = text.replace(token, masked(token, ""))
        return self._without_cut(text)

    def _without_cut(self, text: str) -> str:
        """Adapters cut long texts, perhaps in the middle of an address."""
        last = _LAST_WORD.search(text)
        word = last[0] if last else ""
        if "@" in word and any(a.startswith(word.casefold()) for a in self._mailboxes):
            return text.removesuffix(word) + masked(word, "email")
        return text


def masked_all(text: str) -> str:
    """With all e-mail addresses and mobile numbers masked, where it is not known whose may be quoted."""
    return _without_phones(_without_mailboxes(text, _is_any_mailbox), _is_any_phone)


def masked_id(value: str) -> str:
    """A name that others gave to somebody: masked where it is an address, else as it is."""
    match looks_like(value):
        case "email":
            return masked(value, "email")
        case "phone":
            return masked(phone.normalise(value), "phone")
    return value


def looks_like(value: str) -> str:
    """ "email" or "phone" where it could be such an address; empty for all else."""
    if "@" in value:
        # Also one that no letter would reach.
        return "email"
    return "phone" if _is_any_phone(value) else ""


def _without_mailboxes(text: str, is_mailbox: Is) -> str:
    if is_mailbox is _never or not ("@" in text or "%40" in text):
        return text

    def shown(match: re.Match[str]) -> str:
        whole = match[0]
        for begin in (0, *(m.end() for m in _BEFORE_NAME.finditer(whole))):
            value = whole[begin:].replace("%40", "@")
            if is_mailbox(value.casefold()):
                return whole[:begin] + masked(value, "email")
        return whole

    return _MAILBOX.sub(shown, text)


def _without_phones(text: str, is_phone: Is) -> str:
    if is_phone is _never:
        return text
    return _NUMBERS.sub(lambda match: _without_phone(match[0], is_phone), text)


def _without_phone(numbers: str, is_phone: Is) -> str:
    """Of numbers that stand beside each other, which may be one or several, the first that are a phone together."""
    groups = list(_DIGITS.finditer(numbers))
    for first in range(len(groups)):
        joined = "+" if numbers[: groups[first].start()].endswith("+") else ""
        found = 0
        for last, group in enumerate(groups[first : first + _MOST_GROUPS], first):
            joined += group[0]
            if _FEWEST_DIGITS <= len(joined) <= _MOST_DIGITS + 1 and is_phone(joined):
                found = last + 1
        if found:
            begin, end = groups[first].start(), groups[found - 1].end()
            before = numbers[:begin].removesuffix("+")
            shown = masked(_stored(numbers[begin:end]), "phone")
            return f"{before}{shown}{_without_phone(numbers[end:], is_phone)}"
    return numbers


def _forms(phone_: str) -> list[str]:
    """The digits of a stored number as they may be written, with the plus sign and without."""
    digits = phone_.removeprefix("+")
    forms = [phone_, digits]
    if len(digits) == _RUSSIAN and digits.startswith("7"):
        forms += [f"8{digits[1:]}", digits[1:]]
    return forms


def _stored(written: str) -> str:
    """All ways of writing a number are masked alike."""
    digits = re.sub(r"\D", "", written)
    if len(digits) == _RUSSIAN and digits.startswith("8"):
        return f"+7{digits[1:]}"
    return f"+7{digits}" if len(digits) == _RUSSIAN - 1 else f"+{digits}"


def _never(value: str) -> bool:  # noqa: ARG001 (there is nothing to be found)
    return False


def _is_any_mailbox(value: str) -> bool:
    try:
        return bool(email.normalise(value))
    except ValueError:
        return False


def _is_any_phone(value: str) -> bool:
    if not _LIKE_A_PHONE.fullmatch(value):
        return False
    try:
        return bool(phone.normalise(value))
    except ValueError:
        return False
