"""The table of routes: what is served, to whom, with which models in and out. OpenAPI is made of it."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from typing import Final, Required, TypedDict, Unpack

from aiohttp import web
from pydantic import BaseModel

from hub.errors import HubError
from hub.shops.keys import Scope

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

Tell = Callable[[web.Request, HubError], web.StreamResponse]

PUBLIC: Final = None
"""Instead of a scope: no key is asked for, and the handler has no shop."""

TIMEOUT = timedelta(seconds=6)

Answer = type[BaseModel] | str | None
"""A model; the media type of what is not JSON; None for an answer without a body."""


class Details(TypedDict, total=False):
    """What a route says of itself.

    `name` is unique, the name in metrics and `operationId`. `also`: another scope that is as good as `scope`,
    so that whoever may change something may look at it. `headers`: request headers by their names in
    `hub.api.openapi.REQUEST_HEADERS`. `problems`: statuses beyond those that key, body, query and path bring
    along by themselves (404, 409, 422). `is_work`: it brings work, and is refused where there is no room for more.
    `documented`: whether it stands in the OpenAPI document. `tell`: how an error is told, if not as a problem in JSON.
    """

    name: Required[str]
    scope: Required[Scope | None]
    also: Scope | None
    summary: Required[str]
    body: type[BaseModel] | None
    query: type[BaseModel] | None
    answers: Mapping[int, Answer]
    headers: Sequence[str]
    problems: Sequence[int]
    timeout: timedelta
    is_work: bool
    documented: bool
    tell: Tell | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    method: str
    path: str
    handler: Handler
    tag: str
    name: str
    scope: Scope | None
    summary: str
    also: Scope | None = None
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    answers: Mapping[int, Answer] = field(default_factory=lambda: {HTTPStatus.OK: None})
    headers: Sequence[str] = ()
    problems: Sequence[int] = ()
    timeout: timedelta = TIMEOUT
    is_work: bool = False
    documented: bool = True
    tell: Tell | None = None

    @property
    def is_api(self) -> bool:
        return self.path.startswith("/v1/")


class Routes:
    """The routes of one module; `tag` is their heading in the documentation."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self._routes: list[Route] = []

    def __iter__(self) -> Iterator[Route]:
        return iter(self._routes)

    def get(self, path: str, **details: Unpack[Details]) -> Callable[[Handler], Handler]:
        """Answers HEAD as well."""
        return self._add("GET", path, details)

    def post(self, path: str, **details: Unpack[Details]) -> Callable[[Handler], Handler]:
        return self._add("POST", path, details)

    def put(self, path: str, **details: Unpack[Details]) -> Callable[[Handler], Handler]:
        return self._add("PUT", path, details)

    def patch(self, path: str, **details: Unpack[Details]) -> Callable[[Handler], Handler]:
        return self._add("PATCH", path, details)

    def delete(self, path: str, **details: Unpack[Details]) -> Callable[[Handler], Handler]:
        return self._add("DELETE", path, details)

    def _add(self, method: str, path: str, details: Details) -> Callable[[Handler], Handler]:
        def register(handler: Handler) -> Handler:
            self._routes.append(
                Route(method=method, path=path, handler=handler, tag=self.tag, **details)
            )
            return handler

        return register
