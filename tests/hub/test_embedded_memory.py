"""How much of the machine's memory the embedded PostgreSQL takes for its tables."""

from pathlib import Path

import asyncpg
import pytest

from hub.embedded.memory import for_pages, there_is
from hub.embedded.servers import Servers

GIB = 1024**3


@pytest.mark.parametrize(
    ("memory", "pages"),
    [(GIB // 2, "128MB"), (2 * GIB, "256MB"), (4 * GIB, "512MB"), (64 * GIB, "512MB")],
)
def test_takes_an_eighth_within_bounds(memory: int, pages: str) -> None:
    assert for_pages(memory) == pages


def test_a_container_has_what_it_is_given(tmp_path: Path) -> None:
    limit = tmp_path / "memory.max"
    limit.write_text("1073741824\n")
    unlimited = tmp_path / "unlimited"
    unlimited.write_text("max\n")

    assert there_is((limit,)) == GIB
    assert there_is((unlimited, tmp_path / "absent")) == there_is(())


async def test_a_new_database_is_made_with_it(tmp_path: Path) -> None:
    servers = Servers(tmp_path / "data", redis=False, durable=False)
    await servers.start()
    try:
        connection = await asyncpg.connect(servers.urls.database)
        try:
            assert await connection.fetchval("SHOW shared_buffers") == for_pages(there_is())
        finally:
            await connection.close()
    finally:
        await servers.stop()
