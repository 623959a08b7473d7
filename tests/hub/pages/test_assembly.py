"""The task to pack a paid order, on a phone without a messenger."""

import pytest

from hub.orders.model import Kind
from tests.hub.pages.conftest import LINES, Orders, Page, Phone

LABELS = "https://shop.example/labels/1001.pdf"


@pytest.fixture
async def page(orders: Orders, phone: Phone) -> Page:
    """What Boris sees after the order was paid."""
    await orders.put()
    await orders.status("paid", labels_url=LABELS)
    return await phone.open(await orders.link("boris", Kind.ASSEMBLY))


async def test_it_shows_what_to_pack(page: Page) -> None:
    shown = page.text.replace("\xa0", " ")

    for text in ("Соберите заказ 1001", "Склад на Лесной", "Чайник", "2 шт.", "Собрано"):
        assert text in shown
    assert LABELS not in page.html


async def test_one_press_marks_it_and_gives_the_labels(
    orders: Orders, phone: Phone, page: Page
) -> None:
    after = await phone.send(page.path, [])

    assert "Заказ 1001 собран" in after.text
    assert "Собрано: Борис, " in after.text
    assert after.all("a", href=LABELS)
    assert not after.all("form")
    order = await orders.get()
    assert order["status"] == "assembled"


async def test_the_second_one_sees_who_did_it(orders: Orders, phone: Phone, page: Page) -> None:
    annas = await orders.link("anna", Kind.ASSEMBLY)
    await phone.send(page.path, [])

    after = await phone.send(annas, [])

    assert "Собрано: Борис, " in after.text


async def test_who_left_the_warehouse_packs_nothing(
    orders: Orders, phone: Phone, page: Page
) -> None:
    assert (await orders.api.put("/v1/contacts/boris", {"warehouses": []})).status == 200

    assert (await phone.send(page.path, [])).status == 404
    assert (await orders.get())["assemblies"][0]["status"] == "open"


async def test_a_cancelled_order_is_not_packed(orders: Orders, phone: Phone, page: Page) -> None:
    await orders.status("cancelled")

    after = await phone.send(page.path, [])

    assert "собирать не нужно" in after.text
    assert "Заказ отменён. Если вы уже собрали товары, верните их на полку." in after.text
    assert not after.all("form")
    assert (await orders.get())["status"] == "cancelled"


async def test_what_is_packed_anew_says_what_to_change(
    orders: Orders, phone: Phone, page: Page
) -> None:
    await phone.send(page.path, [])

    await orders.put([LINES[0] | {"quantity": 1}])

    again = await phone.open(await orders.link("boris", Kind.ASSEMBLY))
    shown = again.text.replace("\xa0", " ")
    for text in ("Заказ 1001 изменился: соберите заново", "Было: 2 шт.", "Уберите из посылки"):
        assert text in shown
    assert "изменился" not in (await phone.send(again.path, [])).text
    assert [one["status"] for one in (await orders.get())["assemblies"]] == ["assembled"] * 2


async def test_what_changed_while_it_was_packed_is_shown_again(
    orders: Orders, phone: Phone, page: Page
) -> None:
    await orders.put([LINES[0] | {"quantity": 1}])

    after = await phone.send(page.path, page.fields)

    assert "Пока вы собирали, заказ изменился." in after.text
    assert "1 шт." in after.text.replace("\xa0", " ")
    assert (await orders.get())["assemblies"][0]["status"] == "open"
    assert "Собрано: Борис, " in (await phone.send(after.path, after.fields)).text


async def test_before_the_shelf_has_answered_there_is_nothing_to_press(
    orders: Orders, phone: Phone, page: Page
) -> None:
    await orders.put([LINES[0] | {"quantity": 5}])

    waits = await phone.open(page.path)

    assert "сначала ответьте о наличии" in waits.text
    assert not waits.all("form")
    assert "сначала ответьте" in (await phone.send(page.path, page.fields)).text
    assert (await orders.get())["assemblies"][0]["status"] == "open"


async def test_a_parcel_that_is_right_again_is_not_to_be_put_back(
    orders: Orders, phone: Phone, page: Page
) -> None:
    await phone.send(page.path, page.fields)
    await orders.put([LINES[0] | {"quantity": 1}, *LINES[1:]])
    again = await orders.link("boris", Kind.ASSEMBLY)
    assert "соберите заново" in (await phone.open(again)).text

    await orders.put()

    shown = await phone.open(again)
    assert "Заказ снова такой, каким вы его собрали." in shown.text
    assert "на полку" not in shown.text
