"""Records of package managers: what each of them tells, and what is made of damaged ones."""

import json
from time import process_time

from kezuri.packages.inventory import Inventory
from kezuri.packages.package import Bytes, Package, Record
from kezuri.packages.presence import present
from kezuri.packages.records import kind_of, parse


def told(path: str, data: bytes | str) -> Record | None:
    raw = data.encode() if isinstance(data, str) else data
    kind = kind_of(path, len(raw), 0o755)
    assert kind, path
    return parse(kind, path, len(raw), Bytes(raw))


def only(path: str, data: bytes | str) -> Package:
    record = told(path, data)
    assert record is not None and len(record.packages) == 1
    return record.packages[0]


def test_dpkg_tells_of_what_is_installed() -> None:
    status = (
        "Package: libssl3\nStatus: install ok installed\nSource: openssl (3.0.15-1)\nVersion: 3.0.15-1~deb12u1\n"
        "Architecture: amd64\nInstalled-Size: 6035\nDescription: a\n Package: not this\n .\nConffiles:\n"
        " /etc/ssl/openssl.cnf 0123\n /etc/old 0123 obsolete\n\n"
        "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n"
        "Package: half\nStatus: install ok half-installed\nVersion: 1\n\n"
        "Version: 3\n\nPackage: base-files\nVersion: 12.4\n"
    )
    record = told("var/lib/dpkg/status", status)
    assert record is not None
    ssl, base = record.packages
    assert ssl == Package(
        "deb",
        "libssl3",
        "3.0.15-1~deb12u1",
        ("etc/ssl/openssl.cnf", "etc/old"),
        architecture="amd64",
        source="openssl",
        source_version="3.0.15-1",
        size=6035 * 1024,
    )
    assert ssl.purl("debian") == "pkg:deb/debian/libssl3@3.0.15-1~deb12u1?arch=amd64"
    assert (base.name, base.version) == ("base-files", "12.4")
    assert only("var/lib/dpkg/status.d/netbase", "Package: netbase\nVersion: 6.4\n").version == "6.4"


def test_lists_of_dpkg_name_files() -> None:
    listed = told("var/lib/dpkg/info/bash.list", "/.\n/bin\n/bin/bash\n/usr/share/..data/x\n")
    assert listed is not None and listed.files == ("bin", "bin/bash", "usr/share/..data/x")
    sums = told("var/lib/dpkg/status.d/base.md5sums", "d41d8cd98f00b204e9800998ecf8427e  usr/bin/a b\nbroken\n")
    assert sums is not None and sums.files == ("usr/bin/a b",)


def test_apk_tells_files_with_packages() -> None:
    database = "C:Q1\nm:A <a@b>\n"
    database += "P:musl\nV:1.2.4-r2\nA:x86_64\nI:634880\no:musl-src\nL:MIT\nF:lib\nR:ld-musl.so\na:0:0:755\nZ:Q1x\n"
    database += "R:libc.so\nF:\nR:top\n\nP:second\nV:1\n\n"
    for path in ("lib/apk/db/installed", "usr/lib/apk/db/installed"):
        record = told(path, database)
        assert record is not None
        musl, second = record.packages
        assert musl.files == ("lib/ld-musl.so", "lib/libc.so", "top") and second.files == ()
        assert (musl.source, musl.licence, musl.size, musl.version) == ("musl-src", "MIT", 634880, "1.2.4-r2")
        assert musl.vendor == "A <a@b>"
        assert musl.purl("alpine") == "pkg:apk/alpine/musl@1.2.4-r2?arch=x86_64"


def test_packages_of_node_lie_in_node_modules() -> None:
    found = only("app/node_modules/@types/node/package.json", '{"name": "@types/node", "version": "20.1.0", "x": 1}')
    assert found == Package("npm", "node", "20.1.0", directories=("app/node_modules/@types/node",), namespace="@types")
    assert found.purl() == "pkg:npm/%40types/node@20.1.0" and found.full_name == "@types/node"
    assert (
        only("node_modules/a/package.json", '{"name": "a", "version": "1", "license": {"type": "MIT"}}').licence
        == "MIT"
    )
    for path in ("node_modules/.pnpm/a@1/node_modules/a/package.json", "test/node_modules/a/package.json"):
        assert kind_of(path, 10) == "npm"
    assert kind_of("node_modules/x/test/fixtures/node_modules/a/package.json", 10) == ""
    for path in ("app/package.json", "app/node_modules/a/dist/package.json", "app/node_modules/.cache/package.json"):
        assert kind_of(path, 10) == ""
    for broken in (
        "",
        "{",
        "[]",
        '{"name": 3, "version": "1"}',
        '{"name": "a"}',
        "[" * 100_000,
        '{"name": "", "version": ""}',
    ):
        assert told("node_modules/a/package.json", broken) is None


