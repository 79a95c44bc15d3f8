"""Workflows: whether an image is looked at for known vulnerabilities, and whether anybody learns of them."""

import re
from collections.abc import Iterator

from kezuri.check.document import DocumentRule, DocumentSubject, fix_of
from kezuri.check.rule import Example, Finding, Fix
from kezuri.check.rules.workflow_actions import PINNED
from kezuri.check.workflow import Command, Step, Workflow
from kezuri.diagnostics import Span
from kezuri.documents.edits import insert_after, insert_item
from kezuri.documents.value import Mapping, Scalar, walk

_HEAD = "on: push\njobs:\n  build:\n    runs-on: ubuntu-latest\n"
_BUILD = (
    "      - uses: docker/build-push-action@v7\n        with:\n          push: true\n          tags: ghcr.io/o/app:1\n"
)
_SCAN = "      - uses: aquasecurity/trivy-action@57a97c7e7821a5776cebc9bb87c984fa69cba8f1 # 0.35.0\n        with:\n"
_NAME = ".github/workflows/build.yml"


class ImageNotScanned(DocumentRule):
    """A workflow that pushes what nobody looked at."""

    name = "ImageNotScanned"
    summary = "A workflow that pushes an image should scan it for known vulnerabilities"
    why = (
        "Most of what is vulnerable in an image came with its base and its packages, and is known by the time of the "
        "build. A step of Trivy, Grype or Docker Scout finds it before others do. A registry that scans, or a scan by "
        "schedule, does as well: that is not to be seen in this file, which is why this is no warning."
    )
    japanese = (
        "イメージを push するワークフローでは既知の脆弱性をスキャンする",
        "イメージの脆弱性の多くはベースとパッケージに由来し、ビルドの時点ですでに知られています。Trivy・Grype・Docker "
        "Scout のステップがあれば、他人より先に見つけられます。レジストリ側のスキャンや定期スキャンでも構いませんが、"
        "それはこのファイルからは分からないので警告にはしません。",
    )
    severity = "info"
    kinds = ("workflow",)
    whole = True
    fix_class = "A"
    bad = Example(f"{_HEAD}    steps:\n{_BUILD}", name=_NAME)
    good = Example(
        f"{_HEAD}    steps:\n{_BUILD}{_SCAN}          image-ref: ghcr.io/o/app:1\n          exit-code: '1'\n",
        name=_NAME,
    )

    def look_at(self, document: DocumentSubject) -> Iterator[Finding]:
        workflow = document.facts(Workflow)
        if any(step.scans for step in workflow.steps) or any(_scanner(job.value) for job in workflow.jobs):
            return
        for step in workflow.steps:
            if step.may_push:
                message = "nothing looks for known vulnerabilities in the image that is pushed here"
                hint = "add a step that scans it and fails: trivy image --exit-code 1, grype --fail-on high"
                yield self.found(document, step.head, message, hint, _scan_step(document, step))
                return


