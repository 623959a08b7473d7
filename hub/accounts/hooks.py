"""Where providers call an account: `/hooks/{token}`, a path that nobody guesses."""

from channels.base import AccountConfig, Adapter, ReadsHooks
from hub.tokens import Signer

_PURPOSE = "hook"


def token_of(signer: Signer, shop: str, account: str) -> str:
    """The same at every start, as long as `hub.secret` and the names in the settings stay."""
    return signer.name(_PURPOSE, f"{shop}/{account}")


def url_of(signer: Signer, public_url: str, shop: str, account: str) -> str:
    """What the provider is told."""
    return f"{public_url}/hooks/{token_of(signer, shop, account)}"


def calls_back(adapter: Adapter, config: AccountConfig) -> bool:
    """Whether the provider calls this account: with receipts, or because a bot's updates come that way."""
    return isinstance(adapter, ReadsHooks) or getattr(config, "receive", "polling") != "polling"
