"""The map of personal data is whole: every table, every column, and in this life every one of them is filled."""

import re

from hub.contacts.personal import IMPERSONAL, PERSONAL
from hub.db import partitions
from hub.resources import Hub
from tests.hub.privacy.life import Life


async def _columns(hub: Hub) -> dict[str, dict[str, str]]:
    """{table: {column: type}}, without partitions."""
    rows = await hub.db.fetch(
        """
        SELECT c.relname, a.attname, format_type(a.atttypid, NULL) AS kind
          FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
         WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped
           AND c.relnamespace = 'public'::regnamespace
        """
    )
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        found.setdefault(row["relname"], {})[row["attname"]] = row["kind"]
    return found


async def test_every_table_is_on_it(hub: Hub) -> None:
    """Who adds a table or a column has to say whether it is personal: in `hub.contacts.personal`."""
    columns = await _columns(hub)

    assert columns.keys() == PERSONAL.keys() | IMPERSONAL.keys()
    for table, held in PERSONAL.items():
        assert columns[table].keys() == held.personal | held.plain, table
    assert columns.keys() >= set(partitions.GROWING)


async def test_in_this_life_every_personal_column_is_filled(life: Life) -> None:
    columns = await _columns(life.hub)
    empty = [
        f"{table}.{column}"
        for table, held in PERSONAL.items()
        for column in held.personal
        if not await _is_filled(life, table, column, columns[table][column])
    ]

    assert empty == []


async def _is_filled(life: Life, table: str, column: str, kind: str) -> bool:
    text = f"convert_from({column}, 'UTF8')" if column == "body" else f"{column}::text"
    if kind == "uuid":
        held = "= ANY($1::text[])"
        marks = [str(id_) for id_ in life.ids.values()]
    elif (kind == "bytea" and column != "body") or re.match("timestamp", kind):
        return bool(await life.hub.db.fetchval(f"SELECT count({column}) FROM {table}"))
    else:
        held = "~* ANY($1::text[])"
        marks = list(life.marks) + _WORDS.get(f"{table}.{column}", [])
    return bool(
        await life.hub.db.fetchval(f"SELECT count(*) FROM {table} WHERE {text} {held}", marks)
    )


# What people leave in words of the hub, not in their own.
_WORDS = {
    "contact.locale": ["en"],
    "contact.timezone": ["Tomsk"],
    "contact.preferences": ["quiet"],
    "contact.warehouses": ["wh-1"],
    "consent.state": ["subscribed"],
    "consent.source": ["one-click"],
    "consent_event.remote": ["127.0.0.1"],
    "suppression.reason": ["bounced"],
    "suppression.code": ["550"],
    "sandbox_message.buttons": ["data"],
}
