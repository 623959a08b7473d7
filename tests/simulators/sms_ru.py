"""SMS.ru: /sms/send and /my/balance as its pages describe them, refusing what they refuse."""

import hashlib
import re
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from channels.sms.parts import parts
from tests.simulators.base import Sent, Simulator

TOKEN = "sms-ru-id-1"

_TO = re.compile(r"to\[(\d+)\]")


class SmsRuSimulator(Simulator):
    """`codes` by number (digits) are said of that number, `code` of every call as a whole."""

    def __init__(self) -> None:
        super().__init__()
        self.token = TOKEN
        self.codes: dict[str, int] = {}
        self.code: int | None = None
        self.calls: list[dict[str, str]] = []
        self._taken: set[tuple[str, str]] = set()

    def routes(self, app: web.Application) -> None:
        app.router.add_post("/sms/send", self._send)
        app.router.add_post("/my/balance", self._balance)

    async def _balance(self, request: web.Request) -> web.Response:
        form = await request.post()
        if form.get("api_id") != self.token:
            return _error(200)
        return web.json_response({"status": "OK", "status_code": 100, "balance": 4122.56})

    async def _send(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.calls.append(form)
        if form.get("api_id") != self.token:
            return _error(200)
        if self.code:
            return _error(self.code)
        texts = {match[1]: text for name, text in form.items() if (match := _TO.fullmatch(name))}
        if not texts or form.get("json") != "1":
            return _error(203)
        if len(texts) > 100:
            return _error(207)
        results = {phone: self._number(phone, text, form) for phone, text in texts.items()}
        return web.json_response(
            {"status": "OK", "status_code": 100, "sms": results, "balance": 4122.56}
        )

    def _number(self, phone: str, text: str, form: dict[str, str]) -> dict[str, Any]:
        code = self.codes.get(phone) or self._fault(phone, text)
        if code:
            return {"status": "ERROR", "status_code": code, "status_text": f"Code {code}"}
        self._taken.add((phone, text))
        sms_id = f"000000-{10000000 + len(self.sent)}"
        if form.get("test") != "1":
            self.take(Sent(to=phone, text=text, provider_id=sms_id, extra=dict(form)))
        return {"status": "OK", "status_code": 100, "sms_id": sms_id}

    def _fault(self, phone: str, text: str) -> int | None:
        if not re.fullmatch(r"\d{11,15}", phone):
            return 202
        if not text:
            return 203
        if parts(text).count > 8:
            return 205
        return 231 if (phone, text) in self._taken else None


def callback(entries: list[str], token: str = TOKEN) -> bytes:
    """Statuses as the form that they come in, signed."""
    digest = hashlib.sha256((token + "".join(entries)).encode()).hexdigest()
    fields = {f"data[{i}]": entry for i, entry in enumerate(entries)}
    return urlencode(fields | {"hash": digest}).encode()


def _error(code: int) -> web.Response:
    return web.json_response(
        {"status": "ERROR", "status_code": code, "status_text": f"Code {code}"}
    )
