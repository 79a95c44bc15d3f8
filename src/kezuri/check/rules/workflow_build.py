"""Workflows: how an image is built: its cache, its arguments, its platforms, what is said about it."""

import re
from collections.abc import Iterator

from kezuri.check.document import DocumentRule, DocumentSubject, fix_of
from kezuri.check.rule import Example, Finding, Fix
from kezuri.check.sensitive import secret_name
from kezuri.check.workflow import Command, Step, Workflow
from kezuri.diagnostics import Span
from kezuri.documents.edits import insert_after
from kezuri.documents.value import Scalar

_HEAD = "on: push\njobs:\n  build:\n    runs-on: ubuntu-latest\n    steps:\n"
_SETUP = "      - uses: docker/setup-buildx-action@v4\n"
_BUILD = "      - uses: docker/build-push-action@v7\n        with:\n          load: true\n"
_PUSH = (
    "      - uses: docker/build-push-action@v7\n        with:\n          push: true\n          tags: ghcr.io/o/app:1\n"
)
_CACHE = "          cache-from: type=gha\n          cache-to: type=gha,mode=max\n"
_NAME = ".github/workflows/build.yml"

_NATIVE = ("linux/amd64", "linux/386")

_PUBLIC = ("NEXT_PUBLIC_", "VITE_", "REACT_APP_", "NUXT_PUBLIC_", "PUBLIC_", "EXPO_PUBLIC_", "GATSBY_", "VUE_APP_")
"""How frameworks call variables that every visitor of a page gets to see."""


class BuildCacheNotKept(DocumentRule):
    """A build that begins from nothing each time."""

    name = "BuildCacheNotKept"
    summary = "A build in a workflow should keep its cache from one run to the next"
    why = (
        "Each run gets an empty machine: without `cache-from` and `cache-to` every step of the Dockerfile runs again. "
        "`type=gha` keeps results with the repository's caches (10 GB), `type=registry` beside the image; `mode=max` "
        "keeps those of the other stages too. GitHub's cache needs a builder of docker/setup-buildx-action."
    )
    japanese = (
        "ワークフローのビルドでは、キャッシュを次の実行に引き継ぐ",
        "実行のたびにマシンは空です。`cache-from` と `cache-to` がなければ Dockerfile "
        "の全ステップがやり直しになります。`type=gha` はリポジトリのキャッシュ（10 GB）に、`type=registry` "
        "はイメージの隣に結果を残し、`mode=max` は他のステージの分も残します。GitHub のキャッシュには "
        "docker/setup-buildx-action のビルダーが必要です。",
    )
    severity = "info"
    kinds = ("workflow",)
    whole = True
    fix_class = "A"
    bad = Example(f"{_HEAD}{_SETUP}{_BUILD}", name=_NAME)
    good = Example(f"{_HEAD}{_SETUP}{_BUILD}{_CACHE}", name=_NAME)

    def look_at(self, document: DocumentSubject) -> Iterator[Finding]:
        workflow = document.facts(Workflow)
        builds = [step for step in workflow.steps if step.action == "docker/build-push-action"]
        for step in builds:
            given = ("cache-from", "cache-to", "no-cache", "no-cache-filters", "call", "builder")
            if any(step.input(name) for name in given) or not step.job.hosted:
                continue
            message = "every run builds the image from nothing: no cache is kept"
            hint = "add cache-from: type=gha and cache-to: type=gha,mode=max"
            yield self.found(document, step.head, message, hint, _with_cache(document, step, len(builds) > 1))


