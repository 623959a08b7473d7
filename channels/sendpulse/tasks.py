"""Mailings of many phones: SendPulse gives a number to the whole, and tells of each phone under it."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from channels.base import Message, Outcome, Receipt, Refused, Scope, Sent, Unavailable
from channels.sendpulse.api import Declined, digits

Read = Callable[[str, Sequence[Sent]], Awaitable[list[Receipt]]]


def provider_id(task: str, phone: str) -> str:
    """A task is a whole call, so the task alone would name a thousand messages."""
    return f"{task}:{phone}"


def number(value: Any) -> str:
    """A number above nothing, which may come as such and as text; empty where it is none."""
    text = str(value)
    return text if text.isascii() and text.isdecimal() and text.strip("0") else ""


async def each(sent: Sequence[Sent], read: Read) -> list[Receipt]:
    """`read` of every task in `sent`, one after another, until the service will not tell any more.

    What was learned by then is kept; a task that is not known there is passed over. Raises `Unavailable` where
    nothing was learned.
    """
    receipts: list[Receipt] = []
    trouble: Unavailable | None = None
    for task, waiting in _by_task(sent).items():
        try:
            receipts += await read(task, waiting)
        except Declined as declined:
            trouble = declined
        except Unavailable as unavailable:
            trouble = unavailable
            break
    if trouble and not receipts:
        raise trouble
    return receipts


def by_phone(entries: Any) -> dict[str, Mapping[str, Any]]:
    """The entries of a task's list, as far as they are any; phones come as numbers and as text."""
    return {
        str(entry.get("phone")).removeprefix("+"): entry
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, dict)
    }


def phone_of(sent: Sent) -> str:
    return sent.provider_id.partition(":")[2]


def parted(messages: Iterable[Message]) -> tuple[list[Message], dict[str, Outcome]]:
    """Those that have a phone number, and what becomes of the others: one such would spoil the whole call."""
    good: list[Message] = []
    bad: dict[str, Outcome] = {}
    for message in messages:
        if digits(message.to):
            good.append(message)
        else:
            bad[message.key] = Refused(Scope.RECIPIENT, "not-a-phone", "not a phone number")
    return good, bad


def money(value: Any) -> Decimal | None:
    if value is None or isinstance(value, bool):
        return None
    try:
        sum_ = Decimal(str(value))
    except InvalidOperation:
        return None
    return sum_ if sum_.is_finite() else None


def _by_task(sent: Sequence[Sent]) -> dict[str, list[Sent]]:
    tasks: dict[str, list[Sent]] = {}
    for message in sent:
        # It becomes a part of a path.
        if task := number(message.provider_id.partition(":")[0]):
            tasks.setdefault(task, []).append(message)
    return tasks
