"""Contacts: made and changed, shown, erased, exported, and bound to messengers by links."""

from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Self
from uuid import UUID

from aiohttp import web
from pydantic import Field

from channels.base import Channel
from hub.api.acting import actor_of
from hub.api.body import In, Out, answer, parse, read_query
from hub.api.keys import HUB, SHOP
from hub.api.paging import ListQuery, Page, page, position
from hub.api.paths import path_external_id
from hub.api.routes import Routes
from hub.audit import log as audit
from hub.audit.model import Action
from hub.contacts import addresses, erasure, export, history, links, model, service
from hub.contacts.model import ConsentState, Contact, ContactIn, Role
from hub.errors import Fault, InvalidInput
from hub.shops.keys import Scope

routes = Routes("Contacts")

_EXPORT_TIMEOUT = timedelta(minutes=10)


class ContactsQuery(ListQuery):
    role: Role | None = None


class ContactOut(Out):
    id: UUID
    external_id: str
    role: Role
    name: str
    locale: str | None
    timezone: str | None
    addresses: dict[str, Any] = Field(
        description="In the shape in which they are given; one that is not verified as an object."
    )
    attributes: dict[str, Any]
    preferences: dict[str, Any]
    consents: dict[str, dict[str, str]]
    warehouses: list[str]
    created_at: datetime | None
    updated_at: datetime | None

    @classmethod
    def of(cls, contact: Contact) -> Self:
        return cls.model_validate(model.shown(contact))


class ConsentOut(Out):
    category: str
    channel: Channel
    state: ConsentState | None = Field(description="null: taken back.")
    via: str = Field(
        description="By what it came: `api`, `console`, `page`, `one-click`, `bot`, `reply`, `provider`."
    )
    source: str = Field(description="As it was given.")
    wording: str = Field(description="What the person read, as it was given.")
    said_at: datetime = Field(description="When the person said it, as the shop tells.")
    at: datetime = Field(description="When the hub heard of it.")
    key_id: UUID | None = Field(
        description="The API key by which the shop said so, or the operator."
    )
    key: str = Field(description="The beginning of that key, or the operator's login.")
    remote: str = Field(description="From which address, where it came over HTTP.")
    addresses: list[str] = Field(description="The person's on that channel at the time.")
    proof: str = Field(
        description="SHA-256 of this object without `proof`, as JSON with sorted names and without spaces, in UTF-8;"
        " of its times as they stand here. It is what stays when the person is erased."
    )

    @classmethod
    def of(cls, line: history.Line) -> Self:
        return cls.model_validate(line, from_attributes=True)


class ProofsIn(In):
    channel: Channel
    address: str = Field(min_length=1, max_length=4096)


class ProofOut(Out):
    category: str
    channel: Channel
    state: ConsentState | None
    via: str
    said_at: datetime
    at: datetime
    erased_at: datetime
    proof: str = Field(description="As `GET /v1/contacts/{external_id}/consents` had shown it.")

    @classmethod
    def of(cls, proof: history.Proof) -> Self:
        return cls.model_validate(proof, from_attributes=True)


class ProofsOut(Out):
    items: list[ProofOut]


class LinkIn(In):
    channel: Channel = Field(description="`telegram`, `vk`, `max` or `viber`.")


class LinkOut(Out):
    url: str = Field(description="Whoever opens it first is bound to the contact.")
    code: str = Field(
        examples=["K7QM-4TXP"],
        description="Typed to the bot it does the same; case and dash do not matter. After 5 wrong ones from one "
        "chat within an hour the bot looks at no more of them.",
    )
    expires_at: datetime


@routes.put(
    "/v1/contacts/{external_id}",
    name="contacts.put",
    is_work=True,
    scope=Scope.CONTACTS,
    summary="Create or change a contact",
    body=ContactIn,
    answers={HTTPStatus.OK: ContactOut, HTTPStatus.CREATED: ContactOut},
)
async def put(request: web.Request) -> web.StreamResponse:
    """What is left out stays as it was, at every level; `null` clears it. Lists are replaced as a whole.

    Phones are stored in E.164 (a number without a country code is read as a Russian one), e-mail addresses
    with their domain in lower case."""
    hub, shop = request.app[HUB], request[SHOP]
    external_id = path_external_id(request)
    body = await parse(request, ContactIn)
    if faults := service.endpoint_faults(body, hub.settings.hub.outgoing_allow):
        raise InvalidInput(faults=faults)
    async with hub.db.acquire() as conn, conn.transaction():
        upserted = await service.upsert(conn, shop.id, external_id, body, by=actor_of(request))
        contact = await service.get(conn, shop.id, external_id)
    status = HTTPStatus.CREATED if upserted.created else HTTPStatus.OK
    return answer(ContactOut.of(contact), status=status)


@routes.get(
    "/v1/contacts/{external_id}",
    name="contacts.get",
    scope=Scope.READ,
    also=Scope.CONTACTS,
    summary="Show a contact",
    answers={HTTPStatus.OK: ContactOut},
    problems=(HTTPStatus.NOT_FOUND,),
)
async def get(request: web.Request) -> web.StreamResponse:
    hub, shop = request.app[HUB], request[SHOP]
    return answer(ContactOut.of(await service.get(hub.db, shop.id, path_external_id(request))))


