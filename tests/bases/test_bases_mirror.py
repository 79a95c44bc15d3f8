"""What a mirror may serve, and what happens when it serves something else."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kezuri.bases.mirror import Mirror
from kezuri.diagnostics import KezuriError
from kezuri.registry.config import RegistryConfig
from kezuri.registry.transport import SocketTransport


def mirror(archive: Any, directory: Path, **more: Any) -> Mirror:
    more.setdefault("allow_unsigned", True)
    more.setdefault("keyrings", ())
    # Nothing of the transport is held between requests that this process would not close when it ends.
    transport = SocketTransport(RegistryConfig.of_machine(ca_certificates=more.pop("ca_certificates", "")))
    return Mirror(archive.url, str(directory), transport, report=lambda line: None, **more)


@pytest.fixture
def small(archive: Any, deb_maker: Callable[..., bytes]) -> Any:
    archive.add("small", deb_maker({"usr/bin/program": b"1"}))
    archive.add("large", deb_maker({"usr/bin/program": os.urandom(3000)}))
    archive.publish()
    return archive


def fetched(archive: Any, directory: Path, *names: str) -> dict[str, Any]:
    at = mirror(archive, directory)
    return at.fetch(at.packages("trixie", "amd64", names).values())


def leftovers(directory: Path) -> list[str]:
    return [n for n in os.listdir(directory) if n.endswith(".part")]


def test_packages_are_found_fetched_and_kept(small: Any, tmp_path: Path) -> None:
    debs = fetched(small, tmp_path, "small", "large")
    assert debs["small"].package.version == "1:1.0-1"
    assert debs["small"].read("usr/bin/program") == b"1"
    asked = len(small.asked)
    fetched(small, tmp_path, "small", "large")
    assert small.asked[asked:] == ["/debian/dists/trixie/InRelease"]
    assert not leftovers(tmp_path)


def test_a_kept_file_is_verified_and_fetched_again(small: Any, tmp_path: Path) -> None:
    path = Path(fetched(small, tmp_path, "small")["small"].path)
    good = path.read_bytes()
    path.write_bytes(good[:-1] + b"!")
    fetched(small, tmp_path, "small")
    assert path.read_bytes() == good


def test_a_missing_package_is_named(small: Any, tmp_path: Path) -> None:
    with pytest.raises(KezuriError, match=r"trixie at http://127.0.0.1:\d+/debian has no package other for amd64"):
        fetched(small, tmp_path, "small", "other")


def test_a_missing_architecture_is_named(small: Any, tmp_path: Path) -> None:
    with pytest.raises(KezuriError, match="no packages for arm64"):
        mirror(small, tmp_path).packages("trixie", "arm64", ["small"])


def test_a_forged_package_is_refused(small: Any, tmp_path: Path) -> None:
    path = "/debian/pool/small_1.0-1_amd64.deb"
    small.files[path] = small.files[path][:-1] + b"!"
    with pytest.raises(KezuriError, match=r"small_1\.0-1_amd64\.deb: \d+ bytes with SHA-256 .* but it must have"):
        fetched(small, tmp_path, "small")
    assert not leftovers(tmp_path)


def test_an_endless_package_is_refused(small: Any, tmp_path: Path) -> None:
    small.files["/debian/pool/small_1.0-1_amd64.deb"] += bytes(1 << 20)
    with pytest.raises(KezuriError, match=r"small_1\.0-1_amd64\.deb: larger than the \d+ bytes"):
        fetched(small, tmp_path, "small")
    assert not leftovers(tmp_path)


def test_a_forged_index_is_refused(small: Any, tmp_path: Path) -> None:
    for path in small.files:
        if "by-hash" in path:
            small.files[path] = small.files[path][:-4] + b"????"
    with pytest.raises(KezuriError, match="but it must have"):
        fetched(small, tmp_path, "small")


def test_an_index_without_by_hash_is_found_by_name(small: Any, tmp_path: Path) -> None:
    for path in [p for p in small.files if "by-hash" in p]:
        del small.files[path]
    assert fetched(small, tmp_path, "small")


@pytest.mark.parametrize("fault", [500, 503, "cut"])
def test_a_failing_server_is_asked_again_and_named(small: Any, tmp_path: Path, fault: int | str) -> None:
    path = "/debian/pool/small_1.0-1_amd64.deb"
    small.faults[path] = fault
    with pytest.raises(
        KezuriError, match=r"cannot fetch http://127.0.0.1:\d+/debian/pool/small_1.0-1_amd64.deb: "
    ) as e:
        fetched(small, tmp_path, "small")
    assert small.asked.count(path) == 3
    assert "KEZURI_DEBIAN_MIRROR" in e.value.diagnostics[0].hint
    assert not leftovers(tmp_path)


def test_a_package_that_is_gone_is_asked_for_once(small: Any, tmp_path: Path) -> None:
    path = "/debian/pool/small_1.0-1_amd64.deb"
    small.faults[path] = 404
    with pytest.raises(KezuriError, match="the server answered 404"):
        fetched(small, tmp_path, "small")
    assert small.asked.count(path) == 1


def test_a_server_that_is_not_there_is_named(tmp_path: Path, archive: Any) -> None:
    archive.url = "http://127.0.0.1:9/debian"
    with pytest.raises(KezuriError, match=r"cannot fetch http://127\.0\.0\.1:9/debian/dists/trixie/InRelease"):
        mirror(archive, tmp_path).packages("trixie", "amd64", ["small"])


def test_offline_the_last_index_serves(small: Any, tmp_path: Path) -> None:
    fetched(small, tmp_path, "small")
    small.faults["/debian/dists/trixie/InRelease"] = 503
    at = mirror(small, tmp_path)
    assert at.fetch(at.packages("trixie", "amd64", ["small"]).values())
    assert any("did not answer: the package index of Sat, 12 Sep 2026" in note for note in at.notes)


def test_another_release_is_refused(small: Any, tmp_path: Path) -> None:
    path = "/debian/dists/trixie/InRelease"
    small.files[path] = small.files[path].replace(b"Codename: trixie", b"Codename: buster")
    with pytest.raises(KezuriError, match="this is the Release file of buster"):
        fetched(small, tmp_path, "small")


def test_a_web_page_is_no_mirror(small: Any, tmp_path: Path) -> None:
    small.files["/debian/dists/trixie/InRelease"] = b"<html>Please log in</html>"
    with pytest.raises(KezuriError, match="not a signed Release file"):
        fetched(small, tmp_path, "small")


@pytest.mark.parametrize("filename", ["../../etc/passwd", "/etc/passwd", "pool//x"])
def test_a_file_outside_the_mirror_is_refused(archive: Any, tmp_path: Path, filename: str) -> None:
    archive.add("small", b"x", filename)
    archive.publish()
    with pytest.raises(KezuriError, match="outside the mirror"):
        fetched(archive, tmp_path, "small")


def test_unsigned_over_plain_http_is_refused(small: Any, tmp_path: Path) -> None:
    with pytest.raises(KezuriError, match="is plain HTTP, and the Debian archive's signature cannot be verified"):
        mirror(small, tmp_path, allow_unsigned=False).packages("trixie", "amd64", ["small"])


def test_unsigned_is_said(small: Any, tmp_path: Path) -> None:
    at = mirror(small, tmp_path)
    at.packages("trixie", "amd64", ["small"])
    assert [n for n in at.notes if n.startswith("nothing proves that the packages from http://127.0.0.1")]


@pytest.mark.parametrize("url", ["ftp://x/debian", "deb.debian.org", "https://", "https://user:secret@host/debian"])
def test_what_is_no_mirror_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(KezuriError, match="not a Debian mirror"):
        Mirror(url, str(tmp_path), SocketTransport(RegistryConfig()), report=lambda line: None)


def test_leftovers_of_killed_downloads_are_swept(small: Any, tmp_path: Path) -> None:
    old, new = tmp_path / "old.part", tmp_path / "new.part"
    old.write_bytes(b"x")
    new.write_bytes(b"x")
    os.utime(old, (0, 0))
    mirror(small, tmp_path)
    assert leftovers(tmp_path) == ["new.part"]


class Signer:
    """A key pair of the test's own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        home.mkdir(mode=0o700)
        self.keyring = str(home / "public.gpg")
        self._gpg("--batch", "--passphrase", "", "--quick-gen-key", "test@example.com", "ed25519", "sign", "never")
        Path(self.keyring).write_bytes(self._gpg("--export"))

    def _gpg(self, *arguments: str, data: bytes = b"") -> bytes:
        command = ["gpg", "--homedir", str(self.home), "--batch", "--yes", *arguments]
        return subprocess.run(command, input=data, capture_output=True, check=True).stdout

    def sign(self, release: bytes) -> bytes:
        return self._gpg("--clearsign", "--passphrase", "", "--pinentry-mode", "loopback", data=release)

    def close(self) -> None:
        subprocess.run(["gpgconf", "--homedir", str(self.home), "--kill", "all"], check=False)


