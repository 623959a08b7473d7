"""What a template needs to be told: read off its syntax tree, with examples to try it out."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from jinja2 import nodes

from hub.content.model import HUB_NAMES, Variable

# The data of an order's template with everything there can be.
ORDER: Mapping[str, Any] = {
    "number": "1001",
    "total": "4990.00",
    "currency": "RUB",
    "lines": [
        {"title": "Чайник", "sku": "A-1", "quantity": 2, "price": "1990.00", "confirmed": 2},
        {"title": "Чай чёрный", "sku": "B-7", "quantity": 1, "price": "1010.00", "confirmed": 1},
    ],
    "tracking": "RA123456789RU",
    "delivery": {
        "method": "pickup",
        "address": "Москва, Лесная ул., 5",
        "carrier": "Почта России",
        "tracking": "RA123456789RU",
        "date": "2026-12-01",
    },
    "labels_url": "https://shop.example/labels/1001.pdf",
    "reason": "по просьбе покупателя",
    "url": "https://shop.example/orders/1001",
}
CART: Mapping[str, Any] = {
    "lines": ORDER["lines"],
    "total": ORDER["total"],
    "currency": "RUB",
    "url": "https://shop.example/cart",
}
# What is asked of the people at the shelf. reason: why nobody is asked any more; changes: what is to be another in the
# parcel, by pieces (was 0: to be put in, now 0: to be taken out).
STOCK: Mapping[str, Any] = {
    "warehouse": "Лесная",
    "seller": "ИП Петрова",
    "deadline": "2026-12-01T12:40:00+03:00",
    "reason": "cancelled",
    "changes": [{"title": "Чайник", "sku": "A-1", "was": 3, "now": 2}],
}
EXAMPLE: Mapping[str, Any] = {
    "order": ORDER,
    "stock": STOCK,
    "cart": CART,
    "code": "482915",
    "minutes": 5,
}

# What the hub puts beside the data, for trying a template out.
CONTACT: Mapping[str, Any] = {
    "name": "Анна",
    "external_id": "buyer-42",
    "locale": "ru",
    "attributes": {"city": "Томск", "birthday": "1990-05-01"},
}
SHOP: Mapping[str, Any] = {"name": "Ромашка", "locale": "ru", "timezone": "Europe/Moscow"}
LINKS: Mapping[str, Any] = {
    "unsubscribe": "https://hub.example/u/example",
    "preferences": "https://hub.example/p/example",
    "answer": "https://hub.example/a/q3Zt8PfLw0aXk_9d",
}

_BY_FILTER: Mapping[str, Any] = {
    "money": "4990.00",
    "number": 2,
    "plural": 2,
    "round": 2,
    "date": "2026-12-01T10:00:00+03:00",
    "time": "2026-12-01T10:00:00+03:00",
    "datetime": "2026-12-01T10:00:00+03:00",
    "phone": "+79991234567",
    "join": ["…"],
}


def described(data: Mapping[str, Any], required: Iterable[str]) -> tuple[Variable, ...]:
    """The variables of a built-in template, from its example data."""
    found: list[Variable] = []
    needed = frozenset(required)

    def walk(path: str, value: Any) -> None:
        if isinstance(value, Mapping):
            for name, below in value.items():
                walk(f"{path}.{name}" if path else name, below)
            return
        found.append(Variable(path, path in needed, value))
        if isinstance(value, list) and value:
            walk(f"{path}[]", value[0])

    walk("", data)
    return tuple(found)


@dataclass(slots=True)
class _Use:
    required: bool = False
    filter: str = ""


@dataclass
class _Reader:
    """Walks one tree. `names` says which path a name of the template stands for; None for a name of its own."""

    uses: dict[str, _Use] = field(default_factory=dict)

    def read(self, node: nodes.Node, names: dict[str, str | None], *, needed: bool) -> None:
        match node:
            case nodes.For():
                self._for(node, names, needed=needed)
            case nodes.If() | nodes.CondExpr():
                self._ask(node.test, names, needed=needed)
                for child in node.iter_child_nodes(exclude=("test",)):
                    self.read(child, names, needed=False)
            case nodes.Assign():
                self.read(node.node, names, needed=needed)
                if isinstance(node.target, nodes.Name):
                    names[node.target.name] = _path(node.node, names)
            case nodes.Filter(name="default" | "d"):
                self._all(node, names, needed=False)
            case nodes.Test(name="defined" | "undefined"):
                self._all(node, names, needed=False)
            case nodes.Filter(name="_compared", node=nodes.Expr() as compared):
                self.read(compared, names, needed=needed)
            case nodes.Filter() if node.node is not None:
                self._note(node.node, names, needed=needed, filter_=node.name)
                for argument in node.args:
                    self.read(argument, names, needed=needed)
            case nodes.BinExpr() if not isinstance(node, nodes.And | nodes.Or):
                for side in (node.left, node.right):
                    self._note(side, names, needed=needed, filter_="number")
            case _:
                self._note(node, names, needed=needed)

    def _for(self, node: nodes.For, names: dict[str, str | None], *, needed: bool) -> None:
        items = _unpaid(node.iter)
        self._note(items, names, needed=needed, filter_="join")
        inner = dict(names, loop=None)
        where = _path(items, names)
        for target in node.target.find_all(nodes.Name):
            inner[target.name] = None
        if isinstance(node.target, nodes.Name) and where:
            inner[node.target.name] = f"{where}[]"
        if node.test is not None:
            self._ask(node.test, inner, needed=needed)
        for child in node.body:
            self.read(child, inner, needed=needed)
        for child in node.else_:
            self.read(child, names, needed=False)

    def _ask(self, test: nodes.Node, names: dict[str, str | None], *, needed: bool) -> None:
        """A bare name in a condition may be missing; what it is compared with may not."""
        match test:
            case nodes.Name() | nodes.Getattr() | nodes.Getitem():
                self._note(test, names, needed=False)
            case nodes.Not():
                self._ask(test.node, names, needed=needed)
            case nodes.And() | nodes.Or():
                self._ask(test.left, names, needed=needed)
                # The right side is not looked at when the left one decides.
                self._ask(test.right, names, needed=False)
            case _:
                self.read(test, names, needed=needed)

    def _all(self, node: nodes.Node, names: dict[str, str | None], *, needed: bool) -> None:
        for child in node.iter_child_nodes():
            self.read(child, names, needed=needed)

    def _note(
        self, node: nodes.Node, names: dict[str, str | None], *, needed: bool, filter_: str = ""
    ) -> None:
        where = _path(node, names)
        if where is None:
            known = isinstance(node, nodes.Name | nodes.Getattr | nodes.Getitem)
            (self._all if known or not filter_ else self.read)(node, names, needed=needed)
            return
        use = self.uses.setdefault(where, _Use())
        use.required |= needed
        use.filter = use.filter or filter_


def _unpaid(items: nodes.Node) -> nodes.Node:
    """Without the filter that `Environment.check` puts around what a loop goes over."""
    if isinstance(items, nodes.Filter) and items.name == "_paid" and items.node is not None:
        return items.node
    return items


def _path(node: nodes.Node, names: Mapping[str, str | None]) -> str | None:
    """`order.lines[].title`; None for what is no plain path into the data."""
    match node:
        case nodes.Name():
            return names.get(node.name, node.name)
        case nodes.Getattr():
            holder, step = _path(node.node, names), f".{node.attr}"
        case nodes.Getitem(arg=nodes.Const(value=str(name))):
            holder, step = _path(node.node, names), f".{name}"
        case nodes.Getitem(arg=nodes.Const(value=int())):
            holder, step = _path(node.node, names), "[]"
        case _:
            return None
    return None if holder is None else holder + step


def used(trees: Iterable[nodes.Template]) -> tuple[Variable, ...]:
    """The variables of a shop's template over all its parts, those of the hub left out."""
    reader = _Reader()
    for tree in trees:
        names: dict[str, str | None] = {}
        for child in tree.body:
            reader.read(child, names, needed=True)
    found = []
    for path, use in sorted(reader.uses.items()):
        inner = any(other.startswith((f"{path}.", f"{path}[]")) for other in reader.uses)
        is_list = any(other.startswith(f"{path}[]") for other in reader.uses)
        if path.replace("[]", "").split(".")[0] in HUB_NAMES or (inner and not is_list):
            continue
        found.append(Variable(path, use.required, _example(path, use.filter)))
    return tuple(found)


