"""Web Push in the contract suite: subscriptions name a service that is reached through `base_url`."""

from dataclasses import replace
from datetime import timedelta

from channels.base import Adapter, Channel, Message, Scope
from channels.http import ProviderHttp
from channels.push.webpush import WebPush, WebPushConfig
from tests.contract.cases import Case, Refusal, Throttle, fault, http_troubles
from tests.simulators.webpush import Browser, WebPushSimulator

_ORIGIN = "https://push.example"
_KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
_SUBJECT = "mailto:push@shop.example"
_BROWSERS = [Browser(name) for name in ("anna", "boris", "vera", "gone")]
_ANNA, _BORIS, _VERA, _GONE = (browser.subscription(_ORIGIN) for browser in _BROWSERS)
_OTHER = Message(key="d-4", to=_GONE, text="Заказ 1004 готов")


def _simulator() -> WebPushSimulator:
    simulator = WebPushSimulator(_ORIGIN)
    for browser in _BROWSERS:
        simulator.subscribe(browser)
    return simulator


def _build(simulator: WebPushSimulator, http: ProviderHttp) -> Adapter:
    config = WebPushConfig(private_key=_KEY, subject=_SUBJECT, base_url=simulator.url)
    return WebPush(config, http)


def _expire(simulator: WebPushSimulator) -> None:
    simulator.expired.add("gone")


def _forget(simulator: WebPushSimulator) -> None:
    del simulator.browsers["gone"]


def _refuse_subject(simulator: WebPushSimulator) -> None:
    simulator.bad_subjects.add(_SUBJECT)


CASE = Case(
    channel=Channel.PUSH,
    provider="webpush",
    simulator=_simulator,
    build=_build,
    messages=(
        Message(key="d-1", to=_ANNA, text="Заказ 1001 передан в доставку", subject="Ромашка"),
        Message(key="d-2", to=_BORIS, text="Заказ 1002 отменён"),
        Message(key="d-3", to=_VERA, text="Код 4821", data={"order": "1003"}),
    ),
    refusals=(
        Refusal("expired", Scope.RECIPIENT, _OTHER, _expire),
        Refusal("unknown", Scope.RECIPIENT, _OTHER, _forget),
        Refusal("not-a-subscription", Scope.RECIPIENT, replace(_OTHER, to="{}")),
        Refusal("too-big", Scope.MESSAGE, replace(_OTHER, data={"page": "x" * 4000})),
        Refusal("bad-vapid", Scope.ACCOUNT, _OTHER, _refuse_subject),
    ),
    troubles=http_troubles(body_matters=False),
    throttles=(
        Throttle("busy", fault(status=429, headers={"Retry-After": "30"}), timedelta(seconds=30)),
    ),
    secrets=(_KEY,),
)
