"""Where providers call: receipts and bot updates, stored before the provider hears that all is well."""

from collections.abc import Mapping
from datetime import timedelta

import structlog
from aiohttp import web

from channels.base import BadHook, HookReply, HookRequest, ReadsHooks
from hub.accounts import hooks
from hub.accounts.book import LiveAccount
from hub.api.background import INTAKE
from hub.api.body import read_all
from hub.api.keys import HUB
from hub.api.patience import within
from hub.api.routes import PUBLIC, TIMEOUT, Routes
from hub.contacts import updates
from hub.errors import InvalidInput, NotFound, Unauthenticated
from hub.inbound import service as inbound
from hub.resources import Hub

log = structlog.get_logger()

routes = Routes("Hooks")

_LIMIT = 8 * 1024 * 1024
"""A thousand events with the answers of mail servers, as a form."""

_TIMEOUT = timedelta(seconds=40)
"""With the time that so much may take to arrive; what is done with it has its own."""

HOOKS: web.AppKey[Mapping[str, LiveAccount]] = web.AppKey("hooks", Mapping)


@routes.get(
    "/hooks/{token}",
    name="hooks.probe",
    scope=PUBLIC,
    summary="A provider calls back, or looks whether the address is there",
    answers={200: "text/plain"},
    problems=[401, 404],
    timeout=_TIMEOUT,
)
@routes.post(
    "/hooks/{token}",
    name="hooks.receive",
    scope=PUBLIC,
    summary="A provider calls back",
    answers={200: "text/plain"},
    problems=[401, 404],
    timeout=_TIMEOUT,
)
async def receive(request: web.Request) -> web.StreamResponse:
    """The token in the path names the account; where the provider signs its calls, the signature counts."""
    account = request.app[HOOKS].get(request.match_info["token"])
    if account is None:
        raise NotFound("there is no account with this hook")
    hub = request.app[HUB]
    # A provider that is told 413 tells the same again, for days.
    body = await read_all(request, _LIMIT)
    asked = HookRequest(
        method=request.method,
        headers={name.lower(): value for name, value in request.headers.items()},
        query=dict(request.query),
        body=body,
        # As the provider called it: with an earlier token, where it was not told the present one yet.
        url=hooks.url_with(hub.settings.public_url, request.match_info["token"]),
    )
    try:
        reply = await within(TIMEOUT, _store(request, hub, account, asked))
    except BadHook as error:
        log.warning("hook.refused", account=account.name, forged=error.forged)
        if error.forged:
            raise Unauthenticated("the proof of the sender does not match") from None
        raise InvalidInput(str(error)) from None
    return web.Response(status=reply.status, text=reply.body, content_type=reply.content_type)


async def _store(
    request: web.Request, hub: Hub, account: LiveAccount, asked: HookRequest
) -> HookReply:
    if updates.has_bot(account):
        told = await updates.receive_hook(hub, account, asked)
    elif isinstance(account.adapter, ReadsHooks):
        told = account.adapter.read_hook(asked)
    else:
        raise NotFound("this account's provider does not call back")
    if told.left_out:
        log.warning("hook.events_left_out", account=account.name, events=told.left_out)
    due = await inbound.store(hub, account, told)
    request.app[INTAKE].pass_on(due)
    return told.reply
