"""Storekeepers who answer the question by an SMS."""

from typing import Any

import pytest

from hub.resources import Hub
from tests.hub.api.client import Api
from tests.hub.inbound.conftest import Write, handle, replies
from tests.hub.orders.conftest import Book, Place, Reply, get_order, line, tell

pytestmark = pytest.mark.usefixtures("people")


async def lines(api: Api, id_: str = "1001") -> list[tuple[str, int | None, str | None]]:
    [request] = (await get_order(api, id_))["stock_requests"]
    return [(one["id"], one["confirmed"], one["via"]) for one in request["lines"]]


async def test_yes_confirms_every_line(api: Api, place: Place, write: Write) -> None:
    await place()

    said = await write("ДА 1001")

    assert said == "Заказ 1001: записали, всё есть. Спасибо!"
    order = await get_order(api)
    assert order["status"] == "confirmed"
    assert await lines(api) == [("1", 2, "sms"), ("2", 1, "sms")]
    assert order["stock_requests"][0]["lines"][0]["answered_by"] == "wh-7-anna"


async def test_no_says_that_nothing_is_there(api: Api, place: Place, write: Write) -> None:
    await place()

    assert await write("нет 1001") == "Заказ 1001: записали, ничего нет. Спасибо!"
    assert (await get_order(api))["status"] == "rejected"


async def test_a_single_line_takes_a_number(api: Api, place: Place, write: Write) -> None:
    await place(line("1", 3))

    assert await write("ДА 1001 5") == "По заказу 1001 нужно 3: напишите число не больше."
    assert await write("ДА 1001 2") == "Заказ 1001: записали, есть 2. Спасибо!"
    assert await lines(api) == [("1", 2, "sms")]
    assert (await get_order(api))["status"] == "partially_confirmed"


async def test_several_lines_take_no_number(api: Api, place: Place, write: Write) -> None:
    await place()

    said = await write("ДА 1001 2")

    assert said == "В заказе 1001 несколько позиций: ответьте по ссылке из сообщения."
    assert await lines(api) == [("1", None, None), ("2", None, None)]


async def test_without_a_number_the_only_question_is_meant(
    hub: Hub, place: Place, write: Write
) -> None:
    await place()
    await sent(hub)

    assert await write("да") == "Заказ 1001: записали, всё есть. Спасибо!"
    assert await write("да") == "Сейчас вопросов к вам нет."


async def test_of_several_questions_one_has_to_be_named(
    api: Api, hub: Hub, place: Place, write: Write
) -> None:
    await place()
    await place(id_="1002", number="1002")
    await sent(hub)

    said = await write("да")

    assert said == "По какому заказу? Напишите, например: ДА 1001. Ждут ответа: 1001, 1002"
    assert await write("да 1003") == "Заказ 1003 вашего ответа не ждёт. Ждут: 1001, 1002"
    assert await write("да 1002") == "Заказ 1002: записали, всё есть. Спасибо!"
    assert (await get_order(api, "1001"))["status"] == "awaiting_stock"


async def test_the_second_one_hears_who_was_first(place: Place, write: Write) -> None:
    await place()
    await write("ДА 1001", by="+79990000007")

    said = await write("НЕТ 1001")

    assert said == "Заказ 1001: уже есть ответ, ИП Петрова."


async def test_one_may_correct_oneself(api: Api, place: Place, write: Write) -> None:
    await place()
    await write("ДА 1001")

    assert await write("ДА 1001") == "Заказ 1001: этот ответ уже записан."
    assert await write("НЕТ 1001") == "Заказ 1001: записали, ничего нет. Спасибо!"
    assert (await get_order(api))["status"] == "rejected"


async def test_a_correction_written_in_time_counts_however_late_it_is_handled(
    api: Api, hub: Hub, place: Place, write: Write
) -> None:
    await place()
    await write("ДА 1001")
    body = {"channel": "sms", "address": "+79990000071", "text": "НЕТ 1001"}
    assert (await api.post("/v1/sandbox/messages", body)).status == 202
    await hub.db.execute("UPDATE heard SET heard_at = heard_at - interval '6 minutes'")
    await hub.db.execute("UPDATE stock_line SET final_at = final_at - interval '6 minutes'")

    await handle(hub)

    assert (await get_order(api))["status"] == "rejected"


