"""The people's pages: who is found, what a card tells, and what can be done for somebody."""

from typing import Any

import orjson
import pytest

from channels.base import Channel
from hub.contacts.addresses import digest
from hub.operators.model import Right, Role
from hub.preferences import suppressions
from hub.resources import Hub
from tests.hub.api.client import Api
from tests.hub.console.client import Console
from tests.hub.console.conftest import ConsoleFor

ANNA: dict[str, Any] = {
    "name": "Анна Петрова",
    "addresses": {"email": "anna@example.com", "phone": "+79991234567", "telegram": "101"},
    "consents": {
        "marketing": {"email": {"state": "subscribed", "source": "checkout", "wording": "I agree"}}
    },
}


@pytest.fixture
async def anna(hub: Hub, api: Api) -> str:
    """The path of her card."""
    assert (await api.put("/v1/contacts/buyer-42", ANNA)).status == 201
    await api.put("/v1/contacts/buyer-43", {"name": "Борис Петров", "role": "seller"})
    id_ = await hub.db.fetchval("SELECT id FROM contact WHERE external_id = 'buyer-42'")
    return f"/people/{id_}"


@pytest.mark.parametrize("q", ["buyer-42", "anna@example.com", "89991234567", "анна", "Петрова А"])
async def test_somebody_is_found_by_id_address_and_name(
    console: Console, anna: str, q: str
) -> None:
    page = await console.get("/people", q=q)

    assert anna in page.html
    assert "Борис" not in page.text


async def test_a_name_that_many_have_finds_them_all(console: Console, anna: str) -> None:
    assert "Борис" in (await console.get("/people", q="петров")).text
    sellers = await console.get("/people", q="петров", role="seller")
    assert "Борис" in sellers.text
    assert anna not in sellers.html
    assert "Nobody was found" in (await console.get("/people", q="кузьма")).text
    # People there are; they have other roles.
    assert "Nobody has this role" in (await console.get("/people", role="admin")).text


async def test_everybody_is_listed_the_newest_first(hub: Hub, api: Api, console: Console) -> None:
    for number in range(52):
        await api.put(f"/v1/contacts/c-{number}", {"name": f"Nr {number:02}"})

    page = await console.get("/people")

    assert page.text.index("Nr 51") < page.text.index("Nr 02")
    assert "Nr 01" not in page.text
    assert "Nr 01" in (await console.get(page.links["Older →"])).text


async def test_nobody_sees_another_shops_people(console_for: ConsoleFor, anna: str) -> None:
    stranger = await console_for(Role.OWNER, shop="other")

    assert anna not in (await stranger.get("/people", q="buyer-42")).html
    assert anna not in (await stranger.get("/people")).html
    assert (await stranger.get(anna)).status == 404
    for act in ("write", "link", "consent", "lift", "export", "erase"):
        assert (await stranger.post(f"{anna}/{act}", channel="telegram")).status == 404, act


async def test_rights_are_kept_apart(console_for: ConsoleFor, anna: str) -> None:
    reader = await console_for(Role.READER)
    blind = await console_for(Role.OPERATOR, without=frozenset({Right.ADDRESSES}))
    sees = await console_for(Role.READER, "sees@shop.example", also=frozenset({Right.ADDRESSES}))

    for one in (reader, blind):
        card = await one.get(anna)
        assert card.status == 200
        for hidden in ("Петрова", "anna@", "1234567"):
            assert hidden not in card.html
        for tab in ("messages", "orders", "events", "consents"):
            assert "anna@" not in (await one.get(anna, tab=tab)).html
        assert (await one.post(f"{anna}/export")).status == 403
    for act in ("write", "link", "consent", "lift", "erase"):
        assert (await reader.post(f"{anna}/{act}")).status == 403, act
        assert (await sees.post(f"{anna}/{act}")).status == 403, act
    for act in ("link", "consent", "lift", "erase"):
        assert (await blind.post(f"{anna}/{act}")).status == 403, act
    assert "anna@example.com" in (await sees.get(anna)).text


