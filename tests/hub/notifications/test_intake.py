"""What the API accepts, answers, remembers, lists and cancels."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest

from hub.notifications import intake
from hub.resources import Hub
from hub.shops.keys import Scope
from tests.hub.api.client import Answer, Api
from tests.hub.notifications.conftest import Drive, Shop, notification
from tests.hub.notifications.providers import Providers

CREATE, BATCH = "/v1/notifications", "/v1/notifications/batch"


async def count(hub: Hub, table: str) -> int:
    return int(await hub.db.fetchval(f"SELECT count(*) FROM {table}"))


def in_hours(hours: float) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat()


async def test_the_answer_has_the_plan_and_a_reason_for_each_channel_left_out(shop: Shop) -> None:
    answer = await shop.ask("boris")

    body = answer.json
    assert answer.status == 202
    assert body["status"] == "queued"
    assert UUID(body["id"]).version == 7
    assert body["plan"] == [
        {"channel": "email", "address": "boris@example.com"},
        {"channel": "sms", "address": "+79990000002"},
    ]
    reasons = {s["channel"]: s["reason"] for s in body["skipped"]}
    assert reasons == {
        "telegram": "no_address",
        "vk": "no_address",
        "push": "no_address",
        "max": "no_address",
        "viber": "not_allowed",
        "whatsapp": "not_allowed",
    }


async def test_a_dry_run_shows_all_and_stores_nothing(hub: Hub, shop: Shop) -> None:
    new = {"external_id": "new", "locale": "en", "addresses": {"email": "new@example.com"}}

    answer = await shop.ask(new, f"{CREATE}?dry_run=true")

    assert answer.status == 200
    assert answer.json["plan"] == [{"channel": "email", "address": "new@example.com"}]
    assert "1001" in answer.json["rendered"]["email"]["subject"]
    assert "id" not in answer.json
    assert await count(hub, "notification") == await count(hub, "delivery") == 0
    assert (await shop.api.get("/v1/contacts/new")).status == 404


async def test_a_dry_run_ignores_the_idempotency_key(hub: Hub, shop: Shop) -> None:
    headers = {"Idempotency-Key": "k"}
    for _ in range(2):
        body = notification()
        answer = await shop.api.post(f"{CREATE}?dry_run=true", body, headers=headers)
        assert answer.status == 200
    assert await count(hub, "idempotency") == 0


async def test_a_whole_contact_is_made_or_changed_first(shop: Shop) -> None:
    contact = {"external_id": "new", "name": "Вера", "addresses": {"email": "v@example.com"}}
    await shop.send(contact)
    await shop.send({"external_id": "new", "addresses": {"phone": "8 999 000-00-03"}})

    found = (await shop.api.get("/v1/contacts/new")).json
    assert found["name"] == "Вера"
    assert found["addresses"] == {"email": "v@example.com", "phone": "+79990000003"}


async def test_a_one_off_is_one_person_however_often_written_to(hub: Hub, shop: Shop) -> None:
    known = await count(hub, "contact")
    to = [
        {"address": {"channel": "email", "value": "x@example.com"}},
        {"address": {"channel": "email", "value": "x@Example.COM"}, "locale": "en"},
    ]

    answers = [await shop.send(one) for one in to * 2]

    assert await count(hub, "contact") == known + 1
    assert {a["plan"][0]["address"] for a in answers} == {"x@example.com"}
    story = await shop.story(answers[0]["id"])
    assert story["contact"] is None


async def test_a_one_off_is_written_to_in_the_language_asked_for(
    shop: Shop, drive: Drive, providers: Providers
) -> None:
    to = {"address": {"channel": "email", "value": "x@example.com"}, "locale": "en"}
    await shop.send(to)
    await drive.all()

    assert "shipped" in providers.unisender_go.sent[0].subject.lower()


@pytest.mark.parametrize(
    ("to", "more", "pointer"),
    [
        ("nobody", {}, "/recipient/external_id"),
        ("anna", {"template": "order.eaten"}, "/template"),
        ("anna", {"data": {}}, "/data/order/number"),
        ("anna", {"data": {"order": {}}}, "/data/order/number"),
        ("anna", {"template": "cart.abandoned", "category": "transactional"}, "/category"),
    ],
)
async def test_what_is_not_possible_is_422_and_says_which(
    to: str, more: dict[str, Any], pointer: str, hub: Hub, shop: Shop
) -> None:
    answer = await shop.ask(to, **more)

    assert answer.status == 422
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert answer.pointers == [pointer]
    assert await count(hub, "notification") == 0


async def test_a_template_may_be_sent_as_marketing_and_content_is_transactional(
    shop: Shop,
) -> None:
    as_marketing = await shop.send(category="marketing")
    content = await shop.send(content={"text": "Привет"})

    assert as_marketing["status"] == "undeliverable"
    assert {s["reason"] for s in as_marketing["skipped"]} >= {"no_consent"}
    assert (await shop.story(content["id"]))["category"] == "transactional"


async def test_content_is_sent_as_it_is(shop: Shop, drive: Drive, providers: Providers) -> None:
    content = {"subject": "{{ 7*7 }}", "text": "{% raw %} {{shop}}", "html": "<b>{{ x }}</b>"}
    await shop.send("boris", content=content, channels=["email"])
    await drive.all()

    [letter] = providers.unisender_go.sent
    assert (letter.subject, letter.text) == (content["subject"], content["text"])
    assert content["html"] in letter.html


async def test_nobody_reachable_is_still_accepted(hub: Hub, shop: Shop) -> None:
    await shop.contact("mute", addresses={})

    answer = await shop.send("mute")

    assert answer["status"] == "undeliverable"
    assert answer["plan"] == []
    assert len(answer["skipped"]) == 8
    assert await count(hub, "delivery") == 0


async def test_what_is_to_leave_later_waits(shop: Shop, drive: Drive, providers: Providers) -> None:
    sent = await shop.send(channels=["email"], send_at=in_hours(1))
    await drive.all()
    assert (sent["status"], providers.unisender_go.sent) == ("scheduled", [])

    await drive.pass_time(timedelta(hours=1))
    await drive.all()

    assert await shop.status(sent["id"]) == "sent"


@pytest.mark.usefixtures("working")
async def test_what_is_due_in_a_moment_leaves_then(shop: Shop) -> None:
    for wait in (0.5, 1.5):
        sent = await shop.send(channels=["email"], send_at=in_hours(wait / 3600))

        await shop.becomes(sent["id"], "sent", within=wait + 4)


async def test_quiet_hours_hold_and_say_until_when(shop: Shop) -> None:
    now = datetime.now(UTC)
    hours = {"from": f"{now - timedelta(hours=1):%H:%M}", "to": f"{now + timedelta(hours=2):%H:%M}"}
    await shop.contact("anna", timezone="UTC", preferences={"quiet_hours": hours})

    held = await shop.send()
    code = await shop.send(template="security.code", data={"code": "1234"})

    until = datetime.fromisoformat(held["held_until"])
    assert held["status"] == "scheduled"
    assert timedelta(hours=1, minutes=58) < until - now < timedelta(hours=2, minutes=1)
    assert len(held["plan"]) > 1
    assert (code["status"], code["held_until"]) == ("queued", None)


async def test_what_is_over_already_expires_at_once(shop: Shop) -> None:
    sent = await shop.send(expires_at=in_hours(-1))

    assert sent["status"] == "expired"
    assert (await shop.story(sent["id"]))["deliveries"] == []


# -- idempotency -----------------------------------------------------------------------------


async def keyed(shop: Shop, key: str, path: str = CREATE, body: Any = None) -> Answer:
    return await shop.api.post(path, body or notification(), headers={"Idempotency-Key": key})


async def test_a_repeat_gets_the_first_answer_and_sends_nothing(hub: Hub, shop: Shop) -> None:
    first = await keyed(shop, "k")
    again = await keyed(shop, '"k"')

    assert again.status == 202
    assert again.raw == first.raw
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert await count(hub, "notification") == 1


async def test_another_body_under_the_same_key_is_refused(shop: Shop) -> None:
    await keyed(shop, "k")

    assert (await keyed(shop, "k", body=notification("boris"))).status == 422


async def test_a_key_counts_per_path_and_shop(hub: Hub, shop: Shop, url: str, key_for: Any) -> None:
    batch = {"notifications": [notification()]}
    async with Api(url, await key_for(Scope.ADMIN, shop="other")) as api:
        other = Shop(api)
        await other.contact("anna")
        answers = [await keyed(shop, "k"), await keyed(shop, "k", BATCH, batch)]
        answers.append(await keyed(other, "k"))

    assert [a.status for a in answers] == [202] * 3
    assert not any("Idempotent-Replayed" in a.headers for a in answers)
    assert await count(hub, "notification") == 3


async def test_a_fault_is_not_remembered(shop: Shop) -> None:
    assert (await keyed(shop, "k", body=notification("new"))).status == 422
    assert (await keyed(shop, "k", body=notification(colour=1))).status == 400
    await shop.contact("new", addresses={"email": "n@example.com"})

    assert (await keyed(shop, "k", body=notification("new"))).status == 202


async def test_of_many_equal_requests_at_once_one_counts(hub: Hub, shop: Shop) -> None:
    answers = await asyncio.gather(*(keyed(shop, "k") for _ in range(50)))

    statuses = Counter(a.status for a in answers)
    assert statuses[202] >= 1
    assert statuses[202] + statuses[409] == 50
    assert len({a.raw for a in answers if a.status == 202}) == 1
    assert await count(hub, "notification") == 1
    assert (await keyed(shop, "k")).headers["Idempotent-Replayed"] == "true"


async def test_a_batch_is_remembered_as_a_whole_with_its_faults(hub: Hub, shop: Shop) -> None:
    body = {"notifications": [notification(), notification("nobody")]}

    first = await keyed(shop, "k", BATCH, body)
    again = await keyed(shop, "k", BATCH, body)

    assert first.raw == again.raw
    assert await count(hub, "notification") == 1


@pytest.mark.parametrize("key", ["", '""', "x" * 256, "a\tb"])
async def test_a_key_has_1_to_255_printable_characters(key: str, shop: Shop) -> None:
    assert (await keyed(shop, key)).status == 400


# -- batches ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"template": "nope"}, "/template"),
        ({"template": "cart.abandoned", "category": "transactional"}, "/category"),
    ],
)
async def test_who_is_not_known_hides_nothing_else_that_is_wrong(
    api: Api, change: dict[str, Any], pointer: str
) -> None:
    answer = await api.post(CREATE, notification() | {"recipient": {"external_id": "x"}} | change)

    assert answer.status == 422
    assert answer.pointers == ["/recipient/external_id", pointer]


async def test_a_bad_item_does_not_stop_the_others(shop: Shop) -> None:
    items = [
        notification(),
        {"template": "order.shipped"},
        notification("nobody"),
        "what",
        notification("boris", data={}),
        notification("boris"),
    ]

    answer = await shop.api.post(BATCH, {"notifications": items})

    results = answer.json["results"]
    assert answer.status == 202
    assert [r["status"] for r in results] == ["queued", 400, 422, 400, 422, "queued"]
    assert results[1]["errors"][0]["pointer"] == "/recipient"
    assert results[4]["errors"][0]["pointer"] == "/data/order/number"
    assert all(r["request_id"] for r in results[1:5])


@pytest.mark.parametrize(
    "bad", [r'"a \ud83d"', r'"a\u000b"', "[" * 40 + "]" * 40], ids=["half", "control", "deep"]
)
async def test_nor_does_one_with_something_in_it_that_must_not_be(bad: str, shop: Shop) -> None:
    """A name that was cut in the middle of an emoji."""
    good = orjson.dumps(notification()).decode()
    one = good[:-1] + f', "meta": {{"name": {bad}}}}}'
    batch = f'{{"notifications": [{good}, {one}, {good}]}}'

    answer = await shop.api.post(BATCH, raw=batch.encode())

    results = answer.json["results"]
    assert [r["status"] for r in results] == ["queued", 400, "queued"]
    assert results[1]["errors"][0]["pointer"].startswith("/meta/name")
    # What is no item is of the whole call.
    other = batch[:-1] + ', "x": "\\u0000"}'
    assert (await shop.api.post(BATCH, raw=other.encode())).status == 400


async def test_what_is_stored_of_one_person_stops_no_batch(hub: Hub, shop: Shop) -> None:
    await hub.db.execute(
        """
        UPDATE contact SET timezone = 'Europe/Nowhere',
                           preferences = '{"quiet_hours": {"from": "01:00", "to": "02:00"}}'
         WHERE external_id = 'anna'
        """
    )

    answer = await shop.api.post(BATCH, {"notifications": [notification(), notification("boris")]})

    assert answer.status == 202
    assert [r["status"] for r in answer.json["results"]] == [500, "queued"]


@pytest.mark.parametrize("bug", [False, True])
async def test_what_a_letter_lacks_is_told_of_that_one_alone(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, bug: bool
) -> None:
    if bug:
        monkeypatch.setattr(intake, "fitting", lambda _: 1 // 0)
    letter = {"subject": "Скидки", "html": "<p>{{ contact.name }}: {{ sum|money }}</p>"}
    text = {"text": "{{ code }}"}
    assert (await shop.api.put("/v1/templates/spring.sale/email/ru", letter)).status == 200
    assert (await shop.api.put("/v1/templates/spring.sale/telegram/ru", text)).status == 200
    items = [
        {
            "recipient": {"external_id": "anna"},
            "template": "spring.sale",
            "channels": ["email", "telegram"],
            "data": {"sum": n, "code": f"a{n}"},
        }
        for n in range(120)
    ]
    items[7]["data"] = {"code": "x"}
    items[70]["data"] = {"sum": "much", "code": "x" * 5000}
    items[71]["channels"] = ["email"]
    items[71]["data"] = {"sum": 1}

    answer = await shop.api.post(BATCH, {"notifications": items})

    results = answer.json["results"]
    assert [n for n, r in enumerate(results) if r["status"] != "queued"] == [7, 70]
    assert [e["pointer"] for e in results[7]["errors"]] == ["/data/sum"]
    assert [e["pointer"] for e in results[70]["errors"]] == ["/data/sum", "/data"]


async def test_a_thousand_at_once(hub: Hub, shop: Shop) -> None:
    items = [
        notification({"address": {"channel": "email", "value": f"p{n % 700}@example.com"}})
        for n in range(1000)
    ]

    answer = await shop.api.post(BATCH, {"notifications": items})

    assert {r["status"] for r in answer.json["results"]} == {"queued"}
    assert len({r["id"] for r in answer.json["results"]}) == 1000
    assert await count(hub, "delivery") == 1000
    more = await shop.api.post(BATCH, {"notifications": [*items, items[0]]})
    assert (more.status, more.pointers) == (400, ["/notifications"])


async def test_concurrent_batches_of_the_same_people_end_well(hub: Hub, shop: Shop) -> None:
    """Contacts and one-offs in opposite orders: whoever locks them must not lock for good."""
    items = [
        notification(
            {"address": {"channel": "email", "value": f"o{n}@example.com"}}
            if n % 2
            else {"external_id": f"c{n}", "addresses": {"email": f"c{n}@example.com"}}
        )
        for n in range(60)
    ]
    orders = [items, items[::-1], items[30:] + items[:30], items]

    answers = await asyncio.gather(
        *(shop.api.post(BATCH, {"notifications": order}) for order in orders)
    )

    assert {r["status"] for a in answers for r in a.json["results"]} == {"queued"}
    assert await count(hub, "notification") == 240


# -- cancelling ------------------------------------------------------------------------------


async def cancel(shop: Shop, id_: str) -> Answer:
    return await shop.api.post(f"{CREATE}/{id_}/cancel")


async def test_what_has_not_left_can_be_cancelled_twice(
    shop: Shop, drive: Drive, providers: Providers
) -> None:
    sent = await shop.send(channels=["email"], send_at=in_hours(1))

    answers = [await cancel(shop, sent["id"]) for _ in range(2)]
    await drive.pass_time(timedelta(hours=2))
    await drive.all()

    assert [(a.status, a.json["status"]) for a in answers] == [(200, "cancelled")] * 2
    assert not providers.unisender_go.sent


async def test_what_has_left_cannot_be_cancelled(shop: Shop, drive: Drive) -> None:
    sent = await shop.send(channels=["email"])
    await drive.all()

    answer = await cancel(shop, sent["id"])

    assert answer.status == 409
    assert "sent" in answer.json["detail"]
    assert await shop.status(sent["id"]) == "sent"


async def test_cancelling_what_is_not_there_is_404(shop: Shop, url: str, key_for: Any) -> None:
    sent = await shop.send()
    async with Api(url, await key_for(Scope.ADMIN, shop="other")) as other:
        foreign = await other.post(f"{CREATE}/{sent['id']}/cancel")
        seen = await other.get(f"{CREATE}/{sent['id']}")

    assert (await cancel(shop, "01a20000-0000-7000-8000-000000000000")).status == 404
    assert (await cancel(shop, "1")).status == 400
    assert (foreign.status, seen.status) == (404, 404)


# -- lists -----------------------------------------------------------------------------------


async def test_the_list_is_filtered_and_paged(shop: Shop, drive: Drive) -> None:
    since = datetime.now(UTC) - timedelta(seconds=1)
    anna = [(await shop.send(channels=["email"]))["id"] for _ in range(3)]
    boris = (await shop.send("boris", channels=["sms"], send_at=in_hours(1)))["id"]
    await drive.all()

    async def ids(**filters: Any) -> list[str]:
        query = "&".join(f"{k}={v}".replace("+", "%2B") for k, v in filters.items())
        answer = await shop.api.get(f"{CREATE}?{query}")
        assert answer.status == 200, answer.raw
        return [item["id"] for item in answer.json["items"]]

    every = [boris, *anna[::-1]]
    assert await ids() == every
    assert await ids(contact="anna") == anna[::-1]
    assert await ids(contact="nobody") == []
    assert await ids(status="scheduled") == [boris]
    assert await ids(channel="sms") == [boris]
    assert await ids(template="order.shipped", contact="boris") == [boris]
    assert await ids(template="order.paid") == []
    assert await ids(since=since.isoformat()) == every
    assert await ids(until=since.isoformat()) == []

    pages, cursor = [], ""
    while cursor is not None:
        answer = await shop.api.get(f"{CREATE}?limit=3{cursor and '&cursor=' + cursor}")
        pages.append([item["id"] for item in answer.json["items"]])
        cursor = answer.json["next_cursor"]
    assert pages == [every[:3], every[3:]]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("limit=0", "/limit"),
        ("limit=201", "/limit"),
        ("limit=x", "/limit"),
        ("cursor=abc", "/cursor"),
        ("status=gone", "/status"),
        ("channel=fax", "/channel"),
        ("since=yesterday", "/since"),
        ("since=0001-01-01T00:00:00Z", "/since"),
        ("until=9999-12-31T23:59:59-12:00", "/until"),
        ("since=2026-01-01T00:00:00", "/since"),
        ("contact=%00", "/contact"),
        ("colour=red", "/colour"),
        ("limit=1&limit=2", "/limit"),
    ],
)
async def test_a_bad_filter_is_400(query: str, pointer: str, api: Api) -> None:
    answer = await api.get(f"{CREATE}?{query}")

    assert (answer.status, answer.pointers) == (400, [pointer])
