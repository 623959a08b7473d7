"""The words of SendPulse for what it did not do (sendpulse.com/integrations/api, list of errors)."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from channels.base import Outcome, Refused, Retry, Scope
from channels.http import Reply, unclear

# No header says how long: a second for the ten requests of a second, else the window that the error names.
_PATIENCE: Mapping[int, timedelta] = {
    2020202020: timedelta(seconds=1),
    # A website may start one push campaign in fifteen minutes.
    711: timedelta(minutes=15),
    # Four campaigns an hour through the API.
    791: timedelta(hours=1),
}
# Plans have ceilings a minute and a day.
_PLAN_PATIENCE = timedelta(minutes=1)

_ACCOUNT = frozenset(
    {
        *(401, 403),  # credentials; expired account
        3030303030,  # not in this plan
        *(707, 708, 905),  # money, recipients and senders of the plan
        *(20, 97),  # a sender at a free mail service
        *(701, 704, 901, 903, 904, 1003),  # sender missing, unknown, on the stop list
    }
)
# True: the address will never do.
_RECIPIENT: Mapping[int, bool] = {
    11: True,
    17: False,
    502: False,
    906: False,
}
# 422 and 10 are said of many things, and 400 of more than the account that it stands for in the list: what is
# meant only the text tells. None: not now.
_WORDS: Sequence[tuple[str, Scope | None]] = (
    ("try later", None),
    ("quota or bandwidth exceeded", Scope.ACCOUNT),
    ("smtp user", Scope.ACCOUNT),
    ("sender is not valid", Scope.ACCOUNT),
    # `from.email` and the like are settings of ours.
    ("argument from", Scope.ACCOUNT),
    ("tariff does not allow", Scope.ACCOUNT),
    ("recipient email is invalid", Scope.RECIPIENT),
)
_TEXT_LENGTH = 300
_CODE_LENGTH = 20


def refusal(reply: Reply, body: Any, *, alone: bool = True) -> Outcome:
    """What an answer other than success means for every message of the call.

    `alone`: the call is about one address, so that it is certain which one is meant.
    """
    code, text = error_code(body) or 0, _text(body)
    if code in _PATIENCE:
        return Retry(f"sendpulse-{code}", reply.retry_after or _PATIENCE[code], throttled=True)
    if reply.status == HTTPStatus.TOO_MANY_REQUESTS:
        return Retry("throttled", reply.retry_after or _PLAN_PATIENCE, throttled=True)
    if not (code or denies(body)) or reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return unclear(reply)
    name = str(code or "refused")
    if reply.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return Refused(Scope.ACCOUNT, name, text)
    for words, scope in _WORDS:
        if words in text.lower():
            return Refused(scope, name, text, suppress=alone) if scope else _limited(code)
    if code in _ACCOUNT:
        return Refused(Scope.ACCOUNT, name, text)
    if code in _RECIPIENT:
        return Refused(Scope.RECIPIENT, name, text, suppress=alone and _RECIPIENT[code])
    return Refused(Scope.MESSAGE, name, text)


def accepts(body: Any) -> bool:
    """Some services say `result`, some `success`."""
    return isinstance(body, dict) and (body.get("result") is True or body.get("success") is True)


def denies(body: Any) -> bool:
    """A plain no, which some services say with 200 and without a code."""
    return isinstance(body, dict) and (body.get("result") is False or body.get("success") is False)


def error_code(body: Any) -> int | None:
    """None where the answer has no such thing."""
    code = body.get("error_code") if isinstance(body, dict) else None
    if isinstance(code, str) and code.isdecimal() and len(code) < _CODE_LENGTH:
        code = int(code)
    return code if isinstance(code, int) and code > 0 else None


def _limited(code: int) -> Retry:
    return Retry(f"sendpulse-{code or 'limited'}", throttled=True)


def _text(body: Any) -> str:
    said = body if isinstance(body, dict) else {}
    inner = said.get("data")
    for place in (said, inner if isinstance(inner, dict) else {}):
        for name in ("message", "error_description", "error"):
            if isinstance(text := place.get(name), str) and text:
                return " ".join(text.split())[:_TEXT_LENGTH]
    code = error_code(body)
    return f"SendPulse error {code}" if code else "SendPulse refuses without saying why"
