"""The step for workflows: its scripts run as GitHub runs them, on an image and a database that are here."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from tests.build.build_workshop import tar_of, write_layout

from kezuri.advisories.values import Advisory, Affected, Entry
from kezuri.advisories.writing import write
from kezuri.versions.ranges import Event

ACTION: dict[str, Any] = YAML(typ="safe", pure=True).load(
    (Path(__file__).parents[2] / "actions" / "scan" / "action.yml").read_text()
)
STATUS = b"Package: curl\nStatus: install ok installed\nArchitecture: amd64\nVersion: 7.88-1\n"


class Job:
    """Runs the steps of the action, with kezuri on the PATH."""

    def __init__(self, place: Path) -> None:
        self.place = place
        (place / "bin").mkdir()
        program = place / "bin" / "kezuri"
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m kezuri "$@"\n')
        program.chmod(0o755)
        self.environ = {
            **os.environ,
            "PATH": f"{place}/bin:{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(sys.path),
            "KEZURI_ROOT": f"{place}/store",
            **{name: f"{place}/{name}" for name in ("GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")},
        }

    def run(self, **inputs: str) -> subprocess.CompletedProcess[str]:
        """All steps up to the first that fails, as a runner does."""
        values = {name: str(inputs.get(name, each.get("default", ""))) for name, each in ACTION["inputs"].items()}
        for step in ACTION["runs"]["steps"]:
            environ = dict(self.environ)
            if (told := Path(environ["GITHUB_ENV"])).exists():
                environ |= dict(line.split("=", 1) for line in told.read_text().splitlines())
            for name, text in step.get("env", {}).items():
                assert text.startswith("${{ inputs.") and text.endswith(" }}")  # never pasted into a script
                environ[name] = values[text[len("${{ inputs.") : -len(" }}")]]
            assert "${{" not in step["run"]
            done = subprocess.run(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
                cwd=self.place,
                env=environ,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                break
        return done


@pytest.mark.slow
def test_the_step(tmp_path: Path) -> None:
    write_layout(
        tmp_path / "image", [tar_of(("etc/os-release", b"ID=debian\nVERSION_ID=12\n"), ("var/lib/dpkg/status", STATUS))]
    )
    curl = Affected("Debian", "12", "curl", ((Event("introduced", "0"), Event("fixed", "7.88-2")),))
    write(f"{tmp_path}/db", Entry(Advisory("CVE-2026-1", "debian", severity="high"), (curl,)))
    job = Job(tmp_path)
    found = job.run(image="oci:image", db=f"{tmp_path}/db")
    assert found.returncode == 1 and "CVE-2026-1" in found.stdout, found.stderr
    assert "CVE-2026-1" in (tmp_path / "GITHUB_STEP_SUMMARY").read_text()
    assert (tmp_path / "GITHUB_OUTPUT").read_text() == "sarif=kezuri.sarif\n"
    (run,) = json.loads((tmp_path / "kezuri.sarif").read_text())["runs"]
    assert "CVE-2026-1" in [result["ruleId"] for result in run["results"]]
    for inputs in ({"severity": "critical"}, {"exit-code": "0"}, {"since": "oci:image"}):
        passed = job.run(**{"image": "oci:image", "db": f"{tmp_path}/db", **inputs})
        assert passed.returncode == 0, passed.stderr
