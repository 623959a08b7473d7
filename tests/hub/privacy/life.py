"""Three people who use all of the product: each with words and numbers that nobody else has."""

import asyncio
import os
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo

from bots.conversation.said import Coded, Pressed, Said
from bots.conversation.talk import Talk
from bots.sandbox import SandboxBot
from channels.base import Category, Channel, Receipt, ReceiptStatus
from hub.contacts.addresses import digest
from hub.embedded.postgres import bin_dir
from hub.events import claims
from hub.events.processing import handle
from hub.ids import new_id
from hub.inbound import service as inbound
from hub.notifications import receipts
from hub.orders import service as orders
from hub.orders import warehouses
from hub.orders.messages import interactives
from hub.orders.model import Answerer, Via
from hub.preferences import suppressions
from hub.preferences.unsubscribe import Leaving, token_of
from hub.resources import Hub
from tests.hub.api.client import Api
from tests.hub.notifications.conftest import Drive

_P256 = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"


_ZONE = ZoneInfo("Asia/Tomsk")


@dataclass(frozen=True)
class Person:
    """`word` stands in every text of the person, `number` in every number."""

    word: str
    number: str
    role: str

    @property
    def phone(self) -> str:
        return f"+7{self.number}"

    @property
    def external_id(self) -> str:
        return f"id-{self.word}"

    @property
    def marks(self) -> tuple[str, ...]:
        return self.word, self.number

    @property
    def body(self) -> dict[str, Any]:
        return {
            "role": self.role,
            "name": f"Name {self.word}",
            "timezone": _ZONE.key,
            "locale": "en",
            "addresses": {
                "email": f"{self.word}@example.com",
                "phone": self.phone,
                "telegram": f"1{self.number}",
                "vk": f"2{self.number}",
                "max": f"3{self.number}",
                "viber": f"{self.word}A==",
                "push": [
                    {"provider": "fcm", "token": f"token-{self.word}"},
                    {
                        "provider": "webpush",
                        "subscription": {
                            "endpoint": f"https://push.example/{self.word}",
                            "keys": {"p256dh": _P256, "auth": "BTBZMqHH6r4Tts7J_aSIgg"},
                        },
                    },
                ],
            },
            "attributes": {"city": f"City {self.word}"},
            "preferences": {
                "marketing": ["email"],
                "quiet_hours": _not_now(),
            },
            "consents": {
                "marketing": {
                    "email": {
                        "state": "subscribed",
                        "source": f"form of {self.word}",
                        "wording": f"I, {self.word}, agree",
                        "at": "2026-01-02T03:04:05+03:00",
                    }
                }
            },
        }


def _not_now() -> dict[str, str]:
    """Quiet hours that begin long after the test, at whatever time of day it runs."""
    now = datetime.now(_ZONE)
    return {"from": f"{now + timedelta(hours=6):%H:00}", "to": f"{now + timedelta(hours=9):%H:00}"}


BUYER = Person("mkbuyer", "9995550101", "buyer")
KEEPER = Person("mkkeeper", "9995550202", "warehouse")
SELLER = Person("mkseller", "9995550303", "seller")
PEOPLE = (BUYER, KEEPER, SELLER)
OTHER = Person("someoneelse", "9995550909", "admin")
"""Nobody erases him."""

GROUP = "-100777"
_SHOWN_BY = "stock_request.opened stock_request.answered order.stock_confirmed order.assembled"
_TOLD_OF = (
    "notification.sent notification.delivered notification.failed contact.replied contact.unsubscribed"
    " contact.blocked contact.linked"
)


