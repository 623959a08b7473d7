"""Unisender Go: checks what the reference demands of a call, merges like its simple engine, signs receipts."""

import gzip
import hashlib
import json
import re
from typing import Any

from aiohttp import web

from tests.simulators.base import Sent, Simulator

TOKEN = "unigo-key-1"

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
# godocs.unisender.ru/simple-template-engine: after | what is shown of an empty field, after ? what of any other.
_PLACE = re.compile(rf"\{{\{{({_NAME.pattern})(?:([|?])([^{{}}]*))?\}}\}}")


class UnisenderGoSimulator(Simulator):
    """`failed` names what it does with an address; `error` is the answer to every call, as (HTTP status, code).

    `domains`: how far the account's are set up (ownership, DKIM); None: the key may not ask for them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.token = TOKEN
        self.failed: dict[str, str] = {}
        self.error: tuple[int, int] | None = None
        self.bad_text = ""
        self.domains: dict[str, tuple[str, str]] | None = {"example.com": ("confirmed", "active")}
        self.calls: list[dict[str, Any]] = []
        self._taken: set[str] = set()

    def routes(self, app: web.Application) -> None:
        app.router.add_post("/ru/transactional/api/v1/email/send.json", self._send)
        app.router.add_post("/ru/transactional/api/v1/system/info.json", self._info)
        app.router.add_post("/ru/transactional/api/v1/domain/list.json", self._domains)

    @property
    def base_url(self) -> str:
        return f"{self.url}/ru/transactional/api/v1"

    async def _info(self, request: web.Request) -> web.Response:
        if wrong := self._wrong(request):
            return wrong
        return web.json_response(
            {"status": "success", "user_id": 11344, "email": "shop@example.com"}
        )

    async def _domains(self, request: web.Request) -> web.Response:
        if wrong := self._wrong(request):
            return wrong
        if self.domains is None:
            return _error(403, 105)
        asked = (await request.json()).get("domain")
        listed = [
            {
                "domain": domain,
                "verification-record": {"value": "unione-validate-hash=483b", "status": owned},
                "dkim": {"key": "MIGfMA0", "status": signed_by},
            }
            for domain, (owned, signed_by) in self.domains.items()
            if asked in (None, domain)
        ]
        return web.json_response({"status": "success", "domains": listed})

    async def _send(self, request: web.Request) -> web.Response:
        if wrong := self._wrong(request):
            return wrong
        if self.error:
            return _error(*self.error)
        raw = await request.read()
        message = json.loads(raw)["message"]
        self.calls.append(message)
        if code := self._fault(message, raw):
            return _error(413 if code == 199 else 400, code)
        if message["idempotence_key"] in self._taken:
            return _error(400, 1573)
        return self._merge(message)

    def _wrong(self, request: web.Request) -> web.Response | None:
        return None if request.headers.get("X-API-KEY") == self.token else _error(401, 114)

    def _fault(self, message: dict[str, Any], raw: bytes) -> int | None:
        recipients = message["recipients"]
        if len(raw) > 10_000_000:
            return 199
        if len(recipients) > 500:
            return 1524
        if not message["from_email"].endswith("@example.com"):
            return 1574
        if len(message["idempotence_key"]) > 64 or not message["subject"]:
            return 203
        for recipient in recipients:
            fields = recipient.get("substitutions", {})
            if not all(isinstance(v, str | int) for v in fields.values()):
                return 224
            if not all(_NAME.fullmatch(name) for name in fields):
                return 224
        if self.bad_text and any(self.bad_text in self._body(message, r)[1] for r in recipients):
            return 220
        return None

    def _merge(self, message: dict[str, Any]) -> web.Response:
        job_id = f"1Zym{len(self.calls):02}-00041N-9X"
        emails, failed = [], {}
        seen: set[str] = set()
        for recipient in message["recipients"]:
            email = recipient["email"]
            if email.casefold() in seen:
                failed[email] = "duplicate"
            elif email in self.failed:
                failed[email] = self.failed[email]
            else:
                emails.append(email)
                self._take(message, recipient, job_id)
            seen.add(email.casefold())
        if not emails:
            return _error(400, 204, failed_emails=failed)
        self._taken.add(message["idempotence_key"])
        answer = {"status": "success", "job_id": job_id, "emails": emails, "failed_emails": failed}
        return web.json_response(answer)

    def _take(self, message: dict[str, Any], recipient: dict[str, Any], job_id: str) -> None:
        subject, text, html = self._body(message, recipient)
        self.take(
            Sent(
                to=recipient["email"],
                subject=subject,
                text=text,
                html=html,
                provider_id=f"{job_id}:{recipient['metadata']['delivery']}",
                extra={"job_id": job_id, "message": message, "recipient": recipient},
            )
        )

    def _body(self, message: dict[str, Any], recipient: dict[str, Any]) -> tuple[str, str, str]:
        values = recipient.get("substitutions", {})

        def fill(text: str) -> str:
            if message["template_engine"] == "none":
                return text
            # What was filled in is looked through again: the worst that the real engine may do.
            once = _PLACE.sub(lambda place: _shown(place, values), text)
            return _PLACE.sub(lambda place: _shown(place, values), once)

        body = message["body"]
        return fill(message["subject"]), fill(body["plaintext"]), fill(body.get("html", ""))

    def receipt(self, *events: dict[str, Any], packed: bool = False, single: bool = False) -> bytes:
        """The body of a hook call, signed."""
        named = [{"event_name": "transactional_email_status", "event_data": e} for e in events]
        body: dict[str, Any] = {"auth": self.token}
        body |= named[0] if single else {"events_by_user": [{"user_id": 1, "events": named}]}
        return signed(body, self.token, packed=packed)


def _shown(place: re.Match[str], values: dict[str, Any]) -> str:
    value, otherwise = str(values.get(place[1], "")), place[3] or ""
    match place[2]:
        case "|":
            return value or otherwise
        case "?":
            return "" if value in ("", "0") else otherwise
    return value


def event(sent: Sent, status: str, delivery_status: str = "", response: str = "") -> dict[str, Any]:
    """What happened to a letter, as the simulator's receipts tell it."""
    told: dict[str, Any] = {
        "job_id": sent.extra["job_id"],
        "metadata": sent.extra["recipient"]["metadata"],
        "email": sent.to,
        "status": status,
        "event_time": "2026-11-01 10:00:00",
        "url": "",
    }
    if delivery_status:
        info = {"delivery_status": delivery_status, "destination_response": response}
        told["delivery_info"] = info
    return told


def signed(body: dict[str, Any], token: str, *, packed: bool = False) -> bytes:
    """`auth` first holds the key, then the MD5 of the whole; spaces and escapes as its own writer puts them."""
    raw = json.dumps(body | {"auth": token}, separators=(",", ":")).encode()
    auth = hashlib.md5(raw).hexdigest()
    raw = raw.replace(f'"auth":"{token}"'.encode(), f'"auth":"{auth}"'.encode(), 1)
    return gzip.compress(raw) if packed else raw


def _error(status: int, code: int, **more: Any) -> web.Response:
    answer = {"status": "error", "code": code, "message": f"Error ID:1. Code {code}"} | more
    return web.json_response(answer, status=status)
