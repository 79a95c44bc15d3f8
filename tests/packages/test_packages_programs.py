"""Programs, archives and databases: what they tell of packages, and that nobody can make their reader fail."""

import json
import random
import zlib
from struct import pack

import pytest
from tests.packages.packages_made import (
    MODULES,
    case,
    elf_with,
    go_info,
    jar,
    pom,
    rpm_berkeley,
    rpm_header,
    rpm_ndb,
    rpm_sqlite,
)
from tests.suites.suites_folded import folded

from kezuri.packages import java, program
from kezuri.packages.package import Bytes, Package, Record
from kezuri.packages.records import kind_of, parse


def told(path: str, data: bytes) -> Record | None:
    kind = kind_of(path, max(len(data), 100_000), 0o755)
    assert kind, path
    return parse(kind, path, len(data), Bytes(data))


def said(path: str, data: bytes) -> list[str]:
    """The packages as a person reads them."""
    record = told(path, data)
    return [f"{each.full_name} {each.version}" for each in record.packages] if record is not None else []


# programs


def test_real_programs_tell_what_they_were_made_of() -> None:
    record = told("server", elf_with({".go.buildinfo": case("app.go-buildinfo")}))
    assert record is not None
    app, library = record.packages
    assert (app.full_name, app.version, app.built_here) == ("example.com/app", "", True)
    assert library.purl() == "pkg:golang/stdlib@1.26.8"
    record = told("demo", elf_with({".dep-v0": case("demo.rust-dep")}))
    assert record is not None
    assert record.packages == (
        Package("cargo", "demo-rs", "0.3.0", built_here=True),
        Package("cargo", "itoa", "1.0.19"),
    )


def test_modules_of_go_with_what_replaced_them() -> None:
    expected = [
        "example.com/tool v1.2.3", "golang.org/x/sys v0.1.0", "github.com/fork/yaml v3.0.9", "example.com/own v0.0.0",
        "stdlib 1.22.1",
    ]  # fmt: skip
    record = told("tool", elf_with({".go.buildinfo": go_info("go1.22.1 X:nocoverageredesign", MODULES)}))
    assert record is not None and not record.packages[0].built_here
    assert [f"{each.full_name} {each.version}" for each in record.packages] == expected
    assert record.packages[1].purl() == "pkg:golang/golang.org/x/sys@v0.1.0"
    # Without modules it is a program of Go all the same.
    assert said("tool", elf_with({".go.buildinfo": go_info("go1.22.1", "")})) == [" ", "stdlib 1.22.1"]


@folded([(True, True), (True, False), (False, True), (False, False)])
def test_go_before_1_18_had_pointers(form: tuple[bool, bool]) -> None:
    wide, little = form
    order, letter, width = "<" if little else ">", "Q" if wide else "I", 8 if wide else 4
    base = 0x400000
    modules = b"0" * 16 + MODULES.encode() + b"1" * 16
    at = base + 64
    strings = pack(f"{order}{letter}{letter}", at, 8) + pack(f"{order}{letter}{letter}", at + 8, len(modules))
    pointers = pack(f"{order}{letter}{letter}", base + 32, base + 32 + 2 * width)
    head = (b"\xff Go buildinf:" + bytes([width, not little]) + pointers).ljust(32, b"\0")
    info = (head + strings).ljust(64, b"\0") + b"go1.17.2" + modules
    found = said("tool", elf_with({".go.buildinfo": info}, wide, little, base))
    assert found[0] == "example.com/tool v1.2.3" and found[-1] == "stdlib 1.17.2"


