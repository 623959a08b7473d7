"""What questions to sellers and storekeepers say, in every language there is."""

from collections.abc import Mapping
from dataclasses import dataclass

from hub.orders.model import OrderStatus


@dataclass(frozen=True, slots=True)
class Words:
    """Names in braces are filled in. `statuses` is for buyers."""

    asked_title: str
    answered_title: str
    cancelled_title: str
    overdue: str
    reminder: str
    seller_asked: str
    answer_until: str
    pieces: str
    photo: str
    none_there: str
    some_there: str
    answered_by: str
    may_correct: str
    more_lines: str
    lines_page: str
    how_many: str
    reasons: Mapping[str, str]
    all_there: str
    nothing_there: str
    rest_there: str
    rest_missing: str
    one_there: str
    one_missing: str
    number_there: str
    line_by_line: str
    how_many_button: str
    correct: str
    back: str
    to_board: str
    assemble_title: str
    assemble_lead: str
    again_title: str
    again_lead: str
    take_out: str
    was_packed: str
    put_in: str
    assembled_title: str
    assembled_by: str
    waits_title: str
    waits_lead: str
    asks_more: str
    assembly_cancelled: str
    assembly_reasons: Mapping[str, str]
    assembled: str
    labels: str
    delivery: str
    methods: Mapping[str, str]
    """Ways of delivery by the names that the API knows."""
    sms_ask: str
    sms_assemble: str
    sms_again: str
    sms_closed: str
    statuses: Mapping[OrderStatus, str]


RU = Words(
    asked_title="Заказ {number}: есть ли товары?",
    answered_title="Заказ {number}: ответ принят",
    cancelled_title="Заказ {number}: отвечать не нужно",
    overdue="Ответа ждали до {time}. Ответьте, пожалуйста, как можно скорее.",
    reminder="Напоминаем: ждём ответа.",
    seller_asked="Склад не ответил, поэтому спрашиваем вас.",
    answer_until="Ответьте до {time}.",
    pieces="{number} шт.",
    photo="фото",
    none_there="❌ нет",
    some_there="✅ есть {confirmed} из {asked}",
    answered_by="Ответ: {who}, {time}.",
    may_correct="Исправить можно до {time}.",
    more_lines="…и ещё позиций: {number}",
    lines_page="По позициям, страница {page} из {pages}",
    how_many="Сколько есть? {title}, нужно {asked}",
    reasons={
        "cancelled": "Заказ отменён.",
        "decided": "Магазин уже решил без этого ответа.",
        "changed": "Заказ изменился, эти товары больше не нужны.",
    },
    all_there="✅ Всё есть",
    nothing_there="❌ Ничего нет",
    rest_there="✅ Остальное есть",
    rest_missing="❌ Остального нет",
    one_there="✅ Есть",
    one_missing="❌ Нет",
    number_there="✅ Есть {number}",
    line_by_line="По позициям",
    how_many_button="Сколько?",
    correct="Исправить",
    back="‹ Назад",
    to_board="‹ К списку",
    assemble_title="Заказ {number} оплачен: соберите",
    assemble_lead="Когда всё будет собрано, нажмите кнопку.",
    again_title="Заказ {number} изменился: соберите заново",
    again_lead="Вы его уже собрали. Исправьте посылку и нажмите кнопку ещё раз.",
    take_out="➖ убрать: {number}",
    was_packed="✏️ было: {number}",
    put_in="➕ добавить",
    assembled_title="Заказ {number} собран",
    assembled_by="Собрал(а): {who}, {time}.",
    waits_title="Заказ {number} изменился: сначала ответьте о наличии",
    waits_lead="Когда ответ будет, здесь появится, что собрать.",
    asks_more="О части товаров сначала спросили на складе: после ответа они появятся здесь.",
    assembly_cancelled="Заказ {number}: собирать не нужно",
    assembly_reasons={
        "cancelled": "Заказ отменён. Если уже собрали, верните товары на полку.",
        "changed": "Этих товаров в заказе больше нет. Если уже собрали, верните их на полку.",
        "as_packed": "Заказ снова такой, каким вы его собрали.",
        "newer": "Что собрать, сказано в более новом сообщении.",
    },
    assembled="📦 Собрано",
    labels="Ярлыки",
    delivery="Доставка: {delivery}",
    methods={"pickup": "самовывоз", "courier": "курьер", "post": "почта"},
    sms_ask="Заказ {number}: есть ли товары? Ответьте: {url}",
    sms_assemble="Заказ {number} оплачен, соберите: {url}",
    sms_again="Заказ {number} изменился, соберите заново: {url}",
    sms_closed="Заказ {number}: отвечать больше не нужно.",
    statuses={
        OrderStatus.PLACED: "принят",
        OrderStatus.AWAITING_STOCK: "проверяем наличие",
        OrderStatus.CONFIRMED: "всё есть, ждёт оплаты",
        OrderStatus.PARTIALLY_CONFIRMED: "есть не всё, ждёт оплаты",
        OrderStatus.REJECTED: "товаров нет в наличии",
        OrderStatus.PAID: "оплачен, собираем",
        OrderStatus.ASSEMBLED: "собран",
        OrderStatus.SHIPPED: "в пути",
        OrderStatus.IN_CITY: "прибыл в ваш город",
        OrderStatus.AT_PICKUP_POINT: "ждёт в пункте выдачи",
        OrderStatus.DELIVERED: "получен",
        OrderStatus.RETURNED: "возвращён",
        OrderStatus.CANCELLED: "отменён",
    },
)

