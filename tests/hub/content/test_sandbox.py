"""What a shop's template may do, and above all what it may not."""

import time
from typing import Any

import pytest

from channels.base import Channel
from hub.content.call import Call
from hub.content.formats import formats
from hub.content.model import Audience, MissingVariable, Source, TemplateFault, WrongValue
from hub.content.render import Engine, Own
from hub.content.view import Reader

DATA = {
    "name": "Анна",
    "n": 3,
    "zero": 0,
    "html": "<i>&",
    "order": {"number": "1001", "items": "own key", "lines": [{"title": "a"}, {"title": "b"}]},
    "many": list(range(5000)),
}


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


def show(engine: Engine, text: str, data: Any = DATA, channel: Channel = Channel.VK) -> str:
    reader = Reader(Audience.BUYER, "ru", formats("ru", "Europe/Moscow"))
    source = Source(html=text) if channel is Channel.EMAIL else Source(text=text)
    message = engine.render_own(Own(source), channel, Call(reader, data))
    return message.html or message.text


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ name }}, {{ order.number }}", "Анна, 1001"),
        ("{{ order['number'] }}{{ order.lines[1].title }}{{ order.lines[-1].title }}", "1001bb"),
        ("{% for l in order.lines %}{{ loop.index }}{{ l.title }}{% if not loop.last %},{% endif %}{% endfor %}", "1a,2b"),
        ("{% for l in order.lines if l.title == 'b' %}{{ l.title }}{% else %}none{% endfor %}", "b"),
        ("{% if n > 2 and name %}yes{% else %}no{% endif %}", "yes"),
        ("{% if nothing %}yes{% elif order.lost.deep %}yes{% else %}no{% endif %}", "no"),
        ("{{ nothing|default('x') }}{{ order.lost.deep|default('y') }}", "xy"),
        ("{% if order.lost is defined %}a{% endif %}{% if n is defined %}b{% endif %}", "b"),
        ("{{ n * 2 + 1 }} {{ n / 2 }} {{ -n }} {{ '2' + n }}", "7 1.5 -3 5"),
        ("{% set half = n // 2 %}{{ half }}", "1"),
        ("{{ name|upper }} {{ order.lines|length }} {{ name|truncate(3, true, '…', 0) }}", "АННА 2 Ан…"),
        ("{{ order.lines|join(', ', 'title') }}", "a, b"),
        ("{{ n|plural('день', 'дня', 'дней') }}", "дня"),
        ("{% if n in [1, 3] %}in{% endif %}", "in"),
        # A key that is also the name of a method is a key.
        ("{{ order.items }}", "own key"),
        ("{% raw %}{{ braces }}{% endraw %}", "{{ braces }}"),
    ],
)  # fmt: skip
def test_templates_can(engine: Engine, template: str, text: str) -> None:
    assert show(engine, template) == text


