"""Secrets at rest, of webhooks and of shops' sources: AES-256-GCM with keys that are made of `hub.secret`."""

import os
from contextlib import suppress
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hub.tokens import Signer

WEBHOOK = "webhook-secret"
SOURCE = "source-secret"
_NONCE_BYTES = 12


class SealBroken(Exception):
    """Sealed with another `hub.secret`, for another webhook, or damaged."""


def seal(signer: Signer, webhook_id: UUID, secret: str, *, purpose: str = WEBHOOK) -> bytes:
    """Bound to the webhook (or whatever has that id): moved to another row, it cannot be opened."""
    nonce = os.urandom(_NONCE_BYTES)
    cipher = AESGCM(signer.key(purpose))
    return nonce + cipher.encrypt(nonce, secret.encode(), webhook_id.bytes)


def unseal(signer: Signer, webhook_id: UUID, sealed: bytes, *, purpose: str = WEBHOOK) -> str:
    """Raises `SealBroken`."""
    return _opened(signer, webhook_id, sealed, purpose)[0]


def renewed(
    signer: Signer, webhook_id: UUID, sealed: bytes, *, purpose: str = WEBHOOK
) -> bytes | None:
    """The same under the present secret; None: it is already. Raises `SealBroken`."""
    secret, by = _opened(signer, webhook_id, sealed, purpose)
    return None if by == 0 else seal(signer, webhook_id, secret, purpose=purpose)


def _opened(signer: Signer, webhook_id: UUID, sealed: bytes, purpose: str) -> tuple[str, int]:
    """And by which of the hub's secrets; 0 is the present one."""
    nonce, content = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
    for by, key in enumerate(signer.keys(purpose)):
        with suppress(InvalidTag):
            return AESGCM(key).decrypt(nonce, content, webhook_id.bytes).decode(), by
    raise SealBroken
