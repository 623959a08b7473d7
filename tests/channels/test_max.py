"""MAX's own ways: what it is given, what each of its refusals comes to, whom it is trusted by."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from channels.base import (
    GONE,
    Accepted,
    BadHook,
    Button,
    HookRequest,
    Message,
    Refused,
    Retry,
    Scope,
    Unavailable,
)
from channels.http import ProviderHttp
from channels.max.bot_api import BotApi
from channels.max.client import BotApiConfig
from channels.max.updates import chat_of, incoming, read_hook
from tests.channels.authority import authority
from tests.simulators.base import Fault
from tests.simulators.max import TOKEN, Max, buttons_of

HELLO = Message("k1", "42", "Hello")
ROWS = (
    (Button("Есть", data="s:1:1"), Button("Нет", data="s:1:0")),
    (Button("Открыть", url="https://shop.example/1"),),
)
ASKED = Message("k1", "42", "В наличии?", html="<b>В наличии?</b>", buttons=ROWS)
ANSWERED = Message("k1", "42", "Есть: 2 < 3", html="<b>Есть</b>: 2 &lt; 3")


@pytest.fixture
async def simulator() -> AsyncIterator[Max]:
    async with Max() as simulator:
        simulator.add_person(42)
        yield simulator


@pytest.fixture
async def http() -> AsyncIterator[ProviderHttp]:
    http = ProviderHttp(timeout=timedelta(seconds=2))
    yield http
    await http.close()


@pytest.fixture
def bot(simulator: Max, http: ProviderHttp) -> BotApi:
    return BotApi(BotApiConfig(token=SecretStr(TOKEN), base_url=f"{simulator.url}/"), http)


def answers(status: int, code: str, message: str = "", **more: str) -> Fault:
    body = {"code": code, "message": message, **more}
    return Fault(status=status, body=json.dumps(body), content_type="application/json")


async def _sent(bot: BotApi, message: Message = ASKED) -> str:
    [outcome] = await bot.send([message])
    assert isinstance(outcome, Accepted)
    return outcome.provider_id


async def test_a_person_is_written_to_by_his_id_and_a_group_by_its_chats(
    simulator: Max, bot: BotApi
) -> None:
    simulator.add_group(-7001)

    await bot.send([HELLO, Message("k2", "-7001", "Hello")])

    queries = [sent.extra["query"] for sent in simulator.sent]
    assert queries == [
        {"user_id": "42", "disable_link_preview": "true"},
        {"chat_id": "-7001", "disable_link_preview": "true"},
    ]


async def test_plain_text_goes_as_it_is(simulator: Max, bot: BotApi) -> None:
    await bot.send([Message("k1", "42", "1 < 2 & <b>")])

    [sent] = simulator.sent
    assert sent.text == "1 < 2 & <b>"
    assert "format" not in sent.extra["body"]


async def test_html_wins_over_the_text_and_is_read_as_html(simulator: Max, bot: BotApi) -> None:
    await bot.send([ANSWERED])

    [sent] = simulator.sent
    assert sent.text == "Есть: 2 < 3"
    assert sent.html == ANSWERED.html


async def test_html_that_its_tags_make_too_long_gives_way_to_the_text(
    simulator: Max, bot: BotApi
) -> None:
    await bot.send([Message("k1", "42", "я" * 3990, html=f"<b>{'я' * 3990}</b><i></i>")])

    [sent] = simulator.sent
    assert sent.text == "я" * 3990
    assert not sent.html


async def test_buttons_become_an_inline_keyboard(simulator: Max, bot: BotApi) -> None:
    await bot.send([ASKED])

    assert simulator.sent[0].extra["buttons"] == [
        [
            {"type": "callback", "text": "Есть", "payload": "s:1:1"},
            {"type": "callback", "text": "Нет", "payload": "s:1:0"},
        ],
        [{"type": "link", "text": "Открыть", "url": "https://shop.example/1"}],
    ]


async def test_an_edit_shows_the_new_text_and_drops_the_buttons(
    simulator: Max, bot: BotApi
) -> None:
    mid = await _sent(bot)

    assert await bot.edit(mid, ANSWERED) == Accepted(mid)
    assert await bot.edit(mid, ANSWERED) == Accepted(mid)

    assert simulator.messages[mid]["text"] == "Есть: 2 < 3"
    assert buttons_of(simulator.messages[mid]) == []


async def test_an_edit_keeps_the_buttons_it_names(simulator: Max, bot: BotApi) -> None:
    mid = await _sent(bot)

    await bot.edit(mid, Message("k1", "42", "Сколько?", buttons=ROWS[:1]))

    assert len(buttons_of(simulator.messages[mid])) == 1
    assert simulator.messages[mid]["format"] == ""


async def test_a_message_that_is_not_there_is_gone(simulator: Max, bot: BotApi) -> None:
    mid = await _sent(bot)
    simulator.messages.clear()

    outcome = await bot.edit(mid, ANSWERED)

    assert isinstance(outcome, Refused)
    assert outcome.code == GONE


async def test_an_edit_that_comes_too_late_or_is_not_done_is_refused(
    simulator: Max, bot: BotApi
) -> None:
    mid = await _sent(bot, HELLO)
    simulator.pass_time(timedelta(days=8))
    late = await bot.edit(mid, ANSWERED)
    simulator.fault = Fault(
        status=200, body='{"success": false, "message": "no"}', content_type="application/json"
    )

    assert isinstance(late, Refused)
    assert await bot.edit(mid, ANSWERED) == Refused(Scope.MESSAGE, "not-edited", "no")


async def test_a_message_with_buttons_may_be_edited_at_any_age(simulator: Max, bot: BotApi) -> None:
    mid = await _sent(bot)
    simulator.pass_time(timedelta(days=30))

    assert await bot.edit(mid, ANSWERED) == Accepted(mid)


async def test_too_many_at_once_in_one_chat_are_waited_for(simulator: Max, bot: BotApi) -> None:
    simulator.limited = True
    simulator.add_person(43)

    outcomes = await bot.send([HELLO, HELLO, HELLO, Message("k2", "43", "Hello")])

    assert [type(outcome) for outcome in outcomes] == [Accepted, Accepted, Retry, Accepted]
    assert outcomes[2] == Retry("throttled", timedelta(seconds=1), throttled=True)
    assert bot.limits.per_recipient == timedelta(milliseconds=500)


@pytest.mark.parametrize(
    ("status", "code", "message", "scope", "suppress"),
    [
        # A person who stopped the bot, or the bot itself: not told apart.
        (403, "chat.denied", "error.dialog.suspended", Scope.RECIPIENT, False),
        (403, "access.denied", "You cannot write to this chat", Scope.RECIPIENT, False),
        (403, "something.new", "?", Scope.RECIPIENT, False),
        (404, "dialog.not.found", "error.dialog.notfound", Scope.RECIPIENT, True),
        (400, "bad.request", "error.dialog.notfound", Scope.RECIPIENT, True),
        (404, "chat.not.found", "Chat 7 not found", Scope.RECIPIENT, True),
        (404, "user.not.found", "User 7 not found", Scope.RECIPIENT, True),
        (404, "something.new", "?", Scope.RECIPIENT, False),
        (400, "proto.payload", "text: size must be between 0 and 4000", Scope.MESSAGE, False),
        (400, "something.new", "?", Scope.MESSAGE, False),
        (413, "too.large", "?", Scope.MESSAGE, False),
        (401, "verify.token", "Invalid access_token", Scope.ACCOUNT, False),
        (401, "chat.denied", "?", Scope.ACCOUNT, False),
        (403, "deprecated.token", "use Authorization header", Scope.ACCOUNT, False),
        (404, "method.not.found", "Path is not recognized", Scope.ACCOUNT, False),
        (405, "method.not.allowed", "?", Scope.ACCOUNT, False),
    ],
)
async def test_each_refusal_has_one_meaning(
    simulator: Max,
    bot: BotApi,
    status: int,
    code: str,
    message: str,
    scope: Scope,
    suppress: bool,
) -> None:
    simulator.fault = answers(status, code, message)

    assert await bot.send([HELLO]) == [Refused(scope, code, message, suppress=suppress)]


async def test_an_attachment_that_is_not_ready_is_tried_again_by_itself(
    simulator: Max, bot: BotApi
) -> None:
    simulator.fault = answers(400, "attachment.not.ready", "not.processed")

    [outcome] = await bot.send([HELLO])

    assert isinstance(outcome, Retry)
    assert (outcome.alone, outcome.maybe_sent, outcome.after) == (True, False, timedelta(seconds=1))


async def test_a_page_of_somebody_in_between_is_not_maxs_word(simulator: Max, bot: BotApi) -> None:
    simulator.fault = Fault(status=403)
    blocked = await bot.send([HELLO])
    simulator.fault = Fault(status=413)
    large = await bot.send([HELLO])

    assert blocked == [Retry("http-403-unreadable")]
    assert isinstance(large[0], Refused)
    assert large[0].scope is Scope.MESSAGE


async def test_when_everybody_is_denied_it_is_the_bot(simulator: Max, bot: BotApi) -> None:
    people = [str(1000 + n) for n in range(20)]
    for person in people:
        simulator.add_person(int(person))
    simulator.suspend()

    outcomes = [(await bot.send([Message("k", to, "Hi")]))[0] for to in people]

    scopes = [outcome.scope for outcome in outcomes if isinstance(outcome, Refused)]
    assert scopes == [Scope.RECIPIENT] * 19 + [Scope.ACCOUNT]
    simulator.add_person(77)
    await bot.send([Message("k", "77", "Hi")])
    [outcome] = await bot.send([Message("k", people[0], "Hi")])
    assert isinstance(outcome, Refused)
    assert outcome.scope is Scope.RECIPIENT


async def test_one_who_is_denied_again_and_again_is_only_one(simulator: Max, bot: BotApi) -> None:
    simulator.stop_bot(42)

    outcomes = [(await bot.send([HELLO]))[0] for _ in range(25)]

    assert {o.scope for o in outcomes if isinstance(o, Refused)} == {Scope.RECIPIENT}


async def test_the_token_is_cut_out_of_what_a_proxy_says(simulator: Max, bot: BotApi) -> None:
    simulator.fault = answers(400, "proto.payload", f"Authorization: {TOKEN}")

    assert TOKEN not in repr(await bot.send([HELLO]))


async def test_the_username_is_asked_for_once_and_anew_by_check(
    simulator: Max, bot: BotApi
) -> None:
    assert [await bot.me(), await bot.me()] == ["shop_bot", "shop_bot"]
    assert [call for call, _ in simulator.calls] == ["GET /me"]
    simulator.bot["username"] = "renamed_bot"

    assert (await bot.check()).text == "@renamed_bot"


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (answers(401, "verify.token", "Invalid access_token"), "Invalid access_token"),
        (Fault(status=502), "http-502"),
        (Fault(status=200, body="{}", content_type="application/json"), "unreadable"),
        (Fault(status=200, body='{"user_id": 1}', content_type="application/json"), "public name"),
    ],
)
async def test_a_username_that_is_not_told_is_unavailable(
    simulator: Max, bot: BotApi, fault: Fault, text: str
) -> None:
    simulator.fault = fault

    with pytest.raises(Unavailable, match=text):
        await bot.me()


async def test_a_certificate_that_is_not_trusted_is_told_with_the_way_out(
    http: ProviderHttp, tmp_path: Path
) -> None:
    made, other = authority(tmp_path), authority(tmp_path, "Another Root CA")
    simulator = Max()
    simulator.tls = made.server
    async with simulator:
        simulator.add_person(42)

        def bot(ca_file: Path | None) -> BotApi:
            token = SecretStr(TOKEN)
            config = BotApiConfig(token=token, base_url=simulator.url, ca_file=ca_file)
            return BotApi(config, http)

        without, wrong = await bot(None).check(), await bot(other.ca_file).check()
        right = await bot(made.ca_file).check()
        refused = await bot(None).send([HELLO])
        taken = await bot(made.ca_file).send([HELLO])

    assert not without.ok
    assert "ca_file" in without.text
    assert "docs/providers/max.md" in without.text
    assert not wrong.ok
    assert str(other.ca_file) in wrong.text
    assert right.ok
    assert refused == [Retry("untrusted-certificate")]
    assert isinstance(taken[0], Accepted)


def test_a_file_without_certificates_is_refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")
    for path, reason in ((empty, "no certificate"), (tmp_path / "missing.pem", "cannot be read")):
        with pytest.raises(ValidationError, match=reason):
            BotApiConfig(token=SecretStr("t"), ca_file=path)


@pytest.mark.parametrize("token", ["", "a b", "a\n", "токен"])
def test_a_token_in_pieces_is_refused_without_being_shown(token: str) -> None:
    with pytest.raises(ValidationError, match="in one piece") as raised:
        BotApiConfig(token=SecretStr(token))

    assert f"'{token}'" not in str(raised.value)


def test_the_settings_never_show_the_token() -> None:
    config = BotApiConfig(token=SecretStr("tok-secret"))

    assert "secret" not in f"{config!r} {config} {config.model_dump_json()}"
    assert config.base_url == "https://platform-api2.max.ru"


@pytest.mark.parametrize(
    ("url", "is_called"),
    [
        ("https://hub.example/hooks/a", True),
        ("https://hub.example:443/hooks/a", True),
        ("https://hub.example:8443/hooks/a", False),
        ("http://hub.example/hooks/a", False),
    ],
)
def test_only_https_at_443_is_called(bot: BotApi, url: str, is_called: bool) -> None:
    assert (bot.hook_problem(url) == "") is is_called


# -- updates ---------------------------------------------------------------------------------

_PERSON = {"user_id": 5, "first_name": "Anna", "name": "Anna", "is_bot": False}
_GROUP = {"chat_id": -7001, "chat_type": "chat"}
_DIALOG = {"chat_id": 10, "chat_type": "dialog", "user_id": 1}
_STARTED = {"update_type": "bot_started", "timestamp": 1, "chat_id": 10, "user": _PERSON}


def _update(kind: str, **content: Any) -> dict[str, Any]:
    return {"update_type": kind, "timestamp": 1764000000000, **content}


def _message(recipient: dict[str, Any], **sender: Any) -> dict[str, Any]:
    body = {"mid": "mid.1", "seq": 1, "text": "Hi"}
    return {"sender": {**_PERSON, **sender}, "recipient": recipient, "body": body}


@pytest.mark.parametrize(
    ("raw", "chat"),
    [
        (_STARTED, "5"),
        (_update("bot_stopped", chat_id=10, user=_PERSON), "5"),
        (_update("bot_added", chat_id=-7001, user=_PERSON, is_channel=False), "-7001"),
        (_update("bot_removed", chat_id=-7001, user=_PERSON, is_channel=False), "-7001"),
        (_update("message_created", message=_message(_DIALOG)), "5"),
        (_update("message_created", message=_message(_GROUP)), "-7001"),
        (_update("message_created", message=_message({**_GROUP, "chat_type": "channel"})), ""),
        (_update("message_created", message=_message(_DIALOG, is_bot=True)), ""),
        # Its id would be taken for a person's.
        (_update("message_created", message=_message({**_GROUP, "chat_id": 7})), ""),
        (_update("message_callback", callback={"user": _PERSON}, message=None), "5"),
        (
            _update("message_callback", callback={"user": _PERSON}, message=_message(_GROUP)),
            "-7001",
        ),
        (_update("message_callback", message=None), ""),
    ],
)
def test_an_update_is_of_a_person_or_a_group(raw: dict[str, Any], chat: str) -> None:
    assert chat_of(raw) == chat
    assert incoming(raw).chat == chat


def test_what_is_told_twice_has_the_same_name_and_nothing_else_has() -> None:
    press = {"callback_id": "c1", "payload": "1", "user": _PERSON}
    found = [
        _STARTED,
        {**_STARTED, "timestamp": 2},
        {**_STARTED, "user": {**_PERSON, "user_id": 6}},
        {**_STARTED, "update_type": "bot_stopped"},
        _update("message_callback", callback=press),
        _update("message_callback", callback={**press, "callback_id": "c2"}),
        _update("message_created", message=_message(_DIALOG)),
    ]

    assert len({incoming(raw).event for raw in found}) == len(found)
    assert incoming(_STARTED) == incoming(json.loads(json.dumps(_STARTED)))
    assert incoming({**_STARTED, "user_locale": "en"}).event == incoming(_STARTED).event


def test_the_hook_needs_its_secret() -> None:
    def ask(body: bytes, **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return read_hook(HookRequest("POST", named, {}, body), ["s3-secret"])

    body = json.dumps(_STARTED).encode()
    [found], reply = ask(body, x_max_bot_api_secret="s3-secret")
    assert (found.chat, reply.status) == ("5", 200)
    for headers in ({}, {"x_max_bot_api_secret": "ё"}):
        with pytest.raises(BadHook) as forged:
            ask(body, **headers)
        assert forged.value.forged
    for wrong in (b"", b"[]", b"null", b"{}", b'{"update_type": "x"}', b"[" * 100_000):
        with pytest.raises(BadHook):
            ask(wrong, x_max_bot_api_secret="s3-secret")
