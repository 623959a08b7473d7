"""The doors without a key, of a hub that really runs: hooks, pages, and the socket itself. No 5xx, and no hanging."""

import hmac
import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import Channel, HookRequest
from hub.tokens import Signer
from tests.contract.cases import cases
from tests.fuzz.calls import calls
from tests.fuzz.examples import BOT_CALLS
from tests.fuzz.live import Live, running
from tests.fuzz.replies import bodies

_PATIENCE = 10
_FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def live(hub_database: str, redis_url: str) -> Iterator[Live]:
    with running(hub_database, redis_url) as live:
        yield live


def asked(live: Live, call: HookRequest, path: str) -> tuple[int, dict[str, str], bytes]:
    """As a provider's or a browser's HTTP client would ask: what cannot stand in a header is left out."""
    connection = HTTPConnection("127.0.0.1", live.port, timeout=_PATIENCE)
    query = f"?{urlencode(dict(call.query), errors='surrogatepass')}" if call.query else ""
    try:
        connection.putrequest(call.method or "POST", path + query, skip_accept_encoding=True)
        for name, value in call.headers.items():
            raw = value.encode("utf-8", "surrogatepass")
            if not re.search(rb"[\0-\x08\x0a-\x1f\x7f]", raw):
                connection.putheader(name, raw)
        connection.putheader("Content-Length", str(len(call.body)))
        connection.endheaders(call.body)
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    finally:
        connection.close()


_CALLED: list[tuple[Channel, str]] = [(c.channel, c.provider) for c in cases() if c.hook]
_BOTS = [
    (Channel.TELEGRAM, "bot_api"),
    (Channel.MAX, "bot_api"),
    (Channel.VK, "community"),
]


