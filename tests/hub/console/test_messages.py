"""The messages' pages: what is found, and what one of them tells."""

from typing import Any
from uuid import uuid4

import pytest

from hub.operators.model import Role
from hub.resources import Hub
from tests.hub.api.client import Api
from tests.hub.console.client import Console, FormOnPage, Page
from tests.hub.console.conftest import ConsoleFor

ANNA = {
    "external_id": "buyer-42",
    "name": "Анна Петрова",
    "addresses": {"email": "anna@example.com", "phone": "+79991234567", "telegram": "101"},
}


async def _send(api: Api, number: str = "1001", **more: Any) -> str:
    asked = {
        "template": "order.shipped",
        "recipient": ANNA,
        "data": {"order": {"number": number}},
    } | more
    answer = await api.post("/v1/notifications", asked)
    assert answer.status == 202, answer.json
    return str(answer.json["id"])


def _posting(page: Page) -> FormOnPage:
    """The one that sends; another one of the page only asks."""
    return next(f for f in page.forms if f.action.endswith("/again") and f.method == "post")


@pytest.mark.parametrize(
    "q",
    ["1001", "buyer-42", "ANNA@example.com", "8 (999) 123-45-67", "101", "петр", "Анна Петр"],
)
async def test_it_is_found_by_order_and_person(api: Api, console: Console, q: str) -> None:
    id_ = await _send(api)
    other = {"external_id": "b-2", "name": "Борис", "addresses": {"email": "b@example.com"}}
    elsewhere = await _send(api, "2002", recipient=other)

    page = await console.get("/messages", q=q)

    assert id_ in page.html
    assert elsewhere not in page.html


async def test_the_newest_stand_first_and_older_ones_behind_a_link(
    api: Api, console: Console
) -> None:
    ids = [await _send(api, str(number)) for number in range(1, 53)]

    page = await console.get("/messages")

    assert page.html.index(ids[51]) < page.html.index(ids[2])
    assert ids[1] not in page.html
    older = await console.get(page.links["Older →"])
    assert ids[1] in older.html
    assert f'/messages/{ids[2]}"' not in older.html
    assert "Older →" not in older.links
    assert ids[51] in (await console.get(older.links["← Newest"])).html


async def test_it_is_narrowed_down_by_status_channel_template_and_day(
    api: Api, console: Console
) -> None:
    by_sms = await _send(api, channels=["sms"])
    nowhere = await _send(api, channels=["viber"], template="order.paid")

    async def found(**query: Any) -> set[str]:
        html = (await console.get("/messages", **query)).html
        return {id_ for id_ in (by_sms, nowhere) if id_ in html}

    assert await found() == {by_sms, nowhere}
    assert await found(status="undeliverable") == {nowhere}
    assert await found(status="queued") == {by_sms}
    assert await found(channel="sms") == {by_sms}
    assert await found(channel="email") == set()
    assert await found(template="order.paid") == {nowhere}
    assert await found(template="order.paid", q="buyer-42", since="2020-01-01") == {nowhere}
    assert await found(until="2020-01-01") == set()
    assert await found(since="2020-01-01") == {by_sms, nowhere}


async def test_whatever_is_asked_for_is_no_fault_of_the_page(api: Api, console: Console) -> None:
    await _send(api)
    for query in (
        "q=%00",
        "q=%27%22%3C",
        "q=%26%7C!%3A*",
        "q=" + "a" * 2000,
        "q=" + str(uuid4()),
        "before=x",
        "since=0001-01-01",
        "until=9999-12-31",
        "status=x&channel=y&template=z",
    ):
        assert (await console.get(f"/messages?{query}")).status == 200, query
    assert (await console.get("/messages/x")).status == 404
    assert (await console.get(f"/messages/{uuid4()}")).status == 404


async def test_the_id_of_a_message_leads_to_it(api: Api, console: Console) -> None:
    id_ = await _send(api)

    assert (await console.get("/messages", q=id_)).path.endswith(f"/messages/{id_}")


async def test_nobody_sees_another_shops_messages(api: Api, console_for: ConsoleFor) -> None:
    id_ = await _send(api)
    stranger = await console_for(Role.OWNER, shop="other")

    assert id_ not in (await stranger.get("/messages", q="buyer-42")).html
    for path in ("", "/again"):
        assert (await stranger.get(f"/messages/{id_}{path}")).status == 404
    for act in ("again", "cancel"):
        assert (await stranger.post(f"/messages/{id_}/{act}")).status == 404


