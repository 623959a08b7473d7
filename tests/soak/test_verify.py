"""The check finds what it is there to find: a run without faults proves something only if a fault would show."""

from dataclasses import replace

import pytest

from tests.soak.people import Person
from tests.soak.verify import (
    Accepted,
    Arrival,
    Delivery,
    Notification,
    Receipt,
    Verdict,
    Why,
    verify,
)

PERSON = Person(1)
REFUSED = next(p for p in map(Person, range(1000)) if p.refused)
ONE = Accepted("id-1", "t0000001", PERSON.number, "transactional", ["email"])
CAME = Arrival(10.0, "mail", "email", PERSON.on["email"], ONE.mark, "job:1")
SENT = Delivery("d-1", "email", PERSON.on["email"], "sent", provider_id="job:1")


def judged(
    one: Accepted, status: str, *deliveries: Delivery, came: int = 1, **more: object
) -> Verdict:
    found = Notification(one.id, one.mark, status, deliveries)
    arrivals = [replace(CAME, at=CAME.at + i) for i in range(came)]
    return verify([one], {one.id: found}, arrivals, **{"receipts": (), **more})  # type: ignore[arg-type]


def test_what_is_sent_and_arrived_once_is_good() -> None:
    verdict = judged(ONE, "sent", SENT)

    assert (verdict.faults, verdict.lost, verdict.reached) == ([], 0, 1)


def test_what_the_hub_does_not_know_any_more_is_lost() -> None:
    verdict = verify([ONE], {}, [CAME], ())

    assert verdict.lost == 1
    assert len(verdict.faults) == 1


@pytest.mark.parametrize("status", ["sent", "delivered", "read"])
def test_what_is_sent_and_never_arrived_is_lost(status: str) -> None:
    verdict = judged(ONE, status, replace(SENT, status=status), came=0)

    assert verdict.lost == 1


@pytest.mark.parametrize("status", ["failed", "expired", "collapsed", "undeliverable", "unknown"])
def test_an_end_without_a_reason_counts_as_lost(status: str) -> None:
    verdict = judged(ONE, status, replace(SENT, status=status, reason="gave_up"), came=0)

    assert verdict.lost == 1


@pytest.mark.parametrize("status", ["queued", "scheduled"])
def test_what_has_not_ended_is_a_fault(status: str) -> None:
    verdict = judged(ONE, status, replace(SENT, status="queued"), came=0)

    assert verdict.faults


def test_a_delivery_under_way_is_a_fault_although_another_arrived() -> None:
    waiting = Delivery("d-2", "sms", PERSON.on["sms"], "queued")

    assert judged(ONE, "sent", SENT, waiting).faults


def test_a_double_is_explained_by_its_mark() -> None:
    verdict = judged(ONE, "sent", replace(SENT, maybe_duplicate=True), came=3)

    assert verdict.faults == []
    assert verdict.doubles == {("mail", "transactional"): 2}


def test_a_double_without_a_mark_is_a_fault() -> None:
    assert judged(ONE, "sent", SENT, came=2).faults


def test_marketing_is_never_doubled_mark_or_no_mark() -> None:
    letter = replace(ONE, category="marketing")

    assert judged(letter, "sent", replace(SENT, maybe_duplicate=True), came=2).faults


@pytest.mark.parametrize(
    ("one", "status", "reason", "why"),
    [
        (replace(ONE, person=REFUSED.number), "failed", "recipient_refused", Why.REFUSED),
        (replace(ONE, category="marketing"), "unknown", "maybe_sent", Why.DOUBTFUL),
        (replace(ONE, expires=True), "expired", "expired", Why.EXPIRED),
        (replace(ONE, collapse_key="key"), "collapsed", "collapsed", Why.COLLAPSED),
    ],
)
def test_an_end_with_a_reason_is_told(one: Accepted, status: str, reason: str, why: Why) -> None:
    to = Person(one.person).on["email"]
    ended = replace(SENT, address=to, status=status, reason=reason)

    verdict = judged(one, status, ended, came=0)

    assert (verdict.faults, verdict.not_sent) == ([], {why: 1})


def test_what_was_not_accepted_must_not_arrive() -> None:
    stranger = replace(CAME, mark="t0000009")
    elsewhere = replace(CAME, to=Person(2).on["email"])
    found = Notification(ONE.id, ONE.mark, "sent", [SENT])

    verdict = verify([ONE], {ONE.id: found}, [CAME, stranger, elsewhere], ())

    assert len(verdict.faults) == 2


def test_the_question_of_an_order_is_nothing_foreign() -> None:
    question = Arrival(1.0, "tg", "telegram", "9000001", "s0000001")

    assert verify([], {}, [question], (), ["s0000001"]).faults == []
    assert verify([], {}, [question], (), []).faults


def test_one_key_makes_one_notification() -> None:
    found = Notification(ONE.id, ONE.mark, "sent", [SENT])
    again = replace(found, id="id-2")

    assert verify([ONE], {ONE.id: found, again.id: again}, [CAME], ()).faults


def test_a_receipt_that_was_taken_is_written_down() -> None:
    receipt = Receipt("mail", "job:1", "d-1", "delivered", PERSON.on["email"])

    assert judged(ONE, "sent", SENT, receipts=[receipt]).faults
    told = replace(SENT, status="delivered")
    assert judged(ONE, "delivered", told, receipts=[receipt]).faults == []


def test_the_order_of_a_key_is_that_of_first_arrivals() -> None:
    first = replace(ONE, ordering_key="key", seq=0)
    second = replace(first, id="id-2", mark="t0000002", seq=1)
    known = {one.id: Notification(one.id, one.mark, "sent", [SENT]) for one in (first, second)}
    early, late = replace(CAME, mark=second.mark, at=9.0), replace(CAME, mark=second.mark, at=11.0)

    assert verify([first, second], known, [CAME, late], ()).faults == []
    assert verify([first, second], known, [CAME, early], ()).faults
