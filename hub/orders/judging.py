"""What one answer comes to, line by line: who was first, who corrects himself, who is too late. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from hub.orders.model import ACTIVE, STAGES, Already, Answered, Answerer, OrderStatus, RequestStatus


@dataclass(frozen=True, slots=True)
class Held:
    """One line of a question as it stands. `final_at`: until then the one who answered may correct it. `current`: the
    order's line goes by this question; else it was asked anew by a later one, or is not in the order any more."""

    asked: int
    confirmed: int | None = None
    answered_by: UUID | None = None
    answered_label: str = ""
    answered_name: str = ""
    answered_at: datetime | None = None
    final_at: datetime | None = None
    current: bool = True

    def is_from(self, by: Answerer) -> bool:
        if self.answered_by or by.contact_id:
            return self.answered_by == by.contact_id
        return bool(by.label) and self.answered_label == by.label


def judge(
    held: Mapping[str, Held],
    said: Mapping[str, int],
    by: Answerer,
    *,
    request: RequestStatus,
    reason: str,
    order: OrderStatus,
    said_at: datetime,
) -> Answered:
    """`held`: all lines of the question; `said`: quantity by line, each line known and within what is asked.
    `reason`: why the question was closed, where it was, or that nothing goes by it any more. `said_at`: when
    it was said, which may be a while before it is looked at."""
    if request is RequestStatus.CANCELLED or not any(line.current for line in held.values()):
        return Answered(closed=reason or str(order))
    open_ = request in ACTIVE
    correctable = STAGES[order] < STAGES[OrderStatus.PAID]
    accepted: list[str] = []
    corrected: list[str] = []
    repeated: list[str] = []
    too_late: list[str] = []
    already: list[Already] = []
    for line_id, confirmed in said.items():
        line = held[line_id]
        if line.confirmed is None:
            (accepted if open_ else too_late).append(line_id)
        elif not line.is_from(by):
            already.append(_already(line_id, line, said_at))
        elif line.confirmed == confirmed:
            repeated.append(line_id)
        elif line.current and correctable and line.final_at is not None and said_at < line.final_at:
            corrected.append(line_id)
        else:
            too_late.append(line_id)
    missing = {id_ for id_, line in held.items() if line.confirmed is None} - set(accepted)
    return Answered(
        accepted=tuple(accepted),
        corrected=tuple(corrected),
        repeated=tuple(repeated),
        already=tuple(already),
        too_late=tuple(too_late),
        complete=not missing,
    )


def _already(line_id: str, line: Held, said_at: datetime) -> Already:
    who = line.answered_name or line.answered_label
    return Already(line_id, who, line.confirmed or 0, line.answered_at or said_at)
