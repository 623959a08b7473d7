"""A shop of one's own: it tells in the hub's words, or in its own ones through the source's mapping."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from pydantic import ValidationError

from channels.base import BadHook, Check, HookReply, Limits
from hub.config import OrderStatus
from hub.sources.base import Call, SourceConfig, Unreadable
from hub.sources.canonical import MODEL_OF
from hub.sources.http import ShopHttp
from hub.sources.model import Action, Facts, Heard, Incoming, Kind
from hub.sources.values import instant, table, text
from hub.webhooks import signing


class GenericConfig(SourceConfig):
    """`unsigned`: whoever knows the hook's URL is believed."""

    unsigned: bool = False


class Generic:
    Config: ClassVar[type[SourceConfig]] = GenericConfig
    platform: ClassVar[str] = "generic"
    title: ClassVar[str] = "A shop of your own"
    topics: ClassVar[Sequence[str]] = ("events",)
    signed: ClassVar[bool] = True
    statuses: ClassVar[Mapping[str, OrderStatus | None]] = {str(one): one for one in OrderStatus}
    writes_as: ClassVar[Mapping[OrderStatus, str]] = {}
    limits: ClassVar[Limits] = Limits()

    def __init__(self, config: GenericConfig, http: ShopHttp, *, secret: str = "") -> None:
        self._config = config
        self._http = http
        self._secret = secret

    def hear(self, call: Call, *, now: datetime) -> Heard:
        request = call.request
        if not self._config.unsigned and not signing.verify(
            [self._secret], request.headers, request.body, now=now
        ):
            raise BadHook("the signature does not match", forged=True)
        try:
            given = table(json.loads(request.body))
            kind, action = Kind(given["kind"]), Action(given.get("action", "updated"))
        except (ValueError, KeyError, RecursionError):
            raise BadHook("not an event: kind, action, data") from None
        data = table(given.get("data"))
        key = text(given.get("id")) or text(request.headers.get("webhook-id"))
        if not key or not text(data.get("id")):
            raise BadHook("not an event: id and data.id are needed")
        happened_at = instant(given.get("happened_at"))
        event = Incoming(kind, action, text(data["id"]), key, happened_at, data)
        return Heard([event], HookReply('{"accepted":1}', 202, "application/json"))

    def facts(self, kind: Kind, payload: Mapping[str, Any]) -> Facts:
        try:
            # From JSON, and only from JSON, strict models take times and enums as text.
            return MODEL_OF[kind].model_validate_json(json.dumps(payload)).facts()
        except ValidationError as error:
            places = {".".join(map(str, one["loc"])): one["msg"] for one in error.errors()}
            place, why = next(iter(places.items()))
            raise Unreadable(f"{place}: {why.removeprefix('Value error, ')}") from None

    async def check(self) -> Check:
        return Check(True, "nothing to ask: it only tells")
