"""What the shop's admins have to be told of the hub itself."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import structlog

from hub.config import Locale
from hub.contacts.model import KnownContactIn
from hub.db.pool import Connection
from hub.errors import HubError
from hub.notifications import facts, storage
from hub.notifications.prepare import Known, prepare
from hub.notifications.request import ContentIn, NotificationIn
from hub.resources import Hub
from hub.shops.registry import Shop
from hub.webhooks.delivery import Disabled

log = structlog.get_logger()

_REASONS: Mapping[Locale, Mapping[str, str]] = {
    "ru": {
        "gone": "сервер ответил 410: адреса больше нет",
        "exhausted": "больше суток ни одной удачной доставки",
    },
    "en": {
        "gone": "the server answered 410: the address is gone",
        "exhausted": "not a single success for more than a day",
    },
}

_TEXTS: Mapping[Locale, tuple[str, str]] = {
    "ru": (
        "Вебхук отключён: {host}",
        "Уведомления о событиях больше не отправляются на {host}: {reason}.\n\n"
        "Исправьте обработчик и включите вебхук {id} снова: "
        'PATCH /v1/webhooks/{id} с {{"active": true}}. Всё, что не дошло, будет отправлено сразу.',
    ),
    "en": (
        "Webhook switched off: {host}",
        "Events are no longer sent to {host}: {reason}.\n\n"
        "Mend the handler and switch webhook {id} on again: "
        'PATCH /v1/webhooks/{id} with {{"active": true}}. What did not get through is sent at once.',
    ),
}


async def tell_all(
    hub: Hub, connection: Connection, shop: Shop, said: Mapping[Locale, ContentIn]
) -> None:
    """A notification to every contact of role `admin`, each in his language, in the caller's transaction; the tick
    hands them out."""
    rows = await connection.fetch(
        "SELECT id FROM contact WHERE shop_id = $1 AND role = 'admin'", shop.id
    )
    people = await facts.by_id(connection, [row["id"] for row in rows])
    known, now = Known(hub.catalog, hub.accounts), datetime.now(UTC)
    made = []
    for person in people.values():
        locale: Locale = "en" if (person.locale or shop.settings.locale) == "en" else "ru"
        asked = NotificationIn(
            content=said[locale],
            recipient=KnownContactIn(external_id=person.external_id or str(person.id)),
        )
        try:
            made.append(prepare(known, shop, asked, person, now=now))
        except HubError as error:
            log.error("admin.not_told", contact=str(person.id), error=error.code)
    await storage.add(connection, made, handout_after=timedelta(0))


async def webhook_disabled(hub: Hub, connection: Connection, disabled: Disabled) -> None:
    """As `tell_all`."""
    shop = hub.shops.get(disabled.shop_id)
    if shop is not None:
        said: Mapping[Locale, ContentIn] = {x: _content(disabled, x) for x in _TEXTS}
        await tell_all(hub, connection, shop, said)


def _content(disabled: Disabled, locale: Locale) -> ContentIn:
    subject, text = _TEXTS[locale]
    reason = _REASONS[locale][disabled.reason]
    return ContentIn(
        subject=subject.format(host=disabled.host),
        text=text.format(host=disabled.host, id=disabled.webhook_id, reason=reason),
    )
