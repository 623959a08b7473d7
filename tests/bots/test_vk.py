"""The VK community against a server that refuses what the real one refuses."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from bots.conversation.said import Reply
from bots.platform import CannotWrite, Trouble
from bots.texts import ru
from bots.vk import VkBot
from channels.base import BadHook, Channel, HookRequest
from channels.vk.community import CommunityConfig
from channels.vk.updates import read_hook
from hub.contacts import service, updates
from hub.contacts.addresses import digest
from hub.ids import new_id
from hub.preferences import suppressions
from hub.resources import Hub
from tests.bots.conftest import Until, running
from tests.hub.api.client import Api
from tests.simulators.base import Fault
from tests.simulators.vk import Vk


@pytest.fixture
async def listening(vk: Vk, bots: None, until: Until) -> None:
    """Until the role has asked for a server: what happens before its first start is not told to it."""
    await until(lambda: any(method == "groups.getLongPollServer" for method, _ in vk.calls))


async def _token(api: Api) -> str:
    await api.put("/v1/contacts/b", {})
    answer = await api.post("/v1/contacts/b/links", {"channel": "vk"})
    return str(answer.json["url"].rpartition("=")[2])


def _config(hub: Hub) -> CommunityConfig:
    config = updates.config_of(hub, hub.accounts.of(hub.shop("main").id, Channel.VK)[0])
    assert isinstance(config, CommunityConfig)
    return config


async def test_a_person_opens_the_link_and_is_bound(
    api: Api, hub: Hub, vk: Vk, listening: None, until: Until
) -> None:
    token = await _token(api)

    vk.say(42, "Начать", ref=token, payload='{"command":"start"}')

    await until(lambda: vk.sent)
    assert vk.sent[0].text == ru.WORDS.bound.format(shop="Ромашка")
    contact = await service.get(hub.db, hub.shop("main").id, "b")
    assert [(a.kind, a.value) for a in contact.addresses] == [("vk", "42")]


async def test_words_without_a_link_are_answered(vk: Vk, listening: None, until: Until) -> None:
    vk.say(42, "Начать")
    vk.say(42, "где заказ?")

    await until(lambda: len(vk.sent) == 2)

    assert vk.sent[0].text.startswith("Здравствуйте!")
    assert vk.sent[1].text == ru.WORDS.help_stranger.format(shop="Ромашка")


async def test_allow_and_deny_are_kept(hub: Hub, vk: Vk, listening: None, until: Until) -> None:
    vk.add_person(42)

    async def suppressed() -> bool:
        mark = digest("vk", "42")
        return await suppressions.is_suppressed(hub.db, hub.shop("main").id, Channel.VK, mark)

    async def free() -> bool:
        return not await suppressed()

    vk.deny(42)
    await until(suppressed)
    vk.allow(42)
    await until(free)

    assert vk.sent == []


async def test_the_key_of_the_allow_button_binds(
    api: Api, hub: Hub, vk: Vk, listening: None, until: Until
) -> None:
    vk.allow(42, key=await _token(api))

    await until(lambda: vk.sent)

    contact = await service.get(hub.db, hub.shop("main").id, "b")
    assert [a.value for a in contact.addresses] == ["42"]


async def test_an_old_button_stops_turning(vk: Vk, listening: None, until: Until) -> None:
    vk.add_person(42)
    press = vk.press(42, 1, {"k": "s:1"})

    await until(lambda: vk.answered)

    assert vk.answered[0]["event_id"] == press
    assert ru.WORDS.old_button in vk.answered[0]["event_data"]


async def test_what_was_read_moves_its_deliveries(
    hub: Hub, vk: Vk, listening: None, until: Until
) -> None:
    shop, ids = hub.shop("main").id, [new_id(), new_id()]
    vk.say(42, "Начать")
    await until(lambda: vk.sent)
    for number, id_ in enumerate(ids, start=1):
        await hub.db.execute(
            """
            INSERT INTO notification (id, shop_id, contact_id, category, strategy, status, plan, skipped)
            VALUES ($1, $2, $1, 'transactional', 'first', 'sent', '[]', '[]')
            """,
            id_,
            shop,
        )
        await hub.db.execute(
            """
            INSERT INTO delivery (id, shop_id, notification_id, contact_id, address_id, channel, category,
                                  status, account, provider_id, due_at, handout_at, give_up_at)
            VALUES ($1, $2, $1, $1, $1, 'vk', 'transactional', 'sent', 'vk', $3, now(), now(), now())
            """,
            id_,
            shop,
            f"42:{number + 1}",
        )

    vk.read(42)

    async def first_is_read() -> bool:
        status = await hub.db.fetchval("SELECT status FROM delivery WHERE id = $1", ids[0])
        return bool(status == "read")

    await until(first_is_read)
    # Number 3 came after what was read.
    assert await hub.db.fetchval("SELECT status FROM delivery WHERE id = $1", ids[1]) == "sent"


async def test_an_expired_key_is_renewed_and_nothing_is_lost(
    vk: Vk, listening: None, until: Until
) -> None:
    vk.say(42, "Начать")
    await until(lambda: vk.sent)
    vk.events.expire_key()

    vk.say(42, "/stop")

    await until(lambda: len(vk.sent) == 2)


@pytest.mark.parametrize("failed", [1, 3])
async def test_where_history_is_lost_it_goes_on_from_now(
    vk: Vk, listening: None, until: Until, failed: int
) -> None:
    vk.events.failures.append(failed)
    vk.allow(77)
    await until(lambda: not vk.events.failures)
    servers = 2 if failed == 3 else 1
    await until(lambda: [m for m, _ in vk.calls].count("groups.getLongPollServer") == servers)

    vk.say(42, "Начать")

    await until(lambda: vk.sent)


async def test_what_was_said_between_two_starts_is_answered(hub: Hub, vk: Vk, until: Until) -> None:
    async with running(hub):
        await until(lambda: any(m == "groups.getLongPollServer" for m, _ in vk.calls))
        vk.say(42, "Начать")
        await until(lambda: vk.sent)
    vk.say(42, "/stop")

    async with running(hub):
        await until(lambda: len(vk.sent) == 2)


@pytest.mark.parametrize("fault", [Fault(status=502), Fault(close=True)])
async def test_it_goes_on_when_vk_comes_back(hub: Hub, vk: Vk, until: Until, fault: Fault) -> None:
    vk.faults.append(fault)

    async with running(hub):
        await until(lambda: any(m == "groups.getLongPollServer" for m, _ in vk.calls))
        vk.say(42, "Начать")
        await until(lambda: vk.sent)


async def test_a_reply_sent_again_is_shown_once(hub: Hub, vk: Vk) -> None:
    vk.add_person(42)
    bot = VkBot(_config(hub), hub.http)

    await bot.reply("42", Reply("text"), 7)
    await bot.reply("42", Reply("text"), 7)
    await bot.close()

    assert len(vk.sent) == 1


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        *((code, CannotWrite) for code in (900, 901, 910, 911, 913, 914)),
        (5, Trouble),
        (6, Trouble),
    ],
)
async def test_refusals_tell_whether_to_try_again(
    hub: Hub, vk: Vk, code: int, kind: type[Exception]
) -> None:
    vk.add_person(42)
    vk.error = code
    bot = VkBot(_config(hub), hub.http)

    with pytest.raises(kind) as caught:
        await bot.reply("42", Reply("text"), 7)
    await bot.close()

    assert vk.token not in repr(caught.value)


@pytest.mark.parametrize("code", [2, 5, 14, 17, 24, 27, 28, 42, 983])
async def test_what_a_human_has_to_put_right_is_everybodys_trouble(
    hub: Hub, vk: Vk, code: int
) -> None:
    """So that it is no failed try of anybody's answer."""
    vk.add_person(42)
    vk.error = code
    bot = VkBot(_config(hub), hub.http)

    with pytest.raises(Trouble) as caught:
        await bot.reply("42", Reply("text"), 7)
    await bot.close()

    assert caught.value.for_all
    assert caught.value.after >= timedelta(minutes=1)


