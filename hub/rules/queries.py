"""SQL of a shop's own rules, and what they and the defaults come to together."""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson
import structlog

from channels.base import Channel
from hub.contacts.model import Role
from hub.db.pool import Connection, Db
from hub.ids import new_id
from hub.rules import condition, defaults
from hub.rules.model import EVENTS, Rule
from hub.shops.registry import Shop

log = structlog.get_logger()

_COLUMNS = (
    """name, event, condition::text AS condition, audiences, template, channels, delay, active"""
)


async def of_event(db: Db, shop: Shop, event: str) -> list[Rule]:
    """Those in force: what this event sets off, the default (or what stands in its place) first. One with a fault
    tells nobody, and the default does not come back in its place: what it was changed for is not known."""
    rows = await db.fetch(
        f"SELECT {_COLUMNS} FROM rule WHERE shop_id = $1 AND event = $2",  # noqa: S608 (a constant)
        shop.id,
        event,
    )
    default = defaults.of_event(shop.settings, event)
    found = [rule for rule in _merged([default] if default else [], rows) if rule.active]
    for rule in found:
        if rule.fault:
            log.error("rules.unreadable", shop=shop.slug, rule=rule.name, problem=rule.fault)
    return [rule for rule in found if not rule.fault]


async def all_of(db: Db, shop: Shop) -> list[Rule]:
    """Defaults and own ones, by name."""
    rows = await db.fetch(f"SELECT {_COLUMNS} FROM rule WHERE shop_id = $1", shop.id)  # noqa: S608
    return sorted(_merged(defaults.of_shop(shop.settings), rows), key=lambda rule: rule.name)


async def by_name(db: Db, shop: Shop, name: str) -> Rule | None:
    row = await db.fetchrow(
        f"SELECT {_COLUMNS} FROM rule WHERE shop_id = $1 AND name = $2",  # noqa: S608
        shop.id,
        name,
    )
    return _rule(row) if row else defaults.of_event(shop.settings, name)


async def put(connection: Connection, shop_id: int, rule: Rule, *, most: int) -> bool | None:
    """Whether it is new. None: the shop has `most` of its own already."""
    # So that two at once cannot both be the last one.
    await connection.execute("SELECT FROM shop WHERE id = $1 FOR NO KEY UPDATE", shop_id)
    created: bool | None = await connection.fetchval(
        """
        INSERT INTO rule (id, shop_id, name, event, condition, audiences, template, channels, delay, active)
        SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10
         WHERE (SELECT count(*) FROM rule WHERE shop_id = $2 AND name <> $3) < $11
        ON CONFLICT (shop_id, name) DO UPDATE
           SET event = excluded.event, condition = excluded.condition, audiences = excluded.audiences,
               template = excluded.template, channels = excluded.channels, delay = excluded.delay,
               active = excluded.active, updated_at = now()
        RETURNING xmax = 0
        """,
        new_id(),
        shop_id,
        rule.name,
        rule.event,
        condition.shown(rule.condition),
        sorted(rule.audiences),
        rule.template,
        list(rule.channels) if rule.channels else None,
        rule.delay,
        rule.active,
        most,
    )
    return created


async def remove(connection: Connection, shop_id: int, name: str) -> bool:
    """Whether the shop had one of its own."""
    gone = await connection.fetchval(
        "DELETE FROM rule WHERE shop_id = $1 AND name = $2 RETURNING true", shop_id, name
    )
    return bool(gone)


def _merged(default: list[Rule], rows: list[Any]) -> list[Rule]:
    own = {row["name"]: _rule(row) for row in rows}
    return [own.pop(rule.name, rule) for rule in default] + [own[name] for name in sorted(own)]


def _rule(row: Any) -> Rule:
    """As it was stored, perhaps by another version of the hub."""
    is_default = row["name"] in defaults.NAMES
    found, fault = condition.read(row["condition"])
    faults = [
        *_unknown("event", [row["event"]], EVENTS),
        *_unknown("audiences", row["audiences"], tuple(Role)),
        *_unknown("channels", row["channels"] or (), tuple(Channel)),
        *([fault] if fault else ()),
    ]
    return Rule(
        name=row["name"],
        event=row["event"],
        audiences=frozenset(role for role in Role if role in row["audiences"]),
        template=row["template"],
        condition=found,
        condition_stored=orjson.loads(row["condition"]) if fault else None,
        fault="; ".join(faults),
        channels=_channels(row["channels"]),
        delay=row["delay"],
        active=row["active"],
        built_in=is_default,
        changed=is_default,
    )


def _channels(stored: Sequence[str] | None) -> tuple[Channel, ...] | None:
    return tuple(Channel(name) for name in stored if name in tuple(Channel)) if stored else None


def _unknown(column: str, stored: Sequence[str], known: Sequence[str]) -> Iterator[str]:
    for word in stored:
        if word not in known:
            yield f"{column} names {word[:100]!r}, which it does not know"
