"""What a worker counts: attempts by what they came to, calls by their length, and what went another way."""

from typing import Any

from hub.accounts import health
from hub.resources import Hub
from tests.hub.notifications.conftest import Drive, Shop
from tests.hub.notifications.providers import Providers
from tests.simulators.base import Fault

SMS: dict[str, Any] = {"content": {"text": "Привет"}, "channels": ["sms"]}


async def numbers(shop: Shop) -> dict[str, float]:
    """The lines of `/metrics`."""
    text = (await shop.api.get("/metrics", key=None)).raw.decode()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


async def test_attempts_are_counted_by_account_and_outcome(
    shop: Shop, drive: Drive, providers: Providers
) -> None:
    before = await numbers(shop)
    providers.smsc.faults.append(Fault(status=503))
    await shop.send(**SMS)
    await drive.once()
    await drive.hurry()
    await drive.all()

    now = await numbers(shop)

    def grown(name: str) -> float:
        return now.get(name, 0) - before.get(name, 0)

    attempts = (
        'vestnik_attempts_total{account="%s",channel="sms",outcome="%s",provider="%s",shop="main"}'
    )
    assert grown(attempts % ("smsc", "retry", "smsc")) == 1
    assert grown(attempts % ("sms-ru", "accepted", "sms_ru")) == 1
    seconds = 'vestnik_provider_call_seconds_count{account="%s",provider="%s",shop="main"}'
    assert grown(seconds % ("smsc", "smsc")) == 1
    moved = 'vestnik_moved_total{account="smsc",reason="%s",shop="main",to="sms-ru"}'
    assert grown(moved % "failed_before") == 1
    assert not [name for name in now if "7999" in name or "anna" in name]


async def test_a_paused_account_is_counted_once_for_each_message_that_goes_another_way(
    hub: Hub, shop: Shop, drive: Drive
) -> None:
    main = hub.shop("main").id
    await health.pause(hub.db, main, "smsc", refused=True, reason="x", code="3", failures=1)
    await hub.accounts.refresh(hub.db)
    before = await numbers(shop)
    for n in range(3):
        contact = await shop.contact(f"c{n}", addresses={"phone": f"+7999000030{n}"})
        await shop.send(contact, **SMS)
    await drive.all()

    now = await numbers(shop)

    moved = 'vestnik_moved_total{account="smsc",reason="refused",shop="main",to="sms-ru"}'
    assert now[moved] - before.get(moved, 0) == 3
    assert now['vestnik_accounts_paused{shop="main"}'] == 1
