"""Web Push to browsers: encrypted for one subscription, signed with the shop's VAPID key.

Facts from RFC 8030 (the request), 8188 and 8291 (encryption), 8292 (VAPID), and from what the services of
Google, Mozilla and Apple were seen to answer.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from typing import Annotated, ClassVar

from pydantic import AfterValidator, SecretStr

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
from channels.http import BlockedAddress, NoReply, ProviderHttp, Reply, unclear
from channels.push.payload import data_for_app, fitted, is_urgent, topic, ttl
from channels.push.subscription import Subscription
from channels.push.vapid import Vapid, load_key

# Services must take a body of 4096 bytes (RFC 8030, 7.2); encryption adds 103.
MAX_PLAINTEXT_BYTES = 3993
_DEFAULT_TTL = 24 * 3600
# Of the `Location` header: long enough for every service, short enough to be stored.
_MAX_ID = 500

# One subscription was made with another VAPID key: Apple (400 or 403), Mozilla (401), Google (403, two wordings).
_OTHER_KEY = (
    "vapidpkhashmismatch",
    "public key mismatch",
    "do not correspond",
    "does not correspond",
)
# Our signature, its audience, subject or time is wrong, and so for everybody: Apple, Google, Mozilla.
_BAD_TOKEN = (
    "badjwttoken",
    "invalid jwt",
    "invalid vapid",
    "missing vapid",
    "vapid token",
    "bearer token",
    "invalid authorization",
    "unauthorizedregistration",
)
_UNAUTHORIZED = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


def _private_key(value: SecretStr) -> SecretStr:
    load_key(value.get_secret_value())
    return value


def _subject(value: str) -> str:
    """Apple answers 403 BadJwtToken to `mailto: <shop@example.com>`, with the space or with the brackets."""
    if not re.fullmatch(r"mailto:[^@\s<>]+@[^@\s<>]+|https://[^\s<>]+", value):
        raise ValueError(
            "must be mailto:name@example.com or https://example.com, without spaces and brackets"
        )
    return value


class WebPushConfig(AccountConfig):
    private_key: Annotated[SecretStr, AfterValidator(_private_key)]
    subject: Annotated[str, AfterValidator(_subject)]
    base_url: BaseUrl | None = None
    """For a proxy or a test service: takes the place of every endpoint's scheme and host. The address is
    otherwise each subscription's own, and the signature's audience stays so in any case."""


class WebPush:
    Config: ClassVar[type[AccountConfig]] = WebPushConfig
    channel: ClassVar[Channel] = Channel.PUSH
    provider: ClassVar[str] = "webpush"
    tells: ClassVar[Tells] = Tells.SENT
    # None is published. The pause keeps one browser's 429 from holding up all the others.
    limits: ClassVar[Limits] = Limits(per_recipient=timedelta(seconds=1), concurrency=50)
    deduplicates: ClassVar[timedelta] = timedelta(0)

    def __init__(self, config: WebPushConfig, http: ProviderHttp) -> None:
        self._vapid = Vapid(load_key(config.private_key.get_secret_value()), config.subject)
        self._base_url = config.base_url
        self._http = http

    @property
    def public_key(self) -> str:
        """Base64url: `applicationServerKey` for the shop's front end."""
        return self._vapid.public_key

    def split(self, messages: Sequence[Message]) -> list[list[Message]]:
        return one_each(messages)

    async def send(self, messages: Sequence[Message]) -> list[Outcome]:
        return [await self._send(message) for message in messages]

    async def check(self) -> Check:
        """There is nobody to ask, since every subscription has its own service: this tries whether the key
        signs, and tells the key that subscriptions must have been made with."""
        self._vapid.authorization("https://push.example")
        return Check(ok=True, text=f"applicationServerKey {self.public_key}")

    async def close(self) -> None:
        return None

    async def _send(self, message: Message) -> Outcome:
        try:
            subscription = Subscription.read(message.to)
        except ValueError as error:
            return Refused(Scope.RECIPIENT, "bad-subscription", str(error))
        plaintext = fitted(message.text, MAX_PLAINTEXT_BYTES, partial(_json, message))
        if plaintext is None:
            return Refused(
                Scope.MESSAGE,
                "too-big",
                f"title and data leave no room for the text in {MAX_PLAINTEXT_BYTES} bytes",
            )
        outcome = await self._push(message, subscription, plaintext)
        # A name that leads nowhere is quickly made up, also one below a vendor's.
        nowhere = outcome == Retry("no-connection") and not subscription.is_at_known_host
        if self._base_url or (subscription.is_of_known_service and not nowhere):
            return outcome
        return _of_stranger(outcome)

    async def _push(
        self, message: Message, subscription: Subscription, plaintext: bytes
    ) -> Outcome:
        try:
            reply = await self._http.post(
                subscription.url(self._base_url),
                headers=self._headers(message, subscription),
                data=subscription.encrypt(plaintext),
                # `base_url` is the operator's word; an endpoint is anybody's.
                public_only=self._base_url is None,
            )
        except NoReply as none:
            return none.outcome
        except BlockedAddress:
            # Not suppressed: a resolver that answers with an inner address for a while, as filtering ones
            # do for blocked sites, must not cost the shop its subscriptions.
            return Refused(
                Scope.RECIPIENT,
                "blocked",
                "the endpoint leads outside the public internet (see outgoing_allow)",
                suppress=False,
            )
        return _outcome(reply)

    def _headers(self, message: Message, subscription: Subscription) -> dict[str, str]:
        headers = {
            "Authorization": self._vapid.authorization(subscription.origin),
            "TTL": str(ttl(message, default=_DEFAULT_TTL)),
            "Urgency": "high" if is_urgent(message) else "low",
            "Content-Encoding": "aes128gcm",
            # Not asked for by the RFC; some test services cannot read the body without it.
            "Content-Type": "application/octet-stream",
        }
        if message.collapse_key:
            headers["Topic"] = topic(message.collapse_key)
        return headers


