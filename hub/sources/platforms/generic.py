"""A shop of one's own: it tells in the hub's words, as CloudEvents, or in a shape of its own that its config explains."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, TypeVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ValidationError

from channels.base import BadHook, Check, HookReply, HookRequest, Limits
from hub.config import OrderStatus
from hub.sources.base import Call, SourceConfig, Unreadable
from hub.sources.canonical import MODEL_OF, GoneData
from hub.sources.http import ShopHttp
from hub.sources.model import Action, Facts, Heard, Incoming, Kind
from hub.sources.platforms.generic_cloudevents import CloudEvent, events_of, is_cloud
from hub.sources.platforms.generic_shape import Shape, fit, found, meaning, storable
from hub.sources.platforms.wire import digest, json_of
from hub.sources.values import instant, text
from hub.webhooks import signing
from hub.wording import wording

_MOST = 1000
_CLOCKS = timedelta(hours=1)
_PLAIN = Shape()

Item = TypeVar("Item")


class GenericConfig(SourceConfig):
    """`unsigned`: whoever knows the hook's URL is believed. `events`: how a body of the shop's own shape is read; left
    out: it has the hub's."""

    unsigned: bool = False
    events: Shape | None = None


class Generic:
    Config: ClassVar[type[SourceConfig]] = GenericConfig
    platform: ClassVar[str] = "generic"
    title: ClassVar[str] = "A shop of your own"
    topics: ClassVar[Sequence[str]] = ("events",)
    signed: ClassVar[bool] = True
    statuses: ClassVar[Mapping[str, OrderStatus | None]] = {str(one): one for one in OrderStatus}
    writes_as: ClassVar[Mapping[OrderStatus, str]] = {}
    limits: ClassVar[Limits] = Limits()

    def __init__(self, config: GenericConfig, http: ShopHttp, *, secret: str = "") -> None:  # noqa: ARG002
        self._config = config
        self._secret = secret

    def hear(self, call: Call, *, now: datetime) -> Heard:
        """All events of a call or none: a sender hears at once what the hub could not read."""
        request = call.request
        if not self._config.unsigned and not signing.verify(
            [self._secret], request.headers, request.body, now=now
        ):
            raise BadHook("the signature does not match", forged=True)
        try:
            events = self._events(request)
        except RecursionError:
            raise BadHook("objects and arrays lie too deep in each other") from None
        for place, event in enumerate(events):
            _not_ahead(event, place, now)
        return Heard(
            events, HookReply(json.dumps({"accepted": len(events)}), 202, "application/json")
        )

    def _events(self, request: HookRequest) -> list[Incoming]:
        if is_cloud(request):
            clouds = events_of(request)
            _not_too_many(clouds)
            return [self._of_cloud(one, at) for one, at in _placed(clouds)]
        said = json_of(request.body)
        bodies = said if isinstance(said, list) else [said]
        _not_too_many(bodies)
        read = self._canonical if self._config.events is None else self._own
        named = request.headers.get("webhook-id", "")
        return [
            read(_object(body, at), f"webhook:{named}:{at}" if named else "", at)
            for body, at in _placed(bodies)
        ]

    def _canonical(self, body: Mapping[str, Any], key: str, at: str) -> Incoming:
        """As `POST /v1/events` takes it."""
        try:
            kind, action = Kind(body["kind"]), Action(body.get("action", "updated"))
        except (KeyError, ValueError):
            raise BadHook(
                f"{at}kind must be customer, product, cart or order, and action created, updated or deleted"
            ) from None
        key = f"own:{id_}" if (id_ := text(body.get("id"))) else key
        happened_at = _instant(body.get("happened_at"), f"{at}happened_at")
        return _incoming(kind, action, body.get("data"), key, happened_at, f"{at}data")

    def _own(self, body: Mapping[str, Any], key: str, at: str) -> Incoming:
        shape = self._config.events or _PLAIN
        key = (
            f"own:{id_}" if (id_ := text(found(shape.id, body))) else key or f"body:{digest(body)}"
        )
        happened_at = instant(found(shape.time, body), ZoneInfo(shape.timezone))
        meant = meaning(text(found(shape.type, body), 200), shape.types)
        if meant is None:
            return _unknown(key, happened_at)
        kind, action = meant
        data = fit(found(shape.data.get(kind, "data"), body), shape.timezone)
        return _incoming(kind, action, data, key, happened_at, f"{at}data.{kind}")

    def _of_cloud(self, event: CloudEvent, at: str) -> Incoming:
        shape = self._config.events or _PLAIN
        key = f"cloud:{event.source} {event.id}"
        happened_at = _instant(event.time, f"{at}time")
        meant = meaning(event.type, shape.types)
        if meant is None:
            return _unknown(key, happened_at, event.subject)
        kind, action = meant
        path = shape.data.get(kind)
        data = fit(found(path, event.data), shape.timezone) if path else event.data
        if event.subject and (data is None or isinstance(data, Mapping)):
            data = {"id": event.subject, **(data or {})}
        return _incoming(kind, action, data, key, happened_at, f"{at}data")

    def facts(self, kind: Kind, payload: Mapping[str, Any]) -> Facts:
        try:
            return MODEL_OF[kind].model_validate_json(json.dumps(payload)).facts()
        except ValidationError as error:
            raise Unreadable(_fault(error)) from None

    async def check(self) -> Check:
        return Check(True, "nothing to ask: it only tells")


