"""What the demonstration says while it goes on."""

from collections.abc import Mapping
from dataclasses import dataclass

from hub.config import Locale


@dataclass(frozen=True, slots=True)
class Words:
    """Names in braces are filled in. `goods`: titles by SKU."""

    loaded: str
    placed: str
    asked: str
    edited: str
    presses: str
    opens_page: str
    sends_page: str
    answered: str
    status: str
    told: str
    says_paid: str
    says_shipped: str
    to_assemble: str
    packed: str
    labels: str
    sent_title: str
    sent: str
    done: str
    late: str
    people: Mapping[str, str]
    places: Mapping[str, str]
    goods: Mapping[str, str]


RU = Words(
    loaded="Загружаем магазин: три продавца, два склада, кладовщики Анна и Борис, покупатель Вера",
    placed="Магазин передаёт заказ {number}: 4 позиции трёх продавцов",
    asked="{who} получает вопрос ({channel}):",
    edited="Сообщение изменилось на месте ({channel}):",
    presses="{who} нажимает «{button}»",
    opens_page="{who} открывает ссылку из письма на телефоне",
    sends_page="{who} нажимает на странице «Всё есть»",
    answered="Ответ записан: {who}, {lines}",
    status="Заказ теперь {status} ({meaning})",
    told="{who} получает сообщение ({channel}):",
    says_paid="Магазин списывает деньги только за то, что есть, и говорит: оплачен",
    says_shipped="Магазин говорит: отправлен",
    to_assemble="{who}: пора собирать ({channel})",
    packed="{who} собирает свою часть",
    labels="{who} видит ссылку на ярлыки",
    sent_title="Куда ушло каждое сообщение:",
    sent="{at}  {who:<14} {channel:<9} {template:<26} {status}",
    done="Готово за {seconds} с. Сообщения остались в песочнице: GET /v1/sandbox/messages",
    late="за {seconds} с не случилось: {what}. Работают ли worker и bots? (vestnik up запускает всё)",
    people={
        "demo-buyer": "Вера",
        "demo-anna": "Анна",
        "demo-boris": "Борис",
        "demo-tea": "Чайный дом",
        "demo-kitchen": "Кухня и точка",
        "demo-paper": "Бумага",
    },
    places={"demo-wh-1": "Склад на Лесной", "demo-wh-2": "Склад в порту"},
    goods={
        "CH-210": "Чай чёрный цейлонский, 100 г",
        "CH-300": "Чай зелёный с жасмином, 100 г",
        "KT-17": "Чайник «Нева», 1,7 л",
        "OT-5": "Открытка «С новосельем»",
    },
)

EN = Words(
    loaded="Loading the shop: three sellers, two warehouses, the storekeepers Anna and Boris, the buyer Vera",
    placed="The shop hands over order {number}: 4 lines of three sellers",
    asked="{who} gets a question ({channel}):",
    edited="The message changed in place ({channel}):",
    presses="{who} presses “{button}”",
    opens_page="{who} opens the link in the letter on a phone",
    sends_page="{who} presses “All there” on the page",
    answered="Answer noted: {who}, {lines}",
    status="The order is now {status} ({meaning})",
    told="{who} gets a message ({channel}):",
    says_paid="The shop charges only for what is there, and says: paid",
    says_shipped="The shop says: shipped",
    to_assemble="{who}: time to pack ({channel})",
    packed="{who} packs that part",
    labels="{who} sees the link to the labels",
    sent_title="Where each message went:",
    sent="{at}  {who:<14} {channel:<9} {template:<26} {status}",
    done="Done in {seconds} s. The messages stay in the sandbox: GET /v1/sandbox/messages",
    late="not within {seconds} s: {what}. Are worker and bots running? (vestnik up starts all of them)",
    people={
        "demo-buyer": "Vera",
        "demo-anna": "Anna",
        "demo-boris": "Boris",
        "demo-tea": "Tea House",
        "demo-kitchen": "Kitchenware",
        "demo-paper": "Paper",
    },
    places={"demo-wh-1": "Forest Street", "demo-wh-2": "Harbour"},
    goods={
        "CH-210": "Black Ceylon tea, 100 g",
        "CH-300": "Green jasmine tea, 100 g",
        "KT-17": "Kettle “Neva”, 1.7 l",
        "OT-5": "Housewarming card",
    },
)


def words(locale: Locale) -> Words:
    return RU if locale == "ru" else EN
