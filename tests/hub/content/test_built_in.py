"""The built-in messages as their readers get them."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from channels.base import Category, Channel
from hub.content.catalog import Catalog, NoVariant
from hub.content.model import WITH_HTML, Audience, MissingVariable, WrongValue
from hub.content.variables import EXAMPLE, ORDER
from tests.hub.content.conftest import Render

STATUSES = [
    "placed",
    "awaiting_stock",
    "confirmed",
    "partially_confirmed",
    "rejected",
    "paid",
    "assembled",
    "shipped",
    "in_city",
    "at_pickup_point",
    "delivered",
    "returned",
    "cancelled",
]
LEAST = {"order": {"number": "1001"}}
HOSTILE = "<b>&\"'</b><script>alert(1)</script>{{ 7*7 }}"


def variants(built_in: Catalog) -> list[tuple[str, Audience]]:
    found = (built_in.find(1, name) for name in built_in.names(1))
    return [(t.name, audience) for t in found if t for audience in t.info().audience]


def data_of(name: str, least: bool = False) -> dict[str, Any]:
    if least:
        return {"code": "482915"} if name == "security.code" else LEAST
    return dict(EXAMPLE)


def test_every_status_has_a_template_for_the_buyer_in_both_languages(built_in: Catalog) -> None:
    for status in STATUSES:
        template = built_in.find(1, f"order.{status}")
        assert template is not None
        info = template.info()

        assert Audience.BUYER in info.audience
        assert info.category is Category.TRANSACTIONAL
        assert info.languages == ("en", "ru")
        assert set(info.channels) == set(Channel)
        assert [v.name for v in info.variables if v.required] == ["order.number"]


def test_every_status_has_something_for_every_reader(built_in: Catalog) -> None:
    """So that a shop can switch any of them on without writing a text."""
    for status in STATUSES:
        template = built_in.find(1, f"order.{status}")
        assert template is not None

        assert template.info().audience == tuple(Audience), status


@pytest.mark.parametrize("locale", ["ru", "en"])
def test_each_reader_of_a_status_is_told_in_words_of_his_own(render: Render, locale: str) -> None:
    """Only at the end of the chain do two of them need to know the same."""
    alike = []
    for status in STATUSES:
        letters = [
            render(f"order.{status}", "email", audience, data=LEAST, locale=locale, links={})
            for audience in Audience
        ]
        said = [letter.text.partition("\n\n")[2] for letter in letters]
        assert said[0] not in said[1:], status
        if len(set(said)) < len(said):
            alike.append(status)

    assert set(alike) <= {"in_city", "at_pickup_point", "delivered"}


def test_only_the_buyer_reads_his_address_and_the_shelf_no_sums(render: Render) -> None:
    for status in STATUSES:
        for channel in ("email", "telegram", "sms"):
            seller, warehouse = (
                render(f"order.{status}", channel, a).text for a in ("seller", "warehouse")
            )
            assert "Лесная" not in seller + warehouse, (status, channel)
            assert "₽" not in warehouse, (status, channel)


@pytest.mark.parametrize("locale", ["ru", "en"])
@pytest.mark.parametrize("least", [True, False], ids=["least", "all"])
@pytest.mark.parametrize("channel", list(Channel))
def test_every_message_renders_with_the_least_data_and_with_all(
    built_in: Catalog, render: Render, channel: Channel, least: bool, locale: str
) -> None:
    for name, audience in variants(built_in):
        data = data_of(name, least)
        message = render(name, channel, audience, data=data, locale=locale, contact=None)

        known = "482915" if name == "security.code" else "1001"
        if not name.startswith("cart."):
            assert known in message.text + message.subject, (name, audience)
        assert message.text.strip() == message.text != ""
        assert "None" not in message.text + message.html
        assert not re.search(r"\n{3,}|[ \t]\n| [.,]|\{", message.text), (name, message.text)
        assert bool(message.subject) == (channel in (Channel.EMAIL, Channel.PUSH))
        assert bool(message.html) == (channel in WITH_HTML)


@pytest.mark.parametrize("locale", ["ru", "en"])
def test_no_russian_word_slips_into_english_and_the_other_way_round(
    built_in: Catalog, render: Render, locale: str
) -> None:
    foreign = re.compile("[а-яё]" if locale == "en" else "[a-z]", re.IGNORECASE)
    for name, audience in variants(built_in):
        message = render(
            name, "vk", audience, data=data_of(name, True), locale=locale, shop={}, links={}
        )

        assert not foreign.search(message.text), message.text


def test_a_letter_shows_goods_sums_and_where_it_goes(render: Render) -> None:
    letter = render("order.shipped")

    for shown in ("Чайник", "2 шт.", "3 980 ₽", "4 990 ₽", "RA123456789RU", "Самовывоз", "Лесная"):
        assert shown in letter.html.replace("\xa0", " ")
        assert shown in letter.text.replace("\xa0", " ")
    assert letter.subject == "Заказ 1001 отправлен"
    assert "Здравствуйте, Анна!" in letter.html
    assert "Ромашка" in letter.html


def test_letters_are_complete_pages_for_light_and_dark(render: Render) -> None:
    html = render("order.shipped").html

    assert html.lstrip().startswith("<!doctype html>")
    assert '<html lang="ru">' in html
    assert '<meta name="color-scheme" content="light dark">' in html
    assert "prefers-color-scheme: dark" in html
    assert "max-width: 620px" in html
    assert "<img" not in html


class Balance(HTMLParser):
    """Counts what is opened and not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.found.add(tag)
        if tag not in ("meta", "br"):
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag


