"""Contacts as a shop makes, changes, lists and reads them."""

from typing import Any

import pytest

from channels.base import Channel
from channels.registry import described, known
from hub.resources import Hub
from tests.hub.api.client import Api

ANNA: dict[str, Any] = {
    "role": "buyer",
    "name": "Анна",
    "locale": "ru",
    "timezone": "Asia/Novosibirsk",
    "addresses": {
        "email": "anna@Example.com",
        "phone": "8 999 123-45-67",
        "telegram": "123456789",
        "vk": "1234",
        "push": [{"provider": "fcm", "token": "device-1"}],
    },
    "attributes": {"birthday": "1990-05-01", "city": "Томск"},
    "preferences": {
        "transactional": ["telegram", "sms"],
        "marketing": [],
        "quiet_hours": {"from": "22:00", "to": "09:00"},
    },
    "consents": {"marketing": {"email": "subscribed"}},
}
KEYS = {
    "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
    "auth": "BTBZMqHH6r4Tts7J_aSIgg",
}


async def test_a_new_contact_is_201_and_comes_back_as_it_was_given(api: Api) -> None:
    answer = await api.put("/v1/contacts/buyer-42", ANNA)

    assert answer.status == 201
    shown = (await api.get("/v1/contacts/buyer-42")).json
    assert shown == answer.json
    assert shown["addresses"] == ANNA["addresses"] | {
        "email": "anna@example.com",
        "phone": "+79991234567",
    }
    for name in ("role", "name", "locale", "timezone", "attributes", "preferences", "consents"):
        assert shown[name] == ANNA[name]


async def test_what_is_left_out_stays_and_null_clears(api: Api) -> None:
    await api.put("/v1/contacts/b", ANNA)

    answer = await api.put(
        "/v1/contacts/b",
        {
            "name": None,
            "addresses": {"phone": None, "vk": "77"},
            "attributes": {"city": None, "size": "M"},
            "preferences": {"quiet_hours": None},
            "consents": {"marketing": {"email": "unsubscribed", "sms": "subscribed"}},
        },
    )

    assert answer.status == 200
    now = answer.json
    assert now["name"] == ""
    assert now["locale"] == "ru"
    assert now["addresses"] == {
        "email": "anna@example.com",
        "telegram": "123456789",
        "vk": "77",
        "push": [{"provider": "fcm", "token": "device-1"}],
    }
    assert now["attributes"] == {"birthday": "1990-05-01", "size": "M"}
    assert now["preferences"] == {"transactional": ["telegram", "sms"], "marketing": []}
    assert now["consents"] == {"marketing": {"email": "unsubscribed", "sms": "subscribed"}}


async def test_null_instead_of_all_addresses_clears_them(api: Api) -> None:
    await api.put("/v1/contacts/b", ANNA)

    answer = await api.put("/v1/contacts/b", {"addresses": None, "consents": None, "role": None})

    assert answer.json["addresses"] == {}
    assert answer.json["consents"] == {}
    assert answer.json["role"] == "buyer"


async def test_an_unverified_address_is_shown_as_such(api: Api) -> None:
    body = {"addresses": {"email": {"value": "a@example.com", "verified": False}}}

    answer = await api.put("/v1/contacts/b", body)

    assert answer.json["addresses"]["email"] == {"value": "a@example.com", "verified": False}
    plain = await api.put("/v1/contacts/b", {"addresses": {"email": "a@example.com"}})
    assert plain.json["addresses"]["email"] == "a@example.com"


async def test_of_a_number_for_an_address_it_is_told_what_may_stand_there(api: Api) -> None:
    answer = await api.put("/v1/contacts/b", {"addresses": {"telegram": 123456789}})

    [fault] = answer.json["errors"]
    assert fault["pointer"] == "/addresses/telegram"
    assert fault["detail"].startswith("must be text, or an object")


