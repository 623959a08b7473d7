"""`vestnik check`: tries every account against its provider, sending nothing, and says a line of each."""

import asyncio
import sys
from collections.abc import Sequence
from datetime import timedelta

from channels.base import Check
from channels.http import ProviderHttp
from channels.registry import SANDBOX, build
from hub.config import Account, Settings
from hub.logs import redact

_PATIENCE = timedelta(seconds=30)


def run(settings: Settings) -> int:
    """0: every account answered well; 1: at least one did not."""
    return asyncio.run(_check_all(settings))


async def _check_all(settings: Settings) -> int:
    accounts = [(slug, a) for slug, shop in settings.shops.items() for a in shop.accounts]
    if not accounts:
        _say(
            "no accounts are set: every channel is carried by the sandbox, nothing leaves this machine"
        )
        return 0
    http = ProviderHttp(allow=settings.hub.outgoing_allow)
    try:
        results = await asyncio.gather(*(_check(account, http) for _, account in accounts))
    finally:
        await http.close()
    _tell([f"{slug}/{account.name}" for slug, account in accounts], accounts, results)
    return 0 if all(result.ok for result in results) else 1


def _tell(
    names: Sequence[str], accounts: Sequence[tuple[str, Account]], results: Sequence[Check]
) -> None:
    width = max(map(len, names))
    for name, (_, account), result in zip(names, accounts, results, strict=True):
        word = "ok    " if result.ok else "FAILED"
        text = redact(result.text)
        _say(f"{word} {name:<{width}}  {account.channel}/{account.provider}: {text}")


async def _check(account: Account, http: ProviderHttp) -> Check:
    if account.provider == SANDBOX:
        return Check(True, "the sandbox keeps what it is given")
    adapter = build(account.channel, account.provider, account.config, http)
    try:
        async with asyncio.timeout(_PATIENCE.total_seconds()):
            return await adapter.check()
    except TimeoutError:
        return Check(False, f"no answer within {_PATIENCE.seconds} s")
    finally:
        await adapter.close()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
