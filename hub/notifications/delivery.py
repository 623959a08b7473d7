"""Takes a job's deliveries from claim to recorded outcome. Safe to run twice: a delivery is claimed once."""

import asyncio
import random
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import structlog

from channels.base import Accepted, Category, Message, Outcome, Refused, Retry, Scope
from hub.accounts.book import LiveAccount, Need
from hub.accounts.breaker import Breaker
from hub.accounts.choice import carriers
from hub.accounts.limits import Grant, RateLimits
from hub.accounts.throttling import Throttling
from hub.config import Shop
from hub.db.pool import UNREACHABLE
from hub.ids import new_id
from hub.notifications import attempts, claims, quoted, routes, service, statuses
from hub.notifications.attempts import Begun
from hub.notifications.choosing import Chooser, Chosen
from hub.notifications.claims import Claimed
from hub.notifications.counters import Counters
from hub.notifications.gate import Gate
from hub.notifications.interactive import Interactive, Parts, render_all
from hub.notifications.leases import Job, Leases
from hub.notifications.load import Hold, Load
from hub.notifications.model import DeliveryStatus
from hub.notifications.plan import quiet_until
from hub.notifications.recorder import Pair, Recorder
from hub.notifications.rendering import CannotRender, Filled, asking_of, filled, message_for
from hub.notifications.settle import Settled
from hub.notifications.shares import Shares
from hub.notifications.sorting import (
    came_to,
    ended_before_sending,
    left_unknown,
    not_recognised,
    not_waiting,
    sort_out,
    too_late,
)
from hub.notifications.steps import Due
from hub.notifications.way import RightOfWay
from hub.queue import LANES, DueRoute, Lane
from hub.resources import Hub

log = structlog.get_logger()

_LOOK_EVERY = timedelta(seconds=1)
_SHARE_WAIT = timedelta(milliseconds=500)
_AT_ONCE = timedelta(0)

_LOOKED_AT_FOR = 15.0
"""Seconds after which what still waits for its turn goes back: a consent, an address or a newer message of the same key may
have come meanwhile."""
_FRESH = 5.0
"""Seconds for which nobody minds that an end or a quiet hour has come meanwhile; looking costs as much as sorting did."""

_IN_ITS_ROW = timedelta(seconds=5)
"""Longer than a busy API takes from accepting a message to handing it out."""


