"""FCM beyond the contract suite: the message's shape, whose fault an error is, the access token's life."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from channels.base import Accepted, Button, Category, Message, Outcome, Refused, Retry, Scope
from channels.http import ProviderHttp
from channels.push.fcm import Fcm, FcmConfig
from tests.simulators.base import Fault
from tests.simulators.fcm import PROJECT, FcmSimulator, unavailable

MESSAGE = Message(key="d-1", to="device-anna", text="Передан в доставку", subject="Заказ 1001")
IN_AN_HOUR = timedelta(hours=1)
_FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"


@pytest.fixture
async def fcm() -> AsyncIterator[FcmSimulator]:
    async with FcmSimulator() as simulator:
        yield simulator


@pytest.fixture
async def http() -> AsyncIterator[ProviderHttp]:
    http = ProviderHttp()
    yield http
    await http.close()


@pytest.fixture
def adapter(fcm: FcmSimulator, http: ProviderHttp, tmp_path: Path) -> Fcm:
    config = FcmConfig(credentials=fcm.credentials(tmp_path), base_url=f"{fcm.url}/")
    return Fcm(config, http)


async def _send(adapter: Fcm, message: Message = MESSAGE) -> Outcome:
    [outcome] = await adapter.send([message])
    return outcome


def _wire(fcm: FcmSimulator) -> dict[str, Any]:
    """The message as it went over the wire last."""
    return fcm.sent[-1].extra


def _error(status: int, word: str, text: str = "", *details: dict[str, Any]) -> Fault:
    error = {"code": status, "status": word, "message": text, "details": list(details)}
    return Fault(status=status, body=json.dumps({"error": error}), content_type="application/json")


def _violation(field: str) -> dict[str, Any]:
    return {
        "@type": "type.googleapis.com/google.rpc.BadRequest",
        "fieldViolations": [{"field": field, "description": "Invalid value"}],
    }


async def test_title_text_and_data_arrive_with_the_deliverys_id(
    adapter: Fcm, fcm: FcmSimulator
) -> None:
    outcome = await _send(adapter, replace(MESSAGE, data={"order": "1001"}))

    wire = _wire(fcm)
    assert outcome == Accepted(fcm.sent[0].provider_id)
    assert wire["token"] == "device-anna"
    assert wire["notification"] == {"title": "Заказ 1001", "body": "Передан в доставку"}
    assert wire["data"] == {"order": "1001", "delivery": "d-1"}


async def test_without_a_subject_there_is_no_title(adapter: Fcm, fcm: FcmSimulator) -> None:
    await _send(adapter, replace(MESSAGE, subject=""))

    assert _wire(fcm)["notification"] == {"body": "Передан в доставку"}


async def test_the_first_button_with_a_link_is_what_the_app_opens(
    adapter: Fcm, fcm: FcmSimulator
) -> None:
    buttons = ((Button("Да", data="y"), Button("Заказ", url="https://shop.example/o/1")),)

    await _send(adapter, replace(MESSAGE, buttons=buttons))

    assert _wire(fcm)["data"]["url"] == "https://shop.example/o/1"


@pytest.mark.parametrize("key", ["from", "message_type", "google.sent", "gcm.n.e"])
async def test_a_data_key_that_fcm_keeps_to_itself_does_not_cost_the_message(
    adapter: Fcm, fcm: FcmSimulator, key: str
) -> None:
    outcome = await _send(adapter, replace(MESSAGE, data={key: "x", "order": "1001"}))

    assert isinstance(outcome, Accepted)
    assert _wire(fcm)["data"] == {"order": "1001", "delivery": "d-1"}


@pytest.mark.parametrize(
    ("category", "android", "apns", "web"),
    [
        (Category.TRANSACTIONAL, "HIGH", "10", "high"),
        (Category.SECURITY, "HIGH", "10", "high"),
        (Category.MARKETING, "NORMAL", "5", "low"),
    ],
)
async def test_only_marketing_lets_a_phone_sleep(
    adapter: Fcm, fcm: FcmSimulator, category: Category, android: str, apns: str, web: str
) -> None:
    await _send(adapter, replace(MESSAGE, category=category))

    wire = _wire(fcm)
    assert wire["android"]["priority"] == android
    assert wire["apns"]["headers"]["apns-priority"] == apns
    assert wire["webpush"]["headers"]["Urgency"] == web


async def test_a_message_that_expires_is_not_kept_longer(adapter: Fcm, fcm: FcmSimulator) -> None:
    expires_at = datetime.now(UTC) + IN_AN_HOUR

    await _send(adapter, replace(MESSAGE, expires_at=expires_at))

    wire = _wire(fcm)
    assert 3500 <= int(wire["android"]["ttl"].removesuffix("s")) <= 3600
    assert wire["apns"]["headers"]["apns-expiration"] == str(int(expires_at.timestamp()))
    assert wire["webpush"]["headers"]["TTL"] == wire["android"]["ttl"].removesuffix("s")


@pytest.mark.parametrize(
    ("left", "ttl"), [(-IN_AN_HOUR, "0s"), (timedelta(days=365), "2419200s")], ids=["past", "far"]
)
async def test_the_ttl_stays_within_what_fcm_takes(
    adapter: Fcm, fcm: FcmSimulator, left: timedelta, ttl: str
) -> None:
    await _send(adapter, replace(MESSAGE, expires_at=datetime.now(UTC) + left))

    assert _wire(fcm)["android"]["ttl"] == ttl


async def test_a_collapse_key_replaces_the_message_before_on_every_platform(
    adapter: Fcm, fcm: FcmSimulator
) -> None:
    await _send(adapter, replace(MESSAGE, collapse_key="order-1001"))

    wire = _wire(fcm)
    assert wire["android"]["collapse_key"] == "order-1001"
    assert wire["android"]["notification"] == {"tag": "order-1001"}
    assert wire["apns"]["headers"]["apns-collapse-id"] == "order-1001"
    assert len(wire["webpush"]["headers"]["Topic"]) == 32


async def test_a_long_collapse_key_is_shortened_for_apple_and_stays_itself(
    adapter: Fcm, fcm: FcmSimulator
) -> None:
    for key in ("статус-заказа-1001-покупателя-42", "статус-заказа-1001-покупателя-43"):
        await _send(adapter, replace(MESSAGE, collapse_key=key))

    first, second = (sent.extra["apns"]["headers"]["apns-collapse-id"] for sent in fcm.sent)
    assert first != second
    assert max(len(first), len(second)) <= 64


async def test_4096_bytes_go_and_one_more_does_not(adapter: Fcm, fcm: FcmSimulator) -> None:
    around = len("title") + len("body") + len("delivery") + len("d-1") + len("t")
    fits = replace(MESSAGE, subject="t", text="x" * (4096 - around))

    assert isinstance(await _send(adapter, fits), Accepted)
    outcome = await _send(adapter, replace(fits, text=fits.text + "x"))

    assert isinstance(outcome, Refused)
    assert (outcome.scope, outcome.code) == (Scope.MESSAGE, "too-big")


async def test_a_token_of_another_project_stays_good_for_it(
    adapter: Fcm, fcm: FcmSimulator
) -> None:
    fcm.foreign.add(MESSAGE.to)

    outcome = await _send(adapter)

    assert outcome == Refused(
        Scope.RECIPIENT, "SENDER_ID_MISMATCH", "SenderId mismatch", suppress=False
    )


@pytest.mark.parametrize(
    ("fault", "scope"),
    [
        (_error(400, "INVALID_ARGUMENT", "Bad", _violation("message.data")), Scope.MESSAGE),
        (_error(400, "INVALID_ARGUMENT", "Bad", _violation("message.token")), Scope.RECIPIENT),
        # Without FCM's own word the text alone is no reason to give up a device.
        (_error(400, "INVALID_ARGUMENT", "registration token and so on"), Scope.MESSAGE),
        (_error(404, "NOT_FOUND", "Requested entity was not found."), Scope.ACCOUNT),
        (Fault(status=404), Scope.ACCOUNT),
        (_error(403, "PERMISSION_DENIED", "API is not enabled"), Scope.ACCOUNT),
        (_error(401, "UNAUTHENTICATED", "Bad token"), Scope.ACCOUNT),
        (_error(418, "NEW_WORD", "?"), Scope.MESSAGE),
    ],
)
async def test_an_error_is_laid_at_the_right_door(
    adapter: Fcm, fcm: FcmSimulator, fault: Fault, scope: Scope
) -> None:
    fcm.fault = fault

    outcome = await _send(adapter)

    assert isinstance(outcome, Refused)
    assert outcome.scope is scope


async def test_apples_credentials_are_the_accounts_and_ask_for_no_new_token(
    adapter: Fcm, fcm: FcmSimulator
) -> None:
    fcm.third_party_denied = True

    outcome = await _send(adapter)

    assert isinstance(outcome, Refused)
    assert (outcome.scope, outcome.code) == (Scope.ACCOUNT, "THIRD_PARTY_AUTH_ERROR")
    assert fcm.tokens.requests == 1


async def test_the_field_at_fault_is_told_to_the_author(adapter: Fcm, fcm: FcmSimulator) -> None:
    fcm.fault = _error(400, "INVALID_ARGUMENT", "Bad", _violation("message.android.ttl"))

    outcome = await _send(adapter)

    assert isinstance(outcome, Refused)
    assert outcome.reason == "message.android.ttl: Invalid value"


async def test_the_devices_token_is_not_repeated(adapter: Fcm, fcm: FcmSimulator) -> None:
    fcm.fault = _error(400, "INVALID_ARGUMENT", f"{MESSAGE.to} is no good")

    assert MESSAGE.to not in repr(await _send(adapter))


@pytest.mark.parametrize(
    ("headers", "wait"), [({}, 10), ({"Retry-After": "120"}, 120)], ids=["no-time", "told"]
)
async def test_unavailable_is_waited_out_as_long_as_told(
    adapter: Fcm, fcm: FcmSimulator, headers: dict[str, str], wait: int
) -> None:
    fcm.fault = Fault(
        status=503, body=unavailable(), content_type="application/json", headers=headers
    )

    assert await _send(adapter) == Retry("UNAVAILABLE", timedelta(seconds=wait))


def _quota(*violations: Any) -> Fault:
    kind = "type.googleapis.com/google.rpc.QuotaFailure"
    details: list[dict[str, Any]] = [
        {"@type": _FCM_ERROR, "errorCode": "QUOTA_EXCEEDED"},
        {"@type": kind, "violations": list(violations)},
    ]
    return _error(429, "RESOURCE_EXHAUSTED", "Quota exceeded.", *details)


@pytest.mark.parametrize(
    ("fault", "alone"),
    [
        (_quota({"subject": "device:x", "description": "Device message rate exceeded"}), True),
        (_quota({"subject": f"project:{PROJECT}", "description": "Messages a minute"}), False),
        (_quota({"description": "Device rate"}, {"description": "Project rate"}), False),
        (_quota(), False),
        (_quota(7, None), False),
    ],
    ids=["device", "project", "both", "unnamed", "odd"],
)
async def test_one_devices_quota_does_not_hold_up_the_others(
    adapter: Fcm, fcm: FcmSimulator, fault: Fault, alone: bool
) -> None:
    fcm.fault = fault

    outcome = await _send(adapter)

    assert outcome == Retry("QUOTA_EXCEEDED", timedelta(minutes=1), throttled=True, alone=alone)


@pytest.mark.parametrize(
    "details", [None, {}, 7, [None], [{"@type": "google.rpc.BadRequest", "fieldViolations": {}}]]
)
async def test_details_of_any_shape_do_no_harm(
    adapter: Fcm, fcm: FcmSimulator, details: object
) -> None:
    body = {"error": {"status": "INVALID_ARGUMENT", "message": "Bad", "details": details}}
    fcm.fault = Fault(status=400, body=json.dumps(body), content_type="application/json")

    assert await _send(adapter) == Refused(Scope.MESSAGE, "INVALID_ARGUMENT", "Bad")


@pytest.mark.parametrize(
    "error",
    [
        {},
        {"status": "NOT_FOUND", "message": ""},
        {"details": [{"@type": "google.firebase.fcm.v1.FcmError", "errorCode": "UNREGISTERED"}]},
    ],
)
async def test_a_refusal_without_words_still_says_something(
    adapter: Fcm, fcm: FcmSimulator, error: dict[str, Any]
) -> None:
    fcm.fault = Fault(
        status=404, body=json.dumps({"error": error}), content_type="application/json"
    )

    outcome = await _send(adapter)

    assert isinstance(outcome, Refused)
    assert outcome.code
    assert outcome.reason == f"FCM says {outcome.code} and no more"


async def test_in_test_mode_everything_is_checked_and_nothing_delivered(
    fcm: FcmSimulator, http: ProviderHttp, tmp_path: Path
) -> None:
    credentials = fcm.credentials(tmp_path)
    adapter = Fcm(FcmConfig(credentials=credentials, test=True, base_url=fcm.url), http)
    fcm.unregistered.add("device-gone")

    taken, gone = [
        await _send(adapter, replace(MESSAGE, to=d)) for d in ("device-1", "device-gone")
    ]

    assert isinstance(taken, Accepted)
    assert isinstance(gone, Refused)
    assert not fcm.sent


async def test_many_messages_at_once_need_one_token(adapter: Fcm, fcm: FcmSimulator) -> None:
    messages = [replace(MESSAGE, key=f"d-{i}", to=f"device-{i}") for i in range(30)]

    await asyncio.gather(*(_send(adapter, message) for message in messages))

    assert len(fcm.sent) == 30
    assert fcm.tokens.requests == 1


async def test_a_withdrawn_token_is_replaced_without_anybody_noticing(
    adapter: Fcm, fcm: FcmSimulator
) -> None:
    await _send(adapter)
    fcm.withdraw_tokens()

    outcomes = await asyncio.gather(*(_send(adapter) for _ in range(10)))

    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert fcm.tokens.requests == 2


async def test_a_token_near_its_end_is_renewed_ahead(adapter: Fcm, fcm: FcmSimulator) -> None:
    fcm.tokens.expires_in = 200
    await _send(adapter)
    # Only what is older than a second is renewed, however short its life.
    await asyncio.sleep(1.05)

    await _send(adapter)

    assert fcm.tokens.requests == 2


@pytest.mark.parametrize("seconds", [10**20, "3599", "soon", -1, 0])
async def test_a_token_is_good_however_its_lifetime_is_told(
    adapter: Fcm, fcm: FcmSimulator, seconds: int | str
) -> None:
    fcm.tokens.expires_in = seconds

    assert isinstance(await _send(adapter), Accepted)
    assert isinstance(await _send(adapter), Accepted)
    assert fcm.tokens.requests == 1


async def test_a_token_that_holds_is_used_while_a_new_one_cannot_be_had(
    adapter: Fcm, fcm: FcmSimulator
) -> None:
    fcm.tokens.expires_in = 200
    await _send(adapter)
    fcm.tokens.fault = Fault(status=503)
    await asyncio.sleep(1.05)

    outcomes = [await _send(adapter) for _ in range(3)]

    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert fcm.tokens.requests == 2


async def test_waiting_messages_share_the_failure_to_get_a_token(
    adapter: Fcm, fcm: FcmSimulator
) -> None:
    fcm.tokens.fault = Fault(status=503, headers={"Retry-After": "5"})

    outcomes = await asyncio.gather(*(_send(adapter) for _ in range(20)))

    assert set(outcomes) == {Retry("token-http-503", timedelta(seconds=5))}
    assert fcm.tokens.requests == 1
    fcm.tokens.fault = None
    assert isinstance(await _send(adapter), Accepted)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault(status=502), "token-http-502"),
        (Fault(close=True), "token-ServerDisconnectedError"),
        (Fault(status=200, body="{}"), "token-http-200-unreadable"),
        (Fault(status=200, body="<html>"), "token-http-200-unreadable"),
    ],
)
async def test_without_a_token_nothing_has_left(
    adapter: Fcm, fcm: FcmSimulator, fault: Fault, reason: str
) -> None:
    fcm.tokens.fault = fault

    assert await _send(adapter) == Retry(reason)


@pytest.mark.parametrize("changes", [{"client_email": "other@x.example"}, {"token_uri": "/none"}])
async def test_credentials_that_google_does_not_know_pause_the_account(
    fcm: FcmSimulator, http: ProviderHttp, tmp_path: Path, changes: dict[str, str]
) -> None:
    if "token_uri" in changes:
        changes = {"token_uri": fcm.tokens.url + changes["token_uri"]}
    config = FcmConfig(credentials=fcm.credentials(tmp_path, **changes), base_url=fcm.url)

    outcome = await _send(Fcm(config, http))

    assert isinstance(outcome, Refused)
    assert outcome.scope is Scope.ACCOUNT


async def test_check_names_the_project_and_sends_nothing(adapter: Fcm, fcm: FcmSimulator) -> None:
    check = await adapter.check()

    assert check.ok
    assert PROJECT in check.text
    assert not fcm.sent


async def test_check_finds_missing_rights(adapter: Fcm, fcm: FcmSimulator) -> None:
    fcm.denied = True

    check = await adapter.check()

    assert not check.ok
    assert "denied" in check.text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file"),
        ("not json at all", "not JSON"),
        ('{"type": "authorized_user", "project_id": "p"}', "client_email"),
        (
            '{"project_id": "p", "client_email": "e", "private_key_id": "k", "private_key": "s3cret"}',
            "no usable RSA key",
        ),
    ],
    ids=["missing", "not-json", "other-file", "bad-key"],
)
def test_a_wrong_key_file_is_named_and_not_quoted(
    tmp_path: Path, content: str | None, said: str
) -> None:
    path = tmp_path / "firebase.json"
    if content is not None:
        path.write_text(content)

    with pytest.raises(ValidationError) as caught:
        FcmConfig(credentials=path)

    assert str(path) in str(caught.value)
    assert said in str(caught.value)
    assert "s3cret" not in str(caught.value)
