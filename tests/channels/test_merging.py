"""Letters that share what is the same: each person gets his own, whatever stands in it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from channels.base import Merged, Message, Skeleton
from channels.email.merging import Tags, filling
from tests.channels.merging_rig import SERVICES, Letter, Service, letter, service

SKELETON = Skeleton(("Здравствуйте, ", 0, "!"), ("<p>Здравствуйте, ", 1, "!</p>"))

keys = count()


@pytest.fixture(scope="module", params=SERVICES)
def merging(request: pytest.FixtureRequest) -> Iterator[Service]:
    with service(request.param) as found:
        yield found


def letters(
    skeleton: Skeleton, fields: Sequence[tuple[str, ...]], **changes: object
) -> list[Message]:
    return [letter(f"n{next(keys)}", Merged(skeleton, own), **changes) for own in fields]


def meant(messages: Sequence[Message]) -> dict[str, Letter]:
    return {m.key: (m.subject, m.text, m.html) for m in messages}


def names(number: int) -> list[tuple[str, ...]]:
    return [(f"Анна {i}", f"Анна &amp; {i}") for i in range(number)]


def test_many_letters_carry_what_is_the_same_once(merging: Service) -> None:
    messages = letters(SKELETON, names(merging.enough))

    assert merging.received(messages) == meant(messages)

    assert len(merging.shared) == 1
    assert merging.place in merging.shared[0]
    assert "Здравствуйте" in merging.shared[0]
    assert "Анна" not in merging.shared[0]


def test_few_go_whole_beside_others(merging: Service) -> None:
    others = [Skeleton((f"{i}, ", 0), (f"<b>{i}</b>", 1)) for i in range(merging.enough - 1)]
    messages = [one for skeleton in others for one in letters(skeleton, names(1))]

    assert merging.received(messages) == meant(messages)

    assert len(merging.shared) == 1


def test_of_two_skeletons_each_has_its_calls(merging: Service) -> None:
    other = Skeleton(("До свидания, ", 0), ("<p>До свидания, ", 1, "</p>"))
    pairs = zip(
        letters(SKELETON, names(merging.enough)), letters(other, names(merging.enough)), strict=True
    )
    messages = [one for pair in pairs for one in pair]

    assert merging.received(messages) == meant(messages)

    assert len(merging.shared) == 2


def test_a_repeat_makes_the_same_calls_whatever_is_sent_beside_it(merging: Service) -> None:
    few = letters(SKELETON, names(merging.enough // 2))
    others = letters(Skeleton(("x", 0), ("x", 1)), names(1))
    calls = merging.adapter.split([*few, *others])

    beside = letters(SKELETON, names(merging.enough), batch_key="another")
    again = merging.adapter.split([*few, *others, *beside])

    assert calls[0] in again
    assert few[0] in calls[0]


def test_a_letter_without_html_is_plain_among_others_too(merging: Service) -> None:
    skeleton = Skeleton(("Здравствуйте, ", 0), ())
    messages = letters(skeleton, [(f"Анна {i}",) for i in range(merging.enough)])

    assert merging.received(messages) == meant(messages)

    told = merging.simulator.calls[0]
    assert "html" not in told.get("message", told).get("body", told.get("message", told))


@pytest.mark.parametrize(
    "value", ["{{subject}}", "{", "}}", "{{f0}}", "*|LETTER_SUBJECT|*", "*|FIELD_0|*", "|", "*", ""]
)
def test_who_writes_tags_gets_them(merging: Service, value: str) -> None:
    messages = letters(SKELETON, [*names(merging.enough), (value, value)])
    messages += letters(SKELETON, names(1), subject=f"Скидки {value}!")
    messages += letters(SKELETON, names(1), to_name=value)

    assert merging.received(messages) == meant(messages)


@pytest.mark.parametrize(
    "pieces",
    [
        ("{{subject}} ", 0),
        ("{", 0, "}"),
        ("{{", 0),
        (0, "}}"),
        ("*|LETTER_SUBJECT|* ", 0),
        ("*", 0, "*"),
        ("|", 0),
    ],
)
def test_a_template_that_holds_tags_keeps_them(
    merging: Service, pieces: tuple[str | int, ...]
) -> None:
    messages = letters(Skeleton(pieces, pieces), names(merging.enough))

    assert merging.received(messages) == meant(messages)


def test_styles_and_tables_are_no_tags(merging: Service) -> None:
    html = ("<style>@media x { p { color: red }}</style>| * <p>", 0, "</p>")
    messages = letters(Skeleton(("Скидки, ", 0), html), names(merging.enough))

    assert merging.received(messages) == meant(messages)

    assert merging.place in merging.shared[0]


TAGS = Tags("{{", "}}", signs="{}", names="f", empty=True, largest=1000)
FIRST = Merged(SKELETON, ("Анна", "&amp;"))


@pytest.mark.parametrize(
    ("message", "tags"),
    [
        (letter("a", Merged(SKELETON, ("{", "x"))), TAGS),
        (letter("a", Merged(SKELETON, ("x", "}"))), TAGS),
        (letter("a", FIRST, subject="{x"), TAGS),
        (letter("a", FIRST, to_name="x}"), TAGS),
        (letter("a", Merged(SKELETON, ("", "x"))), replace(TAGS, empty=False)),
        (letter("a", Merged(Skeleton((0, "} x"), ("x",)), ("x",))), TAGS),
        (letter("a", Merged(Skeleton((0,), ("x{", 0)), ("x",))), TAGS),
        (letter("a", Merged(Skeleton(("{{ x", 0), ("x",)), ("x",))), TAGS),
        (letter("a", Merged(Skeleton((0,), ("x" * 1000,)), ("x",))), TAGS),
        # Of such a letter there is no HTML, or no text.
        (letter("a", Merged(Skeleton(("x", 0), (1,)), ("x", ""))), TAGS),
        (letter("a", Merged(Skeleton((1,), ("x", 0)), ("x", ""))), TAGS),
        (Message("a", "a@example.com", "x"), TAGS),
    ],
)
def test_what_goes_whole(message: Message, tags: Tags) -> None:
    assert filling(message, tags) is None


def test_what_is_filled_in() -> None:
    made = filling(letter("a", Merged(SKELETON, ("", "&amp;"))), TAGS)

    assert made is not None
    assert made.named == {"f0": "", "f1": "&amp;"}
    assert made.letter.text == "Здравствуйте, {{f0}}!"


WORDS = st.text(max_size=6) | st.sampled_from(
    [
        "",
        "{",
        "}",
        "{{",
        "}}",
        "{{f0}}",
        "f0",
        "{{subject}}",
        "*",
        "|",
        "*|",
        "|*",
        "*|FIELD_0|*",
        "0",
    ]
)
PIECES = st.lists(WORDS | st.integers(0, 2), max_size=6).map(tuple)
FIELDS = st.tuples(WORDS, WORDS, WORDS)


@settings(max_examples=120, deadline=None)
@given(PIECES, PIECES, st.lists(FIELDS, min_size=1, max_size=3), st.booleans())
@example(("a", 0), ("b", 1, "{"), [("x", "y", "z")], True)
@example((0,), (0,), [("", "", "")], True)
def test_everybody_gets_his_own(
    merging: Service,
    text: tuple[str | int, ...],
    html: tuple[str | int, ...],
    odd: list[tuple[str, str, str]],
    plain: bool,
) -> None:
    # Enough ordinary ones, so that what can be merged is.
    fields = [(f"Анна {i}", f"<b>{i}</b>", "x") for i in range(merging.enough)] if plain else []
    messages = letters(Skeleton(text, html), [*fields, *odd * (1 if plain else merging.enough)])

    assert merging.received(messages) == meant(messages)
