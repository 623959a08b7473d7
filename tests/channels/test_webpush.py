"""Web Push beyond the contract suite: what the browser reads, what the service checks, where it may lead."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    SECP384R1,
    EllipticCurve,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import ValidationError

from channels.base import Accepted, Category, Message, Outcome, Refused, Retry, Scope
from channels.http import NoReply, ProviderHttp, Reply
from channels.push.subscription import Subscription
from channels.push.vapid import load_key
from channels.push.webpush import MAX_PLAINTEXT_BYTES, WebPush, WebPushConfig
from tests.simulators.base import Fault
from tests.simulators.webpush import Browser, WebPushSimulator

KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
SUBJECT = "mailto:push@shop.example"
LOOPBACK = [ip_network("127.0.0.0/8")]
MESSAGE = Message(key="d-1", to="", text="Передан в доставку", subject="Заказ 1001")


@pytest.fixture
async def service() -> AsyncIterator[WebPushSimulator]:
    async with WebPushSimulator() as simulator:
        yield simulator


@pytest.fixture
async def http() -> AsyncIterator[ProviderHttp]:
    http = ProviderHttp(allow=LOOPBACK)
    yield http
    await http.close()


@pytest.fixture
def adapter(http: ProviderHttp) -> WebPush:
    return WebPush(WebPushConfig(private_key=KEY, subject=SUBJECT), http)


@pytest.fixture
def anna(service: WebPushSimulator, adapter: WebPush) -> Message:
    """A message to a browser that subscribed with the adapter's key."""
    return replace(MESSAGE, to=service.subscribe(Browser("anna", adapter.public_key)))


async def _send(adapter: WebPush, message: Message) -> Outcome:
    [outcome] = await adapter.send([message])
    return outcome


def _content(service: WebPushSimulator) -> dict[str, Any]:
    """What the service worker read last."""
    content: dict[str, Any] = service.sent[-1].extra["content"]
    return content


def _headers(service: WebPushSimulator) -> dict[str, str]:
    headers: dict[str, str] = service.sent[-1].extra["headers"]
    return headers


async def test_the_browser_reads_title_text_and_data(
    adapter: WebPush, service: WebPushSimulator, anna: Message
) -> None:
    outcome = await _send(adapter, replace(anna, data={"order": "1001"}))

    assert outcome == Accepted(f"{service.url}/m/1")
    assert _content(service) == {
        "title": "Заказ 1001",
        "body": "Передан в доставку",
        "data": {"order": "1001", "delivery": "d-1"},
    }


async def test_a_collapse_key_replaces_what_waits_and_what_is_shown(
    adapter: WebPush, service: WebPushSimulator, anna: Message
) -> None:
    await _send(adapter, replace(anna, collapse_key="статус заказа 1001"))
    await _send(adapter, replace(anna, collapse_key="статус заказа 1002"))

    topics = [sent.extra["headers"]["Topic"] for sent in service.sent]
    assert len(set(topics)) == 2
    assert [len(topic) for topic in topics] == [32, 32]
    assert _content(service)["tag"] == "статус заказа 1002"


@pytest.mark.parametrize(
    ("category", "urgency"),
    [
        (Category.SECURITY, "high"),
        (Category.TRANSACTIONAL, "high"),
        (Category.MARKETING, "low"),
    ],
)
async def test_urgency_follows_the_category(
    adapter: WebPush, service: WebPushSimulator, anna: Message, category: Category, urgency: str
) -> None:
    await _send(adapter, replace(anna, category=category))

    assert _headers(service)["Urgency"] == urgency


async def test_a_day_is_kept_what_names_no_end(
    adapter: WebPush, service: WebPushSimulator, anna: Message
) -> None:
    await _send(adapter, anna)

    assert _headers(service)["TTL"] == "86400"


async def test_what_expires_is_not_kept_longer(
    adapter: WebPush, service: WebPushSimulator, anna: Message
) -> None:
    await _send(adapter, replace(anna, expires_at=datetime.now(UTC) + timedelta(minutes=5)))

    assert 280 <= int(_headers(service)["TTL"]) <= 300


@pytest.mark.parametrize("letter", ["x", "я", "🎁", '"', "\n."])
async def test_a_text_that_is_too_long_is_cut_at_a_letter(
    adapter: WebPush, service: WebPushSimulator, anna: Message, letter: str
) -> None:
    outcome = await _send(adapter, replace(anna, text=letter * 5000))

    body = _content(service)["body"]
    assert isinstance(outcome, Accepted)
    assert body.endswith("…")
    assert set(body) <= set(letter) | {"…"}
    # No shorter than it must be: another letter would not have fitted.
    assert 4096 - 8 <= service.sent[0].extra["size"] <= 4096