class CacheScopeShared(DocumentRule):
    """Two builds that take each other's cache away."""

    name = "CacheScopeShared"
    summary = "Builds of different things should keep their caches in different scopes"
    why = (
        "GitHub's cache holds one index for each scope, called `buildkit` where none is named. Whoever writes last "
        "replaces it: builds of another target, file or platform find the cache of the other one. `scope=NAME` in "
        "`cache-from` and `cache-to` keeps them apart."
    )
    japanese = (
        "別のものをビルドするときは、キャッシュの scope を分ける",
        "GitHub のキャッシュは scope ごとに一つの索引しか持たず、指定がなければ `buildkit` です。"
        "最後に書いた者が置き換えるので、別のターゲット・ファイル・プラットフォームのビルドは他方のキャッシュを見ること"
        "になります。`cache-from` と `cache-to` に `scope=NAME` を付けると分かれます。",
    )
    severity = "info"
    kinds = ("workflow",)
    bad = Example(
        f"{_HEAD}{_BUILD}          target: test\n{_CACHE}{_BUILD}          target: production\n{_CACHE}", name=_NAME
    )
    good = Example(
        f"{_HEAD}{_BUILD}          target: test\n{_CACHE.replace('gha', 'gha,scope=test')}"
        f"{_BUILD}          target: production\n{_CACHE}",
        name=_NAME,
    )

    def look_at(self, document: DocumentSubject) -> Iterator[Finding]:
        seen: dict[str, tuple[Step, tuple[str | None, ...]]] = {}
        for step in document.facts(Workflow).steps:
            to = step.given.get("cache-to") if step.given is not None else None
            if step.action != "docker/build-push-action" or not isinstance(to, Scalar) or "type=gha" not in to.text:
                continue
            found = re.search(r"scope=([^,\s]+)", to.text)
            scope = found[1] if found is not None else "buildkit"
            what = tuple(step.input(name) for name in ("context", "file", "target", "platforms"))
            matrix = any("matrix." in (part or "") for part in what) and "matrix." not in to.text
            if matrix:
                message = f"each job of the matrix replaces the cache of the others: all write the scope {scope}"
                yield self.found(document, to.span, message, "add scope=… with the matrix's value to both")
            elif scope in seen and seen[scope][1] != what:
                line = document.source.position(seen[scope][0].head.start)[0]
                message = (
                    f"this build and the one in line {line} replace each other's cache: both write the scope {scope}"
                )
                yield self.found(document, to.span, message, "add scope=NAME to cache-from and cache-to of one")
            seen.setdefault(scope, (step, what))


class SecretInBuildArgs(DocumentRule):
    """A secret that stays in the image."""

    name = "SecretInBuildArgs"
    summary = "A secret should not be given to a build as an argument"
    why = (
        "Build arguments stand in the history of the image and in its provenance, for everyone who can pull it. "
        "`secrets:` of docker/build-push-action, `--secret id=…` of the command and `RUN --mount=type=secret,id=…` "
        "give a step the value and keep it out of both."
    )
    japanese = (
        "シークレットをビルド引数で渡さない",
        "ビルド引数はイメージの履歴と来歴情報（provenance）に残り、pull できる人なら誰でも読めます。"
        "docker/build-push-action の `secrets:`、コマンドの `--secret id=…`、`RUN --mount=type=secret,id=…` なら、"
        "ステップには値が渡り、どちらにも残りません。",
    )
    kinds = ("workflow", "gitlab")
    bad = Example(
        f"{_HEAD}{_BUILD}          build-args: |\n            NPM_TOKEN=${{{{ secrets.NPM_TOKEN }}}}\n", name=_NAME
    )
    good = Example(
        f"{_HEAD}{_BUILD}          secrets: |\n            npm_token=${{{{ secrets.NPM_TOKEN }}}}\n", name=_NAME
    )

    def look_at(self, document: DocumentSubject) -> Iterator[Finding]:
        from kezuri.documents.value import Lines

        for step in document.facts(Workflow).steps:
            value = step.given.get("build-args") if step.given is not None else None
            if isinstance(value, Scalar):
                lines, at = Lines(document.source, value), 0
                for line in value.text.split("\n"):
                    name, _, given = line.strip().partition("=")
                    if _secret(name, step.job.expanded(given, step)):
                        start = at + len(line) - len(line.lstrip())
                        span = lines.span(value.span._replace(start=start, end=at + len(line.rstrip())))
                        yield self._finding(document, name, span)
                    at += len(line) + 1
            for found in step.calls("docker", "podman", "buildah", "nerdctl", "kezuri"):
                yield from self._command(document, step, found)

    def _command(self, document: DocumentSubject, step: Step, found: Command) -> Iterator[Finding]:
        words = found.command.words
        environment = step.job.environment(step)
        for number, word in enumerate(words):
            if word.loose == "--build-arg" and number + 1 < len(words):
                written, span = found.written(words[number + 1]), words[number + 1].span
            elif word.loose.startswith("--build-arg="):
                written, span = found.written(word).partition("=")[2], word.span
            else:
                continue
            name, equals, given = written.strip("\"'").partition("=")
            variable = re.fullmatch(r"\"?\$\{?(\w+)\}?\"?", given if equals else f"${name}")
            if variable is not None:
                given = environment.get(variable[1], "")
                if document.kind == "gitlab" and secret_name(name) and variable[1].startswith(("CI_JOB_TOKEN", name)):
                    given = f"secrets.{variable[1]}"
            if _secret(name, given):
                yield self._finding(document, name, found.span(span))

    def _finding(self, document: DocumentSubject, name: str, span: Span) -> Finding:
        message = f"{name} stays in the history of the image: it is given as a build argument"
        hint = f"give it as a secret, and use it by RUN --mount=type=secret,id={name.lower()}"
        return self.found(document, span, message, hint)


