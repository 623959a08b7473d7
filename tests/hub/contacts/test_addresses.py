"""Addresses in their one stored form, and what is refused with which words."""

from ipaddress import ip_network

import phonenumbers
import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given as holds_for
from hypothesis import strategies as st

from channels.base import Channel
from hub.contacts import addresses, email, phone
from hub.contacts.addresses import Kind
from hub.outgoing import inner_host

_LOCALS = st.from_regex(r"[a-zA-Z0-9._+-]{1,66}", fullmatch=True)
_DOMAINS = st.from_regex(r"[a-zA-Z0-9.-]{1,30}(\.ru|\.COM|\.test|)", fullmatch=True)


@holds_for(
    local=_LOCALS, domain=_DOMAINS | st.sampled_from(["Example.com", "xn--e1afmkfd.xn--p1ai"])
)
def test_the_usual_mail_address_is_read_as_any_other(local: str, domain: str) -> None:
    value = f"{local}@{domain}"
    try:
        stored = validate_email(value, check_deliverability=False).ascii_email
    except EmailNotValidError:
        with pytest.raises(ValueError, match="is not an e-mail address"):
            email.normalise(value)
    else:
        assert email.normalise(value) == stored


@holds_for(st.integers(900_000_0000, 999_999_9999))
def test_the_usual_phone_is_read_as_any_other(number: int) -> None:
    read = phonenumbers.parse(f"+7{number}")
    mobile = phonenumbers.PhoneNumberType.MOBILE

    if phonenumbers.is_valid_number(read) and phonenumbers.number_type(read) == mobile:
        assert phone.normalise(f"+7{number}") == f"+7{number}"
    else:
        with pytest.raises(ValueError, match=r"exists|not a mobile"):
            phone.normalise(f"+7{number}")


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("8 (999) 123-45-67", "+79991234567"),
        ("9991234567", "+79991234567"),
        ("79991234567", "+79991234567"),
        ("+7 999 123 45 67", "+79991234567"),
        ("+7 701 234 56 78", "+77012345678"),
        ("+1 650 253 0000", "+16502530000"),
    ],
)
def test_phones_are_stored_in_e164(given: str, stored: str) -> None:
    assert phone.normalise(given) == stored


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("8 800 555 35 35", "not a mobile"),
        ("+7 495 123 45 67", "not a mobile"),
        ("991234567", "exists"),
        ("+7 999 123 45 67 ext. 5", "exists"),
        ("anna", "not a phone number"),
        ("", "not a phone number"),
    ],
)
def test_phones_that_take_no_messages_are_refused(given: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        phone.normalise(given)


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("Anna.K@EXAMPLE.com", "Anna.K@example.com"),
        (" anna@example.com ", "anna@example.com"),
        ("anna@Пример.рф", "anna@xn--e1afmkfd.xn--p1ai"),
    ],
)
def test_mail_addresses_keep_their_local_part_and_lose_the_domains_case(
    given: str, stored: str
) -> None:
    assert email.normalise(given) == stored


@pytest.mark.parametrize(
    "given", ["anna", "anna@localhost", "anna@shop.test", "анна@example.com", "a b@example.com"]
)
def test_what_no_letter_reaches_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match="not an e-mail address"):
        email.normalise(given)


@pytest.mark.parametrize(
    ("channel", "given", "fits"),
    [
        (Channel.TELEGRAM, "123456789", True),
        (Channel.TELEGRAM, "-1001234567890", True),
        (Channel.TELEGRAM, "@anna", False),
        (Channel.TELEGRAM, "007", False),
        (Channel.VK, "42", True),
        (Channel.VK, "-42", False),
        (Channel.MAX, "77", True),
        (Channel.VIBER, "01234567890A=", True),
        (Channel.VIBER, "jc9HsWTZ2Yf2NkRZ8KcNug==", True),
        (Channel.VIBER, "anna smith", False),
        (Channel.VIBER, "", False),
        (Channel.VIBER, "x" * 65, False),
        (Channel.PUSH, "token", False),
    ],
)
def test_ids_of_messengers_have_their_form(channel: Channel, given: str, fits: bool) -> None:
    try:
        assert addresses.normalise(channel, given) == given
        assert fits
    except ValueError:
        assert not fits


def test_one_phone_has_one_digest_whatever_carries_the_message() -> None:
    kinds = {addresses.KIND_OF[c] for c in (Channel.SMS, Channel.VIBER, Channel.WHATSAPP)}

    assert len(kinds) == 1
    assert len(addresses.digest(kinds.pop(), "+79991234567")) == 32


@pytest.mark.parametrize(
    ("channel", "given", "stored", "kind"),
    [
        (Channel.VIBER, "8 (999) 123-45-67", "+79991234567", Kind.PHONE),
        (Channel.VIBER, "+79991234567", "+79991234567", Kind.PHONE),
        (Channel.VIBER, "01234567890A=", "01234567890A=", Kind.VIBER),
        (Channel.WHATSAPP, "+79991234567", "+79991234567", Kind.PHONE),
        (Channel.TELEGRAM, "-1001234567890", "-1001234567890", Kind.TELEGRAM),
        (Channel.EMAIL, "Anna@Example.com", "Anna@example.com", Kind.EMAIL),
    ],
)
def test_an_address_is_of_the_kind_whose_form_it_has(
    channel: Channel, given: str, stored: str, kind: Kind
) -> None:
    assert addresses.normalise(channel, given) == stored
    assert addresses.kind_of(channel, stored) is kind
    assert addresses.digest_at(channel, stored) == addresses.digest(kind, stored)


def test_a_push_device_is_of_one_kind() -> None:
    assert addresses.kind_of(Channel.PUSH, "token") is Kind.PUSH


def test_of_two_kinds_it_is_told_what_both_would_be() -> None:
    with pytest.raises(ValueError, match=r"phone.*, or must be a Viber user id"):
        addresses.normalise(Channel.VIBER, "anna smith")


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("https://push.example/x", False),
        ("https://8.8.8.8/x", False),
        ("https://10.0.0.1/x", True),
        ("https://127.1/x", True),
        ("https://127.0.0.1./x", True),
        ("https://2130706433/x", True),
        ("https://0x7f000001/x", True),
        ("https://[::1]/x", True),
        ("https://[::ffff:10.0.0.1]/x", True),
        ("https://localhost/x", True),
        ("https://printer.local./x", True),
        ("https://[broken/x", True),
    ],
)
def test_urls_into_the_inner_network_are_seen(url: str, seen: bool) -> None:
    assert (inner_host(url, ()) is not None) == seen


def test_a_network_that_is_allowed_is_let_through() -> None:
    loopback = ip_network("127.0.0.0/8")

    assert inner_host("https://127.0.0.1:8443/x", [loopback]) is None
    assert inner_host("https://localhost/x", [loopback]) is None
    assert inner_host("https://10.0.0.1/x", [loopback]) is not None
