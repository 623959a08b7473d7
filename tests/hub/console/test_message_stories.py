"""What one message's page tells of what providers said."""

from channels.base import Receipt, ReceiptStatus
from hub.notifications import receipts
from hub.operators.model import Role
from hub.resources import Hub
from tests.hub.console.client import Console
from tests.hub.console.conftest import ConsoleFor
from tests.hub.notifications.conftest import (
    Drive,
    Shop,
    drive,
    providers,
    settings,
    shop,
)
from tests.hub.notifications.providers import Providers
from tests.simulators.base import Fault

__all__ = ["drive", "providers", "settings", "shop"]


async def _says(hub: Hub, drive: Drive, id_: str, status: ReceiptStatus, text: str) -> None:
    row = (await drive.rows(id_))[-1]
    account = hub.accounts.get(row["shop_id"], row["account"])
    assert account is not None
    said = Receipt(status, provider_id=row["provider_id"], code="550", text=text)
    await receipts.store(hub.db, hub.signer, account, [said])
    await drive.all()


async def test_who_says_so_stands_at_the_top(
    hub: Hub, shop: Shop, drive: Drive, providers: Providers, console: Console
) -> None:
    providers.telegram.block(101)
    id_ = (await shop.send(channels=["telegram", "email"]))["id"]
    await drive.all()
    await _says(hub, drive, id_, ReceiptStatus.BOUNCED, "5.1.1 User unknown")

    page = await console.get(f"/messages/{id_}")

    top = page.text.partition("What happened")[0]
    assert "Not delivered" in top
    assert "Telegram: The person blocked the bot, or forbade messages." in top
    assert "Forbidden: bot was blocked by the user" in top
    assert "Unisender Go (mail) says: 5.1.1 User unknown 550" in top
    story = page.text.partition("What happened")[2]
    order = [
        "The shop asked for it",
        "Plan: Telegram → E-mail",
        "The provider refused",
        "E-mail. Next channel",
        "The provider took it",
        "Came back",
        "There is no other channel",
    ]
    places = [story.index(words) for words in order]
    assert places == sorted(places)


async def test_who_may_not_see_addresses_finds_none_in_what_providers_said(
    hub: Hub, shop: Shop, drive: Drive, console: Console, console_for: ConsoleFor
) -> None:
    """Earlier versions kept their words as they came; SMSC's ids hold the number."""
    id_ = (await shop.send(channels=["sms"], template=None, content={"text": "x"}, data={}))["id"]
    await drive.all()
    said = "no such subscriber 8 (999) 000-00-01, ask anna@example.com"
    await hub.db.execute("UPDATE attempt SET detail = $1, code = '+79990000001'", said)
    await _says(hub, drive, id_, ReceiptStatus.DELIVERED, "")
    await hub.db.execute("UPDATE receipt SET detail = $1", said)
    await hub.db.execute("UPDATE delivery SET provider_id = '15:79990000001'")

    hidden = (await (await console_for(Role.READER)).get(f"/messages/{id_}")).html
    shown = (await console.get(f"/messages/{id_}")).text

    for address in ("000-00-01", "9990000001", "anna@example.com"):
        assert address not in hidden
        assert address in shown
    assert "no such subscriber +7 ••• •• 01" in hidden


async def test_what_arrived_says_so_and_by_which_channel(
    hub: Hub, shop: Shop, drive: Drive, console: Console
) -> None:
    id_ = (await shop.send(channels=["email"]))["id"]
    await drive.all()
    assert "Handed to the provider by e-mail" in (await console.get(f"/messages/{id_}")).text

    await _says(hub, drive, id_, ReceiptStatus.DELIVERED, "")

    assert "Delivered by e-mail" in (await console.get(f"/messages/{id_}")).text


async def test_an_account_that_is_refused_is_told_apart_from_the_person(
    shop: Shop, drive: Drive, providers: Providers, console: Console
) -> None:
    providers.smsc.token = "another"
    id_ = (await shop.send(channels=["sms"]))["id"]
    await drive.all()

    page = await console.get(f"/messages/{id_}")

    assert (
        "The provider does not take our account: check its keys, balance and sender." in page.text
    )
    assert "Instead of the account smsc: the provider does not take it" in page.text
    assert "Handed to the provider by SMS" in page.text


async def test_repeats_are_told_once_with_their_number(
    shop: Shop, drive: Drive, providers: Providers, console: Console
) -> None:
    providers.telegram.fault = Fault(status=500)
    id_ = (await shop.send(channels=["telegram"]))["id"]
    for _ in range(2):
        await drive.once()
        await drive.hurry()

    page = await console.get(f"/messages/{id_}")

    assert "Not yet; next try" in page.text
    assert page.text.count("It did not work, we try again") == 1
    assert "× 2" in page.text.replace("\u00a0", " ")


async def test_a_cascade_that_waits_says_what_comes_next(
    hub: Hub, shop: Shop, drive: Drive, console: Console
) -> None:
    cascade = {"until": "delivered", "wait": 600}
    id_ = (await shop.send(channels=["sms", "email"], strategy="cascade", cascade=cascade))["id"]
    await drive.all()

    page = await console.get(f"/messages/{id_}")

    assert "Unless its delivery is reported, it will go by e-mail, too:" in page.text
    assert "E-mail waits for its turn" in page.text
    assert [g for g in page.with_attribute("hx-get") if g.get("id") == "story"]
    await _says(hub, drive, id_, ReceiptStatus.DELIVERED, "")
    page = await console.get(f"/messages/{id_}")
    assert "E-mail was not needed" in page.text
    assert "Unless its delivery" not in page.text


async def test_a_question_to_the_shelf_is_shown_as_it_stands_now(
    hub: Hub, shop: Shop, drive: Drive, console: Console
) -> None:
    await shop.contact("boris", role="seller")
    order = {
        "number": "77",
        "status": "placed",
        "buyer": {"external_id": "anna"},
        "currency": "RUB",
        "lines": [
            {"id": "1", "title": "Kettle", "quantity": 2, "seller": {"external_id": "boris"}}
        ],
    }
    assert (await shop.api.put("/v1/orders/o-77", order)).status == 201
    await drive.all()
    id_ = await hub.db.fetchval(
        "SELECT n.id FROM notification AS n WHERE n.interaction ->> 'kind' = 'stock'"
    )
    links = await hub.db.fetchval("SELECT count(*) FROM answer_link")

    page = await console.get(f"/messages/{id_}")

    assert "a question, as it looks now" in page.text
    frames = [given["src"] or "" for tag, given in page.tags if tag == "iframe"]
    shown = page.text + "".join([(await console.get(src)).text for src in frames])
    assert "Kettle" in shown
    # To look at it makes no new link by which it could be answered.
    assert await hub.db.fetchval("SELECT count(*) FROM answer_link") == links
