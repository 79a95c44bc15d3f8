"""What the bill of an image has: what is there in the end, from which layer on, by which records."""

from collections.abc import Sequence

import pytest
from tests.anatomy.anatomy_images import dissected
from tests.packages.packages_made import MODULES, elf_with, go_info

from kezuri.advisories.coordinates import Distribution
from kezuri.anatomy.naming import recorded_names
from kezuri.anatomy.values import Maker
from kezuri.check.image.rule import ExampleLayer, Made
from kezuri.packages.package import Package
from kezuri.packages.presence import Present, merged
from kezuri.sbom.collecting import bill_of
from kezuri.sbom.foreign import Origins
from kezuri.sbom.values import Bill, Component

STATUS = "var/lib/dpkg/status"
INFO = "var/lib/dpkg/info"
APK = "lib/apk/db/installed"


def status(*packages: str) -> Made:
    said = []
    for each in packages:
        name, _, rest = each.partition("=")
        version, _, vendor = rest.partition("|")
        said.append(f"Package: {name}\nStatus: install ok installed\nVersion: {version}\nMaintainer: {vendor}\n")
    return Made("\n".join(said).encode())


def apk(*packages: str) -> Made:
    return Made("".join(f"P:{each.partition('=')[0]}\nV:{each.partition('=')[2]}\n\n" for each in packages).encode())


def bill(*layers: ExampleLayer, env: Sequence[str] = (), base: int = 0) -> Bill:
    image = dissected(*layers, makers=[Maker(f"RUN {n}", "Dockerfile", n, n < base) for n in range(len(layers))])
    image.config = image.config._replace(env=tuple(env))
    image._make_naming = recorded_names
    return bill_of(image)


def said(found: Bill) -> list[str]:
    return [f"{c.package.full_name} {c.package.version} {c.layer}" for c in found.components]


def one(found: Bill, name: str) -> Component:
    (only,) = [each for each in found.components if each.package.name == name]
    return only


def test_a_package_is_of_the_lowest_layer_in_which_it_is_as_it_is_now() -> None:
    listed = Made(b"/.\n/usr/bin/x\n")
    found = bill(
        {STATUS: status("stays=1", "grows=1", "goes=1", "returns=1"), f"{INFO}/stays.list": listed},
        {STATUS: status("stays=1", "grows=1", "goes=1")},
        {STATUS: status("stays=1", "grows=2", "returns=1"), f"{INFO}/stays.list": listed},
        {STATUS: status("stays=1", "grows=2", "returns=1", "comes=1")},
    )
    assert said(found) == ["comes 1 3", "grows 2 2", "returns 1 2", "stays 1 0"]
    assert one(found, "stays").evidence == (STATUS, f"{INFO}/stays.list")
    assert one(found, "stays").package.files == ("usr/bin/x",)
    assert [layer.line for layer in found.layers] == [0, 1, 2, 3]


def test_the_last_word_of_a_database_counts_whatever_lists_are_left() -> None:
    listed = Made(b"/.\n/usr/bin/x\n")
    gone, kept = Made(kind="whiteout"), {STATUS: status("one=1", "two=1"), f"{INFO}/one.list": listed}
    assert said(bill(kept, {f"{INFO}/one.list": gone})) == ["one 1 0", "two 1 0"]
    assert said(bill(kept, {STATUS: status("two=1")})) == ["two 1 0"]
    assert said(bill(kept, {STATUS: status("one=2", "two=1")})) == ["one 2 1", "two 1 0"]
    assert said(bill(kept, {STATUS: gone})) == []
    assert bill(kept, {STATUS: gone}).told == (
        "layer 2 removes /var/lib/dpkg/status: which packages of the system are there is not known",
    )
    assert bill(kept).told == ()
    assert said(bill(kept, {STATUS: gone}, kept)) == ["one 1 2", "two 1 2"]


def test_databases_that_are_one_file_tell_layers_too() -> None:
    found = bill({APK: apk("musl=1", "busybox=1")}, {APK: apk("musl=1", "busybox=2")}, {APK: apk("musl=1", "curl=3")})
    assert said(found) == ["curl 3 2", "musl 1 0"]


