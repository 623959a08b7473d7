"""How each adapter stands against its simulator in the contract suite: one line here, one module beside.

To join:

1. Write `tests/contract/case_<provider>.py` with one constant `CASE = Case(...)`; its fields are described below.
2. Name it in `_CASES` below.
3. `pytest tests/contract -k "<provider> or every_adapter"`.

What the suite asks of a simulator, whatever it speaks: it is an async context manager, `await stop()` ends
it (the port then refuses), `sent` lists a `tests.simulators.base.Sent` per message taken, in order of
taking, with the `provider_id` that the adapter must report. Everything else that has to happen at the
provider is a function of the simulator in the case: `Trouble.arrange`, `Refusal.arrange` and so on.
Simulators over HTTP inherit `Simulator` and get `HTTP_TROUBLES` for nothing; others name their own.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from typing import Any

from channels.base import Adapter, Channel, HookRequest, Message, ReceiptStatus, Scope
from channels.http import ProviderHttp
from tests.simulators.base import Fault, Sent

_CASES: dict[tuple[Channel, str], str] = {
    (Channel.EMAIL, "smtp"): "tests.contract.case_smtp",
    (Channel.EMAIL, "unisender_go"): "tests.contract.case_unisender_go",
    (Channel.EMAIL, "sendsay"): "tests.contract.case_sendsay",
    (Channel.EMAIL, "mailchimp_transactional"): "tests.contract.case_mailchimp_transactional",
    (Channel.EMAIL, "sendpulse"): "tests.contract.case_sendpulse_email",
    (Channel.SMS, "smsc"): "tests.contract.case_smsc",
    (Channel.SMS, "sms_ru"): "tests.contract.case_sms_ru",
    (Channel.EMAIL, "unisender"): "tests.contract.case_unisender_email",
    (Channel.SMS, "unisender"): "tests.contract.case_unisender_sms",
    (Channel.SMS, "sendpulse"): "tests.contract.case_sendpulse_sms",
    (Channel.SMS, "smpp"): "tests.contract.case_smpp",
    (Channel.TELEGRAM, "bot_api"): "tests.contract.case_telegram",
    (Channel.VK, "community"): "tests.contract.case_vk",
    (Channel.MAX, "bot_api"): "tests.contract.case_max",
    (Channel.PUSH, "fcm"): "tests.contract.case_fcm",
    (Channel.PUSH, "webpush"): "tests.contract.case_webpush",
    (Channel.VIBER, "bot_api"): "tests.contract.case_viber",
    (Channel.WHATSAPP, "cloud_api"): "tests.contract.case_whatsapp",
    (Channel.PUSH, "sendpulse"): "tests.contract.case_sendpulse_push",
    (Channel.VIBER, "sendpulse"): "tests.contract.case_sendpulse_viber",
    (Channel.PUSH, "apns"): "tests.contract.case_apns",
    (Channel.PUSH, "rustore"): "tests.contract.case_rustore",
}

# How long adapters wait for an answer in this suite: a machine with other tests on it now and then stands for a second.
PATIENCE = timedelta(seconds=3)

Arrange = Callable[[Any], None]
"""Brings a running simulator into a state; its argument is the case's simulator."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Nothing readable comes back: every message of the call is a `Retry` with this `maybe_sent`."""

    name: str
    arrange: Arrange
    maybe_sent: bool


@dataclass(frozen=True, slots=True)
class Throttle:
    """The provider asks for patience: `Retry(throttled=True)` that waits at least `after`."""

    name: str
    arrange: Arrange
    after: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Refusal:
    """`message` is refused for good with this scope, once `arrange` has happened.

    For scope RECIPIENT of a provider with batches, `arrange` must touch this message alone: the suite
    sends it among good ones, which have to go through.
    """

    name: str
    scope: Scope
    message: Message
    arrange: Arrange = lambda simulator: None


@dataclass(frozen=True, slots=True)
class Hook:
    """How the provider calls back: for adapters with `read_hook`.

    `told`: the call, as the provider makes it, that says of this message what `status` is. `forged`: a call
    whose proof does not match; None only where the provider signs nothing (and its page says so). `heard`: the
    call with which it hands on what a person wrote, and None where it never does. `sealed`: a call with this body and
    the provider's proof; without it the suite's rubbish only ever reaches the check of the proof.
    """

    told: Callable[[Any, Sent], HookRequest]
    forged: Callable[[Any, Sent], HookRequest] | None
    status: ReceiptStatus = ReceiptStatus.DELIVERED
    heard: Callable[[Any], HookRequest] | None = None
    sealed: Callable[[bytes], HookRequest] | None = None


