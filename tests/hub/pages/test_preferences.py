"""A person's preferences, set by himself on a page."""

import re
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest

from channels.base import Channel
from hub.accounts.limits import RateLimits
from hub.contacts.model import ConsentState
from hub.ids import new_id
from hub.notifications.delivery import Deliverer
from hub.preferences import choices
from hub.preferences.choices import Wanted, preferences_url
from hub.queue import connect
from hub.resources import Hub
from tests.hub.api.client import Api
from tests.hub.pages.conftest import Page, Phone

BUYER: dict[str, Any] = {
    "name": "Вера",
    "addresses": {"email": "vera@example.com", "phone": "+79991234567", "telegram": "7001"},
    "consents": {"marketing": {"email": "subscribed"}},
}


class Vera:
    def __init__(self, api: Api, hub: Hub, phone: Phone) -> None:
        self._api, self._hub, self._phone = api, hub, phone

    async def has(self, **fields: Any) -> None:
        assert (await self._api.put("/v1/contacts/vera", fields)).status in (200, 201)

    async def get(self) -> Any:
        return (await self._api.get("/v1/contacts/vera")).json

    async def path(self) -> str:
        url = preferences_url(self._hub, UUID((await self.get())["id"]))
        assert url.startswith("https://hub.example/p/")
        return urlsplit(url).path

    async def open(self) -> Page:
        return await self._phone.open(await self.path())

    async def save(self, page: Page, *set_: tuple[str, str], without: str = "") -> Page:
        """Sends the sheet as it stands, with fields set, and without those that begin so."""
        kept = [
            (name, value)
            for name, value in page.fields
            if not (without and f"{name}={value}".startswith(without))
        ]
        return await self._phone.send(page.path, [*kept, *set_, ("do", "save")])


@pytest.fixture
async def vera(api: Api, hub: Hub, phone: Phone) -> Vera:
    made = Vera(api, hub, phone)
    await made.has(**BUYER)
    return made


def ticked(page: Page, category: str) -> list[str]:
    boxes = page.all("input", type="checkbox", name=category)
    return [box["value"] for box in boxes if "checked" in box]


def listed(page: Page, category: str) -> list[str]:
    return [field["value"] for field in page.all("input", name=f"{category}.order")]


async def test_it_shows_the_ways_there_are(vera: Vera) -> None:
    page = await vera.open()

    assert page.status == 200
    assert listed(page, "transactional") == ["telegram", "email", "sms"]
    assert ticked(page, "transactional") == ["telegram", "email", "sms"]
    assert listed(page, "marketing") == ["telegram", "email"]
    assert ticked(page, "marketing") == ["email"]
    assert not page.all("input", name="security")


async def test_addresses_are_shown_so_that_only_their_owner_knows_them(vera: Vera) -> None:
    page = await vera.open()

    assert "ve…@example.com" in page.text
    assert "+7 … 67" in page.text
    assert "vera@" not in page.html
    assert "9991234567" not in page.html


async def test_saving_it_unchanged_changes_nothing(vera: Vera) -> None:
    await vera.has(locale="ru")
    before = await vera.get()

    page = await vera.save(await vera.open())

    assert "Сохранено." in page.text
    assert await vera.get() == before


async def test_a_channel_is_turned_off_and_on(vera: Vera) -> None:
    page = await vera.save(await vera.open(), without="transactional=telegram")
    assert (await vera.get())["preferences"] == {"transactional": ["email", "sms"]}
    assert ticked(page, "transactional") == ["email", "sms"]

    await vera.save(page, ("transactional", "telegram"))
    page = await vera.open()
    assert ticked(page, "transactional") == ["email", "sms", "telegram"]


async def test_a_channel_moves_up(vera: Vera, phone: Phone) -> None:
    page = await vera.open()
    assert page.all("button", name="up", value="transactional.sms")

    page = await phone.press(page, "up=transactional.sms")
    # Fields of one name: what `press` knows of the page's checkboxes comes with it.
    assert listed(page, "transactional") == ["telegram", "sms", "email"]
    assert (await vera.get())["preferences"]["transactional"] == ["telegram", "sms", "email"]


