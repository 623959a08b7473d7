"""Jinja2 with nothing in it but data: no Python attributes, no calls, bounded work.

Shops write templates, so a template may reach keys and list items of its data and nothing else. That is
stricter than Jinja2's own sandbox, on which it stands: an escape needs an attribute or a call, and there
are none. Work is bounded as well: loops pay from a budget, and values cannot be made to grow.
"""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, NoReturn

from jinja2 import Template, Undefined, nodes, pass_context
from jinja2.filters import FILTERS
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.tests import TESTS
from jinja2.utils import missing

from hub.content.formats import Formats, Unfit, decimal
from hub.content.model import TemplateFault

LARGEST_OUTPUT = 512 * 1024
# Nodes of the syntax tree that one rendering may visit inside loops: about a quarter of a second.
_BUDGET = 500_000
_LARGEST = 10**15
_DEEPEST = 60

_FILTERS = frozenset(
    [
        "capitalize",
        "count",
        "d",
        "default",
        "e",
        "escape",
        "first",
        "last",
        "length",
        "lower",
        "round",
        "striptags",
        "title",
        "trim",
        "truncate",
        "upper",
        "urlencode",
        "wordcount",
    ]
)
_TESTS = frozenset(
    [
        "defined",
        "undefined",
        "even",
        "odd",
        "divisibleby",
        "in",
        "none",
        "number",
        "string",
        "sequence",
        "mapping",
        "==",
        "eq",
        "!=",
        "ne",
        ">",
        "gt",
        ">=",
        "ge",
        "<",
        "lt",
        "<=",
        "le",
    ]
)
_LOOP = frozenset({"index", "index0", "revindex", "revindex0", "first", "last", "length", "depth"})

# Left out on purpose: calls and macros (recursion), `~`, `**` and set blocks (a value doubled forty times
# fills any memory), imports, inheritance.
_ALLOWED: tuple[type[nodes.Node], ...] = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.NSRef, nodes.Const),
    *(
        nodes.For,
        nodes.If,
        nodes.Assign,
        nodes.With,
        nodes.CondExpr,
        nodes.And,
        nodes.Or,
        nodes.Not,
    ),
    *(nodes.Getattr, nodes.Getitem, nodes.Filter, nodes.Test, nodes.Compare, nodes.Operand),
    *(nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Neg, nodes.Pos),
    *(nodes.Keyword, nodes.Tuple, nodes.List),
)
_RESERVED = frozenset({"self", "super", "caller", "varargs", "kwargs", "namespace", "context"})


class Absent(Exception):
    """Something the data does not have was to be shown."""

    def __init__(self, variable: "Missing") -> None:
        super().__init__(variable._undefined_name)
        self.variable = variable


class Missing(Undefined):
    """What the data does not have: false in a condition, an error wherever it would be shown.

    Its own items are missing in turn, so that the whole path is known: `order.delivery.city`.
    """

    __slots__ = ()

    def _fail(self, *_: Any, **__: Any) -> NoReturn:
        raise Absent(self)

    _fail_with_undefined_error = _fail
    __str__ = __iter__ = __len__ = __hash__ = __eq__ = __ne__ = _fail
    __lt__ = __le__ = __gt__ = __ge__ = __contains__ = _fail
    __int__ = __float__ = __neg__ = __pos__ = __call__ = __getitem__ = _fail
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _fail
    __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = _fail

    def __bool__(self) -> bool:
        return False


class Budget:
    """How much looping one rendering has left."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = _BUDGET

    def spend(self, cost: int) -> None:
        self._left -= cost
        if self._left < 0:
            raise TemplateFault("it loops over too much")


class Environment(ImmutableSandboxedEnvironment):
    """For texts of our own and, with `check`, for those of the shops. `html`: values are escaped."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%"})

    def __init__(self, *, html: bool, **options: Any) -> None:
        super().__init__(
            autoescape=html,
            undefined=Missing,
            finalize=_printable,
            trim_blocks=True,
            lstrip_blocks=True,
            cache_size=-1,
            auto_reload=False,
            **options,
        )
        self.globals = {}
        self.tests = {name: TESTS[name] for name in _TESTS}
        self.filters = {name: FILTERS[name] for name in _FILTERS} | _OWN_FILTERS

    def getattr(self, obj: Any, attribute: str) -> Any:
        """A key, never an attribute of Python; null counts as not given."""
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        value = None
        # JSON is made of plain dicts; `isinstance` of an abstract class would take longer than the look-up.
        if type(obj) is dict or isinstance(obj, Mapping):
            value = obj.get(argument) if isinstance(argument, str) else None
        elif isinstance(obj, list | tuple):
            if isinstance(argument, int) and -len(obj) <= argument < len(obj):
                value = obj[argument]
        elif isinstance(obj, LoopContext) and argument in _LOOP:
            return getattr(obj, argument)
        return Missing(obj=obj, name=argument) if value is None else value

    def call_binop(self, _context: Context, operator: str, left: Any, right: Any) -> Any:
        """Numbers only: text is set side by side, not added up."""
        a, b = _operand(left), _operand(right)
        try:
            result = self.binop_table[operator](a, b)
        except ZeroDivisionError:
            raise Unfit("is zero, and nothing can be divided by it", right) from None
        if abs(result) > _LARGEST:
            raise Unfit("is too large to reckon with", left)
        return int(result) if result == int(result) else result

    def check(self, source: str) -> nodes.Template:
        """The syntax tree of a shop's template, ready to compile. Raises `TemplateFault`, or what Jinja2
        raises for wrong syntax."""
        tree = self.parse(source)
        stack: list[tuple[nodes.Node, int]] = [(tree, 0)]
        while stack:
            node, depth = stack.pop()
            _check_node(self, node, depth)
            stack += [(child, depth + 1) for child in node.iter_child_nodes()]
        for loop in list(tree.find_all(nodes.For)):
            cost = nodes.Const(1 + sum(1 for _ in _inside(loop)))
            loop.iter = nodes.Filter(loop.iter, "_paid", [cost], [], None, None, lineno=loop.lineno)
        return tree


