"""Meta's error codes, the same in answers and in statuses that come later (Cloud API reference, "Error codes")."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from channels.base import Outcome, Receipt, ReceiptStatus, Refused, Retry, Scope
from channels.http import Reply, unclear

# Calls of the app, of the business account, messages of the number: the number's 80 a second are counted over
# what it sends and what it gets.
_THROTTLED = frozenset({4, 80007, 130429})
_PAIR = 131056
# About one message in six seconds to one person, with bursts that are paid back later.
_PAIR_WAIT = timedelta(seconds=6)
# Trouble of the service: unknown, away, overloaded, maintenance.
_RETRIES = frozenset({1, 2, 131000, 131016, 131057, 133004})

_ACCOUNT = frozenset(
    {
        *(0, 3, 10, 190, *range(200, 300)),  # token and rights
        33,  # the number was deleted
        *(368, 131031),  # broken rules, locked
        131005,
        *(131037, 131045),  # name not approved, number not registered
        *(
            133000,
            133005,
            133006,
            133008,
            133009,
            133010,
            133015,
            133016,
        ),  # registration of the number
        131042,  # payment
        *(131048, 131064),  # too many complaints: for hours
        131030,  # a test number writes to the five people on its list only
    }
)
# True: this number will never do.
_RECIPIENT: Mapping[int, bool] = {
    131021: True,  # our own number
    131026: True,  # not on WhatsApp, its terms not accepted, or a very old app
    131050: False,  # no more marketing, wanted so in WhatsApp's settings
    131049: False,  # enough marketing from everybody for now: a repeat within a day is refused again
    130472: False,  # one of Meta's experiments
    131062: False,
    137000: False,
    # Of the person's country: the account is good for the others.
    130497: False,
}
_STOPPED_MARKETING = 131050

# Of statuses that come later: worth a new call, as nothing is wrong with message and number.
_LATER = _THROTTLED | {_PAIR, 131016, 131057}

_REASON_LENGTH = 300


@dataclass(frozen=True, slots=True)
class Error:
    code: int
    text: str
    is_transient: bool = False


def read(value: Any) -> Error | None:
    """An error as it stands in an answer (`error`) or in a status (`errors[]`); None: this is none."""
    if not isinstance(value, dict) or not isinstance(value.get("code"), int):
        return None
    data = value.get("error_data")
    details = data.get("details") if isinstance(data, dict) else None
    said = dict.fromkeys(str(part) for part in (value.get("message"), value.get("title")) if part)
    text = ": ".join([*list(said)[:1], *([str(details)] if details else [])])
    code: int = value["code"]
    return Error(
        code, text[:_REASON_LENGTH] or f"WhatsApp error {code}", bool(value.get("is_transient"))
    )


def outcome_of(error: Error, reply: Reply) -> Outcome:
    code = error.code
    if code in _THROTTLED:
        return Retry(f"whatsapp-{code}", reply.retry_after, throttled=True)
    if code == _PAIR:
        return Retry(f"whatsapp-{code}", _PAIR_WAIT, throttled=True, alone=True)
    if code in _RETRIES:
        return Retry(f"whatsapp-{code}", reply.retry_after)
    if code in _ACCOUNT:
        return Refused(Scope.ACCOUNT, str(code), error.text)
    if code in _RECIPIENT:
        return Refused(Scope.RECIPIENT, str(code), error.text, suppress=_RECIPIENT[code])
    if error.is_transient:
        return Retry(f"whatsapp-{code}", reply.retry_after)
    match reply.status:
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            return Refused(Scope.ACCOUNT, str(code), error.text)
        case HTTPStatus.TOO_MANY_REQUESTS:
            return unclear(reply)
        case status if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return unclear(reply)
    # Text, parameters, templates (131008 and 131009, 131047, 131051 to 131053, 132000 to 132069), and what is not
    # known. A template that Meta has paused or disabled (132015, 132016) is out of use, the others are not; where
    # marketing is not taken this way (131063), everything else is.
    return Refused(Scope.MESSAGE, str(code), error.text)


def receipts_of(error: Error, about: Receipt) -> list[Receipt]:
    """What a status `failed` with this error comes to; `about`: its message and its time."""
    status = ReceiptStatus.FAILED
    if error.code in _LATER:
        status = ReceiptStatus.LOST
    elif _RECIPIENT.get(error.code):
        status = ReceiptStatus.BOUNCED
    found = [_with(about, status, error)]
    if error.code == _STOPPED_MARKETING:
        found.append(_with(about, ReceiptStatus.UNSUBSCRIBED, error))
    return found


def _with(about: Receipt, status: ReceiptStatus, error: Error) -> Receipt:
    return Receipt(
        status,
        provider_id=about.provider_id,
        key=about.key,
        code=str(error.code),
        text=error.text,
        at=about.at,
    )