@pytest.mark.parametrize(
    "escape",
    [
        "{{ ''.__class__ }}",
        "{{ ''['__class__'] }}",
        "{{ order['__cla' ~ 'ss__'] }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ name|attr('__class__') }}",
        "{{ ()|attr('__class__')|attr('__base__') }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ joiner.__init__ }}",
        "{{ lipsum.__globals__['os'] }}",
        "{{ lipsum() }}",
        "{{ namespace(a=1) }}",
        "{{ dict(a=1) }}",
        "{{ range(10) }}",
        "{{ self }}",
        "{{ self.__init__ }}",
        "{{ self._TemplateReference__context }}",
        "{{ _formats }}",
        "{{ _budget }}",
        "{% for _budget in order.lines %}{% endfor %}",
        "{{ order.lines|_paid(0) }}",
        "{{ loop.cycle('a') }}",
        "{{ '{0.__class__}'.format(name) }}",
        "{{ '{0.__class__}'|format(name) }}",
        "{{ '%s' % name }}",
        "{{ '%1000000000d' % n }}",
        "{{ name.upper() }}",
        "{{ name|map('upper')|list }}",
        "{{ name|safe }}",
        "{{ order|tojson }}",
        "{{ order|xmlattr }}",
        "{{ 'a' * 1000000000 }}",
        "{{ [1] * 1000000000 }}",
        "{{ 10 ** 1000000 }}",
        "{{ name ~ name }}",
        "{{ 'a'|center(100000000) }}",
        "{% set x %}{{ name }}{{ name }}{% endset %}{{ x }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% call name() %}{% endcall %}",
        "{% filter upper %}a{% endfilter %}",
        "{% include 'email/_base.html' %}",
        "{% import 'email/_parts.html' as parts %}",
        "{% from 'email/_parts.html' import button %}",
        "{% extends 'email/buyer.html' %}",
        "{% block a %}{% endblock %}",
        "{% for l in order.lines recursive %}{{ loop(l) }}{% endfor %}",
        "{% autoescape false %}{{ html }}{% endautoescape %}",
        "{{ name[0:2] }}",
        "{{ name is callable }}",
        "{{ {'a': 1} }}",
        "{{ order.lines }}",
        "{{ order }}",
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "{{ " + "-" * 3000 + "1 }}",
        "{% if n %}" * 200 + "{% endif %}" * 200,
        "{% for a in order.lines %}" * 25 + "{% endfor %}" * 25,
    ],
)
def test_escapes_and_bombs_are_refused(engine: Engine, escape: str) -> None:
    with pytest.raises((TemplateFault, MissingVariable)):
        show(engine, escape)


def test_attributes_of_values_are_not_there_even_by_a_computed_name(engine: Engine) -> None:
    data = {"name": "x", "key": "__class__", "order": {"key": "items"}}

    for template in ("{{ name[key] }}", "{{ order[key] }}", "{{ order[order.key] }}"):
        with pytest.raises(MissingVariable):
            show(engine, template, data)


def test_numbers_do_not_grow_without_end(engine: Engine) -> None:
    squares = "{% set a = 9 %}" + "{% set a = a * a %}" * 40

    with pytest.raises(WrongValue, match="too large"):
        show(engine, squares + "{{ a }}")


def test_loops_in_loops_run_out_of_budget(engine: Engine) -> None:
    with pytest.raises(TemplateFault, match="loops over too much"):
        show(engine, "{% for a in many %}{% for b in many %}{% endfor %}{% endfor %}")


def test_joining_costs_as_well(engine: Engine) -> None:
    with pytest.raises(TemplateFault, match="loops over too much"):
        show(
            engine,
            "{% for a in many %}{% if many|join(',') %}{% endif %}{% endfor %}",
            channel=Channel.EMAIL,
        )


TWICE = "{% set a=[1] %}{% set b=[1] %}" + "{% set a=[a,a] %}{% set b=[b,b] %}" * 30
LONG = {"t": "x y" * 20_000, "u": "<&>" * 20_000, "l": [0] * 4000, "many": list(range(5000))}
LOOP = "{%% for x in l %%}{%% if %s %%}{%% endif %%}{%% endfor %%}"


