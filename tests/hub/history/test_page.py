"""What stands in docs/history.md can be done as it stands there."""

import re
import shlex
from pathlib import Path

import pytest

from hub.cli import parser
from hub.config import Shop
from hub.history import reading, tables
from hub.history.tables import FIELDS, Format, Layout
from hub.sources.canonical import MODEL_OF
from hub.sources.model import Kind

PAGE = (Path(__file__).parents[3] / "docs" / "history.md").read_text()
COMMANDS = re.findall(r"^vestnik (import .*?)(?:  +#.*)?$", PAGE, flags=re.MULTILINE)


def block(language: str) -> str:
    [found] = re.findall(rf"^```{language}\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    return str(found)


def test_it_begins_with_the_three_commands() -> None:
    first = PAGE.split("```")[1].splitlines()[1:]

    assert [line.split()[:3] for line in first] == [
        ["vestnik", "import", what] for what in ("source", "file", "list")
    ]


@pytest.mark.parametrize("line", COMMANDS)
def test_each_command_is_understood(line: str) -> None:
    assert parser().parse_args(shlex.split(line)).run


@pytest.mark.parametrize(("language", "count"), [("csv", 2), ("json", 1)])
async def test_its_examples_are_taken(tmp_path: Path, language: str, count: int) -> None:
    path = tmp_path / "orders"
    path.write_text(block(language))
    format_ = Format.CSV if language == "csv" else Format.NDJSON
    rows = list(tables.rows(path, Layout("order", format_, zone=Shop().zone)))

    facts, faults = await reading.of_rows(Kind.ORDER, [row.value for row in rows], first=1)

    assert (len(facts), faults) == (count, [])


@pytest.mark.parametrize("kind", [Kind.CUSTOMER, Kind.PRODUCT, Kind.ORDER])
def test_each_column_is_a_field_and_each_field_a_column(kind: Kind) -> None:
    """`reason` is told with live states alone."""
    columns = {name.partition(".")[0] for name in FIELDS[kind]}
    fields = set(MODEL_OF[kind].model_fields)

    assert columns == {"line" if name == "lines" else name for name in fields - {"reason"}}
    for name in {name.partition(".")[0] for name in FIELDS[kind]}:
        assert f"`{name}" in PAGE