async def test_after_the_order_is_cancelled_nothing_is_needed(
    api: Api, place: Place, write: Write
) -> None:
    await place()
    await tell(api, "cancelled")

    assert await write("ДА 1001") == "Заказ 1001: отвечать больше не нужно."


async def test_strangers_and_buyers_have_no_say(api: Api, place: Place, write: Write) -> None:
    await place()
    await api.put("/v1/contacts/buyer-42", {"addresses": {"phone": "+79990000042"}})

    assert await write("ДА 1001", by="+79990000042") is None
    assert await write("ДА 1001", by="+79995550000") is None
    assert await lines(api) == [("1", None, None), ("2", None, None)]


async def test_staff_of_another_place_has_no_say(api: Api, place: Place, write: Write) -> None:
    await place()
    other = {
        "role": "warehouse",
        "addresses": {"phone": "+79990000081"},
        "warehouses": ["wh-8"],
    }
    assert (await api.put("/v1/contacts/wh-8-ivan", other)).status == 201

    assert await write("ДА 1001", by="+79990000081") == "Сейчас вопросов к вам нет."
    assert await lines(api) == [("1", None, None), ("2", None, None)]


async def test_whoever_writes_something_else_hears_how_to_answer(
    place: Place, write: Write
) -> None:
    await place()

    said = await write("сейчас посмотрю и отвечу")

    assert said == "Не поняли. Напишите ДА 1001, если всё есть, или НЕТ 1001."


async def test_whatsapp_answers_count_as_such(api: Api, place: Place, write: Write) -> None:
    await place()

    await write("ДА 1001", channel="whatsapp")

    assert await lines(api) == [("1", 2, "whatsapp"), ("2", 1, "whatsapp")]


async def test_in_english_for_those_who_read_it(api: Api, place: Place, write: Write) -> None:
    await place()
    await api.put("/v1/contacts/wh-7-anna", {"locale": "en"})

    assert await write("YES 1001") == "Order 1001: noted, all there. Thank you!"


async def test_handled_again_after_a_crash_it_is_answered_once(
    api: Api, hub: Hub, place: Place, book: Book
) -> None:
    await place()
    body = {"channel": "sms", "address": "+79990000071", "text": "ДА 1001"}
    await api.post("/v1/sandbox/messages", body)
    await handle(hub)
    # As a worker that died between the answer and the note.
    await hub.db.execute("UPDATE heard SET handled_at = NULL")

    await handle(hub)

    assert await lines(api) == [("1", 2, "sms"), ("2", 1, "sms")]
    assert (await replies(hub))[-1] == "Заказ 1001: этот ответ уже записан."


async def test_parcels_to_pack_are_no_questions(hub: Hub, place: Place, write: Write) -> None:
    for n in range(10):
        await place(line("1"), id_=f"p{n}", number=f"9{n}", status="paid")
    await place()
    await sent(hub)

    assert await write("да") == "Заказ 1001: записали, всё есть. Спасибо!"


async def test_whatever_else_waits_all_questions_are_counted(
    api: Api, place: Place, write: Write
) -> None:
    for n in range(9):
        await place(line("1"), id_=f"p{n}", number=f"9{n}", status="paid")
    await place()
    await place(id_="1002", number="1002")

    said = await write("да")

    assert said == "По какому заказу? Напишите, например: ДА 1001. Ждут ответа: 1001, 1002"
    assert (await get_order(api, "1001"))["status"] == "awaiting_stock"


@pytest.mark.parametrize("number", ["#1001", "1001-A_2", "ORD_1001", "А 1001", "№1001"])
async def test_the_hint_can_be_followed(place: Place, write: Write, number: str) -> None:
    await place(id_="o1", number=number)

    hint = await write("что?")

    assert hint == f"Не поняли. Напишите ДА {number}, если всё есть, или НЕТ {number}."
    assert await write(f"ДА {number}") == f"Заказ {number}: записали, всё есть. Спасибо!"
    assert await write(f"НЕТ {number}") == f"Заказ {number}: записали, ничего нет. Спасибо!"