class ScannedTagDiffers(DocumentRule):
    """A scan of a name that the image was not given."""

    name = "ScannedTagDiffers"
    summary = "The name that is scanned must be one that the image was given"
    why = (
        "`type=sha` of docker/metadata-action makes a tag of the first seven characters of the commit (`sha-860c190`). "
        "`sha-${{ github.sha }}` has all forty: no image is called so, and the step fails, or scans nothing. Either "
        "ask for `type=sha,format=long`, or take the name from the step's outputs."
    )
    japanese = (
        "スキャンする名前は、イメージに実際に付けた名前にする",
        "docker/metadata-action の `type=sha` はコミットの先頭 7 文字のタグ（`sha-860c190`）を作ります。`sha-${{ "
        "github.sha }}` は 40 文字なので、その名前のイメージは存在せず、ステップは失敗するか何もスキャンしません。"
        "`type=sha,format=long` にするか、ステップの出力から名前を取ってください。",
    )
    kinds = ("workflow",)
    fix_class = "A"
    bad = Example(
        f"{_HEAD}    steps:\n      - uses: docker/metadata-action@v6\n        id: meta\n        with:\n"
        "          images: ghcr.io/o/app\n          tags: |\n            type=sha,prefix=sha-\n"
        "            type=ref,event=branch\n"
        f"{_SCAN}          image-ref: ghcr.io/o/app:sha-${{{{ github.sha }}}}\n",
        name=_NAME,
    )
    good = Example(bad.text.replace("prefix=sha-\n", "prefix=sha-,format=long\n"), name=_NAME)

    def look_at(self, document: DocumentSubject) -> Iterator[Finding]:
        for job in document.facts(Workflow).jobs:
            metas = [step for step in job.steps if step.action == "docker/metadata-action"]
            tags = [(step, line) for step in metas for line in (step.input("tags") or "").split("\n")]
            rules = [(step, dict(_pairs(line))) for step, line in tags if _kind(line) == "sha"]
            if not rules or any("github.sha" in line for _, line in tags):
                continue
            if any("prefix=" in (s.input("flavor") or "") for s in metas) or "DOCKER_METADATA" in str(
                job.environment()
            ):
                continue
            long = {rule.get("prefix", "sha-") for _, rule in rules if rule.get("format") == "long"}
            short = {rule.get("prefix", "sha-") for _, rule in rules if rule.get("format", "short") == "short"}
            for prefix in short - long:
                if "{{" in prefix:
                    continue
                form = re.compile(rf":{re.escape(prefix)}\$\{{\{{\s*github\.sha\s*\}}\}}(?![\w.-])")
                made = [s for s in job.steps if s.builds or s.may_push or any(s.calls("docker", "crane", "skopeo"))]
                if any(form.search(text.text) for s in made for text in _texts(s)):
                    continue
                yield from self._scans(document, job.steps, form, metas[0], prefix)

    def _scans(
        self, document: DocumentSubject, steps: tuple[Step, ...], form: re.Pattern[str], meta: Step, prefix: str
    ) -> Iterator[Finding]:
        for step in steps:
            if step.number <= meta.number or not step.scans:
                continue
            for scalar in _texts(step):
                if form.search(scalar.text):
                    shown = f"{prefix}${{{{ github.sha }}}}"
                    message = f"no image is called {shown}: type=sha makes a tag of seven characters"
                    hint = (
                        "write type=sha,format=long in the step that makes the tags, or take the name from its outputs"
                    )
                    yield self.found(document, scalar.span, message, hint, _long_sha(document, meta))


class ScanAfterPush(DocumentRule):
    """A scan that comes when everybody has the image already."""

    name = "ScanAfterPush"
    summary = "An image should be scanned before it is pushed"
    why = (
        "What is pushed under a tag that others pull is deployed when the scan of it fails. Build it with `load: true` "
        "(or into an OCI layout), scan that, and push it afterwards: with the build's cache the second build costs "
        "seconds. Where only a tag of the commit is pushed, and the tag that others pull is moved later, all is well."
    )
    japanese = (
        "イメージは push の前にスキャンする",
        "他の人が pull するタグで push してしまうと、スキャンが失敗した時にはもう配備されています。`load: "
        "true`（または OCI レイアウト）でビルドしてスキャンし、その後で push してください。"
        "キャッシュがあれば二度目のビルドは数秒です。コミットのタグだけを push し、"
        "利用者向けのタグを後から動かす場合は問題ありません。",
    )
    severity = "info"
    kinds = ("workflow",)
    bad = Example(ImageNotScanned.good.text, name=_NAME)
    good = Example(
        f"{_HEAD}    steps:\n      - uses: docker/build-push-action@v7\n        with:\n          load: true\n"
        f"          tags: app:test\n{_SCAN}          image-ref: app:test\n          exit-code: '1'\n{_BUILD}",
        name=_NAME,
    )

    def look_at(self, document: DocumentSubject) -> Iterator[Finding]:
        for job in document.facts(Workflow).jobs:
            pushes = [step for step in job.steps if step.pushes]
            scans = [step for step in job.steps if step.scans and _of_image(step)]
            if pushes and scans and scans[0].number > pushes[0].number:
                line = document.source.position(pushes[0].head.start)[0]
                message = f"the scan comes after the push in line {line}: what it finds is public already"
                yield self.found(document, scans[0].head, message, "build with load: true, scan, then push")


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
                at = _trivy(found)
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