def _incoming(
    kind: Kind,
    action: Action,
    data: Any,
    key: str,
    happened_at: datetime | None,
    where: str,
) -> Incoming:
    """Checked here, while the sender listens. Raises `BadHook`, with the place and without a value."""
    data = storable(data)
    if not isinstance(data, dict):
        raise BadHook(f"{where} is missing, or no object")
    if action is Action.DELETED:
        data = {"id": data.get("id")}
    model: type[BaseModel] = GoneData if action is Action.DELETED else MODEL_OF[kind]
    try:
        checked: Any = model.model_validate_json(json.dumps(data))
    except ValidationError as error:
        raise BadHook(f"{where}.{_fault(error)}") from None
    if not checked.id:
        raise BadHook(f"{where}.id is missing")
    return Incoming(
        kind=kind,
        action=action,
        object=checked.id,
        key=key or f"body:{digest([kind, action, data])}",
        happened_at=happened_at or checked.changed_at,
        payload=data,
    )


def _unknown(key: str, happened_at: datetime | None, subject: str = "") -> Incoming:
    return Incoming(None, None, subject, key, happened_at, ignored="unknown-type")


def _instant(value: Any, where: str) -> datetime | None:
    at = instant(value)
    if at is None and text(value):
        raise BadHook(f"{where} is no time like 2026-12-01T10:00:00+03:00")
    return at


def _not_ahead(event: Incoming, place: int, now: datetime) -> None:
    """Whatever is told after an event of next year would seem to be older than it, for a year."""
    changed_at = instant((event.payload or {}).get("changed_at"))
    if max(filter(None, (event.happened_at, changed_at)), default=now) > now + _CLOCKS:
        raise BadHook(f"[{place}] happens more than an hour from now: look at the sender's clock")


def _object(body: Any, at: str) -> Mapping[str, Any]:
    if not isinstance(body, dict):
        raise BadHook(f"{at}an event is a JSON object")
    return body


def _placed(items: Sequence[Item]) -> list[tuple[Item, str]]:
    """Each with how its place is named in an error; one alone has none."""
    return [(item, f"[{place}]." if len(items) > 1 else "") for place, item in enumerate(items)]


def _not_too_many(items: Sequence[Any]) -> None:
    if len(items) > _MOST:
        raise BadHook(f"a call may hold {_MOST} events, not {len(items)}")


def _fault(error: ValidationError) -> str:
    """The first thing that is wrong, and where."""
    one = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, one['loc']))}: {wording(one)}"
