"""Secrets of webhooks at rest: AES-256-GCM with a key that is made of `hub.secret`."""

import os
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
    nonce, content = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
    try:
        return AESGCM(signer.key(_PURPOSE)).decrypt(nonce, content, webhook_id.bytes).decode()
    except InvalidTag:
        raise SealBroken from None
