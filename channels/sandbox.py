"""Carries any channel without leaving the machine: the hub keeps the messages, nobody gets them."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import ClassVar

from channels.base import (
    GONE,
    Accepted,
    AccountConfig,
    Channel,
    Check,
    Limits,
    Message,
    Outcome,
    Refused,
    Scope,
    Tells,
    chunks,
)
from channels.registry import SANDBOX

BATCH_SIZE = 500

BOT_NAME = "vestnik-sandbox"
"""In links that bind a messenger. Neither Telegram nor VK allows a hyphen there, so it is nobody's."""

Keep = Callable[[Channel, Sequence[Message]], Awaitable[list[str]]]
"""Stores the messages for good and returns an id for each, in order."""


Change = Callable[[str, Message], Awaitable[bool]]
"""Puts another content into the kept message with this id; False: it is no longer there."""


class SandboxConfig(AccountConfig):
    """No keys: there is nobody to log in to."""


class Sandbox:
    """`keep` and `change` are the hub's. What they raise goes through: a store that fails is our fault, not a provider's."""

    Config: ClassVar[type[AccountConfig]] = SandboxConfig
    provider: ClassVar[str] = SANDBOX
    tells: ClassVar[Tells] = Tells.SENT
    limits: ClassVar[Limits] = Limits()
    deduplicates: ClassVar[timedelta] = timedelta(0)

    def __init__(self, channel: Channel, keep: Keep, change: Change) -> None:
        self.channel = channel
        self._keep = keep
        self._change = change

    def split(self, messages: Sequence[Message]) -> list[list[Message]]:
        return chunks(messages, BATCH_SIZE)

    async def send(self, messages: Sequence[Message]) -> list[Outcome]:
        ids = await self._keep(self.channel, messages)
        return [Accepted(id_) for _, id_ in zip(messages, ids, strict=True)]

    async def edit(self, provider_id: str, message: Message) -> Outcome:
        if await self._change(provider_id, message):
            return Accepted(provider_id)
        return Refused(Scope.MESSAGE, GONE, "the sandbox has dropped this message")

    async def me(self) -> str:
        """The name of the bot that is played."""
        return BOT_NAME

    async def check(self) -> Check:
        return Check(True, "messages are kept here and sent to nobody")

    async def close(self) -> None:
        """Nothing is held."""
