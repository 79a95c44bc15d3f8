"""`kezuri context` as it is typed: tables, documents, and an ignore file that is written."""

import json
from pathlib import Path

import pytest
from tests.cli.test_cli_why import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    found = Desk(tmp_path)
    (found.context / "old\x1b[31m").write_text("12")
    (found.context / "Dockerfile").write_text("FROM scratch\nCOPY a /\n")
    return found


def test_it_is_said_and_written(desk: Desk) -> None:
    where = str(desk.context)
    code, out, err = desk("context", where)
    assert (code, err) == (0, "")
    assert out.replace(where, "CONTEXT") == (
        "Context CONTEXT (CONTEXT/Dockerfile): 26B in 4 files\n"
        "No ignore file hides anything of it.\n"
        "Instructions read 1B in 1 file; nothing reads 3B.\n\n"
        "LINE  READ BY   BYTES  ALONE\n"
        "   2  COPY a /     1B     1B\n\n"
        "  READ BY NOTHING  FILES  BYTES\n"
        "  old\\x1b[31m          1     2B\n"
        "  b                    1     1B\n"
    )
    code, out, err = desk("context", "--write-ignore", "--dry-run", where)
    assert (code, out.splitlines()[1:]) == (0, ["b", "old\x1b\\[31m"]) and not (desk.context / ".dockerignore").exists()
    assert err == "Proved: 1 instruction reads what it did, its key is the same.\n"
    code, out, err = desk("context", "--write-ignore", where)
    assert (code, out) == (0, "b\nold\x1b\\[31m\n") and ".dockerignore hides 3B more." in err
    code, out, err = desk("context", "--format", "json", where)
    found = json.loads(out)
    assert found["hidden"][0]["pattern"] == "old\x1b\\[31m" and found["idle"] == [] and found["read"]["files"] == 1
    code, out, err = desk("context", "--write-ignore", "--format", "json", where)
    assert json.loads(out)["lines"] == [] and not json.loads(out)["written"]
    assert desk("context", "--write-ignore", where)[1:] == ("", "Nothing to hide: all that is not hidden is read.\n")


def test_what_is_asked_wrongly(desk: Desk) -> None:
    where = str(desk.context)
    assert desk("context", "--dry-run", where)[0] == desk("context", "--litter", where)[0] == 2
    assert desk("context", f"{where}/nothing")[0] == 1
    assert desk("context", where, where)[0] == 2
    assert "without a daemon" in desk("context", "ls")[2] and desk("context", "use", "remote")[0] == 2
    (desk.context / "Dockerfile").write_text("FROM scratch\nCOPY nothing /\n")
    code, _, err = desk("context", where)
    assert code == 1 and '"nothing" was not found' in err and "2 | COPY nothing /" in err


def test_images_and_other_contexts(desk: Desk, tmp_path: Path) -> None:
    desk("build", "--quiet", "-t", "made", str(desk.context))
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "m").write_text("123")
    (desk.context / "Dockerfile").write_text(
        "FROM made\nCOPY --from=made /a /a2\nCOPY --from=more m /\nCOPY b <<X /\nx\nX\n"
    )
    words = ("context", "--build-context", f"more={tmp_path / 'more'}", "--platform", "linux/amd64", str(desk.context))
    code, out, err = desk(*words)
    assert code == 0 and [line.split()[0] for line in out.splitlines() if "COPY" in line] == ["3", "4"], err
    assert "(context more)" in out
    # Two platforms take the same: it is told once.
    (desk.context / "Dockerfile").write_text("FROM scratch\nCOPY a /\nFROM scratch\nCOPY --from=0 /a /b\nCOPY b /\n")
    code, out, err = desk("context", "--platform", "linux/amd64,linux/arm64", str(desk.context))
    assert code == 0 and [line.split()[0] for line in out.splitlines() if "COPY" in line] == ["2", "5"], err
