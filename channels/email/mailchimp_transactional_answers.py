"""What Mailchimp Transactional answers, and what that means: the words of its specification (1.4)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from channels.base import Accepted, Check, Message, Outcome, Refused, Retry, Scope
from channels.http import NoReply, Reply, unclear

_RETRIES = frozenset({"GeneralError", "ServiceUnavailable"})
_THROTTLED = "RequestLimitExceeded"
_ERRORS: Mapping[str, Scope] = {
    "Invalid_Key": Scope.ACCOUNT,
    "PaymentRequired": Scope.ACCOUNT,
    "Unknown_Subaccount": Scope.ACCOUNT,
    "Unknown_Template": Scope.MESSAGE,
    "ValidationError": Scope.MESSAGE,
}

# Why a letter was rejected at once, and whether the address is given up.
_REJECTED: Mapping[str, tuple[Scope, bool]] = {
    "hard-bounce": (Scope.RECIPIENT, True),
    "spam": (Scope.RECIPIENT, True),
    "invalid": (Scope.RECIPIENT, True),
    # Put on the account's own list by hand.
    "custom": (Scope.RECIPIENT, True),
    # Of the provider's list: another account may still write what needs no consent.
    "unsub": (Scope.RECIPIENT, False),
    # Their list forgets these entries after a while.
    "soft-bounce": (Scope.RECIPIENT, False),
    "invalid-sender": (Scope.ACCOUNT, True),
    "unsigned": (Scope.ACCOUNT, True),
    "test-mode-limit": (Scope.ACCOUNT, True),
    "rule": (Scope.MESSAGE, True),
}

# Taken, but nothing leaves before somebody has put the account in order.
_HELD = frozenset(
    {
        "free-trial-sends-exhausted",
        "monthly-limit-reached",
        "sending-paused",
        "sending-suspended",
        "account-suspended",
    }
)
_TAKEN = frozenset({"sent", "queued", "scheduled"})


def outcomes(messages: Sequence[Message], reply: Reply) -> list[Outcome]:
    """By address; one that is not in the answer has nobody's word for anything."""
    try:
        answer = reply.json()
    except NoReply:
        answer = None
    if reply.status != HTTPStatus.OK or not isinstance(answer, list) or not answer:
        return [_error(reply, answer)] * len(messages)
    listed = {
        str(entry.get("email")).casefold(): entry for entry in answer if isinstance(entry, dict)
    }
    return [_of_recipient(listed.get(message.to.casefold()), reply) for message in messages]


def _of_recipient(entry: Mapping[str, Any] | None, reply: Reply) -> Outcome:
    match entry:
        case {"status": "queued", "queued_reason": str(why)} if why in _HELD:
            return Refused(Scope.ACCOUNT, why, f"Mailchimp Transactional holds letters back: {why}")
        case {"status": str(status), "_id": str(id_)} if status in _TAKEN and id_:
            return Accepted(id_)
        case {"status": "rejected" | "invalid" as status, **rest}:
            why = str(rest.get("reject_reason") or status)
            scope, suppress = _REJECTED.get(why, (Scope.RECIPIENT, False))
            reason = f"Mailchimp Transactional does not send this letter: {why}"
            return Refused(scope, why, reason, suppress=suppress)
    return unclear(reply)


def _error(reply: Reply, answer: Any) -> Outcome:
    """What an answer that is no list means for every message of the call.

    By name first: older versions of the API answer every error with 500.
    """
    name = answer.get("name") if isinstance(answer, dict) else None
    if name == _THROTTLED or reply.status == HTTPStatus.TOO_MANY_REQUESTS:
        return Retry("throttled", reply.retry_after, throttled=True)
    if not isinstance(name, str) or name in _RETRIES:
        return _trouble(reply)
    scope = _ERRORS.get(name)
    if scope is None and reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _trouble(reply)
    if scope is None:
        denied = (HTTPStatus.UNAUTHORIZED, HTTPStatus.PAYMENT_REQUIRED, HTTPStatus.FORBIDDEN)
        scope = Scope.ACCOUNT if reply.status in denied else Scope.MESSAGE
    return Refused(scope, name, said(answer))


def _trouble(reply: Reply) -> Retry:
    """They do not say whether a call that ended in an error of theirs was carried out."""
    outcome = unclear(reply)
    failed = reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return replace(outcome, maybe_sent=True) if failed else outcome


def blame_one_of_many(outcomes: Sequence[Outcome]) -> bool:
    """The whole call was refused for what may be the fault of one letter in it."""
    return len(outcomes) > 1 and all(
        isinstance(outcome, Refused)
        and outcome.scope is Scope.MESSAGE
        and outcome.code not in _REJECTED
        for outcome in outcomes
    )


def said(answer: Any) -> str:
    if not isinstance(answer, dict):
        return "an answer that is none"
    return f"{answer.get('name', 'error')}: {answer.get('message', '')}"[:300]


def of_sender(answers: str, domain: str, domains: Any) -> Check:
    """`senders/domains` lists the domains of the account; a key may be kept from asking."""
    if not isinstance(domains, list):
        return Check(True, f"{answers}; whether {domain} may send could not be asked")
    found = next(
        (
            entry
            for entry in domains
            if isinstance(entry, dict) and str(entry.get("domain")).lower() == domain.lower()
        ),
        None,
    )
    if found is None:
        return Check(False, f"{answers}, but {domain} is not among its sending domains")
    if not found.get("valid_signing") or not found.get("verified_at"):
        return Check(False, f"{answers}, but {domain} is not verified with SPF and DKIM there")
    return Check(True, f"{answers}, {domain} may send")
