"""Mailchimp Transactional: the calls of its specification (1.4), merging as its mailchimp language, signed events."""

import base64
import hashlib
import hmac
import json
import re
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from channels.base import HookRequest
from tests.simulators.base import Sent, Simulator

TOKEN = "mandrill-key-1"
WEBHOOK_KEY = "wh-key"
HOOK_URL = "https://hub.example/hooks/m1"

_TAG = re.compile(r"\*\|([A-Za-z0-9_:]+)\|\*")
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")

# HTTP status and code of the errors that a name stands for.
_ERRORS = {
    "Invalid_Key": (401, -1),
    "PaymentRequired": (402, 10),
    "Unknown_Subaccount": (404, 12),
    "Unknown_Message": (404, 11),
    "ValidationError": (422, -2),
    "RequestLimitExceeded": (429, -99),
    "GeneralError": (500, -99),
    "ServiceUnavailable": (503, -99),
}


class MailchimpTransactionalSimulator(Simulator):
    """`denied` says why a letter to an address is rejected, `held` why every letter waits; `error` is the name of
    the error that every call ends in. `smtp` is what became of letters, as `messages/info` tells it."""

    def __init__(self) -> None:
        super().__init__()
        self.token = TOKEN
        self.error = ""
        self.denied: dict[str, str] = {}
        self.held = ""
        self.bad_text = ""
        self.subaccounts = {"shop"}
        self.domains: dict[str, bool] = {"example.com": True}
        self.hidden_methods: set[str] = set()
        self.calls: list[dict[str, Any]] = []
        self.smtp: dict[str, dict[str, Any]] = {}

    def routes(self, app: web.Application) -> None:
        app.router.add_post("/api/1.0/{group}/{method}", self._handle)

    @property
    def base_url(self) -> str:
        return f"{self.url}/api/1.0"

    async def _handle(self, request: web.Request) -> web.Response:
        try:
            body = json.loads(await request.read())
        except ValueError:
            return error("ValidationError", "You must specify a key value")
        method = f"{request.match_info['group']}/{request.match_info['method']}"
        method = method.removesuffix(".json")
        if not isinstance(body, dict) or body.get("key") != self.token:
            return error("Invalid_Key", "Invalid API key")
        if method in self.hidden_methods:
            return error("Invalid_Key", "This key may not call this method")
        if self.error:
            return error(self.error, f"{self.error} happened")
        match method:
            case "users/ping2":
                return web.json_response({"PING": "PONG!"})
            case "senders/domains":
                return web.json_response([_domain(*entry) for entry in self.domains.items()])
            case "messages/send":
                return self._send(body)
            case "messages/info":
                return self._info(body)
        return error("ValidationError", "No such method")

    def _send(self, body: dict[str, Any]) -> web.Response:
        message = body["message"]
        self.calls.append(body)
        if fault := self._fault(message):
            return fault
        # More than ten are always sent in the background.
        background = bool(body.get("async")) or len(message["to"]) > 10
        return web.json_response([self._take(message, to, background) for to in message["to"]])

    def _fault(self, message: dict[str, Any]) -> web.Response | None:
        if not isinstance(message.get("to"), list) or not message["to"]:
            return error("ValidationError", "You must specify at least one recipient")
        if not _ADDRESS.fullmatch(message.get("from_email") or ""):
            return error("ValidationError", "from_email is invalid")
        if len(message.get("subject") or "") > 998:
            return error("ValidationError", "subject is too long")
        if message.get("merge_language") not in (None, "mailchimp", "handlebars"):
            return error("ValidationError", "merge_language is invalid")
        if self.bad_text and any(self.bad_text in _filled(message, to)[1] for to in message["to"]):
            return error("ValidationError", "text is invalid")
        if message.get("subaccount") and message["subaccount"] not in self.subaccounts:
            return error("Unknown_Subaccount", f"No subaccount exists: {message['subaccount']}")
        return None

    def _take(
        self, message: dict[str, Any], to: dict[str, Any], background: bool
    ) -> dict[str, Any]:
        email = to["email"]
        id_ = hashlib.md5(f"{email}-{len(self.calls)}".encode()).hexdigest()
        entry = {"email": email, "_id": id_, "reject_reason": None, "queued_reason": None}
        domain = message["from_email"].partition("@")[2]
        why = self.denied.get(email, "" if self.domains.get(domain) else "unsigned")
        if not _ADDRESS.fullmatch(email):
            return entry | {"status": "invalid"}
        if why and not background:
            return entry | {"status": "rejected", "reject_reason": why}
        if self.held:
            return entry | {"status": "queued", "queued_reason": self.held}
        subject, text, html = _filled(message, to)
        extra = {"message": message, "to": to, "metadata": _metadata(message, email)}
        self.take(Sent(email, text, subject, html, provider_id=id_, extra=extra))
        if background:
            return entry | {"status": "queued", "queued_reason": "multiple-recipients"}
        return entry | {"status": "sent"}

    def _info(self, body: dict[str, Any]) -> web.Response:
        sent = next((sent for sent in self.sent if sent.provider_id == body.get("id")), None)
        if sent is None:
            return error("Unknown_Message", "No message exists with the id")
        known = {
            "ts": 1793520000,
            "_id": sent.provider_id,
            "sender": sent.extra["message"]["from_email"],
            "subject": sent.subject,
            "email": sent.to,
            "tags": [],
            "opens": 0,
            "opens_detail": [],
            "clicks": 0,
            "clicks_detail": [],
            "state": "sent",
            "metadata": sent.extra["metadata"],
            "smtp_events": [],
            "diag": None,
            "subaccount": None,
            "resends": [],
            "reject": None,
        }
        return web.json_response(known | self.smtp.get(sent.provider_id, {}))

    def delivers(self, sent: Sent) -> None:
        """The recipient's server took it."""
        self.smtp[sent.provider_id] = {
            "smtp_events": [
                {
                    "ts": 1793527200,
                    "type": "delivered",
                    "diag": "250 OK",
                    "source_ip": "198.51.100.1",
                    "destination_ip": "203.0.113.1",
                    "size": 0,
                }
            ]
        }

    def bounces(self, sent: Sent, why: str) -> None:
        """The recipient's server refused it for good."""
        self.smtp[sent.provider_id] = {"state": "bounced", "bounce_description": why}


