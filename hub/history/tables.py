"""Files with history, CSV or NDJSON, read row by row: each an object as `POST /v1/imports/{id}/rows` takes it."""

import csv
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from typing import IO, Any

import orjson

from hub.errors import HubError
from hub.repeated import first_repeated

_CUSTOMER = (
    "id",
    "name",
    "email",
    "phone",
    "locale",
    "tags",
    "lists",
    "created_at",
    "changed_at",
    "attributes.*",
    "subscribed.*",
)
FIELDS: Mapping[str, Sequence[str]] = {
    "customer": _CUSTOMER,
    "product": (
        "id",
        "title",
        "sku",
        "price",
        "currency",
        "url",
        "image_url",
        "quantity",
        "changed_at",
    ),
    "order": (
        *("id", "number", "status", "currency", "total", "created_at", "changed_at"),
        *("labels_url", "delivery.*"),
        *(f"customer.{name}" for name in _CUSTOMER),
        *("line.id", "line.sku", "line.title", "line.quantity", "line.price", "line.image_url"),
        *("line.product", "line.seller", "line.seller_name", "line.warehouse"),
    ),
}
"""The columns of a CSV file by kind; `*` is any name."""

_SUFFIXES = {".csv": "csv", ".tsv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson"}
_DELIMITERS = ";,\t|"
_TRUE = frozenset({"1", "y", "yes", "true", "on", "да", "д"})
_FALSE = frozenset({"0", "n", "no", "false", "off", "нет", "н"})
_DAY_FIRST = re.compile(
    r"(\d{1,2})\.(\d{1,2})\.(\d{4})(?:[ T]+(\d{1,2}):(\d{2})(?::(\d{2}))?)?", re.ASCII
)
_LONGEST_LINE = 1024 * 1024


class BadTable(HubError):
    """The file as a whole cannot be read; one line for whoever named it."""

    code = "bad-table"
    title = "The file cannot be read"


class Format(StrEnum):
    CSV = "csv"
    NDJSON = "ndjson"


@dataclass(frozen=True, slots=True)
class Layout:
    """How to read a file. `delimiter` empty: the one that the header has most of. `zone`: of times that do not say
    theirs. `columns`: {our name: name in the header}, where the header has names of its own."""

    kind: str
    format: Format
    delimiter: str = ""
    encoding: str = "utf-8-sig"
    zone: tzinfo = UTC
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """One object of the file, which begins at that line. `value` None: nothing to be made of it, as `fault` says."""

    line: int
    value: Mapping[str, Any] | None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Survey:
    """`fingerprint`: the same for the same content read in the same way, by which an import that broke off is found."""

    total: int
    fingerprint: str


def format_of(path: Path) -> Format:
    """By the end of its name. Raises `BadTable`."""
    if found := _SUFFIXES.get(path.suffix.lower()):
        return Format(found)
    known = ", ".join(_SUFFIXES)
    raise BadTable(f"{path.name}: say --format csv or --format ndjson (known by name: {known})")


def survey(path: Path, layout: Layout) -> Survey:
    """Reads all of it once. Raises `BadTable`."""
    mark = hashlib.sha256(repr((layout.kind, layout.format, layout.delimiter)).encode())
    mark.update(repr((layout.encoding, str(layout.zone), sorted(layout.columns.items()))).encode())
    try:
        with path.open("rb") as file:
            while part := file.read(1 << 20):
                mark.update(part)
    except OSError as error:
        raise BadTable(f"{path}: {error.strerror}") from None
    total, seen = 0, set[int]()
    for row in rows(path, layout):
        total += 1
        # Only a table's order can be torn: its lines are rows.
        if layout.format is Format.CSV and layout.kind == "order" and row.value:
            _check_together(path, row, seen)
    return Survey(total, mark.hexdigest())