def _inside(loop: nodes.For) -> Iterator[nodes.Node]:
    for part in loop.body:
        yield part
        yield from part.find_all(nodes.Node)


def _check_node(environment: Environment, node: nodes.Node, depth: int) -> None:
    name = getattr(node, "name", None) or getattr(node, "attr", None) or ""
    key = (
        node.arg.value
        if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const)
        else ""
    )
    match node:
        case _ if depth > _DEEPEST:
            reason = "it is nested too deeply"
        case nodes.For(recursive=True):
            reason = "a loop cannot call itself"
        case _ if not isinstance(node, _ALLOWED):
            reason = f"{type(node).__name__} is not available in templates"
        case nodes.Filter() if name not in environment.filters or str(name).startswith("_"):
            reason = f"there is no filter {name}"
        case nodes.Test() if name not in environment.tests:
            reason = f"there is no test {name}"
        case _ if str(name).startswith("_") or str(key).startswith("_"):
            reason = "names that begin with an underscore are not available"
        case nodes.Name() if name in _RESERVED:
            reason = f"the name {name} is not available"
        case _:
            return
    raise TemplateFault(reason, node.lineno)


def _printable(value: Any) -> Any:
    if isinstance(value, str | int | float | Decimal | Undefined) and not isinstance(value, bool):
        return value
    raise Unfit("is not text or a number", value)


def _operand(value: Any) -> Any:
    if isinstance(value, Missing):
        raise Absent(value)
    number = decimal(value)
    if number is None:
        raise Unfit("is not a number", value)
    return number


@pass_context
def _paid(context: Context, items: Any, cost: int) -> Iterator[Any]:
    budget: Budget = context["_budget"]
    return _spending(_list(items), budget, cost)


def _spending(items: list[Any], budget: Budget, cost: int) -> Iterator[Any]:
    for item in items:
        budget.spend(cost)
        yield item


def _list(items: Any) -> list[Any]:
    if isinstance(items, Missing):
        raise Absent(items)
    if not isinstance(items, list | tuple | dict):
        raise Unfit("is not a list", items)
    return items if isinstance(items, list) else list(items)


@pass_context
def _join(context: Context, items: Any, separator: str = "", attribute: str = "") -> str:
    """`order.lines|join(', ', 'title')`."""
    budget: Budget = context["_budget"]
    found = _list(items)
    budget.spend(len(found) * (1 + len(separator)))
    if attribute:
        found = [context.environment.getitem(item, attribute) for item in found]
    # Not `str.join` of what may be Markup: the result is plain text and escaped like any other.
    return str(separator).join(str(_printable(item)) for item in found)


def _format(method: Callable[..., str]) -> Callable[..., str]:
    @pass_context
    def show(context: Context, value: Any, *rest: Any) -> str:
        formats: Formats = context["_formats"]
        return method(formats, value, *rest)

    return show


_OWN_FILTERS: dict[str, Callable[..., Any]] = {
    "_paid": _paid,
    "join": _join,
    "money": _format(Formats.money),
    "number": _format(Formats.number),
    "plural": _format(Formats.plural),
    "date": _format(Formats.date),
    "time": _format(Formats.time),
    "datetime": _format(Formats.datetime),
    "phone": _format(Formats.phone),
}


def bounded(template: Template, context: Context) -> str:
    """What the template makes of the values in the context. Raises `TemplateFault` where that is too much, and whatever goes wrong."""
    chunks, length = [], 0
    for chunk in template.root_render_func(context):
        length += len(chunk)
        if length > LARGEST_OUTPUT:
            raise TemplateFault(f"the message grows beyond {LARGEST_OUTPUT // 1024} KiB")
        chunks.append(chunk)
    return "".join(chunks)


def path(variable: Missing, root: Mapping[str, Any]) -> str:
    """The dotted path of what is missing: `order.lines[0].title`."""
    holder, name = variable._undefined_obj, variable._undefined_name
    if holder is missing:
        return str(name)
    before = path(holder, root) if isinstance(holder, Missing) else place(holder, root)
    if isinstance(name, int):
        return f"{before}[{name}]"
    return f"{before}.{name}" if before else str(name)


def place(value: object, root: Mapping[str, Any]) -> str:
    """Where in the data this very object is; empty if nowhere, or in several places.

    By identity: it is asked for errors only, and JSON that was read shares no objects but small numbers.
    """
    if isinstance(value, Missing):
        return path(value, root)
    found = []
    stack: list[tuple[str, Any]] = [(name, item) for name, item in root.items()]
    while stack:
        where, item = stack.pop()
        if item is value:
            found.append(where)
        if isinstance(item, Mapping):
            stack += [(f"{where}.{name}", below) for name, below in item.items()]
        elif isinstance(item, list | tuple):
            stack += [(f"{where}[{i}]", below) for i, below in enumerate(item)]
    return found[0] if len(found) == 1 else ""
