"""Rules about apt-get and apt, which Debian and Ubuntu install packages with."""

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from kezuri.check.package_rule import WIKI, ConfirmationRule, PackageRule, Spot, UnpinnedRule, affirmed, answered, said
from kezuri.check.rule import Edit, Example, Finding
from kezuri.check.shell_edits import fix, inserted, replaced

if TYPE_CHECKING:
    from kezuri.check.runs import Call, WrittenRun
    from kezuri.check.subject import Subject
    from kezuri.shell.script import Word

VALUED = frozenset(("-t", "--target-release", "--default-release", "-o", "--option", "-c", "--config-file", "-a"))
APT = ("apt-get", "apt")
_TRUE = ("true", "yes", "1", "on")
_FALSE = ("false", "no", "0", "off")


def installs(run: "WrittenRun", *programs: str) -> "list[tuple[Call, Word, tuple[Word, ...]]]":
    """The calls that install packages: each with the word `install` and the packages."""
    found = []
    for call in run.named(*programs):
        plain = call.operands(VALUED)
        if plain and plain[0].loose == "install":
            found.append((call, plain[0], plain[1:]))
    return found


def _mentions(call: "Call", pattern: str, values: tuple[str, ...]) -> bool:
    """Whether an option `-o NAME=VALUE` of apt says one of the values."""
    return any(
        (match := re.search(rf"{pattern}=\"?(\w+)", word.loose, re.IGNORECASE)) is not None
        and match[1].lower() in values
        for word in call.words
    )


class UnpinnedAptPackage(UnpinnedRule):
    """hadolint's DL3008."""

    name = "UnpinnedAptPackage"
    aliases = ("DL3008",)
    summary = "Packages that apt-get installs should have a version"
    why = (
        "Without a version, the same Dockerfile gives other packages on another day. With one, a build stops working "
        "as "
        "soon as the distribution drops that version from its archive, which Debian and Ubuntu do within weeks: that "
        "is "
        "why this is a matter of style here. What fixes all versions at once is a base image by digest together with "
        "a snapshot of the archive (`snapshot.debian.org`, `snapshot.ubuntu.com`)."
    )
    japanese = (
        "apt-get でインストールするパッケージにはバージョンを指定する",
        "バージョンを書かないと、同じ Dockerfile でもビルドした日によって入るパッケージが変わります。一方で、バージョ"
        "ンを"
        "書くと、ディストリビューションがその版をアーカイブから消した時点でビルドできなくなります(Debian と Ubuntu では"
        "数週間で起こります)。そのため、ここではスタイルの問題として扱います。すべての版を一度に固定するには、ベース"
        "イメージをダイジェストで指定し、アーカイブのスナップショット(`snapshot.debian.org`、`snapshot.ubuntu.com`)を"
        "使ってください。",
    )
    bad = Example(
        "FROM debian:12\nRUN apt-get update && apt-get install -y --no-install-recommends curl && "
        "rm -rf /var/lib/apt/lists/*\n"
    )
    good = Example(
        "FROM debian:12\nRUN apt-get update && apt-get install -y --no-install-recommends curl=7.88.1-10+deb12u12 && "
        "rm -rf /var/lib/apt/lists/*\n"
    )
    url = WIKI + "DL3008"
    hint = "write PACKAGE=VERSION, or take the archive's snapshot of a day"

    def unpinned(self, run: "WrittenRun") -> list[Spot]:
        return [
            Spot(call, word, call.program == "apt-get")
            for call, _, packages in installs(run, *APT)
            for word in packages
            if not ("=" in word.loose or "/" in said(word) or word.loose.endswith(".deb"))
        ]


class AptConfirmationMissing(ConfirmationRule):
    """hadolint's DL3014."""

    name = "AptConfirmationMissing"
    aliases = ("DL3014", "DS-0021")
    summary = "apt-get install should be called with -y"
    why = (
        "apt-get asks before it installs more than what was named. In a build there is nobody to answer: it takes the "
        "end of its input for a no, and the build fails."
    )
    japanese = (
        "apt-get install には -y を付ける",
        "apt-get は、指定したもの以外もインストールするときに確認を求めます。ビルドには答える人がいないため、入力の終"
        "わりを"
        "「いいえ」と受け取り、ビルドは失敗します。",
    )
    bad = Example("FROM debian:12\nRUN apt-get update && apt-get install curl && rm -rf /var/lib/apt/lists/*\n")
    good = Example("FROM debian:12\nRUN apt-get update && apt-get install -y curl && rm -rf /var/lib/apt/lists/*\n")
    url = WIKI + "DL3014"

    def asking(self, run: "WrittenRun") -> list[Spot]:
        yes = affirmed(run)
        return [
            Spot(call, verb, call.program == "apt-get")
            for call, verb, _ in installs(run, *APT)
            if not _confirmed(call) and not answered(call, yes)
        ]


def _confirmed(call: "Call") -> bool:
    return (
        call.has("-y", "--yes", "--assume-yes", "--force-yes")
        or call.count("q") > 1
        or any(word.loose.startswith("-q=") for word in call.words)
        or sum(word.loose == "--quiet" for word in call.words) > 1
        or _mentions(call, "Assume-Yes", _TRUE)
    )


