"""What a contact is after a request: pure, so that a request which changes nothing writes nothing."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from channels.base import Category
from hub.audit.model import Actor, ActorKind
from hub.config import QuietHours
from hub.contacts.addresses import Kind
from hub.contacts.history import Said
from hub.contacts.model import (
    Address,
    AddressesIn,
    ConsentsIn,
    Contact,
    ContactIn,
    PreferencesIn,
    Role,
)


def merged(contact: Contact, given: ContactIn, *, new_id: Callable[[], UUID]) -> Contact:
    """`contact` with what `given` names. Nested objects follow the same rule as the whole: a key left out
    stays, `null` removes it. Lists are replaced."""
    set_ = given.model_fields_set
    changes: dict[str, Any] = {}
    if "role" in set_:
        changes["role"] = given.role or Role.BUYER
    if "name" in set_:
        changes["name"] = given.name or ""
    if "locale" in set_:
        changes["locale"] = given.locale
    if "timezone" in set_:
        changes["timezone"] = given.timezone
    if "warehouses" in set_:
        changes["warehouses"] = tuple(dict.fromkeys(given.warehouses or ()))
    if "attributes" in set_:
        changes["attributes"] = _patched(contact.attributes, given.attributes)
    if "preferences" in set_:
        changes["preferences"] = _preferences(contact.preferences, given.preferences)
    if "consents" in set_:
        changes["consents"] = _consents(contact.consents, given.consents)
    if "addresses" in set_:
        changes["addresses"] = _addresses(contact.addresses, given.addresses, new_id)
    return replace(contact, **changes)


def _patched(held: Mapping[str, Any], given: Mapping[str, Any] | None) -> dict[str, Any]:
    if given is None:
        return {}
    return {key: value for key, value in {**held, **given}.items() if value is not None}


def _preferences(held: Mapping[str, Any], given: PreferencesIn | None) -> dict[str, Any]:
    if given is None:
        return {}
    patch: dict[str, Any] = {}
    for name in given.model_fields_set:
        value = getattr(given, name)
        if isinstance(value, QuietHours):
            patch[name] = _quiet_hours(value)
        else:
            patch[name] = None if value is None else [str(channel) for channel in value]
    return _patched(held, patch)


def _quiet_hours(quiet: QuietHours) -> dict[str, Any]:
    """As `QuietHours` reads it back."""
    stored: dict[str, Any] = {"from": f"{quiet.start:%H:%M}", "to": f"{quiet.end:%H:%M}"}
    if quiet.categories is not None:
        stored["categories"] = [str(category) for category in quiet.categories]
    return stored


def _consents(
    held: Mapping[str, Mapping[str, str]], given: ConsentsIn | None
) -> dict[str, Mapping[str, str]]:
    """`null` takes back only what the shop can say: a consent to marketing."""
    if given is None or given.marketing is None:
        left_out = given is not None and "marketing" not in given.model_fields_set
        return dict(held) if left_out else {k: v for k, v in held.items() if k != "marketing"}
    patch = {
        str(channel): None if one is None else str(one.state)
        for channel, one in given.marketing.items()
    }
    marketing = _patched(held.get("marketing", {}), patch)
    others = {category: states for category, states in held.items() if category != "marketing"}
    return others | ({"marketing": marketing} if marketing else {})


def _addresses(
    held: tuple[Address, ...], given: AddressesIn | None, new_id: Callable[[], UUID]
) -> tuple[Address, ...]:
    if given is None:
        return ()
    kept = [address for address in held if address.kind not in given.model_fields_set]
    by_kind = {address.kind: address for address in held if address.kind is not Kind.PUSH}
    for kind in Kind:
        if (
            kind is not Kind.PUSH
            and kind in given.model_fields_set
            and (one := getattr(given, kind))
        ):
            id_ = by_kind[kind].id if kind in by_kind else new_id()
            kept.append(Address(id_, kind, one.value, None, one.verified))
    if "push" in given.model_fields_set:
        ids = {address.value: address.id for address in held if address.kind is Kind.PUSH}
        devices = {device.value: device for device in given.push or ()}
        kept += [
            Address(ids.get(value) or new_id(), Kind.PUSH, value, device.provider)
            for value, device in devices.items()
        ]
    return tuple(sorted(kept, key=lambda address: (address.kind, address.id)))


def said(
    before: Contact | None, after: Contact, given: Iterable[ContactIn], by: Actor
) -> Iterator[Said]:
    """What is new about the contact's consents. `given`: all that was said of it, the later words count."""
    held = before.consents if before else {}
    told = {
        str(channel): one
        for patch in given
        if patch.consents and patch.consents.marketing
        for channel, one in patch.consents.marketing.items()
        if one
    }
    for category in sorted({*held, *after.consents}):
        was, is_ = held.get(category, {}), after.consents.get(category, {})
        for channel in sorted({*was, *is_}):
            more = told.get(channel) if category == Category.MARKETING else None
            state = is_.get(channel)
            changed = state != was.get(channel)
            if changed or (more and more.says_more):
                yield Said(
                    after.id,
                    category,
                    channel,
                    state,
                    "console" if by.kind is ActorKind.OPERATOR else "api",
                    by,
                    source=more.source if more else "",
                    wording=more.wording if more else "",
                    said_at=more.at if more else None,
                    changed=changed,
                )
