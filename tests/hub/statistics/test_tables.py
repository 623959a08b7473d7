"""Files that spreadsheets open."""

import csv
import io
from decimal import Decimal

import pytest

from hub.statistics import tables


@pytest.mark.parametrize("text", ["=1+1", "+7999", "-2", "@SUM(A1)", "\t=1", "\r=1", "  =1"])
def test_nothing_in_it_is_calculated(text: str) -> None:
    written = tables.written(["name"], [[text]])

    [_, [cell]] = csv.reader(io.StringIO(written, newline=""))
    assert cell == f"'{text}"


def test_numbers_stay_numbers() -> None:
    written = tables.written(["a", "b", "c"], [[-1, Decimal("2.50"), None]])

    assert written == "\ufeffa,b,c\r\n-1,2.50,\r\n"


def test_a_russian_spreadsheet_finds_its_cells() -> None:
    written = tables.written(["а", "б"], [["x;y", Decimal("2.50")]], locale="ru")

    assert written == '\ufeffа;б\r\n"x;y";2,50\r\n'
