"""`kezuri sbom`: what is printed of an image, a directory and a document, and what is kept of an image."""

import io
import json
import os
import subprocess
import sys
import threading
import tracemalloc
import zlib
from errno import ENOSPC
from pathlib import Path
from typing import Any

import pytest
from tests.cli.test_cli_analyze import archive

from kezuri.anatomy.reading import OnDisk
from kezuri.app.request import Settings
from kezuri.app.sbom import BillRequest, bill
from kezuri.app.sbom_directory import RootDirectory
from kezuri.check.image.rule import ExampleLayer, Made
from kezuri.cli.console import Console
from kezuri.cli.main import call
from kezuri.diagnostics import KezuriError

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "sbom.schema.json").read_text())
STATUS = (
    b"Package: libssl3\nStatus: install ok installed\nSource: openssl (3.0-1)\nVersion: 3.0-1+b1\nArchitecture: amd64\n"
)
LAYERS: tuple[ExampleLayer, ...] = (
    {"etc/os-release": Made(b"ID=debian\nVERSION_ID=12\n"), "var/lib/dpkg/status": Made(STATUS)},
    {"app/node_modules/a/package.json": Made(b'{"name": "a\\u001b[31m", "version": "1"}')},
)


@pytest.fixture
def sbom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)

    def run(*argv: str) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        known = {"HOME": f"{tmp_path}", "KEZURI_ROOT": f"{tmp_path}/root"}
        code = call(("sbom", *argv), Console(out, err, known))
        return code, out.getvalue(), err.getvalue()

    return run


def test_a_table_says_what_brought_each_package(sbom: Any, tmp_path: Path) -> None:
    code, out, err = sbom("--base", "1", archive(tmp_path / "image.tar", LAYERS))
    assert (code, err) == (0, "")
    assert "2 packages: 1 deb, 1 npm" in out and "\x1b" not in out
    assert [line.split()[:3] for line in out.splitlines()[4:]] == [
        ["deb", "libssl3", "3.0-1+b1"],
        ["npm", "a\\x1b[31m", "1"],
    ]
    assert out.splitlines()[4].endswith("1 of the base") and out.splitlines()[5].endswith("2 COPY . /app")


@pytest.mark.slow
def test_json_is_as_its_schema_says(sbom: Any, tmp_path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    image = archive(tmp_path / "image.tar", LAYERS)
    code, out, _ = sbom("--format=json", "--files", image)
    document = json.loads(out)
    jsonschema.validate(document, SCHEMA)
    ssl, a = document["components"]
    assert code == 0 and document["distribution"]["id"] == "debian"
    assert ssl["purl"] == "pkg:deb/debian/libssl3@3.0-1%2Bb1?arch=amd64&distro=debian-12&upstream=openssl%403.0-1"
    assert (ssl["source"], ssl["sourceVersion"], ssl["layer"], a["layer"]) == ("openssl", "3.0-1", 1, 2)
    assert a["directories"] == ["app/node_modules/a"]
    assert sbom("--format=json", "--files", image)[1] == out
    (kept,) = (tmp_path / "root" / "listings").glob("bill-*")
    deep = b"kezuri bill 1\n" + zlib.compress(b"[" * 200_000)
    for damaged in (b"", b"kezuri bill 1\n", kept.read_bytes()[:-9], b"kezuri bill 1\nx", deep):
        kept.write_bytes(damaged)
        assert sbom("--format=json", "--files", image)[1] == out
    assert sbom("--format=json", image)[1] != out


def test_a_package_url_is_the_same_in_every_form(sbom: Any, tmp_path: Path) -> None:
    elsewhere = b"\nPackage: nodejs\nStatus: install ok installed\nVersion: 20.1-1nodesource1\nArchitecture: amd64\n"
    layer: ExampleLayer = {**LAYERS[0], "var/lib/dpkg/status": Made(STATUS + elsewhere)}
    image = archive(tmp_path / "image.tar", (layer, LAYERS[1]))
    own, others = (json.loads(sbom(f"--format={form}", image)[1])["components"] for form in ("json", "cyclonedx"))
    told = [each["purl"] for each in own]
    assert told == [each["purl"] for each in others if "purl" in each]
    assert "pkg:deb/nodejs@20.1-1nodesource1?arch=amd64" in told  # Debian has not made it


def test_a_document_comes_through_a_pipe(sbom: Any, tmp_path: Path) -> None:
    document = json.dumps({"bomFormat": "CycloneDX", "components": [{"type": "library", "purl": "pkg:npm/a@1"}]})
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_text, args=(document,), daemon=True)
    writer.start()
    code, out, _ = sbom(f"{tmp_path}/pipe")
    assert code == 0 and out.splitlines()[:2] == ["pipe", "1 packages: 1 npm"]
    argv = (sys.executable, "-m", "kezuri", "--root", f"{tmp_path}/root", "sbom", "-")
    assert "1 packages: 1 npm" in subprocess.run(argv, input=document, capture_output=True, text=True).stdout


