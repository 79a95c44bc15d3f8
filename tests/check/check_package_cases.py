"""Dockerfiles about package managers, each with what hadolint 2.15.1 was recorded to say of it.

A new case is a new key in the record, with an empty list: `python -m tests.check.check_package_cases HADOLINT` asks
that program about all of them and writes what it says.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

RECORD = Path(__file__).parent / "cases" / "package-managers.json"
CODES = frozenset(
    f"DL{number}"
    for number in [
        *[3008, 3009, 3013, 3014, 3015, 3016, 3018, 3019, 3027, 3028, 3030, 3032, 3033, 3034, 3035, 3036, 3037, 3038],
        *[3040, 3041, 3042, 3060, 3062],
    ]
)


def recorded() -> dict[str, list[str]]:
    """The Dockerfiles, and what hadolint says of packages in them: `CODE:LINE`."""
    answers: dict[str, list[str]] = json.loads(RECORD.read_text(encoding="utf-8"))
    return answers


def ask(program: str, texts: list[str]) -> list[list[str]]:
    """What hadolint says of each text; DL1000 where it cannot read it."""
    with tempfile.TemporaryDirectory() as directory:
        names = [f"{number:05}" for number in range(len(texts))]
        for name, text in zip(names, texts):
            (Path(directory) / name).write_text(text)
        command = [program, "--no-fail", "--format", "json", *names]
        done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=True)
    said: list[list[str]] = [[] for _ in texts]
    for found in json.loads(done.stdout):
        if found["code"] in CODES | {"DL1000"}:
            said[int(found["file"])].append(f"{found['code']}:{found['line']}")
    return [sorted(set(codes)) for codes in said]


if __name__ == "__main__":
    TEXTS = list(recorded())
    ANSWERS = dict(zip(TEXTS, ask(sys.argv[1], TEXTS)))
    RECORD.write_text(json.dumps(ANSWERS, indent=0, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{len(TEXTS)} Dockerfiles, {sum(map(len, ANSWERS.values()))} findings")
