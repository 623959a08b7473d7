"""The only place that calls providers over HTTP and names transport failures."""

import json
import re
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

import aiohttp
import orjson

from channels.base import Retry
from channels.guard import Blocked, Network, PublicOnly

if TYPE_CHECKING:
    from channels.http1 import Http1
    from channels.http2 import Http2

TIMEOUT = timedelta(seconds=20)
CONNECT_TIMEOUT = timedelta(seconds=5)
MAX_REPLY_BYTES = 4 * 1024 * 1024

UNTRUSTED = "untrusted-certificate"
"""The reason of the `Retry` where the server's certificate was not to be trusted: nothing was sent."""

_LONGEST_WAIT = timedelta(days=1)

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

# Beyond 64 bits orjson makes floats of them.
_LONG_NUMBER = re.compile(rb"[0-9]{19}")


class NoReply(Exception):
    """The call came to nothing; `outcome` is what to make of it."""

    def __init__(self, outcome: Retry) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome


class BlockedAddress(Exception):
    """The URL leads outside the public internet; nothing was sent."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A provider's answer of any status."""

    status: int
    headers: Mapping[str, str]
    """With lower-case names."""
    body: bytes

    def json(self) -> Any:
        """The body as JSON. Raises `NoReply`: after a 2xx the message was probably taken, so it may have been
        sent; any other page is what `unclear` says it is."""
        try:
            return _read_json(self.body)
        except (ValueError, RecursionError):
            # Without the cause: its text and attributes hold the body.
            raise NoReply(unclear(self)) from None

    @property
    def retry_after(self) -> timedelta:
        """The header `Retry-After`, as seconds or as a date in any form (RFC 9110, 10.2.3 and 5.6.7), a day at most;
        zero where there is none."""
        value = self.headers.get("retry-after", "").strip()
        if value.isascii() and value.isdigit():
            return min(timedelta(seconds=int(value[:9])), _LONGEST_WAIT)
        try:
            until = parsedate_to_datetime(value)
        except (TypeError, ValueError):
            return timedelta(0)
        if until.tzinfo is None:
            # As the oldest form of a date is written, and as `-0000` is read.
            until = until.replace(tzinfo=UTC)
        return min(max(until - datetime.now(UTC), timedelta(0)), _LONGEST_WAIT)


def unclear(reply: Reply) -> Retry:
    """What an answer without readable content comes to, by its HTTP status.

    500 and 503 are the provider's own "not done", and so is any 4xx but 408, which a gateway says of a provider
    that is slow; 502 and 504 come from a gateway that may have passed the request on; a 2xx or 3xx that cannot
    be read was probably taken.
    """
    if reply.status == 429:
        return Retry("throttled", reply.retry_after, throttled=True)
    if reply.status in (500, 503):
        return Retry(f"http-{reply.status}", reply.retry_after)
    if 400 <= reply.status < 500 and reply.status != 408:
        return Retry(f"http-{reply.status}-unreadable", reply.retry_after)
    return Retry(f"http-{reply.status}-unreadable", reply.retry_after, maybe_sent=True)


class Call(NamedTuple):
    """One call, ready to be written. `within`: for all of it; `ca_file`: trusted beside the system's."""

    method: str
    url: str
    headers: Mapping[str, str]
    params: Mapping[str, str] | None
    body: bytes | None
    within: timedelta
    ca_file: Path | None


