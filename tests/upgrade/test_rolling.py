"""The version before and this one at work together, on the schema of this one."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.e2e.fleet import Role, command, role_environ
from tests.e2e.sending import Crowd, Place, SlowTelegram, eventually

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="stops processes by signals"),
    pytest.mark.timeout(180),
]


@dataclass(frozen=True)
class Versions:
    """Both on one database and one Redis. `start` takes one of the two and the name of a role."""

    before: Mapping[str, str]
    present: Mapping[str, str]
    start: Callable[[Mapping[str, str], str], Role]


@pytest.fixture(scope="module")
def database(database_url: str) -> str:
    async def make() -> str:
        connection = await asyncpg.connect(database_url)
        await connection.execute("CREATE DATABASE vestnik_upgrade")
        await connection.close()
        return urlsplit(database_url)._replace(path="/vestnik_upgrade").geturl()

    # A runner of our own: the tests' event loops stay as pytest-asyncio made them.
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        return runner.run(make())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("upgrade"))


@pytest.fixture(scope="module")
def versions(
    place: Place, database: str, redis_url: str, version_before: Path
) -> Iterator[Versions]:
    present = role_environ(database, redis_url)
    before = {**present, "PYTHONPATH": str(version_before)}
    command(place.folder, before, "migrate")
    place.key = command(place.folder, before, "keys", "create", "--scope", "admin")
    with ExitStack() as stack:
        count = iter(range(100))

        def start(environ: Mapping[str, str], name: str) -> Role:
            which = "before" if environ is before else "present"
            role = Role(place.folder, environ, name, f"{which}-{name}-{next(count)}.log")
            stack.callback(role.stop)
            return role

        yield Versions(before, present, start)


@pytest.fixture
async def telegram(place: Place) -> AsyncIterator[SlowTelegram]:
    telegram = SlowTelegram()
    await telegram.start(place.telegram_port)
    yield telegram
    await telegram.stop()


@pytest.fixture
async def crowd(versions: Versions, place: Place, telegram: SlowTelegram) -> AsyncIterator[Crowd]:
    async with Crowd(telegram, place) as crowd:
        yield crowd


async def test_nothing_is_lost_and_nothing_doubled_on_the_way_from_one_to_the_next(
    versions: Versions, place: Place, crowd: Crowd, database: str
) -> None:
    crowd.telegram.answers_after = 0.1
    old_api, old_worker = (
        await _api(versions, versions.before),
        await _worker(versions, versions.before),
    )
    place.url = old_api.url
    # What the version before accepted and has not sent when it ends.
    later = datetime.now(UTC) + timedelta(hours=1)
    await crowd.tell(range(100), send_at=later.isoformat())
    await crowd.tell(range(100, 400))
    await crowd.arrived(30)

    # The schema moves on in the middle of its work.
    applied = await asyncio.to_thread(command, place.folder, versions.present, "migrate")
    assert applied.startswith("applied: ")
    new_api = await _api(versions, versions.present)
    place.url = new_api.url
    await crowd.tell(range(400, 500))
    await _worker(versions, versions.present)
    for first in range(500, 800, 50):
        place.url = (old_api, new_api)[first // 50 % 2].url
        await crowd.tell(range(first, first + 50))
    await crowd.arrived(700)

    # A restart of the version before, as when its machine reboots in the middle of it all.
    await _stopped(old_worker)
    old_worker = await _worker(versions, versions.before)
    place.url = new_api.url
    await crowd.tell(range(800, 830))
    await crowd.arrived(730)

    # The last of the version before goes; what it had accepted stays.
    await _stopped(old_worker)
    place.url = old_api.url
    await crowd.tell(range(830, 860))
    await crowd.arrived(760)
    await _stopped(old_api.role)
    place.url = new_api.url

    await _make_due(database)
    await crowd.ended(within=30)
    assert len(crowd.ids) == 860
    assert await crowd.check_arrivals() == 0


@dataclass(frozen=True)
class _Api:
    role: Role
    url: str


async def _api(versions: Versions, environ: Mapping[str, str]) -> _Api:
    role = versions.start(environ, "api")
    return _Api(role, await asyncio.to_thread(role.ready))


async def _worker(versions: Versions, environ: Mapping[str, str]) -> Role:
    role = versions.start(environ, "worker")
    await eventually(lambda: "worker.started" in role.log.read_text(), within=30)
    return role


async def _stopped(role: Role) -> None:
    """Beside this loop, in which the messenger lives that it finishes its calls to."""
    assert await asyncio.to_thread(role.stop) == 0


async def _make_due(database: str) -> None:
    """Everything that is to be sent later."""
    connection = await asyncpg.connect(database)
    await connection.execute(
        "UPDATE delivery SET due_at = now(), handout_at = now()"
        " WHERE status = 'queued' AND due_at > now() + interval '10 minutes'"
    )
    await connection.close()
