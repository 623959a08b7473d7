"""Unisender's classic API, from its pages: sendEmail, checkEmail, sendSms, checkSms, and whose key it is."""

import re
from typing import Any

from aiohttp import web
from multidict import MultiMapping

from tests.simulators.base import Sent, Simulator
from tests.simulators.unisender_go import signed

TOKEN = "unisender-key-1"
LIST_ID = 17

_NAMED = re.compile(r"^[^,<>@]* <([^<>\s]+@[^<>\s]+)>$")
_LETTER_BYTES = 1_000_000


class UnisenderSimulator(Simulator):
    """`failed`: the code that it says of an address or number; `error`: of every sending call; `statuses` by id.

    Within a minute it sends nothing more to the same recipient: `later` lets the minute pass.
    """

    def __init__(self) -> None:
        super().__init__()
        self.token = TOKEN
        self.failed: dict[str, str] = {}
        self.error = ""
        self.senders: dict[str, bool] = {"shop@example.com": True}
        self.registered = {"Romashka"}
        self.may_ask_senders = True
        self.statuses: dict[str, str] = {}
        self.calls: list[dict[str, str]] = []
        self._recently: set[str] = set()

    def routes(self, app: web.Application) -> None:
        app.router.add_route("*", "/ru/api/{method}", self._dispatch)

    @property
    def base_url(self) -> str:
        return f"{self.url}/ru/api"

    def later(self) -> None:
        self._recently.clear()

    async def _dispatch(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        methods = {
            "sendEmail": self._send_email,
            "checkEmail": self._check_email,
            "sendSms": self._send_sms,
            "checkSms": self._check_sms,
            "getUserInfo": self._user,
            "getCheckedEmail": self._checked,
        }
        method = methods.get(request.match_info["method"])
        if request.query.get("format") != "json":
            return web.Response(text="<result/>", content_type="application/xml")
        if _given(form, request.query, "api_key") != self.token:
            return _error("invalid_api_key", f"API key {form.get('api_key')} is unknown")
        if method is None:
            return _error("unknown_method", "Unknown method")
        return method(form)

    def _user(self, form: dict[str, str]) -> web.Response:
        return _result({"login": "romashka", "balance": "120.40", "currency": "RUB"})

    def _checked(self, form: dict[str, str]) -> web.Response:
        if not self.may_ask_senders:
            return _error("access_denied", "No right to call this method")
        if form.get("login") != "romashka":
            return _error("invalid_arg", "Wrong value of argument 'login'")
        asked = form.get("email")
        return _result(
            [
                {"email": email, "name": "", "is_checked": checked}
                for email, checked in self.senders.items()
                if asked in (None, email)
            ]
        )

    def _send_email(self, form: dict[str, str]) -> web.Response:
        self.calls.append(form)
        if self.error:
            return _error(self.error, f"Said of {form.get('email')}")
        for name in ("email", "sender_name", "sender_email", "subject", "body", "list_id"):
            if name not in form:
                return _error("invalid_arg", f"Argument '{name}' is required")
        if form["list_id"] != str(LIST_ID):
            return _error("invalid_arg", f"list_id={form['list_id']} is not a list of yours")
        if form.get("error_checking") != "1":
            return _error("invalid_arg", "This simulator knows the newer answers only")
        to = match[1] if (match := _NAMED.match(form["email"])) else form["email"]
        if code := self.failed.get(to) or self._fault(form, to):
            errors = [{"code": code, "message": f"{code}: {to}"}]
            return _result([{"index": 0, "email": to, "errors": errors}])
        email_id = str(11411542313 + len(self.sent))
        self._recently.add(to)
        self.statuses[email_id] = "not_sent"
        self.take(
            Sent(
                to=to,
                text="",
                subject=form["subject"],
                html=form["body"],
                provider_id=email_id,
                extra={"key": form.get("metadata[delivery]", ""), "form": form},
            )
        )
        return _result([{"index": 0, "email": to, "id": email_id}])

    def _fault(self, form: dict[str, str], to: str) -> str:
        faults = {
            "invalid_email": not re.fullmatch(r"[^@\s<>,]+@[^@\s<>,]+\.[^@\s<>,]+", to),
            "empty_sender_name": not form["sender_name"].strip(),
            "unchecked_sender_email": not self.senders.get(form["sender_email"]),
            "empty_subject": not form["subject"].strip(),
            "body_empty": not form["body"].strip(),
            "body_exceeds_length": len(form["body"].encode()) > _LETTER_BYTES,
            "unsupported_lang": form.get("lang", "ru") not in ("ru", "en", "de", "tr"),
            "has_been_sent": to in self._recently,
        }
        return next((code for code, is_so in faults.items() if is_so), "")

    def _check_email(self, form: dict[str, str]) -> web.Response:
        ids = form.get("email_id", "").split(",")
        if len(ids) > 500:
            return _error("invalid_arg", "email_id: more than 500")
        known = [{"id": int(i), "status": self.statuses[i]} for i in ids if i in self.statuses]
        missing = {i: "not found" for i in ids if i not in self.statuses}
        return _result({"statuses": known} | ({"failed_email_id": missing} if missing else {}))

    def _send_sms(self, form: dict[str, str]) -> web.Response:
        self.calls.append(form)
        if self.error:
            return _error(self.error, f"Said of {form.get('phone')}")
        phones = form.get("phone", "").split(",")
        if len(phones) > 150:
            return _error("invalid_arg", "phone: more than 150")
        if form.get("sender") not in self.registered:
            return _error("invalid_arg", "This name is not registered")
        if not form.get("text") or len(form["text"]) > 1000:
            return _error("invalid_arg", "text: from 1 to 1000 characters")
        results = [self._number(phone.removeprefix("+"), form) for phone in phones]
        if len(results) > 1:
            return _result(results)
        [alone] = results
        return web.json_response(alone) if "error" in alone else _result(_without_phone(alone))

    def _number(self, phone: str, form: dict[str, str]) -> dict[str, Any]:
        code = self.failed.get(phone, "")
        if not re.fullmatch(r"\d{11,15}", phone):
            code = "dest_invalid"
        elif phone in self._recently:
            code = "has_been_sent"
        if code:
            return {"phone": phone, "error": f"{code}: {phone}", "code": code}
        sms_id = f"{2376678 + len(self.sent)}.{phone}"
        self._recently.add(phone)
        self.statuses[sms_id] = "not_sent"
        self.take(Sent(to=phone, text=form["text"], provider_id=sms_id, extra=dict(form)))
        return {"phone": phone, "currency": "RUB", "price": "3.56", "sms_id": sms_id}

    def _check_sms(self, form: dict[str, str]) -> web.Response:
        status = self.statuses.get(form.get("sms_id", ""))
        if status is None:
            return web.json_response(
                {"error": "AK100313-05 [invalid sms id]", "code": "unspecified", "result": ""}
            )
        return _result({"status": status})


def letter_event(sent: Sent, status: str, **more: Any) -> dict[str, Any]:
    """What happened to a letter, as a callback tells it."""
    return {
        "event_name": "email_status",
        "event_time": "2026-11-01 10:00:00",
        "event_data": {
            "email": sent.to,
            "status": status,
            "status_group": "success_pending_group",
            "email_id": int(sent.provider_id),
            "metadata": {"delivery": sent.extra["key"]},
            **more,
        },
    }


def callback(*events: dict[str, Any], token: str = TOKEN, packed: bool = False) -> bytes:
    """The body of a call to the hook, signed."""
    users = [{"login": "romashka", "events": list(events)}]
    return signed({"auth": "", "events_by_user": users}, token, packed=packed)


def _given(form: dict[str, str], query: MultiMapping[str], name: str) -> str | None:
    return form.get(name) or query.get(name)


def _without_phone(result: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in result.items() if name != "phone"}


def _result(result: Any) -> web.Response:
    return web.json_response({"result": result})


def _error(code: str, text: str) -> web.Response:
    return web.json_response({"error": f"AB100318-01 [{text}]", "code": code, "result": ""})
