"""Whatever is sent in: a clear answer that points at it, never an error of ours, never another meaning."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.hub.api.client import Api
from tests.hub.notifications.conftest import Drive, Shop, notification
from tests.hub.notifications.providers import Providers

JSON = {"Content-Type": "application/json"}
FAR = "x" * 300

# What is wrong with one notification, and where. None in place of a pointer: of the body as a whole.
NOTIFICATIONS: Mapping[str, tuple[dict[str, Any], str]] = {
    "no recipient": ({"recipient": None}, "/recipient"),
    "recipient a text": ({"recipient": "anna"}, "/recipient"),
    "recipient a list": ({"recipient": []}, "/recipient"),
    "recipient without id": ({"recipient": {"name": "A"}}, "/recipient/external_id"),
    "external_id a number": ({"recipient": {"external_id": 1}}, "/recipient/external_id"),
    "external_id empty": ({"recipient": {"external_id": ""}}, "/recipient/external_id"),
    "external_id too long": ({"recipient": {"external_id": FAR}}, "/recipient/external_id"),
    "external_id with spaces around": (
        {"recipient": {"external_id": " a "}},
        "/recipient/external_id",
    ),
    "unknown field of the contact": (
        {"recipient": {"external_id": "a", "colour": 1}},
        "/recipient/colour",
    ),
    "bad e-mail": (
        {"recipient": {"external_id": "a", "addresses": {"email": "no"}}},
        "/recipient/addresses/email",
    ),
    "bad phone": (
        {"recipient": {"external_id": "a", "addresses": {"phone": "12"}}},
        "/recipient/addresses/phone",
    ),
    "bad chat": (
        {"recipient": {"external_id": "a", "addresses": {"telegram": "@anna"}}},
        "/recipient/addresses/telegram",
    ),
    "both kinds of recipient": (
        {"recipient": {"external_id": "a", "address": {"channel": "email", "value": "a@b.ru"}}},
        "/recipient/external_id",
    ),
    "one-off by an unknown channel": (
        {"recipient": {"address": {"channel": "fax", "value": "1"}}},
        "/recipient/address/channel",
    ),
    "one-off with a bad address": (
        {"recipient": {"address": {"channel": "email", "value": "a@"}}},
        "/recipient/address/value",
    ),
    "one-off device": (
        {"recipient": {"address": {"channel": "push", "value": "token"}}},
        "/recipient/address/value",
    ),
    "one-off without a value": (
        {"recipient": {"address": {"channel": "email"}}},
        "/recipient/address/value",
    ),
    "letter with a line end in its address": (
        {"recipient": {"address": {"channel": "email", "value": "a@b.ru\nBcc: c@d.ru"}}},
        "/recipient/address/value",
    ),
    "one-off in an unknown language": (
        {"recipient": {"address": {"channel": "email", "value": "a@b.ru"}, "locale": "xx"}},
        "/recipient/locale",
    ),
    "inner push endpoint": (
        {
            "recipient": {
                "external_id": "a",
                "addresses": {
                    "push": [
                        {
                            "provider": "webpush",
                            "subscription": {
                                "endpoint": "https://10.0.0.1/push",
                                "keys": {
                                    "p256dh": "BNcRdreALRFXTkOOUHK1EtK2wtaz5Ry4YfYCA_0QTpQtUbVlUls0VJXg7A8u-Ts1XbjhazAkj7I99e8QcYP7DkM",
                                    "auth": "tBHItJI5svbpez7KI4CCXg",
                                },
                            },
                        }
                    ]
                },
            }
        },
        "/recipient/addresses/push/0/subscription/endpoint",
    ),
    "template a number": ({"template": 7}, "/template"),
    "template empty": ({"template": ""}, "/template"),
    "template too long": ({"template": FAR}, "/template"),
    "neither template nor content": ({"template": None}, ""),
    "both template and content": ({"content": {"text": "Привет"}}, "/content"),
    "content a text": ({"template": None, "content": "Привет"}, "/content"),
    "content empty": ({"template": None, "content": {}}, "/content"),
    "a subject alone": ({"template": None, "content": {"subject": "a"}}, "/content"),
    "content of spaces": ({"template": None, "content": {"text": " \n"}}, "/content"),
    "content unknown field": (
        {"template": None, "content": {"text": "a", "body": "b"}},
        "/content/body",
    ),
    "subject of two lines": (
        {"template": None, "content": {"subject": "a\nBcc: b", "text": "a"}},
        "/content/subject",
    ),
    "subject too long": (
        {"template": None, "content": {"subject": "x" * 999, "text": "a"}},
        "/content/subject",
    ),
    "text too long": ({"template": None, "content": {"text": "x" * 100_001}}, "/content/text"),
    "data a list": ({"data": []}, "/data"),
    "data null": ({"data": None}, "/data"),
    "data a text": ({"data": "{}"}, "/data"),
    "unknown category": ({"category": "urgent"}, "/category"),
    "category a list": ({"category": ["marketing"]}, "/category"),
    "unknown strategy": ({"strategy": "any"}, "/strategy"),
    "cascade without its strategy": ({"cascade": {"wait": 10}}, "/cascade"),
    "cascade waits 0": ({"strategy": "cascade", "cascade": {"wait": 0}}, "/cascade/wait"),
    "cascade waits for ever": (
        {"strategy": "cascade", "cascade": {"wait": 10**9}},
        "/cascade/wait",
    ),
    "cascade waits a text": ({"strategy": "cascade", "cascade": {"wait": "10"}}, "/cascade/wait"),
    "cascade until never": ({"strategy": "cascade", "cascade": {"until": "x"}}, "/cascade/until"),
    "channels empty": ({"channels": []}, "/channels"),
    "channels a text": ({"channels": "email"}, "/channels"),
    "channels twice": ({"channels": ["sms", "sms"]}, "/channels"),
    "unknown channel": ({"channels": ["email", "fax"]}, "/channels/1"),
    "time without an offset": ({"send_at": "2026-12-01T10:00:00"}, "/send_at"),
    "time as a number": ({"send_at": 1790000000}, "/send_at"),
    "time as a number in a text": ({"send_at": "1790000000"}, "/send_at"),
    "a day alone": ({"send_at": "2026-12-01"}, "/send_at"),
    "year 1": ({"send_at": "0001-01-01T00:00:00+14:00"}, "/send_at"),
    "year 9999": ({"send_at": "9999-12-31T23:59:59-12:00"}, "/send_at"),
    "year 10000": ({"expires_at": "10000-01-01T00:00:00Z"}, "/expires_at"),
    "day that is none": ({"send_at": "2026-02-30T10:00:00Z"}, "/send_at"),
    "an offset that is none": ({"send_at": "2026-12-01T10:00:00+99:00"}, "/send_at"),
    "over before it begins": (
        {"send_at": "2026-12-01T10:00:00Z", "expires_at": "2026-12-01T09:00:00Z"},
        "/expires_at",
    ),
    "ordering_key empty": ({"ordering_key": ""}, "/ordering_key"),
    "ordering_key a number": ({"ordering_key": 5}, "/ordering_key"),
    "collapse_key too long": ({"collapse_key": FAR}, "/collapse_key"),
    "meta a list": ({"meta": [1]}, "/meta"),
    "unknown field": ({"priority": 1}, "/priority"),
    "field with a slash": ({"a/b~c": 1}, "/a~1b~0c"),
    "NUL in data": ({"data": {"order": {"number": "1\x00"}}}, "/data/order/number"),
    "NUL in a name": ({"meta": {"a\x00": 1}}, "/meta/a\ufffd"),
    "escape in content": ({"template": None, "content": {"text": "\x1b[31m"}}, "/content/text"),
    "half a surrogate": ({"meta": {"a": "\ud800"}}, "/meta/a"),
    "too deep": ({"data": {"a": json.loads("[" * 40 + "]" * 40)}}, "/data/a" + "/0" * 30),
}


def _problem(answer: Any) -> dict[str, Any]:
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    problem: dict[str, Any] = answer.json
    assert problem.keys() >= {"type", "title", "status", "detail", "request_id"}
    assert problem["status"] == answer.status
    return problem


async def test_a_bad_notification_is_400_and_the_fault_is_pointed_at(api: Api) -> None:
    for name, (change, pointer) in NOTIFICATIONS.items():
        body = {k: v for k, v in (notification() | change).items() if k != "nothing"}
        raw = json.dumps(body).encode()

        answer = await api.post("/v1/notifications", raw=raw)

        assert answer.status == 400, (name, answer.status, answer.raw)
        pointers = [fault["pointer"] for fault in _problem(answer)["errors"]]
        assert pointer in pointers, (name, pointers)


async def test_in_a_batch_a_bad_one_is_its_own_problem(shop: Shop) -> None:
    names = list(NOTIFICATIONS)
    items = [notification() | NOTIFICATIONS[name][0] for name in names] + [notification()]

    raw = json.dumps({"notifications": items}).encode()
    answer = await shop.api.post("/v1/notifications/batch", raw=raw)

    results = answer.json["results"]
    assert answer.status == 202
    assert results[-1]["status"] == "queued"
    for name, result in zip(names, results, strict=False):
        assert result["status"] == 400, name
        assert NOTIFICATIONS[name][1] in [e["pointer"] for e in result["errors"]], name


BODIES: Mapping[str, tuple[bytes, Mapping[str, str], int]] = {
    "nothing": (b"", JSON, 400),
    "spaces": (b" \n ", JSON, 400),
    "half": (b'{"template": "order', JSON, 400),
    "two": (b"{}{}", JSON, 400),
    "a list": (b"[]", JSON, 400),
    "null": (b"null", JSON, 400),
    "a text": (b'"order.shipped"', JSON, 400),
    "a number": (b"1e999", JSON, 400),
    "NaN": (b'{"meta": {"a": NaN}}', JSON, 400),
    "Infinity": (b'{"meta": {"a": -Infinity}}', JSON, 400),
    "a huge integer": (b'{"meta": {"a": ' + b"9" * 5000 + b"}}", JSON, 400),
    "a huge float": (b'{"meta": {"a": 1e400}}', JSON, 400),
    "doubled names": (b'{"template": "a", "template": "b"}', JSON, 400),
    "bad UTF-8": (b'{"template": "\xff\xfe"}', JSON, 400),
    "overlong UTF-8": (b'{"template": "\xc0\x80"}', JSON, 400),
    "a surrogate in UTF-8": (b'{"template": "\xed\xa0\x80"}', JSON, 400),
    "UTF-16": ('{"template": "a"}'.encode("utf-16"), JSON, 400),
    "a BOM": (b"\xef\xbb\xbf{}", JSON, 400),
    "nested for ever": (b'{"data":' + b"[" * 100_000, JSON, 400),
    "nested objects": (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, JSON, 400),
    "a comment": (b'{"template": "a" /* b */}', JSON, 400),
    "too long": (b'{"a": "' + b"x" * 1_100_000 + b'"}', JSON, 413),
    "a form": (b"template=a", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
    "plain text": (b"{}", {"Content-Type": "text/plain"}, 415),
    "another charset": (b"{}", {"Content-Type": "application/json; charset=cp1251"}, 415),
    "packed": (b"\x1f\x8b", JSON | {"Content-Encoding": "gzip"}, 415),
}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/notifications"),
        ("POST", "/v1/notifications/batch"),
        ("PUT", "/v1/contacts/anna"),
    ],
)
async def test_a_body_that_is_none_is_refused_with_a_reason(
    method: str, path: str, api: Api
) -> None:
    for name, (raw, headers, status) in BODIES.items():
        answer = await api.call(method, path, raw=raw, headers=headers)

        if name == "packed":
            assert answer.status in (400, 415), (name, answer.status)
        else:
            assert answer.status == status, (name, answer.status, answer.raw[:200])
        assert _problem(answer)["detail"], name


CONTACTS: Mapping[str, tuple[dict[str, Any], str]] = {
    "role unknown": ({"role": "king"}, "/role"),
    "role a number": ({"role": 1}, "/role"),
    "name a list": ({"name": []}, "/name"),
    "name too long": ({"name": "я" * 201}, "/name"),
    "zone unknown": ({"timezone": "Mars/Olympus"}, "/timezone"),
    "zone a path": ({"timezone": "../../etc/passwd"}, "/timezone"),
    "zone a number": ({"timezone": 3}, "/timezone"),
    "locale unknown": ({"locale": "xx"}, "/locale"),
    "addresses a list": ({"addresses": []}, "/addresses"),
    "e-mail a number": ({"addresses": {"email": 1}}, "/addresses/email"),
    "e-mail with a line end": ({"addresses": {"email": "a@b.ru\r\nX: y"}}, "/addresses/email"),
    "phone of letters": ({"addresses": {"phone": "+7 call me"}}, "/addresses/phone"),
    "vk negative": ({"addresses": {"vk": "-1"}}, "/addresses/vk"),
    "chat too long": ({"addresses": {"telegram": "9" * 40}}, "/addresses/telegram"),
    "verified a text": (
        {"addresses": {"email": {"value": "a@b.ru", "verified": "yes"}}},
        "/addresses/email/verified",
    ),
    "device without token": ({"addresses": {"push": [{"provider": "fcm"}]}}, "/addresses/push/0"),
    "too many devices": (
        {"addresses": {"push": [{"provider": "fcm", "token": str(n)} for n in range(21)]}},
        "/addresses/push",
    ),
    "attributes a list": ({"attributes": []}, "/attributes"),
    "attributes too large": ({"attributes": {"a": "x" * 17_000}}, "/attributes"),
    "preference unknown": ({"preferences": {"urgent": []}}, "/preferences/urgent"),
    "preference twice": ({"preferences": {"marketing": ["sms", "sms"]}}, "/preferences/marketing"),
    "quiet hours without an end": (
        {"preferences": {"quiet_hours": {"from": "22:00"}}},
        "/preferences/quiet_hours/to",
    ),
    "quiet hours at 25": (
        {"preferences": {"quiet_hours": {"from": "25:00", "to": "09:00"}}},
        "/preferences/quiet_hours/from",
    ),
    "quiet hours of no time": (
        {"preferences": {"quiet_hours": {"from": "09:00", "to": "09:00"}}},
        "/preferences/quiet_hours",
    ),
    "consent unknown": (
        {"consents": {"marketing": {"email": "maybe"}}},
        "/consents/marketing/email",
    ),
    "unknown field": ({"colour": 1}, "/colour"),
    "NUL": ({"name": "a\x00"}, "/name"),
    "half a surrogate": ({"attributes": {"a": "\udc00"}}, "/attributes/a"),
}


async def test_a_bad_contact_is_400_and_the_fault_is_pointed_at(api: Api) -> None:
    for name, (body, pointer) in CONTACTS.items():
        answer = await api.put("/v1/contacts/anna", raw=json.dumps(body).encode())

        assert answer.status == 400, (name, answer.status, answer.raw)
        pointers = [fault["pointer"] for fault in _problem(answer)["errors"]]
        assert pointer in pointers, (name, pointers)


async def test_all_faults_are_told_at_once(api: Api) -> None:
    body = {"template": 1, "recipient": {"external_id": 1}, "channels": ["fax"], "colour": 1}

    answer = await api.post("/v1/notifications", body)

    assert set(answer.pointers) >= {
        "/template",
        "/recipient/external_id",
        "/channels/0",
        "/colour",
    }


INJECTIONS = (
    "{{ 7*7 }}",
    "{% for x in range(10**9) %}{% endfor %}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ order.number }}",
    "{# nothing #}",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "<a href='https://evil.example'>",
    "%s %n ${jndi:ldap://x}",
    "'; DROP TABLE contact; --",
    "\u202eтекст",
    "{{to_name}}",
)


async def test_what_data_holds_is_shown_and_never_run(
    shop: Shop, drive: Drive, providers: Providers
) -> None:
    for n, text in enumerate(INJECTIONS):
        data = {"order": {"number": text}}
        story = await shop.ask("boris", data=data, channels=["email"], ordering_key=str(n))
        assert story.status == 202, (text, story.raw)
    await drive.all()

    letters = providers.unisender_go.sent + providers.smtp.sent
    assert len(letters) == len(INJECTIONS)
    shown = [letter.text for letter in letters]
    for text in INJECTIONS:
        assert any(text in one for one in shown), text
    assert not any("49" in letter.subject for letter in letters)
    for letter in letters:
        assert "<script>" not in letter.html
        assert "<img src=x" not in letter.html
        assert "<a href='https://evil" not in letter.html


async def test_in_telegram_markup_of_the_data_is_text(
    shop: Shop, drive: Drive, providers: Providers
) -> None:
    await shop.send(data={"order": {"number": "<b>1</b>&amp;"}}, channels=["telegram"])
    await drive.all()

    [message] = providers.telegram.sent
    assert "<b>1</b>&amp;" in message.text


async def test_odd_but_free_data_is_taken_as_it_is(shop: Shop) -> None:
    odd = {
        "": "",
        "a.b/c~d": [None, True, 1e308, -(2**63), 2**63 - 1, "\U0001f600\u0000"[:1]],
        "deep": json.loads("[" * 20 + "]" * 20),
        "__proto__": {"constructor": {}},
        "long": "я" * 10_000,
    }

    sent = await shop.send(meta=odd)

    assert (await shop.story(sent["id"]))["meta"] == odd