def test_what_is_kept_spares_reading_layers(sbom: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = archive(tmp_path / "image.tar", LAYERS)
    first = sbom(image)
    monkeypatch.setattr("kezuri.app.anatomy_layers.of_distant", None)
    assert sbom(image) == first


def test_what_a_full_disk_hindered_is_looked_at_again(
    sbom: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program: ExampleLayer = {"app/program": Made(b"\x7fELF" + b"x" * 300_000, 0o755)}
    image = archive(tmp_path / "image.tar", (*LAYERS, program))
    with monkeypatch.context() as full:
        full.setattr("kezuri.anatomy.reading.PassingBy.at", _no_space)
        assert "No space left on device" in sbom(image)[2]
    assert sbom(image)[2] == ""


def _no_space(self: object, offset: int, size: int) -> bytes:
    raise OSError(ENOSPC, "No space left on device")


def test_directories_and_documents_have_bills_too(sbom: Any, tmp_path: Path) -> None:
    root = tmp_path / "rootfs"
    (root / "var/lib/dpkg").mkdir(parents=True)
    (root / "var/lib/dpkg/status").write_bytes(STATUS)
    code, out, _ = sbom("--format=json", "dir:rootfs")
    document = json.loads(out)
    assert code == 0 and document["kind"] == "directory" and document["layers"] == []
    assert [each["name"] for each in document["components"]] == ["libssl3"] and document["components"][0][
        "layer"
    ] is None
    assert sbom("rootfs")[1] == sbom("dir:rootfs")[1].replace("dir:", "")
    code, out, _ = sbom("--format=cyclonedx", "--output=bill.json", "rootfs")
    assert (code, out) == (0, "")
    assert "libssl3" in sbom("bill.json")[1] and "libssl3" in sbom("sbom:bill.json")[1]


def test_a_path_that_leads_nowhere_is_called_what_it_is(sbom: Any, tmp_path: Path) -> None:
    console = Console(io.StringIO(), io.StringIO(), {"HOME": f"{tmp_path}", "KEZURI_ROOT": f"{tmp_path}/root"})
    for subject in ("./nope", "/nope.tar", "../nope", "sbom:nope.json"):
        with pytest.raises(KezuriError, match="there is no file") as caught:
            bill(Settings(f"{tmp_path}/root"), BillRequest(subject))
        assert caught.value.exit_code == 1
        assert call(("sbom", subject), console) == 1


@pytest.mark.parametrize(
    ("subject", "hint"),
    [
        ("registry:a.example/x", "did you mean docker://a.example/x?"),
        ("oci-dir:/a/b", "did you mean oci:/a/b?"),
        ("Dockerfile", "`kezuri check FILE` checks Dockerfiles"),
    ],
)
def test_what_was_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, subject: str, hint: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Dockerfile").write_text("FROM a\n")
    console = Console(io.StringIO(), (err := io.StringIO()), {"HOME": f"{tmp_path}", "KEZURI_ROOT": f"{tmp_path}/root"})
    assert call(("sbom", subject), console) == 2
    assert hint in err.getvalue()


def test_a_form_is_no_file(sbom: Any, tmp_path: Path) -> None:
    console = Console(io.StringIO(), io.StringIO(), {"HOME": f"{tmp_path}", "KEZURI_ROOT": f"{tmp_path}/root"})
    for command in ("sbom", "scan"):
        for form in ("json", "table", "cyclonedx-json=a.json", "sarif"):
            assert call((command, "-o", form, "./rootfs"), console) == 2
    assert console.err.getvalue().count("--output takes a file, not the form") == 8  # type: ignore[attr-defined]


def test_an_image_of_the_store_comes_before_a_directory_of_its_name(sbom: Any, tmp_path: Path) -> None:
    image = archive(tmp_path / "image.tar", LAYERS)
    (tmp_path / "app").mkdir()
    assert json.loads(sbom("--format=json", "app")[1])["kind"] == "directory"
    with pytest.raises(KezuriError, match="app"):
        bill(
            Settings(f"{tmp_path}/root", mirrors=(("docker.io", "http://127.0.0.1:1"),)), BillRequest("app", image=True)
        )
    console = Console(io.StringIO(), io.StringIO(), {"HOME": f"{tmp_path}", "KEZURI_ROOT": f"{tmp_path}/root"})
    assert call(("copy", "-q", image, "store:app"), console) == 0
    assert json.loads(sbom("--format=json", "app")[1])["kind"] == "image"
    assert json.loads(sbom("--format=json", "./app")[1])["kind"] == "directory"


def test_archives_and_layouts_are_known_by_what_is_in_them(sbom: Any, tmp_path: Path) -> None:
    image = archive(tmp_path / "image.tar", LAYERS)
    first = sbom("--format=json", image)[1]
    assert json.loads(sbom("--format=json", "image.tar")[1])["components"] == json.loads(first)["components"]
    console = Console(io.StringIO(), io.StringIO(), {"HOME": f"{tmp_path}", "KEZURI_ROOT": f"{tmp_path}/root"})
    assert (
        call(("copy", "-q", image, "oci:layout"), console)
        == call(("copy", "-q", image, "oci-archive:a.tar"), console)
        == 0
    )
    for other in ("layout", "a.tar"):
        assert json.loads(sbom("--format=json", other)[1])["components"] == json.loads(first)["components"]
    (tmp_path / "text").write_text("no bill")
    assert sbom("text")[0] != 0


def test_a_directory_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    for place in ("a/b", "proc/1", "var/lib/dpkg"):
        (tmp_path / "rootfs" / place).mkdir(parents=True)
    (tmp_path / "rootfs/var/lib/dpkg/status").write_bytes(STATUS)
    layer = RootDirectory(f"{tmp_path}/rootfs")
    assert [sorted(name for name, _ in layer.scan(path)) for path in ("", "a", "gone")] == [["a", "var"], ["b"], []]
    assert layer.unread == ["gone"]


def test_files_that_go_away_meanwhile_are_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "c"):
        package = tmp_path / "root" / "node_modules" / name / "package.json"
        package.parent.mkdir(parents=True)
        package.write_text(json.dumps({"name": name, "version": "1"}))
    opened = OnDisk.__init__

    def late(self: OnDisk, path: str) -> None:
        if "/a/" not in path:
            Path(path).unlink()
        opened(self, path)

    monkeypatch.setattr(OnDisk, "__init__", late)
    found = bill(Settings(f"{tmp_path}/store"), BillRequest(f"dir:{tmp_path}/root"))
    assert [each.package.name for each in found.components] == ["a"]
    assert found.told == ("files that went away while they were looked at: 2",)


@pytest.mark.parametrize(("file", "text"), [("oci-layout", "{}"), ("version", "Directory Transport Version: 1.1\n")])
def test_a_directory_that_has_an_image_in_parts_is_no_root_without_packages(
    sbom: Any, tmp_path: Path, file: str, text: str
) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / file).write_text(text)
    code, out, err = sbom("dir:parts")
    assert (code, out) == (125, "") and "an image in parts" in err and ("oci:parts" in err) == (file == "oci-layout")


