"""Workflows: who learns of what a scan finds."""

from collections.abc import Iterator

from kezuri.check.document import DocumentRule, DocumentSubject, fix_of
from kezuri.check.rule import Example, Finding, Fix
from kezuri.check.workflow import Command, Step, Workflow
from kezuri.diagnostics import Span
from kezuri.documents.edits import TextEdit, insert_after
from kezuri.documents.value import Mapping


class ScanNeverFails(DocumentRule):
    """A scan whose findings end in a log."""

    name = "ScanNeverFails"
    summary = "A scan should fail the job, or hand on what it finds"
    why = (
        "`trivy image` ends with 0 whatever it finds, unless `--exit-code 1` says otherwise. A table in the log of a "
        "green job is read by nobody. Let it fail for what matters (`--severity CRITICAL,HIGH --ignore-unfixed`), or "
        "write SARIF and upload it."
    )
    japanese = (
        "スキャンはジョブを失敗させるか、結果を引き渡す",
        "`trivy image` は `--exit-code 1` がない限り、何を見つけても終了コード 0 で終わります。"
        "緑のジョブのログにある表は誰も読みません。重要なもの（`--severity CRITICAL,HIGH "
        "--ignore-unfixed`）では失敗させるか、SARIF を出力してアップロードしてください。",
    )
    kinds = ("workflow", "gitlab")
    fix_class = "V"
    bad = Example("- run: |\n    docker build -t app:1 .\n    trivy image app:1\n", name="steps.yml")
    good = Example("- run: |\n    docker build -t app:1 .\n    trivy image --exit-code 1 app:1\n", name="steps.yml")

    def look_at(self, document: DocumentSubject) -> Iterator[Finding]:
        hint = "let it fail: --exit-code 1, with --severity and --ignore-unfixed for what shall count"
        for step in document.facts(Workflow).steps:
            environment = step.job.environment(step)
            if any(
                name.startswith(("TRIVY_EXIT", "TRIVY_FORMAT", "TRIVY_OUTPUT", "TRIVY_CONFIG")) for name in environment
            ):
                continue
            if step.action == "aquasecurity/trivy-action" and _prints_only(step):
                message = "the scan never fails the job, and what it finds stands in its log only"
                action = "exit-code: '1' fails the job; format: sarif with output hands it to GitHub"
                fix = None
                if step.given is not None and step.given.entries and step.given.own("exit-code") is None:
                    lines = ("exit-code: '1'",)
                    edit = insert_after(document.source, step.given, step.given.entries[-1], lines)
                    fix = fix_of(document, "let it fail the job", (edit,), "V", (f"{step.path}.with.exit-code",))
                yield self.found(document, step.head, message, action, fix)
            for found in step.commands:
                at = trivy_words(found)
                if at is None or found.command.pipeline in _piped(step, found) or found.command.redirects:
                    continue
                words = [word.loose for word in found.command.words[at:]]
                told = ("--exit-code", "-o", "--output", "-f", "--format", "-t", "--template", "--config", "-c")
                if "image" not in words or any(word.split("=")[0] in told for word in words):
                    continue
                if "TRIVY_" in found.text.original or found.command.follows == "||" or "--download-db-only" in words:
                    continue
                message = "the scan never fails the job, and what it finds stands in its log only"
                yield self.found(document, found.span(), message, hint, _failing(document, step, found, at))


class SarifUploadNotPermitted(DocumentRule):
    """An upload of findings that GitHub refuses."""

    name = "SarifUploadNotPermitted"
    summary = "A job that uploads SARIF needs the permission security-events: write"
    why = (
        "Where `permissions` are set, all that are not named are none. `upload-sarif` is refused then "
        '("Resource not accessible by integration"): the scan ran and nobody sees what it found.'
    )
    japanese = (
        "SARIF をアップロードするジョブには security-events: write 権限が必要",
        "`permissions` を書くと、書かれていない権限はすべて「なし」になります。すると `upload-sarif` "
        "は拒否され（「Resource not accessible by integration」）、スキャンは走ったのに結果は誰にも見えません。",
    )
    kinds = ("workflow",)
    fix_class = "A"
    bad = Example(
        "on: push\njobs:\n  scan:\n    runs-on: ubuntu-latest\n    permissions:\n      contents: read\n    steps:\n"
        "      - uses: github/codeql-action/upload-sarif@v4\n        with:\n          sarif_file: trivy.sarif\n",
        name=".github/workflows/scan.yml",
    )
    good = Example(
        bad.text.replace("contents: read\n", "contents: read\n      security-events: write\n"), name=bad.name
    )

    def look_at(self, document: DocumentSubject) -> Iterator[Finding]:
        for step in document.facts(Workflow).steps:
            if step.action != "github/codeql-action/upload-sarif" or step.input("token"):
                continue
            if step.job.permission("security-events") not in (None, "write"):
                message = "the job may not upload what it found: it lacks security-events: write"
                fix = permit(document, step, "security-events")
                yield self.found(document, step.head, message, "add security-events: write to its permissions", fix)


def permit(document: DocumentSubject, step: Step, name: str) -> Fix | None:
    """A fix that lets the token of the step's job write what `name` says."""
    job = step.job
    own = job.value.get("permissions")
    value = own if own is not None else job.workflow.root.get("permissions")
    if not isinstance(value, Mapping) or not value.entries or value.own(name):
        return None
    edit = insert_after(document.source, value, value.entries[-1], (f"{name}: write",))
    where = f"jobs.{job.name}.permissions" if own is not None else "permissions"
    return fix_of(document, f"add {name}: write", (edit,), "A", (f"{where}.{name}",))


def _failing(document: DocumentSubject, step: Step, found: Command, at: int) -> Fix | None:
    word = next((word for word in found.command.words[at:] if word.loose == "image"), None)
    if word is None or not found.text.lines.exact:
        return None
    end = found.span(word.span).end
    edit = TextEdit(Span(end, end), " --exit-code 1")
    return fix_of(document, "let it fail the job", (edit,), "V", (step.path,))


def _prints_only(step: Step) -> bool:
    """Whether an image is scanned and nothing is said of what happens then: a written exit code of 0 is meant."""
    form = (step.input("format") or "table").strip()
    image = (step.input("scan-type") or "image") == "image"
    told = any(step.input(name) for name in ("exit-code", "output", "trivy-config"))
    return image and form == "table" and not told


def trivy_words(found: Command) -> int | None:
    """The number of the word behind `trivy`, run by itself or in its image; None for other commands."""
    command = found.command
    if command.program == "trivy":
        return 1
    if command.program in ("docker", "podman") and command.plain[:1] == ("run",):
        for number, word in enumerate(command.words):
            name = word.loose.partition("@")[0].rpartition("/")[2].partition(":")[0]
            if name == "trivy" and not word.loose.startswith("-") and "=" not in word.loose:
                return number + 1
    return None


def _piped(step: Step, found: Command) -> set[int]:
    """The pipelines of more than one command in the command's script."""
    numbers = [other.command.pipeline for other in step.commands if other.text is found.text]
    return {number for number in numbers if numbers.count(number) > 1}


RULES = (ScanNeverFails(), SarifUploadNotPermitted())
