"""Letters that are filled in say what running their template would, to the last sign."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from channels.base import Channel, Merged
from hub.content.call import Call
from hub.content.formats import formats
from hub.content.model import Audience, ContentError, Rendered, Source
from hub.content.render import Engine, Own
from hub.content.view import Reader

ENGINE = Engine()
READER = Reader(Audience.BUYER, "ru", formats("ru", "Europe/Moscow"))
LINKS = {"unsubscribe": "https://hub.example/u/AbC_9-d", "preferences": "https://hub.example/p/x"}

LETTER = Source(
    subject="{{ contact.name }}, скидки",
    text="Здравствуйте, {{ contact.name }}! {{ sum|money }} до {{ day|date }}",
    html="<p>Здравствуйте, {{ contact.name }}!</p><p>{{ sum|money }}</p>"
    "<a href='{{ links.unsubscribe }}'>Отписаться</a>",
)
DATA = {"sum": "4990", "day": "2026-12-01", "n": 5, "lines": [{"title": "Чай"}]}


def letter_apart(source: Source, name: Any = "Анна", **data: Any) -> Rendered:
    contact = {"name": name, "attributes": {"city": "Томск"}}
    call = Call(READER, DATA | data, contact, {"name": "Ромашка"}, LINKS)
    return ENGINE.render_own(Own(source), Channel.EMAIL, call, apart=True)


def letter(source: Source, name: Any = "Анна", **data: Any) -> Rendered:
    contact = {"name": name, "attributes": {"city": "Томск"}}
    call = Call(READER, DATA | data, contact, {"name": "Ромашка"}, LINKS)
    return ENGINE.render_own(Own(source), Channel.EMAIL, call)


def run(source: Source, name: Any = "Анна", **data: Any) -> Rendered:
    """As `letter`, of a template that has to be run: it sets a name."""
    return letter(replace(source, subject="{% set unused = 1 %}" + source.subject), name, **data)


def outcome(render: Any, *args: Any, **data: Any) -> object:
    try:
        return render(*args, **data)
    except ContentError as error:
        return type(error), str(error), vars(error)


def put_together(merged: Merged) -> tuple[str, str]:
    def whole(pieces: tuple[str | int, ...]) -> str:
        return "".join(p if isinstance(p, str) else merged.fields[p] for p in pieces)

    return whole(merged.skeleton.text), whole(merged.skeleton.html)


def test_letters_of_a_template_share_what_is_the_same() -> None:
    own = Own(LETTER)
    call = Call(READER, DATA, {"name": "Анна"}, {}, LINKS)
    first, second = (
        ENGINE.render_own(own, Channel.EMAIL, call._replace(contact={"name": name})).merged
        for name in ("Анна", "<Пётр>")
    )

    assert first is not None
    assert second is not None
    assert first.skeleton is second.skeleton
    assert "Здравствуйте, " in first.skeleton.text
    assert not any("Анна" in piece for piece in first.skeleton.html if isinstance(piece, str))
    assert {"<Пётр>", "&lt;Пётр&gt;"} <= set(second.fields)


@pytest.mark.parametrize(
    ("html", "shared"),
    [
        ("<p>{{ contact.name }}</p>", True),
        ("<p>Здравствуйте{% if contact.name %}, {{ contact.name }}{% endif %}!</p>", True),
        ("{% for line in lines %}<p>{{ line.title }}</p>{% endfor %}<b>конец</b>", True),
        ("{{ contact.name|upper }}{{ n + 1 }}{{ 'x' if n else 'y' }}", True),
        # What is set is seen further on, so the parts of it cannot be told apart.
        ("{% set x = contact.name %}<p>{{ x }}</p>", False),
        ("{% if n %}{% set x = n %}{% endif %}<p>{{ n }}</p>", False),
        # Nothing in it is anybody's own.
        ("<p>Скидки</p>", False),
    ],
)
def test_what_can_be_taken_apart(html: str, shared: bool) -> None:
    made = letter(Source(subject="a", text="b", html=html))

    assert (made.merged is not None) is shared
    if made.merged:
        assert put_together(made.merged) == (made.text, made.html)


def test_a_text_is_made_of_the_html_once() -> None:
    source = Source(
        subject="a",
        html="<head><style>p {color: red}</style></head><h1>{{ contact.name }}</h1>"
        "<p>До {{ day|date }} <b>{{ sum|money }}</b>.</p>"
        "<a href='{{ links.unsubscribe }}'>Отписаться</a>",
    )
    own = Own(source)
    made = [
        ENGINE.render_own(own, Channel.EMAIL, Call(READER, DATA, {"name": name}, {}, LINKS))
        for name in ("Анна", "Пётр Первый", "O'Neil", 'ООО "Чай"')
    ]

    merged = [one.merged for one in made if one.merged]
    assert len(merged) == 4
    assert merged[0].skeleton is merged[1].skeleton
    assert made[1].text == (
        "# Пётр Первый\n\nДо 1 декабря 2026 г. 4 990 ₽.\n\n"
        "[Отписаться](<https://hub.example/u/AbC_9-d>)"
    )
    assert [put_together(one) for one in merged] == [(one.text, one.html) for one in made]


NAMES = st.sampled_from(
    [
        "Анна",
        "Пётр Первый",
        "<b>",
        "O'Neil",
        "",
        " Анна ",
        "1",
        "1. Анна",
        "12",
        "-",
        "+ 7",
        "a\\_b",
    ]
) | st.text(max_size=12)
WORDS = NAMES | st.sampled_from(
    ["4990", "4 990,5", "2026-12-01", "https://hub.example/x", "a & b", "R&D", "&nbsp;", "x|y",
     "- a", "a  b", "a\nb", "a\xa0b", "#x", "[x](y)", "https://hub.example/x?a=1&b=2", "a&copy", "&amp;", "{{ x }}", ".", ", а", "копия&copy;", "~", "a~"]
)  # fmt: skip
VALUES: st.SearchStrategy[Any] = (
    WORDS | st.none() | st.integers(-5, 10**16) | st.floats(allow_nan=True) | st.booleans()
)
VALUES |= st.lists(WORDS, max_size=2)
VALUES |= st.dictionaries(st.just("b"), WORDS, max_size=1)

PLACES = [
    *("{{ contact.name }}", "{{ a }}", "{{ a.b }}", "{{ a['b'] }}", "{{ a[0] }}", "{{ n|number }}"),
    *("{{ a|money }}", "{{ a|money('USD') }}", "{{ a|date }}", "{{ n|plural('a', 'b', 'c') }}"),
    *(
        "{{ a|default('–') }}",
        "{{ a|upper }}",
        "{{ a|join(',') }}",
        "{{ contact.attributes.city }}",
    ),
    *("{% if a %}, {{ a }}{% endif %}", "{% for x in a %}<i>{{ x }}</i>{% endfor %}"),
    *("{% with x = a %}{{ x }}{% endwith %}", "{{ links.unsubscribe }}", "{{ order.lost }}"),
]
CONSTANTS = ["<p>", "</p>", " ", "\n", "Здравствуйте, ", "!", "{", "}", "1", ". ", "&", "a", "<br>"]
SOURCES = st.lists(st.sampled_from(PLACES + CONSTANTS), max_size=8).map("".join)
# Of wrong syntax the column is told, and that is another one after `set`.
SUBJECTS = st.lists(
    st.sampled_from(PLACES + [c for c in CONSTANTS if c not in "{}"]), max_size=8
).map("".join)


@settings(max_examples=400, deadline=None)
@given(SUBJECTS, SOURCES, SOURCES, VALUES, VALUES, NAMES)
@example("a", "", "{{ a }}" * 3, "x" * 300_000, 5, "Анна")
def test_filling_in_is_running(
    subject: str, text: str, html: str, a: Any, n: Any, name: str
) -> None:
    source = Source(subject, text, html)

    filled, ran = outcome(letter, source, name, a=a, n=n), outcome(run, source, name, a=a, n=n)

    assert filled == ran
    if isinstance(filled, Rendered) and filled.merged:
        assert put_together(filled.merged) == (filled.text, filled.html)
        assert filled.merged.put_together() == (filled.text, filled.html)


@settings(max_examples=400, deadline=None)
@given(SUBJECTS, SOURCES, SOURCES, VALUES, VALUES, NAMES)
@example("a", "", "<p>{{ a }}</p>", "x" * 300_000, 5, "Анна")
@example("a", "{{ a }}!", "<p>{{ a }}</p>", " x", 5, "Анна")
def test_a_letter_taken_apart_is_the_same_put_together(
    subject: str, text: str, html: str, a: Any, n: Any, name: str
) -> None:
    source = Source(subject, text, html)
    whole = outcome(letter, source, name, a=a, n=n)

    apart = outcome(letter_apart, source, name, a=a, n=n)

    if isinstance(apart, Rendered) and apart.merged and not (apart.text or apart.html):
        text, html = apart.merged.put_together()
        apart = replace(apart, text=text, html=html)
    assert apart == whole


def test_of_most_letters_nothing_is_put_together() -> None:
    apart = letter_apart(LETTER)

    assert (apart.text, apart.html) == ("", "")
    assert apart.merged
    assert "Анна" in apart.merged.put_together()[1]


@settings(max_examples=400, deadline=None)
@given(SOURCES, SOURCES, VALUES, VALUES, NAMES, st.sampled_from([*Channel]))
@example("", "{{ a }}" * 2, "x" * 300_000, 5, "Анна", Channel.EMAIL)
@example("{{ a }}", "", "x" * 4096, 5, "Анна", Channel.TELEGRAM)
@example("{{ a }}", "", "x" * 4097, 5, "Анна", Channel.TELEGRAM)
@example("{{ a }}!", "", "&" * 4096, 5, "Анна", Channel.TELEGRAM)
@example("", "<hr>" * 600 + "{{ n }}", "x", 5, "Анна", Channel.VK)
@example("{{ a }}", "<hr>" * 600 + "{{ n }}", "", 5, "Анна", Channel.VK)
def test_a_trial_ends_as_rendering_would(
    text: str, html: str, a: Any, n: Any, name: str, channel: Channel
) -> None:
    own = Own(Source("", text, html))
    contact = {"name": name, "attributes": {"city": "Томск"}}
    call = Call(READER, DATA | {"a": a, "n": n}, contact, {"name": "Ромашка"}, LINKS)

    rendered = outcome(ENGINE.render_own, own, channel, call)

    tried = outcome(ENGINE.try_own, own, channel, call)
    assert tried == (None if isinstance(rendered, Rendered) else rendered)


READERS = st.lists(st.tuples(VALUES, VALUES, NAMES), min_size=1, max_size=6)


@settings(max_examples=600, deadline=None)
@given(SUBJECTS, SOURCES, SOURCES, READERS, st.sampled_from([*Channel]), st.booleans())
@example(
    "a", "", "<p>{{ a }}</p>", [("x", 1, "А"), (None, 1, "Б"), ("y", 1, "В")], Channel.EMAIL, True
)
@example(
    "a", "", "<p>{{ a }}</p>", [("x", 1, "А"), ("1", 1, "Б"), ("<b>", 1, "В")], Channel.EMAIL, True
)
@example("a", "", "<p>{{ a }}</p>", [("<b>", 1, "А"), ("x" * 300_000, 1, "Б")], Channel.EMAIL, True)
@example("{{ a }}", "{{ a }}", "", [("x", 1, "А"), ("x" * 4097, 1, "Б")], Channel.TELEGRAM, False)
@example("", "", "<p>Скидки</p>", [("x", 1, "А"), ("y", 1, "Б")], Channel.EMAIL, True)
def test_each_of_many_letters_is_what_it_is_by_itself(
    subject: str,
    text: str,
    html: str,
    readers: list[tuple[Any, Any, str]],
    channel: Channel,
    apart: bool,
) -> None:
    own = Own(Source(subject, text, html))
    calls = [
        Call(
            READER,
            DATA | {"a": a, "n": n},
            {"name": name, "attributes": {"city": name}},
            {"name": "Ромашка"},
            LINKS,
        )
        for a, n, name in readers
    ]
    by_themselves = [outcome(ENGINE.render_own, own, channel, call, apart=apart) for call in calls]

    together = outcome(ENGINE.fill_own, own, channel, calls, apart=apart)

    if not isinstance(together, list):
        # It is the template that is wrong.
        assert set(map(str, by_themselves)) == {str(together)}
        return
    # Those that have to be run are left to whoever asks for one.
    assert together == [made and alone for made, alone in zip(together, by_themselves, strict=True)]
    assert [made and merged_of(made) for made in together] == [
        made and merged_of(alone) for made, alone in zip(together, by_themselves, strict=True)
    ]
    assert [made is None for made in together] == [
        ENGINE.fill_own(own, channel, [call]) == [None] for call in calls
    ]


def merged_of(made: object) -> object:
    assert isinstance(made, Rendered)
    return made.merged and (made.merged.skeleton, made.merged.fields)


@pytest.mark.parametrize("subject", ["{{ contact.name }}", "Скидки"])
@pytest.mark.parametrize("html", ["<p>{{ a }}, {{ contact.name }}: {{ n }}</p>", "<p>Скидки</p>"])
def test_many_letters_are_filled_in(subject: str, html: str) -> None:
    own = Own(Source(subject, "", html))
    values = [("Анна-Мария", 5), ("a & b", "12"), ("", "x"), ("1 мая", 7), ("1. x", 1)]
    calls = [
        Call(READER, {"a": a, "n": n}, {"name": a or "Пётр"}, {"name": "Ромашка"}, LINKS)
        for a, n in values
    ]

    assert None not in ENGINE.fill_own(own, Channel.EMAIL, calls)
    assert None not in ENGINE.fill_own(own, Channel.EMAIL, calls, apart=True)


TEXTS = ["{{ contact.name }}", "{{ a }}", "{{ n|number }}", "{{ sum|money }}", "{{ day|date }}"]
TEXTS += ["{% if a %}, {{ a }}{% endif %}", "{{ links.unsubscribe }}"]
MARKUP = [
    *(
        "<p>",
        "</p>",
        "<h1>",
        "</h1>",
        "<br>",
        "<b>",
        "</b>",
        "<i>",
        "</i>",
        "<s>",
        "</s>",
        "<code>",
    ),
    *("</code>", "<ul><li>", "</li></ul>", "<ol><li>", "<table><tr><td>", "</td><td>", "<!-- "),
    *(" -->", "<style>", "</style>", "<pre>", "</pre>", "<blockquote>", "<abbr title='x'>", "<hr>"),
    *(
        "<a href='https://shop.example/'>",
        "<a href='{{ a }}'>",
        "<a href='{{ links.unsubscribe }}'>",
    ),
    *("<a href='https://shop.example/{{ a }}'>", "<a href='#{{ a }}'>", "<a href={{ a }}>", "</a>"),
    *("<img src='{{ a }}' alt='{{ a }}'>", "<ol start='{{ n }}'>", "<a title='{{ a }}' href='/x'>"),
    *(
        "<a href='https://shop.example/?x=1&amp;y={{ n }}'>",
        "<title>",
        "</title>",
        "<head>",
        "<body>",
    ),
    *(
        " ",
        "\n",
        "слово",
        "1",
        "1.",
        ". ",
        ".",
        "-",
        "- ",
        "+ ",
        "+",
        "\\",
        "&",
        "&nbsp;",
        "&laquo;",
    ),
    *("!", ",", "https://shop.example/", "https:", "//", "&#", "&co", "<", "*", "[", "](", "_"),
]


@settings(max_examples=600, deadline=None)
@given(st.lists(st.sampled_from(MARKUP + TEXTS * 3), max_size=10).map("".join), WORDS, WORDS)
@example("<a href='{{ a }}'>https://shop.example/</a>", "https://shop.example/", "x")
@example("<a href='{{ a }}'>{{ a }}</a>", "https://shop.example/", "x")
@example("<s>{{ a }}</s>", "O'Neil", "x")
@example("<p>{{ contact.name }}. x</p>", "x", "12")
@example("{{ n|number }}. x", "x", "x")
@example("\\{{ a }}", "-x", "x")
def test_the_text_of_a_letter_is_that_of_its_html(html: str, a: str, name: str) -> None:
    source = Source("a", "", html)

    filled = outcome(letter, source, name, a=a)

    assert filled == outcome(run, source, name, a=a)
    if isinstance(filled, Rendered) and filled.merged:
        assert put_together(filled.merged) == (filled.text, filled.html)
