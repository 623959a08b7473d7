"""Fixtures that every test may use: real PostgreSQL and Redis, started once."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import uvloop

from hub.embedded.folder import locked
from hub.embedded.servers import Servers
from tests.leaks import _nothing_leaks, pytest_configure, pytest_runtest_makereport
from tests.schedule import (
    pytest_collection,
    pytest_collection_finish,
    pytest_collection_modifyitems,
    pytest_xdist_make_scheduler,
)

__all__ = [
    "_nothing_leaks",
    "pytest_collection",
    "pytest_collection_finish",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_runtest_makereport",
    "pytest_xdist_make_scheduler",
]


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop that all roles have; beside that, it takes a quarter less of the machine than asyncio's own."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """The hub's own servers, one pair for all tests."""
    data: Path = tmp_path_factory.mktemp("servers")
    started = Servers(data, durable=False)
    # A runner of our own: the tests' event loops stay as pytest-asyncio made them.
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner, locked(data):
        runner.run(started.start())
        yield started
        runner.run(started.stop())


@pytest.fixture(scope="session")
def database_url(servers: Servers) -> str:
    return servers.urls.database


@pytest.fixture(scope="session")
def redis_url(servers: Servers) -> str:
    return servers.urls.redis
