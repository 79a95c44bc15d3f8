"""Truth by experiment: real old packages put into a root file system and an image, and scanned; found is what the data
say of them, and nothing else. What they say is counted in a table here, and read once more by `scan_reading`."""

import json
import re
import shutil
import subprocess
import sys
import zipfile
import zlib
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from tests.scan.scan_reading import advisories, go_documents, told

from kezuri.advisories.coordinates import Distribution
from kezuri.advisories.database import Database
from kezuri.advisories.matching import match
from kezuri.packages.package import Package

pytestmark = pytest.mark.slow

PYTHON = {
    ("jinja2", "2.10"): 2, ("django", "3.2"): 25, ("requests", "2.19.1"): 2, ("urllib3", "1.24.1"): 7,
    ("flask", "0.12.2"): 3, ("werkzeug", "0.15.2"): 5, ("sqlparse", "0.3.0"): 1, ("idna", "2.7"): 1,
    ("pygments", "2.4.0"): 3, ("wheel", "0.37.0"): 1, ("setuptools", "65.5.0"): 1, ("certifi", "2022.5.18"): 2,
    ("markupsafe", "2.0.1"): 0,
}  # fmt: skip
NODE = {
    ("lodash", "4.17.4"): 2, ("marked", "0.3.5"): 1, ("ws", "1.0.0"): 2, ("hoek", "4.2.0"): 1, ("jquery", "2.2.4"): 1,
    ("handlebars", "4.0.10"): 1, ("minimist", "0.0.8"): 0, ("debug", "2.6.9"): 0,
}  # fmt: skip
RUST = {
    ("atty", "0.2.14"): 1, ("chrono", "0.4.19"): 1, ("crossbeam-deque", "0.7.3"): 1, ("h2", "0.3.3"): 4,
    ("hyper", "0.14.9"): 3, ("idna", "0.2.3"): 1, ("openssl", "0.10.30"): 7, ("regex", "1.5.4"): 1,
    ("rustls", "0.20.0"): 1,
    ("smallvec", "1.6.0"): 1, ("time", "0.1.43"): 1, ("tokio", "1.7.0"): 4, ("serde", "1.0.130"): 0,
}  # fmt: skip
GO = {
    ("github.com/dgrijalva/jwt-go", "v3.2.0+incompatible"): 1, ("golang.org/x/text", "v0.3.2"): 4,
    ("gopkg.in/yaml.v2", "v2.2.2"): 3,
}  # fmt: skip
ALPINE = {
    ("musl", "1.1.22-r2", "musl"): 1, ("musl-utils", "1.1.22-r2", "musl"): 1, ("libssl1.1", "1.1.1c-r0", "openssl"): 3,
    ("libcrypto1.1", "1.1.1c-r0", "openssl"): 3, ("libcurl", "7.65.1-r0", "curl"): 2, ("expat", "2.2.6-r0", "expat"): 2,
    ("sqlite-libs", "3.28.0-r0", "sqlite"): 1, ("python3", "3.7.3-r0", "python3"): 2,
    ("libbz2", "1.0.6-r6", "bzip2"): 1, ("nghttp2-libs", "1.38.0-r0", "nghttp2"): 2,
    ("zlib", "1.2.11-r1", "zlib"): 0, ("curl", "7.66.0-r0", "curl"): 0,
}  # fmt: skip
"""Packages of Alpine 3.10 with their source. Its mirrors have these no more: only the record is made."""
RUNTIME = {("node", "10.15.0"): 22}
OS_RELEASE = 'ID=alpine\nVERSION_ID=3.10.2\nPRETTY_NAME="Alpine Linux v3.10"\n'


