"""A certificate authority of the tests, and a server certificate that it has signed for 127.0.0.1."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

# From Python 3.13 on certificates have to say all that RFC 5280 asks of them.
_SIGNS = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


@dataclass(frozen=True, slots=True)
class Authority:
    """`ca_file`: what clients have to trust; `server`: for a server at 127.0.0.1."""

    ca_file: Path
    server: ssl.SSLContext


def authority(
    folder: Path, name: str = "Tests Trusted Root CA", *, signs_itself: bool = False
) -> Authority:
    """With its files in `folder`. `signs_itself`: the server shows the authority's own certificate."""
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    reached_as = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    root = (
        _dated(root_name, root_name, root_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_SIGNS, critical=True)
        .add_extension(reached_as, critical=False)
        .sign(root_key, hashes.SHA256())
    )
    server_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server")])
    server = (
        _dated(server_name, root_name, key.public_key())
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()),
            critical=False,
        )
        .add_extension(reached_as, critical=False)
        .sign(root_key, hashes.SHA256())
    )
    if signs_itself:
        server, key = root, root_key
    ca_file, own, private = (folder / f"{name}.{part}" for part in ("ca", "crt", "key"))
    ca_file.write_bytes(root.public_bytes(serialization.Encoding.PEM))
    own.write_bytes(server.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(own, private)
    return Authority(ca_file, context)


def _dated(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )
