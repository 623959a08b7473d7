"""How rows of `attempt` are to be read: one whose message the provider took is not written again, its end is the
delivery's."""

TAKEN = "(t.outcome IS NULL AND d.status <> 'sending' AND d.sent_at IS NOT NULL)"
"""In SQL, of the attempt `t` and its delivery `d`."""
OUTCOME = f"CASE WHEN {TAKEN} THEN 'accepted' ELSE t.outcome END"
"""How it ended; null while nobody knows."""
UNCLEAR = "t.outcome IN ('maybe_sent', 'unknown')"
"""Whether the message perhaps left by it."""
NUMBER = "row_number() OVER (ORDER BY t.id)"
"""From 1. The column is how many were before it, as far as its delivery had been told."""
FINISHED_AT = f"CASE WHEN {TAKEN} THEN greatest(d.sent_at, t.started_at) ELSE t.finished_at END"