async def test_who_may_not_see_addresses_sees_none(api: Api, console_for: ConsoleFor) -> None:
    id_ = await _send(api, content={"text": "Секрет на двоих"}, template=None, data={})
    reader = await console_for(Role.READER)

    for path in ("/messages", f"/messages/{id_}", "/people"):
        html = (await reader.get(path)).html
        for hidden in ("Петрова", "anna@example.com", "1234567", "Секрет"):
            assert hidden not in html, (path, hidden)
    assert (await reader.get(f"/messages/{id_}/letter/{uuid4()}")).status == 403
    assert (await reader.get(f"/messages/{id_}/again")).status == 403
    assert (await reader.post(f"/messages/{id_}/cancel")).status == 403


async def test_nor_where_the_shop_calls_people_by_their_addresses(
    api: Api, console: Console, console_for: ConsoleFor
) -> None:
    nameless = {"external_id": "boris@example.com", "addresses": {"email": "boris@example.com"}}
    id_ = await _send(api, recipient=nameless)
    reader = await console_for(Role.READER)

    for path, q in (
        ("/messages", ""),
        (f"/messages/{id_}", ""),
        ("/messages", "boris@example.com"),
        ("/people", ""),
    ):
        page = await reader.get(path, q=q)
        assert "boris@" not in page.text, path
        assert "b•••@e•••.com" in page.text, path
    assert "boris@example.com" in (await console.get("/messages")).text


@pytest.mark.parametrize("name", ["+79990000002", "79990000002", "8 (999) 000-00-02"])
async def test_nor_where_it_calls_them_by_their_phones(
    api: Api, console: Console, console_for: ConsoleFor, name: str
) -> None:
    id_ = await _send(api, recipient={"external_id": name, "addresses": {"phone": "+79990000002"}})
    order = {"number": "77", "status": "placed", "currency": "RUB", "buyer": {"external_id": name}}
    seller = {"external_id": "seller-7"}
    await api.put("/v1/contacts/seller-7", {"role": "seller"})
    line = {"id": "1", "sku": "A", "title": "Чайник", "quantity": 1, "price": "1.00"} | {
        "seller": seller
    }
    assert (await api.put("/v1/orders/77", order | {"lines": [line]})).status == 201
    reader = await console_for(Role.READER)

    for path, q in (
        *(("/messages", ""), (f"/messages/{id_}", ""), ("/messages", name), ("/people", "")),
        *(("/people", name), ("/orders", "")),
    ):
        page = await reader.get(path, q=q)
        assert name not in page.text, (path, q)
        assert "00-02" not in page.text, (path, q)
        if path != "/orders":
            assert "+7 ••• •• 02" in page.text, (path, q)
    assert name in (await console.get("/people", q=name)).text
    # By what it is called it is found and opened, whoever looks.
    [person] = {
        link for link in (await reader.get("/people", q=name)).links.values() if "/people/" in link
    }
    card = await reader.get(person)
    assert card.status == 200
    assert "+7 ••• •• 02" in card.text
    assert name not in card.text


async def test_a_message_tells_why_channels_were_not_taken(api: Api, console: Console) -> None:
    id_ = await _send(api, channels=["viber"])

    page = await console.get(f"/messages/{id_}")

    assert "Nowhere to send" in page.text
    assert "Telegram: the request does not name this channel" in page.text
    assert "VK: no address for this channel" in page.text


async def test_its_content_is_shown_as_its_receiver_will_see_it(
    hub: Hub, api: Api, console: Console
) -> None:
    id_ = await _send(api, strategy="all", channels=["email", "sms"])

    page = await console.get(f"/messages/{id_}")

    [frame] = [given for tag, given in page.tags if tag == "iframe"]
    assert "allow-scripts" not in (frame["sandbox"] or "")
    letter = await console.get(frame["src"] or "")
    assert letter.status == 200
    assert "sandbox" in letter.headers["Content-Security-Policy"]
    assert "Анна Петрова" in letter.text
    # What would unsubscribe her, or say something in her name, is not among it.
    assert "/p/" not in letter.html
    assert "hub.example" not in letter.html


