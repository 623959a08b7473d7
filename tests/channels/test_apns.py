"""APNs beyond the contract suite: headers and payload, the team's token, whose fault a reason is."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import ValidationError

from channels.base import Accepted, Button, Category, Message, Outcome, Refused, Retry, Scope
from channels.http import ProviderHttp
from channels.push.apns import Apns, ApnsConfig
from channels.push.apple_token import ProviderToken, load_key
from tests.simulators.apns import KEY_ID, TEAM_ID, TOPIC, ApnsSimulator, p8, team_key
from tests.simulators.base import Fault

ANNA = "a1" * 32
KEY = "0199a1b2-0000-7000-8000-000000000001"
MESSAGE = Message(key=KEY, to=ANNA, text="Передан в доставку", subject="Заказ 1001")
MINUTE = 60.0


@pytest.fixture
async def apple() -> AsyncIterator[ApnsSimulator]:
    async with ApnsSimulator() as simulator:
        yield simulator


@pytest.fixture
async def http() -> AsyncIterator[ProviderHttp]:
    http = ProviderHttp()
    yield http
    await http.close()


@pytest.fixture
async def adapter(apple: ApnsSimulator, http: ProviderHttp) -> AsyncIterator[Apns]:
    adapter = Apns(config(base_url=f"{apple.url}/"), http)
    yield adapter
    await adapter.close()


def config(**changes: Any) -> ApnsConfig:
    settings = {"private_key": p8(), "key_id": KEY_ID, "team_id": TEAM_ID, "topic": TOPIC}
    return ApnsConfig.model_validate(settings | changes)


async def _send(adapter: Apns, message: Message = MESSAGE) -> Outcome:
    [outcome] = await adapter.send([message])
    return outcome


def _headers(apple: ApnsSimulator) -> dict[str, str]:
    headers: dict[str, str] = apple.sent[-1].extra["headers"]
    return headers


def _payload(apple: ApnsSimulator) -> dict[str, Any]:
    payload: dict[str, Any] = apple.sent[-1].extra["payload"]
    return payload


def _reason(status: int, word: str, **headers: str) -> Fault:
    body = json.dumps({"reason": word})
    return Fault(status=status, body=body, content_type="application/json", headers=headers)


async def test_title_text_and_data_arrive_with_the_deliverys_id(
    adapter: Apns, apple: ApnsSimulator
) -> None:
    outcome = await _send(adapter, replace(MESSAGE, data={"order": "1001"}))

    assert outcome == Accepted(KEY)
    assert apple.sent[0].to == ANNA
    assert _headers(apple)["apns-topic"] == TOPIC
    assert _headers(apple)["apns-push-type"] == "alert"
    assert _payload(apple) == {
        "order": "1001",
        "delivery": KEY,
        "aps": {
            "alert": {"title": "Заказ 1001", "body": "Передан в доставку"},
            "sound": "default",
        },
    }


async def test_without_a_subject_there_is_no_title(adapter: Apns, apple: ApnsSimulator) -> None:
    await _send(adapter, replace(MESSAGE, subject=""))

    assert _payload(apple)["aps"]["alert"] == {"body": "Передан в доставку"}


async def test_data_do_not_take_the_place_of_what_is_shown(
    adapter: Apns, apple: ApnsSimulator
) -> None:
    await _send(adapter, replace(MESSAGE, data={"aps": "x"}))

    assert _payload(apple)["aps"]["alert"]["body"] == "Передан в доставку"


async def test_the_first_button_with_a_link_is_what_the_app_opens(
    adapter: Apns, apple: ApnsSimulator
) -> None:
    buttons = ((Button("Да", data="y"), Button("Заказ", url="https://shop.example/o/1")),)

    await _send(adapter, replace(MESSAGE, buttons=buttons))

    assert _payload(apple)["url"] == "https://shop.example/o/1"


@pytest.mark.parametrize(
    ("category", "priority"),
    [(Category.TRANSACTIONAL, "10"), (Category.SECURITY, "10"), (Category.MARKETING, "5")],
)
async def test_only_marketing_lets_a_phone_sleep(
    adapter: Apns, apple: ApnsSimulator, category: Category, priority: str
) -> None:
    await _send(adapter, replace(MESSAGE, category=category))

    assert _headers(apple)["apns-priority"] == priority


async def test_a_message_that_expires_is_not_kept_longer(
    adapter: Apns, apple: ApnsSimulator
) -> None:
    expires_at = datetime.now(UTC) + timedelta(hours=1)

    await _send(adapter, replace(MESSAGE, expires_at=expires_at))
    await _send(adapter)

    first, second = (sent.extra["headers"] for sent in apple.sent)
    assert first["apns-expiration"] == str(int(expires_at.timestamp()))
    assert "apns-expiration" not in second


@pytest.mark.parametrize(
    "key", ["order-1001", "статус-заказа-1001", "order-" + "1" * 59, "two\nlines"]
)
async def test_a_collapse_key_is_itself_where_it_fits_and_always_its_own(
    adapter: Apns, apple: ApnsSimulator, key: str
) -> None:
    for other in (key, f"{key}-42"):
        assert isinstance(await _send(adapter, replace(MESSAGE, collapse_key=other)), Accepted)

    first, second = (sent.extra["headers"]["apns-collapse-id"] for sent in apple.sent)
    assert first != second
    assert (first == key) is (key == "order-1001")


async def test_a_text_that_is_too_long_is_cut(adapter: Apns, apple: ApnsSimulator) -> None:
    outcome = await _send(adapter, replace(MESSAGE, text="слово " * 1000))

    text = apple.sent[0].text
    assert isinstance(outcome, Accepted)
    assert text.startswith("слово слово")
    assert text.endswith("…")
    assert len(text.encode()) > 3800


async def test_many_at_once_go_over_one_connection(adapter: Apns, apple: ApnsSimulator) -> None:
    messages = [replace(MESSAGE, to=f"{i:064x}") for i in range(1, 101)]

    outcomes = await asyncio.gather(*(_send(adapter, message) for message in messages))

    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert apple.connections == 1
    assert len(apple.tokens) == 1


@pytest.mark.parametrize("token", ["", "xyz", "a1" * 7, "a" * 65, f"{ANNA}/../x", "<" + "a" * 63])
async def test_what_is_no_device_token_is_not_sent(
    adapter: Apns, apple: ApnsSimulator, token: str
) -> None:
    outcome = await _send(adapter, replace(MESSAGE, to=token))

    assert isinstance(outcome, Refused)
    assert (outcome.scope, outcome.code, outcome.suppress) == (
        Scope.RECIPIENT,
        "bad-token",
        True,
    )
    assert not apple.requests


@pytest.mark.parametrize(
    ("status", "word", "scope", "suppress"),
    [
        (410, "Unregistered", Scope.RECIPIENT, True),
        (410, "ExpiredToken", Scope.RECIPIENT, True),
        (410, "NewWord", Scope.RECIPIENT, True),
        # As a wrong environment or topic makes every token answer.
        (400, "BadDeviceToken", Scope.RECIPIENT, False),
        (400, "DeviceTokenNotForTopic", Scope.RECIPIENT, False),
        (400, "BadCollapseId", Scope.MESSAGE, True),
        (400, "PayloadEmpty", Scope.MESSAGE, True),
        (400, "NewWord", Scope.MESSAGE, True),
        (404, "BadPath", Scope.MESSAGE, True),
        (405, "MethodNotAllowed", Scope.MESSAGE, True),
        (413, "PayloadTooLarge", Scope.MESSAGE, True),
        (400, "BadTopic", Scope.ACCOUNT, True),
        (400, "MissingTopic", Scope.ACCOUNT, True),
        (400, "TopicDisallowed", Scope.ACCOUNT, True),
        (403, "InvalidProviderToken", Scope.ACCOUNT, True),
        (403, "BadEnvironmentKeyIdInToken", Scope.ACCOUNT, True),
        (403, "NewWord", Scope.ACCOUNT, True),
        (404, "", Scope.ACCOUNT, True),
        (403, "", Scope.ACCOUNT, True),
    ],
)
async def test_a_reason_is_laid_at_the_right_door(
    adapter: Apns, apple: ApnsSimulator, status: int, word: str, scope: Scope, suppress: bool
) -> None:
    apple.fault = _reason(status, word) if word else Fault(status=status)

    outcome = await _send(adapter)

    assert isinstance(outcome, Refused)
    assert (outcome.scope, outcome.suppress) == (scope, suppress)
    assert outcome.code == (word or f"http-{status}")


@pytest.mark.parametrize(
    ("status", "word", "outcome"),
    [
        (400, "IdleTimeout", Retry("IdleTimeout")),
        (500, "InternalServerError", Retry("InternalServerError")),
        (503, "ServiceUnavailable", Retry("ServiceUnavailable")),
        (503, "Shutdown", Retry("Shutdown")),
        (503, "NewWord", Retry("http-503")),
        (429, "NewWord", Retry("throttled", throttled=True)),
        (429, "TooManyRequests", Retry("TooManyRequests", throttled=True, alone=True)),
        (
            429,
            "TooManyProviderTokenUpdates",
            Retry("TooManyProviderTokenUpdates", timedelta(minutes=20), throttled=True),
        ),
    ],
)
async def test_what_passes_is_waited_out(
    adapter: Apns, apple: ApnsSimulator, status: int, word: str, outcome: Outcome
) -> None:
    apple.fault = _reason(status, word)

    assert await _send(adapter) == outcome


async def test_apple_may_ask_for_a_longer_wait(adapter: Apns, apple: ApnsSimulator) -> None:
    apple.fault = _reason(503, "Shutdown", **{"Retry-After": "90"})

    assert await _send(adapter) == Retry("Shutdown", timedelta(seconds=90))


async def test_a_connection_of_another_key_is_left(adapter: Apns, apple: ApnsSimulator) -> None:
    await _send(adapter)
    apple.faults.append(_reason(403, "UnrelatedKeyIdInToken"))

    first, second = [await _send(adapter) for _ in range(2)]

    assert first == Retry("UnrelatedKeyIdInToken")
    assert isinstance(second, Accepted)
    assert apple.connections == 2


async def test_two_accounts_of_different_teams_do_not_share_a_connection(
    adapter: Apns, apple: ApnsSimulator, http: ProviderHttp
) -> None:
    apple.keys["OTHER12345"] = team_key().public_key()
    other = Apns(config(base_url=apple.url, key_id="OTHER12345"), http)

    await _send(adapter)
    apple.tokens.clear()
    outcome = await _send(other)

    assert isinstance(outcome, Accepted)
    await other.close()


async def test_a_token_that_apple_finds_too_old_is_made_anew_only_after_a_while(
    adapter: Apns, apple: ApnsSimulator
) -> None:
    """A clock that is two hours behind: a new token is as old, and Apple counts how often one comes."""
    apple.ahead = 2 * 60 * MINUTE

    outcomes = [await _send(adapter) for _ in range(3)]

    for outcome in outcomes:
        assert isinstance(outcome, Refused)
        assert (outcome.scope, outcome.code) == (Scope.ACCOUNT, "ExpiredProviderToken")
        assert "clock" in outcome.reason
    assert apple.requests == 3


class Clock:
    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


NOON = 1_800_000_000.0 - 1_800_000_000.0 % 1800


def _token(clock: Clock) -> ProviderToken:
    return ProviderToken(load_key(p8()), key_id=KEY_ID, team_id=TEAM_ID, clock=clock)


def _claims(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(
        token, team_key().public_key(), algorithms=["ES256"], options={"verify_iat": False}
    )
    return claims


def test_the_token_is_what_apple_reads() -> None:
    token = _token(Clock(NOON + MINUTE)).current()

    assert jwt.get_unverified_header(token) == {"alg": "ES256", "kid": KEY_ID}
    assert _claims(token) == {"iss": TEAM_ID, "iat": int(NOON)}


def test_every_process_has_the_same_token_of_one_half_hour() -> None:
    early, late = (_token(Clock(NOON + minutes * MINUTE)).current() for minutes in (1, 29))

    assert early == late
    assert _token(Clock(NOON + 30 * MINUTE)).current() != early


@pytest.mark.parametrize("started", [0, 5, 15, 29.9])
def test_the_token_is_never_an_hour_old_nor_changed_within_twenty_minutes(started: float) -> None:
    clock = Clock(NOON + started * MINUTE)
    token = _token(clock)
    last, changed_at = token.current(), clock.now

    for _ in range(600):
        clock.now += MINUTE / 2
        value = token.current()
        if value != last:
            assert clock.now - changed_at >= 20 * MINUTE
            last, changed_at = value, clock.now
        assert clock.now - _claims(value)["iat"] <= 50 * MINUTE


def test_a_refused_token_is_replaced_once_for_all_who_had_it() -> None:
    clock = Clock(NOON)
    token = _token(clock)
    old = token.current()
    clock.now += 25 * MINUTE

    new = token.after(old)

    assert new is not None
    assert new != old
    assert _claims(new)["iat"] == int(clock.now)
    assert token.after(old) == new
    assert token.current() == new
    assert token.after(new) is None


def test_a_clock_that_is_put_back_gives_a_new_token() -> None:
    clock = Clock(NOON + 180 * MINUTE)
    token = _token(clock)
    token.current()
    clock.now = NOON

    assert _claims(token.current())["iat"] == int(NOON)


async def test_the_first_refusal_of_an_old_token_makes_a_new_one_within_the_call(
    apple: ApnsSimulator, http: ProviderHttp
) -> None:
    """This machine's clock is 40 minutes behind Apple's."""
    adapter = Apns(config(base_url=apple.url), http)
    clock = Clock(NOON)
    adapter._token = _token(clock)
    old = adapter._token.current()
    clock.now += 25 * MINUTE
    apple.faults.append(_reason(403, "ExpiredProviderToken"))
    apple.ahead = clock.now - datetime.now(UTC).timestamp() + 40 * MINUTE

    outcome = await _send(adapter)

    assert isinstance(outcome, Accepted)
    assert old not in apple.tokens
    assert apple.requests == 2
    await adapter.close()


async def test_check_names_app_and_environment_and_sends_nothing(
    adapter: Apns, apple: ApnsSimulator
) -> None:
    check = await adapter.check()

    assert check.ok
    assert check.text == f"APNs takes the key for {TOPIC} (production)"
    assert not apple.sent


async def test_check_finds_a_topic_of_another_team(adapter: Apns, apple: ApnsSimulator) -> None:
    apple.topics = {"com.example.other"}

    check = await adapter.check()

    assert not check.ok
    assert "TopicDisallowed" in check.text


async def test_check_says_that_apple_is_busy(adapter: Apns, apple: ApnsSimulator) -> None:
    apple.fault = _reason(503, "ServiceUnavailable")

    check = await adapter.check()

    assert not check.ok
    assert "ServiceUnavailable" in check.text


@pytest.mark.parametrize(
    ("environment", "host"),
    [("production", "api.push.apple.com"), ("sandbox", "api.sandbox.push.apple.com")],
)
async def test_the_environment_names_the_host(
    http: ProviderHttp, environment: str, host: str
) -> None:
    adapter = Apns(config(environment=environment), http)

    assert adapter._url == f"https://{host}/3/device"


def test_the_key_may_be_a_file_or_its_text(tmp_path: Path) -> None:
    path = tmp_path / "AuthKey_ABC123DEFG.p8"
    path.write_text(p8())
    one_line = p8().replace("\n", "\\n")

    keys = {
        load_key(value).private_numbers().private_value for value in (str(path), p8(), one_line)
    }

    assert len(keys) == 1


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("/nowhere/AuthKey.p8", "No such file"),
        ("MIGTAgEAMBMGByqGSM49s3cret", "path of the .p8 file"),
        ("-----BEGIN PRIVATE KEY-----\ns3cret\n-----END PRIVATE KEY-----", "not a private key"),
        ("s3cret" * 1000, "path of the .p8 file"),
    ],
    ids=["missing", "bare", "broken", "long"],
)
def test_a_wrong_key_is_not_quoted(value: str, said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        config(private_key=value)

    assert said in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_key_of_another_curve_is_refused() -> None:
    key = generate_private_key(SECP384R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    with pytest.raises(ValidationError, match="P-256"):
        config(private_key=pem)


@pytest.mark.parametrize(
    "changes",
    [{"key_id": "short"}, {"team_id": "team123456"}, {"topic": "a b"}, {"environment": "test"}],
    ids=lambda changes: next(iter(changes)),
)
def test_a_wrong_setting_is_found(changes: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match=next(iter(changes))):
        config(**changes)