@pytest.mark.parametrize(
    "bomb",
    [
        *(TWICE + "{% if " + test + " %}x{% endif %}" for test in (
            "a == b", "a != b", "a < b", "a in [b]", "a in b", "not a == b", "a is eq(b)", "a is in([b])",
            "a is ge b", "1 < 2 == (a == b)",
        )),
        TWICE + "{{ 1 if a == b else 2 }}",
        TWICE + "{% for x in [1] if a == b %}{% endfor %}",
        *(TWICE + "{{ a|" + name + " }}" for name in (
            "upper", "title", "wordcount", "trim", "striptags", "urlencode", "e", "capitalize",
        )),
        "{% set x = t %}" + "{% set x = [x, x]|join %}" * 30 + "{{ x|length }}",
        "{% set x = t %}" + "{% set x = [0, 0]|join(x) %}" * 9 + "{% set x = [x, x, x]|join(x) %}" * 30,
        *(LOOP % f"t|{filters}" for filters in (
            "striptags|upper|title", "title", "urlencode", "wordcount", "striptags", "trim('xy ')",
            "truncate(50000)", "e", "capitalize", "lower",
        )),
        *(LOOP % test for test in (
            "u|striptags", "u|title", "u|e", "t == t ", "'z' in t", "x in many", "[t]|join", "t is eq u",
        )),
        "{{ t|trim(t) }}",
        "{% for x in many if " + "l[x] or " * 2000 + "x %}{% endfor %}",
        LOOP % "'+79991234567'|phone",
        LOOP.replace(" l ", " many ") % "'2026-12-01T10:00:00+03:00'|datetime == '' or '2026-12-01T10:00:00+03:00'|time == ''",
    ],
)  # fmt: skip
def test_filters_and_comparisons_pay_for_what_they_read(engine: Engine, bomb: str) -> None:
    began = time.process_time()

    with pytest.raises(TemplateFault):
        show(engine, bomb, LONG, channel=Channel.EMAIL)

    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    "number",
    [
        "{{ 5|round(-4000000) }}",
        "{{ 5|round(-1000000000) }}",
        "{{ 5.5|round(16, 'ceil') }}",
        "{{ n|round(1000000000, 'floor') }}",
        "{{ n|round(lost) }}",
        "{{ name|round(15, 'ceil') }}",
        "{{ zeros|round(4, 'floor') }}",
        "{{ [name]|round(7, 'floor') }}",
        "{{ lost|round }}",
        "{{ '%1000000000d' is even }}",
        "{{ '%1000000000d' is odd }}",
        "{{ '%1000000000d' is divisibleby n }}",
        "{% if name is even %}{% endif %}",
        "{{ " + "9" * 5000 + " }}",
        "{{ zeros|number }}",
        "{{ zeros + 1 }}",
    ],
)
def test_numbers_are_of_a_length(engine: Engine, number: str) -> None:
    data = {"n": 3, "name": "%1000000000d", "zeros": "0" * 100_000 + "1"}
    began = time.process_time()

    with pytest.raises((TemplateFault, MissingVariable)):
        show(engine, number, data)

    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ 3.14159|round(2) }} {{ 1234|round(-2) }} {{ 5.1|round(0, 'ceil') }}", "3.14 1200 6.0"),
        ("{% if n is odd %}a{% endif %}{% if 4 is even %}b{% endif %}{% if n is divisibleby 3 %}c{% endif %}", "abc"),
        ("{% if [1, [2]] == [1, [2]] %}a{% endif %}{% if order.lines is eq order.lines %}b{% endif %}", "ab"),
        ("{% if 'b' in order.lines|join('', 'title') %}a{% endif %}{% if 7 not in [1] %}b{% endif %}", "ab"),
        ("{{ order.number|title|upper|trim('1')|urlencode }} {{ 'a b'|wordcount }}", "00 2"),
        ("{% for x in many %}{% if x == 7 %}{{ x }}{% endif %}{% endfor %}", "7"),
    ],
)  # fmt: skip
def test_what_is_usual_is_not_too_much(engine: Engine, template: str, text: str) -> None:
    assert show(engine, template) == text


def test_a_long_order_has_its_table(engine: Engine) -> None:
    line = {"title": "Чайник", "price": "1990.00", "quantity": 2, "day": "2026-12-01"}
    row = (
        "{% for l in lines if l.quantity > 0 %}{% if l.title in ['Чай', 'Чайник'] %}"
        "{{ l.title|upper }}{{ l.price|money }}{{ l.quantity|number }}{{ l.day|date }}"
        "{% endif %}{% endfor %}"
    )

    assert "ЧАЙНИК" in show(engine, row, {"lines": [line] * 2000}, channel=Channel.EMAIL)


def test_a_message_does_not_grow_beyond_its_bound(engine: Engine) -> None:
    with pytest.raises(TemplateFault, match="512 KiB"):
        show(engine, "{% for a in many %}" + "x" * 200 + "{% endfor %}", channel=Channel.EMAIL)


