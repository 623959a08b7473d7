"""`/settings`: which channels, when it has to be quiet, in which language. Each button names the state it makes,
so that a press that is told twice changes nothing twice."""

from dataclasses import dataclass

from bots.conversation.present import Present
from bots.conversation.said import Page
from channels.base import Button, Category, Channel
from hub.contacts import service
from hub.contacts.model import ConsentState, Contact, ContactIn
from hub.db.pool import Connection
from hub.preferences import consents
from hub.resources import Hub

PREFIX = "set:"
"""Of what is behind these buttons. It is not signed: a forged one can do no more than its own settings."""

_QUIET = ("21:00-09:00", "22:00-09:00", "23:00-08:00")
_NO_QUIET = "-"

# VK has room for six rows.
_MOST_CHANNELS = 5


@dataclass(frozen=True, slots=True)
class Settings:
    hub: Hub
    here: Present

    @property
    def contact(self) -> Contact | None:
        return next((one for one in self.here.contacts if one.external_id), None)

    def page(self, data: str = PREFIX) -> Page:
        """What `data` turns to, by what is known of the contact now."""
        if self.contact is None:
            return Page(self.here.words.settings_stranger)
        match data.removeprefix(PREFIX).split(":")[0]:
            case "c" | "f" | "o":
                return self._channels(self.contact)
            case "q" if data == f"{PREFIX}q":
                return self._quiet_hours()
            case _:
                return self._main(self.contact)

    async def change(self, conn: Connection, data: str) -> bool:
        """Whether something was asked to be changed, in the caller's transaction. What is not known is passed
        over: it may come from an older version, or be forged."""
        contact = self.contact
        if contact is None or contact.external_id is None:
            return False
        if not await service.hold(conn, contact.id):
            # Erased meanwhile: his wishes must not bring him back.
            return False
        patch: dict[str, object] = {}
        match data.removeprefix(PREFIX).split(":", 1):
            case ["c", what]:
                name, _, wanted = what.partition(":")
                patch = self._switched(contact, name, wanted == "1")
            case ["f", name]:
                patch = self._moved(contact, name)
            case ["q", spans] if spans in (*_QUIET, _NO_QUIET):
                patch = {"preferences": {"quiet_hours": _hours(spans)}}
            case ["l", ("ru" | "en") as locale]:
                patch = {"locale": locale}
            case ["n", wanted]:
                await self._consent(conn, contact, wanted=wanted == "1")
                return True
        if patch:
            given = ContactIn.model_validate(patch)
            await service.upsert(conn, self.here.shop.id, contact.external_id, given)
        return bool(patch)

    def _main(self, contact: Contact) -> Page:
        words = self.here.words
        names = [words.channels[channel] for channel in self._wanted(contact)]
        by_shop = "transactional" not in contact.preferences
        orders = words.settings_by_shop if by_shop else ", ".join(names) or words.settings_off
        news = any(self._news(one) == ConsentState.SUBSCRIBED for one in self.here.contacts)
        quiet = contact.preferences.get("quiet_hours")
        hours = f"{quiet['from']}-{quiet['to']}" if quiet else words.settings_no_quiet
        lines = (
            words.settings_orders.format(channels=orders),
            words.settings_news.format(state=words.settings_on if news else words.settings_off),
            words.settings_quiet.format(quiet=hours),
        )
        other_news = words.settings_off if news else words.settings_on
        language = "ru" if self.here.locale == "en" else "en"
        rows = (
            _row(words.settings_orders.format(channels="…"), "o"),
            _row(f"{words.settings_news.format(state='→')} {other_news}", f"n:{int(not news)}"),
            _row(words.settings_quiet.format(quiet="…"), "q"),
            _row(words.settings_language, f"l:{language}"),
        )
        title = words.settings.format(shop=self.here.shop.name)
        return Page("\n".join((title, "", *lines)), buttons=rows)

    def _channels(self, contact: Contact) -> Page:
        words, wanted = self.here.words, self._wanted(contact)
        order = [*wanted, *(c for c in self._possible(contact) if c not in wanted)]
        rows = []
        for channel in order[:_MOST_CHANNELS]:
            name, is_on = words.channels[channel], channel in wanted
            row = _row(f"{'✅' if is_on else '☐'} {name}", f"c:{channel}:{int(not is_on)}")
            if is_on and channel is not wanted[0]:
                row += _row(words.settings_first.format(channel=name), f"f:{channel}")
            rows.append(row)
        rows.append(_row(words.settings_back, ""))
        names = ", ".join(words.channels[channel] for channel in wanted)
        text = words.settings_orders.format(channels=names or words.settings_off)
        return Page(text, buttons=tuple(rows))

    def _quiet_hours(self) -> Page:
        words = self.here.words
        rows = [_row(spans, f"q:{spans}") for spans in _QUIET]
        rows.append(_row(words.settings_no_quiet, f"q:{_NO_QUIET}"))
        rows.append(_row(words.settings_back, ""))
        return Page(words.settings_quiet.format(quiet="?"), buttons=tuple(rows))

    def _possible(self, contact: Contact) -> list[Channel]:
        """Those by which the shop can reach this person, in the shop's order."""
        kinds = {address.kind for address in contact.addresses}
        return [
            channel
            for channel in self.here.shop.settings.channels.transactional
            if not kinds.isdisjoint(self.hub.accounts.kinds(self.here.shop.id, channel))
        ]

    def _wanted(self, contact: Contact) -> list[Channel]:
        possible = self._possible(contact)
        if (named := contact.preferences.get("transactional")) is None:
            return possible
        return [Channel(name) for name in named if Channel(name) in possible]

    def _switched(self, contact: Contact, name: str, wanted: bool) -> dict[str, object]:
        now = [str(channel) for channel in self._wanted(contact)]
        if name not in [str(channel) for channel in self._possible(contact)]:
            return {}
        after = [one for one in now if one != name] + [name] * wanted
        return {"preferences": {"transactional": now if wanted and name in now else after}}

    def _moved(self, contact: Contact, name: str) -> dict[str, object]:
        now = [str(channel) for channel in self._wanted(contact)]
        if name not in now:
            return {}
        return {"preferences": {"transactional": [name, *(one for one in now if one != name)]}}

    def _news(self, contact: Contact) -> str | None:
        return contact.consents.get(Category.MARKETING, {}).get(self.here.channel)

    async def _consent(self, conn: Connection, contact: Contact, *, wanted: bool) -> None:
        """One chat, one wish: of everybody whose address it is. With the news on again, those who had left come back
        with the one who is shown; whoever never agreed is not asked by it."""
        state = ConsentState.SUBSCRIBED if wanted else ConsentState.UNSUBSCRIBED
        # In one order for everybody, so that two of them never wait for each other.
        for one in sorted(self.here.contacts, key=lambda one: one.id):
            if wanted and one != contact and self._news(one) != ConsentState.UNSUBSCRIBED:
                continue
            await consents.set_state(
                conn, one.id, self.here.channel, Category.MARKETING, state, source="bot"
            )


def _hours(spans: str) -> dict[str, str] | None:
    if spans == _NO_QUIET:
        return None
    start, _, end = spans.partition("-")
    return {"from": start, "to": end}


def _row(text: str, data: str) -> tuple[Button, ...]:
    return (Button(text, f"{PREFIX}{data}"),)
