"""What a platform brings to the suite that all of them pass: `CASE` in `tests/sources/case_<platform>.py`."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from channels.base import HookRequest
from hub.config import OrderStatus
from hub.sources.base import Call

JSON = {"content-type": "application/json"}


@dataclass(frozen=True, kw_only=True)
class SourceCase:
    """All that is called gets the simulator first, which is whatever `simulator` makes: an async context manager with
    `url`, where the platform has an API.

    `config`: of `POST /v1/sources`, with credentials that the simulator lets in.
    `place`: a buyer places an order of lines for whole pieces, as a new one stands on this platform; its id.
    `move`: the platform's own code for that status. `stages`: those that it can be moved to, one after the other, after it
    was placed; each is told by a message of its own.
    `call`: what the platform posts of that order as it stands now: `(simulator, id, what, secret)`, `what` being `created`
    or `updated`. `secret`: what the hub made for this source, empty where none is made. Each call of the function is
    another telling: it has another name (`webhook-id`, `uuid`), where the platform has such names.

    `first`: what a new order comes to. `buyer`: whether the platform says who bought.
    `forged`: that call, with a proof that does not match; None: the address alone proves it.
    `unknown`: a call of a kind that means nothing to us and is answered well all the same. `ping`: what it sends to see
    whether anybody is there. `unreadable`: whether rubbish is answered 400 (some platforms must hear 200 always).
    `same`: moves the order to another code of the same status as the last stage, where there are two.
    `secrets`: what stands in calls or in what is read, and must never be stored.
    `bad_config`: config whose credentials are refused. `mapping`: of the source, where the platform's words are the
    shop's own.
    `more`: other fields of `POST /v1/sources`.
    """

    platform: str
    simulator: Callable[[], Any]
    config: Callable[[Any], Mapping[str, Any]]
    place: Callable[[Any], str]
    move: Callable[[Any, str, OrderStatus], None]
    stages: Sequence[OrderStatus]
    call: Callable[[Any, str, str, str], Call]
    first: OrderStatus = OrderStatus.PLACED
    buyer: bool = True
    forged: Callable[[Call], Call] | None = None
    unknown: Callable[[Any, str], Call] | None = None
    ping: Callable[[Any, str], Call] | None = None
    unreadable: bool = True
    same: Callable[[Any, str], None] | None = None
    secrets: Sequence[str] = ()
    bad_config: Callable[[Any], Mapping[str, Any]] | None = None
    mapping: Mapping[str, Any] | None = None
    more: Mapping[str, Any] | None = None

    def __str__(self) -> str:
        return self.platform


def cases() -> list[SourceCase]:
    """Every platform that has one, by its name."""
    files = sorted(Path(__file__).parent.glob("case_*.py"))
    return [import_module(f"tests.sources.{file.stem}").CASE for file in files]


def posted(
    topic: str, said: Any, headers: Mapping[str, str] = {}, query: Mapping[str, str] = {}
) -> Call:
    """A call of that topic's hook. Bytes are posted as they are, all else as JSON."""
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    return Call(topic, HookRequest("POST", headers, query, body))


def with_body(call: Call, body: bytes) -> Call:
    """That call, saying something else."""
    return replace(call, request=replace(call.request, body=body))


def with_header(call: Call, name: str, value: str) -> Call:
    """That call, with another value in one header."""
    return replace(
        call, request=replace(call.request, headers={**call.request.headers, name: value})
    )