async def test_what_has_not_left_is_cancelled_and_by_whom_is_known(
    hub: Hub, api: Api, console: Console
) -> None:
    id_ = await _send(api, send_at="2099-01-01T10:00:00+03:00")

    page = await console.get(f"/messages/{id_}")
    page = await console.send(page.form("/cancel"))

    assert "Cancelled: it will not be sent." in page.text
    assert (await api.get(f"/v1/notifications/{id_}")).json["status"] == "cancelled"
    assert [f.action for f in page.forms if f.action.endswith("/cancel")] == []
    row = await hub.db.fetchrow("SELECT actor, object FROM audit WHERE action LIKE 'notification%'")
    assert row is not None
    assert tuple(row) == ("operator", id_)


async def test_it_is_sent_again_to_the_same_person(hub: Hub, api: Api, console: Console) -> None:
    id_ = await _send(api, channels=["telegram", "email"], meta={"own": 1}, collapse_key="k")

    page = await console.get(f"/messages/{id_}/again")
    assert "Telegram → E-mail" in page.text
    page = await console.send(_posting(page))

    assert "Sent again: this is the new message." in page.text
    new = page.path.rpartition("/")[2]
    assert new != id_
    story = (await api.get(f"/v1/notifications/{new}")).json
    assert story["meta"] == {"own": 1, "again_of": id_}
    assert [step["channel"] for step in story["plan"]] == ["telegram", "email"]
    assert story["template"] == "order.shipped"
    # The first one is as it was: nothing was taken back.
    assert (await api.get(f"/v1/notifications/{id_}")).json["status"] == "queued"
    assert new in (await console.get(f"/messages/{id_}")).links["Sent again"]
    assert id_ in page.links["Repeats another message"]
    assert (
        await hub.db.fetchval(
            "SELECT detail ->> 'new' FROM audit WHERE action = 'notification.sent_again' AND object = $1",
            id_,
        )
        == new
    )


async def test_another_channel_can_be_chosen(api: Api, console: Console) -> None:
    id_ = await _send(api, channels=["telegram"])

    page = await console.get(f"/messages/{id_}/again", channel="sms")
    page = await console.send(_posting(page))

    story = (await api.get(f"/v1/notifications/{page.path.rpartition('/')[2]}")).json
    assert [step["channel"] for step in story["plan"]] == ["sms"]


async def test_a_cascade_and_a_one_off_are_sent_again_as_what_they_were(
    api: Api, console: Console
) -> None:
    cascade = await _send(api, strategy="cascade", cascade={"until": "delivered", "wait": 60})
    recipient = {"address": {"channel": "sms", "value": "+79995554433"}, "locale": "en"}
    one_off = await _send(api, recipient=recipient)

    again = {}
    for id_ in (cascade, one_off):
        page = await console.post(f"/messages/{id_}/again")
        new = page.path.rpartition("/")[2]
        again[id_] = (await api.get(f"/v1/notifications/{new}")).json

    first = (await api.get(f"/v1/notifications/{cascade}")).json
    assert again[cascade]["plan"] == first["plan"]
    assert again[cascade]["strategy"] == "cascade"
    assert [s["channel"] for s in again[one_off]["plan"]] == ["sms"]
    assert again[one_off]["plan"][0]["address"] == "+79995554433"


async def test_what_was_said_to_somebody_who_was_erased_is_not_said_again(
    api: Api, console: Console
) -> None:
    id_ = await _send(api)
    assert (await api.delete("/v1/contacts/buyer-42")).status == 204

    page = await console.get(f"/messages/{id_}")

    assert "person erased" in page.text
    assert not any(link.endswith("/again") for link in page.links.values())
    assert (await console.post(f"/messages/{id_}/again")).status == 409


async def test_a_story_that_goes_on_asks_for_news_by_itself(api: Api, console: Console) -> None:
    going = await _send(api)
    over = await _send(api, channels=["viber"])

    [at] = [g for _, g in (await console.get(f"/messages/{going}")).tags if g.get("id") == "story"]
    part = await console.get(str(at["hx-get"]), htmx=True)

    assert part.status == 200
    assert part.html.count('id="story"') == 1
    assert "<html" not in part.html
    ended = await console.get(f"/messages/{over}")
    assert not [g for g in ended.with_attribute("hx-get") if g.get("id") == "story"]


async def test_codes_are_for_nobody_elses_eyes(api: Api, console: Console) -> None:
    code = {"text": "Код 480913"}
    own = await _send(api, content=code, template=None, data={}, category="security")
    made = await _send(api, template="security.code", data={"code": "480913"})

    for path in ("/messages", f"/messages/{own}", f"/messages/{made}"):
        assert "480913" not in (await console.get(path)).html, path
    page = await console.get(f"/messages/{made}")
    assert "Codes are seen only by those whom they are sent to." in page.text
