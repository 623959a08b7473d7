"""MAX: updates in by long poll or a webhook, answers out, all of it by plain calls of its bot API."""

import asyncio
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from http import HTTPStatus
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from bots.conversation.said import (
    Allowed,
    Asked,
    Blocked,
    Pressed,
    Reply,
    Said,
    Started,
    understand,
)
from bots.platform import CannotWrite, Received, Trouble
from channels.base import Refused, Retry, Scope
from channels.http import NoReply, ProviderHttp
from channels.max import updates
from channels.max.body import body, recipient
from channels.max.client import BotApiConfig, Client
from channels.updates import Incoming
from hub.content.view import shorten

_WAIT = 25
"""Seconds of one long poll; the server's own limit is 30."""

_BATCH = 100
_BETWEEN_POLLS = 0.5
"""Seconds: MAX takes two polls a second."""

_LONGEST_TOAST = 200
"""Not documented."""

_MENTION = re.compile(r"^\s*@\w+[,\s]+")
_MINUTE = timedelta(minutes=1)


class MaxBot:
    """`hook`: (URL, secret) for the subscription, where the account does not poll."""

    def __init__(
        self, config: BotApiConfig, http: ProviderHttp, hook: Callable[[], tuple[str, str]]
    ) -> None:
        self.polls = config.receive == "polling"
        # MAX drops a subscription whose address did not answer for eight hours, and tells nobody.
        self.prepared_for = None if self.polls else timedelta(minutes=10)
        self._client = Client(config, http)
        self._hook = hook
        self._subscribed = False
        self._next_poll = 0.0

    async def prepare(self) -> None:
        """Subscriptions to other addresses are left alone: MAX tells all of them everything. Only what this hub had
        under another `public_url` goes. One that polls can leave none: it would be told nothing."""
        subscribed = await self._subscriptions()
        if self.polls:
            for url in subscribed:
                await self._call("DELETE", "/subscriptions", {"url": url})
            return
        url, secret = self._hook()
        if url not in subscribed or not self._subscribed:
            # For one that is there it sets the secret and the kinds anew.
            wanted = {"url": url, "secret": secret, "update_types": list(updates.KINDS)}
            await self._call("POST", "/subscriptions", json=wanted)
            self._subscribed = True
        for other in subscribed:
            if other != url and urlsplit(other).path == urlsplit(url).path:
                await self._call("DELETE", "/subscriptions", {"url": other})

    async def receive(self, cursor: str | None) -> Received:
        await asyncio.sleep(max(self._next_poll - monotonic(), 0.0))
        self._next_poll = monotonic() + _BETWEEN_POLLS
        params = {"limit": str(_BATCH), "timeout": str(_WAIT), "types": ",".join(updates.KINDS)}
        if cursor:
            params["marker"] = cursor
        match await self._call("GET", "/updates", params, long_poll=True):
            case {"updates": list(found), **more}:
                marker = more.get("marker")
                last = cursor or "" if marker is None else str(marker)
                return Received([one for raw in found if (one := _incoming(raw))], last)
        raise Trouble("unreadable-answer")

    def read(self, raw: dict[str, Any]) -> Said | None:
        chat, language = updates.chat_of(raw), str(raw.get("user_locale") or "")
        if not chat:
            return None
        match raw:
            case {"update_type": "bot_started"}:
                return Said(chat, Started(str(raw.get("payload") or "")), language)
            case {"update_type": "bot_stopped"}:
                return Said(chat, Blocked(), language)
            case {"update_type": "bot_added", "user": {"user_id": int(person)}}:
                return Said(chat, Allowed(), person=str(person))
            case {"update_type": "bot_removed", "user": {"user_id": int(person)}}:
                return Said(chat, Blocked(), person=str(person))
            case {"update_type": "message_created", "message": {"sender": dict(), "body": dict()}}:
                return _of_message(chat, raw["message"], language)
            case {"update_type": "message_callback", "callback": {"user": dict()} as callback}:
                return _of_press(chat, callback, raw.get("message"), language)
        return None

    async def reply(self, chat: str, reply: Reply, key: int) -> None:  # noqa: ARG002
        """MAX has no key to recognise a repeat by."""
        if reply.press:
            await self._answer(reply)
            return
        params = {**recipient(chat), "disable_link_preview": "true"}
        message = body(reply.text, reply.html, reply.buttons)
        await self._call("POST", "/messages", params, json=message)

    async def _answer(self, reply: Reply) -> None:
        """The words shown for a moment and the message's new content are one call. An answer without either only
        says that the press was heard."""
        answer: dict[str, Any] = {}
        if reply.text:
            answer["notification"] = shorten(reply.text, _LONGEST_TOAST)
        page = reply.page and body(reply.page.text, reply.page.html, reply.page.buttons)
        if page:
            answer["message"] = page
        try:
            await self._call("POST", "/answers", {"callback_id": reply.press}, json=answer)
        except CannotWrite:
            # Too old to be answered; what it asked for may still be shown.
            if not (page and reply.message):
                raise
            await self._call("PUT", "/messages", {"message_id": reply.message}, json=page)

    async def close(self) -> None:
        """Nothing is held: the connections are those of `ProviderHttp`."""

    async def _subscriptions(self) -> list[str]:
        match await self._call("GET", "/subscriptions"):
            case {"subscriptions": list(found)}:
                return [str(one["url"]) for one in found if isinstance(one, dict) and "url" in one]
        raise Trouble("unreadable-answer")

    async def _call(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        json: Any = None,
        long_poll: bool = False,
    ) -> Any:
        """The answer. Raises `Trouble` and `CannotWrite`."""
        within = timedelta(seconds=_WAIT + 10) if long_poll else None
        try:
            reply = await self._client.call(
                method, path, params, json=json, within=within, long_poll=long_poll
            )
            answer = reply.json() if reply.status == HTTPStatus.OK else None
        except NoReply as none:
            raise _unanswered(none.outcome) from None
        match answer:
            case {"success": False}:
                raise _refused(path, "not-done")
            case dict():
                return answer
        match self._client.refusal(reply):
            case Retry() as retry:
                raise _unanswered(retry)
            case Refused(Scope.ACCOUNT, code):
                raise Trouble(code, _MINUTE, for_all=True)
            case Refused(_, code):
                raise _refused(path, code)