async def test_a_text_that_just_fits_is_whole(
    adapter: WebPush, service: WebPushSimulator, anna: Message
) -> None:
    around = len('{"title":"","body":"","data":{"delivery":"d-1"}}')
    text = "x" * (MAX_PLAINTEXT_BYTES - around)

    await _send(adapter, replace(anna, subject="", text=text))

    assert _content(service)["body"] == text
    assert service.sent[0].extra["size"] == 4096


@pytest.mark.parametrize(
    "to",
    [
        "",
        "device-token",
        "[]",
        '{"endpoint": "https://push.example/1"}',
        '{"endpoint": "https://push.example/1", "keys": {"p256dh": "AAAA", "auth": "AAAA"}}',
    ],
)
async def test_what_is_no_subscription_is_refused_without_being_quoted(
    adapter: WebPush, to: str
) -> None:
    outcome = await _send(adapter, replace(MESSAGE, to=to))

    assert isinstance(outcome, Refused)
    assert (outcome.scope, outcome.code) == (Scope.RECIPIENT, "bad-subscription")
    assert "push.example" not in outcome.reason


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://push.example/1",
        "http://8.8.8.8/1",
        "http://localhost/1",
        "ftp://127.0.0.1/1",
        "https://user:password@push.example/1",
        "https://push.example:port/1",
        "https://[::1/1",
        "https:///1",
        "https://push.example/a b",
        "https://push.example/a\r\nb",
        "file:///etc/passwd",
        "/push/1",
    ],
)
async def test_an_endpoint_that_no_push_service_has_is_refused(
    adapter: WebPush, endpoint: str
) -> None:
    subscription = json.loads(Browser("anna").subscription("https://push.example"))
    to = json.dumps(subscription | {"endpoint": endpoint})

    outcome = await _send(adapter, replace(MESSAGE, to=to))

    assert isinstance(outcome, Refused)
    assert (outcome.scope, outcome.code) == (Scope.RECIPIENT, "bad-subscription")


@pytest.mark.parametrize("origin", ["http://127.0.0.1", "https://127.0.0.1", "https://localhost"])
async def test_an_endpoint_inside_the_own_network_is_not_connected_to(
    service: WebPushSimulator, origin: str
) -> None:
    http = ProviderHttp()
    adapter = WebPush(WebPushConfig(private_key=KEY, subject=SUBJECT), http)
    to = Browser("anna").subscription(f"{origin}:{service.port}")

    outcome = await _send(adapter, replace(MESSAGE, to=to))
    await http.close()

    assert isinstance(outcome, Refused)
    assert (outcome.scope, outcome.code, outcome.suppress) == (Scope.RECIPIENT, "blocked", False)
    assert service.requests == 0


