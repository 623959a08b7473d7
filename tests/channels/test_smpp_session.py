"""One connection to an SMSC serves many: its window, its end, and what comes over it unasked."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from channels.base import Accepted, Heard, Refused, Retry, Scope, Told
from channels.sms.smpp import Smpp
from tests.channels.smpp_rig import MESSAGE, connected, listening, send
from tests.simulators import smpp_wire as wire
from tests.simulators.smpp import OK, Accident, SmppSimulator


@pytest.fixture
async def smsc() -> AsyncIterator[SmppSimulator]:
    async with SmppSimulator() as smsc:
        yield smsc


@pytest.fixture
async def smpp(smsc: SmppSimulator) -> AsyncIterator[Smpp]:
    async with connected(smsc) as smpp:
        yield smpp


class TestSession:
    async def test_one_serves_many_and_keeps_the_window(self, smsc: SmppSimulator) -> None:
        smsc.max_window = 4
        smsc.delay = 0.02
        messages = [replace(MESSAGE, to=f"+7999000{i:04}") for i in range(40)]

        async with connected(smsc, window=4) as smpp:
            outcomes = await asyncio.gather(*(send(smpp, message) for message in messages))

        by_number = {sent.to: sent.provider_id for sent in smsc.sent}
        assert outcomes == [Accepted(by_number[m.to.removeprefix("+")]) for m in messages]
        assert smsc.most_waiting == 4
        assert (len(smsc.binds), smsc.connections) == (1, 1)

    async def test_a_place_in_the_window_that_never_comes_is_no_doubt(
        self, smsc: SmppSimulator
    ) -> None:
        smsc.accident = Accident("SUBMIT", hang=True)

        async with connected(smsc, window=1, timeout=0.3) as smpp:
            outcomes = await asyncio.gather(*(send(smpp) for _ in range(3)))

        assert Retry("no-answer", maybe_sent=True) in outcomes
        assert Retry("window-full") in outcomes

    async def test_all_who_wait_share_one_attempt(self, smpp: Smpp, smsc: SmppSimulator) -> None:
        smsc.password = "another"

        outcomes = await asyncio.gather(*(send(smpp) for _ in range(10)))

        assert smsc.connections == 1
        assert {type(outcome) for outcome in outcomes} == {Refused}

    async def test_who_gives_up_waiting_takes_nothing_from_the_others(
        self, smpp: Smpp, smsc: SmppSimulator
    ) -> None:
        impatient = asyncio.create_task(send(smpp))
        patient = asyncio.create_task(send(smpp))
        await asyncio.sleep(0)
        impatient.cancel()

        assert isinstance(await patient, Accepted)
        assert smsc.connections == 1

    async def test_is_made_anew_after_a_restart(self, smpp: Smpp, smsc: SmppSimulator) -> None:
        await send(smpp)
        port = smsc.port
        await smsc.stop()
        # The end of the connection is on its way.
        await asyncio.sleep(0.1)
        away = await send(smpp)
        await smsc.start(port)

        assert away == Retry("no-connection")
        assert isinstance(await send(smpp), Accepted)

    async def test_the_smsc_may_end_it(self, smpp: Smpp, smsc: SmppSimulator) -> None:
        await send(smpp)

        [answer] = await smsc.ask(wire.UNBIND)

        assert answer
        assert answer.command == wire.UNBIND | wire.RESP
        assert isinstance(await send(smpp), Accepted)
        assert len(smsc.binds) == 2

    async def test_what_waits_for_an_answer_when_it_ends_may_have_been_sent(
        self, smpp: Smpp, smsc: SmppSimulator
    ) -> None:
        await send(smpp)
        smsc.accident = Accident("SUBMIT", hang=True)
        sending = asyncio.create_task(send(smpp))
        await smsc.happened.wait()

        await smsc.ask(wire.UNBIND)

        assert await sending == Retry("connection-lost", maybe_sent=True)

    async def test_is_tested_after_silence(self, smsc: SmppSimulator) -> None:
        async with connected(smsc, enquire_link=1) as smpp:
            await send(smpp)
            await asyncio.sleep(1.3)

            assert smsc.enquired == 1
            assert isinstance(await send(smpp), Accepted)
        assert len(smsc.binds) == 1

    async def test_ends_when_the_smsc_answers_nothing_any_more(self, smsc: SmppSimulator) -> None:
        async with connected(smsc, enquire_link=1, timeout=1) as smpp:
            await send(smpp)
            smsc.deaf = True
            await asyncio.sleep(2.5)
            smsc.deaf = False

            assert isinstance(await send(smpp), Accepted)
        assert len(smsc.binds) == 2

    async def test_answers_what_the_smsc_asks(self, smpp: Smpp, smsc: SmppSimulator) -> None:
        await send(smpp)

        [alive] = await smsc.ask(wire.ENQUIRE_LINK)
        [unknown] = await smsc.ask(0x03)

        assert alive
        assert unknown
        assert (alive.command, alive.status) == (wire.ENQUIRE_LINK | wire.RESP, 0)
        assert (unknown.command, unknown.status) == (wire.GENERIC_NACK, 0x03)

    async def test_says_goodbye(self, smsc: SmppSimulator) -> None:
        async with connected(smsc) as smpp:
            await send(smpp)

        assert smsc.unbound == 1
        assert await send(smpp) == Retry("closed")

    async def test_goes_even_if_nobody_says_goodbye(self, smsc: SmppSimulator) -> None:
        async with connected(smsc) as smpp:
            await send(smpp)
            smsc.deaf = True

        async with asyncio.timeout(1):
            await smsc.left()

    async def test_can_be_closed_while_it_binds(self, smpp: Smpp, smsc: SmppSimulator) -> None:
        smsc.accident = Accident("BIND", hang=True)
        sending = asyncio.create_task(send(smpp))
        await smsc.happened.wait()

        await smpp.close()

        assert await sending == Retry("closed")

    async def test_may_be_two(self, smsc: SmppSimulator) -> None:
        async with connected(smsc, bind="separate") as smpp, listening(smpp) as shelf:
            await send(smpp)
            acknowledged = await smsc.receipt(smsc.sent[0])

        assert acknowledged
        assert len(smsc.binds) == 2
        assert len(shelf) == 1
        assert smsc.unbound == 2

    async def test_carries_the_system_type(self, smsc: SmppSimulator) -> None:
        async with connected(smsc, system_type="VMA") as smpp:
            await send(smpp)

        [bind] = smsc.binds
        assert (bind.system_type, bind.version) == ("VMA", 0x34)


class TestListening:
    async def test_receipts_of_a_process_that_does_not_listen_come_again(
        self, smpp: Smpp, smsc: SmppSimulator
    ) -> None:
        await send(smpp)

        assert not await smsc.receipt(smsc.sent[0])
        async with listening(smpp) as shelf:
            await asyncio.sleep(0)
            assert await smsc.receipt(smsc.sent[0])
        assert len(shelf) == 1

    async def test_a_person_is_heard(self, smpp: Smpp, smsc: SmppSimulator) -> None:
        async with listening(smpp) as shelf:
            answers = await smsc.writes("Да, есть 😀")

        assert answers == [OK]
        assert [told.heard for told in shelf] == [[Heard("+79990000001", "Да, есть 😀")]]

    async def test_a_long_text_is_heard_as_one(self, smpp: Smpp, smsc: SmppSimulator) -> None:
        # The emoji is cut in two.
        text = "я" * 66 + "😀" + "я" * 100
        async with listening(smpp) as shelf:
            answers = await smsc.writes(text)

        assert answers == [OK, OK, OK]
        assert [told.heard for told in shelf] == [[Heard("+79990000001", text)]]

    async def test_a_crowd_of_receipts_is_stored_in_few_goes(self, smsc: SmppSimulator) -> None:
        goes = []

        async def take(told: Told) -> None:
            await asyncio.sleep(0.05)
            goes.append(len(told.receipts))

        async with connected(smsc) as smpp:
            await send(smpp)
            task = asyncio.create_task(smpp.listen(take))
            told = await asyncio.gather(*(smsc.receipt(smsc.sent[0]) for _ in range(60)))
            task.cancel()
            await asyncio.wait([task])

        assert all(told)
        assert sum(goes) == 60
        assert len(goes) < 10

    async def test_one_that_cannot_be_stored_holds_up_nobody(self, smsc: SmppSimulator) -> None:
        stored: list[str] = []

        async def take(told: Told) -> None:
            await asyncio.sleep(0.01)
            ids = [receipt.provider_id for receipt in told.receipts]
            if "poison" in ids:
                raise ValueError("cannot be stored")
            stored.extend(ids)

        async with connected(smsc) as smpp:
            await send(smpp)
            [sent] = smsc.sent
            task = asyncio.create_task(smpp.listen(take))
            await asyncio.sleep(0)

            async def tell(name: str) -> bool:
                for _ in range(3):
                    if await smsc.receipt(sent, written_as=name, tlvs=False):
                        return True
                return False

            told = await asyncio.gather(*(tell(name) for name in ("1", "2", "poison", "3", "4")))
            task.cancel()
            await asyncio.wait([task])

        assert told == [True, True, False, True, True]
        assert sorted(stored) == ["1", "2", "3", "4"]

    async def test_an_unreadable_one_is_refused_for_good(
        self, smpp: Smpp, smsc: SmppSimulator
    ) -> None:
        async with listening(smpp) as shelf:
            assert await smsc.deliver(b"\0\x01\x01" + b"7" * 30) == 0x65

        assert not shelf


class TestTls:
    @pytest.fixture
    def authority(self) -> trustme.CA:
        return trustme.CA()

    @pytest.fixture
    async def secure(self, authority: trustme.CA) -> AsyncIterator[SmppSimulator]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        async with SmppSimulator(tls=context) as smsc:
            yield smsc

    async def test_with_a_certificate_that_is_trusted(
        self, secure: SmppSimulator, authority: trustme.CA, tmp_path: Path
    ) -> None:
        trusted = tmp_path / "ca.pem"
        authority.cert_pem.write_to_path(trusted)

        async with connected(secure, security="tls", ca_file=str(trusted)) as smpp:
            assert isinstance(await send(smpp), Accepted)

    async def test_with_one_that_is_not(self, secure: SmppSimulator) -> None:
        async with connected(secure, security="tls") as smpp:
            outcome = await send(smpp)

        assert isinstance(outcome, Refused)
        assert (outcome.scope, outcome.code) == (Scope.ACCOUNT, "certificate")

    async def test_where_the_smsc_speaks_none(self, smsc: SmppSimulator) -> None:
        async with connected(smsc, security="tls", timeout=0.3) as smpp:
            outcome = await send(smpp)

        assert isinstance(outcome, Retry)
        assert not outcome.maybe_sent