async def test_the_shops_order_is_not_written_down_as_ones_own(vera: Vera, phone: Phone) -> None:
    await vera.has(preferences={"transactional": ["sms", "email", "telegram"]})
    page = await vera.open()
    assert listed(page, "transactional") == ["sms", "email", "telegram"]

    fields = [(n, v) for n, v in page.fields if not n.startswith("transactional")]
    for channel in ("telegram", "email", "sms"):
        fields += [("transactional.order", channel), ("transactional", channel)]
    await phone.send(page.path, fields)

    assert (await vera.get())["preferences"] == {}


async def test_what_was_named_before_and_is_not_there_yet_stays_named(vera: Vera) -> None:
    await vera.has(preferences={"transactional": ["vk", "email", "sms"]})

    await vera.save(await vera.open(), without="transactional=sms")

    assert (await vera.get())["preferences"] == {"transactional": ["email", "vk"]}


async def test_all_channels_off_is_said_aloud(vera: Vera) -> None:
    page = await vera.save(await vera.open(), without="transactional=")

    assert (await vera.get())["preferences"] == {"transactional": []}
    assert "о заказах мы вам не напишем" in page.text


async def test_consents_are_given_and_taken_back(vera: Vera, hub: Hub) -> None:
    page = await vera.save(await vera.open(), ("marketing", "telegram"), without="marketing=email")

    assert ticked(page, "marketing") == ["telegram"]
    consents = (await vera.get())["consents"]
    assert consents == {"marketing": {"email": "unsubscribed", "telegram": "subscribed"}}
    assert await hub.db.fetchval("SELECT DISTINCT source FROM consent") == "page"


async def test_who_never_said_anything_has_not_left_by_saving(vera: Vera) -> None:
    await vera.save(await vera.open())

    assert (await vera.get())["consents"] == {"marketing": {"email": "subscribed"}}


async def test_one_button_leaves_all_marketing_and_no_orders(vera: Vera, phone: Phone) -> None:
    page = await vera.open()
    [button] = page.all("button", value="leave")
    assert button["name"] == "do"

    page = await phone.send(page.path, [("do", "leave")])

    assert "Вы отписались от всей рекламы." in page.text
    states = (await vera.get())["consents"]["marketing"]
    assert set(states.values()) == {"unsubscribed"}
    # Those she may get later are among them.
    assert "vk" in states
    assert ticked(page, "transactional") == ["telegram", "email", "sms"]


async def test_leaving_twice_keeps_the_first_time(vera: Vera, phone: Phone, hub: Hub) -> None:
    path = await vera.path()
    await phone.send(path, [("do", "leave")])
    first = await hub.db.fetchval("SELECT max(changed_at) FROM consent")

    await phone.send(path, [("do", "leave")])

    assert await hub.db.fetchval("SELECT max(changed_at) FROM consent") == first


async def test_quiet_hours_are_set_and_cleared(vera: Vera) -> None:
    page = await vera.open()
    fields = [("quiet", "1"), ("from", "23:30"), ("to", "08:00")]
    page = await vera.save(page, *fields)
    assert (await vera.get())["preferences"] == {"quiet_hours": {"from": "23:30", "to": "08:00"}}
    assert page.all("input", name="from", value="23:30")

    await vera.save(page, without="quiet=")
    assert (await vera.get())["preferences"] == {}


async def test_quiet_hours_keep_the_categories_they_were_for(vera: Vera) -> None:
    quiet = {"from": "22:00", "to": "07:00", "categories": ["marketing"]}
    await vera.has(preferences={"quiet_hours": quiet})
    page = await vera.open()
    assert "не присылать: новости и предложения" in page.text

    await vera.save(page, ("from", "21:00"))

    assert (await vera.get())["preferences"]["quiet_hours"] == {**quiet, "from": "21:00"}


@pytest.mark.parametrize(("start", "end"), [("09:00", "09:00"), ("", "09:00"), ("soon", "09:00")])
async def test_quiet_hours_that_are_none_are_asked_for_again(
    vera: Vera, start: str, end: str
) -> None:
    fields = [("quiet", "1"), ("from", start), ("to", end)]
    page = await vera.save(await vera.open(), *fields, without="transactional=sms")

    assert page.status == 422
    assert "должны различаться" in page.text
    # The rest of the sheet stands as it was filled in.
    assert ticked(page, "transactional") == ["telegram", "email"]
    assert (await vera.get())["preferences"] == {}


