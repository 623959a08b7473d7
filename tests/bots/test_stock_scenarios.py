"""The stock loop as people live it: the same story in every messenger and by every way its updates come."""

from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from channels.base import Channel
from hub.config import HubSettings
from tests.bots.messengers import InSandbox, Messenger, OnMax, OnTelegram, OnVk
from tests.bots.scene import ANNA, BORIS, BUYER, VERA, Scene, line, playing, until
from tests.simulators.max import Max
from tests.simulators.telegram import Telegram
from tests.simulators.vk import Vk

WAYS = (
    *("telegram-polling", "telegram-webhook", "vk-polling", "vk-callback"),
    *("max-polling", "max-webhook", "sandbox-telegram", "sandbox-max"),
)


@pytest.fixture(params=WAYS)
async def messenger(request: pytest.FixtureRequest) -> AsyncIterator[Messenger]:
    name, _, way = request.param.partition("-")
    if name == "telegram":
        async with Telegram() as telegram:
            yield OnTelegram(telegram, webhook=way == "webhook")
    elif name == "vk":
        async with Vk() as vk:
            yield OnVk(vk, callback=way == "callback")
    elif name == "max":
        async with Max() as max_:
            yield OnMax(max_, webhook=way == "webhook")
    else:
        yield InSandbox(Channel(way))


@pytest.fixture
async def scene(hub_database: str, redis_url: str, messenger: Messenger) -> AsyncIterator[Scene]:
    base = HubSettings(
        database_url=SecretStr(hub_database),
        redis_url=SecretStr(redis_url),
        secret=SecretStr("only-for-the-tests-of-the-stock-loop"),
    )
    async with playing(base, messenger) as scene:
        yield scene


@pytest.fixture
async def came_a_while_ago(scene: Scene) -> AsyncIterator[None]:
    """Whatever people do is stored at once, and handled ten minutes later."""
    change = "ALTER TABLE bot_update ALTER received_at SET DEFAULT now()"
    await scene.hub.db.execute(f"{change} - interval '10 minutes'")
    yield
    await scene.hub.db.execute(change)


async def test_from_the_question_to_the_labels(scene: Scene) -> None:
    await scene.order()
    anna, boris, vera = [await scene.question(p) for p in (ANNA, BORIS, VERA)]
    assert "Чайник 1" in anna.text
    assert "Чайник 3" not in anna.text
    assert "A-3" in vera.text

    await scene.press(ANNA, anna, "✅ Всё есть")
    await scene.message(ANNA, lambda s: s.id == anna.id and "ответ принят" in s.text)
    shown = await scene.message(BORIS, lambda s: s.id == boris.id and "ответ принят" in s.text)
    assert "Анна" in shown.text
    # One line of five: numbers at once.
    await scene.press(VERA, vera, "Сколько?")
    await scene.message(VERA, lambda s: s.id == vera.id and "Сколько есть" in s.text)
    await scene.press(VERA, vera, "3")
    await scene.message(VERA, lambda s: s.id == vera.id and "есть 3 из 5" in s.text)

    found = await scene.details()
    assert found["status"] == "partially_confirmed"
    assert await scene.confirmed() == {"1": 2, "2": 1, "3": 3}
    via = {one["via"] for r in found["stock_requests"] for one in r["lines"]}
    assert via == {str(scene.messenger.channel)}

    await scene.status("1001", "paid", labels_url=None)
    task = await scene.question(VERA, "соберите")
    assert "3 шт." in task.text
    await scene.press(VERA, task, "📦")
    await scene.message(VERA, lambda s: s.id == task.id and "собран" in s.text and "Вера" in s.text)
    packed = await scene.question(ANNA, "соберите")
    await scene.press(ANNA, packed, "📦")
    await scene.message(ANNA, lambda s: s.id == packed.id and "Анна" in s.text)
    assert (await scene.details())["status"] == "assembled"


async def test_a_packed_order_that_shrinks_is_packed_once_more(scene: Scene) -> None:
    await scene.order("1001", line("1", 5))
    await scene.status("1001", "paid", labels_url=None)
    task = await scene.question(ANNA, "соберите")
    await scene.press(ANNA, task, "📦")
    await scene.message(ANNA, lambda s: s.id == task.id and "Анна" in s.text)

    await scene.order("1001", line("1", 3))

    anew = await scene.question(ANNA, "изменился: соберите заново")
    assert "3 шт." in anew.text
    assert "было: 5 шт." in anew.text
    await scene.press(ANNA, anew, "📦")
    await scene.message(ANNA, lambda s: s.id == anew.id and "собран" in s.text)
    found = await scene.details()
    assert found["status"] == "assembled"
    assert [one["status"] for one in found["assemblies"]] == ["assembled", "assembled"]


