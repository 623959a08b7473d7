"""Callbacks as the backend gets them, and what becomes of those that it does not take."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog

from hub.notifications import recovery
from hub.resources import Hub
from hub.webhooks import service
from hub.webhooks.model import JITTER, LONGEST_ROUND, SCHEDULE
from tests.hub.api.client import Api
from tests.hub.webhooks.backend import Backend
from tests.hub.webhooks.conftest import Loop, Publish, Subscribe
from tests.hub.webhooks.test_signing import documented
from tests.simulators.base import Fault

DAY = timedelta(hours=24)


async def test_an_event_reaches_the_backend_signed(
    subscribe: Subscribe, publish: Publish, loop: Loop, backend: Backend
) -> None:
    made = await subscribe("order.assembled")
    await publish("order.assembled", order={"number": "Заказ 1"})

    [attempt] = await loop.until(1)

    [call] = backend.calls
    assert call.path == "/hook"
    assert call.headers["content-type"] == "application/json; charset=utf-8"
    assert call.json["type"] == "order.assembled"
    assert call.json["data"] == {"order": {"number": "Заказ 1"}}
    assert datetime.now(UTC) - datetime.fromisoformat(call.json["timestamp"]) < timedelta(minutes=1)
    assert documented()(made["secret"], call.headers, call.raw)
    assert (attempt["outcome"], attempt["http_status"], attempt["answer"]) == (
        "succeeded",
        200,
        "taken",
    )
    assert await loop.statuses() == ["done"]


async def test_only_what_was_asked_for_is_told(
    subscribe: Subscribe, publish: Publish, loop: Loop, backend: Backend, hub: Hub
) -> None:
    await subscribe("order.assembled")
    await publish("order.stock_confirmed")
    await publish("order.assembled", shop="other")
    await publish("order.assembled")

    await loop.until(1)

    assert backend.types == ["order.assembled"]
    assert await hub.db.fetchval("SELECT count(*) FROM event") == 1


async def test_two_webhooks_get_the_same_event_each_with_its_own_signature(
    subscribe: Subscribe, publish: Publish, loop: Loop, backend: Backend
) -> None:
    first, second = await subscribe(), await subscribe(url=f"{backend.url}/second")
    await publish()

    await loop.until(2)

    by_path = {call.path: call for call in backend.calls}
    assert by_path["/hook"].id == by_path["/second"].id
    assert documented()(first["secret"], by_path["/hook"].headers, by_path["/hook"].raw)
    assert documented()(second["secret"], by_path["/second"].headers, by_path["/second"].raw)


async def test_what_is_rolled_back_is_not_told(subscribe: Subscribe, hub: Hub, loop: Loop) -> None:
    await subscribe()
    async with hub.db.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await service.publish(connection, hub.shop("main").id, "order.assembled", {})
        await transaction.rollback()

    assert await loop.statuses() == []


async def test_a_failed_call_is_repeated_with_the_same_id_and_body(
    subscribe: Subscribe, publish: Publish, loop: Loop, backend: Backend
) -> None:
    await subscribe()
    await publish()
    backend.faults.append(Fault(status=500, body="oops", after_taking=True))

    [failed] = await loop.until(1)
    await loop.pass_time(timedelta(seconds=3))
    [_, succeeded] = await loop.until(2)

    assert (failed["reason"], failed["answer"]) == ("http-500", "oops")
    assert failed["next_at"] - failed["started_at"] >= timedelta(seconds=2)
    assert (succeeded["outcome"], succeeded["number"], succeeded["next_at"]) == (
        "succeeded",
        2,
        None,
    )
    first, second = backend.calls
    assert (first.id, first.raw) == (second.id, second.raw)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault(status=302, headers={"Location": "http://127.0.0.1:1/elsewhere"}), "redirect"),
        (Fault(status=404), "http-404"),
        (Fault(close=True), "ServerDisconnectedError"),
    ],
)
async def test_anything_but_2xx_is_a_failure(
    subscribe: Subscribe,
    publish: Publish,
    loop: Loop,
    backend: Backend,
    fault: Fault,
    reason: str,
) -> None:
    await subscribe()
    await publish()
    backend.fault = fault

    [attempt] = await loop.until(1)

    assert (attempt["outcome"], attempt["reason"]) == ("failed", reason)
    assert backend.requests == 1
    assert await loop.statuses() == ["pending"]


async def test_nobody_at_the_address_is_a_failure(
    subscribe: Subscribe, publish: Publish, loop: Loop, backend: Backend
) -> None:
    await subscribe()
    await publish()
    await backend.stop()

    [attempt] = await loop.until(1)

    assert attempt["reason"] == "no-connection"


async def test_the_time_before_the_first_try_does_not_count(
    subscribe: Subscribe, publish: Publish, loop: Loop, backend: Backend
) -> None:
    """The hub was off over a weekend, or many others were called before."""
    made = await subscribe()
    await publish()
    backend.fault = Fault(status=500)
    await loop.pass_time(LONGEST_ROUND)
    [first] = await loop.until(1)

    assert first["next_at"] is not None
    assert await loop.statuses() == ["pending"]

    await loop.pass_time(LONGEST_ROUND)
    last = (await loop.until(2))[-1]

    assert last["next_at"] is None
    assert (await loop.webhook(made["id"]))["disabled_reason"] == "exhausted"


async def test_retry_after_is_obeyed(
    subscribe: Subscribe, publish: Publish, loop: Loop, backend: Backend
) -> None:
    made = await subscribe()
    await publish()
    backend.faults.append(Fault(status=429, headers={"Retry-After": "600"}))

    [attempt] = await loop.until(1)
    await publish()
    await loop.pass_time(timedelta(seconds=590))

    assert attempt["next_at"] - attempt["started_at"] >= timedelta(seconds=600)
    assert (await loop.webhook(made["id"]))["paused_until"] > datetime.now(UTC)
    await loop.pass_time(timedelta(seconds=10))
    assert len(await loop.until(3)) == 3


async def test_410_disables_at_once_and_admins_are_told(
    api: Api, subscribe: Subscribe, publish: Publish, loop: Loop, backend: Backend, hub: Hub
) -> None:
    await _admin(api)
    made = await subscribe(url=f"{backend.url}/hook?token=very-secret")
    await publish()
    backend.fault = Fault(status=410)

    await loop.until(1)

    shown = (await api.get(f"/v1/webhooks/{made['id']}")).json
    assert (shown["active"], shown["disabled"]["reason"]) == (False, "gone")
    [told] = await hub.db.fetch("SELECT * FROM notification")
    assert "127.0.0.1" in told["content"]["subject"]
    assert "410" in told["content"]["text"]
    assert made["id"] in told["content"]["text"]
    assert "very-secret" not in str(told["content"])


async def test_exhausted_it_is_disabled_admins_are_told_and_back_again_nothing_is_lost(
    api: Api, subscribe: Subscribe, publish: Publish, loop: Loop, backend: Backend, hub: Hub
) -> None:
    await _admin(api, locale="en")
    made = await subscribe()
    await publish()
    backend.fault = Fault(status=500)

    for tries, pause in enumerate(SCHEDULE, 1):
        await loop.until(tries)
        assert (await loop.webhook(made["id"]))["active"]
        await loop.pass_time(pause * JITTER)
    await loop.until(len(SCHEDULE) + 1)

    shown = (await api.get(f"/v1/webhooks/{made['id']}")).json
    assert (shown["active"], shown["disabled"]["reason"]) == (False, "exhausted")
    [told] = await hub.db.fetch("SELECT * FROM notification")
    assert told["content"]["subject"] == "Webhook switched off: 127.0.0.1"

    backend.fault = None
    await publish()
    shown = (await api.call("PATCH", f"/v1/webhooks/{made['id']}", {"active": True})).json
    await loop.until(12)

    assert (shown["active"], shown["disabled"], shown["failing_since"]) == (True, None, None)
    # What happened while it was off was not kept; what had waited has come.
    assert len(backend.calls) == 1
    assert await loop.statuses() == ["done"]


async def test_one_event_that_nobody_takes_does_not_disable_what_works(
    subscribe: Subscribe, publish: Publish, loop: Loop, backend: Backend, hub: Hub
) -> None:
    made = await subscribe()
    await publish()
    backend.faults.append(Fault(status=500))
    await loop.until(1)
    await publish()
    await loop.until(2)
    await hub.db.execute("UPDATE callback SET tries = 10, due_at = now() WHERE status = 'pending'")
    backend.fault = Fault(status=500)

    await loop.until(3)

    assert (await loop.webhook(made["id"]))["active"]
    assert sorted(await loop.statuses()) == ["done", "failed"]


async def test_an_endpoint_that_fails_is_tried_by_one_callback_at_a_time(
    subscribe: Subscribe, publish: Publish, loop: Loop, backend: Backend, hub: Hub
) -> None:
    made = await subscribe()
    for _ in range(30):
        await publish()
    backend.fault = Fault(status=503)

    await loop.until(8)
    taken = await hub.db.fetchval("SELECT count(*) FROM callback_attempt")
    backend.fault = None
    await loop.pass_time(timedelta(minutes=1))
    await loop.until(taken + 30)

    assert taken < 16
    assert set(await loop.statuses()) == {"done"}
    assert (await loop.webhook(made["id"]))["failures"] == 0


async def test_a_backend_that_hangs_does_not_hold_up_another(
    subscribe: Subscribe, publish: Publish, loop: Loop, backend: Backend
) -> None:
    async with Backend() as slow:
        slow.fault = Fault(hang=True)
        await subscribe(url=f"{slow.url}/slow")
        await subscribe()
        for _ in range(20):
            await publish()

        await loop.until(20)

        assert len(backend.calls) == 20
        assert slow.requests <= 8


async def test_of_two_workers_one_calls(
    subscribe: Subscribe, publish: Publish, loop: Loop, backend: Backend, hub: Hub
) -> None:
    await subscribe()
    for _ in range(40):
        await publish()
    other = Loop(hub)

    async with other.running():
        await loop.until(40)

    assert len({call.id for call in backend.calls}) == len(backend.calls) == 40


async def test_what_a_dead_worker_held_is_sent_by_the_next(
    subscribe: Subscribe, publish: Publish, loop: Loop, backend: Backend, hub: Hub
) -> None:
    await subscribe()
    await publish()
    backend.faults.append(Fault(hang=True, after_taking=True))
    async with loop.running():
        await backend.called.wait()

    assert await hub.db.fetchval("SELECT due_at > now() FROM callback")
    await recovery.free(hub.db, loop.worker)
    await Loop(hub).until(1)

    first, second = backend.calls
    assert first.id == second.id


async def test_leases_of_the_dead_run_out_and_a_new_start_takes_them_back(
    subscribe: Subscribe, publish: Publish, hub: Hub, loop: Loop
) -> None:
    await subscribe()
    await publish()
    held = (
        "UPDATE callback SET leased_by = gen_random_uuid(), due_at = now() + interval '45 seconds'"
    )
    await hub.db.execute(held)
    await loop.pass_time(timedelta(seconds=46))
    await loop.until(1)

    await publish()
    await hub.db.execute(held + " WHERE status = 'pending'")
    await recovery.take_back(hub.db)

    assert len(await loop.until(2)) == 2


async def test_a_name_that_resolves_inwards_is_blocked_at_the_connection(
    api: Api, subscribe: Subscribe, publish: Publish, loop: Loop, backend: Backend, hub: Hub
) -> None:
    made = await subscribe(url=f"http://localhost:{backend.port}/hook")
    await publish()
    # As if the name had led elsewhere when it was taken in: only the connection can see it.
    [attempt] = await Loop(hub, allow=()).until(1)

    assert (attempt["outcome"], attempt["reason"], attempt["http_status"]) == (
        "blocked",
        "blocked",
        None,
    )
    assert backend.requests == 0
    listed = (await api.get(f"/v1/webhooks/{made['id']}/attempts?outcome=blocked")).json["items"]
    assert [item["outcome"] for item in listed] == ["blocked"]


async def test_a_removed_or_inactive_webhook_is_not_called(
    api: Api, subscribe: Subscribe, publish: Publish, loop: Loop, backend: Backend
) -> None:
    removed, off, on = await subscribe(), await subscribe(), await subscribe()
    await publish()
    await api.delete(f"/v1/webhooks/{removed['id']}")
    await api.call("PATCH", f"/v1/webhooks/{off['id']}", {"active": False})

    await loop.until(1)

    assert len(backend.calls) == 1
    assert documented()(on["secret"], backend.calls[0].headers, backend.calls[0].raw)


async def test_after_a_rotation_both_secrets_are_good_for_a_day(
    api: Api, subscribe: Subscribe, publish: Publish, loop: Loop, backend: Backend
) -> None:
    made = await subscribe()
    rotated = (await api.post(f"/v1/webhooks/{made['id']}/rotate")).json
    await publish()
    await loop.until(1)
    await loop.pass_time(DAY)
    await publish()
    await loop.until(2)

    during, after = backend.calls
    is_genuine = documented()
    assert rotated["secret"] != made["secret"]
    assert is_genuine(made["secret"], during.headers, during.raw)
    assert is_genuine(rotated["secret"], during.headers, during.raw)
    assert not is_genuine(made["secret"], after.headers, after.raw)
    assert is_genuine(rotated["secret"], after.headers, after.raw)


async def test_with_another_hub_secret_it_is_told_what_to_do(
    api: Api, subscribe: Subscribe, publish: Publish, loop: Loop, backend: Backend, hub: Hub
) -> None:
    made = await subscribe()
    await publish()
    await hub.db.execute("UPDATE webhook SET secret = '\\x00' || secret")

    [attempt] = await loop.until(1)
    assert attempt["reason"] == "secret-unreadable"
    assert backend.requests == 0

    await api.post(f"/v1/webhooks/{made['id']}/rotate")
    await hub.db.execute("UPDATE webhook SET previous_secret = NULL")
    await loop.pass_time(timedelta(seconds=3))
    await loop.until(2)
    assert len(backend.calls) == 1


async def test_logs_hold_neither_secrets_nor_urls(
    subscribe: Subscribe, publish: Publish, loop: Loop, backend: Backend
) -> None:
    made = await subscribe(url=f"{backend.url}/hook?token=very-secret")
    await publish(word="personal")
    backend.fault = Fault(status=410, body="personal")

    with structlog.testing.capture_logs() as logs:
        await loop.until(1)

    assert {entry["event"] for entry in logs} == {"callback.failed", "webhook.disabled"}
    for word in (made["secret"], "very-secret", "personal", str(backend.port)):
        assert word not in str(logs)


async def _admin(api: Api, locale: str = "ru") -> None:
    body: dict[str, Any] = {
        "role": "admin",
        "locale": locale,
        "addresses": {"email": "boss@example.com"},
    }
    assert (await api.put("/v1/contacts/boss", body)).status == 201
