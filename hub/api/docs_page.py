"""`/openapi.json`, and the same document as a page for people, without JavaScript and foreign hosts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import orjson
from aiohttp import web
from jinja2 import Environment, StrictUndefined, Template

from hub.api import problems
from hub.api.routes import PUBLIC, Routes

_CSP = "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'"
_FOLDER = files("templates").joinpath("pages")

routes = Routes("Service")


@dataclass(frozen=True, slots=True)
class Documents:
    """Made once: nothing in them changes while the process runs."""

    openapi: bytes
    page: bytes
    style: bytes


DOCUMENTS = web.AppKey("documents", Documents)


def documents(openapi: Mapping[str, Any]) -> Documents:
    page = _template().render(
        api=openapi,
        groups=_groups(openapi),
        problems=[(kind.status, kind.code, kind.title) for kind in problems.kinds()],
        type_of=problems.type_of,
    )
    return Documents(
        openapi=orjson.dumps(openapi),
        page=page.encode(),
        style=_FOLDER.joinpath("docs.css").read_bytes(),
    )


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(_FOLDER.joinpath("docs.html").read_text(encoding="utf-8"))


def _groups(openapi: Mapping[str, Any]) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """Operations by tag, each with its `method`, `path` and what `$ref` stood for in its parameters."""
    found: dict[str, list[dict[str, Any]]] = {tag["name"]: [] for tag in openapi["tags"]}
    named = openapi["components"]["parameters"]
    for path, methods in openapi["paths"].items():
        for method, operation in methods.items():
            parameters = [
                named[p["$ref"].rpartition("/")[2]] if "$ref" in p else p
                for p in operation["parameters"]
            ]
            found[operation["tags"][0]].append(
                operation | {"method": method.upper(), "path": path, "parameters": parameters}
            )
    return found


@routes.get(
    "/openapi.json",
    name="openapi",
    scope=PUBLIC,
    summary="This document",
    answers={200: "application/json"},
)
async def openapi(request: web.Request) -> web.StreamResponse:
    """OpenAPI 3.1."""
    body = request.app[DOCUMENTS].openapi
    return web.Response(
        body=body,
        content_type="application/json",
        charset="utf-8",
        headers={"Cache-Control": "no-cache"},
    )


@routes.get("/docs", name="docs", scope=PUBLIC, summary="The documentation", documented=False)
async def docs(request: web.Request) -> web.StreamResponse:
    return web.Response(
        body=request.app[DOCUMENTS].page,
        content_type="text/html",
        charset="utf-8",
        headers={"Content-Security-Policy": _CSP, "Cache-Control": "no-cache"},
    )


@routes.get("/docs.css", name="docs.style", scope=PUBLIC, summary="Its style", documented=False)
async def style(request: web.Request) -> web.StreamResponse:
    body = request.app[DOCUMENTS].style
    return web.Response(
        body=body,
        content_type="text/css",
        charset="utf-8",
        headers={"Cache-Control": "max-age=3600"},
    )
