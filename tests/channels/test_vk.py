"""VK's own ways: who goes into one call, what makes a repeat, what each code comes to."""

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from channels.base import Accepted, Button, Message, Outcome, Refused, Retry, Scope, Unavailable
from channels.http import ProviderHttp
from channels.vk.community import BATCH_SIZE, Community, CommunityConfig
from channels.vk.keyboard import keyboard_problem
from tests.simulators.base import Fault
from tests.simulators.vk import GROUP_ID, TOKEN, Vk

CONFIG = CommunityConfig(token=SecretStr(TOKEN), group_id=GROUP_ID)
HELLO = Message("k1", "42", "Hello", batch_key="b1")
YES_NO = ((Button("Есть", data="s:1:1"), Button("Нет", data="s:1:0")),)


@pytest.fixture
async def vk() -> AsyncIterator[Vk]:
    async with Vk() as simulator:
        for peer in range(42, 50):
            simulator.add_person(peer)
        yield simulator


@pytest.fixture
async def http() -> AsyncIterator[ProviderHttp]:
    door = ProviderHttp(timeout=timedelta(seconds=2))
    yield door
    await door.close()


@pytest.fixture
def community(vk: Vk, http: ProviderHttp) -> Community:
    return Community(CONFIG.model_copy(update={"base_url": vk.api_url.rstrip("/")}), http)


def batch(*peers: int, text: str = "Sale", batch_key: str = "b1") -> list[Message]:
    return [Message(f"k{peer}", str(peer), text, batch_key=batch_key) for peer in peers]


def items(*answers: object) -> Fault:
    return says({"response": list(answers)})


def says(body: object) -> Fault:
    return Fault(status=200, body=json.dumps(body), content_type="application/json")


# -- what goes into one call -----------------------------------------------------------------


def split(messages: Sequence[Message]) -> list[list[str]]:
    """Without a door: `split` asks nobody."""
    calls = Community(CONFIG, None).split(messages)  # type: ignore[arg-type]
    return [[message.key for message in call] for call in calls]


def test_equal_texts_of_one_batch_share_a_call() -> None:
    assert split(batch(42, 43, 44)) == [["k42", "k43", "k44"]]


@pytest.mark.parametrize(
    "other",
    [
        {"text": "Another"},
        {"buttons": YES_NO},
        {"batch_key": "b2"},
    ],
)
def test_anything_different_needs_a_call_of_its_own(other: dict[str, object]) -> None:
    one, two = batch(42, 43)

    assert split([one, replace(two, **other)]) == [["k42"], ["k43"]]  # type: ignore[arg-type]


def test_without_a_batch_key_each_message_goes_alone() -> None:
    assert split(batch(42, 43, batch_key="")) == [["k42"], ["k43"]]


def test_a_hundred_fit_into_a_call() -> None:
    assert [len(call) for call in split(batch(*range(1, 251)))] == [100, 100, 50]


def test_a_peer_is_once_in_a_call() -> None:
    first, second, other = (*batch(42, 42), *batch(43))

    assert split([first, replace(second, key="again"), other]) == [["k42"], ["again", "k43"]]


def test_what_one_person_gets_stays_in_order() -> None:
    sale, more, sale_again = batch(42)[0], batch(42, text="More")[0], batch(42)[0]

    calls = split([sale, replace(more, key="more"), replace(sale_again, key="again")])

    assert calls == [["k42"], ["more"], ["again"]]


@given(
    st.lists(
        st.builds(
            Message,
            key=st.uuids().map(str),
            to=st.sampled_from("1234"),
            text=st.sampled_from("ab"),
            batch_key=st.sampled_from(["", "b1", "b2"]),
        ),
        max_size=60,
    )
)
def test_whatever_comes_is_split_into_lawful_calls(messages: list[Message]) -> None:
    calls = Community(CONFIG, None).split(messages)  # type: ignore[arg-type]

    assert sorted(m.key for m in chain(*calls)) == sorted(m.key for m in messages)
    for call in calls:
        assert 1 <= len(call) <= BATCH_SIZE
        assert len({message.to for message in call}) == len(call)
        assert len({(m.text, m.batch_key or m.key) for m in call}) == 1
    for peer in "1234":
        assert [m.key for m in chain(*calls) if m.to == peer] == [
            m.key for m in messages if m.to == peer
        ]


# -- repeats ---------------------------------------------------------------------------------


async def test_a_message_repeated_alone_is_known_from_its_batch(
    vk: Vk, community: Community
) -> None:
    messages = batch(42, 43, 44)
    await community.send(messages)

    again = [await community.send([message]) for message in messages]

    assert [outcome for [outcome] in again] == [
        Accepted("42:1"),
        Accepted("43:1"),
        Accepted("44:1"),
    ]
    assert len(vk.sent) == 3


async def test_a_batch_whose_answer_was_lost_reaches_nobody_twice(
    vk: Vk, community: Community
) -> None:
    vk.faults.append(Fault(close=True, after_taking=True))
    messages = batch(42, 43)

    lost = await community.send(messages)
    again = await community.send(messages)

    assert all(isinstance(outcome, Retry) and outcome.maybe_sent for outcome in lost)
    assert again == [Accepted("42:1"), Accepted("43:1")]
    assert len(vk.sent) == 2


