"""`GET /v1/statistics`."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import urlencode

import pytest

from hub.resources import Hub
from hub.shops.keys import Scope
from hub.statistics.counting import Counting
from tests.hub.api.client import Api
from tests.hub.statistics.past import SECOND, Past

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
async def _past(hub: Hub) -> None:
    past = Past(hub)
    at = NOW - SECOND
    await past.delivery(at, status="read", receipts=["read", "clicked"])
    await past.delivery(
        at, template=None, channel="sms", provider="smsc", account="s", cost=Decimal("3.45")
    )
    await past.delivery(
        at, status="failed", reason="bounced", code="550", said="no <anna@example.com>"
    )
    await past.delivery(at - 10 * DAY)
    await past.delivery(at, shop="other")
    await Counting(hub).turn(NOW)


async def test_a_week_by_the_day(api: Api) -> None:
    found = (await api.get("/v1/statistics")).json

    assert (found["total"]["made"], found["total"]["sent"], found["total"]["read"]) == (3, 3, 1)
    assert (found["total"]["clicked"], found["total"]["within_10_s"]) == (1, 3)
    assert found["total"]["cost"] == "3.45"
    assert [(item["made"], item["cost"]) for item in found["items"]] == [(3, "3.45")]


async def test_by_channel_account_template_and_error(api: Api) -> None:
    async def items(by: str) -> list[dict[str, object]]:
        found: list[dict[str, object]] = (await api.get(f"/v1/statistics?by={by}")).json["items"]
        return found

    assert [(i["channel"], i["made"]) for i in await items("channel")] == [("email", 2), ("sms", 1)]
    assert [(i["provider"], i["account"]) for i in await items("account")] == [
        ("smtp", "mail"),
        ("smsc", "s"),
    ]
    assert [i["template"] for i in await items("template")] == ["order.placed", None]
    [error] = await items("error")
    assert (error["reason"], error["code"], error["deliveries"]) == ("bounced", "550", 1)
    assert "anna" not in str(error["text"])


async def test_any_time_and_only_what_is_asked_for(api: Api) -> None:
    since = urlencode({"since": (NOW - 30 * DAY).isoformat()})

    assert (await api.get(f"/v1/statistics?{since}")).json["total"]["made"] == 4
    assert (await api.get("/v1/statistics?channel=sms")).json["total"]["made"] == 1
    assert (await api.get("/v1/statistics?template=order.placed")).json["total"]["made"] == 2
    assert (await api.get("/v1/statistics?category=marketing")).json["total"]["made"] == 0
    later = urlencode({"since": (NOW + DAY).isoformat()})
    assert (await api.get(f"/v1/statistics?{later}")).status == 400


async def test_it_wants_the_scope(url: str, key_for: Callable[..., Awaitable[str]]) -> None:
    async with Api(url, await key_for(Scope.SEND)) as other:
        assert (await other.get("/v1/statistics")).status == 403
