"""A browser vendor's push service and the browsers behind it: signatures are checked, bodies decrypted."""

import json
import os
import re
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any

import http_ece
import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.simulators.base import Sent, Simulator

_MAX_BODY = 4096
_DAY = 24 * 3600


@dataclass(frozen=True, slots=True)
class Browser:
    """One subscribed browser: it alone can read what is sent to it.

    `application_server_key`: the VAPID key it subscribed with; empty takes any.
    """

    name: str
    application_server_key: str = ""
    key: EllipticCurvePrivateKey = field(default_factory=lambda: generate_private_key(SECP256R1()))
    auth: bytes = field(default_factory=lambda: os.urandom(16))

    def subscription(self, origin: str) -> str:
        """What `JSON.stringify(subscription)` gives in the browser."""
        point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        keys = {"p256dh": _b64(point), "auth": _b64(self.auth)}
        endpoint = f"{origin}/push/{self.name}"
        return json.dumps({"endpoint": endpoint, "expirationTime": None, "keys": keys})

    def read(self, body: bytes) -> dict[str, Any]:
        """`event.data.json()`. Raises `ECEException` or `ValueError`."""
        content: dict[str, Any] = json.loads(
            http_ece.decrypt(body, private_key=self.key, auth_secret=self.auth)
        )
        return content


class WebPushSimulator(Simulator):
    """`origin`: the scheme and host that subscriptions name, where that is not the simulator's own address
    (behind an account's `base_url`); signatures must be made for it."""

    def __init__(self, origin: str = "") -> None:
        super().__init__()
        self._origin = origin
        self.browsers: dict[str, Browser] = {}
        self.expired: set[str] = set()
        self.bad_subjects: set[str] = set()

    @property
    def origin(self) -> str:
        return self._origin or self.url

    def subscribe(self, browser: Browser) -> str:
        """The subscription as JSON text."""
        self.browsers[browser.name] = browser
        return browser.subscription(self.origin)

    def routes(self, app: web.Application) -> None:
        app.router.add_post("/push/{name}", self._push)

    async def _push(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name in self.expired:
            return web.Response(status=410, text="push subscription has unsubscribed or expired.\n")
        browser = self.browsers.get(name)
        if browser is None:
            return web.Response(status=404, text="404 page not found\n")
        for refusal in (self._unauthorized(request, browser), _malformed(request)):
            if refusal is not None:
                return refusal
        body = await request.read()
        if len(body) > _MAX_BODY:
            return web.Response(status=413, text="Payload Too Large")
        try:
            content = browser.read(body)
        except (http_ece.ECEException, ValueError):
            return web.Response(status=400, text="cannot be decrypted")
        location = f"{self.origin}/m/{len(self.sent) + 1}"
        self.take(
            Sent(
                to=browser.subscription(self.origin),
                text=content["body"],
                subject=content["title"],
                provider_id=location,
                extra={"content": content, "size": len(body), "headers": dict(request.headers)},
            )
        )
        return web.Response(
            status=201, headers={"Location": location, "TTL": request.headers["TTL"]}
        )

    def _unauthorized(self, request: web.Request, browser: Browser) -> web.Response | None:
        header = request.headers.get("Authorization", "")
        match = re.fullmatch(r"vapid t=([\w.-]+), ?k=([\w-]+)", header)
        if not match:
            return web.Response(status=401, text="Missing VAPID token")
        token, key = match.groups()
        try:
            public = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), _unb64(key))
            claims = jwt.decode(
                token,
                public,
                algorithms=["ES256"],
                audience=self.origin,
                options={"require": ["aud", "exp", "sub"]},
            )
        except (jwt.PyJWTError, ValueError):
            return _bad_jwt()
        good_subject = re.fullmatch(r"mailto:[^\s<>]+@[^\s<>]+|https://[^\s<>]+", claims["sub"])
        if claims["exp"] > time.time() + _DAY or not good_subject:
            return _bad_jwt()
        if claims["sub"] in self.bad_subjects:
            return _bad_jwt()
        if browser.application_server_key not in ("", key):
            return web.Response(
                status=403,
                text="the VAPID credentials in the authorization header do not correspond to the "
                "credentials used to create the subscriptions.\n",
            )
        return None


def _malformed(request: web.Request) -> web.Response | None:
    headers = request.headers
    if not headers.get("TTL", "").isdigit():
        return web.Response(status=400, text="Missing TTL")
    if headers.get("Content-Encoding") != "aes128gcm":
        return web.Response(status=400, text="Unknown Content-Encoding")
    if headers.get("Urgency", "normal") not in ("very-low", "low", "normal", "high"):
        return web.Response(status=400, text="Bad Urgency")
    if "Topic" in headers and not re.fullmatch(r"[\w-]{1,32}", headers["Topic"], re.ASCII):
        return web.Response(status=400, text="Bad Topic")
    return None


def _bad_jwt() -> web.Response:
    return web.json_response({"reason": "BadJwtToken"}, status=403)


def _b64(value: bytes) -> str:
    return urlsafe_b64encode(value).decode().rstrip("=")


def _unb64(value: str) -> bytes:
    return urlsafe_b64decode(value + "=" * (-len(value) % 4))
