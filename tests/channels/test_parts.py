"""Segments of a text message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.sms import gsm7
from channels.sms.parts import Encoding, Parts, parts, pieces


@pytest.mark.parametrize(
    ("text", "encoding", "units", "count"),
    [
        ("", Encoding.GSM_7, 0, 0),
        ("a", Encoding.GSM_7, 1, 1),
        ("a" * 160, Encoding.GSM_7, 160, 1),
        ("a" * 161, Encoding.GSM_7, 161, 2),
        ("a" * 306, Encoding.GSM_7, 306, 2),
        ("a" * 307, Encoding.GSM_7, 307, 3),
        ("Ω@$\n\r", Encoding.GSM_7, 5, 1),
        ("€" * 80, Encoding.GSM_7, 160, 1),
        ("€" * 81, Encoding.GSM_7, 162, 2),
        ("^{}\\[~]|€\f", Encoding.GSM_7, 20, 1),
        ("я" * 70, Encoding.UCS_2, 70, 1),
        ("я" * 71, Encoding.UCS_2, 71, 2),
        ("я" * 134, Encoding.UCS_2, 134, 2),
        ("я" * 135, Encoding.UCS_2, 135, 3),
        ("a" * 70 + "№", Encoding.UCS_2, 71, 2),
        ("😀" * 35, Encoding.UCS_2, 70, 1),
        ("😀" * 36, Encoding.UCS_2, 72, 2),
        # Tab and backtick are in neither table.
        ("a\tb", Encoding.UCS_2, 3, 1),
        ("`", Encoding.UCS_2, 1, 1),
    ],
)
def test_segments_are_counted_as_the_network_counts_them(
    text: str, encoding: Encoding, units: int, count: int
) -> None:
    assert parts(text) == Parts(encoding, units, count)


def test_an_escape_pair_is_not_split() -> None:
    # 306 septets would fill two parts exactly, but the pair does not fit into the last one of the first.
    assert parts("a" * 152 + "€" + "a" * 152).count == 3


def test_a_surrogate_pair_is_not_split() -> None:
    assert parts("я" * 66 + "😀" + "я" * 66).count == 3


@given(st.text(max_size=400))
def test_more_text_never_costs_less(text: str) -> None:
    assert parts(text).count <= parts(text + "a").count


@pytest.mark.parametrize("char", ["ё", "«", "»", "—", "№", "’"])
def test_typographic_signs_make_a_text_expensive(char: str) -> None:
    assert parts(char).encoding is Encoding.UCS_2


@given(st.text(max_size=700))
def test_pieces_are_what_was_counted_and_make_the_whole(text: str) -> None:
    cut = pieces(text)

    assert "".join(cut) == text
    assert len(cut) == max(parts(text).count, 1)


@pytest.mark.parametrize(
    ("text", "lengths"),
    [
        ("a" * 161, [153, 8]),
        ("я" * 71, [67, 4]),
        ("a" * 152 + "€" + "a" * 152, [152, 152, 1]),
        ("я" * 66 + "😀" + "я" * 66, [66, 66, 1]),
    ],
)
def test_pairs_stay_whole(text: str, lengths: list[int]) -> None:
    assert [len(piece) for piece in pieces(text)] == lengths


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("@Hello_{€}", "00 48 65 6c 6c 6f 11 1b 28 1b 65 1b 29"),
        ("ÄÖÑÜ§¿à¡ΔΞÉ", "5b 5c 5d 5e 5f 60 7f 40 10 1a 1f"),
        ("", ""),
    ],
)
def test_gsm_alphabet(text: str, octets: str) -> None:
    assert gsm7.encode(text) == bytes.fromhex(octets)
    assert gsm7.decode(bytes.fromhex(octets)) == text


@given(st.binary(max_size=50))
def test_no_octets_are_unreadable(octets: bytes) -> None:
    assert len(gsm7.decode(octets)) <= len(octets)


def test_what_is_not_in_the_alphabet_is_refused() -> None:
    with pytest.raises(ValueError, match="GSM"):
        gsm7.encode("ё")
