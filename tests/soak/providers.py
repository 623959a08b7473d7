"""The providers of the tests, each in moods of its own, with a journal of all that they took.

What a real provider forgets after a minute is forgotten here, too: a repeat that comes later is a double.
"""

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope

from tests.simulators import fcm, sms_ru, smsc, smtp, telegram, unisender_go, vk
from tests.simulators import max as max_
from tests.simulators.base import Sent, Simulator
from tests.soak.journal import Journal
from tests.soak.moods import Act, Mood, Moods
from tests.soak.people import KEEPERS, Keeper, Person, mark_of

_RUBBISH = "<html><body>It works!</body></html>"
_SILENT_FOR = 45.0
"""Longer than anybody waits."""

_REMEMBERED = 60.0
THERE = "✅ Есть"


class Recent(set[Any]):
    """A set that forgets after a minute."""

    def __init__(self) -> None:
        super().__init__()
        self._at: dict[Any, float] = {}

    def add(self, item: Any) -> None:
        self._at[item] = time.monotonic()

    def __contains__(self, item: object) -> bool:
        return time.monotonic() - self._at.get(item, float("-inf")) < _REMEMBERED


class Record:
    """One provider's part of the journal. `heard`: who else wants to know what was taken."""

    def __init__(self, name: str, channel: str, journal: Journal, moods: Moods) -> None:
        self.name = name
        self.channel = channel
        self.moods = moods
        self.taken = 0
        self.heard: list[Callable[[Sent], None]] = []
        self._journal = journal

    def note(self, sent: Sent) -> None:
        self.taken += 1
        self._journal.note(
            {
                "at": round(time.time(), 3),
                "by": self.name,
                "channel": self.channel,
                "to": f"+{sent.to.removeprefix('+')}" if self.channel == "sms" else sent.to,
                "mark": mark_of(sent.text),
                "id": sent.provider_id,
            }
        )
        for hear in self.heard:
            hear(sent)


class Moody(Simulator):
    """An HTTP provider. Of what it took only the ids stay in memory."""

    record: Record

    def take(self, sent: Sent) -> None:
        self.record.note(sent)
        self.sent.append(Sent(to=sent.to, text="", provider_id=sent.provider_id))

    @web.middleware
    async def _misbehave(self, request: web.Request, handler: Any) -> web.StreamResponse:
        act = self.record.moods.act()
        await asyncio.sleep(act.delay)
        if act.takes:
            response: web.StreamResponse = await handler(request)
        if act.mood in (Mood.WELL, Mood.SLOW):
            return response
        return await self._badly(request, act)

    async def _badly(self, request: web.Request, act: Act) -> web.Response:
        match act.mood:
            case Mood.FAILING:
                return web.Response(status=self.record.moods.pick(500, 503), text=_RUBBISH)
            case Mood.BEHIND_A_GATEWAY:
                return web.Response(status=self.record.moods.pick(502, 504), text=_RUBBISH)
            case Mood.THROTTLING:
                after = str(self.record.moods.pick(1, 2, 3))
                return web.Response(status=429, headers={"Retry-After": after})
            case Mood.SILENT:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_SILENT_FOR):
                        await self.record.moods.over.wait()
        if act.mood is Mood.SILENT or self.record.moods.pick(0, 1):
            if request.transport:
                request.transport.close()
            raise asyncio.CancelledError
        return web.Response(text=_RUBBISH, content_type="text/html")


class Mail(Moody, unisender_go.UnisenderGoSimulator):
    def __init__(self, people: list[Person]) -> None:
        super().__init__()
        self._taken = Recent()
        self.failed = {p.on["email"]: "permanent_unavailable" for p in people if p.refused}