def test_what_the_distribution_brought_is_told_once() -> None:
    metadata = Made(b"Name: requests\nVersion: 2\n\n")
    place = "usr/lib/python3/dist-packages/requests-2.dist-info"
    program = Made(elf_with({".go.buildinfo": go_info("go1.22.1", MODULES)}).ljust(100 << 10, b"\0"), mode=0o755)
    layers: ExampleLayer = {
        STATUS: status(
            "python3-requests=2-1", "own=1|Somebody <a@debian.org>", "docker-ce=1|Docker <support@docker.com>"
        ),
        f"{INFO}/python3-requests.list": Made(f"/{place}/METADATA\n".encode()),
        f"{INFO}/own.list": Made(b"/usr/bin/own\n"),
        f"{INFO}/docker-ce.list": Made(b"/usr/bin/dockerd\n"),
        f"{place}/METADATA": metadata,
        "usr/bin/own": program,
        "opt/lib/python3/site-packages/requests-2.dist-info/METADATA": metadata,
    }
    found = bill(layers)
    assert said(found) == ["docker-ce 1 0", "own 1 0", "python3-requests 2-1 0", "requests 2 0"]
    assert one(found, "docker-ce").foreign and not one(found, "own").foreign
    # The distribution mends its own programs; nobody tells what is in somebody else's but the program itself.
    found = bill({**layers, "usr/bin/dockerd": program})
    assert one(found, "stdlib").evidence == ("usr/bin/dockerd",) and one(found, "stdlib").package.version == "1.22.1"


def test_a_package_at_several_places_of_a_layer_is_one() -> None:
    data = Made(b'{"name": "a", "version": "1", "license": "MIT"}')
    found = bill(
        {"app/node_modules/a/package.json": data, "app/node_modules/b/node_modules/a/package.json": data},
        {"srv/node_modules/a/package.json": data},
    )
    assert said(found) == ["a 1 0", "a 1 1"]
    assert found.components[0].evidence == (
        "app/node_modules/a/package.json",
        "app/node_modules/b/node_modules/a/package.json",
    )


def test_variables_tell_of_runtimes_that_are_there() -> None:
    node = Made(b"node")
    found = bill({"etc/x": node}, {"usr/local/bin/node": node}, env=["NODE_VERSION=20.11.1"])
    assert said(found) == ["node 20.11.1 1"]
    assert found.components[0].evidence == ("env:NODE_VERSION", "usr/local/bin/node")
    nothing = bill({"etc/x": node}, env=["NODE_VERSION=20.11.1"])
    assert nothing.components == ()
    assert bill({APK: apk("redis-server=7.0.1-r1")}, env=["REDIS_VERSION=7.0.1"]).told == ()
    assert nothing.told == ("NODE_VERSION says 20.11.1, and nothing of it is where official images have it",)


def test_licences_of_debian_are_those_of_the_copyright() -> None:
    found = bill(
        {
            STATUS: status("one=1", "linked=1", "plain=1"),
            "usr/share/doc/one/copyright": Made(b"License: MIT\n\nLicense:  GPL-2+ or Artistic\n x\nLicense: MIT\n"),
            "usr/share/doc/linked": Made(kind="symlink", link="one"),
            "usr/share/doc/plain/copyright": Made(b"see /usr/share/common-licenses/GPL-2."),
        }
    )
    assert one(found, "one").package.licence == "(GPL-2+ or Artistic) AND MIT"
    assert one(found, "linked").package.licence == "(GPL-2+ or Artistic) AND MIT"
    assert one(found, "plain").package.licence == "GPL-2"


def test_a_system_without_packages_is_no_system_without_faults() -> None:
    release: ExampleLayer = {"etc/os-release": Made(b"ID=debian\nVERSION_ID=12\nPRETTY_NAME=Debian\n")}
    assert bill({"etc/hostname": Made(b"x")}).told == ()
    assert bill(release).told == ("Debian: no database of its packages is there: packages of the system are not known",)
    lists: ExampleLayer = {**release, f"{INFO}/a.list": Made(b"/a\n")}
    assert bill(lists).told == (
        "/var/lib/dpkg/info has lists of files, and there is no status: packages of the system are not known",
    )
    assert bill({**release, "var/lib/dpkg/status.d/a": Made(b"Package: a\nVersion: 1\n")}).told == ()


