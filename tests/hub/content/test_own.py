"""A shop's own texts: stored, checked, in force, taken back, and never another shop's."""

import asyncio
from typing import Any, get_args

import pytest

from channels.base import Category, Channel
from hub.config import Locale
from hub.content import queries, service
from hub.content.catalog import Catalog, Template
from hub.content.model import (
    Audience,
    MissingVariable,
    OwnBody,
    Source,
    TemplateFault,
    Variant,
)
from hub.content.render import LANGUAGES
from hub.db.pool import Pool
from hub.errors import InvalidInput, NotFound, Unprocessable
from tests.hub.content.conftest import rendered

ONE, TWO = 1, 2
ORDER = {"order": {"number": "1001"}}


@pytest.fixture
def catalog() -> Catalog:
    return Catalog({ONE: "ru", TWO: "en"})


async def put(db: Pool, catalog: Catalog, where: str, shop: int = ONE, **body: Any) -> Any:
    """`where` is the end of the path: `order.shipped/sms/ru`."""
    name, channel, locale = where.split("/")
    return await service.put_version(
        db, catalog, shop, name, Channel(channel), locale, OwnBody(**body), author="key"
    )


async def delete(db: Pool, catalog: Catalog, where: str, shop: int = ONE, **options: Any) -> None:
    name, channel, locale = where.split("/")
    await service.delete_version(db, catalog, shop, name, Channel(channel), locale, **options)


def found(catalog: Catalog, name: str, shop: int = ONE) -> Template:
    template = catalog.find(shop, name)
    assert template is not None
    return template


def sms(catalog: Catalog, shop: int = ONE, name: str = "order.shipped", **given: Any) -> str:
    return rendered(found(catalog, name, shop), "sms", data=ORDER, **given).text


async def faults(awaitable: Any) -> dict[str, str]:
    with pytest.raises(InvalidInput) as caught:
        await awaitable
    return {fault.pointer: fault.detail for fault in caught.value.faults}


async def test_the_shops_own_text_counts_where_it_is_and_nowhere_else(
    db: Pool, catalog: Catalog
) -> None:
    await put(db, catalog, "order.shipped/sms/ru", text="Едет {{ order.number }}")

    assert sms(catalog) == "Едет 1001"
    assert sms(catalog, locale="en") == "Order 1001 shipped."
    assert sms(catalog, audience="seller") == "Заказ 1001 отправлен."
    assert sms(catalog, TWO) == "Заказ 1001 отправлен."
    assert rendered(found(catalog, "order.shipped"), "vk").text.startswith("Заказ 1001 отправлен")


async def test_another_process_sees_it_with_its_next_look(db: Pool, catalog: Catalog) -> None:
    elsewhere = Catalog()
    await elsewhere.refresh(db)

    await put(db, catalog, "order.shipped/sms/ru", text="Едет {{ order.number }}")

    assert sms(elsewhere) == "Заказ 1001 отправлен."
    assert await elsewhere.refresh(db)
    assert not await elsewhere.refresh(db)
    assert sms(elsewhere) == "Едет 1001"


async def test_a_template_in_hand_stays_as_it_was(db: Pool, catalog: Catalog) -> None:
    in_hand = found(catalog, "order.shipped")

    await put(db, catalog, "order.shipped/sms/ru", text="Едет")

    assert rendered(in_hand, "sms", data=ORDER).text == "Заказ 1001 отправлен."


async def test_every_version_is_kept_and_the_newest_counts(db: Pool, catalog: Catalog) -> None:
    for text in ("a", "b", "c"):
        await put(db, catalog, "order.shipped/sms/ru", text=text)
    await delete(db, catalog, "order.shipped/sms/ru")

    details = await service.get_template(db, catalog, ONE, "order.shipped")

    assert [(v.number, v.source.text, v.deleted, v.author) for v in details.versions] == [
        (4, "", True, ""),
        (3, "c", False, "key"),
        (2, "b", False, "key"),
        (1, "a", False, "key"),
    ]
    assert sms(catalog) == "Заказ 1001 отправлен."
    assert not details.info.own


