"""What SMSC.ru tells of an SMS later: signature, statuses, errors (smsc.ru/api/http/status_messages)."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime

from pydantic import SecretStr

from channels.base import BadHook, Heard, HookReply, HookRequest, Receipt, ReceiptStatus, Told
from channels.money import money
from channels.proof import same
from channels.sms.forms import fields

WRONG_NUMBER = frozenset({22})

_OK = HookReply("OK")

_STATUSES: Mapping[str, ReceiptStatus] = {
    "-2": ReceiptStatus.FAILED,  # stopped
    "-1": ReceiptStatus.SENT,  # waiting
    "0": ReceiptStatus.SENT,  # with the operator
    "1": ReceiptStatus.DELIVERED,
    "2": ReceiptStatus.READ,
    "3": ReceiptStatus.FAILED,  # expired
    "4": ReceiptStatus.CLICKED,
    "20": ReceiptStatus.FAILED,  # cannot be delivered
    "22": ReceiptStatus.BOUNCED,  # wrong number
    "23": ReceiptStatus.FAILED,  # forbidden
    "24": ReceiptStatus.FAILED,  # no money
    "25": ReceiptStatus.FAILED,  # unreachable
}

_NO_SUCH_SUBSCRIBER = "1"
_ERRORS: Mapping[str, str] = {
    "1": "no such subscriber",
    "6": "phone off or out of reach",
    "11": "no SMS service",
    "12": "fault of the phone",
    "13": "subscriber blocked",
    "21": "not supported",
    "200": "virtual sending",
    "219": "SIM replaced",
    "220": "operator's queue full",
    "240": "busy",
    "243": "no contract with the operator",
    "244": "mailings forbidden",
    "245": "no status received",
    "246": "time of day restricted",
    "247": "limit reached",
    "248": "no route",
    "249": "number format",
    "250": "forbidden by settings",
    "251": "limit for this number",
    "252": "number forbidden",
    "253": "spam filter",
    "254": "sender not registered",
    "255": "refused by the operator",
}


def provider_id(call_id: str, digits: str) -> str:
    """The id is of a whole call; with the number it names one SMS."""
    return f"{call_id}:{digits}"


def read(request: HookRequest, secret: SecretStr | None) -> Told:
    """One status a call, by GET or POST. Raises `BadHook`. Without a `secret` the URL alone is the proof."""
    form = fields(request)
    if "mes" in form and "status" not in form:
        return Told(heard=[_heard(form)] if form.get("phone") else [], reply=_OK)
    if not form:
        # Somebody looks whether the URL is there.
        return Told(reply=_OK)
    if not {"id", "phone", "status"} <= form.keys():
        raise BadHook("no id, phone or status")
    if secret:
        _verify(form, request.headers, secret)
    return Told(_receipts(form), reply=_OK)


def _verify(form: Mapping[str, str], headers: Mapping[str, str], secret: SecretStr) -> None:
    """md5 and sha1 of `id:phone:status:secret`; each that is there must be right, and one must be."""
    signed = f"{form['id']}:{form['phone']}:{form['status']}:{secret.get_secret_value()}".encode()
    # The provider's choice of digests.
    digests = {
        "md5": hashlib.md5(signed, usedforsecurity=False).hexdigest(),
        "sha1": hashlib.sha1(signed, usedforsecurity=False).hexdigest(),
    }
    given = {name: form.get(name) or headers.get(f"x-smsc-{name}") for name in digests}
    proofs = [same(value.lower(), digests[name]) for name, value in given.items() if value]
    if not proofs or not all(proofs):
        raise BadHook("wrong signature" if proofs else "no signature", forged=True)


def _receipts(form: Mapping[str, str]) -> list[Receipt]:
    status = _STATUSES.get(form["status"])
    if status is None:
        return []
    error = form.get("err", "")
    if status is ReceiptStatus.FAILED and error == _NO_SUCH_SUBSCRIBER:
        status = ReceiptStatus.BOUNCED
    failed = status in (ReceiptStatus.FAILED, ReceiptStatus.BOUNCED)
    return [
        Receipt(
            status,
            provider_id=provider_id(form["id"], form["phone"].removeprefix("+")),
            code=f"{form['status']}/{error}" if failed and error else form["status"],
            text=_ERRORS.get(error, "") if failed else "",
            at=_time(form.get("ts", "")),
            cost=money(form.get("cost")),
        )
    ]


def _heard(form: Mapping[str, str]) -> Heard:
    """What a person wrote to the account's number. How such calls are signed is not documented: the address of
    the hook is their proof."""
    return Heard(
        address=f"+{form['phone'].removeprefix('+')}",
        text=form["mes"],
        id=form.get("sms_id") or form.get("id", ""),
        at=_time(form.get("ts", "")),
    )


def _time(value: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(value), UTC)
    except (ValueError, OverflowError, OSError):
        return None