@pytest.mark.slow
def test_signatures(archive: Any, tmp_path: Path, deb_maker: Callable[..., bytes]) -> None:
    for program in ("gpg", "gpgv"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    signer, stranger = Signer(tmp_path / "signer"), Signer(tmp_path / "stranger")
    try:
        archive.add("small", deb_maker({"a": b"1"}))
        archive.sign = signer.sign
        archive.publish()
        at = mirror(archive, tmp_path / "cache", allow_unsigned=False, keyrings=("/nowhere", signer.keyring))
        assert at.packages("trixie", "amd64", ["small"])
        assert at.notes == [f"the Debian archive's signature was verified with gpgv and {signer.keyring}"]

        unknown = mirror(archive, tmp_path / "cache2", allow_unsigned=False, keyrings=(stranger.keyring,))
        with pytest.raises(KezuriError, match="does not know the signing key"):
            unknown.packages("trixie", "amd64", ["small"])

        path = "/debian/dists/trixie/InRelease"
        listed = hashlib.sha256(b"").hexdigest().encode()
        archive.files[path] = archive.files[path].replace(b" main/binary", b" " + listed + b" main/binary")
        for allow in (False, True):
            changed = mirror(archive, tmp_path / "cache3", allow_unsigned=allow, keyrings=(signer.keyring,))
            with pytest.raises(KezuriError, match="BAD SIGNATURE"):
                changed.packages("trixie", "amd64", ["small"])
    finally:
        signer.close()
        stranger.close()


@pytest.mark.slow
def test_https_with_an_authority_of_its_own(
    archive: Any, tmp_path: Path, deb_maker: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    import ssl
    import threading
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    archive.add("small", deb_maker({"a": b"1"}))
    archive.publish()
    root = tmp_path / "www"
    for path, data in archive.files.items():
        (root / path[1:]).parent.mkdir(parents=True, exist_ok=True)
        (root / path[1:]).write_bytes(data)
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    keys = ["-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "cert")]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject, *keys], check=True)

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(root))

        def do_GET(self) -> None:
            if "pool" in self.path and downgrade:
                self.send_response(302)
                self.send_header("Location", archive.url + self.path.removeprefix("/debian"))
                self.end_headers()
                return
            super().do_GET()

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    downgrade = False
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            secure = type("Secure", (), {"url": f"https://localhost:{server.server_port}/debian"})
            with pytest.raises(KezuriError, match="its certificate is not trusted") as untrusted:
                mirror(secure, tmp_path / "c1").packages("trixie", "amd64", ["small"])
            assert "ca-certificates" in untrusted.value.diagnostics[0].hint

            trusted = {"ca_certificates": str(tmp_path / "cert"), "allow_unsigned": False}
            at = mirror(secure, tmp_path / "c2", **trusted)
            found = at.packages("trixie", "amd64", ["small"])
            assert at.fetch(found.values())
            assert "rests on HTTPS to localhost" in at.notes[0]

            downgrade = True
            with pytest.raises(KezuriError, match=r"sends us to http://.*, which is refused: it is not https"):
                mirror(secure, tmp_path / "c3", **trusted).fetch(found.values())
        finally:
            server.shutdown()
