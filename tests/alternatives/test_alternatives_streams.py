"""Packages of a distribution read from layers as streams: no further than needed, and what is hidden does not count."""

import gzip
import io
import tarfile
from collections.abc import Callable, Sequence
from typing import BinaryIO, cast

import pytest

from kezuri.advisories.coordinates import Distribution
from kezuri.alternatives.package_streams import LayerFindings, runtimes, system_packages, told_by
from kezuri.diagnostics import KezuriError
from kezuri.oci.descriptor import LAYER_GZIP, Descriptor, digest_of
from kezuri.packages.package import Package

Files = Sequence[tuple[str, str | None]]
STATUS = "Package: {0}\nStatus: install ok installed\nVersion: {1}\nArchitecture: amd64\n\n"
BASE_FILES = STATUS.format("base-files", "12.4+deb12u8")


def layer(files: Files) -> bytes:
    """A layer with these files; one without text is a link."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for name, text in files:
            info = tarfile.TarInfo(name)
            if text is None:
                info.type, info.linkname = tarfile.SYMTYPE, "elsewhere"
                tar.addfile(info)
            else:
                info.size = len(text.encode())
                tar.addfile(info, io.BytesIO(text.encode()))
    return gzip.compress(raw.getvalue(), 1, mtime=0)


class Reading:
    """Opens layers and knows which ones, and how many bytes of them were read."""

    def __init__(self, *layers: Files) -> None:
        self.blobs = {digest_of(blob): blob for blob in map(layer, layers)}
        self.layers = [Descriptor(LAYER_GZIP, digest, len(blob)) for digest, blob in self.blobs.items()]
        self.opened: list[int] = []

    def open(self, descriptor: Descriptor) -> BinaryIO:
        self.opened.append(self.layers.index(descriptor))
        return cast(BinaryIO, io.BytesIO(self.blobs[descriptor.digest]))

    def found(self) -> tuple[list[tuple[str, str]], Distribution, tuple[str, ...]]:
        found = system_packages(self.layers, self.open, "an image")
        return [(each.name, each.version) for each in found.packages], found.distribution, found.told


def test_the_uppermost_record_counts_and_nothing_below_it_is_read() -> None:
    reading = Reading(
        [("etc/os-release", "ID=debian\nVERSION_ID=11\n"), ("var/lib/dpkg/status", STATUS.format("old", "1"))],
        [("usr/bin/x", "x"), ("var/lib/dpkg/status", BASE_FILES + STATUS.format("zlib1g", "1:1.2.13"))],
        [("app/main.js", "1")],
    )
    packages, distribution, told = reading.found()
    assert packages == [("base-files", "12.4+deb12u8"), ("zlib1g", "1:1.2.13")]
    assert (distribution.id, distribution.version, told) == ("debian", "12", ())
    assert reading.opened == [2, 1]


def test_os_release_is_looked_for_where_no_package_tells_the_distribution() -> None:
    reading = Reading(
        [("etc/os-release", None), ("usr/lib/os-release", "ID=ubuntu\nVERSION_ID=24.04\n")],
        [("var/lib/dpkg/status", STATUS.format("base-files", "13ubuntu10"))],
    )
    packages, distribution, _ = reading.found()
    assert packages == [("base-files", "13ubuntu10")] and (distribution.id, distribution.version) == ("ubuntu", "24.04")
    assert reading.opened == [1, 0]


def test_records_that_a_higher_layer_removed_do_not_count() -> None:
    reading = Reading(
        [("etc/os-release", "ID=debian\nVERSION_ID=12\n"), ("var/lib/dpkg/status", BASE_FILES)],
        [("var/lib/.wh.dpkg", "")],
    )
    packages, distribution, told = reading.found()
    assert packages == [] and distribution.id == "debian"
    assert told == ("an image has no record of a distribution's packages",)
    opaque = Reading(
        [("var/lib/dpkg/status.d/a", STATUS.format("a", "1")), ("etc/os-release", "ID=debian\n")],
        [("var/lib/dpkg/status.d/.wh..wh..opq", ""), ("var/lib/dpkg/status.d/b", STATUS.format("b", "2"))],
    )
    assert opaque.found()[0] == [("b", "2")]


def test_a_record_that_is_hidden_is_not_where_reading_ends() -> None:
    reading = Reading(
        [("var/lib/dpkg/status.d/libc6", "Package: libc6\nVersion: 1\n")],
        [
            ("var/lib/dpkg/status", BASE_FILES),
            ("var/lib/dpkg/status.d/a", "Package: a\nVersion: 1\n"),
            ("etc/os-release", "ID=debian\nVERSION_ID=12\n"),
        ],
        [("var/lib/dpkg/.wh.status", "")],
    )
    packages, distribution, _ = reading.found()
    assert packages == [("a", "1"), ("libc6", "1")] and distribution.id == "debian"


def test_a_layer_with_an_older_record_is_read_once_for_its_os_release() -> None:
    record = "P:musl\nV:1.2.4-r2\nA:x86_64\n\n"
    reading = Reading(
        [("etc/os-release", "ID=alpine\nVERSION_ID=3.19.1\n"), ("lib/apk/db/installed", record), ("lib/z", "z")],
        [("lib/apk/db/installed", record + record.replace("musl", "libgcc"))],
    )
    packages, distribution, _ = reading.found()
    assert [name for name, _ in packages] == ["musl", "libgcc"]
    assert (distribution.id, distribution.version) == ("alpine", "3.19.1")
    assert reading.opened == [1, 0]


def test_what_is_known_of_a_layer_is_not_read_again() -> None:
    reading = Reading([("var/lib/dpkg/status", BASE_FILES)], [("app/main.js", "1")])
    kept: dict[str, LayerFindings] = {}

    def known(layer: Descriptor, read: Callable[[], LayerFindings]) -> LayerFindings:
        if layer.digest not in kept:
            kept[layer.digest] = read()
        return kept[layer.digest]

    first = system_packages(reading.layers, reading.open, "an image", known)
    assert system_packages(reading.layers, reading.open, "an image", known) == first
    assert reading.opened == [1, 0] and [each.cut for each in kept.values()] == [False, True]


def test_distroless_images_have_a_record_for_each_package_in_any_layer() -> None:
    one = "Package: {}\nVersion: {}\nArchitecture: amd64\n"
    reading = Reading(
        [
            ("usr/lib/os-release", "ID=debian\nVERSION_ID=12\n"),
            ("var/lib/dpkg/status.d/base-files", one.format("base-files", "12.4")),
            ("var/lib/dpkg/status.d/base-files.md5sums", "0 usr/x\n"),
            ("var/lib/dpkg/status.d/libc6", one.format("libc6", "2.36-9")),
        ],
        [("var/lib/dpkg/status.d/libc6", one.format("libc6", "2.36-9+deb12u4"))],
    )
    packages, distribution, told = reading.found()
    assert sorted(packages) == [("base-files", "12.4"), ("libc6", "2.36-9+deb12u4")]
    assert (distribution.id, told) == ("debian", ())


def test_apk() -> None:
    installed = "C:Q1x=\nP:musl\nV:1.2.5-r0\nA:x86_64\no:musl\n\nP:alpine-release\nV:3.20.3-r0\nA:x86_64\n\n"
    reading = Reading([("etc/os-release", "ID=alpine\nVERSION_ID=3.20.3\n")], [("lib/apk/db/installed", installed)])
    packages, distribution, _ = reading.found()
    assert ("musl", "1.2.5-r0") in packages and (distribution.id, distribution.version) == ("alpine", "3.20.3")
    assert reading.opened == [1]


def test_a_database_of_rpm_that_is_empty_does_not_hide_that_of_dpkg() -> None:
    reading = Reading([("var/lib/dpkg/status", BASE_FILES)], [("var/lib/rpm/rpmdb.sqlite", "")])
    assert reading.found()[0] == [("base-files", "12.4+deb12u8")]


def test_lies_are_told_or_refused() -> None:
    linked = Reading([("var/lib/dpkg/status", BASE_FILES)], [("var/lib/dpkg/status", None)])
    packages, _, told = linked.found()
    assert packages == [] and told[0] == "/var/lib/dpkg/status is a link, and what it leads to was not read"
    broken = Reading([("var/lib/dpkg/status", BASE_FILES)])
    digest = broken.layers[0].digest
    broken.blobs[digest] = broken.blobs[digest][:60]
    with pytest.raises(KezuriError) as caught:
        broken.found()
    assert digest in caught.value.diagnostics[0].message
    garbage = Reading([("var/lib/rpm/rpmdb.sqlite", "SQLite format 3\0 and nothing")])
    packages, _, told = garbage.found()
    assert packages == [] and "could not be read as a database of rpm" in told[0]


def test_a_layer_that_is_encrypted_is_called_so() -> None:
    closed = Reading([("var/lib/dpkg/status", BASE_FILES)], [("app/main.js", "1")])
    closed.layers[1] = closed.layers[1]._replace(media_type=f"{LAYER_GZIP}+encrypted")
    with pytest.raises(KezuriError, match="is encrypted"):
        closed.found()
    assert closed.opened == []


def test_versions_of_base_files_that_are_not_debians_own_tell_nothing() -> None:
    for version in ("13ubuntu10", "1:2024.2.0", "12.4+rpi1", "x", ""):
        assert told_by([Package("deb", "base-files", version)]) is None
    assert told_by([Package("npm", "alpine-release", "3.20")]) is None


def test_runtimes_by_variables() -> None:
    found = runtimes({"NODE_VERSION": "20.1.0", "PYTHON_VERSION": "3.12.1", "JAVA_VERSION": "jdk-21.0.5+11", "X": "1"})
    assert [(each.name, each.version) for each in found] == [
        ("node", "20.1.0"),
        ("python", "3.12.1"),
        ("openjdk", "21.0.5+11"),
    ]
    found = runtimes({"GOLANG_VERSION": "1.22.12"})
    assert [each.purl() for each in found] == ["pkg:generic/go@1.22.12", "pkg:golang/stdlib@1.22.12"]
    assert runtimes({"PYTHON_VERSION": "latest", "NODE_VERSION": "9" * 100}) == ()
