"""What a text means, as a table."""

import pytest

from hub.inbound.model import Answer, Meaning, Wish, is_keyword, understood


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("ДА 1001", Answer(True, "1001")),
        ("да1001", None),
        ("Да, 1001", Answer(True, "1001")),
        ("1001 да", Answer(True, "1001")),
        ("Есть", Answer(True)),
        ("+", Answer(True)),
        ("+ 1001", Answer(True, "1001")),
        ("да да", Answer(True)),
        ("Всё есть!", Answer(True)),
        ("заказ №1001 всё есть, спасибо", Answer(True, "1001")),
        ("ДА 1001 2", Answer(True, "1001", 2)),
        ("есть 1001 2 шт", Answer(True, "1001", 2)),
        ("ДА А-17/3", Answer(True, "а-17/3")),
        ("НЕТ 1001", Answer(False, "1001")),
        ("нет в наличии", Answer(False)),
        ("1001 нету", Answer(False, "1001")),
        ("Yes 1001", Answer(True, "1001")),
        ("NO", Answer(False)),
        ("СТОП", Wish.STOP),
        ("stop.", Wish.STOP),
        ("Старт", Wish.START),
        # What a program should not guess.
        ("", None),
        ("👍", None),
        ("нет 1001 2", None),
        ("да нет наверное", None),
        ("да 1001 но без крышки", None),
        ("да 1001 2 3", None),
        ("да 1001 99999999", None),
        ("ДА спасибо мама приеду вечером", None),
        ("да завтра", None),
        ("стоп реклама 1001", None),
        ("Здравствуйте, а когда приедет курьер?", None),
        ("нет " * 500, None),
    ],
)
def test_it_means(text: str, meaning: Meaning) -> None:
    assert understood(text) == meaning


@pytest.mark.parametrize(
    ("text", "numbers", "meaning"),
    [
        ("ДА #1001", ["#1001"], Answer(True, "#1001")),
        ("да 1001", ["#1001"], Answer(True, "#1001")),
        ("+ №1001", ["№1001"], Answer(True, "№1001")),
        ("нет ord_1001", ["ORD_1001"], Answer(False, "ORD_1001")),
        ("ДА 1001-A_2", ["1001-A_2"], Answer(True, "1001-A_2")),
        ("ДА 1001-A_2 3 шт", ["1001-A_2"], Answer(True, "1001-A_2", 3)),
        ("есть А 1001", ["А 1001"], Answer(True, "А 1001")),
        ("да А1001", ["А 1001"], Answer(True, "А 1001")),
        ("да нечто", ["НЕЧТО"], Answer(True, "НЕЧТО")),
        ("да", ["да"], Answer(True)),
        ("да", ["#", ""], Answer(True)),
        # As it is written, before one that has other signs.
        ("ДА #1001", ["1001", "#1001"], Answer(True, "#1001")),
        ("ДА 1001", ["#1001", "1001"], Answer(True, "1001")),
        ("ДА 1001", ["#1001", "№1001"], Answer(True, "1001")),
        # A number and a quantity are not one number, and a part of a number is none.
        ("ДА 10 01", ["10-01", "1001"], Answer(True, "10", 1)),
        ("ДА 1001 2", ["2", "1001"], Answer(True, "1001", 2)),
        ("ДА 1001 2", ["2"], Answer(True, "1001", 2)),
        ("ДА 17-5", ["17", "5"], Answer(True, "17-5")),
        ("ДА 17_5", ["17"], Answer(True, "17_5")),
        ("нет #1001 2", ["#1001"], None),
        ("да #1001 но без крышки", ["#1001"], None),
        ("#1001", ["#1001"], None),
    ],
)
def test_a_number_that_is_asked_about_is_known_by_any_signs(
    text: str, numbers: list[str], meaning: Meaning
) -> None:
    assert understood(text, numbers) == meaning


@pytest.mark.parametrize("text", ["где заказ", "Где  заказ?", "ГДЕ ЗАКАЗ"])
def test_a_keyword_is_known_however_it_is_written(text: str) -> None:
    assert is_keyword(text, ["Где заказ", "статус"])
    assert not is_keyword(f"{text} 1001", ["Где заказ", "статус"])