@pytest.mark.parametrize("argv", [("dir:none",), ("sbom:none",), ("none",), ("-o", "spdx-json", "rootfs")])
def test_what_is_not_there_is_an_error(sbom: Any, argv: tuple[str, ...]) -> None:
    code, out, err = sbom(*argv)
    assert code != 0 and out == "" and err


def test_a_directory_that_is_no_root_is_a_project(sbom: Any, tmp_path: Path) -> None:
    project = tmp_path / "project"
    for place in ("web/node_modules/x", "lib", ".venv", "java"):
        (project / place).mkdir(parents=True)
    (project / "requirements.txt").write_text("flask==2.0.1\n")
    (project / "lib/requirements.txt").write_text("flask==2.0.1\njinja2==3.0.0\n")
    (project / ".venv/requirements.txt").write_text("hidden==1\n")
    (project / "web/package-lock.json").write_text('{"packages": {"node_modules/x": {"version": "1.0.0"}}}')
    (project / "web/node_modules/x/package.json").write_text('{"name": "x", "version": "1.0.0"}')
    (project / "web/yarn.lock").symlink_to("/etc/passwd")
    (project / "java/pom.xml").write_text("<project/>")
    (project / "Cargo.lock").write_text("[[package]")
    code, out, err = sbom("--format=json", "project")
    found = {each["name"]: each["evidence"] for each in json.loads(out)["components"]}
    assert code == 0 and found == {
        "flask": ["requirements.txt", "lib/requirements.txt"],
        "jinja2": ["lib/requirements.txt"],
        "x": ["web/node_modules/x/package.json"],
    }
    assert "/java/pom.xml names packages, and is not read" in err and "/Cargo.lock could not be read" in err
    (project / "etc").mkdir()
    (project / "etc/os-release").write_text("ID=debian\n")
    assert [each["name"] for each in json.loads(sbom("--format=json", "project")[1])["components"]] == ["x"]


def test_no_more_of_a_document_is_read_than_a_bill_can_have(sbom: Any, tmp_path: Path) -> None:
    with open(tmp_path / "huge.json", "wb") as file:
        file.truncate(600 << 20)
    tracemalloc.start()
    try:
        code, _, err = sbom("sbom:huge.json")
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert code == 2 and "larger than 80 MiB" in err and most < 200 << 20