class EmulationNotSetUp(DocumentRule):
    """Other platforms without their emulator."""

    name = "EmulationNotSetUp"
    summary = "A build for other platforms should say what runs their programs"
    why = (
        "A RUN for arm64 on an amd64 machine needs QEMU. BuildKit brings emulators of its own, so that such a build "
        "may well work; docker/setup-qemu-action installs newer ones and says so. Better than either is to have none: "
        "`FROM --platform=$BUILDPLATFORM` with a compiler that builds for `TARGETARCH`, or a job on `ubuntu-24.04-arm`."
    )
    japanese = (
        "他のプラットフォーム向けのビルドでは、何がそのプログラムを動かすかを明示する",
        "amd64 のマシンで arm64 の RUN を実行するには QEMU が要ります。BuildKit "
        "も自前のエミュレータを持っているので動くことはありますが、docker/setup-qemu-action はより新しいものを入れ、"
        "意図も明確になります。エミュレーションなしがさらに良く、`FROM --platform=$BUILDPLATFORM` と `TARGETARCH` "
        "向けのクロスコンパイルか、`ubuntu-24.04-arm` のジョブを使います。",
    )
    severity = "info"
    kinds = ("workflow",)
    whole = True
    bad = Example(f"{_HEAD}{_SETUP}{_BUILD}          platforms: linux/amd64,linux/arm64\n", name=_NAME)
    good = Example(bad.text.replace(_SETUP, f"      - uses: docker/setup-qemu-action@v4\n{_SETUP}"), name=_NAME)

    def look_at(self, document: DocumentSubject) -> Iterator[Finding]:
        for job in document.facts(Workflow).jobs:
            machine = job.value.text("runs-on") or ""
            if not job.hosted or "arm" in machine or not machine.startswith("ubuntu"):
                continue
            if any(
                re.search(r"qemu|binfmt", other.action + str(other.scripts and other.scripts[0].original))
                for other in job.steps
            ):
                continue
            if any(other.input("driver") or other.input("endpoint") or other.input("append") for other in job.steps):
                continue
            for step in job.steps:
                value = step.given.get("platforms") if step.given is not None else None
                if step.action != "docker/build-push-action" or not isinstance(value, Scalar) or step.input("builder"):
                    continue
                asked = [name.strip() for name in re.split(r"[\s,]+", value.text) if name.strip()]
                foreign = [
                    name for name in asked if name.startswith("linux/") and name not in ("linux/amd64", "linux/386")
                ]
                if foreign and not any("$" in name for name in asked):
                    message = f"steps for {foreign[0]} are emulated by what BuildKit happens to bring"
                    hint = "add docker/setup-qemu-action, or build for it on a machine of that kind"
                    yield self.found(document, value.span, message, hint)


