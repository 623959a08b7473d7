"""What the tests of SMPP have in common: an adapter that stands against its simulator."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from channels.base import Message, Outcome, Told
from channels.http import ProviderHttp
from channels.sms.smpp import Smpp
from channels.sms.smpp_config import SmppConfig
from tests.simulators.smpp import SmppSimulator

MESSAGE = Message(key="0192f3a0-0000-7000-8000-000000000001", to="+79990000001", text="Готово")
LONG = replace(MESSAGE, text="я" * 66 + "😀" + "я" * 66)


def config(smsc: SmppSimulator, **settings: Any) -> SmppConfig:
    given = {
        "base_url": f"smpp://127.0.0.1:{smsc.port}",
        "login": "shop",
        "password": "secret",
        "sender": "Romashka",
        "timeout": 2,
    }
    return SmppConfig.model_validate(given | settings)


@asynccontextmanager
async def connected(smsc: SmppSimulator, **settings: Any) -> AsyncIterator[Smpp]:
    http = ProviderHttp()
    smpp = Smpp(config(smsc, **settings), http)
    yield smpp
    await smpp.close()
    await http.close()


@asynccontextmanager
async def listening(smpp: Smpp) -> AsyncIterator[list[Told]]:
    """What it hears."""
    shelf: list[Told] = []

    async def take(told: Told) -> None:
        shelf.append(told)

    task = asyncio.create_task(smpp.listen(take))
    yield shelf
    task.cancel()
    await asyncio.wait([task])


async def send(smpp: Smpp, message: Message = MESSAGE) -> Outcome:
    [outcome] = await smpp.send([message])
    return outcome
