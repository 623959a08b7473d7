"""One way to play people in every messenger: what stands in their chat, what they press and write."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from pydantic import SecretStr

from channels.base import Channel
from channels.max.client import BotApiConfig as MaxConfig
from channels.telegram.bot_api import BotApiConfig
from channels.vk.community import CommunityConfig
from hub.accounts import hooks
from hub.accounts.sandbox import kept
from hub.config import Account
from hub.contacts import updates
from hub.resources import Hub
from tests.simulators.max import Max, buttons_of
from tests.simulators.telegram import Telegram
from tests.simulators.vk import Vk

SECRET = "callback-secret"


@dataclass(frozen=True, slots=True)
class Seen:
    """A message as it stands in a chat now. `buttons`: text -> what is behind it."""

    id: str
    text: str
    buttons: Mapping[str, str]
    rows: Sequence[Sequence[str]] = ()


class Messenger(Protocol):
    channel: Channel

    def account(self) -> Account: ...

    async def open(self, hub: Hub, url: str) -> None:
        """The hub runs and is reached at `url`."""
        ...

    def add_person(self, person: int) -> None: ...

    async def chat(self, person: int) -> list[Seen]:
        """What the bot wrote there, the oldest first."""
        ...

    async def press(self, person: int, message: Seen, data: str) -> None: ...

    async def say(self, person: int, text: str) -> None: ...

    async def toasts(self) -> list[str]:
        """What was shown for a moment, the oldest first."""
        ...


class OnTelegram:
    channel = Channel.TELEGRAM

    def __init__(self, simulator: Telegram, *, webhook: bool) -> None:
        self.simulator = simulator
        self._webhook = webhook

    def account(self) -> Account:
        config = BotApiConfig(
            token=SecretStr(self.simulator.token),
            base_url=self.simulator.url,
            receive="webhook" if self._webhook else "polling",
        )
        return Account(name="bot", channel=self.channel, provider="bot_api", config=config)

    async def open(self, hub: Hub, url: str) -> None:
        """The bot sets its webhook itself."""

    def add_person(self, person: int) -> None:
        self.simulator.add_person(person, f"Person {person}")

    async def chat(self, person: int) -> list[Seen]:
        found = []
        for (chat, number), message in self.simulator.messages.items():
            if chat == person and message["from"] == self.simulator.bot:
                rows = message.get("reply_markup", {}).get("inline_keyboard", [])
                found.append(
                    Seen(
                        str(number),
                        message["text"],
                        {b["text"]: b.get("callback_data", "") for row in rows for b in row},
                        [[b["text"] for b in row] for row in rows],
                    )
                )
        return found

    async def press(self, person: int, message: Seen, data: str) -> None:
        self.simulator.press(person, int(message.id), data)

    async def say(self, person: int, text: str) -> None:
        self.simulator.say(person, text)

    async def toasts(self) -> list[str]:
        return [fields["text"] for fields in self.simulator.answered if "text" in fields]


class OnVk:
    channel = Channel.VK

    def __init__(self, simulator: Vk, *, callback: bool) -> None:
        self.simulator = simulator
        self._callback = callback

    def account(self) -> Account:
        config = CommunityConfig(
            token=SecretStr(self.simulator.token),
            group_id=self.simulator.group_id,
            base_url=self.simulator.api_url,
            receive="callback" if self._callback else "polling",
            secret=SecretStr(SECRET) if self._callback else None,
            confirmation=self.simulator.events.confirmation if self._callback else "",
        )
        return Account(name="bot", channel=self.channel, provider="community", config=config)

    async def open(self, hub: Hub, url: str) -> None:
        """A community's administrator sets up the callback server; Long Poll tells nothing of before."""
        if not self._callback:
            await self.simulator.events.polled.wait()
            return
        account = hub.accounts.of(hub.shop("main").id, Channel.VK)[0]
        hook = f"{url}/hooks/{hooks.token_of(hub.signer, hub.shops[account.shop_id].slug, account.name)}"
        common = {"v": "5.199", "access_token": self.simulator.token}
        call = f"{self.simulator.api_url}groups"
        server = {"url": hook, "title": "hub", "secret_key": SECRET, "group_id": "1"}
        reply = await hub.http.post(f"{call}.addCallbackServer", data={**common, **server})
        kinds = dict.fromkeys(("message_new", "message_event", "message_allow"), "1")
        number = {"server_id": str(reply.json()["response"]["server_id"])}
        await hub.http.post(f"{call}.setCallbackSettings", data={**common, **number, **kinds})

    def add_person(self, person: int) -> None:
        self.simulator.add_person(person)

    async def chat(self, person: int) -> list[Seen]:
        found = []
        for number, message in self.simulator.dialogs[person].messages.items():
            if message["out"]:
                rows = [
                    [button["action"] for button in row]
                    for row in message["keyboard"].get("buttons", [])
                ]
                found.append(
                    Seen(
                        str(number),
                        message["text"],
                        {a["label"]: a.get("payload", "") for row in rows for a in row},
                        [[a["label"] for a in row] for row in rows],
                    )
                )
        return found

    async def press(self, person: int, message: Seen, data: str) -> None:
        payload = {"k": data} if not data.startswith("{") else _payload(data)
        self.simulator.press(person, int(message.id), payload)

    async def say(self, person: int, text: str) -> None:
        self.simulator.say(person, text)

    async def toasts(self) -> list[str]:
        return [
            _payload(fields["event_data"])["text"]
            for fields in self.simulator.answered
            if "event_data" in fields
        ]


