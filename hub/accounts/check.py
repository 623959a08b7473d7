"""`vestnik check`: tries every account against its provider, sending nothing, and says a line of each."""

import asyncio
import sys
from dataclasses import dataclass
from datetime import timedelta

from channels.base import Adapter, Check, ChoosesHooks
from channels.http import ProviderHttp
from channels.registry import SANDBOX, build
from hub.accounts import hooks
from hub.config import Account, Settings
from hub.embedded.folder import kept_secret
from hub.logs import redact
from hub.tokens import Signer

_PATIENCE = timedelta(seconds=30)
_FAILED = "FAILED"


def run(settings: Settings) -> int:
    """0: every account answered well; 1: at least one did not."""
    return asyncio.run(check_all(settings))


async def check_all(settings: Settings) -> int:
    accounts = [(slug, a) for slug, shop in settings.shops.items() for a in shop.accounts]
    if not accounts:
        _say(
            "no accounts are set: every channel is carried by the sandbox, nothing leaves this machine"
        )
        return 0
    http = ProviderHttp(allow=settings.hub.outgoing_allow)
    try:
        found = await asyncio.gather(
            *(_look(settings, shop, account, http) for shop, account in accounts)
        )
    finally:
        await http.close()
    width = max(len(f"{slug}/{account.name}") for slug, account in accounts)
    for (slug, account), look in zip(accounts, found, strict=True):
        name = f"{slug}/{account.name}"
        _say(f"{look.word:<7}{name:<{width}}  {account.channel}/{account.provider}: {look.text}")
    for slug, shop in settings.shops.items():
        if shop.accounts and not any(a.enabled and not a.not_set for a in shop.accounts):
            _say(
                f"shop {slug}: every account is off or not set up, so nothing is sent;"
                " the sandbox carries only shops that name no account"
            )
    return 1 if any(look.word == _FAILED for look in found) else 0


@dataclass(frozen=True, slots=True)
class _Look:
    """One line: its first word, and what follows the account's name."""

    word: str
    text: str


async def _look(settings: Settings, shop: str, account: Account, http: ProviderHttp) -> _Look:
    if not account.enabled:
        return _Look("off", "it sends nothing (enabled = false)")
    if account.not_set:
        names = ", ".join(account.not_set)
        return _Look("unset", f"not set up: set {names} (empty in the environment)")
    result, hook = await _check(settings, shop, account, http)
    text = redact(result.text) + (f"; it calls back at {hook}" if hook else "")
    return _Look("ok" if result.ok else _FAILED, text)


async def _check(
    settings: Settings, shop: str, account: Account, http: ProviderHttp
) -> tuple[Check, str]:
    """And the address at which the provider calls back, where it does."""
    if account.provider == SANDBOX:
        return Check(True, "the sandbox keeps what it is given"), ""
    adapter = build(account.channel, account.provider, account.config, http)
    hook = _hook(settings, shop, account) if hooks.calls_back(adapter, account.config) else ""
    try:
        return await answer_of(adapter, hook), hook
    finally:
        await adapter.close()


async def answer_of(adapter: Adapter, hook: str = "", *, patience: timedelta = _PATIENCE) -> Check:
    """What the provider says of the account. `hook`: where it is to call back, which it may not want to."""
    problem = adapter.hook_problem(hook) if hook and isinstance(adapter, ChoosesHooks) else ""
    try:
        async with asyncio.timeout(patience.total_seconds()):
            found = await adapter.check()
    except TimeoutError:
        return Check(False, f"no answer within {patience.seconds} s")
    return Check(False, problem) if found.ok and problem else found


def _hook(settings: Settings, shop: str, account: Account) -> str:
    """Empty before the first start, which makes the secret, and for a port that is not known beforehand."""
    secret = settings.hub.secret.get_secret_value() or kept_secret(settings.data)
    if not secret or not (settings.hub.public_url or settings.address[1]):
        return ""
    return hooks.url_of(Signer(secret), settings.public_url, shop, account.name)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
