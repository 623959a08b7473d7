"""`vestnik secrets`: the hub's secret exchanged for a new one, without breaking what the old one signed."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence

from hub.audit import log as audit
from hub.audit.machine import at_machine
from hub.audit.model import Action
from hub.config import Settings, SettingsError
from hub.db.migrate import migrate
from hub.db.pool import Pool, open_pool, transaction
from hub.embedded import secret
from hub.embedded.borrowed import database_url
from hub.errors import Conflict
from hub.operators.resealing import reseal as factors_anew
from hub.sources import resealing as sources
from hub.tokens import Signer
from hub.webhooks import resealing as webhooks
from hub.webhooks.resealing import Seals

_IN_SETTINGS = (
    "hub.secret is given by the settings, and only they can change it: put the new one beside it as"
    " hub.previous_secrets everywhere and restart, exchange the two and restart, then"
    " `vestnik secrets reseal` (docs/security.md, Secrets)"
)


def status(settings: Settings) -> int:
    """`vestnik secrets status`."""
    where = "the settings" if settings.hub.secret.get_secret_value() else "the data folder"
    return asyncio.run(_with_database(settings, lambda known, db: _show(known, db, where)))


def rotate(settings: Settings) -> int:
    """`vestnik secrets rotate`: of a secret that is kept in the data folder."""
    if settings.hub.secret.get_secret_value():
        raise SettingsError(_IN_SETTINGS)
    secret.rotate(settings.data)
    _say("A new secret is in the data folder; the old one is kept beside it and still accepted.")
    _say("1. Restart `vestnik up`: from then on it signs with the new one, and it seals stored")
    _say("   credentials anew as it starts.")
    _say(
        "2. `vestnik check` shows the new addresses of hooks: enter them where a provider calls you."
    )
    _say(
        "3. When the links that went out before are old enough: `vestnik secrets forget`, and restart."
    )
    return 0


def seal_anew(settings: Settings) -> int:
    """`vestnik secrets reseal`."""
    _check_in_force(settings)
    return asyncio.run(_with_database(settings, _reseal))


def forget(settings: Settings) -> int:
    """`vestnik secrets forget`: the earlier ones, once nothing stored needs them."""
    if settings.hub.secret.get_secret_value():
        raise SettingsError(
            "hub.secret is given by the settings: `vestnik secrets reseal`,"
            " then take hub.previous_secrets out of them and restart"
        )
    _check_in_force(settings)
    return asyncio.run(_with_database(settings, _forget))


_KEPT = ("secrets of {} webhooks", "credentials of {} sources")


async def _with_database(settings: Settings, do: Callable[[Settings, Pool], Awaitable[int]]) -> int:
    known = secret.complete(settings)
    async with database_url(settings) as url:
        await migrate(url)
        async with await open_pool(url, size=1) as db:
            return await do(known, db)


async def _show(settings: Settings, db: Pool, where: str) -> int:
    signer = Signer.of(settings.hub)
    found = [await webhooks.look(db, signer), await sources.look(db, signer)]
    _say(f"secret         in {where}")
    _say(f"previous ones  {len(settings.hub.previous_secrets)} still accepted")
    for whose, seals in zip(_KEPT, found, strict=True):
        present = seals.kept - seals.earlier - len(seals.broken)
        _say(f"stored         {whose.format(seals.kept)}: {present} sealed with the present one,")
        _say(
            f"               {seals.earlier} with a previous one, {len(seals.broken)} with none of these"
        )
    return _tell_broken(found)


async def _reseal(settings: Settings, db: Pool) -> int:
    found, factors = await _sealed_anew(settings, db)
    _say(f"sealed anew: {sum(s.earlier for s in found)} of {sum(s.kept for s in found)}")
    if factors:
        _say(f"and the second factors of {factors} operators")
    return _tell_broken(found)


async def _sealed_anew(settings: Settings, db: Pool) -> tuple[list[Seals], int]:
    """Of webhooks and of sources, and how many second factors of operators."""
    signer, by = Signer.of(settings.hub), at_machine()
    seals = [await webhooks.reseal(db, signer, by=by), await sources.reseal(db, signer, by=by)]
    return seals, await factors_anew(db, signer)


async def _forget(settings: Settings, db: Pool) -> int:
    _tell_broken((await _sealed_anew(settings, db))[0])
    async with transaction(db) as connection:
        await audit.record(connection, None, at_machine(), Action.SECRETS_FORGOTTEN)
    count = secret.forget(settings.data)
    _say(f"previous secrets dropped: {count}; restart `vestnik up`")
    return 0


def _check_in_force(settings: Settings) -> None:
    """A hub that runs since before the rotation could not open what is sealed with a secret it does not know."""
    own = not settings.hub.secret.get_secret_value()
    if own and secret.is_newer_than_run(settings.data):
        raise Conflict("the hub still runs with the former secret: restart `vestnik up` first")


def _tell_broken(found: Sequence[Seals]) -> int:
    """The exit code."""
    of_webhooks, of_sources = found
    for id_ in of_webhooks.broken:
        _say(f"webhook {id_}: its secret was sealed with one that is not known here:")
        _say(f"  put that into hub.previous_secrets, or POST /v1/webhooks/{id_}/rotate")
    for id_ in of_sources.broken:
        _say(f"source {id_}: its credentials were sealed with a secret that is not known here:")
        _say(f"  put that into hub.previous_secrets, or give them anew: PATCH /v1/sources/{id_}")
    return 1 if any(seals.broken for seals in found) else 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
