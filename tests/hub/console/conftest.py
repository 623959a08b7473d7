"""Operators who are signed in."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from hub.config import Locale
from hub.operators import queries, sessions
from hub.operators.model import Membership, Operator, Right, Role
from hub.resources import Hub
from tests.hub.console.client import Console

PASSWORD = "correct horse battery"
# Of PASSWORD; made cheaply, for the tests' sake.
HASH = "$argon2id$v=19$m=1024,t=1,p=1$hMBD6BV1Z1wyE7uJqnJm+w$hUiqDOJoG2zULHkfczTupALCzZA0xdNRIYNpW4jZyVo"


async def add_operator(
    hub: Hub,
    login: str = "owner@shop.example",
    role: Role = Role.OWNER,
    *,
    shop: str = "main",
    also: frozenset[Right] = frozenset(),
    without: frozenset[Right] = frozenset(),
    locale: Locale = "en",
) -> Operator:
    """With the password `PASSWORD`."""
    shops = {hub.shop(shop).id: Membership(role, also, without)}
    async with hub.db.acquire() as connection:
        made = await queries.add(connection, login, "", HASH, locale, shops)
    assert made
    return made


async def enter(hub: Hub, url: str, operator: Operator, shop: str = "main") -> Console:
    """A client with a session of its own."""
    client = Console(url, shop)
    async with hub.db.acquire() as connection:
        session, token = await sessions.begin(
            connection, operator.id, remote="127.0.0.1", agent="tests"
        )
    client.sign_in_with(token, session.csrf)
    return client


ConsoleFor = Callable[..., Awaitable[Console]]


@pytest.fixture
async def console_for(hub: Hub, url: str) -> AsyncIterator[ConsoleFor]:
    """`await console_for(Role.READER, also=frozenset({Right.SEND}), shop="main", locale="ru")`: somebody signed in."""
    async with AsyncExitStack() as stack:

        async def make(
            role: Role = Role.OWNER, login: str = "", *, shop: str = "main", **more: object
        ) -> Console:
            login = login or f"{role}@shop.example"
            operator = await add_operator(hub, login, role, shop=shop, **more)  # type: ignore[arg-type]
            return await stack.enter_async_context(await enter(hub, url, operator, shop))

        yield make


@pytest.fixture
async def console(console_for: ConsoleFor) -> Console:
    """An owner of the shop `main` who is signed in; the page is in English."""
    return await console_for(Role.OWNER)
