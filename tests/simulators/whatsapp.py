"""The Cloud API: /{version}/{phone number id}/messages as Meta describes it, refusing what it refuses."""

import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from channels.base import HookRequest
from tests.simulators.base import Sent, Simulator

TOKEN = "EAAG-system-user-token"
SECRET = "app-secret"
VERIFY = "said-at-meta"
NUMBER_ID = "106540352242922"

_PARAMETER = re.compile(r"[\n\t]| {5,}")
_MESSAGES: dict[int, tuple[int, str]] = {
    4: (400, "(#4) Application request limit reached"),
    10: (403, "(#10) Application does not have permission for this action"),
    131000: (500, "(#131000) Something went wrong"),
    131026: (400, "(#131026) Message Undeliverable"),
    131030: (400, "(#131030) Recipient phone number not in allowed list"),
    131042: (400, "(#131042) Business eligibility payment issue"),
    131047: (400, "(#131047) Re-engagement message"),
    131049: (
        400,
        "(#131049) This message was not delivered to maintain healthy ecosystem engagement.",
    ),
    131056: (400, "(#131056) (Business Account, Consumer Account) pair rate limit hit"),
    130429: (429, "(#130429) Rate limit hit"),
    132015: (400, "(#132015) Template is Paused"),
}


@dataclass(frozen=True, slots=True)
class Approved:
    """A template: how many parameters its body has, and whether its first button's link varies."""

    parameters: int = 0
    has_button: bool = False


class WhatsAppSimulator(Simulator):
    """`open`: numbers (digits) that wrote within 24 hours; `codes`: what is said of a number, `code` of all."""

    def __init__(self) -> None:
        super().__init__()
        self.token = TOKEN
        self.templates: dict[tuple[str, str], Approved] = {}
        self.open: set[str] = set()
        self.codes: dict[str, int] = {}
        self.code: int | None = None
        self.calls: list[dict[str, Any]] = []

    def routes(self, app: web.Application) -> None:
        app.router.add_post("/{version}/{id}/messages", self._send)
        app.router.add_get("/{version}/{id}", self._number)

    async def _number(self, request: web.Request) -> web.Response:
        if trouble := self._stranger(request):
            return trouble
        return web.json_response(
            {
                "display_phone_number": "+7 999 000-00-00",
                "verified_name": "Ромашка",
                "quality_rating": "GREEN",
                "id": NUMBER_ID,
            }
        )

    async def _send(self, request: web.Request) -> web.Response:
        if trouble := self._stranger(request):
            return trouble
        body = await request.json()
        self.calls.append(body)
        to = str(body.get("to", ""))
        if body.get("messaging_product") != "whatsapp":
            return refusal(100, 400, "(#100) The parameter messaging_product is required.")
        if not re.fullmatch(r"\+?[0-9]{7,15}", to):
            return refusal(131009, 400, "(#131009) Parameter value is not valid")
        digits = to.removeprefix("+")
        if code := self.code or self.codes.get(digits):
            return refusal(code)
        if body.get("type") == "text":
            trouble, text = self._text(digits, body.get("text"))
        elif body.get("type") == "template":
            trouble, text = self._template(body.get("template"))
        else:
            trouble, text = refusal(131051, 400, "(#131051) Unsupported message type"), ""
        return trouble or self._taken(digits, text, body)

    def _stranger(self, request: web.Request) -> web.Response | None:
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            given = request.headers.get("Authorization", "").removeprefix("Bearer ")
            return refusal(190, 401, f"Invalid OAuth access token {given}")
        if request.match_info["id"] != NUMBER_ID:
            missing = f"Object with ID '{request.match_info['id']}' does not exist"
            return refusal(100, 400, f"Unsupported post request. {missing}")
        return None

    def _text(self, digits: str, text: Any) -> tuple[web.Response | None, str]:
        body = text.get("body") if isinstance(text, dict) else None
        if not isinstance(body, str) or not body:
            return refusal(100, 400, "(#100) The parameter text['body'] is required."), ""
        if len(body) > 4096:
            return refusal(
                100, 400, "(#100) Param text['body'] must be at most 4096 characters long."
            ), ""
        return (None if digits in self.open else refusal(131047)), body

    def _template(self, given: Any) -> tuple[web.Response | None, str]:
        name, language = given["name"], given["language"]["code"]
        approved = self.templates.get((name, language))
        if approved is None:
            return refusal(
                132001, 404, "(#132001) Template name does not exist in the translation"
            ), ""
        components = {c["type"]: c for c in given.get("components", [])}
        body = [p.get("text", "") for p in components.get("body", {}).get("parameters", [])]
        if len(body) != approved.parameters:
            return refusal(
                132000,
                400,
                "(#132000) Number of parameters does not match the expected number of params",
            ), ""
        button = components.get("button")
        if approved.has_button != (button is not None):
            return refusal(131008, 400, "(#131008) Required parameter is missing"), ""
        if button and (button["sub_type"], button["index"]) != ("url", "0"):
            return refusal(131009, 400, "(#131009) Parameter value is not valid"), ""
        texts = [*body, *(p.get("text", "") for p in (button or {}).get("parameters", []))]
        if not all(texts):
            return refusal(131008, 400, "(#131008) Required parameter is missing"), ""
        if any(_PARAMETER.search(text) for text in texts):
            why = "Param text cannot have new-line/tab characters or more than 4 consecutive spaces"
            return refusal(100, 400, "(#100) Invalid parameter", details=why), ""
        return None, " ".join([name, *body])

    def _taken(self, digits: str, text: str, body: dict[str, Any]) -> web.Response:
        id_ = f"wamid.{len(self.sent) + 1:08d}"
        self.take(Sent(to=digits, text=text, provider_id=id_, extra=body))
        return web.json_response(
            {
                "messaging_product": "whatsapp",
                "contacts": [{"input": digits, "wa_id": digits}],
                "messages": [{"id": id_, "message_status": "accepted"}],
            }
        )


