"""Sources made, changed and opened: what a shop has set up, and the platform's module that it comes alive as."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import orjson
from pydantic import SecretStr, ValidationError
from pydantic_core import ErrorDetails

from channels.guard import Network
from channels.http import ProviderHttp
from hub import bounds
from hub.accounts.limits import RateLimits
from hub.audit import log as audit
from hub.audit.model import SYSTEM, Action, Actor
from hub.db.pool import Connection, Db, Pool, transaction
from hub.errors import Conflict, Fault, InvalidInput, NotFound, Unprocessable
from hub.ids import new_id
from hub.outgoing import inner_host
from hub.queue import Lane
from hub.sources import queries
from hub.sources.base import Later, Platform, SourceConfig, Trouble
from hub.sources.http import ShopHttp
from hub.sources.mapping import SourceMapping
from hub.sources.model import Source
from hub.sources.registry import UnknownPlatform, platform_class
from hub.tokens import Signer
from hub.webhooks import signing
from hub.webhooks.sealing import SOURCE, SealBroken, seal, unseal
from hub.wording import wording

MOST = 50
"""Sources of one shop."""

OWN = "api"
"""The source to which events belong that come over the API and name none; made at first use."""

_GENERIC = "generic"
_PATIENCE = timedelta(seconds=15)
"""For one's turn at a platform. A few of one source wait at a time, and none so long that its lease runs out."""

_POLL_EVERY = timedelta(minutes=5)
_MOST_FAULTS = 100
_PLAIN = SourceMapping()


@dataclass(frozen=True, slots=True)
class Setup:
    """What a source is made of. `id_prefix` and `seller` None: chosen here."""

    name: str
    platform: str
    config: Mapping[str, Any]
    id_prefix: str | None = None
    seller: str | None = None
    warehouse: str | None = None
    poll_every: timedelta | None = _POLL_EVERY
    tell_within: timedelta = timedelta(days=1)
    write_back: bool = False
    active: bool = True
    mapping: SourceMapping = _PLAIN


_OWN_SETUP = Setup(OWN, _GENERIC, {"unsigned": True}, poll_every=None)


async def create(
    db: Db,
    signer: Signer,
    shop_id: int,
    setup: Setup,
    *,
    allow: Sequence[Network] = (),
    by: Actor = SYSTEM,
) -> tuple[Source, str | None]:
    """The source and, where its platform signs with a key of ours, the key: shown now and never again.

    Raises `InvalidInput` (its config, an address in an inner network), `Conflict` (name or prefix are taken, or the
    name is the hub's own), `Unprocessable` (a platform that this version does not know).
    """
    if setup.name == OWN and setup is not _OWN_SETUP:
        raise Conflict(_RESERVED)
    class_ = _class(setup.platform)
    plain, hidden = _parted(_checked(class_, setup.config, allow))
    id_ = new_id()
    secret = signing.new_secret() if class_.signed else None
    async with transaction(db) as conn:
        await conn.execute("SELECT FROM shop WHERE id = $1 FOR NO KEY UPDATE", shop_id)
        fields = await _chosen(conn, shop_id, setup)
        fields |= {"config": plain, "secrets": _sealed(signer, id_, hidden, secret or "")}
        if setup.poll_every and _reads(class_):
            fields["read_due_at"] = await conn.fetchval("SELECT now() + $1", setup.poll_every)
        source = await queries.add(conn, shop_id, id_, fields)
        if source is None:
            is_name = await queries.by_name(conn, shop_id, setup.name) is not None
            raise Conflict(_NAME_TAKEN if is_name else _PREFIX_TAKEN)
        await audit.record(
            conn,
            shop_id,
            by,
            Action.SOURCE_CREATED,
            id_,
            name=source.name,
            platform=source.platform,
        )
    return source, secret


async def own(db: Db, signer: Signer, shop_id: int) -> Source:
    """The shop's source of events over the API; made where there is none yet."""
    found = await queries.by_name(db, shop_id, OWN)
    if found is None:
        try:
            found, _ = await create(db, signer, shop_id, _OWN_SETUP)
        except Conflict:
            # Somebody else was as quick.
            found = await queries.by_name(db, shop_id, OWN)
    if found is None:
        raise Conflict(_NAME_TAKEN)
    return found


