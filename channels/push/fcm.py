"""Firebase Cloud Messaging, HTTP v1: one message a call to one app on one device.

Facts from firebase.google.com: reference fcm/rest/v1 (projects.messages, ErrorCode), the pages on error
codes and on throttling and quotas, and from the official Python library (firebase-admin 7).
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator

from channels.base import (
    Accepted,
    AccountConfig,
    BaseUrl,
    Channel,
    Check,
    Limits,
    Message,
    Outcome,
    Refused,
    Retry,
    Scope,
    Tells,
    one_each,
)
from channels.http import NoReply, ProviderHttp, Reply, unclear
from channels.push.google_token import AccessToken, NoToken, ServiceAccount
from channels.push.payload import apns_collapse_id, data_for_app, is_urgent, topic, ttl

_SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
# Keys and values of `notification` and `data` together; what counts beyond that FCM itself refuses.
_MAX_PAYLOAD_BYTES = 4096
_DEFAULT_TTL = 4 * 7 * 24 * 3600

_RESERVED = ("from", "message_type", "collapse_key")
_RESERVED_STARTS = ("google", "gcm.")

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


def _key_file(path: Path) -> Path:
    ServiceAccount.read(path)
    return path


class FcmConfig(AccountConfig):
    credentials: Annotated[Path, AfterValidator(_key_file)]
    base_url: BaseUrl = "https://fcm.googleapis.com"


class Fcm:
    Config: ClassVar[type[AccountConfig]] = FcmConfig
    channel: ClassVar[Channel] = Channel.PUSH
    provider: ClassVar[str] = "fcm"
    tells: ClassVar[Tells] = Tells.SENT
    # 600 000 a minute are a project's, and every 4xx counts among them; a fifth of it leaves room for
    # whatever else sends for the same project.
    limits: ClassVar[Limits] = Limits(per_second=2000, concurrency=100)
    deduplicates: ClassVar[timedelta] = timedelta(0)

    def __init__(self, config: FcmConfig, http: ProviderHttp) -> None:
        account = ServiceAccount.read(config.credentials)
        self._project = account.project_id
        self._url = f"{config.base_url}/v1/projects/{account.project_id}/messages:send"
        self._token = AccessToken(account, _SCOPE, http)
        self._http = http

    def split(self, messages: Sequence[Message]) -> list[list[Message]]:
        return one_each(messages)

    async def send(self, messages: Sequence[Message]) -> list[Outcome]:
        return [await self._send(message) for message in messages]

    async def check(self) -> Check:
        """Asks for a dry run to a token that cannot exist: only who passed every check of rights is told
        that the token is bad."""
        body = {
            "validate_only": True,
            "message": {"token": "vestnik-check", "data": {"check": "1"}},
        }
        try:
            outcome = _outcome(await self._call(body), "vestnik-check")
        except NoReply as none:
            return Check(ok=False, text=f"FCM cannot be reached: {none.outcome.reason}")
        except NoToken as none:
            return Check(ok=False, text=f"no access token: {none.outcome.reason}")
        match outcome:
            case Accepted() | Refused(Scope.RECIPIENT, _, _, suppress=True):
                return Check(ok=True, text=f"Firebase project {self._project}")
            case Retry(reason):
                return Check(ok=False, text=f"FCM does not serve at the moment: {reason}")
            case Refused(_, _, reason):
                return Check(ok=False, text=reason)
            case _:
                raise AssertionError(outcome)

    async def close(self) -> None:
        return None

    async def _send(self, message: Message) -> Outcome:
        body = _message(message)
        if (size := _payload_size(body)) > _MAX_PAYLOAD_BYTES:
            return Refused(
                Scope.MESSAGE,
                "too-big",
                f"title, text and data are {size} bytes, FCM takes {_MAX_PAYLOAD_BYTES}",
            )
        try:
            return _outcome(await self._call({"message": body}), message.to)
        except (NoReply, NoToken) as none:
            return none.outcome

    async def _call(self, body: Mapping[str, Any]) -> Reply:
        """A token can be withdrawn before its time, so the first 401 asks for a new one."""
        token = await self._token.get()
        reply = await self._post(body, token)
        if reply.status != HTTPStatus.UNAUTHORIZED or _is_third_party(reply):
            return reply
        self._token.forget(token)
        return await self._post(body, await self._token.get())

    async def _post(self, body: Mapping[str, Any], token: str) -> Reply:
        return await self._http.post(
            self._url, headers={"Authorization": f"Bearer {token}"}, json=body
        )


def _message(message: Message) -> dict[str, Any]:
    """FCM's message: https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages"""
    urgent = is_urgent(message)
    seconds = ttl(message, default=_DEFAULT_TTL)
    notification = {"body": message.text}
    if message.subject:
        notification["title"] = message.subject
    android: dict[str, Any] = {"priority": "HIGH" if urgent else "NORMAL", "ttl": f"{seconds}s"}
    apns = {"apns-priority": "10" if urgent else "5"}
    webpush = {"TTL": str(seconds), "Urgency": "high" if urgent else "low"}
    if message.expires_at:
        apns["apns-expiration"] = str(int(message.expires_at.timestamp()))
    if key := message.collapse_key:
        # `collapse_key` replaces what waits for the device, `tag` what the device already shows.
        android |= {"collapse_key": key, "notification": {"tag": key}}
        apns["apns-collapse-id"] = apns_collapse_id(key)
        webpush["Topic"] = topic(key)
    return {
        "token": message.to,
        "notification": notification,
        "data": {k: v for k, v in data_for_app(message).items() if not _is_reserved(k)},
        "android": android,
        "apns": {"headers": apns, "payload": {"aps": {"sound": "default"}}},
        "webpush": {"headers": webpush},
    }


