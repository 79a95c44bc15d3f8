"""The trust store for Java: what keytool makes of it."""

import shutil
import subprocess
from pathlib import Path

import pytest

from kezuri.sandbox.truststore import java_trust_store


def test_an_empty_bundle_is_an_empty_store() -> None:
    store = java_trust_store(b"nothing here")
    assert store[:12] == bytes.fromhex("feedfeed 00000002 00000000") and len(store) == 32


def test_what_is_no_certificate_is_left_out() -> None:
    bad = b"-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n"
    good = b"-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n"
    store = java_trust_store(bad + good)
    assert store[8:12] == b"\0\0\0\x01" and b"\0\0\0\x03\0\x01\x02" in store


@pytest.mark.slow
def test_keytool_reads_it(tmp_path: Path) -> None:
    if shutil.which("keytool") is None or shutil.which("openssl") is None:
        pytest.skip("no keytool or no openssl")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=office", "-days", "9"),
            *("-keyout", tmp_path / "key", "-out", tmp_path / "ca.pem"),
        ],
        check=True,
        capture_output=True,
    )
    (tmp_path / "ca.jks").write_bytes(java_trust_store((tmp_path / "ca.pem").read_bytes()))
    said = subprocess.run(
        ["keytool", "-list", "-v", "-keystore", tmp_path / "ca.jks", "-storepass", "changeit"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert "contains 1 entry" in said and "CN=office" in said