async def test_many_at_once_get_numbers_of_their_own(db: Pool, catalog: Catalog) -> None:
    others = [Catalog() for _ in range(4)]

    versions = await asyncio.gather(
        *(put(db, other, "order.shipped/sms/ru", text=f"{i}") for i, other in enumerate(others))
    )

    assert sorted(version.number for version in versions) == [1, 2, 3, 4]
    newest = max(versions, key=lambda version: version.number)
    for one in (catalog, *others):
        await one.refresh(db)
        assert sms(one) == newest.source.text


async def test_a_new_name_is_a_template_of_that_shop(db: Pool, catalog: Catalog) -> None:
    await put(db, catalog, "gift.wrapped/email/ru", category=Category.MARKETING,
              subject="Подарок {{ gift.name }}", html="<b>{{ gift.name }}</b>")  # fmt: skip

    template = found(catalog, "gift.wrapped")
    letter = rendered(template, "email", data={"gift": {"name": "<Чай>"}})

    assert template.category is Category.MARKETING
    assert letter.subject == "Подарок <Чай>"
    assert letter.html == "<b>&lt;Чай&gt;</b>"
    assert letter.text == "<Чай>"
    assert catalog.find(TWO, "gift.wrapped") is None
    assert template.channels(Audience.BUYER, "ru") == {Channel.EMAIL}
    with pytest.raises(MissingVariable, match=r"gift\.name"):
        rendered(template, "email", data={})


async def test_a_template_of_the_shop_is_gone_with_its_last_text(
    db: Pool, catalog: Catalog
) -> None:
    await put(db, catalog, "gift.wrapped/sms/ru", text="a")
    await put(db, catalog, "gift.wrapped/vk/ru", text="b")

    await delete(db, catalog, "gift.wrapped/sms/ru")
    assert found(catalog, "gift.wrapped").channels(Audience.BUYER, "ru") == {
        *(Channel.VK, Channel.MAX, Channel.VIBER, Channel.WHATSAPP)
    }

    await delete(db, catalog, "gift.wrapped/vk/ru")
    assert catalog.find(ONE, "gift.wrapped") is None
    with pytest.raises(NotFound):
        await service.get_template(db, catalog, ONE, "gift.wrapped")


async def test_messengers_share_one_text_and_readers_the_buyers(db: Pool, catalog: Catalog) -> None:
    await put(db, catalog, "gift.wrapped/vk/ru", text="для {{ contact.name }}")
    template = found(catalog, "gift.wrapped")

    for channel in ("vk", "max", "viber", "whatsapp"):
        assert rendered(template, channel, "seller").text == "для Анна"
    assert template.channels(Audience.ADMIN, None) == template.channels(Audience.BUYER, "ru")

    await put(db, catalog, "gift.wrapped/max/ru", text="max", audience=Audience.SELLER)
    template = found(catalog, "gift.wrapped")
    assert rendered(template, "max", "seller").text == "max"
    assert rendered(template, "max", "buyer").text == "для Анна"


async def test_of_a_shared_text_only_those_who_show_html_get_it(db: Pool, catalog: Catalog) -> None:
    await put(db, catalog, "gift.wrapped/max/ru", html="<mark>1 &lt; 2</mark>")
    template = found(catalog, "gift.wrapped")

    here, there = rendered(template, "max", "buyer"), rendered(template, "vk", "buyer")

    assert here.html == "<mark>1 &lt; 2</mark>"
    assert (there.html, there.text) == ("", here.text)
    assert "1 < 2" in there.text


