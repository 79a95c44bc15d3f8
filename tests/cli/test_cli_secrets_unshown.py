"""A secret in an image is told of and never shown: in no form of no command that says what is in images."""

import io
from pathlib import Path

import pytest
from tests.app.base_layouts import Layout, apk, database, fault

from kezuri.cli.console import Console
from kezuri.cli.main import call

MIXED = "aB3dE6gH9jK2mN5pQ8sT1vW4xY7zA0cF6hJk"
TOKENS = {name: f"ghp_{MIXED[:-2]}{number:02}" for number, name in enumerate(("file", "run", "env", "label", "probe"))}
GIVEN = {"random": "r4nD0mQ7xZ2vB9kL5wT8", "gone": "Xk29fLq81mZpTw47RbYc"}
COMMANDS = [
    ("scan", "--scanners", "vuln,secret,misconfig,licence"),
    *(("scan", "--format", form) for form in ("json", "markdown", "sarif", "cyclonedx", "junit", "trivy")),
    ("scan", "--html", "page.html"),
    *(("sbom", "--format", form) for form in ("json", "cyclonedx", "spdx")),
    ("check",),
    ("check", "--format", "json"),
    ("analyze", "--format", "json"),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("unshown")
    (place / "layout").mkdir()
    Layout(place / "layout").add(
        "app",
        {**apk("3.19"), "app/settings": f"token {TOKENS['file']}\n", "app/gone": f"{TOKENS['file']}\n"},
        {"app/.wh.gone": ""},
        env=[f"GITHUB={TOKENS['env']}"],
        made_by=[
            f"RUN /bin/sh -c curl -H 'X: {TOKENS['run']}' x && API_SECRET={GIVEN['random']} apk add busybox",
            f"RUN /bin/sh -c TOKEN={GIVEN['gone']} rm /app/gone",
        ],
        Labels={"note": TOKENS["label"]},
        Healthcheck={"Test": ["CMD", TOKENS["probe"]]},
        Cmd=["/bin/sh"],
    )
    database(place / "a.db", fault("CVE-2024-1", "Alpine", "v3.19", "busybox", ""))
    return place


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_form_shows_one(place: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]) -> None:
    monkeypatch.chdir(place)
    out, err = io.StringIO(), io.StringIO()
    environ = {"HOME": "/nowhere", "KEZURI_ROOT": str(place / "store"), "KEZURI_DB": str(place / "a.db")}
    code = call((*command, f"oci:{place}/layout:app"), Console(out, err, environ))
    said = out.getvalue() + err.getvalue()
    assert code in (0, 1) and len(said) > 50, said
    if "--html" in command:
        said += Path("page.html").read_text("utf-8")
    shown = [name for name, secret in (TOKENS | GIVEN).items() if secret in said or secret[:30] in said]
    assert shown == [], said
