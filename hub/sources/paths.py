"""Where in a shop's own JSON a value stands, written as a JMESPath expression.

Shops write these, and read them in what others send: an expression cannot make much of little, and looking has an end.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions
from jmespath.visitor import TreeInterpreter

_LONGEST = 500
# How often an expression may repeat what it is given: `[@, @]` does so twice, `[@, @][] | [@, @][]` four times.
_MOST_COPIES = 128
# What all paths of one payload may look at together, in values: about a quarter of a second.
_WORK = 300_000
_MULTIPLIES = (
    f"must not repeat what it is given more than {_MOST_COPIES} times: a list or an object made of several"
    " values multiplies those made before it"
)
_NOT_THERE = "is not a path: & is for what functions like sort_by() do with each value"
# What an expression is of the wrong kind for, and what Python's own functions say then.
_UNSUITED = (JMESPathError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


class TooMuch(Exception):
    """An expression looks at more than it may."""


class Work:
    """What the paths of one payload may still look at."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = _WORK

    def spend(self, cost: int) -> None:
        self._left -= cost
        if self._left < 0:
            raise TooMuch

    def spend_for(self, value: Any) -> None:
        """As much as it has values in it, and text; what stands in several places counts in each."""
        stack = [value]
        while stack:
            one = stack.pop()
            if isinstance(one, str):
                self.spend(1 + len(one) // 64)
                continue
            self.spend(1)
            if isinstance(one, Mapping):
                self.spend(len(one))
                stack += one.values()
            elif isinstance(one, list):
                self.spend(len(one))
                stack += one


class Path:
    """`order.items[].sku`, ``fields_values[?handle=='track'].value | [0]``, or a literal: `'text'`, `` `1` ``."""

    def __init__(self, written: str) -> None:
        """Raises `ValueError`, saying where it cannot be read. Nothing is looked for yet."""
        if not written.strip() or len(written) > _LONGEST:
            raise ValueError(f"must be a path of 1 to {_LONGEST} characters")
        try:
            self._parsed: Any = jmespath.compile(written).parsed
            _copies(self._parsed)
        except JMESPathError as error:
            raise ValueError(f"is not a path: {_words(error)}") from None
        except RecursionError:
            raise ValueError("is not a path: it is nested too deeply") from None

    def get(self, payload: Mapping[str, Any], work: Work | None = None) -> Any | None:
        """None: there is nothing, or not what a function in the path needs, or too much to look at. `work`: what
        several paths in one payload share."""
        work = work or Work()
        try:
            found = _Interpreter(work).visit(self._parsed, payload)
            work.spend_for(found)
        except (TooMuch, RecursionError, *_UNSUITED):
            return None
        return found


@lru_cache(maxsize=2000)
def compile_path(written: str) -> Path:
    """Raises `ValueError`."""
    return Path(written)


def _words(error: JMESPathError) -> str:
    """The first line: below it stands a drawing of the place."""
    return str(error).splitlines()[0][:200]


def _copies(node: Mapping[str, Any]) -> int:
    """How often what comes out of it has what went in, at most. Raises `ValueError` for functions that there are not.

    One after another multiplies, side by side adds up; fields and conditions only take away.
    """
    kind, children = node["type"], node.get("children", ())
    if kind in ("slice", "field", "literal", "current", "identity", "index"):
        # What a literal holds is part of the expression, and no longer than that.
        return 1
    if kind == "function_expression":
        _check_function(node["value"], children)
    elif any(child["type"] == "expref" for child in children) or kind == "expref":
        raise ValueError(_NOT_THERE)
    # What functions are to do with each value is written in an expression of its own.
    each = [
        _copies(child["children"][0] if child["type"] == "expref" else child) for child in children
    ]
    match kind:
        case "multi_select_list" | "multi_select_dict":
            return _limited(sum(each))
        case "function_expression" if node["value"] == "merge":
            return _limited(sum(each))
        case "function_expression" if node["value"] == "not_null":
            # One of them.
            return max(each)
        case "or_expression" | "and_expression" | "comparator" | "not_expression":
            return max(each)
        case "filter_projection":
            base, then, condition = each
            return _limited(base * max(then, condition))
    product = 1
    for one in each:
        product = _limited(product * one)
    return product


def _limited(copies: int) -> int:
    if copies > _MOST_COPIES:
        raise ValueError(_MULTIPLIES)
    return copies


def _check_function(name: str, given: Sequence[Mapping[str, Any]]) -> None:
    known = Functions.FUNCTION_TABLE.get(name)
    if known is None:
        raise ValueError(f"is not a path: Unknown function: {name}()")
    signature = known["signature"]
    variadic = bool(signature[-1].get("variadic"))
    if len(given) < len(signature) or (len(given) > len(signature) and not variadic):
        needed = f"{len(signature)} values{' or more' * variadic}"
        raise ValueError(f"is not a path: {name}() takes {needed}, not {len(given)}")
    for at, one in enumerate(given):
        takes = signature[min(at, len(signature) - 1)]["types"]
        if one["type"] == "expref" and "expref" not in takes:
            raise ValueError(_NOT_THERE)


class _Counted(Functions):
    """Functions that pay for what they are given."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def call_function(self, function_name: str, resolved_args: Iterable[Any]) -> Any:
        given = list(resolved_args)
        for one in given:
            self._work.spend_for(one)
        if function_name == "join" and len(given) == 2:
            # The first stands once for each of the second.
            between, joined = given
            if isinstance(between, str) and isinstance(joined, list):
                self._work.spend(len(between) * len(joined) // 64)
        return super().call_function(function_name, given)


class _Interpreter(TreeInterpreter):
    """JMESPath's own, that pays for each value it looks at."""

    def __init__(self, work: Work) -> None:
        super().__init__(jmespath.Options(custom_functions=_Counted(work)))
        self._work = work

    def visit(self, node: Any, *args: Any, **kwargs: Any) -> Any:
        self._work.spend(1)
        return super().visit(node, *args, **kwargs)

    def visit_flatten(self, node: Any, value: Any) -> Any:
        found = super().visit_flatten(node, value)
        self._work.spend(len(found or ()))
        return found

    def visit_slice(self, node: Any, value: Any) -> Any:
        found = super().visit_slice(node, value)
        self._work.spend(len(found or ()))
        return found

    def visit_comparator(self, node: Any, value: Any) -> Any:
        left, right = (self.visit(child, value) for child in node["children"])
        for side in (left, right):
            if isinstance(side, list | Mapping | str):
                self._work.spend_for(side)
        read: Any = dict(node)
        read["children"] = [{"type": "literal", "value": side} for side in (left, right)]
        return super().visit_comparator(read, value)