@pytest.mark.parametrize(
    "body",
    [
        "<html>Доступ ограничен</html>".encode("cp1251"),
        '{"error": "invalid_request"}',
        '{"error": {"error_msg": "no code"}}',
        "{}",
        "[" * 100_000,
    ],
)
async def test_an_answer_that_is_none_of_vks_is_trouble(
    hub: Hub, vk: Vk, body: str | bytes
) -> None:
    bot = VkBot(_config(hub), hub.http)
    vk.fault = Fault(status=200, body=body)

    for call in (bot.prepare(), bot.receive("1"), bot.reply("42", Reply("text"), 7)):
        with pytest.raises(Trouble) as caught:
            await call
        assert caught.value.unclear
    await bot.close()


async def test_the_button_of_an_empty_dialog_starts_in_every_language(
    hub: Hub, vk: Vk, listening: None, until: Until
) -> None:
    vk.say(42, "/stop")
    await until(lambda: vk.sent)

    vk.say(42, "Почати", payload='{"command":"start"}')

    await until(lambda: len(vk.sent) == 2)
    assert vk.sent[1].text == ru.WORDS.welcome_stranger.format(shop="Ромашка")


def test_the_callback_needs_its_secret() -> None:
    config = CommunityConfig(
        token=SecretStr("t"),
        group_id=1,
        receive="callback",
        secret=SecretStr("s3"),
        confirmation="1a2b",
    )

    def ask(body: bytes) -> Any:
        return read_hook(HookRequest("POST", {}, {}, body), config)

    event = b'{"group_id":1,"type":"message_deny","event_id":"e1","object":{"user_id":42},"secret":"%s"}'
    [found], reply = ask(event % b"s3")
    assert (found.event, found.chat) == ("e1", "42")
    assert "secret" not in found.raw
    assert reply.body == "ok"
    assert ask(b'{"type":"confirmation","group_id":1}')[1].body == "1a2b"
    with pytest.raises(BadHook) as forged:
        ask(event % b"no")
    assert forged.value.forged
    for wrong in (b"", b"[]", b'{"group_id":2,"type":"confirmation"}'):
        with pytest.raises(BadHook):
            ask(wrong)
