"""SendPulse: the way in and what all services share, and the SMTP service. Its other services are in
`sendpulse_tasks`."""

import base64
import binascii
import json
from typing import Any

from aiohttp import web

from tests.simulators.base import Sent, Simulator

KEY = "sp_apikey_0123456789"
CLIENT_ID = "client-0123"
CLIENT_SECRET = "sp-client-secret-0123"
TOKENS = "sp-access-"
SENDER = "shop@example.com"

_SIZE = 1_000_000


class SendpulseSimulator(Simulator):
    """`error` is the answer to every call beside those for tokens, as (HTTP status, code, message).

    `oauth_down`: no token is given out, with a gateway's page. `invalid`: addresses that it takes for none.
    """

    def __init__(self) -> None:
        super().__init__()
        self.key = KEY
        self.client_secret = CLIENT_SECRET
        self.tokens: set[str] = set()
        self.given_out = 0
        self.oauth_down = False
        self.error: tuple[int, int, str] | None = None
        self.senders = [SENDER, "other@example.com"]
        self.invalid: set[str] = set()
        self.records: dict[str, dict[str, Any]] = {}
        self.calls: list[dict[str, Any]] = []

    def routes(self, app: web.Application) -> None:
        app.router.add_post("/oauth/access_token", self._token)
        self._route(app, "GET", "/balance", self._balance)
        self._route(app, "POST", "/smtp/emails", self._send)
        self._route(app, "POST", "/smtp/emails/info", self._info)
        self._route(app, "GET", "/smtp/senders", self._senders)

    def revoke(self) -> None:
        """Neither the key nor the secret holds any longer."""
        self.key, self.client_secret = "another", "another"
        self.tokens.clear()

    def _route(self, app: web.Application, method: str, path: str, handler: Any) -> None:
        async def guarded(request: web.Request) -> web.StreamResponse:
            token = request.headers.get("Authorization", "").removeprefix("Bearer ")
            if token not in self.tokens and token != self.key:
                return failed(401, 401, "Unauthorized!")
            if self.error:
                return failed(*self.error)
            try:
                response: web.StreamResponse = await handler(request)
            except Said as said:
                return said.answer
            return response

        app.router.add_route(method, path, guarded)

    async def _token(self, request: web.Request) -> web.Response:
        if self.oauth_down:
            return web.Response(status=502, text="<html>Bad Gateway</html>")
        asked = await request.json()
        right = (CLIENT_ID, self.client_secret)
        if asked.get("grant_type") != "client_credentials":
            return web.json_response({"error": "unsupported_grant_type"}, status=400)
        if (asked.get("client_id"), asked.get("client_secret")) != right:
            text = "Client authentication failed"
            answer = {"error": "invalid_client", "error_description": text, "message": text}
            return web.json_response(answer, status=401)
        self.given_out += 1
        token = f"{TOKENS}{self.given_out}"
        self.tokens.add(token)
        return web.json_response(
            {"access_token": token, "token_type": "Bearer", "expires_in": 3600}
        )

    async def _balance(self, request: web.Request) -> web.Response:
        return web.json_response({"currency": "RUR", "balance_currency": 120.4})

    async def _senders(self, request: web.Request) -> web.Response:
        return web.json_response(self.senders)

    async def _send(self, request: web.Request) -> web.Response:
        email = (await request.json()).get("email")
        if not isinstance(email, dict):
            raise Said(422, 422, "Argument email missing")
        self.calls.append(email)
        content = self._checked(email)
        letter = f"pzkic{len(self.records)}-0afezp-fc"
        [to] = email["to"]
        self.records[letter] = _record(letter, email)
        self.take(
            Sent(
                to=to["email"],
                text=email["text"],
                subject=email["subject"],
                html=content,
                provider_id=letter,
                extra=email,
            )
        )
        return web.json_response({"result": True, "id": letter})

    def _checked(self, email: dict[str, Any]) -> str:
        """The HTML of a letter that it sends."""
        sender = email.get("from") or {}
        if not sender.get("name") or not sender.get("email"):
            raise Said(422, 10, "Argument from.email missing")
        if sender["email"] not in self.senders:
            raise Said(422, 422, "Sender is not valid")
        if not email.get("to") or not all(isinstance(to, dict) for to in email["to"]):
            raise Said(422, 11, "Argument email.to is invalid")
        if not email.get("subject"):
            raise Said(422, 12, "Argument subject missing")
        if not email.get("html") or not email.get("text"):
            raise Said(422, 13, "Missed email body")
        if any(to["email"] in self.invalid for to in email["to"]):
            raise Said(422, 422, "Recipient email is invalid")
        try:
            content = base64.b64decode(email["html"], validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise Said(422, 999, "Badly formed incoming data") from None
        if len(content) > _SIZE:
            raise Said(422, 422, "Message size limit exceeded")
        return content

    async def _info(self, request: web.Request) -> web.Response:
        asked = (await request.json()).get("emails")
        if not isinstance(asked, list) or not 0 < len(asked) <= 500:
            raise Said(400, 832, "Emails param empty or incorrect")
        found = [self.records[letter] for letter in asked if letter in self.records]
        if not found:
            raise Said(400, 14, "No such emails")
        return web.json_response(found)


class Said(Exception):
    """An error, in the form of all services."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.answer = failed(status, code, message)


def failed(status: int, code: int, message: str) -> web.Response:
    return web.json_response({"message": message, "error_code": code}, status=status)


def event(sent: Sent, name: str, **more: Any) -> dict[str, Any]:
    """One event of the SMTP service's hook."""
    return {
        "event": name,
        "timestamp": 1793527200,
        "message_id": sent.provider_id,
        "recipient": sent.to,
        "sender": SENDER,
        "subject": sent.subject,
    } | more


def hook(*events: dict[str, Any]) -> bytes:
    return json.dumps(list(events)).encode()


def _record(letter: str, email: dict[str, Any]) -> dict[str, Any]:
    """No server has answered yet."""
    return {
        "id": letter,
        "sender": email["from"]["email"],
        "total_size": 1175,
        "sender_ip": "192.0.2.7",
        "smtp_answer_code": 0,
        "smtp_answer_subcode": "",
        "smtp_answer_data": "",
        "used_ip": "192.0.2.8",
        "recipient": email["to"][0]["email"],
        "subject": email["subject"],
        "send_date": "2026-11-01 10:00:00",
        "tracking": {"click": 0, "open": 0, "link": [], "client_info": []},
    }