def refusal(code: int, status: int = 0, message: str = "", *, details: str = "") -> web.Response:
    status, message = (status, message) if message else _MESSAGES[code]
    error: dict[str, Any] = {
        "message": message,
        "type": "OAuthException",
        "code": code,
        "fbtrace_id": "Az8or2yhqkZfEZ-_4Qn_Bam",
    }
    if details:
        error["error_data"] = {"messaging_product": "whatsapp", "details": details}
    return web.json_response({"error": error}, status=status)


def status(sent: Sent, word: str, **more: Any) -> dict[str, Any]:
    """One of `statuses`."""
    return {
        "id": sent.provider_id,
        "status": word,
        "timestamp": "1793527200",
        "recipient_id": sent.to,
        "biz_opaque_callback_data": sent.extra["biz_opaque_callback_data"],
        **more,
    }


def written(number: str, text: str, id_: str = "wamid.in-1") -> dict[str, Any]:
    """One of `messages`."""
    said = {"body": text}
    return {"from": number, "id": id_, "timestamp": "1793527200", "type": "text", "text": said}


def webhook(*, number_id: str = NUMBER_ID, secret: str = SECRET, **value: Any) -> HookRequest:
    """A call with this `value`, as Meta makes it: what is not ASCII is escaped."""
    metadata = {"display_phone_number": "79990000000", "phone_number_id": number_id}
    change = {
        "value": {"messaging_product": "whatsapp", "metadata": metadata, **value},
        "field": "messages",
    }
    entry = {"id": "102290129340398", "changes": [change]}
    return signed(json.dumps({"object": "whatsapp_business_account", "entry": [entry]}), secret)


def signed(body: str | bytes, secret: str = SECRET) -> HookRequest:
    raw = body.encode() if isinstance(body, str) else body
    digest = hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
    headers = {"x-hub-signature-256": f"sha256={digest}", "content-type": "application/json"}
    return HookRequest("POST", headers, {}, raw)
