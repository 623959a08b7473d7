"""The stock question on a phone without a messenger, over HTTP."""

import re
from typing import Any

from hub.resources import Hub
from tests.hub.api.client import Api
from tests.hub.pages.conftest import LINES, Open, Orders, Phone

ONE = [{"id": "1", "title": "Чайник", "quantity": 1}]
MANY = [{"id": "1", "sku": "C-3", "title": "Болт М6", "quantity": 120, "price": "4.20"}]


async def test_it_shows_what_is_asked(anna: Open) -> None:
    page = await anna()

    assert page.status == 200
    shown = page.text.replace("\xa0", " ")
    for text in (
        "Заказ 1001: есть ли товары?",
        "Склад на Лесной",
        "Ответьте, пожалуйста, до",
        "Чайник",
        "Артикул A-1",
        "1 990 ₽ за штуку",
        "2 шт.",
        "310,50 ₽",
        "Всё есть",
        "Ничего нет",
    ):
        assert text in shown


async def test_it_runs_nothing_and_is_kept_by_nobody(anna: Open) -> None:
    page = await anna()

    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "img-src" not in policy
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert not page.all("script")
    assert "Set-Cookie" not in page.headers


async def test_pictures_are_shown_where_there_are_any(anna: Open) -> None:
    page = await anna([{**LINES[0], "image_url": "https://shop.example/kettle.jpg"}])

    assert page.all("img", src="https://shop.example/kettle.jpg", alt="")
    assert "img-src https: http:" in page.headers["Content-Security-Policy"]


async def test_looking_changes_nothing(orders: Orders, phone: Phone, anna: Open) -> None:
    page = await anna()
    await phone.open(page.path + "?correct=1&said=thanks&lang=en")

    assert await orders.answers() == {"1": (None, None), "2": (None, None)}


async def test_one_press_says_that_all_is_there(orders: Orders, phone: Phone, anna: Open) -> None:
    page = await phone.press(await anna(), "do=all")

    assert await orders.answers() == {"1": (2, "anna"), "2": (1, "anna")}
    assert "Заказ 1001: ответ принят" in page.text
    assert "Спасибо!" in page.text
    assert "Вы, " in page.text
    [request] = (await orders.get())["stock_requests"]
    assert {line["via"] for line in request["lines"]} == {"page"}


async def test_one_press_says_that_nothing_is_there(
    orders: Orders, phone: Phone, anna: Open
) -> None:
    page = await phone.press(await anna(), "do=none")

    assert await orders.answers() == {"1": (0, "anna"), "2": (0, "anna")}
    assert page.text.count("Нет в наличии") == 2


async def test_line_by_line_one_may_be_left_for_later(
    orders: Orders, phone: Phone, anna: Open
) -> None:
    page = await phone.press(await anna(), "do=lines", {"line:1": "1"})

    assert await orders.answers() == {"1": (1, "anna"), "2": (None, None)}
    assert "Спасибо, записали." in page.text
    assert "Есть: 1 из 2" in page.text
    assert "Остальное всё есть" in page.text

    page = await phone.press(page, "do=all")

    assert await orders.answers() == {"1": (1, "anna"), "2": (1, "anna")}
    assert "ответ принят" in page.text


async def test_a_single_piece_has_two_buttons_and_no_more(phone: Phone, anna: Open) -> None:
    page = await anna(ONE)

    assert not page.all("input", type="radio")
    # The hidden one is for the Enter key alone.
    assert [button["value"] for button in page.all("button")] == ["lines", "all", "none"]


async def test_of_many_pieces_the_number_is_typed(orders: Orders, phone: Phone, anna: Open) -> None:
    page = await anna(MANY)
    assert [f["value"] for f in page.all("input", type="radio")] == ["120", "less", "0"]
    assert page.all("input", type="text", inputmode="numeric")

    await phone.press(page, "do=lines", {"line:1": "less", "number:1": " 77 "})

    assert await orders.answers() == {"1": (77, "anna")}


async def test_a_number_that_is_none_is_asked_for_again(
    orders: Orders, phone: Phone, anna: Open
) -> None:
    page = await anna([*MANY, LINES[1]])
    for typed, fault in (
        ("", "Напишите, сколько есть."),
        ("121", "Должно быть число от 0 до 120."),
        ("-1", "Должно быть число от 0 до 120."),
        ("много", "Должно быть число от 0 до 120."),
        ("٣", "Должно быть число от 0 до 120."),
    ):
        fill = {"line:1": "less", "number:1": typed, "line:2": "1"}
        again = await phone.press(page, "do=lines", fill)

        assert again.status == 422
        assert fault in again.text
        # It may be far below what a phone shows: the field is where the page opens.
        [wrong] = again.all("input", **{"aria-invalid": "true"})
        assert (wrong["name"], "autofocus" in wrong) == ("number:1", True)
        # What was put in stands there still.
        assert ("line:2", "1") in again.fields
        assert ("number:1", typed) in again.fields
    assert await orders.answers() == {"1": (None, None), "2": (None, None)}


