"""Documents of strangers, scanned: what is in their names gives no orders to terminals, runners and pages."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from tests.app.base_layouts import database, fault

from kezuri.cli.console import Console
from kezuri.cli.main import call

ORDERS = (
    "\x1b[31m\x1b]0;x\x07\x9b2J\u202e\n::error file=a::b\r\u2028 | <script>x</script> `x` [x](javascript:x) </script>"
)
CYCLONEDX: dict[str, Any] = {
    "bomFormat": "CycloneDX",
    "metadata": {"component": {"type": "container", "name": ORDERS, "version": ORDERS}},
    "components": [
        {"type": "library", "name": "lodash", "version": ORDERS, "purl": "pkg:npm/lodash@1.0.0"},
        {"type": "library", "name": ORDERS, "version": "1", "licenses": [{"license": {"name": ORDERS}}]},
        {"type": "operating-system", "name": ORDERS, "version": ORDERS, "description": ORDERS},
        {"type": "library", "name": "zlib", "version": ORDERS, "purl": "pkg:deb/debian/zlib@1"},
    ],
}
SPDX = {
    "spdxVersion": "SPDX-2.3",
    "name": ORDERS,
    "packages": [
        {
            "name": ORDERS,
            "versionInfo": ORDERS,
            "externalRefs": [{"referenceType": "purl", "referenceLocator": "pkg:npm/lodash@1.0.0"}],
            "licenseDeclared": ORDERS,
            "annotations": [{"comment": f"kezuri:told: {ORDERS}"}],
        }
    ],
}
FORMS = (
    "table",
    "json",
    "markdown",
    "sarif",
    "cyclonedx",
    "github",
    "gitlab",
    "junit",
    "openvex",
    "trivy",
    "spdx-json",
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("documents")
    for name, document in (("cyclonedx", CYCLONEDX), ("spdx", SPDX)):
        (place / name).write_text(json.dumps(document))
    database(place / "a.db", fault("CVE-2024-1", "npm", "", "lodash", "2.0.0"))
    return place


def called(place: Path, *argv: str) -> tuple[int, str]:
    out, err = io.StringIO(), io.StringIO()
    environ = {"HOME": "/nowhere", "KEZURI_ROOT": str(place / "store"), "KEZURI_DB": str(place / "a.db")}
    code = call(argv, Console(out, err, environ))
    return code, out.getvalue() + err.getvalue()


@pytest.mark.parametrize("form", FORMS)
def test_no_form_passes_orders_on(place: Path, form: str) -> None:
    for name in ("cyclonedx", "spdx"):
        code, said = called(place, "scan", "--format", form, f"{place}/{name}")
        lines = said.split("\n")
        assert code == 0 and len(said) > 100
        assert [line for line in lines if not line.isprintable() or line.lstrip().startswith("::")] == []


def test_a_page_has_no_scripts_but_its_own(place: Path) -> None:
    scripts = set()
    for name in ("cyclonedx", "spdx"):
        code, _ = called(place, "scan", "--html", f"{place}/page.html", f"{place}/{name}")
        page = (place / "page.html").read_text("utf-8")
        scripts.add((code, page.count("<script"), page.count("</script"), page.count("<!--")))
    (place / "plain").write_text(json.dumps({"bomFormat": "CycloneDX", "components": CYCLONEDX["components"][:1]}))
    called(place, "scan", "--html", f"{place}/page.html", f"{place}/plain")
    page = (place / "page.html").read_text("utf-8")
    assert scripts == {(0, page.count("<script"), page.count("</script"), 0)}


def test_a_document_that_says_not_what_it_is_about_is_called_by_its_file(place: Path) -> None:
    (place / "nameless").write_text(json.dumps({"bomFormat": "CycloneDX", "components": []}))
    _, said = called(place, "scan", f"{place}/nameless")
    assert said.startswith("nameless\n") and "nameless: no packages were found" in said


def test_an_ignore_file_of_windows_counts_from_its_first_line_on(place: Path) -> None:
    (place / "ignored").write_bytes(b"\xef\xbb\xbfCVE-2024-1\r\n")
    code, said = called(place, "scan", "--exit-code", "7", "--ignorefile", f"{place}/ignored", f"{place}/spdx")
    assert code == 0 and "1 ignored" in said
