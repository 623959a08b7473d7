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

from channels.access_token import NoToken
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
from channels.http import NoReply, ProviderHttp, Reply
from channels.push import fcm_replies
from channels.push.google_token import GoogleToken, ServiceAccount
from channels.push.payload import apns_collapse_id, data_for_app, is_urgent, topic, ttl

_SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
# Keys and values of `notification` and `data` together; what counts beyond that FCM itself refuses.
_MAX_PAYLOAD_BYTES = 4096
_DEFAULT_TTL = 4 * 7 * 24 * 3600

_RESERVED = ("from", "message_type", "collapse_key")
_RESERVED_STARTS = ("google", "gcm.")


def _key_file(path: Path) -> Path:
    ServiceAccount.read(path)
    return path


class FcmConfig(AccountConfig):
    """`test`: FCM checks everything, also the device, and delivers nothing."""

    credentials: Annotated[Path, AfterValidator(_key_file)]
    test: bool = False
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
        self._token = GoogleToken(account, _SCOPE, http)
        self._test = config.test
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
            outcome = fcm_replies.outcome(await self._call(body), "vestnik-check")
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
            call = {"message": body, **({"validate_only": True} if self._test else {})}
            return fcm_replies.outcome(await self._call(call), message.to)
        except (NoReply, NoToken) as none:
            return none.outcome

    async def _call(self, body: Mapping[str, Any]) -> Reply:
        """A token can be withdrawn before its time, so the first 401 asks for a new one."""
        token = await self._token.get()
        reply = await self._post(body, token)
        if reply.status != HTTPStatus.UNAUTHORIZED or fcm_replies.is_third_party(reply):
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