def test_html_is_escaped_in_letters_and_left_alone_in_texts(engine: Engine) -> None:
    assert show(engine, "<p>{{ html }}</p>", channel=Channel.EMAIL) == "<p>&lt;i&gt;&amp;</p>"
    assert show(engine, "{{ html }}") == "<i>&"


def test_escaping_survives_filters(engine: Engine) -> None:
    data = {"html": "<i>", "list": ["<b>", "&"], "rows": [{"t": "<u>"}]}

    for template in (
        "{{ html|upper }}{{ html|trim }}{{ html|default('') }}{{ html|truncate(20) }}",
        "{{ list|join('<br>') }}{{ rows|join(',', 't') }}{{ list|first }}{{ html|e }}",
        "{% set x = html %}{{ x }}{{ '<s>' if x else '' }}{{ html|phone }}",
    ):
        shown = show(engine, template, data, Channel.EMAIL)
        assert "<" not in shown.replace("<s>", "")


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("{{ lost }}", "lost"),
        ("{{ order.lost }}", "order.lost"),
        ("{{ order.delivery.city }}", "order.delivery.city"),
        ("{{ order.lines[7].title }}", "order.lines[7].title"),
        ("{% for l in order.lines %}{{ l.price }}{% endfor %}", "order.lines[0].price"),
        ("{% for l in order.lost %}{% endfor %}", "order.lost"),
        ("{{ order.total|money }}", "order.total"),
        ("{{ 1|money(order.currency) }}", "order.currency"),
        ("{{ order.lost + 1 }}", "order.lost"),
        ("{% if order.lost == 'a' %}{% endif %}", "order.lost"),
        ("{% if order.lost > 1 %}{% endif %}", "order.lost"),
        ("{{ order.lost|upper }}", "order.lost"),
        ("{{ order.lost|length }}", "order.lost"),
        ("{{ order.lost|join(',') }}", "order.lost"),
        ("{{ order.lines|join(',', 'price') }}", "order.lines[0].price"),
        ("{{ contact.name }}", "contact.name"),
    ],
)
def test_what_is_missing_is_named_with_its_whole_path(
    engine: Engine, template: str, path: str
) -> None:
    with pytest.raises(MissingVariable) as caught:
        show(engine, template)

    assert caught.value.path == path


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("{{ name|money }}", "name"),
        ("{{ order.number }}{{ order.lines[0].title|date }}", "order.lines[0].title"),
        ("{% for c in name %}{% endfor %}", "name"),
        ("{{ order.lines|money }}", "order.lines"),
        ("{{ n / zero }}", ""),
    ],
)
def test_a_value_that_does_not_suit_is_named(engine: Engine, template: str, path: str) -> None:
    with pytest.raises(WrongValue) as caught:
        show(engine, template)

    assert caught.value.path in (path, "zero")


@pytest.mark.parametrize(
    ("template", "line"),
    [
        ("a\n{% if %}", 2),
        ("{{ a", 1),
        ("a\n\n{{ a|nonsense }}", 3),
        ("\n{% endfor %}", 2),
        ("\n\n\n{{ a.__class__ }}", 4),
    ],
)
def test_faults_have_their_line(engine: Engine, template: str, line: int) -> None:
    with pytest.raises(TemplateFault, match=f"line {line}") as caught:
        engine.compile(template, html=False, part="text")

    assert caught.value.line == line
    assert caught.value.part == "text"


def test_a_fault_while_rendering_has_its_line_too(engine: Engine) -> None:
    with pytest.raises(TemplateFault, match="line 2") as caught:
        show(engine, "a\n{% if name > 1 %}{% endif %}")

    assert caught.value.line == 2


def test_data_cannot_take_the_hubs_names(engine: Engine) -> None:
    data = {"contact": {"name": "mallory"}, "_budget": 1, "_formats": 2}

    with pytest.raises(MissingVariable, match=r"contact\.name"):
        show(engine, "{{ contact.name }}", data)


def test_texts_of_faults_do_not_repeat_values(engine: Engine) -> None:
    with pytest.raises(WrongValue) as caught:
        show(engine, "{{ secret|money }}", {"secret": "anna@example.com"})

    assert "anna" not in str(caught.value)
