"""RuStore's two push services on one port: the direct API and the universal one."""

import re
from typing import Any

from aiohttp import web

from tests.simulators.base import Sent, Simulator

PROJECT = "aabbcc-project"
TOKEN = "AAAbbbCC123-service"

_TTL = re.compile(r"\d+(\.\d+)?s")
_MAX_BYTES = 4096
_PREFIX = 6


class RuStoreSimulator(Simulator):
    """Devices are tokens; those in `gone` and all that start with `bad` or `vestnik-check` are refused.

    `universal_app`: the devices' app is built with the universal SDK, which ignores what the direct API sends;
    it is accepted like everything else (`ignored`).
    """

    def __init__(self) -> None:
        super().__init__()
        self.token = TOKEN
        self.gone: set[str] = set()
        self.universal_app = False
        self.ignored: list[Sent] = []

    def routes(self, app: web.Application) -> None:
        app.router.add_post("/v1/projects/{project}/messages:send", self._direct)
        app.router.add_post("/v1/send", self._universal)

    def _knows(self, device: str) -> bool:
        return not device.startswith(("bad", "vestnik-check")) and device not in self.gone

    async def _direct(self, request: web.Request) -> web.Response:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        project = request.match_info["project"]
        if scheme != "Bearer" or token != self.token or project != PROJECT:
            return _direct_error(403, "PERMISSION_DENIED", "The service token is wrong")
        body = await request.json()
        message = body.get("message")
        if not isinstance(message, dict) or not message.get("token"):
            return _direct_error(400, "INVALID_ARGUMENT", "message.token is required")
        if fault := _fault(message) or (len(await request.read()) > _MAX_BYTES and "too big"):
            return _direct_error(400, "INVALID_ARGUMENT", fault)
        if not self._knows(message["token"]):
            return _direct_error(404, "NOT_FOUND", f"Token {message['token']} is not found")
        sent = _sent(message["token"], message)
        if self.universal_app:
            self.ignored.append(sent)
        else:
            self.take(sent)
        return web.json_response({})

    async def _universal(self, request: web.Request) -> web.Response:
        if "Authorization" in request.headers:
            return _universal_error(400, "VALIDATION_ERROR", "authorization is not expected")
        if len(await request.read()) > _MAX_BYTES:
            return _universal_error(400, "VALIDATION_ERROR", "message: is too big")
        body = await request.json()
        provider = body.get("providers", {}).get("rustore", {})
        message = body.get("message", {})
        errors = [
            f"providers.rustore: {field} is a required field"
            for field in ("project_id", "auth_token")
            if not provider.get(field)
        ]
        notification = message.get("notification", {})
        if not message.get("data"):
            errors += [
                f"message.notification: {field} is a required field"
                for field in ("title", "body")
                if not notification.get(field)
            ]
        tokens = body.get("tokens", {}).get("rustore") or []
        if not tokens:
            errors.append("tokens: rustore is a required field")
        if fault := _fault(message):
            errors.append(f"message: {fault}")
        if errors:
            return _universal_error(400, "VALIDATION_ERROR", *errors)
        if provider != {"project_id": PROJECT, "auth_token": self.token}:
            return _universal_error(401, "PROVIDER_ERROR", "rustore: invalid auth token")
        unknown = [token[:_PREFIX] for token in tokens if not self._knows(token)]
        if unknown:
            text = f"rustore: invalid tokens {', '.join(unknown)}"
            return _universal_error(400, "PROVIDER_ERROR", text)
        for token in tokens:
            self.take(_sent(token, message))
        return web.json_response({"Status": "OK"})


def _fault(message: dict[str, Any]) -> str:
    data = message.get("data", {})
    if not all(isinstance(part, str) for pair in data.items() for part in pair):
        return "data must be a map of strings"
    if not _TTL.fullmatch(message.get("android", {}).get("ttl", "0s")):
        return "android.ttl must be a duration"
    return ""


def _sent(device: str, message: dict[str, Any]) -> Sent:
    """It gives no id out, so what the hub knows it by is its own, which is in the data."""
    notification = message.get("notification", {})
    return Sent(
        to=device,
        text=notification.get("body", ""),
        subject=notification.get("title", ""),
        provider_id=message.get("data", {}).get("delivery", ""),
        extra=message,
    )


def _direct_error(status: int, word: str, text: str) -> web.Response:
    return web.json_response({"code": status, "message": text, "status": word}, status=status)


def _universal_error(status: int, word: str, *errors: str) -> web.Response:
    return web.json_response({"status": word, "code": status, "errors": errors}, status=status)