async def get(db: Db, shop_id: int, id_: UUID) -> Source:
    """Raises `NotFound`."""
    return _found(await queries.by_id(db, shop_id, id_))


async def change(
    db: Pool,
    signer: Signer,
    shop_id: int,
    id_: UUID,
    changes: Mapping[str, Any],
    *,
    allow: Sequence[Network] = (),
    by: Actor = SYSTEM,
) -> Source:
    """`changes`: fields of `Setup` that change; of `config` only the keys given, null takes one away. Whatever stood
    in the source's way is tried anew.

    Raises `InvalidInput`, `NotFound`, `Conflict`, `Unprocessable` (another server without the credentials for it).
    """
    async with transaction(db) as conn:
        before = _found(await queries.locked(conn, shop_id, id_))
        if changes.get("name") == OWN != before.name:
            raise Conflict(_RESERVED)
        fields = {name: value for name, value in changes.items() if name != "config"}
        if "mapping" in fields:
            fields["mapping"] = _shown(fields["mapping"])
        if "config" in changes:
            fields |= _reconfigured(signer, before, changes["config"], allow)
        fields |= {"problem": "", "write_problem": "", "failures": 0, "paused_until": None}
        if "poll_every" in changes or changes.get("active") or before.problem:
            every = changes.get("poll_every", before.poll_every)
            reads = every and _reads(_class(before.platform))
            fields["read_due_at"] = await conn.fetchval("SELECT now()") if reads else None
        try:
            async with conn.transaction():
                after = await queries.change(conn, shop_id, id_, fields)
        except asyncpg.UniqueViolationError as error:
            is_name = error.constraint_name == "source_name"
            raise Conflict(_NAME_TAKEN if is_name else _PREFIX_TAKEN) from None
        changed = sorted(changes)
        await audit.record(conn, shop_id, by, Action.SOURCE_CHANGED, id_, changed=changed)
    return _found(after)


async def rotate(
    db: Db, signer: Signer, shop_id: int, id_: UUID, what: str, *, by: Actor = SYSTEM
) -> tuple[Source, str | None]:
    """`what`: `url`, or `secret`, which is then shown once. The former one counts no more. Raises `NotFound`,
    `Conflict` (its credentials cannot be opened), `Unprocessable` (a secret where none of ours is used)."""
    async with transaction(db) as conn:
        # Locked: with credentials of a moment ago a new server would get those of the former one.
        source = _found(await queries.locked(conn, shop_id, id_))
        secret = None
        if what == "url":
            after = await queries.exchange_url(conn, shop_id, id_)
        elif _class(source.platform).signed:
            secret = signing.new_secret()
            try:
                hidden = _unsealed(signer, source)[0]
            except SealBroken:
                # With a new secret sealed over them they would be lost for good.
                raise Conflict(_SEALED) from None
            sealed = _sealed(signer, id_, hidden, secret)
            after = await queries.change(conn, shop_id, id_, {"secrets": sealed})
        else:
            raise Unprocessable("this platform does not sign with a secret of the hub")
        await audit.record(conn, shop_id, by, Action.SOURCE_ROTATED, id_, what=what)
    return _found(after), secret


async def remove(db: Db, shop_id: int, id_: UUID, *, by: Actor = SYSTEM) -> None:
    """What waits of it is never applied. Raises `NotFound`."""
    async with transaction(db) as conn:
        if not await queries.remove(conn, shop_id, id_):
            raise NotFound(_UNKNOWN)
        await audit.record(conn, shop_id, by, Action.SOURCE_REMOVED, id_)