def _check_together(path: Path, row: Row, seen: set[int]) -> None:
    # Hashes, because the ids of millions would fill the memory.
    id_ = hash((row.value or {}).get("id"))
    if id_ in seen:
        raise BadTable(
            f"{path.name}, line {row.line}: rows of this order stand further up, too;"
            " sort the file so that all rows of an order follow each other"
        )
    seen.add(id_)


def rows(path: Path, layout: Layout) -> Iterator[Row]:
    """All of them, in order. Raises `BadTable` where it is no such file."""
    read = _from_csv if layout.format is Format.CSV else _from_ndjson
    try:
        yield from read(path, layout)
    except OSError as error:
        raise BadTable(f"{path}: {error.strerror}") from None
    except LookupError:
        raise BadTable(f"--encoding {layout.encoding}: is no encoding known here") from None
    except UnicodeDecodeError:
        raise BadTable(
            f"{path.name} is not {layout.encoding.removesuffix('-sig')}: say which encoding it has,"
            " like --encoding cp1251"
        ) from None


def _from_ndjson(path: Path, _layout: Layout) -> Iterator[Row]:
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            line = raw.removeprefix(b"\xef\xbb\xbf").strip() if number == 1 else raw.strip()
            if number == 1 and line.startswith(b"["):
                raise BadTable(
                    f"{path.name} is one JSON array; a line of its own is needed for each object"
                    f" (jq -c '.[]' {path.name} > {path.stem}.ndjson)"
                )
            if line:
                yield _object(number, line)


def _object(number: int, line: bytes) -> Row:
    if len(line) > _LONGEST_LINE:
        return Row(number, None, "is larger than 1 MiB")
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return Row(number, None, f"is not JSON: {error.msg}")
    return Row(number, value) if isinstance(value, dict) else Row(number, None, "is no object")


def _from_csv(path: Path, layout: Layout) -> Iterator[Row]:
    with path.open(encoding=layout.encoding, newline="") as file:
        reader = csv.reader(file, delimiter=layout.delimiter or _delimiter(file))
        names = _names(path, _read(path, reader, 1) or [], layout)
        found = _cells(path, reader, names, layout)
        if layout.kind != "order":
            yield from (Row(line, _tree(cells), fault) for line, cells, fault in found)
            return
        yield from _orders(found)


def _delimiter(file: IO[str]) -> str:
    head = file.readline()
    file.seek(0)
    return max(_DELIMITERS, key=head.count)


def _names(path: Path, header: Sequence[str], layout: Layout) -> list[str]:
    """Of the columns, in our words; empty: a column that is passed over, because the header names it otherwise."""
    ours = {theirs: name for name, theirs in layout.columns.items()}
    given = [ours.get(name.strip(), name.strip()) for name in header]
    if missing := [theirs for theirs in ours if theirs not in {name.strip() for name in header}]:
        raise BadTable(f"{path.name}: there is no column {missing[0]!r}")
    known = [name if _is_known(name, layout.kind) else "" for name in given]
    unknown = [name for name, one in zip(given, known, strict=True) if name and not one]
    # Who names columns means these; whoever uses our names has mistyped one.
    if unknown and not layout.columns:
        raise BadTable(
            f"{path.name}: {unknown[0]!r} is no column of {layout.kind}s; there are"
            f" {', '.join(FIELDS[layout.kind])} (or say --column FIELD=HEADER)"
        )
    named = [name for name in known if name]
    if doubled := first_repeated(named):
        raise BadTable(f"{path.name}: the column {doubled!r} stands twice")
    if "id" not in named:
        raise BadTable(f"{path.name}: there is no column 'id'")
    return known


def _is_known(name: str, kind: str) -> bool:
    stem, _, last = name.rpartition(".")
    return name in FIELDS[kind] or bool(stem and last and f"{stem}.*" in FIELDS[kind])


_Cells = tuple[int, dict[str, Any], str]
"""The line, what stands in it by column, and what is wrong with it."""


