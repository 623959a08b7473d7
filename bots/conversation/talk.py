"""Everything that is said to a bot, to whom it belongs: links and silence, questions of the shelf, buyers' wishes."""

from dataclasses import dataclass, field

from bots.conversation import board, buyers
from bots.conversation.linking import Conversation, is_token
from bots.conversation.present import Present, present
from bots.conversation.said import (
    Asked,
    Blocked,
    Moved,
    Page,
    Pressed,
    Reply,
    Said,
    Spoke,
    Started,
    Want,
)
from bots.conversation.settings import PREFIX, Settings
from bots.conversation.stock import Presses
from hub.accounts.book import LiveAccount
from hub.contacts import codes
from hub.contacts.addresses import digest_at
from hub.contacts.links import Redeemed
from hub.notifications import steps
from hub.orders import warehouses
from hub.preferences import suppressions
from hub.resources import Hub
from hub.shops.registry import Shop


@dataclass(frozen=True, slots=True)
class Talk:
    """One bot's. `answer` may be called again for the same words: the second time changes nothing."""

    hub: Hub
    account: LiveAccount
    shop: Shop = field(init=False)
    linking: Conversation = field(init=False)
    presses: Presses = field(init=False)

    def __post_init__(self) -> None:
        shop = self.hub.shops[self.account.shop_id]
        object.__setattr__(self, "shop", shop)
        object.__setattr__(
            self, "linking", Conversation(shop, self.account.channel, self.hub.signer)
        )
        object.__setattr__(self, "presses", Presses(self.hub, self.account))

    async def answer(self, said: Said) -> Reply | None:
        """Does what was asked for. None: there is nothing to answer."""
        if said.subscribes:
            mark = digest_at(self.account.channel, said.chat)
            await suppressions.lift_hindrance(self.hub.db, self.shop.id, self.account.channel, mark)
        match said.act:
            case Pressed() as pressed:
                here = await self._here(said)
                if pressed.data.startswith(PREFIX) and not said.in_group:
                    return await self._set(here, pressed)
                return await self.presses.answer(here, pressed)
            case Asked(want):
                return await self._asked(said, want)
            case Started(word) if said.in_group:
                return await self._bind_group(said, word)
            case Spoke(text) if not said.in_group and not is_token(text):
                return await self._spoken_to(said)
            case Moved(to):
                await self._follow(said.chat, to)
                return None
            case _:
                return await self._link(said)

    async def _here(self, said: Said) -> Present:
        return await present(self.hub.db, self.shop, self.account.channel, said)

    async def _link(self, said: Said) -> Reply | None:
        async with self.hub.db.acquire() as conn, conn.transaction():
            if isinstance(said.act, Blocked) and said.in_group:
                await warehouses.forget_chat(conn, self.shop.id, self.account.channel, said.chat)
            return await self.linking.answer(conn, said)

    async def _follow(self, chat: str, to: str) -> None:
        async with self.hub.db.acquire() as conn, conn.transaction():
            await steps.move_chat(conn, self.shop.id, self.account.channel, chat, to)

    async def _bind_group(self, said: Said, word: str) -> Reply | None:
        """`word`: the token of a link, or its code."""
        if not word:
            return None
        shop_id, channel = self.shop.id, self.account.channel
        async with self.hub.db.acquire() as conn, conn.transaction():
            if codes.read(word):
                found, place = await warehouses.redeem_code(
                    conn, self.hub.signer, shop_id, channel, word, said.chat, said.person
                )
            else:
                found, place = await warehouses.redeem_link(conn, shop_id, channel, word, said.chat)
        words = (await self._here(said)).words
        if found is Redeemed.BOUND:
            return Reply(words.group_bound.format(place=place))
        if found is Redeemed.TOO_MANY:
            return Reply(words.code_too_many)
        return Reply(words.group_not_bound)

    async def _asked(self, said: Said, want: Want) -> Reply | None:
        here = await self._here(said)
        if said.in_group and not (here.staff and want is Want.ORDERS):
            return None
        match want:
            case Want.ORDERS if here.staff:
                return _reply(await board.page(self.hub, here, 0))
            case Want.ORDERS if here.contacts:
                return _reply(await buyers.orders(self.hub.db, here))
            case Want.SETTINGS:
                return _reply(Settings(self.hub, here).page())
            case Want.HELP if here.staff:
                return Reply(here.words.help_staff.format(shop=self.shop.name))
            case _:
                return await self._link(said)

    async def _spoken_to(self, said: Said) -> Reply | None:
        """Whoever answers a question in words is shown the buttons that take the answer."""
        here = await self._here(said)
        if not here.staff:
            return await self._link(said)
        page = await board.page(self.hub, here, 0)
        if not page.buttons:
            return Reply(here.words.help_staff.format(shop=self.shop.name))
        return Reply(f"{here.words.buttons_instead}\n\n{page.text}", buttons=page.buttons)

    async def _set(self, here: Present, pressed: Pressed) -> Reply:
        settings = Settings(self.hub, here)
        async with self.hub.db.acquire() as conn, conn.transaction():
            changed = await settings.change(conn, pressed.data)
        if changed:
            here = await self._here(here.said)
            settings = Settings(self.hub, here)
        text = here.words.settings_saved if changed else ""
        page = settings.page(pressed.data)
        return Reply(
            text, pressed.press, person=here.said.person, page=page, message=pressed.message
        )


def _reply(page: Page) -> Reply:
    return Reply(page.text, html=page.html, buttons=page.buttons)
