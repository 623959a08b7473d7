"""Published ways out of Jinja2 and its sandbox, against a shop's template; most are the same idea in other clothes.

Each is tried twice: as a shop's template, which refuses nearly all of them before they run, and past that check,
where the environment alone has to hold.
"""

from datetime import date
from typing import Any

import jinja2
import pytest

from channels.base import Channel
from hub.content.call import Call
from hub.content.formats import Unfit, formats
from hub.content.model import Audience, MissingVariable, Source, TemplateFault, WrongValue
from hub.content.render import Engine, Own
from hub.content.sandbox import Absent, Budget, Environment
from hub.content.view import Reader

DATA: dict[str, Any] = {
    "name": "Анна",
    "n": 3,
    "items": ["a", "b"],
    "order": {"number": "1", "format": "own", "__class__": "own", "lines": [{"title": "a"}]},
    "evil": "{0.__class__.__init__.__globals__}",
    "dunder": "__class__",
    "method": "format",
}

ESCAPES = [
    # Attributes on the way to every class there is.
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ [].__class__.__base__.__subclasses__()[40]('/etc/passwd').read() }}",
    "{{ ().__class__.__bases__[0].__subclasses__()|map(attribute='__name__')|join }}",
    "{{ name['__class__']['__mro__'] }}",
    "{{ name[dunder] }}",
    "{{ name['__cl' + 'ass__'] }}",
    "{{ name['\\x5f\\x5fclass\\x5f\\x5f'] }}",
    "{{ name|attr('__class__') }}",
    "{{ name|attr('\\x5f\\x5fclass\\x5f\\x5f') }}",
    "{{ name|attr(dunder) }}",
    "{{ name|attr(['__','class','__']|join) }}",
    "{{ name|attr('%s%s%s%s'|format('_','_','class','__')) }}",
    "{{ order.__class__.__init__.__globals__ }}",
    # Objects that Jinja2 itself puts there.
    "{{ self.__init__.__globals__.__builtins__ }}",
    "{{ self._TemplateReference__context.cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ joiner.__init__.__globals__.os }}",
    "{{ namespace.__init__.__globals__.os }}",
    "{{ lipsum.__globals__['os'].popen('id').read() }}",
    "{{ lipsum.__globals__.__builtins__.__import__('os') }}",
    "{{ dict.__base__.__subclasses__() }}",
    "{{ range.__class__ }}",
    "{{ url_for.__globals__ }}{{ get_flashed_messages.__globals__ }}",
    "{{ config.items() }}{{ request.application }}{{ g.pop }}",
    "{{ undefined_name.__class__.__init__.__globals__ }}",
    "{{ (undefined_name|default).__class__ }}",
    "{{ caller.__globals__ }}",
    "{{ varargs }}{{ kwargs }}",
    "{{ loop.__class__ }}",
    "{% for x in items %}{{ loop.__init__ }}{% endfor %}",
    "{% for x in items %}{{ loop._iterator }}{{ loop.cycle }}{{ loop.changed(1) }}{% endfor %}",
    "{% set ns = namespace(x=1) %}{{ ns.__class__ }}",
    "{% set ns = namespace() %}{% set ns.a = 1 %}{{ ns.a }}",
    "{{ namespace(**{'__class__': 1}) }}",
    "{% macro m() %}{{ caller() }}{% endmacro %}{{ m.__globals__ }}",
    "{% macro m() %}{% endmacro %}{{ m.arguments }}{{ m._func }}",
    "{% block b %}{{ self.b.__func__ }}{% endblock %}",
    "{{ super().__init__ }}",
    "{{ environment }}{{ context }}{{ _context }}{{ resolve }}",
    # CVE-2016-10745: format strings reach attributes.
    "{{ '{0.__class__}'.format(name) }}",
    "{{ '{x.__class__.__mro__}'.format(x=name) }}",
    "{{ evil.format(name) }}",
    "{{ evil|format(name) }}",
    "{{ '%(x)s'|format(x=name) }}",
    "{{ '%c' % 64 }}",
    # CVE-2019-10906: so does format_map.
    "{{ '{x.__class__}'.format_map({'x': name}) }}",
    # CVE-2024-56326, CVE-2025-27516: a method of a text that is fetched in another way.
    "{{ name|attr('format') }}",
    "{{ evil|attr('format')(name) }}",
    "{% set f = evil.format %}{{ f(name) }}",
    "{% set f = evil[method] %}{{ f(name) }}",
    "{{ [evil]|map('attr', 'format')|first }}",
    "{{ [evil]|map(attribute='format')|list }}",
    "{{ [evil]|map('format', name)|list }}",
    "{{ items|map(attribute='__class__')|list }}",
    "{{ items|selectattr('__class__')|list }}",
    "{{ items|rejectattr('x')|list }}{{ items|groupby('__class__') }}",
    "{{ items|sort(attribute='__class__') }}{{ items|sum(attribute='__class__') }}",
    "{{ items|unique(attribute='__class__')|list }}{{ items|max(attribute='__class__') }}",
    "{{ items|join(',', '__class__') }}",
    "{{ items|join(',', attribute='format') }}",
    "{{ order.lines|join(',', '__class__') }}",
    "{{ items|map('upper')|map('attr', '__class__')|list }}",
    # CVE-2024-22195, CVE-2024-34064: attributes out of keys.
    "{{ {'x onclick=alert(1)': 1}|xmlattr }}",
    "{{ order|xmlattr }}",
    # CVE-2024-56201: a name of a template that becomes code.
    "{% include '\\x00{os}' %}",
    "{% include evil %}",
    "{% import evil as x %}",
    "{% from evil import x %}",
    "{% extends evil %}",
    "{% include ['a', 'b'] ignore missing %}",
    # CVE-2020-28493 and kin: work without end.
    "{{ ('a@' * 50000)|urlize }}",
    "{{ 'a'|center(1000000000) }}{{ 'a'|indent(1000000000) }}",
    "{{ lipsum(100000, html=false) }}",
    "{{ range(1000000000)|list }}",
    "{{ range(10 ** 9)|sum }}",
    "{% for a in range(100000000) %}{% endfor %}",
    "{{ 'x' * 1000000000 }}{{ items * 1000000000 }}",
    "{{ 9 ** 9 ** 9 ** 9 }}",
    "{{ 'a'|wordwrap(0) }}{{ items|batch(1000000000, 'x')|list }}{{ items|slice(1000000000)|list }}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "{% for x in items recursive %}{{ loop(items) }}{% endfor %}",
    "{% set x = 'aa' %}{% set x = x ~ x %}{{ x ~ x ~ x }}",
    "{% set x %}aaaa{% endset %}{{ x }}{{ x }}",
    "{{ '%0999999999d' % 1 }}{{ '%0999999999d'|format(1) }}",
    "{{ name.ljust(1000000000) }}{{ name.zfill(1000000000) }}{{ name.replace('', name) }}",
    "{{ 'a'|replace('', 'a' * 100000) }}",
    "{{ n.__pow__(100000) }}{{ n.to_bytes(1000000000, 'big') }}",
    # Statements that would be something else than data.
    "{% do items.append(1) %}",
    "{{ items.append(1) }}{{ items.clear() }}{{ order.pop('number') }}{{ order.update(a=1) }}",
    "{% call(x) items() %}{% endcall %}",
    "{% filter attr('__class__') %}x{% endfilter %}",
    "{% autoescape false %}{{ name }}{% endautoescape %}",
    "{{ name|safe }}{{ name|forceescape }}",
    "{% debug %}",
    "{% trans %}{{ name }}{% endtrans %}",
    "{{ name|pprint }}{{ order|tojson }}{{ order|dictsort }}{{ order|items }}",
    "{{ name is callable }}{{ name is sameas name }}{{ 'upper' is filter }}",
    "{{ items|random }}{{ name|filesizeformat }}{{ items|list|string }}",
    "{{ (items|first)|map }}",
    "{{ [1,2,3][::-1] }}{{ name[::-1] }}",
    "{{ (1).real }}{{ 1.0.is_integer }}{{ True.__class__ }}",
    "{{ name.encode }}{{ name.join(items) }}",
]  # fmt: skip


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


