"""Files of history as shops have them: what is read out of them, and what is said of those that cannot be read."""

from datetime import UTC
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from hub.history import tables
from hub.history.tables import BadTable, Format, Layout, Row

ORDERS = """id;number;status;total;created_at;customer.id;customer.email;customer.attributes.city;\
customer.tags;customer.subscribed.email;line.sku;line.title;line.quantity;line.price
1;A-1;delivered;1 990,50;31.12.2025 18:30;42;anna@example.com;Томск;vip, опт;да;K-1;Чайник;2;995,25
1;;;;;;;;;;K-2;Кружка;1,0;
2;A-2;new;1,990.00;2026-01-02T10:00:00+03:00;;b@example.com;;;нет;K-1;Чайник;3;1990
"""


def written(folder: Path, text: str, name: str = "orders.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def read(path: Path, kind: str = "order", **how: Any) -> list[Row]:
    layout = Layout(kind, tables.format_of(path), **{"zone": UTC, **how})
    return list(tables.rows(path, layout))


def test_rows_of_a_table_become_orders_with_their_lines(tmp_path: Path) -> None:
    first, second = read(written(tmp_path, ORDERS), zone=ZoneInfo("Europe/Moscow"))

    assert first == Row(
        2,
        {
            "id": "1",
            "number": "A-1",
            "status": "delivered",
            "total": "1990.50",
            "created_at": "2025-12-31T18:30:00+03:00",
            "customer": {
                "id": "42",
                "email": "anna@example.com",
                "attributes": {"city": "Томск"},
                "tags": ["vip", "опт"],
                "subscribed": {"email": True},
            },
            "lines": [
                {"id": "1", "sku": "K-1", "title": "Чайник", "quantity": 2, "price": "995.25"},
                {"id": "2", "sku": "K-2", "title": "Кружка", "quantity": 1},
            ],
        },
    )
    assert second.line == 4
    assert second.value is not None
    assert second.value["total"] == "1990.00"
    assert second.value["created_at"] == "2026-01-02T10:00:00+03:00"
    assert second.value["customer"] == {"email": "b@example.com", "subscribed": {"email": False}}


@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1251"])
def test_delimiter_and_byte_order_mark_are_found_out(
    tmp_path: Path, delimiter: str, encoding: str
) -> None:
    text = f"id{delimiter}name\r\n7{delimiter}Анна\r\n"
    path = written(tmp_path, text, encoding=encoding)

    [row] = read(path, "customer", encoding="cp1251" if encoding == "cp1251" else "utf-8-sig")

    assert row == Row(2, {"id": "7", "name": "Анна"})


def test_a_row_without_an_id_goes_on_with_the_order_above(tmp_path: Path) -> None:
    [row] = read(written(tmp_path, "id,line.title\n1,a\n,b\n\n , \n,c\n"))

    assert row.value is not None
    assert [line["title"] for line in row.value["lines"]] == ["a", "b", "c"]


def test_columns_of_their_own_names_are_named(tmp_path: Path) -> None:
    path = written(tmp_path, "№ заказа,Сумма,Примечание\n1,5,нет\n")

    [row] = read(path, columns={"id": "№ заказа", "total": "Сумма"})

    assert row.value == {"id": "1", "total": "5", "lines": []}


def test_what_cannot_be_read_stays_as_it_is(tmp_path: Path) -> None:
    """The hub then says which field of which row is wrong."""
    text = "id,total,changed_at,line.quantity,customer.subscribed.sms\n1,free,soon,2.5,maybe\n"

    [row] = read(written(tmp_path, text))

    assert row.value == {
        "id": "1",
        "total": "free",
        "changed_at": "soon",
        "customer": {"subscribed": {"sms": "maybe"}},
        "lines": [{"id": "1", "quantity": "2.5"}],
    }


def test_a_row_with_other_cells_than_the_header_is_a_fault_of_its_order(tmp_path: Path) -> None:
    path = written(tmp_path, "id,number,line.title\n1,A,x\n1,A\n2,B,y\n")

    torn, good = read(path)

    assert torn == Row(2, None, "line 3: has 2 cells, the header has 3")
    assert good.value is not None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "there is no column 'id'"),
        ("number\n1\n", "there is no column 'id'"),
        ("id,totl\n1,5\n", "'totl' is no column of orders"),
        ("id,number,number\n1,5,5\n", "the column 'number' stands twice"),
        ("id,attributes.\n1,5\n", "'attributes.' is no column"),
    ],
)
def test_a_header_that_cannot_be_meant_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BadTable, match=said):
        read(written(tmp_path, text))


def test_a_quotation_mark_that_is_not_closed_is_found_by_its_line(tmp_path: Path) -> None:
    """All that follows is one cell: without the line nobody finds it in a million."""
    rows = "".join(f"{n};Чайник\n" for n in range(20_000))
    path = written(tmp_path, f'id;title\na;Кружка\nb;"Ложка\n{rows}', "goods.csv")

    with pytest.raises(BadTable, match=r"goods\.csv, line 3: .* quotation mark"):
        read(path, "product")


def test_a_column_that_is_named_and_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadTable, match="no column 'Номер'"):
        read(written(tmp_path, "id\n1\n"), columns={"number": "Номер"})


def test_another_encoding_is_named_by_name(tmp_path: Path) -> None:
    path = written(tmp_path, "id,name\n1,Анна\n", encoding="cp1251")

    with pytest.raises(BadTable, match="--encoding cp1251"):
        read(path, "customer")
    with pytest.raises(BadTable, match="no encoding known"):
        read(path, "customer", encoding="klingon")


def test_an_order_that_is_torn_apart_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    """Its second half would be taken for an order that is known, and lost."""
    path = written(tmp_path, "id,line.title\n1,a\n2,b\n1,c\n")

    with pytest.raises(BadTable, match="line 4: rows of this order stand further up"):
        tables.survey(path, Layout("order", Format.CSV))


def test_each_line_of_ndjson_is_a_row(tmp_path: Path) -> None:
    text = '\ufeff{"id": "1"}\n\n{"id": "2", "total": 5}\n[1]\n{"id": \n'

    rows = read(written(tmp_path, text, "orders.ndjson"))

    assert [(row.line, row.value) for row in rows] == [
        (1, {"id": "1"}),
        (3, {"id": "2", "total": 5}),
        (4, None),
        (5, None),
    ]
    assert rows[2].fault == "is no object"
    assert rows[3].fault.startswith("is not JSON")


def test_a_json_array_is_answered_with_the_way_out(tmp_path: Path) -> None:
    path = written(tmp_path, '[{"id": "1"}]', "orders.jsonl")

    with pytest.raises(BadTable, match=r"jq -c '\.\[\]' orders\.jsonl"):
        read(path)


def test_a_survey_counts_and_knows_the_content_again(tmp_path: Path) -> None:
    layout = Layout("order", Format.CSV)
    first = tables.survey(written(tmp_path, ORDERS), layout)
    elsewhere = tables.survey(written(tmp_path, ORDERS, "copy.csv"), layout)
    longer = tables.survey(written(tmp_path, ORDERS + "3;A;;;;;;;;;;x;1;\n"), layout)

    assert first.total == 2
    assert elsewhere == first
    assert longer.total == 3
    assert longer.fingerprint != first.fingerprint


def test_an_unknown_ending_asks_for_the_format(tmp_path: Path) -> None:
    with pytest.raises(BadTable, match="--format csv or --format ndjson"):
        tables.format_of(tmp_path / "orders.xlsx")


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadTable, match="No such file"):
        tables.survey(tmp_path / "none.csv", Layout("order", Format.CSV))
