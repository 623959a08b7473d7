"""Apple's push service, as far as a sender can tell it from the real one: HTTP/2, tokens of a team, its reasons."""

import json
import re
import time
from functools import cache
from typing import Any
from uuid import UUID, uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.simulators.base import Sent
from tests.simulators.http2 import Http2Simulator, Request, Response

KEY_ID = "ABC123DEFG"
TEAM_ID = "TEAM123456"
TOPIC = "com.example.shop"

_HOUR = 3600
_TWENTY_MINUTES = 1200
_MAX_PAYLOAD = 4096
_PUSH_TYPES = {"alert", "background", "voip", "complication", "fileprovider", "mdm", "location"}
_HEX = re.compile(r"[0-9a-fA-F]+")
_CANONICAL = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@cache
def team_key() -> EllipticCurvePrivateKey:
    return generate_private_key(SECP256R1())


def p8(key: EllipticCurvePrivateKey | None = None) -> str:
    """What the `.p8` file of a key holds."""
    pem = (key or team_key()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem.decode()


class ApnsSimulator(Http2Simulator):
    """Devices are tokens of 64 hexadecimal digits; zeros are no device.

    `unregistered`, `expired`, `foreign` (of another app) and `busy` devices are refused, each in its own way.
    `ahead`: how far Apple's clock is before ours, in seconds.
    """

    def __init__(self) -> None:
        super().__init__()
        self.keys = {KEY_ID: team_key().public_key()}
        self.team_id = TEAM_ID
        self.topics = {TOPIC}
        self.unregistered: set[str] = set()
        self.expired: set[str] = set()
        self.foreign: set[str] = set()
        self.busy: set[str] = set()
        self.ahead = 0.0
        self.tokens: dict[str, float] = {}
        """Every token of the team, and when it was first seen."""
        self._key_of: dict[int, str] = {}

    async def answer(self, request: Request) -> Response:
        apns_id = request.headers.get("apns-id", str(uuid4()).upper())
        refusal = self._refusal(request)
        if refusal is not None:
            status, reason = refusal
            body: dict[str, Any] = {"reason": reason}
            if status == 410:
                body["timestamp"] = int(time.time() * 1000)
            return Response(status, {"apns-id": apns_id}, json.dumps(body).encode())
        payload = json.loads(request.body)
        alert = payload["aps"]["alert"]
        self.take(
            Sent(
                to=request.path.rpartition("/")[2],
                text=alert["body"],
                subject=alert.get("title", ""),
                provider_id=apns_id,
                extra={"headers": request.headers, "payload": payload},
            )
        )
        return Response(200, {"apns-id": apns_id})

    def _refusal(self, request: Request) -> tuple[int, str] | None:
        if request.method != "POST":
            return 405, "MethodNotAllowed"
        start, _, device = request.path.rpartition("/")
        if start != "/3/device":
            return 404, "BadPath"
        return (
            self._bad_token(request)
            or self._bad_header(request.headers)
            or _bad_payload(request.body)
            or self._bad_device(device)
        )

    def _bad_token(self, request: Request) -> tuple[int, str] | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return 403, "MissingProviderToken"
        try:
            key_id = jwt.get_unverified_header(token)["kid"]
            claims = jwt.decode(
                token,
                self.keys[key_id],
                algorithms=["ES256"],
                options={"require": ["iss", "iat"], "verify_iat": False},
            )
        except (jwt.PyJWTError, KeyError):
            return 403, "InvalidProviderToken"
        if claims["iss"] != self.team_id:
            return 403, "InvalidProviderToken"
        if self._key_of.setdefault(request.connection, key_id) != key_id:
            return 403, "UnrelatedKeyIdInToken"
        now = time.time() + self.ahead
        if now - claims["iat"] > _HOUR:
            return 403, "ExpiredProviderToken"
        if token not in self.tokens:
            if any(now - seen < _TWENTY_MINUTES for seen in self.tokens.values()):
                return 429, "TooManyProviderTokenUpdates"
            self.tokens[token] = now
        return None

    def _bad_header(self, headers: dict[str, str]) -> tuple[int, str] | None:
        if "apns-topic" not in headers:
            return 400, "MissingTopic"
        if headers["apns-topic"] not in self.topics:
            return 400, "TopicDisallowed"
        if headers.get("apns-push-type", "alert") not in _PUSH_TYPES:
            return 400, "InvalidPushType"
        if headers.get("apns-priority", "10") not in ("1", "5", "10"):
            return 400, "BadPriority"
        if not headers.get("apns-expiration", "0").isdigit():
            return 400, "BadExpirationDate"
        if len(headers.get("apns-collapse-id", "").encode()) > 64:
            return 400, "BadCollapseId"
        if not _CANONICAL.fullmatch(headers.get("apns-id", str(UUID(int=0)))):
            return 400, "BadMessageId"
        return None

    def _bad_device(self, device: str) -> tuple[int, str] | None:
        if not device:
            return 400, "MissingDeviceToken"
        if len(device) != 64 or not _HEX.fullmatch(device) or not device.strip("0"):
            return 400, "BadDeviceToken"
        if device in self.foreign:
            return 400, "DeviceTokenNotForTopic"
        if device in self.unregistered:
            return 410, "Unregistered"
        if device in self.expired:
            return 410, "ExpiredToken"
        if device in self.busy:
            return 429, "TooManyRequests"
        return None


def _bad_payload(body: bytes) -> tuple[int, str] | None:
    if len(body) > _MAX_PAYLOAD:
        return 413, "PayloadTooLarge"
    try:
        payload = json.loads(body)
    except ValueError:
        return 400, "PayloadEmpty"
    return None if payload.get("aps") else (400, "PayloadEmpty")
