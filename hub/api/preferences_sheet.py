"""The sheet of a person's preferences: what it shows, and what a filled-in one says. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import time
from typing import Any

from channels.base import Category, Channel
from hub.config import Locale, QuietHours, Shop
from hub.contacts.model import ConsentState
from hub.notifications.model import AddressFacts, ContactFacts
from hub.preferences.choices import Wanted, named

SHOWN = (Category.TRANSACTIONAL, Category.MARKETING)
"""Codes are sent where they are asked for; there is nothing to choose."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What there is to choose from: per category the channels by which the shop can write to this person, in
    the shop's order. `kinds`: of the addresses by which it can, per channel."""

    contact: ContactFacts
    shop: Shop
    channels: Mapping[Category, tuple[Channel, ...]]
    kinds: Mapping[Channel, Collection[str]]


class WrongQuietHours(ValueError):
    """They begin when they end, or a time is none."""


def offer(contact: ContactFacts, shop: Shop, carried: Mapping[Channel, Collection[str]]) -> Offer:
    """`carried`: the kinds of addresses that the shop's accounts on a channel write to."""
    kinds = {address.kind for address in contact.addresses}
    return Offer(
        contact,
        shop,
        {
            category: tuple(
                channel
                for channel in shop.channels.of(category)
                if not kinds.isdisjoint(carried.get(channel, ()))
            )
            for category in SHOWN
        },
        carried,
    )


def order(there: Offer, category: Category) -> list[Channel]:
    """As the sheet lists them: the person's own order first."""
    own = there.contact.preferences.get(category, ())
    offered = there.channels[category]
    return [c for c in own if c in offered] + [c for c in offered if c not in own]


def chosen(there: Offer, category: Category) -> list[Channel]:
    """Those that are ticked."""
    contact = there.contact
    own = contact.preferences.get(category)
    wanted = [c for c in order(there, category) if own is None or c in own]
    if category is not Category.MARKETING:
        return wanted
    subscribed = ConsentState.SUBSCRIBED
    return [c for c in wanted if contact.consents.get((category, c)) == subscribed]


def wanted(there: Offer, form: Mapping[str, list[str]], locale: Locale) -> Wanted:
    """What the sheet says. Channels that did not stand on it, or that are not offered (any more), count for
    nothing. Raises `WrongQuietHours`.

    What marketing is wanted is a matter of consents; of its channels only the order is kept.
    """
    orders, marketing = _listed(there, form, Category.TRANSACTIONAL), Category.MARKETING
    news = _listed(there, form, marketing)
    ticked = {category: form.get(str(category), []) for category in SHOWN}
    language = form.get("locale", [""])[-1]
    return Wanted(
        locale="ru" if language == "ru" else "en" if language == "en" else locale,
        channels={
            Category.TRANSACTIONAL: _named(
                there,
                Category.TRANSACTIONAL,
                [c for c in orders if c in ticked[Category.TRANSACTIONAL]],
                shown=orders,
            ),
            marketing: _named(there, marketing, news, shown=news),
        },
        consents={
            channel: ConsentState.SUBSCRIBED
            if channel in ticked[marketing]
            else ConsentState.UNSUBSCRIBED
            for channel in news
            # Who never said anything and says nothing now has not left.
            if channel in ticked[marketing] or (marketing, channel) in there.contact.consents
        },
        quiet_hours=_quiet_hours(there.contact.quiet_hours, form),
    )


def _named(
    there: Offer, category: Category, chosen: Sequence[Channel], *, shown: Sequence[Channel]
) -> tuple[Channel, ...] | None:
    offered = [c for c in there.channels[category] if c in shown]
    return named(chosen, offered, there.contact.preferences.get(category))


def _listed(there: Offer, form: Mapping[str, list[str]], category: Category) -> list[Channel]:
    """The channels that stood on the sheet in their order, the one that was to go up one place higher."""
    offered = [str(channel) for channel in there.channels[category]]
    listed = list(dict.fromkeys(c for c in form.get(f"{category}.order", []) if c in offered))
    for channel in form.get("up", []):
        name = channel.removeprefix(f"{category}.")
        if name != channel and name in listed and listed.index(name):
            at = listed.index(name)
            listed[at - 1], listed[at] = listed[at], listed[at - 1]
    return [Channel(c) for c in listed]


