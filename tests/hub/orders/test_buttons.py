"""What is behind buttons: short enough for everybody, and worthless where it was not sent."""

from dataclasses import replace
from decimal import Decimal
from uuid import UUID

import pytest

from hub.contacts.addresses import Kind as AddressKind
from hub.contacts.addresses import digest
from hub.orders.buttons import (
    Action,
    BadData,
    Do,
    data_for,
    line_tag,
    lines_tag,
    read,
)
from hub.orders.model import Kind, QuestionLine
from hub.tokens import Signer

SIGNER = Signer("only-for-the-tests-of-buttons")
ABOUT = UUID("01930000-0000-7000-8000-000000000001")
CHAT = digest(AddressKind.TELEGRAM, "42")
LINE = QuestionLine("1", "A-1", "Чайник", 2, Decimal(10), None, None, "", None)


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("do", list(Do))
def test_what_was_put_in_is_read(kind: Kind, do: Do) -> None:
    action = Action(do, line_tag(LINE), 16_000_000)

    assert read(SIGNER, data_for(SIGNER, kind, ABOUT, CHAT, action), CHAT) == (kind, ABOUT, action)


def test_it_fits_behind_the_smallest_button() -> None:
    data = data_for(SIGNER, Kind.STOCK, ABOUT, CHAT, Action(Do.LINE, line_tag(LINE), 2))

    assert len(data.encode()) <= 60


def test_in_another_chat_or_changed_it_is_nothing() -> None:
    data = data_for(SIGNER, Kind.STOCK, ABOUT, CHAT, Action(Do.ALL))
    changed = data[:5] + ("A" if data[5] != "A" else "B") + data[6:]

    for text, chat in (
        (data, digest(AddressKind.TELEGRAM, "43")),
        (data, digest(AddressKind.VK, "42")),
        (changed, CHAT),
        (data[:-1], CHAT),
        (data + "AAAA", CHAT),
        ("", CHAT),
        ("s:7f3:1", CHAT),
        ("ё" * 20, CHAT),
    ):
        with pytest.raises(BadData):
            read(SIGNER, text, chat)
    with pytest.raises(BadData):
        read(Signer("another secret of another hub"), data, CHAT)


def test_another_quantity_is_another_question_and_an_answer_is_not() -> None:
    more, answered = replace(LINE, asked=3), replace(LINE, confirmed=1)

    assert line_tag(more) != line_tag(LINE)
    assert line_tag(replace(LINE, sku="B-1")) != line_tag(LINE)
    assert line_tag(answered) == line_tag(LINE)
    assert lines_tag([LINE]) == lines_tag([answered])
    assert lines_tag([LINE, replace(more, id="2")]) != lines_tag([LINE])


def test_a_number_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="number"):
        data_for(SIGNER, Kind.STOCK, ABOUT, CHAT, Action(Do.LINE, number=2**24))
