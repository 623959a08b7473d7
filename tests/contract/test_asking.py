"""What the hub may rely on where a provider has to be asked."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from channels.base import (
    Accepted,
    Asks,
    Message,
    ReceiptStatus,
    Sent,
    Unavailable,
)
from tests.contract.cases import (
    Asking,
)
from tests.contract.rig import Rig, only
from tests.simulators.base import Fault


def _asked(rig: Rig) -> tuple[Asks, Asking]:
    assert rig.case.asking
    assert isinstance(rig.adapter, Asks)
    return rig.adapter, rig.case.asking


def _sent(messages: Sequence[Message], outcomes: Sequence[Accepted]) -> list[Sent]:
    return [
        Sent(m.key, o.provider_id, m.to, datetime.now(UTC))
        for m, o in zip(messages, outcomes, strict=True)
    ]


@only(lambda case: case.asking)
async def test_asked_it_tells_what_became_of_which_message(rig: Rig) -> None:
    adapter, asking = _asked(rig)
    messages, outcomes = await rig.accepted()
    first, *_ = rig.simulator.sent

    before = await adapter.ask(_sent(messages, outcomes))
    asking.ends(rig.simulator, first)
    after = await adapter.ask(_sent(messages, outcomes))

    early = {ReceiptStatus.SENT, ReceiptStatus.DEFERRED}
    assert all(receipt.status in early for receipt in before)
    [receipt] = [r for r in after if r.status not in early]
    assert receipt.status is asking.status
    assert receipt.key == messages[0].key or receipt.provider_id == outcomes[0].provider_id
    assert not rig.leaks(repr(after))


@only(lambda case: case.asking)
async def test_asked_while_it_is_away_nothing_is_learned(rig: Rig) -> None:
    adapter, _ = _asked(rig)
    messages, outcomes = await rig.accepted()
    await rig.simulator.stop()

    with pytest.raises(Unavailable) as away:
        await adapter.ask(_sent(messages, outcomes))

    assert not rig.leaks(str(away.value))


@pytest.mark.parametrize(
    "body", ["", "null", "[]", "{}", "[null]", '{"a": ', '{"result": 7}', '{"data": [[]]}']
)
@only(lambda case: case.asking)
async def test_asked_it_answers_rubbish_and_nothing_is_learned(rig: Rig, body: str) -> None:
    adapter, _ = _asked(rig)
    messages, outcomes = await rig.accepted()
    rig.simulator.fault = Fault(status=200, body=body, content_type="application/json")

    try:
        receipts = await adapter.ask(_sent(messages, outcomes))
    except Unavailable:
        return

    assert not [r for r in receipts if r.status not in (ReceiptStatus.SENT, ReceiptStatus.DEFERRED)]
