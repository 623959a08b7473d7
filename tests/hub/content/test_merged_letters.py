"""A shop's letters through services that fill in the fields: what people get is what would have been rendered here."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.base import Channel, Message
from channels.email.mime import one_line
from hub.content.call import Call
from hub.content.model import Rendered, Source
from hub.content.render import Own
from tests.channels.merging_rig import SERVICES, Service, service
from tests.hub.content.test_letters import (
    DATA,
    ENGINE,
    LETTER,
    LINKS,
    READER,
    WORDS,
)

PLACES = [
    *("{{ contact.name }}", "{{ a }}", "{{ a|upper }}", "{{ sum|money }}", "{{ day|date }}"),
    *("{{ contact.attributes.city }}", "{{ links.unsubscribe }}", "{{ lost|default(a) }}"),
    *(
        "{% if a %}, {{ a }}{% endif %}",
        "{% for line in lines %}<i>{{ line.title }}</i>{% endfor %}",
    ),
]
CONSTANTS = [
    *("<p>", "</p>", " ", "Здравствуйте, ", "!", "{ ", "}", "*", "|", "0", "&", "<a href='"),
    *("{{ '{' }}", "{% raw %}{{subject}}{% endraw %}", "{% raw %}*|LETTER_TEXT|*{% endraw %}"),
]
SOURCES = st.lists(st.sampled_from([*PLACES, *CONSTANTS, "'>Отписаться</a>"]), max_size=8)

keys = count()


@pytest.fixture(scope="module", params=SERVICES)
def merging(request: pytest.FixtureRequest) -> Iterator[Service]:
    with service(request.param) as found:
        yield found


def rendered(source: Source, people: Sequence[tuple[str, Any]]) -> list[Rendered]:
    own = Own(source)
    contact = {"attributes": {"city": "Томск"}}
    return [
        ENGINE.render_own(
            own,
            Channel.EMAIL,
            Call(READER, DATA | {"a": a}, contact | {"name": name}, {"name": "Ромашка"}, LINKS),
        )
        for name, a in people
    ]


def messages(letters: Sequence[Rendered]) -> list[Message]:
    return [
        Message(
            key := f"n{next(keys)}",
            f"{key}@example.com",
            one.text,
            subject=f"{one.subject}!",
            html=one.html,
            batch_key="batch",
            merged=one.merged,
        )
        for one in letters
    ]


def test_a_letter_of_a_campaign_is_sent_once(merging: Service) -> None:
    people = [(f"Анна {number}", 5) for number in range(merging.enough)]
    sent = messages(rendered(LETTER, people))

    assert merging.received(sent) == {m.key: (m.subject, m.text, m.html) for m in sent}

    assert len(merging.shared) == 1
    assert "Отписаться" in merging.shared[0]
    assert not any(word in merging.shared[0] for word in ("Анна", "990", "hub.example"))


@settings(max_examples=150, deadline=None)
@given(SOURCES, SOURCES, st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=4))
def test_everybody_gets_what_running_the_template_gives(
    merging: Service, text: list[str], html: list[str], people: list[tuple[str, Any]]
) -> None:
    source = Source("{{ contact.name }}", "Текст " + "".join(text), "".join(html))
    everybody = people * (merging.enough // len(people) + 1)
    sent = messages(rendered(source, everybody))

    received = merging.received(sent)

    ran = rendered(replace(source, subject="{% set unused = 1 %}{{ contact.name }}"), everybody)
    assert received == {
        message.key: (one_line(f"{one.subject}!"), one.text, one.html)
        for message, one in zip(sent, ran, strict=True)
    }
