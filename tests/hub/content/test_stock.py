"""What the people at the shelf are told, each message good by itself."""

from itertools import product

import pytest

from channels.base import Channel
from channels.sms.parts import parts
from hub.content.catalog import ANSWERS, Catalog
from hub.content.model import Audience, WrongValue
from hub.content.variables import EXAMPLE, LINKS
from tests.hub.content.conftest import Render

ASKING = list(ANSWERS)
LINK = str(LINKS["answer"])
LEAST = {"order": {"number": "1001"}}


@pytest.mark.parametrize(
    ("name", "readers"),
    [
        ("stock.request", "swa"),
        ("stock.reminder", "swa"),
        ("stock.escalated", "sa"),
        ("stock.cancelled", "swa"),
        ("stock.put_back", "sw"),
        ("order.assemble", "sw"),
        ("order.reassemble", "sw"),
    ],
)
def test_each_has_its_readers_and_needs_the_number_alone(
    built_in: Catalog, name: str, readers: str
) -> None:
    template = built_in.find(1, name)
    assert template is not None
    info = template.info()

    assert "".join(a[0] for a in info.audience) == readers
    assert [v.name for v in info.variables if v.required] == ["order.number"]


@pytest.mark.parametrize("channel", [c for c in Channel if c is not Channel.PUSH])
@pytest.mark.parametrize("name", ASKING)
def test_whatever_asks_carries_the_link_once(render: Render, name: str, channel: Channel) -> None:
    message = render(name, channel, "seller", data=LEAST)

    assert message.text.count(LINK) == 1
    assert not message.html or message.html.count(LINK) == 1


def test_what_asks_nothing_carries_none(render: Render) -> None:
    for name, channel in product(("stock.cancelled", "stock.put_back"), Channel):
        message = render(name, channel, "warehouse")

        assert LINK not in message.text + message.html


@pytest.mark.parametrize("name", ASKING)
@pytest.mark.parametrize("locale", ["ru", "en"])
def test_without_a_link_the_sms_still_is_a_sentence(
    built_in: Catalog, render: Render, name: str, locale: str
) -> None:
    template = built_in.find(1, name)
    assert template is not None
    for audience in template.info().audience:
        text = render(name, "sms", audience, data=LEAST, locale=locale, links={}).text

        assert not text.endswith(":")
        assert "http" not in text


@pytest.mark.parametrize("locale", ["ru", "en"])
@pytest.mark.parametrize("number", ["1001", "ORD-20261123"])
def test_with_its_link_every_sms_is_one_part(
    built_in: Catalog, render: Render, number: str, locale: str
) -> None:
    for name in ASKING:
        template = built_in.find(1, name)
        assert template is not None
        for audience in template.info().audience:
            data = {**EXAMPLE, "order": {"number": number}}
            text = render(name, "sms", audience, data=data, locale=locale).text

            assert LINK in text
            assert parts(text).count == 1, (name, audience, text)


def test_the_time_comes_along_where_it_costs_no_second_part(render: Render) -> None:
    assert render("stock.reminder", "sms", "warehouse").text.endswith(" до 12:40")
    assert render("stock.request", "sms", "warehouse", locale="en").text.endswith(" by 12:40 PM")


def test_the_deadline_is_on_the_readers_clock(render: Render) -> None:
    here, there = (
        " ".join(render("stock.request", "email", "warehouse", timezone=zone).text.split())
        for zone in ("Europe/Moscow", "Asia/Novosibirsk")
    )

    assert "до 1 декабря 2026 г., 12:40" in here
    assert "до 1 декабря 2026 г., 16:40" in there


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("cancelled", "заказ отменён"),
        ("changed", "заказ изменился"),
        ("decided", "решение уже принято"),
        (None, "решение уже принято"),
    ],
)
def test_a_withdrawn_question_says_why(render: Render, reason: str | None, said: str) -> None:
    data = {**LEAST, "stock": {"reason": reason}}

    assert said in render("stock.cancelled", "vk", "warehouse", data=data).text


