"""Products of platforms: what was last seen of them."""

from datetime import datetime

from hub.events import objects
from hub.events.model import Claimed, Done, SetOff, digest_of, plain
from hub.events.objects import Known, Seen
from hub.orders.work import Work
from hub.sources.model import Kind, ProductFacts, Result


async def apply_product(
    work: Work, claimed: Claimed, facts: ProductFacts, before: Known | None, at: datetime
) -> Done:
    digest = digest_of(facts)
    repeated = before is not None and before.digest == digest
    seen = Seen(claimed.object, at, digest, facts=plain(facts))
    await objects.put(work.conn, work.shop.id, claimed.source.id, Kind.PRODUCT, seen)
    return Done(Result.REPEATED if repeated else Result.APPLIED, set_off=SetOff.of(work))
