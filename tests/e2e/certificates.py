"""Certificates for tests, made by openssl: an authority, a server on loopback, and a client."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


class Certificates:
    """An authority with what it has signed.

    Args:
        folder: for its files.

    Attributes:
        ca: certificate of the authority, PEM.
    """

    def __init__(self, folder: Path) -> None:
        if shutil.which("openssl") is None:
            pytest.skip("no openssl")
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.ca = str(folder / "ca.pem")
        self._key = str(folder / "ca.key")
        _openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-nodes", "-days", "2", "-subj", "/CN=test authority"),
            *("-keyout", self._key, "-out", self.ca),
        )

    def signed(self, name: str) -> tuple[str, str]:
        """Paths of a certificate for 127.0.0.1 and localhost, and of its key.

        Args:
            name: of its files and its subject.
        """
        folder = self._folder
        cert, key, asked = (str(folder / f"{name}.{end}") for end in ("pem", "key", "csr"))
        _openssl(
            *("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-subj", f"/CN={name}", "-keyout", key, "-out", asked),
        )
        extensions = folder / f"{name}.ext"
        extensions.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        _openssl(
            *("x509", "-req", "-in", asked, "-CA", self.ca, "-CAkey", self._key),
            *("-CAcreateserial", "-days", "2", "-extfile", str(extensions), "-out", cert),
        )
        return cert, key


def _openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)
