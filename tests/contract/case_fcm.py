"""FCM in the contract suite."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from channels.base import Adapter, Channel, Message, Scope
from channels.http import ProviderHttp
from channels.push.fcm import Fcm, FcmConfig
from tests.contract.cases import HTTP_TROUBLES, Case, Refusal, Throttle, Trouble, fault
from tests.simulators.fcm import FcmSimulator, quota_exceeded

_MESSAGES = (
    Message(key="d-1", to="device-anna", text="Заказ 1001 передан в доставку", subject="Ромашка"),
    Message(key="d-2", to="device-boris", text="Заказ 1002 отменён"),
    Message(key="d-3", to="device-vera", text="Код 4821", data={"order": "1003"}),
)
_OTHER = Message(key="d-4", to="device-gone", text="Заказ 1004 готов")


def _build(simulator: FcmSimulator, http: ProviderHttp) -> Adapter:
    with TemporaryDirectory() as folder:
        credentials = simulator.credentials(Path(folder))
        return Fcm(FcmConfig(credentials=credentials, base_url=simulator.url), http)


def _unregister(simulator: FcmSimulator) -> None:
    simulator.unregistered.add(_OTHER.to)


def _deny(simulator: FcmSimulator) -> None:
    simulator.denied = True


def _disable(simulator: FcmSimulator) -> None:
    simulator.tokens.disabled = True


def _misbehaving_tokens(simulator: FcmSimulator) -> None:
    """No token is left, and none can be had."""
    simulator.withdraw_tokens()
    fault(status=502)(simulator.tokens)


CASE = Case(
    channel=Channel.PUSH,
    provider="fcm",
    simulator=FcmSimulator,
    build=_build,
    messages=_MESSAGES,
    refusals=(
        Refusal("unregistered", Scope.RECIPIENT, _OTHER, _unregister),
        Refusal("not-a-token", Scope.RECIPIENT, replace(_OTHER, to="bad-token")),
        Refusal("too-big", Scope.MESSAGE, replace(_OTHER, text="я" * 2100)),
        Refusal("denied", Scope.ACCOUNT, _OTHER, _deny),
        Refusal("service-account-disabled", Scope.ACCOUNT, _OTHER, _disable),
    ),
    troubles=(
        *HTTP_TROUBLES,
        Trouble("no-token", _misbehaving_tokens, maybe_sent=False),
    ),
    throttles=(
        Throttle(
            "quota",
            fault(
                status=429,
                body=quota_exceeded(),
                content_type="application/json",
                headers={"Retry-After": "90"},
            ),
            timedelta(seconds=90),
        ),
        Throttle(
            "quota-without-a-time",
            fault(status=429, body=quota_exceeded(), content_type="application/json"),
            timedelta(seconds=60),
        ),
    ),
    odd_answers=('{"name": null}', '{"name": 7}', '{"error": "?"}', '{"error": {"details": [1]}}'),
    bad_credentials=_disable,
    secrets=("BEGIN PRIVATE KEY", "ya29."),
    warm=True,
)
