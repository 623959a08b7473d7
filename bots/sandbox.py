"""The sandbox's bot: what was played over the API comes in as updates, what it answers is kept as messages."""

from datetime import timedelta
from typing import Any

from bots.conversation.said import (
    Asked,
    Page,
    Pressed,
    Reply,
    Said,
    Started,
    understand,
)
from bots.platform import Received
from channels.base import Channel, Message
from channels.sandbox import Change
from hub.accounts import sandbox
from hub.db.pool import Pool


class SandboxBot:
    """One sandbox account. Updates are stored by whoever plays, so nothing is received here."""

    polls = False
    prepared_for: timedelta | None = None

    def __init__(self, db: Pool, shop_id: int, channel: Channel) -> None:
        self._db = db
        self._shop_id = shop_id
        self._channel = channel
        self._change: Change = sandbox.changer(db, shop_id)

    async def prepare(self) -> None:
        """There is nobody to tell."""

    async def receive(self, cursor: str | None) -> Received:
        return Received([], cursor or "")

    def read(self, raw: dict[str, Any]) -> Said | None:
        match raw:
            case {"chat": str(chat), "press": str(press), "message": str(message), "data": data}:
                return Said(chat, Pressed(press, str(data), message), person=chat)
            case {"chat": str(chat), "text": str(text), "person": str(person)}:
                # Of a group's talk only commands are meant for the bot, as in the messengers.
                act = understand(text)
                if not isinstance(act, Started | Asked):
                    return None
                return Said(chat, act, person=person)
            case {"chat": str(chat), "text": str(text)}:
                return Said(chat, understand(text))
        raise ValueError("not an update of the sandbox")

    async def reply(self, chat: str, reply: Reply, key: int) -> None:  # noqa: ARG002
        """A repeat is a second message: what is played here hurts nobody."""
        if reply.text:
            message = _message(chat, Page(reply.text, reply.html, reply.buttons))
            await sandbox.say(self._db, self._shop_id, self._channel, message)
        if reply.page and reply.message:
            await self._change(reply.message, _message(chat, reply.page))

    async def close(self) -> None:
        """Nothing is held."""


def _message(chat: str, page: Page) -> Message:
    return Message("", chat, page.text, html=page.html, buttons=page.buttons)
