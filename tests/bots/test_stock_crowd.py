"""Many people and many open questions at once: one answer each, and a board that reads what it shows."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from bots.conversation.said import Asked, Pressed, Reply, Said, Want
from bots.conversation.talk import Talk
from channels.base import Channel
from channels.updates import Incoming, storable
from hub.config import HubSettings
from hub.contacts import updates
from hub.ids import new_id
from tests.bots.messengers import InSandbox, OnTelegram, Seen
from tests.bots.scene import ANNA, Scene, line, playing, until
from tests.hub.explained import Explained
from tests.simulators.telegram import Telegram

CROWD = range(201, 221)
REQUESTS = range(10)
OPEN, DONE = 1000, 20_000


@pytest.fixture
def base(hub_database: str, redis_url: str) -> HubSettings:
    return HubSettings(
        database_url=SecretStr(hub_database),
        redis_url=SecretStr(redis_url),
        secret=SecretStr("only-for-the-tests-of-the-stock-loop"),
    )


@pytest.fixture
async def sandbox(base: HubSettings) -> AsyncIterator[Scene]:
    async with playing(base, InSandbox()) as scene:
        yield scene


@pytest.fixture
async def on_telegram(base: HubSettings) -> AsyncIterator[Scene]:
    async with (
        Telegram() as telegram,
        playing(base, OnTelegram(telegram, webhook=False)) as scene,
    ):
        yield scene


async def _asked_all(scene: Scene) -> dict[int, list[Seen]]:
    """Twenty storekeepers of one place, each with a question for each of ten orders, in the orders' order."""
    for person in CROWD:
        scene.messenger.add_person(person)
        fields = {
            "role": "warehouse",
            "name": f"К-{person}",
            "warehouses": ["hall"],
            "addresses": {str(scene.messenger.channel): str(person)},
        }
        assert (await scene.api.put(f"/v1/contacts/p{person}", fields)).status == 201
    for number in REQUESTS:
        await scene.order(f"40{number}", line("1", 4, place="hall"))
    asked: dict[int, list[Seen]] = {}

    async def all_there() -> bool:
        for person in CROWD:
            chat = await scene.messenger.chat(person)
            asked[person] = sorted(
                (s for s in chat if s.buttons and "Заказ 40" in s.text), key=lambda s: s.text
            )
        return all(len(questions) == len(REQUESTS) for questions in asked.values())

    await until(all_there, seconds=60)
    return asked


def _presses(asked: dict[int, list[Seen]]) -> list[tuple[int, Seen, str]]:
    """Everyone on every question, everyone beginning with another one; half of them say that there is none."""
    return [
        (person, message, message.buttons["✅ Есть 4" if place % 2 else "❌ Нет"])
        for turn in REQUESTS
        for place, person in enumerate(CROWD)
        for message in [asked[person][(turn + place) % len(REQUESTS)]]
    ]


async def _winners(scene: Scene) -> list[str]:
    """Who answered, order by order. Fails where that is not one person."""

    async def all_handled() -> bool:
        query = "SELECT count(*) = 200 AND bool_and(handled_at IS NOT NULL) FROM bot_update"
        return bool(await scene.hub.db.fetchval(query))

    await until(all_handled, seconds=90)
    rows = await scene.hub.db.fetch(
        """
        SELECT o.number, array_agg(DISTINCT l.answered_name) AS who, o.status,
               (SELECT count(*) FROM order_history AS h
                 WHERE h.order_id = o.id AND h.status IN ('confirmed', 'rejected')) AS changes
          FROM shop_order AS o JOIN stock_request AS r ON r.order_id = o.id
          JOIN stock_line AS l ON l.stock_request_id = r.id
         GROUP BY o.id ORDER BY o.number
        """
    )
    assert [row["changes"] for row in rows] == [1] * len(REQUESTS)
    assert {row["status"] for row in rows} <= {"confirmed", "rejected"}
    assert all(len(row["who"]) == 1 for row in rows)
    return [row["who"][0] for row in rows]


def _told(text: str) -> str:
    """Whose answer counts, by what was shown: "" for his own."""
    if text == "Спасибо! Ответ принят.":
        return ""
    assert text.startswith("Уже ответил(а) К-"), text
    return text.removeprefix("Уже ответил(а) ").partition(" ")[0]