def event(sent: Sent, name: str, **message: Any) -> dict[str, Any]:
    """What happened to a letter, as webhooks tell it."""
    told = {
        "ts": 1793527200,
        "_id": sent.provider_id,
        "email": sent.to,
        "subject": sent.subject,
        "metadata": sent.extra["metadata"],
        "tags": [],
        "state": "sent",
        "sender": sent.extra["message"]["from_email"],
    }
    return {"event": name, "ts": 1793527200, "_id": sent.provider_id, "msg": told | message}


def hook(*events: Any, url: str = HOOK_URL, key: str = WEBHOOK_KEY, **fields: str) -> HookRequest:
    """A webhook's call, signed for the address that it goes to."""
    form = {"mandrill_events": json.dumps(events), **fields}
    signed = url
    for name in sorted(form):
        signed += name + form[name]
    mac = hmac.new(key.encode(), signed.encode(), hashlib.sha1).digest()
    headers = {
        "content-type": "application/x-www-form-urlencoded",
        "x-mandrill-signature": base64.b64encode(mac).decode(),
    }
    return HookRequest("POST", headers, {}, urlencode(form).encode())


def error(name: str, message: str) -> web.Response:
    status, code = _ERRORS.get(name, (400, -3))
    body = {"status": "error", "code": code, "name": name, "message": message}
    return web.json_response(body, status=status)


def _metadata(message: dict[str, Any], email: str) -> dict[str, Any]:
    own = message.get("recipient_metadata") or []
    return (message.get("metadata") or {}) | {
        name: value
        for each in own
        if each["rcpt"] == email
        for name, value in each["values"].items()
    }


def _filled(message: dict[str, Any], to: dict[str, Any]) -> tuple[str, str, str]:
    """Subject, text and HTML with each tag's value: looked through twice, the worst that the real one may do."""
    values = {
        each["name"].upper(): each["content"]
        for own in message.get("merge_vars") or []
        if own["rcpt"] == to["email"]
        for each in own["vars"]
    }
    merges = message.get("merge") or bool(message.get("merge_vars"))

    def fill(text: str) -> str:
        if not merges:
            return text
        once = _TAG.sub(lambda tag: str(values.get(tag[1].upper(), "")), text)
        return _TAG.sub(lambda tag: str(values.get(tag[1].upper(), "")), once)

    return (
        fill(message.get("subject") or ""),
        fill(message.get("text") or ""),
        fill(message.get("html") or ""),
    )


def _domain(name: str, verified: bool) -> dict[str, Any]:
    detail = {"valid": verified, "valid_after": None, "error": None if verified else "no record"}
    return {
        "domain": name,
        "created_at": "2026-11-01 10:00:00",
        "last_tested_at": "2026-11-01 10:00:00",
        "spf": detail,
        "dkim": detail,
        "verified_at": "2026-11-01 10:00:00" if verified else None,
        "valid_signing": verified,
    }
