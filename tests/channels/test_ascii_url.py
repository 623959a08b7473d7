"""A URL as machines write it to each other."""

import pytest

from channels.ascii_url import ascii_url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://hub.example/u/t?x=1", "https://hub.example/u/t?x=1"),
        ("https://магазин.рф/u/t", "https://xn--80aairftm.xn--p1ai/u/t"),
        ("https://магазин.рф:8443/у?x=я", "https://xn--80aairftm.xn--p1ai:8443/%D1%83?x=%D1%8F"),
        ("https://hub.example/a b%20c", "https://hub.example/a%20b%20c"),
        ("http://[::1]:8080/я", "http://[::1]:8080/%D1%8F"),
        # No name of a host.
        (
            "https://магазин..рф/",
            "https://%D0%BC%D0%B0%D0%B3%D0%B0%D0%B7%D0%B8%D0%BD..%D1%80%D1%84/",
        ),
    ],
)
def test_names_are_in_idna_and_the_rest_is_percent_encoded(url: str, expected: str) -> None:
    assert ascii_url(url) == expected
    assert ascii_url(expected) == expected
