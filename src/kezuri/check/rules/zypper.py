"""Rules about zypper, which SUSE's distributions install packages with."""

import re
from typing import TYPE_CHECKING

from kezuri.check.package_rule import WIKI, PackageRule, Spot, UnpinnedRule
from kezuri.check.rule import Example, Finding
from kezuri.check.shell_edits import appended, fix, inserted

if TYPE_CHECKING:
    from kezuri.check.runs import Call, WrittenRun
    from kezuri.check.subject import Subject
    from kezuri.shell.script import Word

_VALUED = frozenset(
    (
        *("-r", "--repo", "-t", "--type", "--from", "--root", "-R", "--installroot", "-c", "--config", "--cache-dir"),
        *(
            "--reposd-dir",
            "--solv-cache-dir",
            "--pkg-cache-dir",
            "--raw-cache-dir",
            "--plus-repo",
            "-p",
            "--plus-content",
        ),
        *("--releasever", "--capability", "--name", "-D", "--solver-debug-dir", "-x"),
    )
)
_PINNED = r"[=<>]|\.rpm\Z|://|\A[./~]"
_ASKING = ("install", "in", "remove", "rm", "source-install", "si", "patch")
_CACHE = r"/var/cache(?:/?\*?\Z|/zypp)"


def _verb(call: "Call") -> "tuple[str, Word | None, tuple[Word, ...]]":
    plain = call.operands(_VALUED)
    return (plain[0].loose, plain[0], plain[1:]) if plain else ("", None, ())


class UnpinnedZypperPackage(UnpinnedRule):
    """hadolint's DL3037."""

    name = "UnpinnedZypperPackage"
    aliases = ("DL3037",)
    summary = "Packages that zypper installs should have a version"
    why = (
        "Without a version, the same Dockerfile gives other packages on another day. Write `httpd=2.4.58`, or a "
        "bound in "
        "quotes (`'httpd>=2.4'`). Files, URLs, patterns and patches have no version to write."
    )
    japanese = (
        "zypper でインストールするパッケージにはバージョンを指定する",
        "バージョンを書かないと、同じ Dockerfile でもビルドした日によって入るパッケージが変わります。`httpd=2.4.58` "
        "や、引用符"
        "付きの範囲(`'httpd>=2.4'`)で書いてください。ファイル、URL、パターン、パッチにはバージョンを書けないので、何"
        "も報告"
        "しません。",
    )
    bad = Example("FROM opensuse/leap:15.6\nRUN zypper install -y httpd && zypper clean --all\n")
    good = Example("FROM opensuse/leap:15.6\nRUN zypper install -y httpd=2.4.58 && zypper clean --all\n")
    url = WIKI + "DL3037"
    hint = "write PACKAGE=VERSION"

    def unpinned(self, run: "WrittenRun") -> list[Spot]:
        spots: list[Spot] = []
        for call in run.named("zypper"):
            verb, _, packages = _verb(call)
            if verb in ("install", "in") and call.value("-t", "--type") in (None, "package"):
                spots += [Spot(call, word) for word in packages if not re.search(_PINNED, word.loose)]
        return spots


class ZypperConfirmationMissing(PackageRule):
    """hadolint's DL3034."""

    name = "ZypperConfirmationMissing"
    aliases = ("DL3034",)
    fix_class = "A"
    summary = "zypper should be called so that it does not ask"
    why = (
        "zypper asks before it installs or removes. In a build there is nobody to answer, and it ends with an error. "
        "`zypper --non-interactive` takes the default of every question; `-y` behind `install` agrees."
    )
    japanese = (
        "zypper は確認を求めない形で呼び出す",
        "zypper はインストールや削除の前に確認を求めます。ビルドには答える人がいないため、エラーで終わります。"
        "`zypper --non-interactive` はすべての質問に既定の答えを使い、`install` の後の `-y` は同意します。",
    )
    bad = Example("FROM opensuse/leap:15.6\nRUN zypper install httpd=2.4.58 && zypper clean --all\n")
    good = Example("FROM opensuse/leap:15.6\nRUN zypper install -y httpd=2.4.58 && zypper clean --all\n")
    url = WIKI + "DL3034"

    def inspect(self, run: "WrittenRun", subject: "Subject") -> Finding | None:
        asking = []
        for call in run.named("zypper"):
            verb, word, _ = _verb(call)
            told = call.has("-y", "-n", "--non-interactive", "--no-confirm")
            if verb in _ASKING and word is not None and not told:
                asking.append((call, word))
        if not asking:
            return None
        return self.found(
            run,
            [Spot(call, word) for call, word in asking],
            message=f"`zypper {asking[0][1].text}` asks a question that nobody answers",
            hint="add --non-interactive",
            fix=fix(
                run,
                advice="add --non-interactive",
                edits=[inserted(call, call.head, "--non-interactive") for call, _ in asking],
            ),
        )


