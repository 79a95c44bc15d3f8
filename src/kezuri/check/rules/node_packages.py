"""Rules about npm and yarn, which install packages of Node.js."""

import re
from typing import TYPE_CHECKING

from kezuri.check.package_rule import WIKI, PackageRule, Spot, UnpinnedRule
from kezuri.check.rule import Example, Finding
from kezuri.check.shell_edits import appended, fix

if TYPE_CHECKING:
    from kezuri.check.runs import WrittenRun
    from kezuri.check.subject import Subject

_NPM_VALUED = frozenset(
    (
        *("--prefix", "-C", "--loglevel", "--registry", "--cache", "--tag", "--omit", "--only", "--include", "-w"),
        *("--workspace", "--userconfig", "--globalconfig", "--install-strategy", "--cpu", "--os", "--libc", "--otp"),
        *("--fetch-timeout", "--fetch-retries", "--location", "--script-shell", "--before", "--network-timeout"),
    )
)
_NPM_KNOWN = frozenset(("--loglevel", "--registry"))
_LOCAL = r"(?:/|\./|\.\./|~/|file:)|\.\.?\Z"
_ARCHIVE = r"\.(?:tar|tar\.gz|tgz)\Z"


class UnpinnedNpmPackage(UnpinnedRule):
    """hadolint's DL3016."""

    name = "UnpinnedNpmPackage"
    aliases = ("DL3016",)
    summary = "Packages that npm installs by name should have a version"
    why = (
        "`npm install NAME` takes the newest version of the day. Write `NAME@1.2.3`, or put the package into "
        "`package.json` and its lock file, and install with `npm ci`. Nothing is said about `npm install` without "
        "names, "
        "local directories, archives, and repositories at a revision."
    )
    japanese = (
        "npm に名前でインストールさせるパッケージにはバージョンを指定する",
        "`npm install NAME` はその日の最新版を入れます。`NAME@1.2.3` と書くか、`package.json` とロックファイルに入れて "
        "`npm ci` でインストールしてください。名前のない `npm install`、ローカルのディレクトリ、アーカイブ、リビジョ"
        "ン付きの"
        "リポジトリについては何も報告しません。",
    )
    bad = Example("FROM node:20-slim\nRUN npm install -g serve\n")
    good = Example("FROM node:20-slim\nRUN npm install -g serve@14.2.3\n")
    url = WIKI + "DL3016"
    hint = "write PACKAGE@VERSION"

    def unpinned(self, run: "WrittenRun") -> list[Spot]:
        spots: list[Spot] = []
        for call in run.named("npm"):
            plain = call.plain(_NPM_VALUED)
            if plain and plain[0].loose in ("install", "i", "add"):
                known = call.plain(_NPM_KNOWN)[0].loose == "install"
                spots += [Spot(call, word, known) for word in plain[1:] if not _pinned(word.loose)]
        return spots


def _pinned(package: str) -> bool:
    if re.match(_LOCAL, package) or re.search(_ARCHIVE, package):
        return True
    if package.startswith("git") and "://" in package:
        return "#" in package
    return "@" in package[1:] or ("/" in package and "#" in package)


class YarnCacheKept(PackageRule):
    """hadolint's DL3060."""

    name = "YarnCacheKept"
    aliases = ("DL3060",)
    severity = "info"
    fix_class = "A"
    summary = "The cache of yarn should not stay in the image"
    why = (
        "`yarn install` keeps every package that it downloads a second time, in its cache. Clean it in the same RUN, "
        "or "
        "mount a cache on its directory (`/usr/local/share/.cache/yarn` for root with yarn 1), which makes the next "
        "build "
        "faster. Nothing is said of a stage that neither is the last one nor is one that others stand on."
    )
    japanese = (
        "yarn のキャッシュをイメージに残さない",
        "`yarn install` は、ダウンロードしたパッケージをキャッシュにもう一組残します。同じ RUN の中で消すか、その"
        "ディレクトリ(root で yarn 1 なら `/usr/local/share/.cache/yarn`)にキャッシュマウントを使ってください。後者な"
        "ら次の"
        "ビルドも速くなります。最後のステージでも、ほかのステージの土台でもないステージについては何も報告しません。",
    )
    bad = Example("FROM node:20-slim\nWORKDIR /app\nCOPY package.json yarn.lock ./\nRUN yarn install\n")
    good = Example(
        "FROM node:20-slim\nWORKDIR /app\nCOPY package.json yarn.lock ./\nRUN yarn install && yarn cache clean\n"
    )
    url = WIKI + "DL3060"

    def inspect(self, run: "WrittenRun", subject: "Subject") -> Finding | None:
        installs = [
            call
            for call in run.named("yarn")
            if "install"
            in [w.loose for w in call.plain(frozenset(("--cwd", "--cache-folder", "--modules-folder")))[:1]]
        ]
        if not installs or not (run.kept or run.trigger) or any(".cache" in m or "yarn" in m for m in run.mounts()):
            return None
        for call in run.after(installs[0]):
            said = [word.loose for word in call.words]
            if call.program == "yarn" and ("cache" in said or "clean" in said):
                return None
            if call.program == "rm" and any(".cache" in word or "yarn" in word for word in said):
                return None
        text = installs[-1].text
        edit = appended(run, text, "yarn cache clean", subject.dockerfile.escape) if text is not None else None
        return self.found(
            run,
            [Spot(call, call.head) for call in installs],
            message="`yarn install` leaves its cache in the layer",
            hint="end the RUN with `yarn cache clean`, or mount a cache",
            fix=fix(run, advice="clean yarn's cache at the end of the RUN", edits=[edit]),
        )


RULES = (UnpinnedNpmPackage(), YarnCacheKept())