async def test_a_reader_gets_the_nearest_language(db: Pool, catalog: Catalog) -> None:
    """Of what an earlier version took, too, which let texts be stored for any language."""
    for shop in (ONE, TWO):
        await put(db, catalog, "gift.wrapped/sms/ru", shop=shop, text="ru")
        await put(db, catalog, "gift.wrapped/sms/en", shop=shop, text="en")
        for locale in ("de", "en-GB"):
            await put_earlier(db, shop, "gift.wrapped", locale)
    await catalog.refresh(db)

    def language(shop: int, locale: str | None) -> str:
        return sms(catalog, shop, "gift.wrapped", locale=locale)

    assert [language(ONE, n) for n in ("de", "de-AT", "en_gb", "en-US", "fr", None, "?")] == [
        *("de", "de", "en-GB", "en", "ru", "ru", "ru")
    ]
    assert language(TWO, "fr") == "en"


async def test_a_text_for_a_language_that_no_reader_has_is_refused(
    db: Pool, catalog: Catalog
) -> None:
    assert set(LANGUAGES) == set(get_args(Locale))
    for locale in ("de", "en-GB", "ru_RU"):
        refused = await faults(put(db, catalog, f"order.shipped/sms/{locale}", text="a"))
        assert refused == {"/locale": "must be one of ru, en: no contact has another locale"}


async def test_one_that_is_there_all_the_same_can_be_taken_back(db: Pool, catalog: Catalog) -> None:
    await put_earlier(db, ONE, "gift.wrapped", "de")

    await delete(db, catalog, "gift.wrapped/sms/de")

    assert catalog.find(ONE, "gift.wrapped") is None


async def put_earlier(db: Pool, shop: int, name: str, locale: str) -> None:
    async with db.acquire() as conn, conn.transaction():
        await queries.lock(conn)
        await queries.add_version(
            conn,
            shop,
            name,
            Variant(Channel.SMS, locale, Audience.BUYER),
            category=Category.TRANSACTIONAL,
            source=Source(text=locale),
            author="key",
        )


async def test_an_own_text_for_a_reader_who_had_none_adds_him(db: Pool, catalog: Catalog) -> None:
    await put(
        db, catalog, "cart.abandoned/sms/ru", text="{{ cart.total }}", audience=Audience.ADMIN
    )

    template = found(catalog, "cart.abandoned")

    assert template.channels(Audience.ADMIN, "ru") == {Channel.SMS}
    assert template.channels(Audience.BUYER, "ru") == frozenset(Channel)
    assert Audience.ADMIN in template.info().audience


async def test_the_list_shows_own_and_built_in_with_their_variables(
    db: Pool, catalog: Catalog
) -> None:
    await put(
        db, catalog, "gift.wrapped/sms/ru", text="{{ gift.name }}{% if gift.note %}!{% endif %}"
    )

    infos = {info.name: info for info in service.list_templates(catalog, ONE)}

    assert len(infos) == 23
    assert infos["gift.wrapped"].own
    assert not infos["order.placed"].own
    needed = {v.name: (v.required, v.example) for v in infos["gift.wrapped"].variables}
    assert needed == {"gift.name": (True, "name"), "gift.note": (False, "note")}
    assert len(service.list_templates(catalog, TWO)) == 22


async def test_the_details_show_every_source(db: Pool, catalog: Catalog) -> None:
    await put(db, catalog, "order.shipped/sms/ru", text="Едет {{ order.number }}")

    details = await service.get_template(db, catalog, ONE, "order.shipped")

    own = [s for s in details.sources if not s.built_in]
    assert [(s.variant.channel, s.variant.locale, s.source.text) for s in own] == [
        (Channel.SMS, "ru", "Едет {{ order.number }}")
    ]
    built_in = [s for s in details.sources if s.built_in]
    assert {(s.variant.locale, s.variant.audience) for s in built_in} == {
        (locale, audience) for locale in ("ru", "en") for audience in Audience
    }
    assert "buyer_title" in built_in[0].source.text


