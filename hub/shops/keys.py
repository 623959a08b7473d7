"""API keys: made once, shown once, kept as a hash, and looked up on every request.

A key is `vst_<prefix>_<secret>`; the prefix finds the row, the secret proves it. Functions take the slug
of the shop, which must have been registered (`hub.shops.registry.register`).
"""

import asyncio
import hashlib
import hmac
import re
import secrets
import string
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

import asyncpg

from hub.audit import log as audit
from hub.audit.model import SYSTEM, Action, Actor
from hub.db.pool import Connection, Db, transaction
from hub.errors import NotFound, Unauthenticated
from hub.ids import new_id

_ALPHABET = string.ascii_letters + string.digits
_PREFIX_LENGTH = 12
_SECRET_BYTES = 32
_FORM = re.compile(r"vst_([A-Za-z0-9]{12})_([A-Za-z0-9_-]{43})", re.ASCII)

TRUSTED_FOR = timedelta(seconds=1)
"""How long a process goes on trusting a key without asking."""

_REMEMBERED = 10_000


class Scope(StrEnum):
    """What a key may do. `ADMIN` may do everything."""

    SEND = "send"
    CONTACTS = "contacts"
    ORDERS = "orders"
    READ = "read"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """`prefix` is the part that may be shown: `vst_` and twelve letters."""

    id: UUID
    shop_id: int
    name: str
    prefix: str
    scopes: frozenset[Scope]
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None

    def allows(self, scope: Scope) -> bool:
        return scope in self.scopes or Scope.ADMIN in self.scopes


_COLUMNS = "id, shop_id, name, prefix, scopes, created_at, last_used_at, revoked_at"


async def create(
    db: Db, shop: str, scopes: Collection[Scope], name: str = "", *, by: Actor = SYSTEM
) -> tuple[ApiKey, str]:
    """The key as it is kept and as text; the text cannot be had again. Raises `NotFound` (no such shop)."""
    async with transaction(db) as connection:
        key, text = await _create(connection, shop, scopes, name)
        await audit.record(
            connection,
            key.shop_id,
            by,
            Action.KEY_CREATED,
            key.id,
            prefix=key.prefix,
            scopes=sorted(key.scopes),
        )
    return key, text


async def _create(
    db: Connection, shop: str, scopes: Collection[Scope], name: str
) -> tuple[ApiKey, str]:
    prefix = "".join(secrets.choice(_ALPHABET) for _ in range(_PREFIX_LENGTH))
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    row = await db.fetchrow(
        f"""
        INSERT INTO api_key (id, shop_id, name, prefix, digest, scopes)
        SELECT $1, shop.id, $3, $4, $5, $6 FROM shop WHERE slug = $2
        RETURNING {_COLUMNS}
        """,  # noqa: S608 (constant column names)
        new_id(),
        shop,
        name,
        prefix,
        _digest(secret),
        sorted(set(scopes)),
    )
    if row is None:
        raise NotFound(f"there is no shop {shop!r}")
    return _api_key(row), f"vst_{prefix}_{secret}"


async def listed(
    db: Db, shop: str, *, before: UUID | None = None, limit: int | None = None
) -> list[ApiKey]:
    """Newest first, those revoked among them. `limit` None: all."""
    rows = await db.fetch(
        f"""
        SELECT {_COLUMNS} FROM api_key
         WHERE shop_id = (SELECT id FROM shop WHERE slug = $1)
           AND ($2::uuid IS NULL OR id < $2)
         ORDER BY id DESC LIMIT $3
        """,  # noqa: S608
        shop,
        before,
        limit,
    )
    return [_api_key(row) for row in rows]


