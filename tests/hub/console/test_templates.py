"""The pages of templates: listed, looked at with an order's data, written, checked and stored."""

from collections.abc import Mapping
from typing import Any

import pytest

from hub.operators.model import Right, Role
from hub.resources import Hub
from tests.hub.api.client import Api
from tests.hub.console.client import Console
from tests.hub.console.conftest import ConsoleFor
from tests.hub.orders.conftest import Place, line, people, place

__all__ = ["people", "place"]

_SHIPPED = "/templates/order.shipped"
_SMS: Mapping[str, Any] = {"channel": "sms", "locale": "en", "audience": "buyer"}


async def _in_force(api: Api, channel: str) -> Any:
    found = (await api.get("/v1/templates/order.shipped")).json["sources"]
    return next((s for s in found if s["channel"] == channel and not s["built_in"]), None)


async def test_all_are_listed_with_those_they_speak_to(console: Console, api: Api) -> None:
    await api.put("/v1/templates/gift.wrapped/sms/en", {"text": "Wrapped"})
    await api.put("/v1/templates/order.shipped/sms/en", {"text": "It is on its way"})

    page = await console.get("/templates")

    assert page.links["Order shipped"].endswith("/templates/order.shipped")
    assert "gift.wrapped" in page.links
    assert "The shop's templates" in page.text
    assert "Buyer · 1 of your own" in page.links
    assert page.text.index("Order placed") < page.text.index("Order shipped")
    assert "Templates" in page.links


async def test_a_built_in_one_is_shown_as_it_is_sent(console: Console) -> None:
    sms = await console.get(_SHIPPED, **_SMS)
    mail = await console.get(_SHIPPED, channel="email", locale="en")
    [letter, _] = [str(a["src"]) for t, a in mail.tags if t == "iframe"]
    framed = await console.get(letter)

    assert "Order 1001" in sms.text
    assert "Parts: 1" in sms.text
    assert not [form for form in sms.forms if form.action.endswith("/save")]
    assert "Чайник" in framed.text
    assert "sandbox" in framed.headers["Content-Security-Policy"]
    assert "script-src" not in framed.headers["Content-Security-Policy"]


async def test_an_own_text_begins_with_the_built_in_words_and_takes_its_place(
    console: Console, api: Api, hub: Hub
) -> None:
    page = await console.get((await console.get(_SHIPPED, **_SMS)).links["Write your own"])
    form = page.form("/save")
    assert "{{ order.number }}" in dict(form.fields)["text"]

    done = await console.send(form, text="Parcel {{ order.number }} left")

    assert "Stored, and in force already" in done.text
    assert "Parcel 1001 left" in done.text
    assert (await _in_force(api, "sms"))["text"] == "Parcel {{ order.number }} left"
    [row] = await hub.db.fetch("SELECT actor, actor_name FROM audit WHERE action LIKE 'template%'")
    assert tuple(row) == ("operator", "owner@shop.example")

    back = await console.send(done.form("/remove"))

    assert "taken back" in back.text
    assert await _in_force(api, "sms") is None


async def test_a_fault_is_shown_at_its_line_and_nothing_is_stored(
    console: Console, api: Api
) -> None:
    page = await console.get(_SHIPPED, **_SMS, edit=1)
    text = "Hello\n\n{% if order.number %}\nno end"

    wrong = await console.send(page.form("/save"), text=text)

    assert wrong.status == 422
    assert "Not stored" in wrong.text
    assert len([a for t, a in wrong.tags if t == "li" and a.get("class") == "wrong"]) == 1
    assert dict(wrong.form("/save").fields)["text"] == text
    assert await _in_force(api, "sms") is None


@pytest.mark.parametrize(
    ("channel", "fields", "marked"),
    [
        ("sms", {"text": "One\nTwo {{ contact.shoe }}"}, "Two {{ contact.shoe }}"),
        ("sms", {"text": "One\n{{ order.number|shout }}"}, "{{ order.number|shout }}"),
        ("telegram", {"text": "a", "html": "<b>a</b>\n<div>b</div>"}, "<div>b</div>"),
        ("email", {"subject": "", "text": "a"}, ""),
    ],
)
async def test_what_is_wrong_is_said_as_the_api_says_it_and_has_its_line(
    console: Console, api: Api, channel: str, fields: dict[str, Any], marked: str
) -> None:
    page = await console.get(_SHIPPED, channel=channel, locale="en", edit=1)
    told = await api.put(f"/v1/templates/order.shipped/{channel}/en", dict(fields))

    wrong = await console.send(page.form("/save"), **fields)

    assert wrong.status == 422
    shown = wrong.text.partition("How it looks")[2]
    told_text = told.json["errors"][0]["detail"]
    assert (told_text.partition(": ")[2] or told_text).removesuffix(f" for {channel}") in shown
    assert marked in shown


