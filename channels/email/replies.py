"""What a mail server's answer means for a message: RFC 5321 codes, RFC 3463 and 7372 enhanced codes."""

import re
from collections.abc import Mapping
from enum import IntEnum

from channels.base import Refused, Retry, Scope


class Stage(IntEnum):
    """How far a letter had come; from DATA on it may have been taken although nobody said so."""

    CONNECT = 1
    LOGIN = 2
    SENDER = 3
    RECIPIENT = 4
    DATA = 5


_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})\b")

# Whoever is refused, whatever the stage: None keeps the scope of the stage.
_NO_SUCH_ADDRESS = frozenset(
    {
        "5.1.1",  # bad mailbox
        "5.1.2",  # bad domain
        "5.1.3",  # bad syntax
        "5.1.6",  # moved, nobody says where to
        "5.1.10",  # the domain takes no mail
        "5.2.1",  # mailbox disabled
    }
)
_ABOUT_RECIPIENT = frozenset({"5.1.4", "5.2.0", "5.2.2", "5.2.3", "5.2.4"})
_ABOUT_MESSAGE = frozenset({"5.3.4", "5.7.10", "5.7.28"})
_ABOUT_ACCOUNT: Mapping[str, str] = {
    "5.1.7": "sender address",
    "5.1.8": "sender's domain",
    "5.7.3": "authentication",
    "5.7.8": "credentials",
    "5.7.9": "weak authentication",
    "5.7.11": "encryption needed",
    "5.7.14": "trust needed",
    **{f"5.7.{detail}": "domain authentication (RFC 7372)" for detail in range(20, 28)},
    "5.7.29": "ARC",
}
# Authentication wanted, too weak, refused, encryption needed (RFC 4954).
_LOGIN_CODES = frozenset({530, 534, 535, 538})
# 5.7.1 is "policy", said of spam and of senders that may not send here alike; only the text tells.
_MAY_NOT_SEND = re.compile(r"relay|sender|authenti", re.IGNORECASE)
# Many servers give no enhanced codes (Exim's "550 relay not permitted", mail.ru's "550 spam message rejected").
_SUSPECTS = re.compile(r"spam|junk|black ?list|block|rbl|policy|reputation", re.IGNORECASE)
# Said to RCPT as well, and means the sender.
_TOO_FAST = re.compile(r"too (?:many|much|fast)|\brate\b|throttl", re.IGNORECASE)

_REASON_LENGTH = 300


def outcome(code: int, text: str, stage: Stage) -> Retry | Refused:
    """`text` is the server's; addresses in it are the caller's to hide."""
    found = _ENHANCED.match(text.strip())
    enhanced = found[1] if found else ""
    name = enhanced or str(code)
    match code // 100:
        case 4:
            # A recipient's own trouble (greylisting, full, too fast) is no failure of the server.
            recipient = stage is Stage.RECIPIENT
            patience = recipient or enhanced.startswith("4.7.")
            alone = recipient and not _TOO_FAST.search(text)
            return Retry(name, throttled=patience, alone=alone)
        case 5:
            scope, suppress = _scope(code, enhanced, text, stage)
            return Refused(scope, name, one_line(text) or name, suppress=suppress)
        case _:
            return Retry(f"smtp-{code}-unreadable", maybe_sent=stage is Stage.DATA)


def one_line(text: str) -> str:
    return " ".join(text.split())[:_REASON_LENGTH]


def _scope(code: int, enhanced: str, text: str, stage: Stage) -> tuple[Scope, bool]:
    """Whose fault it is, and whether the address is dead."""
    if stage <= Stage.LOGIN or code in _LOGIN_CODES or enhanced in _ABOUT_ACCOUNT:
        return Scope.ACCOUNT, True
    if enhanced in _ABOUT_MESSAGE or enhanced.startswith("5.6."):
        return Scope.MESSAGE, True
    if enhanced.startswith("5.7."):
        mine = stage is Stage.SENDER or _MAY_NOT_SEND.search(text)
        return (Scope.ACCOUNT if mine else Scope.MESSAGE), True
    if stage is Stage.SENDER:
        # Without enhanced codes 552 is about the announced size, everything else about the sender.
        return (Scope.MESSAGE if code == 552 else Scope.ACCOUNT), True
    if enhanced in _NO_SUCH_ADDRESS:
        return Scope.RECIPIENT, True
    if stage is Stage.RECIPIENT and not enhanced and _MAY_NOT_SEND.search(text):
        return Scope.ACCOUNT, True
    if stage is Stage.RECIPIENT or enhanced in _ABOUT_RECIPIENT:
        # A bare 550 to RCPT is the classic "no such user"; with an unknown detail it may be anything.
        return Scope.RECIPIENT, code == 550 and not enhanced and not _SUSPECTS.search(text)
    return Scope.MESSAGE, True
