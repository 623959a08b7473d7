"""RuStore beyond the contract suite: the message in both APIs, and both ways of saying what is wrong."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from channels.base import Accepted, Button, Message, Outcome, Refused, Retry, Scope
from channels.http import ProviderHttp
from channels.push.rustore import RuStore, RuStoreConfig
from tests.contract.cases import HTTP_TROUBLES, Trouble, odd_answer
from tests.simulators.base import Fault
from tests.simulators.rustore import PROJECT, TOKEN, RuStoreSimulator

ANNA = "bk3RNwTe3H-anna"
MESSAGE = Message(key="d-1", to=ANNA, text="Передан в доставку", subject="Заказ 1001")
BOTH = pytest.mark.parametrize("api", ["direct", "universal"])
PATIENCE = timedelta(seconds=1)


@pytest.fixture
async def rustore() -> AsyncIterator[RuStoreSimulator]:
    async with RuStoreSimulator() as simulator:
        yield simulator


@pytest.fixture
async def http() -> AsyncIterator[ProviderHttp]:
    http = ProviderHttp(timeout=PATIENCE)
    yield http
    await http.close()


@pytest.fixture
def api() -> str:
    return "direct"


@pytest.fixture
def adapter(rustore: RuStoreSimulator, http: ProviderHttp, api: str) -> RuStore:
    return RuStore(config(api=api, base_url=f"{rustore.url}/"), http)


def config(**changes: Any) -> RuStoreConfig:
    return RuStoreConfig.model_validate({"token": TOKEN, "project_id": PROJECT} | changes)


async def _send(adapter: RuStore, message: Message = MESSAGE) -> Outcome:
    [outcome] = await adapter.send([message])
    return outcome


def _direct_error(status: int, word: str, text: str = "Bad") -> Fault:
    return _json(status, {"code": status, "message": text, "status": word})


def _universal_error(status: int, word: str, *errors: str) -> Fault:
    return _json(status, {"status": word, "code": status, "errors": errors})


def _json(status: int, body: object) -> Fault:
    return Fault(status=status, body=json.dumps(body), content_type="application/json")


@BOTH
async def test_title_text_and_data_arrive_with_the_deliverys_id(
    adapter: RuStore, rustore: RuStoreSimulator
) -> None:
    buttons = ((Button("Заказ", url="https://shop.example/o/1"),),)

    outcome = await _send(adapter, replace(MESSAGE, data={"order": "1001"}, buttons=buttons))

    [sent] = rustore.sent
    assert outcome == Accepted("d-1")
    assert (sent.to, sent.subject, sent.text) == (ANNA, "Заказ 1001", "Передан в доставку")
    assert sent.extra["data"] == {
        "order": "1001",
        "delivery": "d-1",
        "url": "https://shop.example/o/1",
    }
    assert "android" not in sent.extra


@BOTH
async def test_without_a_subject_there_is_no_title(
    adapter: RuStore, rustore: RuStoreSimulator
) -> None:
    await _send(adapter, replace(MESSAGE, subject=""))

    assert rustore.sent[0].extra["notification"] == {"body": "Передан в доставку"}


@BOTH
@pytest.mark.parametrize(("left", "most"), [(timedelta(hours=1), 3600), (timedelta(-1), 0)])
async def test_a_message_that_expires_is_not_kept_longer(
    adapter: RuStore, rustore: RuStoreSimulator, left: timedelta, most: int
) -> None:
    await _send(adapter, replace(MESSAGE, expires_at=datetime.now(UTC) + left))

    ttl = rustore.sent[0].extra["android"]["ttl"]
    assert most - 100 <= int(ttl.removesuffix("s")) <= most


@BOTH
async def test_a_text_that_is_too_long_is_cut(adapter: RuStore, rustore: RuStoreSimulator) -> None:
    outcome = await _send(adapter, replace(MESSAGE, text="слово " * 1000))

    assert isinstance(outcome, Accepted)
    assert rustore.sent[0].text.endswith("…")
    assert len(rustore.sent[0].text.encode()) > 3500


@BOTH
async def test_data_that_leave_no_room_are_the_authors(
    adapter: RuStore, rustore: RuStoreSimulator
) -> None:
    outcome = await _send(adapter, replace(MESSAGE, data={"order": "x" * 4096}))

    assert isinstance(outcome, Refused)
    assert (outcome.scope, outcome.code) == (Scope.MESSAGE, "too-big")
    assert not rustore.requests


async def test_what_the_direct_api_takes_an_app_with_the_universal_sdk_drops(
    adapter: RuStore, rustore: RuStoreSimulator
) -> None:
    """Nothing in the answer shows it: hence the setting."""
    rustore.universal_app = True

    assert isinstance(await _send(adapter), Accepted)
    assert not rustore.sent
    assert len(rustore.ignored) == 1


@pytest.mark.parametrize(
    ("fault", "scope", "suppress"),
    [
        (_direct_error(400, "INVALID_ARGUMENT"), Scope.MESSAGE, True),
        (_direct_error(403, "PERMISSION_DENIED"), Scope.ACCOUNT, True),
        (_direct_error(404, "NOT_FOUND"), Scope.RECIPIENT, True),
        (_direct_error(410, "UNREGISTERED"), Scope.RECIPIENT, True),
        (_direct_error(410, "NEW_WORD"), Scope.RECIPIENT, True),
        (_direct_error(401, "NEW_WORD"), Scope.ACCOUNT, True),
        (_direct_error(422, "NEW_WORD"), Scope.MESSAGE, True),
        # The envelope of FCM.
        (_json(404, {"error": {"code": 404, "status": "NOT_FOUND"}}), Scope.RECIPIENT, True),
        (_json(403, {"error": {"status": "PERMISSION_DENIED"}}), Scope.ACCOUNT, True),
        (
            _json(
                403,
                {
                    "error": {
                        "status": "PERMISSION_DENIED",
                        "details": [
                            {
                                "@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError",
                                "errorCode": "SENDER_ID_MISMATCH",
                            }
                        ],
                    }
                },
            ),
            Scope.RECIPIENT,
            False,
        ),
        (_direct_error(200, "NOT_FOUND"), Scope.RECIPIENT, True),
        # Pages, not answers: nothing of them is about a device.
        (Fault(status=404), Scope.ACCOUNT, True),
        (Fault(status=403), Scope.ACCOUNT, True),
    ],
)
async def test_the_direct_apis_errors_are_laid_at_the_right_door(
    adapter: RuStore, rustore: RuStoreSimulator, fault: Fault, scope: Scope, suppress: bool
) -> None:
    rustore.fault = fault

    outcome = await _send(adapter)

    assert isinstance(outcome, Refused)
    assert (outcome.scope, outcome.suppress) == (scope, suppress)
    assert outcome.code
    assert outcome.reason


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (_direct_error(500, "INTERNAL"), Retry("INTERNAL")),
        (_direct_error(503, "UNAVAILABLE"), Retry("UNAVAILABLE")),
        (_direct_error(429, "TOO_MANY_REQUESTS"), Retry("TOO_MANY_REQUESTS", throttled=True)),
        (_direct_error(429, "NEW_WORD"), Retry("NEW_WORD", throttled=True)),
        (_json(200, {"code": 400}), Retry("http-200-unreadable", maybe_sent=True)),
    ],
)
async def test_what_passes_at_the_direct_api_is_waited_out(
    adapter: RuStore, rustore: RuStoreSimulator, fault: Fault, outcome: Outcome
) -> None:
    rustore.fault = fault

    assert await _send(adapter) == outcome


@pytest.mark.parametrize("body", ["", "{}", '{"name": "x"}', '{"code": 200, "status": "OK"}'])
async def test_the_direct_apis_success_may_look_as_it_likes(
    adapter: RuStore, rustore: RuStoreSimulator, body: str
) -> None:
    rustore.fault = Fault(status=200, body=body, content_type="application/json")

    assert await _send(adapter) == Accepted("d-1")


_UNIVERSAL = pytest.mark.parametrize("api", ["universal"])


@_UNIVERSAL
@pytest.mark.parametrize(
    ("fault", "scope", "suppress"),
    [
        (
            _universal_error(400, "PROVIDER_ERROR", "rustore: invalid tokens bk3RNw"),
            Scope.RECIPIENT,
            True,
        ),
        (
            _universal_error(400, "PROVIDER_ERROR", "rustore: invalid tokens [xyz123, bk3RNwTe…]"),
            Scope.RECIPIENT,
            True,
        ),
        # Without our prefix, or with one that fits thousands, the device is not given up.
        (
            _universal_error(400, "PROVIDER_ERROR", "rustore: invalid tokens xyz123"),
            Scope.RECIPIENT,
            False,
        ),
        (_universal_error(400, "PROVIDER_ERROR", "invalid token: bk"), Scope.RECIPIENT, False),
        (
            _universal_error(401, "PROVIDER_ERROR", "rustore: invalid auth token"),
            Scope.ACCOUNT,
            True,
        ),
        (
            _universal_error(400, "PROVIDER_ERROR", "rustore: Invalid auth token bk3RNw"),
            Scope.ACCOUNT,
            True,
        ),
        (_universal_error(403, "PROVIDER_ERROR", "rustore: denied"), Scope.ACCOUNT, True),
        (_universal_error(400, "PROVIDER_ERROR", "rustore: something new"), Scope.MESSAGE, True),
        (_universal_error(400, "PROVIDER_ERROR"), Scope.MESSAGE, True),
        (
            _universal_error(400, "VALIDATION_ERROR", "providers.rustore: project_id is required"),
            Scope.ACCOUNT,
            True,
        ),
        (
            _universal_error(400, "VALIDATION_ERROR", "tokens.rustore: is not a token"),
            Scope.RECIPIENT,
            False,
        ),
        (
            _universal_error(400, "VALIDATION_ERROR", "message.notification: title is required"),
            Scope.MESSAGE,
            True,
        ),
        (_universal_error(400, "VALIDATION_ERROR"), Scope.MESSAGE, True),
        (_json(400, {"status": "NEW_WORD", "errors": 7}), Scope.MESSAGE, True),
        (Fault(status=404), Scope.ACCOUNT, True),
    ],
)
async def test_the_universal_apis_errors_are_laid_at_the_right_door(
    adapter: RuStore, rustore: RuStoreSimulator, fault: Fault, scope: Scope, suppress: bool
) -> None:
    rustore.fault = fault

    outcome = await _send(adapter)

    assert isinstance(outcome, Refused)
    assert (outcome.scope, outcome.suppress) == (scope, suppress)
    assert outcome.code
    assert outcome.reason


@_UNIVERSAL
@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (_universal_error(500, "PROVIDER_ERROR", "rustore: internal"), Retry("PROVIDER_ERROR")),
        (
            _universal_error(400, "PROVIDER_ERROR", "rustore: too many requests"),
            Retry("PROVIDER_ERROR", throttled=True),
        ),
        (
            _universal_error(429, "PROVIDER_ERROR", "rustore: slow down"),
            Retry("PROVIDER_ERROR", throttled=True),
        ),
        (_json(200, {"status": "OK"}), Accepted("d-1")),
    ],
)
async def test_what_passes_at_the_universal_api_is_waited_out(
    adapter: RuStore, rustore: RuStoreSimulator, fault: Fault, outcome: Outcome
) -> None:
    rustore.fault = fault

    assert await _send(adapter) == outcome


@_UNIVERSAL
@pytest.mark.parametrize(
    "trouble",
    [*HTTP_TROUBLES, odd_answer('{"Status": 7}'), odd_answer('{"status": "PENDING"}')],
    ids=lambda trouble: trouble.name,
)
async def test_trouble_at_the_universal_api_says_whether_it_may_have_been_sent(
    adapter: RuStore, rustore: RuStoreSimulator, trouble: Trouble
) -> None:
    trouble.arrange(rustore)

    outcome = await _send(adapter)

    assert isinstance(outcome, Retry)
    assert outcome.maybe_sent is trouble.maybe_sent


@_UNIVERSAL
async def test_a_device_that_is_gone_by_the_universal_api(
    adapter: RuStore, rustore: RuStoreSimulator
) -> None:
    rustore.gone.add(ANNA)

    assert await _send(adapter) == Refused(Scope.RECIPIENT, "PROVIDER_ERROR", "invalid token")


@BOTH
async def test_neither_the_devices_token_nor_the_services_is_repeated(
    adapter: RuStore, rustore: RuStoreSimulator, api: str
) -> None:
    rustore.gone.add(ANNA)
    first = await _send(adapter)
    error = _direct_error if api == "direct" else _universal_error
    rustore.fault = error(400, "VALIDATION_ERROR", f"message: {ANNA} is no good")
    second = await _send(adapter)

    assert ANNA not in repr([first, second])
    assert TOKEN not in repr([first, second])


@BOTH
async def test_check_names_project_and_api_and_sends_nothing(
    adapter: RuStore, rustore: RuStoreSimulator, api: str
) -> None:
    check = await adapter.check()

    assert check.ok
    assert check.text == f"RuStore project {PROJECT}, {api} API"
    assert not rustore.sent


@BOTH
async def test_check_finds_a_wrong_token(
    adapter: RuStore, rustore: RuStoreSimulator, api: str
) -> None:
    rustore.token = "another"

    check = await adapter.check()

    assert not check.ok
    assert TOKEN not in check.text


async def test_check_is_content_with_a_complaint_about_the_device(
    adapter: RuStore, rustore: RuStoreSimulator
) -> None:
    rustore.fault = _direct_error(400, "INVALID_ARGUMENT", "token")
    assert (await adapter.check()).ok

    rustore.fault = Fault(status=405, body="{}", content_type="application/json")
    assert not (await adapter.check()).ok


@pytest.mark.parametrize(
    ("api", "host"), [("direct", "vkpns.rustore.ru"), ("universal", "vkpns-universal.rustore.ru")]
)
async def test_the_api_names_the_host(http: ProviderHttp, api: str, host: str) -> None:
    assert RuStore(config(api=api), http)._base_url == f"https://{host}"


@pytest.mark.parametrize("changes", [{"api": "both"}, {"project_id": "a/b"}, {"token": ""}])
def test_a_wrong_setting_is_found(changes: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match=next(iter(changes))):
        config(**changes)