async def test_another_text_or_batch_is_no_repeat(vk: Vk, community: Community) -> None:
    for message in [
        HELLO,
        replace(HELLO, text="Hello again"),
        replace(HELLO, batch_key="b2"),
        replace(HELLO, buttons=YES_NO),
        replace(HELLO, batch_key="", key="k2"),
    ]:
        await community.send([message])

    ids = [sent.extra["random_id"] for sent in vk.sent]
    assert len(set(ids)) == 5
    assert all(0 < random_id < 2**31 for random_id in ids)


async def test_a_repeat_after_vk_has_forgotten_is_a_second_message(
    vk: Vk, community: Community
) -> None:
    await community.send([HELLO])
    vk.pass_time(community.deduplicates)
    await community.send([HELLO])
    assert len(vk.sent) == 1

    vk.pass_time(timedelta(minutes=11))
    await community.send([HELLO])

    assert len(vk.sent) == 2


# -- what is sent ----------------------------------------------------------------------------


async def test_the_token_is_in_the_body_and_in_no_url(vk: Vk, community: Community) -> None:
    await community.send([HELLO])

    [(method, fields)] = vk.calls
    assert method == "messages.send"
    assert fields["access_token"] == TOKEN
    assert fields["v"] == "5.199"
    assert fields["dont_parse_links"] == "1"


async def test_buttons_become_an_inline_keyboard(vk: Vk, community: Community) -> None:
    rows = (*YES_NO, (Button("Открыть", url="https://shop.example/1"),))

    await community.send([replace(HELLO, buttons=rows)])

    yes = {"type": "callback", "label": "Есть", "payload": '{"k":"s:1:1"}'}
    no = {"type": "callback", "label": "Нет", "payload": '{"k":"s:1:0"}'}
    link = {"type": "open_link", "label": "Открыть", "link": "https://shop.example/1"}
    assert vk.sent[0].extra["buttons"] == [[{"action": yes}, {"action": no}], [{"action": link}]]


BUTTON = Button("Да", data="1")


@pytest.mark.parametrize(
    ("rows", "limit"),
    [
        ([[BUTTON]] * 7, "6 rows"),
        ([[BUTTON] * 4] * 3, "10 buttons"),
        ([[BUTTON] * 6], "5 buttons in a row"),
        ([[]], "1 to 5 buttons"),
        ([[Button("я" * 41, data="1")]], "40 characters"),
        ([[Button("", data="1")]], "1 to 40 characters"),
        ([[Button("Да", data="я" * 248)]], "255 characters"),
    ],
)
async def test_a_keyboard_over_a_limit_is_refused_with_the_limit(
    vk: Vk, community: Community, rows: list[list[Button]], limit: str
) -> None:
    buttons = tuple(tuple(row) for row in rows)

    [outcome] = await community.send([replace(HELLO, buttons=buttons)])

    assert isinstance(outcome, Refused)
    assert outcome.scope is Scope.MESSAGE
    assert limit in outcome.reason
    assert vk.requests == 0


@pytest.mark.parametrize(
    "rows",
    [[[BUTTON] * 5] * 2, [[BUTTON]] * 6, [[Button("я" * 40, data="я" * 247)]], []],
)
async def test_a_keyboard_within_the_limits_goes(
    vk: Vk, community: Community, rows: list[list[Button]]
) -> None:
    assert not keyboard_problem(rows)

    [outcome] = await community.send([replace(HELLO, buttons=tuple(tuple(row) for row in rows))])

    assert isinstance(outcome, Accepted)


# -- what comes back -------------------------------------------------------------------------


async def test_each_peer_has_its_own_outcome(vk: Vk, community: Community) -> None:
    vk.dialogs[43].refusal = 901
    vk.dialogs[44].refusal = 900
    peers = [*batch(42, 43, 44, 45, 999), replace(HELLO, to="durov", text="Sale")]

    outcomes = await community.send(peers)

    assert [_short(outcome) for outcome in outcomes] == [
        "42:1",
        ("recipient", "901"),
        ("recipient", "900"),
        "45:1",
        ("recipient", "901"),
        ("recipient", "not-a-peer"),
    ]


def _short(outcome: Outcome) -> object:
    match outcome:
        case Accepted(provider_id):
            return provider_id
        case Refused(scope, code):
            return (scope.value, code)
    return outcome


async def test_answers_are_matched_by_peer_and_not_by_place(vk: Vk, community: Community) -> None:
    vk.fault = items(
        {"peer_id": 44, "message_id": 0, "error": {"code": 901, "description": "No"}},
        {"peer_id": 43, "message_id": 12},
        {"peer_id": 42, "message_id": 11, "conversation_message_id": 3},
        {"peer_id": 46, "message_id": 0},
    )

    outcomes = await community.send(batch(42, 43, 44, 45, 46))

    assert outcomes == [
        Accepted("42:3"),
        Accepted("12"),
        Refused(Scope.RECIPIENT, "901", "No"),
        Retry("http-200-unreadable", maybe_sent=True),
        Accepted(),
    ]


