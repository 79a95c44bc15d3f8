"""Reading Debian packages."""

import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from kezuri.bases.deb import Deb, Package
from kezuri.diagnostics import KezuriError

PACKAGE = Package("small", "1:1.0+x-1", "amd64", "pool/small.deb", 0, "")
FILES = {"usr": None, "usr/bin": None, "usr/bin/program": b"\x7fnot elf", "usr/bin/link": "program"}


def deb(tmp_path: Path, data: bytes) -> Deb:
    path = tmp_path / "small.deb"
    path.write_bytes(data)
    return Deb(PACKAGE, str(path))


@pytest.mark.parametrize("compression", ["xz", "gz", "zst", ""])
def test_every_compression_gives_the_files(tmp_path: Path, deb_maker: Callable[..., bytes], compression: str) -> None:
    package = deb(tmp_path, deb_maker(FILES, compression))
    seen = [(e.path, e.kind, e.mode, e.link, content.read() if content else None) for e, content in package.members()]
    assert seen == [
        ("usr", "dir", 0o755, "", None),
        ("usr/bin", "dir", 0o755, "", None),
        ("usr/bin/program", "file", 0o755, "", b"\x7fnot elf"),
        ("usr/bin/link", "symlink", 0o644, "program", None),
    ]
    assert package.read("usr/bin/program") == b"\x7fnot elf"
    assert package.control().startswith("Package: small\n")


def test_a_missing_file_is_named(tmp_path: Path, deb_maker: Callable[..., bytes]) -> None:
    with pytest.raises(KezuriError, match=r"small 1:1\.0\+x-1 has no file usr/bin/other"):
        deb(tmp_path, deb_maker(FILES)).read("usr/bin/other")


@pytest.mark.parametrize("compression", ["xz", "gz", "zst", ""])
def test_a_cut_package_is_an_error_wherever_it_is_cut(
    tmp_path: Path, deb_maker: Callable[..., bytes], compression: str
) -> None:
    whole = deb_maker({"a": bytes(range(256)) * 40}, compression)
    for keep in range(0, len(whole) - 1, max(1, len(whole) // 40)):
        with pytest.raises(KezuriError, match="not a readable Debian package"):
            for _, content in deb(tmp_path, whole[:keep]).members():
                if content:
                    content.read()


def test_a_path_that_leaves_the_root_is_refused(tmp_path: Path, deb_maker: Callable[..., bytes]) -> None:
    with pytest.raises(KezuriError, match="leaves the root"):
        list(deb(tmp_path, deb_maker({"usr/../../etc/passwd": b"x"})).members())


def test_a_device_is_refused(tmp_path: Path, deb_maker: Callable[..., bytes]) -> None:
    def device(tar: tarfile.TarFile) -> None:
        info = tarfile.TarInfo("./dev/sda")
        info.type = tarfile.BLKTYPE
        tar.addfile(info)

    with pytest.raises(KezuriError, match="dev/sda is neither a file, a directory nor a link"):
        list(deb(tmp_path, deb_maker({}, "xz", device)).members())


def test_an_archive_without_data_is_refused(tmp_path: Path, ar_maker: Callable[..., bytes]) -> None:
    with pytest.raises(KezuriError, match=r"no data\.tar"):
        list(deb(tmp_path, ar_maker(("debian-binary", b"2.0\n"))).members())


@pytest.mark.parametrize(
    ("version", "upstream"),
    [("1.24.4-1", "1.24.4"), ("1:1.37.0-6+b9", "1.37.0"), ("20250419", "20250419"), ("2:3", "3"), ("1-2-3", "1-2")],
)
def test_the_upstream_version(version: str, upstream: str) -> None:
    assert PACKAGE._replace(version=version).upstream == upstream
