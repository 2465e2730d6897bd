"""A certificate authority of a test's own, and certificates of it.

Comes in: a folder. Goes out: PEM files. Next: ``control_plane``.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sentinels.clock import utc_now

_DAYS = 3650  # a cluster to try things on may be left for long


class Authority:
    """Signs what the parts of one cluster show each other."""

    def __init__(self, folder: Path) -> None:
        """Made in ``folder`` unless it is there."""
        self._folder = folder
        self.certificate, self.key = folder / "ca.crt", folder / "ca.key"
        if not self.certificate.exists():
            key, name = new_key(self.key), _name("sentinels-test-ca", "")
            built = (
                _builder(name, name, key.public_key())
                .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
                .sign(key, hashes.SHA256())
            )
            self.certificate.write_bytes(built.public_bytes(serialization.Encoding.PEM))

    def issue(
        self, file: str, name: str, *, group: str = "", addresses: Sequence[str] = ()
    ) -> tuple[Path, Path]:
        """A certificate for ``name`` and its key, for a client and a server at ``addresses``."""
        certificate, path = self._folder / f"{file}.crt", self._folder / f"{file}.key"
        if certificate.exists():
            return certificate, path
        key = new_key(path)
        issuer = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        signer = serialization.load_pem_private_key(self.key.read_bytes(), None)
        assert isinstance(signer, rsa.RSAPrivateKey)
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
        built = _builder(_name(name, group), issuer.subject, key.public_key()).add_extension(
            x509.ExtendedKeyUsage(usages), critical=False
        )
        if addresses:
            names = x509.SubjectAlternativeName([_general(each) for each in addresses])
            built = built.add_extension(names, critical=False)
        signed = built.sign(signer, hashes.SHA256())
        certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        return certificate, path


def new_key(path: Path) -> rsa.RSAPrivateKey:
    """A private key, kept at ``path``."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    path.touch(0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    return key


def _builder(
    subject: x509.Name, issuer: x509.Name, key: rsa.RSAPublicKey
) -> x509.CertificateBuilder:
    now = utc_now()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=_DAYS))
    )


def _name(name: str, group: str) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
    if group:
        parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group))
    return x509.Name(parts)


def _general(address: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(address))
    except ValueError:
        return x509.DNSName(address)