@pytest.mark.parametrize(
    ("flags", "version"),
    [
        ("\"-s -w -X main.version=1.2.3 -X 'main.other=a b'\"", "v1.2.3"),
        ("-X=main.version=v1.2.4-rc.1", "v1.2.4-rc.1"),
        ('"-X example.com/tool/version.Tag=2.0 -X other.org/lib.Version=9.9"', "v2.0"),
        ('"-X other.org/lib.Version=9.9 -X main.version=1.0"', "v1.0"),
        ('"-X github.com/prometheus/common/version.Version=2.45.0"', "v2.45.0"),
        ('"-X main.commit=1.2 -X main.versionless=1.2 -X main.version=dev"', ""),
        ("-s", ""),
    ],
)
def test_a_version_that_the_linker_was_given_is_the_programs(flags: str, version: str) -> None:
    own = f"path\texample.com/tool\nmod\texample.com/tool\t(devel)\t\nbuild\t-ldflags={flags}\n"
    assert said("tool", elf_with({".go.buildinfo": go_info("go1.22", own)}))[0] == f"example.com/tool {version}"
    commit = own.replace("(devel)", "v0.0.0-20240102030405-0123456789ab+dirty")
    assert (
        said("tool", elf_with({".go.buildinfo": go_info("go1.24", commit)}))[0]
        .split(" ")[1]
        .startswith(version or "v0.0.0-")
    )
    released = own.replace("(devel)", "v3.1.0")
    assert said("tool", elf_with({".go.buildinfo": go_info("go1.24", released)}))[0] == "example.com/tool v3.1.0"


def test_what_only_built_a_program_of_rust_is_not_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    crates = {
        "packages": [
            {"name": "a", "version": "1.0.0", "source": "crates.io", "root": True},
            {"name": "cc", "version": "1", "source": "crates.io", "kind": "build"},
            {"name": "b", "version": "2", "source": "local"},
            {"name": 3, "version": "2"},
            "no",
        ]
    }
    record = told("a", elf_with({".dep-v0": zlib.compress(json.dumps(crates).encode())}))
    assert record is not None and record.packages == (Package("cargo", "a", "1.0.0"), Package("cargo", "b", "2"))
    for broken in (b"", b"x", zlib.compress(b"[]"), zlib.compress(b"{}"), zlib.compress(b"[" * 50_000)):
        assert told("a", elf_with({".dep-v0": broken})) is None
    monkeypatch.setattr(program, "_MOST_RUST", 1 << 16)
    bomb = zlib.compress(b'{"packages": [{"name": "a", "version": "1"}]' + b" " * (1 << 17) + b"}")
    assert told("a", elf_with({".dep-v0": bomb})) is None


# archives


def test_an_archive_of_java_is_what_its_properties_say() -> None:
    log4j = pom("org.apache.logging.log4j", "log4j-core", "2.14.1")
    found = told("app/lib/log4j-core-2.14.1.jar", jar({**log4j, "a.class": b"x"}))
    assert found is not None
    assert found.packages == (Package("maven", "log4j-core", "2.14.1", namespace="org.apache.logging.log4j"),)
    assert found.packages[0].purl() == "pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1"
    record = told("app.jar", jar({**pom("g", "app", "1"), "BOOT-INF/lib/log4j.jar": jar(log4j)}))
    assert record is not None and [each.name for each in record.packages] == ["app", "log4j-core"]
    assert record.packages[0].built_here and not record.packages[1].built_here
    shaded = {**pom("a", "one", "1"), **pom("b", "two", "2")}
    assert said("x/two-2.jar", jar(shaded)) == ["b:two 2", "a:one 1"]
    bundle = {**pom("cglib", "cglib", "3"), "META-INF/MANIFEST.MF": "Bundle-SymbolicName: com.google.inject\r\n"}
    assert said("guice-4.2.jar", jar(bundle)) == ["guice 4.2", "cglib:cglib 3"]