async def test_the_sign_of_a_number_may_be_left_out(api: Api, place: Place, write: Write) -> None:
    await place(id_="o1", number="#1001")
    await place(id_="o2", number="#1002")

    assert await write("ДА 1001") == "Заказ #1001: записали, всё есть. Спасибо!"
    await tell(api, "cancelled", id_="o2")
    assert await write("ДА 1002") == "Заказ #1002: отвечать больше не нужно."


class OfVera:
    """Vera has nothing but a phone for SMS."""

    VERA = "+79990000091"

    @pytest.fixture(autouse=True)
    async def vera(self, api: Api) -> None:
        body = {
            "role": "warehouse",
            "name": "Вера",
            "addresses": {"phone": self.VERA},
            "warehouses": ["wh-9"],
        }
        assert (await api.put("/v1/contacts/vera", body)).status == 201

    @staticmethod
    def mine(quantity: int, id_: str = "1") -> dict[str, Any]:
        return line(id_, quantity, warehouse="wh-9")


class TestAnAnswerThatNamesNoOrder(OfVera):
    async def test_is_none_to_a_question_that_was_not_sent_yet(
        self, api: Api, hub: Hub, place: Place, reply: Reply, write: Write
    ) -> None:
        [request] = (await place(self.mine(2)))["stock_requests"]
        await sent(hub)
        await reply(request, ("1", 2), by="seller-7")
        await place(self.mine(3), id_="o2", number="1002")

        said = await write("ДА", by=self.VERA)

        assert said == "По какому заказу? Напишите, например: ДА 1002. Ждут ответа: 1002"
        assert await lines(api, "o2") == [("1", None, None)]
        # Whoever names it knows of it.
        assert await write("ДА 1002", by=self.VERA) == "Заказ 1002: записали, всё есть. Спасибо!"

    async def test_that_was_written_before_it_was_sent_is_none_however_late_it_comes(
        self, api: Api, hub: Hub, place: Place
    ) -> None:
        await place(self.mine(2))
        body = {"channel": "sms", "address": self.VERA, "text": "ДА"}
        await api.post("/v1/sandbox/messages", body)
        await sent(hub)

        await handle(hub)

        assert (await replies(hub))[-1].startswith("По какому заказу?")
        assert await lines(api) == [("1", None, None)]

    async def test_is_to_the_only_one_that_was_sent(
        self, api: Api, hub: Hub, place: Place, write: Write
    ) -> None:
        await place(self.mine(2))
        await sent(hub)
        await place(self.mine(3), id_="o2", number="1002")

        assert await write("ДА", by=self.VERA) == "Заказ 1001: записали, всё есть. Спасибо!"

        assert await lines(api, "o2") == [("1", None, None)]

    async def test_is_not_to_another_place_of_the_order_whose_question_was_not_sent(
        self, api: Api, hub: Hub, place: Place, write: Write
    ) -> None:
        await api.put("/v1/contacts/vera", {"warehouses": ["wh-9", "wh-10"]})
        await place(self.mine(2), line("2", 1, warehouse="wh-10"))
        await hub.db.execute(
            """
            UPDATE delivery SET status = 'sent', sent_at = clock_timestamp()
             WHERE notification_id IN (
                   SELECT m.notification_id FROM stock_message AS m
                     JOIN stock_request AS r ON r.id = m.stock_request_id
                     JOIN warehouse AS w ON w.id = r.warehouse_id WHERE w.external_id = 'wh-9')
            """
        )

        await write("ДА", by=self.VERA)

        requests = (await get_order(api))["stock_requests"]
        assert [(r["warehouse"], r["status"]) for r in requests] == [
            ("wh-9", "answered"),
            ("wh-10", "open"),
        ]

    async def test_is_one_by_somebody_to_whom_nothing_is_sent(
        self, api: Api, hub: Hub, place: Place, write: Write
    ) -> None:
        await place(self.mine(2))
        await api.put("/v1/contacts/wh-7-anna", {"warehouses": ["wh-9"]})

        assert await write("ДА") == "Заказ 1001: записали, всё есть. Спасибо!"


