"""What the hub answers to texts, in every language there is. Short: each may be an SMS."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """Names in braces are filled in; `{numbers}` are those of orders."""

    all_there: str
    nothing_there: str
    some_there: str
    repeated: str
    already: str
    closed: str
    changed: str
    too_late: str
    somebody: str
    which: str
    unknown: str
    nothing_open: str
    how: str
    several_lines: str
    too_many: str
    stopped: str
    started: str


RU = Words(
    all_there="Заказ {number}: записали, всё есть. Спасибо!",
    nothing_there="Заказ {number}: записали, ничего нет. Спасибо!",
    some_there="Заказ {number}: записали, есть {quantity}. Спасибо!",
    repeated="Заказ {number}: этот ответ уже записан.",
    already="Заказ {number}: уже есть ответ, {who}.",
    closed="Заказ {number}: отвечать больше не нужно.",
    changed="Заказ {number} изменился: ответьте, пожалуйста, на новое сообщение.",
    too_late="Заказ {number}: ответ уже нельзя изменить.",
    somebody="другой сотрудник",
    which="По какому заказу? Напишите, например: ДА {number}. Ждут ответа: {numbers}",
    unknown="Заказ {number} вашего ответа не ждёт. Ждут: {numbers}",
    nothing_open="Сейчас вопросов к вам нет.",
    how="Не поняли. Напишите ДА {number}, если всё есть, или НЕТ {number}.",
    several_lines="В заказе {number} несколько позиций: ответьте по ссылке из сообщения.",
    too_many="По заказу {number} нужно {asked}: напишите число не больше.",
    stopped="Рекламы больше не будет, сообщения о заказах останутся. Вернуть: СТАРТ",
    started="Снова будем писать о новостях. Отписаться: СТОП",
)

EN = Words(
    all_there="Order {number}: noted, all there. Thank you!",
    nothing_there="Order {number}: noted, nothing there. Thank you!",
    some_there="Order {number}: noted, {quantity} there. Thank you!",
    repeated="Order {number}: this answer is noted already.",
    already="Order {number}: answered already by {who}.",
    closed="Order {number}: no answer needed any more.",
    changed="Order {number} has changed: please answer the new message.",
    too_late="Order {number}: the answer cannot be changed any more.",
    somebody="a colleague",
    which="Which order? Write for example: YES {number}. Waiting: {numbers}",
    unknown="Order {number} waits for no answer of yours. Waiting: {numbers}",
    nothing_open="There are no questions for you now.",
    how="Sorry? Write YES {number} if all is there, or NO {number}.",
    several_lines="Order {number} has several lines: please answer by the link in the message.",
    too_many="Order {number} needs {asked}: write a number up to that.",
    stopped="No more advertising; messages about orders will still come. To return: START",
    started="We will write about news again. To leave: STOP",
)

_LANGUAGES: Mapping[str, Words] = {"ru": RU, "en": EN}


def words(locale: str) -> Words:
    return _LANGUAGES.get(locale, EN)
