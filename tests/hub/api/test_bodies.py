"""What a client may send, and how it is told what is wrong with the rest."""

import re
import time
from typing import Any

import orjson
import pytest
from aiohttp import ClientSession
from pydantic import Field

from hub.api.app import all_routes
from hub.api.body import DEPTH, LIMIT, In, check
from hub.errors import InvalidInput, pointer
from tests.hub.api.client import Api

GOOD = {"name": "shop backend", "scopes": ["send"]}


def nested(levels: int) -> bytes:
    """An object that is `levels` deep."""
    return b'{"name":' * levels + b"1" + b"}" * levels


MALFORMED: dict[str, bytes] = {
    "nothing": b"",
    "spaces": b" \r\n\t ",
    "no json": b"hello",
    "half": b'{"scopes": ["send"]',
    "two documents": b'{"scopes": ["send"]}{}',
    "trailing comma": b'{"scopes": ["send"],}',
    "single quotes": b"{'scopes': ['send']}",
    "comment": b'{"scopes": ["send"] /* all */}',
    "byte order mark": b'\xef\xbb\xbf{"scopes": ["send"]}',
    "utf-16": '{"scopes": ["send"]}'.encode("utf-16"),
    "latin-1": '{"name": "é", "scopes": ["send"]}'.encode("latin-1"),
    "array": b"[]",
    "string": b'"send"',
    "number": b"1",
    "null": b"null",
    "true": b"true",
    "NaN": b'{"name": NaN, "scopes": ["send"]}',
    "Infinity": b'{"name": Infinity, "scopes": ["send"]}',
    "-Infinity": b'{"name": -Infinity, "scopes": ["send"]}',
    "huge exponent": b'{"name": 1e999, "scopes": ["send"]}',
    "huge integer": b'{"name": ' + b"9" * 100 + b', "scopes": ["send"]}',
    "thousands of digits": b'{"name": ' + b"9" * 10_000 + b', "scopes": ["send"]}',
    "leading zero": b'{"name": 007, "scopes": ["send"]}',
    "doubled name": b'{"scopes": ["send"], "scopes": ["read"]}',
    "doubled name inside": b'{"scopes": ["send"], "name": {"a": 1, "a": 1}}',
    "doubled scope": b'{"scopes": ["send", "send"]}',
    "half a surrogate": rb'{"name": "\ud800", "scopes": ["send"]}',
    "half a surrogate, raw": b'{"name": "\xed\xa0\x80", "scopes": ["send"]}',
    "surrogates the wrong way round": rb'{"name": "\udc00\ud800", "scopes": ["send"]}',
    "half a surrogate as a name": rb'{"\udfff": 1, "scopes": ["send"]}',
    "NUL": rb'{"name": "a\u0000b", "scopes": ["send"]}',
    "raw NUL": b'{"name": "a\x00b", "scopes": ["send"]}',
    "raw line end": b'{"name": "a\nb", "scopes": ["send"]}',
    "escape": rb'{"name": "\u001b[31m", "scopes": ["send"]}',
    "backspace": rb'{"name": "a\b", "scopes": ["send"]}',
    "form feed": rb'{"name": "a\f", "scopes": ["send"]}',
    "DEL": b'{"name": "a\x7f", "scopes": ["send"]}',
    "escaped DEL": rb'{"name": "\u007F", "scopes": ["send"]}',
    "NUL as a name": rb'{"a\u0000": 1, "scopes": ["send"]}',
    "bad escape": rb'{"name": "\x41", "scopes": ["send"]}',
    "too deep": nested(DEPTH + 1),
    "far too deep": nested(100_000),
    "deep array": b'{"name": ' + b"[" * 200_000,
    "unknown field": b'{"scopes": ["send"], "scope": "send"}',
    "empty name": b'{"": 1, "scopes": ["send"]}',
    "missing field": b"{}",
    "null for a list": b'{"scopes": null}',
    "text for a list": b'{"scopes": "send"}',
    "object for a list": b'{"scopes": {"0": "send"}}',
    "empty list": b'{"scopes": []}',
    "unknown scope": b'{"scopes": ["everything"]}',
    "number for a scope": b'{"scopes": [1]}',
    "list in a list": b'{"scopes": [["send"]]}',
    "number for text": b'{"name": 1, "scopes": ["send"]}',
    "true for text": b'{"name": true, "scopes": ["send"]}',
    "too long": b'{"name": "' + b"a" * 201 + b'", "scopes": ["send"]}',
}