class Deliverer:
    """One per worker process. `worker` names this process in the leases it holds. `kinds`: of messages that are
    questions, those that can be rendered."""

    def __init__(
        self, hub: Hub, worker: UUID, limits: RateLimits, kinds: Sequence[Interactive] = ()
    ) -> None:
        self._hub = hub
        self._worker = worker
        self._limits = limits
        self._kinds = {one.kind: one for one in kinds}
        self._breaker = Breaker(hub.accounts)
        self._chooser = Chooser(hub.accounts, self._breaker)
        self._counters = Counters(hub.shops)
        self._shares = Shares()
        self._load = Load(self._breaker.seconds)
        self._recorder = Recorder(hub.planned, worker)
        self._gates: dict[str, Gate] = {}
        self._throttling = Throttling(limits)
        self._way = RightOfWay()
        self._foremost = asyncio.Lock()
        """One after the other: those that look for the foremost at once step over each other's."""
        self.leases = Leases(hub.db, worker)
        self.draining = False
        """Set at the end of the process: what is not yet with a provider goes back."""

    async def deliver(self, ids: Sequence[UUID], handed_out_at: datetime | None = None) -> None:
        """The whole way of one job. What a database that goes away holds up is due again once it is back."""
        if not self.draining:
            job = Job()
            with self.leases.left_for_later(job, ids):
                claimed = await claims.claim(self._hub.db, ids, self._worker)
                await self._deliver(job, claimed, handed_out_at)

    async def deliver_due(self, due: DueRoute, most: int) -> None:
        """As `deliver`, of the foremost of a route, and no more than its account soon takes."""
        if self.draining:
            return
        await self._way.give(LANES[due.category])
        async with self._foremost:
            most = min(most, self._room(due, most))
            if not most:
                return
            job, claimed = Job(), []
            # Should its answer be lost on the way, the leases run out.
            with self.leases.left_for_later(job, ()):
                claimed = await claims.claim_due(self._hub.by_index, due, most, self._worker)
        with self.leases.left_for_later(job, [c.id for c in claimed]):
            await self._deliver(job, claimed)

    def _room(self, due: DueRoute, most: int) -> int:
        """How many of that route to claim: of a slow account only what it soon takes."""
        route = routes.read(due.route)
        if route is None:
            return most
        now, lane, room = datetime.now(UTC), LANES[due.category], 0
        found = carriers(self._hub.accounts, due.shop_id, route.channel, route.need, now)
        for account in found:
            its = self._load.room(lane, account)
            if its is None:
                return most
            room += its if self._shares.free(lane, account.key) else 0
        return room if found else most

    async def _deliver(
        self, job: Job, claimed: Sequence[Claimed], handed_out_at: datetime | None = None
    ) -> None:
        claimed = self.leases.free(claimed)
        if not claimed:
            return
        now, lane = datetime.now(UTC), LANES[claimed[0].category]
        late = _late(max(c.due_at for c in claimed), handed_out_at, now)
        with (
            self._way.taken(lane, late=late),
            self._chooser.job() as chosen,
            self.leases.held(job, claimed),
        ):
            found = sort_out(claimed, self._shop, chosen.choose, now=now)
            # Before anybody else looks how much there is in hand.
            groups = [
                (a, batch, self._load.take(lane, a, len(batch)))
                for a, batch in found.groups.values()
            ]
            try:
                await self._record(found.over, {})
                await self._give_back(job, found.later)
                if found.held:
                    await claims.hold(self._hub.db, found.held, self._worker)
                await _all(
                    self._by_account(job, a, batch, hold, chosen) for a, batch, hold in groups
                )
            finally:
                for _, _, hold in groups:
                    hold.leave_all()

    def crowded(self, lane: Lane) -> bool:
        """Whether more jobs of that lane would only wait here."""
        return self._shares.crowded(lane)

    async def watch(self) -> None:
        """Runs beside the jobs: calls that hang are noticed before they end, and all processes hear how quick the
        accounts are."""
        while True:
            await asyncio.sleep(_LOOK_EVERY.total_seconds())
            with suppress(*UNREACHABLE):
                await self._breaker.look(self._hub.db)
            paces = {a.key: self._load.pace(a) for a in self._hub.accounts.all()}
            await self._limits.tell(
                self._worker, {key: pace for key, pace in paces.items() if pace is not None}
            )

    async def hand_out(self, due: Iterable[Due]) -> None:
        await service.hand_out(self._hub, due)

    def _shop(self, shop_id: int) -> Shop | None:
        shop = self._hub.shops.get(shop_id)
        return shop.settings if shop else None

    async def _by_account(
        self, job: Job, account: LiveAccount, batch: list[Claimed], hold: Hold, chosen: Chosen
    ) -> None:
        """One account, so that a slow or broken one holds up nobody else. No transaction is open."""
        with self.leases.left_for_later(job, [d.id for d in batch]):
            if batch := await self._not_too_many(job, account, batch, hold):
                await self._in_its_share(job, account, batch, hold)
        chosen.ended(account)

    async def _in_its_share(
        self, job: Job, account: LiveAccount, batch: list[Claimed], hold: Hold
    ) -> None:
        async with self._shares.one(LANES[batch[0].category], account.key) as free:
            if free:
                await self._send(job, account, batch, hold)
            else:
                await self._limits.note_full(account.bucket)
                later = {d.id: _SHARE_WAIT * random.uniform(1.0, 1.5) for d in batch}
                await self._give_back(job, later)

    async def _not_too_many(
        self, job: Job, account: LiveAccount, batch: list[Claimed], hold: Hold
    ) -> list[Claimed]:
        """Without those that a slow account would not soon take: they keep their place in the line."""
        over = self._load.over(LANES[batch[0].category], account)
        # What is recognised as a whole call only stays together.
        if not over or (account.whole_calls and any(d.doubt_since for d in batch)):
            return batch
        stays = max(0, len(batch) - over)
        back = batch[stays:]
        hold.leave(len(back))
        await self._limits.note_full(account.bucket)
        await self._give_back(job, dict.fromkeys((d.id for d in back), _AT_ONCE))
        return batch[:stays]

    async def _send(self, job: Job, account: LiveAccount, batch: list[Claimed], hold: Hold) -> None:
        self._breaker.given(account, {Need(d.address_kind, d.address_provider) for d in batch})
        batch_key = new_id()
        lane = LANES[batch[0].category]
        await self._way.give(lane)
        questions = await self._questions(batch)
        messages, failed = await self._render(account, batch, batch_key, questions)
        if failed:
            # What was stored a moment ago this process may not know yet.
            await self._hub.catalog.refresh(self._hub.db)
            once_more = [delivery for delivery, _ in failed]
            more, failed = await self._render(account, once_more, batch_key, questions)
            messages += more
        await self._record(failed, {})
        by_key = {str(d.id): d for d in batch}
        messages = await self._recipients_free(job, account, messages, by_key)
        calls = await self._without_doubles(account, account.adapter.split(messages), by_key)
        self._load.split(account, calls)
        grant = await self._limits.calls(account.bucket, account.limits, lane, len(calls))
        await self._come_back(job, account, calls[grant.calls :], grant, by_key)
        gate = self._gate(account)
        waiting = calls[: grant.calls]
        hold.leave(len(batch) - sum(map(len, waiting)))
        waves: list[asyncio.Task[None]] = []
        try:
            while waiting:
                await self._way.give(lane)
                size = await gate.enter(len(waiting))
                # Some of each job go in any case: else one whose messages take long to make would never come to an end.
                if not size or (waves and job.age > _LOOKED_AT_FOR):
                    gate.leave(size)
                    left = [by_key[m.key].id for call in waiting for m in call]
                    hold.leave(len(left))
                    await self._give_back(job, dict.fromkeys(left, _AT_ONCE))
                    return
                wave, waiting = waiting[:size], waiting[size:]
                waves.append(
                    asyncio.create_task(
                        self._wave(job, account, wave, by_key, batch_key, gate, hold)
                    )
                )
        finally:
            await _all(waves)

    async def _come_back(
        self,
        job: Job,
        account: LiveAccount,
        calls: Sequence[Sequence[Message]],
        grant: Grant,
        by_key: Mapping[str, Claimed],
    ) -> None:
        """What is over the limit, at its pace."""
        if calls and account.limits.per_recipient:
            recipients = [str(by_key[m.key].address_id) for call in calls for m in call]
            await self._limits.release(account.key, recipients)
        later = _one_after_another(calls, grant, by_key)
        if grant.held:
            now = datetime.now(UTC)
            waiting = [by_key[m.key] for call in calls for m in call]
            over = [(d, s) for d in waiting if (s := not_waiting(d, grant.wait, now))]
            await self._record(over, {})
            for delivery, _ in over:
                del later[delivery.id]
        await self._give_back(job, later)

    def _gate(self, account: LiveAccount) -> Gate:
        name = account.key
        if name not in self._gates:
            is_left = partial(self._breaker.is_left, account)
            self._gates[name] = Gate(account.limits.concurrency, is_left)
        return self._gates[name]

    async def _questions(self, batch: Iterable[Claimed]) -> dict[UUID, Parts]:
        asked = [
            (d.interaction.get("kind", ""), asking_of(self._hub, d)) for d in batch if d.interaction
        ]
        return await render_all(self._hub.db, self._kinds, asked)

    async def _render(
        self,
        account: LiveAccount,
        batch: Sequence[Claimed],
        batch_key: UUID,
        parts: Mapping[UUID, Parts],
    ) -> tuple[list[Message], list[Pair]]:
        messages: list[Message] = []
        failed: list[Pair] = []
        made = partial(
            message_for,
            self._hub,
            batch_key=str(batch_key),
            parts=parts,
            apart=account.merges,
            account=account.name,
        )
        async for some in self._way.sliced(batch):
            known = self._filled(account, some)
            for delivery in some:
                try:
                    messages.append(made(delivery, filled=known.get(delivery.id)))
                except CannotRender as error:
                    failed.append((delivery, _unrenderable(delivery, str(error))))
                except Exception:
                    log.exception("delivery.render_failed", delivery=str(delivery.id))
                    failed.append((delivery, _unrenderable(delivery, "an error while rendering")))
        return messages, failed

    def _filled(self, account: LiveAccount, some: Sequence[Claimed]) -> Mapping[UUID, Filled]:
        try:
            return filled(self._hub, some, apart=account.merges)
        except Exception:
            # What is stored of one person must not hold up all others: one by one it is found.
            log.exception("delivery.filling_failed", account=account.name)
            return {}

    async def _without_doubles(
        self, account: LiveAccount, calls: list[list[Message]], by_key: dict[str, Claimed]
    ) -> list[list[Message]]:
        """Where the provider would not recognise a repeat in this call, it is marked; marketing stays away."""
        if not account.whole_calls:
            return calls
        unknown: list[Pair] = []
        for call in calls:
            for delivery in not_recognised([by_key[m.key] for m in call], account):
                by_key[str(delivery.id)] = delivery._replace(maybe_duplicate=True)
                if delivery.category is Category.MARKETING:
                    unknown.append((delivery, left_unknown(delivery)))
        await self._record(unknown, {})
        ended = {str(delivery.id) for delivery, _ in unknown}
        rest = ([m for m in call if m.key not in ended] for call in calls)
        return [call for call in rest if call]

    async def _recipients_free(
        self, job: Job, account: LiveAccount, messages: list[Message], by_key: dict[str, Claimed]
    ) -> list[Message]:
        """Those whose receivers were not written to a moment ago; the others come back then."""
        if not account.limits.per_recipient:
            return messages
        recipients = [str(by_key[m.key].address_id) for m in messages]
        waits = await self._limits.recipients(account.key, account.limits, recipients)
        await self._give_back(
            job, {by_key[m.key].id: w for m, w in zip(messages, waits, strict=True) if w}
        )
        return [m for m, w in zip(messages, waits, strict=True) if not w]

    async def _wave(
        self,
        job: Job,
        account: LiveAccount,
        calls: list[list[Message]],
        by_key: dict[str, Claimed],
        batch_key: UUID,
        gate: Gate,
        hold: Hold,
    ) -> None:
        """Writes the attempts of all these calls, then makes them. Each has its place in the gate."""
        messages = sum(map(len, calls))
        begun: dict[UUID, Begun] = {}
        ours: list[list[Message]] = []
        places = len(calls)
        try:
            calls = await self._still_wanted(job, account, calls, by_key)
            if not calls:
                return
            deliveries = [by_key[m.key] for call in calls for m in call]
            if self.draining or self._breaker.is_left(account):
                await self._give_back(job, {d.id: _AT_ONCE for d in deliveries})
                return
            begun = await attempts.begin(
                self._hub.planned,
                [[by_key[m.key] for m in call] for call in calls],
                account,
                batch_key,
                self._worker,
            )
            self._counters.moved(
                account, [d.instead_of for d in deliveries if d.instead_of and d.id in begun]
            )
            ours = [c for call in calls if (c := [m for m in call if by_key[m.key].id in begun])]
        finally:
            gate.leave(places - len(ours))
        try:
            await _all(self._call(job, account, call, by_key, begun, gate) for call in ours)
        finally:
            hold.leave(messages)

    async def _still_wanted(
        self,
        job: Job,
        account: LiveAccount,
        calls: list[list[Message]],
        by_key: dict[str, Claimed],
    ) -> list[list[Message]]:
        """Without those whose time was over before their turn came, and those that another job has by now: they go back
        and are looked at anew."""
        if job.age < _FRESH:
            return calls
        now = datetime.now(UTC)
        mine = self.leases.of(job, [by_key[m.key].id for call in calls for m in call])
        wanted, back = [], []
        for call in calls:
            deliveries = [by_key[m.key] for m in call]
            late = {str(d.id) for d in deliveries if d.id not in mine or self._is_not_now(d, now)}
            if late and account.whole_calls and any(d.doubt_since for d in deliveries):
                # What is recognised as a whole call only goes back as one.
                late = {m.key for m in call}
            wanted.append([m for m in call if m.key not in late])
            back += [by_key[key].id for key in late]
        await self._give_back(job, dict.fromkeys(back, _AT_ONCE))
        return [call for call in wanted if call]

    def _is_not_now(self, delivery: Claimed, now: datetime) -> bool:
        shop = self._shop(delivery.shop_id)
        return bool(
            ended_before_sending(delivery, now)
            or (shop and quiet_until(delivery.category, delivery.contact, shop, at=now))
        )

    async def _call(
        self,
        job: Job,
        account: LiveAccount,
        call: list[Message],
        by_key: dict[str, Claimed],
        begun: Mapping[UUID, Begun],
        gate: Gate,
    ) -> None:
        deliveries = [by_key[m.key] for m in call]
        if await gate.begins():
            try:
                if not self.leases.last(job, deliveries):
                    results = _not_called(call, "lease-ran-out")
                elif too_late(deliveries, account, datetime.now(UTC)):
                    results = _not_called(call, "repeat-too-late")
                else:
                    results = await self._results(account, call)
            finally:
                gate.ended()
        else:
            results = _not_called(call, "account-paused")
        # One for the whole call: what is repeated together is recognised together.
        now, jitter = datetime.now(UTC), random.uniform(0.8, 1.3)
        mine = self.leases.of(job, [d.id for d in deliveries])
        pairs = [
            (
                d,
                statuses.to_be_asked(account, came_to(d, account, o, now=now, jitter=jitter), now),
            )
            for d, o in zip(deliveries, results, strict=True)
            # What becomes of one that another job has by now is for that one to say.
            if d.id in mine or _is_certain(o)
        ]
        self._counters.came_to(account, [settled.word for _, settled in pairs])
        made = {d.id: begun[d.id] for d, _ in pairs}
        await self._record(pairs, made)

    async def _results(self, account: LiveAccount, call: list[Message]) -> list[Outcome]:
        begun = self._breaker.begin(account)
        results = quoted.outcomes(call, await _sent(account, call))
        self._counters.called(account, begun.seconds())
        with suppress(*UNREACHABLE):
            await self._breaker.ended(self._hub.db, begun, results)
        await self._throttling.heard(account, call, results)
        return results

    async def _record(self, pairs: Sequence[Pair], begun: Mapping[UUID, Begun]) -> None:
        await self.hand_out(await self._recorder.put(pairs, begun))

    async def _give_back(self, job: Job, later: Mapping[UUID, timedelta]) -> None:
        """Those of them that the job still has in hand."""
        if later and (mine := self.leases.of(job, later)):
            rest = {id_: wait for id_, wait in later.items() if id_ in mine}
            await claims.give_back(self._hub.db, rest, self._worker)


