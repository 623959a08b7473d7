"""What happens in the demonstration, step by step, each waited for and told."""

import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from urllib.parse import quote

from hub.config import Locale, OrderStatus
from hub.demo import shop
from hub.demo.client import Client, DemoFailed, until
from hub.demo.words import Words, words
from hub.orders.words import words as bot_words

_LINK = re.compile(r"/a/[A-Za-z0-9_-]+")
_SHOWN_FIELD = re.compile(r'name="(shown:[^"]*)" value="(\d+)"')
_FIRST_LINES = 9

Message = Mapping[str, Any]


class Story:
    """One run over one hub. `say` prints a line; `patience`: how long each step may take."""

    def __init__(
        self, client: Client, locale: Locale, patience: timedelta, say: Callable[[str], None]
    ) -> None:
        self._client = client
        self._locale = locale
        self._said: Words = words(locale)
        self._patience = patience
        self._say = say
        self._began = time.monotonic()
        self._since = datetime.now(UTC)
        # Another one with each run, and easy to tell from a shop's own.
        self._number = f"D{self._since:%d%H%M%S}"

    async def tell(self) -> None:
        """Raises `DemoFailed` where a step does not come within its time."""
        await self._only_in_the_sandbox()
        self._line(self._said.loaded)
        await shop.load(self._client, self._said, self._locale)
        order = await shop.place(self._client, self._said, self._number)
        self._line(self._said.placed.format(number=self._number))
        await self._anna_has_all()
        await self._boris_has_one()
        await self._paper_answers_on_the_page()
        await self._moved(order, "partially_confirmed")
        await self._told(shop.BUYER, "telegram", "order.partially_confirmed")
        await self._paid(order)
        await self._shipped(order)
        await self._where_it_went()
        seconds = f"{time.monotonic() - self._began:.1f}"
        self._say("")
        self._say(self._said.done.format(seconds=seconds))

    async def _only_in_the_sandbox(self) -> None:
        """One letter to an address that belongs to nobody, to see who would carry the others."""
        probe = {
            "recipient": {"address": {"channel": "email", "value": "vestnik-demo@example.com"}},
            "content": {"subject": "Vestnik demo", "text": "Vestnik demo"},
        }
        sent = await self._client.post("/v1/notifications", probe)

        async def provider() -> str | None:
            found = await self._client.get(f"/v1/notifications/{sent['id']}")
            deliveries = found["deliveries"]
            if not deliveries and found["status"] == "undeliverable":
                return "none"
            return next((d["provider"] for d in deliveries if d["provider"]), None)

        carried_by = await until(provider, self._patience, self._late("sandbox"))
        if carried_by != "sandbox":
            raise DemoFailed(
                "this shop has accounts of its own, and the demonstration writes to people who do not"
                " exist: it needs a shop whose channels are carried by the sandbox"
                " (a hub without accounts, such as `vestnik up --data ./demo`)"
            )

    async def _anna_has_all(self) -> None:
        question = await self._asked(shop.ANNA, "telegram")
        await self._press(shop.ANNA, question, bot_words(self._locale).all_there)
        await self._answered(shop.ANNA, question)

    async def _boris_has_one(self) -> None:
        question = await self._asked(shop.BORIS, "vk")
        await self._press(shop.BORIS, question, bot_words(self._locale).how_many_button)
        numbers = await self._changed(question, lambda m: "1" in _buttons(m))
        await self._press(shop.BORIS, numbers, "1")
        await self._answered(shop.BORIS, question)

    async def _paper_answers_on_the_page(self) -> None:
        letter = await self._asked(shop.PAPER, "email")
        link = _LINK.search(letter["text"])
        if link is None:
            raise DemoFailed(f"the letter to {self._who(shop.PAPER)} has no link to the page")
        self._line(self._said.opens_page.format(who=self._who(shop.PAPER)))
        page = await self._client.page(link[0])
        fields = [(unescape(name), value) for name, value in _SHOWN_FIELD.findall(page)]
        self._line(self._said.sends_page.format(who=self._who(shop.PAPER)))
        await self._client.page(link[0], [*fields, ("do", "all")])

    async def _paid(self, order: str) -> None:
        self._line(self._said.says_paid)
        paid = {"status": "paid", "labels_url": shop.LABELS}
        await self._client.post(f"/v1/orders/{order}/status", paid)
        packed = bot_words(self._locale).assembled
        for who, channel in ((shop.ANNA, "telegram"), (shop.BORIS, "vk")):
            task = await self._message(who, channel, lambda m: packed in _buttons(m))
            name = self._who(who)
            self._line(self._said.to_assemble.format(who=name, channel=channel))
            await self._press(who, task, packed)
            await self._changed(task, lambda m: shop.LABELS in str(m["buttons"]), show=False)
            self._line(self._said.labels.format(who=name))
        letter = await self._message(
            shop.PAPER, "email", lambda m: "/a/" in m["text"] and shop.LABELS in m["text"]
        )
        self._line(self._said.packed.format(who=self._who(shop.PAPER)))
        link = _LINK.search(letter["text"])
        await self._client.page(link[0] if link else "", [])
        await self._moved(order, "assembled")

    async def _shipped(self, order: str) -> None:
        self._line(self._said.says_shipped)
        shipped = {"status": "shipped", "delivery": {"tracking": shop.TRACKING}}
        await self._client.post(f"/v1/orders/{order}/status", shipped)
        await self._told(shop.BUYER, "telegram", "order.shipped")

    async def _where_it_went(self) -> None:
        self._say("")
        self._say(self._said.sent_title)
        rows = []
        for who in shop.ADDRESSES:
            since = quote(self._since.isoformat())
            found = await self._client.get(f"/v1/notifications?contact={who}&since={since}")
            rows += [(item["created_at"], who, item) for item in found["items"]]
        for at, who, item in sorted(rows, key=lambda row: row[0]):
            whole = await self._client.get(f"/v1/notifications/{item['id']}")
            channels = ", ".join(d["channel"] for d in whole["deliveries"]) or "—"
            self._say(
                self._said.sent.format(
                    at=f"{datetime.fromisoformat(at).astimezone():%H:%M:%S}",
                    who=self._who(who),
                    channel=channels,
                    template=item["template"] or "",
                    status=item["status"],
                )
            )

    async def _asked(self, who: str, channel: str) -> Message:
        message = await self._message(who, channel, lambda _: True)
        self._line(self._said.asked.format(who=self._who(who), channel=channel))
        self._show(message)
        return message

    async def _told(self, who: str, channel: str, template: str) -> None:
        seen: set[str] = set()

        async def look() -> Message | None:
            for message in await self._messages(who, channel):
                id_ = message["notification_id"]
                if id_ is None or id_ in seen:
                    continue
                seen.add(id_)
                if (await self._client.get(f"/v1/notifications/{id_}"))["template"] == template:
                    return message
            return None

        message = await until(look, self._patience, self._late(f"{self._who(who)}, {template}"))
        self._line(self._said.told.format(who=self._who(who), channel=channel))
        self._show(message)

    async def _messages(self, who: str, channel: str) -> list[Message]:
        """To that person about this order, the newest first."""
        to = quote(shop.ADDRESSES[who][channel])
        found = await self._client.get(f"/v1/sandbox/messages?channel={channel}&to={to}")
        return [m for m in found["items"] if self._number in m["text"] + m["subject"]]

    async def _message(self, who: str, channel: str, fits: Callable[[Message], bool]) -> Message:
        """The newest one to that person about this order."""

        async def look() -> Message | None:
            return next((m for m in await self._messages(who, channel) if fits(m)), None)

        return await until(look, self._patience, self._late(f"{self._who(who)}, {channel}"))

    async def _changed(
        self, message: Message, fits: Callable[[Message], bool], *, show: bool = True
    ) -> Message:
        """The same message after it was changed in place."""
        to = quote(message["to"])

        async def look() -> Message | None:
            found = await self._client.get(
                f"/v1/sandbox/messages?channel={message['channel']}&to={to}"
            )
            same = (m for m in found["items"] if m["id"] == message["id"])
            return next((m for m in same if fits(m)), None)

        found = await until(look, self._patience, self._late(f"{message['channel']} edit"))
        if show:
            self._line(self._said.edited.format(channel=message["channel"]))
            self._show(found)
        return found

    async def _press(self, who: str, message: Message, button: str) -> None:
        self._line(self._said.presses.format(who=self._who(who), button=button))
        await self._client.post(f"/v1/sandbox/messages/{message['id']}/press", {"button": button})

    async def _answered(self, who: str, question: Message) -> None:
        """The answer is in the order, and the message says so."""
        order = f"demo-{self._number}"

        async def look() -> str | None:
            requests = (await self._client.get(f"/v1/orders/{order}"))["stock_requests"]
            for request in requests:
                lines = request["lines"]
                if all(line["answered_by"] == who for line in lines):
                    return ", ".join(
                        f"{line['sku']} {line['confirmed']}/{line['asked']}" for line in lines
                    )
            return None

        lines = await until(look, self._patience, self._late(f"{self._who(who)}: answer"))
        self._line(self._said.answered.format(who=self._who(who), lines=lines))
        await self._changed(question, lambda m: self._who(who) in m["text"], show=False)

    async def _moved(self, order: str, status: str) -> None:
        async def look() -> str | None:
            found = await self._client.get(f"/v1/orders/{order}")
            return status if found["status"] == status else None

        await until(look, self._patience, self._late(status))
        meaning = bot_words(self._locale).statuses[OrderStatus(status)]
        self._line(self._said.status.format(status=status, meaning=meaning))

    def _who(self, id_: str) -> str:
        return self._said.people[id_]

    def _late(self, what: str) -> str:
        seconds = f"{self._patience.total_seconds():g}"
        return self._said.late.format(what=what, seconds=seconds)

    def _line(self, text: str) -> None:
        self._say(f"{time.monotonic() - self._began:6.1f} s  {text}")

    def _show(self, message: Message) -> None:
        """Its first lines and its buttons, set in."""
        head = [message["subject"]] if message["subject"] else []
        lines = [*head, *(line for line in message["text"].splitlines() if line.strip())]
        for line in list(dict.fromkeys(lines))[:_FIRST_LINES]:
            self._say(f"          | {line}")
        for row in message["buttons"]:
            self._say("          | " + " ".join(f"[{button['text']}]" for button in row))


def _buttons(message: Message) -> list[str]:
    return [button["text"] for row in message["buttons"] for button in row]