class ProviderHttp:
    """The connections of all adapters of a process.

    Redirects are not followed, cookies not kept, proxies of the environment not asked, nothing is logged: URLs and
    bodies hold secrets and personal data. `allow`: networks that guarded calls may reach beyond the public
    internet; `timeout`: how long a whole call may take where it does not say itself; `public_only`: every call is
    guarded, for accounts of which somebody outside says where they call.
    """

    guard: PublicOnly | None = None
    """Where every call is guarded: for adapters that open connections by themselves."""

    def __init__(
        self,
        *,
        allow: Sequence[Network] = (),
        timeout: timedelta = TIMEOUT,
        public_only: bool = False,
    ) -> None:
        self._timeout = timeout
        self._trust: dict[Path, ssl.SSLContext] = {}
        self._http1: Http1 | None = None
        self._plain = _session(aiohttp.TCPConnector(limit=0, limit_per_host=100))
        guard = PublicOnly(allow)
        self.guard = guard if public_only else None
        self._guarded = _session(
            aiohttp.TCPConnector(limit=100, socket_factory=guard.socket_factory)
        )

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        json: Any = None,
        data: bytes | Mapping[str, str] | None = None,
        within: timedelta | None = None,
        public_only: bool = False,
        long_poll: bool = False,
        ca_file: Path | None = None,
    ) -> Reply:
        """One call. `data`: a form or what it is; `public_only` for URLs that came from outside; `within`: for the
        whole call; `long_poll` for one that waits for something to happen: its connection goes when it is given up;
        `ca_file`: certificates to trust in it beside the system's, read at the first call that names them.

        Answers are read up to `MAX_REPLY_BYTES`; what is longer is cut and so cannot be parsed.
        Raises `NoReply` when nothing readable came back, `BlockedAddress` when the guard refused.
        """
        if not url.lower().startswith(("http://", "https://")):
            raise BlockedAddress("not a usable URL")
        if headers and any(_CONTROL.search(value) for value in headers.values()):
            # As a secret that was read from a file with its line end.
            raise NoReply(Retry("unusable-header"))
        kind, body = _content(json, data)
        headers = {"Content-Type": kind, **(headers or {})} if kind else headers or {}
        call = Call(method, url, headers, params, body, within or self._timeout, ca_file)
        if public_only or self.guard:
            return await self._watched(self._guarded, call)
        if long_poll:
            return await self._watched(self._plain, call)
        return await self._fast().call(call)

    async def get(self, url: str, **options: Any) -> Reply:
        return await self.request("GET", url, **options)

    async def post(self, url: str, **options: Any) -> Reply:
        return await self.request("POST", url, **options)

    def http2(self) -> "Http2":
        """A door of its own for one account whose provider speaks HTTP/2 only. Who asked for it closes it."""
        # Its library takes a tenth of a second to load: only those pay who need it.
        from channels.http2 import Http2

        return Http2(self._timeout, guard=self.guard)

    async def close(self) -> None:
        """Ends what is under way, too."""
        if self._http1:
            await self._http1.close()
        await self._plain.close()
        await self._guarded.close()

    def _fast(self) -> "Http1":
        if self._http1 is None:
            # Loaded and started by the first call: most commands make none.
            from channels.http1 import Http1

            self._http1 = Http1(partial(self._watched, self._plain))
        return self._http1

    async def _watched(self, session: aiohttp.ClientSession, call: Call) -> Reply:
        """By aiohttp, which lets us see every address before it is connected to, and breaks off what is given up."""
        try:
            async with session.request(
                call.method,
                call.url,
                headers=call.headers,
                params=call.params,
                data=call.body,
                allow_redirects=False,
                ssl=self._trusting(call.ca_file) if call.ca_file else True,
                timeout=aiohttp.ClientTimeout(
                    total=call.within.total_seconds(),
                    sock_connect=CONNECT_TIMEOUT.total_seconds(),
                ),
            ) as response:
                body = await _read(response.content)
                names = {name.lower(): value for name, value in response.headers.items()}
                return Reply(response.status, names, body)
        except aiohttp.ClientConnectorCertificateError:
            raise NoReply(Retry(UNTRUSTED)) from None
        except (aiohttp.ConnectionTimeoutError, aiohttp.ClientConnectorError) as error:
            if isinstance(error.__cause__, Blocked):
                raise BlockedAddress(str(error.__cause__)) from None
            raise NoReply(Retry("no-connection")) from None
        except (aiohttp.InvalidURL, UnicodeError):
            # The latter of a name with an empty or too long part. Without the cause: its text is the URL.
            raise BlockedAddress("not a usable URL") from None
        except TimeoutError:
            raise NoReply(Retry("no-answer", maybe_sent=True)) from None
        except aiohttp.ClientError as error:
            # Written to a connection that broke: it may have arrived.
            raise NoReply(Retry(type(error).__name__, maybe_sent=True)) from None

    def _trusting(self, ca_file: Path) -> ssl.SSLContext:
        context = self._trust.get(ca_file)
        if context is None:
            context = self._trust[ca_file] = ssl.create_default_context()
            context.load_verify_locations(cafile=ca_file)
        return context


def _content(value: Any, data: bytes | Mapping[str, str] | None) -> tuple[str, bytes | None]:
    """The body's type and the body itself; `value` is to be JSON."""
    if isinstance(data, bytes):
        return "application/octet-stream", data
    if data is not None:
        return "application/x-www-form-urlencoded", urlencode(data).encode()
    if value is not None:
        return "application/json", _write_json(value)
    return "", None


def _write_json(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:
        # Keys that are no text, integers beyond 64 bits.
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _read_json(body: bytes) -> Any:
    """What the standard library makes of it, in most cases faster. Raises `ValueError` and `RecursionError`."""
    if not _LONG_NUMBER.search(body):
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            # It is the stricter one of both.
            pass
    return json.loads(body)


async def _read(content: aiohttp.StreamReader) -> bytes:
    """`StreamReader.read(n)` returns what has come so far; this waits for the end."""
    body = bytearray()
    async for part in content.iter_any():
        body += part
        if len(body) >= MAX_REPLY_BYTES:
            break
    return bytes(body[:MAX_REPLY_BYTES])


def _session(connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "vestnik"},
    )
