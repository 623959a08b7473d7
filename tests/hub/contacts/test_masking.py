"""What providers write of people is kept without their addresses."""

import pytest

from hub.contacts.masking import Quotes, looks_like, masked_all

ANNA, PHONE = "Anna.P@example.com", "+79991234567"
MAIL, NUMBER = "A•••@e•••.com", "+7 ••• •• 67"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("550 <Anna.P@example.com> user unknown", "550 <A•••@e•••.com> user unknown"),
        ("550 <anna.p@EXAMPLE.COM>: unknown", "550 <a•••@E•••.COM>: unknown"),
        ("Anna.P@example.com.", "A•••@e•••.com."),
        ("user=Anna.P@example.com, 'anna.p@example.com'", f"user={MAIL}, 'a•••@e•••.com'"),
        ("mailto:Anna.P@example.com?a=b", f"mailto:{MAIL}?a=b"),
        ("see https://x.example/?to=Anna.P%40example.com", f"see https://x.example/?to={MAIL}"),
        # Cut by the adapter.
        ("550 5.1.1 <Anna.P@exam", "550 5.1.1 <A•••@e•••"),
        # Whose these are the text does not tell, and they are not hers.
        ("sender shop@example.com refused", "sender shop@example.com refused"),
        ("joanna.p@example.com", "joanna.p@example.com"),
        ("550 5.1.1 <> 20260101.ABC@mx.example", "550 5.1.1 <> 20260101.ABC@mx.example"),
        ("@", "@"),
        ("", ""),
    ],
)
def test_an_email_address_however_it_is_written(said: str, kept: str) -> None:
    assert Quotes([ANNA]).masked(said) == kept


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("+79991234567 is in the stop list", f"{NUMBER} is in the stop list"),
        ("79991234567: no route", f"{NUMBER}: no route"),
        ("89991234567", NUMBER),
        ("9991234567", NUMBER),
        ("number 8 (999) 123-45-67 is bad", f"number {NUMBER} is bad"),
        ("+7 999 123 45 67, again +7 999 123 45 67", f"{NUMBER}, again {NUMBER}"),
        ("code 21 79991234567 17", f"code 21 {NUMBER} 17"),
        ("2376678.79991234567", f"2376678.{NUMBER}"),
        # Others' numbers, ids and times.
        ("+79991234568", "+79991234568"),
        ("id 4912661846655238145 at 1793527200", "id 4912661846655238145 at 1793527200"),
        ("1793527279991234567", "1793527279991234567"),
        ("2026-11-01 10:00:00 error 24", "2026-11-01 10:00:00 error 24"),
    ],
)
def test_a_phone_however_it_is_written(said: str, kept: str) -> None:
    assert Quotes([PHONE]).masked(said) == kept


@pytest.mark.parametrize(
    ("address", "said", "kept"),
    [
        ("123456789", "chat 123456789 not found", "chat •••89 not found"),
        ("-100123456", "chat -100123456 not found", "chat •••56 not found"),
        ("123456789", "id 1234567890, error 9", "id 1234567890, error 9"),
        # It would be any code.
        ("403", "403 forbidden", "403 forbidden"),
        ("bk3RNwTe3H-anna", "token bk3RNwTe3H-anna is gone", "token •••na is gone"),
    ],
)
def test_ids_and_tokens_as_they_are(address: str, said: str, kept: str) -> None:
    assert Quotes([address]).masked(said) == kept


def test_those_of_all_receivers_of_a_call() -> None:
    quotes = Quotes(["boris@example.com", ANNA])

    assert quotes.masked("boris@example.com, Anna.P@example.com") == f"b•••@e•••.com, {MAIL}"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("550 <Anna.P@example.com> unknown", f"550 <{MAIL}> unknown"),
        ("8 (999) 123-45-67 is bad", f"{NUMBER} is bad"),
        ("550 5.1.1 at 1793527200, id 123456789", "550 5.1.1 at 1793527200, id 123456789"),
    ],
)
def test_anybodys_where_it_is_not_known_who_is_meant(said: str, kept: str) -> None:
    assert masked_all(said) == kept


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("anna@example.com", "email"),
        ("+79991234567", "phone"),
        ("79991234567", "phone"),
        ("8 (999) 123-45-67", "phone"),
        ("buyer-42", ""),
        ("1001", ""),
        ("1793527200", ""),
        ("0198c0de-7000-7000-8000-000000000000", ""),
        ("", ""),
    ],
)
def test_what_looks_like_an_address(value: str, kind: str) -> None:
    assert looks_like(value) == kind
