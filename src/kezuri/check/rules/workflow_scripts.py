"""Workflows and pipelines: commands of Docker in their scripts."""

import re
from collections.abc import Iterator

from kezuri.check.document import DocumentRule, DocumentSubject, fix_of
from kezuri.check.rule import Example, Finding
from kezuri.check.workflow import Command, Workflow
from kezuri.documents.edits import TextEdit
from kezuri.shell.script import Word

_FLAGS = frozenset("dtiPq")
_LONG_FLAGS = frozenset(
    ("--rm", "--init", "--privileged", "--read-only", "--detach", "--interactive", "--tty", "--publish-all", "--quiet")
)


class DockerScanRetired(DocumentRule):
    """A command that is no more."""

    name = "DockerScanRetired"
    summary = "docker scan was removed: docker scout, Trivy or Grype do its work"
    why = (
        "Docker retired `docker scan` in 2023 and took the plugin out of its packages: the step ends in `'scan' is not "
        "a docker command`. `docker scout cves IMAGE` is what came after it."
    )
    japanese = (
        "docker scan は廃止されたので、docker scout・Trivy・Grype を使う",
        "`docker scan` は 2023 年に廃止され、パッケージからも外されました。ステップは `'scan' is not a docker command` "
        "で終わります。後継は `docker scout cves IMAGE` です。",
    )
    kinds = ("workflow", "gitlab")
    bad = Example("- run: docker scan app:1\n", name="steps.yml")
    good = Example("- run: docker scout cves --exit-code app:1\n", name="steps.yml")

    def look_at(self, document: DocumentSubject) -> Iterator[Finding]:
        for step in document.facts(Workflow).steps:
            for found in step.calls("docker"):
                words = found.command.words
                if len(words) > 1 and words[1].loose == "scan":
                    message = "docker has no command scan any more: it was retired in 2023"
                    yield self.found(
                        document, found.span(words[1].span), message, "use docker scout cves, or trivy image"
                    )


class ComposeV1Command(DocumentRule):
    """A program that GitHub's machines do not have."""

    name = "ComposeV1Command"
    summary = "docker compose should be called as a command of docker"
    why = (
        "`docker-compose`, the Python program, has had no release since 2023, and GitHub took it off its Ubuntu "
        "machines in 2024: the step ends in `docker-compose: command not found`. `docker compose` reads the same files."
    )
    japanese = (
        "docker compose は docker のコマンドとして呼ぶ",
        "Python 製の `docker-compose` は 2023 年で更新が終わり、GitHub の Ubuntu ランナーからも 2024 "
        "年に削除されました。ステップは `docker-compose: command not found` で終わります。`docker compose` "
        "は同じファイルを読みます。",
    )
    kinds = ("workflow",)
    fix_class = "A"
    bad = Example(
        "on: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n      - run: docker-compose up -d\n",
        name=".github/workflows/test.yml",
    )
    good = Example(bad.text.replace("docker-compose", "docker compose"), name=bad.name)

    def look_at(self, document: DocumentSubject) -> Iterator[Finding]:
        for job in document.facts(Workflow).jobs:
            if not job.hosted or not (job.value.text("runs-on") or "").startswith("ubuntu"):
                continue
            whole = " ".join(text.original for step in job.steps for text in step.scripts)
            if re.search(r"releases/(latest/)?download|install[^\n]*docker-compose|bin/docker-compose|alias ", whole):
                continue
            if any("compose" in step.action for step in job.steps):
                continue
            for step in job.steps:
                for found in step.calls("docker-compose"):
                    word = found.command.words[0]
                    span = found.span(word.span)
                    fix = None
                    if document.source.text[span.start : span.end] == "docker-compose":
                        edit = TextEdit(span, "docker compose")
                        fix = fix_of(document, "write docker compose", (edit,), "A", (f"{step.path}.run",))
                    message = "GitHub's machines have no docker-compose"
                    yield self.found(document, span, message, "write docker compose", fix)


