"""A server that speaks HTTP/2 and nothing else, for simulators of providers that do so: h2c, or TLS with ALPN."""

import asyncio
import ssl
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    DataReceived,
    Event,
    RequestReceived,
    StreamEnded,
    StreamReset,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings

from tests.simulators.base import Fault, Simulator


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    """Lower-case names, without the pseudo-headers."""
    body: bytes
    connection: int
    """Which of the server's connections it came over."""


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class Http2Simulator(Simulator):
    """Subclasses answer requests in `answer`. Many streams of one connection are served at once.

    `refuse_streams`: so many of the next requests are reset with REFUSED_STREAM, as by a server that has no
    room; `most_at_once`: streams that were open together so far.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__()
        self.connections = 0
        self.refuse_streams = 0
        self.most_at_once = 0
        self.max_streams = 100
        self.open: set[_Connection] = set()
        self._tls = tls
        self._server: asyncio.Server | None = None

    async def answer(self, request: Request) -> Response:
        raise NotImplementedError

    @property
    def url(self) -> str:
        # Certificates are made out to a name.
        return f"https://localhost:{self.port}" if self._tls else f"http://127.0.0.1:{self.port}"

    async def start(self, port: int = 0) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self), "127.0.0.1", port, ssl=self._tls
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server:
            self._server.close()
            for connection in list(self.open):
                connection.abort()
            await self._server.wait_closed()
            self._server = None

    def go_away(self) -> None:
        """What a server does before maintenance: streams after the last one it has seen are not served."""
        for connection in list(self.open):
            connection.go_away()

    async def respond(self, request: Request) -> Response | None:
        """None: the connection is closed without an answer."""
        self.requests += 1
        fault = self.faults.popleft() if self.faults else self.fault
        if self.delay:
            await asyncio.sleep(self.delay)
        if fault is None:
            return await self.answer(request)
        if fault.after_taking:
            await self.answer(request)
        if fault.hang:
            await asyncio.sleep(3600)
        return None if fault.close else _faulty(fault)


def _faulty(fault: Fault) -> Response:
    headers = {"content-type": fault.content_type, **fault.headers}
    body = fault.body if isinstance(fault.body, bytes) else fault.body.encode()
    return Response(fault.status, {k.lower(): v for k, v in headers.items()}, body)


class _Connection(asyncio.Protocol):
    def __init__(self, simulator: Http2Simulator) -> None:
        self._simulator = simulator
        self._h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self._transport: Any = None
        self._number = 0
        self._heads: dict[int, dict[str, str]] = {}
        self._bodies: dict[int, bytearray] = defaultdict(bytearray)
        self._tasks: set[asyncio.Task[None]] = set()
        self._window = asyncio.Event()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._simulator.connections += 1
        self._number = self._simulator.connections
        self._simulator.open.add(self)
        self._h2.local_settings = Settings(
            client=False,
            initial_values={SettingCodes.MAX_CONCURRENT_STREAMS: self._simulator.max_streams},
        )
        self._h2.initiate_connection()
        self._write()

    def connection_lost(self, exc: Exception | None) -> None:
        self._simulator.open.discard(self)
        for task in self._tasks:
            task.cancel()

    def data_received(self, data: bytes) -> None:
        try:
            for event in self._h2.receive_data(data):
                self._take(event)
        except ProtocolError:
            self._write()
            self._transport.close()
            return
        self._window.set()
        self._write()

    def abort(self) -> None:
        self._transport.abort()

    def go_away(self) -> None:
        self._h2.close_connection(last_stream_id=self._h2.highest_inbound_stream_id)
        self._write()
        self._transport.close()

    def _take(self, event: Event) -> None:
        match event:
            case RequestReceived(stream_id=int(stream), headers=list(headers)):
                self._heads[stream] = {str(k): str(v) for k, v in headers}
                at_once = self._h2.open_inbound_streams
                self._simulator.most_at_once = max(self._simulator.most_at_once, at_once)
            case DataReceived(stream_id=int(stream), data=bytes(data)):
                self._bodies[stream] += data
                self._h2.acknowledge_received_data(event.flow_controlled_length or 0, stream)
            case StreamEnded(stream_id=int(stream)):
                self._serve(stream)
            case StreamReset():
                pass

    def _serve(self, stream: int) -> None:
        if self._simulator.refuse_streams:
            self._simulator.refuse_streams -= 1
            self._h2.reset_stream(stream, ErrorCodes.REFUSED_STREAM)
            return
        task = asyncio.create_task(self._answer(stream))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, stream: int) -> None:
        head = self._heads.pop(stream)
        request = Request(
            method=head[":method"],
            path=head[":path"],
            headers={k: v for k, v in head.items() if not k.startswith(":")},
            body=bytes(self._bodies.pop(stream, b"")),
            connection=self._number,
        )
        response = await self._simulator.respond(request)
        if response is None:
            self._transport.close()
            return
        headers = [(":status", str(response.status)), *response.headers.items()]
        self._h2.send_headers(stream, headers, end_stream=not response.body)
        await self._send(stream, response.body)

    async def _send(self, stream: int, body: bytes) -> None:
        """Within the client's window."""
        while body:
            size = self._h2.local_flow_control_window(stream)
            part = body[: min(size, self._h2.max_outbound_frame_size)]
            if part:
                body = body[len(part) :]
                self._h2.send_data(stream, part, end_stream=not body)
                self._write()
            else:
                self._window.clear()
                await self._window.wait()
        self._write()

    def _write(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(self._h2.data_to_send())
