"""Binding a messenger to a contact, silence and return: what each comes to, and what is answered."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from bots.conversation.present import LANGUAGES, spoken
from bots.conversation.said import (
    Allowed,
    Asked,
    Blocked,
    Coded,
    Moved,
    Pressed,
    Read,
    Reply,
    Said,
    Spoke,
    Started,
    Stopped,
)
from bots.texts.words import Words, in_language
from channels.base import Channel
from hub.contacts import codes, links, queries
from hub.contacts.addresses import digest_at
from hub.contacts.links import Redeemed
from hub.db.pool import Connection
from hub.preferences import suppressions
from hub.shops.registry import Shop
from hub.tokens import Signer

# As `links.create` makes them. Other parameters of a link (an advertisement's mark) are not ours to judge.
_TOKEN = re.compile(r"[A-Za-z0-9_-]{32}")


def is_token(text: str) -> bool:
    """Whether somebody has written what a link carries, where the messenger has lost it on the way."""
    return bool(_TOKEN.fullmatch(text.strip()))


_LINK_WORDS: Mapping[Redeemed, str] = {
    Redeemed.BOUND: "bound",
    Redeemed.USED: "link_used",
    Redeemed.EXPIRED: "link_expired",
    Redeemed.UNKNOWN: "link_unknown",
}
_CODE_WORDS: Mapping[Redeemed, str] = {
    Redeemed.BOUND: "bound",
    Redeemed.USED: "code_used",
    Redeemed.EXPIRED: "code_expired",
    Redeemed.UNKNOWN: "code_unknown",
    Redeemed.TOO_MANY: "code_too_many",
}


@dataclass(frozen=True, slots=True)
class Conversation:
    """One bot's. `answer` may be called again for the same words: the second time changes nothing."""

    shop: Shop
    channel: Channel
    signer: Signer

    async def answer(self, conn: Connection, said: Said) -> Reply | None:
        """Does what was asked for in the caller's transaction. None: there is nothing to answer."""
        match said.act:
            case Started(token):
                return await self._start(conn, said, token)
            case Coded(code):
                found = await self._redeem_code(conn, said, code)
                return await self._say(conn, said, _CODE_WORDS[found])
            case Allowed(token):
                return await self._allow(conn, said, token)
            case Stopped():
                await self._suppress(conn, said, suppressions.STOPPED)
                return await self._say(conn, said, "stopped")
            case Blocked():
                await self._suppress(conn, said, suppressions.BLOCKED)
                return None
            case Spoke(text):
                return await self._speak(conn, said, text.strip())
            case Pressed(press):
                words = await self.words(conn, said)
                return Reply(words.old_button, press, person=said.person)
            case Asked():
                known = await self._is_known(conn, said)
                return await self._say(conn, said, "help_known" if known else "help_stranger")
            case Read() | Moved():
                return None
            case _:
                assert_never(said.act)

    async def _start(self, conn: Connection, said: Said, token: str) -> Reply:
        if _TOKEN.fullmatch(token):
            return await self._redeem(conn, said, token)
        # Perhaps a code; else the mark of an advertisement, whose readers have done nothing wrong.
        if codes.read(token) and await self._redeem_code(conn, said, token) is Redeemed.BOUND:
            return await self._say(conn, said, "bound")
        await suppressions.lift(conn, self.shop.id, self.channel, self._digest(said))
        known = await self._is_known(conn, said)
        return await self._say(conn, said, "welcome_known" if known else "welcome_stranger")

    async def _allow(self, conn: Connection, said: Said, token: str) -> Reply | None:
        """Nothing was asked, so only what happened by it is told."""
        await suppressions.lift(conn, self.shop.id, self.channel, self._digest(said))
        if _TOKEN.fullmatch(token):
            return await self._redeem(conn, said, token)
        return None

    async def _speak(self, conn: Connection, said: Said, text: str) -> Reply:
        if is_token(text):
            return await self._redeem(conn, said, text)
        known = await self._is_known(conn, said)
        return await self._say(conn, said, "help_known" if known else "help_stranger")

    async def _redeem(self, conn: Connection, said: Said, token: str) -> Reply:
        found, _ = await links.redeem(conn, self.shop.id, self.channel, token, said.chat)
        if found is not Redeemed.BOUND:
            # Whoever opens a link wants to be written to, whatever has become of the link.
            await suppressions.lift(conn, self.shop.id, self.channel, self._digest(said))
        return await self._say(conn, said, _LINK_WORDS[found])

    async def _redeem_code(self, conn: Connection, said: Said, code: str) -> Redeemed:
        found, _ = await links.redeem_code(
            conn, self.signer, self.shop.id, self.channel, code, said.chat
        )
        return found

    async def _suppress(self, conn: Connection, said: Said, reason: str) -> None:
        await suppressions.suppress(conn, self.shop.id, self.channel, self._digest(said), reason)

    async def _is_known(self, conn: Connection, said: Said) -> bool:
        return bool(await queries.locales_at(conn, self.shop.id, self._digest(said)))

    async def _say(self, conn: Connection, said: Said, name: str) -> Reply:
        words = await self.words(conn, said)
        text: str = getattr(words, name)
        return Reply(text.format(shop=self.shop.name))

    async def words(self, conn: Connection, said: Said) -> Words:
        """In the language that the contact has, else the messenger's, else the shop's."""
        known = await queries.locales_at(conn, self.shop.id, self._digest(said))
        locale = next((one for one in known if one), None) or spoken(said.language)
        return in_language(locale or self.shop.settings.locale, LANGUAGES)

    def _digest(self, said: Said) -> bytes:
        return digest_at(self.channel, said.chat)