class Telegram(Moody, telegram.Telegram):
    def __init__(self, people: list[Person], token: str = telegram.TOKEN) -> None:
        super().__init__(token)
        for person in people:
            chat = self.add_person(int(person.on["telegram"]))
            if person.refused:
                chat.refusal = (403, "Forbidden: bot was blocked by the user")
        for keeper in map(Keeper, range(KEEPERS)):
            self.add_person(int(keeper.address))

    def press_there(self, sent: Sent) -> None:
        """The button that says that everything is there, if the message has it."""
        for row in sent.extra["buttons"]:
            for button in row:
                if button["text"] == THERE:
                    self.press(int(sent.to), sent.extra["message_id"], button["callback_data"])


class Vk(Moody, vk.Vk):
    def __init__(self, people: list[Person]) -> None:
        super().__init__()
        for person in people:
            self.add_person(int(person.on["vk"]), refusal=901 if person.refused else 0)
        for keeper in map(Keeper, range(KEEPERS)):
            self.add_person(int(keeper.address))

    async def start(self, port: int = 0) -> None:
        # Whoever polled when it went down was sent away; now polls wait again.
        self.events._stopping = False
        await super().start(port)

    def press_there(self, sent: Sent) -> None:
        for row in sent.extra["buttons"]:
            for action in (button["action"] for button in row):
                if action["label"] == THERE:
                    number = int(sent.provider_id.rpartition(":")[2])
                    payload = action["payload"]
                    self.press(
                        int(sent.to),
                        number,
                        json.loads(payload) if isinstance(payload, str) else payload,
                    )


class Max(Moody, max_.Max):
    def __init__(self, people: list[Person]) -> None:
        super().__init__()
        for person in people:
            self.add_person(int(person.on["max"]), started=not person.refused)
        for keeper in map(Keeper, range(KEEPERS)):
            self.add_person(int(keeper.address))

    async def start(self, port: int = 0) -> None:
        # As in VK.
        self.updates._stopping = False
        await super().start(port)

    def press_there(self, sent: Sent) -> None:
        for row in sent.extra["buttons"]:
            for button in row:
                if button["text"] == THERE:
                    self.press(int(sent.to), sent.provider_id, button["payload"])


class Smsc(Moody, smsc.SmscSimulator):
    def __init__(self, people: list[Person]) -> None:
        super().__init__()
        self._bodies = Recent()
        self.errors = {p.on["sms"]: 8 for p in people if p.refused}


class SmsRu(Moody, sms_ru.SmsRuSimulator):
    def __init__(self, people: list[Person]) -> None:
        super().__init__()
        self._taken = Recent()
        self.codes = {p.on["sms"].removeprefix("+"): 202 for p in people if p.refused}


class Fcm(Moody, fcm.FcmSimulator):
    def __init__(self, people: list[Person]) -> None:
        super().__init__()
        self.unregistered = {p.on["push"] for p in people if p.refused}


class Letters(smtp.SmtpSimulator):
    """A mail server. Its moods fall upon a dialogue at MAIL and, where it may have taken the letter, after DATA."""

    record: Record

    def __init__(self, people: list[Person]) -> None:
        super().__init__()
        self.refused = {p.on["email"]: "550 5.1.1 User unknown" for p in people if p.refused}

    async def answer(self, command: str, server: SMTP) -> str | None:
        if command != "MAIL":
            return None
        act = self.record.moods.act()
        await asyncio.sleep(act.delay)
        self.accident = None
        match act.mood:
            case Mood.WELL | Mood.SLOW:
                return None
            case Mood.FAILING | Mood.BEHIND_A_GATEWAY:
                return "451 4.3.0 Try again later"
            case Mood.THROTTLING:
                return "450 4.7.1 Too many messages, slow down"
        if not act.takes:
            await self.happen(smtp.Accident(command, hang=act.mood is Mood.SILENT), server)
        return None

    def take(self, envelope: Envelope) -> None:
        before = len(self.sent)
        super().take(envelope)
        for sent in self.sent[before:]:
            self.record.note(sent)
        del self.sent[before:]
        act = self.record.moods.act()
        unsure = act.mood in (Mood.LYING, Mood.SILENT) and act.takes
        self.accident = (
            smtp.Accident("DATA", hang=act.mood is Mood.SILENT, after_taking=True)
            if unsure
            else None
        )
