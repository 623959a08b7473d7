"""What Apple's answers come to: the table of reasons of its page "Handling notification responses from APNs"."""

from collections.abc import Mapping
from http import HTTPStatus

from channels.base import Accepted, Outcome, Refused, Retry, Scope
from channels.http import NoReply, Reply, unclear
from channels.push.apple_token import LEAST_USE

EXPIRED = "ExpiredProviderToken"
OTHER_KEY = "UnrelatedKeyIdInToken"

_CLOCK = "the token is too old for Apple although it is new: look at this machine's clock"
_OUR_FAULT = "APNs did not understand the request"

_REFUSALS: Mapping[str, Refused] = {
    refused.code: refused
    for refused in (
        Refused(Scope.RECIPIENT, "Unregistered", "the app is no longer on this device"),
        Refused(Scope.RECIPIENT, "ExpiredToken", "the device token has expired"),
        # With the wrong environment or bundle id in the settings every token answers so, and none of them
        # must be lost by it. A device that is really gone answers Unregistered.
        Refused(
            Scope.RECIPIENT,
            "BadDeviceToken",
            "no device token of this environment (production, sandbox)",
            suppress=False,
        ),
        Refused(
            Scope.RECIPIENT,
            "DeviceTokenNotForTopic",
            "the device token belongs to another app",
            suppress=False,
        ),
        Refused(Scope.MESSAGE, "PayloadTooLarge", "title, text and data are too big"),
        Refused(Scope.MESSAGE, "PayloadEmpty", "nothing to show"),
        *(
            Refused(Scope.MESSAGE, code, _OUR_FAULT)
            for code in (
                "BadCollapseId",
                "BadExpirationDate",
                "BadMessageId",
                "BadPriority",
                "DuplicateHeaders",
                "InvalidPushType",
                "MissingDeviceToken",
                "BadPath",
                "MethodNotAllowed",
            )
        ),
        Refused(Scope.ACCOUNT, "BadTopic", "topic is not a bundle id"),
        Refused(Scope.ACCOUNT, "MissingTopic", "topic is not set"),
        Refused(Scope.ACCOUNT, "TopicDisallowed", "this team may not send to this topic"),
        Refused(Scope.ACCOUNT, "BadCertificate", "Apple does not accept the certificate"),
        Refused(
            Scope.ACCOUNT, "BadCertificateEnvironment", "the certificate is of another environment"
        ),
        Refused(Scope.ACCOUNT, "Forbidden", "this team or key may not do that"),
        Refused(
            Scope.ACCOUNT,
            "InvalidProviderToken",
            "private_key, key_id and team_id do not belong together, or the key was revoked",
        ),
        Refused(Scope.ACCOUNT, "MissingProviderToken", "Apple saw no token"),
        Refused(Scope.ACCOUNT, EXPIRED, _CLOCK),
        # Both spellings are in use.
        Refused(Scope.ACCOUNT, "BadEnvironmentKeyIdInToken", "the key is of another environment"),
        Refused(Scope.ACCOUNT, "BadEnvironmentKeyInToken", "the key is of another environment"),
    )
}

_RETRIES: Mapping[str, Retry] = {
    retry.reason: retry
    for retry in (
        Retry("IdleTimeout"),
        # The next connection takes this key.
        Retry(OTHER_KEY),
        Retry("InternalServerError"),
        Retry("ServiceUnavailable"),
        Retry("Shutdown"),
        # "To the same device token."
        Retry("TooManyRequests", throttled=True, alone=True),
        # Until then the token of before is the only one that Apple takes.
        Retry("TooManyProviderTokenUpdates", LEAST_USE, throttled=True),
    )
}

_DENIED = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED,
)
_MAX_ID = 100


def reason(reply: Reply) -> str:
    """Apple's word for what is wrong; empty where there is none."""
    if reply.status == HTTPStatus.OK:
        return ""
    try:
        answer = reply.json()
    except NoReply:
        return ""
    word = answer.get("reason") if isinstance(answer, dict) else None
    return word[:_MAX_ID] if isinstance(word, str) else ""


def outcome(reply: Reply) -> Outcome:
    if reply.status == HTTPStatus.OK:
        apns_id = reply.headers.get("apns-id", "")
        return Accepted(apns_id[:_MAX_ID]) if apns_id else unclear(reply)
    word = reason(reply)
    if word in _REFUSALS:
        return _REFUSALS[word]
    if word in _RETRIES:
        retry = _RETRIES[word]
        return Retry(
            retry.reason,
            max(retry.after, reply.retry_after),
            throttled=retry.throttled,
            alone=retry.alone,
        )
    return _by_status(reply, word)


def _by_status(reply: Reply, word: str) -> Outcome:
    """A word that Apple added since, or no answer of Apple's at all."""
    status = reply.status
    if not word and status in _DENIED:
        return Refused(
            Scope.ACCOUNT, f"http-{status}", "no APNs behind base_url, or access is denied"
        )
    if not word or status == HTTPStatus.TOO_MANY_REQUESTS or status >= 500:
        return unclear(reply)
    if status == HTTPStatus.FORBIDDEN:
        return Refused(Scope.ACCOUNT, word, "APNs denies access")
    if status == HTTPStatus.GONE:
        return Refused(Scope.RECIPIENT, word, "APNs no longer writes to this device")
    return Refused(Scope.MESSAGE, word, _OUR_FAULT)
