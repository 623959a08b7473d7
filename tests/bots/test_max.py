"""The MAX bot against a server that refuses what the real one refuses."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from pydantic import SecretStr

from bots.account import Bot
from bots.conversation.said import Page, Reply
from bots.main import make_platform
from bots.max import MaxBot
from bots.platform import CannotWrite, Trouble
from bots.texts import en, ru
from channels.base import Button, Channel
from channels.max.client import BotApiConfig
from hub.accounts import hooks
from hub.config import HubSettings, Settings
from hub.contacts import service, updates
from hub.contacts.addresses import digest
from hub.preferences import suppressions
from hub.resources import Hub
from tests.bots.conftest import Until, running
from tests.bots.messengers import OnMax
from tests.bots.scene import ANNA, Scene, line, playing
from tests.bots.scene import until as eventually
from tests.hub.api.client import Api
from tests.simulators.base import Fault
from tests.simulators.max import Max, buttons_of

GROUP = -73455901853123


@pytest.fixture
async def listening(max_: Max, bots: None) -> None:
    """Until the role waits for updates."""
    async with asyncio.timeout(10):
        await max_.updates.polled.wait()


async def _link(api: Api) -> dict[str, str]:
    await api.put("/v1/contacts/b", {})
    found: dict[str, str] = (await api.post("/v1/contacts/b/links", {"channel": "max"})).json
    return found


async def _addresses(hub: Hub) -> list[tuple[str, str]]:
    contact = await service.get(hub.db, hub.shop("main").id, "b")
    return [(str(a.kind), a.value) for a in contact.addresses]


def _bot(hub: Hub, *, receive: str = "polling") -> MaxBot:
    account = hub.accounts.of(hub.shop("main").id, Channel.MAX)[0]
    config = updates.config_of(hub, account)
    assert isinstance(config, BotApiConfig)
    mine = hooks.url_of(hub.signer, hub.settings.public_url, "main", account.name)
    secret = updates.hook_secret(hub.signer, account)
    return MaxBot(config.model_copy(update={"receive": receive}), hub.http, lambda: (mine, secret))


async def test_a_person_opens_the_link_and_is_bound(
    api: Api, hub: Hub, max_: Max, listening: None, until: Until
) -> None:
    link = await _link(api)

    max_.open_bot(42, link["url"].rpartition("=")[2])

    await until(lambda: max_.sent)
    assert [(s.to, s.text) for s in max_.sent] == [("42", ru.WORDS.bound.format(shop="Ромашка"))]
    assert await _addresses(hub) == [("max", "42")]


async def test_who_has_started_it_before_types_the_code(
    api: Api, hub: Hub, max_: Max, listening: None, until: Until
) -> None:
    link = await _link(api)
    max_.add_person(42)

    # The link opens the dialog, and the bot hears nothing of it.
    max_.open_bot(42, link["url"].rpartition("=")[2])
    max_.say(42, link["code"])

    await until(lambda: max_.sent)
    assert max_.sent[0].text == ru.WORDS.bound.format(shop="Ромашка")
    assert await _addresses(hub) == [("max", "42")]


async def test_who_stops_the_bot_is_suppressed_and_comes_back(
    hub: Hub, max_: Max, listening: None, until: Until
) -> None:
    max_.add_person(42)

    async def suppressed() -> bool:
        mark = digest("max", "42")
        return await suppressions.is_suppressed(hub.db, hub.shop("main").id, Channel.MAX, mark)

    async def free() -> bool:
        return not await suppressed()

    max_.stop_bot(42)
    await until(suppressed)
    assert max_.sent == []
    max_.open_bot(42)
    await until(free)


async def test_a_stranger_is_answered_in_his_language(hub: Hub, max_: Max, until: Until) -> None:
    max_.add_person(42)
    body = {"mid": "m1", "seq": 1, "text": "hello"}
    message = {"sender": {"user_id": 42}, "recipient": {"chat_type": "dialog"}, "body": body}
    max_.updates.add("message_created", message=message, user_locale="en-GB")

    async with running(hub):
        await until(lambda: max_.sent)

    assert max_.sent[0].text == en.WORDS.help_stranger.format(shop="Ромашка")


async def test_an_old_button_is_told_so(max_: Max, listening: None, until: Until) -> None:
    max_.add_person(42)
    press = max_.press(42, "mid.gone", "s:1", blind=True)

    await until(lambda: max_.answered)

    assert max_.answered == [{"notification": ru.WORDS.old_button, "callback_id": press}]


async def test_words_and_page_are_one_answer(hub: Hub, max_: Max) -> None:
    max_.add_person(42)
    bot = _bot(hub)
    await bot.reply("42", Reply("?", buttons=((Button("Да", data="d"),),)), 1)
    [mid] = max_.messages
    press = max_.press(42, mid, "d")
    before = len(max_.calls)

    await bot.reply("42", Reply("Принято", press, page=Page("Готово"), message=mid), 2)

    assert len(max_.calls) == before + 1
    assert max_.answered[0]["notification"] == "Принято"
    assert max_.messages[mid]["text"] == "Готово"
    assert buttons_of(max_.messages[mid]) == []


async def test_a_press_too_old_to_be_answered_still_turns_the_page(hub: Hub, max_: Max) -> None:
    max_.add_person(42)
    bot = _bot(hub)
    await bot.reply("42", Reply("?"), 1)
    [mid] = max_.messages
    press = max_.press(42, mid, "d")
    max_.forget_presses()

    await bot.reply("42", Reply("", press, page=Page("Готово"), message=mid), 2)

    assert max_.messages[mid]["text"] == "Готово"
    with pytest.raises(CannotWrite):
        await bot.reply("42", Reply("Принято", press), 3)


async def test_what_was_said_while_nobody_listened_is_answered_once(
    hub: Hub, max_: Max, until: Until
) -> None:
    max_.say(42, "/start")
    async with running(hub):
        await until(lambda: len(max_.sent) == 2)
    max_.say(42, "/stop")
    async with running(hub):
        await until(lambda: len(max_.sent) == 3)

    # The button of the new dialog, the word, the other word.
    assert [m.text[:5] for m in max_.sent] == ["Здрав", "Здрав", "Хорош"]


async def test_an_update_is_stored_before_max_is_told(hub: Hub, max_: Max) -> None:
    bot = _bot(hub)
    max_.open_bot(42)

    first = await bot.receive(None)
    again = await bot.receive(None)
    max_.say(42, "/stop")
    after = await bot.receive(first.cursor)

    assert first == again
    assert len(first.updates) == len(after.updates) == 1
    assert first.updates != after.updates


async def test_a_subscription_left_over_does_not_keep_it_deaf(
    hub: Hub, max_: Max, until: Until
) -> None:
    max_.updates.subscribe("https://old.example/hook", "", frozenset())

    async with running(hub):
        await until(lambda: not max_.updates.subscriptions)
        max_.say(42, "/start")
        await until(lambda: max_.sent)


async def test_it_subscribes_and_takes_away_what_it_had_elsewhere(hub: Hub, max_: Max) -> None:
    max_.plain_webhooks = False
    bot = _bot(hub, receive="webhook")
    account = hub.accounts.of(hub.shop("main").id, Channel.MAX)[0]
    token = hooks.token_of(hub.signer, "main", account.name)
    mine = f"https://hub.example/hooks/{token}"
    for url in (f"https://old.example/hooks/{token}", "https://crm.example/max"):
        max_.updates.subscribe(url, "", frozenset())

    await bot.prepare()

    assert not bot.polls
    assert set(max_.updates.subscriptions) == {mine, "https://crm.example/max"}
    assert max_.updates.subscriptions[mine].secret == updates.hook_secret(hub.signer, account)


async def test_it_is_called_at_an_address_in_ascii(hub: Hub, max_: Max) -> None:
    shop = hub.shop("main")
    account = hub.accounts.of(shop.id, Channel.MAX)[0]
    called = [
        one.model_copy(update={"config": one.config.model_copy(update={"receive": "webhook"})})
        for one in shop.settings.accounts
        if one.name == account.name
    ]
    settings = shop.settings.model_copy(update={"accounts": tuple(called)})
    at = hub.settings.hub.model_copy(update={"public_url": "https://магазин.рф"})
    there = replace(
        hub,
        settings=Settings(hub=at, shops=hub.settings.shops),
        shops={shop.id: replace(shop, settings=settings)},
    )

    await make_platform(there, account).prepare()

    [url] = max_.updates.subscriptions
    assert url.startswith("https://xn--80aairftm.xn--p1ai/hooks/")


async def test_a_subscription_that_max_has_dropped_is_made_again(
    hub: Hub, max_: Max, monkeypatch: pytest.MonkeyPatch, until: Until
) -> None:
    bot = _bot(hub, receive="webhook")
    assert bot.prepared_for == timedelta(minutes=10)
    bot.prepared_for = timedelta(milliseconds=100)
    monkeypatch.setattr("bots.account._LEAD_CHECK", 0.05)
    account = hub.accounts.of(hub.shop("main").id, Channel.MAX)[0]

    async def leading() -> bool:
        return True

    stop = asyncio.Event()
    role = asyncio.create_task(Bot(hub, account, bot).run(stop, leading))
    await until(lambda: max_.updates.subscriptions)
    max_.updates.subscriptions.clear()
    await until(lambda: max_.updates.subscriptions)
    stop.set()
    await role


async def test_where_max_takes_no_address_it_says_so_again_and_again(hub: Hub, max_: Max) -> None:
    max_.plain_webhooks = False
    config = BotApiConfig(token=SecretStr(max_.token), base_url=max_.url, receive="webhook")
    bot = MaxBot(config, hub.http, lambda: ("https://hub.example:8443/hooks/a", "s3-secret"))

    with pytest.raises(Trouble) as caught:
        await bot.prepare()

    assert caught.value.reason == "proto.payload"


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault(status=502), "http-502-unreadable"),
        (Fault(status=200, body="{}", content_type="application/json"), "unreadable-answer"),
        (Fault(status=429), "throttled"),
        (
            Fault(
                status=401,
                body='{"code":"verify.token","message":"Invalid access_token"}',
                content_type="application/json",
            ),
            "verify.token",
        ),
        (
            Fault(
                status=200,
                body='{"success":false,"message":"no"}',
                content_type="application/json",
            ),
            "not-done",
        ),
    ],
)
async def test_trouble_of_receiving_is_named_without_the_token(
    hub: Hub, max_: Max, fault: Fault, reason: str
) -> None:
    max_.faults.append(fault)

    with pytest.raises(Trouble) as caught:
        await _bot(hub).receive(None)

    assert max_.token not in repr(caught.value)
    assert reason in caught.value.reason


async def test_it_goes_on_when_max_comes_back(hub: Hub, max_: Max, until: Until) -> None:
    max_.faults.extend([Fault(status=502), Fault(close=True)])
    max_.open_bot(42)

    async with running(hub):
        await until(lambda: max_.sent)

    assert len(max_.sent) == 1


async def test_refusals_tell_whether_to_try_again(hub: Hub, max_: Max) -> None:
    max_.add_person(42)
    max_.stop_bot(42)
    max_.add_person(43)
    bot = _bot(hub)

    for chat in ("42", "999", GROUP):
        with pytest.raises(CannotWrite):
            await bot.reply(str(chat), Reply("text"), 1)
    with pytest.raises(CannotWrite):
        await bot.reply("43", Reply("я" * 4001), 1)
    max_.limited, max_.per_second = True, 0
    with pytest.raises(Trouble) as caught:
        await bot.reply("43", Reply("text"), 1)
    assert caught.value.after == timedelta(seconds=1)


async def test_two_a_second_in_one_chat_are_kept_to_in_their_order(
    hub: Hub, max_: Max, until: Until
) -> None:
    max_.limited = True
    max_.add_person(42)
    for word in ("/start", "/stop", "/start", "/stop"):
        max_.say(42, word)

    async with running(hub):
        await until(lambda: len(max_.sent) == 4)

    assert [m.text[:5] for m in max_.sent] == ["Здрав", "Хорош", "Здрав", "Хорош"]


async def test_the_hook_stores_before_it_answers_and_knows_a_repeat(
    api: Api, hub: Hub, max_: Max
) -> None:
    account = hub.accounts.of(hub.shop("main").id, Channel.MAX)[0]
    path = f"/hooks/{hooks.token_of(hub.signer, 'main', account.name)}"
    secret = {"X-Max-Bot-Api-Secret": updates.hook_secret(hub.signer, account)}
    max_.open_bot(42)
    [body], _ = await max_.updates.poll(None, frozenset(), 1, 0.0)

    first = await api.post(path, body, headers=secret, key=None)
    again = await api.post(path, body, headers=secret, key=None)
    forged = await api.post(path, body, headers={"X-Max-Bot-Api-Secret": "ё"}, key=None)
    bare = await api.post(path, body, key=None)

    assert (first.status, again.status) == (200, 200)
    assert (forged.status, bare.status) == (401, 401)
    rows = await hub.db.fetch("SELECT chat, account FROM bot_update")
    assert [tuple(row) for row in rows] == [("42", "max")]


# -- with a worker and orders ----------------------------------------------------------------


@pytest.fixture
async def scene(hub_database: str, redis_url: str, max_: Max) -> AsyncIterator[Scene]:
    base = HubSettings(
        database_url=SecretStr(hub_database),
        redis_url=SecretStr(redis_url),
        secret=SecretStr("only-for-the-tests-of-the-stock-loop"),
    )
    async with playing(base, OnMax(max_, webhook=True)) as scene:
        yield scene


async def _bind_group(scene: Scene, max_: Max) -> None:
    await scene.api.put("/v1/warehouses/north", {})
    link = await scene.api.post("/v1/warehouses/north/links", {"channel": "max"})
    assert link.json["url"] == "https://max.ru/shop_bot"
    max_.add_group(GROUP)
    max_.add_bot(GROUP, ANNA)
    max_.say(ANNA, "Всем привет", chat_id=GROUP)
    max_.say(ANNA, f"@shop_bot {link.json['command']}", chat_id=GROUP)
    await scene.message(GROUP, lambda s: "north" in s.text)


async def test_a_warehouses_group_is_asked_and_everybody_answers_for_himself(
    scene: Scene, max_: Max
) -> None:
    await _bind_group(scene, max_)
    await scene.order("1001", line("1", 2), line("2", 3))
    asked = await scene.question(GROUP)

    max_.press(ANNA, asked.id, asked.buttons["По позициям"], chat_id=GROUP)
    shown = await scene.message(GROUP, lambda s: "❌ 1" in s.buttons)
    max_.press(ANNA, asked.id, shown.buttons["❌ 1"], chat_id=GROUP)
    await scene.message(GROUP, lambda s: "❌ нет — Анна" in s.text)
    max_.add_person(555, "Новенький")
    max_.press(555, asked.id, asked.buttons["✅ Всё есть"], chat_id=GROUP)
    await scene.message(GROUP, lambda s: "Новенький" in s.text)

    [request] = (await scene.details())["stock_requests"]
    assert [one["confirmed"] for one in request["lines"]] == [0, 3]
    assert [one["answered_by"] for one in request["lines"]] == [f"p{ANNA}", "max:555"]
    # The group's talk was not answered.
    assert [s.to for s in max_.sent if "Анна" not in s.text].count(str(GROUP)) == 2


async def test_a_group_has_a_board_and_is_forgotten_when_the_bot_is_removed(
    scene: Scene, max_: Max
) -> None:
    await _bind_group(scene, max_)
    await scene.order()
    max_.say(ANNA, "/orders@shop_bot", chat_id=GROUP)
    await scene.message(GROUP, lambda s: "Ждут вас: 1" in s.text)

    max_.remove_bot(GROUP, ANNA)

    async def forgotten() -> bool:
        count = await scene.hub.db.fetchval("SELECT count(*) FROM warehouse_chat")
        return bool(count == 0)

    await eventually(forgotten)


async def test_every_update_told_twice_changes_nothing_twice(scene: Scene, max_: Max) -> None:
    max_.updates.copies = 2
    await scene.order("1001", line("1", 2))
    anna = await scene.question(ANNA)
    assert "<b>" in next(s.html for s in max_.sent if s.to == str(ANNA))

    await scene.press(ANNA, anna, "✅ Есть 2")

    await scene.toast("Ответ принят")
    await scene.handled()
    assert len(max_.answered) == 1
    assert len(max_.updates.pushed) == 2


async def test_a_hub_that_is_away_is_told_again(scene: Scene, max_: Max) -> None:
    max_.updates.first_pause = 0.05
    [subscription] = max_.updates.subscriptions.values()
    right, subscription.secret = subscription.secret, "another-secret"

    max_.say(ANNA, "/help")

    async def refused() -> bool:
        return bool(max_.updates.pushed)

    await eventually(refused)
    subscription.secret = right
    await scene.message(ANNA, lambda s: "/orders" in s.text)
    assert max_.updates.pushed[0][1] == 401
