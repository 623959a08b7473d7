"""The sandbox: kept here, sent to nobody."""

from collections.abc import Sequence

import pytest

from channels import registry
from channels.base import GONE, Accepted, Channel, Message, Refused, Tells
from channels.sandbox import Sandbox

MESSAGES = [Message(f"k{i}", f"{i}@example.com", "Hi") for i in range(1001)]


class Store:
    def __init__(self) -> None:
        self.kept: list[tuple[Channel, str]] = []
        self.changed: list[tuple[str, str]] = []

    async def keep(self, channel: Channel, messages: Sequence[Message]) -> list[str]:
        self.kept += [(channel, message.key) for message in messages]
        return [f"id-{message.key}" for message in messages]

    async def change(self, id_: str, message: Message) -> bool:
        self.changed.append((id_, message.text))
        return id_ == "id-k0"


async def test_every_message_is_kept_under_its_channel_and_gets_the_stores_id() -> None:
    store = Store()

    outcomes = await Sandbox(Channel.SMS, store.keep, store.change).send(MESSAGES[:2])

    assert outcomes == [Accepted("id-k0"), Accepted("id-k1")]
    assert store.kept == [(Channel.SMS, "k0"), (Channel.SMS, "k1")]


async def test_an_edit_changes_the_kept_message_and_says_when_it_is_gone() -> None:
    store = Store()
    sandbox = Sandbox(Channel.TELEGRAM, store.keep, store.change)

    kept = await sandbox.edit("id-k0", Message("k0", "42", "New"))
    gone = await sandbox.edit("id-k9", Message("k9", "42", "New"))

    assert kept == Accepted("id-k0")
    assert isinstance(gone, Refused)
    assert gone.code == GONE
    assert store.changed == [("id-k0", "New"), ("id-k9", "New")]


def test_calls_are_of_five_hundred_messages() -> None:
    calls = Sandbox(Channel.EMAIL, Store().keep, Store().change).split(MESSAGES)

    assert [len(call) for call in calls] == [500, 500, 1]
    assert [message for call in calls for message in call] == MESSAGES


async def test_a_store_that_lost_count_is_an_error_and_not_an_outcome() -> None:
    async def keep(channel: Channel, messages: Sequence[Message]) -> list[str]:
        return ["one"]

    with pytest.raises(ValueError, match="shorter"):
        await Sandbox(Channel.SMS, keep, Store().change).send(MESSAGES[:2])


@pytest.mark.parametrize("channel", list(Channel))
async def test_it_carries_every_channel_and_can_always_be_named(channel: Channel) -> None:
    sandbox = Sandbox(channel, Store().keep, Store().change)

    assert sandbox.channel is channel
    assert sandbox.tells is Tells.SENT
    assert (await sandbox.check()).ok
    assert registry.providers(channel)[-1] == sandbox.provider
