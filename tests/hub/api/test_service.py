"""Health, metrics, the OpenAPI document and its page."""

import re
from collections.abc import AsyncIterator

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from hub.accounts import health
from hub.api.app import all_routes, make_app
from hub.api.server import bind, serve
from hub.config import Settings
from hub.queue import WORKER_ALIVE, ArqQueue, connect
from hub.resources import Hub
from tests.hub.api.client import Api


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[ArqQueue]:
    queue = ArqQueue(connect(redis_url))
    await queue.redis.delete(WORKER_ALIVE)
    yield queue
    await queue.redis.delete(WORKER_ALIVE)
    await queue.close()


async def test_alive_needs_nobody(api: Api) -> None:
    answer = await api.get("/healthz", key=None)

    assert (answer.status, answer.json) == (200, {"status": "ok"})


async def test_ready_when_everything_answers(api: Api, redis: ArqQueue) -> None:
    await redis.redis.set(WORKER_ALIVE, b"1", ex=15)

    answer = await api.get("/readyz", key=None)

    assert answer.status == 200
    assert answer.json == {"database": "ok", "redis": "ok", "worker": "ok"}


async def test_not_ready_without_a_worker(api: Api, redis: ArqQueue) -> None:
    answer = await api.get("/readyz", key=None)

    assert answer.status == 503
    assert answer.json == {"database": "ok", "redis": "ok", "worker": "missing"}


async def test_not_ready_without_redis_and_intake_goes_on(hub: Hub, api: Api) -> None:
    silent = bind("127.0.0.1", 0)
    nowhere = ArqQueue(connect(f"redis://127.0.0.1:{silent.getsockname()[1]}/0"))
    object.__setattr__(hub, "queue", nowhere)

    answer = await api.get("/readyz", key=None)

    assert answer.status == 503
    assert answer.json == {"database": "ok", "redis": "unreachable", "worker": "unreachable"}
    assert (await api.get("/v1/keys")).status == 200
    await nowhere.close()
    silent.close()


async def test_metrics_count_requests_by_route_and_carry_no_ids(api: Api) -> None:
    id_ = "01890a5d-ac96-774b-bcce-b302099a8057"
    await api.delete(f"/v1/keys/{id_}")
    await api.call("PROPFIND", "/v1/keys")
    await api.get("/wp-login.php")

    text = (await api.get("/metrics", key=None)).raw.decode()

    assert re.search(
        r'vestnik_http_requests_total\{method="DELETE",route="keys.revoke",status="404"\} \d', text
    )
    assert 'method="other"' in text
    assert "PROPFIND" not in text
    assert id_ not in text
    assert "wp-login" not in text
    assert 'vestnik_http_request_seconds_count{route="none"}' in text
    assert 'vestnik_deliveries_waiting{category="marketing"} 0.0' in text
    assert 'vestnik_oldest_due_seconds{category="security"} 0.0' in text
    assert 'vestnik_accounts_paused{shop="main"} 0.0' in text


async def test_metrics_tell_what_waits_and_who_is_paused(hub: Hub, api: Api) -> None:
    await hub.db.execute(
        """
        INSERT INTO delivery (id, shop_id, notification_id, contact_id, address_id, channel,
                              category, due_at, handout_at, give_up_at)
        SELECT gen_random_uuid(), 1, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(),
               'email', 'marketing', now(), now() - n * interval '1 minute', now()
          FROM generate_series(1, 3) AS n
        """
    )
    await health.pause(
        hub.db, hub.shop("main").id, "sandbox-email", refused=True, reason="x", code="", failures=1
    )
    await health.pause(
        hub.db, hub.shop("main").id, "gone", refused=True, reason="x", code="", failures=1
    )

    text = (await api.get("/metrics")).raw.decode()

    assert 'vestnik_deliveries_waiting{category="marketing"} 3.0' in text
    assert re.search(r'vestnik_oldest_due_seconds\{category="marketing"\} 18\d\.', text)
    assert 'vestnik_accounts_paused{shop="main"} 1.0' in text


async def test_the_document_is_openapi_3_1_and_names_every_route(api: Api) -> None:
    answer = await api.get("/openapi.json", key=None)
    document = answer.json

    OpenAPIV31SpecValidator(document).validate()

    assert answer.headers["Content-Type"].startswith("application/json")
    assert document["openapi"].startswith("3.1")
    operations = {
        operation["operationId"]: operation
        for methods in document["paths"].values()
        for operation in methods.values()
    }
    assert set(operations) == {route.name for route in all_routes() if route.documented}
    for route in all_routes():
        if route.path.startswith("/v1/"):
            assert route.documented
            assert operations[route.name]["x-scope"] == route.scope
            assert {"401", "403", "429", "503"} <= operations[route.name]["responses"].keys()
    assert document["servers"] == [{"url": "https://hub.example"}]


async def test_every_reference_of_the_document_leads_somewhere(api: Api) -> None:
    answer = await api.get("/openapi.json", key=None)

    for reference in set(re.findall(rb'"\$ref":"#/([^"]+)"', answer.raw)):
        found = answer.json
        for part in reference.decode().split("/"):
            found = found[part]


async def test_the_page_needs_no_script_and_no_foreign_host(api: Api) -> None:
    page = await api.get("/docs", key=None)
    text = page.raw.decode()

    assert page.headers["Content-Type"].startswith("text/html")
    assert "script" not in page.headers["Content-Security-Policy"]
    assert "<script" not in text
    assert "style=" not in text
    assert re.findall(r'(?:href|src)="([^#"][^"]*)"', text) == ["docs.css", "openapi.json"]
    assert (await api.get("/docs.css", key=None)).headers["Content-Type"].startswith("text/css")


async def test_every_link_within_the_page_has_its_place(api: Api) -> None:
    text = (await api.get("/docs", key=None)).raw.decode()

    places = re.findall(r' id="([^"]+)"', text)

    assert len(places) == len(set(places))
    assert set(re.findall(r'href="#([^"]+)"', text)) <= set(places)


async def test_the_application_is_put_together_twice_in_one_process(
    hub: Hub, settings: Settings
) -> None:
    for _ in range(2):
        async with serve(make_app(hub), bind("127.0.0.1", 0)):
            pass
