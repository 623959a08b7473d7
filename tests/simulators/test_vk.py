"""The VK simulator stands for the real one: what the bots are going to rely on."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.simulators.vk import TOKEN, Vk


class Client:
    """Calls as a client library makes them: token and version in the query, parameters in the body."""

    def __init__(self, vk: Vk, session: aiohttp.ClientSession) -> None:
        self._vk = vk
        self._session = session

    async def __call__(self, method: str, **fields: str) -> Any:
        """The response, or the error's code."""
        query = {"access_token": TOKEN, "v": "5.199"}
        url = f"{self._vk.api_url}{method}"
        async with self._session.post(url, params=query, data=fields) as response:
            assert response.status == 200
            answer = await response.json()
        return answer["error"]["error_code"] if "error" in answer else answer["response"]

    async def poll(self, server: dict[str, str], **changes: str) -> Any:
        query = {"act": "a_check", "key": server["key"], "ts": server["ts"], "wait": "10"}
        async with self._session.post(server["server"], params=query | changes) as response:
            return await response.json()


@pytest.fixture
async def vk() -> AsyncIterator[Vk]:
    async with Vk() as simulator:
        simulator.events.first_pause = 0.01
        simulator.add_person(42)
        yield simulator


@pytest.fixture
async def call(vk: Vk) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession() as session:
        yield Client(vk, session)


class Hook:
    """The community's own server: what it heard, and what it answers first, `ok` when that is used up."""

    def __init__(self, confirmation: str) -> None:
        self.confirmation = confirmation
        self.heard: list[dict[str, Any]] = []
        self.retries: list[str | None] = []
        self.answers: list[str] = []
        self.enough = asyncio.Event()
        self.wanted = 1

    async def hear(self, request: web.Request) -> web.Response:
        event = await request.json()
        if event["type"] == "confirmation":
            return web.Response(text=self.confirmation)
        self.heard.append(event)
        self.retries.append(request.headers.get("X-Retry-Counter"))
        if len(self.heard) >= self.wanted:
            self.enough.set()
        return web.Response(text=self.answers.pop(0) if self.answers else "ok")


@pytest.fixture
async def hook(vk: Vk) -> AsyncIterator[tuple[Hook, str]]:
    heard = Hook(vk.events.confirmation)
    app = web.Application()
    app.router.add_post("/hook", heard.hear)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield heard, f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    await runner.cleanup()


async def subscribe(call: Client, url: str) -> None:
    server = await call("groups.addCallbackServer", url=url, title="hub", secret_key="s3")
    switched_on = {"message_new": "1", "message_event": "1", "message_allow": "1"}
    await call("groups.setCallbackSettings", server_id=str(server["server_id"]), **switched_on)


async def test_long_poll_tells_what_happened_after_ts(vk: Vk, call: Client) -> None:
    server = await call("groups.getLongPollServer", group_id="1")
    vk.say(42, "Начать", ref="a1B2", payload='{"command":"start"}')
    vk.press(42, 1, {"k": "s:1:1"})
    vk.allow(43, "key")
    vk.deny(43)

    answer = await call.poll(server)

    assert [event["type"] for event in answer["updates"]] == [
        "message_new",
        "message_event",
        "message_allow",
        "message_deny",
    ]
    assert answer["updates"][0]["object"]["message"]["ref"] == "a1B2"
    assert answer["ts"] == "4"


async def test_a_poll_waits_for_what_is_said(vk: Vk, call: Client) -> None:
    server = await call("groups.getLongPollServer", group_id="1")

    async with asyncio.TaskGroup() as tasks:
        poll = tasks.create_task(call.poll(server))
        await vk.events.polled.wait()
        vk.say(42, "Hi")

    assert poll.result()["updates"][0]["object"]["message"]["text"] == "Hi"


async def test_long_poll_fails_in_each_of_its_ways(vk: Vk, call: Client) -> None:
    server = await call("groups.getLongPollServer", group_id="1")
    vk.events.failures.extend([1, 3])

    lost = await call.poll(server)
    both = await call.poll(server)
    ahead = await call.poll(server, ts="30")
    vk.events.expire_key()
    expired = await call.poll(server)

    assert lost == {"failed": 1, "ts": "0"}
    assert both == {"failed": 3}
    assert ahead == {"failed": 1, "ts": "0"}
    assert expired == {"failed": 2}


async def test_callback_is_confirmed_then_pushed_until_ok_with_the_secret(
    vk: Vk, call: Client, hook: tuple[Hook, str]
) -> None:
    heard, url = hook
    heard.answers, heard.wanted = ["later", '"ok"'], 3
    await subscribe(call, url)

    event_id = vk.say(42, "Hi")
    await asyncio.wait_for(heard.enough.wait(), 5)

    assert [event["event_id"] for event in heard.heard] == [event_id] * 3
    assert {event["secret"] for event in heard.heard} == {"s3"}
    assert heard.retries == [None, "1", "2"]