def _cells(path: Path, reader: Any, names: Sequence[str], layout: Layout) -> Iterator[_Cells]:
    readers = [_reader(name) for name in names]
    line = reader.line_num + 1
    while (given := _read(path, reader, line)) is not None:
        if any(cell.strip() for cell in given):
            fault = ""
            if len(given) != len(names):
                fault = f"has {len(given)} cells, the header has {len(names)}"
            yield (
                line,
                {
                    name: read(text, layout.zone)
                    for name, read, cell in zip(names, readers, given, strict=False)
                    if name and (text := cell.strip())
                },
                fault,
            )
        line = reader.line_num + 1


def _read(path: Path, reader: Any, line: int) -> list[str] | None:
    """The row that begins at that line; None: there is no more. Raises `BadTable`."""
    try:
        row: list[str] | None = next(reader, None)
    except csv.Error as error:
        raise BadTable(
            f"{path.name}, line {line}: is no line of a CSV file ({error}); perhaps a quotation mark is not closed there"
        ) from None
    return row


def _orders(found: Iterator[_Cells]) -> Iterator[Row]:
    """A row is a line of an order: those that follow each other with its id, or with none, belong together."""
    last = ""

    def order_of(cells: _Cells) -> str:
        nonlocal last
        last = str(cells[1].get("id", last))
        return last

    for _, group in groupby(found, key=order_of):
        its = list(group)
        if fault := next((f"line {line}: {text}" for line, _, text in its if text), ""):
            yield Row(its[0][0], None, fault)
            continue
        head: dict[str, Any] = {}
        lines: list[dict[str, Any]] = []
        for _, cells, _ in its:
            head |= {n: v for n, v in cells.items() if not n.startswith("line.") and n not in head}
            its_line = {
                n.removeprefix("line."): v for n, v in cells.items() if n.startswith("line.")
            }
            if its_line:
                lines.append({"id": str(len(lines) + 1), **its_line})
        yield Row(its[0][0], _tree(head) | {"lines": lines})


def _tree(cells: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in cells.items():
        *path, last = name.split(".")
        into = found
        for part in path:
            into = into.setdefault(part, {})
        into[last] = value
    return found


def _reader(name: str) -> Any:
    parts = name.split(".")
    if "attributes" in parts[:-1]:
        return _text
    if "subscribed" in parts[:-1]:
        return _yes
    if parts[-1] in ("tags", "lists"):
        return _list
    if parts[-1] in ("price", "total", "quantity"):
        return _number if parts[-1] != "quantity" else _pieces
    return _instant if parts[-1].endswith("_at") else _text


# What cannot be read stays as it is: the hub then says which field of which row is wrong.


def _text(text: str, _zone: tzinfo) -> Any:
    return text


def _yes(text: str, _zone: tzinfo) -> Any:
    word = text.lower()
    return True if word in _TRUE else False if word in _FALSE else text


def _list(text: str, _zone: tzinfo) -> Any:
    return [part.strip() for part in re.split("[,|]", text) if part.strip()]


def _number(text: str, _zone: tzinfo) -> str:
    """`1 990,50` and `1,990.50` are `1990.50`."""
    plain = re.sub(r"\s", "", text)
    if "," in plain and "." in plain:
        thousands = "," if plain.rindex(",") < plain.rindex(".") else "."
        plain = plain.replace(thousands, "")
    return plain.replace(",", ".")


def _pieces(text: str, zone: tzinfo) -> Any:
    plain = _number(text, zone)
    if not re.fullmatch(r"\d{1,9}(\.\d{1,6})?", plain, re.ASCII):
        return text
    count = Decimal(plain)
    return int(count) if count == count.to_integral_value() else plain


def _instant(text: str, zone: tzinfo) -> Any:
    """ISO 8601 or `31.12.2025 18:30`."""
    try:
        if match := _DAY_FIRST.fullmatch(text):
            day, month, year, hour, minute, second = (int(part or 0) for part in match.groups())
            at = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 (its zone follows)
        else:
            at = datetime.fromisoformat(text)
    except ValueError:
        return text
    return (at if at.tzinfo else at.replace(tzinfo=zone)).isoformat()
