"""VK in the contract suite."""

from datetime import timedelta
from typing import Any

from pydantic import SecretStr

from channels.base import Adapter, Button, Channel, Message, Scope
from channels.http import ProviderHttp
from channels.vk.community import Community, CommunityConfig
from tests.contract.cases import HTTP_TROUBLES, Arrange, Case, Refusal, Throttle, Trouble
from tests.simulators.vk import GROUP_ID, TOKEN, Vk

_TEXT = "Распродажа"


def _simulator() -> Vk:
    simulator = Vk()
    for peer in (42, 43, 44):
        simulator.add_person(peer)
    simulator.add_person(45, refusal=901)
    simulator.add_person(46, refusal=900)
    simulator.add_person(47, refusal=18)
    return simulator


def _build(simulator: Vk, http: ProviderHttp) -> Adapter:
    config = CommunityConfig(token=SecretStr(TOKEN), group_id=GROUP_ID, base_url=simulator.api_url)
    return Community(config, http)


def _error(code: int) -> Arrange:
    def arrange(simulator: Any) -> None:
        simulator.error = code

    return arrange


def _other_token(simulator: Any) -> None:
    simulator.token = "vk1.a.revoked"


def _to(peer: int, text: str = _TEXT, buttons: tuple[tuple[Button, ...], ...] = ()) -> Message:
    return Message(f"k{peer}", str(peer), text, batch_key="batch-1", buttons=buttons)


CASE = Case(
    channel=Channel.VK,
    provider="community",
    simulator=_simulator,
    build=_build,
    messages=(_to(42), _to(43), _to(44)),
    refusals=(
        Refusal("no-permission", Scope.RECIPIENT, _to(45)),
        Refusal("blacklisted", Scope.RECIPIENT, _to(46)),
        Refusal("deleted", Scope.RECIPIENT, _to(47)),
        Refusal("not-a-number", Scope.RECIPIENT, Message("k", "durov", _TEXT, batch_key="batch-1")),
        Refusal("too-long", Scope.MESSAGE, _to(42, "я" * 4097)),
        Refusal("empty", Scope.MESSAGE, _to(42, "")),
        Refusal("long-label", Scope.MESSAGE, _to(42, buttons=((Button("я" * 41, data="1"),),))),
        Refusal("bad-token", Scope.ACCOUNT, _to(42), _other_token),
        Refusal("captcha", Scope.ACCOUNT, _to(42), _error(14)),
        Refusal("no-bot-capabilities", Scope.ACCOUNT, _to(42), _error(912)),
    ),
    troubles=(
        *HTTP_TROUBLES,
        Trouble("unknown-error", _error(1), maybe_sent=True),
        Trouble("internal-error", _error(10), maybe_sent=True),
        Trouble("timeout-inside", _error(36), maybe_sent=True),
        Trouble("section-unavailable", _error(43), maybe_sent=False),
    ),
    throttles=(
        Throttle("per-second", _error(6), timedelta(seconds=1)),
        Throttle("flood-control", _error(9), timedelta(minutes=1)),
        Throttle("rate-limit", _error(29), timedelta(minutes=1)),
    ),
    odd_answers=(
        '{"response": 1}',
        '{"response": []}',
        '{"response": {"42": 11}}',
        '{"response": [null, 1, "x", []]}',
        '{"response": [{"peer_id": 42}, {"peer_id": 43, "message_id": "x"}]}',
        '{"response": [{"peer_id": 42, "error": null}, {"peer_id": 43, "error": {}}]}',
        '{"error": null}',
        '{"error": "no"}',
        '{"error": {"error_code": "5"}}',
    ),
    bad_credentials=_other_token,
    secrets=(TOKEN,),
)
