"""Workflows: who may push an image, when, and under which names."""

import re
from collections.abc import Iterator

from kezuri.check.document import DocumentRule, DocumentSubject, fix_of
from kezuri.check.rule import Example, Finding, Fix
from kezuri.check.rules.workflow_results import permit
from kezuri.check.workflow import Job, Step, Workflow
from kezuri.documents.edits import TextEdit
from kezuri.documents.value import Mapping, Scalar

_HEAD = "on: push\njobs:\n  build:\n    runs-on: ubuntu-latest\n"
_BUILD = (
    "      - uses: docker/build-push-action@v7\n        with:\n          push: true\n          tags: ghcr.io/o/app:1\n"
)
_LOGIN = (
    "      - uses: docker/login-action@v4\n        with:\n          registry: ghcr.io\n"
    "          username: ${{ github.actor }}\n          password: ${{ secrets.GITHUB_TOKEN }}\n"
)
_NAME = ".github/workflows/build.yml"


class PushWithoutLogin(DocumentRule):
    """A push that no registry accepts."""

    name = "PushWithoutLogin"
    summary = "A job that pushes an image must log in first"
    why = (
        "A machine of GitHub's comes without credentials. A push without a login ends in `denied` or `unauthorized` "
        "after the whole build. Only jobs are looked at that use no action which could have logged in."
    )
    japanese = (
        "イメージを push するジョブは先にログインする",
        "GitHub のランナーは認証情報を持っていません。ログインせずに push すると、ビルドが全部終わった後で `denied` や "
        "`unauthorized` になります。ログインしうるアクションを使わないジョブだけを調べます。",
    )
    kinds = ("workflow",)
    bad = Example(f"{_HEAD}    steps:\n{_BUILD}", name=_NAME)
    good = Example(f"{_HEAD}    steps:\n{_LOGIN}{_BUILD}", name=_NAME)

    def look_at(self, document: DocumentSubject) -> Iterator[Finding]:
        for job in document.facts(Workflow).jobs:
            if job.entry is None or not job.hosted or job.value.get("services") is not None:
                continue
            for step in job.steps:
                if step.action != "docker/build-push-action" or not step.is_true("push"):
                    continue
                tags = job.expanded(step.input("tags") or "", step)
                local = re.search(r"(^|[\s,])(localhost|127\.0\.0\.1|ttl\.sh|registry)[:/]", tags)
                if local is None and not any(_may_log_in(other) for other in job.before(step)):
                    message = "this push is refused: nothing in the job has logged in to a registry"
                    yield self.found(document, step.head, message, "put a step of docker/login-action before it")
                break


class PushFromPullRequest(DocumentRule):
    """A pull request that moves a tag which others pull."""

    name = "PushFromPullRequest"
    summary = "A pull request should not push an image under a tag that others pull"
    why = (
        "On `pull_request` the code is not reviewed yet. With `push: true` and a fixed tag, opening one replaces the "
        "image that others pull; from a fork it fails, for there are no secrets. `push: ${{ github.event_name != "
        "'pull_request' }}` builds it without."
    )
    japanese = (
        "プルリクエストから、他の人が pull するタグへ push しない",
        "`pull_request` の時点ではコードはまだレビューされていません。固定タグと `push: true` では、"
        "プルリクエストを開くだけで利用者のイメージが置き換わります（フォークからはシークレットがないので失敗します）。"
        "`push: ${{ github.event_name != 'pull_request' }}` ならビルドだけ行います。",
    )
    kinds = ("workflow",)
    fix_class = "V"
    bad = Example(
        f"on:\n  push:\n    branches: [main]\n  pull_request:\n{_HEAD[9:]}    steps:\n{_LOGIN}{_BUILD}", name=_NAME
    )
    good = Example(bad.text.replace("push: true", "push: ${{ github.event_name != 'pull_request' }}"), name=_NAME)

    def look_at(self, document: DocumentSubject) -> Iterator[Finding]:
        workflow = document.facts(Workflow)
        if "pull_request" not in workflow.triggers:
            return
        trigger = workflow.triggers["pull_request"]
        types = trigger.get("types") if isinstance(trigger, Mapping) else None
        if types is not None and "closed" in document.source.text[types.span.start : types.span.end]:
            return
        for step in workflow.steps:
            if step.action != "docker/build-push-action" or not step.is_true("push"):
                continue
            tags = step.job.expanded(step.input("tags") or "", step)
            fixed = [tag for tag in names(tags) if "${{" not in tag.rpartition("/")[2]]
            if not fixed or re.search(r"github\.|event|ref|inputs\.|outputs\.|env\.|vars\.", step.condition):
                continue
            value = step.given.get("push") if step.given is not None else None
            fix = None
            if isinstance(value, Scalar) and value.style == "plain":
                edit = TextEdit(value.span, "${{ github.event_name != 'pull_request' }}")
                title = "push on other events only"
                fix = fix_of(document, title, (edit,), "V", (f"{step.path}.with.push",))
            message = f"every pull request pushes {fixed[0]}"
            hint = "write push: ${{ github.event_name != 'pull_request' }}"
            yield self.found(document, step.head, message, hint, fix)


