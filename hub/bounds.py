"""What a body has far too much of, found before its model looks at each part: a fault costs many times what a good
value does, and one process answers everybody."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from pydantic import BaseModel

from hub.errors import Fault, InvalidInput, pointer
from hub.wording import UNKNOWN

_MOST_PARTS = 10_000
"""Objects and items of lists that a model looks at; the largest order has some 2,000."""

_MOST_ITEMS = 1000
"""Of lists and tables that name no bound of their own: those of channels and the like."""


@dataclass(slots=True)
class _Shape:
    """What may stand at a place, of all that its model allows there. `fields` and `others` None: of an object whatever
    the client likes. `also`: alternatives that are not joined into it yet."""

    fields: dict[str, "_Shape"] | None = None
    others: "_Shape | None" = None
    items: "_Shape | None" = None
    most: int = _MOST_ITEMS
    also: list["_Shape"] = field(default_factory=list)

    def join(self) -> None:
        """Not before all are whole: models contain themselves."""
        alternatives, self.also = self.also, []
        for other in alternatives:
            other.join()
            if other.items:
                self.most = max(other.most, self.most) if self.items else other.most
            self.items = _either(self.items, other.items)
            self.others = _either(self.others, other.others)
            if other.fields is not None:
                mine = self.fields or {}
                self.fields = mine | {
                    name: _either(mine.get(name), one) or one for name, one in other.fields.items()
                }


def _either(one: _Shape | None, other: _Shape | None) -> _Shape | None:
    return _Shape(also=[one, other]) if one and other else one or other


def check(
    model: type[BaseModel],
    tree: Any,
    at: str = "",
    *,
    most_faults: int,
    most_parts: int = _MOST_PARTS,
) -> None:
    """Raises `InvalidInput` where a list is longer than may be, there are more parts than any good body has, or more
    unknown fields than `most_faults`. Anything else is left to the model. `at`: where the tree lies in the body."""
    faults: list[Fault] = []
    parts = 0
    is_too_much = False
    waiting: list[tuple[str, Any, _Shape]] = [(at, tree, _shape_of(model))]
    while waiting and len(faults) < most_faults:
        place, value, shape = waiting.pop()
        shape.join()
        parts += 1
        if isinstance(value, list) and shape.items is not None:
            if len(value) > shape.most:
                is_too_much = True
                faults.append(Fault(place, f"must have at most {shape.most} items"))
                continue
            parts += len(value)
            inner = [(i, item, shape.items) for i, item in enumerate(value)]
        elif isinstance(value, dict) and (shape.fields is not None or shape.others is not None):
            inner = []
            for name, one in value.items():
                known = (shape.fields or {}).get(name, shape.others)
                if known is not None:
                    inner.append((name, one, known))
                elif len(faults) < most_faults:
                    faults.append(Fault(pointer(place, name), UNKNOWN))
            if len(inner) > _MOST_ITEMS:
                is_too_much = True
                faults.append(Fault(place, f"must have at most {_MOST_ITEMS} entries"))
                continue
        else:
            continue
        if parts > most_parts:
            is_too_much = True
            faults.append(Fault(at, f"must not have more than {most_parts} parts"))
            break
        waiting += [
            (pointer(place, name), one, known)
            for name, one, known in reversed(inner)
            if isinstance(one, dict | list)
        ]
    if is_too_much or len(faults) >= most_faults:
        raise InvalidInput(faults=faults, is_partial=True)


@cache
def _shape_of(model: type[BaseModel]) -> _Shape:
    """By the model's own description, so that there is nothing to keep in step with it."""
    schema = model.model_json_schema()
    return _shape(schema, schema.get("$defs", {}), {})


def _shape(
    schema: Mapping[str, Any], models: Mapping[str, Mapping[str, Any]], known: dict[str, _Shape]
) -> _Shape:
    shape = _Shape()
    if name := schema.get("$ref", "").rpartition("/")[2]:
        if name not in known:
            known[name] = _Shape()
            known[name].also.append(_shape(models[name], models, known))
        shape.also.append(known[name])
    for one in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
        shape.also.append(_shape(one, models, known))
    others, items = schema.get("additionalProperties"), schema.get("items")
    if others is False:
        shape.fields = {
            name: _shape(one, models, known) for name, one in schema.get("properties", {}).items()
        }
    elif isinstance(others, Mapping) and others:
        shape.others = _shape(others, models, known)
    if isinstance(items, Mapping) and items:
        shape.items = _shape(items, models, known)
        shape.most = schema.get("maxItems", _MOST_ITEMS)
    return shape