class ZypperDistributionUpgrade(PackageRule):
    """hadolint's DL3035."""

    name = "ZypperDistributionUpgrade"
    aliases = ("DL3035",)
    summary = "zypper dist-upgrade should not be used"
    why = (
        "`zypper dup` changes the distribution's release or swaps vendors: the image is then no longer what FROM says. "
        "Take a newer base image; for updates there is `zypper update`."
    )
    japanese = (
        "zypper dist-upgrade を使わない",
        "`zypper dup` はディストリビューションのリリースを変えたり、パッケージの提供元を入れ替えたりするため、イメー"
        "ジは FROM が"
        "言うものではなくなります。新しいベースイメージを使ってください。更新には `zypper update` があります。",
    )
    bad = Example("FROM opensuse/leap:15.6\nRUN zypper dup -y && zypper clean --all\n")
    good = Example("FROM opensuse/leap:15.6\nRUN zypper update -y && zypper clean --all\n")
    url = WIKI + "DL3035"

    def inspect(self, run: "WrittenRun", subject: "Subject") -> Finding | None:
        spots = [
            Spot(call, word)
            for call in run.named("zypper")
            for verb, word, _ in [_verb(call)]
            if word is not None and verb in ("dist-upgrade", "dup")
        ]
        if not spots:
            return None
        return self.found(
            run,
            spots,
            message="a dist-upgrade makes another system of what FROM names",
            hint="take a newer base image",
        )


class ZypperCacheKept(PackageRule):
    """hadolint's DL3036."""

    name = "ZypperCacheKept"
    aliases = ("DL3036", "DS-0020")
    fix_class = "A"
    summary = "zypper's cache should be cleaned in the RUN that filled it"
    why = (
        "zypper keeps metadata and packages in `/var/cache/zypp`. What a later RUN removes stays in the layer below. A "
        "cache mount on that directory leaves nothing to clean. Where the same RUN removes the directory, this is only "
        "a matter of style."
    )
    japanese = (
        "zypper のキャッシュは、作られたのと同じ RUN の中で消す",
        "zypper はメタデータとパッケージを `/var/cache/zypp` に残します。後の RUN で消しても下のレイヤーには残りま"
        "す。この"
        "ディレクトリにキャッシュマウントがあれば、消すものはありません。同じ RUN がディレクトリを消している場合は、"
        "スタイルの"
        "問題に過ぎません。",
    )
    bad = Example("FROM opensuse/leap:15.6\nRUN zypper install -y httpd=2.4.58\n")
    good = Example("FROM opensuse/leap:15.6\nRUN zypper install -y httpd=2.4.58 && zypper clean --all\n")
    url = WIKI + "DL3036"

    def inspect(self, run: "WrittenRun", subject: "Subject") -> Finding | None:
        dirty = [call for call in run.named("zypper") if _verb(call)[0] in ("install", "in")]
        if not dirty or any(re.match(_CACHE, mount) for mount in run.mounts()):
            return None
        if any(call.program == "zypper" and _verb(call)[0] in ("clean", "cc") for call in run.after(dirty[0])):
            return None
        removed = any(
            call.program == "rm" and any(re.search(_CACHE, word.loose) for word in call.words)
            for call in run.after(dirty[-1])
        )
        text = dirty[-1].text
        edit = appended(run, text, "zypper clean --all", subject.dockerfile.escape) if text is not None else None
        return self.found(
            run,
            [Spot(call, call.head) for call in dirty],
            message="`zypper` leaves its cache in the layer",
            hint="end the RUN with `zypper clean --all`",
            fix=fix(run, advice="clean the cache at the end of the RUN", edits=[edit]),
            level="style" if removed or not (run.shipped or run.trigger) else None,
        )


RULES = (
    UnpinnedZypperPackage(),
    ZypperCacheKept(),
    ZypperConfirmationMissing(),
    ZypperDistributionUpgrade(),
)