class PackagesWriteMissing(DocumentRule):
    """A push to GitHub's registry that its token may not do."""

    name = "PackagesWriteMissing"
    summary = "A job that pushes to ghcr.io with GITHUB_TOKEN needs the permission packages: write"
    why = (
        "Where `permissions` are set, all that are not named are none. The login succeeds with any token; the push is "
        "denied at its end (`denied: installation not allowed to Create organization package`)."
    )
    japanese = (
        "GITHUB_TOKEN で ghcr.io に push するジョブには packages: write 権限が必要",
        "`permissions` を書くと、書かれていない権限はすべて「なし」になります。ログインはどのトークンでも成功し、push "
        "の最後で拒否されます（`denied: installation not allowed to Create organization package`）。",
    )
    kinds = ("workflow",)
    fix_class = "A"
    bad = Example(f"{_HEAD}    permissions:\n      contents: read\n    steps:\n{_LOGIN}{_BUILD}", name=_NAME)
    good = Example(bad.text.replace("contents: read\n", "contents: read\n      packages: write\n"), name=_NAME)

    def look_at(self, document: DocumentSubject) -> Iterator[Finding]:
        for job in document.facts(Workflow).jobs:
            if job.entry is None or job.permission("packages") in (None, "write"):
                continue
            tokens = [step for step in job.steps if _github_token(job, step)]
            step = next((step for step in job.steps if step.may_push), None)
            if step is None or not tokens or tokens[0].number > step.number:
                continue
            given = (other.input(name) or "" for other in job.steps for name in ("tags", "images", "outputs"))
            if "ghcr.io" in job.expanded(" ".join(given)) or any(
                "ghcr.io" in text.original for other in job.steps for text in other.scripts
            ):
                message = "the push to ghcr.io is denied: the job's token lacks packages: write"
                fix = permit(document, step, "packages")
                yield self.found(document, step.head, message, "add packages: write to its permissions", fix)


class NoVersionTag(DocumentRule):
    """An image that only has a name that moves."""

    name = "NoVersionTag"
    summary = "A pushed image should have a tag that says which commit it is"
    why = (
        "Of an image that is only called `latest` nobody can say what is in it, and nobody can go back: the next push "
        "takes its name. A second tag of the commit costs nothing. docker/metadata-action makes it with `type=sha`, "
        "and labels beside it."
    )
    japanese = (
        "push するイメージにはコミットが分かるタグを付ける",
        "`latest` という名前しかないイメージは、中身が何か誰にも分からず、元に戻すこともできません。次の push "
        "が名前を奪うからです。コミットのタグを加えるのに費用はかかりません。docker/metadata-action なら `type=sha` "
        "で作られ、ラベルも付きます。",
    )
    severity = "info"
    kinds = ("workflow",)
    fix_class = "A"
    bad = Example(f"{_HEAD}    steps:\n{_LOGIN}{_BUILD.replace('app:1', 'app:latest')}", name=_NAME)
    good = Example(
        f"{_HEAD}    steps:\n{_LOGIN}{_BUILD.replace('app:1', 'app:latest,ghcr.io/o/app:sha-${{ github.sha }}')}",
        name=_NAME,
    )

    def look_at(self, document: DocumentSubject) -> Iterator[Finding]:
        for step in document.facts(Workflow).steps:
            if step.action != "docker/build-push-action" or not step.may_push or step.given is None:
                continue
            value = step.given.get("tags")
            tags = names(step.job.expanded(step.input("tags") or "", step))
            if not isinstance(value, Scalar) or not tags or not all(_moving(tag) for tag in tags):
                continue
            message = "the image is pushed as latest only: nobody can say which commit it is"
            hint = "add a tag of the commit: NAME:sha-${{ github.sha }}, or type=sha of docker/metadata-action"
            yield self.found(document, value.span, message, hint, _with_commit(document, step, value))


