"""How messages are put into provider calls that carry many."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

from channels.base import Message


def calls(
    messages: Sequence[Message],
    *,
    limit: int,
    alike: Callable[[Message], Hashable],
    weigh: Callable[[Message], int] | None = None,
    capacity: int = 0,
) -> list[list[Message]]:
    """Calls of at most `limit` messages that are `alike` and together weigh at most `capacity`.

    An address stands in a call once, and its messages keep their order over the calls. A message that alone
    weighs too much gets a call to itself: the provider says so better than we can.
    """
    made: list[_Call] = []
    latest: dict[Hashable, int] = {}
    placed: dict[str, int] = {}
    for message in messages:
        kind, address = alike(message), message.to.casefold()
        weight = weigh(message) if weigh else 0
        at = latest.get(kind, -1)
        if at <= placed.get(address, -1) or not made[at].takes(weight, limit, capacity):
            at = len(made)
            made.append(_Call())
            latest[kind] = at
        made[at].messages.append(message)
        made[at].weight += weight
        placed[address] = at
    return [call.messages for call in made]


@dataclass(slots=True)
class _Call:
    messages: list[Message] = field(default_factory=list)
    weight: int = 0

    def takes(self, weight: int, limit: int, capacity: int) -> bool:
        return len(self.messages) < limit and self.weight + weight <= capacity
