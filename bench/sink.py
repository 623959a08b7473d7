"""Providers that take everything at once, as cheaply as a server can, so that it is not they who are measured.

Speaks as much of HTTP/1.1 as clients with kept connections need, and answers the sending calls of Telegram, VK, MAX
and Unisender Go. Nothing is checked: that is what the simulators of the tests are for.
"""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import orjson
import uvloop

MARK = "@"
"""The arrival of a text that begins so is remembered with its time."""


class Taken:
    """What has come so far: `messages`, and by marked text when (`time.time()`)."""

    def __init__(self) -> None:
        self.messages = 0
        self.arrivals: dict[str, float] = {}

    def note(self, text: str, count: int = 1) -> None:
        self.messages += count
        if text.startswith(MARK):
            self.arrivals[text] = time.time()


def _telegram(taken: Taken, _path: str, body: bytes) -> bytes:
    form = orjson.loads(body)
    taken.note(form["text"])
    chat = {"id": int(form["chat_id"]), "type": "private"}
    return orjson.dumps(
        {"ok": True, "result": {"message_id": taken.messages, "date": 0, "chat": chat}}
    )


def _vk(taken: Taken, _path: str, body: bytes) -> bytes:
    form = parse_qs(body.decode())
    peers = form["peer_ids"][0].split(",")
    taken.note(form["message"][0], len(peers))
    found = [
        {"peer_id": int(peer), "message_id": 1, "conversation_message_id": 1 + n}
        for n, peer in enumerate(peers)
    ]
    return orjson.dumps({"response": found})


def _max(taken: Taken, _path: str, body: bytes) -> bytes:
    taken.note(orjson.loads(body)["text"])
    return orjson.dumps({"message": {"body": {"mid": f"mid.{taken.messages}"}}})


def _unisender_go(taken: Taken, _path: str, body: bytes) -> bytes:
    # Counted and not read: a provider reads it on a machine of its own.
    taken.note("", body.count(b'"metadata":'))
    return orjson.dumps(
        {
            "status": "success",
            "job_id": f"1ZymBc-{taken.messages:06d}",
            "emails": [],
            "failed_emails": {},
        }
    )


def _told(taken: Taken, path: str, _body: bytes) -> bytes:
    if path.endswith("forget"):
        taken.messages, taken.arrivals = 0, {}
    arrivals = taken.arrivals if path.endswith("arrivals") else {}
    return json.dumps({"messages": taken.messages, "arrivals": arrivals}).encode()


_WAYS: dict[bytes, Callable[[Taken, str, bytes], bytes]] = {
    b"/bot": _telegram,
    b"/method/": _vk,
    b"/messages": _max,
    b"/email/": _unisender_go,
    b"/sink/": _told,
}


class _Server(asyncio.Protocol):
    def __init__(self, taken: Taken) -> None:
        self._taken = taken
        self._data = bytearray()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._data[:end])
            length = _length(head)
            if len(self._data) < end + 4 + length:
                return
            body = bytes(self._data[end + 4 : end + 4 + length])
            del self._data[: end + 4 + length]
            self._answer(head.split(b" ", 2)[1], body)

    def _answer(self, path: bytes, body: bytes) -> None:
        way = next((way for prefix, way in _WAYS.items() if path.startswith(prefix)), None)
        told = way(self._taken, path.decode(), body) if way else b"{}"
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
            % (len(told), told)
        )


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    return 0


async def serve() -> None:
    """Until it is killed; prints its port."""
    taken = Taken()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Server(taken), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve())
