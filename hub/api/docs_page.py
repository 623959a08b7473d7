"""`/openapi.json`, and the same document as a page for people, without JavaScript and foreign hosts."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
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
    openapi: bytes
    page: bytes


DOCUMENTS: web.AppKey[Callable[[], Documents]] = web.AppKey("documents")
"""Makes them when they are first asked for and keeps them: nothing in them changes while the process runs."""


def documents(openapi: Mapping[str, Any]) -> Documents:
    page = _template().render(
        api=openapi,
        groups=_groups(openapi),
        problems=[(kind.status, kind.code, kind.title) for kind in problems.kinds()],
        type_of=problems.type_of,
    )
    return Documents(orjson.dumps(openapi), page.encode())


async def _made(request: web.Request) -> Documents:
    """In a thread: the first time it takes half a second, in which others want to be served."""
    return await asyncio.to_thread(request.app[DOCUMENTS])


@cache
def _style() -> bytes:
    return _FOLDER.joinpath("docs.css").read_bytes()


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
    return web.Response(
        body=(await _made(request)).openapi,
        content_type="application/json",
        charset="utf-8",
        headers={"Cache-Control": "no-cache"},
    )


@routes.get("/docs", name="docs", scope=PUBLIC, summary="The documentation", documented=False)
async def docs(request: web.Request) -> web.StreamResponse:
    return web.Response(
        body=(await _made(request)).page,
        content_type="text/html",
        charset="utf-8",
        headers={"Content-Security-Policy": _CSP, "Cache-Control": "no-cache"},
    )


@routes.get("/docs.css", name="docs.style", scope=PUBLIC, summary="Its style", documented=False)
async def style(_request: web.Request) -> web.StreamResponse:
    return web.Response(
        body=_style(),
        content_type="text/css",
        charset="utf-8",
        headers={"Cache-Control": "max-age=3600"},
    )