EN = Words(
    asked_title="Order {number}: are these in stock?",
    answered_title="Order {number}: answered",
    cancelled_title="Order {number}: no answer needed",
    overdue="An answer was expected by {time}. Please answer as soon as you can.",
    reminder="A reminder: your answer is awaited.",
    seller_asked="The warehouse has not answered, so we are asking you.",
    answer_until="Please answer by {time}.",
    pieces="{number} pcs",
    photo="photo",
    none_there="❌ none",
    some_there="✅ {confirmed} of {asked}",
    answered_by="Answered by {who}, {time}.",
    may_correct="Can be corrected until {time}.",
    more_lines="…and {number} more lines",
    lines_page="Line by line, page {page} of {pages}",
    how_many="How many are there? {title}, needed: {asked}",
    reasons={
        "cancelled": "The order was cancelled.",
        "decided": "The shop has decided without this answer.",
        "changed": "The order has changed, these goods are not needed any more.",
    },
    all_there="✅ All there",
    nothing_there="❌ Nothing there",
    rest_there="✅ The rest is there",
    rest_missing="❌ The rest is missing",
    one_there="✅ Yes",
    one_missing="❌ No",
    number_there="✅ {number} there",
    line_by_line="Line by line",
    how_many_button="How many?",
    correct="Correct",
    back="‹ Back",
    to_board="‹ To the list",
    assemble_title="Order {number} is paid: please assemble",
    assemble_lead="Press the button when it is ready.",
    again_title="Order {number} has changed: please assemble it anew",
    again_lead="It was assembled already. Please correct the parcel and press the button once more.",
    take_out="➖ take out: {number}",
    was_packed="✏️ before: {number}",
    put_in="➕ put in",
    assembled_title="Order {number} is assembled",
    assembled_by="Assembled by {who}, {time}.",
    waits_title="Order {number} has changed: please say first what is in stock",
    waits_lead="Once that is answered, what to assemble appears here.",
    asks_more="Some goods are being asked for first: they appear here once that is answered.",
    assembly_cancelled="Order {number}: nothing to assemble",
    assembly_reasons={
        "cancelled": "The order was cancelled. If it is packed already, put the goods back on the shelf.",
        "changed": "These goods are not in the order any more. If they are packed already, put them back on the shelf.",
        "as_packed": "The order is again as you have packed it.",
        "newer": "A newer message says what to assemble.",
    },
    assembled="📦 Assembled",
    labels="Labels",
    delivery="Delivery: {delivery}",
    methods={"pickup": "pickup", "courier": "courier", "post": "post"},
    sms_ask="Order {number}: in stock? Please answer: {url}",
    sms_assemble="Order {number} is paid, please assemble: {url}",
    sms_again="Order {number} has changed, please assemble anew: {url}",
    sms_closed="Order {number}: no answer needed any more.",
    statuses={
        OrderStatus.PLACED: "placed",
        OrderStatus.AWAITING_STOCK: "checking the stock",
        OrderStatus.CONFIRMED: "in stock, waiting for payment",
        OrderStatus.PARTIALLY_CONFIRMED: "partly in stock, waiting for payment",
        OrderStatus.REJECTED: "out of stock",
        OrderStatus.PAID: "paid, being assembled",
        OrderStatus.ASSEMBLED: "assembled",
        OrderStatus.SHIPPED: "on its way",
        OrderStatus.IN_CITY: "arrived in your city",
        OrderStatus.AT_PICKUP_POINT: "waiting at the pickup point",
        OrderStatus.DELIVERED: "received",
        OrderStatus.RETURNED: "returned",
        OrderStatus.CANCELLED: "cancelled",
    },
)

_LANGUAGES: Mapping[str, Words] = {"ru": RU, "en": EN}


def words(locale: str) -> Words:
    return _LANGUAGES.get(locale, EN)
