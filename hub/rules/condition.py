"""Conditions of rules: read with every fault named, and weighed against what is known. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from hub.sources.model import Kind
from hub.wording import wording

MOST_CHECKS = 50
MOST_DEPTH = 5
_MOST_FAULTS = 5

_NUMBER = re.compile(r"-?\d{1,18}(\.\d{1,9})?", re.ASCII)
_ORDERED = frozenset({">", ">=", "<", "<="})

_PATH = re.compile(r"(order|cart|product|contact|source)(\.[^\s.]{1,100}){0,5}")

_KNOWN: Mapping[str, frozenset[str]] = {
    "order": frozenset(
        (
            *("number", "external_id", "status", "currency", "total", "pieces", "lines"),
            *("delivery", "tracking", "labels_url"),
        )
    ),
    "cart": frozenset(("id", "currency", "total", "pieces", "lines", "url")),
    "product": frozenset(
        ("id", "title", "sku", "price", "currency", "url", "image_url", "quantity")
    ),
    "contact": frozenset(("role", "locale", "attributes")),
}

_ROOTS: Mapping[Kind, tuple[str, ...]] = {
    Kind.ORDER: ("order", "contact", "source"),
    Kind.CART: ("cart", "contact", "source"),
    Kind.CUSTOMER: ("contact", "source"),
    Kind.PRODUCT: ("product", "source"),
}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


def _path(value: str) -> str:
    if not _PATH.fullmatch(value):
        raise ValueError(
            'must be a way to a value, like "order.total" or "contact.attributes.city"'
        )
    return value


def _some(most: int) -> Any:
    """Not by `min_length`: pydantic counts the valid items only and would blame the list for each bad one."""

    def check(values: tuple[Any, ...]) -> tuple[Any, ...]:
        if not 1 <= len(values) <= most:
            raise ValueError(f"must have 1 to {most} items")
        return values

    return AfterValidator(check)


def _sized(most: int) -> Any:
    return Field(json_schema_extra={"minItems": 1, "maxItems": most})


_Scalar = Annotated[str, StringConstraints(max_length=500)] | bool | int | float


class Check(_Part):
    """One question about one field."""

    field: Annotated[str, StringConstraints(max_length=300), AfterValidator(_path)] = Field(
        description="`order.total`, `order.delivery.method`, `order.lines.sku` (any line), `cart.…`, `product.…`,"
        " `contact.role`, `contact.locale`, `contact.attributes.…`, `source` (its name)."
    )
    op: Literal["=", "!=", "in", ">", ">=", "<", "<=", "contains", "exists"]
    value: _Scalar | Annotated[tuple[_Scalar, ...], _some(100), _sized(100)] | None = Field(
        default=None, description="A list for `in`, nothing for `exists`."
    )

    @model_validator(mode="after")
    def _fits(self) -> "Check":
        if self.op == "exists":
            if self.value is not None:
                raise ValueError('"exists" takes no value')
        elif self.op == "in":
            if not isinstance(self.value, tuple):
                raise ValueError('"in" takes a list as its value')
        elif self.value is None or isinstance(self.value, tuple):
            raise ValueError(f'"{self.op}" takes one value: a text, a number, true or false')
        elif self.op in _ORDERED and _number(self.value) is None and _instant(self.value) is None:
            raise ValueError(f'"{self.op}" takes a number or a time')
        return self


class AllOf(_Part):
    """Every one of them holds."""

    all: Annotated[tuple["Condition", ...], _some(MOST_CHECKS), _sized(MOST_CHECKS)]


class AnyOf(_Part):
    """One of them holds at least."""

    any: Annotated[tuple["Condition", ...], _some(MOST_CHECKS), _sized(MOST_CHECKS)]


class Not(_Part):
    """It does not hold."""

    inner: "Condition" = Field(alias="not")


def _which(value: Any) -> str:
    """By its fields, so that a fault is told of the one that was meant and not of all four. Not the fields' names
    themselves, which would be taken for the way to the fault."""
    for model, name in ((AllOf, "all"), (AnyOf, "any"), (Not, "not")):
        if isinstance(value, model) or (isinstance(value, Mapping) and name in value):
            return f"<{name}>"
    return "<check>"


Condition = Annotated[
    Annotated[AllOf, Tag("<all>")]
    | Annotated[AnyOf, Tag("<any>")]
    | Annotated[Not, Tag("<not>")]
    | Annotated[Check, Tag("<check>")],
    Discriminator(_which),
]


def _bounded(condition: Condition) -> Condition:
    checks = list(checks_of(condition))
    if len(checks) > MOST_CHECKS:
        raise ValueError(f"must not have more than {MOST_CHECKS} comparisons")
    if any(
        at.count("/all/") + at.count("/any/") + at.count("/not") >= MOST_DEPTH for at, _ in checks
    ):
        raise ValueError(f"must not be nested deeper than {MOST_DEPTH} levels")
    return condition


ConditionIn = Annotated[Condition, AfterValidator(_bounded)]
"""As a client gives it."""

_ADAPTER: TypeAdapter[Condition] = TypeAdapter(Condition)


def read(stored: str | bytes | None) -> tuple[Condition | None, str]:
    """A condition from its column, as JSON, perhaps by another version of the hub; and what this one would not take
    of it, where there is such a thing: nobody knows then whether it holds."""
    if stored is None:
        return None, ""
    try:
        return _ADAPTER.validate_json(stored), ""
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)[:_MOST_FAULTS]
        return None, "; ".join(map(_fault, faults))


def _fault(error: ErrorDetails) -> str:
    # Without the names of what a condition may be, which stand in <>.
    way = (str(part) for part in error["loc"])
    where = ".".join(("condition", *(part for part in way if not part.startswith("<"))))
    return f"{where} {wording(error)}"


def shown(condition: Condition | None) -> dict[str, Any] | None:
    """As the client gave it."""
    if condition is None:
        return None
    found: dict[str, Any] = condition.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return found


def checks_of(condition: Condition, at: str = "") -> Iterator[tuple[str, Check]]:
    """Each with its JSON Pointer."""
    match condition:
        case Check():
            yield at, condition
        case Not():
            yield from checks_of(condition.inner, f"{at}/not")
        case AllOf() | AnyOf():
            name = "all" if isinstance(condition, AllOf) else "any"
            parts = condition.all if isinstance(condition, AllOf) else condition.any
            for i, part in enumerate(parts):
                yield from checks_of(part, f"{at}/{name}/{i}")


def roots(condition: Condition | None) -> frozenset[str]:
    """Of what it asks: what of it has to be looked up."""
    if condition is None:
        return frozenset()
    return frozenset(check.field.partition(".")[0] for _, check in checks_of(condition))


def strange(condition: Condition, kind: Kind) -> list[tuple[str, str]]:
    """(pointer, what is wrong) of fields that nothing of this kind has: they would never hold."""
    return [
        (f"{at}/field", fault)
        for at, check in checks_of(condition)
        if (fault := _strange(check.field.split("."), kind))
    ]


def _strange(steps: Sequence[str], kind: Kind) -> str:
    if steps[0] not in _ROOTS[kind]:
        known = ", ".join(f'"{root}"' for root in _ROOTS[kind])
        return f"an event of this kind has nothing but {known}"
    known_names = _KNOWN.get(steps[0], frozenset())
    if not known_names:
        return "" if len(steps) == 1 else f'"{steps[0]}" is a text and has no fields'
    if len(steps) > 1 and steps[1] in known_names:
        return ""
    return f'"{steps[0]}" has {", ".join(sorted(known_names))}'


def holds(condition: Condition | None, facts: Mapping[str, Any]) -> bool:
    """Whether it does, of `facts` like `{"order": {…}, "contact": {…}, "source": "…"}`. Of what is not known
    nothing holds but that it does not exist."""
    match condition:
        case None:
            return True
        case AllOf():
            return all(holds(part, facts) for part in condition.all)
        case AnyOf():
            return any(holds(part, facts) for part in condition.any)
        case Not():
            return not holds(condition.inner, facts)
        case Check():
            return _true(condition, facts)


def _true(check: Check, facts: Mapping[str, Any]) -> bool:
    """Of a list it is enough that one of its items is so."""
    found, many = _values(facts, check.field.split("."))
    wanted = check.value if isinstance(check.value, tuple) else (check.value,)
    if not found or check.op == "exists":
        return bool(found)
    match check.op:
        case "=" | "in":
            return any(_same(value, other) for value in found for other in wanted)
        case "!=":
            return not any(_same(value, check.value) for value in found)
        case "contains":
            return any(_contains(value, check.value, whole=many) for value in found)
        case _:
            return any(_compares(value, check.op, check.value) for value in found)


def _values(facts: Any, steps: Sequence[str]) -> tuple[list[Any], bool]:
    """What stands there, and whether a list lies on the way. Null and empty text are nothing."""
    many, found = False, [facts]
    for step in (*steps, None):
        inner: list[Any] = []
        for value in found:
            if isinstance(value, list | tuple):
                many = True
                inner += value
            else:
                inner.append(value)
        found = inner
        if step is not None:
            found = [v[step] for v in found if isinstance(v, Mapping) and step in v]
    return [value for value in found if value is not None and value != ""], many


def _same(value: Any, wanted: Any) -> bool:
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    if isinstance(value, str) and isinstance(wanted, str):
        return value == wanted
    if isinstance(value, datetime):
        return value == _instant(wanted)
    # A number on either side: "500.00" and 500 are the same money.
    number = _number(value)
    return number is not None and number == _number(wanted)


def _contains(value: Any, wanted: Any, *, whole: bool) -> bool:
    """A list has this item; a text has it in it, in capitals or not."""
    if whole or not isinstance(value, str) or not isinstance(wanted, str):
        return _same(value, wanted)
    return wanted.casefold() in value.casefold()


def _compares(value: Any, op: str, wanted: Any) -> bool:
    left: Any = _number(value)
    right: Any = _number(wanted)
    if left is None or right is None:
        left, right = _instant(value), _instant(wanted)
    if left is None or right is None:
        return False
    if left == right:
        return op in (">=", "<=")
    return bool(left > right) == op.startswith(">")


def _number(value: Any) -> Decimal | None:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        return None
    return Decimal(str(value))


def _instant(value: Any) -> datetime | None:
    """Of a time, or of text like `2026-12-01` or `2026-12-01T10:00:00+03:00`; without an offset it is UTC."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return value if value.tzinfo else value.replace(tzinfo=UTC)


for _model in (AllOf, AnyOf, Not):
    _model.model_rebuild()
