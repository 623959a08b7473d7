"""Holds what was accepted against what arrived: nothing lost, nothing foreign, every double explained. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise

from tests.soak.people import Person

_REACHED = frozenset({"sent", "delivered", "read"})
_OPEN = frozenset({"scheduled", "queued", "sending"})

Place = tuple[str, str, str]
"""Mark, channel and address: where one notification can arrive, and should once."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What the feeder was promised."""

    id: str
    mark: str
    person: int
    category: str
    channels: Sequence[str]
    strategy: str = "first"
    ordering_key: str = ""
    collapse_key: str = ""
    seq: int = 0
    expires: bool = False
    shop: str = "main"


@dataclass(frozen=True, slots=True)
class Delivery:
    """As the API tells it in the end."""

    id: str
    channel: str
    address: str
    status: str
    reason: str = ""
    provider_id: str = ""
    maybe_duplicate: bool = False


@dataclass(frozen=True, slots=True)
class Notification:
    id: str
    mark: str
    status: str
    deliveries: Sequence[Delivery] = ()
    suppressed: frozenset[str] = frozenset()
    """Channels that were left out because the address is not written to any more."""

    @property
    def reached(self) -> bool:
        return self.status in _REACHED


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message at a provider."""

    at: float
    by: str
    channel: str
    to: str
    mark: str
    id: str = ""

    @property
    def place(self) -> Place:
        return self.mark, self.channel, self.to


@dataclass(frozen=True, slots=True)
class Receipt:
    """One that the hub has taken. `key`: its delivery's id, where the provider knows that."""

    by: str
    id: str
    key: str
    status: str
    to: str


class Why(StrEnum):
    """Why something accepted was not sent: each of them is meant to be."""

    REFUSED = "the provider refused the recipient"
    BOUNCED = "the provider could not deliver it and said so"
    SUPPRESSED = "the address had been refused or had bounced before"
    DOUBTFUL = "may have been sent, and must not be repeated"
    EXPIRED = "its time was over"
    COLLAPSED = "a newer one took its place"


@dataclass(slots=True)
class Verdict:
    """`faults` is empty if all is as it must be; each says what is wrong with which notification."""

    accepted: int = 0
    arrived: int = 0
    reached: int = 0
    faults: list[str] = field(default_factory=list)
    lost: int = 0
    not_sent: Counter[Why] = field(default_factory=Counter)
    states: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(channel, status) of every delivery."""
    statuses: Counter[str] = field(default_factory=Counter)
    """Of notifications."""
    doubles: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(provider, category): messages that came once more, all of them marked."""
    in_doubt: int = 0
    """Deliveries marked `maybe_duplicate`."""
    ordered: int = 0
    """Pairs that had to come in order."""
    receipts: int = 0


def verify(
    accepted: Sequence[Accepted],
    notifications: Mapping[str, Notification],
    arrivals: Sequence[Arrival],
    receipts: Sequence[Receipt],
    orders: Iterable[str] = (),
) -> Verdict:
    """`notifications`: all that the API knows, by id; `orders`: the numbers of those that were put."""
    verdict = Verdict(len(accepted), len(arrivals), receipts=len(receipts))
    places: dict[Place, list[Arrival]] = defaultdict(list)
    for arrival in arrivals:
        places[arrival.place].append(arrival)
    told = {(r.key or r.id, r.status) for r in receipts}
    bounced = {r.to for r in receipts if r.status == "bounced"}
    for one in accepted:
        found = notifications.get(one.id)
        if found is None:
            verdict.lost += 1
            verdict.faults.append(f"{one.mark} {one.id}: accepted and not known any more")
            continue
        _check(verdict, one, found, places, bounced)
        _check_receipts(verdict, found, told)
    _check_foreign(verdict, accepted, notifications, arrivals, orders)
    _check_order(verdict, accepted, notifications, places)
    return verdict


def _check(
    verdict: Verdict,
    one: Accepted,
    found: Notification,
    places: Mapping[Place, Sequence[Arrival]],
    bounced: set[str],
) -> None:
    verdict.statuses[found.status] += 1
    verdict.states.update((d.channel, d.status) for d in found.deliveries)
    verdict.in_doubt += sum(d.maybe_duplicate for d in found.deliveries)
    what = f"{one.mark} {one.id} ({one.category})"
    if found.status in _OPEN or any(d.status in _OPEN for d in found.deliveries):
        verdict.faults.append(f"{what}: not ended, {found.status}")
        return
    for delivery in found.deliveries:
        came = places.get((one.mark, delivery.channel, delivery.address), ())
        if delivery.status in _REACHED and not came:
            verdict.lost += 1
            verdict.faults.append(f"{what}: {delivery.status} on {delivery.channel}, never arrived")
        if len(came) > 1:
            _check_double(verdict, what, one, delivery, came)
    if found.reached:
        verdict.reached += 1
        if not any(d.status in _REACHED for d in found.deliveries):
            verdict.faults.append(f"{what}: {found.status}, and none of its deliveries is")
    elif why := _explained(one, found, bounced):
        verdict.not_sent[why] += 1
    else:
        verdict.lost += 1
        verdict.faults.append(f"{what}: ended as {_words(found)} without a good reason")


