"""Providers that tell what became of a message only when they are asked."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from hub.accounts.limits import RateLimits
from hub.config import Settings
from hub.contacts.erasure import erase
from hub.notifications.statuses import Asker
from hub.notifications.steps import Due
from hub.resources import Hub
from hub.settings_file import load
from tests.hub.api.client import Api
from tests.hub.notifications.conftest import Drive, Shop
from tests.simulators.base import Fault
from tests.simulators.mailchimp_transactional import TOKEN, MailchimpTransactionalSimulator


@pytest.fixture
async def mandrill() -> AsyncIterator[MailchimpTransactionalSimulator]:
    async with MailchimpTransactionalSimulator() as simulator:
        yield simulator


@pytest.fixture
def settings(
    hub_database: str, redis_url: str, tmp_path: Path, mandrill: MailchimpTransactionalSimulator
) -> Settings:
    path = tmp_path / "vestnik.toml"
    path.write_text(
        f"""
[shops.main]
fallback_after = {{ transactional = "10m" }}

[[shops.main.accounts]]
name = "mail"
channel = "email"
provider = "mailchimp_transactional"
token = "{TOKEN}"
from = "Ромашка <shop@example.com>"
base_url = "{mandrill.base_url}"

[[shops.main.accounts]]
name = "phones"
channel = "sms"
provider = "sandbox"
""",
        encoding="utf-8",
    )
    environ = {
        "VESTNIK_DATABASE_URL": hub_database,
        "VESTNIK_REDIS_URL": redis_url,
        "VESTNIK_SECRET": "only-for-the-tests-of-statuses",
    }
    return load(path, data=tmp_path, environ=environ)


@pytest.fixture
async def shop(api: Api) -> Shop:
    shop = Shop(api)
    await shop.contact("anna")
    await shop.contact("boris")
    return shop


class Clock:
    """An asker whose time comes when the test says so."""

    def __init__(self, hub: Hub, drive: Drive) -> None:
        self.hub = hub
        self.due: list[Due] = []
        self.asker = Asker(hub, RateLimits(drive.redis), self._take)

    async def _take(self, due: list[Due]) -> None:
        self.due += due

    async def turn(self) -> None:
        """As when the next question of everything has become due."""
        await self.hub.db.execute("UPDATE status_question SET due_at = now()")
        await self.asker.turn()

    async def waiting(self) -> int:
        count: int = await self.hub.db.fetchval("SELECT count(*) FROM status_question")
        return count


@pytest.fixture
def clock(hub: Hub, drive: Drive) -> Clock:
    return Clock(hub, drive)


async def test_a_delivery_is_learned_by_asking(
    shop: Shop, drive: Drive, clock: Clock, mandrill: MailchimpTransactionalSimulator
) -> None:
    id_ = (await shop.send(channels=["email"]))["id"]
    await drive.all()
    await clock.turn()
    assert await shop.status(id_) == "sent"

    mandrill.delivers(mandrill.sent[0])
    await clock.turn()

    story = await shop.story(id_)
    assert story["status"] == "delivered"
    assert [r["status"] for r in story["deliveries"][0]["receipts"]][-1] == "delivered"
    assert await clock.waiting() == 0


async def test_nobody_is_asked_before_the_time(
    shop: Shop, drive: Drive, clock: Clock, mandrill: MailchimpTransactionalSimulator
) -> None:
    await shop.send(channels=["email"])
    await drive.all()
    calls = mandrill.requests

    await clock.asker.turn()

    assert mandrill.requests == calls
    row = await clock.hub.db.fetchrow("SELECT asked, due_at - now() AS wait FROM status_question")
    assert row is not None
    assert (row["asked"], row["wait"] > timedelta(minutes=1)) == (0, True)


async def test_the_questions_end(shop: Shop, drive: Drive, clock: Clock) -> None:
    id_ = (await shop.send(channels=["email"]))["id"]
    await drive.all()

    turns = 0
    while await clock.waiting():
        await clock.turn()
        turns += 1
        assert turns < 20

    assert turns == 5
    assert await shop.status(id_) == "sent"


async def test_a_provider_that_is_away_is_asked_later_and_that_does_not_count(
    shop: Shop, drive: Drive, clock: Clock, mandrill: MailchimpTransactionalSimulator
) -> None:
    id_ = (await shop.send(channels=["email"]))["id"]
    await drive.all()
    mandrill.fault = Fault(status=503)
    for _ in range(9):
        await clock.turn()
    mandrill.fault = None
    mandrill.delivers(mandrill.sent[0])

    await clock.turn()

    assert await shop.status(id_) == "delivered"


async def test_one_that_is_away_for_days_is_asked_no_more(
    shop: Shop, drive: Drive, clock: Clock, mandrill: MailchimpTransactionalSimulator
) -> None:
    await shop.send(channels=["email"])
    await drive.all()
    mandrill.fault = Fault(status=503)
    await clock.hub.db.execute("UPDATE delivery SET sent_at = now() - interval '5 days'")

    await clock.turn()

    assert await clock.waiting() == 0


async def test_what_two_processes_ask_at_once_is_asked_once(
    hub: Hub, shop: Shop, drive: Drive, clock: Clock, mandrill: MailchimpTransactionalSimulator
) -> None:
    for _ in range(5):
        await shop.send(channels=["email"])
        await shop.send("boris", channels=["email"])
    await drive.all()
    calls = mandrill.requests
    await hub.db.execute("UPDATE status_question SET due_at = now()")
    others = [Asker(hub, RateLimits(drive.redis), clock._take) for _ in range(3)]

    await asyncio.gather(*(asker.turn() for asker in others))

    assert mandrill.requests - calls == 10


async def test_what_ended_otherwise_is_not_asked_for(
    hub: Hub, shop: Shop, drive: Drive, clock: Clock, mandrill: MailchimpTransactionalSimulator
) -> None:
    await shop.send(channels=["email"])
    await shop.send("boris", channels=["email"])
    await drive.all()
    calls = mandrill.requests
    # A callback was faster; the other person was erased.
    await hub.db.execute("UPDATE delivery SET status = 'delivered'")
    await erase(hub, hub.shop("main").id, "boris")

    await clock.turn()

    assert mandrill.requests == calls
    assert await clock.waiting() == 0


async def test_a_cascade_goes_on_where_the_answer_is_that_it_bounced(
    shop: Shop, drive: Drive, clock: Clock, mandrill: MailchimpTransactionalSimulator
) -> None:
    cascade = {"until": "delivered", "wait": 3600}
    id_ = (await shop.send(channels=["email", "sms"], strategy="cascade", cascade=cascade))["id"]
    await drive.all()
    mandrill.bounces(mandrill.sent[0], "bad_mailbox")

    await clock.turn()

    assert [due.id for due in clock.due]
    await drive.all()
    story = await shop.story(id_)
    assert [(d["channel"], d["status"]) for d in story["deliveries"]] == [
        ("email", "failed"),
        ("sms", "sent"),
    ]
