"""What the provider `sandbox` kept instead of sending."""

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from aiohttp import web
from pydantic import Field

from channels.base import Channel
from hub.accounts.sandbox import Kept, kept
from hub.api.body import Out, answer, read_query
from hub.api.keys import HUB, SHOP
from hub.api.paging import ListQuery, Page, page, position
from hub.api.routes import Routes
from hub.shops.keys import Scope

routes = Routes("Sandbox")


class MessagesQuery(ListQuery):
    channel: Channel | None = None
    to: str | None = Field(default=None, max_length=4096, description="The address, exactly.")


class MessageOut(Out):
    id: UUID
    notification_id: UUID | None
    delivery_id: UUID
    channel: Channel
    to: str
    subject: str
    text: str
    html: str
    buttons: list[list[dict[str, Any]]] = Field(description="Rows of buttons.")
    created_at: datetime

    @classmethod
    def of(cls, message: Kept) -> Self:
        return cls(
            id=message.id,
            notification_id=message.notification_id,
            delivery_id=message.delivery_id,
            channel=message.channel,
            to=message.to,
            subject=message.subject,
            text=message.text,
            html=message.html,
            buttons=message.buttons,
            created_at=message.created_at,
        )


@routes.get(
    "/v1/sandbox/messages",
    name="sandbox.messages",
    scope=Scope.READ,
    summary="List the messages the sandbox kept",
    query=MessagesQuery,
    answers={200: Page[MessageOut]},
)
async def messages(request: web.Request) -> web.StreamResponse:
    """Newest first. Channels without an account of their own, and those with the provider `sandbox`,
    send to nobody: what would have gone out is kept here."""
    hub, shop = request.app[HUB], request[SHOP]
    query = read_query(request, MessagesQuery)
    last = position(request, query)
    rows = await kept(
        hub.db,
        shop.id,
        channel=query.channel,
        to=query.to,
        before=UUID(last) if last else None,
        limit=query.limit + 1,
    )
    return answer(page(request, query, rows, key=lambda row: str(row.id), show=MessageOut.of))
