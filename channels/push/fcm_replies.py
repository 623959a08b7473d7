"""What FCM's answers come to: its codes (`FcmError`), and Google's (`google.rpc`) where it has none of its own.

Facts from firebase.google.com: the pages on error codes and on throttling and quotas.
"""

from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from channels.base import Accepted, Outcome, Refused, Retry, Scope
from channels.http import NoReply, Reply, unclear

_REFUSALS: Mapping[str, tuple[Scope, bool]] = {
    "UNREGISTERED": (Scope.RECIPIENT, True),
    # The token was given out for another Firebase project. It may be good there: with the wrong key file
    # in the settings every token answers so, and none of them must be lost by it.
    "SENDER_ID_MISMATCH": (Scope.RECIPIENT, False),
    "PERMISSION_DENIED": (Scope.ACCOUNT, True),
    "UNAUTHENTICATED": (Scope.ACCOUNT, True),
    # Apple's key or the web push certificate that the project holds at Firebase is wrong.
    "THIRD_PARTY_AUTH_ERROR": (Scope.ACCOUNT, True),
    "APNS_AUTH_ERROR": (Scope.ACCOUNT, True),
    # Without FcmError it is not the token that was not found: the project or the path is wrong.
    "NOT_FOUND": (Scope.ACCOUNT, True),
    "INVALID_ARGUMENT": (Scope.MESSAGE, True),
}

# The least waits of Google's page on retrying, where no Retry-After says more.
_WAITS: Mapping[str, timedelta] = {
    "QUOTA_EXCEEDED": timedelta(seconds=60),
    "RESOURCE_EXHAUSTED": timedelta(seconds=60),
    "UNAVAILABLE": timedelta(seconds=10),
    "INTERNAL": timedelta(seconds=10),
}
_THROTTLED = ("QUOTA_EXCEEDED", "RESOURCE_EXHAUSTED")


def outcome(reply: Reply, to: str) -> Outcome:
    try:
        answer = reply.json()
    except NoReply as none:
        return _unreadable(reply, none)
    if not isinstance(answer, dict):
        return unclear(reply)
    if reply.status == HTTPStatus.OK:
        name = answer.get("name")
        return Accepted(name) if name and isinstance(name, str) else unclear(reply)
    error = answer.get("error")
    if not isinstance(error, dict):
        return unclear(reply)
    return _error(reply, error, to)


def _unreadable(reply: Reply, none: NoReply) -> Outcome:
    """Google answers a wrong path with a page: nothing will ever leave by it."""
    if reply.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND):
        return Refused(
            Scope.ACCOUNT, f"http-{reply.status}", "no FCM behind base_url, or access is denied"
        )
    return none.outcome


def _error(reply: Reply, error: Mapping[str, Any], to: str) -> Outcome:
    code = fcm_code(error) or str(error.get("status") or f"http-{reply.status}")
    # Kept and shown to people, so the device's token must not be in it.
    said = str(error.get("message") or f"FCM says {code} and no more")
    text = said.replace(to or "\0", "…")
    if code in _WAITS:
        wait = reply.retry_after or _WAITS[code]
        throttled = code in _THROTTLED
        return Retry(code, wait, throttled=throttled, alone=throttled and _is_of_device(error))
    if code == "INVALID_ARGUMENT" and _names_token(error):
        return Refused(Scope.RECIPIENT, code, text)
    if code in _REFUSALS:
        scope, suppress = _REFUSALS[code]
        return Refused(scope, code, _violations(error) or text, suppress=suppress)
    if HTTPStatus.BAD_REQUEST <= reply.status < HTTPStatus.INTERNAL_SERVER_ERROR:
        if reply.status == HTTPStatus.TOO_MANY_REQUESTS:
            return Retry(code, reply.retry_after or _WAITS["QUOTA_EXCEEDED"], throttled=True)
        return Refused(Scope.MESSAGE, code, text)
    return unclear(reply)


def _details(error: Mapping[str, Any], kind: str) -> list[Mapping[str, Any]]:
    details = error.get("details")
    listed = details if isinstance(details, list) else []
    return [d for d in listed if isinstance(d, dict) and str(d.get("@type", "")).endswith(kind)]


def _entries(error: Mapping[str, Any], kind: str, name: str) -> list[Mapping[str, Any]]:
    lists = [d.get(name) for d in _details(error, kind)]
    return [
        entry
        for entries in lists
        if isinstance(entries, list)
        for entry in entries
        if isinstance(entry, dict)
    ]


def fcm_code(error: Mapping[str, Any]) -> str:
    """The word of FCM itself, more exact than the HTTP API's `status`."""
    return next((str(d.get("errorCode", "")) for d in _details(error, "fcm.v1.FcmError")), "")


def _field_violations(error: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return _entries(error, "rpc.BadRequest", "fieldViolations")


def _is_of_device(error: Mapping[str, Any]) -> bool:
    """The quota that is used up is one device's and not the project's: the others need not wait for it."""
    violations = _entries(error, "rpc.QuotaFailure", "violations")
    words = [f"{v.get('subject', '')} {v.get('description', '')}".lower() for v in violations]
    return bool(words) and all("device" in w and "project" not in w for w in words)


def _names_token(error: Mapping[str, Any]) -> bool:
    """INVALID_ARGUMENT is said of a bad token and of a bad message alike; only where FCM speaks of the
    token may the device be given up."""
    fields = [str(v.get("field", "")) for v in _field_violations(error)]
    if fields:
        return fields == ["message.token"]
    return bool(fcm_code(error)) and "registration token" in str(error.get("message", "")).lower()


def _violations(error: Mapping[str, Any]) -> str:
    """The fields at fault, for the template's author."""
    return "; ".join(
        f"{v.get('field', '?')}: {v.get('description', '')}" for v in _field_violations(error)
    )


def is_third_party(reply: Reply) -> bool:
    return b"THIRD_PARTY_AUTH_ERROR" in reply.body or b"APNS_AUTH_ERROR" in reply.body
