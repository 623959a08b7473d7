"""What SMSCs say of messages, each in its own way, and what people write to the shop's number."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import Heard, Receipt, ReceiptStatus, Told
from channels.sms import smpp_pdu, smpp_text
from channels.sms.smpp_inbox import Inbox
from channels.sms.smpp_pdu import Address, Malformed, Short, Tag
from channels.sms.smpp_receipts import Ids, is_message, known_as, receipt
from channels.sms.smpp_text import Alphabet
from tests.simulators import smpp_wire as wire

TEXT = "id:{id} sub:001 dlvrd:001 submit date:2601021203 done date:2601021204 stat:{stat} err:{err} text:id:9 stat:X"
PERSON, SHOP = Address("79990000001", 1, 1), Address("1234")


def short(
    text: str | bytes = b"", *, esm_class: int = 4, data_coding: int = 0, **tlvs: bytes
) -> Short:
    content = text.encode("latin-1") if isinstance(text, str) else text
    by_tag: dict[int, bytes] = {Tag[name.upper()]: value for name, value in tlvs.items()}
    return Short(PERSON, SHOP, content, data_coding, esm_class, tlvs=by_tag)


def told(id_: str = "a1", stat: str = "DELIVRD", err: str = "000", **more: Any) -> Short:
    return short(TEXT.format(id=id_, stat=stat, err=err), **more)


def read(short: Short, **settings: Any) -> Receipt | None:
    given: dict[str, Any] = {
        "answer_ids": Ids.TEXT,
        "receipt_ids": Ids.TEXT,
        "no_such_number": (),
        "zone": None,
    }
    return receipt(short, **(given | settings))


class TestReceipts:
    @pytest.mark.parametrize(
        ("stat", "err", "status", "code"),
        [
            ("DELIVRD", "000", ReceiptStatus.DELIVERED, "DELIVRD"),
            ("delivrd", "000", ReceiptStatus.DELIVERED, "DELIVRD"),
            ("DELIVERED", "000", ReceiptStatus.DELIVERED, "DELIVRD"),
            ("EXPIRED", "027", ReceiptStatus.FAILED, "EXPIRED/27"),
            ("DELETED", "0", ReceiptStatus.FAILED, "DELETED"),
            ("UNDELIV", "001", ReceiptStatus.FAILED, "UNDELIV/1"),
            ("UNDELIVERABLE", "0A1", ReceiptStatus.FAILED, "UNDELIV/A1"),
            ("REJECTD", "", ReceiptStatus.FAILED, "REJECTD"),
            ("ENROUTE", "000", ReceiptStatus.DEFERRED, "ENROUTE"),
            ("ACCEPTD", "000", ReceiptStatus.SENT, "ACCEPTD"),
            ("UNKNOWN", "000", ReceiptStatus.SENT, "UNKNOWN"),
        ],
    )
    def test_by_their_word(self, stat: str, err: str, status: ReceiptStatus, code: str) -> None:
        found = read(told(stat=stat, err=err))

        assert found
        assert (found.status, found.code, found.provider_id) == (status, code, "a1")

    @pytest.mark.parametrize(
        ("state", "status"),
        [
            (1, ReceiptStatus.DEFERRED),
            (2, ReceiptStatus.DELIVERED),
            (3, ReceiptStatus.FAILED),
            (5, ReceiptStatus.FAILED),
            (8, ReceiptStatus.FAILED),
        ],
    )
    def test_by_parameters_alone(self, state: int, status: ReceiptStatus) -> None:
        found = read(short(receipted_message_id=b"a1\0", message_state=bytes([state])))

        assert found
        assert (found.status, found.provider_id) == (status, "a1")

    def test_an_unknown_state_is_no_news(self) -> None:
        assert read(told(stat="LOST")) is None
        assert read(short(receipted_message_id=b"a1\0", message_state=b"\x63")) is None

    def test_without_an_id_nobody_is_meant(self) -> None:
        assert read(told(id_="")) is None
        assert read(short("Delivered, thank you")) is None

    def test_the_text_of_the_message_is_not_read(self) -> None:
        assert read(short("stat:DELIVRD err:000 text:id:a1")) is None

    def test_intermediate_ones_are_read_as_well(self) -> None:
        assert read(told(stat="ENROUTE", esm_class=0x20))

    def test_acknowledgements_of_phones_are_not(self) -> None:
        assert read(told(esm_class=0x08)) is None
        assert not is_message(told(esm_class=0x08))

    def test_the_error_may_be_of_the_network(self) -> None:
        found = read(
            short(
                receipted_message_id=b"a1",
                message_state=b"\x05",
                network_error_code=b"\x03\x00\x85",
            )
        )

        assert found
        assert found.code == "UNDELIV/133"

    def test_the_settings_know_which_error_means_no_such_number(self) -> None:
        gone = read(told(stat="UNDELIV", err="001"), no_such_number=["1", "044"])
        busy = read(told(stat="UNDELIV", err="002"), no_such_number=["1", "044"])
        here = read(told(stat="DELIVRD", err="001"), no_such_number=["1", "044"])

        assert [r.status for r in (gone, busy, here) if r] == [
            ReceiptStatus.BOUNCED,
            ReceiptStatus.FAILED,
            ReceiptStatus.DELIVERED,
        ]

    def test_the_time_is_believed_where_its_zone_is_known(self) -> None:
        moscow = read(told(), zone=ZoneInfo("Europe/Moscow"))
        somewhere = read(told())

        assert moscow
        assert moscow.at == datetime(2026, 1, 2, 9, 4, tzinfo=UTC)
        assert somewhere
        assert somewhere.at is None

    def test_the_alphabet_of_the_message_means_nothing_for_its_receipt(self) -> None:
        wide = TEXT.format(id="a_1", stat="DELIVRD", err="000").encode("utf-16-be")

        found = [read(told(id_="a_1", data_coding=8)), read(short(wide, data_coding=8))]

        assert [r.provider_id for r in found if r] == ["a_1", "a_1"]


class TestIds:
    @pytest.mark.parametrize(
        ("message_id", "written", "known"),
        [
            ("00AB", Ids.TEXT, "00AB"),
            ("00AB", Ids.HEX, "171"),
            ("0000000171", Ids.DECIMAL, "171"),
            ("7f9c2b1e-1", Ids.HEX, "7f9c2b1e-1"),
            ("AB", Ids.DECIMAL, "AB"),
            ("", Ids.HEX, ""),
        ],
    )
    def test_are_compared_by_value(self, message_id: str, written: Ids, known: str) -> None:
        assert known_as(message_id, written) == known

    @pytest.mark.parametrize(
        ("in_text", "parameter"),
        [
            ("0000000171", b""),
            ("0000000171", b"AB\0"),
            ("0000000171", b"0000000171\0"),
            ("", b"AB\0"),
        ],
    )
    def test_the_parameter_is_written_as_in_the_answer_unless_it_repeats_the_text(
        self, in_text: str, parameter: bytes
    ) -> None:
        tlvs: dict[str, Any] = {"receipted_message_id": parameter} if parameter else {}

        found = read(told(id_=in_text, **tlvs), answer_ids=Ids.HEX, receipt_ids=Ids.DECIMAL)

        assert found
        assert found.provider_id == known_as("AB", Ids.HEX)


class Desk:
    """An inbox, what it handed on, and how each packet was answered."""

    def __init__(self, patience: timedelta = timedelta(seconds=5)) -> None:
        self.inbox = Inbox(lambda short: read(short), Alphabet.GSM, patience)
        self.told: list[Told] = []
        self.answers: dict[int, int] = {}

    async def take(self, told: Told) -> None:
        self.told.append(told)

    def put(self, number: int, short: Short) -> None:
        self.inbox.put(short, lambda status: self.answers.update({number: status}))

    @property
    def heard(self) -> list[Heard]:
        return [heard for told in self.told for heard in told.heard]

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.inbox.run(self.take))
        await asyncio.sleep(0)
        yield
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task])


def piece(text: str, number: int, total: int, *, reference: int = 7) -> Short:
    header = bytes((5, 0, 3, reference, total, number))
    return short(header + text.encode("utf-16-be"), esm_class=0x40, data_coding=8)


class TestPeople:
    @pytest.mark.parametrize(
        ("octets", "data_coding", "text"),
        [
            (b"Yes \x00\x11\x02\x1be", 0, "Yes @_$€"),
            (b"caf\xe9", 3, "café"),
            (b"a@_$", 1, "a@_$"),
            ("Да 😀".encode("utf-16-be"), 8, "Да 😀"),
            ("Да".encode("iso8859-5"), 6, "Да"),
            # Flash messages and message classes.
            (b"Yes\x11", 0x10, "Yes_"),
            (b"Yes\x11", 0xF0, "Yes_"),
            (b"caf\xe9", 0xF5, "café"),
            ("Да".encode("utf-16-be"), 0x18, "Да"),
            ("Да".encode("utf-16-be"), 0xE0, "Да"),
            (b"\x04", 8, "\ufffd"),
        ],
    )
    async def test_are_read_in_their_alphabet(
        self, octets: bytes, data_coding: int, text: str
    ) -> None:
        desk = Desk()
        async with desk.open():
            desk.put(1, short(octets, esm_class=0, data_coding=data_coding))

        assert desk.heard == [Heard("+79990000001", text)]
        assert desk.answers == {1: 0}

    async def test_long_texts_come_in_any_order_and_twice(self) -> None:
        desk = Desk()
        async with desk.open():
            for number, place in enumerate((3, 1, 1, 2)):
                desk.put(number, piece("абв"[place - 1], place, 3))

        assert desk.heard == [Heard("+79990000001", "абв")]
        assert desk.answers == dict.fromkeys(range(4), 0)

    async def test_texts_that_come_at_once_are_kept_apart(self) -> None:
        desk = Desk()
        async with desk.open():
            desk.put(1, piece("а", 1, 2))
            desk.put(2, piece("в", 1, 2, reference=8))
            desk.put(3, piece("б", 2, 2))
            desk.put(4, piece("г", 2, 2, reference=8))

        assert [heard.text for heard in desk.heard] == ["аб", "вг"]

    async def test_parts_are_acknowledged_when_the_whole_is_stored(self) -> None:
        desk = Desk()
        async with desk.open():
            desk.put(1, piece("а", 1, 2))
            await asyncio.sleep(0.01)
            early = dict(desk.answers)
            desk.put(2, piece("б", 2, 2))

        assert early == {}
        assert desk.answers == {1: 0, 2: 0}

    async def test_what_is_missing_after_a_while_is_marked(self) -> None:
        desk = Desk(patience=timedelta(milliseconds=50))
        async with desk.open():
            desk.put(1, piece("б", 2, 5))
            desk.put(2, piece("в", 3, 5))
            await asyncio.sleep(0.1)

        assert desk.heard == [Heard("+79990000001", "…бв…")]
        assert desk.answers == {1: 0, 2: 0}

    async def test_parameters_join_as_well_as_headers(self) -> None:
        desk = Desk()
        async with desk.open():
            for number in (1, 2):
                tlvs: dict[str, Any] = {
                    "sar_msg_ref_num": b"\0\7",
                    "sar_total_segments": b"\2",
                    "sar_segment_seqnum": bytes([number]),
                }
                desk.put(number, short(f"part {number} ", esm_class=0, **tlvs))

        assert [heard.text for heard in desk.heard] == ["part 1 part 2 "]

    @pytest.mark.parametrize(
        ("header", "text"),
        [
            # Ports, a reference of two octets, and both.
            ("06 05 04 0b84 23f0", "hi"),
            ("06 08 04 0001 01 01", "hi"),
            ("0b 05 04 0b84 23f0 00 03 01 01 01", "hi"),
            # Nonsense.
            ("05 00 03 01 02 03", "hi"),
            ("05 00 03 01 00 00", "hi"),
            ("03 00 03 01", "hi"),
            ("00", "hi"),
            ("7f 00 03 01", ""),
        ],
    )
    async def test_headers_are_not_text(self, header: str, text: str) -> None:
        desk = Desk()
        async with desk.open():
            desk.put(1, short(bytes.fromhex(header) + b"hi", esm_class=0x40))

        assert [heard.text for heard in desk.heard] == [text]

    async def test_a_text_may_be_in_the_payload(self) -> None:
        desk = Desk()
        async with desk.open():
            desk.put(1, short(esm_class=0, message_payload=b"hello" * 60))

        assert desk.heard[0].text == "hello" * 60

    @pytest.mark.parametrize("source", [Address("Bank", 5), Address("Банк"), Address("")])
    async def test_names_are_nobody(self, source: Address) -> None:
        desk = Desk()
        async with desk.open():
            desk.put(1, Short(source, SHOP, b"hi"))

        assert not desk.told
        assert desk.answers == {1: 0}

    async def test_a_person_cannot_write_a_receipt(self) -> None:
        desk = Desk()
        async with desk.open():
            desk.put(1, told(esm_class=0))

        assert not desk.told[0].receipts
        assert len(desk.heard) == 1


class TestInbox:
    async def test_what_waits_when_it_closes_comes_again(self) -> None:
        desk = Desk()
        async with desk.open():
            desk.put(1, piece("а", 1, 2))

        desk.put(2, told())

        assert desk.answers == {1: 0x64, 2: 0x64}
        assert not desk.told

    async def test_too_much_at_once_comes_again(self) -> None:
        desk = Desk()
        async with desk.open():
            for number in range(600):
                desk.put(number, told(id_=str(number)))

        assert sum(len(told.receipts) for told in desk.told) == 500
        assert [desk.answers[number] for number in (0, 499, 500, 599)] == [0, 0, 0x64, 0x64]

    async def test_nothing_to_store_is_acknowledged(self) -> None:
        desk = Desk()
        async with desk.open():
            desk.put(1, told(stat="LOST"))

        assert desk.answers == {1: 0}
        assert not desk.told


class TestPackets:
    @given(st.binary(max_size=120))
    def test_rubbish_is_malformed_or_read(self, body: bytes) -> None:
        try:
            found = smpp_pdu.short(body)
        except Malformed:
            return
        smpp_text.decode(smpp_text.part(found).content, found.data_coding, Alphabet.GSM)
        read(found)

    @given(
        st.binary(max_size=200),
        st.dictionaries(st.integers(0, 0xFFFF), st.binary(max_size=20), max_size=5),
        st.integers(0, 255),
    )
    def test_come_as_they_were_sent(
        self, content: bytes, tlvs: Mapping[int, bytes], data_coding: int
    ) -> None:
        body = wire.deliver(
            (1, 1, "79990000001"), "1", content, data_coding=data_coding, tlvs=dict(tlvs)
        )

        found = smpp_pdu.short(body)

        assert (found.text, found.data_coding, found.tlvs) == (content, data_coding, tlvs)
        assert found.source == PERSON

    def test_a_parameter_that_is_cut_off_harms_no_other(self) -> None:
        body = wire.deliver((1, 1, "7"), "1", b"hi", tlvs={0x0427: b"\2"})

        assert smpp_pdu.short(body + b"\x04\x24\x00\xffabc").tlvs == {0x0427: b"\2"}

    async def test_what_is_no_smpp_ends_the_connection(self) -> None:
        stream = asyncio.StreamReader()
        stream.feed_data(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        with pytest.raises(Malformed):
            await smpp_pdu.read(stream)