async def test_a_sheet_without_a_mark_changes_nothing(phone: Phone, anna: Open) -> None:
    page = await phone.press(await anna(), "do=lines")

    assert "Отметьте хотя бы одну позицию." in page.text


async def test_the_enter_key_does_not_say_that_all_is_there(anna: Open) -> None:
    first, *_ = (await anna()).all("button")

    assert first["value"] == "lines"


async def test_the_second_one_hears_who_was_first(orders: Orders, phone: Phone, anna: Open) -> None:
    annas = await anna()
    boris = await phone.open(await orders.link("boris"))
    await phone.press(annas, "do=all")

    page = await phone.press(boris, "do=none")

    assert await orders.answers() == {"1": (2, "anna"), "2": (1, "anna")}
    assert "Другой сотрудник ответил раньше вас." in page.text
    assert "Есть: 2 из 2 Анна, " in page.text
    assert not page.all("form")
    assert "Исправить" not in page.text.replace("Исправить уже", "")


async def test_sending_twice_changes_nothing(
    orders: Orders, phone: Phone, anna: Open, hub: Hub
) -> None:
    page = await anna()
    first = await phone.press(page, "do=all")
    again = await phone.press(page, "do=all")

    assert again.text == first.text
    [request] = (await orders.get())["stock_requests"]
    assert await hub.db.fetchval("SELECT revision FROM stock_request") == 1
    assert request["status"] == "answered"


async def test_a_slip_is_corrected_within_five_minutes(
    orders: Orders, phone: Phone, anna: Open
) -> None:
    page = await phone.press(await anna(), "do=none")
    [link] = [a["href"] for a in page.all("a") if "correct=1" in a["href"]]
    assert "Исправить ответ можно до" in page.text

    sheet = await phone.open(page.path.partition("?")[0] + link)
    assert "Отметьте, как правильно. Исправить можно до" in sheet.text
    assert ("line:1", "0") in sheet.fields
    assert not sheet.all("button", value="all")
    page = await phone.press(sheet, "do=lines", {"line:1": "2"})

    assert await orders.answers() == {"1": (2, "anna"), "2": (0, "anna")}


async def test_while_others_are_open_ones_own_are_corrected_too(
    orders: Orders, phone: Phone, anna: Open
) -> None:
    page = await phone.press(await anna(), "do=lines", {"line:1": "1"})
    assert "Исправить ответ можно до" in page.text

    sheet = await phone.open(page.path.partition("?")[0] + "?correct=1")
    await phone.press(sheet, "do=lines", {"line:1": "0"})

    assert await orders.answers() == {"1": (0, "anna"), "2": (None, None)}


async def test_after_five_minutes_an_answer_stands(
    orders: Orders, phone: Phone, anna: Open, hub: Hub
) -> None:
    answered = await phone.press(await anna(), "do=none")
    sheet = await phone.open(answered.path.partition("?")[0] + "?correct=1")
    await hub.db.execute("UPDATE stock_line SET final_at = now() - interval '1 second'")

    late = await phone.press(sheet, "do=lines", {"line:1": "2"})

    assert await orders.answers() == {"1": (0, "anna"), "2": (0, "anna")}
    assert "Исправить уже нельзя" in late.text
    assert not late.all("form")


async def test_a_paid_order_is_not_corrected(orders: Orders, phone: Phone, anna: Open) -> None:
    answered = await phone.press(await anna(), "do=all")
    await orders.status("paid")

    page = await phone.open(answered.path.partition("?")[0] + "?correct=1")

    assert not page.all("form")
    assert "correct=1" not in page.html


async def test_a_cancelled_order_says_so_and_asks_nothing(
    orders: Orders, phone: Phone, anna: Open
) -> None:
    before = await anna()
    await orders.status("cancelled")

    page = await phone.press(before, "do=all")

    assert page.status == 200
    assert "отвечать не нужно" in page.text
    assert "Заказ отменён." in page.text
    assert not page.all("form")
    assert await orders.answers() == {"1": (None, None), "2": (None, None)}


async def test_what_was_read_counts_when_the_order_has_grown(
    orders: Orders, phone: Phone, anna: Open
) -> None:
    before = await anna()
    await orders.put([{**LINES[0], "quantity": 3}, LINES[1]])

    await phone.press(before, "do=all")

    assert await orders.answers() == {"1": (2, "anna"), "2": (1, "anna")}


async def test_what_is_no_longer_asked_is_shown_anew(
    orders: Orders, phone: Phone, anna: Open
) -> None:
    before = await anna()
    await orders.put([{**LINES[0], "quantity": 1}])

    page = await phone.press(before, "do=all")

    assert "Пока вы отвечали, заказ изменился." in page.text
    assert await orders.answers() == {"1": (None, None)}


