"""`docs/conformance.md` and `docs/security.md` name tests: they exist."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith(("| topic", "|---"))]
SECTIONS = set(re.findall(r"^## (.+)$", (ROOT / "docs" / "compatibility.md").read_text(encoding="utf-8"), re.MULTILINE))


def test_there_are_rows() -> None:
    assert len(ROWS) > 60


def missing_tests(answers: list[str]) -> list[str]:
    """What the answers name and nobody wrote."""
    missing = []
    for answer in answers:
        file = ""
        for word in re.findall(r"`([^`]*)`", answer):
            path, _, name = word.partition("::")
            if "/" in path:
                file = path
            elif not word.startswith("::"):
                continue
            where = ROOT / "tests" / file
            if not where.exists() or (name and name not in where.read_text(encoding="utf-8")):
                missing.append(word)
    return missing


def test_what_is_named_is_there() -> None:
    assert missing_tests([row.split("|", 2)[2] for row in ROWS]) == []


def test_every_attack_names_a_test_that_is_there() -> None:
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    tables = page.partition("## Attacks, what stops them, and the tests")[2]
    rows = [line for line in tables.splitlines() if line.startswith("| ") and not line.startswith("| attack")]
    answers = [row.rsplit("|", 2)[1] for row in rows]
    assert len(answers) > 45
    assert missing_tests(answers) == []
    assert [answer for answer in answers if "`" not in answer] == [" – "], "one is not defended, and is said to be so"


def test_recorded_rules_and_sections_are_there() -> None:
    cases = json.loads((ROOT / "tests" / "plan" / "cases" / "language.json").read_text(encoding="utf-8"))
    known = [*(case["name"] for case in cases), *SECTIONS]
    asked = [name for row in ROWS for name in re.findall(r'"([^"]+)"', row)]
    assert [name for name in asked if not any(there.startswith(name) for there in known)] == []


def test_every_row_has_an_answer() -> None:
    assert [row for row in ROWS if "`" not in row.split("|", 2)[2] and '"' not in row.split("|", 2)[2]] == []


def test_the_map_names_rooms_and_files_that_are_there() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = {word for word in re.findall(r"`([\w.]+/[\w./]*)`", page) if not word.startswith(("blobs/", "layers/"))}
    assert len(named) > 50
    assert [word for word in sorted(named) if not _is_there(word)] == []


def _is_there(word: str) -> bool:
    """Whether the path, or the path without what stands behind the file's name, is one of the project or of a room."""
    path, _, name = word.rpartition(".")
    tops = (ROOT, ROOT / "src" / "kezuri")
    if any((top / word).exists() for top in tops):
        return True
    return any(
        (top / f"{path}.py").exists() and name in (top / f"{path}.py").read_text(encoding="utf-8") for top in tops
    )
