"""MAX's wire: how requests are read, what is refused in them, how a refusal is said."""

import json
import re
from collections.abc import Mapping
from html import unescape
from typing import Any

from aiohttp import web

Fields = Mapping[str, Any]

_MAX_TEXT = 4000
_MAX_ROWS, _MAX_IN_ROW, _MAX_BUTTONS = 30, 7, 210
_MAX_WITH_WIDE, _WIDE = (
    3,
    frozenset({"link", "open_app", "request_contact", "request_geo_location"}),
)
_MAX_LABEL, _MAX_PAYLOAD, _MAX_URL = 128, 1024, 2048
_SECRET = re.compile(r"[A-Za-z0-9_-]{5,256}")
_TAG = re.compile(r"<[^>]*>")


class Refuse(Exception):
    """The answer `{"code", "message"}`."""

    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers


def refused(refusal: Refuse) -> web.Response:
    body = {"code": refusal.code, "message": refusal.message}
    headers = {name.replace("_", "-"): value for name, value in refusal.headers.items()}
    return web.json_response(body, status=refusal.status, headers=headers)


def invalid(message: str) -> Refuse:
    return Refuse(400, "proto.payload", message)


async def read_json(request: web.Request) -> dict[str, Any]:
    try:
        found = await request.json()
    except json.JSONDecodeError:
        raise invalid("body: is no JSON") from None
    if not isinstance(found, dict):
        raise invalid("body: must be an object")
    return found


def integer(request: web.Request, name: str) -> int:
    try:
        return int(request.query[name])
    except (KeyError, ValueError):
        raise invalid(f"{name}: must be an integer") from None


def read_body(given: Fields, *, before: Fields | None = None) -> dict[str, Any]:
    """A `NewMessageBody` as it is kept. `before`: what is edited; what is null or absent stays as it was."""
    before = before or {}
    text, form = given.get("text"), given.get("format")
    if text is not None and (not isinstance(text, str) or len(text) > _MAX_TEXT):
        raise invalid("text: size must be between 0 and 4000")
    if form not in (None, "markdown", "html"):
        raise invalid("format: unknown value")
    kept = dict(before)
    if text is not None:
        # Tags that are not known go without an error, too.
        kept |= {"text": unescape(_TAG.sub("", text)) if form == "html" else text}
        kept |= {"source": text, "format": form or ""}
    if given.get("attachments") is not None:
        kept["attachments"] = [_attachment(one) for one in given["attachments"]]
    kept.setdefault("attachments", [])
    if not kept.get("text") and not kept["attachments"]:
        raise invalid("text: must not be empty without attachments")
    return kept


def _attachment(one: Any) -> Fields:
    match one:
        case {"type": "inline_keyboard", "payload": {"buttons": list(rows)}}:
            _check_keyboard(rows)
            found: Fields = one
            return found
    raise invalid("attachments: unknown type")


def _check_keyboard(rows: list[Any]) -> None:
    buttons = [button for row in rows for button in row]
    if not 1 <= len(rows) <= _MAX_ROWS or len(buttons) > _MAX_BUTTONS:
        raise invalid("attachments.payload.buttons: too many rows or buttons")
    for row in rows:
        wide = any(button.get("type") in _WIDE for button in row)
        if not 1 <= len(row) <= (_MAX_WITH_WIDE if wide else _MAX_IN_ROW):
            raise invalid("attachments.payload.buttons: too many buttons in a row")
    for button in buttons:
        if not 1 <= len(button.get("text") or "") <= _MAX_LABEL:
            raise invalid("button.text: size must be between 1 and 128")
        match button:
            case {"type": "callback", "payload": str(payload)} if len(payload) <= _MAX_PAYLOAD:
                continue
            case {"type": "link", "url": str(url)} if 1 <= len(url) <= _MAX_URL:
                continue
        raise invalid("button: is not what its type asks for")


def read_subscription(given: Fields, *, plain: bool) -> tuple[str, str, frozenset[str]]:
    """URL, secret and kinds. `plain`: http and any port are taken, for servers of tests."""
    url, secret = str(given.get("url") or ""), str(given.get("secret") or "")
    https = re.fullmatch(r"https://[^/:]+(:443)?(/.*)?", url)
    if not (https or (plain and url.startswith("http://"))):
        raise invalid("url: must be https on port 443")
    if secret and not _SECRET.fullmatch(secret):
        raise invalid("secret: must match [A-Za-z0-9_-]{5,256}")
    return url, secret, frozenset(given.get("update_types") or ())