async def test_callback_can_repeat_what_was_delivered(
    vk: Vk, call: Client, hook: tuple[Hook, str]
) -> None:
    heard, url = hook
    heard.wanted = 2
    await subscribe(call, url)

    event_id = vk.say(42, "Hi")
    vk.events.push_again(event_id)
    await asyncio.wait_for(heard.enough.wait(), 5)

    assert [event["event_id"] for event in heard.heard] == [event_id] * 2


async def test_a_server_with_another_code_hears_nothing(
    vk: Vk, call: Client, hook: tuple[Hook, str]
) -> None:
    heard, url = hook
    heard.confirmation = "wrong"
    await subscribe(call, url)

    vk.say(42, "Hi")

    servers = await call("groups.getCallbackServers", group_id="1")
    assert servers["items"][0]["status"] == "failed"
    assert vk.events.pushed == []


async def test_a_press_is_answered_once_and_within_a_minute(vk: Vk, call: Client) -> None:
    to = {"user_id": "42", "peer_id": "42"}
    press, late = vk.press(42, 1, {"k": "1"}), vk.press(42, 1, {"k": "1"})

    answers = [
        await call("messages.sendMessageEventAnswer", event_id=press, **to),
        await call("messages.sendMessageEventAnswer", event_id=press, **to),
    ]
    vk.pass_time(timedelta(seconds=61))
    too_late = await call("messages.sendMessageEventAnswer", event_id=late, **to)

    assert answers == [1, 100]
    assert too_late == 100


async def test_an_edit_replaces_the_message_while_it_is_young(vk: Vk, call: Client) -> None:
    keyboard = json.dumps({"inline": True, "buttons": [[_button("Да")]]})
    sent = await call(
        "messages.send", peer_ids="42", random_id="1", message="Hi", keyboard=keyboard
    )
    to = {"peer_id": "42", "conversation_message_id": str(sent[0]["conversation_message_id"])}

    edited = await call("messages.edit", **to, message="Bye")
    vk.pass_time(timedelta(hours=25))
    too_late = await call("messages.edit", **to, message="Bye, bye")

    assert (edited, too_late) == (1, 909)
    message = vk.dialogs[42].messages[1]
    assert (message["text"], message["keyboard"]) == ("Bye", {})


async def test_execute_makes_its_calls_one_by_one(vk: Vk, call: Client) -> None:
    calls = [{"peer_id": peer, "random_id": 1, "message": "Hi"} for peer in (42, 999)]
    code = ",".join(f"API.messages.send({json.dumps(fields)})" for fields in calls)

    results = await call("execute", code=f"return [{code}];")

    assert results == [11, False]


def _button(label: str, **action: Any) -> dict[str, Any]:
    return {"action": {"type": "callback", "label": label, "payload": "{}", **action}}


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"random_id": ""}, 100),
        ({"message": ""}, 100),
        ({"message": "я" * 4097}, 914),
        ({"peer_ids": ",".join(map(str, range(1, 102)))}, 100),
        ({"keyboard": json.dumps({"inline": True, "buttons": [[_button("Да")]] * 7})}, 911),
        ({"keyboard": json.dumps({"inline": True, "buttons": [[_button("Да")] * 6]})}, 911),
        ({"keyboard": json.dumps({"inline": True, "buttons": [[_button("я" * 41)]]})}, 911),
        (
            {
                "keyboard": json.dumps(
                    {"inline": True, "buttons": [[_button("Да", payload='"' + "a" * 254 + '"')]]}
                )
            },
            911,
        ),
        ({"keyboard": json.dumps({"inline": True, "one_time": True, "buttons": []})}, 911),
        ({"v": "5.80"}, 8),
        ({"access_token": "other"}, 5),
    ],
)
async def test_what_the_real_one_refuses_is_refused(
    vk: Vk, call: Client, fields: dict[str, str], code: int
) -> None:
    good = {"peer_ids": "42", "random_id": "1", "message": "Hi"}

    assert await call("messages.send", **good | fields) == code
    assert not vk.sent


async def test_a_message_read_is_told(vk: Vk, call: Client) -> None:
    server = await call("groups.getLongPollServer", group_id="1")
    await call("messages.send", peer_ids="42", random_id="1", message="Hi")

    vk.read(42)

    [event] = (await call.poll(server))["updates"]
    assert event["type"] == "message_read"
    assert event["object"]["conversation_message_id"] == 1
