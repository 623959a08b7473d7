"""The story of one notification, told from its rows."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub.notifications.story import TROUBLE, Story, tell

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)


def at(seconds: float) -> str:
    return (NOON + timedelta(seconds=seconds)).isoformat()


def attempt(seconds: float, outcome: str | None, code: str = "", **more: Any) -> dict[str, Any]:
    return {
        "number": seconds,
        "account": "smsc",
        "provider": "smsc",
        "started_at": at(seconds),
        "finished_at": at(seconds + 0.5) if outcome else None,
        "outcome": outcome,
        "code": code,
        "detail": "",
        "instead_of": None,
    } | more


def receipt(seconds: float, status: str, detail: str = "") -> dict[str, Any]:
    moment = at(seconds)
    return {
        "status": status,
        "code": "",
        "detail": detail,
        "happened_at": moment,
        "received_at": moment,
    }


def delivery(status: str, *attempts: Any, **more: Any) -> dict[str, Any]:
    return {
        "id": "d",
        "step": 0,
        "channel": "sms",
        "status": status,
        "reason": None,
        "code": None,
        "account": "smsc",
        "provider": "smsc",
        "created_at": at(0),
        "sent_at": at(1) if status in ("sent", "delivered", "read") else None,
        "delivered_at": at(9) if status in ("delivered", "read") else None,
        "read_at": None,
        "cost": None,
        "attempts": list(attempts),
        "receipts": [],
    } | more


def story(status: str, *deliveries: Any, **more: Any) -> Story:
    row = {
        "status": status,
        "created_at": NOON,
        "send_at": None,
        "held_until": None,
        "expires_at": None,
        "plan": [{"channel": "sms"}, {"channel": "email"}],
        "skipped": [],
        "deliveries": list(deliveries),
    } | more
    times = {d["id"]: {"updated_at": at(20), "due_at": at(30)} for d in deliveries}
    return tell(row, {"deliveries": times, "step_at": more.get("step_at")})


def kinds(told: Story) -> list[str]:
    return [one.kind for one in told.told]


def test_a_providers_clock_does_not_put_the_end_before_the_beginning() -> None:
    told = story(
        "delivered",
        delivery("delivered", attempt(1, "accepted"), receipts=[receipt(-30, "delivered")]),
    )

    assert kinds(told) == ["accepted", "planned", "call_accepted", "receipt_delivered"]
    assert told.told[-1].at == NOON - timedelta(seconds=30)
    assert told.verdict.kind == "delivered"
    assert told.verdict.took == timedelta(seconds=9)
    assert told.is_over


def test_waiting_for_quiet_hours_is_no_slowness() -> None:
    told = story(
        "delivered",
        delivery("delivered", attempt(1, "accepted")),
        held_until=NOON + timedelta(seconds=8),
    )

    assert told.verdict.took == timedelta(seconds=1)


@pytest.mark.parametrize(
    ("status", "reason", "kind", "meaning"),
    [
        ("failed", "recipient_refused", "failed", "recipient_refused"),
        ("failed", "message_refused", "failed", "message_refused"),
        ("failed", "no_account", "failed", "account_refused"),
    ],
)
def test_whom_a_refusal_is_about(status: str, reason: str, kind: str, meaning: str) -> None:
    told = story("failed", delivery(status, attempt(1, "refused", "7"), reason=reason))

    assert told.verdict.kind == kind
    assert meaning in [one.meaning for one in told.told]


@pytest.mark.parametrize(
    "reason", ["cannot_render", "no_address", "suppressed", "no_account", "gave_up", "restored"]
)
def test_what_no_provider_said_is_told_as_the_hubs_own_word(reason: str) -> None:
    told = story("failed", delivery("failed", reason=reason))

    [failure] = told.verdict.failures
    assert failure.meaning == reason
    assert not failure.provider
    assert kinds(told)[-2:] == ["ended", "no_more_ways"]


def test_repeats_stand_as_one_until_something_else_happens() -> None:
    told = story(
        "queued",
        delivery(
            "queued",
            attempt(1, "retry", "http-500"),
            attempt(2, "retry", "http-500"),
            attempt(4, "retry", "throttled"),
            attempt(8, "maybe_sent", "no-answer"),
            reason="retrying",
        ),
    )

    calls = [(one.kind, one.times) for one in told.told if one.kind.startswith("call")]
    assert calls == [("call_retry", 2), ("call_retry", 1), ("call_maybe_sent", 1)]
    assert told.verdict.kind == "retrying"
    assert told.verdict.until == NOON + timedelta(seconds=30)
    assert told.verdict.failures[-1].meaning == TROUBLE
    assert not told.is_over


def test_no_account_that_works_is_said_as_such() -> None:
    assert story("queued", delivery("queued", reason="account_paused")).verdict.kind == "stuck"


@pytest.mark.parametrize("status", ["cancelled", "collapsed", "expired", "unknown"])
def test_other_ends_are_ends(status: str) -> None:
    told = story(status, delivery(status))

    assert told.verdict.kind == status
    assert told.is_over


def test_a_call_that_nobody_knows_the_end_of() -> None:
    under_way = story("queued", delivery("sending", attempt(1, None)))
    died = story("unknown", delivery("unknown", attempt(1, "unknown"), reason="worker_died"))

    assert "call_under_way" in kinds(under_way)
    assert "worker_died" in [one.meaning for one in died.told]
    assert died.verdict.failures[0].meaning == "worker_died"


def test_nowhere_to_send() -> None:
    told = story("undeliverable", plan=[])

    assert kinds(told) == ["accepted", "nowhere"]
    assert told.verdict.kind == "undeliverable"
