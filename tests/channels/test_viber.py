"""A Viber bot: single messages and broadcasts, keyboards, what its statuses mean, what it calls with."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import pytest
from pydantic import ValidationError

from channels.base import (
    Accepted,
    BadHook,
    Button,
    Heard,
    HookRequest,
    Message,
    Outcome,
    Receipt,
    ReceiptStatus,
    Refused,
    Retry,
    Scope,
    Told,
    Unavailable,
)
from channels.http import ProviderHttp
from channels.updates import Incoming
from channels.viber import updates
from channels.viber.bot_api import BotApi, BotApiConfig
from tests.simulators.base import Sent
from tests.simulators.viber import TOKEN, URI, ViberSimulator, about, event, said, signed

ANNA = "jc9HsWTZ2Yf2NkRZ8KcNug=="
BORIS = "fd4HsWT33Yf1BkRZ8KcBsk=="
VERA = "ABB102akPCRKFaqxWnafEIA="
AT = datetime.fromtimestamp(1760000000, UTC)


@pytest.fixture
async def simulator() -> AsyncIterator[ViberSimulator]:
    async with ViberSimulator() as simulator:
        simulator.subscribers = {ANNA, BORIS, VERA}
        yield simulator


@pytest.fixture
async def http() -> AsyncIterator[ProviderHttp]:
    http = ProviderHttp()
    yield http
    await http.close()


def settings(simulator: ViberSimulator, **changes: Any) -> BotApiConfig:
    given = {"token": TOKEN, "sender": "Ромашка", "base_url": simulator.base_url}
    return BotApiConfig.model_validate(given | changes)


@pytest.fixture
def bot(simulator: ViberSimulator, http: ProviderHttp) -> BotApi:
    return BotApi(settings(simulator), http)


def message(to: str = ANNA, **changes: Any) -> Message:
    return replace(Message(f"key-{to}", to, "Заказ 1001 отправлен", batch_key="b"), **changes)


async def send(bot: BotApi, *messages: Message) -> list[Outcome]:
    return list(chain.from_iterable([await bot.send(call) for call in bot.split(messages)]))


class TestOneMessage:
    async def test_looks_so_on_the_wire(
        self, simulator: ViberSimulator, http: ProviderHttp
    ) -> None:
        bot = BotApi(settings(simulator, avatar="https://shop.example/a.png"), http)

        [outcome] = await bot.send([message()])

        # Larger than 2^53, and whole.
        assert outcome == Accepted(f"4912661846655238146:{ANNA}")
        assert simulator.calls == [
            (
                "send_message",
                {
                    "receiver": ANNA,
                    "min_api_version": 1,
                    "sender": {"name": "Ромашка", "avatar": "https://shop.example/a.png"},
                    "tracking_data": f"key-{ANNA}",
                    "type": "text",
                    "text": "Заказ 1001 отправлен",
                },
            )
        ]

    async def test_has_a_keyboard_for_its_buttons(
        self, bot: BotApi, simulator: ViberSimulator
    ) -> None:
        rows = (
            (Button("Где <он>?", url="https://shop.example/o/1"),),
            (Button("Да", "set:1"), Button("Нет", "set:0")),
            tuple(Button(str(n), f"set:{n}") for n in range(4)),
        )

        await send(bot, message(buttons=rows))

        keyboard = simulator.messages("send_message")[0]["keyboard"]
        assert (keyboard["Type"], keyboard["DefaultHeight"]) == ("keyboard", False)
        assert keyboard["Buttons"][:3] == [
            {
                "Columns": 6,
                "Rows": 1,
                "Text": "Где &lt;он&gt;?",
                "ActionType": "open-url",
                "ActionBody": "https://shop.example/o/1",
            },
            {
                "Columns": 3,
                "Rows": 1,
                "Text": "Да",
                "ActionType": "reply",
                "ActionBody": "/press set:1",
                "Silent": True,
            },
            {
                "Columns": 3,
                "Rows": 1,
                "Text": "Нет",
                "ActionType": "reply",
                "ActionBody": "/press set:0",
                "Silent": True,
            },
        ]
        assert [b["Columns"] for b in keyboard["Buttons"][3:]] == [2, 2, 1, 1]

    @pytest.mark.parametrize(
        ("rows", "words"),
        [
            (((Button("a", "1"),),) * 13, "12 rows"),
            ((tuple(Button(str(n), "1") for n in range(7)),), "1 to 6 buttons"),
            (((),), "1 to 6 buttons"),
            (((Button("", "1"),),), "needs a text"),
        ],
    )
    async def test_that_phones_would_refuse_is_not_sent(
        self,
        bot: BotApi,
        simulator: ViberSimulator,
        rows: tuple[tuple[Button, ...], ...],
        words: str,
    ) -> None:
        [outcome] = await send(bot, message(buttons=rows))

        assert isinstance(outcome, Refused)
        assert outcome.scope is Scope.MESSAGE
        assert words in outcome.reason
        assert not simulator.calls

    async def test_may_have_seven_thousand_characters(
        self, bot: BotApi, simulator: ViberSimulator
    ) -> None:
        fits, longer = await send(bot, message(text="я" * 7000), message(BORIS, text="я" * 7001))

        assert isinstance(fits, Accepted)
        assert isinstance(longer, Refused)
        assert (longer.scope, longer.code) == (Scope.MESSAGE, "text-too-long")
        assert len(simulator.calls) == 1


class TestBroadcasts:
    async def test_carry_equal_texts(self, bot: BotApi, simulator: ViberSimulator) -> None:
        outcomes = await send(bot, message(), message(BORIS), message(VERA))

        assert outcomes == [Accepted(f"4912661846655238146:{to}") for to in (ANNA, BORIS, VERA)]
        [call] = simulator.messages("broadcast_message")
        assert call["broadcast_list"] == [ANNA, BORIS, VERA]
        assert "receiver" not in call

    def test_hold_300_at_most(self, bot: BotApi) -> None:
        many = [message(f"person{n}==") for n in range(700)]

        assert [len(call) for call in bot.split(many)] == [300, 300, 100]

    def test_hold_nothing_that_differs(self, bot: BotApi) -> None:
        url = ((Button("a", url="https://a.example"),),)
        differing = [
            message(),
            message(BORIS, text="Заказ 1002 отправлен"),
            message(VERA, buttons=url),
            message("x==", batch_key="another"),
        ]

        assert [len(call) for call in bot.split(differing)] == [1, 1, 1, 1]

    def test_hold_an_address_once(self, bot: BotApi) -> None:
        calls = bot.split([message(), message(BORIS), message(key="again")])

        assert [[m.key for m in call] for call in calls] == [
            [f"key-{ANNA}", f"key-{BORIS}"],
            ["again"],
        ]

    async def test_leave_out_what_viber_would_fill_in_or_has_no_room_for(
        self, bot: BotApi, simulator: ViberSimulator
    ) -> None:
        for text in ("Пишите replace_me_with_user_name", "😀" * 7000):
            calls = bot.split([message(text=text), message(BORIS, text=text)])
            assert [len(call) for call in calls] == [1, 1]
        many = [message(f"{n:0>22}==", text="я" * 7000) for n in range(300)]
        simulator.subscribers |= {m.to for m in many}

        outcomes = await send(bot, *many)

        assert all(isinstance(outcome, Accepted) for outcome in outcomes)
        assert len(simulator.messages("broadcast_message")) == 1

    async def test_tell_of_each_whom_they_did_not_reach(
        self, bot: BotApi, simulator: ViberSimulator
    ) -> None:
        simulator.subscribers.remove(BORIS)
        simulator.codes[VERA] = 11

        anna, boris, vera = await send(bot, message(), message(BORIS), message(VERA))

        assert isinstance(anna, Accepted)
        assert boris == Refused(Scope.RECIPIENT, "6", "receiverNotSubscribed", suppress=True)
        assert vera == Refused(Scope.RECIPIENT, "11", "receiverNoSuitableDevice", suppress=False)

    async def test_that_are_not_allowed_become_single_messages(
        self, bot: BotApi, simulator: ViberSimulator
    ) -> None:
        simulator.may_broadcast = False
        both = (message(), message(BORIS))

        first = await send(bot, *both)
        second = await send(bot, *both)

        assert first == [Retry("broadcast-not-allowed", throttled=True, alone=True)] * 2
        assert all(isinstance(outcome, Accepted) for outcome in second)
        assert len(simulator.messages("broadcast_message")) == 1

    async def test_that_are_refused_as_a_whole_suppress_nobody(
        self, bot: BotApi, simulator: ViberSimulator
    ) -> None:
        simulator.code = 6

        outcomes = await send(bot, message(), message(BORIS))

        assert [o.suppress for o in outcomes if isinstance(o, Refused)] == [False, False]


class TestStatuses:
    @pytest.mark.parametrize(
        ("status", "scope", "suppress"),
        [
            *((status, Scope.ACCOUNT, True) for status in (1, 2, 7, 8, 9, 10, 15, 19, 20)),
            *((status, Scope.ACCOUNT, True) for status in (21, 22, 23, 24)),
            *((status, Scope.RECIPIENT, True) for status in (5, 6)),
            *((status, Scope.RECIPIENT, False) for status in (11, 13)),
            *((status, Scope.MESSAGE, True) for status in (3, 4, 14, 16, 17, 18)),
        ],
    )
    async def test_that_refuse(
        self, bot: BotApi, simulator: ViberSimulator, status: int, scope: Scope, suppress: bool
    ) -> None:
        simulator.code = status

        [outcome] = await send(bot, message())

        assert isinstance(outcome, Refused)
        assert (outcome.scope, outcome.code, outcome.suppress) == (scope, str(status), suppress)
        assert outcome.reason

    @pytest.mark.parametrize("status", [-1, 99])
    async def test_that_say_nothing_are_tried_again(
        self, bot: BotApi, simulator: ViberSimulator, status: int
    ) -> None:
        simulator.code = status

        assert await send(bot, message()) == [Retry(f"viber-{status}")]

    async def test_of_too_many_messages_mean_one_person_or_the_broadcast(
        self, bot: BotApi, simulator: ViberSimulator
    ) -> None:
        simulator.code = 12

        [one] = await send(bot, message())
        many = await send(bot, message(), message(BORIS))

        assert one == Retry("throttled", throttled=True, alone=True)
        assert many == [Retry("throttled", throttled=True)] * 2


SENT = Sent(to=ANNA, text="", provider_id=f"4912661846655238145:{ANNA}")


class TestCalls:
    @pytest.mark.parametrize(
        ("name", "fields", "expected"),
        [
            ("delivered", {}, Receipt(ReceiptStatus.DELIVERED, SENT.provider_id, at=AT)),
            ("seen", {}, Receipt(ReceiptStatus.READ, SENT.provider_id, at=AT)),
            (
                "failed",
                {"desc": "failure description"},
                Receipt(ReceiptStatus.FAILED, SENT.provider_id, text="failure description", at=AT),
            ),
        ],
    )
    def test_about_a_message(
        self, bot: BotApi, name: str, fields: dict[str, str], expected: Receipt
    ) -> None:
        assert bot.read_hook(about(SENT, name, **fields)) == Told([expected])

    def test_with_words(self, bot: BotApi) -> None:
        told = bot.read_hook(said(ANNA, "Где заказ?"))

        assert told == Told(heard=[Heard(ANNA, "Где заказ?", "4912661846655238145", AT)])

    def test_with_a_picture(self, bot: BotApi) -> None:
        call = event("message", sender={"id": ANNA}, message={"type": "picture", "media": "…"})

        assert [heard.text for heard in bot.read_hook(call).heard] == ["[picture]"]

    def test_of_somebody_who_left(self, bot: BotApi) -> None:
        told = bot.read_hook(event("unsubscribed", user_id=ANNA))

        [receipt] = told.receipts
        assert (receipt.status, receipt.address) == (ReceiptStatus.UNSUBSCRIBED, ANNA)

    @pytest.mark.parametrize(
        "call",
        [
            event("webhook"),
            event("subscribed", user={"id": ANNA}),
            event("conversation_started", user={"id": ANNA}, subscribed=False),
            event("client_status", user={"id": ANNA}),
            event("delivered"),
            signed("{}"),
        ],
        ids=lambda call: call.body.decode()[:30],
    )
    def test_that_say_nothing_of_messages_are_taken(self, bot: BotApi, call: HookRequest) -> None:
        assert bot.read_hook(call) == Told()

    def test_are_signed_with_the_token(self) -> None:
        # Computed for this project and checked against viberbot 1.0.12.
        body = (
            '{"event":"delivered","timestamp":1760000000000,'
            '"message_token":4912661846655238145,"user_id":"u=="}'
        )
        signature = "6c009309d622afd4a93b71cc09eddd8520d5cd34d53b3ece2b0f2b9a8e7e9477"
        call = HookRequest("POST", {"x-viber-content-signature": signature}, {}, body.encode())

        [receipt] = updates.read(call, "tok").told.receipts

        assert receipt.provider_id == "4912661846655238145:u=="
        with pytest.raises(BadHook) as forged:
            updates.read(replace(call, body=body.replace("u==", "v==").encode()), "tok")
        assert forged.value.forged


class TestConversations:
    """What a bot that talks makes of a call."""

    @pytest.mark.parametrize(
        ("call", "kind"),
        [
            (said(ANNA, "Привет"), "message"),
            (event("subscribed", user={"id": ANNA}), "subscribed"),
            (event("unsubscribed", user_id=ANNA), "unsubscribed"),
            (
                event("conversation_started", user={"id": ANNA}, context="t", subscribed=True),
                "conversation_started",
            ),
        ],
    )
    def test_are_kept_as_they_came(self, call: HookRequest, kind: str) -> None:
        found = updates.read(call, TOKEN)

        assert isinstance(found.incoming, Incoming)
        assert (found.incoming.event, found.incoming.chat) == (f"{kind}:4912661846655238145", ANNA)
        assert found.incoming.raw["event"] == kind
        assert found.opened is None

    def test_that_begin_may_be_welcomed(self) -> None:
        call = event("conversation_started", user={"id": ANNA}, context="t0ken", subscribed=False)
        plain = event("conversation_started", user={"id": ANNA}, subscribed=False)

        assert updates.read(call, TOKEN).opened == "t0ken"
        assert updates.read(plain, TOKEN).opened == ""
        assert updates.read(call, TOKEN).incoming is None

    def test_of_subscribers_need_no_welcome(self) -> None:
        call = event("conversation_started", user={"id": ANNA}, subscribed=True)

        assert updates.read(call, TOKEN) == updates.Read(Told())

    def test_welcome_with_a_button_that_brings_the_token_back(self, bot: BotApi) -> None:
        welcome = bot.welcome("t0ken")

        assert welcome["tracking_data"] == "start:t0ken"
        assert "receiver" not in welcome
        [button] = welcome["keyboard"]["Buttons"]
        assert (button["Text"], button["ActionBody"]) == ("Начать", "/start t0ken")
        assert bot.welcome("")["keyboard"]["Buttons"][0]["ActionBody"] == "/start"


class TestTheBot:
    async def test_names_its_uri_once(self, bot: BotApi, simulator: ViberSimulator) -> None:
        assert [await bot.me(), await bot.me()] == [URI, URI]
        assert len(simulator.calls) == 1

    async def test_says_whether_it_hears(self, bot: BotApi, simulator: ViberSimulator) -> None:
        before = await bot.check()
        simulator.webhook = "https://hub.example/hooks/x"
        after = await bot.check()

        assert before.ok
        assert before.text == "Ромашка, no webhook is set yet"
        assert after.text == "Ромашка, it calls back"

    async def test_is_refused_a_webhook_that_does_not_answer(
        self, bot: BotApi, simulator: ViberSimulator
    ) -> None:
        with pytest.raises(Unavailable, match="1 invalidUrl"):
            await bot.set_webhook(f"{simulator.url}/nothing-here")

    def test_is_called_by_https_alone(self, bot: BotApi) -> None:
        assert bot.hook_problem("https://hub.example/hooks/x") == ""
        assert "public_url" in bot.hook_problem("http://hub.example/hooks/x")

    @pytest.mark.parametrize(
        ("wrong", "where"),
        [
            ({"sender": "Магазин с очень длинным именем"}, "sender"),
            ({"sender": ""}, "sender"),
            ({"avatar": "a.png"}, "avatar"),
            ({"token": ""}, "token"),
        ],
    )
    def test_has_settings_that_are_checked(
        self, simulator: ViberSimulator, wrong: dict[str, str], where: str
    ) -> None:
        with pytest.raises(ValidationError) as refused:
            settings(simulator, **wrong)

        assert refused.value.errors()[0]["loc"] == (where,)
        assert TOKEN not in str(refused.value)
