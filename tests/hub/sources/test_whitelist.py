"""Only what is named is kept, whatever comes."""

import json
from typing import Any

from hypothesis import given

from hub.db.pool import as_json
from hub.sources.whitelist import LONGEST, Spec, kept
from tests.fuzz.replies import values as anything

SPEC: Spec = {
    "id": True,
    "buyer": {"name": True, "tags": True},
    "lines": [{"sku": True}],
    "fields": {"*": True},
}


def test_what_is_named_stays() -> None:
    payload = {
        "id": 7,
        "card": "4111111111111111",
        "buyer": {"name": "Анна", "password": "x", "tags": ["a", {"b": 1}]},
        "lines": [{"sku": "A", "cost": 1}, 7],
        "fields": {"12": "x", "13": {"deep": 1}},
    }

    assert kept(payload, SPEC) == {
        "id": 7,
        "buyer": {"name": "Анна", "tags": ["a"]},
        "lines": [{"sku": "A"}],
        "fields": {"12": "x"},
    }


def test_a_field_of_another_shape_is_left_out() -> None:
    assert kept({"id": {"secret": 1}, "buyer": "x", "lines": "x"}, SPEC) == {}


def test_php_writes_lists_as_objects_and_objects_as_lists() -> None:
    assert kept({"buyer": [], "lines": {"7": {"sku": "A", "cost": 1}}}, SPEC) == {
        "buyer": [],
        "lines": {"7": {"sku": "A"}},
    }


def test_texts_are_cut_and_made_storable() -> None:
    assert kept({"id": "x" * 5000}, SPEC) == {"id": "x" * LONGEST}
    assert kept({"id": "\0\ud800"}, SPEC) == {"id": "\ufffd\ufffd"}


@given(anything)
def test_no_name_comes_through_that_is_not_allowed(value: Any) -> None:
    found = kept({"id": value, "other": value, "buyer": value}, SPEC)

    assert found.keys() <= {"id", "buyer"}
    assert not isinstance(found.get("id"), dict)


def test_numbers_that_no_json_of_ours_takes_are_texts_or_go() -> None:
    long = json.loads(
        '{"id": 18446744073709551616, "buyer": {"tags": [1e999, NaN, 2]}, "fields": {"a": -9223372036854775809,'
        ' "b": Infinity, "c": 9223372036854775807}}'
    )

    found = kept(long, SPEC)

    assert found == {
        "id": "18446744073709551616",
        "buyer": {"tags": [2]},
        "fields": {"a": "-9223372036854775809", "c": 9223372036854775807},
    }
    assert as_json(found)
