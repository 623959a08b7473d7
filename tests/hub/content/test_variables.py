"""What the hub reads off a shop's template about the data it needs."""

import pytest

from hub.content.render import Engine
from hub.content.variables import EXAMPLE, assembled, at, used


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


def needs(engine: Engine, template: str) -> dict[str, bool]:
    tree = engine.tree(template, html=False, part="text")
    return {v.name: v.required for v in used([tree])}


@pytest.mark.parametrize(
    ("template", "variables"),
    [
        ("{{ a }}{{ b.c }}{{ b['d'] }}", {"a": True, "b.c": True, "b.d": True}),
        ("{% if a %}{{ a }}{{ b }}{% endif %}", {"a": False, "b": False}),
        ("{% if a == 'x' %}{% endif %}", {"a": True}),
        ("{% if a and b > 1 %}{% endif %}", {"a": False, "b": False}),
        ("{{ a|default('') }}{{ b|d(c) }}", {"a": False, "b": False, "c": False}),
        ("{% if a is defined %}{{ a }}{% endif %}", {"a": False}),
        ("{{ a if b else c }}", {"a": False, "b": False, "c": False}),
        ("{% for x in a.b %}{{ x.c }}{{ loop.index }}{% endfor %}", {"a.b": True, "a.b[].c": True}),
        ("{% for x in a if x.b %}{{ x }}{% endfor %}", {"a": True, "a[].b": False}),
        ("{% for x in a %}{% for y in x.b %}{{ y }}{% endfor %}{% endfor %}",
         {"a": True, "a[].b": True, "a[].b[]": True}),
        ("{% set x = a.b %}{{ x.c }}", {"a.b.c": True}),
        ("{% set x = 1 %}{{ x }}", {}),
        ("{{ a|money(b) }}{{ c|plural('x', 'y', 'z') }}", {"a": True, "b": True, "c": True}),
        ("{{ a + b * 2 }}", {"a": True, "b": True}),
        ("{{ a[0].b }}", {"a[].b": True}),
        ("{{ contact.name }}{{ shop.name }}{{ links.unsubscribe }}", {}),
        ("plain", {}),
    ],
)  # fmt: skip
def test_variables_and_whether_they_are_needed(
    engine: Engine, template: str, variables: dict[str, bool]
) -> None:
    assert needs(engine, template) == variables


def test_examples_suit_what_the_template_does_with_them(engine: Engine) -> None:
    text = (
        "{{ sum|money }}{{ day|date }}{{ n|plural('a','b','c') }}{{ order.total|money }}{{ word }}"
    )
    tree = engine.tree(text, html=False, part="text")

    examples = {v.name: v.example for v in used([tree])}

    assert examples["sum"] == "4990.00"
    assert examples["day"].startswith("2026-12-01T")
    assert examples["n"] == 2
    assert examples["order.total"] == at(EXAMPLE, "order.total")
    assert examples["word"] == "word"


def test_examples_make_data_and_stay_as_they_were(engine: Engine) -> None:
    text = (
        "{% for l in order.lines %}{{ l.title }}{{ l.colour }}{% endfor %}{{ a.b }}{{ tags|join }}"
    )
    tree = engine.tree(text, html=False, part="text")

    data = assembled(used([tree]))

    assert data["a"] == {"b": "b"}
    assert data["tags"] == ["…"]
    assert data["order"]["lines"][0]["colour"] == "colour"
    assert "colour" not in EXAMPLE["order"]["lines"][0]
