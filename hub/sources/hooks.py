"""The addresses that a platform calls: unguessable, made of the source's id, valid until they are exchanged."""

from collections.abc import Sequence
from uuid import UUID

from hub.sources.model import Source
from hub.tokens import BadToken, Signer

_PURPOSE = "source-hook"
_ID_BYTES = 16
_VERSION_BYTES = 2


def token_of(signer: Signer, source_id: UUID, version: int) -> str:
    return signer.sign(_PURPOSE, source_id.bytes + version.to_bytes(_VERSION_BYTES, "big"))


def read_token(signer: Signer, token: str) -> tuple[UUID, int]:
    """The source and the version of its address. Raises `BadToken`."""
    payload = signer.read(_PURPOSE, token)
    if len(payload) != _ID_BYTES + _VERSION_BYTES:
        raise BadToken("not a token of a source")
    return UUID(bytes=payload[:_ID_BYTES]), int.from_bytes(payload[_ID_BYTES:], "big")


def urls_of(
    public_url: str, signer: Signer, source: Source, topics: Sequence[str]
) -> dict[str, str]:
    """By topic."""
    token = token_of(signer, source.id, source.hook_version)
    return {topic: f"{public_url.rstrip('/')}/hooks/{token}/{topic}" for topic in topics}
