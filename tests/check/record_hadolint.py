"""Records what hadolint says of Dockerfiles: `python -m tests.check.record_hadolint HADOLINT FILE...`

A FILE is one of `cases/hadolint-*.json`: its Dockerfiles are kept, what hadolint says of them is taken anew. Only what
the codes of the file are about is recorded, as `LINE CODE`; a Dockerfile that hadolint cannot read, or dies of, is left
out.
"""

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

_TOGETHER = 100


def record(program: str, file: Path) -> None:
    """Take anew what the program says of the Dockerfiles of a file."""
    facts = json.loads(file.read_text(encoding="utf-8"))
    texts = [case["dockerfile"] for case in facts["cases"]]
    said = [
        lines for at in range(0, len(texts), _TOGETHER) for lines in _ask(program, facts, texts[at : at + _TOGETHER])
    ]
    facts["version"] = subprocess.run([program, "--version"], capture_output=True, text=True).stdout.split()[-1]
    facts["cases"] = [{**case, "hadolint": lines} for case, lines in zip(facts["cases"], said) if lines is not None]
    write(file, facts)


def write(file: Path, facts: dict[str, Any]) -> None:
    """One case on each line."""
    head = {key: value for key, value in facts.items() if key != "cases"}
    lines = [json.dumps(case, ensure_ascii=False) for case in facts["cases"]]
    start = json.dumps(head, ensure_ascii=False)[:-1]
    file.write_text(f'{start}, "cases": [\n' + ",\n".join(lines) + "\n]}\n", encoding="utf-8")


def _ask(program: str, facts: dict[str, Any], texts: list[str]) -> list[list[str] | None]:
    with TemporaryDirectory() as directory:
        for number, text in enumerate(texts):
            (Path(directory) / str(number)).write_text(text, encoding="utf-8")
        # The rules that it leaves out by itself are asked for.
        argv = [program, "--format=json", "--info=DL1001", "--info=DL3057", *facts.get("arguments", ())]
        done = subprocess.run([*argv, *map(str, range(len(texts)))], cwd=directory, capture_output=True, text=True)
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        if len(texts) == 1:
            return [None]
        half = len(texts) // 2
        return [*_ask(program, facts, texts[:half]), *_ask(program, facts, texts[half:])]
    found: list[set[tuple[int, str]] | None] = [set() for _ in texts]
    for one in answer:
        number = int(one["file"])
        lines = found[number]
        if one["code"] == "DL1000":
            found[number] = None
        elif lines is not None and one["code"] in facts["codes"]:
            lines.add((one["line"], one["code"]))
    return [None if lines is None else [f"{line} {code}" for line, code in sorted(lines)] for lines in found]


if __name__ == "__main__":
    for name in sys.argv[2:]:
        record(sys.argv[1], Path(name))
