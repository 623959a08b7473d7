"""VK: events in by Bots Long Poll, answers out through vkbottle."""

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import aiohttp
from vkbottle import API, AiohttpClient

from bots.conversation.said import (
    Allowed,
    Asked,
    Blocked,
    Page,
    Pressed,
    Read,
    Reply,
    Said,
    Started,
    understand,
)
from bots.platform import CannotWrite, Received, Trouble
from channels.http import NoReply, ProviderHttp
from channels.updates import Incoming
from channels.vk import updates
from channels.vk.community import API_VERSION, CommunityConfig
from channels.vk.keyboard import PAYLOAD_KEY, keyboard
from hub.content.view import shorten

_WAIT = 25
"""Seconds of one long poll; VK takes up to 90."""

# Who forbade messages, blacklisted the community, was deleted, or left the chat: `errors.json` of VK's schema.
_CANNOT_WRITE = frozenset(
    {18, 113, 900, 901, 902, 932, 936, 950, 985, 987, 988, 917, 922, 927, 945}
)

# Too big or too long, or a keyboard that VK does not take: it would be so again.
_CANNOT_BE_SAID = frozenset({910, 911, 913, 914})

_TOO_LATE = "vk-100"
_NOT_EDITABLE = frozenset({"vk-100", "vk-909", "vk-920"})

_LONGEST_TOAST = 90
"""Not documented; longer ones are said to be cut."""

# All that the community's token does, not one dialog.
_THROTTLED: Mapping[int, timedelta] = {
    6: timedelta(seconds=1),
    9: timedelta(minutes=1),
    29: timedelta(minutes=5),
}

# "Unknown error" and "internal server error".
_ITS_OWN = {1, 10}

_BAD_TOKEN = frozenset({5, 27, 28})
# Nothing goes before somebody has put it right, whoever is written to: the application is off, a captcha, validation
# or confirmation is wanted, the token is bound to other addresses, the community is restricted from writing.
_FOR_A_HUMAN = frozenset({2, 14, 17, 24, 42, 983})

_MENTION = re.compile(r"^\s*\[club\d+\|[^\]]*\][,\s]*")

_FIRST_CHAT = 2_000_000_000
"""Peers from here on are conversations of many."""


