"""What an SMSC's command_status means (SMPP 3.4, 5.1.3; from 0x100 on SMPP 5.0, 4.7.6, which 3.4 links use as well)."""

from collections.abc import Mapping
from enum import IntEnum, StrEnum

from channels.base import Refused, Retry, Scope

OK = 0


class Status(IntEnum):
    """Those that this side says or looks for itself."""

    INVALID_COMMAND = 0x03
    WRONG_BIND = 0x04
    TEMPORARY = 0x64
    """ESME_RX_T_APPN: say it again later."""
    PERMANENT = 0x65
    """ESME_RX_P_APPN: do not say it again."""


class Kind(StrEnum):
    """What is at fault, as settings name it for an SMSC's own codes."""

    RECIPIENT = "recipient"
    """The number does not exist: it is suppressed."""
    UNREACHABLE = "unreachable"
    """Not to this number; the number stays."""
    MESSAGE = "message"
    ACCOUNT = "account"
    RETRY = "retry"
    THROTTLED = "throttled"


_STATUSES: Mapping[int, tuple[str, str, Kind]] = {
    0x01: ("INVMSGLEN", "wrong length of the text", Kind.MESSAGE),
    0x02: ("INVCMDLEN", "wrong length of the packet", Kind.MESSAGE),
    0x03: ("INVCMDID", "command not known", Kind.MESSAGE),
    # Of a session that the SMSC has forgotten: the next one is better.
    0x04: ("INVBNDSTS", "not bound for this", Kind.RETRY),
    0x05: ("ALYBND", "already bound, or too many connections at once", Kind.ACCOUNT),
    0x06: ("INVPRTFLG", "wrong priority", Kind.MESSAGE),
    # The same flag goes with every message.
    0x07: ("INVREGDLVFLG", "receipts may not be asked for", Kind.ACCOUNT),
    0x08: ("SYSERR", "fault of the SMSC", Kind.RETRY),
    0x0A: ("INVSRCADR", "sender not allowed", Kind.ACCOUNT),
    0x0B: ("INVDSTADR", "wrong number", Kind.RECIPIENT),
    0x0C: ("INVMSGID", "message id not known", Kind.MESSAGE),
    0x0D: ("BINDFAIL", "bind failed", Kind.ACCOUNT),
    0x0E: ("INVPASWD", "wrong password", Kind.ACCOUNT),
    0x0F: ("INVSYSID", "login not known", Kind.ACCOUNT),
    0x11: ("CANCELFAIL", "cannot be cancelled", Kind.MESSAGE),
    0x13: ("REPLACEFAIL", "cannot be replaced", Kind.MESSAGE),
    0x14: ("MSGQFUL", "queue full", Kind.THROTTLED),
    0x15: ("INVSERTYP", "wrong service_type", Kind.ACCOUNT),
    0x33: ("INVNUMDESTS", "wrong number of destinations", Kind.MESSAGE),
    0x34: ("INVDLNAME", "wrong name of a list", Kind.MESSAGE),
    0x40: ("INVDESTFLAG", "wrong destination flag", Kind.MESSAGE),
    0x42: ("INVSUBREP", "replacing not possible", Kind.MESSAGE),
    0x43: ("INVESMCLASS", "wrong esm_class: this way of long texts is not taken", Kind.MESSAGE),
    0x44: ("CNTSUBDL", "cannot be sent to a list", Kind.MESSAGE),
    0x45: ("SUBMITFAIL", "not taken", Kind.MESSAGE),
    0x48: ("INVSRCTON", "wrong type of number of the sender", Kind.ACCOUNT),
    0x49: ("INVSRCNPI", "wrong numbering plan of the sender", Kind.ACCOUNT),
    # As likely the account's setting as the number.
    0x50: ("INVDSTTON", "wrong type of number of the recipient", Kind.UNREACHABLE),
    0x51: ("INVDSTNPI", "wrong numbering plan of the recipient", Kind.UNREACHABLE),
    0x53: ("INVSYSTYP", "wrong system_type", Kind.ACCOUNT),
    0x54: ("INVREPFLAG", "wrong replace flag", Kind.MESSAGE),
    0x55: ("INVNUMMSGS", "wrong number of messages", Kind.MESSAGE),
    0x58: ("THROTTLED", "too many messages a second", Kind.THROTTLED),
    0x61: ("INVSCHED", "wrong time of sending", Kind.MESSAGE),
    0x62: ("INVEXPIRY", "wrong validity period", Kind.MESSAGE),
    0x63: ("INVDFTMSGID", "text of the SMSC not known", Kind.MESSAGE),
    0x64: ("RX_T_APPN", "cannot be taken now", Kind.RETRY),
    0x65: ("RX_P_APPN", "cannot be taken", Kind.MESSAGE),
    0x66: ("RX_R_APPN", "rejected", Kind.MESSAGE),
    0x67: ("QUERYFAIL", "question failed", Kind.MESSAGE),
    0xC0: ("INVOPTPARSTREAM", "optional parameters not readable", Kind.MESSAGE),
    0xC1: ("OPTPARNOTALLWD", "optional parameter not allowed", Kind.MESSAGE),
    0xC2: ("INVPARLEN", "wrong length of a parameter", Kind.MESSAGE),
    0xC3: ("MISSINGOPTPARAM", "optional parameter missing", Kind.MESSAGE),
    0xC4: ("INVOPTPARAMVAL", "wrong value of an optional parameter", Kind.MESSAGE),
    0xFE: ("DELIVERYFAILURE", "not delivered", Kind.UNREACHABLE),
    0xFF: ("UNKNOWNERR", "unknown error", Kind.MESSAGE),
    0x100: ("SERTYPUNAUTH", "not authorised for this service_type", Kind.ACCOUNT),
    0x101: ("PROHIBITED", "not allowed to this account", Kind.ACCOUNT),
    0x102: ("SERTYPUNAVAIL", "service_type not available now", Kind.RETRY),
    0x103: ("SERTYPDENIED", "service_type denied", Kind.ACCOUNT),
    0x104: ("INVDCS", "alphabet not known", Kind.MESSAGE),
    0x105: ("INVSRCADDRSUBUNIT", "wrong subunit of the sender", Kind.ACCOUNT),
    0x106: ("INVDSTADDRSUBUNIT", "wrong subunit of the recipient", Kind.MESSAGE),
}

