"""Who speaks to the bot, and from where: found by the chat's address at every word, kept nowhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from bots.conversation.said import Pressed, Reply, Said
from bots.texts import en, ru
from bots.texts.words import Words, in_language
from channels.base import Channel
from hub.contacts import queries
from hub.contacts.addresses import digest_at
from hub.contacts.model import Contact, Role
from hub.content.formats import formats
from hub.db.pool import Db
from hub.shops.registry import Shop

LANGUAGES: Mapping[str, Words] = {"ru": ru.WORDS, "en": en.WORDS}

# Their speakers understand Russian better than English.
_RUSSIAN_SPEAKING = frozenset({"ru", "uk", "be", "kk", "ky", "uz", "tg", "hy", "az", "tt"})

_STAFF = frozenset({Role.WAREHOUSE, Role.SELLER, Role.ADMIN})


@dataclass(frozen=True, slots=True)
class Present:
    """`contacts`: whose address the chat is, the latest first; a group is a contact of its own. `speaker`: the
    one who said it, None for somebody in a group whom the shop does not know, and for strangers."""

    shop: Shop
    channel: Channel
    said: Said
    contacts: tuple[Contact, ...]
    speaker: Contact | None

    @property
    def digest(self) -> bytes:
        return digest_at(self.channel, self.said.chat)

    @property
    def locale(self) -> str:
        """The contact's, else the messenger's, else the shop's."""
        known = (self.speaker, *self.contacts)
        own = next((one.locale for one in known if one and one.locale), None)
        return own or spoken(self.said.language) or self.shop.settings.locale

    @property
    def timezone(self) -> str:
        known = (self.speaker, *self.contacts)
        own = next((one.timezone for one in known if one and one.timezone), None)
        return own or self.shop.settings.timezone

    @property
    def words(self) -> Words:
        return in_language(self.locale, LANGUAGES)

    @property
    def staff(self) -> tuple[Contact, ...]:
        return tuple(one for one in self.contacts if one.role in _STAFF)

    def when(self, at: datetime) -> str:
        """The time, with its date where that is not today."""
        return formats(self.locale, self.timezone).moment(at, datetime.now(UTC))

    def toast(self, text: str, pressed: Pressed) -> Reply:
        """The answer to a press, and nothing else."""
        return Reply(text, pressed.press, person=self.said.person)


async def present(db: Db, shop: Shop, channel: Channel, said: Said) -> Present:
    contacts = tuple(await queries.at(db, shop.id, digest_at(channel, said.chat)))
    speakers = contacts
    if said.in_group:
        speakers = tuple(await queries.at(db, shop.id, digest_at(channel, said.person)))
    return Present(shop, channel, said, contacts, speakers[0] if speakers else None)


def spoken(language: str) -> str:
    """`ru`, `en` or ""; from an IETF tag such as `pt-BR`."""
    primary = language.lower().partition("-")[0]
    if not primary:
        return ""
    return "ru" if primary in _RUSSIAN_SPEAKING else "en"
