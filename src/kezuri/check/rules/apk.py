"""Rules about apk, which Alpine installs packages with."""

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from kezuri.check.package_rule import WIKI, PackageRule, Spot, UnpinnedRule
from kezuri.check.rule import Edit, Example, Finding
from kezuri.check.shell_edits import fix, inserted, replaced

if TYPE_CHECKING:
    from kezuri.check.runs import Call, WrittenRun
    from kezuri.check.subject import Subject
    from kezuri.shell.script import Word

_VALUED = frozenset(
    (
        *("-t", "--virtual", "-X", "--repository", "-p", "--root", "--keys-dir", "--repositories-file", "--wait"),
        *("--arch", "--cache-dir", "--cache-max-age", "--progress-fd", "--timeout"),
    )
)
_PINNED = r"[=<>~]|\.apk\Z|\A!"
_CACHE = r"/var/cache/apk|/etc/apk/cache|/var/cache/\*?\Z"
_FETCHING = ("--update", "-U", "--update-cache")


def _adds(run: "WrittenRun") -> "list[tuple[Call, Word, tuple[Word, ...]]]":
    found = []
    for call in run.named("apk"):
        plain = call.operands(_VALUED)
        if plain and plain[0].loose == "add":
            found.append((call, plain[0], plain[1:]))
    return found


class UnpinnedApkPackage(UnpinnedRule):
    """hadolint's DL3018."""

    name = "UnpinnedApkPackage"
    aliases = ("DL3018",)
    summary = "Packages that apk installs should have a version"
    why = (
        "Without a version, the same Dockerfile gives other packages on another day. But Alpine keeps only the newest "
        "build of a package: `curl=8.9.0-r0` stops working as soon as there is `-r1`. `curl~8.9` accepts new builds "
        "of a "
        "version. A base image by digest fixes what is in the base."
    )
    japanese = (
        "apk でインストールするパッケージにはバージョンを指定する",
        "バージョンを書かないと、同じ Dockerfile でもビルドした日によって入るパッケージが変わります。ただし Alpine は各"
        "パッケージの最新ビルドしか残さないため、`curl=8.9.0-r0` は `-r1` が出た時点で使えなくなります。`curl~8.9` な"
        "ら、"
        "その版の新しいビルドも受け入れます。ベースの中身はイメージのダイジェストで固定できます。",
    )
    bad = Example("FROM alpine:3.20\nRUN apk add --no-cache curl\n")
    good = Example("FROM alpine:3.20\nRUN apk add --no-cache curl~8.9\n")
    url = WIKI + "DL3018"
    hint = "write PACKAGE~VERSION"

    def unpinned(self, run: "WrittenRun") -> list[Spot]:
        return [
            Spot(call, word)
            for call, _, packages in _adds(run)
            for word in packages
            if not re.search(_PINNED, word.loose)
        ]


class ApkIndexKept(PackageRule):
    """hadolint's DL3019."""

    name = "ApkIndexKept"
    aliases = ("DL3019", "DS-0025", "DKL-DI-0004")
    severity = "info"
    fix_class = "A"
    summary = "apk add should be called with --no-cache"
    why = (
        "`apk add` keeps the index of the repositories in `/var/cache/apk`, some 2 MB that nobody reads again. "
        "`--no-cache` fetches the index anew and keeps nothing, so that neither `apk update` before nor `rm` after is "
        "needed. A cache mount on that directory does as well. Where the same RUN removes the directory, this is "
        "only a "
        "matter of style."
    )
    japanese = (
        "apk add には --no-cache を付ける",
        "`apk add` はリポジトリの索引(2 MB ほど)を `/var/cache/apk` に残しますが、後で読まれることはありません。"
        "`--no-cache` は索引をその都度取得して何も残さないので、前の `apk update` も後の `rm` も要りません。この"
        "ディレクトリへのキャッシュマウントでもかまいません。同じ RUN がディレクトリを消している場合は、スタイルの問"
        "題に"
        "過ぎません。",
    )
    bad = Example("FROM alpine:3.20\nRUN apk add curl~8.9\n")
    good = Example("FROM alpine:3.20\nRUN apk add --no-cache curl~8.9\n")
    url = WIKI + "DL3019"

    def inspect(self, run: "WrittenRun", subject: "Subject") -> Finding | None:
        found = [(call, verb) for call, verb, _ in _adds(run) if not call.has("--no-cache")]
        if not found or any(m in ("/var/cache/apk", "/etc/apk/cache", "/var/cache") for m in run.mounts()):
            return None
        fetched = any(call.has(*_FETCHING) for call, _ in found)
        # What fetches nothing keeps nothing, and could not do without the index that is there.
        offline = any(call.has("--no-network") for call, _ in found)
        removed = any(
            other.program == "rm" and any(re.search(_CACHE, word.loose) for word in other.words)
            for other in run.after(found[-1][0])
        )
        return self.found(
            run,
            [Spot(call, verb) for call, verb in found],
            message="`apk add` without --no-cache keeps the index of the repositories in the layer",
            hint="add --no-cache",
            fix=fix(run, advice="add --no-cache", edits=[_without_cache(call, verb) for call, verb in found])
            if not offline and (not fetched or _last_without_index(subject) <= run.run.node.number)
            else None,
            level="style" if removed or offline or not (run.shipped or run.trigger) else None,
        )


@lru_cache(1)
def _last_without_index(subject: "Subject") -> int:
    """The number of the last instruction that installs by an index that an earlier one has kept."""
    for run in reversed(subject.runs):
        fetches = any([word.loose for word in call.operands(_VALUED)[:1]] == ["update"] for call in run.named("apk"))
        if not fetches and any(not call.has("--no-cache", *_FETCHING) for call, _, _ in _adds(run)):
            return run.run.node.number
    return -1


def _without_cache(call: "Call", verb: "Word") -> Edit | None:
    """`--no-cache` in place of the option that fetches the index, or behind the verb."""
    fetching = [word for word in call.words if word.loose in _FETCHING]
    return replaced(call, fetching[0], "--no-cache") if len(fetching) == 1 else inserted(call, verb, "--no-cache")


RULES = (ApkIndexKept(), UnpinnedApkPackage())