def test_the_distribution_is_that_of_etc_wherever_its_link_leads() -> None:
    odd: ExampleLayer = {
        "etc/os-release": Made(kind="symlink", link="../usr/lib/os.release.d/own"),
        "usr/lib/os.release.d/own": Made(b"ID=fedora\nVERSION_ID=41\n"),
    }
    assert bill(odd).distribution.id == "fedora"
    both = {"etc/os-release": Made(b"ID=a\n"), "usr/lib/os-release": Made(b"ID=b\n")}
    assert bill(both).distribution.id == "a" and bill({**both, "etc/os-release": Made(b"")}).distribution.id == "b"


@pytest.mark.parametrize(
    ("distribution", "package", "foreign"),
    [
        ("debian", Package("deb", "nodejs", "20.1-1nodesource1", vendor="NodeSource <x@nodesource.com>"), True),
        ("debian", Package("deb", "postgresql-16", "16.1-1.pgdg120+1", vendor="Debian <x@lists.debian.org>"), True),
        ("debian", Package("deb", "nginx", "1.25.3-1~bookworm", vendor="NGINX <nginx-packaging@f5.com>"), True),
        ("debian", Package("deb", "gh", "2.40", vendor="GitHub"), True),
        ("debian", Package("deb", "curl", "7.88.1-10+deb12u5", vendor="A <a@debian.org>"), False),
        ("debian", Package("deb", "curl", "8.5.0-2~bpo12+1", vendor="A <a@example.org>"), False),
        (
            "debian",
            Package("deb", "mysql-common", "5.8", vendor="Debian MySQL Maintainers <x@lists.debian.org>"),
            False,
        ),
        (
            "ubuntu",
            Package("deb", "curl", "7.81.0-1ubuntu1.15", vendor="Ubuntu Developers <x@lists.ubuntu.com>"),
            False,
        ),
        ("rocky", Package("rpm", "bash", "5.1-1.el9", vendor="Rocky Enterprise Software Foundation"), False),
        ("rocky", Package("rpm", "docker-ce", "3:24.0-1.el9", vendor="Docker"), True),
        ("rocky", Package("rpm", "own", "1-1", vendor=""), False),
        ("nobody", Package("rpm", "own", "1-1", vendor="Somebody"), False),
        ("alpine", Package("apk", "own", "1-r1"), False),
        ("alpine", Package("apk", "curl", "8-r1", vendor="A <a@users.noreply.github.com>"), False),
        ("alpine", Package("apk", "nginx", "1.25.3-r1", vendor="NGINX Packaging <nginx-packaging@f5.com>"), True),
    ],
)
def test_who_looks_after_a_package_says_whose_it_is(distribution: str, package: Package, foreign: bool) -> None:
    assert Origins(Distribution(distribution, "1")).foreign(package) is foreign


def test_the_vendor_is_the_distributions_own_before_those_that_it_is_like() -> None:
    rhel = Origins(Distribution("rhel", "9", like=("fedora",)))
    assert not rhel.foreign(Package("rpm", "bash", "5.1", vendor="Red Hat, Inc."))
    assert rhel.foreign(Package("rpm", "bash", "5.2", vendor="Fedora Project"))
    unheard = Origins(Distribution("unheard-of", "9", like=("fedora",)))
    assert not unheard.foreign(Package("rpm", "bash", "5.2", vendor="Fedora Project"))


def test_a_journal_of_rpm_that_is_still_to_be_read_is_told() -> None:
    journal: ExampleLayer = {"var/lib/rpm/rpmdb.sqlite-wal": Made(b"wal")}
    assert bill(journal).told == (
        "/var/lib/rpm/rpmdb.sqlite-wal has changes that are not in the database yet, and is not read",
    )
    assert bill(journal, {"var/lib/rpm/rpmdb.sqlite-wal": Made(b"")}).told == ()
    assert bill({"var/lib/rpm/rpmdb.sqlite-wal": Made(b"")}).told == ()


def test_many_records_of_one_package_take_no_time() -> None:
    records = [
        Present(Package("npm", "a", "1", directories=(f"d{n}",)), 0, (f"d{n}/package.json",)) for n in range(20_000)
    ]
    (one_of_all,) = merged(records)
    assert len(one_of_all.evidence) == len(one_of_all.package.directories) == 20_000