def opened(signer: Signer, source: Source) -> tuple[SourceConfig, str]:
    """Its config, secrets among it, and the key of its signatures, empty where there is none.

    Raises `Trouble` (nobody can open it any more, or the platform wants other keys by now), `UnknownPlatform`.
    """
    class_ = platform_class(source.platform)
    try:
        hidden, key = _unsealed(signer, source)
        return class_.Config.model_validate({**source.config, **hidden}), key
    except SealBroken:
        raise Trouble(
            "secret-unreadable", "its credentials cannot be opened: hub.secret is another one"
        ) from None
    except ValidationError:
        raise Trouble("config", "its config does not suit this version: change it") from None


def check_mapping(source: Source) -> None:
    """Raises `Trouble` where it was stored by an earlier version and is refused by this one."""
    if source.mapping_fault:
        raise Trouble("mapping", source.obstacle)


def live(
    signer: Signer,
    http: ProviderHttp,
    source: Source,
    limits: RateLimits | None,
    lane: Lane = Lane.TRANSACTIONAL,
    *,
    hears_only: bool = False,
) -> Platform:
    """The platform's module at work for this source. `limits` None: its calls are not counted. `hears_only`: nothing
    is applied by the source's mapping, so that what it is like does not matter.

    Raises `Trouble`, `UnknownPlatform`.
    """
    if not hears_only:
        check_mapping(source)
    class_ = platform_class(source.platform)
    config, key = opened(signer, source)

    async def take() -> None:
        """Waits for its turn; longer waits are the queue's business."""
        end = monotonic() + _PATIENCE.total_seconds()
        while limits:
            grant = await limits.calls(f"source:{source.id}", class_.limits, lane, 1)
            if grant.calls:
                return
            if monotonic() + grant.wait.total_seconds() > end:
                raise Later("rate-limit", grant.wait, counts=False)
            await asyncio.sleep(max(grant.wait.total_seconds(), 0.01))

    return class_(config, ShopHttp(http, take), secret=key)


def can_be_read(source: Source) -> bool:
    """Whether its platform can be read back."""
    try:
        return _reads(platform_class(source.platform))
    except UnknownPlatform:
        return False


def hidden_in(signer: Signer, source: Source) -> list[str]:
    """The names of its secrets; none, where nobody can open them any more."""
    try:
        return list(_unsealed(signer, source)[0])
    except SealBroken:
        return []


_UNKNOWN = "there is no source with this id"
_RESERVED = f"{OWN!r} is the name of the source to which events over the API belong that name none: choose another one"
_SEALED = (
    "its credentials cannot be opened, hub.secret is another one than it was: change its config first, with the"
    " credentials given anew"
)
_ELSEWHERE = "has to be given again: base_url leads to another server, and what was entered for one is not sent to another"
_PORTS = {"http": 80, "https": 443}
_NAME_TAKEN = "the shop has a source of this name already"
_PREFIX_TAKEN = (
    "another platform of the shop has this id_prefix, so that ids of the two would be mixed up: name another one, or"
    " leave it out of a new source"
)


def _class(name: str) -> type[Platform]:
    try:
        return platform_class(name)
    except UnknownPlatform as error:
        raise Unprocessable(faults=[Fault("/platform", str(error))]) from None


def _reads(class_: type[Platform]) -> bool:
    return hasattr(class_, "read")


async def _chosen(conn: Connection, shop_id: int, setup: Setup) -> dict[str, Any]:
    """The columns that say what the setup says. Raises `Conflict`."""
    count = await conn.fetchval(
        "SELECT count(*) FROM source WHERE shop_id = $1 AND deleted_at IS NULL", shop_id
    )
    if count >= MOST:
        raise Conflict(f"the shop has {MOST} sources, and there cannot be more")
    prefix = setup.id_prefix
    if prefix is None:
        free = await queries.prefix_is_free(conn, shop_id, "")
        prefix = "" if free or setup.platform == _GENERIC else f"{setup.name}-"
    return {
        **_begun(setup),
        "name": setup.name,
        "platform": setup.platform,
        "active": setup.active,
        "id_prefix": prefix,
        "seller": setup.seller or f"{prefix}shop",
        "warehouse": setup.warehouse,
        "mapping": _shown(setup.mapping),
        "write_back": setup.write_back,
        "tell_within": setup.tell_within,
        "poll_every": setup.poll_every,
    }


