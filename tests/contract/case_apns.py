"""APNs in the contract suite."""

import json
from dataclasses import replace
from datetime import timedelta

from channels.base import Adapter, Channel, Message, Scope
from channels.http import ProviderHttp
from channels.push.apns import Apns, ApnsConfig
from tests.contract.cases import HTTP_TROUBLES, Case, Refusal, Throttle, Trouble, fault
from tests.simulators.apns import KEY_ID, TEAM_ID, TOPIC, ApnsSimulator, p8

_ANNA, _BORIS, _VERA, _GONE = ("a1" * 32, "B2" * 32, "c3" * 32, "d4" * 32)
_MESSAGES = (
    Message(
        key="0199a1b2-0000-7000-8000-000000000001",
        to=_ANNA,
        text="Заказ 1001 передан в доставку",
        subject="Ромашка",
    ),
    Message(key="0199a1b2-0000-7000-8000-000000000002", to=_BORIS, text="Заказ 1002 отменён"),
    Message(key="d-3", to=_VERA, text="Код 4821", data={"order": "1003"}),
)
_OTHER = Message(key="0199a1b2-0000-7000-8000-000000000004", to=_GONE, text="Заказ 1004 готов")


def _build(simulator: ApnsSimulator, http: ProviderHttp) -> Adapter:
    config = ApnsConfig(
        private_key=p8(), key_id=KEY_ID, team_id=TEAM_ID, topic=TOPIC, base_url=simulator.url
    )
    return Apns(config, http)


def _unregister(simulator: ApnsSimulator) -> None:
    simulator.unregistered.add(_GONE)


def _expire(simulator: ApnsSimulator) -> None:
    simulator.expired.add(_GONE)


def _disallow(simulator: ApnsSimulator) -> None:
    simulator.topics = {"com.example.other"}


def _revoke(simulator: ApnsSimulator) -> None:
    simulator.keys = {}


def _busy(simulator: ApnsSimulator) -> None:
    simulator.busy = {message.to for message in _MESSAGES}


def _refuse_streams(simulator: ApnsSimulator) -> None:
    simulator.refuse_streams = 100


CASE = Case(
    channel=Channel.PUSH,
    provider="apns",
    simulator=ApnsSimulator,
    build=_build,
    messages=_MESSAGES,
    refusals=(
        Refusal("unregistered", Scope.RECIPIENT, _OTHER, _unregister),
        Refusal("expired", Scope.RECIPIENT, _OTHER, _expire),
        Refusal("not-a-token", Scope.RECIPIENT, replace(_OTHER, to="device-anna")),
        Refusal("no-device", Scope.RECIPIENT, replace(_OTHER, to="0" * 64)),
        Refusal("too-big", Scope.MESSAGE, replace(_OTHER, data={"order": "x" * 4096})),
        Refusal("topic", Scope.ACCOUNT, _OTHER, _disallow),
        Refusal("key", Scope.ACCOUNT, _OTHER, _revoke),
    ),
    troubles=(*HTTP_TROUBLES, Trouble("refused-stream", _refuse_streams, maybe_sent=False)),
    throttles=(
        Throttle("same-device", _busy),
        Throttle(
            "token-updates",
            fault(
                status=429,
                body=json.dumps({"reason": "TooManyProviderTokenUpdates"}),
                content_type="application/json",
            ),
            timedelta(minutes=20),
        ),
        Throttle("unknown", fault(status=429, headers={"Retry-After": "7"}), timedelta(seconds=7)),
    ),
    odd_answers=('{"reason": null}', '{"reason": "BadDeviceToken"}', '{"reason": [1]}'),
    bad_credentials=_revoke,
    secrets=("BEGIN PRIVATE KEY", p8().splitlines()[1], "eyJ"),
)