class AttestationsMissing(DocumentRule):
    """An image of which nobody can say what is in it and where it comes from."""

    name = "AttestationsMissing"
    summary = "A pushed image should come with a list of what is in it"
    why = (
        "`sbom: true` puts a list of the image's packages beside it, `provenance: mode=max` how it was built, and "
        "actions/attest-build-provenance signs that. Scanners and customers ask for the list when the next "
        "vulnerability is in the news. The image itself does not change; a push becomes an index with one entry more."
    )
    japanese = (
        "push するイメージには中身の一覧（SBOM）を添える",
        "`sbom: true` はパッケージの一覧を、`provenance: mode=max` はビルドの来歴をイメージに添え、"
        "actions/attest-build-provenance はそれに署名します。次の脆弱性が話題になったとき、"
        "スキャナーや顧客が求めるのはこの一覧です。イメージ自体は変わらず、push "
        "されるものがエントリの一つ多い索引になります。",
    )
    severity = "info"
    kinds = ("workflow",)
    whole = True
    fix_class = "V"
    bad = Example(f"{_HEAD}{_SETUP}{_PUSH}", name=_NAME)
    good = Example(f"{_HEAD}{_SETUP}{_PUSH}          sbom: true\n          provenance: mode=max\n", name=_NAME)

    def look_at(self, document: DocumentSubject) -> Iterator[Finding]:
        workflow = document.facts(Workflow)
        if re.search(r"sbom|attest|cosign|syft|cyclonedx|provenance: *false", document.source.text, re.IGNORECASE):
            return
        for step in workflow.steps:
            if step.action != "docker/build-push-action" or not step.may_push or step.given is None:
                continue
            fix = None
            if any("setup-buildx" in other.action for other in step.job.before(step)):
                lines = ("sbom: true",) if step.input("provenance") else ("sbom: true", "provenance: mode=max")
                edit = insert_after(document.source, step.given, step.given.entries[-1], lines)
                paths = [f"{step.path}.with.{line.partition(':')[0]}" for line in lines]
                fix = fix_of(document, "have both made", (edit,), "V", paths)
            message = "the image comes without a list of what is in it"
            yield self.found(document, step.head, message, "add sbom: true and provenance: mode=max", fix)
            return


def _secret(name: str, given: str) -> bool:
    """Whether an argument of that name is given a secret by that value."""
    if name.startswith(_PUBLIC):
        return False
    found = re.search(r"secrets\.(\w+)|\bgithub\.(token)\b", given)
    if found is None:
        return False
    return found[2] is not None or found[1] == "GITHUB_TOKEN" or secret_name(name) or secret_name(found[1])


def _with_cache(document: DocumentSubject, step: Step, several: bool) -> Fix | None:
    if step.given is None or not step.given.entries:
        return None
    if not any("setup-buildx" in other.action for other in step.job.before(step)):
        return None
    scope = ""
    if several:
        name = step.id or (step.input("target") or "") or step.job.name
        if not re.fullmatch(r"[\w.-]+", name):
            return None
        others = [s for s in step.job.workflow.steps if s is not step and s.action == step.action]
        if any(name == (s.id or s.input("target") or s.job.name) for s in others):
            return None
        scope = f",scope={name}"
    if any("matrix." in (step.input(name) or "") for name in ("context", "file", "target", "platforms")):
        return None
    lines = (f"cache-from: type=gha{scope}", f"cache-to: type=gha,mode=max{scope}")
    edit = insert_after(document.source, step.given, step.given.entries[-1], lines)
    paths = (f"{step.path}.with.cache-from", f"{step.path}.with.cache-to")
    return fix_of(document, "keep the cache with the repository's", (edit,), "A", paths)


RULES = (
    BuildCacheNotKept(),
    CacheScopeShared(),
    SecretInBuildArgs(),
    EmulationNotSetUp(),
    AttestationsMissing(),
)