async def test_every_fault_is_told_with_its_place(api: Api) -> None:
    answer = await api.put(
        "/v1/contacts/b",
        {
            "role": "boss",
            "locale": "de",
            "timezone": "Mars/Base",
            "addresses": {
                "email": "nonsense",
                "phone": {"value": "12", "verified": "yes"},
                "push": [
                    {"provider": "fcm"},
                    {"provider": "pigeon", "token": "x"},
                    {
                        "provider": "webpush",
                        "subscription": {
                            "endpoint": "https://push.example/x",
                            "keys": {"p256dh": "short", "auth": "short"},
                        },
                    },
                ],
            },
            "preferences": {"marketing": ["email", "email"], "quiet_hours": {"from": "9"}},
            "consents": {"marketing": {"email": "maybe", "owl": "subscribed"}},
            "colour": "red",
        },
    )

    assert answer.status == 400
    assert set(answer.pointers) >= {
        "/role",
        "/locale",
        "/timezone",
        "/addresses/email",
        "/addresses/phone/value",
        "/addresses/phone/verified",
        "/addresses/push/0",
        "/addresses/push/1/provider",
        "/addresses/push/2/subscription",
        "/preferences/marketing",
        "/preferences/quiet_hours/from",
        "/preferences/quiet_hours/to",
        "/consents/marketing/email",
        "/consents/marketing/owl",
        "/colour",
    }


async def test_warehouses_belong_to_storekeepers(api: Api) -> None:
    refused = await api.put("/v1/contacts/b", {"role": "buyer", "warehouses": ["wh-7"]})
    taken = await api.put("/v1/contacts/w", {"role": "warehouse", "warehouses": ["wh-7", "wh-7"]})

    assert refused.status == 400
    assert taken.json["warehouses"] == ["wh-7"]


async def test_attributes_have_a_bound(api: Api) -> None:
    answer = await api.put("/v1/contacts/b", {"attributes": {"x": "y" * 20_000}})

    assert answer.status == 400
    assert answer.pointers == ["/attributes"]


def _browser(endpoint: str) -> dict[str, Any]:
    subscription = {"endpoint": endpoint, "expirationTime": None, "keys": KEYS}
    return {"addresses": {"push": [{"provider": "webpush", "subscription": subscription}]}}


async def test_a_browsers_subscription_is_kept_without_what_is_not_needed(api: Api) -> None:
    answer = await api.put("/v1/contacts/b", _browser("https://push.example/send/1"))

    assert answer.status == 201
    assert answer.json["addresses"]["push"] == [
        {
            "provider": "webpush",
            "subscription": {"endpoint": "https://push.example/send/1", "keys": KEYS},
        }
    ]


_SUBSCRIPTION = {"endpoint": "https://push.example/send/1", "keys": KEYS}


@pytest.mark.parametrize("provider", sorted(name for c, name in known() if c == Channel.PUSH))
async def test_a_device_of_every_push_provider_is_kept_as_its_provider_names_it(
    api: Api, provider: str
) -> None:
    given = {"token": "a1" * 32, "subscription": _SUBSCRIPTION}
    form = described(Channel.PUSH, provider).device
    right = {"provider": provider, form: given[form]}

    taken = await api.put("/v1/contacts/b", {"addresses": {"push": [right]}})
    wrong = [{"provider": provider, **given}, {"provider": provider}]
    refused = await api.put("/v1/contacts/b", {"addresses": {"push": wrong}})

    assert taken.json["addresses"]["push"] == [right]
    assert refused.pointers == ["/addresses/push/0", "/addresses/push/1"]
    assert all(provider in fault["detail"] for fault in refused.json["errors"])


@pytest.mark.parametrize("provider", ["pigeon", "sandbox", "smsc", 7, None, ["fcm"]])
async def test_a_device_of_nobody_is_refused_at_its_place(api: Api, provider: object) -> None:
    device = {"provider": provider, "token": "a1" * 32}

    answer = await api.put("/v1/contacts/b", {"addresses": {"push": [device]}})

    assert answer.status == 400
    assert answer.pointers == ["/addresses/push/0/provider"]