async def test_a_parcel_that_changed_while_it_was_packed_is_shown_again(scene: Scene) -> None:
    await scene.order("1001", line("1", 5))
    await scene.status("1001", "paid", labels_url=None)
    task = await scene.question(ANNA, "соберите")
    old = task.buttons["📦 Собрано"]
    await scene.order("1001", line("1", 3))
    await scene.message(ANNA, lambda s: s.id == task.id and "3 шт." in s.text)

    await scene.messenger.press(ANNA, task, old)

    await scene.toast("Заказ изменился")
    assert (await scene.details())["assemblies"][0]["status"] == "open"


async def test_the_second_to_press_is_told_who_was_first(scene: Scene) -> None:
    await scene.order()
    anna, boris = await scene.question(ANNA), await scene.question(BORIS)
    old = boris.buttons["❌ Ничего нет"]

    await scene.press(ANNA, anna, "✅ Всё есть")
    await scene.toast("Ответ принят")
    await scene.messenger.press(BORIS, boris, old)

    await scene.toast("Анна")
    assert (await scene.confirmed())["1"] == 2


async def test_line_by_line_with_how_many(scene: Scene) -> None:
    await scene.order("1001", *[line(str(n), n) for n in range(1, 5)])
    anna = await scene.question(ANNA)

    await scene.press(ANNA, anna, "По позициям")
    await scene.message(ANNA, lambda s: any(t.startswith("✅ 1.") for t in s.buttons))
    await scene.press(ANNA, anna, "✅ 1.")
    await scene.message(ANNA, lambda s: "есть 1 из 1" in s.text)
    await scene.press(ANNA, anna, "❌ 2")
    await scene.message(ANNA, lambda s: "❌ нет" in s.text)
    # What another one answers does not turn the page.
    boris = await scene.question(BORIS)
    await scene.press(BORIS, boris, "✅ Остальное есть")
    await scene.answered("1001", {"1": 1, "2": 0, "3": 3, "4": 4})
    await scene.handled()

    mine = await scene.message(ANNA, lambda s: s.id == anna.id)
    assert any(text.endswith("❌ 2") for text in mine.buttons)


async def test_an_answer_can_be_corrected_by_the_same_person_only(scene: Scene) -> None:
    await scene.order("1001", line("1", 2))
    anna, boris = await scene.question(ANNA), await scene.question(BORIS)
    other, how_many_of_anna = boris.buttons["❌ Нет"], anna.buttons["Сколько?"]
    await scene.press(ANNA, anna, "✅ Есть 2")
    await scene.message(ANNA, lambda s: "Исправить" in s.buttons)
    await scene.message(BORIS, lambda s: s.id == boris.id and "ответ принят" in s.text)
    assert "Исправить" not in (await scene.message(BORIS, lambda s: s.id == boris.id)).buttons

    how_many = boris.buttons["Сколько?"]
    await scene.messenger.press(BORIS, boris, how_many)
    await scene.toast("Уже ответил")
    await scene.press(ANNA, anna, "Исправить")
    await scene.message(ANNA, lambda s: "1" in s.buttons)
    await scene.press(ANNA, anna, "1")
    await scene.toast("Исправлено")
    await scene.messenger.press(BORIS, boris, other)
    await scene.toasts("Уже ответил", 2)
    assert (await scene.confirmed()) == {"1": 1}

    await scene.hub.db.execute("UPDATE stock_line SET final_at = now() - interval '1 second'")
    await scene.messenger.press(ANNA, anna, anna.buttons["❌ Нет"])
    await scene.toast("Исправить уже нельзя")
    await scene.messenger.press(ANNA, anna, how_many_of_anna)
    await scene.toasts("Исправить уже нельзя", 2)
    assert (await scene.confirmed()) == {"1": 1}


