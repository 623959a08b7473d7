"""Questions in messengers: each page within what VK and Telegram take, whatever a shop has put in."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from channels.base import Channel
from channels.vk.keyboard import keyboard_problem
from hub.config import OrderStatus
from hub.notifications.interactive import Parts
from hub.orders.buttons import Action, Do, line_tag
from hub.orders.model import (
    AssemblyStatus,
    Packed,
    Question,
    QuestionLine,
    RequestStatus,
    Task,
)
from hub.orders.parcels import changes
from hub.orders.shown import Page, Reader, assembly, page, shown
from tests.simulators.telegram_html import plain_text

NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
ID = UUID("01930000-0000-7000-8000-000000000001")


def _line(number: int, asked: int = 2, **more: object) -> QuestionLine:
    title = f"Чайник <{number}> & блюдце"
    line = QuestionLine(
        str(number), f"A-{number}", title, asked, Decimal("1990.00"), None, None, "", None
    )
    return replace(line, **more)  # type: ignore[arg-type]


def _question(*lines: QuestionLine, **more: object) -> Question:
    question = Question(
        id=ID,
        shop_id=1,
        order_id=ID,
        order_external_id="1001",
        order_number="1001",
        order_status=OrderStatus.AWAITING_STOCK,
        currency="RUB",
        status=RequestStatus.OPEN,
        reason="",
        revision=0,
        warehouse_id=ID,
        warehouse_name="Химки",
        seller_name="ИП Петрова",
        opened_at=NOW,
        clock_from=NOW,
        deadline=NOW + timedelta(minutes=30),
        answered_at=None,
        final_at=None,
        lines=lines,
    )
    return replace(question, **more)  # type: ignore[arg-type]


def _shown(
    question: Question,
    at: Page,
    channel: Channel = Channel.TELEGRAM,
    locale: str = "ru",
    *,
    above: bool = False,
    reminded: bool = False,
    contacts: frozenset[UUID] | None = None,
) -> Parts:
    def data(action: Action) -> str:
        return f"{action.do}:{action.number}"

    reader = Reader(
        channel,
        locale,
        "Europe/Moscow",
        data,
        above=above,
        reminded=reminded,
        contacts=contacts,
    )
    return shown(question, reader, at, NOW)


def _labels(parts: Parts) -> list[str]:
    return [button.text for row in parts.buttons for button in row]


@pytest.mark.parametrize("channel", [Channel.TELEGRAM, Channel.VK])
@pytest.mark.parametrize("count", [1, 2, 3, 7, 60, 500])
@pytest.mark.parametrize("asked", [1, 2, 1000])
def test_every_page_keeps_the_limits(channel: Channel, count: int, asked: int) -> None:
    long = "Очень длинное название " * 20
    question = _question(*(_line(n, asked, title=long, sku="S" * 100) for n in range(count)))
    tag = line_tag(question.lines[-1])
    pages = [Page(), *(Page(Do.LINES, n) for n in (0, 1, 249, 999))]
    pages += [Page(Do.HOW_MANY, n, tag) for n in (0, 7, 999)]

    for at in pages:
        parts = _shown(question, at, channel)

        assert len(parts.text) <= 4096
        assert parts.buttons
        if channel is Channel.VK:
            assert keyboard_problem(parts.buttons) == ""
        assert all(0 < len(button.text) <= 40 for row in parts.buttons for button in row)


def test_what_a_shop_writes_cannot_break_telegrams_html() -> None:
    parts = _shown(_question(_line(1, image_url='https://e.com/?a=1&b="2"')), Page())

    assert "Чайник <1> & блюдце" in plain_text(parts.html)
    assert "фото" in plain_text(parts.html)
    assert "<b>1. Чайник &lt;1&gt;" in parts.html


def test_it_shows_what_is_asked_and_until_when() -> None:
    parts = _shown(_question(_line(1), _line(2, 1)), Page())

    assert parts.text.startswith("Заказ 1001: есть ли товары?\nХимки\n\n1. Чайник")
    assert "A-1 · 2 шт. · 1\xa0990\xa0₽" in parts.text
    assert parts.text.endswith("Ответьте до 12:30.")
    assert _labels(parts) == ["✅ Всё есть", "❌ Ничего нет", "По позициям"]


def test_in_english_too() -> None:
    parts = _shown(_question(_line(1)), Page(), locale="en")

    assert parts.text.startswith("Order 1001: are these in stock?")
    assert _labels(parts) == ["✅ 2 there", "❌ No", "How many?"]


def test_a_question_that_has_begun_asks_for_the_rest() -> None:
    first = _line(1, confirmed=1, answered_by="Анна", answered_at=NOW)
    parts = _shown(_question(first, _line(2)), Page())

    assert "✅ есть 1 из 2 — Анна" in parts.text
    assert _labels(parts)[0] == "✅ Остальное есть"


def test_the_seller_is_told_why_he_is_asked() -> None:
    silent = _question(_line(1), status=RequestStatus.ESCALATED)
    parts = _shown(silent, Page(), above=True)

    assert "Склад не ответил" in parts.text
    assert "Ответа ждали до 12:30" in parts.text


def test_the_silent_storekeeper_is_not_told_that_he_is_asked_instead_of_himself() -> None:
    silent = _question(_line(1), status=RequestStatus.ESCALATED)

    text = _shown(silent, Page()).text

    assert "Склад не ответил" not in text
    assert "Ответа ждали до 12:30" in text


def test_a_reminder_says_that_it_is_one_as_long_as_somebody_waits() -> None:
    answered = _line(1, confirmed=2, answered_by="Анна", answered_at=NOW)
    done = _question(answered, status=RequestStatus.ANSWERED, answered_at=NOW)

    assert "Напоминаем" in _shown(_question(_line(1)), Page(), reminded=True).text
    assert "Напоминаем" not in _shown(_question(_line(1)), Page()).text
    assert "Напоминаем" not in _shown(done, Page(), reminded=True).text


def test_a_seller_without_storekeepers_is_asked_without_blaming_anybody() -> None:
    alone = _question(_line(1))

    assert "Склад не ответил" not in _shown(alone, Page(), above=True).text


def _answered() -> Question:
    line = _line(1, confirmed=2, answered_by="Анна", answered_at=NOW)
    return _question(
        line,
        _line(2, confirmed=0, answered_by="Анна", answered_at=NOW),
        status=RequestStatus.ANSWERED,
        answered_at=NOW,
        answered_by=("Анна",),
        final_at=NOW + timedelta(minutes=5),
    )


def test_an_answer_can_be_corrected_for_a_while_and_looks_otherwise_then() -> None:
    parts = _shown(_answered(), Page())
    assert _labels(parts) == ["Исправить"]
    assert parts.until == NOW + timedelta(minutes=5)
    assert "Ответ: Анна, 12:00." in parts.text

    over = _shown(replace(_answered(), final_at=NOW), Page(Do.LINES))
    assert over.buttons == ()
    assert over.until is None

    paid = _shown(replace(_answered(), order_status=OrderStatus.PAID), Page())
    assert paid.buttons == ()


def test_only_who_has_answered_is_offered_to_correct_it() -> None:
    anna, boris = UUID(int=1), UUID(int=2)
    lines = tuple(replace(line, answerer=anna) for line in _answered().lines)
    question = replace(_answered(), lines=lines)

    assert _labels(_shown(question, Page(), contacts=frozenset({anna, boris}))) == ["Исправить"]
    other = _shown(question, Page(Do.LINES), contacts=frozenset({boris}))
    assert (other.buttons, other.until) == ((), None)
    assert "Исправить" not in other.text


def test_however_people_call_themselves_there_is_room_for_the_lines() -> None:
    names = [f"{n:03} " + "Константин " * 20 for n in range(40)]
    lines = [_line(n, confirmed=1, answered_by=name) for n, name in enumerate(names)]
    question = _question(
        *lines, status=RequestStatus.ANSWERED, answered_at=NOW, answered_by=tuple(names)
    )

    parts = _shown(question, Page())

    assert len(parts.text) <= 4000
    assert "1. Чайник" in parts.text
    assert "Ответ: 000 Константин" in parts.text


@pytest.mark.parametrize(
    ("reason", "text"),
    [("cancelled", "Заказ отменён."), ("decided", "Магазин уже решил"), ("changed", "изменился")],
)
def test_a_closed_question_says_why_and_has_no_buttons(reason: str, text: str) -> None:
    question = _question(_line(1), status=RequestStatus.CANCELLED, reason=reason)

    parts = _shown(question, Page(Do.LINES))

    assert "отвечать не нужно" in parts.text
    assert text in parts.text
    assert parts.buttons == ()


def test_a_page_whose_line_was_taken_out_is_the_start() -> None:
    gone = line_tag(_line(9))

    assert _shown(_question(_line(1)), Page(Do.HOW_MANY, 0, gone)) == _shown(
        _question(_line(1)), Page()
    )


@pytest.mark.parametrize("at", [Page(), Page(Do.LINES, 3), Page(Do.HOW_MANY, 1, b"\0abc")])
def test_a_page_is_kept_as_text(at: Page) -> None:
    assert page(at.stored) == at


class TestAParcelThatIsPackedAnew:
    def _task(self, *before: Packed, lines: tuple[QuestionLine, ...]) -> Task:
        return Task(
            id=ID,
            shop_id=1,
            order_id=ID,
            order_external_id="1001",
            order_number="1001",
            order_status=OrderStatus.ASSEMBLED,
            currency="RUB",
            status=AssemblyStatus.OPEN,
            warehouse_name="Химки",
            seller_name="ИП Петрова",
            opened_at=NOW,
            assembled_at=None,
            assembled_by="",
            delivery={},
            labels_url=None,
            lines=lines,
            changes=changes(before, lines),
        )

    def _shown(self, task: Task, locale: str = "ru") -> Parts:
        reader = Reader(Channel.TELEGRAM, locale, "Europe/Moscow", lambda action: str(action.do))
        return assembly(task, reader, NOW)

    def test_says_line_by_line_what_is_to_be_changed(self) -> None:
        same, less, new = _line(1), _line(2, 1), _line(3, 4)
        before = [
            Packed("1", "A-1", "Старое название", 2),
            Packed("2", "A-2", "Чайник", 3),
            Packed("4", "A-4", "Чашка", 5),
        ]

        parts = self._shown(self._task(*before, lines=(same, less, new)))

        title, out, *lines, foot = parts.text.split("\n\n")
        assert title.startswith("Заказ 1001 изменился: соберите заново")
        assert out == "Чашка · A-4\n➖ убрать: 5 шт."
        assert ["было: 3 шт." in line for line in lines] == [False, True, False]
        assert ["➕ добавить" in line for line in lines] == [False, False, True]
        assert "ещё раз" in foot
        assert _labels(parts) == ["📦 Собрано"]

    def test_names_other_goods_in_the_same_line_twice(self) -> None:
        parts = self._shown(self._task(Packed("1", "B-1", "Чашка", 2), lines=(_line(1),)), "en")

        assert "Чашка · B-1\n➖ take out: 2 pcs" in parts.text
        assert "➕ put in" in parts.text

    def test_says_that_more_may_come_into_it(self) -> None:
        task = replace(self._task(lines=(_line(1),)), asks=True, changes=())

        parts = self._shown(task)

        assert "сначала спросили на складе" in parts.text
        assert _labels(parts) == ["📦 Собрано"]

    def test_offers_nothing_to_press_before_the_shelf_has_answered(self) -> None:
        parts = self._shown(replace(self._task(lines=()), asks=True))

        assert parts.text.startswith("Заказ 1001 изменился: сначала ответьте о наличии")
        assert _labels(parts) == []

    @pytest.mark.parametrize("locale", ["ru", "en"])
    @pytest.mark.parametrize(
        ("reason", "puts_back"),
        [("cancelled", True), ("changed", True), ("as_packed", False), ("newer", False)],
    )
    def test_says_why_it_is_not_to_be_packed(
        self, reason: str, puts_back: bool, locale: str
    ) -> None:
        task = replace(self._task(lines=()), status=AssemblyStatus.CANCELLED, reason=reason)

        text = self._shown(task, locale).text

        assert ("на полку" in text or "on the shelf" in text) is puts_back

    def test_fits_into_a_message_however_much_changed(self) -> None:
        before = [Packed(str(n), "", "Ч" * 500, n) for n in range(1, 400)]

        parts = self._shown(self._task(*before, lines=tuple(_line(n) for n in range(400, 600))))

        assert len(parts.text) < 4000