@pytest.mark.parametrize("channel", [Channel.EMAIL, Channel.VK])
@pytest.mark.parametrize("escape", ESCAPES)
def test_a_shops_template_refuses_it(engine: Engine, escape: str, channel: Channel) -> None:
    source = Source(html=escape) if channel is Channel.EMAIL else Source(text=escape)
    reader = Reader(Audience.BUYER, "ru", formats("ru", "Europe/Moscow"))

    with pytest.raises((TemplateFault, MissingVariable, WrongValue)):
        engine.render_own(Own(source), channel, Call(reader, DATA))


_ENDLESS = ("range(", "recursive", "macro f()", "100000")
"""Only the check keeps these short; nothing but a shop's template is ever compiled without it having been checked."""


@pytest.mark.parametrize("escape", [e for e in ESCAPES if not any(w in e for w in _ENDLESS)])
def test_past_the_check_the_sandbox_alone_gives_nothing_away(escape: str) -> None:
    environment = Environment(html=False)
    values = {**DATA, "_budget": Budget(), "_formats": formats("ru", "Europe/Moscow")}
    try:
        text = environment.from_string(escape).render(values)
    except (
        jinja2.TemplateError,
        TypeError,
        AttributeError,
        Absent,
        Unfit,
        TemplateFault,
        ValueError,
    ):
        return

    for trace in ("<class", "<built-in", "<function", "<bound", "<module", "<generator", "root:"):
        assert trace not in text
    assert len(text) < 1000


class _Thing:
    """Something with more to it than data."""

    secret = "s3cret"
    date = date(2026, 1, 1)

    def method(self) -> str:
        return self.secret


@pytest.mark.parametrize(
    "expression", ["x.secret", "x['secret']", "x.method()", "x.date.year", "x"]
)
def test_a_python_object_among_the_data_shows_nothing(expression: str) -> None:
    template = Environment(html=False).from_string("{{ " + expression + " }}")

    with pytest.raises((Absent, Unfit, jinja2.TemplateError)):
        template.render(x=_Thing(), _budget=Budget())


def test_the_filters_and_tests_of_templates_are_a_short_list() -> None:
    """A new one is looked at twice: none calls, fetches attributes, or makes much of little."""
    environment = Environment(html=False)

    assert environment.globals == {}
    dangerous = {
        *("attr", "map", "select", "reject", "selectattr", "rejectattr", "groupby", "format"),
        *("safe", "tojson", "xmlattr", "pprint", "list", "center", "indent", "replace", "urlize"),
        *("wordwrap", "batch", "slice", "sort", "unique", "sum", "min", "max", "items", "random"),
        *("dictsort", "string", "forceescape", "filesizeformat", "reverse"),
    }
    assert not dangerous & set(environment.filters)
    assert not {"callable", "sameas", "filter", "test", "iterable", "escaped"} & set(
        environment.tests
    )