def _begun(setup: Setup) -> dict[str, Any]:
    """A platform tells of its past as soon as somebody touches it there, which is old by what it is connected. A shop's
    own programs tell what has just happened: their first word makes the source, and is news."""
    if setup.platform != _GENERIC:
        return {}
    return {"quiet_before": datetime.now(UTC) - setup.tell_within}


def _shown(mapping: SourceMapping) -> dict[str, Any]:
    return mapping.model_dump(mode="json")


def _checked(
    class_: type[Platform], given: Mapping[str, Any], allow: Sequence[Network]
) -> SourceConfig:
    """Raises `InvalidInput`, without a value in it."""
    bounds.check(class_.Config, given, "/config", most_faults=_MOST_FAULTS)
    try:
        config = class_.Config.model_validate(given)
    except ValidationError as error:
        raise InvalidInput(
            faults=[
                Fault("/config" + "".join(f"/{part}" for part in one["loc"]), _words(one))
                for one in error.errors(include_url=False, include_input=False)
            ]
        ) from None
    faults = [
        Fault(f"/config/{name}", why)
        for name, value in config
        if isinstance(value, str)
        and value.lower().startswith(("http://", "https://"))
        and (why := _unclear(value) or inner_host(value, allow))
    ]
    if faults:
        raise InvalidInput(faults=faults)
    return config


def _unclear(url: str) -> str | None:
    """Why nobody could tell from `url` alone whom it calls; a password in it would not be sealed either."""
    authority = url.partition("://")[2].partition("/")[0]
    if "\\" in authority or "@" in authority:
        return "must not hold a name, a password or a backslash before the path"
    return None


def _words(fault: ErrorDetails) -> str:
    if fault["type"] == "extra_forbidden":
        return "is not a key of this platform's config"
    return wording(fault)


def _parted(config: SourceConfig) -> tuple[dict[str, Any], dict[str, str]]:
    """What may be read, and what is sealed; keys that were not given are neither."""
    hidden = {
        name: value.get_secret_value()
        for name, value in config
        if isinstance(value, SecretStr) and name in config.model_fields_set
    }
    plain = config.model_dump(mode="json", exclude_unset=True, exclude=set(hidden))
    return plain, hidden


def _sealed(signer: Signer, id_: UUID, hidden: Mapping[str, str], key: str) -> bytes:
    content = orjson.dumps({"config": hidden, "key": key}).decode()
    return seal(signer, id_, content, purpose=SOURCE)


def _unsealed(signer: Signer, source: Source) -> tuple[dict[str, str], str]:
    """Raises `SealBroken`."""
    content = orjson.loads(unseal(signer, source.id, source.sealed, purpose=SOURCE))
    return content["config"], content["key"]


def _reconfigured(
    signer: Signer, source: Source, given: Mapping[str, Any], allow: Sequence[Network]
) -> dict[str, Any]:
    try:
        hidden, key = _unsealed(signer, source)
    except SealBroken:
        # Given anew, it is mended.
        hidden, key = {}, ""
    whole = {**source.config, **hidden, **given}
    whole = {name: value for name, value in whole.items() if value is not None}
    class_ = _class(source.platform)
    config = _checked(class_, whole, allow)
    if _server(config) != _server(class_.Config.model_construct(**source.config)):
        kept = [name for name, value in hidden.items() if value and name not in given]
        if kept:
            raise Unprocessable(faults=[Fault(f"/config/{name}", _ELSEWHERE) for name in kept])
    plain, hidden = _parted(config)
    return {"config": plain, "secrets": _sealed(signer, source.id, hidden, key)}


def _server(config: SourceConfig) -> tuple[str, str | None, int | None] | None:
    """Who gets the credentials: scheme, host and port; None where nobody is called."""
    url = getattr(config, "base_url", None)
    if url is None:
        return None
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)


def _found(source: Source | None) -> Source:
    if source is None:
        raise NotFound(_UNKNOWN)
    return source
