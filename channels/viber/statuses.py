"""Viber's statuses, which come with a 200 (bot API, "Error codes")."""

from collections.abc import Mapping
from datetime import timedelta

from channels.base import Outcome, Refused, Retry, Scope

OK = 0
NO_BROADCASTS = frozenset({19, 20})

_TOO_MANY = 12
_ACCOUNT: Mapping[int, str] = {
    1: "the webhook's URL is invalid",
    2: "the token is invalid",
    7: "the bot is blocked",
    8: "there is no such bot",
    9: "the bot is suspended",
    10: "no webhook is set: start the hub's bots where Viber reaches public_url",
    15: "the bot is not allowed to do that",
    19: "the bot cannot broadcast",
    20: "the bot may not broadcast",
    21: "the country is not supported",
    22: "payments are not supported",
    23: "the month's free messages are used up",
    24: "no money on the account",
}
# True: until the person comes back by himself.
_RECIPIENT: Mapping[int, bool] = {
    5: True,  # not registered
    6: True,  # not subscribed
    11: False,  # no device that shows it
    13: False,  # too old an app
}
# Data, and versions of the API that it would need.
_MESSAGE = frozenset({3, 4, 14, 16, 17, 18})


def refused(status: int, text: str, after: timedelta, *, alone: bool) -> Outcome:
    """`text`: Viber's words; `after`: what its answer asks to wait. `alone`: it is certain whom it means."""
    if status == _TOO_MANY:
        # A hundred messages to one person in an hour without a word of his; or too many broadcasts.
        return Retry("throttled", after, throttled=True, alone=alone)
    if status in _ACCOUNT:
        return Refused(Scope.ACCOUNT, str(status), f"{_ACCOUNT[status]} ({text})")
    if status in _RECIPIENT:
        return Refused(Scope.RECIPIENT, str(status), text, suppress=alone and _RECIPIENT[status])
    if status in _MESSAGE:
        return Refused(Scope.MESSAGE, str(status), text)
    # -1, "general error", and what is not known.
    return Retry(f"viber-{status}", after)