async def test_a_correction_that_was_pressed_in_time_counts_however_late_it_is_handled(
    scene: Scene, came_a_while_ago: None
) -> None:
    await scene.order("1001", line("1", 2))
    anna = await scene.question(ANNA)
    none_there = anna.buttons["❌ Нет"]
    await scene.press(ANNA, anna, "✅ Есть 2")
    await scene.answered("1001", {"1": 2})
    await scene.hub.db.execute("UPDATE stock_line SET final_at = now() - interval '1 minute'")

    await scene.messenger.press(ANNA, anna, none_there)

    await scene.toast("Исправлено")
    assert (await scene.confirmed()) == {"1": 0}


async def test_a_cancelled_order_says_so_in_its_message(scene: Scene) -> None:
    await scene.order()
    anna = await scene.question(ANNA)

    await scene.status("1001", "cancelled")
    await scene.message(ANNA, lambda s: s.id == anna.id and "отвечать не нужно" in s.text)
    await scene.messenger.press(ANNA, anna, anna.buttons["✅ Всё есть"])

    await scene.toast("Отвечать уже не нужно")


async def test_what_was_changed_since_is_not_answered_unseen(scene: Scene) -> None:
    await scene.order("1001", line("1", 1), line("2", 1))
    anna = await scene.question(ANNA)
    await scene.order("1001", line("1", 9), line("2", 1))
    await scene.message(ANNA, lambda s: s.id == anna.id and "9 шт." in s.text)

    await scene.messenger.press(ANNA, anna, anna.buttons["✅ Всё есть"])

    await scene.toast("Заказ изменился")
    assert await scene.confirmed() == {"1": None, "2": None}


async def test_a_foreign_forged_or_old_button_is_answered_politely(scene: Scene) -> None:
    await scene.order()
    anna, vera = await scene.question(ANNA), await scene.question(VERA)

    await scene.messenger.press(VERA, vera, anna.buttons["✅ Всё есть"])
    await scene.messenger.press(ANNA, anna, "AAAA")
    await scene.toasts("Эта кнопка больше не работает", 2)

    assert set((await scene.confirmed()).values()) == {None}


async def test_who_left_the_warehouse_has_no_say_any_more(scene: Scene) -> None:
    await scene.order()
    anna = await scene.question(ANNA)
    await scene.api.put(f"/v1/contacts/p{ANNA}", {"warehouses": []})

    await scene.press(ANNA, anna, "✅ Всё есть")

    await scene.toast("только сотрудники")
    assert set((await scene.confirmed()).values()) == {None}


async def test_pressing_twice_changes_nothing(scene: Scene) -> None:
    await scene.order()
    anna = await scene.question(ANNA)
    data = anna.buttons["✅ Всё есть"]

    await scene.messenger.press(ANNA, anna, data)
    await scene.messenger.press(ANNA, anna, data)
    await scene.toast("Этот ответ уже принят")

    assert (await scene.confirmed())["1"] == 2

    assert len([t for t in await scene.messenger.toasts() if "принят" in t]) == 2


async def test_the_last_of_two_quick_presses_counts(scene: Scene) -> None:
    """The second one before the message shows the first: a glove slips."""
    await scene.order("1001", line("1", 2), line("2", 1))
    anna, boris = await scene.question(ANNA), await scene.question(BORIS)

    await scene.messenger.press(ANNA, anna, anna.buttons["✅ Всё есть"])
    await scene.answered("1001", {"1": 2, "2": 1})
    await scene.messenger.press(ANNA, anna, anna.buttons["❌ Ничего нет"])
    await scene.toast("Исправлено")
    assert await scene.confirmed() == {"1": 0, "2": 0}

    await scene.messenger.press(BORIS, boris, boris.buttons["✅ Всё есть"])
    await scene.toast("Уже ответил(а) Анна")
    assert await scene.confirmed() == {"1": 0, "2": 0}


async def test_the_rest_said_twice_does_not_touch_what_was_said_before(scene: Scene) -> None:
    await scene.order("1001", line("1", 1), line("2", 1), line("3", 1))
    anna = await scene.question(ANNA)
    await scene.press(ANNA, anna, "По позициям")
    await scene.message(ANNA, lambda s: any(t.startswith("❌ 1") for t in s.buttons))
    await scene.press(ANNA, anna, "❌ 1")
    await scene.message(ANNA, lambda s: "❌ нет" in s.text)
    await scene.press(ANNA, anna, "‹ Назад")
    rest = await scene.message(ANNA, lambda s: "✅ Остальное есть" in s.buttons)

    await scene.messenger.press(ANNA, rest, rest.buttons["✅ Остальное есть"])
    await scene.answered("1001", {"1": 0, "2": 1, "3": 1})
    await scene.messenger.press(ANNA, rest, rest.buttons["❌ Остального нет"])

    await scene.toast("Все позиции уже отмечены")
    assert await scene.confirmed() == {"1": 0, "2": 1, "3": 1}