@dataclass(frozen=True, slots=True)
class Asking:
    """For adapters with `ask`. `ends`: the simulator from now on tells of this message that it came to `status`."""

    ends: Callable[[Any, Sent], None]
    status: ReceiptStatus = ReceiptStatus.DELIVERED


@dataclass(frozen=True, slots=True)
class Listening:
    """For adapters with `listen`. Both wait until the adapter is there to be told, then for its answer: True if the
    provider has heard that all is well, and False if it will have to say it again.

    `told`: the simulator says of this message what `status` is. `heard`: it hands on what a person wrote, and None
    where it never does. `start` of the simulator takes the port of an earlier run.
    """

    told: Callable[[Any, Sent], Awaitable[bool]]
    status: ReceiptStatus = ReceiptStatus.DELIVERED
    heard: Callable[[Any], Awaitable[bool]] | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One adapter, its simulator, and how to make the simulator's world go wrong."""

    channel: Channel
    provider: str
    simulator: Callable[[], Any]
    """Makes one that is not started yet."""
    build: Callable[[Any, ProviderHttp], Adapter]
    """The adapter, its settings pointing at the running simulator. `http` waits for `PATIENCE`; adapters that
    do not use it must be given `PATIENCE` here by other means."""
    messages: tuple[Message, ...]
    """Three or more that the simulator takes, with different keys and addresses. Where the provider has
    batches, `split` must make them one call."""
    refusals: tuple[Refusal, ...]
    """At least one of each scope."""
    troubles: tuple[Trouble, ...]
    throttles: tuple[Throttle, ...] = ()
    odd_answers: tuple[str, ...] = ()
    """Bodies of a 200 (JSON; HTTP only) that the adapter cannot make sense of: missing fields, wrong types. They say nothing
    of what became of the messages, so each is a `Retry` that may have been sent."""
    bad_credentials: Arrange | None = None
    """Makes `check()` fail; None where there is nobody to ask."""
    secrets: tuple[str, ...] = ()
    """What `build` put into the settings and nobody may ever read in an outcome or a check. Every secret."""
    recipient: Callable[[Message], str] = lambda message: message.to
    """The message's address as the simulator shows it in `Sent.to`."""
    hook: Hook | None = None
    asking: Asking | None = None
    listening: Listening | None = None
    warm: bool = False
    """Send one message before the trouble begins: for providers that are asked for a token first."""

    def __str__(self) -> str:
        """Some providers carry several channels."""
        return f"{self.channel}-{self.provider}"


def letter(name: str) -> Message:
    """One to somebody of that name, unlike those to others."""
    return Message(
        key=f"key-{name}",
        to=f"{name}@example.com",
        subject=f"Заказ для {name}",
        text=f"Заказ для {name} принят",
        html=f"<p>Заказ для {name} принят</p>",
        batch_key="batch-1",
        locale="ru",
    )


def fault(**how: Any) -> Arrange:
    """An HTTP simulator answers every request so from now on; see `tests.simulators.base.Fault`."""

    def arrange(simulator: Any) -> None:
        simulator.fault = Fault(**how)

    return arrange


def http_troubles(*, body_matters: bool = True) -> tuple[Trouble, ...]:
    """What can go wrong with any provider over HTTP. `body_matters=False`: the status alone is the answer."""
    troubles = [
        Trouble("silence", fault(hang=True), maybe_sent=True),
        Trouble("closed-after-request", fault(close=True), maybe_sent=True),
        Trouble("http-500", fault(status=500), maybe_sent=False),
        Trouble("http-503", fault(status=503), maybe_sent=False),
        Trouble("http-502", fault(status=502), maybe_sent=True),
        Trouble("http-504", fault(status=504), maybe_sent=True),
    ]
    if body_matters:
        troubles += [
            Trouble(f"200-{name}", _says(body), maybe_sent=True)
            for name, body in {
                "empty": "",
                "html": "<html><body>Maintenance</body></html>",
                "broken-json": '{"a": ',
                "empty-object": "{}",
                "empty-list": "[]",
                "null": "null",
                "number": "1e400",
                "text": '"ok"',
                "not-utf8-escape": '"\\ud800"',
            }.items()
        ]
    return tuple(troubles)


def _says(body: str) -> Arrange:
    return fault(status=200, body=body, content_type="application/json")


HTTP_TROUBLES = http_troubles()


def odd_answer(body: str) -> Trouble:
    """One of `Case.odd_answers` as a trouble."""
    return Trouble(f"200 {body}", _says(body), maybe_sent=True)


def cases() -> Sequence[Case]:
    """Every case named above, imported."""
    return [import_module(module).CASE for module in _CASES.values()]


def named() -> set[tuple[Channel, str]]:
    return set(_CASES)