class VkBot:
    """The key and the server of Long Poll live as long as this object; only `ts` is kept."""

    prepared_for: timedelta | None = None

    def __init__(self, config: CommunityConfig, http: ProviderHttp) -> None:
        self.polls = config.receive == "polling"
        self._group_id = config.group_id
        self._http = http
        self._server: tuple[str, str] | None = None
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20))
        self._api = API(
            config.token.get_secret_value(),
            http_client=AiohttpClient(session=self._session),
        )
        # Answers are read here. The library asks again by itself where one is no JSON, has names for errors only if
        # they are whole, and writes to the log what it does not know of them.
        self._api.response_validators = []
        # An attribute, and a method's name is put right behind it.
        self._api.API_URL = f"{config.base_url}/"

    async def prepare(self) -> None:
        """A callback server is set up in the community's settings, by its administrator."""
        if self.polls:
            kinds = dict.fromkeys(updates.KINDS, 1)
            await self._call(
                "groups.setLongPollSettings",
                {"group_id": self._group_id, "enabled": 1, "api_version": API_VERSION, **kinds},
            )

    async def receive(self, cursor: str | None) -> Received:
        """Where VK has forgotten what came after the cursor, it goes on from where VK can."""
        if self._server is None:
            server = await self._long_poll_server()
            self._server = (server["server"], server["key"])
            if not cursor:
                return Received([], str(server["ts"]))
        url, key = self._server
        params = {"act": "a_check", "key": key, "ts": cursor or "0", "wait": str(_WAIT)}
        match await self._poll(url, params):
            case {"ts": ts, "updates": list(found)}:
                return Received([one for raw in found if (one := _incoming(raw))], str(ts))
            case {"failed": 1, "ts": ts}:
                return Received([], str(ts))
            case {"failed": 2}:
                self._server = None
                return Received([], cursor or "")
            case {"failed": 3}:
                self._server = None
                return Received([], "")
        self._server = None
        raise Trouble("unreadable-answer")

    def read(self, raw: dict[str, Any]) -> Said | None:
        match raw:
            case {"type": "message_new", "object": {"message": {"peer_id": int(peer)} as message}}:
                if message.get("out"):
                    return None
                return _of_chat(peer, message) if peer >= _FIRST_CHAT else _of_person(peer, message)
            case {"type": "message_event", "object": {"peer_id": int(peer), **event}}:
                return _of_press(peer, event)
            case {"type": "message_allow", "object": {"user_id": int(user), **more}}:
                return Said(str(user), Allowed(str(more.get("key", ""))))
            case {"type": "message_deny", "object": {"user_id": int(user)}}:
                return Said(str(user), Blocked())
            case {
                "type": "message_read",
                "object": {"peer_id": int(peer), "conversation_message_id": int(up_to)},
            }:
                return Said(str(peer), Read(up_to))
        return None

    async def reply(self, chat: str, reply: Reply, key: int) -> None:
        if reply.press:
            await self._answer_press(chat, reply)
        else:
            # By the key, VK does not show the same reply twice.
            fields: dict[str, Any] = {
                "peer_id": chat,
                "message": reply.text,
                "random_id": key % (2**31 - 1) + 1,
                "dont_parse_links": 1,
            }
            if reply.buttons:
                fields["keyboard"] = keyboard(reply.buttons)
            await self._call("messages.send", fields)
        if reply.page and reply.message:
            await self._edit(chat, reply.message, reply.page)

    async def _answer_press(self, chat: str, reply: Reply) -> None:
        fields: dict[str, Any] = {
            "event_id": reply.press,
            "user_id": reply.person or chat,
            "peer_id": chat,
        }
        # Left out, it only stops the turning wheel.
        if reply.text:
            snackbar = {"type": "show_snackbar", "text": shorten(reply.text, _LONGEST_TOAST)}
            fields["event_data"] = json.dumps(snackbar, ensure_ascii=False)
        try:
            await self._call("messages.sendMessageEventAnswer", fields)
        except Trouble as trouble:
            if trouble.reason != _TOO_LATE:
                raise
            # Answered before, or more than a minute ago; the code of it is not documented.
            if reply.page is None:
                raise CannotWrite(trouble.reason) from None

    async def _edit(self, chat: str, message: str, page: Page) -> None:
        fields: dict[str, Any] = {
            "peer_id": chat,
            "conversation_message_id": message.rpartition(":")[2],
            "message": page.text,
            "dont_parse_links": 1,
        }
        if page.buttons:
            fields["keyboard"] = keyboard(page.buttons)
        try:
            await self._call("messages.edit", fields)
        except Trouble as trouble:
            if trouble.reason not in _NOT_EDITABLE:
                raise
            raise CannotWrite(trouble.reason) from None

    async def close(self) -> None:
        await self._session.close()

    async def _long_poll_server(self) -> Mapping[str, Any]:
        match await self._call("groups.getLongPollServer", {"group_id": self._group_id}):
            case {"server": str(), "key": str(), "ts": _} as server:
                found: Mapping[str, Any] = server
                return found
        raise Trouble("unreadable-answer")

    async def _poll(self, url: str, params: Mapping[str, str]) -> Any:
        try:
            reply = await self._http.get(
                url, params=params, within=timedelta(seconds=_WAIT + 10), long_poll=True
            )
            return reply.json()
        except NoReply as none:
            raise Trouble(none.outcome.reason, none.outcome.after) from None

    async def _call(self, method: str, fields: dict[str, Any]) -> Any:
        """The raw call: vkbottle's typed ones fail on answers that their models do not know, after the effect."""
        try:
            text: Any = await self._api.request(method, fields)
            answer = json.loads(text)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Trouble(type(error).__name__, unclear=True) from None
        except (ValueError, RecursionError):
            # A page of something in between, perhaps not even in UTF-8.
            raise Trouble("unreadable-answer", unclear=True) from None
        match answer:
            case {"error": {"error_code": int(code)}}:
                raise _trouble(code)
            case {"response": found}:
                return found
        raise Trouble("unreadable-answer", unclear=True)


def _trouble(code: int) -> Exception:
    if code in _CANNOT_WRITE | _CANNOT_BE_SAID:
        return CannotWrite(f"vk-{code}")
    if code in _BAD_TOKEN:
        return Trouble("bad-token", timedelta(minutes=1), for_all=True)
    if code in _FOR_A_HUMAN:
        return Trouble(f"vk-{code}", timedelta(minutes=1), for_all=True)
    return Trouble(
        f"vk-{code}",
        _THROTTLED.get(code, timedelta(0)),
        for_all=code in _THROTTLED,
        unclear=code in _ITS_OWN,
    )


def _incoming(raw: Any) -> Incoming | None:
    try:
        return updates.incoming(raw)
    except ValueError:
        return None


def _of_person(peer: int, message: Mapping[str, Any]) -> Said:
    """A link's parameter comes as `ref` beside an ordinary text, with the first message after the click. The button of
    an empty dialog is known by what stands behind it: its text is in the language of the app."""
    ref = str(message.get("ref") or "")
    if ref or _is_start(message.get("payload")):
        return Said(str(peer), Started(ref))
    return Said(str(peer), understand(str(message.get("text") or "")))


def _is_start(payload: Any) -> bool:
    try:
        found = json.loads(str(payload or ""))
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and found.get("command") == "start"


def _of_chat(peer: int, message: Mapping[str, Any]) -> Said | None:
    """Of a chat's talk only commands are meant for the community; they begin with its mention."""
    text = _MENTION.sub("", str(message.get("text") or ""))
    act = understand(text)
    if not isinstance(act, Started | Asked):
        return None
    return Said(str(peer), act, person=str(message.get("from_id", "")))


def _of_press(peer: int, event: Mapping[Any, Any]) -> Said:
    payload = event.get("payload")
    data = payload.get(PAYLOAD_KEY, "") if isinstance(payload, dict) else ""
    number = event.get("conversation_message_id")
    message = f"{peer}:{number}" if number else ""
    pressed = Pressed(str(event.get("event_id", "")), str(data), message)
    return Said(str(peer), pressed, person=str(event.get("user_id", peer)))
