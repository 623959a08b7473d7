"""A URL as machines write it to each other (RFC 3986): in headers, and where a provider is told an address to call."""

from urllib.parse import quote, urlsplit


def ascii_url(url: str) -> str:
    """The same address in ASCII: its host in IDNA, everything else that URLs have no sign for percent-encoded."""
    if not url.isascii():
        parts = urlsplit(url)
        url = parts._replace(netloc=_ascii_host(parts.netloc)).geturl()
    return quote(url, safe="%:/?#[]@!$&'()*+,;=-._~")


def _ascii_host(netloc: str) -> str:
    """A name that is none stays as it is."""
    name, colon, port = netloc.partition(":")
    try:
        return f"{name.encode('idna').decode()}{colon}{port}"
    except UnicodeError:
        return netloc
