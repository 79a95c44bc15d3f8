"""`kezuri check --fix`, as it is typed: what is written, what is refused, and that everything else stays."""

import io
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.app.app_fixes import Replaces

from kezuri.app.fixing import Fixer, FixRequest
from kezuri.check import catalogue
from kezuri.check.document import DocumentSubject
from kezuri.check.rule import Edit, Finding, Fix, NewFile, Rule
from kezuri.check.subject import Subject
from kezuri.cli.console import Console
from kezuri.cli.main import call
from kezuri.diagnostics import SourceText, Span

Kezuri = Callable[..., tuple[int, str, str]]
LEGACY = "FROM scratch\nENV A b\n"
MENDED = "FROM scratch\nENV A=b\n"
RULE = ("--rule", "LegacyKeyValueFormat")


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "context"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


@pytest.fixture
def kezuri(tmp_path: Path, directory: Path) -> Kezuri:
    def run(*argv: str, text: str | None = LEGACY, **environ: str) -> tuple[int, str, str]:
        if text is not None:
            (directory / "Dockerfile").write_bytes(text.encode())
        out, err = io.StringIO(), io.StringIO()
        environ = {"HOME": str(tmp_path), "KEZURI_ROOT": str(tmp_path / "root"), **environ}
        return call(("check", *argv), Console(out, err, environ)), out.getvalue(), err.getvalue()

    return run


def ruled(monkeypatch: pytest.MonkeyPatch, *rules: Rule) -> None:
    """From now on these are all rules there are."""
    monkeypatch.setattr("kezuri.check.sheets.dockerfile_rules", lambda: rules)
    monkeypatch.setattr("kezuri.check.catalogue.every_rule", lambda: rules)
    catalogue.by_name.cache_clear()


def test_what_is_mended_is_said_with_its_proof(kezuri: Kezuri, directory: Path) -> None:
    code, out, err = kezuri(*RULE, "--fix")
    assert (directory / "Dockerfile").read_text() == MENDED
    assert (code, out) == (0, "1 file checked: nothing found\n")
    assert err == "Dockerfile:2: LegacyKeyValueFormat: mended: write `ENV A=b` (the plan is the same)\n"
    assert os.listdir(directory) == ["Dockerfile"]


def test_a_second_run_changes_nothing(kezuri: Kezuri, directory: Path) -> None:
    kezuri(*RULE, "--fix")
    before = (directory / "Dockerfile").stat()
    assert kezuri(*RULE, "--fix", text=None) == (0, "1 file checked: nothing found\n", "")
    after = (directory / "Dockerfile").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_a_diff_is_shown_and_nothing_is_written(kezuri: Kezuri, directory: Path) -> None:
    code, out, err = kezuri(*RULE, "--diff")
    assert (directory / "Dockerfile").read_text() == LEGACY
    assert code == 1 and "would be mended" in err
    assert out == "--- a/Dockerfile\n+++ b/Dockerfile\n@@ -1,2 +1,2 @@\n FROM scratch\n-ENV A b\n+ENV A=b\n"
    assert kezuri(*RULE, "--diff", text=MENDED)[:2] == (0, "")


@pytest.mark.parametrize("argv", [("--diff",), ("--fix",), ("--fix", "--diff")])
def test_what_cannot_be_read_is_told(kezuri: Kezuri, argv: tuple[str, ...]) -> None:
    code, _, err = kezuri(*argv, *RULE, "Dockerfile", "gone")
    assert code == 1 and "there is no file gone" in err


