"""Telegram: raw updates in by getUpdates, typed ones to the conversation, answers out through aiogram."""

from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.enums import ChatMemberStatus, ChatType
from aiogram.exceptions import (
    AiogramError,
    TelegramBadRequest,
    TelegramEntityTooLarge,
    TelegramForbiddenError,
    TelegramMigrateToChat,
    TelegramRetryAfter,
)
from aiogram.types import ChatMemberUpdated, Message, Update
from pydantic import ValidationError

from bots.conversation.said import Allowed, Blocked, Pressed, Reply, Said, understand
from bots.platform import CannotWrite, Received, Trouble
from channels.http import NoReply, ProviderHttp
from channels.telegram import updates
from channels.telegram.bot_api import BotApiConfig
from channels.updates import Incoming

_WAIT = 25
"""Seconds of one long poll; the server's own limit is 50."""

_GONE = frozenset({ChatMemberStatus.KICKED, ChatMemberStatus.LEFT})
_SECOND = timedelta(seconds=1)


class TelegramBot:
    """`hook`: (URL, secret) for setWebhook, where the account does not poll.

    getUpdates is called without aiogram: there, one update that its models do not know fails the whole batch,
    again and again at the same offset.
    """

    def __init__(
        self, config: BotApiConfig, http: ProviderHttp, hook: Callable[[], tuple[str, str]]
    ) -> None:
        self.polls = config.receive == "polling"
        self._hook = hook
        self._http = http
        token = config.token.get_secret_value()
        self._url = f"{config.base_url}/bot{token}"
        server = TelegramAPIServer.from_base(config.base_url)
        self._bot = Bot(token, session=AiohttpSession(api=server, timeout=20))

    async def prepare(self) -> None:
        if self.polls:
            # A webhook left over from an earlier setting keeps getUpdates shut (409).
            await self._call("deleteWebhook", {})
            return
        url, secret = self._hook()
        fields = {"url": url, "secret_token": secret, "allowed_updates": list(updates.KINDS)}
        await self._call("setWebhook", fields)

    async def receive(self, cursor: str | None) -> Received:
        fields: dict[str, Any] = {"timeout": _WAIT, "allowed_updates": list(updates.KINDS)}
        if cursor:
            fields["offset"] = int(cursor)
        found = await self._call("getUpdates", fields, within=timedelta(seconds=_WAIT + 10))
        if not isinstance(found, list):
            raise Trouble("unreadable-answer")
        incoming = [update for raw in found if (update := _incoming(raw))]
        last = max((int(update.event) for update in incoming), default=None)
        return Received(incoming, str(last + 1) if last is not None else cursor or "")

    def read(self, raw: dict[str, Any]) -> Said | None:
        try:
            update = Update.model_validate(raw)
        except ValidationError:
            # Without the cause: its text holds the message.
            raise ValueError("not an update that this version of aiogram knows") from None
        if update.message:
            return _of_message(update.message)
        if update.my_chat_member:
            return _of_membership(update.my_chat_member)
        if (query := update.callback_query) and query.message:
            chat, language = str(query.message.chat.id), query.from_user.language_code or ""
            return Said(chat, Pressed(query.id, query.data or ""), language)
        return None

    async def reply(self, chat: str, reply: Reply, key: int) -> None:  # noqa: ARG002
        """Telegram has no key to recognise a repeat by."""
        try:
            if reply.press:
                await self._bot.answer_callback_query(reply.press, text=reply.text)
            else:
                await self._bot.send_message(int(chat), reply.text)
        except TelegramRetryAfter as error:
            raise Trouble("throttled", timedelta(seconds=error.retry_after)) from None
        except (
            TelegramForbiddenError,
            TelegramBadRequest,
            TelegramMigrateToChat,
            TelegramEntityTooLarge,
        ) as error:
            # A press that is too old to be answered comes here, too.
            raise CannotWrite(type(error).__name__) from None
        except AiogramError as error:
            # Without the cause: the texts of some hold the whole answer.
            raise Trouble(type(error).__name__) from None

    async def close(self) -> None:
        await self._bot.session.close()

    async def _call(
        self, method: str, fields: dict[str, Any], *, within: timedelta | None = None
    ) -> Any:
        try:
            reply = await self._http.post(f"{self._url}/{method}", json=fields, within=within)
            answer = reply.json()
        except NoReply as none:
            raise Trouble(none.outcome.reason, none.outcome.after) from None
        match answer:
            case {"ok": True, "result": result}:
                return result
            case {"ok": False, "parameters": {"retry_after": int(seconds)}}:
                raise Trouble("throttled", timedelta(seconds=seconds))
        if reply.status == HTTPStatus.CONFLICT:
            # Another receiver: it may be on its way out, or a webhook that somebody has set.
            raise Trouble("two-receivers", _SECOND * 3)
        if reply.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND):
            raise Trouble("bad-token", _SECOND * 60)
        raise Trouble(f"refused-{reply.status}")


def _incoming(raw: Any) -> Incoming | None:
    try:
        return updates.incoming(raw)
    except ValueError:
        return None


def _of_message(message: Message) -> Said | None:
    """Only what is said in private: a group's talk is not meant for the bot."""
    if message.chat.type != ChatType.PRIVATE:
        return None
    language = (message.from_user and message.from_user.language_code) or ""
    return Said(str(message.chat.id), understand(message.text or ""), language)


def _of_membership(change: ChatMemberUpdated) -> Said:
    """In a private chat this comes only when the person blocks the bot or takes it back."""
    gone = change.new_chat_member.status in _GONE
    return Said(str(change.chat.id), Blocked() if gone else Allowed())