class OnMax:
    channel = Channel.MAX

    def __init__(self, simulator: Max, *, webhook: bool) -> None:
        self.simulator = simulator
        self._webhook = webhook

    def account(self) -> Account:
        config = MaxConfig(
            token=SecretStr(self.simulator.token),
            base_url=self.simulator.url,
            receive="webhook" if self._webhook else "polling",
        )
        return Account(name="bot", channel=self.channel, provider="bot_api", config=config)

    async def open(self, hub: Hub, url: str) -> None:
        """The bot subscribes by itself; nobody is told what was before."""
        if self._webhook:
            await self.simulator.updates.subscribed.wait()

    def add_person(self, person: int) -> None:
        self.simulator.add_person(person, f"Person {person}")

    async def chat(self, person: int) -> list[Seen]:
        found = []
        for mid, message in self.simulator.messages.items():
            if message["out"] and person in (message["chat"].person, message["chat"].id):
                rows = buttons_of(message)
                behind = {b["text"]: b.get("payload", "") for row in rows for b in row}
                labels = [[b["text"] for b in row] for row in rows]
                found.append(Seen(mid, message["text"], behind, labels))
        return found

    async def press(self, person: int, message: Seen, data: str) -> None:
        self.simulator.press(person, message.id, data)

    async def say(self, person: int, text: str) -> None:
        self.simulator.say(person, text)

    async def toasts(self) -> list[str]:
        return [body["notification"] for body in self.simulator.answered if "notification" in body]


class InSandbox:
    """Played over the API alone, but for what the bot heard: there the rows say more."""

    def __init__(self, channel: Channel = Channel.TELEGRAM) -> None:
        self.channel = channel
        self._hub: Hub | None = None

    def account(self) -> Account:
        return Account(name="bot", channel=self.channel, provider="sandbox")

    async def open(self, hub: Hub, url: str) -> None:
        self._hub = hub

    def add_person(self, person: int) -> None:
        """Everybody is there."""

    async def chat(self, person: int) -> list[Seen]:
        return [seen for seen, is_toast in await self._all(person) if not is_toast]

    async def press(self, person: int, message: Seen, data: str) -> None:
        shop = self.hub.shop("main").id
        await updates.store_press(self.hub, shop, self.channel, str(person), UUID(message.id), data)

    async def say(self, person: int, text: str) -> None:
        await updates.store_words(
            self.hub, self.hub.shop("main").id, self.channel, str(person), text
        )

    async def toasts(self) -> list[str]:
        return [seen.text for seen, is_toast in await self._all(None) if is_toast]

    @property
    def hub(self) -> Hub:
        assert self._hub
        return self._hub

    async def _all(self, person: int | None) -> list[tuple[Seen, bool]]:
        to = None if person is None else str(person)
        shop = self.hub.shop("main").id
        rows = await kept(self.hub.db, shop, channel=self.channel, to=to, limit=5000)
        found = []
        for row in reversed(rows):
            buttons = {b["text"]: b["data"] for line in row.buttons for b in line}
            labels = [[b["text"] for b in line] for line in row.buttons]
            is_toast = row.delivery_id is None and not buttons
            found.append((Seen(str(row.id), row.text, buttons, labels), is_toast))
        return found


def _payload(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return found