TARGETS = [(route.method, route.path) for route in all_routes() if route.body is not None]


def concrete(path: str) -> str:
    """With something at each place of a path that takes a name."""
    return "/".join("x" if part.startswith("{") else part for part in path.split("/"))


async def test_what_is_malformed_is_400_and_never_5xx(api: Api) -> None:
    for name, raw in MALFORMED.items():
        answer = await api.post("/v1/keys", raw=raw)
        assert answer.status == 400, (name, answer.raw)
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json["detail"]
        assert answer.json["errors"], name

    # The one that the test itself uses.
    assert len((await api.get("/v1/keys")).json["items"]) == 1


async def test_what_is_malformed_is_found_whether_there_are_spaces_or_not(api: Api) -> None:
    """Bodies written without spaces are read in a quicker way."""
    spaces = re.compile(rb"([:,]) ")
    for name, raw in MALFORMED.items():
        wide = await api.call("POST", "/v1/keys", raw=raw)
        close = await api.call("POST", "/v1/keys", raw=spaces.sub(rb"\1", raw))

        assert (close.status, close.pointers) == (wide.status, wide.pointers), name
        # They stand elsewhere.
        assert re.sub(r"\d+", "", close.json["detail"]) == re.sub(r"\d+", "", wide.json["detail"])


@pytest.mark.parametrize(("method", "path"), TARGETS)
async def test_no_route_fails_on_what_is_malformed(api: Api, method: str, path: str) -> None:
    for name, raw in MALFORMED.items():
        answer = await api.call(method, concrete(path), raw=raw)
        assert answer.status < 500, (name, answer.raw)


async def test_deep_is_fine_to_the_limit(api: Api) -> None:
    answer = await api.post("/v1/keys", raw=nested(DEPTH))

    assert "nested" not in answer.json["detail"]


async def test_every_fault_is_told_in_one_answer(api: Api) -> None:
    body = {"name": 5, "scopes": ["send", "fly", 3], "no/such~field": 1, "other": 2}

    answer = await api.post("/v1/keys", body)

    assert answer.status == 400
    assert set(answer.pointers) == {
        "/name",
        "/scopes/1",
        "/scopes/2",
        "/no~1such~0field",
        "/other",
    }
    assert "input_value" not in answer.raw.decode()


async def test_all_control_characters_are_told_with_their_places(api: Api) -> None:
    body = {"name": "a\x00", "scopes": ["send", "re\x1bad"], "x": {"y": ["ok\t\r\n", "\x7f"]}}

    answer = await api.post("/v1/keys", body)

    assert set(answer.pointers) == {"/name", "/scopes/1", "/x/y/1"}


async def test_tab_and_line_ends_may_stand(api: Api) -> None:
    answer = await api.post("/v1/keys", {"name": "a\tb\r\nc\u00a0«é» 🙂", "scopes": ["send"]})

    assert answer.status == 201
    assert answer.json["name"] == "a\tb\r\nc\u00a0«é» 🙂"


MEDIA_TYPES = [
    ("application/json", 201),
    ("application/json; charset=utf-8", 201),
    ('APPLICATION/JSON; charset="UTF-8"', 201),
    ("application/vnd.shop+json", 201),
    ("application/json; charset=utf-16", 415),
    ("application/json; charset=nonsense", 415),
    ("text/plain", 415),
    ("text/json", 415),
    ("application/x-www-form-urlencoded", 415),
    ("multipart/form-data; boundary=x", 415),
    ("nonsense", 415),
    ("", 415),
]


async def test_the_media_type_must_be_json(api: Api) -> None:
    for header, status in MEDIA_TYPES:
        answer = await api.post("/v1/keys", GOOD, headers={"Content-Type": header})
        assert answer.status == status, header


async def test_a_body_without_a_media_type_is_415(api: Api) -> None:
    async with (
        ClientSession(skip_auto_headers=["Content-Type"]) as session,
        session.post(
            f"{api.url}/v1/keys",
            data=orjson.dumps(GOOD),
            headers={"Authorization": f"Bearer {api.key}"},
        ) as response,
    ):
        assert response.status == 415


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "nonsense"])
async def test_a_compressed_body_is_415(api: Api, encoding: str) -> None:
    answer = await api.post("/v1/keys", GOOD, headers={"Content-Encoding": encoding})

    assert answer.status == 415


