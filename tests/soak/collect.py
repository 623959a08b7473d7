"""What the hub says of everything in the end, by its API, and what is still under way."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp

from tests.soak.verify import Delivery, Notification

_OPEN = ("scheduled", "queued")
_UNANSWERED = ("open", "overdue", "escalated")


class Hub:
    """One shop's view of the API."""

    def __init__(self, session: aiohttp.ClientSession, url: str, key: str) -> None:
        self._session = session
        self._url = url
        self._headers = {"Authorization": f"Bearer {key}"}

    async def put(self, path: str, body: Mapping[str, Any]) -> None:
        async with self._session.put(
            self._url + path, json=body, headers=self._headers
        ) as response:
            assert response.status in (200, 201), await response.text()

    async def hooks(self) -> Mapping[str, str]:
        """Where each account wants to be called."""
        items = (await self._get("/v1/accounts"))["items"]
        return {item["name"]: item["hook_url"] for item in items if item["hook_url"]}

    async def under_way(self) -> Mapping[str, int]:
        """What waits to be sent or answered; of many the first hundreds are counted."""
        paths = {f"{s} notifications": f"/v1/notifications?status={s}" for s in _OPEN}
        paths |= {f"{s} questions": f"/v1/stock-requests?status={s}" for s in _UNANSWERED}
        pages = {what: await self._get(f"{path}&limit=100") for what, path in paths.items()}
        return {what: len(page["items"]) for what, page in pages.items()}

    async def order_status(self, number: str) -> str:
        """`confirmed` only where it became so exactly once."""
        order = await self._get(f"/v1/orders/{number}")
        told = [change["status"] for change in order["history"]].count("confirmed")
        return str(order["status"]) if told == 1 else f"{order['status']}, {told} times confirmed"

    async def whole(self, id_: str) -> Mapping[str, Any]:
        """Everything about one, with its attempts and receipts."""
        found: Mapping[str, Any] = await self._get(f"/v1/notifications/{id_}")
        return found

    async def notifications(self) -> AsyncIterator[Notification]:
        cursor = ""
        while True:
            more = f"&cursor={cursor}" if cursor else ""
            page = await self._get(f"/v1/notifications?limit=200{more}")
            for item in page["items"]:
                yield _notification(item)
            cursor = page["next_cursor"]
            if not cursor:
                return

    async def _get(self, path: str) -> Any:
        async with self._session.get(self._url + path, headers=self._headers) as response:
            assert response.status == 200, f"{path}: {await response.text()}"
            return await response.json()


def _notification(item: Mapping[str, Any]) -> Notification:
    return Notification(
        id=item["id"],
        mark=(item["meta"] or {}).get("mark", ""),
        status=item["status"],
        deliveries=[
            Delivery(
                id=d["id"],
                channel=d["channel"],
                address=d["address"] or "",
                status=d["status"],
                reason=d["reason"] or "",
                provider_id=d["provider_id"] or "",
                maybe_duplicate=d["maybe_duplicate"],
            )
            for d in item["deliveries"]
        ],
        suppressed=frozenset(s["channel"] for s in item["skipped"] if s["reason"] == "suppressed"),
    )
