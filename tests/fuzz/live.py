"""A hub that really runs: its API on a port, in a thread of its own, with everything in it that can be asked for."""

import asyncio
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from pydantic import SecretStr

from channels import registry
from channels.base import AccountConfig, Category, Channel, HookRequest
from channels.http import ProviderHttp
from hub.accounts.hooks import token_of
from hub.api.app import make_app
from hub.api.connection import Bounds
from hub.api.headers import dress
from hub.api.server import bind, serve
from hub.config import Account, HubSettings, Settings, Shop
from hub.db.migrate import migrate
from hub.orders.links import Asked, answer_urls
from hub.orders.model import Kind
from hub.preferences.choices import preferences_url
from hub.preferences.unsubscribe import Leaving
from hub.preferences.unsubscribe import token_of as leaving_token
from hub.resources import Hub, open_hub
from hub.shops import keys
from hub.shops.keys import Scope
from tests.contract.cases import Case, cases
from tests.fuzz.rigs import recorded
from tests.hub.api.client import Api

_CALLED = "called"
"""The shop whose accounts are called back; `main` has none, so that the sandbox carries what it sends."""


@dataclass(frozen=True, slots=True)
class Live:
    url: str
    key: str
    hooks: Mapping[tuple[Channel, str], str]
    """Paths, by channel and provider."""
    calls: Mapping[tuple[Channel, str], Sequence[HookRequest]]
    """What the providers call with, as the contract suite has it."""
    known: Mapping[str, Sequence[str]]
    """Values of path parameters that name something."""
    links: Sequence[str]
    """Paths of pages that open."""

    @property
    def port(self) -> int:
        port = urlsplit(self.url).port
        assert port
        return port


@contextmanager
def running(database_url: str, redis_url: str) -> Iterator[Live]:
    """Stopped when left, with all its tasks."""
    started: Future[Live] = Future()
    loop = asyncio.new_event_loop()
    done = asyncio.Event()

    async def run() -> None:
        try:
            async with AsyncExitStack() as stack:
                live = await _start(stack, database_url, redis_url)
                started.set_result(live)
                await done.wait()
        except BaseException as error:
            if not started.done():
                started.set_exception(error)
            raise

    def work() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(run())

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield started.result(timeout=60)
    finally:
        if not loop.is_closed():
            loop.call_soon_threadsafe(done.set)
        thread.join(timeout=30)


async def _start(stack: AsyncExitStack, database_url: str, redis_url: str) -> Live:
    await migrate(database_url)
    http = ProviderHttp()
    stack.push_async_callback(http.close)
    accounts, called = await _accounts(stack, http)
    settings = Settings(
        hub=HubSettings(
            database_url=SecretStr(database_url),
            redis_url=SecretStr(redis_url),
            secret=SecretStr("only-for-the-tests-of-the-hub"),
            public_url="https://hub.example",
            rate_limit=0,
            wrong_keys=0,
        ),
        shops={"main": Shop(), _CALLED: Shop(accounts=tuple(accounts))},
    )
    hub = await stack.enter_async_context(open_hub(settings))
    listening = bind("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    served = serve(
        make_app(hub),
        listening,
        grace=timedelta(seconds=1),
        bounds=Bounds(head=timedelta(seconds=1), idle=timedelta(seconds=2)),
        dressed=dress(settings.public_url),
    )
    await stack.enter_async_context(served)
    _, key = await keys.create(hub.db, "main", [Scope.ADMIN])
    async with Api(url, key) as api:
        known, links = await _furnish(api, hub)
    shop = hub.shop(_CALLED)
    hooks = {
        (a.channel, a.provider): f"/hooks/{token_of(hub.signer, _CALLED, a.name)}"
        for a in hub.accounts.all()
        if a.shop_id == shop.id
    }
    return Live(url, key, hooks, called, known, links)


async def _accounts(
    stack: AsyncExitStack, http: ProviderHttp
) -> tuple[list[Account], dict[tuple[Channel, str], Sequence[HookRequest]]]:
    """One of each provider that calls back, as its case in the contract suite sets it up, and its calls."""
    made, called = _bots(), {}
    for case in cases():
        if case.hook:
            simulator = await stack.enter_async_context(case.simulator())
            config = await _config(case, simulator, http)
            made.append(_account(case.channel, case.provider, config))
            heard = await recorded(case)
            called[case.channel, case.provider] = heard.calls
    return made, called


