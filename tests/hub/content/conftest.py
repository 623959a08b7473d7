"""A catalogue of the built-in templates, and a database with two shops for versions of their own."""

from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from channels.base import Channel
from hub.content.catalog import Catalog, Template
from hub.content.model import Audience, Rendered
from hub.content.variables import CONTACT, EXAMPLE, LINKS, SHOP
from hub.db.migrate import migrate
from hub.db.pool import Pool, open_pool

Render = Callable[..., Rendered]
NAME = "content_tests"


@pytest.fixture(scope="session")
def built_in() -> Catalog:
    """Never refreshed, so that all tests may share it."""
    return Catalog()


@pytest.fixture
def render(built_in: Catalog) -> Render:
    """`render("order.shipped", "sms")`: a built-in message, in Russian and for the buyer if not told otherwise."""

    def run(name: str, channel: str = "email", audience: str = "buyer", **given: Any) -> Rendered:
        template = built_in.find(1, name)
        assert template is not None
        return rendered(template, channel, audience, **given)

    return run


def rendered(template: Template, channel: str, audience: str = "buyer", **given: Any) -> Rendered:
    return template.render(
        channel=Channel(channel),
        audience=Audience(audience),
        locale=given.get("locale", "ru"),
        timezone=given.get("timezone", "Europe/Moscow"),
        data=given.get("data", EXAMPLE),
        contact=given.get("contact", CONTACT),
        shop=given.get("shop", SHOP),
        links=given.get("links", LINKS),
    )


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Pool]:
    """A database of its own, migrated once, with the shops 1 and 2 and no versions."""
    server = await asyncpg.connect(database_url)
    url = urlsplit(database_url)._replace(path=f"/{NAME}").geturl()
    # `geturl` drops the empty host of a URL that names a socket in its query.
    url = url if "://" in url else url.replace(":", "://", 1)
    if not await server.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", NAME):
        await server.execute(f"CREATE DATABASE {NAME}")
        await migrate(url)
    await server.close()
    pool = await open_pool(url, size=4)
    await pool.execute("TRUNCATE template_version RESTART IDENTITY")
    await pool.execute("INSERT INTO shop (slug) VALUES ('one'), ('two') ON CONFLICT DO NOTHING")
    yield pool
    await pool.close()
