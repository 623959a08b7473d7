"""What RuStore's answers come to: statuses of the direct API, texts of the universal one."""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from channels.base import Accepted, Message, Outcome, Refused, Retry, Scope
from channels.http import NoReply, Reply, unclear
from channels.push.fcm_replies import fcm_code

# The direct API's own (`code`, `message`, `status`), then those of FCM, whose drop-in replacement it is: some
# clients have met them.
_REFUSALS: Mapping[str, tuple[Scope, bool]] = {
    "INVALID_ARGUMENT": (Scope.MESSAGE, True),
    # "The service key is wrong."
    "PERMISSION_DENIED": (Scope.ACCOUNT, True),
    # "The user's push token is wrong."
    "NOT_FOUND": (Scope.RECIPIENT, True),
    "UNREGISTERED": (Scope.RECIPIENT, True),
    "SENDER_ID_MISMATCH": (Scope.RECIPIENT, False),
    "UNAUTHENTICATED": (Scope.ACCOUNT, True),
}
_THROTTLED = ("TOO_MANY_REQUESTS", "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED")
_RETRIES = ("INTERNAL", "UNAVAILABLE")

_BY_STATUS: Mapping[int, Scope] = {
    HTTPStatus.UNAUTHORIZED: Scope.ACCOUNT,
    HTTPStatus.FORBIDDEN: Scope.ACCOUNT,
    HTTPStatus.GONE: Scope.RECIPIENT,
}

_INVALID_TOKENS = re.compile(r"invalid tokens?\b(.*)", re.IGNORECASE | re.DOTALL)
# The universal API names refused tokens by their first characters; fewer would fit too many.
_LEAST_PREFIX = 4
_MAX_TEXT = 300


def direct(reply: Reply, message: Message) -> Outcome:
    """The body of a success is not documented; `{}` and nothing at all have been seen."""
    if reply.status == HTTPStatus.OK and not reply.body.strip():
        return Accepted(message.key)
    answer = _object(reply)
    if answer is None:
        return _unreadable(reply)
    error = answer.get("error")
    error = error if isinstance(error, dict) else answer
    word = fcm_code(error) or str(error.get("status", ""))
    text = _clean(error.get("message"), message)
    if word in _THROTTLED:
        return Retry(word, reply.retry_after, throttled=True)
    if word in _RETRIES:
        return Retry(word, reply.retry_after)
    if word in _REFUSALS:
        scope, suppress = _REFUSALS[word]
        return Refused(scope, word, text or word, suppress=suppress)
    if reply.status == HTTPStatus.OK:
        return unclear(reply) if _says_error(answer) else Accepted(message.key)
    return _by_status(reply, reply.status, word or f"http-{reply.status}", text)


def _says_error(answer: Mapping[str, Any]) -> bool:
    code = answer.get("code", HTTPStatus.OK)
    return "error" in answer or not isinstance(code, int) or code >= HTTPStatus.BAD_REQUEST


def universal(reply: Reply, message: Message) -> Outcome:
    """One answer for the whole request, its reasons in `errors` as texts for people."""
    answer = _object(reply)
    if answer is None:
        return _unreadable(reply)
    # With a capital in the documentation's example, without one elsewhere.
    word = str(answer.get("status") or answer.get("Status") or "")
    if word == "OK":
        return Accepted(message.key) if reply.status == HTTPStatus.OK else unclear(reply)
    listed = answer.get("errors")
    errors = [str(error) for error in listed] if isinstance(listed, list) else []
    text = _clean("; ".join(errors) or answer.get("message"), message)
    if word == "VALIDATION_ERROR":
        return _invalid(errors, text)
    if word == "PROVIDER_ERROR":
        return _refused_by_provider(reply, answer, errors, text, message)
    if reply.status < HTTPStatus.BAD_REQUEST:
        return unclear(reply)
    return _by_status(reply, reply.status, word or f"http-{reply.status}", text)


def _invalid(errors: Sequence[str], text: str) -> Outcome:
    """`providers.rustore: project_id is a required field`: the place stands before the colon."""
    if any(error.startswith("providers") for error in errors):
        return Refused(Scope.ACCOUNT, "VALIDATION_ERROR", text)
    if errors and all(error.startswith("tokens") for error in errors):
        return Refused(Scope.RECIPIENT, "VALIDATION_ERROR", text, suppress=False)
    return Refused(Scope.MESSAGE, "VALIDATION_ERROR", text or "VALIDATION_ERROR")


def _refused_by_provider(
    reply: Reply, answer: Mapping[str, Any], errors: Sequence[str], text: str, message: Message
) -> Outcome:
    said = "; ".join(errors)
    # A text like "invalid tokens" and yet about the credentials, so it comes first.
    if "invalid auth token" in said.lower():
        return Refused(Scope.ACCOUNT, "PROVIDER_ERROR", text)
    if named := _INVALID_TOKENS.search(said):
        # Ours was the only one, but a device is given up only where RuStore means it beyond doubt.
        ours = _names(named[1], message.to)
        return Refused(Scope.RECIPIENT, "PROVIDER_ERROR", "invalid token", suppress=ours)
    if "too many" in said.lower():
        return Retry("PROVIDER_ERROR", reply.retry_after, throttled=True)
    code = answer.get("code")
    status = code if isinstance(code, int) else reply.status
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        # Its own word that it did not do it, other than a gateway's.
        return Retry("PROVIDER_ERROR", reply.retry_after)
    return _by_status(reply, status, "PROVIDER_ERROR", text)


def _names(text: str, token: str) -> bool:
    words = re.findall(r"[^\s,;:\[\]\"']+", text)
    prefixes = [word.rstrip(".…*") for word in words]
    return any(len(p) >= _LEAST_PREFIX and token.startswith(p) for p in prefixes)


def _by_status(reply: Reply, status: int, code: str, text: str) -> Outcome:
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Retry(code, reply.retry_after, throttled=True)
    if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        scope = _BY_STATUS.get(status, Scope.MESSAGE)
        return Refused(scope, code, text or "RuStore refused the request")
    return unclear(reply)


def _object(reply: Reply) -> dict[str, Any] | None:
    try:
        answer = reply.json()
    except NoReply:
        return None
    return answer if isinstance(answer, dict) else None


def _unreadable(reply: Reply) -> Outcome:
    """A page says nothing of a device: with a wrong address every call ends so."""
    if reply.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND):
        return Refused(
            Scope.ACCOUNT,
            f"http-{reply.status}",
            "no RuStore behind base_url, a wrong project_id, or access is denied",
        )
    return unclear(reply)


def _clean(text: object, message: Message) -> str:
    """Kept and shown to people, so the device's token must not be in it."""
    said = text if isinstance(text, str) else ""
    return said.replace(message.to or "\0", "…")[:_MAX_TEXT]
