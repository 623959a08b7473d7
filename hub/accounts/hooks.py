"""Where providers call an account: `/hooks/{token}`, a path that nobody guesses."""

from collections.abc import Iterable, Mapping

from hub.accounts.book import LiveAccount
from hub.tokens import Signer

_PURPOSE = "hook"


def token_of(signer: Signer, account: LiveAccount) -> str:
    """The same at every start, as long as `hub.secret` and the account's name stay."""
    return signer.name(_PURPOSE, f"{account.shop_id}/{account.name}")


def by_token(signer: Signer, accounts: Iterable[LiveAccount]) -> Mapping[str, LiveAccount]:
    """Every account by the last part of its hook's URL."""
    return {token_of(signer, account): account for account in accounts}