class UnpinnedImageWithDockerSocket(DocumentRule):
    """Whatever an image is today is given the machine."""

    name = "UnpinnedImageWithDockerSocket"
    summary = "An image that gets the Docker socket should be named by a version or a digest"
    why = (
        "Who has `/var/run/docker.sock` is root on the machine, and has the images, the credentials and the secrets of "
        "the job. An image without a version is whatever was pushed last under its name. In March 2026 "
        "`aquasec/trivy:latest` was malicious for a day (CVE-2026-33634). A digest is best; a scanner can read a saved "
        "image without the socket: `docker save app -o app.tar`, `trivy image --input app.tar`."
    )
    japanese = (
        "Docker ソケットを渡すイメージは、バージョンかダイジェストで指定する",
        "`/var/run/docker.sock` を持つ者はそのマシンの root であり、"
        "ジョブのイメージ・認証情報・シークレットに届きます。バージョンのないイメージは、その名前で最後に push "
        "されたものです。2026 年 3 月には `aquasec/trivy:latest` が一日の間、悪意のあるものでした（CVE-2026-33634）。"
        "ダイジェストが最善です。また、スキャナーはソケットなしでも、保存したイメージ（`docker save app -o app.tar`、"
        "`trivy image --input app.tar`）を読めます。",
    )
    kinds = ("workflow", "gitlab")
    bad = Example(
        "- run: docker run --rm -v /var/run/docker.sock:/var/run/docker.sock aquasec/trivy image --exit-code 1 app:1\n",
        name="steps.yml",
    )
    good = Example(bad.text.replace("aquasec/trivy ", "aquasec/trivy:0.69.3 "), name="steps.yml")

    def look_at(self, document: DocumentSubject) -> Iterator[Finding]:
        for step in document.facts(Workflow).steps:
            for found in step.calls("docker", "podman"):
                if not any("docker.sock" in word.loose for word in found.command.arguments):
                    continue
                image = _image(found)
                if image is None:
                    continue
                written = found.written(image).strip("\"'")
                name, colon, tag = written.rpartition("/")[2].partition(":")
                if "@" in written or "$" in name or (colon and tag != "latest"):
                    continue
                message = (
                    f"{written} is root on this machine by the Docker socket, and may be anything: it has no version"
                )
                hint = "name a version, or better a digest"
                yield self.found(document, found.span(image.span), message, hint)


class PasswordOnCommandLine(DocumentRule):
    """A password that every process sees."""

    name = "PasswordOnCommandLine"
    summary = "A password should be given to docker login on its standard input"
    why = (
        "What is on a command line is seen by every process of the machine, and in the log where commands are printed. "
        'docker warns of it itself. `echo "$TOKEN" | docker login -u NAME --password-stdin` and docker/login-action '
        "do not."
    )
    japanese = (
        "docker login のパスワードは標準入力から渡す",
        "コマンドラインにあるものはマシン上のすべてのプロセスから見え、コマンドを表示するログにも残ります。docker "
        "自身も警告します。"
        '`echo "$TOKEN" | docker login -u NAME --password-stdin` や docker/login-action なら見えません。',
    )
    severity = "info"
    kinds = ("workflow", "gitlab")
    bad = Example("- run: docker login -u o -p ${{ secrets.TOKEN }} ghcr.io\n", name="steps.yml")
    good = Example(
        '- run: echo "${{ secrets.TOKEN }}" | docker login -u o --password-stdin ghcr.io\n', name="steps.yml"
    )

    def look_at(self, document: DocumentSubject) -> Iterator[Finding]:
        for step in document.facts(Workflow).steps:
            for found in step.calls("docker", "podman", "buildah", "nerdctl", "helm"):
                if "login" not in [word.loose for word in found.command.words[1:3]]:
                    continue
                for word in found.command.arguments:
                    if word.loose in ("-p", "--password") or word.loose.startswith(("-p=", "--password=")):
                        message = f"{found.command.program} login gets its password on the command line"
                        yield self.found(document, found.span(word.span), message, "use --password-stdin")
                        break


def _image(found: Command) -> Word | None:
    """The image of a `docker run`; None for another command, and where its options are not understood."""
    words = found.command.arguments
    if not words or words[0].loose not in ("run", "create"):
        return None
    number = 1
    while number < len(words):
        said = words[number].loose
        if not said.startswith("-"):
            return words[number]
        flag = said in _LONG_FLAGS or "=" in said or (not said.startswith("--") and set(said[1:]) <= _FLAGS)
        attached = not said.startswith("--") and len(said) > 2 and said[1] in "vepuwl" and not set(said[1:]) <= _FLAGS
        number += 1 if flag or attached else 2
    return None


RULES = (DockerScanRetired(), ComposeV1Command(), UnpinnedImageWithDockerSocket(), PasswordOnCommandLine())
