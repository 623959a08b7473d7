"""An erasure reaches everything: shown by dumps of the whole database."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from channels.base import Channel, Receipt, ReceiptStatus
from hub.accounts import health
from hub.contacts import erasure
from hub.notifications import receipts
from hub.resources import Hub
from hub.retention.keeper import Keeper
from tests.hub.privacy.life import (
    BUYER,
    GROUP,
    KEEPER,
    OTHER,
    PEOPLE,
    Life,
    dump,
    found,
    provider_ids,
)

QUOTED = f"550 {BUYER.word}@example.com is full"


async def test_nothing_of_the_erased_is_in_a_dump(life: Life) -> None:
    before = await dump(life.hub)
    assert found(before, life.marks).keys() == set(life.marks)
    counts = await _counts(life.hub)

    await life.erase()

    after = await dump(life.hub)
    assert found(after, life.marks) == {}
    assert found(after, OTHER.marks).keys() == set(OTHER.marks)
    # What is counted stays.
    assert await _counts(life.hub) == counts
    await _others_are_told_without_the_person(life.hub)

    await _late_receipts(life)
    assert found(await dump(life.hub), life.marks) == {}

    await _what_was_in_hand(life)
    assert found(await dump(life.hub), life.marks)
    assert await erasure.sweep(life.hub, datetime.now(UTC)) == 0
    # The three, and two each who were known by an address only.
    assert await erasure.sweep(life.hub, datetime.now(UTC) + timedelta(hours=1)) == 9
    assert found(await dump(life.hub), life.marks) == {}
    assert await erasure.sweep(life.hub, datetime.now(UTC) + timedelta(hours=1)) == 0


async def _counts(hub: Hub) -> list[int]:
    tables = ("notification", "delivery", "attempt", "shop_order", "order_line", "stock_answer")
    return [await hub.db.fetchval(f"SELECT count(*) FROM {table}") for table in tables]


async def _others_are_told_without_the_person(hub: Hub) -> None:
    """Events of the order go on, with nobody where somebody was."""
    bodies = await hub.db.fetch(
        "SELECT type, convert_from(body, 'UTF8')::jsonb -> 'data' AS data FROM event ORDER BY id"
    )
    told = [
        row["data"]["stock_request"] for row in bodies if row["type"] == "stock_request.answered"
    ]
    assert told
    assert told[-1]["seller"] is None
    assert [line["answered_by"] for line in told[-1]["lines"]] == [None, None]
    assert [line["confirmed"] for line in told[-1]["lines"]] == [2, 1]


async def _late_receipts(life: Life) -> None:
    """A provider may tell of a message after days, by an id that it made of the phone."""
    hub = life.hub
    for person in PEOPLE:
        for account in hub.accounts.of(life.shop.id, Channel.SMS):
            told = [
                Receipt(ReceiptStatus.READ, provider_id=form, text=QUOTED)
                for form in provider_ids(person)
            ]
            await hub.db.execute("UPDATE delivery SET account = $1", account.name)
            await receipts.store(hub.db, hub.signer, account, told)
    read = await hub.db.fetchval("SELECT count(*) FROM delivery WHERE status = 'read'")
    assert read == len(PEOPLE) * len(provider_ids(BUYER))


async def _what_was_in_hand(life: Life) -> None:
    """A call that was under way ends, and a request that had seen the person writes what it wanted to."""
    await life.hub.db.execute(
        "UPDATE delivery SET provider_id = $2, ordering_key = $3 WHERE contact_id = $1",
        life.ids[BUYER.word],
        provider_ids(BUYER)[0],
        f"key-{BUYER.word}",
    )
    await life.hub.db.execute(
        "UPDATE attempt SET detail = $2 WHERE delivery_id IN (SELECT id FROM delivery WHERE contact_id = $1)",
        life.ids[BUYER.word],
        QUOTED,
    )
    await life.hub.db.execute(
        "UPDATE notification SET content = $2 WHERE contact_id = $1",
        life.ids[BUYER.word],
        {"text": BUYER.word},
    )


async def test_only_what_the_person_said_in_a_group_goes(life: Life) -> None:
    hub = life.hub
    before = await hub.db.fetchval("SELECT count(*) FROM bot_update WHERE chat = $1", GROUP)
    vk = next(a.name for a in hub.accounts.of(life.shop.id, Channel.VK))
    await hub.db.execute(
        "INSERT INTO bot_update (shop_id, account, event, chat, raw) VALUES ($1, $2, 'e', $3, '{}')",
        life.shop.id,
        vk,
        f"1{KEEPER.number}",
    )

    await life.erase(KEEPER)

    # His words, as the sandbox and as Telegram tell them; the others' stay, and so does whoever has the same
    # number in another messenger.
    after = await hub.db.fetchval("SELECT count(*) FROM bot_update WHERE chat = $1", GROUP)
    assert after == before - 2
    assert await hub.db.fetchval("SELECT count(*) FROM bot_update WHERE account = $1", vk) == 1


async def test_an_account_that_is_paused_quotes_nobody(hub: Hub) -> None:
    said = f"limit reached at {BUYER.word}@example.com, {BUYER.phone}, 7{BUYER.number}"
    await health.pause(
        hub.db, hub.shop("main").id, "sms", refused=True, reason=said, code="9", failures=1
    )

    assert found(await dump(hub), BUYER.marks) == {}
    assert "limit reached" in await hub.db.fetchval("SELECT reason FROM account_state")


async def test_of_two_who_share_an_address_one_stays(life: Life) -> None:
    body = {"addresses": {"phone": BUYER.phone}}
    answer = await life.api.put("/v1/contacts/wife", body)

    await life.erase(BUYER)

    assert (await life.api.get("/v1/contacts/wife")).json["addresses"] == body["addresses"]
    known = await life.hub.db.fetchval(
        "SELECT count(*) FROM erasure WHERE contact_id = $1", UUID(answer.json["id"])
    )
    assert known == 0


async def test_receipts_of_messages_that_nobody_knows_stay_for_an_hour(hub: Hub) -> None:
    [account] = hub.accounts.of(hub.shop("main").id, Channel.SMS)
    told = Receipt(ReceiptStatus.DELIVERED, provider_id=provider_ids(BUYER)[0], text=QUOTED)
    await receipts.store(hub.db, hub.signer, account, [told])
    now = datetime.now(UTC)

    await Keeper(hub).turn(now + timedelta(minutes=59))
    assert await hub.db.fetchval("SELECT count(*) FROM receipt") == 1

    await Keeper(hub).turn(now + timedelta(minutes=61))
    assert await hub.db.fetchval("SELECT count(*) FROM receipt") == 0