def _unanswered(retry: Retry) -> Trouble:
    return Trouble(retry.reason, retry.after, unclear=not retry.throttled)


def _refused(path: str, code: str) -> Exception:
    """Of what is between the bot and people it means one of them; elsewhere it is trouble of the whole bot."""
    return CannotWrite(code) if path in ("/messages", "/answers") else Trouble(code)


def _incoming(raw: Any) -> Incoming | None:
    try:
        return updates.incoming(raw)
    except ValueError:
        return None


def _of_message(chat: str, message: Mapping[str, Any], language: str) -> Said | None:
    """Of a group's talk only commands are meant for the bot; they may begin with its mention."""
    sender = message["sender"]
    text, person = str(message["body"].get("text") or ""), str(sender.get("user_id", ""))
    if person == chat:
        return Said(chat, understand(text), language)
    act = understand(_MENTION.sub("", text))
    if not isinstance(act, Started | Asked):
        return None
    return Said(chat, act, language, person, _name(sender))


def _of_press(chat: str, callback: Mapping[str, Any], message: Any, language: str) -> Said:
    who, mid = callback["user"], ""
    match message:
        case {"body": {"mid": str(mid)}}:
            pass
    press, data = str(callback.get("callback_id", "")), str(callback.get("payload") or "")
    pressed = Pressed(press, data, mid)
    return Said(chat, pressed, language, str(who.get("user_id", "")), _name(who))


def _name(user: Mapping[str, Any]) -> str:
    parts = (user.get("first_name"), user.get("last_name"))
    return str(user.get("name") or " ".join(str(part) for part in parts if part))