def _scan_step(document: DocumentSubject, step: Step) -> Fix | None:
    tags = (step.input("tags") or "").strip()
    found = re.fullmatch(r"\$\{\{\s*steps\.(\w[\w-]*)\.outputs\.tags\s*\}\}", tags)
    if step.job.sequence is None or step.uses is None or not tags:
        return None
    if found is not None:
        image = f"${{{{ fromJSON(steps.{found[1]}.outputs.json).tags[0] }}}}"
    else:
        image = re.split(r"[\n,]", tags)[0].strip()
        if image != tags and "${{" in image and image.count("${{") != image.count("}}"):
            return None
    if step.input("platforms") is not None and "," in (step.input("platforms") or "") and not step.pushes:
        return None
    commit, release = PINNED["aquasecurity/trivy-action"]
    lines = ["name: Scan the image", f"uses: aquasecurity/trivy-action@{commit} # {release}"]
    condition = step.value.text("if")
    given = step.input("push") or ""
    if "${{" in given:
        condition = given.strip() if condition is None else None
    if condition is not None and not condition.isprintable():
        return None
    if condition is not None:
        lines.insert(1, f"if: {condition}")
    lines += [
        "with:",
        f"  image-ref: {image}",
        "  exit-code: '1'",
        "  ignore-unfixed: true",
        "  severity: CRITICAL,HIGH",
    ]
    edit = insert_item(document.source, step.job.sequence, step.item, tuple(lines))
    return fix_of(document, "add a step that scans it", (edit,), "A", (step.job.path,))


def _failing(document: DocumentSubject, step: Step, found: Command, at: int) -> Fix | None:
    from kezuri.documents.edits import TextEdit

    word = next((word for word in found.command.words[at:] if word.loose == "image"), None)
    if word is None or not found.text.lines.exact:
        return None
    end = found.span(word.span).end
    edit = TextEdit(Span(end, end), " --exit-code 1")
    return fix_of(document, "let it fail the job", (edit,), "V", (step.path,))


def _long_sha(document: DocumentSubject, meta: Step) -> Fix | None:
    from kezuri.documents.edits import TextEdit
    from kezuri.documents.value import Lines

    value = meta.given.get("tags") if meta.given is not None else None
    if not isinstance(value, Scalar):
        return None
    lines, at = Lines(document.source, value), 0
    for line in value.text.split("\n"):
        if _kind(line) == "sha" and "format=" not in line and lines.exact:
            end = lines.span(Span(at, at + len(line.rstrip()))).end
            edit = TextEdit(Span(end, end), ",format=long")
            return fix_of(document, "make tags of the whole commit", (edit,), "A", (f"{meta.path}.with.tags",))
        at += len(line) + 1
    return None


def _pairs(line: str) -> Iterator[tuple[str, str]]:
    for part in line.split(","):
        key, _, value = part.partition("=")
        yield key.strip().lower(), value.strip()


def _kind(line: str) -> str:
    return next((value for key, value in _pairs(line) if key == "type"), "")


def _texts(step: Step) -> Iterator[Scalar]:
    for value in walk(step.value):
        if isinstance(value, Scalar):
            yield value


def _of_image(step: Step) -> bool:
    if step.uses is None:
        return any(_trivy(found) is not None or found.command.program == "grype" for found in step.commands)
    kind = step.input("scan-type") or "image"
    return step.action.startswith(("aquasecurity/trivy", "anchore/scan", "docker/scout")) and kind == "image"


def _scanner(job: Mapping) -> bool:
    """Whether a job is a call of a reusable workflow that scans, by its name."""
    uses = (job.text("uses") or "").lower()
    return any(word in uses for word in ("scan", "trivy", "grype", "security"))


def _prints_only(step: Step) -> bool:
    given = (step.input("exit-code") or "0").strip()
    form = (step.input("format") or "table").strip()
    image = (step.input("scan-type") or "image") == "image"
    return image and given == "0" and form == "table" and not step.input("output") and not step.input("trivy-config")


def _trivy(found: Command) -> int | None:
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


RULES = (ImageNotScanned(), ScannedTagDiffers(), ScanAfterPush(), ScanNeverFails(), SarifUploadNotPermitted())
