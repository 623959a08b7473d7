"""What a worker counts for Prometheus. No ids and no addresses in labels."""

from collections import Counter as Tally
from collections.abc import Iterable, Mapping

from prometheus_client import Counter, Histogram

# Before anything is counted: it decides where the numbers are kept.
import hub.metrics  # noqa: F401
from hub.accounts.book import LiveAccount
from hub.accounts.choice import InsteadOf
from hub.shops.registry import Shop

ATTEMPTS = Counter(
    "vestnik_attempts",
    "Calls to providers by what they came to, one for each message.",
    ["shop", "channel", "provider", "account", "outcome"],
)
CALL_SECONDS = Histogram(
    "vestnik_provider_call_seconds",
    "How long calls to providers took.",
    ["shop", "provider", "account"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 20, 60),
)
MOVED = Counter(
    "vestnik_moved",
    "Attempts by another account than the first choice.",
    ["shop", "account", "to", "reason"],
)


class Counters:
    """Keeps the labelled children at hand: finding them costs more than counting."""

    def __init__(self, shops: Mapping[int, Shop]) -> None:
        self._shops = shops
        self._attempts: dict[tuple[int, str, str], Counter] = {}
        self._seconds: dict[tuple[int, str], Histogram] = {}

    def called(self, account: LiveAccount, seconds: float) -> None:
        key = (account.shop_id, account.name)
        if key not in self._seconds:
            self._seconds[key] = CALL_SECONDS.labels(
                self._slug(account), account.provider, account.name
            )
        self._seconds[key].observe(seconds)

    def came_to(self, account: LiveAccount, outcomes: Iterable[str]) -> None:
        for outcome, times in Tally(outcomes).items():
            key = (account.shop_id, account.name, outcome)
            if key not in self._attempts:
                self._attempts[key] = ATTEMPTS.labels(
                    self._slug(account), account.channel, account.provider, account.name, outcome
                )
            self._attempts[key].inc(times)

    def moved(self, account: LiveAccount, moves: Iterable[InsteadOf]) -> None:
        """To that account, from where it would have gone."""
        for (name, reason), times in Tally((m.account, m.reason) for m in moves).items():
            MOVED.labels(self._slug(account), name, account.name, reason).inc(times)

    def _slug(self, account: LiveAccount) -> str:
        return self._shops[account.shop_id].slug
