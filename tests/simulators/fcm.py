"""FCM's HTTP v1 API with Google's token endpoint beside it, as far as a sender can tell them from the real ones."""

import json
import secrets
import time
from functools import cache
from pathlib import Path
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.simulators.base import Sent, Simulator

PROJECT = "romashka-1"
CLIENT_EMAIL = "push@romashka-1.iam.gserviceaccount.com"
KEY_ID = "0123456789abcdef"
_SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
_BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"


@cache
def service_key() -> RSAPrivateKey:
    """Made once a run: it takes a tenth of a second."""
    return generate_private_key(public_exponent=65537, key_size=2048)


class GoogleTokens(Simulator):
    """`POST /token`: a signed assertion in, an access token out. Has faults of its own.

    It does not look at `aud`: Google's libraries name Google's host there whatever the key file says.
    """

    def __init__(self) -> None:
        super().__init__()
        self.disabled = False
        self.expires_in: int | str = 3599
        self.valid: set[str] = set()

    def routes(self, app: web.Application) -> None:
        app.router.add_post("/token", self._token)

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        if form.get("grant_type") != _GRANT:
            return _grant_error("unsupported_grant_type", "Invalid grant_type")
        try:
            claims = jwt.decode(
                str(form.get("assertion", "")),
                service_key().public_key(),
                algorithms=["RS256"],
                options={"verify_aud": False, "require": ["iss", "scope", "aud", "iat", "exp"]},
            )
        except jwt.PyJWTError:
            return _grant_error("invalid_grant", "Invalid JWT Signature.")
        if self.disabled or claims["iss"] != CLIENT_EMAIL:
            return _grant_error("invalid_grant", "Invalid grant: account not found")
        if claims["exp"] - claims["iat"] > 3600 or claims["iat"] > time.time() + 60:
            return _grant_error(
                "invalid_grant", "Invalid JWT: Token must be a short-lived token (60 minutes)"
            )
        if claims["scope"] != _SCOPE:
            return _grant_error(
                "invalid_scope", "Invalid OAuth scope or ID token audience provided."
            )
        token = f"ya29.{secrets.token_urlsafe(24)}"
        self.valid.add(token)
        return web.json_response(
            {"access_token": token, "expires_in": self.expires_in, "token_type": "Bearer"}
        )


class FcmSimulator(Simulator):
    """Devices are tokens; those in `unregistered` and `foreign` and all that start with `bad` are refused."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = GoogleTokens()
        self.unregistered: set[str] = set()
        self.foreign: set[str] = set()
        self.denied = False
        self.third_party_denied = False

    async def start(self, port: int = 0) -> None:
        await self.tokens.start(self.tokens.port)
        await super().start(port)

    async def stop(self) -> None:
        await super().stop()
        await self.tokens.stop()

    def routes(self, app: web.Application) -> None:
        app.router.add_post(f"/v1/projects/{PROJECT}/messages:send", self._send)

    def credentials(self, folder: Path, **changes: str) -> Path:
        """Writes the service account's JSON file, as the Firebase console gives it, and returns its path."""
        content = {
            "type": "service_account",
            "project_id": PROJECT,
            "private_key_id": KEY_ID,
            "private_key": _pem(service_key()),
            "client_email": CLIENT_EMAIL,
            "client_id": "1",
            "auth_uri": "https://accounts.google.com/o/oauth2/auth",
            "token_uri": f"{self.tokens.url}/token",
        }
        path = folder / "service-account.json"
        path.write_text(json.dumps(content | changes))
        return path

    def withdraw_tokens(self) -> None:
        """Every access token given out so far ends before its time."""
        self.tokens.valid.clear()

    async def _send(self, request: web.Request) -> web.Response:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or token not in self.tokens.valid:
            return _error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        if self.denied:
            return _error(
                403, "PERMISSION_DENIED", "Permission 'cloudmessaging.messages.create' denied"
            )
        body = await request.json()
        message = body["message"]
        refusal = self._refusal(message)
        if refusal is not None:
            return refusal
        name = f"projects/{PROJECT}/messages/0:{time.time_ns()}%{secrets.token_hex(8)}"
        if not body.get("validate_only"):
            self.take(_sent(message, name))
        return web.json_response({"name": name})

    def _refusal(self, message: dict[str, Any]) -> web.Response | None:
        device = message["token"]
        violation = _violation(message)
        if violation is not None:
            return violation
        if device.startswith("bad") or device == "vestnik-check":
            text = "The registration token is not a valid FCM registration token"
            return _error(400, "INVALID_ARGUMENT", text, "INVALID_ARGUMENT")
        if device in self.unregistered:
            return _error(404, "NOT_FOUND", "Requested entity was not found.", "UNREGISTERED")
        if device in self.foreign:
            return _error(403, "PERMISSION_DENIED", "SenderId mismatch", "SENDER_ID_MISMATCH")
        if self.third_party_denied:
            text = "Request is missing required authentication credential."
            return _error(401, "UNAUTHENTICATED", text, "THIRD_PARTY_AUTH_ERROR")
        return None


def quota_exceeded() -> str:
    """The body of FCM's 429."""
    return json.dumps(_error_body(429, "RESOURCE_EXHAUSTED", "Quota exceeded.", "QUOTA_EXCEEDED"))


def unavailable() -> str:
    """The body of FCM's 503."""
    text = "The service is currently unavailable."
    return json.dumps(_error_body(503, "UNAVAILABLE", text, "UNAVAILABLE"))


def _violation(message: dict[str, Any]) -> web.Response | None:
    for key, value in message.get("data", {}).items():
        reserved = key in ("from", "message_type") or key.startswith(("google", "gcm."))
        if reserved or not isinstance(value, str):
            return _field("message.data", f"Invalid data payload key: {key}")
    ttl = message.get("android", {}).get("ttl", "0s")
    if not (ttl.endswith("s") and 0 <= float(ttl[:-1]) <= 2_419_200):
        return _field("message.android.ttl", "Invalid TTL")
    apns = message.get("apns", {}).get("headers", {})
    if len(apns.get("apns-collapse-id", "").encode()) > 64:
        return _field("message.apns.headers", "apns-collapse-id is too long")
    parts = (message.get("notification", {}), message.get("data", {}))
    if sum(len(k.encode()) + len(v.encode()) for part in parts for k, v in part.items()) > 4096:
        return _error(400, "INVALID_ARGUMENT", "Android message is too big", "INVALID_ARGUMENT")
    return None


def _sent(message: dict[str, Any], name: str) -> Sent:
    notification = message["notification"]
    return Sent(
        to=message["token"],
        text=notification["body"],
        subject=notification.get("title", ""),
        provider_id=name,
        extra=message,
    )


def _field(field: str, description: str) -> web.Response:
    violations = [{"field": field, "description": description}]
    body = _error_body(400, "INVALID_ARGUMENT", f"Invalid value at '{field}'")
    body["error"]["details"] = [{"@type": _BAD_REQUEST, "fieldViolations": violations}]
    return web.json_response(body, status=400)


def _error(status: int, word: str, text: str, code: str = "") -> web.Response:
    return web.json_response(_error_body(status, word, text, code), status=status)


def _error_body(status: int, word: str, text: str, code: str = "") -> dict[str, Any]:
    error: dict[str, Any] = {"code": status, "message": text, "status": word}
    if code:
        error["details"] = [{"@type": _FCM_ERROR, "errorCode": code}]
    return {"error": error}


def _grant_error(error: str, text: str) -> web.Response:
    return web.json_response({"error": error, "error_description": text}, status=400)


def _pem(key: RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