def _example(path: str, filter_: str) -> Any:
    known = at(EXAMPLE, path)
    return (
        _BY_FILTER.get(filter_, path.rpartition(".")[2].removesuffix("[]"))
        if known is None
        else known
    )


def at(data: Any, path: str) -> Any:
    """What lies at a path, the first item standing for all of a list; None for nothing."""
    for step in path.replace("[]", ".[]").split("."):
        if step == "[]":
            data = data[0] if isinstance(data, list) and data else None
        else:
            data = data.get(step) if isinstance(data, Mapping) else None
    return data


def assembled(variables: Iterable[Variable]) -> dict[str, Any]:
    """Data made of the variables' examples; every list has one item or those of its own example."""
    data: dict[str, Any] = {}
    for variable in sorted(variables, key=lambda v: v.name):
        steps = variable.name.replace("[]", ".[]").split(".")
        _put(data, steps, variable.example)
    return data


def _put(holder: dict[str, Any] | list[Any], steps: list[str], example: Any) -> None:
    step, *others = steps
    if isinstance(holder, list):
        holder[:] = [_filled(item, others, example) for item in holder or [None]]
    else:
        holder[step] = _filled(holder.get(step), others, example)


def _filled(present: Any, steps: list[str], example: Any) -> Any:
    """What is there already is kept, unless the next step needs another kind of thing."""
    if not steps:
        return deepcopy(example) if present is None else present
    made: list[Any] | dict[str, Any] = [] if steps[0] == "[]" else {}
    value = present if type(present) is type(made) else made
    _put(value, steps, example)
    return value