async def revoke(db: Db, shop: str, key_id: UUID, *, by: Actor = SYSTEM) -> None:
    """Returns when no process trusts the key any more, after `TRUSTED_FOR`. Raises `NotFound`, also for one
    revoked before."""
    async with transaction(db) as connection:
        shop_id = await connection.fetchval(
            """
            UPDATE api_key SET revoked_at = now()
             WHERE id = $2 AND revoked_at IS NULL
               AND shop_id = (SELECT id FROM shop WHERE slug = $1)
            RETURNING shop_id
            """,
            shop,
            key_id,
        )
        if shop_id is None:
            raise NotFound("there is no such key")
        await audit.record(connection, shop_id, by, Action.KEY_REVOKED, key_id)
    await asyncio.sleep(TRUSTED_FOR.total_seconds())


async def mark_used(db: Db, ids: Sequence[UUID]) -> None:
    """To the minute: a row is not written again before that."""
    await db.execute(
        """
        UPDATE api_key SET last_used_at = now()
         WHERE id = ANY($1)
           AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
        """,
        ids,
    )


class KeyRing:
    """Recognises keys, asking the database once in `TRUSTED_FOR` for each that is in use."""

    def __init__(self, db: Db, *, trusted_for: timedelta = TRUSTED_FOR) -> None:
        self._db = db
        self._trusted_for = trusted_for.total_seconds()
        self._known: dict[str, tuple[float, bytes, ApiKey]] = {}
        self._used: set[UUID] = set()
        self._asking = asyncio.Lock()

    def at_hand(self, text: str) -> ApiKey | None:
        """A key that need not be asked for; None: `authenticate` tells."""
        form = _FORM.fullmatch(text)
        known = self._fresh(form[1]) if form else None
        if form is None or known is None:
            return None
        _, digest, key = known
        if not hmac.compare_digest(digest, _digest(form[2])):
            return None
        self._used.add(key.id)
        return key

    async def authenticate(self, text: str) -> ApiKey:
        """Raises `Unauthenticated`, and what `hub.db.pool.UNREACHABLE` lists: then nothing is known."""
        form = _FORM.fullmatch(text)
        if form is None:
            raise Unauthenticated("the key does not have the form of a key (vst_…)")
        prefix, secret = form.groups()
        _, digest, key = self._fresh(prefix) or await self._asked(prefix)
        if not hmac.compare_digest(digest, _digest(secret)):
            raise Unauthenticated("the key is not known, or was revoked")
        self._used.add(key.id)
        return key

    def has_met(self, text: str) -> bool:
        """Whether this process has seen a good key that begins like this one."""
        form = _FORM.fullmatch(text)
        return form is not None and form[1] in self._known

    async def note_use(self) -> None:
        """Writes down which keys were used since the last call."""
        used, self._used = self._used, set()
        if used:
            await mark_used(self._db, list(used))

    def _fresh(self, prefix: str) -> tuple[float, bytes, ApiKey] | None:
        known = self._known.get(prefix)
        return known if known and known[0] >= time.monotonic() else None

    async def _asked(self, prefix: str) -> tuple[float, bytes, ApiKey]:
        if prefix not in self._known:
            return await self._look_up(prefix)
        # Many requests of a busy key come at once when its time is over: one asks for all of them.
        async with self._asking:
            return self._fresh(prefix) or await self._look_up(prefix)

    async def _look_up(self, prefix: str) -> tuple[float, bytes, ApiKey]:
        asked_at = time.monotonic()
        row = await self._db.fetchrow(
            f"SELECT {_COLUMNS}, digest FROM api_key WHERE prefix = $1 AND revoked_at IS NULL",  # noqa: S608
            prefix,
        )
        if row is None:
            self._known.pop(prefix, None)
            raise Unauthenticated("the key is not known, or was revoked")
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        found = (asked_at + self._trusted_for, row["digest"], _api_key(row))
        self._known[prefix] = found
        return found


def _digest(secret: str) -> bytes:
    # 256 random bits need no slow hash.
    return hashlib.sha256(secret.encode()).digest()


def _api_key(row: asyncpg.Record) -> ApiKey:
    return ApiKey(
        row["id"],
        row["shop_id"],
        row["name"],
        f"vst_{row['prefix']}",
        frozenset(Scope(scope) for scope in row["scopes"]),
        row["created_at"],
        row["last_used_at"],
        row["revoked_at"],
    )
