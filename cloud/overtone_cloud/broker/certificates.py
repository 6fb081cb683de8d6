"""A small certificate authority for one broker: EC P-256, one certificate per client.

The common name of a client's certificate is its user name at the broker; the private keys are
files that only their owner can read (mode 0600).
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from overtone_cloud.errors import BrokerError
from overtone_common.files import write_atomically

CA_DAYS = 3650
LEAF_DAYS = 1825
BACKDATED = timedelta(days=1)
"""Certificates begin a day early, for devices whose clock is behind."""


@dataclass(frozen=True)
class Identity:
    """A private key and its certificate."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def key_pem(self) -> bytes:
        """The private key, PKCS#8, unencrypted."""
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    @property
    def certificate_pem(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def __repr__(self) -> str:
        return f"Identity({self.certificate.subject.rfc4514_string()}, key=***)"


def make_authority(name: str, *, now: datetime | None = None) -> Identity:
    """Return a new self-signed authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        _builder(name, key, days=CA_DAYS, now=now)
        .issuer_name(_name(name))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(authority=True), critical=True)
    )
    return Identity(key, builder.sign(key, hashes.SHA256()))


def issue_server(authority: Identity, hosts: Sequence[str], *, now: datetime | None = None) -> Identity:
    """Return a server identity valid for every name and address in `hosts`; the first is its common name."""
    names = x509.SubjectAlternativeName([_general_name(host) for host in dict.fromkeys(hosts)])
    return _issue(authority, hosts[0], ExtendedKeyUsageOID.SERVER_AUTH, [names], now=now)


def issue_client(authority: Identity, name: str, *, now: datetime | None = None) -> Identity:
    """Return a client identity with the common name `name`."""
    return _issue(authority, name, ExtendedKeyUsageOID.CLIENT_AUTH, [], now=now)


def load_identity(key_file: Path, certificate_file: Path) -> Identity:
    """Return the identity in two PEM files; raises ValueError when they are not an EC pair."""
    key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError(f"{key_file}: not an EC key")
    certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
    if certificate.public_key() != key.public_key():
        raise ValueError(f"{certificate_file}: does not belong to the key {key_file}")
    return Identity(key, certificate)


def write_new(path: Path, data: bytes, *, secret: bool = False) -> None:
    """Write a file that must not exist yet, whole or not at all (see `write_over`)."""
    if path.exists():
        raise BrokerError(f"{path}: exists, it is not overwritten")
    write_over(path, data, secret=secret)


def write_over(path: Path, data: bytes, *, secret: bool = False) -> None:
    """Write or replace a file, whole or not at all; `secret` files can be read by their owner only."""
    write_atomically(path, data, error=BrokerError, private=secret)


def _issue(
    authority: Identity,
    name: str,
    usage: x509.ObjectIdentifier,
    extensions: Sequence[x509.ExtensionType],
    *,
    now: datetime | None,
) -> Identity:
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = authority.certificate
    builder = (
        _builder(name, key, days=LEAF_DAYS, now=now)
        .issuer_name(issuer.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return Identity(key, builder.sign(authority.key, hashes.SHA256()))


def _builder(name: str, key: ec.EllipticCurvePrivateKey, *, days: int, now: datetime | None) -> x509.CertificateBuilder:
    start = (now or datetime.now(UTC)) - BACKDATED
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + BACKDATED + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
