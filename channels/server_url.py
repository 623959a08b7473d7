"""`base_url` of a provider that is no web service: where its server listens."""

from urllib.parse import urlsplit


def server_url(value: str, scheme: str) -> str:
    """`scheme://host:port`, or empty. Raises `ValueError`."""
    url = urlsplit(value)
    if value and (url.scheme != scheme or not url.hostname or url.path not in ("", "/")):
        raise ValueError(f"must be {scheme}://host:port; encryption is chosen by security")
    if url.username or url.password or url.query or url.fragment:
        raise ValueError("must hold host and port only")
    if url.port == 0:
        raise ValueError("must name a port from 1 to 65535")
    return value
