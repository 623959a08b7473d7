"""Templates: the built-in ones, and the shop's own versions over them."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Self

from aiohttp import web
from pydantic import Field

from channels.base import Category, Channel
from hub.api.acting import actor_of
from hub.api.body import In, Out, Query, answer, parse, path_text, read_query
from hub.api.keys import API_KEY, HUB, SHOP
from hub.api.paging import ListQuery, Page, page, position
from hub.api.routes import Routes
from hub.content import service
from hub.content.model import (
    Audience,
    OwnBody,
    TemplateDetails,
    TemplateInfo,
    VariantSource,
    Version,
)
from hub.errors import Fault, InvalidInput
from hub.shops.keys import Scope

routes = Routes("Templates")


class VariableOut(Out):
    name: str = Field(description="A dotted path into `data`, `[]` for each item of a list.")
    required: bool
    example: Any


class TemplateOut(Out):
    name: str
    audience: list[Audience] = Field(description="Who is told; each has a variant.")
    category: Category
    channels: list[Channel]
    languages: list[str]
    variables: list[VariableOut]
    own: bool = Field(description="The shop has its own version of some part of it.")

    @classmethod
    def of(cls, info: TemplateInfo) -> Self:
        return cls(**_shown(info))


class SourceOut(Out):
    channel: Channel
    locale: str
    audience: Audience
    built_in: bool
    subject: str
    text: str
    html: str

    @classmethod
    def of(cls, source: VariantSource) -> Self:
        return cls(
            channel=source.variant.channel,
            locale=source.variant.locale,
            audience=source.variant.audience,
            built_in=source.built_in,
            subject=source.source.subject,
            text=source.source.text,
            html=source.source.html,
        )


class VersionOut(Out):
    number: int = Field(description="Counts from 1 for each channel, locale and audience.")
    channel: Channel
    locale: str
    audience: Audience
    category: Category
    subject: str
    text: str
    html: str
    deleted: bool = Field(description="From here on the built-in one counted again.")
    author: str = Field(description="The key that stored it.")
    created_at: datetime

    @classmethod
    def of(cls, version: Version) -> Self:
        return cls(
            number=version.number,
            channel=version.variant.channel,
            locale=version.variant.locale,
            audience=version.variant.audience,
            category=version.category,
            subject=version.source.subject,
            text=version.source.text,
            html=version.source.html,
            deleted=version.deleted,
            author=version.author,
            created_at=version.created_at,
        )


class TemplateDetailsOut(TemplateOut):
    sources: list[SourceOut] = Field(description="What is in force, Jinja2.")
    versions: list[VersionOut] = Field(description="Every version of the shop's, newest first.")

    @classmethod
    def of_details(cls, details: TemplateDetails) -> Self:
        return cls(
            **_shown(details.info),
            sources=[SourceOut.of(source) for source in details.sources],
            versions=[VersionOut.of(version) for version in details.versions],
        )


class TemplateIn(In):
    subject: str = Field(default="", description="For email and push.")
    text: str = Field(default="", description="Jinja2; for email it may be left out beside `html`.")
    html: str = Field(default="", description="For email, telegram and max.")
    audience: Audience = Audience.BUYER
    category: Category | None = Field(
        default=None,
        description="For a name of your own; `transactional` if left out. It cannot be changed later.",
    )


class DeleteQuery(Query):
    audience: Audience | None = Field(default=None, description="All of them if left out.")


def _shown(info: TemplateInfo) -> dict[str, Any]:
    return {
        "name": info.name,
        "audience": list(info.audience),
        "category": info.category,
        "channels": list(info.channels),
        "languages": list(info.languages),
        "variables": [
            VariableOut(name=v.name, required=v.required, example=v.example) for v in info.variables
        ],
        "own": info.own,
    }


@routes.get(
    "/v1/templates",
    name="templates.list",
    scope=Scope.READ,
    summary="List templates",
    query=ListQuery,
    answers={200: Page[TemplateOut]},
)
async def listed(request: web.Request) -> web.StreamResponse:
    """The built-in ones and the shop's own, by name, with an example of every variable."""
    hub, shop = request.app[HUB], request[SHOP]
    query = read_query(request, ListQuery)
    last = position(request, query) or ""
    infos = [t for t in service.list_templates(hub.catalog, shop.id) if t.name > last]
    return answer(page(request, query, infos, key=lambda info: info.name, show=TemplateOut.of))


@routes.get(
    "/v1/templates/{name}",
    name="templates.get",
    scope=Scope.READ,
    summary="Show a template",
    answers={200: TemplateDetailsOut},
)
async def shown(request: web.Request) -> web.StreamResponse:
    """With the sources in force and every version the shop ever stored."""
    hub, shop = request.app[HUB], request[SHOP]
    details = await service.get_template(hub.db, hub.catalog, shop.id, path_text(request, "name"))
    return answer(TemplateDetailsOut.of_details(details))


@routes.put(
    "/v1/templates/{name}/{channel}/{locale}",
    name="templates.put",
    scope=Scope.ADMIN,
    summary="Store the shop's own version",
    body=TemplateIn,
    answers={200: VersionOut},
    problems=(422,),
)
async def put(request: web.Request) -> web.StreamResponse:
    """Checked by rendering it with example data, then in force everywhere within seconds. Earlier versions
    are kept. A name that is not among the built-in ones makes a template of the shop's own."""
    hub, shop = request.app[HUB], request[SHOP]
    channel = _channel(request)
    name, locale = path_text(request, "name"), path_text(request, "locale")
    body = await parse(request, TemplateIn)
    version = await service.put_version(
        hub.db,
        hub.catalog,
        shop.id,
        name,
        channel,
        locale,
        OwnBody(body.audience, body.category, body.subject, body.text, body.html),
        author=_author(request),
        by=actor_of(request),
    )
    return answer(VersionOut.of(version))


@routes.delete(
    "/v1/templates/{name}/{channel}/{locale}",
    name="templates.delete",
    scope=Scope.ADMIN,
    summary="Go back to the built-in version",
    query=DeleteQuery,
    answers={204: None},
)
async def delete(request: web.Request) -> web.StreamResponse:
    """The shop's versions stay in the history. A template of the shop's own is gone with its last text."""
    hub, shop = request.app[HUB], request[SHOP]
    query = read_query(request, DeleteQuery)
    channel = _channel(request)
    await service.delete_version(
        hub.db,
        hub.catalog,
        shop.id,
        path_text(request, "name"),
        channel,
        path_text(request, "locale"),
        audience=query.audience,
        author=_author(request),
        by=actor_of(request),
    )
    return answer()


def _channel(request: web.Request) -> Channel:
    try:
        return Channel(request.match_info["channel"])
    except ValueError:
        allowed: Iterable[str] = Channel
        detail = f"must be one of {', '.join(allowed)}"
        raise InvalidInput(faults=[Fault("/channel", detail)]) from None


def _author(request: web.Request) -> str:
    key = request[API_KEY]
    return key.name or key.prefix