async def test_a_body_of_a_mebibyte_is_read_and_a_byte_more_is_413(api: Api) -> None:
    body = orjson.dumps(GOOD)

    assert (await api.post("/v1/keys", raw=body.ljust(LIMIT))).status == 201
    assert (await api.post("/v1/keys", raw=body.ljust(LIMIT + 1))).status == 413


async def test_a_chunked_body_that_is_too_large_is_413(api: Api) -> None:
    async def chunks() -> Any:
        for _ in range(40):
            yield b" " * 65536

    async with (
        ClientSession() as session,
        session.post(
            f"{api.url}/v1/keys",
            data=chunks(),
            headers={"Authorization": f"Bearer {api.key}", "Content-Type": "application/json"},
        ) as response,
    ):
        assert response.status == 413
        assert response.content_type == "application/problem+json"


PATHS = [
    "/v1/keys/%00",
    "/v1/keys/%",
    "/v1/keys/%zz",
    "/v1/keys/%ff%fe",
    "/v1/keys/%ed%a0%80",
    "/v1/keys/%2e%2e%2f",
    "/v1/keys/../keys",
    "/v1/keys/no-uuid",
    "/v1/keys/" + "a" * 5000,
    "/v1/keys//",
    "/v1//keys",
    "/v1/%00",
    "//v1/keys/x",
]


async def test_a_strange_path_is_4xx(api: Api) -> None:
    for path in PATHS:
        answer = await api.delete(path)
        assert 400 <= answer.status < 500, path
        assert answer.headers["Content-Type"] == "application/problem+json"


QUERIES = [
    ("limit=0", "/limit"),
    ("limit=201", "/limit"),
    ("limit=-1", "/limit"),
    ("limit=", "/limit"),
    ("limit=ten", "/limit"),
    ("limit=1.5", "/limit"),
    ("limit=" + "9" * 5000, "/limit"),
    ("limit=%00", "/limit"),
    ("limit=%ff", "/limit"),
    ("cursor=", "/cursor"),
    ("cursor=abc", "/cursor"),
    ("cursor=%00", "/cursor"),
    ("cursor=%ff", "/cursor"),
    ("cursor=" + "A" * 3000, "/cursor"),
    ("channel=pigeon", "/channel"),
    ("channel=", "/channel"),
    ("to=a%0ab%00", "/to"),
    ("no%00such=1", "/no\ufffdsuch"),
    ("a/b~c=1", "/a~1b~0c"),
]


async def test_a_wrong_parameter_is_pointed_at(api: Api) -> None:
    for query, at in QUERIES:
        answer = await api.get(f"/v1/sandbox/messages?{query}")
        assert answer.status == 400, query
        assert answer.pointers == [at]


class Leaf(In):
    count: int = 0
    sure: bool = False


class Tree(In):
    leaf: Leaf | None = None
    either: Leaf | list[int] | None = None
    many: list[Leaf] = Field(default=[], max_length=2)
    free: dict[str, Any] = Field(default={})


@pytest.mark.parametrize(
    ("value", "pointers"),
    [
        ({"leaf": {"count": "1"}}, ["/leaf/count"]),
        ({"leaf": {"count": 1.0}}, ["/leaf/count"]),
        ({"leaf": {"count": True}}, ["/leaf/count"]),
        ({"leaf": {"sure": 1}}, ["/leaf/sure"]),
        ({"leaf": {"sure": "true"}}, ["/leaf/sure"]),
        ({"leaf": 1}, ["/leaf"]),
        ({"many": [{}, {"count": None}]}, ["/many/1/count"]),
        ({"many": [{}, {}, {}]}, ["/many"]),
        ({"either": {"count": "x"}}, ["/either/count", "/either"]),
        ({"free": {"anything": [{"goes": 1}]}, "not": 1}, ["/not"]),
    ],
)
def test_types_are_strict_and_pointers_know_nothing_of_models(
    value: dict[str, Any], pointers: list[str]
) -> None:
    with pytest.raises(InvalidInput) as refused:
        check(Tree, value)

    assert [fault.pointer for fault in refused.value.faults] == pointers


