"""Workflows: builds of what strangers wrote, with what only the repository should have."""

import re
from collections.abc import Iterator

from kezuri.check.document import DocumentRule, DocumentSubject
from kezuri.check.rule import Example, Finding
from kezuri.check.rules.workflow_push import names
from kezuri.check.workflow import Step, Workflow
from kezuri.documents.value import Mapping, strings

_HEAD = re.compile(r"github\.event\.pull_request\.(head\.sha|merge_commit_sha)|refs/pull/\$\{\{")
"""Names of the commit of a pull request. A branch's name alone is looked for in the repository itself."""

_GATE = re.compile(r"label|head\.repo|fork|association|login|actor|sender|event_name|outputs|merged|inputs|vars\.")
"""What a condition asks that may let only some pull requests through."""

_ASKED = re.compile(r"permission|member|collaborator|approv|trusted|authori[sz]|ok-to-test|safe.to", re.IGNORECASE)
"""What a step is called, or runs, that asks who it was."""

_HARMLESS = frozenset(("labeled", "unlabeled", "closed", "assigned", "review_requested"))
"""Events of a pull request that somebody with rights to the repository causes."""

_ALWAYS = re.compile(r"\$\{\{\s*github\.event_name\s*!=\s*'pull_request'\s*\}\}")
"""Looks like no push on pull requests; the event is called pull_request_target."""

_TRUSTING = {4: (4, 3, 1), 5: (5, 0, 1), 6: (6, 0, 2)}
"""Releases of actions/checkout that are older than its refusal (June 2026), by their major versions."""

_FILE = ".github/workflows/preview.yml"
_STEPS = (
    "jobs:\n  build:\n    runs-on: ubuntu-latest\n    steps:\n"
    "      - uses: actions/checkout@v4.1.7\n        with:\n          ref: ${{ github.event.pull_request.head.sha }}\n"
    "      - uses: docker/build-push-action@v7\n        with:\n          context: .\n"
    "          secrets: |\n            npm=${{ secrets.NPM_TOKEN }}\n"
)


class StrangersCodeBuilt(DocumentRule):
    """A build of a pull request's code that has the repository's secrets."""

    name = "StrangersCodeBuilt"
    summary = "A workflow on pull_request_target should not build the pull request's code with secrets in reach"
    why = (
        "`pull_request_target` runs with the repository's secrets and a token that may write, also for pull requests "
        "from forks, because what it checks out is the repository's own code. With the pull request's commit as `ref`, "
        "its author writes the Dockerfile and the .dockerignore: RUN can send away every secret of the build, and the "
        "token that actions/checkout before v6 keeps in .git/config. Nothing is said where a label, an environment or "
        "a question about the author stands before it. Newer releases of actions/checkout refuse such a checkout "
        "unless `allow-unsafe-pr-checkout` is set: where the version may be one of them, this is told only."
    )
    japanese = (
        "pull_request_target のワークフローで、シークレットが届く状態のままプルリクエストのコードをビルドしない",
        "`pull_request_target` は、チェックアウトするのがリポジトリ自身のコードだという前提で、"
        "フォークからのプルリクエストでもリポジトリのシークレットと書き込めるトークンを持って動きます。`ref` "
        "にプルリクエストのコミットを指定すると、Dockerfile と .dockerignore を書くのはその作者です。RUN "
        "からビルドのシークレットや、v6 より前の actions/checkout が .git/config に残すトークンを外へ送れます。"
        "ラベル・environment・作者の確認が前にある場合は何も言いません。新しい actions/checkout は "
        "`allow-unsafe-pr-checkout` がなければこのチェックアウトを拒否するので、"
        "その版かもしれない場合は情報として知らせます。",
    )
    kinds = ("workflow",)
    bad = Example(f"on: pull_request_target\n{_STEPS}", name=_FILE)
    good = Example(f"on: pull_request\n{_STEPS}", name=_FILE)

    def look_at(self, document: DocumentSubject) -> Iterator[Finding]:
        workflow = document.facts(Workflow)
        if not _for_anybody(workflow):
            return
        for step in workflow.steps:
            checkout = _checkout(step) if step.builds and not _GATE.search(step.condition) else None
            if checkout is None:
                continue
            pushed = _pushed(step)
            if _secret(step):
                message = "whoever opens a pull request can read the secrets of this build"
            elif pushed:
                message = f"whoever opens a pull request pushes {pushed}"
            elif _token(checkout):
                message = "whoever opens a pull request can read the token in .git/config: it is in the context"
            else:
                continue
            hint = "build it on pull_request, without secrets, or wait for a label or an environment"
            yield self.found(document, step.head, message, hint, level="info" if _may_refuse(checkout) else "warning")


def _for_anybody(workflow: Workflow) -> bool:
    if "pull_request_target" not in workflow.triggers:
        return False
    trigger = workflow.triggers["pull_request_target"]
    types = {scalar.text for scalar in strings(trigger.get("types"))} if isinstance(trigger, Mapping) else set()
    if types and types <= _HARMLESS:
        return False
    if any(job.value.get("environment") is not None for job in workflow.jobs):
        return False
    said = (part for step in workflow.steps for part in (step.action, *(text.original for text in step.scripts)))
    return not any(_ASKED.search(part) for part in said)


def _checkout(step: Step) -> Step | None:
    """The step that brought the pull request's code to where this one builds."""
    context = "."
    if step.action:
        context = step.input("context") or ""
        if not context or re.match(r"https?:|git@|\$?\{\{", context):
            return None
    checkouts = [other for other in step.job.before(step) if other.action == "actions/checkout"]
    if len(checkouts) != 1 or checkouts[0].input("path") is not None or _GATE.search(checkouts[0].condition):
        return None
    asked = (checkouts[0].input("ref") or "", checkouts[0].input("repository") or "")
    if _HEAD.search(asked[0]) or "pull_request.head.repo" in asked[1]:
        return checkouts[0]
    return None


def _version(ref: str) -> tuple[int, ...]:
    """The numbers of a release; nothing where it is named otherwise."""
    found = re.fullmatch(r"v?(\d{1,3})(?:\.(\d{1,3})\.(\d{1,3}))?", ref)
    return tuple(int(number) for number in found.groups() if number is not None) if found is not None else ()


def _may_refuse(checkout: Step) -> bool:
    """Whether this actions/checkout may be one that does not fetch the code of a stranger."""
    if checkout.is_true("allow-unsafe-pr-checkout"):
        return False
    version = _version(checkout.ref)
    if version and version[0] < 4:
        return False
    return len(version) < 3 or version > _TRUSTING.get(version[0], (0,))


def _secret(step: Step) -> bool:
    given = " ".join(step.input(name) or "" for name in ("secrets", "build-args", "secret-files", "secret-envs"))
    asked = any(word.startswith("--secret") for command in step.commands for word in command.words())
    return asked or "secrets." in given or "github.token" in given


def _pushed(step: Step) -> str:
    """A name that stays the same, that the step pushes."""
    if not step.pushes and not _ALWAYS.fullmatch((step.input("push") or "").strip()):
        return ""
    tags = names(step.job.expanded(step.input("tags") or "", step))
    return next((tag for tag in tags if "${{" not in tag.rpartition("/")[2]), "")


def _token(checkout: Step) -> bool:
    """Whether a token that may write lies below the context."""
    version = _version(checkout.ref)
    if not version or version[0] > 5 or (checkout.input("persist-credentials") or "true").strip().lower() != "true":
        return False
    rights = {checkout.job.permission(name) for name in ("contents", "packages", "actions")}
    return bool(rights & {"write", None})


RULES = (StrangersCodeBuilt(),)