@pytest.mark.parametrize("door", [*_CALLED, *_BOTS], ids=lambda door: "-".join(door))
@given(st.data())
def test_a_hook(live: Live, door: tuple[Channel, str], data: st.DataObject) -> None:
    channel, _ = door
    like = BOT_CALLS[channel] if door in _BOTS else live.calls[door]
    call = data.draw(calls(like))
    if data.draw(st.integers(0, 3)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(hmac, "compare_digest", lambda given, expected: True)
            status, _, _ = asked(live, call, live.hooks[door])
    else:
        status, _, _ = asked(live, call, live.hooks[door])

    assert status < 500


_PATHS = st.one_of(
    st.sampled_from(["/a/", "/p/", "/u/", "/c/", "/o/", "/hooks/"]),
    st.sampled_from(["/", "/docs", "/docs.css", "/metrics", "/v1/", "/healthz"]),
)
_TOKENS = st.one_of(
    st.text(max_size=40).map(lambda text: quote(text, safe="", errors="surrogatepass")),
    st.binary(max_size=40).map(quote),
    st.from_regex(r"[A-Za-z0-9_-]{16,80}", fullmatch=True),
)
_PAGE_HEADERS = st.dictionaries(
    st.sampled_from(
        ["accept-language", "content-type", "x-forwarded-for", "x-request-id", "expect", "cookie"]
    ),
    st.one_of(
        st.text(max_size=30),
        st.sampled_from([_FORM, "en;q=", "ru", "100-continue", "multipart/form-data; boundary=x"]),
    ),
    max_size=3,
)
_FORM_FIELDS = st.lists(
    st.tuples(
        st.one_of(
            st.sampled_from(
                [
                    *("do", "correcting", "locale", "quiet", "from", "to", "up"),
                    *("line:1", "number:1", "shown:1", "shown:", "line:\0"),
                    *("transactional", "marketing", "marketing.order", "transactional.order"),
                ]
            ),
            st.text(max_size=10),
        ),
        st.one_of(
            st.sampled_from(
                [
                    *("all", "none", "lines", "done", "leave", "save", "less", "ru", "en", "on"),
                    *("0", "1", "2", "9999999", "²", "٣", "-1", "22:00", "24:00", "22:00+03:00"),
                    *(
                        "email",
                        "telegram",
                        "transactional.email",
                        "marketing.sms",
                        "\0",
                        "10:00:61",
                    ),
                ]
            ),
            st.text(max_size=10),
        ),
    ),
    max_size=8,
)
_FORMS = st.one_of(
    _FORM_FIELDS.map(lambda fields: urlencode(fields, errors="surrogatepass").encode()),
    bodies([b"do=all&shown%3A1=2", b"do=save&marketing=email&quiet=on&from=22%3A00&to=07%3A00"]),
)
_QUESTIONS = st.dictionaries(
    st.sampled_from(["lang", "said", "correct", "x"]),
    st.one_of(st.sampled_from(["1", "en", "ru", "thanks", "saved"]), st.text(max_size=10)),
    max_size=3,
)


@given(st.data())
def test_a_page_with_any_token(live: Live, data: st.DataObject) -> None:
    path = data.draw(_PATHS) + data.draw(_TOKENS)
    method = data.draw(st.sampled_from(["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS"]))
    headers = data.draw(_PAGE_HEADERS)
    call = HookRequest(method, headers, data.draw(_QUESTIONS), data.draw(_FORMS))

    status, told, _ = asked(live, call, path)

    assert status < 500
    assert told["x-content-type-options"] == "nosniff"


@given(st.data())
def test_a_page_that_opens(live: Live, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(live.links))
    method = data.draw(st.sampled_from(["GET", "POST", "POST"]))
    headers = {"content-type": _FORM, **data.draw(_PAGE_HEADERS)}
    call = HookRequest(method, headers, data.draw(_QUESTIONS), data.draw(_FORMS))

    status, told, text = asked(live, call, path)

    assert status < 500
    assert b"<script" not in text
    assert "no-store" in told["cache-control"]


@given(st.data())
def test_a_token_that_was_changed_opens_nothing(live: Live, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(live.links))
    at = data.draw(st.integers(3, len(path) - 1))
    letter = data.draw(st.sampled_from("AZaz09-_=."))
    changed = path[:at] + letter + path[at + 1 :]
    if changed == path:
        return

    status, _, _ = asked(live, HookRequest("GET", {}, {}, b""), changed)

    assert status == 404


@given(token=st.text(max_size=60), purpose=st.sampled_from(["cursor", "unsubscribe", "x"]))
def test_a_signer_reads_nothing_but_its_own(token: str, purpose: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (BadToken and what it is made of)
        Signer("secret-of-the-tests").read(purpose, token)


_PIECES = st.one_of(
    st.sampled_from(
        [
            *(b"GET ", b"POST ", b"/healthz", b"/u/x", b"/v1/keys", b" HTTP/1.1", b" HTTP/1.0"),
            *(b"\r\n", b"\r\n", b"\n", b"\r", b"\0", b": ", b":", b" ", b"\t", b"\r\n\r\n"),
            *(b"Host: a", b"Content-Length: 5", b"Content-Length: ", b"Transfer-Encoding: chunked"),
            *(b"Connection: keep-alive", b"Connection: Upgrade\r\nUpgrade: websocket", b"Expect: "),
            *(b"100-continue", b"5\r\nhello\r\n", b"0\r\n\r\n", b"ffffffffffffffff\r\n", b"hello"),
            *(b"Authorization: Bearer ", b"vst_", b"\xff\xfe", b"X-Request-Id: ", b"a" * 9000),
            *(b"http://[::1", b"*", b"//", b"?", b"%00", b"%ff", b"#", b"PRI * HTTP/2.0"),
        ]
    ),
    st.binary(max_size=12),
)
_HEADS = st.lists(_PIECES, max_size=14).map(b"".join)
_REQUESTS = st.lists(
    st.tuples(
        st.sampled_from(
            [b"X-A", b"Host", b"Accept-Language", b"Content-Type", b"Range", b"Cookie"]
        ),
        st.binary(max_size=20).map(lambda raw: raw.replace(b"\r", b"").replace(b"\n", b"")),
    ),
    max_size=5,
).map(
    lambda lines: (
        b"GET /u/x HTTP/1.1\r\nHost: a\r\n"
        + b"".join(b"%s: %s\r\n" % line for line in lines)
        + b"\r\n"
    )
)


@given(raw=st.one_of(_HEADS, _REQUESTS, st.binary(max_size=200)))
def test_whatever_is_said_at_the_socket(live: Live, raw: bytes) -> None:
    with socket.create_connection(("127.0.0.1", live.port), timeout=_PATIENCE) as talk:
        with suppress(ConnectionError):
            talk.sendall(raw)
            talk.shutdown(socket.SHUT_WR)
        heard = b""
        with suppress(ConnectionError):
            while part := talk.recv(65536):
                heard += part

    for status in re.findall(rb"^HTTP/1\.[01] (\d{3})", heard, re.MULTILINE):
        assert int(status) < 500
    assert b"aiohttp" not in heard.lower()
    assert b"Traceback" not in heard