async def test_forty_lines_and_long_words_fit(phone: Phone, anna: Open, orders: Orders) -> None:
    lines = [
        {"id": f"ряд {i}/{'я' * 40}", "sku": "S" * 100, "title": "Д" * 400, "quantity": i % 7 + 1}
        for i in range(40)
    ]
    page = await anna(lines)
    assert len(page.all("fieldset")) == 40

    await phone.press(page, "do=all")

    assert [confirmed for confirmed, _ in (await orders.answers()).values()] == [
        i % 7 + 1 for i in range(40)
    ]


async def test_texts_of_the_shop_are_shown_and_not_run(anna: Open) -> None:
    hostile = "<script>alert(1)</script>{{ 7*7 }}"
    page = await anna([{"id": '"><b>', "sku": hostile, "title": hostile, "quantity": 2}])

    assert not page.all("script")
    assert "{{ 7*7 }}" in page.text
    assert page.all("input", name='shown:"><b>')


async def test_it_speaks_the_readers_language_and_switches(
    api: Api, orders: Orders, phone: Phone, anna: Open
) -> None:
    page = await anna()
    [switch] = page.all("a", hreflang="en")
    english = await phone.open(page.path + switch["href"])
    assert "Order 1001: is it in stock?" in english.text

    done = await phone.press(english, "do=all")
    assert "Order 1001: answer received" in done.text

    await api.put("/v1/contacts/anna", {"locale": "en"})
    assert "answer received" in (await phone.open(page.path)).text


async def test_a_link_that_is_not_ours_opens_nothing(phone: Phone, anna: Open) -> None:
    path = (await anna()).path
    other = path[:-1] + ("A" if path[-1] != "A" else "B")

    for wrong in (other, path + "A", "/a/x", "/a/%D1%8F", "/a/" + "A" * 300):
        page = await phone.open(wrong)
        assert page.status == 404
        assert "Ссылка не работает" in page.text
        assert (await phone.send(wrong, [("do", "all")])).status == 404


async def test_a_link_is_good_for_one_person_and_question(
    orders: Orders, phone: Phone, anna: Open
) -> None:
    path = (await anna()).path

    assert path == await orders.link("anna")
    assert path != await orders.link("boris")
    assert re.fullmatch("/a/[A-Za-z0-9_-]{16}", path)


async def test_a_row_that_somebody_put_there_opens_nothing(
    phone: Phone, anna: Open, hub: Hub
) -> None:
    await anna()
    await hub.db.execute("UPDATE answer_link SET digest = sha256('forged')")

    assert (await phone.open("/a/forged")).status == 404


async def test_an_old_link_says_that_it_has_expired(
    orders: Orders, phone: Phone, anna: Open, hub: Hub
) -> None:
    path = (await anna()).path
    await hub.db.execute("UPDATE answer_link SET expires_at = now()")

    page = await phone.open(path)
    assert page.status == 410
    assert "Срок ссылки истёк" in page.text
    assert (await phone.send(path, [("do", "all"), ("shown:1", "2")])).status == 410
    assert await orders.answers() == {"1": (None, None), "2": (None, None)}

    # A new message makes the same link good again.
    assert (await phone.open(await orders.link("anna"))).status == 200


async def test_the_link_of_a_person_who_was_erased_is_gone(
    api: Api, phone: Phone, anna: Open
) -> None:
    path = (await anna()).path
    assert (await api.delete("/v1/contacts/anna")).status == 204

    assert (await phone.open(path)).status == 404


async def test_who_left_the_warehouse_has_no_say(orders: Orders, phone: Phone, anna: Open) -> None:
    page = await anna()
    assert (await orders.api.put("/v1/contacts/anna", {"warehouses": []})).status == 200

    assert (await phone.press(page, "do=all")).status == 404
    assert (await phone.open(page.path)).status == 404
    assert await orders.answers() == {"1": (None, None), "2": (None, None)}


async def test_what_no_form_of_ours_sends_changes_nothing(
    api: Api, orders: Orders, anna: Open
) -> None:
    path = (await anna()).path
    bodies: list[tuple[str, bytes]] = [
        ("application/json", b'{"do": "all"}'),
        ("text/plain", b"do=all"),
        ("application/x-www-form-urlencoded", b"\xff\xfe=\xff"),
        ("application/x-www-form-urlencoded", b"&".join([b"a=b"] * 6000)),
        ("application/x-www-form-urlencoded", b"do=all"),
        ("multipart/form-data; boundary=x", b"broken"),
    ]
    for kind, raw in bodies:
        answer: Any = await api.call(
            "POST", path, raw=raw, headers={"Content-Type": kind}, key=None
        )
        assert answer.status == 303, (kind, answer.raw)

    assert await orders.answers() == {"1": (None, None), "2": (None, None)}


async def test_an_answer_says_nothing_of_other_goods_in_the_same_line(
    orders: Orders, phone: Phone, anna: Open
) -> None:
    page = await anna(LINES[:1])
    await orders.put([LINES[0] | {"sku": "Z-1", "title": "Чашка"}])

    after = await phone.press(page, "do=all")

    assert "Пока вы отвечали, заказ изменился." in after.text
    assert await orders.answers() == {"1": (None, None)}