@routes.get(
    "/v1/contacts",
    name="contacts.list",
    scope=Scope.READ,
    also=Scope.CONTACTS,
    summary="List contacts",
    query=ContactsQuery,
    answers={HTTPStatus.OK: Page[ContactOut]},
)
async def listed(request: web.Request) -> web.StreamResponse:
    """Newest first, without the receivers of one-off messages."""
    hub, shop = request.app[HUB], request[SHOP]
    query = read_query(request, ContactsQuery)
    last = position(request, query)
    rows = await service.list_(
        hub.db,
        shop.id,
        role=query.role,
        before=UUID(last) if last else None,
        limit=query.limit + 1,
    )
    return answer(page(request, query, rows, key=lambda row: str(row.id), show=ContactOut.of))


@routes.delete(
    "/v1/contacts/{external_id}",
    name="contacts.delete",
    scope=Scope.CONTACTS,
    summary="Erase a person",
    answers={HTTPStatus.NO_CONTENT: None},
    problems=(HTTPStatus.NOT_FOUND,),
    timeout=timedelta(seconds=60),
)
async def delete(request: web.Request) -> web.StreamResponse:
    """The person's data goes everywhere, counts and statuses stay. What has not left is cancelled. Addresses
    that must not be written to stay known by their hash alone."""
    hub, shop = request.app[HUB], request[SHOP]
    await erasure.erase(hub, shop.id, path_external_id(request), by=actor_of(request))
    return answer()


@routes.get(
    "/v1/contacts/{external_id}/export",
    name="contacts.export",
    scope=Scope.CONTACTS,
    summary="Export all that is held on a person",
    answers={HTTPStatus.OK: "application/json"},
    problems=(HTTPStatus.NOT_FOUND,),
    timeout=_EXPORT_TIMEOUT,
)
async def exported(request: web.Request) -> web.StreamResponse:
    """Written while it is read: an answer that breaks off is not complete."""
    hub, shop = request.app[HUB], request[SHOP]
    contact = await export.begin(hub.db, shop.id, path_external_id(request), by=actor_of(request))
    response = web.StreamResponse()
    response.content_type, response.charset = "application/json", "utf-8"
    await response.prepare(request)
    try:
        async for piece in export.export(hub.db, shop.id, contact):
            await response.write(piece)
        await response.write_eof()
    except BaseException:
        # An error cannot be told any more; left open, the client would wait for the rest.
        if request.transport:
            request.transport.abort()
        raise
    return response


@routes.get(
    "/v1/contacts/{external_id}/consents",
    name="contacts.consents",
    scope=Scope.READ,
    also=Scope.CONTACTS,
    summary="Show how a contact's consents came about",
    query=ListQuery,
    answers={HTTPStatus.OK: Page[ConsentOut]},
)
async def consents(request: web.Request) -> web.StreamResponse:
    """Newest first: every change, who said it when, from where and in answer to which words. Lines are only added."""
    hub, shop = request.app[HUB], request[SHOP]
    query = read_query(request, ListQuery)
    last = position(request, query)
    contact = await service.get(hub.db, shop.id, path_external_id(request))
    rows = await history.page(
        hub.db, [contact.id], before=int(last) if last else None, limit=query.limit + 1
    )
    return answer(page(request, query, rows, key=lambda row: str(row.id), show=ConsentOut.of))


@routes.post(
    "/v1/consents/proofs",
    name="consents.proofs",
    scope=Scope.CONTACTS,
    summary="Find what proves consents of an erased person",
    body=ProofsIn,
    answers={HTTPStatus.OK: ProofsOut},
)
async def proofs(request: web.Request) -> web.StreamResponse:
    """When a person is erased, of each change of a consent stays when it was, which channel it was about, and a
    digest of the line that `GET /v1/contacts/{external_id}/consents` and the export had shown. They are found by the
    address only."""
    hub, shop = request.app[HUB], request[SHOP]
    body = await parse(request, ProofsIn)
    try:
        value = addresses.normalise(body.channel, body.address)
    except ValueError as fault:
        raise InvalidInput(faults=[Fault("/address", str(fault))]) from None
    async with hub.db.acquire() as conn, conn.transaction():
        found = await history.proofs(conn, shop.id, body.channel, value)
        await audit.record(
            conn, shop.id, actor_of(request), Action.CONSENT_PROVEN, channel=body.channel
        )
    return answer(ProofsOut(items=[ProofOut.of(one) for one in found]))


@routes.post(
    "/v1/contacts/{external_id}/links",
    name="contacts.links.create",
    scope=Scope.CONTACTS,
    summary="Make a link that binds a messenger",
    body=LinkIn,
    answers={HTTPStatus.CREATED: LinkOut},
    problems=(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY),
    timeout=timedelta(seconds=30),
)
async def create_link(request: web.Request) -> web.StreamResponse:
    """Give it to that person only: whoever opens it first, or types its code to the bot, gets this
    contact's messages. Good for 24 hours, once. Where the sandbox carries the channel the link leads to nobody: the
    code is written to the bot with `POST /v1/sandbox/messages`."""
    hub, shop = request.app[HUB], request[SHOP]
    external_id = path_external_id(request)
    body = await parse(request, LinkIn)
    link = await links.create(hub, shop.id, external_id, body.channel, by=actor_of(request))
    shown = LinkOut(url=link.url, code=link.code, expires_at=link.expires_at)
    return answer(shown, status=HTTPStatus.CREATED)
