"""Workflows: whether an image is looked at for known vulnerabilities, and whether anybody learns of them."""

import re
from collections.abc import Iterator

from kezuri.check.document import DocumentRule, DocumentSubject, fix_of
from kezuri.check.rule import Example, Finding, Fix
from kezuri.check.rules.workflow_actions import PINNED
from kezuri.check.rules.workflow_results import trivy_words
from kezuri.check.workflow import Step, Workflow
from kezuri.diagnostics import Span
from kezuri.documents.edits import insert_item
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
        return any(trivy_words(found) is not None or found.command.program == "grype" for found in step.commands)
    kind = step.input("scan-type") or "image"
    return step.action.startswith(("aquasecurity/trivy", "anchore/scan", "docker/scout")) and kind == "image"


def _scanner(job: Mapping) -> bool:
    """Whether a job is a call of a reusable workflow that scans, by its name."""
    uses = (job.text("uses") or "").lower()
    return any(word in uses for word in ("scan", "trivy", "grype", "security"))


RULES = (ImageNotScanned(), ScannedTagDiffers(), ScanAfterPush())
