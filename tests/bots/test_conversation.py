"""What is said to whom, the same on every messenger."""

import pytest

from bots.conversation.linking import Conversation
from bots.conversation.said import (
    Act,
    Allowed,
    Blocked,
    Coded,
    Pressed,
    Reply,
    Said,
    Spoke,
    Started,
    Stopped,
    understand,
)
from bots.texts import en, ru
from channels.base import Channel
from hub.contacts import links, service
from hub.contacts.addresses import KIND_OF, digest
from hub.contacts.links import Link
from hub.contacts.model import ContactIn
from hub.preferences import suppressions
from hub.resources import Hub


@pytest.fixture(params=[Channel.TELEGRAM, Channel.VK, Channel.MAX])
def conversation(hub: Hub, request: pytest.FixtureRequest) -> Conversation:
    return Conversation(hub.shop("main"), request.param, hub.signer)


async def _say(
    hub: Hub, conversation: Conversation, act: Act, language: str = "ru"
) -> Reply | None:
    async with hub.db.acquire() as conn, conn.transaction():
        return await conversation.answer(conn, Said("42", act, language))


async def _token(hub: Hub, conversation: Conversation, **fields: object) -> str:
    return (await _link(hub, conversation, **fields)).url.rpartition("=")[2]


async def _link(hub: Hub, conversation: Conversation, **fields: object) -> Link:
    async with hub.db.acquire() as conn, conn.transaction():
        given = ContactIn.model_validate(fields)
        await service.upsert(conn, conversation.shop.id, "b", given)
    return await links.create(hub, conversation.shop.id, "b", conversation.channel)


async def _silent(hub: Hub, conversation: Conversation) -> bool:
    mark = digest(KIND_OF[conversation.channel], "42")
    return await suppressions.is_suppressed(
        hub.db, conversation.shop.id, conversation.channel, mark
    )


def _is(reply: Reply | None, text: str) -> bool:
    return reply is not None and reply.text == text.format(shop="Ромашка")


async def test_a_link_binds_and_says_so(hub: Hub, conversation: Conversation) -> None:
    token = await _token(hub, conversation)

    reply = await _say(hub, conversation, Started(token))

    assert _is(reply, ru.WORDS.bound)
    contact = await service.get(hub.db, conversation.shop.id, "b")
    assert [(a.kind, a.value) for a in contact.addresses] == [(KIND_OF[conversation.channel], "42")]


async def test_a_token_sent_as_text_binds_too(hub: Hub, conversation: Conversation) -> None:
    token = await _token(hub, conversation)

    assert _is(await _say(hub, conversation, Spoke(f" {token} ")), ru.WORDS.bound)


@pytest.mark.parametrize("form", ["{}", "/start {}"])
async def test_a_typed_code_binds_too(hub: Hub, conversation: Conversation, form: str) -> None:
    link = await _link(hub, conversation)

    reply = await _say(hub, conversation, understand(form.format(link.code.lower())))

    assert _is(reply, ru.WORDS.bound)
    contact = await service.get(hub.db, conversation.shop.id, "b")
    assert [a.value for a in contact.addresses] == ["42"]


async def test_used_expired_and_unknown_codes_are_told_apart(
    hub: Hub, conversation: Conversation
) -> None:
    code = (await _link(hub, conversation)).code
    await hub.db.execute("UPDATE contact_link SET used_at = now()")
    assert _is(await _say(hub, conversation, Coded(code)), ru.WORDS.code_used)

    await hub.db.execute(
        "UPDATE contact_link SET used_at = NULL, expires_at = now() - interval '1 hour'"
    )
    assert _is(await _say(hub, conversation, Coded(code)), ru.WORDS.code_expired)

    assert _is(await _say(hub, conversation, Coded("2345-67AB"), "en"), en.WORDS.code_unknown)


async def test_who_guesses_codes_is_politely_put_off(hub: Hub, conversation: Conversation) -> None:
    link = await _link(hub, conversation)
    for n in range(5):
        reply = await _say(hub, conversation, Coded(f"2345-67A{n + 2}"))
        assert _is(reply, ru.WORDS.code_unknown)

    assert _is(await _say(hub, conversation, Coded(link.code)), ru.WORDS.code_too_many)
    # A link cannot be guessed, so whoever has one is not kept waiting.
    token = link.url.rpartition("=")[2]
    assert _is(await _say(hub, conversation, Started(token)), ru.WORDS.bound)