def test_an_archive_without_properties_is_what_its_manifest_or_its_name_says() -> None:
    manifest = (
        "Manifest-Version: 1.0\r\nImplementation-Title: thing\r\nImplementation-Version: 1.\r\n 5\r\n\r\nName: x\r\n"
    )
    assert said("lib/thing.jar", jar({"META-INF/MANIFEST.MF": manifest})) == ["thing 1.5"]
    assert said("lib/spring-core-6.1.2.RELEASE.jar", jar({"x": b""})) == [
        "org.springframework:spring-core 6.1.2.RELEASE"
    ]
    bundle = "Bundle-SymbolicName: xerces\nBundle-Version: 2.11.0\nBundle-License: https://a/LICENSE\n"
    record = told("xercesImpl-2.12.0.jar", jar({"META-INF/MANIFEST.MF": bundle}))
    assert record is not None and record.packages == (
        Package("maven", "xercesImpl", "2.12.0", namespace="xerces", licence="https://a/LICENSE"),
    )
    assert said("spring3-core-3.x.jar", jar({"META-INF/MANIFEST.MF": "Implementation-Version: 4.3\n"})) == []
    assert said("groovy-2.4.21.jar", jar({"x": b""})) == ["org.codehaus.groovy:groovy 2.4.21"]
    assert said("groovy-json-4.0.1.jar", jar({"x": b""})) == ["org.apache.groovy:groovy-json 4.0.1"]
    assert said("lib/own.jar", jar({"x": b""})) == []
    assert said("lib/own.jar", b"no zip") == [] and said("lib/own.jar", b"") == []


def test_archives_in_archives_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    inner = jar(pom("g", "deep", "1"))
    for depth in range(6):
        assert (said("app.jar", inner) == ["g:deep 1"]) == (not depth), depth
        assert ("g:deep 1" in said("app.jar", inner)) == (depth <= 3), depth
        inner = jar({"lib/x.jar": inner})
    monkeypatch.setattr(java, "_MOST_ALL", 3000)
    known = jar(pom("g", "small", "1"))
    many: dict[str, bytes | str] = {f"lib/{number}.jar": known for number in range(50)}
    assert 0 < len(said("app.jar", jar(many))) < 20
    monkeypatch.setattr(java, "_MOST_ALL", 1 << 30)
    monkeypatch.setattr(java, "_MOST_PACKAGES", 7)
    assert 1 < len(said("app.jar", jar(many))) <= 8


# rpm


def test_rpm_is_read_from_each_of_its_databases() -> None:
    real = case("demo.rpm-header")
    second = rpm_header(t1000="bash", t1001="5.1", t1002="8.el9", t1014="GPLv3+", t1022="x86_64", t1009=7000,
                        t1044="bash-5.1-8.el9.src.rpm", t1116=[0, 1], t1117=["bash", "README"],
                        t1118=["/usr/bin/", "/usr/share/doc/bash/"])  # fmt: skip
    key = rpm_header(t1000="gpg-pubkey", t1001="1")
    for path, data in (
        ("var/lib/rpm/rpmdb.sqlite", rpm_sqlite(real, key, second)),
        ("usr/lib/sysimage/rpm/Packages.db", rpm_ndb(real, key, second)),
        ("var/lib/rpm/Packages", rpm_berkeley(real, key, second)),
        ("var/lib/rpm/Packages", rpm_berkeley(real, key, second, little=False)),
    ):
        record = told(path, data)
        assert record is not None and not record.trouble
        demo, bash = record.packages
        assert (demo.name, demo.version, demo.architecture, demo.licence) == ("demo", "2:1.2-3", "noarch", "MIT")
        assert demo.files == (
            "top", "usr/bin/demo", "usr/share/demo", "usr/share/demo/a", "usr/share/demo/sub", "usr/share/demo/sub/b"
        )  # fmt: skip
        assert bash.files == ("usr/bin/bash", "usr/share/doc/bash/README") and bash.size == 7000
        assert bash.purl("rhel") == "pkg:rpm/rhel/bash@5.1-8.el9?arch=x86_64"
    old = told("var/lib/rpm/rpmdb.sqlite", rpm_sqlite(rpm_header(t1000="old", t1001="1", t1027=["/etc/a", "/b"])))
    assert old is not None and old.packages[0].files == ("etc/a", "b")


