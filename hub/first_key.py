"""What somebody who starts the hub for the first time is given: a key with lines to try it with, and a link into the
console."""

from hub.config import Settings
from hub.db.pool import Db
from hub.operators.invitations import FIRST
from hub.shops import keys
from hub.shops.registry import register

_MESSAGE = (
    '{"recipient": {"address": {"channel": "email", "value": "anna@example.com"}},'
    ' "content": {"subject": "Hello", "text": "It works."}}'
)


async def first_key(db: Db, settings: Settings) -> str | None:
    """A key with every right for the first shop of the settings; None where there was ever a key."""
    if await db.fetchval("SELECT EXISTS (SELECT FROM api_key)"):
        return None
    await register(db, settings)
    _, text = await keys.create(db, next(iter(settings.shops)), [keys.Scope.ADMIN], "first start")
    return text


def invitation(url: str, token: str) -> str:
    """For the same eyes, as long as nobody can sign in. The token is in it."""
    lines = [
        "Nobody can sign in to the console yet. This link makes its owner; it opens once, and for 7 days:",
        "",
        f"  {url}{FIRST}{token}",
        "",
    ]
    return "\n".join(lines)


def welcome(settings: Settings, url: str, key: str) -> str:
    """For a person's eyes, on a terminal. The key is in it."""
    shop, its = next(iter(settings.shops.items()))
    lines = [
        f"This hub is new. Here is a key with every right for shop {shop!r}; it is not shown again:",
        "",
        f"  {key}",
        "",
    ]
    if not its.accounts:
        lines += [
            "No accounts are set up, so messages stay in the sandbox. Send one:",
            "",
            f"  curl {url}/v1/notifications -H 'Authorization: Bearer {key}' \\",
            f"    -H 'Content-Type: application/json' -d '{_MESSAGE}'",
            "",
            "and read it:",
            "",
            f"  curl {url}/v1/sandbox/messages -H 'Authorization: Bearer {key}'",
            "",
        ]
    lines += [f"The whole API: {url}/docs", ""]
    return "\n".join(lines)
