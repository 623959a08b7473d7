"""By which status lists find their notifications among very many others: an index has those alone."""

from collections.abc import Mapping

from hub.notifications.model import NotificationStatus

LISTED = frozenset(
    {
        NotificationStatus.FAILED,
        NotificationStatus.UNKNOWN,
        NotificationStatus.EXPIRED,
        NotificationStatus.UNDELIVERABLE,
        NotificationStatus.CANCELLED,
        NotificationStatus.COLLAPSED,
    }
)
"""Few have these: they stand in the column `listed`, which is empty in all others. No index names `status`, so that a message
that leaves is written in its place (migration 42)."""


def _of(status: NotificationStatus) -> str:
    if status in LISTED:
        return f"n.listed = '{status}'"
    found = f"n.status = '{status}'"
    if status is NotificationStatus.SCHEDULED:
        # Whatever ever was: that does not change when it leaves.
        return f"(n.send_at IS NOT NULL OR n.held_until IS NOT NULL) AND {found}"
    return found


# Said in the statement itself: an index that has only some of them is used for no other.
OF_STATUS: Mapping[NotificationStatus, str] = {status: _of(status) for status in NotificationStatus}
"""In SQL, whether the notification `n` has that status."""
FEW = frozenset({*LISTED, NotificationStatus.SCHEDULED})
"""Those with an index of their own."""
