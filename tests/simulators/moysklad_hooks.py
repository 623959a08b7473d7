"""How MoySklad tells a hook: 200 or 204 within 1.5 seconds, else three more tries at once, and then never again."""

from dataclasses import dataclass, field
from typing import Any

import aiohttp

_WITHIN = aiohttp.ClientTimeout(total=1.5)
_TRIES = 4


@dataclass
class Notification:
    """What a hook was told, and what each try was answered with; 0: nothing in time."""

    request_id: str
    url: str
    body: dict[str, Any]
    answers: list[int] = field(default_factory=list)

    @property
    def taken(self) -> bool:
        return self.answers[-1] in (200, 204)


async def deliver(notification: Notification) -> None:
    """The same `requestId` at each try."""
    async with aiohttp.ClientSession(timeout=_WITHIN) as session:
        for _ in range(_TRIES):
            notification.answers.append(await _call(session, notification))
            if notification.taken:
                return


async def _call(session: aiohttp.ClientSession, notification: Notification) -> int:
    try:
        async with session.post(
            notification.url,
            params={"requestId": notification.request_id},
            json=notification.body,
            allow_redirects=False,
        ) as answer:
            return answer.status
    except (aiohttp.ClientError, TimeoutError):
        return 0