async def _sent(account: LiveAccount, call: list[Message]) -> list[Outcome]:
    try:
        results = await account.adapter.send(call)
        if len(results) != len(call):
            raise ValueError(f"{len(results)} outcomes for {len(call)} messages")
    except Exception:
        # A bug in the adapter: what it had sent by then is not known.
        keys = [m.key for m in call]
        log.exception("delivery.adapter_failed", account=account.name, deliveries=keys)
        return [Retry("bug", maybe_sent=True)] * len(call)
    return results


def _late(due_at: datetime, handed_out_at: datetime | None, now: datetime) -> timedelta | None:
    """How late this machine is with it; None: it waited in its row, for what its account takes or for a pause to end."""
    waited_first = handed_out_at is not None and handed_out_at - due_at > _IN_ITS_ROW
    return None if waited_first else now - due_at


def _one_after_another(
    calls: Sequence[Sequence[Message]], grant: Grant, by_key: Mapping[str, Claimed]
) -> dict[UUID, timedelta]:
    """What is over the limit comes back at its pace, not all in the same instant."""
    return {
        by_key[m.key].id: grant.wait + grant.pace * i * random.uniform(1.0, 1.2)
        for i, call in enumerate(calls)
        for m in call
    }


def _not_called(call: Sequence[object], why: str) -> list[Outcome]:
    return [Retry(why)] * len(call)


def _is_certain(outcome: Outcome) -> bool:
    """Whether no other call can come to anything else."""
    match outcome:
        case Accepted():
            return True
        case Refused(scope):
            return scope is not Scope.ACCOUNT
    return False


async def _all(work: Iterable[Awaitable[None]]) -> None:
    """Unlike a TaskGroup, which would cut off the others' calls to providers when one of them fails: what came
    of those would never be known."""
    ended = await asyncio.gather(*work, return_exceptions=True)
    if failed := [e for e in ended if isinstance(e, BaseException)]:
        raise failed[0]


def _unrenderable(delivery: Claimed, reason: str) -> Settled:
    return Settled(
        delivery.id, DeliveryStatus.FAILED, reason="cannot_render", code="template", detail=reason
    )
