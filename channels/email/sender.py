"""Who a letter is from, as the settings name him: `Ромашка <shop@example.com>` or the bare address."""

import unicodedata
from dataclasses import dataclass
from typing import Annotated, Any

from email_validator import EmailNotValidError, validate_email
from pydantic import BeforeValidator


@dataclass(frozen=True, slots=True)
class Mailbox:
    """`address` is ASCII (an international domain in its xn-- form); `name` may be empty."""

    name: str
    address: str

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]


def mailbox(value: Any) -> Mailbox:
    """Raises `ValueError` for anything that is not one mailbox on one line."""
    if isinstance(value, Mailbox):
        return value
    if not isinstance(value, str):
        raise ValueError('must be text like "Ромашка <shop@example.com>"')
    if any(unicodedata.category(char) == "Cc" for char in value):
        # A line end in here would become a header of its own.
        raise ValueError("must have no line ends or other control characters")
    name, address = _halves(value.strip())
    return Mailbox(name, ascii_address(address))


def ascii_address(address: str) -> str:
    """The address as every mail server understands it. Raises `ValueError` where there is no such form."""
    try:
        known = validate_email(address, check_deliverability=False)
    except EmailNotValidError as error:
        raise ValueError(str(error)) from None
    if known.ascii_email is None:
        raise ValueError("the part before the @ must be of Latin letters, digits and signs")
    return known.ascii_email


def _halves(value: str) -> tuple[str, str]:
    """Name and address. Looser than RFC 5322: people write `Ромашка, ООО <a@b>` without quotes."""
    if not value.endswith(">"):
        return "", value
    name, _, address = value[:-1].rpartition("<")
    name = name.strip()
    if len(name) > 1 and name[0] == name[-1] == '"':
        name = name[1:-1].replace('\\"', '"')
    return name, address.strip()


MailboxField = Annotated[Mailbox, BeforeValidator(mailbox)]


# Mail services at which anybody has a mailbox. Their domains tell receivers (DMARC) to refuse letters that come
# from elsewhere, so no sending service takes them for a sender.
_FREE: frozenset[str] = frozenset(
    {
        *("mail.ru", "bk.ru", "inbox.ru", "list.ru", "internet.ru", "xmail.ru"),
        *("yandex.ru", "ya.ru", "yandex.com", "yandex.by", "yandex.kz", "narod.ru"),
        *("rambler.ru", "lenta.ru", "autorambler.ru", "myrambler.ru", "ro.ru"),
        *("gmail.com", "googlemail.com"),
        *("outlook.com", "hotmail.com", "live.com", "msn.com"),
        *("icloud.com", "me.com", "mac.com"),
        *("yahoo.com", "ymail.com", "aol.com"),
        *("proton.me", "protonmail.com", "gmx.de", "gmx.net", "gmx.com", "web.de"),
        *("ukr.net", "i.ua", "tut.by", "mail.kz"),
    }
)


def own_mailbox(value: Any) -> Mailbox:
    """A sender for a service that sends in the name of the shop's own domain. Raises `ValueError`."""
    found = mailbox(value)
    if found.domain.lower() in _FREE:
        raise ValueError(
            f"must be of the shop's own domain: letters from {found.domain} are refused by mail services"
            " unless they come from its own servers (use provider smtp with that mailbox instead)"
        )
    return found


OwnMailboxField = Annotated[Mailbox, BeforeValidator(own_mailbox)]