async def test_the_openapi_document_lists_the_providers_of_push_devices(api: Api) -> None:
    document = (await api.get("/openapi.json")).json

    device = document["components"]["schemas"]["Device"]["properties"]
    assert device["provider"]["enum"] == [name for c, name in known() if c == Channel.PUSH]
    assert "`apns`" in device["token"]["description"]
    assert device["subscription"]["description"] == "With `webpush`."


@pytest.mark.parametrize(
    "endpoint", ["https://10.0.0.1/x", "https://169.254.169.254/latest", "https://[::1]/x"]
)
async def test_a_push_endpoint_in_the_inner_network_is_refused(api: Api, endpoint: str) -> None:
    answer = await api.put("/v1/contacts/b", _browser(endpoint))

    assert answer.status == 400
    assert answer.pointers == ["/addresses/push/0/subscription/endpoint"]


async def test_the_network_that_is_allowed_may_take_pushes(api: Api) -> None:
    answer = await api.put("/v1/contacts/b", _browser("http://127.0.0.1:9000/x"))

    assert answer.status == 201


async def test_devices_are_the_list_that_was_given_last(api: Api, hub: Hub) -> None:
    await api.put("/v1/contacts/b", ANNA)
    kept = await hub.db.fetchval("SELECT id FROM address WHERE kind = 'push'")
    both = [{"provider": "fcm", "token": "device-1"}, {"provider": "fcm", "token": "device-2"}]

    answer = await api.put("/v1/contacts/b", {"addresses": {"push": both}})

    assert sorted(d["token"] for d in answer.json["addresses"]["push"]) == ["device-1", "device-2"]
    assert kept in [r["id"] for r in await hub.db.fetch("SELECT id FROM address")]
    last = await api.put("/v1/contacts/b", {"addresses": {"push": both[1:]}})
    assert [d["token"] for d in last.json["addresses"]["push"]] == ["device-2"]


async def test_lists_come_newest_first_by_pages_and_by_role(api: Api) -> None:
    for i in range(5):
        await api.put(f"/v1/contacts/b{i}", {"name": str(i)})
    await api.put("/v1/contacts/s", {"role": "seller"})

    first = (await api.get("/v1/contacts?limit=4&role=buyer")).json
    second = (await api.get(f"/v1/contacts?limit=4&role=buyer&cursor={first['next_cursor']}")).json

    names = [item["external_id"] for item in first["items"] + second["items"]]
    assert names == ["b4", "b3", "b2", "b1", "b0"]
    assert second["next_cursor"] is None


async def test_one_shop_does_not_see_the_contacts_of_another(
    api: Api, url: str, key_for: Any
) -> None:
    await api.put("/v1/contacts/b", ANNA)

    async with Api(url, await key_for("admin", shop="other")) as stranger:
        assert (await stranger.get("/v1/contacts/b")).status == 404
        assert (await stranger.delete("/v1/contacts/b")).status == 404
        assert (await stranger.get("/v1/contacts")).json["items"] == []
        assert (await stranger.put("/v1/contacts/b", {})).status == 201


async def test_an_unknown_contact_is_404(api: Api) -> None:
    assert (await api.get("/v1/contacts/nobody")).status == 404
    assert (await api.get("/v1/contacts/nobody/export")).status == 404
    assert (await api.delete("/v1/contacts/nobody")).status == 404


@pytest.mark.parametrize("path", ["/v1/contacts/%20b", "/v1/contacts/a%0Ab"])
async def test_names_with_spaces_around_or_line_ends_are_refused(api: Api, path: str) -> None:
    answer = await api.put(path, {})

    assert answer.status == 400
    assert answer.pointers == ["/external_id"]


async def test_names_may_hold_what_urls_must_escape(api: Api) -> None:
    await api.put("/v1/contacts/a%2Fb%20%D1%8F", {"name": "x"})

    assert (await api.get("/v1/contacts/a%2Fb%20%D1%8F")).json["external_id"] == "a/b я"
