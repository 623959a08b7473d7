"""Where providers call an account: `/hooks/{token}`, a path that nobody guesses."""

from channels.base import AccountConfig, Adapter, ReadsHooks
from hub.tokens import Signer

_PURPOSE = "hook"


def token_of(signer: Signer, shop: str, account: str) -> str:
    """The same at every start, as long as `hub.secret` and the names in the settings stay."""
    return tokens_of(signer, shop, account)[0]


def tokens_of(signer: Signer, shop: str, account: str) -> list[str]:
    """All that are answered: the present one, then those of earlier secrets, which the provider may still call."""
    return signer.names(_PURPOSE, f"{shop}/{account}")


def url_of(signer: Signer, public_url: str, shop: str, account: str) -> str:
    """What the provider is told."""
    return url_with(public_url, token_of(signer, shop, account))


def url_with(public_url: str, token: str) -> str:
    return f"{public_url}/hooks/{token}"


def calls_back(adapter: Adapter, config: AccountConfig) -> bool:
    """Whether the provider calls this account: with receipts, or because a bot's updates come that way."""
    return isinstance(adapter, ReadsHooks) or getattr(config, "receive", "polling") != "polling"
