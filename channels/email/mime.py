"""A message as the bytes of a letter (RFC 5322, 2045, 2047, 2369, 8058)."""

from datetime import datetime
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from unicodedata import category

from channels.ascii_url import ascii_url
from channels.base import Category, Message
from channels.email.sender import Mailbox

# 7bit: bodies as quoted-printable or Base64, which also servers without 8BITMIME take.
_7BIT = SMTP.clone(cte_type="7bit")

# A line may have 998 octets; no person needs more for a name.
_NAME_LENGTH = 200
_WORD_LENGTH = 200

# Control characters, and half surrogates, which have no bytes.
_NO_TEXT = frozenset({"Cc", "Cs"})


def message_id(message: Message, sender: Mailbox) -> str:
    """The same at every repeat, so that a mailbox can recognise a double."""
    return f"<{message.key}@{sender.domain}>"


def letter(
    message: Message,
    to: str,
    *,
    sender: Mailbox,
    reply_to: Mailbox | None = None,
    now: datetime,
) -> bytes:
    """Text, and HTML beside it where there is some. With a non-ASCII `to` the headers need SMTPUTF8."""
    headers = {
        "From": _mailbox(sender),
        "To": _mailbox(Mailbox(message.to_name, to)),
        "Subject": _folded(one_line(message.subject), "Subject"),
        "Date": format_datetime(now),
        "Message-ID": message_id(message, sender),
    }
    if reply_to:
        headers["Reply-To"] = _mailbox(reply_to)
    if message.category is not Category.MARKETING:
        headers["Auto-Submitted"] = "auto-generated"
    if message.unsubscribe_url:
        headers["List-Unsubscribe"] = f"<{ascii_url(message.unsubscribe_url)}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"

    mail = EmailMessage(_7BIT)
    mail.set_content(message.text)
    if message.html:
        mail.add_alternative(message.html, subtype="html")
    # Not by the library: it folds a long URL into encoded words that no program follows, a long name with a comma
    # without its quotes, so that one recipient reads as two (python/cpython#121284), and loses a space of a long
    # subject in which there are Latin words.
    ours = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return ours.encode() + mail.as_bytes()


def one_line(text: str) -> str:
    """Without what would end a header: line ends and other control characters."""
    if text.isprintable() and "  " not in text and text == text.strip():
        # As most are.
        return text
    # Not `isprintable`: joiners of emoji and of letters, marks of direction and the newest emoji are none of it.
    return "".join(char for char in " ".join(text.split()) if category(char) not in _NO_TEXT)


def encoded_words(name: str) -> str:
    """RFC 2047, on one line for whoever folds himself."""
    return Header(name, "utf-8", maxlinelen=75).encode(linesep="", maxlinelen=75)


def _mailbox(mailbox: Mailbox) -> str:
    name = one_line(mailbox.name)[:_NAME_LENGTH]
    if not name:
        return f"<{mailbox.address}>"
    if name.isascii():
        quoted = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{quoted}" <{mailbox.address}>'
    return f"{_folded(name, 'Reply-To')}\r\n <{mailbox.address}>"


def _folded(text: str, header: str) -> str:
    """As it is where that is read as what it is, else RFC 2047."""
    words = text.split()
    plain = text.isascii() and "=?" not in text and all(len(w) < _WORD_LENGTH for w in words)
    return Header(text, "us-ascii" if plain else "utf-8", header_name=header).encode(linesep="\r\n")