async def test_the_board_opens_questions_and_comes_back(scene: Scene) -> None:
    for number in range(7):
        await scene.order(f"20{number}", line("1", 1))
    await scene.messenger.say(ANNA, "/orders")
    board = await scene.message(ANNA, lambda s: "Ждут вас: 7" in s.text)
    assert len(board.buttons) == 6

    await scene.press(ANNA, board, "›")
    await scene.message(ANNA, lambda s: s.id == board.id and "206" in s.text)
    await scene.press(ANNA, board, "❓ 206")
    await scene.message(ANNA, lambda s: s.id == board.id and "Заказ 206" in s.text)
    await scene.press(ANNA, board, "✅ Есть")
    await scene.message(ANNA, lambda s: s.id == board.id and "ответ принят" in s.text)
    await scene.press(ANNA, board, "‹ К списку")
    await scene.message(ANNA, lambda s: s.id == board.id and "Ждут вас: 6" in s.text)

    assert await scene.confirmed("206") == {"1": 1}


async def test_a_person_types_the_code_of_a_link(scene: Scene) -> None:
    await scene.api.put("/v1/contacts/nina", {"name": "Нина"})
    channel = str(scene.messenger.channel)
    link = (await scene.api.post("/v1/contacts/nina/links", {"channel": channel})).json
    scene.messenger.add_person(150)

    await scene.messenger.say(150, "2345-67AB")
    await scene.said(150, "Такого кода мы не знаем")
    await scene.messenger.say(150, f" {link['code'].replace('-', '').lower()} ")
    await scene.said(150, "Готово! Сообщения магазина")

    contact = (await scene.api.get("/v1/contacts/nina")).json
    assert contact["addresses"] == {channel: "150"}


async def test_a_buyer_sees_his_orders_and_sets_his_wishes(scene: Scene) -> None:
    await scene.order()
    await scene.messenger.say(BUYER, "Мои заказы")
    await scene.said(BUYER, "Заказ 1001: проверяем наличие")

    await scene.messenger.say(BUYER, "/settings")
    settings = await scene.message(BUYER, lambda s: "Настройки" in s.text)
    await scene.press(BUYER, settings, "Тихие часы")
    await scene.message(BUYER, lambda s: s.id == settings.id and "22:00-09:00" in s.buttons)
    await scene.press(BUYER, settings, "22:00-09:00")
    await scene.message(BUYER, lambda s: s.id == settings.id and "22:00-09:00" in s.text)
    await scene.press(BUYER, settings, "Language")
    await scene.message(BUYER, lambda s: s.id == settings.id and "Message settings" in s.text)

    contact = (await scene.api.get(f"/v1/contacts/p{BUYER}")).json
    assert contact["locale"] == "en"
    assert contact["preferences"]["quiet_hours"] == {"from": "22:00", "to": "09:00"}


@pytest.mark.parametrize("turns", [4, pytest.param(20, marks=pytest.mark.soak)])
async def test_many_presses_of_one_question_end_in_one_answer_each(
    scene: Scene, turns: int
) -> None:
    for number in range(5):
        await scene.order(f"30{number}", line("1", 4))
    messages = {}
    for person in (ANNA, BORIS):
        messages[person] = [await scene.question(person, f"Заказ 30{n}") for n in range(5)]

    for turn in range(turns):
        for person, some in messages.items():
            for message in some:
                button = "✅ Есть 4" if turn % 2 else "❌ Нет"
                await scene.messenger.press(person, message, message.buttons[button])

    async def all_handled() -> bool:
        query = "SELECT count(*) = $1 AND bool_and(handled_at IS NOT NULL) FROM bot_update"
        return bool(await scene.hub.db.fetchval(query, 10 * turns))

    await until(all_handled, seconds=60)
    for number in range(5):
        who = await scene.hub.db.fetch(
            "SELECT DISTINCT answered_by FROM stock_line AS l"
            " JOIN stock_request AS r ON r.id = l.stock_request_id"
            " JOIN shop_order AS o ON o.id = r.order_id WHERE o.number = $1",
            f"30{number}",
        )
        assert len(who) == 1
        assert who[0]["answered_by"] is not None