async def test_the_card_tells_which_address_is_not_written_to_and_why(
    hub: Hub, console: Console, anna: str
) -> None:
    mail = digest("email", "anna@example.com")
    shop = hub.shop("main").id
    await suppressions.suppress(hub.db, shop, Channel.EMAIL, mail, "bounced", code="550")

    page = await console.get(anna)
    assert "E-mail: there is no such address 550" in page.text
    page = await console.send(page.form("/lift"))

    assert "This address may be written to again." in page.text
    assert "there is no such address" not in page.text
    assert not await suppressions.is_suppressed(hub.db, shop, Channel.EMAIL, mail)
    assert await _acts(hub) == ["suppression.lifted"]


async def _acts(hub: Hub) -> list[str]:
    rows = await hub.db.fetch("SELECT action FROM audit WHERE actor = 'operator' ORDER BY id")
    return [row["action"] for row in rows]


async def test_a_consent_is_changed_by_the_persons_word_with_its_proof(
    hub: Hub, api: Api, console: Console, anna: str
) -> None:
    page = await console.get(anna)
    page = await console.send(
        page.form("/consent"),
        channel=["email"],
        state="unsubscribed",
        source="by telephone",
        wording="Do you want our news?",
    )

    assert "Written down, with who said it and when." in page.text
    contact = (await api.get("/v1/contacts/buyer-42")).json
    assert contact["consents"]["marketing"] == {"email": "unsubscribed"}
    newest, first = (await api.get("/v1/contacts/buyer-42/consents")).json["items"]
    assert (newest["via"], newest["source"], newest["wording"]) == (
        "console",
        "by telephone",
        "Do you want our news?",
    )
    assert newest["key"] == "owner@shop.example"
    history = await console.get(anna, tab="consents")
    for line in (newest, first):
        assert line["proof"] in history.html
    assert "an operator: by telephone owner@shop.example" in history.text
    assert await _acts(hub) == ["consent.changed"]


async def test_the_backend_is_told_of_who_leaves(
    hub: Hub, api: Api, console: Console, anna: str
) -> None:
    hook = {"url": "https://shop.example/hook", "events": ["contact.unsubscribed"]}
    assert (await api.post("/v1/webhooks", hook)).status == 201

    for _ in range(2):
        said: Any = {"channel": "email", "state": "unsubscribed", "source": "desk"}
        await console.post(f"{anna}/consent", **said)

    [event] = await hub.db.fetch("SELECT body FROM event")
    assert orjson.loads(event["body"])["data"]["source"] == "console"


async def test_a_consent_needs_a_channel_and_where_it_was_said(
    api: Api, console: Console, anna: str
) -> None:
    lacking: list[Any] = [
        {"channel": "email", "state": "unsubscribed"},
        {"source": "desk", "state": "unsubscribed"},
        # She has no address there.
        {"channel": "max", "source": "desk", "state": "unsubscribed"},
    ]
    for said in lacking:
        assert "Choose the channels" in (await console.post(f"{anna}/consent", **said)).text
    assert (await console.post(f"{anna}/consent", channel="email", source="x")).status == 400
    contact = (await api.get("/v1/contacts/buyer-42")).json
    assert contact["consents"]["marketing"] == {"email": "subscribed"}


async def test_a_message_is_written_to_her(hub: Hub, api: Api, console: Console, anna: str) -> None:
    page = await console.get(f"{anna}/write")
    page = await console.send(page.form("/write"), text="  Hello!\nIt is here. ", channel=["email"])

    id_ = page.path.rpartition("/")[2]
    story = (await api.get(f"/v1/notifications/{id_}")).json
    assert [step["channel"] for step in story["plan"]] == ["email"]
    assert story["contact"] == "buyer-42"
    assert "Hello! It is here." in page.text
    assert await _acts(hub) == ["notification.sent"]
    empty = await console.post(f"{anna}/write", text=" ")
    assert empty.status == 422
    assert "Write something." in empty.text


async def test_a_messenger_is_bound_by_a_picture_a_link_or_a_code(
    hub: Hub, console: Console, anna: str
) -> None:
    page = await console.post(f"{anna}/link", channel="telegram")

    assert page.status == 200
    assert [tag for tag, given in page.tags if tag == "svg" and given.get("role") == "img"]
    assert "This channel is in the sandbox" in page.text
    assert await hub.db.fetchval("SELECT count(*) FROM contact_link") == 1
    assert await _acts(hub) == ["contact.link_created"]
    assert (await console.post(f"{anna}/link", channel="x")).status == 400
    assert (await console.post(f"{anna}/link", channel="email")).status == 400


