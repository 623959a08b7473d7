"""Telegram: raw updates in by getUpdates, typed ones to the conversation, answers out through aiogram."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.enums import ChatMemberStatus, ChatType, ParseMode
from aiogram.exceptions import (
    AiogramError,
    TelegramBadRequest,
    TelegramEntityTooLarge,
    TelegramForbiddenError,
    TelegramMigrateToChat,
    TelegramNotFound,
    TelegramRetryAfter,
    TelegramUnauthorizedError,
)
from aiogram.types import (
    ChatMemberUpdated,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    LinkPreviewOptions,
    Message,
    Update,
)
from pydantic import ValidationError

from bots.conversation.said import (
    Allowed,
    Asked,
    Blocked,
    Moved,
    Page,
    Pressed,
    Reply,
    Rows,
    Said,
    Started,
    understand,
)
from bots.platform import CannotWrite, Received, Trouble
from channels.base import Button
from channels.http import NoReply, ProviderHttp
from channels.telegram import updates
from channels.telegram.bot_api import BotApiConfig, patience
from channels.updates import Incoming
from hub.content.view import shorten

_WAIT = 25
"""Seconds of one long poll; the server's own limit is 50."""

_LONGEST_TOAST = 200
_NO_PREVIEW = LinkPreviewOptions(is_disabled=True)

_GONE = frozenset({ChatMemberStatus.KICKED, ChatMemberStatus.LEFT})
_SECOND = timedelta(seconds=1)


class TelegramBot:
    """`hook`: (URL, secret) for setWebhook, where the account does not poll.

    getUpdates is called without aiogram: there, one update that its models do not know fails the whole batch,
    again and again at the same offset.
    """

    prepared_for: timedelta | None = None

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
        found = await self._call("getUpdates", fields, long_poll=True)
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
            chat, who = str(query.message.chat.id), query.from_user
            pressed = Pressed(query.id, query.data or "", f"{chat}:{query.message.message_id}")
            return Said(chat, pressed, who.language_code or "", str(who.id), who.full_name)
        return None

    async def reply(self, chat: str, reply: Reply, key: int) -> None:  # noqa: ARG002
        """Telegram has no key to recognise a repeat by."""
        if reply.press:
            try:
                async with _named():
                    text = shorten(reply.text, _LONGEST_TOAST)
                    await self._bot.answer_callback_query(reply.press, text=text or None)
            except CannotWrite:
                # Too old to be answered; what it asked for may still be shown.
                if reply.page is None:
                    raise
        else:
            async with _named():
                await self._bot.send_message(
                    int(chat),
                    reply.html or reply.text,
                    parse_mode=ParseMode.HTML if reply.html else None,
                    reply_markup=_markup(reply.buttons),
                    link_preview_options=_NO_PREVIEW,
                )
        if reply.page and reply.message:
            async with _named():
                await self._edit(chat, reply.message, reply.page)

    async def _edit(self, chat: str, message: str, page: Page) -> None:
        try:
            await self._bot.edit_message_text(
                page.html or page.text,
                chat_id=int(chat),
                message_id=int(message.rpartition(":")[2]),
                parse_mode=ParseMode.HTML if page.html else None,
                reply_markup=_markup(page.buttons),
                link_preview_options=_NO_PREVIEW,
            )
        except TelegramBadRequest as error:
            if "message is not modified" not in error.message.lower():
                raise

    async def close(self) -> None:
        await self._bot.session.close()

    async def _call(self, method: str, fields: dict[str, Any], *, long_poll: bool = False) -> Any:
        within = timedelta(seconds=_WAIT + 10) if long_poll else None
        try:
            reply = await self._http.post(
                f"{self._url}/{method}", json=fields, within=within, long_poll=long_poll
            )
            answer = reply.json()
        except NoReply as none:
            raise Trouble(none.outcome.reason, none.outcome.after) from None
        match answer:
            case {"ok": True, "result": result}:
                return result
            case {"ok": False, "parameters": {"retry_after": int(seconds)}}:
                raise Trouble("throttled", patience(seconds))
        if reply.status == HTTPStatus.CONFLICT:
            # Another receiver: it may be on its way out, or a webhook that somebody has set.
            raise Trouble("two-receivers", _SECOND * 3)
        if reply.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND):
            raise Trouble("bad-token", _SECOND * 60)
        raise Trouble(f"refused-{reply.status}")


@asynccontextmanager
async def _named() -> AsyncIterator[None]:
    """What aiogram raises, as `Platform.reply` names it."""
    try:
        yield
    except TelegramRetryAfter as error:
        raise Trouble("throttled", patience(error.retry_after)) from None
    except (
        TelegramForbiddenError,
        TelegramBadRequest,
        TelegramMigrateToChat,
        TelegramEntityTooLarge,
    ) as error:
        # A press that is too old to be answered comes here, too.
        raise CannotWrite(type(error).__name__) from None
    except (TelegramUnauthorizedError, TelegramNotFound):
        raise Trouble("bad-token", _SECOND * 60, for_all=True) from None
    except (AiogramError, UnicodeDecodeError) as error:
        # The latter of a page of something in between, in an encoding that it does not name. Without the cause: the
        # texts of some hold the whole answer.
        raise Trouble(type(error).__name__, unclear=True) from None


def _markup(rows: Rows) -> InlineKeyboardMarkup | None:
    if not rows:
        return None
    return InlineKeyboardMarkup(inline_keyboard=[[_button(one) for one in row] for row in rows])


def _button(button: Button) -> InlineKeyboardButton:
    if button.url:
        return InlineKeyboardButton(text=button.text, url=button.url)
    return InlineKeyboardButton(text=button.text, callback_data=button.data)


def _incoming(raw: Any) -> Incoming | None:
    try:
        return updates.incoming(raw)
    except ValueError:
        return None


def _of_message(message: Message) -> Said | None:
    """Of a group's talk only commands are meant for the bot."""
    if new := message.migrate_to_chat_id:
        # Its last word; from now on it speaks under the new id.
        return Said(str(message.chat.id), Moved(str(new)))
    act, chat, who = understand(message.text or ""), str(message.chat.id), message.from_user
    if message.chat.type == ChatType.PRIVATE:
        return Said(chat, act, (who and who.language_code) or "")
    if who is None or not isinstance(act, Started | Asked):
        return None
    return Said(chat, act, who.language_code or "", str(who.id), who.full_name)


def _of_membership(change: ChatMemberUpdated) -> Said:
    """In a private chat this comes only when the person blocks the bot or takes it back; in a group when the bot
    is added, removed or given rights."""
    gone = change.new_chat_member.status in _GONE
    act = Blocked() if gone else Allowed()
    return Said(str(change.chat.id), act, person=str(change.from_user.id))