@pytest.mark.parametrize(
    ("where", "body", "pointers"),
    [
        ("order.shipped/sms/ru", {"text": "{{ a"}, ["/text"]),
        ("order.shipped/sms/ru", {"text": "{{ a.__class__ }}"}, ["/text"]),
        ("order.shipped/sms/ru", {"text": "{{ order.number|nonsense }}"}, ["/text"]),
        ("order.shipped/sms/ru", {"text": "{{ 'a'|money }}"}, [""]),
        ("order.shipped/sms/ru", {"text": "{{ contact.shoe_size }}"}, [""]),
        ("order.shipped/sms/ru", {"text": ""}, ["/text"]),
        ("order.shipped/sms/ru", {"text": "a", "html": "b"}, ["/html"]),
        ("order.shipped/sms/ru", {"text": "a", "subject": "b"}, ["/subject"]),
        ("order.shipped/sms/ru", {"text": "a" * 262_145}, ["/text"]),
        ("order.shipped/email/ru", {"text": "a"}, ["/subject"]),
        ("order.shipped/email/ru", {"subject": "a"}, ["/text"]),
        ("order.shipped/email/ru", {"subject": "{{", "text": "a"}, ["/subject"]),
        ("order.shipped/push/ru", {"text": "a"}, ["/subject"]),
        ("order.shipped/telegram/ru", {"html": "<div>a</div>"}, ["/html"]),
        ("order.shipped/telegram/ru", {"html": "<b>a</i>"}, ["/html"]),
        ("order.shipped/telegram/ru", {"html": "<b>a"}, ["/html"]),
        ("order.shipped/telegram/ru", {"html": "a" * 5000}, [""]),
        ("order.shipped/max/ru", {"html": "<blockquote>a</blockquote>"}, ["/html"]),
        ("order.shipped/max/ru", {"html": "<b>a"}, ["/html"]),
        ("order.shipped/vk/ru", {"html": "<b>a</b>"}, ["/html", "/text"]),
        ("order.shipped/sms/xx-nonsense", {"text": "a"}, ["/locale"]),
        ("Order/sms/ru", {"text": "a"}, ["/name"]),
        ("order..a/sms/ru", {"text": "a"}, ["/name"]),
        ("order.\n/sms/ru", {"text": "a"}, ["/name"]),
        ("a" * 101 + "/sms/ru", {"text": "a"}, ["/name"]),
    ],
)
async def test_what_is_wrong_is_refused_and_pointed_at(
    db: Pool, catalog: Catalog, where: str, body: dict[str, Any], pointers: list[str]
) -> None:
    assert sorted(await faults(put(db, catalog, where, **body))) == pointers

    assert await db.fetchval("SELECT count(*) FROM template_version") == 0


async def test_a_fault_names_its_line(db: Pool, catalog: Catalog) -> None:
    found = await faults(put(db, catalog, "order.shipped/sms/ru", text="a\n\n{{ b"))

    assert found["/text"].startswith("line 3 of text: ")


@pytest.mark.parametrize(
    "body",
    [
        {"html": "<b>{{ order.number }}</b> <a href='{{ order.url }}'>x</a>"},
        {"text": "{{ anything.at.all }} {{ price|money }} {{ day|datetime }} {{ a + b }}"},
        {"text": "{% for line in order.lines %}{{ line.title }} {{ line.colour }}{% endfor %}"},
        {"text": "{{ mystery[0].x|number }}{{ contact.attributes.shoe_size }}"},
        {"text": "{% for x in tags %}{{ x }}{% endfor %}{{ size / 2 }}"},
    ],
)
async def test_data_that_the_hub_cannot_know_is_no_fault(
    db: Pool, catalog: Catalog, body: dict[str, Any]
) -> None:
    await put(db, catalog, "gift.wrapped/telegram/ru", **body)

    assert found(catalog, "gift.wrapped").channels(Audience.BUYER, "ru") == {Channel.TELEGRAM}


