"""A shop with two warehouses, its people in one messenger, and everything of the hub that runs between them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

# Imported before the clock runs: the frameworks take seconds, in which this process would serve nobody.
import bots.telegram
import bots.vk  # noqa: F401
from bots.main import serve as serve_bots
from channels.base import Channel
from hub.api.app import make_app
from hub.api.server import bind, serve
from hub.config import ChannelOrder, HubSettings, OrderSettings, Settings, Shop
from hub.ids import new_id
from hub.queue import Lane, connect
from hub.resources import Hub, open_hub
from hub.shops import keys
from hub.shops.keys import Scope
from hub.worker.main import work
from tests.bots.messengers import Messenger, Seen
from tests.emptying import empty
from tests.hub.api.client import Api

ANNA, BORIS, VERA, SELLER, BUYER = 101, 102, 103, 107, 142
"""Anna and Boris keep the warehouse `north`, Vera `south`."""

_PEOPLE: dict[int, dict[str, Any]] = {
    ANNA: {"role": "warehouse", "name": "Анна", "warehouses": ["north"]},
    BORIS: {"role": "warehouse", "name": "Борис", "warehouses": ["north"]},
    VERA: {"role": "warehouse", "name": "Вера", "warehouses": ["south"]},
    SELLER: {"role": "seller", "name": "ИП Петрова"},
    BUYER: {"role": "buyer", "name": "Глеб"},
}


class Scene:
    def __init__(self, hub: Hub, api: Api, messenger: Messenger) -> None:
        self.hub = hub
        self.api = api
        self.messenger = messenger

    async def people(self) -> None:
        for person, fields in _PEOPLE.items():
            self.messenger.add_person(person)
            address = {str(self.messenger.channel): str(person)}
            answer = await self.api.put(f"/v1/contacts/p{person}", {**fields, "addresses": address})
            assert answer.status in (200, 201), answer.raw

    async def order(self, number: str = "1001", *lines: dict[str, Any]) -> None:
        body = {
            "number": number,
            "status": "placed",
            "buyer": {"external_id": f"p{BUYER}"},
            "currency": "RUB",
            "lines": list(lines) or [line("1", 2), line("2", 1), line("3", 5, place="south")],
        }
        answer = await self.api.put(f"/v1/orders/{number}", body)
        assert answer.status in (200, 201), answer.raw

    async def status(self, number: str, status: str, **more: Any) -> None:
        answer = await self.api.post(f"/v1/orders/{number}/status", {"status": status, **more})
        assert answer.status == 200, answer.raw

    async def details(self, number: str = "1001") -> dict[str, Any]:
        found: dict[str, Any] = (await self.api.get(f"/v1/orders/{number}")).json
        return found

    async def confirmed(self, number: str = "1001") -> dict[str, int | None]:
        found = await self.details(number)
        return {
            one["id"]: one["confirmed"]
            for request in found["stock_requests"]
            for one in request["lines"]
        }

    async def question(self, person: int, text: str = "есть ли товары") -> Seen:
        """The latest message in that chat that says so and has buttons."""
        return await self.message(person, lambda seen: text in seen.text and bool(seen.buttons))

    async def message(self, person: int, fits: Callable[[Seen], bool]) -> Seen:
        found: list[Seen] = []

        async def there() -> bool:
            found[:] = [seen for seen in await self.messenger.chat(person) if fits(seen)]
            return bool(found)

        try:
            await until(there)
        except TimeoutError:
            stands = [(s.text, list(s.buttons)) for s in await self.messenger.chat(person)]
            raise AssertionError(f"not among {stands}, {await self.messenger.toasts()}") from None
        return found[-1]

    async def press(self, person: int, message: Seen, button: str) -> None:
        """The button that begins so, as the message stands now."""
        now = next(s for s in await self.messenger.chat(person) if s.id == message.id)
        data = next((d for text, d in now.buttons.items() if text.startswith(button)), None)
        assert data is not None, f"no button {button!r} among {list(now.buttons)}"
        await self.messenger.press(person, now, data)

    async def toast(self, text: str) -> None:
        async def there() -> bool:
            return any(text in toast for toast in await self.messenger.toasts())

        try:
            await until(there)
        except TimeoutError:
            raise AssertionError(f"no {text!r} in {await self.messenger.toasts()}") from None

    async def toasts(self, text: str, count: int) -> None:
        async def there() -> bool:
            return [text in toast for toast in await self.messenger.toasts()].count(True) == count

        await until(there)

    async def answered(self, number: str, lines: dict[str, int]) -> None:
        async def so() -> bool:
            return await self.confirmed(number) == lines

        await until(so)

    async def said(self, person: int, text: str) -> None:
        """As a message of its own or, where those without buttons are not told apart, for a moment."""

        async def there() -> bool:
            written = [seen.text for seen in await self.messenger.chat(person)]
            return any(text in one for one in [*written, *await self.messenger.toasts()])

        await until(there)

    async def handled(self) -> None:
        async def none_left() -> bool:
            left = await self.hub.db.fetchval(
                "SELECT (SELECT count(*) FROM bot_update WHERE handled_at IS NULL)"
                " + (SELECT count(*) FROM message_edit WHERE due_at < now() + interval '1 minute')"
            )
            return bool(left == 0)

        await until(none_left)


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 15) -> None:
    async with asyncio.timeout(seconds):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.03)


def line(id_: str, quantity: int, *, place: str = "north", **more: Any) -> dict[str, Any]:
    return {
        "id": id_,
        "sku": f"A-{id_}",
        "title": f"Чайник {id_}",
        "quantity": quantity,
        "price": "1990.00",
        "seller": {"external_id": f"p{SELLER}"},
        "warehouse": {"external_id": place},
        **more,
    }


@asynccontextmanager
async def playing(
    base: HubSettings, messenger: Messenger, *, roles: bool = True
) -> AsyncIterator[Scene]:
    """API, worker and bots over an empty database. `roles` False: only the API."""
    listening = bind("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    shop = Shop(
        name="Ромашка",
        accounts=(messenger.account(),),
        # MAX is used by those who say so.
        channels=ChannelOrder(transactional=(*ChannelOrder().transactional, Channel.MAX)),
        order=OrderSettings(
            remind_after=timedelta(minutes=10), answer_within=timedelta(minutes=30)
        ),
    )
    settings = Settings(
        hub=base.model_copy(update={"public_url": url, "rate_limit": 0}), shops={"main": shop}
    )
    async with open_hub(settings, pool_size=20) as hub:
        await _empty(hub)
        _, key = await keys.create(hub.db, "main", (Scope.ADMIN,))
        async with serve(make_app(hub), listening), Api(url, key) as api:
            scene = Scene(hub, api, messenger)
            await scene.people()
            if not roles:
                yield scene
                return
            async with (
                _role(lambda stop: serve_bots(hub, stop)),
                _role(lambda stop: work(hub, list(Lane), stop, worker=new_id())),
            ):
                await messenger.open(hub, url)
                yield scene


@asynccontextmanager
async def _role(run: Callable[[asyncio.Event], Awaitable[None]]) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.ensure_future(run(stop))
    try:
        yield
    finally:
        stop.set()
        async with asyncio.timeout(20):
            await task


async def _empty(hub: Hub) -> None:
    await empty(hub.db)
    redis = connect(hub.settings.hub.redis_url.get_secret_value())
    await redis.flushdb()
    await redis.aclose()
