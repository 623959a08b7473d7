"""Providers quote whom they write to; nothing of that is kept as it was said."""

from datetime import timedelta

import pytest

from channels.base import (
    Accepted,
    Message,
    Outcome,
    Receipt,
    ReceiptStatus,
    Refused,
    Retry,
    Scope,
)
from hub.notifications import quoted, receipts
from hub.resources import Hub
from tests.hub.notifications.conftest import Drive, Shop
from tests.hub.notifications.providers import Providers

CALL = [Message("1", "anna@example.com", "Hello"), Message("2", "boris@example.com", "Hello")]

EVERYWHERE = """
    SELECT row_to_json(a)::text AS said FROM attempt AS a
    UNION ALL SELECT row_to_json(r)::text FROM receipt AS r
    UNION ALL SELECT row_to_json(d)::text FROM delivery AS d
    UNION ALL SELECT row_to_json(s)::text FROM suppression AS s
    UNION ALL SELECT row_to_json(s)::text FROM account_state AS s
"""


async def kept(hub: Hub) -> str:
    """All that is kept of what providers said."""
    return "\n".join(row["said"] for row in await hub.db.fetch(EVERYWHERE))


async def test_what_a_mail_server_answers(
    shop: Shop, drive: Drive, providers: Providers, hub: Hub
) -> None:
    providers.unisender_go.token = "another"
    providers.smtp.refused["boris@example.com"] = "550 5.1.1 <Boris@Example.com> user unknown"

    id_ = (await shop.send("boris", channels=["email"]))["id"]
    await drive.all()

    attempts = (await shop.story(id_))["deliveries"][0]["attempts"]
    assert attempts[-1]["text"] == "5.1.1 <B•••@E•••.com> user unknown"
    assert "boris@example.com" not in (await kept(hub)).lower()
    assert await hub.db.fetchval("SELECT count(*) FROM suppression") == 1


async def test_what_comes_by_receipt(
    shop: Shop, drive: Drive, providers: Providers, hub: Hub
) -> None:
    account = hub.accounts.get(hub.shop("main").id, "mail")
    assert account
    id_ = (await shop.send("boris", channels=["email"]))["id"]
    await drive.all()
    delivery = (await shop.story(id_))["deliveries"][0]["id"]
    said = "550 BORIS@example.com: unknown"

    told = Receipt(ReceiptStatus.BOUNCED, key=delivery, code="x", text=said)
    stray = Receipt(ReceiptStatus.BOUNCED, provider_id="nobodys", code="x", text=said)
    await receipts.store(hub.db, hub.signer, account, [told, stray])

    assert "boris@example.com" not in (await kept(hub)).lower()
    rows = await hub.db.fetch("SELECT detail FROM receipt ORDER BY delivery_id NULLS LAST")
    assert [row["detail"] for row in rows] == ["550 B•••@e•••.com: unknown"] * 2


async def test_of_an_address_that_was_changed_since(
    shop: Shop, drive: Drive, providers: Providers, hub: Hub
) -> None:
    account = hub.accounts.get(hub.shop("main").id, "mail")
    assert account
    id_ = (await shop.send("boris", channels=["email"]))["id"]
    await drive.all()
    delivery = (await shop.story(id_))["deliveries"][0]["id"]
    await shop.contact("boris", addresses={"email": "new@example.com"})

    told = Receipt(ReceiptStatus.FAILED, key=delivery, text="<boris@example.com> is full")
    await receipts.store(hub.db, hub.signer, account, [told])

    assert await hub.db.fetchval("SELECT detail FROM receipt") == "<b•••@e•••.com> is full"


@pytest.mark.parametrize(
    ("result", "left"),
    [
        (Accepted("anna@example.com"), Accepted("anna@example.com")),
        (Retry("451 anna@example.com"), Retry("451 a•••@e•••.com")),
        (
            # Of the whole call; whose fault it was it says only here.
            Refused(Scope.MESSAGE, "1", "boris@example.com and anna@example.com"),
            Refused(Scope.MESSAGE, "1", "b•••@e•••.com and a•••@e•••.com"),
        ),
        (
            Refused(Scope.ACCOUNT, "2", "shop@example.com is not verified"),
            Refused(Scope.ACCOUNT, "2", "shop@example.com is not verified"),
        ),
    ],
)
def test_of_each_outcome(result: Outcome, left: Outcome) -> None:
    assert quoted.outcomes(CALL, [Accepted("9"), result]) == [Accepted("9"), left]


def test_the_rest_of_an_outcome_stays() -> None:
    minute = timedelta(minutes=1)
    told = Retry("anna@example.com", minute, maybe_sent=True, throttled=True, alone=True)

    [left] = quoted.outcomes(CALL[:1], [told])

    assert left == Retry("a•••@e•••.com", minute, maybe_sent=True, throttled=True, alone=True)


def test_ids_that_are_needed_stay() -> None:
    told = Receipt(
        ReceiptStatus.FAILED, provider_id="15:79991234567", key="k", code="20", text="79991234567"
    )

    left = quoted.receipt(told, "+79991234567")

    assert (left.provider_id, left.text) == ("15:79991234567", "+7 ••• •• 67")


def test_a_receipt_that_says_nothing_more_is_left_as_it_is() -> None:
    told = Receipt(ReceiptStatus.DELIVERED, provider_id="1", code="1")

    assert quoted.receipt(told, "+79991234567") is told