def test_images_without_rpm_have_a_list() -> None:
    line = "bash\t5.1.8-4.cm2\t17\t16\tMicrosoft Corporation\t(none)\t7000000\tx86_64\t{}\tbash-5.1.8-4.cm2.src.rpm"
    record = told("var/lib/rpmmanifest/container-manifest-2", f"{line.format(0)}\nbroken\n{line.format(2)}\n".encode())
    assert record is not None
    first, second = record.packages
    assert first == Package(
        "rpm",
        "bash",
        "5.1.8-4.cm2",
        architecture="x86_64",
        source="bash-5.1.8-4.cm2.src.rpm",
        size=7_000_000,
        vendor="Microsoft Corporation",
    )
    assert second.version == "2:5.1.8-4.cm2"


def test_what_cannot_be_read_of_rpm_is_said() -> None:
    for path in ("var/lib/rpm/rpmdb.sqlite", "var/lib/rpm/Packages.db", "var/lib/rpm/Packages"):
        for data in (b"", b"x" * 100, b"SQLite format 3\0" + b"x" * 1000, b"RpmP" + b"\xff" * 5000):
            record = told(path, data)
            assert record is not None and "could not be read as a database of rpm" in record.trouble
    # A table that is none, and one whose reading would never end.
    endless = "ALTER TABLE Packages RENAME TO p; CREATE VIEW Packages AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL "
    endless += "SELECT x + 1 FROM c) SELECT x AS blob FROM c;"
    record = told("var/lib/rpm/rpmdb.sqlite", rpm_sqlite(script=endless))
    assert record is not None and "no table of packages" in record.trouble


def test_a_database_that_says_more_than_it_can_hold_has_an_end() -> None:
    """Every entry has the same pages, and these lead round."""
    header = rpm_header(t1000="x", t1001="1", t1117=["a" * 900])
    ring = bytearray(rpm_berkeley(*[header] * 8, size=512))
    for number in range(2, len(ring) // 512):
        ring[number * 512 + 16 : number * 512 + 20] = pack("<I", 2)
    record = told("var/lib/rpm/Packages", bytes(ring))
    assert record is not None and len(record.packages) <= 8
    ndb = bytearray(rpm_ndb(*[header] * 8))
    for at in range(32, 4096, 16):
        ndb[at : at + 16] = ndb[32:48]
    record = told("var/lib/rpm/Packages.db", bytes(ndb))
    assert record is not None and "more than it can hold" in record.trouble and len(record.packages) < 60


# all


def files() -> dict[str, bytes]:
    """One file of each kind that is binary."""
    nested = {**pom("g", "app", "1"), "lib/x.jar": jar(pom("h", "x", "2"))}
    header = case("demo.rpm-header")
    return {
        "server": elf_with({".go.buildinfo": go_info("go1.22.1", MODULES)}),
        "demo": elf_with({".dep-v0": case("demo.rust-dep")}),
        "app.jar": jar(nested),
        "var/lib/rpm/rpmdb.sqlite": rpm_sqlite(header),
        "var/lib/rpm/Packages.db": rpm_ndb(header),
        "var/lib/rpm/Packages": rpm_berkeley(header),
    }


def attack(rounds: int, seed: int) -> None:
    """Every file cut and changed at random: nothing raises."""
    chance = random.Random(seed)
    for path, whole in files().items():
        for _ in range(rounds):
            data = bytearray(whole)
            for _ in range(chance.randint(0, 6)):
                at = chance.randrange(len(data))
                word = chance.choice((b"\0", b"\xff", b"\xff\xff\xff\xff", b"\x7f" * 8, bytes([chance.randrange(256)])))
                data[at : at + len(word)] = word
            told(path, bytes(data[: chance.choice((len(data), chance.randrange(len(data) + 1)))]))


def test_damaged_files_make_nobody_fail() -> None:
    attack(60, 1)


@pytest.mark.slow
def test_damaged_files_never_make_anybody_fail() -> None:
    attack(6000, 2)
