"""The sandbox: what would have gone out, on the screens of those who would have got it, with buttons that work."""

import hashlib
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import orjson
from aiohttp import web
from markupsafe import Markup

from channels.base import Channel
from hub.accounts import sandbox
from hub.accounts.sandbox import Kept
from hub.api.console import guard, sandbox_trial
from hub.api.console.bubbles import bubble
from hub.api.console.frame import Pages, Visit, form, framed, see, show
from hub.api.console.orders_shown import asked, id_in_path, page_of
from hub.api.console.sandbox_trial import Trial
from hub.contacts import queries, updates
from hub.contacts.addresses import digest_at, normalise
from hub.contacts.updates import BOT_CHANNELS
from hub.errors import InvalidInput, NotFound
from hub.inbound import service as inbound
from hub.operators.model import Right

pages = Pages("sandbox")

WRITABLE: Final = BOT_CHANNELS | inbound.PLAYED
"""Where people can write to the shop."""

_LOOKED_AT = 80
_MOST_DEVICES = 9
_AT_ONCE = 3
_OF_ONE = 30
_LONGEST_TEXT = 4096
_CLOSES_HEAD = "</head>"


@dataclass(frozen=True, slots=True)
class Shown:
    """One kept message. `words`: as the messenger shows them."""

    kept: Kept
    words: Markup | str


@dataclass(frozen=True, slots=True)
class Device:
    """Where one address is read: a chat, a mailbox, a phone. `messages`: the oldest first; `more`: that there are
    others before them."""

    channel: Channel
    to: str
    name: str
    role: str
    person_url: str
    messages: list[Shown]
    more: bool

    @property
    def can_write(self) -> bool:
        return self.channel in WRITABLE


@pages.get("/sandbox")
async def overview(visit: Visit) -> web.StreamResponse:
    """Every address that got something lately. Loaded again by itself; where nothing is new there is no answer."""
    channel = asked(visit, "channel")
    chosen = Channel(channel) if channel in set(Channel) else None
    kept = await sandbox.kept(visit.hub.db, visit.shop.id, channel=chosen, limit=_LOOKED_AT)
    now_on = await sandbox_trial.latest(visit)
    seen = _digest(kept, now_on)
    if visit.is_part and asked(visit, "seen") == seen:
        return web.Response(status=HTTPStatus.NO_CONTENT)
    may_look = visit.may(Right.ADDRESSES)
    return show(
        visit,
        "sandbox.html",
        title=visit.said["nav"]["sandbox"],
        devices=await _devices(visit, kept, _AT_ONCE) if may_look else [],
        may_look=may_look,
        may_play=visit.may(Right.SEND) and may_look,
        trial=now_on,
        can_try=bool(sandbox_trial.playable(visit)),
        call=_call(visit),
        channels=[(one.value, visit.said["channels"][one]) for one in Channel],
        chosen=chosen or "",
        messages_at=bool(page_of(visit, "/messages/{id}", visit.operator.id)),
        live=visit.here(seen=seen),
        back=visit.here(seen=None),
    )


@pages.get("/sandbox/device", right=Right.ADDRESSES)
async def device(visit: Visit) -> web.StreamResponse:
    """One address by itself, with what was there before and room to write. It may be one that got nothing yet."""
    channel, to = _address(visit, asked(visit, "channel"), asked(visit, "to"))
    kept = await sandbox.kept(visit.hub.db, visit.shop.id, channel=channel, to=to, limit=_OF_ONE)
    seen = _digest(kept, None)
    if visit.is_part and asked(visit, "seen") == seen:
        return web.Response(status=HTTPStatus.NO_CONTENT)
    return show(
        visit,
        "device.html",
        title=visit.said["nav"]["sandbox"],
        device=await _device(visit, channel, to, kept, _OF_ONE),
        may_play=visit.may(Right.SEND),
        messages_at=bool(page_of(visit, "/messages/{id}", visit.operator.id)),
        live=visit.here(seen=seen),
        back=visit.here(seen=None),
    )


@pages.get("/sandbox/letter/{id}", right=Right.ADDRESSES)
async def letter(visit: Visit) -> web.StreamResponse:
    """Links lead out of the frame, as those of a letter do."""
    kept = await sandbox.one(visit.hub.db, visit.shop.id, id_in_path(visit))
    if kept is None:
        raise NotFound
    beside = '<base target="_blank">'
    head, closes, rest = kept.html.partition(_CLOSES_HEAD)
    return framed(f"{head}{beside}{closes}{rest}" if closes else beside + kept.html)


