"""Consents as proof: who said what, when and in answer to which words; and what is left of it in the end."""

import json
from datetime import UTC, datetime
from hashlib import sha256
from ipaddress import ip_network
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from pydantic import SecretStr

from channels.base import Category, Channel
from hub.config import HubSettings, Settings, Shop
from hub.contacts.model import ConsentState
from hub.preferences import choices, consents, unsubscribe
from hub.preferences.unsubscribe import Leaving
from hub.resources import Hub
from hub.retention.keeper import Keeper
from hub.shops.keys import Scope
from tests.hub.api.client import Api

AGREED = {
    "state": "subscribed",
    "wording": "Я согласна получать новости",
    "source": "checkout form",
    "at": "2026-01-02T03:04:05+03:00",
}
FROM = {"X-Forwarded-For": "203.0.113.9", "X-Request-Id": "req-9"}


@pytest.fixture
def settings(hub_database: str, redis_url: str) -> Settings:
    return Settings(
        hub=HubSettings(
            database_url=SecretStr(hub_database),
            redis_url=SecretStr(redis_url),
            secret=SecretStr("only-for-the-tests-of-consents"),
            public_url="https://hub.example",
            trusted_proxies=(ip_network("127.0.0.0/8"),),
        ),
        shops={"main": Shop(), "other": Shop()},
    )


async def put(api: Api, consent: Any, **more: Any) -> UUID:
    body = {"consents": {"marketing": {"email": consent}}, **more}
    answer = await api.call("PUT", "/v1/contacts/anna", body, headers=FROM)
    assert answer.status in (200, 201), answer.raw
    return UUID(answer.json["id"])


async def lines(api: Api) -> list[dict[str, Any]]:
    """The newest first."""
    answer = await api.get("/v1/contacts/anna/consents")
    assert answer.status == 200
    found: list[dict[str, Any]] = answer.json["items"]
    return found


async def test_a_consent_is_kept_with_its_proof(hub: Hub, api: Api) -> None:
    await put(api, AGREED, addresses={"email": "anna@example.com"})

    [line] = await lines(api)

    assert line["state"] == "subscribed"
    assert (line["wording"], line["source"]) == (AGREED["wording"], AGREED["source"])
    assert line["said_at"] == "2026-01-02T00:04:05Z"
    assert line["via"] == "api"
    assert line["remote"] == "203.0.113.9"
    assert line["addresses"] == ["anna@example.com"]
    assert line["key"].startswith("vst_")
    assert await hub.db.fetchval("SELECT request_id FROM consent_event") == "req-9"
    # The contact shows the state alone, as ever.
    assert (await api.get("/v1/contacts/anna")).json["consents"] == {
        "marketing": {"email": "subscribed"}
    }


async def test_the_state_alone_is_enough(api: Api) -> None:
    await put(api, "subscribed")
    await put(api, {"state": "unsubscribed"})
    await put(api, None)

    assert [line["state"] for line in await lines(api)] == [None, "unsubscribed", "subscribed"]


async def test_only_what_is_new_gets_a_line(api: Api) -> None:
    for consent in (AGREED, AGREED, "subscribed", {"state": "subscribed"}):
        await put(api, consent, name="Анна")
    assert len(await lines(api)) == 1

    await put(api, {**AGREED, "wording": "Новая редакция"})
    await put(api, {**AGREED, "wording": "Новая редакция"})

    assert [line["wording"] for line in await lines(api)] == ["Новая редакция", AGREED["wording"]]


@pytest.mark.parametrize(
    ("consent", "pointer"),
    [
        ({**AGREED, "at": "2099-01-01T00:00:00Z"}, "/consents/marketing/email/at"),
        ({**AGREED, "at": "yesterday"}, "/consents/marketing/email/at"),
        ({**AGREED, "who": "me"}, "/consents/marketing/email/who"),
        ({"wording": "…"}, "/consents/marketing/email/state"),
        ("maybe", "/consents/marketing/email"),
        ({**AGREED, "wording": "x" * 10_001}, "/consents/marketing/email/wording"),
    ],
)
async def test_a_wrong_one_is_pointed_at(api: Api, consent: Any, pointer: str) -> None:
    answer = await api.put("/v1/contacts/anna", {"consents": {"marketing": {"email": consent}}})

    assert answer.status == 400
    assert answer.pointers == [pointer]


