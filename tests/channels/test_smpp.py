"""SMS over SMPP: what goes over the wire, what answers mean, which settings there are."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from channels.base import Accepted, Outcome, Refused, Retry, Scope
from channels.sms.smpp import Smpp
from channels.sms.smpp_config import SmppConfig
from tests.channels.smpp_rig import LONG, MESSAGE, connected, send
from tests.simulators.smpp import INVDSTADR, OK, SYSERR, THROTTLED, Accident, SmppSimulator


@pytest.fixture
async def smsc() -> AsyncIterator[SmppSimulator]:
    async with SmppSimulator() as smsc:
        yield smsc


@pytest.fixture
async def smpp(smsc: SmppSimulator) -> AsyncIterator[Smpp]:
    async with connected(smsc) as smpp:
        yield smpp


class TestText:
    @pytest.mark.parametrize(
        "text",
        [
            "Hello, @_$ {€} [~]",
            "a" * 160,
            "€" * 80,
            "я" * 70,
            "😀" * 35,
            "a" * 161,
            "a" * 152 + "€" + "a" * 152,
            "я" * 66 + "😀" + "я" * 66,
            "Заказ №1001 «принят» — ждите",
            "€" * 500,
            "я" * 2000,
        ],
    )
    @pytest.mark.parametrize("how", ["udh", "sar", "payload"])
    async def test_arrives_as_it_was_written(
        self, smsc: SmppSimulator, text: str, how: str
    ) -> None:
        async with connected(smsc, long_text=how) as smpp:
            outcome = await send(smpp, replace(MESSAGE, text=text))

        [sent] = smsc.sent
        assert (sent.to, sent.text) == ("79990000001", text)
        assert outcome == Accepted(sent.provider_id)

    async def test_only_the_last_part_asks_for_a_receipt(
        self, smpp: Smpp, smsc: SmppSimulator
    ) -> None:
        outcome = await send(smpp, LONG)

        assert [part.registered for part in smsc.parts] == [0, 0, 1]
        assert outcome == Accepted("00000003")

    async def test_the_first_part_speaks_where_the_smsc_wants_it_so(
        self, smsc: SmppSimulator
    ) -> None:
        async with connected(smsc, receipt_for="first") as smpp:
            outcome = await send(smpp, LONG)

        assert [part.registered for part in smsc.parts] == [1, 0, 0]
        assert outcome == Accepted("00000001")

    async def test_a_payload_is_one_message_with_one_receipt(self, smsc: SmppSimulator) -> None:
        async with connected(smsc, long_text="payload") as smpp:
            await send(smpp, LONG)

        [part] = smsc.parts
        assert part.registered == 1
        assert part.short_message == b""

    async def test_a_repeat_joins_the_parts_that_arrived(
        self, smpp: Smpp, smsc: SmppSimulator
    ) -> None:
        smsc.statuses.extend([OK, OK, THROTTLED])

        first = await send(smpp, LONG)
        second = await send(smpp, LONG)

        assert first == Retry("smpp-throttled", throttled=True)
        assert second == Accepted("00000005")
        assert [sent.text for sent in smsc.sent] == [LONG.text]

    async def test_latin_1_where_the_smsc_means_that_by_its_default(
        self, smsc: SmppSimulator
    ) -> None:
        smsc.alphabet = "latin-1"

        async with connected(smsc, alphabet="latin1") as smpp:
            await send(smpp, replace(MESSAGE, text="Caf@_é"))
            await send(smpp, replace(MESSAGE, text="5 €"))

        assert [sent.text for sent in smsc.sent] == ["Caf@_é", "5 €"]
        assert smsc.parts[0].short_message == "Caf@_é".encode("latin-1")
        assert smsc.parts[0].data_coding == 0
        assert smsc.parts[1].short_message == "5 €".encode("utf-16-be")
        assert smsc.parts[1].data_coding == 8

    async def test_what_no_header_can_count_is_refused(
        self, smpp: Smpp, smsc: SmppSimulator
    ) -> None:
        outcome = await send(smpp, replace(MESSAGE, text="a" * 153 * 256))

        assert isinstance(outcome, Refused)
        assert (outcome.scope, outcome.code) == (Scope.MESSAGE, "text-too-long")
        assert not smsc.parts


class TestAddresses:
    @pytest.mark.parametrize(
        ("sender", "settings", "source"),
        [
            ("Romashka", {}, (5, 0, "Romashka")),
            ("Romashka", {"source_npi": 1}, (5, 1, "Romashka")),
            ("+74951234567", {}, (1, 1, "74951234567")),
            ("74951234567", {}, (1, 1, "74951234567")),
            ("1234", {}, (3, 0, "1234")),
            ("1234", {"source_ton": 0}, (0, 0, "1234")),
            ("", {}, (0, 0, "")),
        ],
    )
    async def test_of_the_sender(
        self, sender: str, settings: dict[str, int], source: tuple[int, int, str]
    ) -> None:
        async with (
            SmppSimulator(senders=frozenset({source[2]})) as smsc,
            connected(smsc, sender=sender, **settings) as smpp,
        ):
            await send(smpp)

            assert smsc.parts[0].source == source

    async def test_of_the_recipient(self, smpp: Smpp, smsc: SmppSimulator) -> None:
        await send(smpp)

        assert smsc.parts[0].to == (1, 1, "79990000001")

    @pytest.mark.parametrize("to", ["", "+", "Anna", "+7999000000\0", "+٧٩٩٩", "+" + "1" * 21])
    async def test_no_number_never_leaves(self, smpp: Smpp, smsc: SmppSimulator, to: str) -> None:
        outcome = await send(smpp, replace(MESSAGE, to=to))

        assert isinstance(outcome, Refused)
        assert outcome.scope is Scope.RECIPIENT
        assert not smsc.connections


class TestValidity:
    async def test_is_the_end_of_the_notification(self, smpp: Smpp, smsc: SmppSimulator) -> None:
        ends = datetime(2031, 5, 4, 3, 2, 1, tzinfo=UTC)
        now = datetime.now(UTC)

        await send(smpp, replace(MESSAGE, expires_at=now + timedelta(hours=5)))
        await send(smpp, replace(MESSAGE, expires_at=ends))
        await send(smpp)

        soon, capped, none = (part.validity for part in smsc.parts)
        assert abs(_absolute(soon) - now - timedelta(hours=5)) < timedelta(seconds=5)
        assert abs(_absolute(capped) - now - timedelta(days=30)) < timedelta(seconds=5)
        assert none == ""

    async def test_is_never_past_for_another_clock(self, smpp: Smpp, smsc: SmppSimulator) -> None:
        now = datetime.now(UTC)

        await send(smpp, replace(MESSAGE, expires_at=now + timedelta(seconds=2)))

        assert _absolute(smsc.parts[0].validity) - now > timedelta(seconds=55)

    async def test_may_be_counted_from_now_or_left_out(self, smsc: SmppSimulator) -> None:
        late = replace(MESSAGE, expires_at=datetime.now(UTC) + timedelta(days=1, hours=2))

        async with connected(smsc, validity="relative") as smpp:
            await send(smpp, late)
        async with connected(smsc, validity="none") as smpp:
            await send(smpp, late)

        assert [part.validity[:10] for part in smsc.parts] == ["0000010159", ""]
        assert smsc.parts[0].validity.endswith("000R")


def _absolute(validity: str) -> datetime:
    assert validity.endswith("000+")
    return datetime.strptime(validity[:12], "%y%m%d%H%M%S").replace(tzinfo=UTC)


class TestAnswers:
    @pytest.mark.parametrize(
        ("status", "outcome"),
        [
            (0x08, Retry("smpp-syserr")),
            (0x14, Retry("smpp-msgqful", throttled=True)),
            (0x58, Retry("smpp-throttled", throttled=True)),
            (0x64, Retry("smpp-rx-t-appn")),
            (0x0A, Refused(Scope.ACCOUNT, "0x0A", "INVSRCADR: sender not allowed")),
            (0x0B, Refused(Scope.RECIPIENT, "0x0B", "INVDSTADR: wrong number")),
            (
                0x50,
                Refused(
                    Scope.RECIPIENT,
                    "0x50",
                    "INVDSTTON: wrong type of number of the recipient",
                    suppress=False,
                ),
            ),
            (0x45, Refused(Scope.MESSAGE, "0x45", "SUBMITFAIL: not taken")),
            (0x412, Refused(Scope.MESSAGE, "0x412", "a code of the SMSC's own")),
        ],
    )
    async def test_by_their_status(
        self, smpp: Smpp, smsc: SmppSimulator, status: int, outcome: Outcome
    ) -> None:
        smsc.answers["SUBMIT"] = status

        assert await send(smpp) == outcome

    @pytest.mark.parametrize(
        ("kind", "outcome"),
        [
            ("account", Refused(Scope.ACCOUNT, "0x412", "a code of the SMSC's own")),
            ("recipient", Refused(Scope.RECIPIENT, "0x412", "a code of the SMSC's own")),
            (
                "unreachable",
                Refused(Scope.RECIPIENT, "0x412", "a code of the SMSC's own", suppress=False),
            ),
            ("retry", Retry("smpp-0x412")),
            ("throttled", Retry("smpp-0x412", throttled=True)),
        ],
    )
    @pytest.mark.parametrize("key", ["0x412", "1042"])
    async def test_by_what_the_settings_say_of_the_smscs_own_codes(
        self, smsc: SmppSimulator, key: str, kind: str, outcome: Outcome
    ) -> None:
        smsc.answers["SUBMIT"] = 0x412

        async with connected(smsc, codes={key: kind}) as smpp:
            assert await send(smpp) == outcome

    async def test_settings_win_over_the_book(self, smsc: SmppSimulator) -> None:
        smsc.answers["SUBMIT"] = 0x45

        async with connected(smsc, codes={"0x45": "retry"}) as smpp:
            assert await send(smpp) == Retry("smpp-submitfail")

    async def test_forgotten_by_the_smsc_it_binds_again(
        self, smpp: Smpp, smsc: SmppSimulator
    ) -> None:
        await send(smpp)
        smsc.statuses.append(0x04)

        outcomes = [await send(smpp), await send(smpp)]

        assert outcomes[0] == Retry("smpp-invbndsts")
        assert isinstance(outcomes[1], Accepted)
        assert len(smsc.binds) == 2

    async def test_silence_before_the_last_part_is_no_message_yet(
        self, smsc: SmppSimulator
    ) -> None:
        smsc.accident = Accident("SUBMIT", hang=True, after_taking=True)

        async with connected(smsc, timeout=0.3) as smpp:
            assert await send(smpp, LONG) == Retry("no-answer")
            assert await send(smpp) == Retry("no-answer", maybe_sent=True)

    async def test_a_negative_acknowledgement_is_an_answer(
        self, smpp: Smpp, smsc: SmppSimulator
    ) -> None:
        smsc.nacks = SYSERR

        assert await send(smpp) == Retry("smpp-syserr")

    async def test_that_come_too_late_are_of_nobody(self, smsc: SmppSimulator) -> None:
        async with connected(smsc, timeout=1) as smpp:
            smsc.delay = 1.1
            late = await send(smpp)
            smsc.delay = 0.4
            good = await send(smpp, replace(MESSAGE, text="b"))

        assert late == Retry("no-answer", maybe_sent=True)
        assert good == Accepted("00000002")
        assert len(smsc.binds) == 1


class TestCheck:
    async def test_says_who_answers(self, smpp: Smpp, smsc: SmppSimulator) -> None:
        check = await smpp.check()

        assert check.ok
        assert check.text == f"127.0.0.1:{smsc.port} answers, bound as shop"
        assert (smsc.unbound, smsc.bound) == (1, 0)

    async def test_says_what_a_bind_was_refused_for(self, smsc: SmppSimulator) -> None:
        async with connected(smsc, login="another") as smpp:
            check = await smpp.check()

        assert not check.ok
        assert "bind refused, INVSYSID: login not known" in check.text

    async def test_tries_both_ways_where_there_are_two(self, smsc: SmppSimulator) -> None:
        smsc.max_binds = 1

        async with connected(smsc, bind="separate") as smpp:
            check = await smpp.check()

        assert not check.ok
        assert "ALYBND" in check.text


class TestSettings:
    @pytest.mark.parametrize(
        ("wrong", "says"),
        [
            ({"base_url": "http://127.0.0.1:2775"}, "must be smpp://host:port"),
            ({"base_url": "smpp://shop:secret@127.0.0.1"}, "host and port only"),
            ({"base_url": ""}, "host is missing"),
            ({"login": ""}, "at least 1 character"),
            ({"login": "магазин"}, "Latin letters"),
            ({"password": "пароль"}, "Latin letters"),
            ({"password": "top-secret" * 10}, "up to 64"),
            ({"sender": "Ромашка"}, "up to 11 Latin letters"),
            ({"sender": "RomashkaRomashka"}, "up to 11 Latin letters"),
            ({"long_text": "split"}, "'udh', 'sar' or 'payload'"),
            ({"codes": {"many": "account"}}, "codes like"),
            ({"codes": {"0x412": "blame"}}, "'recipient', 'unreachable'"),
            ({"answer_ids": "hex"}, "both text or both numbers"),
            ({"enquire_link": "often"}, '"90s"'),
            ({"timezone": "Moscow"}, "time zone like Europe/Moscow"),
            ({"ca_file": "/nowhere.pem"}, "PEM file"),
        ],
    )
    def test_wrong_ones_are_explained(self, wrong: dict[str, Any], says: str) -> None:
        given = {"base_url": "smpp://127.0.0.1:2775", "login": "shop", "password": "secret-1"}

        with pytest.raises(ValidationError) as refused:
            SmppConfig.model_validate(given | wrong)

        assert says in str(refused.value)
        assert "secret" not in str(refused.value)

    def test_durations_are_written_as_everywhere(self) -> None:
        config = SmppConfig.model_validate(
            {"host": "smsc.example", "login": "shop", "timeout": "10s", "enquire_link": "1m"}
        )

        assert (config.timeout, config.enquire_link) == (
            timedelta(seconds=10),
            timedelta(minutes=1),
        )

    def test_the_url_stands_for_host_and_port(self) -> None:
        by_url = SmppConfig(base_url="smpp://smsc.example:3700", login="shop")
        by_host = SmppConfig(host="smsc.example", login="shop")

        assert by_url.server == ("smsc.example", 3700)
        assert by_host.server == ("smsc.example", 2775)


async def test_an_address_that_is_blocked_is_named(smpp: Smpp, smsc: SmppSimulator) -> None:
    smsc.refused["79990000001"] = INVDSTADR

    outcome = await send(smpp)

    assert outcome == Refused(Scope.RECIPIENT, "0x0B", "INVDSTADR: wrong number")
    assert "7999" not in repr(outcome)
