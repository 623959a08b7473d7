"""Secrets of webhooks at rest: AES-256-GCM with a key that is made of `hub.secret`."""

import os
from contextlib import suppress
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hub.tokens import Signer

_PURPOSE = "webhook-secret"
_NONCE_BYTES = 12


class SealBroken(Exception):
    """Sealed with another `hub.secret`, for another webhook, or damaged."""


def seal(signer: Signer, webhook_id: UUID, secret: str) -> bytes:
    """Bound to the webhook: moved to another row, it cannot be opened."""
    nonce = os.urandom(_NONCE_BYTES)
    cipher = AESGCM(signer.key(_PURPOSE))
    return nonce + cipher.encrypt(nonce, secret.encode(), webhook_id.bytes)


def unseal(signer: Signer, webhook_id: UUID, sealed: bytes) -> str:
    """Raises `SealBroken`."""
    return _opened(signer, webhook_id, sealed)[0]


def renewed(signer: Signer, webhook_id: UUID, sealed: bytes) -> bytes | None:
    """The same under the present secret; None: it is already. Raises `SealBroken`."""
    secret, by = _opened(signer, webhook_id, sealed)
    return None if by == 0 else seal(signer, webhook_id, secret)


def _opened(signer: Signer, webhook_id: UUID, sealed: bytes) -> tuple[str, int]:
    """And by which of the hub's secrets; 0 is the present one."""
    nonce, content = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
    for by, key in enumerate(signer.keys(_PURPOSE)):
        with suppress(InvalidTag):
            return AESGCM(key).decrypt(nonce, content, webhook_id.bytes).decode(), by
    raise SealBroken