@pytest.mark.parametrize(
    ("reason", "put_back"), [("cancelled", True), ("changed", True), ("decided", False)]
)
@pytest.mark.parametrize(("locale", "words"), [("ru", "верните их"), ("en", "put them back")])
def test_only_what_is_not_wanted_any_more_is_put_back(
    render: Render, reason: str, put_back: bool, locale: str, words: str
) -> None:
    data = {**LEAST, "stock": {"reason": reason}}

    for audience in ("seller", "warehouse"):
        text = render("stock.cancelled", "email", audience, data=data, locale=locale).text

        assert (words in text) is put_back


@pytest.mark.parametrize(("locale", "words"), [("ru", "оплат"), ("en", "pay")])
@pytest.mark.parametrize("channel", ["email", "sms", "push"])
def test_no_question_claims_that_the_order_is_not_paid(
    built_in: Catalog, render: Render, locale: str, words: str, channel: str
) -> None:
    """Goods that come to a paid order are asked for, too."""
    for name in ("stock.request", "stock.reminder", "stock.escalated"):
        template = built_in.find(1, name)
        assert template is not None
        for audience in template.info().audience:
            assert words not in render(name, channel, audience, locale=locale).text.lower()


@pytest.mark.parametrize(("locale", "warehouse"), [("ru", "склад"), ("en", "warehouse")])
def test_where_there_is_no_warehouse_none_was_silent(
    render: Render, locale: str, warehouse: str
) -> None:
    for channel in ("email", "sms"):
        with_one = render("stock.escalated", channel, "seller", locale=locale)
        without = render("stock.escalated", channel, "seller", locale=locale, data=LEAST)

        assert warehouse in (with_one.subject + with_one.text).lower()
        assert warehouse not in (without.subject + without.text).lower()


@pytest.mark.parametrize(("locale", "seller"), [("ru", "ни продавец"), ("en", "nor the seller")])
def test_admins_are_not_told_that_the_seller_was_asked(
    render: Render, locale: str, seller: str
) -> None:
    """With `escalate_to = "admin"` nobody asks him."""
    assert seller not in render("stock.escalated", "email", "admin", locale=locale).text


def test_a_reminder_shows_what_was_answered_already(render: Render) -> None:
    lines = [
        {"title": "Чайник", "sku": "A-1", "quantity": 2, "confirmed": 1},
        {"title": "Чай", "sku": "B-7", "quantity": 1},
    ]
    data = {"order": {"number": "1001", "lines": lines}}

    text = render("stock.reminder", "max", "warehouse", data=data).text

    assert "Чайник (A-1), 1 шт. – в наличии 1 из 2" in text
    assert "Чай (B-7), 1 шт." in text


@pytest.mark.parametrize(
    ("locale", "said"),
    [
        ("ru", "Чайник: было 3, теперь 1; Чай: убрать, было 2; Блюдце: добавить 4."),
        ("en", "Чайник: before 3, now 1; Чай: take out, before 2; Блюдце: put in 4."),
    ],
)
def test_whoever_packs_anew_reads_what_has_changed(render: Render, locale: str, said: str) -> None:
    changes = [
        {"title": "Чайник", "was": 3, "now": 1},
        {"title": "Чай", "was": 2, "now": 0},
        {"title": "Блюдце", "was": 0, "now": 4},
    ]
    data = {**LEAST, "stock": {"changes": changes}}

    text = render("order.reassemble", "email", "warehouse", data=data, locale=locale).text

    assert said in " ".join(text.split())


def test_labels_are_offered_with_the_task(render: Render) -> None:
    assert "labels/1001.pdf" in render("order.assemble", "email", "warehouse").html


def test_a_deadline_that_is_none_is_named(render: Render) -> None:
    data = {**LEAST, "stock": {"deadline": "soon"}}

    with pytest.raises(WrongValue, match=r"stock\.deadline"):
        render("stock.request", "email", Audience.WAREHOUSE, data=data)
