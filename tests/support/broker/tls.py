"""One self-signed certificate for a secured test cluster, made by openssl."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.support.broker.failure import BrokerError


def make_certificates(directory: Path) -> None:
    """Writes ca.pem (what clients trust) and keystore.pem (PKCS#8 key, then certificate).

    Args:
        directory: Where to; made if missing.

    Raises:
        BrokerError: openssl is missing or refused.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    key, certificate = directory / "key.pem", directory / "ca.pem"
    _openssl(
        *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650"),
        *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
        *("-keyout", str(key), "-out", str(certificate)),
    )
    keystore = directory / "keystore.pem"
    keystore.touch(mode=0o600)
    keystore.write_text(key.read_text() + certificate.read_text())
    key.unlink()


def _openssl(*arguments: str) -> None:
    program = shutil.which("openssl")
    if not program:
        message = "no openssl found"
        raise BrokerError(message, what_to_do="install it to start a secured broker")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        message = f"openssl made no certificate: {done.stderr[-500:]}"
        raise BrokerError(message)
