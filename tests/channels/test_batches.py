"""How messages are put into calls."""

from collections import defaultdict
from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from channels.base import Message
from channels.batches import calls

MESSAGES = st.lists(
    st.builds(Message, key=st.just("k"), to=st.sampled_from("aAbc"), text=st.sampled_from("xyz")),
    max_size=60,
)


@given(MESSAGES, st.integers(1, 5), st.integers(0, 12))
def test_calls_keep_everything_their_bounds_and_each_addresss_order(
    messages: list[Message], limit: int, capacity: int
) -> None:
    numbered = [Message(str(i), m.to, m.text) for i, m in enumerate(messages)]

    made = calls(
        numbered, limit=limit, alike=lambda m: m.text, weigh=lambda m: 3, capacity=capacity
    )

    by_address: dict[str, list[int]] = defaultdict(list)
    for message in chain.from_iterable(made):
        by_address[message.to.casefold()].append(int(message.key))
    assert sum(map(len, made)) == len(messages)
    assert all(numbers == sorted(numbers) for numbers in by_address.values())
    for call in made:
        assert len({m.to.casefold() for m in call}) == len(call) <= limit
        assert len({m.text for m in call}) == 1
        assert len(call) == 1 or 3 * len(call) <= capacity
