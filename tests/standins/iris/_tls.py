"""A certificate authority for tests, and the configuration file that makes the driver trust it."""

from __future__ import annotations

import datetime as dt
import ssl
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = "StandIn"
"""The name to give as IRIS_SSL_CONFIG."""


def make_authority(folder: Path) -> None:
    """Write `ca.pem`, `server.pem` with its key, and `ssl.ini` for ISC_SSLconfigurations."""
    folder.mkdir(parents=True, exist_ok=True)
    key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = _signed("authority of the simulated server", key, key, None)
    server = _signed("localhost", server_key, key, authority.subject)
    pem = serialization.Encoding.PEM
    (folder / "ca.pem").write_bytes(authority.public_bytes(pem))
    private = server_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "server.pem").write_bytes(server.public_bytes(pem) + private)
    (folder / "ssl.ini").write_text(
        f"[{CONFIG}]\nTLSMinVersion=16\nTLSMaxVersion=32\nVerifyPeer=1\nCAfile={folder / 'ca.pem'}\n"
    )


def server_context(folder: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context


def _signed(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    signing_key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name | None,
) -> x509.Certificate:
    """Return a certificate; without an issuer, that of an authority."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    )
    return builder.sign(signing_key, hashes.SHA256())
