"""What the built-in layouts show of an order or a cart: view values, already in the reader's words.

Everything but the order's number is optional, and data comes from outside: what is not given is left out,
what is of a wrong kind is named by its path.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

from hub.content.formats import Formats, Unfit, decimal
from hub.content.model import Audience, MissingVariable, WrongValue

_LONGEST_TITLE = 200
_LONGEST_FACT = 500
_MOST_GOODS = 100

# What each reader needs to do his part, and no more of the buyer's affairs than that.
_FACTS: Mapping[Audience, tuple[str, ...]] = {
    Audience.BUYER: ("reason", "tracking", "carrier", "method", "address", "date"),
    Audience.SELLER: ("reason", "method", "carrier", "tracking", "date"),
    Audience.WAREHOUSE: ("reason", "method", "carrier", "date"),
    Audience.ADMIN: ("number", "reason", "method", "carrier", "tracking", "address", "date"),
}
_COPIED = frozenset({"tracking", "number"})


@cache
def words(language: str) -> Mapping[str, Any]:
    """The layouts' words in one of the languages there are."""
    source = files("templates").joinpath("messages").joinpath(f"words.{language}.toml")
    return tomllib.loads(source.read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class Reader:
    """For whom a message is made: his role, his words, his numbers and dates."""

    audience: Audience
    language: str
    formats: Formats


@dataclass(frozen=True, slots=True)
class _Given:
    """One object of the data with its path, for errors that name the place."""

    path: str
    data: Mapping[str, Any]

    def inner(self, name: str) -> "_Given":
        value = self.data.get(name)
        if value is not None and not isinstance(value, Mapping):
            raise WrongValue("is not an object", f"{self.path}.{name}")
        return _Given(f"{self.path}.{name}", value or {})

    def text(self, name: str, longest: int = _LONGEST_FACT) -> str:
        value = self.data.get(name)
        if value is None:
            return ""
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise WrongValue("is not text", f"{self.path}.{name}")
        return shorten(str(value).strip(), longest)

    def number(self, name: str) -> Decimal | None:
        value = self.data.get(name)
        number = decimal(value)
        if value is not None and number is None:
            raise WrongValue("is not a number", f"{self.path}.{name}")
        return number

    def url(self, name: str) -> str:
        value = self.data.get(name)
        if value is None or value == "":
            return ""
        # A `javascript:` link in a letter would be ours to answer for.
        if not isinstance(value, str) or not value.startswith(("https://", "http://")):
            raise WrongValue("is not a link that begins with https://", f"{self.path}.{name}")
        return value


def shorten(text: str, longest: int) -> str:
    """At most `longest` characters, the last one an ellipsis where something was cut."""
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def view(
    root: str,
    data: Mapping[str, Any],
    reader: Reader,
    *,
    labels: bool = False,
    answer: tuple[str, str] = ("", ""),
) -> dict[str, Any]:
    """The values that layouts and events may use beside the data. `root` is `order`, `cart` or empty.
    `labels`: it is the time to print the labels, where there is a link to them. `answer`: the word on the
    button to the page where a question is answered, and the page; both or none.

    Raises `WrongValue` or `MissingVariable` with the path in `data`.
    """
    said = words(reader.language)
    value = data.get(root)
    if value is not None and not isinstance(value, Mapping):
        raise WrongValue("is not an object", root)
    thing = _Given(root, value or {})
    currency = thing.text("currency") or "RUB"
    goods = _goods(thing, currency, reader)
    return {
        "words": said,
        "goods_title": said["goods"].get(root, ""),
        "goods": goods[:_MOST_GOODS],
        "goods_count": len(goods),
        "rest": rest(len(goods) - _MOST_GOODS, reader),
        "show_sku": reader.audience is not Audience.BUYER,
        "total": _total(thing, currency, reader),
        "buttons": _buttons(root, thing, reader, labels=labels, answer=answer),
        **_facts(thing, reader),
    }


def rest(count: int, reader: Reader) -> str:
    """`…и ещё 3 товара`, empty for none."""
    if count <= 0:
        return ""
    said = words(reader.language)
    word = reader.formats.plural(count, said["items"])
    text: str = said["more"].format(number=reader.formats.number(count), word=word)
    return text


def _sees_money(reader: Reader) -> bool:
    return reader.audience is not Audience.WAREHOUSE


def _as_money(amount: Decimal, currency: str, reader: Reader, path: str) -> str:
    try:
        return reader.formats.money(amount, currency)
    except Unfit as unfit:
        raise WrongValue(unfit.reason, f"{path.partition('.')[0]}.currency") from None


def _goods(thing: _Given, currency: str, reader: Reader) -> list[dict[str, str]]:
    lines = thing.data.get("lines")
    if lines is None:
        return []
    if not isinstance(lines, list | tuple):
        raise WrongValue("is not a list", f"{thing.path}.lines")
    shown = []
    for i, line in enumerate(lines):
        path = f"{thing.path}.lines[{i}]"
        if not isinstance(line, Mapping):
            raise WrongValue("is not an object", path)
        shown.append(_line(_Given(path, line), currency, reader))
    return shown


def _line(line: _Given, currency: str, reader: Reader) -> dict[str, str]:
    said, number = words(reader.language), reader.formats.number
    title = line.text("title", _LONGEST_TITLE) or line.text("sku", _LONGEST_TITLE)
    if not title:
        raise MissingVariable(f"{line.path}.title")
    quantity, confirmed = line.number("quantity"), line.number("confirmed")
    note = ""
    if confirmed is not None and confirmed <= 0:
        note = said["none_left"]
    elif confirmed is not None and quantity is not None and confirmed < quantity:
        note = said["some_left"].format(confirmed=number(confirmed), quantity=number(quantity))
    counted = confirmed or quantity
    price = line.number("price") if _sees_money(reader) and confirmed != 0 else None
    owed = price if price is None or counted is None else price * counted
    return {
        "title": title,
        "sku": line.text("sku", _LONGEST_TITLE),
        "quantity": "" if counted is None else said["quantity"].format(number=number(counted)),
        "price": "" if price is None else _as_money(price, currency, reader, line.path),
        "sum": "" if owed is None else _as_money(owed, currency, reader, line.path),
        "note": note,
    }


def _total(thing: _Given, currency: str, reader: Reader) -> str:
    """What is to be paid. The shop's total covers all that was ordered, and only what is there is charged."""
    total = thing.number("total")
    if total is None or not _sees_money(reader):
        return ""
    ordered = missing = Decimal(0)
    for i, line in enumerate(thing.data.get("lines") or ()):
        given = _Given(f"{thing.path}.lines[{i}]", line)
        quantity, price = given.number("quantity") or Decimal(1), given.number("price")
        confirmed = given.number("confirmed")
        lacking = Decimal(0) if confirmed is None else max(quantity - confirmed, Decimal(0))
        if lacking and price is None:
            # Nobody can tell how much less it is; a wrong sum is worse than none.
            return ""
        ordered += quantity * (price or 0)
        missing += lacking * (price or 0)
    if missing and total < ordered:
        # Either the shop took the missing goods off already, or a coupon brought it down: it does not say which.
        return ""
    return _as_money(total - missing, currency, reader, thing.path)


def _facts(thing: _Given, reader: Reader) -> dict[str, Any]:
    said = words(reader.language)
    delivery = thing.inner("delivery")
    method = delivery.text("method")
    known = {
        "number": thing.text("number"),
        "reason": thing.text("reason"),
        "tracking": thing.text("tracking") or delivery.text("tracking"),
        "carrier": delivery.text("carrier"),
        "method": said["methods"].get(method, method),
        "address": delivery.text("address"),
        "date": _date(delivery, reader),
    }
    rows = [
        {"label": said["facts"][name], "value": known[name], "copy": name in _COPIED}
        for name in _FACTS[reader.audience]
        if known[name]
    ]
    return {"facts_rows": rows, **{name: known[name] for name in ("reason", "tracking", "address")}}


def _date(delivery: _Given, reader: Reader) -> str:
    """Shops write `2026-12-01` and `завтра после шести`; both are shown."""
    text = delivery.text("date")
    try:
        return reader.formats.date(text)
    except Unfit:
        return text


def _buttons(
    root: str, thing: _Given, reader: Reader, *, labels: bool, answer: tuple[str, str]
) -> list[dict[str, str]]:
    said = words(reader.language)
    found = [("open_cart" if root == "cart" else "open_order", thing.url("url"))]
    if labels and reader.audience is not Audience.BUYER:
        found.insert(0, ("labels", thing.url("labels_url")))
    if all(answer):
        found.insert(0, answer)
    return [{"text": said[name], "url": url} for name, url in found if url]
