"""Rules about pip, which installs packages of Python."""

import re
from typing import TYPE_CHECKING

from kezuri.check.package_rule import WIKI, PackageRule, Spot, UnpinnedRule, said
from kezuri.check.rule import Example, Finding
from kezuri.check.shell_edits import fix, inserted

if TYPE_CHECKING:
    from kezuri.check.runs import Call, WrittenRun
    from kezuri.check.subject import Subject
    from kezuri.shell.script import Word

_PIP = r"pip(?!env)[-0-9.a-z]*\Z"
_NO_PIP = ("pip-compile", "pip-sync", "pip-audit", "pip-licenses", "pipdeptree", "pip-tools", "pipreqs")
_VALUED = frozenset(
    (
        *("-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--no-binary", "--only-binary", "--platform"),
        *("--python-version", "--implementation", "--abi", "--progress-bar", "--src", "-t", "--target", "--prefix"),
        *("--root", "-b", "--build", "--proxy", "--upgrade-strategy", "--root-user-action", "--trusted-host", "-d"),
        *(
            "--timeout",
            "--default-timeout",
            "--retries",
            "--cert",
            "--client-cert",
            "--cache-dir",
            "--log",
            "--log-file",
        ),
        *("--exists-action", "--use-feature", "--use-deprecated", "-C", "--config-settings", "--report", "--python"),
        *("--global-option", "--install-option", "--build-option", "--keyring-provider", "--index", "--pip-args"),
        *("--suffix", "--preinstall", "-r", "--requirement", "-c", "--constraint", "-e", "--editable", "--group"),
    )
)
_ELSEWHERE = ("-r", "--requirement", "-c", "--constraint", "-e", "--editable", "--group")
_VERSION = r"[=~!<>]=|[<>]|\s@\s"
_ARCHIVE = r"\.(?:whl|zip|tgz|tar|tar\.(?:gz|bz2|xz|Z))(?:\[[^\]]*\])?(?:#.*)?\Z"
_REPOSITORY = r"(?:git|hg|svn|bzr)\+"
_TRUE = ("1", "on", "yes", "true")
_CACHE = r"\.cache(?:/pip)?/?\*?\Z|\.cache/pip"


def _installs(run: "WrittenRun") -> "list[tuple[Call, Word, tuple[Word, ...]]]":
    found = []
    for call in run.calls:
        if re.match(_PIP, call.program) and call.program not in _NO_PIP:
            plain = call.operands(_VALUED)
            if plain and plain[0].loose == "install":
                found.append((call, plain[0], plain[1:]))
    return found


class UnpinnedPipPackage(UnpinnedRule):
    """hadolint's DL3013."""

    name = "UnpinnedPipPackage"
    aliases = ("DL3013",)
    summary = "Packages that pip installs should have a version"
    why = (
        "Without a version, the same Dockerfile gives other packages on another day, and one that breaks what worked. "
        "Write `flask==3.0.3`, or better a file with all versions, those of dependencies too, for `pip install -r`. "
        "Nothing is said about requirement and constraint files, local paths, archives and repositories at a revision."
    )
    japanese = (
        "pip でインストールするパッケージにはバージョンを指定する",
        "バージョンを書かないと、同じ Dockerfile でもビルドした日によって入るパッケージが変わり、動いていたものが壊れ"
        "ることも"
        "あります。`flask==3.0.3` のように書くか、依存先も含めた全バージョンのファイルを `pip install -r` に渡すのが"
        "よい方法です。requirements や constraints のファイル、ローカルのパス、アーカイブ、リビジョン付きのリポジトリに"
        "ついては何も報告しません。",
    )
    bad = Example("FROM python:3.12-slim\nRUN pip install --no-cache-dir flask\n")
    good = Example("FROM python:3.12-slim\nRUN pip install --no-cache-dir flask==3.0.3\n")
    url = WIKI + "DL3013"
    hint = "write PACKAGE==VERSION, or give all versions in a file: pip install -r requirements.txt"

    def unpinned(self, run: "WrittenRun") -> list[Spot]:
        return [
            Spot(call, word, "." not in [package.loose for package in packages])
            for call, _, packages in _installs(run)
            if not call.has(*_ELSEWHERE)
            for word in packages
            if not _pinned(word.loose, said(word))
        ]