async def test_the_preview_is_a_part_of_the_page_and_stores_nothing(
    console: Console, hub: Hub
) -> None:
    page = await console.get(_SHIPPED, channel="telegram", locale="en", edit=1)
    query = page.form("/save").action.partition("?")[2]

    part = await console.post(
        f"{_SHIPPED}/preview?{query}&part=preview",
        htmx=True,
        text="x",
        html="<b>{{ order.number }}</b> <a href='https://shop.example'>x</a> &lt;script&gt;",
    )

    assert part.html.lstrip().startswith('<div id="preview"')
    assert "<strong>1001</strong>" in part.html
    assert '<a href="https://shop.example"' in part.html
    assert "<script" not in part.html
    assert not await hub.db.fetchval("SELECT count(*) FROM template_version")


async def test_a_letter_that_is_being_written_is_framed(console: Console) -> None:
    page = await console.get(_SHIPPED, channel="email", locale="en", edit=1)
    [phone, wide] = page.with_attribute("data-action")
    assert "sandbox" in phone
    assert "sandbox" in wide

    framed = await console.post(
        str(phone["data-action"]), subject="S", html="<h1 onclick='x()'>No {{ order.number }}</h1>"
    )

    assert "No 1001" in framed.text
    assert "default-src 'none'" in framed.headers["Content-Security-Policy"]
    assert (await console.post(str(phone["data-action"]), csrf="wrong")).status == 403


async def test_an_orders_data_fills_it(
    console: Console, console_for: ConsoleFor, place: Place
) -> None:
    await place(line("1"))
    hidden = await console_for(Role.OPERATOR, without=frozenset({Right.ADDRESSES}))

    seen = await console.get(f"{_SHIPPED}/letter", channel="email", locale="en", order="1001")
    there = await console.get(_SHIPPED, **_SMS, order="1001")
    none = await console.get(_SHIPPED, **_SMS, order="777")
    masked = await hidden.get(f"{_SHIPPED}/letter", channel="email", locale="en", order="1001")

    assert "Чайник 1" in seen.text
    assert "Анна" in seen.text
    assert "with the data of order 1001" in there.text
    assert "There is no order 777" in none.text
    assert "Лесная, 5" not in masked.text


async def test_two_do_not_write_over_each_other(console: Console, api: Api) -> None:
    page = await console.get(_SHIPPED, **_SMS, edit=1)
    await api.put("/v1/templates/order.shipped/sms/en", {"text": "Somebody else's"})

    late = await console.send(page.form("/save"), text="Mine")

    assert late.status == 409
    assert "While you were writing" in late.text
    assert (await _in_force(api, "sms"))["text"] == "Somebody else's"

    await console.send(late.form("/save"))

    assert (await _in_force(api, "sms"))["text"] == "Mine"


async def test_a_template_of_the_shops_own_is_begun_and_gone_with_its_last_text(
    console: Console, api: Api
) -> None:
    wrong = await console.get("/templates/-/new", name="Gift!", category="marketing")
    page = await console.get("/templates/-/new", name="gift.wrapped", category="marketing")
    sms = await console.get("/templates/gift.wrapped", **_SMS, new="marketing")

    assert wrong.status == 422
    assert "Small letters" in wrong.text
    assert page.path.endswith("/templates/gift.wrapped")
    done = await console.send(sms.form("/save"), text="Wrapped for {{ contact.name }}")
    stored = (await api.get("/v1/templates/gift.wrapped")).json
    assert stored["category"] == "marketing"
    gone = await console.send(done.form("/remove"))
    assert gone.path.endswith("/templates")
    assert (await api.get("/v1/templates/gift.wrapped")).status == 404


async def test_only_those_who_may(console_for: ConsoleFor) -> None:
    reader = await console_for(Role.READER)
    operator = await console_for(Role.OPERATOR)

    assert (await reader.get("/templates")).status == 403
    assert (await reader.post(f"{_SHIPPED}/save?channel=sms", text="x")).status == 403
    assert (await operator.get("/templates")).status == 200
    assert (await operator.get("/templates/none.such")).status == 404


async def test_in_russian(console_for: ConsoleFor) -> None:
    russian = await console_for(Role.OWNER, locale="ru")

    listed = await russian.get("/templates")
    page = await russian.get(_SHIPPED)

    assert "Заказ отправлен" in listed.links
    assert "Написать свой" in page.links
    assert "Как это выглядит" in page.text


async def _store(api: Api, *texts: str) -> None:
    for text in texts:
        done = await api.put("/v1/templates/order.shipped/sms/en", {"text": text})
        assert done.status == 200


