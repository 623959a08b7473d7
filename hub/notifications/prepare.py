"""From a request and what is known of its receiver to the rows and the answer; no I/O."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from channels.base import Category, Channel
from hub.accounts.book import AccountBook
from hub.content.call import Call
from hub.content.catalog import Catalog, Reading, Template
from hub.content.model import ContentError, MissingVariable, Rendered, WrongValue
from hub.errors import Fault, Unprocessable
from hub.ids import new_id
from hub.notifications import steps
from hub.notifications.listed import LISTED
from hub.notifications.model import (
    LIFETIME,
    ContactFacts,
    NotificationStatus,
    Plan,
    Strategy,
)
from hub.notifications.planner import Planner
from hub.notifications.rendering import call_of, inline
from hub.notifications.request import NotificationIn
from hub.notifications.steps import NewDelivery, Owner
from hub.shops.registry import Shop

_ALL = frozenset(Channel)
_ALIVE = (NotificationStatus.QUEUED, NotificationStatus.SCHEDULED)
_AT_ONCE = timedelta(seconds=1)
"""What begins within that begins now."""


class Prepared(NamedTuple):
    """One notification ready to be stored. `row`: its `COLUMNS`. `answer`: JSON. `rendered`: where it was asked for."""

    id: UUID
    contact_id: UUID
    category: Category
    status: NotificationStatus
    collapse_key: str | None
    row: tuple[Any, ...]
    deliveries: Sequence[NewDelivery]
    answer: bytes
    plan: Plan
    rendered: Mapping[Channel, Rendered]


class Planned(NamedTuple):
    """One notification of which it is decided who gets it where. `template`: where it is rendered now, to see that it can
    be."""

    shop: Shop
    asked: NotificationIn
    contact: ContactFacts
    category: Category
    plan: Plan
    template: Template | None


class Known:
    """What every request of one process is prepared with."""

    def __init__(self, catalog: Catalog, accounts: AccountBook) -> None:
        self.catalog = catalog
        self.planner = Planner(accounts)


def prepare(
    known: Known,
    shop: Shop,
    asked: NotificationIn,
    contact: ContactFacts,
    *,
    now: datetime,
    interaction: Mapping[str, str] | None = None,
    show: bool = False,
) -> Prepared:
    """`interaction`: the message is a question, made from the present state when it leaves and for every
    channel; nothing is rendered now. `show`: what would be sent is wanted, too.

    Raises `Unprocessable`: unknown template, a missing variable, a category the template does not have.
    """
    planned = plan_one(known, shop, asked, contact, now=now, asks=interaction is not None)
    return prepare_planned(planned, now=now, interaction=interaction, show=show)


def plan_one(
    known: Known,
    shop: Shop,
    asked: NotificationIn,
    contact: ContactFacts,
    *,
    now: datetime,
    asks: bool = False,
) -> Planned:
    """The first half of `prepare`. `asks`: there is an `interaction`. Raises `Unprocessable`."""
    template = _template(known.catalog, shop, asked)
    category = _category(asked, template)
    tried = None if asks else template
    variants = _ALL
    if tried:
        variants = tried.channels(contact.role, contact.locale or shop.settings.locale)
    plan = known.planner.plan(shop, asked.ask(category), contact, variants=variants, now=now)
    return Planned(shop, asked, contact, category, plan, tried)


def prepare_planned(
    planned: Planned,
    *,
    now: datetime,
    interaction: Mapping[str, str] | None = None,
    show: bool = False,
    fits: bool = False,
) -> Prepared:
    """The second half of `prepare`. `fits`: see `fitting`. Raises `Unprocessable`."""
    rendered: Mapping[Channel, Rendered] = {}
    if planned.template and (show or not fits):
        rendered = _rendered(planned, planned.template, show=show)
    elif show and interaction is None:
        rendered = _literal(planned.asked, planned.plan)
    return _rows(planned, rendered, now, interaction)


def fitting(many: Sequence[Planned]) -> list[bool]:
    """Of each whether it surely can be rendered: seen of many at once, which takes a fraction of the time. Of the others
    `prepare_planned` says what is wrong, if anything is."""
    groups: dict[Reading, tuple[list[int], list[Call]]] = {}
    fits = [one.template is not None and one.template.has_own for one in many]
    for at, one in enumerate(many):
        if one.template is None or not fits[at]:
            continue
        for step in one.plan.steps:
            try:
                reading, call = _call(one, one.template, step.channel)
            except ContentError:
                fits[at] = False
                continue
            places, calls = groups.setdefault(reading, ([], []))
            places.append(at)
            calls.append(call)
    for reading, (places, calls) in groups.items():
        try:
            found = reading.fits(calls)
        except ContentError:
            found = [False] * len(calls)
        for at, good in zip(places, found, strict=True):
            fits[at] &= good
    return fits


def also_refused(
    known: Known, shop: Shop, asked: NotificationIn, unknown: Unprocessable
) -> Unprocessable:
    """`unknown`: nobody is there to write to. What else is wrong is told at once, as far as it can be seen
    without the person."""
    try:
        _category(asked, _template(known.catalog, shop, asked))
    except Unprocessable as error:
        return Unprocessable(faults=[*unknown.faults, *error.faults])
    return unknown


def _template(catalog: Catalog, shop: Shop, asked: NotificationIn) -> Template | None:
    if asked.template is None:
        return None
    template = catalog.find(shop.id, asked.template)
    if template is None:
        raise Unprocessable(faults=[Fault("/template", f"there is no template {asked.template!r}")])
    return template


def _category(asked: NotificationIn, template: Template | None) -> Category:
    own = template.category if template else Category.TRANSACTIONAL
    if asked.category in (None, own):
        return own
    if own is Category.MARKETING and template:
        reason = f"{template.name} is a marketing template and cannot be sent as {asked.category}"
        raise Unprocessable(faults=[Fault("/category", reason)])
    return asked.category or own


def _literal(asked: NotificationIn, plan: Plan) -> Mapping[Channel, Rendered]:
    """Literal text lacks nothing, so there is nothing to try."""
    content = inline(asked.literal or {})
    return {step.channel: content.render(step.channel) for step in plan.steps}


def _rendered(planned: Planned, template: Template, *, show: bool) -> Mapping[Channel, Rendered]:
    """Every channel of the plan is tried once to see that it can be rendered. With nobody to reach nothing is, so
    nothing can be missing."""
    faults: dict[str, str] = {}
    found: dict[Channel, Rendered] = {}
    for step in planned.plan.steps:
        try:
            reading, call = _call(planned, template, step.channel)
            if show:
                found[step.channel] = reading.render(call)
            else:
                reading.try_out(call)
        except (MissingVariable, WrongValue) as error:
            faults.setdefault(error.pointer, str(error))
        except ContentError as error:
            faults.setdefault("/template", str(error))
    if faults:
        raise Unprocessable(faults=[Fault(p, d) for p, d in faults.items()])
    return found


def _call(planned: Planned, template: Template, channel: Channel) -> tuple[Reading, Call]:
    """Raises `NoVariant`."""
    return call_of(
        template,
        planned.shop,
        channel,
        planned.contact,
        locale=None,
        data=planned.asked.data,
        # Stand-ins: the real links are signed for the delivery's own address and person.
        unsubscribe="https://unsubscribe.invalid/",
        preferences="https://preferences.invalid/" if planned.contact.external_id else "",
    )


# In the order in which `_rows` lists their values: a name for each value costs more than all the rest of it.
COLUMNS = (
    *("id", "shop_id", "contact_id", "template", "category", "strategy", "status"),
    *("data", "content", "locale", "plan", "skipped", "ordering_key", "collapse_key"),
    *("meta", "interaction", "send_at", "held_until", "expires_at", "step_at", "listed", "ends_at"),
)


def _rows(
    planned: Planned,
    rendered: Mapping[Channel, Rendered],
    now: datetime,
    interaction: Mapping[str, str] | None,
) -> Prepared:
    shop, asked, contact, category, plan, _ = planned
    start = plan.held_until or max(now, asked.send_at or now)
    if start <= now + _AT_ONCE:
        start = now
    expires_at = asked.expires_at
    if expires_at is None and category is Category.SECURITY:
        expires_at = start + LIFETIME[category]
    status = _status(plan, start, expires_at, now)
    alive = status in _ALIVE
    id_, strategy = new_id(), asked.strategy
    stored = steps.stored(plan, shop.settings.fallback_after.of(category))
    skipped = orjson.Fragment(plan.skipped_json)
    row = (
        id_,
        shop.id,
        contact.id,
        asked.template,
        category,
        strategy,
        status,
        asked.data,
        asked.literal,
        asked.one_off.locale if asked.one_off else None,
        stored,
        skipped,
        asked.ordering_key,
        asked.collapse_key,
        asked.meta,
        interaction,
        asked.send_at,
        plan.held_until,
        expires_at,
        steps.step_at(stored, 0, start) if alive else None,
        status if status in LISTED else None,
        expires_at if alive else None,
    )
    deliveries: list[NewDelivery] = []
    if alive:
        owner = Owner(
            id_, shop.id, contact.id, category, strategy, asked.ordering_key, expires_at, stored
        )
        for i in range(len(plan.steps) if strategy is Strategy.ALL else 1):
            held = [target.address_id for target in plan.steps[i].targets]
            deliveries += steps.step_deliveries(owner, i, start=start, addresses=held)
    # Now, while it is at hand: of a batch each would have to be fetched from memory once more.
    answer = orjson.dumps(
        {
            "id": str(id_),
            "status": status,
            "held_until": plan.held_until,
            "plan": shown(plan),
            "skipped": skipped,
        }
    )
    return Prepared(
        id_,
        contact.id,
        category,
        status,
        asked.collapse_key,
        row,
        deliveries,
        answer,
        plan,
        rendered,
    )


def _status(
    plan: Plan, start: datetime, expires_at: datetime | None, now: datetime
) -> NotificationStatus:
    if not plan.steps:
        return NotificationStatus.UNDELIVERABLE
    if expires_at and expires_at <= max(now, start):
        return NotificationStatus.EXPIRED
    if start > now:
        return NotificationStatus.SCHEDULED
    return NotificationStatus.QUEUED


def shown(plan: Plan) -> list[dict[str, Any]]:
    """The plan as the API shows it, one item an address."""
    items = []
    for step in plan.steps:
        for target in step.targets:
            item: dict[str, Any] = {"channel": step.channel, "address": target.value}
            if target.provider:
                item["provider"] = target.provider
            if step.until:
                item["until"] = step.until
            if step.wait is not None:
                item["wait"] = int(step.wait.total_seconds())
            items.append(item)
    return items
