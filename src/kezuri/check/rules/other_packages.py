"""Rules about gem and go, which install packages of Ruby and of Go."""

import re
from typing import TYPE_CHECKING

from kezuri.check.package_rule import WIKI, Spot, UnpinnedRule
from kezuri.check.rule import Example
from kezuri.shell.script import Word

if TYPE_CHECKING:
    from kezuri.check.runs import Call, WrittenRun

_GEM_VALUED = frozenset(
    (
        *("-i", "--install-dir", "-n", "--bindir", "--platform", "-s", "--source", "-p", "--http-proxy", "-P"),
        *("--trust-policy", "-B", "--bulk-threshold", "--build-root", "--config-file", "--without", "--document"),
        *("-g", "--file", "-v", "--version"),
    )
)
_GEM_SWITCHES = frozenset(
    (
        *(
            "--no-document",
            "-N",
            "--no-ri",
            "--no-rdoc",
            "--conservative",
            "-f",
            "--force",
            "-q",
            "--quiet",
            "--silent",
        ),
        *(
            "-E",
            "--env-shebang",
            "-w",
            "--wrappers",
            "--minimal-deps",
            "--user-install",
            "--no-user-install",
            "--verbose",
        ),
        *("-V", "--prerelease", "--pre", "--norc", "--ignore-dependencies", "--development", "--backtrace"),
    )
)
_GO_VALUED = frozenset(
    (
        *(
            "-tags",
            "-ldflags",
            "-gcflags",
            "-asmflags",
            "-gccgoflags",
            "-o",
            "-p",
            "-C",
            "-mod",
            "-modfile",
            "-overlay",
        ),
        *(
            "-pgo",
            "-exec",
            "-buildmode",
            "-compiler",
            "-pkgdir",
            "-toolexec",
            "-installsuffix",
            "-covermode",
            "-coverpkg",
        ),
    )
)
_GO_LOCAL = r"[./~]|all\Z|std\Z|cmd(?:/|\Z)|.*\.go\Z"


class UnpinnedGem(UnpinnedRule):
    """hadolint's DL3028."""

    name = "UnpinnedGem"
    aliases = ("DL3028",)
    summary = "Gems should be installed with a version"
    why = (
        "`gem install NAME` takes the newest version of the day. Write `NAME:1.2.3` or `-v 1.2.3`, or install from a "
        "`Gemfile.lock` with bundler. Nothing is said about files (`./x.gem`) and Gemfiles."
    )
    japanese = (
        "gem はバージョンを指定してインストールする",
        "`gem install NAME` はその日の最新版を入れます。`NAME:1.2.3` や `-v 1.2.3` と書くか、bundler で "
        "`Gemfile.lock` から"
        "インストールしてください。ファイル(`./x.gem`)と Gemfile については何も報告しません。",
    )
    bad = Example("FROM ruby:3.3-slim\nRUN gem install bundler\n")
    good = Example("FROM ruby:3.3-slim\nRUN gem install bundler:2.5.18\n")
    url = WIKI + "DL3028"
    hint = "write GEM:VERSION"

    def unpinned(self, run: "WrittenRun") -> list[Spot]:
        return [spot for call in run.named("gem") for spot in _unpinned_gems(call)]


def _unpinned_gems(call: "Call") -> "list[Spot]":
    said = [word.loose for word in call.words]
    end = said.index("--") if "--" in said else len(said)
    own = call._replace(words=call.words[:end])
    plain = own.plain(_GEM_VALUED)
    if not plain or plain[0].loose not in ("install", "i") or own.has("--version", "--file"):
        return []
    if any(word in ("-g", "-v") or re.match(r"-v.", word) for word in said[:end]):
        return []
    swallowed = _swallowed(call.words[:end])
    return [
        Spot(call, word, word not in swallowed)
        for word in plain[1:]
        if ":" not in word.loose and not word.loose.endswith(".gem") and swallowed.get(word, "-N") in _GEM_SWITCHES
    ]


def _swallowed(words: tuple[Word, ...]) -> dict[Word, str]:
    """The words that hadolint takes for values, each with the option before it: every option without a `=` has one."""
    found: dict[Word, str] = {}
    option = ""
    for word in words:
        if option:
            found[word], option = option, ""
        elif word.loose.startswith("-") and "=" not in word.loose:
            option = word.loose
    return found


class UnpinnedGoPackage(UnpinnedRule):
    """hadolint's DL3062."""

    name = "UnpinnedGoPackage"
    aliases = ("DL3062",)
    summary = "Go programs should be installed with a version"
    why = (
        "`go install PATH@latest`, or without anything outside of a module, takes the newest version of the day. Write "
        "`PATH@v1.2.3`. Nothing is said about local packages and files."
    )
    japanese = (
        "Go のプログラムはバージョンを指定してインストールする",
        "`go install PATH@latest`、またはモジュールの外で何も付けないと、その日の最新版が入ります。`PATH@v1.2.3` と書"
        "いて"
        "ください。ローカルのパッケージやファイルについては何も報告しません。",
    )
    bad = Example("FROM golang:1.23\nRUN go install golang.org/x/tools/cmd/goimports@latest\n")
    good = Example("FROM golang:1.23\nRUN go install golang.org/x/tools/cmd/goimports@v0.24.0\n")
    url = WIKI + "DL3062"
    hint = "write PATH@VERSION"

    def unpinned(self, run: "WrittenRun") -> list[Spot]:
        calls = list(run.named("go"))
        # A `go run` of something fixed or local is enough for hadolint to say nothing of the whole RUN.
        seen = all(_unpinned_packages(call) for call in calls if [w.loose for w in call.plain()[:1]] == ["run"])
        return [Spot(call, word, seen) for call in calls for word in _unpinned_packages(call)]


def _unpinned_packages(call: "Call") -> "list[Word]":
    plain = call.plain(_GO_VALUED)
    if not plain or plain[0].loose not in ("install", "get", "run"):
        return []
    packages = plain[1:]
    if plain[0].loose == "run":
        packages = packages[:1]
    elif packages and packages[0].loose == "tool":
        packages = packages[1:]
    return [word for word in packages if not _pinned(word.loose)]


def _pinned(package: str) -> bool:
    if re.match(_GO_LOCAL, package):
        return True
    name, at, version = package.rpartition("@")
    return at != "" and name != "" and version not in ("latest", "none", "")


RULES = (UnpinnedGem(), UnpinnedGoPackage())
