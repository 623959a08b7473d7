"""Products of platforms: what was last seen of them."""

from datetime import datetime

from hub.events import objects, telling
from hub.events.model import Claimed, Done, SetOff, digest_of, plain
from hub.events.objects import Known, Seen
from hub.orders.work import Work
from hub.sources.model import Kind, ProductFacts, Result


async def apply_product(
    work: Work, claimed: Claimed, facts: ProductFacts, before: Known | None, at: datetime
) -> Done:
    digest = digest_of(facts)
    repeated = before is not None and before.digest == digest
    shown = plain(facts)
    source = claimed.source
    seen = Seen(claimed.object, at, digest, facts=shown)
    await objects.put(work.conn, work.shop.id, source.id, Kind.PRODUCT, seen)
    if repeated:
        return Done(Result.REPEATED)
    product = telling.seen(
        source.id,
        source.name,
        Kind.PRODUCT,
        claimed.object,
        digest=digest,
        contact_id=None,
        facts=shown,
    )
    await telling.news(work, product, first=before is None)
    return Done(Result.APPLIED, set_off=SetOff.of(work))
