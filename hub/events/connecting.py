"""A source tried out: whether its platform lets us in, and calls us."""

from collections.abc import Sequence
from dataclasses import dataclass

from channels.base import Check
from hub.audit import log as audit
from hub.audit.model import Action, Actor
from hub.db.pool import transaction
from hub.errors import Unprocessable
from hub.events import reading
from hub.resources import Hub
from hub.sources import hooks, queries, service
from hub.sources.base import Impossible, Later, Platform, Subscribes, Trouble
from hub.sources.model import Source
from hub.sources.registry import UnknownPlatform


@dataclass(frozen=True, slots=True)
class Hook:
    """`subscribed` None: the platform cannot be asked."""

    topic: str
    url: str
    subscribed: bool | None


@dataclass(frozen=True, slots=True)
class Connected:
    ok: bool
    text: str
    hooks: Sequence[Hook]


async def connect(hub: Hub, source: Source, *, by: Actor) -> Connected:
    """Safe to repeat. Once the platform lets us in, whatever paused the source is over. Raises `Unprocessable`."""
    try:
        platform = service.live(hub.signer, hub.http, source, None, hears_only=True)
    except UnknownPlatform as error:
        raise Unprocessable(str(error)) from None
    except Trouble as trouble:
        return Connected(False, trouble.reason, ())
    urls = hooks.urls_of(hub.settings.public_url, hub.signer, source, platform.topics)
    found = await _tried(platform, urls)
    async with transaction(hub.db) as conn:
        if found.ok:
            await queries.note_works(conn, source.id)
            if source.active and source.poll_every and service.can_be_read(source):
                # What was missed until now, and whether it may be read at all.
                await reading.ask_now(conn, source.shop_id, source.id)
        await audit.record(
            conn, source.shop_id, by, Action.SOURCE_CONNECTED, source.id, ok=found.ok
        )
    return found


async def _tried(platform: Platform, urls: dict[str, str]) -> Connected:
    try:
        check = await platform.check()
    except (Later, Trouble, Impossible) as error:
        check = Check(False, str(error))
    if not check.ok or not isinstance(platform, Subscribes):
        there = False if isinstance(platform, Subscribes) else None
        return Connected(check.ok, check.text, [Hook(*item, there) for item in urls.items()])
    try:
        made = await platform.subscribe(urls)
    except (Later, Trouble, Impossible) as error:
        text = f"{check.text}; its hooks could not be set up: {error}"
        return Connected(False, text, [Hook(*item, False) for item in urls.items()])
    return Connected(
        True, check.text, [Hook(topic, url, topic in made) for topic, url in urls.items()]
    )
