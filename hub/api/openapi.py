"""The OpenAPI 3.1 document, made of the table of routes and their models."""

import re
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version
from inspect import cleandoc
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from hub.api import callbacks, problems
from hub.api.body import MOST_FAULTS
from hub.api.routes import PUBLIC, Route

REQUEST_HEADERS: Mapping[str, Mapping[str, Any]] = {
    "Idempotency-Key": {
        "description": "Repeating a request with the same key does nothing twice: the first answer comes"
        " again. Kept for 24 hours at least; a bare or a quoted value is the same.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    },
}

_REQUEST_ID = {
    "description": "Named in logs and problems. Yours is taken if it fits the pattern, else one is made.",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,128}$"},
}

# Any other text does no harm, so it is not against the rules either.
_ANY_REQUEST_ID = {**_REQUEST_ID, "schema": {"type": "string"}}

_RESPONSE_HEADERS: Mapping[str, Mapping[str, Any]] = {
    "X-Request-Id": _REQUEST_ID,
    "Retry-After": {
        "description": "Seconds to wait before the next try.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "Idempotent-Replayed": {
        "description": "`true`: this is the answer to an earlier request with the same Idempotency-Key.",
        "schema": {"type": "string", "const": "true"},
    },
}

_PROBLEM = {
    "title": "Problem",
    "description": "What went wrong (RFC 9457).",
    "type": "object",
    "required": ["type", "title", "status", "detail", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri", "description": "Compare this, not the texts."},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "For people."},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "description": "Every fault of the input, or the first of very many (`errors_truncated`).",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {
                    "pointer": {
                        "type": "string",
                        "description": "JSON Pointer (RFC 6901) into the body; for the query and the path"
                        " `/` and the parameter's name; empty for the request as a whole.",
                    },
                    "detail": {"type": "string"},
                },
            },
        },
        "errors_truncated": {
            "type": "boolean",
            "const": True,
            "description": "Only there where `errors` leaves some out: more than "
            f"{MOST_FAULTS} are not told, nor is all looked for in what has far too many parts.",
        },
    },
}

_INTRODUCTION = """
A self-hosted notification hub for online marketplaces.

Send `Authorization: Bearer KEY`; a key belongs to one shop and has scopes. Bodies are JSON in UTF-8, one MiB
at most. Times are RFC 3339 with an offset, ids are UUIDv7, money is a decimal string. Unknown fields are
refused, except inside `data`, `attributes` and `meta`. Every error is `application/problem+json`.
"""

_REF = "#/components/schemas/{model}"
_PATH_PART = re.compile(r"\{(\w+)\}")

Models = Mapping[Any, Mapping[str, Any]]
"""The schema of each (model, mode)."""


def document(routes: Iterable[Route]) -> dict[str, Any]:
    """All but `servers`, which each hub has of its own."""
    shown = [route for route in routes if route.documented]
    models, definitions = models_json_schema(list(dict.fromkeys(_models(shown))), ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for route in shown:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, models)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Vestnik",
            "version": _version(),
            "description": cleandoc(_INTRODUCTION),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "tags": [{"name": tag} for tag in dict.fromkeys(route.tag for route in shown)],
        "paths": paths,
        "webhooks": callbacks.described(),
        "components": {
            "schemas": {"Problem": _PROBLEM} | definitions.get("$defs", {}),
            "responses": dict(_problem_responses()),
            "headers": _RESPONSE_HEADERS,
            "parameters": {
                name: {"name": name, "in": "header"} | dict(header)
                for name, header in {**REQUEST_HEADERS, "X-Request-Id": _ANY_REQUEST_ID}.items()
            },
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key of the shop, made by `vestnik keys create`.",
                }
            },
        },
    }


def _models(routes: Iterable[Route]) -> Iterator[tuple[type[BaseModel], JsonSchemaMode]]:
    for route in routes:
        if route.body:
            yield route.body, "validation"
        for answer in route.answers.values():
            if isinstance(answer, type):
                yield answer, "serialization"