@pytest.mark.parametrize("channel", ["email", "telegram", "max"])
def test_tags_are_balanced_and_messengers_get_their_own_only(
    built_in: Catalog, render: Render, channel: str
) -> None:
    for name, audience in variants(built_in):
        parser = Balance()
        parser.feed(render(name, channel, audience).html)

        assert parser.stack == []
        if channel != "email":
            assert "b" in parser.found
            assert parser.found <= {"b", "code", "a"}


def test_readers_letters_differ_in_looks_and_in_what_they_tell(render: Render) -> None:
    buyer, seller, warehouse, admin = (
        render("order.cancelled", "email", audience).html for audience in Audience
    )

    colours = ["#0f766e", "#1d4ed8", "#b45309"]
    for html, colour in zip((buyer, seller, warehouse), colours, strict=True):
        assert colour in html
    assert "Для продавца" in seller
    assert "Для склада" in warehouse
    assert "Для администратора" in admin
    # A storekeeper needs the shelf mark and not the price; nor does the seller need the buyer's address.
    assert "A-1" in warehouse
    assert "₽" not in warehouse
    assert "Лесная" not in seller + warehouse
    assert "Лесная" in admin


def test_labels_are_offered_to_those_who_pack_when_it_is_time(render: Render) -> None:
    labels = str(ORDER["labels_url"])

    assert labels in render("order.assembled", "email", "warehouse").html
    assert labels in render("order.paid", "telegram", "seller").html
    assert labels not in render("order.assembled", "email", "buyer").html
    assert labels not in render("order.cancelled", "email", "warehouse").html


@pytest.mark.parametrize("channel", ["email", "telegram", "max"])
def test_html_in_data_is_shown_and_not_run(render: Render, channel: str) -> None:
    order = {
        **ORDER,
        "number": HOSTILE,
        "lines": [{"title": HOSTILE, "sku": HOSTILE, "quantity": 1}],
    }
    order |= {"reason": HOSTILE, "delivery": {"address": HOSTILE, "method": HOSTILE}}

    message = render(
        "order.cancelled", channel, "admin", data={"order": order}, shop={"name": HOSTILE}
    )

    assert "<script" not in message.html
    assert "&lt;script&gt;" in message.html
    assert "{{ 7*7 }}" in message.html
    assert "<script>" in message.text


def test_html_in_a_name_is_shown_and_not_run(render: Render) -> None:
    letter = render(
        "order.shipped", contact={"name": HOSTILE}, links={"preferences": 'https://x/"><b>'}
    )

    assert "<script" not in letter.html
    assert 'https://x/"' not in letter.html


@pytest.mark.parametrize("channel", list(Channel))
@pytest.mark.parametrize(
    ("data", "path", "pointer"),
    [
        ({}, "order.number", "/data/order/number"),
        ({"order": {}}, "order.number", "/data/order/number"),
        ({"order": {"number": None}}, "order.number", "/data/order/number"),
        ({"order": None}, "order.number", "/data/order/number"),
        (
            {"order": {"number": "1", "lines": [{"title": "a"}, {"quantity": 1}]}},
            "order.lines[1].title",
            "/data/order/lines/1/title",
        ),
    ],
)
def test_what_is_missing_is_named(
    render: Render, channel: Channel, data: Any, path: str, pointer: str
) -> None:
    with pytest.raises(MissingVariable, match=re.escape(path)) as caught:
        render("order.shipped", channel, data=data)

    assert caught.value.path == path
    assert caught.value.pointer == pointer