async def test_all_that_is_held_on_her_is_a_file(hub: Hub, console: Console, anna: str) -> None:
    page = await console.post(f"{anna}/export")

    assert page.headers["Content-Disposition"] == 'attachment; filename="buyer-42.json"'
    assert page.headers["Cache-Control"] == "no-store"
    assert orjson.loads(page.html)["contact"]["addresses"]["email"] == "anna@example.com"
    assert await _acts(hub) == ["contact.exported"]


async def test_she_is_erased_only_when_her_id_was_typed(
    hub: Hub, api: Api, console: Console, anna: str
) -> None:
    form = (await console.get(f"{anna}/erase")).form("/erase")

    wrong = await console.send(form, typed="buyer-4")
    assert wrong.status == 422
    assert (await api.get("/v1/contacts/buyer-42")).status == 200
    page = await console.send(form, typed="buyer-42")

    assert "The person was erased." in page.text
    assert (await api.get("/v1/contacts/buyer-42")).status == 404
    assert (await console.get(anna)).status == 404
    assert await _acts(hub) == ["contact.erased"]


async def test_behind_the_tabs_is_what_else_is_known(api: Api, console: Console, anna: str) -> None:
    recipient = {"external_id": "buyer-42"}
    data = {"order": {"number": "1001"}}
    asked = {"template": "order.paid", "recipient": recipient, "data": data}
    id_ = (await api.post("/v1/notifications", asked)).json["id"]
    order = {
        "number": "77",
        "status": "placed",
        "buyer": recipient,
        "currency": "RUB",
        "total": "4990.00",
        "lines": [
            {"id": "1", "title": "Kettle", "quantity": 1, "seller": {"external_id": "buyer-43"}}
        ],
    }
    assert (await api.put("/v1/orders/o-77", order)).status == 201

    assert id_ in (await console.get(anna, tab="messages")).html
    orders = await console.get(anna, tab="orders")
    assert "№ 77" in orders.text
    assert "4,990" in orders.text
    assert "No events." in (await console.get(anna, tab="events")).text
    assert (await console.get(anna, tab="consents", before="x")).status == 200
    assert (await console.get(anna, tab="orders", before="x")).status == 200


async def test_who_is_known_by_an_address_only_has_a_card_without_acts(
    hub: Hub, api: Api, console: Console
) -> None:
    recipient = {"address": {"channel": "email", "value": "somebody@example.com"}}
    asked = {"content": {"text": "Hi"}, "recipient": recipient}
    await api.post("/v1/notifications", asked)
    id_ = await hub.db.fetchval("SELECT id FROM contact")

    page = await console.get(f"/people/{id_}")

    assert "Known by an address only" in page.text
    assert not [f.action for f in page.forms if f.action.endswith(("/export", "/consent"))]
    for act in ("link", "consent", "export", "erase"):
        assert (await console.post(f"/people/{id_}/{act}", channel="telegram")).status == 409
    # Not among the people, but to be found by a message.
    assert str(id_) not in (await console.get("/people", q="somebody@example.com")).html
    assert str(id_) in (await console.get("/messages", q="somebody@example.com")).html


async def test_every_page_is_there_in_russian(api: Api, console_for: ConsoleFor, anna: str) -> None:
    asked = {"content": {"text": "Привет"}, "recipient": {"external_id": "buyer-42"}}
    id_ = (await api.post("/v1/notifications", asked)).json["id"]
    russian = await console_for(Role.OWNER, locale="ru")

    pages = {
        "/people": "Кому магазин пишет",
        anna: "Новости и предложения",
        f"{anna}?tab=consents": "Отпечаток",
        f"{anna}?tab=messages": "Привет",
        f"{anna}/write": "Написать человеку",
        f"{anna}/erase": "Удалить навсегда",
        "/messages": "Что и кому ушло",
        f"/messages/{id_}": "Отправляется",
        f"/messages/{id_}/again": "Пойдёт так",
    }
    for path, words in pages.items():
        page = await russian.get(path)
        assert page.status == 200, path
        assert words in page.text, path