@pytest.mark.parametrize(
    ("endpoint", "origin"),
    [
        ("https://push.example", "https://push.example"),
        ("https://Push.Example:443", "https://push.example"),
        ("https://push.example:8443", "https://push.example:8443"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("http://[::1]:443", "http://[::1]:443"),
    ],
)
def test_a_signatures_audience_is_an_origin(endpoint: str, origin: str) -> None:
    assert Subscription.read(Browser("anna").subscription(endpoint)).origin == origin


async def test_base_url_takes_the_place_of_the_host_and_not_of_the_audience(
    http: ProviderHttp,
) -> None:
    async with WebPushSimulator("https://push.example") as service:
        config = WebPushConfig(private_key=KEY, subject=SUBJECT, base_url=f"{service.url}/")
        to = service.subscribe(Browser("anna"))

        outcome = await _send(WebPush(config, http), replace(MESSAGE, to=to))

    assert isinstance(outcome, Accepted)


async def test_one_signature_serves_a_push_service_for_hours(
    adapter: WebPush, service: WebPushSimulator, anna: Message
) -> None:
    await _send(adapter, anna)
    await _send(adapter, anna)

    first, second = (sent.extra["headers"]["Authorization"] for sent in service.sent)
    claims = jwt.decode(first.split("t=")[1].split(",")[0], options={"verify_signature": False})
    holds = datetime.fromtimestamp(claims["exp"], UTC) - datetime.now(UTC)
    assert first == second
    assert timedelta(hours=6) < holds <= timedelta(hours=24)
    assert claims["sub"] == SUBJECT


async def test_a_subscription_for_another_key_is_given_up_and_the_account_goes_on(
    adapter: WebPush, service: WebPushSimulator, anna: Message, http: ProviderHttp
) -> None:
    other = WebPush(WebPushConfig(private_key=f"B{KEY[1:]}", subject=SUBJECT), http)
    stale = service.subscribe(Browser("stale", other.public_key))

    outcome = await _send(adapter, replace(MESSAGE, to=stale))

    assert isinstance(outcome, Refused)
    assert (outcome.scope, outcome.code, outcome.suppress) == (Scope.RECIPIENT, "other-key", True)
    assert isinstance(await _send(adapter, anna), Accepted)


@pytest.mark.parametrize(
    ("status", "body", "scope", "suppress"),
    [
        (400, '{"reason":"VapidPkHashMismatch"}', Scope.RECIPIENT, True),
        (401, '{"errno":109,"message":"VAPID public key mismatch"}', Scope.RECIPIENT, True),
        (401, '{"errno":109,"message":"Invalid VAPID token: exp"}', Scope.ACCOUNT, True),
        (403, '{"reason":"BadJwtToken"}', Scope.ACCOUNT, True),
        (403, "permission denied: invalid JWT provided\n", Scope.ACCOUNT, True),
        (400, "UnauthorizedRegistration", Scope.ACCOUNT, True),
        # Words that nobody has seen yet cost neither the account nor the address.
        (403, "no", Scope.RECIPIENT, False),
        (401, "", Scope.RECIPIENT, False),
        (400, "bad request", Scope.MESSAGE, True),
        (413, "", Scope.MESSAGE, True),
        (415, "", Scope.MESSAGE, True),
        (404, "", Scope.RECIPIENT, True),
        (410, "", Scope.RECIPIENT, True),
        (301, "", Scope.RECIPIENT, False),
    ],
)
async def test_the_services_words_say_whose_fault_it_is(
    adapter: WebPush,
    service: WebPushSimulator,
    anna: Message,
    status: int,
    body: str,
    scope: Scope,
    suppress: bool,
) -> None:
    service.fault = Fault(status=status, body=body, content_type="text/plain")

    outcome = await _send(adapter, anna)

    assert isinstance(outcome, Refused)
    assert (outcome.scope, outcome.suppress) == (scope, suppress)


async def test_a_redirect_is_not_followed(
    adapter: WebPush, service: WebPushSimulator, anna: Message
) -> None:
    service.fault = Fault(status=307, headers={"Location": f"{service.url}/push/anna"})

    await _send(adapter, anna)

    assert service.requests == 1


async def test_a_busy_service_is_waited_for(
    adapter: WebPush, service: WebPushSimulator, anna: Message
) -> None:
    service.fault = Fault(status=429, headers={"Retry-After": "45"})

    assert await _send(adapter, anna) == Retry("throttled", timedelta(seconds=45), throttled=True)


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("https://fcm.googleapis.com", True),
        ("https://updates.push.services.mozilla.com", True),
        ("https://web.push.apple.com", True),
        ("https://wns2-par02p.notify.windows.com", True),
        ("http://127.0.0.1:9000", True),
        ("https://push.stranger.example", False),
        ("https://storage.googleapis.com", False),
        ("https://fcm.googleapis.com:5228", False),
        ("https://fcm.googleapis.com.stranger.example", False),
        ("https://127.0.0.1:9000", False),
    ],
)
def test_only_browser_vendors_and_the_own_network_are_known(host: str, known: bool) -> None:
    subscription = Subscription.read(Browser("anna").subscription(host))

    assert subscription.is_of_known_service is known


class _Rerouted(ProviderHttp):
    """A name of the public internet that leads to the simulator."""

    def __init__(self, origin: str, to: str) -> None:
        super().__init__(allow=LOOPBACK)
        self._from, self._to = origin, to

    async def request(self, method: str, url: str, **options: Any) -> Reply:
        return await super().request(method, url.replace(self._from, self._to), **options)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(status=403, body='{"reason":"BadJwtToken"}'), Refused),
        (Fault(status=503), Retry),
        (Fault(close=True), Retry),
    ],
    ids=["word", "error", "silence"],
)
async def test_a_strangers_service_cannot_have_the_account_paused(
    fault: Fault, expected: type[Outcome]
) -> None:
    origin = "https://push.stranger.example"
    async with WebPushSimulator(origin) as service:
        http = _Rerouted(origin, service.url)
        adapter = WebPush(WebPushConfig(private_key=KEY, subject=SUBJECT), http)
        service.fault = fault

        outcome = await _send(adapter, replace(MESSAGE, to=service.subscribe(Browser("eve"))))
        await http.close()

    assert isinstance(outcome, expected)
    match outcome:
        case Refused():
            assert (outcome.scope, outcome.suppress) == (Scope.RECIPIENT, False)
        case Retry():
            assert outcome.throttled
            assert outcome.alone