class TagRuleNeverFires(DocumentRule):
    """A rule for tags whose event the workflow does not wait for."""

    name = "TagRuleNeverFires"
    summary = "A rule of docker/metadata-action for versions needs a workflow that starts for tags"
    why = (
        "`type=semver`, `type=pep440` and `type=ref,event=tag` make a name from a git tag. A workflow that starts for "
        "branches only never sees one: no version is ever published, nor `latest`, which follows from it."
    )
    japanese = (
        "docker/metadata-action のバージョン規則を使うなら、タグでもワークフローを起動する",
        "`type=semver`・`type=pep440`・`type=ref,event=tag` は git のタグから名前を作ります。"
        "ブランチだけで起動するワークフローはタグを見ることがなく、バージョンも、それに伴う `latest` "
        "も決して公開されません。",
    )
    severity = "info"
    kinds = ("workflow",)
    whole = True
    bad = Example(
        "on:\n  push:\n    branches: [main]\njobs:\n  build:\n    runs-on: ubuntu-latest\n    steps:\n"
        "      - uses: docker/metadata-action@v6\n        with:\n          images: ghcr.io/o/app\n          tags: |\n"
        "            type=sha\n            type=semver,pattern={{version}}\n",
        name=_NAME,
    )
    good = Example(bad.text.replace("    branches: [main]\n", "    branches: [main]\n    tags: ['v*']\n"), name=_NAME)

    def look_at(self, document: DocumentSubject) -> Iterator[Finding]:
        workflow = document.facts(Workflow)
        push = workflow.triggers.get("push")
        if not workflow.triggers or set(workflow.triggers) - {"push", "pull_request", "schedule"}:
            return
        if "push" in workflow.triggers and not (
            isinstance(push, Mapping) and push.own("branches") and not push.own("tags") and not push.own("tags-ignore")
        ):
            return
        for step in workflow.steps:
            value = step.given.get("tags") if step.given is not None else None
            if step.action != "docker/metadata-action" or not isinstance(value, Scalar):
                continue
            for line in value.text.split("\n"):
                said = line.replace(" ", "")
                version = re.search(r"(^|,)type=(semver|pep440)(,|$)", said) or "type=ref,event=tag" in said
                if version and "value=" not in said:
                    message = f"`{line.strip()}` never makes a tag: the workflow does not start for tags"
                    yield self.found(document, value.span, message, "add tags: ['v*'] to on.push")
                    break


def names(tags: str) -> list[str]:
    """The names in an input that lists them by line or by comma."""
    return [tag.strip() for tag in re.split(r"[\n,]", tags) if tag.strip()]


def _moving(tag: str) -> bool:
    last = tag.rpartition("/")[2]
    if "${{" in tag and "/" not in tag and ":" not in tag:
        return False  # the whole name comes from elsewhere
    name, colon, version = last.partition(":")
    return version == "latest" if colon else "${{" not in name


def _with_commit(document: DocumentSubject, step: Step, value: Scalar) -> Fix | None:
    first = names(value.text)[0]
    name = first.removesuffix(":latest")
    new = f"{name}:sha-${{{{ github.sha }}}}"
    if value.style == "plain":
        edit = TextEdit(value.span, f"{value.text.rstrip(', ')},{new}")
    elif value.style == "literal":
        from kezuri.documents.edits import indentation, newline

        text = document.source.text
        last = text.rfind("\n", 0, value.span.end) + 1
        indent = indentation(document.source, last + len(text[last:]) - len(text[last:].lstrip(" ")))
        edit = TextEdit(value.span._replace(start=value.span.end), f"{newline(document.source)}{indent}{new}")
    else:
        return None
    return fix_of(document, "add a tag of the commit", (edit,), "A", (f"{step.path}.with.tags",))


def _github_token(job: Job, step: Step) -> bool:
    password = step.input("password") or ""
    registry = job.expanded(step.input("registry") or "", step)
    return (
        step.action == "docker/login-action"
        and registry.strip() == "ghcr.io"
        and bool(re.search(r"secrets\.GITHUB_TOKEN|github\.token", password))
    )


def _may_log_in(step: Step) -> bool:
    if step.uses is not None:
        words = ("login", "auth", "ecr", "registry", "gcr", "acr", "gcloud", "credential", "docker-publish", "vault")
        known = ("actions/", "docker/setup-", "docker/metadata", "docker/build-push", "docker/bake")
        return any(word in step.action for word in words) or not step.action.startswith(known)
    return any(re.search(r"login|auth|config\.json|token|registry", text.original) for text in step.scripts)


RULES = (PushWithoutLogin(), PushFromPullRequest(), PackagesWriteMissing(), NoVersionTag(), TagRuleNeverFires())
