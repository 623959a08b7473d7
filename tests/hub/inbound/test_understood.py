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


@pytest.mark.parametrize("text", ["где заказ", "Где  заказ?", "ГДЕ ЗАКАЗ"])
def test_a_keyword_is_known_however_it_is_written(text: str) -> None:
    assert is_keyword(text, ["Где заказ", "статус"])
    assert not is_keyword(f"{text} 1001", ["Где заказ", "статус"])