def test_of_standard_input_the_result_is_printed(kezuri: Kezuri, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stdin:
        buffer = io.BytesIO(LEGACY.encode())

        def fileno(self) -> int:
            raise io.UnsupportedOperation

    monkeypatch.setattr("sys.stdin", Stdin())
    code, out, err = kezuri(*RULE, "--fix", "-")
    assert (code, out) == (0, MENDED) and "mended" in err


@pytest.mark.parametrize("text", [LEGACY.replace("\n", "\r\n"), "\ufeff" + LEGACY, LEGACY + "#\tno newline  \n\n\n# é"])
def test_all_other_bytes_stay(kezuri: Kezuri, directory: Path, text: str) -> None:
    kezuri(*RULE, "--fix", text=text)
    assert (directory / "Dockerfile").read_bytes() == text.replace("A b", "A=b").encode()


def test_a_link_stays_one_and_the_mode_too(kezuri: Kezuri, directory: Path) -> None:
    (directory / "real").write_text(LEGACY)
    (directory / "real").chmod(0o640)
    (directory / "Dockerfile").symlink_to("real")
    assert kezuri(*RULE, "--fix", text=None)[0] == 0
    assert (directory / "Dockerfile").is_symlink() and (directory / "real").read_text() == MENDED
    assert stat.S_IMODE((directory / "real").stat().st_mode) == 0o640


def test_a_pipe_is_not_replaced(kezuri: Kezuri, directory: Path) -> None:
    (directory / "Dockerfile").symlink_to("/dev/null")
    code, _, err = kezuri(*RULE, "--fix", "Dockerfile", text=None)
    assert code == 1 and "no regular file" in err


def test_a_fix_that_lies_is_refused_at_its_place(
    kezuri: Kezuri, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ruled(monkeypatch, Replaces("ENV A b", "ENV A=c"))
    code, _, err = kezuri("--fix")
    assert code == 1 and (directory / "Dockerfile").read_text() == LEGACY
    assert "not mended: it changes what it does not say: config.Env A" in err and "b → c" in err


def test_a_file_that_changes_meanwhile_is_left_alone(
    kezuri: Kezuri, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Meddles(Replaces):
        """Somebody else writes the file while it is checked."""

        def look(self, subject: Subject) -> Iterator[Finding]:
            (directory / "Dockerfile").write_text("FROM scratch\nENV A somebody else\n")
            return super().look(subject)

    ruled(monkeypatch, Meddles("ENV A b", "ENV A=b"))
    code, _, err = kezuri("--fix")
    assert code == 1 and "has changed while it was checked" in err
    assert (directory / "Dockerfile").read_text() == "FROM scratch\nENV A somebody else\n"


COMPOSE = "# mine\r\nversion: '3'\r\nservices:\r\n  a:   {image: b}  # kept\r\n"


def test_another_document_is_mended_as_a_reader_gets_it(kezuri: Kezuri, directory: Path) -> None:
    (directory / "compose.yaml").write_bytes(COMPOSE.encode())
    _, _, err = kezuri("--rule", "ObsoleteComposeVersion", "--fix", "compose.yaml", text=None)
    assert (directory / "compose.yaml").read_bytes() == COMPOSE.replace("version: '3'\r\n", "").encode()
    assert "a reader gets the same of it but for version" in err


def test_what_a_document_becomes_must_be_declared(
    kezuri: Kezuri, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kezuri.check.rules.compose_files import ObsoleteComposeVersion

    class Lies(ObsoleteComposeVersion):
        """It takes the services along."""

        def look_at(self, document: DocumentSubject) -> Iterator[Finding]:
            for finding in super().look_at(document):
                everything = Edit(Span(0, len(document.source.text)), "services: {}\n", document.source)
                yield finding._replace(fix=Fix("clear it", (everything,), changes=frozenset(("version",))))

    rules = (Lies(),)
    monkeypatch.setattr("kezuri.check.document_sheets.document_rules", lambda: rules)
    (directory / "compose.yaml").write_text(COMPOSE)
    code, _, err = kezuri("--fix", "compose.yaml", text=None)
    assert "it changes what it does not say: services.a" in err and code in (0, 1)
    assert (directory / "compose.yaml").read_text() == COMPOSE.replace("\r\n", "\n")


class Several(Replaces):
    """A fix of class V that edits another file and makes one; it is always believed here."""

    def look(self, subject: Subject) -> Iterator[Finding]:
        for finding in super().look(subject):
            assert finding.fix is not None and subject.surroundings is not None
            other = subject.surroundings.read("other") or ""
            edits = (*finding.fix.edits, Edit(Span(0, len(other)), "new\n", SourceText("other", other)))
            yield finding._replace(fix=Fix("mend all", edits, "V", files=(NewFile("made", "made\n"),)))


class Believes:
    """A prover that believes everything."""

    def prove(self, *_: object) -> object:
        from kezuri.check.mending import Verdict

        return Verdict(proved=("believed",))


@pytest.fixture
def several(monkeypatch: pytest.MonkeyPatch, directory: Path) -> Path:
    ruled(monkeypatch, Several("ENV A b", "ENV A=b"))
    monkeypatch.setattr("kezuri.app.fixing.PlanProver", lambda *_: Believes())
    monkeypatch.setattr("kezuri.app.fixing._ByClass", lambda *_: Believes())
    (directory / "other").write_bytes(b"old\n")
    return directory


def test_several_files_are_written_in_one_transaction(kezuri: Kezuri, several: Path) -> None:
    assert kezuri("--fix=proved")[0] == 0
    assert {p.name: p.read_text() for p in several.iterdir()} == {
        "Dockerfile": MENDED,
        "other": "new\n",
        "made": "made\n",
    }


def test_where_one_of_several_cannot_be_written_none_is(kezuri: Kezuri, several: Path) -> None:
    (several / "made").symlink_to("somewhere")
    code, _, err = kezuri("--fix=proved")
    assert code == 1 and "made has been made meanwhile" in err
    assert (several / "Dockerfile").read_text() == LEGACY and (several / "other").read_text() == "old\n"


def test_a_diff_shows_all_of_them(kezuri: Kezuri, several: Path) -> None:
    out = kezuri("--fix=proved", "--diff")[1]
    assert "--- a/Dockerfile\n" in out and "--- a/other\n" in out and "--- /dev/null\n+++ b/made\n" in out
    assert sorted(os.listdir(several)) == ["Dockerfile", "other"]


def test_class_v_is_left_alone_unless_it_is_asked_for(kezuri: Kezuri, several: Path) -> None:
    kezuri("--fix")
    assert (several / "Dockerfile").read_text() == LEGACY


@pytest.mark.parametrize("said", ["--fix=prooved", "--fix=no", "--fix="])
def test_other_words_are_not_understood(kezuri: Kezuri, said: str) -> None:
    code, _, err = kezuri(said)
    assert code == 2 and "--fix" in err


def test_every_rule_declares_words_that_mean_something() -> None:
    """Of the fixes of the bad examples; the others are refused when they are tried."""
    from tests.check.check_dockerfiles import examine

    from kezuri.check.catalogue import every_rule
    from kezuri.proof.vocabulary import unknown

    for rule in every_rule():
        if isinstance(rule, Rule) and rule.bad.name == "Dockerfile":
            example = rule.bad
            seen = examine(
                example.text, ignore=example.ignore, base=example.base, rules=(rule,), files=example.files, beyond=True
            )
            for finding in seen.findings:
                assert finding.fix is None or unknown(finding.fix.changes) == (), rule.name


def _process(*argv: str, output: int | None, cwd: Path) -> "subprocess.CompletedProcess[bytes]":
    """`kezuri check` as a process in a locale without Japanese; standard output is closed where `output` is None."""
    closing = "" if output is not None else " >&-"
    return subprocess.run(
        ["/bin/sh", "-c", f'exec "$@"{closing}', "sh", sys.executable, "-m", "kezuri", "check", *argv],
        input=b"FROM scratch\nENV A \xff\xe3\x81\x82\n",
        stdout=output,
        stderr=subprocess.PIPE,
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), "LC_ALL": "C", "HOME": str(cwd)},
        check=False,
    )


def test_bytes_that_are_no_text_arrive_as_they_are(directory: Path) -> None:
    mended = b"ENV A=\xff\xe3\x81\x82\n"
    assert _process(*RULE, "--fix", "-", output=subprocess.PIPE, cwd=directory).stdout == b"FROM scratch\n" + mended
    (directory / "Dockerfile").write_bytes(b"FROM scratch\nENV A \xff\xe3\x81\x82\n")
    assert b"\n+" + mended in _process(*RULE, "--diff", output=subprocess.PIPE, cwd=directory).stdout


def test_a_mended_text_that_nobody_takes_is_an_error(directory: Path) -> None:
    done = _process(*RULE, "--fix", "-", output=None, cwd=directory)
    assert done.returncode == 125 and b"standard output is closed" in done.stderr


def test_proofs_build_with_what_is_given_for_builds(kezuri: Kezuri, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[FixRequest] = []

    class Noting(Fixer):
        def __init__(self, request: FixRequest, *rest: Any) -> None:
            asked.append(request)
            super().__init__(request, *rest)

    monkeypatch.setattr("kezuri.app.fixing.Fixer", Noting)
    given = ("--secret", "id=k,src=key", "--build-context", "base=oci-layout://bases", "--build-arg", "A=1")
    kezuri("--fix=proved", *given)
    (build,) = (request.build for request in asked)
    assert [secret.id for secret in build.secrets] == ["k"] and build.build_args == (("A", "1"),)
    assert build.build_contexts == (("base", "oci-layout://bases"),)
    code, _, err = kezuri("--fix=proved", "--secret", "id=k,src=-")
    assert code == 2 and "a proof builds more than once" in err