async def test_an_advertisement_that_looks_like_a_code_is_welcomed(
    hub: Hub, conversation: Conversation
) -> None:
    assert _is(await _say(hub, conversation, Started("SPRN-G234")), ru.WORDS.welcome_stranger)


async def test_told_twice_the_answer_is_the_same(hub: Hub, conversation: Conversation) -> None:
    token = await _token(hub, conversation)

    assert await _say(hub, conversation, Started(token)) == await _say(
        hub, conversation, Started(token)
    )


async def test_used_expired_and_unknown_links_are_told_apart(
    hub: Hub, conversation: Conversation
) -> None:
    token = await _token(hub, conversation)
    await hub.db.execute("UPDATE contact_link SET used_at = now()")
    assert _is(await _say(hub, conversation, Started(token)), ru.WORDS.link_used)

    await hub.db.execute(
        "UPDATE contact_link SET used_at = NULL, expires_at = now() - interval '1 hour'"
    )
    assert _is(await _say(hub, conversation, Started(token)), ru.WORDS.link_expired)

    assert _is(await _say(hub, conversation, Started("x" * 32)), ru.WORDS.link_unknown)


async def test_the_mark_of_an_advertisement_is_no_broken_link(
    hub: Hub, conversation: Conversation
) -> None:
    assert _is(await _say(hub, conversation, Started("spring-sale")), ru.WORDS.welcome_stranger)


async def test_stop_is_kept_until_start(hub: Hub, conversation: Conversation) -> None:
    assert _is(await _say(hub, conversation, Stopped()), ru.WORDS.stopped)
    assert await _silent(hub, conversation)

    await _say(hub, conversation, Spoke("Спасибо"))
    assert await _silent(hub, conversation)

    await _say(hub, conversation, Started())
    assert not await _silent(hub, conversation)


async def test_who_blocks_is_left_alone_until_he_returns(
    hub: Hub, conversation: Conversation
) -> None:
    assert await _say(hub, conversation, Blocked()) is None
    assert await _silent(hub, conversation)

    assert await _say(hub, conversation, Allowed()) is None
    assert not await _silent(hub, conversation)


async def test_strangers_and_known_people_get_different_help(
    hub: Hub, conversation: Conversation
) -> None:
    assert _is(await _say(hub, conversation, Spoke("где заказ")), ru.WORDS.help_stranger)
    await _say(hub, conversation, Started(await _token(hub, conversation)))

    assert _is(await _say(hub, conversation, Spoke("где заказ")), ru.WORDS.help_known)
    assert _is(await _say(hub, conversation, Started()), ru.WORDS.welcome_known)


async def test_a_press_is_answered_politely(hub: Hub, conversation: Conversation) -> None:
    reply = await _say(hub, conversation, Pressed("p1", "old"))

    assert reply == Reply(ru.WORDS.old_button, "p1")


@pytest.mark.parametrize(
    ("language", "words"),
    [("ru", ru.WORDS), ("uk", ru.WORDS), ("en-GB", en.WORDS), ("de", en.WORDS), ("", ru.WORDS)],
)
async def test_a_stranger_is_answered_in_the_messengers_language(
    hub: Hub, conversation: Conversation, language: str, words: object
) -> None:
    reply = await _say(hub, conversation, Spoke("?"), language)

    assert _is(reply, words.help_stranger)  # type: ignore[attr-defined]


async def test_the_contacts_own_language_counts_more(hub: Hub, conversation: Conversation) -> None:
    token = await _token(hub, conversation, locale="en")

    assert _is(await _say(hub, conversation, Started(token), "ru"), en.WORDS.bound)


@pytest.mark.parametrize(
    ("text", "act"),
    [
        ("/start", Started()),
        ("/start abc", Started("abc")),
        ("/START@shop_bot abc", Started("abc")),
        ("Начать", Started()),
        ("/stop", Stopped()),
        ("/stop@shop_bot", Stopped()),
        (" Стоп ", Stopped()),
        ("стоп-кран", Spoke("стоп-кран")),
        (" k7qm-4txp ", Coded("k7qm-4txp")),
        ("79992345", Spoke("79992345")),
        ("start the engine", Spoke("start the engine")),
        ("", Spoke("")),
    ],
)
def test_commands_are_known_in_both_languages(text: str, act: Act) -> None:
    assert understand(text) == act