_SCOPES: Mapping[Kind, Scope] = {
    Kind.RECIPIENT: Scope.RECIPIENT,
    Kind.UNREACHABLE: Scope.RECIPIENT,
    Kind.MESSAGE: Scope.MESSAGE,
    Kind.ACCOUNT: Scope.ACCOUNT,
}


def outcome(
    status: int, own: Mapping[int, Kind], *, default: Kind = Kind.MESSAGE
) -> Retry | Refused:
    """What an answer with this status comes to. `own`: what the account's settings say of codes; they win."""
    code = f"0x{status:02X}"
    name, meaning, kind = _STATUSES.get(status, ("", "a code of the SMSC's own", default))
    kind = own.get(status, kind)
    reason = f"{name}: {meaning}" if name else meaning
    if kind in (Kind.RETRY, Kind.THROTTLED):
        word = name.lower().replace("_", "-") or code
        return Retry(f"smpp-{word}", throttled=kind is Kind.THROTTLED)
    return Refused(_SCOPES[kind], code, reason, suppress=kind is not Kind.UNREACHABLE)


def of_bind(status: int, own: Mapping[int, Kind]) -> Retry | Refused:
    """Whatever it is that stops a bind, it is not the message."""
    found = outcome(status, own, default=Kind.ACCOUNT)
    if isinstance(found, Refused):
        return Refused(Scope.ACCOUNT, found.code, f"bind refused, {found.reason}")
    return found
