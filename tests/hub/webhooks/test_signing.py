"""Signatures, by the vectors of the standard's reference library and by what the documentation tells others to do."""

import json
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from hub.tokens import Signer
from hub.webhooks import signing
from hub.webhooks.sealing import SealBroken, seal, unseal

DOCS = Path(__file__).parents[3] / "docs" / "webhooks.md"


@pytest.mark.parametrize(
    ("secret", "id_", "at", "body", "signature"),
    [
        (
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1614265330,
            '{"test": 2432232314}',
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        ),
        (
            "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
            "msg_0001",
            1770109200,
            '{"type":"order.status_changed","timestamp":"2026-02-03T09:00:00Z",'
            '"data":{"order_id":"1042","title":"Заказ"}}',
            "v1,MbmIT6QHPFbi1tCDMS/LuOiAuLHhhWc0hNYJQOVOz3k=",
        ),
    ],
)
def test_known_vectors_are_signed_as_the_standard_says(
    secret: str, id_: str, at: int, body: str, signature: str
) -> None:
    headers = signing.headers([secret], id_, datetime.fromtimestamp(at, UTC), body.encode())

    assert headers == {
        "webhook-id": id_,
        "webhook-timestamp": str(at),
        "webhook-signature": signature,
    }


def test_a_secret_has_32_random_bytes() -> None:
    secrets = {signing.new_secret() for _ in range(100)}

    assert len(secrets) == 100
    assert all(re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", secret) for secret in secrets)


def documented() -> Any:
    """`is_genuine` as the documentation has it."""
    code = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), flags=re.DOTALL)
    names: dict[str, Any] = {}
    exec(code[0], names)
    return names["is_genuine"]


def test_the_documented_check_takes_ours_and_nothing_else() -> None:
    is_genuine = documented()
    secret, other = signing.new_secret(), signing.new_secret()
    now, body = datetime.now(UTC), '{"type":"тест"}'.encode()
    headers = signing.headers([secret], "id", now, body)

    assert is_genuine(secret, headers, body)
    assert is_genuine(secret, signing.headers([other, secret], "id", now, body), body)
    assert not is_genuine(other, headers, body)
    assert not is_genuine(secret, headers, body + b" ")
    assert not is_genuine(secret, headers | {"webhook-id": "other"}, body)
    old = datetime.fromtimestamp(now.timestamp() - 301, UTC)
    assert not is_genuine(secret, signing.headers([secret], "id", old, body), body)


PHP = shutil.which("php")
_JUDGE = """
foreach (json_decode(stream_get_contents(STDIN), true) as [$secret, $headers, $body]) {
    echo is_genuine($secret, $headers, $body) ? 'yes ' : 'no ';
}
"""


@pytest.mark.skipif(not PHP, reason="there is no php here")
def test_so_does_the_one_in_php() -> None:
    [code] = re.findall(r"```php\n(.*?)```", DOCS.read_text(encoding="utf-8"), flags=re.DOTALL)
    secret, other = signing.new_secret(), signing.new_secret()
    now, body = datetime.now(UTC), '{"type":"тест"}'
    headers = signing.headers([other, secret], "id", now, body.encode())
    old = datetime.fromtimestamp(now.timestamp() - 301, UTC)
    cases = [
        (secret, headers, body),
        (signing.new_secret(), headers, body),
        (secret, headers, f"{body} "),
        (secret, headers | {"webhook-id": "other"}, body),
        (secret, signing.headers([secret], "id", old, body.encode()), body),
    ]

    told = subprocess.run(
        [str(PHP), "-r", f"{code}\n{_JUDGE}"],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        check=True,
    )

    assert told.stdout.split() == ["yes", "no", "no", "no", "no"]


def test_a_sealed_secret_opens_for_its_own_webhook_and_hub_only() -> None:
    signer, id_ = Signer("one-secret-of-a-hub"), uuid4()

    sealed = seal(signer, id_, "whsec_x")

    assert unseal(signer, id_, sealed) == "whsec_x"
    assert b"whsec" not in sealed
    assert seal(signer, id_, "whsec_x") != sealed
    for other, other_id in ((Signer("another-secret"), id_), (signer, uuid4())):
        with pytest.raises(SealBroken):
            unseal(other, other_id, sealed)
