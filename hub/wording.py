"""What pydantic finds wrong with a value, in words for the person who wrote it."""

import re
from collections.abc import Sequence

from pydantic_core import ErrorDetails

UNKNOWN = "is not a known field"

_PLAIN = {
    "missing": "is required",
    "extra_forbidden": UNKNOWN,
    "json_invalid": "is not JSON",
    **dict.fromkeys(("string_type", "string_sub_type"), "must be text in quotes"),
    "int_type": "must be a whole number, without quotes",
    **dict.fromkeys(("int_parsing", "int_from_float"), "must be a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "must be a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "must be true or false"),
    **dict.fromkeys(("list_type", "tuple_type", "set_type", "frozen_set_type"), "must be a list"),
    **dict.fromkeys(
        ("dict_type", "mapping_type", "model_type", "model_attributes_type"), "must be an object"
    ),
}

_BOUNDS = {
    "greater_than": ("must be more than", "gt"),
    "greater_than_equal": ("must be at least", "ge"),
    "less_than": ("must be less than", "lt"),
    "less_than_equal": ("must be at most", "le"),
}


def wording(fault: ErrorDetails) -> str:
    """What is wrong, without where and without the value: "must be at least 10"."""
    kind = fault["type"]
    if words := _PLAIN.get(kind):
        return words
    if kind in _BOUNDS:
        words, name = _BOUNDS[kind]
        bound = fault["ctx"][name]
        return f"{words} {bound:g}" if isinstance(bound, float) else f"{words} {bound}"
    if kind == "string_too_short" and fault["ctx"]["min_length"] == 1:
        return "must not be empty"
    text = fault["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    # Of lists that are too short or too long: how pydantic counts is nothing to the caller.
    text = re.sub(r" after validation, not \d+$", "", text)
    return re.sub("^(Input|Value|String|List|Set|Tuple|Dictionary) should", "must", text)


def told(faults: Sequence[ErrorDetails]) -> Sequence[ErrorDetails]:
    """Without "at least 1 item" of a list that has items, all of them wrong: pydantic counts the good ones."""
    if not any(map(_is_called_empty, faults)):
        return faults
    not_empty = {one["loc"][:depth] for one in faults for depth in range(len(one["loc"]))}
    return [one for one in faults if not (_is_called_empty(one) and one["loc"] in not_empty)]


def _is_called_empty(fault: ErrorDetails) -> bool:
    return fault["type"] == "too_short" and fault["ctx"]["min_length"] == 1
