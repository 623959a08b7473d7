"""VK's wire: how requests are read, what is refused in them, how an error is said."""

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

Fields = Mapping[str, str]


class Refuse(Exception):
    """The answer `{"error": {…}}`, or the error of one peer."""

    def __init__(self, code: int, text: str, **more: Any) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.more = more


TEXTS: Mapping[int, str] = {
    1: "Unknown error occurred",
    5: "User authorization failed: invalid access_token (4).",
    6: "Too many requests per second",
    9: "Flood control",
    10: "Internal server error",
    14: "Captcha needed",
    18: "User was deleted or banned",
    29: "Rate limit reached",
    900: "Can't send messages for users from blacklist",
    901: "Can't send messages for users without permission",
}


def error(refusal: Refuse, method: str, fields: Fields) -> web.Response:
    """`request_params` repeats what was sent, as the real one does."""
    params = [{"key": "method", "value": method}]
    params += [{"key": k, "value": v} for k, v in fields.items() if k != "access_token"]
    captcha = (
        {"captcha_sid": "1", "captcha_img": "https://vk.example/c"} if refusal.code == 14 else {}
    )
    body = {
        "error_code": refusal.code,
        "error_msg": refusal.text,
        "request_params": params,
        **captcha,
        **refusal.more,
    }
    return web.json_response({"error": body})


async def read_fields(request: web.Request) -> dict[str, str]:
    """Query, form and multipart; a token in the header counts like one in the fields."""
    fields = {**request.query, **{k: str(v) for k, v in (await request.post()).items()}}
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme == "Bearer":
        fields["access_token"] = token
    return fields


def check_version(fields: Fields) -> None:
    major, _, minor = fields.get("v", "").partition(".")
    if not major:
        raise Refuse(8, "Invalid request: v (version) is required")
    if (int(major), int(minor or 0)) < (5, 81):
        raise Refuse(8, "Invalid request: versions below 5.81 are deprecated")


def number(fields: Fields, name: str) -> int:
    try:
        return int(fields.get(name, ""))
    except ValueError:
        raise invalid(f"{name} is not integer") from None


def invalid(what: str) -> Refuse:
    return Refuse(100, f"One of the parameters specified was missing or invalid: {what}")


def read_text(fields: Fields) -> str:
    text = fields.get("message", "")
    if not text and not fields.get("attachment"):
        raise invalid("message is empty or invalid")
    if len(text) > 4096:
        raise Refuse(914, "Message is too long")
    return text


def read_keyboard(fields: Fields) -> dict[str, Any]:
    """The keyboard with its limits checked; empty where there is none."""
    if not (source := fields.get("keyboard")):
        return {}
    try:
        keyboard: dict[str, Any] = json.loads(source)
        rows = keyboard["buttons"]
        buttons = [button["action"] for row in rows for button in row]
    except (ValueError, KeyError, TypeError):
        raise Refuse(911, "Keyboard format is invalid: it is not a keyboard") from None
    inline = bool(keyboard.get("inline"))
    if inline and keyboard.get("one_time"):
        raise Refuse(911, "Keyboard format is invalid: inline keyboard can't be one_time")
    most_rows, most = (6, 10) if inline else (10, 40)
    if len(rows) > most_rows or len(buttons) > most or any(len(row) > 5 for row in rows):
        raise Refuse(911, "Keyboard format is invalid: too many buttons")
    for action in buttons:
        _check_action(action)
    return keyboard


def _check_action(action: Mapping[str, Any]) -> None:
    kind = action.get("type")
    if kind not in ("text", "callback", "open_link", "location", "vkpay", "open_app"):
        raise Refuse(911, "Keyboard format is invalid: unknown button type")
    if not 1 <= len(str(action.get("label", ""))) <= 40:
        raise Refuse(911, "Keyboard format is invalid: label is too long or empty")
    if kind == "open_link" and not action.get("link"):
        raise Refuse(911, "Keyboard format is invalid: link is empty")
    payload = action.get("payload", "{}")
    text = payload if isinstance(payload, str) else json.dumps(payload, ensure_ascii=False)
    if len(text) > 255:
        raise Refuse(911, "Keyboard format is invalid: payload is too long")
    try:
        json.loads(text)
    except ValueError:
        raise Refuse(911, "Keyboard format is invalid: payload is not JSON") from None
