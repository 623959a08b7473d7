"""Codes that are typed instead of opening a link: what is read as one, what it binds, how often it is guessed."""

import asyncio

import pytest

from channels.base import Channel
from hub.contacts import codes, links, service
from hub.contacts.addresses import KIND_OF
from hub.contacts.links import Link, Redeemed
from hub.resources import Hub
from tests.hub.api.client import Api


async def _link(hub: Hub, api: Api, channel: Channel = Channel.TELEGRAM) -> Link:
    await api.put("/v1/contacts/b", {})
    return await links.create(hub, hub.shop("main").id, "b", channel)


async def _type(
    hub: Hub, code: str, value: str = "42", channel: Channel = Channel.TELEGRAM, shop: str = "main"
) -> Redeemed:
    async with hub.db.acquire() as conn, conn.transaction():
        found, _ = await links.redeem_code(
            conn, hub.signer, hub.shop(shop).id, channel, code, value
        )
        return found


async def _wrong(hub: Hub, count: int, value: str = "42") -> list[Redeemed]:
    return [await _type(hub, f"2345-67A{n + 2}", value) for n in range(count)]


def test_a_new_code_is_easily_read_aloud_and_typed() -> None:
    made = {codes.new() for _ in range(500)}

    assert len(made) == 500
    for code in made:
        assert len(code) == 9
        assert code[4] == "-"
        assert not set(code) & set("01OILU")
        assert codes.read(code) == code.replace("-", "")


@pytest.mark.parametrize(
    "text",
    ["K7QM-4TXP", "k7qm-4txp", "K7QM4TXP", " k7qm 4txp ", "K7QM—4TXP", "К7QМ-4ТХР", "к7qм4тхр"],
)
def test_case_dash_spaces_and_a_russian_keyboard_do_not_matter(text: str) -> None:
    assert codes.read(text) == "K7QM4TXP"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "K7QM-4TX",
        "K7QM-4TXPP",
        "K7QM-4TX0",
        "REMEMBER",
        "КАРАВАНА",
        "2345-6789",
        "код K7QM-4TXP",
    ],
)
def test_words_and_numbers_are_no_codes(text: str) -> None:
    assert codes.read(text) is None


@pytest.mark.parametrize("channel", [Channel.TELEGRAM, Channel.VK])
async def test_it_binds_as_the_link_does(api: Api, hub: Hub, channel: Channel) -> None:
    link = await _link(hub, api, channel)

    assert await _type(hub, link.code.lower(), channel=channel) is Redeemed.BOUND

    contact = await service.get(hub.db, hub.shop("main").id, "b")
    assert [(a.kind, a.value, a.verified) for a in contact.addresses] == [
        (KIND_OF[channel], "42", True)
    ]


async def test_link_and_code_are_one_and_good_once(api: Api, hub: Hub) -> None:
    first, second = await _link(hub, api), await _link(hub, api)

    assert await _type(hub, first.code) is Redeemed.BOUND
    # The same person again (the update was told twice) is no news.
    assert await _type(hub, first.code) is Redeemed.BOUND
    assert await _type(hub, first.code, "77") is Redeemed.USED
    async with hub.db.acquire() as conn, conn.transaction():
        token = second.url.rpartition("=")[2]
        await links.redeem(conn, hub.shop("main").id, Channel.TELEGRAM, token, "42")
    assert await _type(hub, second.code, "78") is Redeemed.USED


async def test_of_many_who_type_it_at_once_one_is_bound(api: Api, hub: Hub) -> None:
    link = await _link(hub, api)

    found = await asyncio.gather(*(_type(hub, link.code, str(chat)) for chat in range(1, 6)))

    assert sorted(found) == [Redeemed.BOUND] + [Redeemed.USED] * 4


async def test_an_expired_code_binds_nobody(api: Api, hub: Hub) -> None:
    link = await _link(hub, api)
    await hub.db.execute("UPDATE contact_link SET expires_at = now() - interval '1 second'")

    assert await _type(hub, link.code) is Redeemed.EXPIRED
    assert await hub.db.fetchval("SELECT count(*) FROM address") == 0


async def test_a_code_is_good_for_its_channel_and_shop_alone(api: Api, hub: Hub) -> None:
    link = await _link(hub, api)

    assert await _type(hub, link.code, channel=Channel.VK) is Redeemed.UNKNOWN
    assert await _type(hub, link.code, shop="other") is Redeemed.UNKNOWN


async def test_after_five_wrong_codes_even_the_right_one_must_wait_an_hour(
    api: Api, hub: Hub
) -> None:
    link = await _link(hub, api)
    assert await _wrong(hub, 5) == [Redeemed.UNKNOWN] * 5

    assert await _type(hub, link.code) is Redeemed.TOO_MANY
    await hub.db.execute("UPDATE code_guess SET guessed_at = guessed_at - interval '61 minutes'")
    assert await _type(hub, link.code) is Redeemed.BOUND


async def test_others_may_go_on(api: Api, hub: Hub) -> None:
    link = await _link(hub, api)
    await _wrong(hub, 5)

    assert await _type(hub, link.code, "77") is Redeemed.BOUND


async def test_the_same_slip_again_is_no_further_guess(api: Api, hub: Hub) -> None:
    link = await _link(hub, api)

    for _ in range(8):
        assert await _type(hub, "2345-67AB") is Redeemed.UNKNOWN

    assert await _type(hub, link.code) is Redeemed.BOUND


async def test_many_at_once_are_no_more_than_five(hub: Hub) -> None:
    found = await asyncio.gather(*(_type(hub, f"2345-6AB{n}") for n in "23456789CDEF"))

    assert sorted(found) == [Redeemed.TOO_MANY] * 7 + [Redeemed.UNKNOWN] * 5


async def test_guesses_are_kept_for_an_hour(hub: Hub) -> None:
    await _wrong(hub, 2)
    await hub.db.execute("UPDATE code_guess SET guessed_at = guessed_at - interval '61 minutes'")
    await _wrong(hub, 1, "77")

    await codes.forget(hub.db)

    assert await hub.db.fetchval("SELECT count(*) FROM code_guess") == 1


async def test_an_erased_person_leaves_no_guesses(api: Api, hub: Hub) -> None:
    await api.put("/v1/contacts/c", {"addresses": {"telegram": "42"}})
    await _wrong(hub, 2, "42")
    await _wrong(hub, 1, "77")

    assert (await api.delete("/v1/contacts/c")).status == 204

    assert await hub.db.fetchval("SELECT count(*) FROM code_guess") == 1
