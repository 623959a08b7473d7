"""Apple's push service: one message a call to one app on one device, over HTTP/2.

Facts from developer.apple.com, User Notifications: the pages on sending requests to APNs, on its responses and
on token-based connections.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, SecretStr

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
from channels.push import apns_replies
from channels.push.apple_token import ProviderToken, load_key
from channels.push.payload import apns_collapse_id, data_for_app, fitted, is_urgent

_HOSTS = {
    "production": "https://api.push.apple.com",
    "sandbox": "https://api.sandbox.push.apple.com",
}
_MAX_PAYLOAD_BYTES = 4096
# Apple tells to take no length for granted; the tokens so far have 64 digits.
_DEVICE = re.compile(r"(?:[0-9A-Fa-f]{2}){8,256}")
_NO_DEVICE = "0" * 64
_CHECK = b'{"aps":{"alert":{"body":"check"}}}'
# The payload's own part; the data of the message stand beside it.
_RESERVED = "aps"


def _private_key(value: SecretStr) -> SecretStr:
    load_key(value.get_secret_value())
    return value


_Id = Annotated[str, Field(pattern=r"^[A-Z0-9]{10}$")]


class ApnsConfig(AccountConfig):
    """`topic`: the app's bundle id. `environment`: `sandbox` for apps installed by Xcode."""

    private_key: Annotated[SecretStr, AfterValidator(_private_key)]
    key_id: _Id
    team_id: _Id
    topic: Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]{1,200}$")]
    environment: Literal["production", "sandbox"] = "production"
    base_url: BaseUrl | None = None
    """Instead of the environment's own."""


class Apns:
    Config: ClassVar[type[AccountConfig]] = ApnsConfig
    channel: ClassVar[Channel] = Channel.PUSH
    provider: ClassVar[str] = "apns"
    tells: ClassVar[Tells] = Tells.SENT
    # No rate is published, "keep a connection open and use many streams" is. So many fit into one connection.
    limits: ClassVar[Limits] = Limits(concurrency=100)
    deduplicates: ClassVar[timedelta] = timedelta(0)

    def __init__(self, config: ApnsConfig, http: ProviderHttp) -> None:
        self._config = config
        self._url = f"{config.base_url or _HOSTS[config.environment]}/3/device"
        self._token = ProviderToken(
            load_key(config.private_key.get_secret_value()),
            key_id=config.key_id,
            team_id=config.team_id,
        )
        # Of its own: a connection takes the tokens of one team only.
        self._http = http.http2()

    def split(self, messages: Sequence[Message]) -> list[list[Message]]:
        return one_each(messages)

    async def send(self, messages: Sequence[Message]) -> list[Outcome]:
        return [await self._send(message) for message in messages]

    async def check(self) -> Check:
        """Writes to a device that cannot exist: only who may send to the app is told that the device is bad."""
        headers = {"apns-push-type": "alert", "apns-priority": "5", "apns-expiration": "0"}
        try:
            outcome = apns_replies.outcome(await self._call(_NO_DEVICE, headers, _CHECK))
        except NoReply as none:
            return Check(ok=False, text=f"APNs cannot be reached: {none.outcome.reason}")
        match outcome:
            case Accepted() | Refused(Scope.RECIPIENT):
                text = f"APNs takes the key for {self._config.topic} ({self._config.environment})"
                return Check(ok=True, text=text)
            case Retry(reason):
                return Check(ok=False, text=f"APNs does not serve at the moment: {reason}")
            case Refused(_, code, reason):
                return Check(ok=False, text=f"{code}: {reason}")
            case _:
                raise AssertionError(outcome)

    async def close(self) -> None:
        await self._http.close()

    async def _send(self, message: Message) -> Outcome:
        if not _DEVICE.fullmatch(message.to):
            return Refused(
                Scope.RECIPIENT, "bad-token", "a device token of APNs is hexadecimal digits"
            )
        payload = fitted(message.text, _MAX_PAYLOAD_BYTES, partial(_payload, message))
        if payload is None:
            return Refused(
                Scope.MESSAGE,
                "too-big",
                f"title and data leave no room for the text in {_MAX_PAYLOAD_BYTES} bytes",
            )
        try:
            reply = await self._call(message.to, _headers(message), payload)
        except NoReply as none:
            return none.outcome
        if apns_replies.reason(reply) == apns_replies.OTHER_KEY:
            await self._http.renew()
        return apns_replies.outcome(reply)

    async def _call(self, device: str, headers: Mapping[str, str], payload: bytes) -> Reply:
        """A token can be too old for Apple before it is for us, where a clock is wrong: the first such answer
        makes a new one."""
        token = self._token.current()
        reply = await self._post(device, headers, payload, token)
        if apns_replies.reason(reply) != apns_replies.EXPIRED:
            return reply
        newer = self._token.after(token)
        return await self._post(device, headers, payload, newer) if newer else reply

    async def _post(
        self, device: str, headers: Mapping[str, str], payload: bytes, token: str
    ) -> Reply:
        return await self._http.post(
            f"{self._url}/{device}",
            headers={
                "authorization": f"bearer {token}",
                "apns-topic": self._config.topic,
                "content-type": "application/json",
                **headers,
            },
            data=payload,
        )


def _headers(message: Message) -> dict[str, str]:
    headers = {
        "apns-push-type": "alert",
        "apns-priority": "10" if is_urgent(message) else "5",
    }
    if apns_id := _apns_id(message.key):
        headers["apns-id"] = apns_id
    if message.expires_at:
        # Zero would mean: once, and only if the device is on at this moment.
        headers["apns-expiration"] = str(max(int(message.expires_at.timestamp()), 1))
    if message.collapse_key:
        headers["apns-collapse-id"] = apns_collapse_id(message.collapse_key)
    return headers


def _apns_id(key: str) -> str:
    """Only a UUID will do; for anything else Apple makes one."""
    try:
        return str(UUID(key))
    except ValueError:
        return ""


def _payload(message: Message, body: str) -> bytes:
    alert = {"body": body}
    if message.subject:
        alert["title"] = message.subject
    content: dict[str, Any] = data_for_app(message)
    content[_RESERVED] = {"alert": alert, "sound": "default"}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