async def test_inside_a_notification_it_counts_as_well(api: Api) -> None:
    person = {
        "external_id": "anna",
        "addresses": {"email": "anna@example.com"},
        "consents": {"marketing": {"email": AGREED}},
    }
    body = {"recipient": person, "content": {"text": "…"}}

    for _ in range(2):
        assert (await api.call("POST", "/v1/notifications", body, headers=FROM)).status == 202

    [line] = await lines(api)
    assert (line["source"], line["remote"]) == ("checkout form", "203.0.113.9")
    assert line["addresses"] == ["anna@example.com"]


async def test_what_the_person_says_himself_has_its_way_and_place(hub: Hub, api: Api) -> None:
    contact = await put(api, AGREED, addresses={"email": "anna@example.com"})
    leaving = Leaving(contact, Channel.EMAIL, Category.MARKETING)
    path = f"/u/{unsubscribe.token_of(hub.signer, leaving)}"
    for _ in range(2):
        await api.call("POST", path, headers=FROM, key=None)
    page = f"/p/{choices.token_of(hub.signer, contact)}"
    form = {**FROM, "Content-Type": "application/x-www-form-urlencoded"}
    await api.call("POST", page, raw=b"do=leave", headers=form, key=None)
    await consents.set_state(
        hub.db, contact, Channel.SMS, Category.MARKETING, ConsentState.SUBSCRIBED, source="reply"
    )

    found = await lines(api)

    ways = [(line["via"], line["channel"], line["remote"]) for line in found]
    assert ways[0] == ("reply", "sms", "")
    assert ("page", "telegram", "203.0.113.9") in ways
    # He had left by letter before, so the page changed nothing there.
    assert [way for way in ways if way[1] == "email"] == [
        ("one-click", "email", "203.0.113.9"),
        ("api", "email", "203.0.113.9"),
    ]


async def test_of_the_erased_a_proof_stays_that_fits_what_was_shown(hub: Hub, api: Api) -> None:
    await put(api, AGREED, addresses={"email": "anna@example.com", "phone": "+79995550001"})
    [shown] = await lines(api)
    exported = (await api.get("/v1/contacts/anna/export")).json["consent_history"]
    assert exported == [shown]

    await api.delete("/v1/contacts/anna")

    ask = {"channel": "email", "address": "anna@EXAMPLE.com"}
    [proof] = (await api.post("/v1/consents/proofs", ask)).json["items"]
    line = {name: value for name, value in shown.items() if name != "proof"}
    canonical = json.dumps(line, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert proof["proof"] == shown["proof"] == sha256(canonical.encode()).hexdigest()
    assert (proof["state"], proof["said_at"]) == ("subscribed", "2026-01-02T00:04:05Z")
    text = await hub.db.fetchval("SELECT string_agg(e::text, ' ') FROM consent_event AS e")
    for word in ("anna", "согласна", "checkout", "203.0.113", "vst_"):
        assert word not in text
    # Only by that address, and in this shop alone.
    for other in (
        {"channel": "sms", "address": "+79995550001"},
        {**ask, "address": "b@example.com"},
    ):
        assert (await api.post("/v1/consents/proofs", other)).json["items"] == []


async def test_another_shop_finds_no_proof(api: Api, url: str, key_for: Any) -> None:
    await put(api, AGREED, addresses={"email": "anna@example.com"})
    await api.delete("/v1/contacts/anna")

    async with Api(url, await key_for(Scope.CONTACTS, shop="other")) as other:
        ask = {"channel": "email", "address": "anna@example.com"}
        assert (await other.post("/v1/consents/proofs", ask)).json["items"] == []


async def test_the_history_is_only_added_to(hub: Hub, api: Api) -> None:
    await put(api, AGREED)

    for statement in (
        "UPDATE consent_event SET wording = 'anything'",
        "UPDATE consent_event SET state = 'unsubscribed', erased_at = now()",
        "DELETE FROM consent_event",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="only added to"):
            await hub.db.execute(statement)

    await api.delete("/v1/contacts/anna")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await hub.db.execute("UPDATE consent_event SET proof = NULL")


async def test_consents_from_before_there_was_a_history_get_their_line(hub: Hub, api: Api) -> None:
    contact = await put(api, None, addresses={"email": "anna@example.com"})
    await hub.db.execute(
        "INSERT INTO consent (contact_id, category, channel, state, source, changed_at)"
        " VALUES ($1, 'marketing', 'email', 'unsubscribed', 'one-click', '2025-05-05T05:05:05Z')",
        contact,
    )

    for _ in range(2):
        await Keeper(hub).turn(datetime.now(UTC))

    [line] = await lines(api)
    assert (line["state"], line["via"]) == ("unsubscribed", "one-click")
    assert line["said_at"] == "2025-05-05T05:05:05Z"
