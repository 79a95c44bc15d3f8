"""`kezuri scan` of images that were built here: which layer and line brought what, what a base has, what documents
beside an image excuse, and how the work grows."""

import io
import json
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from kezuri.advisories.coordinates import Distribution
from kezuri.advisories.values import Advisory, Affected, Entry, Severity, Signal
from kezuri.advisories.writing import write
from kezuri.app.request import Settings
from kezuri.app.sbom import BillRequest
from kezuri.app.scan import ScanRequest, scanned
from kezuri.cli.console import Console
from kezuri.cli.main import call
from kezuri.packages.package import Package
from kezuri.sbom.values import Bill, Component
from kezuri.versions.ranges import Event

pytestmark = pytest.mark.slow
REQUEST = ScanRequest(BillRequest("x"), ("vuln",))


def entry(id: str, name: str, fixed: str = "", severity: Severity = "high", ecosystem: str = "npm") -> Entry:
    """An advisory about all versions before the one that mends it, and about all where there is none."""
    events = (Event("introduced", "0"), *((Event("fixed", fixed),) if fixed else ()))
    return Entry(Advisory(id, f"osv/{ecosystem}", severity=severity), (Affected(ecosystem, "", name, (events,)),))


class Machine:
    """A store, a database, and two images: `base:1` has a package, and `app:1`, built on it, two more."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.packages("base", ("in-base", "1.0.0"))
        (directory / "base/Dockerfile").write_text("FROM scratch\nCOPY node_modules /usr/lib/node_modules\n")
        self.packages("app", ("mended", "1.0.0"), ("unmended", "2.0.0"))
        dockerfile = 'FROM base:1\nLABEL a=b\nCOPY node_modules /app/node_modules\nCMD ["/app"]\n'
        (directory / "app/Dockerfile").write_text(dockerfile)
        write(
            f"{directory}/a.db",
            entry("CVE-2024-1", "in-base", "1.0.1"),
            entry("CVE-2024-2", "mended", "1.0.5", "medium"),
            entry("CVE-2024-3", "mended", "1.2.0", "low"),
            entry("CVE-2024-4", "unmended", severity="critical"),
            entry("CVE-2024-5", "elsewhere"),
            Signal("CVE-2024-3", "2024-05-05"),
            fetched="2026-11-21T00:00:00Z",
        )
        for name in ("base", "app"):
            self.kezuri("build", "-q", "-t", f"{name}:1", f"{directory}/{name}")

    def packages(self, place: str, *packages: tuple[str, str]) -> None:
        for name, version in packages:
            (self.directory / place / "node_modules" / name).mkdir(parents=True)
            document = json.dumps({"name": name, "version": version, "license": "MIT"})
            (self.directory / place / "node_modules" / name / "package.json").write_text(document)

    def kezuri(self, *argv: str, code: int = 0) -> str:
        out, err = io.StringIO(), io.StringIO()
        environ = {
            "HOME": "/nowhere",
            "KEZURI_ROOT": f"{self.directory}/store",
            "KEZURI_DB": f"{self.directory}/a.db",
            "XDG_RUNTIME_DIR": str(self.directory),
        }
        assert call(argv, Console(out, err, environ)) == code, out.getvalue() + err.getvalue()
        return out.getvalue()

    def scan(self, *words: str, code: int = 0) -> dict[str, Any]:
        return dict(json.loads(self.kezuri("scan", "--scanners", "vuln", "--format", "json", *words, code=code)))


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    return Machine(tmp_path_factory.mktemp("scan"))


def counting(report: dict[str, Any]) -> list[str]:
    return [each["id"] for each in report["findings"] if not each["ignored"]]


def test_what_brought_it_and_what_to_do(machine: Machine) -> None:
    report = machine.scan("app:1")
    assert counting(report) == ["CVE-2024-3", "CVE-2024-4", "CVE-2024-1", "CVE-2024-2"]
    layers = [(each["ofBase"], each["line"]) for each in report["layers"]]
    assert layers == [(True, 1), (False, 3)]
    assert [each["layer"] for each in report["findings"]] == [2, 2, 1, 2]
    told = [(each["kind"], each["order"], each["findings"]) for each in report["remedies"]]
    assert told == [
        ("language", "npm install mended@1.2.0", [1, 4]),
        ("base", "build on a newer build of base:1: kezuri build --pull", [3]),
        ("none", None, [2]),
    ]
    assert report["base"] == "base:1"


@pytest.mark.parametrize("form", ["oci", "oci-archive", "docker-archive"])
def test_wherever_it_is(machine: Machine, form: str, tmp_path: Path) -> None:
    machine.kezuri("copy", "-q", "app:1", f"{form}:{tmp_path}/x:app:1")
    assert counting(machine.scan(f"{form}:{tmp_path}/x"))[0] == "CVE-2024-3"
    report = machine.kezuri(
        "scan", "image", "--input", f"{tmp_path}/x", "--format", "table", "--exit-code", "6", code=6
    )
    assert "CVE-2024-3" in report


def test_documents_of_what_it_has(machine: Machine, tmp_path: Path) -> None:
    for form in ("cyclonedx", "spdx"):
        machine.kezuri("sbom", "--format", form, "--output", f"{tmp_path}/{form}.json", "app:1")
        assert counting(machine.scan(f"{tmp_path}/{form}.json")) == counting(machine.scan("app:1"))


def test_only_what_is_new(machine: Machine) -> None:
    report = machine.scan("--since", "base:1", "app:1", "--exit-code", "5", code=5)
    assert counting(report) == ["CVE-2024-3", "CVE-2024-4", "CVE-2024-2"]
    assert report["summary"]["ignored"] == 1
    assert counting(machine.scan("--since", "app:1", "app:1", "--exit-code", "5")) == []
    assert counting(machine.scan("--since", "app:1", "base:1")) == []


def test_what_is_said_of_the_image_is_not_said_of_the_one_of_before(machine: Machine, tmp_path: Path) -> None:
    machine.kezuri("copy", "-q", "base:1", f"docker-archive:{tmp_path}/before.tar:base:1")
    words = ("--since", f"{tmp_path}/before.tar", "app:1")
    assert counting(machine.scan(*words)) == ["CVE-2024-3", "CVE-2024-4", "CVE-2024-2"]
    # `--base 2` can be no base of an image of one layer, and `image` calls no archive one.
    assert counting(machine.scan("--base", "2", *words)) == ["CVE-2024-3", "CVE-2024-4", "CVE-2024-2"]
    report = machine.kezuri("scan", "image", "--format", "table", *words)
    assert "CVE-2024-1" not in report and "CVE-2024-2" in report


def test_a_vex_document_beside_the_image(machine: Machine, tmp_path: Path) -> None:
    machine.kezuri("copy", "-q", "app:1", f"oci:{tmp_path}/layout:app")
    product = {"@id": "pkg:oci/app", "subcomponents": [{"@id": "pkg:npm/unmended@2.0.0"}]}
    statement = {"vulnerability": {"name": "CVE-2024-4"}, "products": [product], "status": "not_affected"}
    (tmp_path / "vex.json").write_text(
        json.dumps({"@context": "https://openvex.dev/ns/v0.2.0", "statements": [statement]})
    )
    vex = f"{tmp_path}/vex.json:application/openvex+json"
    for image in (f"oci:{tmp_path}/layout:app", "app:1"):
        assert "no VEX document is attached" in "".join(machine.scan("--vex", "attached", image)["told"])
        machine.kezuri("attach", image, "--artifact-type", "application/openvex+json", vex)
        assert "CVE-2024-4" in counting(machine.scan(image))
    assert counting(machine.scan("--vex", "attached", "app:1")) == ["CVE-2024-3", "CVE-2024-1", "CVE-2024-2"]
    (tmp_path / "vex.json").write_text("{")
    machine.kezuri("attach", "app:1", "--artifact-type", "application/openvex+json", f"{tmp_path}/vex.json")
    report = machine.scan("--vex", "attached", "app:1")
    assert "CVE-2024-4" not in counting(report) and "not a JSON document" in "".join(report["told"])


def test_four_times_the_components_are_four_times_the_work(tmp_path: Path) -> None:
    settings = Settings(root=f"{tmp_path}/store", db=f"{tmp_path}/a.db")
    known = [entry(f"CVE-2024-{number}", f"package-{number}", "2.0.0") for number in range(1, 1000, 2)]
    write(settings.db, *known)
    scanned(settings, REQUEST, bill_of(4))  # what is loaded once
    few, many = calls(settings, bill_of(250)), calls(settings, bill_of(1000))
    assert many < 5 * few, f"{few} calls for 250, {many} for 1000"
    assert len(scanned(settings, REQUEST, bill_of(1000)).findings) == 500


def bill_of(number: int) -> Bill:
    """So many packages of npm, of which every second has a fault."""
    packages = [Package("npm", f"package-{each}", "1.0.0") for each in range(number)]
    components = tuple(Component(each, -1, (f"{each.name}/package.json",)) for each in packages)
    return Bill("x", "sbom", "", "", "", Distribution(), (), components)


def calls(settings: Settings, bill: Bill) -> int:
    """How often anything is called, functions in C as well, while a bill is scanned."""
    count = 0

    def heard(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(heard)
    try:
        scanned(settings, REQUEST, bill)
    finally:
        sys.setprofile(before)
    return count


def test_half_of_alpine_is_not_all_of_it(tmp_path: Path) -> None:
    """Each repository has a file of its own: where one could not be fetched, that is told with what was found."""

    def of(repository: str, name: str) -> Entry:
        return Entry(Advisory(f"CVE-1-{name}", f"alpine/v3.20/{repository}"), (Affected("Alpine", "v3.20", name),))

    packages = tuple(Component(Package("apk", name, "1-r0"), -1) for name in ("musl", "nodejs"))
    bill = Bill("x", "sbom", "", "", "", Distribution("alpine", "3.20.1"), (), packages)
    request = ScanRequest(BillRequest("x"), ("vuln",), now=1.8e9)
    settings = Settings(root=str(tmp_path), db=str(tmp_path / "a.db"))
    for halves, expected in (((of("main", "musl"),), 1), ((of("main", "musl"), of("community", "nodejs")), 0)):
        write(settings.db, *halves, fetched="2026-11-21T00:00:00Z")
        told = scanned(settings, request, bill).told
        assert sum("a part of Alpine v3.20: its repository community" in text for text in told) == expected


@pytest.mark.parametrize(
    ("ecosystem", "release", "name"),
    [("Alpine", "v3.20", "alpine/v3.20"), ("Debian", "12", "debian"), ("npm", "", "osv/npm")],
)
def test_what_fetches_data_names_all_of_it(ecosystem: str, release: str, name: str) -> None:
    from kezuri.advisories.origins import ORIGINS
    from kezuri.app.advisories import belongs
    from kezuri.app.scan import _source

    assert _source(ecosystem, release) == name
    sets = {origin.name for origin in ORIGINS if (ecosystem, release) in origin.ecosystems}
    assert all(belongs(each, name) for each in sets)
