"""Telegram's wire: how requests are read, what is refused in them, how a refusal is said."""

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from tests.simulators.telegram_html import CannotParse, plain_text

Fields = Mapping[str, Any]


class Refuse(Exception):
    """The answer `{"ok": false, …}`."""

    def __init__(self, code: int, text: str, **parameters: int) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.parameters = parameters


_PREFIXES = {400: "Bad Request", 403: "Forbidden", 409: "Conflict", 429: "Too Many Requests"}


def refused(refusal: Refuse) -> web.Response:
    prefix = _PREFIXES.get(refusal.code)
    text = f"{prefix}: {refusal.text}" if prefix else refusal.text
    body: dict[str, Any] = {"ok": False, "error_code": refusal.code, "description": text}
    if refusal.parameters:
        body["parameters"] = refusal.parameters
    wait = refusal.parameters.get("retry_after")
    headers = {"Retry-After": str(wait)} if wait else {}
    return web.json_response(body, status=refusal.code, headers=headers)


async def read_fields(request: web.Request) -> dict[str, Any]:
    """Query, form, multipart or JSON, as the real one takes them."""
    fields: dict[str, Any] = dict(request.query)
    if request.content_type == "application/json":
        try:
            body: dict[str, Any] = await request.json()
        except json.JSONDecodeError:
            raise Refuse(400, "can't parse request: invalid JSON") from None
        return fields | body
    return fields | dict(await request.post())


def read_json(value: Any) -> Any:
    """Nested values come as JSON text in forms, as they are in JSON bodies."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        raise Refuse(400, "can't parse reply keyboard markup JSON object") from None


def read_text(fields: Fields, name: str, limit: int, *, may_be_empty: bool = False) -> str:
    """The text after its entities are parsed; lengths are counted in code points."""
    source = str(fields.get(name) or "")
    if not source and not may_be_empty:
        raise Refuse(400, "message text is empty")
    try:
        text = plain_text(source) if fields.get("parse_mode") == "HTML" else source
    except CannotParse as error:
        raise Refuse(400, f"can't parse entities: {error}") from None
    if not text.strip() and not may_be_empty:
        raise Refuse(400, "text must be non-empty")
    if len(text) > limit:
        what = "message" if name == "text" else "message caption"
        raise Refuse(400, f"{what} is too long")
    return text


def read_markup(fields: Fields) -> dict[str, Any]:
    """The inline keyboard, where there is one: other keyboards are not part of a message."""
    markup = read_json(fields.get("reply_markup")) or {}
    rows = markup.get("inline_keyboard")
    if rows is None:
        return {}
    for button in (button for row in rows for button in row):
        if not button.get("text"):
            raise Refuse(400, "can't parse inline keyboard button: Text is empty")
        if "callback_data" not in button and "url" not in button:
            raise Refuse(400, "text buttons are unallowed in the inline keyboard")
        data = button.get("callback_data")
        if data is not None and not 1 <= len(data.encode()) <= 64:
            raise Refuse(400, "BUTTON_DATA_INVALID")
    if len(json.dumps(rows, ensure_ascii=False).encode()) > 10_240:
        raise Refuse(400, "reply markup is too long")
    return {"reply_markup": {"inline_keyboard": rows}}
