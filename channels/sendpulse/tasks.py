"""Mailings of many phones: SendPulse gives a number to the whole, and tells of each phone under it."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from channels.base import Message, Outcome, Receipt, Refused, Scope, Sent, Unavailable
from channels.sendpulse.api import Declined, digits

_NO_PHONE = Refused(Scope.RECIPIENT, "not-a-phone", "not a phone number")

Send = Callable[[Sequence[Message]], Awaitable[list[Outcome]]]
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


def receipts_of(
    waiting: Iterable[Sent],
    listed: Mapping[str, Mapping[str, Any]],
    receipt: Callable[[str, Mapping[str, Any]], Receipt | None],
) -> list[Receipt]:
    """What the list of a task, `by_phone`, says of those that wait. `receipt`: of a provider id and its entry."""
    found = ((s.provider_id, listed.get(s.provider_id.partition(":")[2])) for s in waiting)
    return [told for id_, entry in found if entry and (told := receipt(id_, entry))]


async def sent_to_phones(messages: Sequence[Message], send: Send) -> list[Outcome]:
    """`send` of those that have a phone number: one that has none would spoil the whole call."""
    good = [message for message in messages if digits(message.to)]
    results = dict(zip((m.key for m in good), await send(good) if good else (), strict=True))
    return [results.get(message.key, _NO_PHONE) for message in messages]


def _by_task(sent: Sequence[Sent]) -> dict[str, list[Sent]]:
    tasks: dict[str, list[Sent]] = {}
    for message in sent:
        # It becomes a part of a path.
        if task := number(message.provider_id.partition(":")[0]):
            tasks.setdefault(task, []).append(message)
    return tasks