def run(*command: object) -> str:
    done = subprocess.run([str(each) for each in command], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def kezuri(*words: object) -> str:
    return run(sys.executable, "-m", "kezuri", *words)


def fetched(*command: object, **more: Any) -> None:
    """What comes from a registry; the test is skipped where none is reached."""
    program = shutil.which(str(command[0]))
    if program is None:
        pytest.skip(f"{command[0]} is not here")
    done = subprocess.run([program, *map(str, command[1:])], capture_output=True, text=True, timeout=300, **more)
    if done.returncode:
        pytest.skip(f"{command[0]}: {done.stderr[-300:]}")


def with_python(root: Path, work: Path) -> None:
    wanted = [f"{name}=={version}" for name, version in PYTHON]
    wheels = work / "wheels"
    fetched(sys.executable, "-m", "pip", "-q", "download", "--no-deps", "--only-binary=:all:", "--python-version", "39",
            "--platform", "manylinux2014_x86_64", "--platform", "manylinux_2_5_x86_64", "--platform", "any", "-d",
            wheels, *wanted)  # fmt: skip
    place = root / "usr/local/lib/python3.9/site-packages"
    for wheel in wheels.iterdir():
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(place)


def with_node(root: Path, work: Path) -> None:
    packs = work / "packs"
    packs.mkdir()
    fetched(
        "npm", "pack", "-s", "--pack-destination", packs, *(f"{name}@{version}" for name, version in NODE), cwd=work
    )
    for name, version in NODE:
        place = root / "app/node_modules" / name
        place.mkdir(parents=True)
        run("tar", "-xzf", packs / f"{name}-{version}.tgz", "-C", place, "--strip-components=1")


def with_go(root: Path, work: Path) -> None:
    home = work / "go"
    home.mkdir()
    needed = "\n".join(f"\t{name} {version}" for name, version in GO)
    (home / "go.mod").write_text(f"module example.com/truth\n\ngo 1.19\n\nrequire (\n{needed}\n)\n")
    (home / "main.go").write_text(
        'package main\n\nimport (\n\t"fmt"\n\t"github.com/dgrijalva/jwt-go"\n\t"golang.org/x/text/language"\n'
        '\t"gopkg.in/yaml.v2"\n)\n\nfunc main() {\n\tout, _ := yaml.Marshal(1)\n'
        "\tfmt.Println(jwt.New(jwt.SigningMethodHS256), language.English, out)\n}\n"
    )
    fetched("go", "build", "-mod=mod", "-o", root / "usr/local/bin/truth", ".", cwd=home)


def with_rust(root: Path, work: Path) -> None:
    """A program with the section that cargo-auditable writes."""
    packages = [{"name": name, "version": version, "source": "crates.io"} for name, version in RUST]
    document = {"packages": [*packages, {"name": "truth", "version": "0.1.0", "source": "local", "root": True}]}
    (work / "dep-v0").write_bytes(zlib.compress(json.dumps(document).encode()))
    section = f".dep-v0={work / 'dep-v0'}"
    fetched("objcopy", "--add-section", section, Path(sys.executable).resolve(), root / "usr/local/bin/rusty")


def assembled(work: Path) -> Path:
    root = work / "root"
    for folder in ("etc", "lib/apk/db", "usr/local/bin", "usr/local/include/node"):
        (root / folder).mkdir(parents=True)
    (root / "etc/os-release").write_text(OS_RELEASE)
    records = (f"P:{name}\nV:{version}\nA:x86_64\no:{source}\n\n" for name, version, source in ALPINE)
    (root / "lib/apk/db/installed").write_text("".join(records))
    ((_, version),) = RUNTIME
    words = zip(("MAJOR", "MINOR", "PATCH"), version.split("."), strict=True)
    header = "".join(f"#define NODE_{word}_VERSION {number}\n" for word, number in words)
    (root / "usr/local/include/node/node_version.h").write_text(header)
    for put in (with_python, with_node, with_go, with_rust):
        put(root, work)
    return root


def test_what_the_data_say_of_real_packages_and_nothing_else(tmp_path: Path) -> None:
    data = advisories(tmp_path / "data")
    database = tmp_path / "advisories.db"
    for name in ("pypa", "go-osv", "rustsec", "node", "alpine"):
        kezuri("db", "import", data / name, "--db", database)
    root = assembled(tmp_path)
    expected: dict[tuple[str, str, str], list[frozenset[str]]] = {}
    for kind, table in (("pypi", PYTHON), ("npm", NODE), ("cargo", RUST), ("golang", GO), ("node", RUNTIME)):
        for (name, version), count in table.items():
            expected[kind, name, version] = told(data, kind, name, version)
            assert len(expected[kind, name, version]) == count, (kind, name)
    for (name, version, source), count in ALPINE.items():
        expected["apk", name, version] = told(data, "apk", source, version)
        assert len(expected["apk", name, version]) == count, name

    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY root /\n")
    (tmp_path / ".dockerignore").write_text("*\n!root\n")
    store = ("--root", tmp_path / "store", "--db", database)
    kezuri("build", "-q", "-t", "truth", *store, tmp_path)
    for place in (f"dir:{root}", "truth"):
        scan = json.loads(kezuri("scan", "--scanners", "vuln", "--format", "json", *store, place))
        found = findings_of(scan)
        assert Counter({key: len(names) for key, names in found.items()}) == Counter(
            {key: len(names) for key, names in expected.items() if names}
        )
        for key, names in found.items():
            for each in expected[key]:
                assert len([name for name in names if name & each]) == 1, (key, each)


def test_versions_around_each_event_of_modules_and_crates(tmp_path: Path) -> None:
    """The version at which a range begins or ends, and those right before and after it, of every fifth name."""
    data = advisories(tmp_path / "data")
    database = tmp_path / "advisories.db"
    for name in ("go-osv", "rustsec"):
        kezuri("db", "import", data / name, "--db", database)
    asked: list[Package] = []
    for name in sorted(go_documents(data))[::5]:
        above, _, own = name.rpartition("/")
        text = json.dumps([document["affected"] for document in go_documents(data)[name]])
        asked += (Package("golang", own, f"v{version}", namespace=above) for version in around(text))
    for folder in sorted((data / "rustsec").iterdir())[::5]:
        text = "".join(
            re.sub(r"```toml(.*?)```.*", r"\1", path.read_text(), flags=re.DOTALL) for path in folder.iterdir()
        )
        asked += (Package("cargo", folder.name, version) for version in around(text))
    with Database.open(str(database)) as opened:
        matched = match(opened, asked, Distribution())
    found: dict[int, list[set[str]]] = {}
    for each in matched.matches:
        found.setdefault(each.package, []).append({each.advisory.id, *each.advisory.aliases})
    assert len(asked) > 1000
    assert (matched.uncovered, matched.unordered) == ((), ())
    for number, package in enumerate(asked):
        expected = told(data, package.ecosystem, package.full_name, package.version)
        names = found.get(number, [])
        assert all(any(each & ours for ours in names) for each in expected), package
        assert all(any(each & ours for each in expected) for ours in names), package


def around(text: str) -> list[str]:
    """The versions that a text names, and their neighbours."""
    versions = {"0.0.1", "99.0.0"}
    for version in set(re.findall(r"(?<![\w.-])\d+\.\d+\.\d+(?:-[0-9A-Za-z.]*[0-9A-Za-z])?(?![\w.])", text)):
        major, minor, patch = (int(each) for each in version.partition("-")[0].split("."))
        versions |= {
            version,
            f"{major}.{minor}.{patch + 1}",
            f"{major}.{minor}.{max(patch - 1, 0)}",
            f"{major}.{minor}.{patch}-rc.1",
        }
    return sorted(versions)


def findings_of(scan: dict[str, Any]) -> dict[tuple[str, str, str], list[set[str]]]:
    """The names of what was found, by kind, name and version of the package."""
    found: dict[tuple[str, str, str], list[set[str]]] = {}
    for finding in scan["findings"]:
        if finding["kind"] != "vulnerability":
            continue
        kind, _, rest = unquote(finding["purl"]).removeprefix("pkg:").partition("/")
        if rest.startswith("stdlib@"):
            # Which faults Go's library has depends on the Go that is here.
            continue
        key = "node" if kind == "generic" else kind, finding["name"], finding["installed"]
        found.setdefault(key, []).append({finding["id"], *finding["aliases"]})
    return found


CVE = re.compile(r"CVE-\d{4}-\d{4,}")


def changelog_of(package: Path, into: Path) -> str:
    """What a .deb tells of its versions."""
    run("dpkg-deb", "-x", package, into)
    found = next((into / "usr/share/doc").glob("*/changelog.Debian.gz"))
    return run("gzip", "-dc", found)


def test_older_packages_of_debian_against_its_security_updates(tmp_path: Path) -> None:
    """The tracker's document is made of what the newest package says that each of its versions mends."""
    listed = run("apt-cache", "madison", "libexpat1") if shutil.which("apt-cache") else ""
    versions = [line.split("|")[1].strip() for line in listed.splitlines() if "deb12" in line]
    newest = max(versions, key=lambda each: [int(number) for number in re.findall(r"\d+", each)], default="")
    older = next((each for each in versions if each != newest), "")
    if not older:
        pytest.skip("no two versions of one package of Debian 12 are to be had")
    for version in (older, newest):
        fetched("apt-get", "download", f"libexpat1={version}", cwd=tmp_path)
    files = {
        version: next(tmp_path.glob(f"libexpat1_{version.replace(':', '%3a')}_*.deb")) for version in (older, newest)
    }
    faults: dict[str, Any] = {}
    mended: dict[str, set[str]] = {}
    for entry in re.split(r"^(?=expat \()", changelog_of(files[newest], tmp_path / "newest"), flags=re.MULTILINE):
        head = re.match(r"expat \(([^)]+)\)", entry)
        if head is None:
            continue
        for cve in CVE.findall(entry):
            releases = {"bookworm": {"status": "resolved", "fixed_version": head[1], "urgency": "not yet assigned"}}
            faults.setdefault(cve, {"description": "", "scope": "remote", "releases": releases})
            mended.setdefault(head[1], set()).add(cve)
    (tmp_path / "tracker.json").write_text(json.dumps({"expat": faults}))
    database = tmp_path / "advisories.db"
    kezuri("db", "import", tmp_path / "tracker.json", "--db", database)
    since = {cve for version, cves in mended.items() if later(version, older) for cve in cves}
    earlier = {cve for version, cves in mended.items() if not later(version, older) for cve in cves}
    assert since - earlier
    for version, wanted in ((older, since - earlier), (newest, set())):
        root = tmp_path / f"root-{version}"
        for folder in ("etc", "var/lib/dpkg"):
            (root / folder).mkdir(parents=True)
        (root / "etc/os-release").write_text('ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n')
        control = run("dpkg-deb", "-f", files[version]).rstrip("\n")
        (root / "var/lib/dpkg/status").write_text(f"{control}\nStatus: install ok installed\n\n")
        scan = json.loads(kezuri("scan", "--scanners", "vuln", "--format", "json", "--db", database, f"dir:{root}"))
        assert {each["id"] for each in scan["findings"] if each["kind"] == "vulnerability"} == wanted


def later(one: str, other: str) -> bool:
    return subprocess.run(["dpkg", "--compare-versions", one, "gt", other]).returncode == 0