RECIPIENT = [18, 113, 900, 901, 902, 932, 936, 950, 985, 987, 988]
CHAT = [917, 922, 927, 945, 946, 962, 1012]
MESSAGE = [12, 22, 100, 118, 121, 129, 910, 911, 913, 914, 921, 969, 940, 943, 944]
EDIT = [909, 920, 949]
ACCOUNT = [2, 3, 5, 7, 8, 14, 15, 17, 23, 24, 27, 28, 38, 42, 912, 979, 983, 984, 2000]


@pytest.mark.parametrize(
    ("code", "scope"),
    [
        *((code, Scope.RECIPIENT) for code in RECIPIENT + CHAT),
        *((code, Scope.MESSAGE) for code in MESSAGE + EDIT),
        *((code, Scope.ACCOUNT) for code in ACCOUNT),
    ],
)
async def test_each_code_has_one_meaning_of_a_call_and_of_a_peer(
    vk: Vk, community: Community, code: int, scope: Scope
) -> None:
    vk.faults.append(says({"error": {"error_code": code, "error_msg": "Why"}}))
    vk.faults.append(items({"peer_id": 42, "error": {"code": code, "description": "Why"}}))

    of_call, of_peer = await community.send([HELLO]), await community.send([HELLO])

    assert of_call == of_peer == [Refused(scope, str(code), "Why")]


@pytest.mark.parametrize(
    ("code", "maybe_sent", "throttled"),
    [
        (1, True, False),
        (10, True, False),
        (36, True, False),
        (13, False, False),
        (43, False, False),
        (6, False, True),
        (9, False, True),
        (29, False, True),
    ],
)
async def test_each_code_that_passes_is_waited_out(
    vk: Vk, community: Community, code: int, maybe_sent: bool, throttled: bool
) -> None:
    vk.error = code

    [outcome] = await community.send([HELLO])

    assert isinstance(outcome, Retry)
    assert (outcome.maybe_sent, outcome.throttled) == (maybe_sent, throttled)


async def test_one_refusal_for_many_people_suppresses_none_of_them(
    vk: Vk, community: Community
) -> None:
    vk.error = 901

    outcomes = await community.send(batch(42, 43))

    assert all(isinstance(outcome, Refused) and not outcome.suppress for outcome in outcomes)


async def test_a_code_that_is_not_known_switches_nobody_off(vk: Vk, community: Community) -> None:
    vk.error = 77777

    [outcome] = await community.send([HELLO])

    assert isinstance(outcome, Refused)
    assert outcome.scope is Scope.RECIPIENT
    assert not outcome.suppress


async def test_what_vk_repeats_of_the_request_does_not_come_back(
    vk: Vk, community: Community
) -> None:
    params = [{"key": "access_token", "value": TOKEN}]
    text = f"bad token {TOKEN}"
    vk.fault = says({"error": {"error_code": 5, "error_msg": text, "request_params": params}})

    [outcome] = await community.send([HELLO])

    assert TOKEN not in repr(outcome)


async def test_twenty_calls_a_second_are_vks_limit(vk: Vk, community: Community) -> None:
    vk.limited = True

    outcomes = [(await community.send([replace(HELLO, text=str(i))]))[0] for i in range(21)]

    throttled = [isinstance(outcome, Retry) and outcome.throttled for outcome in outcomes]
    assert throttled[:20] == [False] * 20
    assert throttled[20]


# -- who the account is ----------------------------------------------------------------------


async def test_the_screen_name_is_asked_for_once(vk: Vk, community: Community) -> None:
    names = [await community.me(), await community.me()]

    assert names == ["test_shop", "test_shop"]
    assert vk.requests == 1


async def test_a_token_of_another_community_fails_the_check(vk: Vk, community: Community) -> None:
    vk.group_id = 2

    check = await community.check()

    assert not check.ok
    assert "community 2, not to 1" in check.text


@pytest.mark.parametrize("fault", [Fault(status=502), says({"response": {"groups": []}})])
async def test_a_name_that_is_not_told_is_unavailable(
    vk: Vk, community: Community, fault: Fault
) -> None:
    vk.fault = fault

    with pytest.raises(Unavailable, match="VK"):
        await community.me()


@pytest.mark.parametrize(
    "wrong",
    [
        {"token": " "},
        {"group_id": 0},
        {"group_id": -1},
        {"receive": "webhook"},
        {"base_url": "vk.com"},
        {"surplus": 1},
    ],
)
def test_wrong_settings_are_refused_without_showing_secrets(wrong: dict[str, object]) -> None:
    settings = {"token": "tok-secret", "secret": "cb-secret", "group_id": 1, **wrong}

    with pytest.raises(ValidationError) as raised:
        CommunityConfig.model_validate(settings)

    assert "secret" not in str(raised.value)
    assert next(iter(wrong)) in str(raised.value)