def _check_double(
    verdict: Verdict, what: str, one: Accepted, delivery: Delivery, came: Sequence[Arrival]
) -> None:
    if delivery.maybe_duplicate and one.category != "marketing":
        verdict.doubles[came[-1].by, one.category] += len(came) - 1
    else:
        by = ", ".join(f"{a.by} at {a.at}" for a in came)
        verdict.faults.append(f"{what}: came {len(came)} times without a mark ({by})")


def _explained(one: Accepted, found: Notification, bounced: set[str]) -> Why | None:
    refused = Person(one.person).refused
    reasons = {(d.status, d.reason) for d in found.deliveries}
    addresses = set(Person(one.person).on.values())
    match found.status:
        case "failed" if refused and ("failed", "recipient_refused") in reasons:
            return Why.REFUSED
        case "failed" if ("failed", "bounced") in reasons and bounced & addresses:
            return Why.BOUNCED
        case "undeliverable" | "failed" if refused or bounced & addresses:
            by_then = found.suppressed or any(s == "suppressed" for s, _ in reasons)
            return Why.SUPPRESSED if by_then else None
        case "unknown" if one.category == "marketing" or len(one.channels) > 1 or one.expires:
            # With another channel behind it, or an end, it is tried for a while only, and then not repeated.
            return Why.DOUBTFUL
        case "expired" if one.expires or one.category == "security":
            return Why.EXPIRED
        case "collapsed" if one.collapse_key:
            return Why.COLLAPSED
    return None


def _check_receipts(verdict: Verdict, found: Notification, told: set[tuple[str, str]]) -> None:
    """What a provider was thanked for is written down."""
    for delivery in found.deliveries:
        for id_ in {delivery.id, delivery.provider_id} - {""}:
            said = {status for status in ("delivered", "read", "bounced") if (id_, status) in told}
            if "read" in said:
                good = delivery.status == "read"
            elif "delivered" in said:
                good = delivery.status in ("delivered", "read")
            else:
                good = not said or delivery.status == "failed"
            if not good:
                verdict.faults.append(
                    f"{found.mark} {found.id}: {', '.join(sorted(said))} by receipt on"
                    f" {delivery.channel}, and it is {delivery.status}"
                )


def _check_foreign(
    verdict: Verdict,
    accepted: Sequence[Accepted],
    notifications: Mapping[str, Notification],
    arrivals: Sequence[Arrival],
    orders: Iterable[str],
) -> None:
    """Nothing is sent, and nothing is known, that was not accepted."""
    meant = {
        (one.mark, channel, Person(one.person).on[channel])
        for one in accepted
        for channel in one.channels
    }
    numbers = set(orders)
    for arrival in arrivals:
        if arrival.place not in meant and arrival.mark not in numbers:
            verdict.faults.append(
                f"{arrival.mark or 'without a mark'}: at {arrival.by}, was not accepted for it"
            )
    ids = {one.id for one in accepted}
    if len(ids) < len(accepted):
        verdict.faults.append(f"{len(accepted) - len(ids)} ids were given out twice")
    for id_, found in notifications.items():
        if found.mark and id_ not in ids:
            verdict.faults.append(f"{found.mark} {id_}: made twice for one Idempotency-Key")


def _check_order(
    verdict: Verdict,
    accepted: Sequence[Accepted],
    notifications: Mapping[str, Notification],
    places: Mapping[Place, Sequence[Arrival]],
) -> None:
    """By first arrivals. What may have been sent and is not repeated holds back nobody, so it is left out."""
    series: dict[str, list[Accepted]] = defaultdict(list)
    for one in accepted:
        if one.ordering_key:
            series[one.ordering_key].append(one)
    for key, members in series.items():
        came = []
        for one in sorted(members, key=lambda m: m.seq):
            found = notifications.get(one.id)
            address = Person(one.person).on[one.channels[0]]
            at = [a.at for a in places.get((one.mark, one.channels[0], address), ())]
            if found and found.reached and at:
                came.append((min(at), one.mark))
        verdict.ordered += max(0, len(came) - 1)
        verdict.faults += [
            f"{key}: {later} came before {earlier}"
            for (first, earlier), (second, later) in pairwise(came)
            if second < first
        ]


def _words(found: Notification) -> str:
    reasons = ", ".join(f"{d.channel} {d.status} {d.reason}".strip() for d in found.deliveries)
    return f"{found.status} ({reasons or 'no deliveries'})"
