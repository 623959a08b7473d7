"""Messages that are questions: what they show comes from the present state, when they leave and ever after."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import structlog

from channels.base import Button, Channel
from hub.db.pool import UNREACHABLE, Db
from hub.notifications.model import ContactFacts

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Asking:
    """One message about one thing. `id`: of the delivery; `about`: what the question is about.

    `address` in its stored form, with its digest. `page`: where the reader has turned to, empty for the start.
    """

    id: UUID
    shop_id: int
    about: UUID
    contact: ContactFacts
    channel: Channel
    address: str
    digest: bytes
    locale: str
    timezone: str
    template: str
    data: Mapping[str, Any]
    page: str = ""


@dataclass(frozen=True, slots=True)
class Parts:
    """What one channel gets. `html` as in `channels.base.Message`."""

    text: str
    html: str = ""
    subject: str = ""
    buttons: tuple[tuple[Button, ...], ...] = ()
    until: datetime | None = None
    """From then on it looks otherwise by itself; None: only when something happens."""


class Interactive(Protocol):
    """One kind of question, as `notification.interaction` names it."""

    kind: str

    async def render(self, db: Db, asked: Sequence[Asking]) -> Mapping[UUID, Parts]:
        """By `Asking.id`. What the question is about may be gone: then it is missing from the answer."""
        ...


async def pages(db: Db, deliveries: Sequence[UUID]) -> Mapping[UUID, str]:
    """Where their readers have turned to; those that stand at the start are missing."""
    rows = await db.fetch(
        "SELECT delivery_id, page FROM message_page WHERE delivery_id = ANY($1)", deliveries
    )
    return {row["delivery_id"]: row["page"] for row in rows}


async def turn(db: Db, shop_id: int, delivery_id: UUID, page: str) -> None:
    """From now on that message shows `page`."""
    await db.execute(
        """
        INSERT INTO message_page (delivery_id, shop_id, page) VALUES ($1, $2, $3)
        ON CONFLICT (delivery_id) DO UPDATE SET page = excluded.page, turned_at = now()
        """,
        delivery_id,
        shop_id,
        page,
    )


async def render_all(
    db: Db, kinds: Mapping[str, Interactive], asked: Sequence[tuple[str, Asking]]
) -> dict[UUID, Parts]:
    """(kind, message) of any kinds. One of an unknown kind is missing from the answer, too, and so is one that
    meets a bug: the others are not held up by it."""
    found: dict[UUID, Parts] = {}
    for kind, interactive in kinds.items():
        if some := [asking for name, asking in asked if name == kind]:
            found.update(await _rendered(db, interactive, some))
    return found


async def _rendered(
    db: Db, interactive: Interactive, asked: Sequence[Asking]
) -> Mapping[UUID, Parts]:
    """All at once; where that fails, one by one."""
    try:
        return await interactive.render(db, asked)
    except UNREACHABLE:
        raise
    except Exception:
        if len(asked) == 1:
            log.exception("question.render_failed", delivery=str(asked[0].id))
            return {}
    found: dict[UUID, Parts] = {}
    for one in asked:
        found.update(await _rendered(db, interactive, [one]))
    return found


async def delivery_at(
    db: Db, shop_id: int, account: str, provider_id: str, about: UUID
) -> UUID | None:
    """The delivery that the provider calls so and that asks about it; None: that message is none."""
    found: UUID | None = await db.fetchval(
        """
        SELECT d.id FROM delivery AS d JOIN notification AS n ON n.id = d.notification_id
         WHERE d.provider_id = $3 AND d.account = $2 AND d.shop_id = $1
           AND n.interaction ->> 'id' = $4
        """,
        shop_id,
        account,
        provider_id,
        str(about),
    )
    return found
