"""What the provider `sandbox` kept instead of sending."""

from datetime import datetime
from http import HTTPStatus
from typing import Any, Self
from uuid import UUID

from aiohttp import web
from pydantic import Field, model_validator

from channels.base import Channel
from hub.accounts.sandbox import Kept, kept, one
from hub.api.body import In, Out, answer, parse, path_id, read_query
from hub.api.keys import HUB, SHOP
from hub.api.paging import ListQuery, Page, page, position
from hub.api.routes import Routes
from hub.contacts import updates
from hub.contacts.addresses import normalise
from hub.errors import Fault, InvalidInput, NotFound, Unprocessable
from hub.inbound import service as inbound
from hub.shops.keys import Scope

routes = Routes("Sandbox")


class MessagesQuery(ListQuery):
    channel: Channel | None = None
    to: str | None = Field(default=None, max_length=4096, description="The address, exactly.")


class MessageOut(Out):
    id: UUID
    notification_id: UUID | None
    delivery_id: UUID | None = Field(description="null: a bot's answer, which is no delivery.")
    channel: Channel
    to: str
    subject: str
    text: str
    html: str
    buttons: list[list[dict[str, Any]]] = Field(description="Rows of buttons.")
    created_at: datetime
    edited_at: datetime | None = Field(description="When it was last changed in place.")

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
            edited_at=message.edited_at,
        )


class PressIn(In):
    """One of the two."""

    button: str | None = Field(
        default=None, min_length=1, max_length=200, description="The text on it, exactly."
    )
    data: str | None = Field(
        default=None, max_length=255, description="What is behind it; it may be a forged one."
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.button is None) == (self.data is None):
            raise ValueError('give either "button" or "data"')
        return self


class WordsIn(In):
    channel: Channel = Field(
        description="`telegram`, `vk`, `max`, or `sms`, `whatsapp`, `viber`, where there is no bot."
    )
    address: str = Field(min_length=1, max_length=64, description="Who writes: as in `to`.")
    text: str = Field(min_length=1, max_length=4096, description="`/orders`, `/start …`, anything.")
    person: str | None = Field(
        default=None,
        min_length=1,
        max_length=64,
        description="Who of a group writes, where `address` is a group's.",
    )


class PressOut(Out):
    message_id: UUID
    data: str


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


@routes.post(
    "/v1/sandbox/messages/{id}/press",
    name="sandbox.press",
    scope=Scope.ORDERS,
    summary="Press a button under a message the sandbox kept",
    body=PressIn,
    answers={202: PressOut},
)
async def press(request: web.Request) -> web.StreamResponse:
    """As the receiver of the message would in the messenger: the press is stored, and the bots do what it
    asks for a moment later. What they answer is kept as a message to the same address; the message that was
    pressed changes in place. Each call is a press of its own."""
    hub, shop = request.app[HUB], request[SHOP]
    body = await parse(request, PressIn)
    message = await one(hub.db, shop.id, path_id(request, "id"))
    if message is None:
        raise NotFound("there is no kept message with this id")
    data = body.data if body.data is not None else _behind(message, body.button or "")
    await updates.store_press(hub, shop.id, message.channel, message.to, message.id, data)
    return answer(PressOut(message_id=message.id, data=data), status=HTTPStatus.ACCEPTED)


@routes.post(
    "/v1/sandbox/messages",
    name="sandbox.say",
    scope=Scope.ORDERS,
    summary="Write to the shop as somebody would",
    body=WordsIn,
    answers={202: None},
)
async def say(request: web.Request) -> web.StreamResponse:
    """What is answered a moment later is kept as a message to the same address."""
    hub, shop = request.app[HUB], request[SHOP]
    body = await parse(request, WordsIn)
    address = _address(body.channel, body.address, "/address")
    if body.channel in inbound.PLAYED:
        await inbound.play(hub, shop.id, body.channel, address, body.text)
        return web.Response(status=HTTPStatus.ACCEPTED)
    person = _address(body.channel, body.person, "/person") if body.person else None
    await updates.store_words(hub, shop.id, body.channel, address, body.text, person=person)
    return web.Response(status=HTTPStatus.ACCEPTED)


def _address(channel: Channel, value: str, pointer: str) -> str:
    try:
        return normalise(channel, value)
    except ValueError as error:
        raise InvalidInput(faults=[Fault(pointer, str(error))]) from None


def _behind(message: Kept, text: str) -> str:
    for button in (button for row in message.buttons for button in row):
        if button["text"] == text:
            if not button["data"]:
                raise Unprocessable(faults=[Fault("/button", "opens a link and is not pressed")])
            return str(button["data"])
    raise Unprocessable(faults=[Fault("/button", "the message has no such button")])
