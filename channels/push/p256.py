"""Private keys on the curve P-256 in PEM, read so that no error repeats them."""

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key


def parse_key(pem: bytes, name: str) -> EllipticCurvePrivateKey:
    """`name`: what the error calls it. Raises `ValueError`."""
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError(f"{name} is not a private key in PEM without a password") from None
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        raise ValueError(f"{name} is not a key on the curve P-256")
    return key


def read_key(path: Path) -> EllipticCurvePrivateKey:
    """Raises `ValueError` that names the path."""
    try:
        pem = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    return parse_key(pem, str(path))


def is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        # Too long or with a NUL: not a path, and then perhaps a secret.
        return False