async def test_200_presses_at_once_by_20_people_on_10_questions_end_in_one_answer_each(
    sandbox: Scene,
) -> None:
    scene, hub = sandbox, sandbox.hub
    presses = _presses(await _asked_all(scene))
    shop_id = hub.shop("main").id
    # In one statement: no press is there before another.
    found = [
        Incoming(
            str(new_id()),
            str(person),
            storable(
                {"chat": str(person), "press": str(new_id()), "message": message.id, "data": data}
            ),
        )
        for person, message, data in presses
    ]
    assert await updates.store(hub.db, shop_id, "bot", found) == 200

    winners = await _winners(scene)
    rows = await hub.db.fetch(
        "SELECT address, text FROM sandbox_message WHERE delivery_id IS NULL AND buttons = '[]'"
    )
    for person in CROWD:
        name = f"К-{person}"
        told = Counter(_told(row["text"]) for row in rows if row["address"] == str(person))
        assert told == Counter("" if who == name else who for who in winners), name


async def test_20_people_press_everything_at_once_in_telegram(on_telegram: Scene) -> None:
    scene = on_telegram
    presses = _presses(await _asked_all(scene))

    for person, message, data in presses:
        await scene.messenger.press(person, message, data)

    winners = await _winners(scene)
    told = Counter(_told(text) for text in await scene.messenger.toasts())
    assert told == Counter(winners * (len(CROWD) - 1)) + Counter({"": len(winners)})


async def _filled(scene: Scene) -> None:
    """The same question many times, most of them answered: made by the database, not by thousands of requests."""
    await scene.order("0", line("1", 1))
    async with scene.hub.db.acquire() as connection, connection.transaction():
        # No foreign keys looked up.
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute(
            """
            WITH made AS (
                SELECT n, gen_random_uuid() AS order_id, gen_random_uuid() AS id
                  FROM generate_series(1, $1::int + $2::int) AS n
            ), orders AS (
                INSERT INTO shop_order (id, shop_id, external_id, number, status, told_status, currency)
                SELECT made.order_id, o.shop_id, 'n' || n, 'n' || n, o.status, o.told_status, o.currency
                  FROM made, shop_order AS o
            ), requests AS (
                INSERT INTO stock_request (id, shop_id, order_id, seller_id, warehouse_id, opened_at,
                                           clock_from, status)
                SELECT made.id, r.shop_id, made.order_id, r.seller_id, r.warehouse_id, r.opened_at,
                       r.clock_from, CASE WHEN n <= $1 THEN 'open' ELSE 'answered' END
                  FROM made, stock_request AS r
            ), lines AS (
                INSERT INTO order_line (order_id, line_id, shop_id, position, title, quantity,
                                        stock_request_id)
                SELECT made.order_id, '1', l.shop_id, 0, 'Чайник', 1, made.id FROM made, order_line AS l
            )
            INSERT INTO stock_line (stock_request_id, line_id, shop_id, asked)
            SELECT made.id, '1', l.shop_id, 1 FROM made, stock_line AS l
            """,
            OPEN - 1,
            DONE,
        )
    for table in ("shop_order", "stock_request", "stock_line", "order_line"):
        await scene.hub.db.execute(f"ANALYZE {table}")


async def test_with_1000_open_questions_the_board_reads_what_it_shows(base: HubSettings) -> None:
    async with playing(base, InSandbox(), roles=False) as scene:
        await _filled(scene)
        hub = scene.hub
        [account] = hub.accounts.of(hub.shop("main").id, Channel.TELEGRAM)
        async with hub.db.acquire() as connection:
            explained: Any = Explained(connection)
            talk = Talk(replace(hub, db=explained), account)

            opened = await talk.answer(Said(str(ANNA), Asked(Want.ORDERS)))
            orders_plans = len(explained.plans)
            assert opened
            turned = await talk.answer(Said(str(ANNA), _turn(opened), person=str(ANNA)))

        assert f"Ждут вас: {OPEN}" in opened.text
        assert turned
        assert turned.page
        assert "Страница 2 из 200" in turned.page.text
        # Who speaks, how much there is, and the page.
        assert orders_plans == 3
        assert len(explained.plans) == 2 * orders_plans
        large = ("shop_order", "stock_request", "stock_line", "order_line")
        assert explained.read_through(large) == []


def _turn(reply: Reply) -> Pressed:
    [data] = [button.data for row in reply.buttons for button in row if button.text == "›"]
    return Pressed("p", data, "1")


async def test_with_1000_open_questions_orders_is_answered_in_telegram(on_telegram: Scene) -> None:
    await _filled(on_telegram)

    await on_telegram.messenger.say(ANNA, "/orders")

    board = await on_telegram.message(ANNA, lambda s: f"Ждут вас: {OPEN}" in s.text)
    assert len(board.buttons) == 6