async def test_the_language_is_ones_own_from_then_on(vera: Vera) -> None:
    page = await vera.open()
    assert "Настройки уведомлений" in page.text

    page = await vera.save(page, ("locale", "en"))

    assert "Notification settings" in page.text
    assert (await vera.get())["locale"] == "en"


async def test_the_switch_at_the_top_changes_nothing(vera: Vera, phone: Phone) -> None:
    before = await vera.get()

    page = await phone.open(await vera.path() + "?lang=en")

    assert "Notification settings" in page.text
    assert await vera.get() == before


async def test_trouble_with_an_address_is_shown(vera: Vera, hub: Hub) -> None:
    unproven = {"value": "vera@example.com", "verified": False}
    await vera.has(addresses={"email": unproven, "phone": None})

    page = await vera.open()

    assert "Адрес не подтверждён" in page.text
    assert listed(page, "transactional") == ["telegram", "email"]


async def test_staff_read_of_work(vera: Vera) -> None:
    await vera.has(role="warehouse")

    page = await vera.open()

    assert "Рабочие сообщения" in page.text
    assert "заказах будут приходить" not in page.text


async def test_nobody_knows_where_to_write(vera: Vera) -> None:
    await vera.has(addresses={"email": None, "phone": None, "telegram": None}, consents=None)

    page = await vera.open()

    assert "Магазин пока не знает, куда вам писать." in page.text
    assert not page.all("button", value="leave")


async def test_what_is_saved_beside_an_erasure_brings_nobody_back(api: Api, hub: Hub) -> None:
    answer = await api.put("/v1/contacts/vera", {"addresses": {"email": "vera@example.com"}})
    assert (await api.delete("/v1/contacts/vera")).status == 204
    news = {Channel.EMAIL: ConsentState.SUBSCRIBED}

    await choices.save(
        hub.db,
        hub.shop("main").id,
        "vera",
        UUID(answer.json["id"]),
        Wanted("ru", consents=news),
    )

    assert (await api.get("/v1/contacts/vera")).status == 404


async def test_a_link_that_is_not_ours_opens_nothing(vera: Vera, hub: Hub, phone: Phone) -> None:
    path = await vera.path()
    unknown = urlsplit(preferences_url(hub, uuid4())).path
    other = hub.signer.sign("preferences", b"short")

    for wrong in (path[:-1] + "!", path + "A", unknown, f"/p/{other}", "/p/x"):
        page = await phone.open(wrong)
        assert page.status == 404
        assert (await phone.send(wrong, [("do", "leave")])).status == 404


async def test_a_receiver_known_by_his_address_alone_has_nothing_to_choose(
    api: Api, hub: Hub, phone: Phone
) -> None:
    recipient = {"address": {"channel": "email", "value": "once@example.com"}}
    await api.post("/v1/notifications", {"content": {"text": "a"}, "recipient": recipient})
    id_ = await hub.db.fetchval("SELECT id FROM contact WHERE external_id IS NULL")

    assert (await phone.open(urlsplit(preferences_url(hub, id_)).path)).status == 404


async def test_it_runs_nothing(vera: Vera) -> None:
    page = await vera.open()

    assert not page.all("script")
    assert not page.all("img")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "Set-Cookie" not in page.headers


async def test_a_letter_leads_to_its_readers_own_preferences(
    vera: Vera, api: Api, hub: Hub, phone: Phone
) -> None:
    body = {
        "template": "order.shipped",
        "recipient": {"external_id": "vera"},
        "data": {"order": {"number": "1001"}},
        "channels": ["email"],
    }
    await api.post("/v1/notifications", body)
    redis = connect(hub.settings.hub.redis_url.get_secret_value())
    rows = await hub.db.fetch("SELECT id FROM delivery")
    await Deliverer(hub, new_id(), RateLimits(redis)).deliver([row["id"] for row in rows])
    await redis.aclose()

    [letter] = (await api.get("/v1/sandbox/messages")).json["items"]
    [url] = set(re.findall(r"https://hub\.example/p/[\w-]+", letter["html"]))
    assert urlsplit(url).path == await vera.path()
    assert "ve…@example.com" in (await phone.open(urlsplit(url).path)).text
