"""Ozon: its pushes name a posting, the Seller API says what is in it (docs.ozon.ru/api/seller)."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar

from pydantic import Field, SecretStr

from channels.base import BadHook, BaseUrl, Check, HookReply, Limits
from hub.config import OrderStatus
from hub.sources.base import (
    Ask,
    Call,
    Impossible,
    Later,
    Page,
    Purpose,
    SourceConfig,
    Trouble,
    Unreadable,
)
from hub.sources.http import ShopHttp
from hub.sources.model import Action, Facts, Heard, Incoming, Kind
from hub.sources.platforms.ozon_posting import SPEC, STATUSES, posting_facts
from hub.sources.platforms.wire import answered, digest, object_of, zulu
from hub.sources.values import first, instant, number, rows, table, text, yes
from hub.sources.whitelist import kept

# They give up to a thousand, which may be more than fits into one answer.
_PAGE = 200

_WINDOW = timedelta(days=30)
# The longest time that they let us ask for is a year.
_YEAR = timedelta(days=360)
_AROUND = timedelta(days=60)

# What is written at the platform while we read may show a little later.
_OVERLAP = timedelta(minutes=2)

_ABOUT_POSTINGS = frozenset(
    {
        "TYPE_NEW_POSTING",
        "TYPE_POSTING_CANCELLED",
        "TYPE_STATE_CHANGED",
        "TYPE_CUTOFF_DATE_CHANGED",
        "TYPE_DELIVERY_DATE_CHANGED",
    }
)
# Their page has both spellings of some.
_TIMES = ("changed_state_date", "changed_at", "in_process_at", "creation_date", "created_at")


class OzonConfig(SourceConfig):
    """`client_id` and `api_key`: from the page of API keys; a key of the kind "read only" will do."""

    client_id: Annotated[str, Field(pattern=r"^[0-9]{1,20}$")]
    api_key: SecretStr = Field(min_length=1)
    base_url: BaseUrl = "https://api-seller.ozon.ru"


class Ozon:
    """Of the models FBS and rFBS, where the goods lie at the shop. What it packs is said in Ozon's own pages, so
    that nothing is written."""

    Config: ClassVar[type[SourceConfig]] = OzonConfig
    platform: ClassVar[str] = "ozon"
    title: ClassVar[str] = "Ozon"
    topics: ClassVar[tuple[str, ...]] = ("push",)
    signed: ClassVar[bool] = False
    statuses: ClassVar[Mapping[str, OrderStatus | None]] = STATUSES
    writes_as: ClassVar[Mapping[OrderStatus, str]] = {}
    # Fifty a second over all that the shop's programs ask.
    limits: ClassVar[Limits] = Limits(per_second=20, concurrency=8)
    reads: ClassVar[tuple[Kind, ...]] = (Kind.ORDER,)
    rereads_open: ClassVar[bool] = False

    def __init__(self, config: OzonConfig, http: ShopHttp, *, secret: str = "") -> None:  # noqa: ARG002
        self._config = config
        self._http = http

    def hear(self, call: Call, *, now: datetime) -> Heard:
        """Nothing is signed, so that nothing is believed but that there is a posting to read. Ozon wants its own
        shape of a refusal, too."""
        try:
            said = object_of(call.request.body)
        except BadHook as fault:
            return Heard(reply=_refusal("ERROR_UNKNOWN", str(fault)))
        kind = text(said.get("message_type"))
        if not kind:
            return Heard(reply=_refusal("ERROR_PARAMETER_VALUE_MISSED", "message_type is missing"))
        if kind == "TYPE_PING":
            return Heard(reply=_reply({"version": "1.0.0", "name": "Vestnik", "time": zulu(now)}))
        return Heard((_event(kind, said),), _reply({"result": True}))

    def facts(self, kind: Kind, payload: Mapping[str, Any]) -> Facts:
        if kind is not Kind.ORDER:
            raise Unreadable("Ozon tells of postings only")
        return posting_facts(payload)

    async def fetch(self, kind: Kind, object_: str) -> Mapping[str, Any] | None:
        if kind is not Kind.ORDER or not object_:
            return None
        asked = {"posting_number": object_, "with": {"analytics_data": True}}
        url, headers = self._door("get")
        said = await self._http.found_json(url, method="POST", json=asked, headers=headers)
        posting = table(table(said).get("result"))
        return kept(posting, SPEC) if posting else None

    async def read(self, ask: Ask) -> Page:
        held = ask.position or {}
        if ask.purpose is Purpose.HISTORY:
            return await self._history(ask, held)
        if held.get("phase") == "open":
            return await self._unfulfilled(held)
        return await self._changed(ask, held)

    async def _changed(self, ask: Ask, held: Mapping[str, Any]) -> Page:
        """What changed its status since the last reading began.

        To the future, not until now: what changes once more while we read would leave the list, and what comes
        after it would slip into the page that we have read.
        """
        now = datetime.now(UTC)
        began = instant(held.get("began")) or now
        since = instant(held.get("from")) or ask.since
        period = {"from": zulu(since), "to": zulu(now + _WINDOW)}
        ordered = {"since": zulu(now - _YEAR), "to": zulu(now + _OVERLAP)}
        filter_ = {**ordered, "last_changed_status_date": period}
        items, offset = await self._postings("list", filter_, held)
        position = {"from": zulu(since), "began": zulu(began)}
        if offset:
            return Page(items, {**position, "offset": offset}, True)
        return Page(items, {**position, "phase": "open"}, True)

    async def _unfulfilled(self, held: Mapping[str, Any]) -> Page:
        """New postings are pushed late at times, says Ozon: all that is still to be packed is looked through."""
        now = datetime.now(UTC)
        filter_ = {"cutoff_from": zulu(now - _AROUND), "cutoff_to": zulu(now + _AROUND)}
        items, offset = await self._postings("unfulfilled/list", filter_, held)
        if offset:
            return Page(items, {**held, "offset": offset}, True)
        return Page(items, {"from": zulu((instant(held.get("began")) or now) - _OVERLAP)}, False)

    async def _history(self, ask: Ask, held: Mapping[str, Any]) -> Page:
        since = instant(held.get("from")) or ask.since
        # Beyond now: times go out in whole seconds, and a posting of this one belongs to it.
        last = datetime.now(UTC) + _OVERLAP
        until = min(since + _WINDOW, last)
        filter_ = {"since": zulu(since), "to": zulu(until)}
        items, offset = await self._postings("list", filter_, held)
        if offset:
            return Page(items, {"from": zulu(since), "offset": offset}, True)
        return Page(items, {"from": zulu(until)}, until < last)

    async def _postings(
        self, which: str, filter_: Mapping[str, Any], held: Mapping[str, Any]
    ) -> tuple[list[Incoming], int]:
        """A page, and where the next one begins; 0: there is none."""
        offset = int(number(held.get("offset")) or 0)
        page = {"limit": _PAGE, "offset": offset, "dir": "ASC", "with": {"analytics_data": True}}
        result = table((await self._ask(which, {"filter": filter_, **page})).get("result"))
        found = rows(result.get("postings"))
        # The unfulfilled ones come without the word whether there are more.
        more = yes(result.get("has_next")) or len(found) == _PAGE
        items = [_item(posting) for posting in found]
        return items, offset + len(found) if found and more else 0

    async def check(self) -> Check:
        now = datetime.now(UTC)
        filter_ = {"since": zulu(now - timedelta(days=1)), "to": zulu(now)}
        try:
            await self._ask("list", {"filter": filter_, "limit": 1, "offset": 0})
        except (Later, Trouble, Impossible) as error:
            return Check(False, f"Ozon does not show the shop's postings: {error}")
        return Check(True, "Ozon shows the shop's postings")

    async def _ask(self, what: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        url, headers = self._door(what)
        return answered(await self._http.post(url, json=asked, headers=headers))

    def _door(self, what: str) -> tuple[str, Mapping[str, str]]:
        url = f"{self._config.base_url}/v3/posting/fbs/{what}"
        key = self._config.api_key.get_secret_value()
        return url, {"Client-Id": self._config.client_id, "Api-Key": key}


def _event(kind: str, said: Mapping[str, Any]) -> Incoming:
    posting = text(said.get("posting_number"))
    told = first(*(said.get(name) for name in _TIMES))
    ignored = ""
    if "_FBO_" in kind or kind.startswith("TYPE_ORDER_"):
        # Ozon itself packs what lies in its own stores.
        ignored = "packed-by-ozon"
    elif kind not in _ABOUT_POSTINGS or not posting:
        ignored = "not-a-posting"
    state = text(said.get("new_state"))
    return Incoming(
        kind=None if ignored else Kind.ORDER,
        action=Action.CREATED if kind == "TYPE_NEW_POSTING" else Action.UPDATED,
        object=posting,
        key=text(said.get("uuid")) or f"{kind}:{posting}:{state}:{told}:{digest(said)}",
        happened_at=instant(told),
        ignored=ignored,
    )


def _item(posting: Mapping[str, Any]) -> Incoming:
    """They do not say when it changed: what it holds says whether it did."""
    payload, number_ = kept(posting, SPEC), text(posting.get("posting_number"))
    return Incoming(
        kind=Kind.ORDER,
        action=Action.UPDATED,
        object=number_,
        key=f"poll:{number_}:{digest(payload)}",
        payload=payload,
    )


def _reply(said: Mapping[str, Any], status: int = 200) -> HookReply:
    return HookReply(json.dumps(said), status=status, content_type="application/json")


def _refusal(code: str, message: str) -> HookReply:
    return _reply({"error": {"code": code, "message": message, "details": None}}, 400)
