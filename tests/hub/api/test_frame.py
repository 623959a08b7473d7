"""What every route has in common: keys, scopes, problems, ids, limits, headers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest

from hub.api.app import all_routes, make_app
from hub.api.routes import PUBLIC
from hub.api.server import bind, serve
from hub.config import Settings
from hub.errors import Unauthenticated
from hub.resources import Hub
from hub.shops import keys
from hub.shops.keys import KeyRing, Scope
from tests.hub.api.client import Api, speak

KeyFor = Callable[..., Awaitable[str]]


def with_hub(settings: Settings, **changes: object) -> Settings:
    return settings.model_copy(update={"hub": settings.hub.model_copy(update=changes)})


async def test_without_a_key_nothing_is_told(api: Api) -> None:
    answer = await api.get("/v1/keys", key=None)

    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json["type"] == "urn:vestnik:problem:unauthenticated"
    assert answer.json["status"] == 401
    assert answer.json["request_id"] == answer.headers["X-Request-Id"]
    assert {"title", "detail"} <= answer.json.keys()


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic abc", "Bearer vst_short", "Bearer x y", "vst_abc"],
)
async def test_a_strange_authorization_is_401(api: Api, header: str) -> None:
    answer = await api.get("/v1/keys", key=None, headers={"Authorization": header})

    assert answer.status == 401


async def test_the_right_beginning_does_not_open_the_door(api: Api, key_for: KeyFor) -> None:
    key = await key_for(Scope.ADMIN)
    wrong = key[:-1] + ("A" if key[-1] != "A" else "B")

    assert (await api.get("/v1/keys", key=wrong)).status == 401


async def test_an_unknown_path_is_told_only_to_who_has_a_key(api: Api) -> None:
    assert (await api.get("/v1/nothing", key=None)).status == 401
    assert (await api.get("/v1/nothing")).status == 404
    assert (await api.get("/nothing", key=None)).status == 404


async def test_a_wrong_method_is_answered_with_the_right_ones(api: Api) -> None:
    answer = await api.call("PATCH", "/v1/keys")

    assert answer.status == 405
    assert answer.headers["Allow"] == "GET, HEAD, POST"
    assert answer.headers["Content-Type"] == "application/problem+json"


async def test_a_missing_scope_is_named(api: Api, key_for: KeyFor) -> None:
    answer = await api.get("/v1/keys", key=await key_for(Scope.SEND, Scope.READ))

    assert answer.status == 403
    assert "admin" in answer.json["detail"]


async def test_admin_may_read(api: Api) -> None:
    assert (await api.get("/v1/sandbox/messages")).status == 200


async def test_scope_comes_before_the_body(api: Api, key_for: KeyFor) -> None:
    key = await key_for(Scope.READ)

    answer = await api.post("/v1/keys", raw=b"not json", key=key)

    assert answer.status == 403


async def test_a_key_of_a_shop_that_is_gone_from_the_settings_is_refused(
    hub: Hub, api: Api
) -> None:
    await hub.db.execute(
        "INSERT INTO shop (slug) SELECT 'closed' WHERE NOT EXISTS"
        " (SELECT FROM shop WHERE slug = 'closed')"
    )
    _, key = await keys.create(hub.db, "closed", [Scope.ADMIN])

    answer = await api.get("/v1/keys", key=key)

    assert answer.status == 403
    assert "settings" in answer.json["detail"]


async def test_once_a_key_is_revoked_nobody_trusts_it(hub: Hub) -> None:
    key, text = await keys.create(hub.db, "main", [Scope.READ])
    ring = KeyRing(hub.db)
    await ring.authenticate(text)

    await keys.revoke(hub.db, "main", key.id)

    with pytest.raises(Unauthenticated):
        await ring.authenticate(text)


async def test_whoever_may_change_contacts_may_look_at_them(api: Api, key_for: KeyFor) -> None:
    contacts, orders = await key_for(Scope.CONTACTS), await key_for(Scope.ORDERS)

    assert (await api.get("/v1/contacts", key=contacts)).status == 200
    assert (await api.get("/v1/contacts/nobody", key=contacts)).status == 404
    assert (await api.get("/v1/orders", key=orders)).status == 200
    refused = await api.get("/v1/contacts", key=orders)
    assert (refused.status, refused.json["detail"]) == (
        403,
        "this needs the scope read or contacts",
    )


async def test_use_of_a_key_is_noted_to_the_minute(hub: Hub) -> None:
    key, text = await keys.create(hub.db, "main", [Scope.READ])
    ring = KeyRing(hub.db)
    await ring.authenticate(text)

    await ring.note_use()
    [first] = await keys.listed(hub.db, "main")
    await ring.authenticate(text)
    await ring.note_use()
    [second] = await keys.listed(hub.db, "main")

    assert key.last_used_at is None
    assert first.last_used_at is not None
    assert second.last_used_at == first.last_used_at


async def test_only_the_hash_of_a_key_is_kept(hub: Hub) -> None:
    _, text = await keys.create(hub.db, "main", [Scope.READ])

    dump = str(await hub.db.fetch("SELECT * FROM api_key"))

    assert text.split("_", 2)[2] not in dump


@pytest.mark.parametrize("given", ["abc-123_X.y", "a" * 128])
async def test_a_fitting_request_id_is_taken(api: Api, given: str) -> None:
    answer = await api.get("/healthz", headers={"X-Request-Id": given})

    assert answer.headers["X-Request-Id"] == given


@pytest.mark.parametrize("given", ["", "a b", "a" * 129, "кот", "<script>"])
async def test_any_other_request_id_is_replaced(api: Api, given: str) -> None:
    answer = await api.get("/healthz", headers={"X-Request-Id": given})

    assert answer.headers["X-Request-Id"] != given
    assert len(answer.headers["X-Request-Id"]) == 36


async def test_head_is_answered_like_get_without_a_body(api: Api) -> None:
    answer = await api.call("HEAD", "/v1/keys")

    assert answer.status == 200
    assert answer.raw == b""


async def test_an_unknown_query_parameter_is_pointed_at(api: Api) -> None:
    for path in ("/v1/keys?limt=5", "/v1/sandbox/messages?x=1"):
        answer = await api.get(path)
        assert answer.status == 400
    assert answer.pointers == ["/x"]
    assert (await api.post("/v1/keys?x=1", {"scopes": ["read"]})).pointers == ["/x"]


async def test_a_parameter_that_stands_twice_is_refused(api: Api) -> None:
    answer = await api.get("/v1/keys?limit=1&limit=2")

    assert answer.status == 400
    assert answer.pointers == ["/limit"]


@pytest.fixture
async def limited(hub: Hub, settings: Settings, key_for: KeyFor) -> AsyncIterator[Api]:
    """An API that lets a key make one request a second."""
    object.__setattr__(hub, "settings", with_hub(settings, rate_limit=1))
    listening = bind("127.0.0.1", 0)
    port = listening.getsockname()[1]
    key = await key_for(Scope.ADMIN)
    async with (
        serve(make_app(hub), listening),
        Api(f"http://127.0.0.1:{port}", key) as api,
    ):
        yield api


async def test_who_asks_too_often_is_told_when_to_come_back(limited: Api, key_for: KeyFor) -> None:
    answers = [await limited.get("/v1/keys") for _ in range(3)]

    assert [answer.status for answer in answers] == [200, 200, 429]
    assert int(answers[2].headers["Retry-After"]) >= 1
    assert answers[2].json["type"] == "urn:vestnik:problem:rate-limited"
    assert (await limited.get("/v1/keys", key=await key_for(Scope.ADMIN))).status == 200


async def test_while_the_database_is_away_the_answer_is_503(hub: Hub, api: Api) -> None:
    assert (await api.get("/v1/keys")).status == 200
    hub.db.terminate()

    for path in ("/v1/keys", "/v1/sandbox/messages"):
        answer = await api.get(path)
        assert answer.status == 503
        assert 1 <= int(answer.headers["Retry-After"]) <= 5
        assert answer.headers["Content-Type"] == "application/problem+json"
    ready = await api.get("/readyz")
    assert ready.status == 503
    assert ready.json["database"] == "unreachable"
    assert ready.json["redis"] == "ok"
    assert (await api.get("/healthz")).status == 200
    assert (await api.get("/metrics")).status == 200


async def test_an_unknown_key_is_503_and_not_401_while_the_database_is_away(
    hub: Hub, api: Api
) -> None:
    hub.db.terminate()

    answer = await api.get("/v1/keys", key="vst_" + "a" * 12 + "_" + "b" * 43)

    assert answer.status == 503


async def test_a_statement_that_hangs_is_answered_in_time(
    hub: Hub, api: Api, hub_database: str
) -> None:
    await api.get("/v1/keys")
    locking = await asyncpg.connect(hub_database)
    try:
        async with locking.transaction(), asyncio.timeout(9):
            await locking.execute("LOCK TABLE sandbox_message IN ACCESS EXCLUSIVE MODE")
            answer = await api.get("/v1/sandbox/messages")
    finally:
        await locking.close()

    assert answer.status == 503
    assert (await api.get("/v1/sandbox/messages")).status == 200


async def test_a_bug_is_500_with_an_id_and_without_its_text(
    hub: Hub, api: Api, capfd: pytest.CaptureFixture[str]
) -> None:
    await hub.db.execute("ALTER TABLE sandbox_message RENAME COLUMN subject TO renamed")
    try:
        answer = await api.get("/v1/sandbox/messages")
    finally:
        await hub.db.execute("ALTER TABLE sandbox_message RENAME COLUMN renamed TO subject")

    assert answer.status == 500
    assert "subject" not in answer.raw.decode()
    logged = "".join(capfd.readouterr())
    assert answer.json["request_id"] in logged
    assert "UndefinedColumnError" in logged
    assert "m.subject does not exist" not in logged


async def test_a_value_that_does_not_fit_is_a_bug_and_not_the_database_away(
    hub: Hub, api: Api, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    async def listed(*_: object, **__: object) -> None:
        await hub.db.fetchval("SELECT $1::int", "seven")

    monkeypatch.setattr(keys, "listed", listed)

    assert (await api.get("/v1/keys")).status == 500
    assert "DataError" in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /healthz HTTP/9.9\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nBad Header: x\r\n\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 500 + b"\r\n",
        b"POST /v1/keys HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
        b"POST /v1/keys HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /\x00\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET http://[::1 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET //[x/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        b"GET /v1/keys HTTP/1.1\r\nHost: a\r\nExpect: wonders\r\nConnection: close\r\n\r\n",
        b"GET /nowhere HTTP/1.1\r\nHost: a\r\nExpect: wonders\r\nConnection: close\r\n\r\n",
    ],
)
async def test_broken_http_is_4xx_in_our_words_and_no_traceback(
    url: str, data: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = await speak(url, data)

    assert answer.split()[1].startswith(b"4"), answer
    assert b"aiohttp" not in answer
    assert b"problem+json" in answer
    assert b"X-Content-Type-Options: nosniff" in answer
    assert "Traceback" not in "".join(capfd.readouterr())


@pytest.mark.parametrize("hosts", ["", "Host: a\r\nHost: b\r\n"])
async def test_exactly_one_host_is_named(url: str, hosts: str) -> None:
    answer = await speak(url, f"GET /healthz HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n".encode())

    assert b" 400 " in answer.splitlines()[0]


async def test_a_key_that_is_shown_twice_is_none(api: Api, url: str, key_for: KeyFor) -> None:
    header = f"Authorization: Bearer {await key_for(Scope.ADMIN)}\r\n"
    head = f"GET /v1/keys HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{header}"

    assert b" 200 " in (await speak(url, f"{head}\r\n".encode())).splitlines()[0]
    assert b" 401 " in (await speak(url, f"{head}{header}\r\n".encode())).splitlines()[0]


async def test_a_body_may_wait_to_be_asked_for(api: Api) -> None:
    answer = await api.post("/v1/keys", {"scopes": ["read"]}, headers={"Expect": "100-continue"})

    assert answer.status == 201


async def test_a_body_that_is_cut_off_is_no_fault_of_ours(
    url: str, key_for: KeyFor, capfd: pytest.CaptureFixture[str]
) -> None:
    head = f"POST /v1/keys HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {await key_for(Scope.ADMIN)}\r\n"
    json = "Content-Type: application/json\r\n"
    chunked = "Transfer-Encoding: chunked\r\n\r\n5\r\n{}"

    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    writer.write((head + json + "Content-Length: 100\r\n\r\n{").encode())
    writer.write_eof()
    await reader.read()
    writer.close()
    broken = await speak(url, (head + json + chunked + "nonsense\r\n\r\n").encode())

    assert b" 400 " in broken.splitlines()[0]
    logged = "".join(capfd.readouterr())
    assert "Traceback" not in logged
    assert "request.failed" not in logged
    assert "request.unavailable" not in logged


async def test_routes_have_a_name_and_a_scope() -> None:
    routes = all_routes()

    assert len({route.name for route in routes}) == len(routes)
    for route in routes:
        assert (route.scope is PUBLIC) == (not route.path.startswith("/v1/")), route.path
        assert route.summary
