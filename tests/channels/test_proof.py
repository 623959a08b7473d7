"""Proofs of senders, and what comes behind them, as nobody sends them in earnest."""

import json
from hashlib import md5

import pytest
from pydantic import SecretStr

from channels.base import BadHook, HookRequest
from channels.max import updates as max_
from channels.proof import same
from channels.telegram import updates as telegram
from channels.unisender.signed import authentic
from channels.updates import Incoming, storable
from channels.vk import updates as vk
from channels.vk.community import CommunityConfig
from hub.db.pool import as_json

# A header's bytes that are no UTF-8, as the server hands them on.
BROKEN = b"\xff\xfe".decode("utf-8", "surrogateescape")

VK = CommunityConfig.model_validate(
    {"token": "t", "group_id": 1, "receive": "callback", "secret": "s", "confirmation": "c"}
)


def test_proofs_are_the_same_or_not_whatever_they_hold() -> None:
    assert same("abc", "abc")
    for given in ("", "abd", "abcd", "кот", BROKEN, "\ud800", "\0"):
        assert not same(given, "abc")


def test_a_secret_that_is_no_text_is_a_wrong_one() -> None:
    header = {"x-telegram-bot-api-secret-token": BROKEN, "x-max-bot-api-secret": BROKEN}
    call = HookRequest("POST", header, {}, b'{"update_id": 1}')
    for read in (telegram.read_hook, max_.read_hook):
        with pytest.raises(BadHook) as refused:
            read(call, ["secret"])
        assert refused.value.forged

    with pytest.raises(BadHook) as refused:
        vk.read_hook(
            HookRequest("POST", {}, {}, json.dumps({"group_id": 1, "secret": "\ud800"}).encode()),
            VK,
        )
    assert refused.value.forged


def test_an_update_is_storable_or_refused() -> None:
    raw = {
        "update_id": 10**30,
        "message": {"text": "a\0\ud800", "number": -(2**63) - 1, "yes": True, "nan": float("nan")},
    }

    [found], _ = telegram.read_hook(HookRequest("POST", {}, {}, json.dumps(raw).encode()), [""])

    assert json.loads(as_json(found.raw))["message"] == {
        "text": "a?",
        "number": "-0x8000000000000001",
        "yes": True,
        "nan": None,
    }
    deep = b'{"update_id": 1, "a": ' + b"[" * 150 + b"]" * 150 + b"}"
    with pytest.raises(BadHook):
        telegram.read_hook(HookRequest("POST", {}, {}, deep), [""])
    with pytest.raises(BadHook):
        vk.read_hook(HookRequest("POST", {}, {}, _of_vk(deep)), VK)
    with pytest.raises(ValueError, match="nested"):
        storable(json.loads("[" * 150 + "]" * 150))


def _of_vk(content: bytes) -> bytes:
    return (
        b'{"group_id": 1, "secret": "s", "type": "x", "event_id": "e", "object": ' + content + b"}"
    )


def test_the_name_of_an_update_is_storable() -> None:
    one = Incoming("a\0\ud800" + "b" * 1000, "\0", {})

    assert one.event.startswith("a?b")
    assert len(one.event) == 500
    assert one.chat == ""


def test_a_signed_call_that_nobody_can_read_is_a_bad_one() -> None:
    deep = b'{"auth": "%s", "a": ' + b"[" * 100_000
    signed = deep % md5(deep % b"key", usedforsecurity=False).hexdigest().encode()

    with pytest.raises(BadHook, match="not JSON"):
        authentic(signed, SecretStr("key"))
