"""Which of two messages of one key was accepted first, in SQL: by the database's clock, which is one. Ids are of the clocks
of several machines."""


def _accepted(d: str) -> str:
    """Of the delivery `d`; ids decide between those of one transaction, which one process made. Deliveries of further
    channels were written later than their notification."""
    return f"""(CASE WHEN {d}.step = 0 THEN {d}.created_at
                     ELSE (SELECT n.created_at FROM notification AS n WHERE n.id = {d}.notification_id) END,
                {d}.notification_id)"""  # noqa: S608 (an alias)


ACCEPTED = _accepted("d")
"""To sort deliveries `d` by."""

HELD_BACK = f"""
(d.ordering_key IS NOT NULL AND EXISTS (
    SELECT FROM delivery AS earlier
     WHERE earlier.contact_id = d.contact_id
       AND earlier.ordering_key = d.ordering_key
       AND earlier.status IN ('queued', 'sending')
       AND earlier.notification_id <> d.notification_id
       AND {_accepted("earlier")} < {ACCEPTED}))
"""
"""Whether the delivery `d` waits for an earlier one of its ordering key."""

SUPERSEDED = """
(n.collapse_key IS NOT NULL AND n.status IN ('scheduled', 'queued') AND EXISTS (
    SELECT FROM notification AS newer
     WHERE newer.contact_id = n.contact_id AND newer.collapse_key = n.collapse_key
       -- Whatever is older by its id than the clocks of two machines differ need not be looked at.
       AND newer.id > (lpad(to_hex((extract(epoch FROM n.created_at) * 1000)::bigint - 300000), 12, '0')
                       || '00000000000000000000')::uuid
       AND (newer.created_at, newer.id) > (n.created_at, n.id)
       -- What nobody can be told any more replaces nothing.
       AND newer.status NOT IN ('undeliverable', 'cancelled', 'expired')))
"""
"""Whether the notification `n`, which has not left, has a newer one of its collapse key."""
