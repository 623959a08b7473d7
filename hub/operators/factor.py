"""The second factor: codes by time (RFC 6238), each good once, and recovery codes for whoever lost the device."""

import hmac
import secrets
import time
from collections.abc import Sequence
from uuid import UUID

import pyotp

from hub.db.pool import Db
from hub.operators.queries import Credentials
from hub.operators.sessions import digest
from hub.tokens import Signer
from hub.webhooks.sealing import SealBroken, seal, unseal

PURPOSE = "console-totp"
RECOVERY_CODES = 8
_STEP = 30
# Without what looks alike.
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
_LENGTH = 12


def step_of(secret: str, code: str, now: float | None = None) -> int | None:
    """Which step's code it is, of those a clock may be off by; None: of none of them."""
    code = "".join(code.split())
    if len(code) != 6 or not (code.isascii() and code.isdigit()):
        return None
    present = int((time.time() if now is None else now) // _STEP)
    totp = pyotp.TOTP(secret)
    steps = [
        step
        for step in (present - 1, present, present + 1)
        if hmac.compare_digest(totp.generate_otp(step), code)
    ]
    return steps[-1] if steps else None


async def take(db: Db, signer: Signer, found: Credentials, code: str) -> bool:
    """Uses up the code; false where it is wrong or was used before."""
    assert found.totp_secret is not None  # noqa: S101 (the caller has looked)
    operator_id = found.operator.id
    try:
        secret = unseal(signer, operator_id, found.totp_secret, purpose=PURPOSE)
    except SealBroken:
        # Sealed with a secret the hub has no more; recovery codes are still good.
        secret = None
    step = step_of(secret, code) if secret else None
    if step is not None:
        # Compared in the database: of two requests with the same code one comes first.
        used = await db.fetchval(
            "UPDATE operator SET totp_used = $2 WHERE id = $1 AND totp_used < $2 RETURNING id",
            operator_id,
            step,
        )
        return used is not None
    used = await db.fetchval(
        "UPDATE operator SET recovery = array_remove(recovery, $2)"
        " WHERE id = $1 AND $2 = ANY(recovery) RETURNING id",
        operator_id,
        recovery_digest(code),
    )
    return used is not None


def sealed(signer: Signer, operator_id: UUID, secret: str) -> bytes:
    return seal(signer, operator_id, secret, purpose=PURPOSE)


def new_recovery_codes() -> Sequence[str]:
    """Shown once; 59 bits each, so their digests need no salt."""
    made = [
        "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH)) for _ in range(RECOVERY_CODES)
    ]
    return [f"{code[:6]}-{code[6:]}" for code in made]


def recovery_digest(code: str) -> bytes:
    return digest("".join(c for c in code.lower() if c.isalnum()))
