"""Workflows: which version of an action is used."""

from collections.abc import Iterator

from kezuri.check.document import DocumentRule, DocumentSubject, fix_of
from kezuri.check.rule import Example, Finding
from kezuri.check.workflow import Workflow

_BRANCHES = frozenset(("master", "main", "head", "develop", "dev", "trunk"))

_BY_BRANCH = frozenset(("dtolnay/rust-toolchain",))
"""Actions whose own documentation names a branch: what it does is said by an input."""

NEWEST = {
    "docker/build-push-action": 7,
    "docker/setup-buildx-action": 4,
    "docker/setup-qemu-action": 4,
    "docker/login-action": 4,
    "docker/metadata-action": 6,
    "docker/bake-action": 7,
    "github/codeql-action/upload-sarif": 4,
}
"""The newest major versions of actions that build, push and report, as of autumn 2026."""

_ENDED = {
    "actions/upload-artifact": (3, "GitHub stopped serving it in January 2025"),
    "actions/download-artifact": (3, "GitHub stopped serving it in January 2025"),
    "actions/cache": (2, "GitHub stopped serving it in March 2025"),
}
"""Major versions up to which an action fails whatever is asked of it, and why."""

PINNED = {"aquasecurity/trivy-action": ("57a97c7e7821a5776cebc9bb87c984fa69cba8f1", "0.35.0")}
"""Commits that are known by their release."""


class ActionFollowsBranch(DocumentRule):
    """An action that is what its branch is today."""

    name = "ActionFollowsBranch"
    summary = "An action should be named by a release or a commit, not by a branch"
    why = (
        "`@master` runs whatever its owners, or whoever got into their repository, pushed last, with the secrets and "
        "the token of the job. In March 2026 the tags of `aquasecurity/trivy-action` were moved to code that stole "
        "them (GHSA-69fq-xp46-6x23): a commit (`@57a97c7e… # 0.35.0`) cannot be moved, and Dependabot and Renovate "
        "raise it with the comment. A tag is worth less than a commit and more than a branch; this rule says nothing "
        "of tags."
    )
    japanese = (
        "アクションはブランチではなくリリースかコミットで指定する",
        "`@master` は、所有者（あるいはリポジトリに侵入した誰か）が最後に push したものを、"
        "ジョブのシークレットとトークンを持たせたまま実行します。2026 年 3 月には `aquasecurity/trivy-action` "
        "のタグが、それらを盗むコードへ付け替えられました（GHSA-69fq-xp46-6x23）。コミット（`@57a97c7e… # "
        "0.35.0`）は付け替えられず、Dependabot や Renovate がコメントごと更新してくれます。タグはコミットより弱く、"
        "ブランチよりは確かです。このルールはタグについては何も言いません。",
    )
    kinds = ("workflow",)
    fix_class = "D"
    bad = Example(
        "on: push\njobs:\n  scan:\n    runs-on: ubuntu-latest\n    steps:\n"
        "      - uses: aquasecurity/trivy-action@master\n        with:\n          image-ref: app:1\n",
        name=".github/workflows/scan.yml",
    )
    good = Example(
        "on: push\njobs:\n  scan:\n    runs-on: ubuntu-latest\n    steps:\n"
        "      - uses: aquasecurity/trivy-action@57a97c7e7821a5776cebc9bb87c984fa69cba8f1 # 0.35.0\n"
        "        with:\n          image-ref: app:1\n",
        name=".github/workflows/scan.yml",
    )

    def look_at(self, document: DocumentSubject) -> Iterator[Finding]:
        workflow = document.facts(Workflow)
        if not workflow.of_images:
            return
        for step in workflow.steps:
            if step.uses is None or step.ref.lower() not in _BRANCHES or step.action in _BY_BRANCH:
                continue
            written = step.uses.text.partition("@")[0]
            fix = None
            if step.action in PINNED and step.uses.style == "plain":
                from kezuri.documents.edits import TextEdit

                commit, release = PINNED[step.action]
                edit = TextEdit(step.uses.span, f"{written}@{commit} # {release}")
                fix = fix_of(document, f"use {release} by its commit", (edit,), "D", (f"{step.path}.uses",))
            message = f"{written}@{step.ref} follows a branch: what it does can change any day"
            hint = "name a commit, with its release as a comment: it cannot be moved"
            yield self.found(document, step.uses.span, message, hint, fix)


class OutdatedAction(DocumentRule):
    """An action of a major version that others have replaced."""

    name = "OutdatedAction"
    summary = "Docker's actions should be used in a major version that is maintained"
    why = (
        "Old major versions run on versions of Node.js that GitHub's runners no longer have (they are forced onto a "
        "newer one) and do not learn what BuildKit learns. Versions that GitHub no longer serves at all fail: those "
        "are warnings, the others are told."
    )
    japanese = (
        "Docker のアクションは保守されているメジャーバージョンで使う",
        "古いメジャーバージョンは GitHub のランナーからなくなった Node.js "
        "を前提にしており（新しい版で強制実行されます）、BuildKit の新しい機能にも追従しません。GitHub "
        "が提供をやめた版は必ず失敗するので警告し、それ以外は情報として知らせます。",
    )
    severity = "info"
    kinds = ("workflow",)
    bad = Example(
        "on: push\njobs:\n  build:\n    runs-on: ubuntu-latest\n    steps:\n"
        "      - uses: docker/build-push-action@v2\n        with:\n          load: true\n",
        name=".github/workflows/build.yml",
    )
    good = Example(
        "on: push\njobs:\n  build:\n    runs-on: ubuntu-latest\n    steps:\n"
        "      - uses: docker/build-push-action@v7\n        with:\n          load: true\n",
        name=".github/workflows/build.yml",
    )

    def look_at(self, document: DocumentSubject) -> Iterator[Finding]:
        workflow = document.facts(Workflow)
        if not workflow.of_images:
            return
        said = set[str]()
        for step in workflow.steps:
            major = _major(step.ref)
            if step.uses is None or major is None or step.uses.text in said:
                continue
            said.add(step.uses.text)
            last, why = _ENDED.get(step.action, (-1, ""))
            if major <= last:
                message = f"{step.action}@{step.ref} fails: {why}"
                yield self.found(document, step.uses.span, message, "use its newest major version", level="warning")
            elif major < NEWEST.get(step.action, 0):
                newest = NEWEST[step.action]
                message = f"{step.action} is at v{newest}, this is v{major}"
                yield self.found(
                    document, step.uses.span, message, f"use @v{newest}, or its commit, and read what changed"
                )


def _major(ref: str) -> int | None:
    digits = ref.removeprefix("v").partition(".")[0]
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 4 else None


RULES = (ActionFollowsBranch(), OutdatedAction())