class Life:
    def __init__(self, hub: Hub, api: Api, drive: Drive) -> None:
        self.hub = hub
        self.api = api
        self.drive = drive
        self.shop = hub.shop("main")
        self.ids: dict[str, UUID] = {}

    @property
    def marks(self) -> list[str]:
        return [mark for person in PEOPLE for mark in person.marks]

    async def live(self) -> None:
        events = [*_SHOWN_BY.split(), *_TOLD_OF.split()]
        await self._ok(
            "post", "/v1/webhooks", {"url": "https://shop.example/hook", "events": events}
        )
        for person in (*PEOPLE, OTHER):
            more = {"warehouses": ["wh-1"]} if person is KEEPER else {}
            made = await self._ok("put", f"/v1/contacts/{person.external_id}", person.body | more)
            self.ids[person.word] = UUID(made["id"])
        await self._places()
        for person in PEOPLE:
            await self._told(person)
        await self._order()
        await self._platform_told()
        # Questions first, as they were asked; then what followed.
        self.drive.deliverer._kinds = {one.kind: one for one in interactives(self.hub)}
        await self.drive.all()
        for person in PEOPLE:
            await self._says(person)
            await self._is_reported(person)
        await self._backend_quotes()

    async def erase(self, *people: Person) -> None:
        for person in people or PEOPLE:
            answer = await self.api.delete(f"/v1/contacts/{person.external_id}")
            assert answer.status == 204, answer.raw

    async def _ok(self, method: str, path: str, body: Any, **more: Any) -> Any:
        answer = await self.api.call(method.upper(), path, body, **more)
        assert answer.status < 300, (path, answer.raw)
        return answer.json if answer.raw else None

    async def _places(self) -> None:
        seller = {"external_id": SELLER.external_id}
        await self._ok("put", "/v1/warehouses/wh-1", {"name": "North", "seller": seller})
        warehouse = await self.hub.db.fetchval("SELECT id FROM warehouse")
        async with self.hub.db.acquire() as conn, conn.transaction():
            await warehouses.bind_chat(conn, self.shop.id, warehouse, Channel.TELEGRAM, GROUP)

    async def _told(self, person: Person) -> None:
        word, to = person.word, {"external_id": person.external_id}
        said = {"subject": f"To {word}", "text": f"Dear {word}", "html": f"<p>Dear {word}</p>"}
        every = {
            "recipient": to,
            "content": said,
            "meta": {"who": word},
            "ordering_key": f"key-{word}",
            "collapse_key": f"old-{word}",
            "strategy": "all",
        }
        key = {"Idempotency-Key": f"once-{word}"}
        await self._ok("post", "/v1/notifications", every, headers=key)
        templated = {
            "template": "order.shipped",
            "recipient": to,
            "data": {"order": {"number": "7", "tracking": f"RA-{word}"}},
        }
        batch = {"notifications": [templated, {**templated, "send_at": "2090-01-01T00:00:00Z"}]}
        await self._ok("post", "/v1/notifications/batch", batch, headers=key)
        for channel, value in (("sms", person.phone), ("email", f"{word}@example.com")):
            one_off = {
                "recipient": {"address": {"channel": channel, "value": value}},
                "content": said,
            }
            await self._ok("post", "/v1/notifications", one_off)

    async def _order(self) -> None:
        line = {
            "sku": "A",
            "title": "Kettle",
            "quantity": 2,
            "price": "10.00",
            "seller": {"external_id": SELLER.external_id},
            "warehouse": {"external_id": "wh-1"},
        }
        body = {
            "number": "1001",
            "status": "placed",
            "buyer": {"external_id": BUYER.external_id},
            "currency": "RUB",
            "lines": [{"id": "1", **line}, {"id": "2", **line}],
            "delivery": {"address": f"Street {BUYER.word}", "tracking": f"TR-{BUYER.word}"},
            "labels_url": f"https://labels.example/{BUYER.word}",
        }
        placed = await self._ok("put", "/v1/orders/1001", body)
        [request] = placed["stock_requests"]
        await self.drive.all()
        answer = {"lines": [{"id": "1", "confirmed": 2}], "by": KEEPER.external_id}
        await self._ok("post", f"/v1/stock-requests/{request['id']}/answer", answer)
        # In a group, before the shop knew that this is a contact of its own.
        stranger = Answerer(None, f"Name {KEEPER.word}", f"telegram:1{KEEPER.number}")
        await orders.answer(
            self.hub, self.shop, UUID(request["id"]), {"2": 1}, by=stranger, via=Via.TELEGRAM
        )
        for status in ("paid", "shipped", "returned"):
            told = {"status": status, "reason": f"because of {BUYER.word}"}
            await self._ok("post", "/v1/orders/1001/status", told)
            if status == "paid":
                assembly = await self.hub.db.fetchval("SELECT id FROM assembly")
                by = Answerer(self.ids[KEEPER.word], f"Name {KEEPER.word}", KEEPER.external_id)
                await orders.assembled(self.hub, self.shop, assembly, by=by, via=Via.PAGE)

    async def _platform_told(self) -> None:
        """Of the buyer, what is applied and what still waits."""
        word = BUYER.word
        customer = {
            "id": BUYER.external_id,
            "name": f"Name {word}",
            "email": f"{word}@example.com",
            "phone": f"8 ({BUYER.number[:3]}) {BUYER.number[3:]}",
        }
        line = {"title": "Kettle", "quantity": 1, "seller": SELLER.external_id}
        told: list[tuple[str, dict[str, Any]]] = [
            ("customer", customer),
            ("order", {"id": "2002", "status": "shipped", "customer": customer, "lines": [line]}),
            ("cart", {"id": f"cart-{word}", "customer": customer, "lines": [line]}),
        ]
        for kind, data in told:
            await self._ok("post", "/v1/events", {"kind": kind, "data": data})
        for claimed in await claims.claim(self.hub.db, new_id(), each=10, limit=10):
            await handle(self.hub, claimed)
        rows = await self.hub.db.fetch("SELECT result FROM shop_event")
        assert [row["result"] for row in rows] == ["applied"] * 3
        waits = {"id": f"guest-{word}", "name": f"Name {word}", "phone": customer["phone"]}
        await self._ok("post", "/v1/events", {"kind": "customer", "data": waits})

    async def _says(self, person: Person) -> None:
        hub, word = self.hub, person.word
        words = {"channel": "sms", "address": person.phone, "text": f"I am {word}"}
        await self._ok("post", "/v1/sandbox/messages", words)
        async with hub.db.acquire() as connection:
            await inbound.handle_waiting(hub, connection)
        chat = f"1{person.number}"
        for to in ({"address": chat}, {"address": GROUP, "person": chat}):
            words = {"channel": "telegram", "text": f"/orders {word}", **to}
            await self._ok("post", "/v1/sandbox/messages", words)
        account = hub.accounts.of(self.shop.id, Channel.TELEGRAM)[0]
        talk = Talk(hub, account)
        bot = SandboxBot(hub.db, self.shop.id, Channel.TELEGRAM)
        for act in (Coded("K7QM-4TXP"), Pressed("p", f"set:c:{word}")):
            reply = await talk.answer(Said(chat, act, person=chat, name=f"Name {word}"))
            if reply:
                await bot.reply(chat, reply, 1)
        raw = {"update_id": 1, "message": {"chat": {"id": -100777}, "from": {"id": int(chat)}}}
        await hub.db.execute(
            """
            INSERT INTO bot_update (shop_id, account, event, chat, raw, handled_at)
            VALUES ($1, 'tg', $2, $3, $4, now())
            """,
            self.shop.id,
            f"e-{chat}",
            GROUP,
            raw,
        )
        await self._ok("post", f"/v1/contacts/{person.external_id}/links", {"channel": "telegram"})
        leaving = Leaving(self.ids[word], Channel.EMAIL, Category.MARKETING)
        await self.api.call("POST", f"/u/{token_of(hub.signer, leaving)}", key=None)
        gone = digest("email", f"{word}@example.com")
        await suppressions.suppress(
            hub.db, self.shop.id, Channel.EMAIL, gone, "bounced", code="550"
        )

    async def _is_reported(self, person: Person) -> None:
        """Messages have ids as providers make them, which tell of them in words that quote the address."""
        forms = provider_ids(person)
        rows = await self.hub.db.fetch(
            "SELECT id, account FROM delivery WHERE contact_id = $1 AND account IS NOT NULL ORDER BY id",
            self.ids[person.word],
        )
        assert len(rows) >= len(forms)
        said = f"550 {person.word}@example.com {person.phone} is unknown"
        for row, form in zip(rows, forms, strict=False):
            await self.hub.db.execute(
                "UPDATE delivery SET provider_id = $2 WHERE id = $1", row["id"], form
            )
            await self.hub.db.execute(
                "UPDATE attempt SET detail = $2, instead_of = $3 WHERE delivery_id = $1",
                row["id"],
                said,
                {"account": "a", "detail": said},
            )
            account = self.hub.accounts.get(self.shop.id, row["account"])
            assert account
            told = Receipt(ReceiptStatus.DELIVERED, provider_id=form, text=said)
            stray = Receipt(ReceiptStatus.DELIVERED, provider_id=f"9{form}", text=said)
            await receipts.store(self.hub.db, self.hub.signer, account, [told, stray])

    async def _backend_quotes(self) -> None:
        await self.hub.db.execute(
            """
            INSERT INTO callback_attempt (id, shop_id, webhook_id, event_id, type, number, outcome, answer,
                                          started_at, duration)
            SELECT e.id, e.shop_id, c.webhook_id, e.id, e.type, 1, 'failed', convert_from(e.body, 'UTF8'),
                   now(), interval '1 second'
              FROM event AS e JOIN callback AS c ON c.event_id = e.id
            """
        )


