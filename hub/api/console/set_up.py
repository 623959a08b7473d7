"""Set-up: what is left to do before the shop's messages go out as they should, and its accounts, each to be tried."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from aiohttp import web

from channels.base import Check
from channels.registry import SANDBOX
from hub.accounts import check, health
from hub.accounts.book import LiveAccount, NotSetUp
from hub.api.console import meaning
from hub.api.console.frame import SERVED, Pages, Visit, show
from hub.api.v1 import accounts
from hub.api.v1.accounts import AccountOut, State
from hub.errors import NotFound
from hub.logs import redact
from hub.operators.model import Right
from hub.rules import queries as rules
from hub.shops import keys
from hub.sources import queries as sources
from hub.sources.mapping import status_of
from hub.sources.model import Source
from hub.sources.registry import UnknownPlatform, platform_class
from hub.statistics import live
from hub.webhooks import queries as webhooks

pages = Pages("set_up")

PATIENCE = timedelta(seconds=20)
"""For a provider's answer, while somebody looks at the page."""

TIMEOUT = PATIENCE + timedelta(seconds=5)

TABS = ("", "/keys", "/webhooks", "/sources", "/events", "/rules")


@dataclass(frozen=True, slots=True)
class Todo:
    """`key`: of the words' table `todo`; `path`: where it is done, empty in the settings file; `tone`: bad stops
    messages, wait is worth doing."""

    key: str
    path: str = ""
    about: str = ""
    why: str = ""
    tone: str = "wait"


def tabs(visit: Visit, now: str) -> list[tuple[str, str, bool]]:
    """Between the pages of set-up."""
    served = visit.request.app[SERVED]
    names = visit.said["tabs"]
    return [
        (visit.url(f"/set-up{way}"), names[way.strip("/") or "overview"], way == now)
        for way in TABS
        if f"/set-up{way}" in served
    ]


def unmapped(source: Source) -> Sequence[str]:
    """Words of its platform that came and mean nothing yet."""
    if source.mapping_fault:
        # Whether they do nobody knows before that is mended.
        return ()
    try:
        statuses = platform_class(source.platform).statuses
    except UnknownPlatform:
        statuses = {}
    return status_of([[code] for code in source.unknown_codes], source.mapping, statuses).unknown


@pages.get("/set-up", right=Right.SET_UP)
async def overview(visit: Visit) -> web.StreamResponse:
    return await _page(visit)


@pages.post("/set-up/accounts/{name}/test", right=Right.SET_UP, timeout=TIMEOUT)
async def tested(visit: Visit) -> web.StreamResponse:
    """Asks the provider, sending nothing."""
    hub, shop = visit.hub, visit.shop
    account = hub.accounts.get(shop.id, visit.request.match_info["name"])
    if account is None:
        raise NotFound(visit.said["no_such_account"])
    if account.provider == SANDBOX:
        return await _page(visit, answers={account.name: Check(True, visit.said["sandbox_answer"])})
    hook = accounts.shown(hub, shop, account, None).hook_url or ""
    found = await check.answer_of(account.adapter, hook, patience=PATIENCE)
    return await _page(visit, answers={account.name: Check(found.ok, redact(found.text))})


async def _page(visit: Visit, *, answers: Mapping[str, Check] | None = None) -> web.Response:
    """`answers`: what providers just said, by the accounts' names."""
    listed = await _accounts(visit)
    return show(
        visit,
        "overview.html",
        title=visit.said["nav"]["set_up"],
        tabs=tabs(visit, ""),
        todo=[*_file_todo(visit), *_account_todo(listed), *await _rest_todo(visit)],
        accounts=listed,
        answers=answers or {},
        is_sandbox=not visit.shop.settings.accounts,
        means=partial(meaning.told, visit.said),
        states={"in_use": "good", "paused": "wait", "not_set_up": "wait", "off": "quiet"},
        limits={
            one.name: one.limits
            for one in visit.hub.accounts.listed(visit.shop.id)
            if isinstance(one, LiveAccount) and one.provider != SANDBOX
        },
    )


async def _accounts(visit: Visit) -> list[AccountOut]:
    pauses = await health.pauses(visit.hub.db)
    rows: Sequence[LiveAccount | NotSetUp] = visit.hub.accounts.listed(visit.shop.id)
    return [
        accounts.shown(visit.hub, visit.shop, one, pauses.get((visit.shop.id, one.name)))
        for one in rows
    ]


def _file_todo(visit: Visit) -> list[Todo]:
    """What the settings file lacks."""
    found = []
    if not visit.shop.settings.accounts:
        found.append(Todo("no_accounts", "/set-up/try", tone="bad"))
    if not visit.hub.settings.hub.public_url:
        found.append(Todo("no_public_url", about="hub.public_url", tone="bad"))
    elif not visit.hub.settings.public_url.startswith("https://"):
        found.append(Todo("not_https", about=visit.hub.settings.public_url))
    return found


def _account_todo(listed: Sequence[AccountOut]) -> list[Todo]:
    found = []
    for one in listed:
        if one.state is State.NOT_SET_UP:
            found.append(Todo("not_set", about=f"{one.name}: {', '.join(one.missing)}", tone="bad"))
        elif one.paused and one.paused.refused:
            why = " ".join(filter(None, [one.paused.code, one.paused.reason]))
            found.append(Todo("refused", about=one.name, why=why, tone="bad"))
    if listed and all(one.state in (State.OFF, State.NOT_SET_UP) for one in listed):
        found.append(Todo("nothing_sends", "/set-up/try", tone="bad"))
    return found


async def _rest_todo(visit: Visit) -> list[Todo]:
    db, shop = visit.hub.db, visit.shop
    served = visit.request.app[SERVED]
    found = []
    has_key = any(key.revoked_at is None for key in await keys.listed(db, shop.slug, limit=100))
    connected = await sources.page(db, shop.id, before=None, limit=100)
    if not has_key and not connected:
        found.append(Todo("no_way_in", "/set-up/keys", tone="bad"))
    for one in connected:
        if problem := one.obstacle:
            found.append(Todo("source_problem", "/set-up/sources", one.name, problem, "bad"))
        if codes := unmapped(one):
            found.append(Todo("unknown_codes", "/set-up/sources", one.name, ", ".join(codes)))
    found += [
        Todo("rule_problem", "/set-up/rules", one.name, one.problem, "bad")
        for one in await rules.all_of(db, shop)
        if one.problem and one.active
    ]
    found += [
        Todo("webhook_failing", "/set-up/webhooks", hook.url, tone="bad")
        for hook in await webhooks.page(db, shop.id, before=None, limit=100)
        if hook.disabled_reason or hook.failing_since
    ]
    if await live.failed_events(db, shop.id):
        found.append(Todo("failed_events", "/set-up/events", tone="bad"))
    if not visit.operator.totp:
        found.append(Todo("no_second", "/me"))
    return [one if one.path in served else _without_way(one) for one in found]


def _without_way(one: Todo) -> Todo:
    """The page where it is done is not there in this version."""
    return Todo(one.key, "", one.about, one.why, one.tone)
