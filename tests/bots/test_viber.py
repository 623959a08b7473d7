"""A Viber bot: how it comes to its webhook, whom it welcomes, binds and loses, what it cannot change."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from bots.conversation.said import (
    Allowed,
    Asked,
    Blocked,
    Coded,
    Pressed,
    Reply,
    Said,
    Spoke,
    Started,
    Stopped,
    Want,
)
from bots.platform import CannotWrite, Trouble
from bots.texts import ru
from bots.viber import ViberBot
from channels.base import Channel
from channels.http import ProviderHttp
from channels.viber.bot_api import BotApi, BotApiConfig
from hub.config import Account, HubSettings
from hub.contacts import links
from hub.contacts.addresses import Kind, digest
from hub.preferences import suppressions
from tests.bots.messengers import Seen
from tests.bots.scene import BUYER, Scene, playing, until
from tests.simulators.viber import TOKEN, ViberSimulator

PERSON = "jc9HsWTZ2Yf2NkRZ8KcNug=="


@pytest.fixture
async def viber() -> AsyncIterator[ViberSimulator]:
    async with ViberSimulator() as simulator:
        yield simulator


class OnViber:
    channel = Channel.VIBER

    def __init__(self, simulator: ViberSimulator) -> None:
        self.simulator = simulator

    def account(self) -> Account:
        return Account(
            name="bot", channel=self.channel, provider="bot_api", config=config(self.simulator)
        )

    async def open(self, hub: object, url: str) -> None:
        """The bot sets its webhook itself."""

        async def is_set() -> bool:
            return self.simulator.webhook.startswith(url)

        await until(is_set)

    def add_person(self, person: int) -> None:
        """Nobody subscribes by being there."""

    async def chat(self, person: int | str) -> list[Seen]:
        return [_seen(n, body) for n, body in enumerate(self.simulator.chats[str(person)])]

    async def press(self, person: int, message: Seen, data: str) -> None:
        await self.simulator.say(str(person), data)

    async def say(self, person: int, text: str) -> None:
        await self.simulator.say(str(person), text)

    async def toasts(self) -> list[str]:
        return []


def _seen(number: int, body: dict[str, Any]) -> Seen:
    buttons = body.get("keyboard", {}).get("Buttons", [])
    return Seen(str(number), body["text"], {b["Text"]: b["ActionBody"] for b in buttons})


def config(simulator: ViberSimulator) -> BotApiConfig:
    given = {"token": TOKEN, "sender": "Ромашка", "base_url": simulator.base_url}
    return BotApiConfig.model_validate(given)


@pytest.fixture
async def scene(hub_database: str, redis_url: str, viber: ViberSimulator) -> AsyncIterator[Scene]:
    base = HubSettings.model_validate(
        {
            "database_url": hub_database,
            "redis_url": redis_url,
            "secret": "only-for-the-tests-of-viber",
        }
    )
    async with playing(base, OnViber(viber)) as scene:
        yield scene


class Bound:
    """What the hub knows of the buyer, and what he is told."""

    def __init__(self, scene: Scene, viber: ViberSimulator) -> None:
        self.scene = scene
        self.viber = viber

    async def link(self) -> links.Link:
        return await links.create(
            self.scene.hub, self.scene.hub.shop("main").id, f"p{BUYER}", Channel.VIBER
        )

    async def token(self) -> str:
        return (await self.link()).url.rpartition("=")[2]

    async def address(self) -> str | None:
        found = await self.scene.api.get(f"/v1/contacts/p{BUYER}")
        address: str | None = found.json["addresses"].get("viber")
        return address

    async def suppressed(self) -> bool:
        hub = self.scene.hub
        return await suppressions.is_suppressed(
            hub.db, hub.shop("main").id, Channel.VIBER, digest(Kind.VIBER, PERSON)
        )

    async def hears(self, text: str) -> None:
        text = text.format(shop="Ромашка")

        async def so() -> bool:
            return any(text in body["text"] for body in self.viber.chats[PERSON])

        await until(so)


@pytest.fixture
def bound(scene: Scene, viber: ViberSimulator) -> Bound:
    return Bound(scene, viber)


async def test_it_sets_its_webhook(scene: Scene, viber: ViberSimulator) -> None:
    assert "/hooks/" in viber.webhook
    assert set(viber.kinds) >= {"message", "unsubscribed", "conversation_started", "seen"}


async def test_a_link_leads_to_the_bot(bound: Bound) -> None:
    answer = await bound.scene.api.post(f"/v1/contacts/p{BUYER}/links", {"channel": "viber"})

    assert answer.status == 201
    assert answer.json["url"].startswith("viber://pa?chatURI=romashka&context=")
    assert answer.json["code"]


async def test_the_button_of_the_welcome_binds(bound: Bound, viber: ViberSimulator) -> None:
    await viber.open(PERSON, await bound.token())
    assert await bound.address() == str(BUYER)

    await viber.press(PERSON, "Начать")

    await bound.hears(ru.WORDS.bound)
    assert await bound.address() == PERSON


async def test_whatever_is_said_to_the_welcome_binds(bound: Bound, viber: ViberSimulator) -> None:
    await viber.open(PERSON, await bound.token())

    await viber.say(PERSON, "Здравствуйте!")

    await bound.hears(ru.WORDS.bound)
    assert await bound.address() == PERSON


async def test_a_subscriber_is_bound_by_opening_the_link(
    bound: Bound, viber: ViberSimulator
) -> None:
    viber.subscribers.add(PERSON)

    await viber.open(PERSON, await bound.token())

    await bound.hears(ru.WORDS.bound)
    assert await bound.address() == PERSON


async def test_a_code_that_is_typed_binds(bound: Bound, viber: ViberSimulator) -> None:
    await viber.say(PERSON, (await bound.link()).code)

    await bound.hears(ru.WORDS.bound)
    assert await bound.address() == PERSON


async def test_a_stranger_is_welcomed_and_told_what_this_is(
    bound: Bound, viber: ViberSimulator
) -> None:
    await viber.open(PERSON)
    await viber.press(PERSON, "Начать")

    await bound.hears(ru.WORDS.welcome_stranger)


async def test_who_leaves_is_left_alone_until_he_writes(
    bound: Bound, viber: ViberSimulator
) -> None:
    await viber.say(PERSON, (await bound.link()).code)
    await bound.hears(ru.WORDS.bound)

    await viber.leave(PERSON)
    await until(bound.suppressed)
    await viber.say(PERSON, "Я вернулась")

    async def back() -> bool:
        return not await bound.suppressed()

    await until(back)


async def test_who_asked_for_silence_does_not_get_mail_by_a_word(
    bound: Bound, viber: ViberSimulator
) -> None:
    await viber.say(PERSON, (await bound.link()).code)
    await viber.say(PERSON, "/stop")
    await bound.hears(ru.WORDS.stopped)

    await viber.say(PERSON, "спасибо")

    await bound.hears(ru.WORDS.help_known)
    assert await bound.suppressed()


async def test_settings_come_as_messages_of_their_own(bound: Bound, viber: ViberSimulator) -> None:
    await viber.say(PERSON, (await bound.link()).code)
    await bound.hears(ru.WORDS.bound)
    await viber.say(PERSON, "/settings")

    async def has_settings() -> bool:
        return "keyboard" in viber.chats[PERSON][-1]

    await until(has_settings)
    await viber.press(PERSON, ru.WORDS.settings_quiet.format(quiet="…"))

    async def has_hours() -> bool:
        buttons = viber.chats[PERSON][-1].get("keyboard", {}).get("Buttons", [])
        return any(b["Text"] == "22:00-09:00" for b in buttons)

    await until(has_hours)
    await viber.press(PERSON, "22:00-09:00")
    await bound.hears(ru.WORDS.settings_saved)

    contact = (await bound.scene.api.get(f"/v1/contacts/p{BUYER}")).json
    assert contact["preferences"]["quiet_hours"] == {"from": "22:00", "to": "09:00"}


SENDER = {"id": PERSON, "language": "en"}


@pytest.mark.parametrize(
    ("raw", "act", "language"),
    [
        ({"event": "message", "sender": SENDER, "message": {"text": "hi"}}, Spoke("hi"), "en"),
        ({"event": "message", "sender": SENDER, "message": {"type": "picture"}}, Spoke(), "en"),
        (
            {"event": "message", "sender": SENDER, "message": {"text": "/orders"}},
            Asked(Want.ORDERS),
            "en",
        ),
        (
            {"event": "message", "sender": SENDER, "message": {"text": "/press set:q"}},
            Pressed("", "set:q"),
            "en",
        ),
        (
            {
                "event": "message",
                "sender": SENDER,
                "message": {"text": "2345-67AB", "tracking_data": "start:t"},
            },
            Coded("2345-67AB"),
            "en",
        ),
        (
            {
                "event": "message",
                "sender": SENDER,
                "message": {"text": "/stop", "tracking_data": "start:t"},
            },
            Stopped(),
            "en",
        ),
        ({"event": "subscribed", "user": SENDER}, Allowed(), "en"),
        ({"event": "unsubscribed", "user_id": PERSON}, Blocked(), ""),
        ({"event": "conversation_started", "user": SENDER, "context": "t"}, Started("t"), "en"),
    ],
)
async def test_an_event_is_what_somebody_did(
    viber: ViberSimulator, raw: dict[str, Any], act: object, language: str
) -> None:
    http = ProviderHttp()
    said = ViberBot(BotApi(config(viber), http), lambda: "").read(raw)
    await http.close()

    assert isinstance(said, Said)
    assert (said.chat, said.act, said.language) == (PERSON, act, language)
    assert not said.in_group
    assert said.subscribes is (raw["event"] == "message")


async def test_trouble_and_people_who_are_gone_are_told_apart(viber: ViberSimulator) -> None:

    http = ProviderHttp()
    bot = ViberBot(BotApi(config(viber), http), lambda: f"{viber.url}/not-there")
    try:
        with pytest.raises(CannotWrite):
            await bot.reply(PERSON, Reply("Ответ"), 1)
        viber.code = 12
        with pytest.raises(Trouble):
            await bot.reply(PERSON, Reply("Ответ"), 1)
        viber.code = 2
        with pytest.raises(Trouble):
            await bot.reply(PERSON, Reply("Ответ"), 1)
        with pytest.raises(Trouble, match="invalidUrl"):
            await bot.prepare()
    finally:
        await http.close()