def _json(message: Message, body: str) -> bytes:
    """What the service worker gets as `event.data.json()`."""
    content: dict[str, object] = {
        "title": message.subject,
        "body": body,
        "data": data_for_app(message),
    }
    if message.collapse_key:
        content["tag"] = message.collapse_key
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def _of_stranger(outcome: Outcome) -> Outcome:
    """Whoever can register a subscription can answer for its endpoint: that must not pause the account for
    everybody, neither by a word nor by silence."""
    match outcome:
        case Refused(Scope.ACCOUNT, code, reason):
            return Refused(Scope.RECIPIENT, code, reason, suppress=False)
        case Retry():
            return replace(outcome, throttled=True, alone=True)
    return outcome


def _outcome(reply: Reply) -> Outcome:
    status = reply.status
    code = f"http-{status}"
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Accepted(reply.headers.get("location", "")[:_MAX_ID])
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        return Refused(Scope.RECIPIENT, code, "the subscription has ended")
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return Refused(Scope.MESSAGE, code, "too big for this push service")
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return unclear(reply)
    if status in _UNAUTHORIZED:
        return _unauthorized(reply, code)
    if status < HTTPStatus.BAD_REQUEST:
        return Refused(Scope.RECIPIENT, code, "the endpoint redirects", suppress=False)
    return Refused(Scope.MESSAGE, code, "the push service refused the request")


def _unauthorized(reply: Reply, code: str) -> Outcome:
    """A subscription is bound for life to the key it was made with, and the services answer a stale one
    with the same statuses as a bad signature. One stale subscription must not pause the account, and a
    bad signature must not cost the subscriptions: the words decide, and without known words neither happens.
    """
    words = reply.body[:2000].decode(errors="replace").lower()
    if any(word in words for word in _OTHER_KEY):
        return Refused(
            Scope.RECIPIENT,
            "other-key",
            "the subscription was made with another VAPID key; the browser has to subscribe again",
        )
    if any(word in words for word in _BAD_TOKEN):
        return Refused(
            Scope.ACCOUNT,
            "bad-vapid",
            f"the push service does not accept the VAPID signature ({code}): look at subject and clock",
        )
    if reply.status == HTTPStatus.BAD_REQUEST:
        return Refused(Scope.MESSAGE, code, "the push service refused the request")
    return Refused(Scope.RECIPIENT, code, "the push service denied access", suppress=False)