@pytest.mark.parametrize("channel", list(Channel))
@pytest.mark.parametrize(
    ("name", "value", "path"),
    [
        ("lines", "abc", "order.lines"),
        ("lines", {"title": "a"}, "order.lines"),
        ("lines", [1], "order.lines[0]"),
        ("lines", [{"title": ["a"]}], "order.lines[0].title"),
        ("lines", [{"title": "a", "quantity": "many"}], "order.lines[0].quantity"),
        ("lines", [{"title": "a", "price": {}}], "order.lines[0].price"),
        ("lines", [{"title": "a", "confirmed": True}], "order.lines[0].confirmed"),
        ("total", "a lot", "order.total"),
        ("total", [], "order.total"),
        ("currency", {}, "order.currency"),
        ("tracking", {}, "order.tracking"),
        ("delivery", "by hand", "order.delivery"),
        ("delivery", {"address": []}, "order.delivery.address"),
        ("number", {"a": 1}, "order.number"),
        ("number", True, "order.number"),
        ("url", "javascript:alert(1)", "order.url"),
    ],
)
def test_a_value_of_a_wrong_kind_is_named(
    render: Render, channel: Channel, name: str, value: Any, path: str
) -> None:
    with pytest.raises(WrongValue) as caught:
        render("order.shipped", channel, data={"order": {"number": "1", "total": "1", name: value}})

    assert caught.value.path == path


def test_an_unknown_currency_is_named(render: Render) -> None:
    with pytest.raises(WrongValue, match=r"order\.currency"):
        render("order.shipped", data={"order": {"number": "1", "total": "1", "currency": "rubles"}})


def test_what_is_not_given_leaves_no_trace(render: Render) -> None:
    letter = render("order.shipped", data=LEAST, contact=None, links={})

    for word in ("Итого", "Трек-номер", "Состав", "Здравствуйте", "Настроить", "<a "):
        assert word not in letter.html


def test_lines_may_lack_everything_but_a_title(render: Render) -> None:
    order = {"number": "1", "lines": [{"title": "Чайник"}, {"sku": "B-7"}]}

    letter = render("order.shipped", data={"order": order})

    assert "Чайник" in letter.html
    assert "B-7" in letter.html
    assert "₽" not in letter.html


def test_a_date_may_be_written_by_hand(render: Render) -> None:
    by_hand = {"order": {"number": "1", "delivery": {"date": "завтра после шести"}}}

    assert "завтра после шести" in render("order.shipped", data=by_hand).text


def test_of_a_partly_confirmed_order_only_what_is_there_is_to_be_paid(render: Render) -> None:
    first, second = ORDER["lines"]
    lines = [{**first, "confirmed": 1}, {**second, "confirmed": 0}]
    order = {"number": "1", "lines": lines, "total": "5290.00"}

    text = render("order.partially_confirmed", data={"order": order}).text.replace("\xa0", " ")

    assert "Чайник, 1 шт.: 1 990 ₽ – в наличии 1 из 2" in text
    assert "Чай чёрный, 1 шт. – нет в наличии" in text
    # 5290 with 300 for the delivery, less one kettle and the tea.
    assert "Итого: 2 290 ₽" in text


@pytest.mark.parametrize("total", ["1990.00", "3582.00"])
def test_a_total_below_that_of_the_goods_is_not_shown_where_some_are_missing(
    render: Render, total: str
) -> None:
    """It may be brought down by a coupon, or for the missing goods already."""
    lines = [{"title": "Чайник", "quantity": 2, "price": "1990", "confirmed": 1}]
    order = {"number": "1", "lines": lines, "total": total}

    assert "Итого" not in render("order.partially_confirmed", data={"order": order}).text
    sms = render("order.partially_confirmed", "sms", data={"order": order}).text
    assert "Сумма" not in sms


def test_with_a_coupon_all_that_is_there_costs_what_the_shop_says(render: Render) -> None:
    lines = [{"title": "Чайник", "quantity": 2, "price": "1990", "confirmed": 2}]
    order = {"number": "1", "lines": lines, "total": "3582.00"}

    text = render("order.confirmed", data={"order": order}).text.replace("\xa0", " ")

    assert "Итого: 3 582 ₽" in text