class AptRecommendsInstalled(PackageRule):
    """hadolint's DL3015."""

    name = "AptRecommendsInstalled"
    aliases = ("DL3015", "DS-0029")
    severity = "info"
    fix_class = "V"
    summary = "apt-get install should be called with --no-install-recommends"
    why = (
        "By default apt-get installs what a package recommends, too: often several times the size of what was asked "
        "for. Sometimes a recommended package is needed after all (`ca-certificates` with `curl`); then it belongs "
        "into "
        "the list. Nothing is said where the file itself turns recommendations off (`APT::Install-Recommends`)."
    )
    japanese = (
        "apt-get install には --no-install-recommends を付ける",
        "apt-get は既定で「推奨」パッケージも入れるため、頼んだものの何倍もの大きさになることがよくあります。推奨パッ"
        "ケージが"
        "実際に必要な場合(`curl` に対する `ca-certificates` など)は、明示的に列挙してください。ファイル自身が推奨を無"
        "効に"
        "している場合(`APT::Install-Recommends`)は何も報告しません。",
    )
    bad = Example("FROM debian:12\nRUN apt-get update && apt-get install -y curl && rm -rf /var/lib/apt/lists/*\n")
    good = Example(
        "FROM debian:12\nRUN apt-get update && apt-get install -y --no-install-recommends curl && "
        "rm -rf /var/lib/apt/lists/*\n"
    )
    url = WIKI + "DL3015"

    def inspect(self, run: "WrittenRun", subject: "Subject") -> Finding | None:
        found = [
            (call, verb)
            for call, verb, _ in installs(run, *APT)
            if not call.has("--no-install-recommends") and not _mentions(call, "Install-Recommends", _FALSE)
        ]
        if not found or _turned_off(subject.dockerfile.source.text):
            return None
        return self.found(
            run,
            [Spot(call, verb, call.program == "apt-get") for call, verb in found],
            message=f"`{found[0][0].program} install` brings the recommended packages, too",
            hint="add --no-install-recommends, and name what is missing then",
            fix=fix(
                run,
                advice="add --no-install-recommends",
                edits=[inserted(call, verb, "--no-install-recommends") for call, verb in found],
                kind="V",
            ),
        )


@lru_cache(1)
def _turned_off(text: str) -> bool:
    """Whether the file writes a configuration of apt in which recommendations are off."""
    return re.search(r"APT::Install-Recommends[\s\"']+[\"']?(?:0|false|no)\b", text, re.IGNORECASE) is not None


class AptInsteadOfAptGet(PackageRule):
    """hadolint's DL3027."""

    name = "AptInsteadOfAptGet"
    aliases = ("DL3027",)
    fix_class = "A"
    summary = "apt-get and apt-cache should be used instead of apt"
    why = (
        "`apt` is made for people at a terminal: its options and what it prints may change with every release, and it "
        "warns of that itself when its output is no terminal. `apt-get` and `apt-cache` stay as they are."
    )
    japanese = (
        "apt ではなく apt-get や apt-cache を使う",
        "`apt` は端末で人が使うためのもので、オプションや出力はリリースごとに変わり得ます。出力が端末でないときには、"
        "自分で"
        "そう警告します。`apt-get` と `apt-cache` は変わりません。",
    )
    bad = Example(
        "FROM debian:12\nRUN apt update && apt install -y --no-install-recommends curl && rm -rf /var/lib/apt/lists/*\n"
    )
    good = Example(
        "FROM debian:12\nRUN apt-get update && apt-get install -y --no-install-recommends curl && "
        "rm -rf /var/lib/apt/lists/*\n"
    )
    url = WIKI + "DL3027"

    def inspect(self, run: "WrittenRun", subject: "Subject") -> Finding | None:
        found = list(run.named("apt"))
        if not found:
            return None
        edits = [edit for call in found for edit in _as_apt_get(call)]
        return self.found(
            run,
            [Spot(call, call.head) for call in found],
            message="apt is meant for people at a terminal, its options may change",
            hint="use apt-get, or apt-cache for questions",
            fix=fix(run, advice="use apt-get", edits=edits),
        )


_SAME = frozenset(
    (
        *("install", "update", "remove", "purge", "autoremove", "autoclean", "autopurge", "clean", "reinstall"),
        *("build-dep", "source", "download", "changelog", "satisfy", "check", "dist-upgrade", "markauto"),
    )
)
_QUESTIONS = frozenset(("search", "show", "policy", "depends", "rdepends", "showpkg", "showsrc", "pkgnames", "madison"))


def _as_apt_get(call: "Call") -> list[Edit | None]:
    verb = next(iter(call.operands(VALUED)), None)
    if verb is None or "/" in call.head.loose:
        return [None]
    if verb.loose in _QUESTIONS:
        return [replaced(call, call.head, "apt-cache")]
    edits = [replaced(call, call.head, "apt-get")]
    if verb.loose == "full-upgrade":
        return [*edits, replaced(call, verb, "dist-upgrade")]
    if verb.loose == "upgrade":
        # `apt upgrade` installs what new versions need newly, `apt-get upgrade` only when it is told to.
        return edits if call.has("--with-new-pkgs") else [*edits, inserted(call, verb, "--with-new-pkgs")]
    return edits if verb.loose in _SAME else [None]


RULES = (
    AptConfirmationMissing(),
    AptInsteadOfAptGet(),
    AptRecommendsInstalled(),
    UnpinnedAptPackage(),
)