async def _config(case: Case, simulator: Any, http: ProviderHttp) -> AccountConfig:
    """What the case builds its adapter of."""
    kind = registry.adapter_class(case.channel, case.provider)
    found: list[AccountConfig] = []
    build: Any = kind.__init__

    def seen(self: Any, config: AccountConfig, http: ProviderHttp) -> None:
        found.append(config)
        build(self, config, http)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kind, "__init__", seen)
        await case.build(simulator, http).close()
    return found[0]


def _bots() -> list[Account]:
    vk: dict[str, Any] = {
        "token": "t",
        "group_id": 1,
        "receive": "callback",
        "secret": "secret",
        "confirmation": "c0ffee",
    }
    plain: dict[str, Any] = {"token": "1:" + "t" * 35, "receive": "webhook"}
    return [
        _account(channel, provider, registry.adapter_class(channel, provider).Config(**config))
        for channel, provider, config in (
            (Channel.TELEGRAM, "bot_api", plain),
            (Channel.MAX, "bot_api", plain),
            (Channel.VK, "community", vk),
        )
    ]


def _account(channel: Channel, provider: str, config: AccountConfig) -> Account:
    name = f"{channel}-{provider}".replace("_", "-")
    return Account(name=name, channel=channel, provider=provider, config=config)


async def _furnish(api: Api, hub: Hub) -> tuple[dict[str, list[str]], list[str]]:
    """Something of everything: else most requests end at "there is no such thing"."""

    async def put(path: str, body: Any) -> Any:
        answer = await api.put(path, body)
        assert answer.status in (200, 201), (path, answer.raw)
        return answer.json

    async def post(path: str, body: Any) -> Any:
        answer = await api.post(path, body)
        assert answer.status in (200, 201, 202), (path, answer.raw)
        return answer.json

    addresses = {"email": "anna@example.com", "phone": "+79990000001", "telegram": "7001"}
    anna = await put(
        "/v1/contacts/anna",
        {"role": "warehouse", "warehouses": ["wh-7"], "addresses": addresses, "name": "Анна"},
    )
    vera = await put("/v1/contacts/vera", {"addresses": {"email": "vera@example.com"}})
    await put("/v1/contacts/s-7", {"role": "seller", "addresses": {"email": "s@example.com"}})
    await put("/v1/warehouses/wh-7", {"name": "Склад"})
    line = {
        "id": "1",
        "sku": "A-1",
        "title": "Чайник",
        "quantity": 2,
        "price": "1990.00",
        "seller": {"external_id": "s-7"},
        "warehouse": {"external_id": "wh-7"},
    }
    order = {"number": "1001", "buyer": {"external_id": "vera"}, "lines": [line]}
    await put("/v1/orders/o-1", order)
    shown = (await api.get("/v1/orders/o-1")).json
    sent = await post(
        "/v1/notifications",
        {"content": {"text": "Привет"}, "recipient": {"external_id": "vera"}},
    )
    hook = await post(
        "/v1/webhooks", {"url": "https://example.com/x", "events": ["order.assembled"]}
    )
    source = await post("/v1/sources", {"name": "shop", "platform": "generic"})
    told = await post("/v1/events", {"kind": "order", "data": {"id": "7", "lines": [{"id": "1"}]}})
    [topic] = source["hooks"]
    asked = shown["stock_requests"][0]["id"]
    known = {
        "external_id": ["anna", "vera", "s-7", "wh-7", "o-1"],
        "id": [sent["id"], hook["id"], asked, anna["id"], source["id"], told["id"]],
        "attempt_id": [hook["id"]],
        "name": ["order.placed"],
        "channel": ["email", "sms", "telegram"],
        "locale": ["ru", "en"],
        "token": ["x", urlsplit(topic["url"]).path.split("/")[2]],
        "topic": [topic["topic"]],
    }
    return known, await _links(hub, UUID(anna["id"]), UUID(vera["id"]), UUID(asked))


async def _links(hub: Hub, anna: UUID, vera: UUID, asked: UUID) -> list[str]:
    question = Asked(hub.shop("main").id, Kind.STOCK, asked, anna)
    urls = await answer_urls(hub, hub.db, [question])
    leaving = leaving_token(hub.signer, Leaving(vera, Channel.EMAIL, Category.MARKETING))
    return [
        urlsplit(urls[question]).path,
        f"/u/{leaving}",
        urlsplit(preferences_url(hub, vera)).path,
    ]