def _operation(route: Route, models: Models) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "tags": [route.tag],
        "summary": route.summary,
        "description": cleandoc(route.handler.__doc__ or route.summary),
        "parameters": list(_parameters(route)),
        "responses": {str(int(status)): _answer(route, status, models) for status in route.answers},
    }
    for status in _problem_statuses(route):
        operation["responses"].setdefault(str(status), {"$ref": f"#/components/responses/{status}"})
    if route.body:
        schema = models[route.body, "validation"]
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema}},
        }
    if route.scope is PUBLIC:
        operation["security"] = []
    else:
        operation["security"] = [{"key": []}]
        operation["x-scope"] = str(route.scope)
        also = f" or `{route.also}`" if route.also else ""
        operation["description"] += f"\n\nScope: `{route.scope}`{also}."
    return operation


def _parameters(route: Route) -> Iterator[Mapping[str, Any]]:
    for name in _PATH_PART.findall(route.path):
        schema: dict[str, Any] = {"type": "string", "minLength": 1}
        if name == "id":
            schema = {"type": "string", "format": "uuid"}
        yield {"name": name, "in": "path", "required": True, "schema": schema}
    if route.query:
        yield from _query_parameters(route.query)
    for name in (*route.headers, "X-Request-Id"):
        yield {"$ref": f"#/components/parameters/{name}"}


def _query_parameters(model: type[BaseModel]) -> Iterator[Mapping[str, Any]]:
    whole = model.model_json_schema()
    definitions = whole.get("$defs", {})
    for name, schema in whole["properties"].items():
        inlined = _inline(schema, definitions)
        description = inlined.pop("description", None)
        parameter = {
            "name": name,
            "in": "query",
            "required": name in whole.get("required", ()),
            "schema": inlined,
        }
        yield parameter | ({"description": description} if description else {})


def _inline(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """Without references, and without the null that stands for a parameter left out."""
    if isinstance(schema, list):
        return [_inline(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inline(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    schema = {k: _inline(v, definitions) for k, v in schema.items() if k != "title"}
    kinds = [kind for kind in schema.pop("anyOf", []) if kind != {"type": "null"}]
    if len(kinds) == 1:
        schema |= kinds[0]
    elif kinds:
        schema["anyOf"] = kinds
    if schema.get("default", ...) is None:
        del schema["default"]
    return schema


def _answer(route: Route, status: int, models: Models) -> dict[str, Any]:
    answer = route.answers[status]
    headers = ["X-Request-Id"]
    if "Idempotency-Key" in route.headers:
        headers.append("Idempotent-Replayed")
    described: dict[str, Any] = {
        "description": HTTPStatus(status).phrase,
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in headers},
    }
    if isinstance(answer, str):
        kind = "object" if answer == "application/json" else "string"
        described["content"] = {answer: {"schema": {"type": kind}}}
    elif answer is not None:
        described["content"] = {"application/json": {"schema": models[answer, "serialization"]}}
    return described


def _problem_statuses(route: Route) -> list[int]:
    found = set(route.problems)
    if route.is_api:
        found |= {400, 401, 403, 429, 500, 503}
    if "{" in route.path:
        found.add(404)
    if route.body:
        found |= {408, 413, 415}
    return sorted(found)


def _problem_responses() -> Iterator[tuple[str, dict[str, Any]]]:
    by_status: dict[int, list[str]] = {}
    for kind in problems.kinds():
        by_status.setdefault(int(kind.status), []).append(kind.title)
    for status, titles in by_status.items():
        names = ["X-Request-Id"]
        if status in (429, 503):
            names.append("Retry-After")
        yield (
            str(status),
            {
                "description": "; ".join(titles),
                "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names},
                "content": {
                    problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}
                },
            },
        )


def _version() -> str:
    try:
        return version("vestnik")
    except PackageNotFoundError:
        # Run from a checkout that was never installed.
        return "0"