def _pinned(package: str, said: str) -> bool:
    if re.match(_REPOSITORY, package):
        return "@" in package or re.search(_ARCHIVE, package) is not None
    return (
        re.search(_VERSION, package) is not None
        or "/" in said
        or package == "."
        or package.startswith(".[")
        or re.search(_ARCHIVE, package) is not None
    )


class PipCacheKept(PackageRule):
    """hadolint's DL3042."""

    name = "PipCacheKept"
    aliases = ("DL3042",)
    fix_class = "A"
    summary = "pip install should keep no cache in the image"
    why = (
        "pip keeps what it downloads and builds in `~/.cache/pip`, for another time that never comes in an image. "
        "`--no-cache-dir` or `ENV PIP_NO_CACHE_DIR=1` keeps nothing; a cache mount on that directory keeps it "
        "outside of "
        "the layer and makes the next build faster. Where the same RUN removes the directory, or the stage is not part "
        "of the result, this is only a matter of style."
    )
    japanese = (
        "pip install のキャッシュをイメージに残さない",
        "pip はダウンロードやビルドしたものを `~/.cache/pip` に残しますが、イメージの中で再び使われることはありません。"
        "`--no-cache-dir` や `ENV PIP_NO_CACHE_DIR=1` なら何も残りません。このディレクトリへのキャッシュマウントなら、"
        "レイヤーの外に残って次のビルドが速くなります。同じ RUN がディレクトリを消している場合や、結果に含まれないス"
        "テージで"
        "は、スタイルの問題に過ぎません。",
    )
    bad = Example("FROM python:3.12-slim\nRUN pip install flask==3.0.3\n")
    good = Example("FROM python:3.12-slim\nRUN pip install --no-cache-dir flask==3.0.3\n")
    url = WIKI + "DL3042"

    def inspect(self, run: "WrittenRun", subject: "Subject") -> Finding | None:
        found = [
            (call, verb)
            for call, verb, _ in _installs(run)
            if not call.program.startswith("pipx")
            and not any(word.loose in ("--no-cache-dir", "--no-cache") for word in call.words)
        ]
        if not found or _kept_elsewhere(run, found) or _switched_off(run):
            return None
        removed = any(
            (other.program == "rm" and any(re.search(_CACHE, word.loose) for word in other.words))
            or (
                re.match(_PIP, other.program) is not None and [w.loose for w in other.plain()[:2]] == ["cache", "purge"]
            )
            for other in run.after(found[-1][0])
        )
        return self.found(
            run,
            [Spot(call, verb) for call, verb in found],
            message="`pip install` leaves its cache in the layer",
            hint="add --no-cache-dir, or mount a cache on /root/.cache/pip",
            fix=fix(run, advice="add --no-cache-dir", edits=[inserted(c, verb, "--no-cache-dir") for c, verb in found]),
            level="style" if removed or not (run.shipped or run.trigger) else None,
        )


def _kept_elsewhere(run: "WrittenRun", found: "list[tuple[Call, Word]]") -> bool:
    mounts = list(run.mounts())
    if any(".cache/pip" in mount or mount.endswith("/.cache") for mount in mounts):
        return True
    places = [call.value("--cache-dir") for call, _ in found]
    places += [a.value.loose for c in run.calls for a in c.command.assignments if a.name == "PIP_CACHE_DIR" and a.value]
    return any(place is not None and place.rstrip("/") in mounts for place in places)


def _switched_off(run: "WrittenRun") -> bool:
    """Whether PIP_NO_CACHE_DIR is true, by ENV or ARG, or anywhere in the RUN as hadolint has it."""
    values = [run.environment.get("PIP_NO_CACHE_DIR", "")]
    for text in run.texts:
        for command in text.script.commands:
            values += [a.value.loose for a in command.assignments if a.name == "PIP_NO_CACHE_DIR" and a.value]
            values += [w.loose.partition("=")[2] for w in command.words if w.loose.startswith("PIP_NO_CACHE_DIR=")]
    mounted = run.environment.get("PIP_CACHE_DIR", "").rstrip("/")
    return any(value.lower() in _TRUE for value in values) or (mounted != "" and mounted in run.mounts())


RULES = (PipCacheKept(), UnpinnedPipPackage())