def test_a_part_is_pointed_at_from_the_top() -> None:
    with pytest.raises(InvalidInput) as refused:
        check(Leaf, {"count": "1"}, at="/notifications/3")

    assert [fault.pointer for fault in refused.value.faults] == ["/notifications/3/count"]


def test_pointers_escape_what_rfc_6901_says() -> None:
    assert pointer("/a", "b/c", "d~e", 0) == "/a/b~1c/d~0e/0"


async def test_a_doubled_name_among_very_many_is_found_at_once(api: Api) -> None:
    """Whoever has a key of any kind can send such a body."""
    names = ",".join(f'"{number}":0' for number in range(12_000))
    raw = f'{{{names},"last":1,"last":2}}'.encode()
    began = time.process_time()

    refused = await api.call("POST", "/v1/keys", raw=raw)

    assert (refused.status, refused.json["detail"]) == (
        400,
        "the name 'last' stands twice in one object",
    )
    assert time.process_time() - began < 1


@pytest.mark.parametrize("path", ["notifications", "events", "audit", "statistics"])
async def test_the_plus_sign_of_a_time_need_not_be_encoded(api: Api, path: str) -> None:
    plain = await api.get(f"/v1/{path}?since=2026-01-01T00:00:00+03:00")
    encoded = await api.get(f"/v1/{path}?since=2026-01-01T00:00:00%2B03:00")
    without = await api.get(f"/v1/{path}?since=2026-01-01T00:00:00")

    assert (plain.status, encoded.status, without.status) == (200, 200, 400)


def full(unit: str, opening: str, closing: str) -> bytes:
    """A body of nearly a mebibyte: as many of `unit` as go between the two, with commas."""
    many = (LIMIT - len(opening) - len(closing)) // (len(unit) + 1)
    return (opening + ",".join([unit] * many) + closing).encode()


def names(opening: str, closing: str) -> bytes:
    """A body of nearly a mebibyte with as many different names as go between the two."""
    return (opening + ",".join(f'"{n:x}":0' for n in range(100_000)) + closing).encode()


ORDER, END = '{"number":"1","lines":[', "]}"
HUGE: dict[str, tuple[str, str, bytes, str]] = {
    "lines with nothing in them": ("PUT", "/v1/orders/1", full("{}", ORDER, END), ""),
    "lines that are none": ("PUT", "/v1/orders/1", full("0", ORDER, END), "/lines"),
    "lines with nothing right": (
        "PUT",
        "/v1/orders/1",
        full('{"a":0,"b":0,"c":0,"d":0,"e":0,"f":0,"quantity":"x"}', ORDER, END),
        "/lines",
    ),
    "unknown fields": ("PUT", "/v1/orders/1", names('{"number":"1",', "}"), "/0"),
    "unknown fields in a line": (
        "PUT",
        "/v1/orders/1",
        names(ORDER + "{", "}" + END),
        "/lines/0/0",
    ),
    "a whole batch of unknown fields": (
        "POST",
        "/v1/notifications/batch",
        names('{"notifications":[{', "}]}"),
        "/0",
    ),
    "channels": (
        "POST",
        "/v1/notifications",
        full('"x"', '{"channels":[', "]}"),
        "/channels",
    ),
    "parts of a condition": (
        "PUT",
        "/v1/rules/mine",
        full(f'{{"all":[{",".join("0" * 40)}]}}', '{"condition":{"any":[', "]}}"),
        "/condition/any",
    ),
    "keys of a config": (
        "POST",
        "/v1/sources",
        names('{"name":"s","platform":"insales","config":{', "}}"),
        "/config/0",
    ),
    "control characters": ("POST", "/v1/keys", full(r'"\u0001"', '{"name":[', "]}"), "/name/0"),
    "objects in what is free of form": (
        "PUT",
        "/v1/contacts/1",
        full("[]", '{"attributes":{"a":[', "]}}"),
        "",
    ),
}


@pytest.mark.parametrize("what", HUGE)
async def test_a_huge_body_with_everything_wrong_holds_nobody_up(api: Api, what: str) -> None:
    """All that is told of it is bounded, and the answer says that there is more."""
    method, path, raw, at = HUGE[what]
    began = time.process_time()

    answer = await api.call(method, path, raw=raw)

    # Ours and the client's; what it took before was seconds.
    assert time.process_time() - began < 1
    problem = answer.json["results"][0] if answer.status == 202 else answer.json
    assert problem["status"] == 400
    assert len(problem["errors"]) <= 501
    assert at in [fault["pointer"] for fault in problem["errors"]]
    if at:
        assert problem["errors_truncated"] is True
        assert "there may be more" in problem["detail"]


