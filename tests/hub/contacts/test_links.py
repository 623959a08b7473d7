"""Links that bind: made over the API, opened once."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest

from channels.base import Channel
from hub.contacts import codes, links, service
from hub.contacts.addresses import digest
from hub.contacts.links import Redeemed
from hub.preferences import suppressions
from hub.resources import Hub
from tests.hub.api.client import Api
from tests.simulators.base import Fault
from tests.simulators.telegram import Telegram


async def _token(api: Api, channel: str = "telegram") -> str:
    await api.put("/v1/contacts/b", {})
    answer = await api.post("/v1/contacts/b/links", {"channel": channel})
    assert answer.status == 201, answer.raw
    return str(answer.json["url"].rpartition("=")[2])


async def _redeem(
    hub: Hub, token: str, value: str, channel: Channel = Channel.TELEGRAM, shop: str = "main"
) -> Redeemed:
    async with hub.db.acquire() as conn, conn.transaction():
        found, _ = await links.redeem(conn, hub.shop(shop).id, channel, token, value)
        return found


@pytest.mark.parametrize(
    ("channel", "form"),
    [
        ("telegram", r"https://t\.me/shop_bot\?start=[A-Za-z0-9_-]{32}"),
        ("vk", r"https://vk\.me/test_shop\?ref=[A-Za-z0-9_-]{32}"),
        ("max", r"https://max\.ru/shop_bot\?start=[A-Za-z0-9_-]{32}"),
    ],
)
async def test_a_link_leads_to_the_shops_bot_for_a_day(api: Api, channel: str, form: str) -> None:
    await api.put("/v1/contacts/b", {})

    answer = await api.post("/v1/contacts/b/links", {"channel": channel})

    assert answer.status == 201
    assert re.fullmatch(form, answer.json["url"])
    left = datetime.fromisoformat(answer.json["expires_at"]) - datetime.now(UTC)
    assert timedelta(hours=23, minutes=59) < left <= timedelta(hours=24)


@pytest.mark.parametrize(
    ("body", "status"),
    [({"channel": "email"}, 400), ({"channel": "pigeon"}, 400), ({}, 400)],
)
async def test_only_messengers_are_linked(api: Api, body: dict[str, Any], status: int) -> None:
    await api.put("/v1/contacts/b", {})

    answer = await api.post("/v1/contacts/b/links", body)

    assert answer.status == status
    assert answer.pointers == ["/channel"]


async def test_nobody_is_404(api: Api) -> None:
    assert (await api.post("/v1/contacts/x/links", {"channel": "vk"})).status == 404


async def test_without_accounts_the_link_is_for_the_sandboxs_bot(
    hub: Hub, url: str, key_for: Any
) -> None:
    async with Api(url, await key_for("contacts", shop="other")) as api:
        await api.put("/v1/contacts/b", {})
        answer = await api.post("/v1/contacts/b/links", {"channel": "telegram"})

    assert answer.status == 201
    head, _, token = answer.json["url"].rpartition("=")
    assert head == "https://t.me/vestnik-sandbox?start"
    assert await _redeem(hub, token, "101", shop="other") is Redeemed.BOUND


async def test_where_nobody_talks_on_viber_there_is_no_link(url: str, key_for: Any) -> None:
    """The sandbox plays people who answer a text, and no bot; services reach Viber by phone."""
    async with Api(url, await key_for("contacts", shop="other")) as api:
        await api.put("/v1/contacts/b", {})
        answer = await api.post("/v1/contacts/b/links", {"channel": "viber"})

    assert answer.status == 422
    assert "no viber account with a bot" in answer.json["detail"]


async def test_a_bot_that_does_not_answer_is_told_without_its_token(
    api: Api, telegram: Telegram
) -> None:
    await api.put("/v1/contacts/b", {})
    telegram.fault = Fault(status=502)

    answer = await api.post("/v1/contacts/b/links", {"channel": "telegram"})

    assert answer.status == 422
    assert telegram.token not in answer.raw.decode()


async def test_without_a_bot_it_is_422_with_the_reason(url: str, key_for: Any) -> None:
    async with Api(url, await key_for("contacts", shop="letters")) as api:
        await api.put("/v1/contacts/b", {})
        answer = await api.post("/v1/contacts/b/links", {"channel": "telegram"})

    assert answer.status == 422
    assert "no telegram account" in answer.json["detail"]


async def test_only_digests_are_kept(api: Api, hub: Hub) -> None:
    await api.put("/v1/contacts/b", {})
    link = (await api.post("/v1/contacts/b/links", {"channel": "vk"})).json

    row = await hub.db.fetchrow("SELECT * FROM contact_link")

    assert row
    assert link["url"].rpartition("=")[2] not in str(row)
    code = str(codes.read(link["code"]))
    assert code not in str(row)
    # Tried one by one, plain digests of all codes there are would give it away.
    assert row["code_digest"] != sha256(code.encode()).digest()


async def test_whoever_opens_it_is_bound_once(api: Api, hub: Hub) -> None:
    token = await _token(api)

    assert await _redeem(hub, token, "42") is Redeemed.BOUND
    assert await _redeem(hub, token, "77") is Redeemed.USED
    # The same person again (the update was told twice) is no news.
    assert await _redeem(hub, token, "42") is Redeemed.BOUND
    contact = await service.get(hub.db, hub.shop("main").id, "b")
    assert [(a.kind, a.value, a.verified) for a in contact.addresses] == [("telegram", "42", True)]


async def test_of_two_at_once_one_is_bound(api: Api, hub: Hub) -> None:
    token = await _token(api)

    found = await asyncio.gather(*(_redeem(hub, token, str(chat)) for chat in range(1, 6)))

    assert sorted(found) == [Redeemed.BOUND] + [Redeemed.USED] * 4


async def test_the_old_address_is_replaced_in_its_row(api: Api, hub: Hub) -> None:
    token = await _token(api)
    await api.put("/v1/contacts/b", {"addresses": {"telegram": {"value": "1", "verified": False}}})
    row = await hub.db.fetchval("SELECT id FROM address")

    await _redeem(hub, token, "42")

    after = await hub.db.fetchrow("SELECT id, value, verified FROM address")
    assert after
    assert (after["id"], after["value"], after["verified"]) == (row, "42", True)


async def test_an_expired_link_binds_nobody(api: Api, hub: Hub) -> None:
    token = await _token(api)
    await hub.db.execute("UPDATE contact_link SET expires_at = now() - interval '1 second'")

    assert await _redeem(hub, token, "42") is Redeemed.EXPIRED
    assert await hub.db.fetchval("SELECT count(*) FROM address") == 0


async def test_a_link_is_good_for_its_channel_and_shop_alone(api: Api, hub: Hub) -> None:
    token = await _token(api)

    assert await _redeem(hub, token, "42", Channel.VK) is Redeemed.UNKNOWN
    assert await _redeem(hub, token, "42", shop="other") is Redeemed.UNKNOWN
    assert await _redeem(hub, token[:-1] + "!", "42") is Redeemed.UNKNOWN


async def test_who_binds_himself_is_written_to_again(api: Api, hub: Hub) -> None:
    shop, mark = hub.shop("main").id, digest("telegram", "42")
    await suppressions.suppress(hub.db, shop, Channel.TELEGRAM, mark, suppressions.BLOCKED)

    await _redeem(hub, await _token(api), "42")

    assert not await suppressions.is_suppressed(hub.db, shop, Channel.TELEGRAM, mark)