@pages.post("/sandbox/order", right=Right.SEND)
async def place(visit: Visit) -> web.StreamResponse:
    """A trial order of people who do not exist."""
    if await sandbox_trial.place(visit):
        return see(visit, "/sandbox", note="placed")
    return see(visit, "/sandbox", note="no_channel", kind="bad")


@pages.post("/sandbox/{id}/press", right=Right.SEND)
async def press(visit: Visit) -> web.StreamResponse:
    """A button under a message, as its receiver would press it: the bots do what it asks for a moment later."""
    filled = await form(visit)
    kept = await sandbox.one(visit.hub.db, visit.shop.id, id_in_path(visit))
    if kept is None:
        raise NotFound
    data = filled.text("data", longest=255)
    await updates.store_press(visit.hub, visit.shop.id, kept.channel, kept.to, kept.id, data)
    return _played(visit, filled.get("back"))


@pages.post("/sandbox/say", right=Right.SEND)
async def say(visit: Visit) -> web.StreamResponse:
    """Somebody writes to the shop."""
    filled = await form(visit)
    channel, to = _address(visit, filled.text("channel"), filled.text("to"))
    words = filled.text("text", longest=_LONGEST_TEXT)
    if not words:
        raise InvalidInput(visit.said["text_missing"])
    if channel in inbound.PLAYED:
        await inbound.play(visit.hub, visit.shop.id, channel, to, words)
    else:
        await updates.store_words(visit.hub, visit.shop.id, channel, to, words)
    return _played(visit, filled.get("back"))


def _call(visit: Visit) -> str:
    """How a shop's backend would hand over the trial order."""
    body = sandbox_trial.body_of(visit)
    url = f"{visit.hub.settings.public_url}/v1/orders/{sandbox_trial.BEFORE}{body['number']}"
    shown = orjson.dumps(body, option=orjson.OPT_INDENT_2).decode()
    return (
        f"curl -X PUT {url} \\\n  -H 'Authorization: Bearer vst_…' -H 'Content-Type: application/json'"
        f" \\\n  -d '{shown}'"
    )


def _played(visit: Visit, back: str | None) -> web.Response:
    if visit.is_part:
        return web.Response(status=HTTPStatus.NO_CONTENT, headers={"HX-Trigger": "played"})
    location = guard.local(visit.request, back)
    return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": location})


def _address(visit: Visit, channel: str, to: str) -> tuple[Channel, str]:
    """Raises `InvalidInput`."""
    if channel not in set(Channel):
        raise InvalidInput(visit.said["channel_missing"])
    try:
        return Channel(channel), normalise(Channel(channel), to)
    except ValueError:
        raise InvalidInput(visit.said["address_wrong"]) from None


def _digest(kept: list[Kept], now_on: Trial | None) -> str:
    """Of all that a page shows and that may change."""
    state = [(str(one.id), str(one.edited_at)) for one in kept]
    return hashlib.sha256(repr((state, now_on)).encode()).hexdigest()[:16]


async def _devices(visit: Visit, kept: list[Kept], most: int) -> list[Device]:
    """Those that got something last come first."""
    by: dict[tuple[Channel, str], list[Kept]] = {}
    for one in kept:
        by.setdefault((one.channel, one.to), []).append(one)
    first = list(by.items())[:_MOST_DEVICES]
    return [await _device(visit, channel, to, got, most) for (channel, to), got in first]


async def _device(visit: Visit, channel: Channel, to: str, kept: list[Kept], most: int) -> Device:
    known = await queries.at(visit.hub.db, visit.shop.id, digest_at(channel, to))
    person = next(iter(known), None)
    return Device(
        channel=channel,
        to=to,
        name=(person.name or person.external_id or "") if person else "",
        role=str(person.role) if person else "",
        person_url=page_of(visit, "/people/{id}", person.id) if person else "",
        messages=[_shown(one) for one in reversed(kept[:most])],
        more=len(kept) > most,
    )


def _shown(kept: Kept) -> Shown:
    return Shown(
        kept, bubble(kept.html) if kept.html and kept.channel in BOT_CHANNELS else kept.text
    )