def test_a_total_that_nobody_can_work_out_is_not_shown(render: Render) -> None:
    lines = [{"title": "Чайник", "quantity": 2, "confirmed": 1}]
    order = {"number": "1", "lines": lines, "total": "4990.00"}

    assert "Итого" not in render("order.partially_confirmed", data={"order": order}).text


def test_marketing_can_be_left_by_a_link_and_order_letters_cannot(render: Render) -> None:
    link = "https://hub.example/u/example"

    assert link in render("cart.abandoned", "email").html
    assert link in render("cart.abandoned", "email").text
    assert link in render("cart.abandoned", "telegram").html
    assert link in render("cart.abandoned", "vk").text
    assert link not in render("order.shipped", "email").html
    assert "https://hub.example/p/example" in render("order.shipped", "email").html


def test_a_forgotten_cart_counts_its_goods_correctly(render: Render) -> None:
    def text(count: int) -> str:
        lines = [{"title": f"Товар {i}"} for i in range(count)]
        return render("cart.abandoned", data={"cart": {"lines": lines}}).text

    assert "1 товар ждёт вас" in text(1)
    assert "3 товара ждут вас" in text(3)
    assert "5 товаров ждут вас" in text(5)


def test_a_code_comes_first_and_has_no_link(render: Render) -> None:
    for channel in Channel:
        message = render("security.code", channel, data={"code": "482915", "minutes": 5})
        assert "http" not in message.text + message.html

    assert render("security.code", "push").subject.startswith("482915")
    assert render("security.code", "sms").text.startswith("482915")


def test_a_code_is_needed(render: Render) -> None:
    for channel in Channel:
        with pytest.raises(MissingVariable, match="code"):
            render("security.code", channel, data={})


@pytest.mark.parametrize("channel", [Channel.TELEGRAM, Channel.VK, Channel.MAX, Channel.VIBER])
def test_a_long_list_of_goods_is_cut_to_what_the_platform_takes(
    render: Render, channel: Channel
) -> None:
    limit = {Channel.MAX: 4000, Channel.VIBER: 1000}.get(channel, 4096)
    lines = [{"title": f"Товар {i} & " + "я" * 150, "quantity": 1} for i in range(90)]

    message = render("order.placed", channel, data={"order": {"number": "1001", "lines": lines}})

    seen = re.sub("<[^>]*>", "", message.html or message.text).replace("&amp;", "&")
    assert len(seen) <= limit
    shown = seen.count("Товар ")
    assert shown > 2
    assert f"…и ещё {90 - shown} " in seen


def test_what_fits_nowhere_is_refused(render: Render) -> None:
    with pytest.raises(WrongValue, match="longer than the 4096 telegram takes"):
        render("order.shipped", "telegram", data={"order": {"number": "1" * 5000}})


def test_a_push_stays_short(render: Render) -> None:
    message = render("order.at_pickup_point", "push", data={"order": {
        "number": "1", "delivery": {"address": "ул. Лесная " * 60}}})  # fmt: skip

    assert len(message.subject) <= 80
    assert len(message.text) <= 240


def test_the_readers_clock_and_language_count(render: Render) -> None:
    order = {"number": "1", "delivery": {"date": "2026-12-01T23:30:00+03:00"}}

    def text(locale: str, timezone: str) -> str:
        return render("order.shipped", data={"order": order}, locale=locale, timezone=timezone).text

    assert "1 декабря 2026" in text("ru", "Europe/Moscow")
    assert "2 декабря 2026" in text("ru", "Asia/Novosibirsk")
    assert "1 December 2026" in text("en-GB", "Europe/London")
    # No German words, so Russian ones, and dates to go with them.
    assert "1 декабря 2026" in text("de", "Europe/Berlin")


def test_an_audience_with_nothing_to_hear_has_no_channels(
    built_in: Catalog, render: Render
) -> None:
    template = built_in.find(1, "cart.abandoned")
    assert template is not None

    assert template.channels(Audience.WAREHOUSE, "ru") == frozenset()
    assert template.channels(Audience.BUYER, "ru") == frozenset(Channel)
    with pytest.raises(NoVariant):
        render("cart.abandoned", "email", "warehouse")


def test_an_unknown_name_is_nothing(built_in: Catalog) -> None:
    assert built_in.find(1, "order.lost") is None


def test_subjects_are_one_line(render: Render) -> None:
    letter = render("order.shipped", data={"order": {"number": "1\r\nBcc: all@example.com"}})

    assert "\n" not in letter.subject
    assert "\r" not in letter.subject
