"""How Shopify tells a hook: 2xx within 5 seconds, else again, eight times over four hours, with the body of the first."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import aiohttp

_WITHIN = aiohttp.ClientTimeout(total=5)


@dataclass
class Delivery:
    """What a hook was told, and what each try was answered with; 0: nothing in time."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    answers: list[int] = field(default_factory=list)

    @property
    def taken(self) -> bool:
        return bool(self.answers) and 200 <= self.answers[-1] < 300


async def deliver(delivery: Delivery) -> None:
    """One try."""
    async with aiohttp.ClientSession(timeout=_WITHIN) as session:
        try:
            async with session.post(
                delivery.url,
                data=delivery.body,
                headers=delivery.headers,
                allow_redirects=False,
            ) as answer:
                delivery.answers.append(answer.status)
        except (aiohttp.ClientError, TimeoutError):
            delivery.answers.append(0)