def provider_ids(person: Person) -> tuple[str, ...]:
    """As services make them of the receiver: SMSC and SendPulse, Sendsay, Viber, Telegram, VK."""
    digits = person.phone.removeprefix("+")
    return (
        f"15:{digits}",
        f"3004:{digits}",
        f"77:{person.word}@example.com",
        f"5741:{person.word}A==",
        f"1{person.number}:18",
        f"2{person.number}:9",
    )


async def dump(hub: Hub) -> str:
    """Every table as text, by the PostgreSQL that came with the hub: bytes as the letters that they are."""
    url = urlsplit(hub.settings.hub.database_url.get_secret_value())
    environ = {
        "PGPASSWORD": unquote(url.password or ""),
        "PGOPTIONS": "-c bytea_output=escape",
        "PATH": os.environ["PATH"],
    }
    command = [
        str(bin_dir() / "pg_dump"),
        f"--host={url.hostname}",
        f"--port={url.port}",
        f"--username={url.username}",
        "--data-only",
        url.path.removeprefix("/"),
    ]
    done = await asyncio.to_thread(
        subprocess.run, command, env=environ, capture_output=True, check=True
    )
    return done.stdout.decode()


def found(text: str, marks: Iterable[str]) -> Mapping[str, list[str]]:
    """{mark: the lines that hold it}."""
    lines = text.splitlines()
    return {
        mark: hits
        for mark in marks
        if (hits := [line[:300] for line in lines if mark.lower() in line.lower()])
    }
