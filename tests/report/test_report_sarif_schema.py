"""SARIF that kezuri writes, of checks and of scans, held against the schema of the specification."""

import hashlib
import json
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
from tests.report import test_report_forms
from tests.report.scan_samples import AT
from tests.report.scan_samples import EVERY as SCANS

from kezuri.cli.json_text import json_text
from kezuri.report import sarif
from kezuri.report.scan_forms import data

pytestmark = pytest.mark.slow

PACKAGE = "@microsoft/jest-sarif@1.0.0-beta.0"
"""It carries the schema (SARIF 2.1.0, rtm.5), and is under the MIT licence."""
SHA256 = "748e2c3d1a842e7bb258416685c7ea3a0da40005b72267b2052c2856d48ad102"


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Any:
    place = tmp_path_factory.mktemp("schema")
    if shutil.which("npm") is None:
        pytest.skip("there is no npm")
    packed = subprocess.run(
        ["npm", "pack", "--silent", PACKAGE], cwd=place, capture_output=True, text=True, timeout=120, check=False
    )
    files = list(place.glob("*.tgz"))
    if packed.returncode or not files:
        pytest.skip(f"no registry of npm answers: {packed.stderr[-200:]}")
    assert hashlib.sha256(Path(files[0]).read_bytes()).hexdigest() == SHA256
    with tarfile.open(files[0]) as tar:
        file = tar.extractfile("package/lib/schemas/sarif-2.1.0-rtm.5.json")
        assert file is not None
        return json.load(file)


def errors(schema: Any, document: Any) -> list[str]:
    validator = pytest.importorskip("jsonschema.validators").validator_for(schema)
    checked = validator(schema, format_checker=validator.FORMAT_CHECKER)
    return [f"{list(error.path)}: {error.message[:200]}" for error in checked.iter_errors(document)]


@pytest.mark.parametrize("number", range(len(SCANS)))
def test_scans(schema: Any, number: int) -> None:
    report, bill = SCANS[number]
    document = json.loads(json_text(data("sarif", report, bill, AT)))
    assert errors(schema, document) == []
    document["runs"][0]["results"].append({"ruleId": 1})
    assert errors(schema, document), "a schema that takes everything says nothing"


def test_checks(schema: Any) -> None:
    assert errors(schema, json.loads(json_text(sarif.document(test_report_forms.EVERY)))) == []
