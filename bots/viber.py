"""Viber: its events come by webhook, answers go out as any message does. Nothing that was sent can be changed."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from bots.conversation.said import (
    Act,
    Allowed,
    Blocked,
    Page,
    Pressed,
    Reply,
    Said,
    Spoke,
    Started,
    understand,
)
from bots.platform import CannotWrite, Received, Trouble
from channels.base import Message, Refused, Retry, Scope, Unavailable
from channels.viber.bot_api import BotApi
from channels.viber.keyboard import PRESSED
from channels.viber.updates import START


class ViberBot:
    """Stateless; `api` is the account's adapter."""

    polls = False
    prepared_for: timedelta | None = None

    def __init__(self, api: BotApi, hook: Callable[[], str]) -> None:
        self._api = api
        self._hook = hook

    async def prepare(self) -> None:
        """Viber tries the address at once, so the hub must be reached there by now."""
        try:
            await self._api.set_webhook(self._hook())
        except Unavailable as error:
            raise Trouble(str(error)) from None

    async def receive(self, cursor: str | None) -> Received:
        return Received([], cursor or "")

    def read(self, raw: dict[str, Any]) -> Said | None:
        match raw:
            case {"event": "message", "sender": {"id": str(person), **sender}, "message": message}:
                act = _act(message if isinstance(message, Mapping) else {})
                # Whoever writes to a bot subscribes by it; nothing else tells of that.
                return Said(person, act, _language(sender), person, subscribes=True)
            case {"event": "subscribed", "user": {"id": str(person), **user}}:
                return Said(person, Allowed(), _language(user), person)
            case {"event": "unsubscribed", "user_id": str(person)}:
                return Said(person, Blocked(), person=person)
            case {"event": "conversation_started", "user": {"id": str(person), **user}}:
                started = Started(str(raw.get("context") or ""))
                return Said(person, started, _language(user), person)
        return None

    async def reply(self, chat: str, reply: Reply, key: int) -> None:
        """A page that would take another one's place is a message of its own here."""
        if reply.text:
            await self._say(chat, Page(reply.text, buttons=reply.buttons), key)
        if reply.page:
            await self._say(chat, reply.page, key)

    async def close(self) -> None:
        """The adapter is the hub's."""

    async def _say(self, chat: str, page: Page, key: int) -> None:
        message = Message(str(key), chat, page.text, buttons=page.buttons)
        [outcome] = await self._api.send([message])
        match outcome:
            case Retry(reason, after, throttled=throttled):
                raise Trouble(reason, after, unclear=not throttled)
            case Refused(Scope.ACCOUNT, code):
                raise Trouble(f"viber-{code}", timedelta(minutes=1), for_all=True)
            case Refused(_, code):
                raise CannotWrite(f"viber-{code}")


def _act(message: Mapping[str, Any]) -> Act:
    text = str(message.get("text") or "")
    if text.startswith(PRESSED):
        return Pressed("", text.removeprefix(PRESSED))
    act = understand(text)
    carried = str(message.get("tracking_data") or "")
    if isinstance(act, Spoke) and carried.startswith(START):
        # Anything said to the welcome, in place of its button.
        return Started(carried.removeprefix(START))
    return act


def _language(person: Mapping[Any, Any]) -> str:
    return str(person.get("language") or "")
