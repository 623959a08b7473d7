"""SMSC.ru: send.php, status.php and balance.php as the reference describes them, refusing what it refuses."""

import hashlib
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from tests.simulators.base import Sent, Simulator

TOKEN = "smsc-key-1"
PRICE = "3.5"


class SmscSimulator(Simulator):
    """`errors` by number (with the plus sign) stand in the list of numbers, `error` is said of every call.

    `equals_refused`: so is an equal text to equal numbers, whatever id of ours it has. `crowded`: calls are refused with 9 although they are no repeats. `deaf`: so are questions for a status.
    """

    def __init__(self) -> None:
        super().__init__()
        self.token = TOKEN
        self.login = "shop"
        self.password = "smsc-password-1"
        self.errors: dict[str, int] = {}
        self.error: int | None = None
        self.crowded = False
        self.equals_refused = False
        self.deaf = False
        self.unlisted = False
        self.calls: list[dict[str, str]] = []
        self._bodies: set[bytes] = set()
        self._texts: set[tuple[str, str]] = set()

    def routes(self, app: web.Application) -> None:
        app.router.add_post("/sys/send.php", self._send)
        app.router.add_post("/sys/status.php", self._status)
        app.router.add_post("/sys/balance.php", self._balance)

    async def _form(self, request: web.Request) -> dict[str, str]:
        """What came, if it may come; else 2, or 1 where JSON and UTF-8 are not asked for."""
        form = {name: str(value) for name, value in (await request.post()).items()}
        pair = (form.get("login"), form.get("psw"))
        if form.get("apikey") != self.token and pair != (self.login, self.password):
            raise _Said(2, "invalid login or password")
        if form.get("charset") != "utf-8" or form.get("fmt") != "3":
            raise _Said(1, "parameters error")
        return form

    async def _send(self, request: web.Request) -> web.Response:
        try:
            form = await self._form(request)
            return self._taken(form, await request.read())
        except _Said as said:
            return said.answer

    def _taken(self, form: dict[str, str], body: bytes) -> web.Response:
        self.calls.append(form)
        phones = form.get("phones", "").split(",")
        if not form.get("mes") or len(form["mes"]) > 1000 or not 1 <= int(form["id"]) < 2**31:
            raise _Said(1, "parameters error")
        if self.error:
            raise _Said(self.error, "said by the test")
        said = (form["phones"], form["mes"])
        if body in self._bodies or self.crowded or (self.equals_refused and said in self._texts):
            raise _Said(9, "duplicate request, wait a minute")
        if all(phone in self.errors for phone in phones):
            raise _Said(self.errors[phones[0]], "wrong number")
        self._bodies.add(body)
        self._texts.add(said)
        listed = [self._number(phone, form) for phone in phones]
        good = sum("error" not in entry for entry in listed)
        answer: dict[str, Any] = {"id": int(form["id"]), "cnt": good, "cost": PRICE}
        return _json(answer if self.unlisted else answer | {"phones": listed})

    def _number(self, phone: str, form: dict[str, str]) -> dict[str, Any]:
        digits = phone.removeprefix("+")
        if phone in self.errors:
            return {"phone": digits, "mccmnc": "", "cost": "0", "error": str(self.errors[phone])}
        self.take(
            Sent(to=phone, text=form["mes"], provider_id=f"{form['id']}:{digits}", extra=dict(form))
        )
        return {"phone": digits, "mccmnc": "25001", "cost": PRICE, "status": "0"}

    async def _status(self, request: web.Request) -> web.Response:
        try:
            form = await self._form(request)
        except _Said as said:
            return said.answer
        if self.deaf:
            return _Said(9, "too many requests").answer
        pairs = zip(form["phone"].split(","), form["id"].split(","), strict=True)
        known = {sent.provider_id for sent in self.sent}
        return _json(
            [
                {"phone": phone, "id": id_, "status": 0 if f"{id_}:{phone}" in known else -3}
                for phone, id_ in pairs
                if phone
            ]
        )

    async def _balance(self, request: web.Request) -> web.Response:
        try:
            await self._form(request)
        except _Said as said:
            return said.answer
        return _json({"balance": "120.4", "currency": "RUR"})


class _Said(Exception):
    """An error, which comes with 200 as everything does."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.answer = _json({"error": text, "error_code": code})


def callback(form: dict[str, str], secret: str = "", digest: str = "md5") -> bytes:
    """A status as a form; signed where there is a secret."""
    if secret:
        signed = f"{form['id']}:{form['phone']}:{form['status']}:{secret}"
        form = form | {digest: hashlib.new(digest, signed.encode()).hexdigest()}
    return urlencode(form).encode()


def _json(answer: Any) -> web.Response:
    return web.json_response(answer)
