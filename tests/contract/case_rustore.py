"""RuStore in the contract suite, by its direct API; the universal one is in `tests/channels/test_rustore.py`."""

import json
from dataclasses import replace
from datetime import timedelta

from channels.base import Adapter, Channel, Message, Scope
from channels.http import ProviderHttp
from channels.push.rustore import RuStore, RuStoreConfig
from tests.contract.cases import HTTP_TROUBLES, Case, Refusal, Throttle, fault
from tests.simulators.rustore import PROJECT, TOKEN, RuStoreSimulator

_MESSAGES = (
    Message(key="d-1", to="bk3RNwTe3H-anna", text="Заказ 1001 передан", subject="Ромашка"),
    Message(key="d-2", to="bk3RNwTe3H-boris", text="Заказ 1002 отменён"),
    Message(key="d-3", to="bk3RNwTe3H-vera", text="Код 4821", data={"order": "1003"}),
)
_OTHER = Message(key="d-4", to="bk3RNwTe3H-gone", text="Заказ 1004 готов")


def _build(simulator: RuStoreSimulator, http: ProviderHttp) -> Adapter:
    return RuStore(RuStoreConfig(token=TOKEN, project_id=PROJECT, base_url=simulator.url), http)


def _lose(simulator: RuStoreSimulator) -> None:
    simulator.gone.add(_OTHER.to)


def _revoke(simulator: RuStoreSimulator) -> None:
    simulator.token = "another"


CASE = Case(
    channel=Channel.PUSH,
    provider="rustore",
    simulator=RuStoreSimulator,
    build=_build,
    messages=_MESSAGES,
    refusals=(
        Refusal("gone", Scope.RECIPIENT, _OTHER, _lose),
        Refusal("too-big", Scope.MESSAGE, replace(_OTHER, data={"order": "x" * 4096})),
        Refusal(
            "invalid",
            Scope.MESSAGE,
            _OTHER,
            fault(
                status=400,
                body=json.dumps({"code": 400, "message": "Bad", "status": "INVALID_ARGUMENT"}),
                content_type="application/json",
            ),
        ),
        Refusal("key", Scope.ACCOUNT, _OTHER, _revoke),
        Refusal("page", Scope.ACCOUNT, _OTHER, fault(status=404)),
    ),
    # The body of a success is not documented, and these two have been seen.
    troubles=tuple(t for t in HTTP_TROUBLES if t.name not in ("200-empty", "200-empty-object")),
    throttles=(
        Throttle(
            "too-many",
            fault(
                status=429,
                body=json.dumps({"code": 429, "message": "?", "status": "TOO_MANY_REQUESTS"}),
                content_type="application/json",
                headers={"Retry-After": "30"},
            ),
            timedelta(seconds=30),
        ),
        Throttle("page", fault(status=429)),
    ),
    odd_answers=('{"error": "?"}', '{"error": {"code": 0}}', "[{}]"),
    bad_credentials=_revoke,
    secrets=(TOKEN,),
)