class TestAQuestionThatChangesMeanwhile(OfVera):
    """Each change is put to her by another SMS."""

    async def test_before_it_is_sent_the_answer_is_to_the_old_one(
        self, api: Api, hub: Hub, place: Place, write: Write
    ) -> None:
        await place(self.mine(2))
        await sent(hub)
        await place(self.mine(5))

        said = await write("ДА 1001", by=self.VERA)

        assert said == "Заказ 1001 изменился: ответьте, пожалуйста, на новое сообщение."
        assert await lines(api) == [("1", None, None)]
        assert await write("да", by=self.VERA) == said
        assert await write("ДА 1001 2", by=self.VERA) == said
        assert await write("НЕТ 1001", by=self.VERA) == said
        await sent(hub)
        assert await write("ДА 1001", by=self.VERA) == "Заказ 1001: записали, всё есть. Спасибо!"
        assert await lines(api) == [("1", 5, "sms")]

    async def test_what_was_written_before_it_was_sent_is_no_answer_however_late_it_comes(
        self, api: Api, hub: Hub, place: Place
    ) -> None:
        await place(self.mine(2))
        await sent(hub)
        await place(self.mine(5))
        body = {"channel": "sms", "address": self.VERA, "text": "ДА 1001"}
        await api.post("/v1/sandbox/messages", body)
        await sent(hub)

        await handle(hub)

        assert (await replies(hub))[-1].startswith("Заказ 1001 изменился")
        assert await lines(api) == [("1", None, None)]

    async def test_that_perhaps_was_sent_may_be_answered(
        self, hub: Hub, place: Place, write: Write
    ) -> None:
        await place(self.mine(2))
        await sent(hub)
        await place(self.mine(5))
        await hub.db.execute("UPDATE delivery SET status = 'unknown' WHERE status = 'queued'")

        assert await write("ДА 1001", by=self.VERA) == "Заказ 1001: записали, всё есть. Спасибо!"

    async def test_that_lost_a_line_only_may_be_answered(
        self, api: Api, hub: Hub, place: Place, write: Write
    ) -> None:
        await place(self.mine(2), self.mine(1, "2"))
        await sent(hub)
        await place(self.mine(2))

        assert await write("ДА 1001", by=self.VERA) == "Заказ 1001: записали, всё есть. Спасибо!"
        assert await lines(api) == [("1", 2, "sms")]

    async def test_a_question_that_follows_an_answered_one_is_another(
        self, api: Api, hub: Hub, place: Place, reply: Reply, write: Write
    ) -> None:
        [request] = (await place(self.mine(2)))["stock_requests"]
        await sent(hub)
        await reply(request, ("1", 2), by="seller-7")
        await place(self.mine(5))

        assert (await write("ДА 1001", by=self.VERA) or "").startswith("Заказ 1001 изменился")

        assert (await get_order(api))["status"] == "awaiting_stock"

    async def test_of_two_places_the_one_that_did_not_change_is_answered(
        self, api: Api, hub: Hub, place: Place, write: Write
    ) -> None:
        await api.put("/v1/contacts/vera", {"warehouses": ["wh-9", "wh-10"]})
        other = line("2", 1, warehouse="wh-10")
        await place(self.mine(2), other)
        await sent(hub)
        await place(self.mine(5), other)

        assert (await write("ДА 1001", by=self.VERA) or "").startswith("Заказ 1001 изменился")

        requests = (await get_order(api))["stock_requests"]
        assert [(r["warehouse"], r["status"]) for r in requests] == [
            ("wh-9", "open"),
            ("wh-10", "answered"),
        ]

    async def test_whoever_was_asked_nothing_by_us_may_answer(
        self, api: Api, hub: Hub, place: Place, write: Write
    ) -> None:
        await place(self.mine(2))
        await sent(hub)
        await place(self.mine(5))

        await write("ДА 1001", by="+79990000007")

        assert await lines(api) == [("1", 5, "sms")]

    async def test_who_is_asked_in_a_messenger_too_sees_it_there(
        self, api: Api, hub: Hub, place: Place, write: Write
    ) -> None:
        await place(line("1", 2))
        await sent(hub)
        await place(line("1", 5))

        assert (await write("ДА 1001") or "").startswith("Заказ 1001 изменился")
        # Its messages are changed now.
        await hub.db.execute("DELETE FROM message_edit")
        await write("ДА 1001")

        assert await lines(api) == [("1", 5, "sms")]


async def sent(hub: Hub) -> None:
    """Everything that waits has been sent."""
    await hub.db.execute(
        "UPDATE delivery SET status = 'sent', sent_at = clock_timestamp() WHERE status = 'queued'"
    )
