"""ShellCheck's remarks come back to their places in the Dockerfile; which scripts are asked about, and as what."""

import os
import sys
from collections.abc import Sequence
from shutil import which

import pytest
from tests.check.check_dockerfiles import Seen, examine

from kezuri.app.shellcheck_program import ShellcheckProgram, find_shellcheck
from kezuri.check.rule import apply
from kezuri.check.rules.shellcheck import RULES
from kezuri.check.shell_checker import Remark, Replacement
from kezuri.diagnostics import KezuriError

PROGRAM = find_shellcheck(os.environ)
needed = pytest.mark.skipif(PROGRAM is None, reason="there is no shellcheck here")


class Found:
    """Remarks at every word that is given, with quotes as the fix."""

    def __init__(self, word: str = "$x", code: int = 2086) -> None:
        self.word, self.code = word, code
        self.scripts: list[str] = []

    def check(self, scripts: Sequence[str]) -> tuple[tuple[Remark, ...], ...]:
        self.scripts += scripts
        return tuple(tuple(self._remarks(script)) for script in scripts)

    def _remarks(self, script: str) -> list[Remark]:
        found = []
        for number, line in enumerate(script.split("\n"), 1):
            at = line.find(self.word) + 1
            if at:
                end = at + len(self.word)
                quotes = (
                    Replacement(number, at, number, at, '"', False),
                    Replacement(number, end, number, end, '"', True),
                )
                found.append(Remark(self.code, "info", "Quote  this.", number, at, number, end, quotes))
        return found


def seen(text: str, checker: Found | ShellcheckProgram) -> Seen:
    return examine(text, rules=RULES, shell_checker=checker)


def shown(text: str) -> list[str | None]:
    return [f.span and text[f.span.start : f.span.end] for f in seen(text, Found()).findings]


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        ("FROM a\nRUN echo $x\n", 'FROM a\nRUN echo "$x"\n'),
        ("FROM a\nRUN echo \\\n  # ü\n  ü $x \\\n  && y\n", 'FROM a\nRUN echo \\\n  # ü\n  ü "$x" \\\n  && y\n'),
        ("FROM a\r\nRUN echo \\\r\n  $x\r\n", 'FROM a\r\nRUN echo \\\r\n  "$x"\r\n'),
        ("FROM a\nRUN <<E\nid\necho $x\nE\n", 'FROM a\nRUN <<E\nid\necho "$x"\nE\n'),
        ("FROM a\nONBUILD RUN echo $x\n", 'FROM a\nONBUILD RUN echo "$x"\n'),
        ("RUN echo $x\n", 'RUN echo "$x"\n'),
        ("FROM a\nRUN --mount=type=ssh echo $x\n", 'FROM a\nRUN --mount=type=ssh echo "$x"\n'),
    ],
)
def test_places_and_fixes(text: str, mended: str) -> None:
    assert shown(text) == ["$x"]
    (finding,) = seen(text, Found()).findings
    assert (finding.aliases, finding.level, finding.message) == (("SC2086",), "info", "Quote this")
    assert finding.fix is not None and finding.fix.kind == "V"
    assert apply(text, [finding.fix]) == mended


def test_text_that_a_shell_hands_on_is_shown_at_the_whole_instruction() -> None:
    text = "FROM a\nRUN cat <<E > /f\n$x\nE\nRUN <<-E\n\techo $x\nE\n"
    first, second = seen(text, Found()).findings
    assert first.span is None and first.fix is None
    assert second.span is not None and text[second.span.start : second.span.end] == "\techo $x\n"
    assert second.fix is None


@pytest.mark.parametrize(
    ("before", "shell"),
    [
        ("", "sh"),
        ('SHELL ["/bin/bash", "-o", "pipefail", "-c"]\n', "bash"),
        ('SHELL ["/usr/bin/env", "bash", "-c"]\n', "bash"),
        ('SHELL ["/bin/ash", "-c"]\n', "ash"),
        ("# hadolint shell=/bin/bash\n", "bash"),
        ('SHELL ["/bin/bash", "-c"]\n# hadolint shell=dash\n', "dash"),
        ('ONBUILD SHELL ["/bin/bash", "-c"]\n', "sh"),
        ('SHELL ["/bin/zsh", "-c"]\n', ""),
        ('SHELL ["C:\\\\Windows\\\\powershell.exe", "-Command"]\n', ""),
        ("# hadolint shell=pwsh\n", ""),
    ],
)
def test_which_shell(before: str, shell: str) -> None:
    checker = Found()
    seen(f"FROM a\n{before}RUN x\n", checker)
    assert [script.split("\n")[0] for script in checker.scripts] == ([f"#!/bin/{shell}"] if shell else [])


def test_the_shell_is_that_of_the_stage_below() -> None:
    checker = Found()
    text = 'FROM a AS one\nSHELL ["/bin/bash", "-c"]\nFROM one\nRUN x\nFROM a\nRUN x\n'
    seen(text, checker)
    assert [script.split("\n")[0] for script in checker.scripts] == ["#!/bin/bash", "#!/bin/sh"]


def test_a_here_document_names_its_shell() -> None:
    checker = Found()
    seen("FROM a\nRUN <<E\n#!/usr/bin/env bash\nx\nE\nRUN <<E\n#!/usr/bin/python3\nx\nE\n", checker)
    assert [script.split("\n")[0] for script in checker.scripts] == ["#!/bin/bash"]


def test_variables_are_known() -> None:
    checker = Found()
    text = "ARG HEAD\nFROM a AS one\nARG A=1\nENV B=1 'C'=2\nONBUILD ARG D\nRUN x\nONBUILD RUN y\nFROM one\nRUN z\n"
    seen(text, checker)
    known = [{line.split()[1] for line in s.split("\n") if line.startswith("export ")} for s in checker.scripts]
    names = [{name.partition("=")[0] for name in one} - {"PATH"} for one in known]
    assert all("http_proxy" in one and "HEAD" not in one for one in names)
    assert [sorted(one & {"A", "B", "C", "D"}) for one in names] == [["A", "B", "C"], ["D"], ["A", "B", "C"]]


def test_exec_form_and_codes_that_are_off() -> None:
    checker = Found()
    seen('FROM a\nRUN ["echo", "$x"]\nCMD echo $x\n', checker)
    assert checker.scripts == []
    assert seen("FROM a\nRUN echo $x\n", Found(code=1091)).names == []


def test_nobody_is_asked_where_there_is_nobody() -> None:
    assert examine("FROM a\nRUN echo $x\n", rules=RULES).names == []
    assert find_shellcheck({"PATH": ""}) is None or which("shellcheck", path=os.path.dirname(sys.executable))


def test_a_program_that_does_not_answer_is_an_error() -> None:
    for program in ("/bin/true", "/bin/false", "/nowhere/shellcheck"):
        with pytest.raises(KezuriError, match="cannot be asked"):
            ShellcheckProgram(program).check(["#!/bin/sh\n"])


@needed
def test_the_program_is_asked_once_about_everything() -> None:
    assert PROGRAM is not None
    scripts = ["#!/bin/sh\necho $x\n", "#!/bin/sh\ntrue\n", "#!/bin/sh\ncd y\n"] * 200
    answers = PROGRAM.check(scripts)
    assert [sorted(r.code for r in remarks) for remarks in answers[:3]] == [[2086, 2154], [], [2164]]
    assert len(answers) == 600
    text = "FROM a\nRUN cd x && \\\n    rm -rf $x\n"
    assert {f.aliases for f in seen(text, PROGRAM).findings} >= {("SC2086",), ("SC2154",)}