def test_distributions_of_python_have_a_record_of_their_files() -> None:
    at = "usr/lib/python3/site-packages/Zope.Interface-1.dist-info"
    found = only(
        f"{at}/METADATA",
        "Metadata-Version: 2.1\r\nName: Zope.Interface\r\nVersion: 1.0\r\nLicense: ZPL\r\n\r\nName: no\r\n",
    )
    assert (found.name, found.version, found.licence) == ("zope-interface", "1.0", "ZPL")
    rows = 'zope/a.py,sha256=x,3\n../../../bin/tool,,\n"with,comma.py",,\n/etc/absolute,,\n../../../../../../../out,,\n'
    record = told(f"{at}/RECORD", rows)
    within = "usr/lib/python3/site-packages"
    assert record is not None
    assert record.files == (f"{within}/zope/a.py", "usr/bin/tool", f"{within}/with,comma.py", "etc/absolute", "out")
    egg = told("lib/x.egg-info/installed-files.txt", "../x/__init__.py\nPKG-INFO\n")
    assert egg is not None and egg.files == ("lib/x/__init__.py", "lib/x.egg-info/PKG-INFO")
    assert told(f"{at}/METADATA", "Version: 1\n") is None


def test_what_is_too_large_is_said() -> None:
    data = json.dumps({"name": "a", "version": "1", "x": "y" * (3 << 20)})
    record = told("node_modules/a/package.json", data)
    assert record is not None and "too large" in record.trouble and not record.packages
    record = told("x.dist-info/RECORD", "a\n" * 1_000_001)
    assert record is not None and "too large" in record.trouble and not record.files


def test_package_urls_are_those_of_the_specification() -> None:
    """As packageurl-python 0.17 writes them."""
    for package, distribution, url in (
        (Package("deb", "libc++1", "1:2.36-9+deb12u14~x", architecture="amd64"), "debian",
         "pkg:deb/debian/libc%2B%2B1@1:2.36-9%2Bdeb12u14~x?arch=amd64"),
        (Package("rpm", "Bash", "2:5.1-8.el9", architecture="x86_64"), "rhel",
         "pkg:rpm/rhel/Bash@5.1-8.el9?arch=x86_64&epoch=2"),
        (Package("golang", "yaml.v3", "v3.0.0+incompatible", namespace="gopkg.in/A"), "",
         "pkg:golang/gopkg.in/a/yaml.v3@v3.0.0%2Bincompatible"),
        (Package("composer", "Console", "v6", namespace="Symfony"), "", "pkg:composer/symfony/console@v6"),
        (Package("generic", "node", "20"), "", "pkg:generic/node@20"),
        (Package("npm", "a b\udce9", "1 0"), "", "pkg:npm/a%20b%E9@1%200"),
    ):  # fmt: skip
        assert package.purl(distribution) == url


def test_licences_of_python_are_what_says_them_best() -> None:
    place = "a/b-1.dist-info/METADATA"

    def licence(*lines: str) -> str:
        return only(place, "\n".join(("Name: b", "Version: 1", *lines, "", "License: no"))).licence

    mit = "Classifier: License :: OSI Approved :: MIT License"
    apache = "Classifier: License :: OSI Approved :: Apache Software License"
    assert licence("License-Expression: MIT OR Apache-2.0", "License: x", mit) == "MIT OR Apache-2.0"
    assert licence("License: BSD", mit) == "BSD"
    assert licence("License: UNKNOWN", mit, apache) == "MIT OR Apache-2.0"
    assert (
        licence("License: Permission is hereby granted, free of charge, to any person", "        obtaining", mit)
        == "MIT"
    )
    assert licence("Classifier: License :: OSI Approved :: BSD License") == "BSD License"
    assert licence() == ""


def test_packages_of_dpkg_that_are_not_configured_are_there() -> None:
    states = ("unpacked", "half-configured", "triggers-awaited", "triggers-pending", "installed", "half-installed")
    text = "\n".join(f"Package: {state}\nStatus: install ok {state}\nVersion: 1\n" for state in states)
    record = told("var/lib/dpkg/status", text + "\nPackage: odd\nStatus: odd\nVersion: 1\n")
    assert record is not None and [each.name for each in record.packages] == list(states[:-1])


def test_records_that_say_the_same_a_hundred_thousand_times_take_no_longer_each() -> None:
    many = tuple(Package("deb", "a", str(number), architecture="amd64") for number in range(3000))
    files = tuple(f"x{number}" for number in range(3000))
    inventory, started = Inventory(), process_time()
    inventory.add("d.dist-info/METADATA", Record("python", (Package("pypi", "d", "1"),)))
    inventory.add("d.dist-info/RECORD", Record("python files", files=("a",) * 100_000))
    inventory.add("var/lib/dpkg/status.d/a", Record("dpkg one", many))
    inventory.add("var/lib/dpkg/status.d/a.md5sums", Record("dpkg sums", files=files))
    inventory.add("var/lib/dpkg/status", Record("dpkg", tuple(each._replace(files=("etc/x",)) for each in many)))
    inventory.add("var/lib/dpkg/info/a.list", Record("dpkg files", files=files))
    inventory.settle()
    found = present(inventory.records)
    assert len(found) == 6001 and sum(len(each.package.files) for each in found) < 120_000
    assert process_time() - started < 3, "each was held against all others"
    assert inventory.installed[inventory.owner("x7")].package.name == "a"