class _Nowhere(ProviderHttp):
    """No name leads anywhere."""

    async def request(self, method: str, url: str, **options: Any) -> Reply:
        raise NoReply(Retry("no-connection"))


async def test_a_name_that_leads_nowhere_cannot_have_the_account_paused() -> None:
    http = _Nowhere()
    adapter = WebPush(WebPushConfig(private_key=KEY, subject=SUBJECT), http)
    made_up = Browser("eve").subscription("https://made-up.notify.windows.com")

    outcome = await _send(adapter, replace(MESSAGE, to=made_up))
    await http.close()

    assert outcome == Retry("no-connection", throttled=True, alone=True)


async def test_a_vendors_service_that_cannot_be_reached_counts_against_the_account() -> None:
    http = _Nowhere()
    adapter = WebPush(WebPushConfig(private_key=KEY, subject=SUBJECT), http)
    at_google = Browser("anna").subscription("https://fcm.googleapis.com")

    outcome = await _send(adapter, replace(MESSAGE, to=at_google))
    await http.close()

    assert outcome == Retry("no-connection")


async def test_what_is_no_name_is_refused(adapter: WebPush) -> None:
    made_up = Browser("eve").subscription("https://made..up.notify.windows.com")

    outcome = await _send(adapter, replace(MESSAGE, to=made_up))

    assert isinstance(outcome, Refused)
    assert (outcome.scope, outcome.suppress) == (Scope.RECIPIENT, False)


async def test_check_tells_the_key_that_browsers_need(adapter: WebPush) -> None:
    check = await adapter.check()

    assert check.ok
    assert adapter.public_key in check.text
    assert urlsafe_b64decode(adapter.public_key + "=").startswith(b"\x04")


async def test_a_pem_file_and_the_raw_key_are_the_same_key(
    adapter: WebPush, http: ProviderHttp, tmp_path: Path
) -> None:
    from_file = WebPush(WebPushConfig(private_key=str(_pem(tmp_path)), subject=SUBJECT), http)
    number = _private_number(tmp_path / "vapid.pem")
    raw = WebPush(WebPushConfig(private_key=number, subject=SUBJECT), http)

    assert from_file.public_key == raw.public_key
    assert from_file.public_key != adapter.public_key


@pytest.mark.parametrize("value", ["s3cret", "_" * 43, "A" * 43, "s3cret/" * 1000, "s3\0cret"])
def test_a_wrong_key_is_not_repeated(value: str) -> None:
    with pytest.raises(ValidationError) as caught:
        WebPushConfig(private_key=value, subject=SUBJECT)

    assert value not in str(caught.value)
    assert "private_key" in str(caught.value)


def test_a_key_file_that_does_not_serve_is_named(tmp_path: Path) -> None:
    text = tmp_path / "text.pem"
    text.write_text("hello")

    for path, said in [
        (tmp_path / "missing.pem", "No such file"),
        (text, "not a private key"),
        (_pem(tmp_path, SECP384R1()), "P-256"),
    ]:
        with pytest.raises(ValidationError) as caught:
            WebPushConfig(private_key=str(path), subject=SUBJECT)

        assert str(path) in str(caught.value)
        assert said in str(caught.value)


@pytest.mark.parametrize(
    "subject",
    [
        "push@shop.example",
        "mailto: push@shop.example",
        "mailto:<push@shop.example>",
        "http://shop.example",
        "mailto:",
        "",
    ],
)
def test_a_subject_that_apple_answers_with_bad_jwt_is_refused_at_the_start(subject: str) -> None:
    with pytest.raises(ValidationError, match="without spaces and brackets"):
        WebPushConfig(private_key=KEY, subject=subject)


def _pem(folder: Path, curve: EllipticCurve | None = None) -> Path:
    path = folder / "vapid.pem"
    key = generate_private_key(curve or SECP256R1())
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


def _private_number(path: Path) -> str:
    number = load_key(str(path)).private_numbers().private_value
    return urlsafe_b64encode(number.to_bytes(32)).decode().rstrip("=")