async def test_a_text_without_end_after_very_many_lists_is_read_once(api: Api) -> None:
    began = time.process_time()

    answer = await api.call(
        "POST", "/v1/keys", raw=b"[" * 60_000 + rb"\"" * 200_000 + b'"\\' * 200_000
    )

    # Begun anew at each quotation mark it took minutes.
    assert time.process_time() - began < 1
    assert answer.status == 400


async def test_an_order_of_the_most_lines_is_told_of_each_fault(api: Api) -> None:
    good = {"title": "Чайник", "quantity": 1, "seller": {"external_id": "seller-7"}}
    lines = [{**good, "id": str(n), "quantity": 1 if n % 100 else 0} for n in range(500)]

    answer = await api.put("/v1/orders/1", {"number": "1", "lines": lines, "odd": 1})

    assert answer.status == 400
    assert answer.pointers == ["/odd", *(f"/lines/{n}/quantity" for n in range(0, 500, 100))]
    assert "errors_truncated" not in answer.json


@pytest.mark.parametrize(
    ("number", "detail"),
    [
        ("9223372036854775808", "must be within 64 bits; send a longer integer as text"),
        ("-9223372036854775809", "must be within 64 bits; send a longer integer as text"),
        ("9" * 5000, "must be within 64 bits; send a longer integer as text"),
        ("1e999", "is too large a number"),
        ("9" * 400 + ".5", "is too large a number"),
    ],
)
async def test_a_number_that_nobody_keeps_is_pointed_at(api: Api, number: str, detail: str) -> None:
    raw = f'{{"name": "x", "scopes": ["send"], "more": {{"a/b": [1, {number}]}}}}'.encode()

    for body in (raw, raw.replace(b" ", b"")):
        answer = await api.post("/v1/keys", raw=body)

        assert answer.status == 400
        assert {"pointer": "/more/a~1b/1", "detail": detail} in answer.json["errors"]


async def test_the_largest_numbers_are_kept_and_come_back(api: Api) -> None:
    numbers = [2**63 - 1, -(2**63), 1e308, 5e-324, -0.5, 12345678901234567]

    await api.put("/v1/contacts/anna", {"role": "buyer", "attributes": {"numbers": numbers}})

    shown = await api.get("/v1/contacts/anna")
    assert shown.json["attributes"]["numbers"] == numbers


@pytest.mark.parametrize(
    ("bad", "pointer", "detail"),
    [
        ('{"n": [1, 99999999999999999999]}', "/data/n/1", "must be within 64 bits"),
        ('{"n": 1e999}', "/data/n", "is too large a number"),
        ('{"n": {"a": 1, "a": 2}}', "/data/n", "stands twice in one object"),
    ],
)
async def test_what_one_of_a_batch_says_beyond_reason_stops_that_one_alone(
    api: Api, bad: str, pointer: str, detail: str
) -> None:
    one = '{"template":"order.shipped","recipient":{"external_id":"a","role":"buyer"},"data":%s}'
    items = ",".join([one % '{"order":{"number":"1"}}', one % bad])

    sent = await api.post("/v1/notifications/batch", raw=f'{{"notifications":[{items}]}}'.encode())

    assert sent.status == 202, sent.raw
    good, refused = sent.json["results"]
    assert "id" in good
    assert [fault["pointer"] for fault in refused["errors"]] == [pointer]
    assert detail in refused["errors"][0]["detail"]


async def test_of_a_batch_of_events_too(api: Api) -> None:
    one = '{"kind":"product","data":{"id":"%s","title":"Чайник","quantity":%s}}'
    items = ",".join([one % ("1", "1"), one % ("2", "9" * 30)])

    told = await api.post("/v1/events/batch", raw=f'{{"events":[{items}]}}'.encode())

    assert told.status == 202, told.raw
    good, refused = told.json["results"]
    assert good["duplicate"] is False
    assert [fault["pointer"] for fault in refused["errors"]] == ["/events/1/data/quantity"]
