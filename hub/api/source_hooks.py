"""Where shops' platforms call: what they tell is stored before they hear that all is well."""

from datetime import UTC, datetime, timedelta

import structlog
from aiohttp import web

from channels.base import BadHook, HookRequest
from hub.api.body import read_all
from hub.api.keys import HUB
from hub.api.patience import within
from hub.api.routes import PUBLIC, Routes
from hub.errors import InvalidInput, NotFound, Unauthenticated, Unavailable
from hub.resources import Hub
from hub.sources import hooks, inbox, queries, service
from hub.sources.base import Call, Platform, Trouble
from hub.sources.model import Heard, Source, Via
from hub.sources.registry import UnknownPlatform
from hub.tokens import BadToken

log = structlog.get_logger()

routes = Routes("Hooks")

_LIMIT = 4 * 1024 * 1024
_TIMEOUT = timedelta(seconds=40)
"""With the time that so much may take to arrive; what is done with it has its own."""

_PATIENCE = timedelta(milliseconds=900)
"""Some platforms take no answer within a second and a half for none, and come again with everything."""


@routes.get(
    "/hooks/{token}/{topic}",
    name="sources.probe",
    scope=PUBLIC,
    summary="A shop's platform looks whether the address is there",
    answers={200: "text/plain"},
    problems=[404],
)
async def probe(request: web.Request) -> web.StreamResponse:
    """200 for an address that is in use."""
    await _source(request)
    return web.Response(text="ok")


@routes.post(
    "/hooks/{token}/{topic}",
    name="sources.receive",
    scope=PUBLIC,
    summary="A shop's platform tells what happened",
    answers={200: "application/json", 202: "application/json"},
    problems=[400, 401, 404, 413],
    timeout=_TIMEOUT,
)
async def receive(request: web.Request) -> web.StreamResponse:
    """The token in the path names the source; where its platform signs its calls, the signature counts. What is said
    twice is kept once, and the platform hears the same."""
    source, platform, topic = await _source(request)
    body = await read_all(request, _LIMIT)
    asked = HookRequest(
        method=request.method,
        headers={name.lower(): value for name, value in request.headers.items()},
        query=dict(request.query),
        body=body,
    )
    try:
        heard = platform.hear(Call(topic, asked), now=datetime.now(UTC))
    except BadHook as error:
        log.warning("source_hook.refused", source=str(source.id), forged=error.forged)
        if error.forged:
            raise Unauthenticated("the proof of the sender does not match") from None
        raise InvalidInput(str(error)) from None
    await _stored(request.app[HUB], source, heard)
    reply = heard.reply
    return web.Response(status=reply.status, text=reply.body, content_type=reply.content_type)


async def _stored(hub: Hub, source: Source, heard: Heard) -> None:
    try:
        await within(_PATIENCE, inbox.add(hub.db, source, heard.events, Via.HOOK))
    except TimeoutError:
        raise Unavailable("the database does not answer; tell it again") from None


async def _source(request: web.Request) -> tuple[Source, Platform, str]:
    """Raises `NotFound` for whatever is not in use."""
    hub, topic = request.app[HUB], request.match_info["topic"]
    try:
        source_id, version = hooks.read_token(hub.signer, request.match_info["token"])
        source = await within(_PATIENCE, queries.of_hook(hub.db, source_id))
        if source is None or source.hook_version != version or not source.active:
            raise NotFound(_NOBODY)
        if source.shop_id not in hub.shops:
            raise NotFound(_NOBODY)
        platform = service.live(hub.signer, hub.http, source, None, hears_only=True)
    except (BadToken, UnknownPlatform):
        raise NotFound(_NOBODY) from None
    except TimeoutError:
        raise Unavailable("the database does not answer; tell it again") from None
    except Trouble as error:
        raise Unavailable(error.reason) from None
    if topic not in platform.topics:
        raise NotFound(_NOBODY)
    return source, platform, topic


_NOBODY = "there is no source with this hook"
