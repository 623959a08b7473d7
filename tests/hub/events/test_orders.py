"""Orders as a shop's programs tell of them: what they become here, and who hears of it."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.hub.events.conftest import CUSTOMER, Flow, an_order
from tests.hub.orders.conftest import Book


async def test_the_buyer_hears_that_it_is_shipped(flow: Flow, book: Book) -> None:
    event = await flow.told(an_order("shipped"))

    assert event["result"] == "applied"
    [told] = await book.told()
    assert (told.contact, told.template) == ("42", "order.shipped")
    assert told.data["order"]["tracking"] == "RA123"
    assert event["set_off"]["order"] == "1042"
    assert len(event["set_off"]["notifications"]) == 1
    assert (await flow.order())["buyer"] == {"external_id": "42"}


async def test_the_same_told_twice_is_told_once(flow: Flow, book: Book) -> None:
    first = await flow.tell(an_order("shipped"), id="ev-1")
    again = await flow.tell(an_order("shipped"), id="ev-1")
    other = await flow.told(an_order("shipped"), id="ev-2")

    assert again == {"id": first["id"], "duplicate": True}
    assert other["result"] == "repeated"
    assert len(await book.told()) == 1


async def test_without_an_id_the_body_is_the_name(flow: Flow) -> None:
    first = await flow.tell(an_order("shipped"))
    again = await flow.tell(an_order("shipped"))

    assert again == {"id": first["id"], "duplicate": True}


async def test_a_status_that_lies_behind_is_late(flow: Flow, book: Book) -> None:
    await flow.told(an_order("delivered"), id="2")
    late = await flow.told(an_order("shipped"), id="1")

    assert late["result"] == "late"
    assert await book.who_heard("order.shipped") == []
    assert (await flow.order())["status"] == "delivered"


async def test_what_was_changed_before_is_stale(flow: Flow, book: Book) -> None:
    now = datetime.now(UTC)
    newer = an_order("delivered", changed_at=now.isoformat())
    older = an_order("shipped", changed_at=(now - timedelta(minutes=1)).isoformat())

    await flow.told(newer)
    event = await flow.told(older)

    assert event["result"] == "stale"
    assert len((await flow.order())["history"]) == 1


async def test_a_word_that_nobody_knows_is_told_to_the_admins_once(flow: Flow, book: Book) -> None:
    boss = {"role": "admin", "addresses": {"email": "boss@example.com"}}
    await flow.api.put("/v1/contacts/boss", boss)

    event = await flow.told(an_order("on its way, perhaps"))
    await flow.told(an_order("on its way, perhaps", "1043"))

    assert (event["result"], event["reason"]) == ("applied", "unknown-status")
    assert [told.contact for told in await book.told()] == ["boss"]
    [source] = (await flow.api.get("/v1/sources")).json["items"]
    assert source["unknown_codes"] == ["on its way, perhaps"]


async def test_the_shops_own_words_count_once_they_are_mapped(flow: Flow, book: Book) -> None:
    await flow.told(an_order("отправлен"))
    [source] = (await flow.api.get("/v1/sources")).json["items"]
    mapping = {"statuses": {"отправлен": "shipped"}}
    changed = await flow.api.call("PATCH", f"/v1/sources/{source['id']}", {"mapping": mapping})
    assert changed.status == 200, changed.raw

    await flow.told(an_order("отправлен"), id="again")

    assert await book.who_heard("order.shipped") == ["42"]


async def test_once_it_is_mapped_the_event_is_told_again(flow: Flow, book: Book) -> None:
    event = await flow.told(an_order("отправлен"))
    assert (await flow.api.get("/v1/orders/1042")).status == 404
    [source] = (await flow.api.get("/v1/sources")).json["items"]
    mapping = {"statuses": {"отправлен": "shipped"}}
    await flow.api.call("PATCH", f"/v1/sources/{source['id']}", {"mapping": mapping})

    replayed = await flow.api.post(f"/v1/events/{event['id']}/replay")
    await flow.apply()

    assert replayed.status == 202
    assert await book.who_heard("order.shipped") == ["42"]


async def test_what_is_no_order_yet_becomes_one_with_its_first_status(
    flow: Flow, book: Book
) -> None:
    await flow.tell({"id": "1"}, kind="product")
    [source] = (await flow.api.get("/v1/sources")).json["items"]
    mapping = {"statuses": {"draft": None}}
    await flow.api.call("PATCH", f"/v1/sources/{source['id']}", {"mapping": mapping})

    draft = await flow.told(an_order("draft"))

    assert (draft["result"], draft["reason"]) == ("ignored", "no-status")
    assert (await flow.api.get("/v1/orders/1042")).status == 404
    assert await book.told() == []

    await flow.told(an_order("placed"))

    assert (await flow.order())["status"] == "placed"
    assert "42" in await book.who_heard("order.placed")


async def test_of_what_was_deleted_nothing_is_kept(flow: Flow) -> None:
    await flow.told(an_order("placed"))

    event = await flow.told({"id": "1042"}, action="deleted")

    assert (event["result"], event["reason"], event["payload"]) == ("ignored", "deleted", None)
    assert (await flow.order())["status"] == "placed"


class TestFirstSeenFurther:
    """An order that is confirmed or paid when it is seen for the first time, where no shelf is asked."""

    @pytest.fixture(autouse=True)
    async def seller(self, flow: Flow) -> None:
        seller = {"role": "seller", "addresses": {"email": "seller@example.com"}}
        await flow.api.put("/v1/contacts/shop", seller)

    async def test_the_seller_hears_that_there_is_a_new_one(self, flow: Flow, book: Book) -> None:
        first = await flow.told(an_order("confirmed"))
        await flow.told(an_order("confirmed", number="A-7"))

        assert await book.who_heard("order.placed") == ["shop"]
        assert await book.who_heard("order.confirmed") == ["42"]
        assert sorted(first["set_off"]["rules"]) == ["order.confirmed", "order.placed"]

    async def test_whoever_is_asked_to_pack_it_knows_already(self, flow: Flow, book: Book) -> None:
        await flow.told(an_order("paid"))

        assert await book.who_heard("order.placed") == []
        assert "shop" in [told.contact for told in await book.told()]

    async def test_what_is_packed_already_is_new_to_nobody(self, flow: Flow, book: Book) -> None:
        await flow.told(an_order("shipped"))

        assert await book.who_heard("order.placed") == []

    async def test_the_preview_says_so(self, flow: Flow) -> None:
        await flow.tell({"id": "1"}, kind="product")
        [source] = (await flow.api.get("/v1/sources")).json["items"]
        body = {"kind": "order", "payload": an_order("confirmed")}

        found = await flow.api.post(f"/v1/sources/{source['id']}/preview", body)

        assert found.json["status"]["tells"] == ["order.confirmed", "order.placed"]


async def test_old_news_is_taken_over_and_told_to_nobody(flow: Flow, book: Book) -> None:
    long_ago = (datetime.now(UTC) - timedelta(days=2)).isoformat()

    event = await flow.told(an_order("shipped"), happened_at=long_ago)

    assert event["result"] == "applied"
    assert await book.told() == []
    assert (await flow.order())["status"] == "shipped"


async def test_the_first_word_of_the_shops_own_programs_is_news(flow: Flow, book: Book) -> None:
    now = datetime.now(UTC)
    before = {
        "created_at": (now - timedelta(hours=20)).isoformat(),
        "changed_at": (now - timedelta(minutes=10)).isoformat(),
    }

    event = await flow.told(an_order("shipped", **before))

    assert not event["quiet"]
    assert await book.who_heard("order.shipped") == ["42"]


async def test_a_guest_is_known_by_the_mail(flow: Flow, book: Book) -> None:
    guest = {"email": "guest@example.com", "name": "Гость"}
    await flow.told(an_order("shipped", customer=guest))
    await flow.told(an_order("shipped", "1043", customer=guest))

    first, second = await book.told()
    assert first.contact == second.contact
    assert (first.contact or "").startswith("guest-")
    assert "example.com" not in (first.contact or "")


async def test_a_phone_that_is_none_does_not_stop_an_order(flow: Flow, book: Book) -> None:
    await flow.told(an_order("shipped", customer={**CUSTOMER, "phone": "позвонить вечером"}))

    assert await book.who_heard("order.shipped") == ["42"]


async def test_a_faulty_body_is_refused_with_its_places(flow: Flow) -> None:
    body = {"kind": "order", "data": an_order(lines=[{"id": "1", "quantity": -1}])}

    answer = await flow.api.post("/v1/events", body)

    assert answer.status == 400
    assert answer.pointers == ["/data/lines/0/quantity"]


async def test_many_at_once_are_told_one_by_one(flow: Flow, book: Book) -> None:
    good = {"kind": "order", "data": an_order("shipped")}
    bad = {"kind": "order", "data": {"id": "7"}}

    answer = await flow.api.post("/v1/events/batch", {"events": [good, bad, good]})
    await flow.apply()

    assert answer.status == 202
    assert (answer.json["accepted"], answer.json["duplicates"]) == (1, 1)
    assert answer.json["results"][1]["errors"][0]["pointer"] == "/events/1/data/lines"
    assert await book.who_heard("order.shipped") == ["42"]


async def test_customers_carts_and_products_are_kept(flow: Flow) -> None:
    await flow.told(dict(CUSTOMER, attributes={"city": "Томск"}, tags=["vip"]), kind="customer")
    cart = {"id": "c1", "customer": {"id": "42"}, "lines": [{"sku": "A", "quantity": "1.5"}]}
    await flow.told(cart, kind="cart")
    await flow.told({"id": "7", "title": "Чайник", "price": 10}, kind="product")

    contact = (await flow.api.get("/v1/contacts/42")).json
    assert contact["attributes"] == {"city": "Томск", "tags": ["vip"]}
    kinds = await flow.hub.db.fetch("SELECT kind FROM source_object ORDER BY kind")
    assert [row["kind"] for row in kinds] == ["cart", "customer", "product"]

    await flow.told(an_order("placed"))

    assert await flow.hub.db.fetchval("SELECT facts FROM source_object WHERE kind = 'cart'") is None
