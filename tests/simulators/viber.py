"""Viber's bot API: /pa/… as its documentation has it, refusing what it refuses with a 200."""

import hashlib
import hmac
import json
from collections import defaultdict
from typing import Any

import aiohttp
from aiohttp import web

from channels.base import HookRequest
from tests.simulators.base import Sent, Simulator

TOKEN = "445da6az1s345z78-dazcczb2542zv51a"
URI = "romashka"

_WORDS: dict[int, str] = {
    -1: "General error",
    1: "invalidUrl",
    2: "invalidAuthToken",
    3: "badData",
    4: "missingData",
    5: "receiverNotRegistered",
    6: "receiverNotSubscribed",
    7: "publicAccountBlocked",
    9: "publicAccountSuspended",
    10: "webhookNotSet",
    11: "receiverNoSuitableDevice",
    12: "tooManyRequests",
    20: "broadcastNotAllowed",
    24: "noBalance",
}


class ViberSimulator(Simulator):
    """`subscribers`: who can be written to; `codes` by receiver, `code` of every message. `webhook`: where it calls.

    `chats`: what stands in a person's chat, welcomes and all, as the bot gave it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.token = TOKEN
        self.subscribers: set[str] = set()
        self.codes: dict[str, int] = {}
        self.code: int | None = None
        self.may_broadcast = True
        self.webhook = ""
        self.kinds: list[str] = []
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.chats: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        self._tokens = 4912661846655238145

    def routes(self, app: web.Application) -> None:
        app.router.add_post("/pa/send_message", self._send)
        app.router.add_post("/pa/broadcast_message", self._broadcast)
        app.router.add_post("/pa/get_account_info", self._info)
        app.router.add_post("/pa/set_webhook", self._set_webhook)

    @property
    def base_url(self) -> str:
        return f"{self.url}/pa"

    def messages(self, method: str) -> list[dict[str, Any]]:
        return [body for called, body in self.calls if called == method]

    async def open(self, person: str, context: str = "") -> None:
        """Somebody looks at the bot, by a link or without. Its answer is the welcome."""
        begun = {"type": "open", "user": _user(person), "subscribed": person in self.subscribers}
        more = {"context": context} if context else {}
        answer = await self._tells("conversation_started", **begun, **more)
        if answer:
            welcome = json.loads(answer)
            assert not self._fault(welcome)
            self.chats[person].append(welcome)

    async def say(self, person: str, text: str) -> None:
        """With the tracking data of what stands last in the chat. Whoever writes subscribes by it."""
        self.subscribers.add(person)
        last = self.chats[person][-1:]
        message = {"type": "text", "text": text}
        message["tracking_data"] = str(last[0].get("tracking_data", "")) if last else ""
        await self._tells("message", sender=_user(person), message=message, silent=False)

    async def press(self, person: str, label: str) -> None:
        """A button of the keyboard that stands below: of the last message."""
        buttons = self.chats[person][-1]["keyboard"]["Buttons"]
        await self.say(person, next(b["ActionBody"] for b in buttons if b["Text"] == label))

    async def leave(self, person: str) -> None:
        self.subscribers.discard(person)
        await self._tells("unsubscribed", user_id=person)

    async def _tells(self, name: str, **fields: Any) -> str:
        """The body of the webhook's answer."""
        call = event(name, secret=self.token, message_token=self._new_token(), **fields)
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.webhook, data=call.body, headers=call.headers) as answer,
        ):
            assert answer.status == 200, await answer.text()
            return await answer.text()

    async def _send(self, request: web.Request) -> web.Response:
        body, status = await self._known(request)
        receiver = str(body.get("receiver") or "")
        status = status or self.code or self._fault(body) or self._person(receiver)
        if status:
            return self._answer(status)
        token = self._new_token()
        self._take(token, receiver, body)
        return self._answer(0, message_token=token, billing_status=1)

    async def _broadcast(self, request: web.Request) -> web.Response:
        body, status = await self._known(request)
        to = body.get("broadcast_list")
        status = status or (0 if self.may_broadcast else 20) or self.code or self._fault(body)
        if not isinstance(to, list) or not 1 <= len(to) <= 300:
            status = status or 3
            to = []
        if status:
            return self._answer(status)
        token = self._new_token()
        failed = []
        for receiver in to:
            if fault := self._person(receiver):
                failed.append(
                    {"receiver": receiver, "status": fault, "status_message": _WORDS[fault]}
                )
            else:
                self._take(token, receiver, body)
        return self._answer(0, message_token=token, failed_list=failed)

    async def _info(self, request: web.Request) -> web.Response:
        _, status = await self._known(request)
        if status:
            return self._answer(status)
        return self._answer(
            0, id="pa:75346594275468546724", name="Ромашка", uri=URI, webhook=self.webhook
        )

    async def _set_webhook(self, request: web.Request) -> web.Response:
        body, status = await self._known(request)
        if status:
            return self._answer(status)
        if not str(body.get("url", "")).startswith(("https://", "http://127.0.0.1")):
            return self._answer(1)
        call = event("webhook", timestamp=1457764197627, message_token=self._new_token())
        if not await self._calls(body["url"], call):
            return self._answer(1)
        self.webhook, self.kinds = body["url"], body.get("event_types", [])
        return self._answer(0, event_types=self.kinds)

    async def _calls(self, url: str, call: HookRequest) -> bool:
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.post(url, data=call.body, headers=call.headers) as answer,
            ):
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    async def _known(self, request: web.Request) -> tuple[dict[str, Any], int]:
        """The body, and 2 where the token is wrong. It may stand in the header or in the body."""
        text = await request.text()
        body = json.loads(text)
        self.calls.append((request.path.rpartition("/")[2], body))
        given = request.headers.get("X-Viber-Auth-Token") or body.get("auth_token")
        if given != self.token:
            return body, 2
        return body, 3 if len(text.encode()) > 30 * 1024 else 0

    def _fault(self, body: dict[str, Any]) -> int:
        sender = body.get("sender")
        if not isinstance(sender, dict) or not sender.get("name"):
            return 4
        if len(sender["name"]) > 28 or len(body.get("tracking_data", "")) > 4000:
            return 3
        if body.get("type") != "text" or not body.get("text"):
            return 4
        if len(body["text"]) > 7000:
            return 3
        buttons = body.get("keyboard", {"Buttons": []})["Buttons"]
        return 0 if all(1 <= b["Columns"] <= 6 and b["ActionBody"] for b in buttons) else 3

    def _person(self, receiver: str) -> int:
        if not receiver:
            return 4
        return self.codes.get(receiver) or (0 if receiver in self.subscribers else 6)

    def _take(self, token: int, receiver: str, body: dict[str, Any]) -> None:
        self.chats[receiver].append(body)
        self.take(
            Sent(to=receiver, text=body["text"], provider_id=f"{token}:{receiver}", extra=body)
        )

    def _new_token(self) -> int:
        self._tokens += 1
        return self._tokens

    def _answer(self, status: int, **more: Any) -> web.Response:
        said = {"status": status, "status_message": _WORDS.get(status, "") if status else "ok"}
        return web.json_response({**said, "chat_hostname": "SN-CHAT-01_", **more})


def _user(person: str) -> dict[str, Any]:
    return {"id": person, "name": "", "language": "ru", "country": "RU", "api_version": 10}


def event(name: str, *, secret: str = TOKEN, **fields: Any) -> HookRequest:
    """A call with this event, as Viber makes it."""
    raw = {"event": name, "timestamp": 1760000000000, "message_token": 4912661846655238145}
    return signed(json.dumps({**raw, **fields}, ensure_ascii=False), secret)


def about(sent: Sent, name: str, **fields: Any) -> HookRequest:
    """What became of a message."""
    token, _, person = sent.provider_id.partition(":")
    return event(name, message_token=int(token), user_id=person, **fields)


def said(person: str, text: str, *, tracking_data: str = "", **fields: Any) -> HookRequest:
    message = {"type": "text", "text": text, "tracking_data": tracking_data}
    sender = {"id": person, "name": "", "language": "ru", "country": "RU", "api_version": 10}
    return event("message", sender=sender, message=message, silent=False, **fields)


def signed(body: str | bytes, secret: str = TOKEN) -> HookRequest:
    raw = body.encode() if isinstance(body, str) else body
    digest = hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
    return HookRequest("POST", {"x-viber-content-signature": digest}, {}, raw)
