"""The world outside the hub, a process of its own: `python -m tests.soak.outside FOLDER SEED PEOPLE`.

Prints one line of JSON with the ports, then does what it is told over HTTP: see `_Control`.
"""

import asyncio
import json
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from aiohttp import web

from tests.simulators.base import Sent
from tests.soak import providers, telling
from tests.soak.journal import Journal
from tests.soak.moods import Moods
from tests.soak.people import Person

CANARY = "canary"
"""The provider that is always well: by it is seen when the hub sends again."""

CANARY_TOKEN = "2:canary"

_PRESSED_TWICE = 0.1


class _Provider(Protocol):
    record: providers.Record
    port: int

    async def start(self, port: int = 0) -> None: ...
    async def stop(self) -> None: ...


class _Messenger(Protocol):
    def press_there(self, sent: Sent) -> None: ...


class World:
    def __init__(self, folder: Path, seed: int, people: int) -> None:
        crowd = [Person(number) for number in range(people)]
        self._folder = folder
        self._seed = seed
        self._chance = random.Random(f"{seed}-people")
        self._arrivals = Journal(folder / "arrivals.jsonl")
        self._receipts = Journal(folder / "receipts.jsonl")
        mail, fcm = providers.Mail(crowd), providers.Fcm(crowd)
        self._fcm = fcm
        self._telegram = telegram = providers.Telegram(crowd)
        self._vk = vk = providers.Vk(crowd)
        self._max = max_ = providers.Max(crowd)
        self.teller = telling.Teller(
            f"{seed}-receipts",
            self._receipts,
            {"mail": telling.unisender(mail), "sms": telling.SMSC, "sms2": telling.SMS_RU},
        )
        tell = self.teller
        self.presses = 0
        self.providers: dict[str, _Provider] = {}
        self._add("mail", "email", mail, lambda sent: tell.mail("mail", sent))
        self._add("letters", "email", providers.Letters(crowd))
        self._add("tg", "telegram", telegram, lambda sent: self._press(telegram, sent))
        self._add("vk", "vk", vk, lambda sent: self._press(vk, sent))
        self._add("max", "max", max_, lambda sent: self._press(max_, sent))
        self._add("sms", "sms", providers.Smsc(crowd), lambda sent: tell.smsc("sms", sent))
        self._add("sms2", "sms", providers.SmsRu(crowd), lambda sent: tell.sms_ru("sms2", sent))
        self._add("fcm", "push", fcm)
        self._add(CANARY, "telegram", providers.Telegram(crowd, CANARY_TOKEN))
        self.providers[CANARY].record.moods.over.set()

    def _add(
        self,
        name: str,
        channel: str,
        provider: _Provider,
        hear: Callable[[Sent], None] | None = None,
    ) -> None:
        moods = Moods(f"{self._seed}-{name}")
        provider.record = providers.Record(name, channel, self._arrivals, moods)
        if hear:
            provider.record.heard.append(hear)
        self.providers[name] = provider

    @property
    def heard(self) -> bool:
        """Bots have begun to listen: what happens in VK before the first time is told to nobody."""
        polled = (self._telegram.updates.polled, self._vk.events.polled, self._max.updates.polled)
        return all(event.is_set() for event in polled)

    def _press(self, messenger: _Messenger, sent: Sent) -> None:
        """Who is asked presses the button some seconds later, and perhaps once more; others read it."""
        if not sent.extra["buttons"]:
            return
        for _ in range(2 if self._chance.random() < _PRESSED_TWICE else 1):
            self.presses += 1
            asyncio.get_running_loop().call_later(
                self._chance.uniform(0.5, 4.0), self._pressed, messenger, sent
            )

    def _pressed(self, messenger: _Messenger, sent: Sent) -> None:
        self.presses -= 1
        messenger.press_there(sent)

    async def start(self) -> None:
        for provider in self.providers.values():
            await provider.start()
        self._fcm.credentials(self._folder)

    async def stop(self) -> None:
        for provider in self.providers.values():
            await provider.stop()
        self._arrivals.close()
        self._receipts.close()


class _Control:
    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self, app: web.Application) -> None:
        app.router.add_get("/state", self._state)
        app.router.add_post("/hooks", self._hooks)
        app.router.add_post("/providers/{name}/{what}", self._provider)
        app.router.add_post("/well", self._well)

    async def _state(self, _: web.Request) -> web.Response:
        """How many each provider took, how much has not been told or pressed yet, whether bots listen."""
        world = self._world
        taken = {name: provider.record.taken for name, provider in world.providers.items()}
        waiting = world.teller.waiting + world.presses
        return web.json_response({"taken": taken, "waiting": waiting, "heard": world.heard})

    async def _hooks(self, request: web.Request) -> web.Response:
        self._world.teller.urls |= await request.json()
        return web.json_response({})

    async def _provider(self, request: web.Request) -> web.Response:
        """`down`: nobody listens there any more; `up`: again, and well for a minute."""
        provider = self._world.providers[request.match_info["name"]]
        if request.match_info["what"] == "down":
            await provider.stop()
        else:
            moods = provider.record.moods
            moods.calm_until = time.monotonic() + 60
            await provider.start(provider.port)
        return web.json_response({})

    async def _well(self, _: web.Request) -> web.Response:
        """From now on everybody is well, so that what is left can end."""
        for provider in self._world.providers.values():
            provider.record.moods.over.set()
        return web.json_response({})


async def _main(folder: Path, seed: int, people: int) -> None:
    world = World(folder, seed, people)
    await world.start()
    app = web.Application()
    _Control(world).routes(app)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    ports: dict[str, Any] = {name: p.port for name, p in world.providers.items()}
    print(json.dumps({"control": runner.addresses[0][1], "ports": ports}), flush=True)
    await world.teller.run()


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
