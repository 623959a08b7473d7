"""The calls of the code that leaves equal rows: what each provider is told, and what it calls the messages."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import aiohttp
import jinja2
import orjson
from asyncpg import Record

from bench import plain


@dataclass(frozen=True, slots=True)
class Providers:
    """`subject`, `letter`: the shop's one template. Each way takes deliveries as they were claimed and gives what the
    provider calls them, in their order."""

    session: aiohttp.ClientSession
    subject: jinja2.Template
    letter: jinja2.Template

    async def rendered(self, rows: Sequence[Record]) -> Sequence[str]:
        to = []
        for row in rows:
            said = _said(row)
            places = {"subject": self.subject.render(said), "html": self.letter.render(said)}
            to.append(plain.letter(row["id"], row["value"], places))
        return await self._letters(to, "{{html}}")

    async def merged(self, rows: Sequence[Record]) -> Sequence[str]:
        to = []
        for row in rows:
            said = _said(row)
            person, links = said["contact"], said["links"]
            places = {
                "subject": self.subject.render(said),
                "name": person["name"],
                "external_id": person["external_id"],
                "city": person["attributes"]["city"],
                "points": str(person["attributes"]["points"]),
                "until": said["until"],
                "shop": said["shop"]["name"],
                "unsubscribe": links["unsubscribe"],
                "preferences": links["preferences"],
            }
            to.append(plain.letter(row["id"], row["value"], places))
        return await self._letters(to, plain.LETTER)

    async def telegram(self, rows: Sequence[Record]) -> Sequence[str]:
        names: dict[UUID, str] = {}

        async def one(row: Record) -> None:
            form = {"chat_id": row["value"], "text": _text(row)}
            sent = (await plain.call(self.session, "/bot1:x/sendMessage", form))["result"]
            names[row["id"]] = f"{sent['chat']['id']}:{sent['message_id']}"

        await plain.each(rows, one)
        return [names[row["id"]] for row in rows]

    async def max(self, rows: Sequence[Record]) -> Sequence[str]:
        names: dict[UUID, str] = {}

        async def one(row: Record) -> None:
            path = f"/messages?user_id={row['value']}"
            sent = await plain.call(self.session, path, {"text": _text(row)})
            names[row["id"]] = sent["message"]["body"]["mid"]

        await plain.each(rows, one)
        return [names[row["id"]] for row in rows]

    async def vk(self, rows: Sequence[Record]) -> Sequence[str]:
        """Equal texts, a hundred a call."""
        names: dict[UUID, str] = {}
        by_text: dict[str, list[Record]] = {}
        for row in rows:
            by_text.setdefault(_text(row), []).append(row)
        calls = [
            (text, found[at : at + 100])
            for text, found in by_text.items()
            for at in range(0, len(found), 100)
        ]

        async def one(call: tuple[str, Sequence[Record]]) -> None:
            text, found = call
            peers = ",".join(row["value"] for row in found)
            number = str(found[0]["id"].int & 0x7FFFFFFF)
            form = aiohttp.FormData({"peer_ids": peers, "random_id": number, "message": text})
            answer = await plain.call(self.session, "/method/messages.send", form)
            for row, sent in zip(found, answer["response"], strict=True):
                names[row["id"]] = f"{sent['peer_id']}:{sent['conversation_message_id']}"

        await plain.each(calls, one)
        return [names[row["id"]] for row in rows]

    async def _letters(self, to: Sequence[Mapping[str, Any]], html: str) -> Sequence[str]:
        job = await plain.letters(self.session, to, {"html": html})
        return [f"{job}:{one['metadata']['delivery']}" for one in to]


def _said(row: Record) -> Mapping[str, Any]:
    contact = {
        "name": row["name"],
        "external_id": row["external_id"],
        "attributes": orjson.loads(row["attributes"]),
    }
    return plain.said(row["id"], contact, orjson.loads(row["data"]))


def _text(row: Record) -> str:
    return str(orjson.loads(row["content"])["text"])


@dataclass(frozen=True, slots=True)
class Way:
    """By which account of the benchmark. `whole`: the attempts of one call say which it was."""

    channel: str
    account: str
    provider: str
    calls: Callable[[Providers, Sequence[Record]], Awaitable[Sequence[str]]]
    whole: bool = False


WAYS: Mapping[str, Way] = {
    "rendered": Way("email", "mail", "unisender_go", Providers.rendered, whole=True),
    "merged": Way("email", "mail", "unisender_go", Providers.merged, whole=True),
    "telegram": Way("telegram", "tg", "bot_api", Providers.telegram),
    "max": Way("max", "max", "bot_api", Providers.max),
    "vk": Way("vk", "vk", "community", Providers.vk),
}