def _quiet_hours(before: QuietHours | None, form: Mapping[str, list[str]]) -> QuietHours | None:
    if "quiet" not in form:
        return None
    try:
        start, end = (time.fromisoformat(form[name][-1]) for name in ("from", "to"))
    except (KeyError, ValueError):
        raise WrongQuietHours from None
    if start == end:
        raise WrongQuietHours
    categories = before.categories if before else None
    return QuietHours.model_validate({"from": start, "to": end, "categories": categories})


def sheet(
    there: Offer, said: Mapping[str, Any], form: Mapping[str, list[str]] | None = None
) -> dict[str, Any]:
    """What `preferences.html` shows. `form`: a sheet that could not be taken, to show it again."""
    contact = there.contact
    staff = contact.role != "buyer"
    categories = [
        _category(there, category, said, staff=staff, form=form)
        for category in SHOWN
        if there.channels[category]
    ]
    return {
        "categories": categories,
        "silent": bool(there.channels[Category.TRANSACTIONAL])
        and not chosen(there, Category.TRANSACTIONAL),
        "can_leave": bool(there.channels[Category.MARKETING])
        or any(category == Category.MARKETING for category, _ in contact.consents),
        **_quiet(there, said, form),
    }


def _category(
    there: Offer,
    category: Category,
    said: Mapping[str, Any],
    *,
    staff: bool,
    form: Mapping[str, list[str]] | None,
) -> dict[str, Any]:
    ticks = (
        chosen(there, category)
        if form is None
        else [Channel(c) for c in there.channels[category] if c in form.get(str(category), [])]
    )
    title = f"{category}_staff" if staff and category is Category.TRANSACTIONAL else str(category)
    return {
        "name": str(category),
        "title": said[title],
        "lead": said[f"{category}_lead"],
        "channels": [
            {
                "name": str(channel),
                "title": said["channels"][channel],
                "address": _shown_address(there, channel),
                "trouble": _trouble(there, channel, said),
                "ticked": channel in ticks,
            }
            for channel in order(there, category)
        ],
    }


def _addresses(there: Offer, channel: Channel) -> list[AddressFacts]:
    return [a for a in there.contact.addresses if a.kind in there.kinds[channel]]


def _shown_address(there: Offer, channel: Channel) -> str:
    """Enough to know it again. The link may have been forwarded with the letter it stood in."""
    address = _addresses(there, channel)[0]
    value = address.value
    match address.kind:
        case "email":
            name, _, domain = value.rpartition("@")
            return f"{name[:2]}…@{domain}"
        case "phone":
            return f"{value[:2]} … {value[-2:]}"
        case _:
            return ""


def _trouble(there: Offer, channel: Channel, said: Mapping[str, Any]) -> str:
    found = _addresses(there, channel)
    if all(channel in address.suppressed for address in found):
        return str(said["blocked"])
    return "" if any(address.verified for address in found) else str(said["unproven"])


def _quiet(
    there: Offer, said: Mapping[str, Any], form: Mapping[str, list[str]] | None
) -> dict[str, Any]:
    own, shops = there.contact.quiet_hours, there.shop.quiet_hours
    lead = said["quiet_lead"]
    if own and own.categories is not None:
        what = ", ".join(said["categories"][c] for c in own.categories)
        lead = said["quiet_lead_some"].format(what=what)
    start, end = (f"{own.start:%H:%M}", f"{own.end:%H:%M}") if own else ("22:00", "09:00")
    if form is not None:
        start, end = form.get("from", [start])[-1], form.get("to", [end])[-1]
    shop_hours = ""
    if shops and not own:
        shop_hours = said["quiet_shop"].format(
            start=f"{shops.start:%H:%M}", end=f"{shops.end:%H:%M}"
        )
    return {
        "quiet": own is not None if form is None else "quiet" in form,
        "quiet_lead": lead,
        "quiet_from": start,
        "quiet_to": end,
        "quiet_shop": shop_hours,
    }
