"""What the shop's admins have to hear of a source, once: words that mean nothing here, a platform that refuses us."""

from collections.abc import Mapping, Sequence

from hub.config import Locale
from hub.db.pool import Connection
from hub.notifications import admins
from hub.notifications.request import ContentIn
from hub.orders.work import Work
from hub.resources import Hub
from hub.shops.registry import Shop
from hub.sources import queries
from hub.sources.model import Source

_MOST_CODES = 200

_UNKNOWN: Mapping[Locale, tuple[str, str]] = {
    "ru": (
        "Магазин «{name}»: неизвестный статус",
        "Из магазина «{name}» пришёл статус, для которого не задано значение: {codes}.\n\n"
        "По таким заказам сообщения не отправляются. Задайте соответствие в источнике: PATCH /v1/sources/{id},"
        " mapping.statuses. Чтобы статус ничего не значил, укажите null.",
    ),
    "en": (
        "Shop “{name}”: unknown status",
        "The shop “{name}” sent a status that means nothing here: {codes}.\n\n"
        "Nobody is told of such orders. Say what it means in the source: PATCH /v1/sources/{id},"
        " mapping.statuses. null: it says nothing.",
    ),
}

_TROUBLE: Mapping[Locale, tuple[str, str]] = {
    "ru": (
        "Магазин «{name}»: нет доступа",
        "Магазин «{name}» не отвечает на запросы: {problem}.\n\n"
        "Проверьте доступы и исправьте источник: PATCH /v1/sources/{id}. До тех пор попытки повторяются всё реже.",
    ),
    "en": (
        "Shop “{name}”: no access",
        "The shop “{name}” refuses our calls: {problem}.\n\n"
        "Check the credentials and mend the source: PATCH /v1/sources/{id}. Until then it is asked less and less often.",
    ),
}


async def unknown_codes(work: Work, source: Source, codes: Sequence[str]) -> None:
    """Told once for each word, in the caller's transaction."""
    fresh = await queries.note_unknown(work.conn, source.id, codes, _MOST_CODES)
    if fresh:
        shown = ", ".join(code[:100] for code in fresh)
        await _tell(work.hub, work.conn, work.shop, _UNKNOWN, source, codes=shown)


async def trouble(hub: Hub, conn: Connection, shop: Shop, source: Source, problem: str) -> None:
    """In the caller's transaction."""
    await _tell(hub, conn, shop, _TROUBLE, source, problem=problem)


async def _tell(
    hub: Hub,
    conn: Connection,
    shop: Shop,
    texts: Mapping[Locale, tuple[str, str]],
    source: Source,
    **more: str,
) -> None:
    said: dict[Locale, ContentIn] = {
        locale: ContentIn(
            subject=subject.format(name=source.name),
            text=text.format(name=source.name, id=source.id, **more),
        )
        for locale, (subject, text) in texts.items()
    }
    await admins.tell_all(hub, conn, shop, said)
