"""Whether a call is from whom it says: proofs are compared in constant time, whatever was sent as one."""

import hmac


def same(given: str, expected: str) -> bool:
    """`given` comes from outside and may hold what no encoding takes (bytes of headers that are no UTF-8)."""
    return hmac.compare_digest(given.encode(errors="surrogatepass"), expected.encode())