async def test_versions_are_kept_compared_and_put_back(console: Console, api: Api) -> None:
    await _store(api, "One\nsame", "Two\nsame", "Three\nsame")

    page = await console.get(_SHIPPED, **_SMS)
    second = await console.get(page.links["Version 2"])
    beside = await console.get(second.links["Against the one in force"])
    back = await console.send(beside.form("/restore"))

    assert "- One" in second.text
    assert "+ Two" in second.text
    assert "- same" not in second.text
    assert "- Three" in beside.text
    assert "+ Two" in beside.text
    assert "That version is in force again" in back.text
    assert (await _in_force(api, "sms"))["text"] == "Two\nsame"
    assert "Version 4" in back.links
    assert "owner@shop.example" in back.text


async def test_a_version_that_took_the_text_back_is_told_and_nothing_to_put_back(
    console: Console, api: Api
) -> None:
    await _store(api, "One")
    await api.delete("/v1/templates/order.shipped/sms/en")

    page = await console.get(_SHIPPED, **_SMS)
    gone = await console.get(page.links["Version 2"])

    assert "back to the built-in text" in page.text
    assert not [form for form in gone.forms if "/restore" in form.action]
    assert (await console.get(f"{_SHIPPED}/versions/1", **_SMS)).status == 200
    assert (await console.get(f"{_SHIPPED}/versions/9", **_SMS)).status == 404
    assert (await console.get(f"{_SHIPPED}/versions/x", **_SMS)).status == 404
    query = page.links["Version 2"].partition("?")[2]
    assert (await console.post(f"{_SHIPPED}/versions/2/restore?{query}")).status == 404


async def test_a_version_is_markup_to_nobody(console: Console, api: Api) -> None:
    await _store(api, "<script>alert(1)</script>")

    page = await console.get(f"{_SHIPPED}/versions/1", **_SMS)

    assert "<script>alert" not in page.html
    assert "<script>alert(1)</script>" in page.text


async def test_a_test_goes_out_as_it_is_being_written(console: Console, hub: Hub, api: Api) -> None:
    page = await console.get(_SHIPPED, **_SMS, edit=1)
    form = page.form("/save")
    url = form.action.replace("/save", "/test")
    fields: dict[str, Any] = dict(form.fields) | {"text": "Parcel {{ order.number }} left"}

    sent = await console.post(url, **fields, kind="address", to="+79991234567")
    nobody = await console.post(url, **fields, kind="address", to=" ")
    wrong = await console.post(url, **fields, kind="address", to="12")
    stranger = await console.post(url, **fields, kind="contact", to="who")
    faulty = await console.post(url, **(fields | {"text": "{{"}), kind="address", to="+79991234567")

    assert "Say whom" in nobody.text
    assert "Not sent:" in wrong.text
    assert "there is no such person" in stranger.text
    assert "something is wrong with the text" in faulty.text
    assert not await hub.db.fetchval("SELECT count(*) FROM contact WHERE external_id = 'who'")
    [row] = await hub.db.fetch("SELECT content, template FROM notification")
    assert row["template"] is None
    assert row["content"]["text"] == "Parcel 1001 left"
    assert "Sent." in sent.text
    assert (await console.get(sent.links["What became of it"])).status == 200
    assert await hub.db.fetchval("SELECT count(*) FROM audit WHERE action = 'notification.sent'")
    assert dict(sent.form("/save").fields)["text"] == fields["text"]
    assert await _in_force(api, "sms") is None


async def test_a_test_is_sent_by_those_only_who_may_send(console_for: ConsoleFor) -> None:
    silent = await console_for(Role.OPERATOR, without=frozenset({Right.SEND}))

    page = await silent.get(_SHIPPED, **_SMS)

    assert "Send it to yourself" not in page.text
    assert (await silent.post(f"{_SHIPPED}/test?channel=sms", to="+79991234567")).status == 403


async def test_mistakes_are_said_in_the_operators_language(console_for: ConsoleFor) -> None:
    russian = await console_for(Role.OWNER, locale="ru")
    form = (await russian.get(_SHIPPED, **_SMS, edit=1)).form("/save")
    said = {
        "a\n{% if order.number %}": "строка 2",
        "{{ order.number|shout }}": "нет фильтра shout",
        "{{ contact.shoe }}": "такого хаб не знает",
        "": "нельзя оставить пустым",
    }

    for text, words in said.items():
        assert words in (await russian.send(form, text=text)).text, text


async def test_the_list_of_versions_goes_on(console: Console, api: Api) -> None:
    await _store(api, *(f"Text {number}" for number in range(22)))

    first = await console.get(_SHIPPED, **_SMS)
    second = await console.get(first.links["Older →"])

    assert "Version 22" in first.links
    assert "Version 2" not in first.links
    assert [text for text in second.links if text.startswith("Version")] == [
        "Version 2",
        "Version 1",
    ]
    assert "← Newest" in second.links
    stored = await console.send(second.form("/save"), text="From there")
    assert "Stored, and in force already" in stored.text
