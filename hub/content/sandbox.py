"""Jinja2 with nothing in it but data: no Python attributes, no calls, bounded work.

Shops write templates, so a template may reach keys and list items of its data and nothing else. That is
stricter than Jinja2's own sandbox, on which it stands: an escape needs an attribute or a call, and there
are none. Work is bounded as well: loops, filters and comparisons pay from a budget, and what can make values grow does.
"""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, NoReturn, cast

from jinja2 import Template, Undefined, nodes, pass_context
from jinja2.filters import FILTERS, do_round
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.tests import TESTS
from jinja2.utils import missing

from hub.content.formats import Formats, Unfit, decimal
from hub.content.model import TemplateFault

LARGEST_OUTPUT = 512 * 1024
# Nodes of the syntax tree that one rendering may visit inside loops: about a quarter of a second. Filters and comparisons
# pay for the length of what they are given, wherever they stand.
_BUDGET = 500_000
_LARGEST = 10**15
_DIGITS = 15
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
# As many nodes of a loop is a call of these, with a value that was not shown lately.
_SLOW = {
    "phone": 200,
    "date": 50,
    "time": 50,
    "datetime": 50,
    "money": 10,
    "number": 10,
    "plural": 10,
}
# Filters of text pay for so many signs as much as for a node.
_SIGNS = {"title": 2, "urlencode": 2, "striptags": 2, "wordcount": 2, "escape": 8, "e": 8}
_SIGNS_OF_OTHERS = 16
# These look at no more than one place of what they are given.
_AT_ONCE = frozenset({"count", "d", "default", "first", "last", "length", "round"})
_COMPARING = _TESTS & {"in", "==", "eq", "!=", "ne", ">", "gt", ">=", "ge", "<", "lt", "<=", "le"}
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
    """How much looping, and reading of long values, one rendering has left."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = _BUDGET

    def spend(self, cost: int) -> None:
        self._left -= cost
        if self._left < 0:
            raise TemplateFault("it loops over too much")

    def spend_for(self, value: Any, signs: int = _SIGNS_OF_OTHERS) -> None:
        """By its length, with everything in it; `signs`: of its text for a node. A list may stand in itself many times:
        whoever reads it reads each, and so does this."""
        if type(value) is int:
            return
        stack = [value]
        while stack:
            one = stack.pop()
            if isinstance(one, str):
                cost = len(one) // signs
            elif isinstance(one, Mapping):
                cost = len(one)
                stack += one.values()
            elif isinstance(one, list | tuple):
                cost = len(one)
                stack += one
            else:
                continue
            self._left -= cost
            if self._left < 0:
                raise TemplateFault(
                    "it reads too much: lists or texts are too long for what it does with them"
                )


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
        self.tests = {name: TESTS[name] for name in _TESTS} | _OWN_TESTS
        self.filters = _CHARGED_FILTERS | _OWN_FILTERS

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
            cost = nodes.Const(1 + sum(map(_cost, _inside(loop))))
            loop.iter = nodes.Filter(loop.iter, "_paid", [cost], [], None, None, lineno=loop.lineno)
        for comparison in list(tree.find_all((nodes.Compare, nodes.Test))):
            _charge(comparison)
        return tree


def _inside(loop: nodes.For) -> Iterator[nodes.Node]:
    """What is looked at for each item."""
    for part in (*loop.body, *([loop.test] if loop.test else [])):
        yield part
        yield from part.find_all(nodes.Node)


def _cost(node: nodes.Node) -> int:
    return _SLOW.get(node.name, 1) if isinstance(node, nodes.Filter) else 1


def _charge(comparison: nodes.Expr) -> None:
    """Both sides pay for their size: lists are compared item by item, with all that is in them."""
    if isinstance(comparison, nodes.Compare):
        comparison.expr = _compared(comparison.expr)
        for operand in comparison.ops:
            operand.expr = _compared(operand.expr)
    elif isinstance(comparison, nodes.Test) and comparison.name in _COMPARING:
        comparison.node = _compared(comparison.node)
        comparison.args = [_compared(argument) for argument in comparison.args]


def _compared(side: nodes.Expr) -> nodes.Expr:
    if isinstance(side, nodes.Const):
        return side
    return nodes.Filter(side, "_compared", [], [], None, None, lineno=side.lineno)


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
def _pay_compared(context: Context, value: Any) -> Any:
    context["_budget"].spend_for(value)
    return value


def _charged(name: str) -> Callable[..., Any]:
    """Jinja2's own filter. Texts of our own have no budget."""
    method: Callable[..., Any] = FILTERS[name]
    if name in _AT_ONCE:
        return method
    signs = _SIGNS.get(name, _SIGNS_OF_OTHERS)
    in_environment = name == "truncate"

    @pass_context
    def pay(context: Context, value: Any, *rest: Any, **named: Any) -> Any:
        budget: Budget | None = context.get("_budget")
        if budget is not None:
            for given in (value, *rest, *named.values()):
                budget.spend_for(given, signs)
            if name == "trim" and isinstance(value, str):
                # Each sign is looked for among those that are to go.
                for signs_off in (*rest, *named.values()):
                    if isinstance(signs_off, str):
                        budget.spend(len(value) * len(signs_off) // 64)
        if in_environment:
            return method(context.environment, value, *rest, **named)
        return method(value, *rest, **named)

    return pay


def _round(value: Any, precision: Any = 0, method: Any = "common") -> Any:
    """Of numbers only, and with so many digits as these have: ten to the power of a million is a number, too, and so many
    times a text is a text."""
    if isinstance(value, Missing):
        raise Absent(value)
    if not isinstance(value, int | float | Decimal):
        raise Unfit("is not a number", value)
    if isinstance(precision, Missing):
        raise Absent(precision)
    if type(precision) is not int or abs(precision) > _DIGITS:
        raise Unfit(f"is not a number of digits from -{_DIGITS} to {_DIGITS}", precision)
    return do_round(cast("float", value), precision, method)


def _remainder(value: Any, divisor: Any) -> Any:
    """Of numbers only: a remainder of text is text put into it, as wide as it says."""
    number = value if type(value) is int else _operand(value)
    return number % (divisor if type(divisor) is int else _operand(divisor))


@pass_context
def _join(context: Context, items: Any, separator: str = "", attribute: str = "") -> str:
    """`order.lines|join(', ', 'title')`."""
    budget: Budget = context["_budget"]
    found = _list(items)
    budget.spend(len(found) * (1 + len(separator)))
    if attribute:
        found = [context.environment.getitem(item, attribute) for item in found]
    # Not `str.join` of what may be Markup: the result is plain text and escaped like any other.
    texts = [str(_printable(item)) for item in found]
    budget.spend_for(texts)
    return str(separator).join(texts)


def _format(method: Callable[..., str]) -> Callable[..., str]:
    @pass_context
    def show(context: Context, value: Any, *rest: Any) -> str:
        formats: Formats = context["_formats"]
        return method(formats, value, *rest)

    return show


_CHARGED_FILTERS = {name: _charged(name) for name in _FILTERS}
_OWN_FILTERS: dict[str, Callable[..., Any]] = {
    "_paid": _paid,
    "_compared": _pay_compared,
    "round": _round,
    "join": _join,
    "money": _format(Formats.money),
    "number": _format(Formats.number),
    "plural": _format(Formats.plural),
    "date": _format(Formats.date),
    "time": _format(Formats.time),
    "datetime": _format(Formats.datetime),
    "phone": _format(Formats.phone),
}

_OWN_TESTS: dict[str, Callable[..., bool]] = {
    "even": lambda value: bool(_remainder(value, 2) == 0),
    "odd": lambda value: bool(_remainder(value, 2) == 1),
    "divisibleby": lambda value, divisor: bool(_remainder(value, divisor) == 0),
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
