"""The faults that are known of an image which was just built, and of two that are compared."""

import os
from pathlib import Path

import pytest
from tests.build.build_workshop import Workshop, tar_of, write_layout

from kezuri.advisories.values import Advisory, Affected, Entry
from kezuri.advisories.writing import write
from kezuri.app import known_faults
from kezuri.app.compare import compare
from kezuri.app.compare_request import CompareRequest, Ran
from kezuri.app.known_faults import KnownFaults, built_faults
from kezuri.app.lint import CheckRequest, check_all
from kezuri.app.request import Settings
from kezuri.cli.scan_line import line
from kezuri.versions.ranges import Event

STATUS = (
    "Package: libssl3\nStatus: install ok installed\nArchitecture: amd64\nSource: openssl\nVersion: 3.0.1-1\n\n"
    "Package: bash\nStatus: install ok installed\nArchitecture: amd64\nVersion: 5.2-1\n"
)
FILES = (("etc/os-release", b"ID=debian\nVERSION_ID=12\n"), ("var/lib/dpkg/status", STATUS.encode()))


def openssl(number: int, fixed: str = "") -> Entry:
    """An advisory about the source package of libssl3."""
    events = (Event("introduced", "0"), *([Event("fixed", fixed)] if fixed else []))
    affected = Affected("Debian", "12", "openssl", (events,))
    return Entry(Advisory(f"CVE-2026-{number}", "debian", severity="high", modified="2026-11-20"), (affected,))


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    shop = Workshop(tmp_path)
    shop.write(f="1")
    write_layout(shop.directory / "base", [tar_of(*FILES)])
    return shop


@pytest.fixture
def settings(shop: Workshop, tmp_path: Path) -> Settings:
    db = tmp_path / "advisories.db"
    write(f"{db}", openssl(1, "3.0.2-1"), openssl(2), openssl(3, "3.0.1-1"))
    return Settings(f"{shop.root}", db=f"{db}")


def built(shop: Workshop, tag: str = "app", base_layout: str = "base") -> str:
    base = (("base", f"oci-layout://{shop.directory}/{base_layout}"),)
    return shop.build("FROM base\nCOPY f /f\n", tags=(tag,), build_contexts=base).digest


def test_a_build_knows_what_a_scan_would_say(shop: Workshop, settings: Settings) -> None:
    digest = built(shop)
    assert built_faults(settings, digest, 0, 60) is None  # a build that ran nothing reads no layer
    found = built_faults(settings, digest, 1, 60)
    assert found == KnownFaults((("high", 2),), 1, 2, 0, found.date if found else "")
    assert built_faults(settings, digest, 0, 0) == found  # but what is known is told
    write(settings.db, openssl(1, "3.0.2-1"))
    assert built_faults(settings, digest, 0, 0) is None  # not with other advisories


def test_a_build_looks_only_where_that_costs_a_share_of_its_time(
    shop: Workshop, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = built(shop)
    monkeypatch.setattr(known_faults, "_BYTES_A_SECOND", 1e-3)
    assert built_faults(settings, digest, 1, 60) is None
    assert built_faults(settings, digest, 1, 1e6) is not None
    write(settings.db, openssl(1, "3.0.2-1"))
    assert built_faults(settings, digest, 1, 0) is not None  # its layers were read meanwhile


def test_packages_from_elsewhere_are_not_held_against_the_distribution(shop: Workshop, settings: Settings) -> None:
    own = (
        "Package: openssl\nStatus: install ok installed\nMaintainer: Nodesource <x@nodesource.com>\nVersion: 3.0.0\n\n"
    )
    write_layout(shop.directory / "other", [tar_of(FILES[0], (FILES[1][0], (own + STATUS).encode()))])
    found = built_faults(settings, built(shop, base_layout="other"), 1, 60)
    assert found is not None and found.faults == (("high", 2),) and (found.unasked, found.packages) == (1, 3)
    write_layout(shop.directory / "none", [tar_of(FILES[0])])
    assert built_faults(settings, built(shop, base_layout="none"), 1, 60) is None  # no package, no answer


def test_what_cannot_be_known_is_no_zero(shop: Workshop, settings: Settings, tmp_path: Path) -> None:
    digest = built(shop)
    other = Affected("Debian", "13", "openssl", ((Event("introduced", "0"),),))
    write(settings.db, Entry(Advisory("CVE-2026-1", "debian"), (other,)))
    assert built_faults(settings, digest, 1, 60) is None
    Path(settings.db).write_bytes(b"damaged")
    assert built_faults(settings, digest, 1, 60) is None
    os.unlink(settings.db)
    assert built_faults(settings, digest, 1, 60) is None
    assert built_faults(settings._replace(db=""), digest, 1, 60) is None
    assert built_faults(settings, "", 1, 60) is None


def test_compared_images(shop: Workshop, settings: Settings) -> None:
    built(shop)
    less = STATUS.replace("3.0.1-1", "3.0.2-1").encode()
    write_layout(shop.directory / "other", [tar_of(FILES[0], (FILES[1][0], less))])
    built(shop, "thin", "other")

    def program(root: str, *words: str) -> Ran:
        raise AssertionError("images are neither built nor pulled")

    request = CompareRequest("app", "thin", pulls=False, checks=False)
    table = compare(settings, request, program, lambda event: None)
    rows = {each.key: (each.before.values, each.after.values) for each in table.figures}
    assert rows["faults"] == ((2,), (1,)) and rows["faults.severe"] == ((2,), (1,))
    without = compare(settings._replace(db=""), request, program, lambda event: None)
    assert not [each for each in without.figures if each.key.startswith("faults")]
    assert any("no database of advisories" in each for each in without.told)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            KnownFaults((("critical", 1), ("unknown", 2)), 2, 40, 3, "2026-11-20"),
            "Known faults: 1 critical, 2 of unknown severity; newer versions mend 2; "
            "3 of 40 packages could not be asked about; data of 2026-11-20 (kezuri scan app)",
        ),
        (KnownFaults((), 0, 7, 0, ""), "No known faults in 7 packages (kezuri scan app)"),
    ],
)
def test_the_line(found: KnownFaults, said: str) -> None:
    assert line(found, "app") == said


def test_a_check_of_an_image_tells_them(shop: Workshop, settings: Settings) -> None:
    built(shop)
    checks = check_all(CheckRequest(("app",)), lambda: settings)
    ((name, faults),) = checks.faults
    assert name == "app" and faults.faults == (("high", 2),)
    write(settings.db, Entry(Advisory("CVE-2026-1", "debian"), (Affected("Debian", "13", "openssl"),)))
    checks = check_all(CheckRequest(("app",)), lambda: settings)
    assert not checks.faults and any("Debian 12" in each.message for each in checks.warnings)