async def test_a_category_is_settled_by_the_first_text(db: Pool, catalog: Catalog) -> None:
    await put(db, catalog, "gift.wrapped/sms/ru", text="a", category=Category.MARKETING)
    await put(db, catalog, "gift.wrapped/vk/ru", text="a")

    assert found(catalog, "gift.wrapped").category is Category.MARKETING
    for where in ("gift.wrapped/max/ru", "order.shipped/sms/ru"):
        with pytest.raises(Unprocessable, match="cannot be changed"):
            await put(db, catalog, where, text="a", category=Category.SECURITY)


async def test_only_what_is_there_can_be_taken_back(db: Pool, catalog: Catalog) -> None:
    await put(db, catalog, "order.shipped/sms/ru", text="a", audience=Audience.SELLER)
    await put(db, catalog, "order.shipped/sms/ru", text="b")

    for where, options in (
        ("order.shipped/sms/en", {}),
        ("order.shipped/vk/ru", {}),
        ("order.lost/sms/ru", {}),
        ("order.shipped/sms/ru", {"audience": Audience.ADMIN}),
        ("order.shipped/sms/ru", {"shop": TWO}),
    ):
        with pytest.raises(NotFound):
            await delete(db, catalog, where, **options)

    await delete(db, catalog, "order.shipped/sms/ru", audience=Audience.SELLER)
    assert sms(catalog) == "b"
    await delete(db, catalog, "order.shipped/sms/ru")
    assert sms(catalog) == "Заказ 1001 отправлен."


async def test_a_restored_database_is_read_anew(db: Pool, catalog: Catalog) -> None:
    await put(db, catalog, "order.shipped/sms/ru", text="a")
    await put(db, catalog, "order.shipped/sms/ru", text="b")
    assert sms(catalog) == "b"
    await db.execute("DELETE FROM template_version WHERE number = 2")

    await catalog.refresh(db)

    assert sms(catalog) == "a"


async def test_a_stored_text_that_is_no_longer_allowed_fails_alone(
    db: Pool, catalog: Catalog
) -> None:
    await put(db, catalog, "order.shipped/sms/ru", text="a")
    await put(db, catalog, "order.shipped/sms/ru", text="b")
    await db.execute("UPDATE template_version SET text = '{{ a|gone }}' WHERE number = 2")
    later = Catalog()
    await later.refresh(db)

    with pytest.raises(TemplateFault, match="no filter gone"):
        sms(later)
    assert sms(later, locale="en") == "Order 1001 shipped."
    assert len(service.list_templates(later, ONE)) == 22


def test_own_content_is_literal() -> None:
    content = {"subject": "{{ 7*7 }}", "text": "{% if %} {{ order }}"}

    inline = Catalog().check_inline(content)

    assert inline.render(Channel.SMS).text == "{% if %} {{ order }}"
    assert inline.render(Channel.EMAIL).subject == "{{ 7*7 }}"
    assert inline.render(Channel.EMAIL).html == ""
    assert inline.render(Channel.PUSH).subject == "{{ 7*7 }}"


def test_a_letter_without_a_text_gets_one() -> None:
    html = "<h1>Скидки</h1><p>Всё <b>дешевле</b>: <a href='https://shop.example/x'>смотрите</a></p>"

    letter = Catalog().check_inline({"html": html}).render(Channel.EMAIL)

    assert letter.html == html
    assert "Всё дешевле" in letter.text
    assert "https://shop.example/x" in letter.text
    assert "<p>" not in letter.text
    assert "Скидки" in letter.subject


@pytest.mark.parametrize(
    "content", [{}, {"subject": "a"}, {"text": " "}, {"text": 5}, {"html": "a" * 300_000}]
)
def test_content_that_says_nothing_is_refused(content: dict[str, Any]) -> None:
    with pytest.raises(TemplateFault):
        Catalog().check_inline(content)
