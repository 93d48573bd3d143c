"""A certificate by which the servers of one stack authenticate each other."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from otcpipe.stack import private

# Longer than any stack runs, since each start makes a new one. Valid from yesterday, in case the clock is set back.
VALID = timedelta(days=3650)
LEEWAY = timedelta(days=1)


def write(certificate: Path, key: Path) -> None:
    """Write a new certificate for 127.0.0.1 and its key, both with mode 0600.

    It is self-signed and cannot sign others, so only a holder of the key can authenticate with it.
    """
    private_key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "otcpipe")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private_key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - LEEWAY)
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(private_key, SHA256())
    )
    text = private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    private.write(key, text)
    private.write(certificate, signed.public_bytes(Encoding.PEM).decode())