def _is_reserved(key: str) -> bool:
    """FCM refuses the whole message for one such key; the text is worth more than the key."""
    return key in _RESERVED or key.startswith(_RESERVED_STARTS)


def _payload_size(body: Mapping[str, Any]) -> int:
    parts = (body["notification"], body["data"])
    return sum(len(k.encode()) + len(v.encode()) for part in parts for k, v in part.items())


def _outcome(reply: Reply, to: str) -> Outcome:
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
    code = _fcm_code(error) or str(error.get("status", f"http-{reply.status}"))
    # Kept and shown to people, so the device's token must not be in it.
    text = str(error.get("message", "")).replace(to or "\0", "…")
    if code in _WAITS:
        wait = reply.retry_after or _WAITS[code]
        return Retry(code, wait, throttled=code in _THROTTLED)
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
    details = (d for d in error.get("details", ()) if isinstance(d, dict))
    return [d for d in details if str(d.get("@type", "")).endswith(kind)]


def _fcm_code(error: Mapping[str, Any]) -> str:
    """The word of FCM itself, more exact than the HTTP API's `status`."""
    return next((str(d.get("errorCode", "")) for d in _details(error, "fcm.v1.FcmError")), "")


def _field_violations(error: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [v for d in _details(error, "rpc.BadRequest") for v in d.get("fieldViolations", ())]


def _names_token(error: Mapping[str, Any]) -> bool:
    """INVALID_ARGUMENT is said of a bad token and of a bad message alike; only where FCM speaks of the
    token may the device be given up."""
    fields = [str(v.get("field", "")) for v in _field_violations(error)]
    if fields:
        return fields == ["message.token"]
    return bool(_fcm_code(error)) and "registration token" in str(error.get("message", "")).lower()


def _violations(error: Mapping[str, Any]) -> str:
    """The fields at fault, for the template's author."""
    return "; ".join(
        f"{v.get('field', '?')}: {v.get('description', '')}" for v in _field_violations(error)
    )


def _is_third_party(reply: Reply) -> bool:
    return b"THIRD_PARTY_AUTH_ERROR" in reply.body or b"APNS_AUTH_ERROR" in reply.body
