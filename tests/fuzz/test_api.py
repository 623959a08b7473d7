"""Every operation of the hub's own OpenAPI document against a running hub: good requests, and wrong ones."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import given
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from hub.api import openapi
from hub.api.app import all_routes
from tests.fuzz.live import Live, running

_DOCUMENT = json.loads(
    json.dumps(openapi.document(all_routes()) | {"servers": [{"url": "http://127.0.0.1"}]})
)
for _methods in _DOCUMENT["paths"].values():
    for _operation in _methods.values():
        # The key is always a good one: without it every request ends at the door.
        _operation.pop("security")
_SCHEMA = schemathesis.openapi.from_dict(_DOCUMENT)
_OPERATIONS = {
    found.ok().label: found.ok() for found in _SCHEMA.get_all_operations() if isinstance(found, Ok)
}

# 503 is what it says of itself without a worker.
_UNREADY = {"GET /readyz"}
# Each notification or event of it has an answer of its own.
_FORGIVING = {"POST /v1/notifications/batch", "POST /v1/events/batch"}


def _can_be_wrong(label: str) -> bool:
    """Any text may stand in a path, but for ids."""
    method, _, path = label.partition(" ")
    operation = _DOCUMENT["paths"][path][method.lower()]
    wheres = {parameter.get("in") for parameter in operation["parameters"]}
    return "requestBody" in operation or "query" in wheres or "{id}" in path


_CASES = [
    (label, mode)
    for label in _OPERATIONS
    for mode in GenerationMode
    if mode is GenerationMode.POSITIVE or _can_be_wrong(label)
]


@pytest.fixture(scope="module")
def live(hub_database: str, redis_url: str) -> Iterator[Live]:
    with running(hub_database, redis_url) as live:
        yield live


def _checks(operation: str, mode: GenerationMode) -> list[Any]:
    checks = [status_code_conformance, content_type_conformance, response_schema_conformance]
    if operation not in _UNREADY:
        checks.append(not_a_server_error)
    if mode is GenerationMode.NEGATIVE and operation not in _FORGIVING:
        checks.append(negative_data_rejection)
    return checks


@pytest.mark.parametrize(
    ("operation", "mode"), _CASES, ids=[f"{label} {mode.value}" for label, mode in _CASES]
)
@given(st.data())
def test_operation(live: Live, operation: str, mode: GenerationMode, data: st.DataObject) -> None:
    case = data.draw(_OPERATIONS[operation].as_strategy(generation_mode=mode))
    for name in case.path_parameters or {}:
        if name in live.known and data.draw(st.booleans()):
            case.path_parameters[name] = data.draw(st.sampled_from(live.known[name]))
    headers = {"Authorization": f"Bearer {live.key}"}

    case.call_and_validate(
        base_url=live.url, headers=headers, checks=_checks(operation, mode), timeout=10
    )
