"""`kezuri diff`: what it prints of two images, in every form, and with which exit code it ends."""

import io
import json
from pathlib import Path
from typing import Any

from tests.build.build_workshop import write_layout
from tests.comparison.comparison_images import File, Layer, tar

from kezuri.cli.console import Console
from kezuri.cli.main import call

HOSTILE = "etc/\x1b[31mred\u202e"
BEFORE: Layer = {"etc": File(directory=True), "etc/a": File(b"one"), HOSTILE: File(b"x"), "bin/tool": File(b"t" * 2000)}
AFTER: Layer = {"etc": File(directory=True), "etc/a": File(b"two"), "etc/passwd": File(b"root")}


def diff(root: Path, *argv: str, **environ: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    said = {"HOME": "/nowhere", "KEZURI_ROOT": f"{root}/store", **environ}
    code = call(("diff", *argv), Console(out, err, said))
    return code, out.getvalue(), err.getvalue()


def two(root: Path, config: dict[str, Any] | None = None) -> tuple[str, str]:
    for name, layer in (("before", BEFORE), ("after", AFTER)):
        write_layout(root / name, [tar(layer)], config if name == "after" else None, "x")
    return f"oci:{root}/before:x", f"oci:{root}/after:x"


def test_two_images_in_every_form(tmp_path: Path) -> None:
    before, after = two(tmp_path, {"User": "app", "Env": ["PATH=/bin", "A=1"]})
    code, out, err = diff(tmp_path, before, after)
    assert (code, err) == (0, "")
    assert "Size unpacked" in out
    assert "+ User   app" in out
    assert "+ Env A  1" in out
    assert "1 new (4B), 3 gone (2kB), 1 changed" in out
    assert "- -2kB  /bin/tool" in out
    assert "\x1b" not in out
    assert r"/etc/\x1b[31mred\u202e" in out, "a name is shown whole, and steers nothing"
    assert diff(tmp_path, "--exit-code", before, after)[0] == 1
    assert diff(tmp_path, "--exit-code", before, before)[0] == 0
    assert "It is the same image under both names." in diff(tmp_path, before, before)[1]

    said = json.loads(diff(tmp_path, "--format", "json", before, after)[1])
    assert not said["same"]
    assert {change["path"]: change["what"] for change in said["files"]["changes"]} == {
        "bin": "gone",
        "bin/tool": "gone",
        "etc/a": "content",
        "etc/passwd": "new",
        HOSTILE: "gone",
    }
    assert said["files"]["counted"]["bytesGone"] == 2001
    assert said["settings"] == [
        {"name": "Env A", "before": None, "after": "1"},
        {"name": "User", "before": None, "after": "app"},
    ]
    assert [change["what"] for change in said["layers"]["changes"]] == ["gone", "new"]

    page = diff(tmp_path, "--format", "markdown", before, after)[1]
    assert "| Item " in page
    assert "```diff\n- " in page
    assert "改" not in page
    japanese = diff(tmp_path, "--format", "markdown", before, after, LANG="ja_JP.UTF-8")[1]
    assert "| 項目 " in japanese
    assert "増減" in japanese

    colours = diff(tmp_path, before, after, CLICOLOR_FORCE="1")[1]
    assert "\x1b[31m- -2kB" in colours
    assert "\x1b[31mred" not in colours


def test_parts_and_rows_can_be_chosen(tmp_path: Path) -> None:
    before, after = two(tmp_path)
    _, out, _ = diff(tmp_path, "--only", "files", "--top", "1", before, after)
    assert "Size" not in out
    assert "/bin/tool" in out
    assert "/etc/a" not in out
    assert "… and 4 more" in out
    said = json.loads(diff(tmp_path, "--format", "json", "--only=settings", before, after)[1])
    assert "settings" in said
    assert "files" not in said


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    before, after = two(tmp_path)
    assert diff(tmp_path, before)[0] == 2
    for words, told in (
        ((before, after, "--only", "fils"), "--only fils"),
        ((before, after, "--top", "-1"), "--top"),
        ((before, f"oci:{tmp_path}/none:x"), f"{tmp_path}/none"),
        ((before, "store:nothing"), "nothing"),
    ):
        code, _, err = diff(tmp_path, *words)
        assert code
        assert told in err, err
    blob = max((tmp_path / "after" / "blobs" / "sha256").iterdir(), key=lambda file: file.stat().st_size)
    blob.write_bytes(b"no tar" + blob.read_bytes()[6:])
    code, out, err = diff(tmp_path, before, after)
    assert "could not be read" in err or code, (out, err)
