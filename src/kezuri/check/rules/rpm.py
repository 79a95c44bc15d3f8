"""Rules about yum and dnf, which Red Hat's distributions install packages with."""

import re
from typing import TYPE_CHECKING

from kezuri.check.package_rule import WIKI, ConfirmationRule, PackageRule, Spot, UnpinnedRule, affirmed, answered
from kezuri.check.rule import Example, Finding
from kezuri.check.shell_edits import appended, fix

if TYPE_CHECKING:
    from kezuri.check.runs import Call, WrittenRun
    from kezuri.check.subject import Subject
    from kezuri.shell.script import Word

_VALUED = frozenset(
    (
        *(
            "--enablerepo",
            "--disablerepo",
            "--setopt",
            "--installroot",
            "-c",
            "--config",
            "-x",
            "--exclude",
            "-d",
            "-e",
        ),
        *("--releasever", "--repo", "--repoid", "--forcearch", "--arch", "--advisory", "--comment", "--rpmverbosity"),
        *("--debuglevel", "--errorlevel", "--disableexcludes", "--disableplugin", "--enableplugin", "--repofrompath"),
    )
)
_PINNED = r"-[0-9]|-\$|\.rpm\Z|\A[@/.~]|://|\("
_STREAM = r":|\A/|/"
_CACHE = r"/var/cache(?:/?\*?\Z|/(?:yum|dnf|libdnf5))"
_CLEANED = frozenset(("all", "metadata", "packages", "headers", "dbcache", "expire-cache", "rpmdb", "plugins"))
_YUM = ("yum",)
_DNF = ("dnf", "microdnf")


def _verbs(call: "Call") -> "tuple[str, Word | None, tuple[Word, ...]]":
    """What a call does, the word for it, and its operands; `module install` and the like are one verb."""
    plain = call.operands(_VALUED)
    if not plain:
        return "", None, ()
    if plain[0].loose in ("module", "group", "groups") and len(plain) > 1:
        return f"{plain[0].loose} {plain[1].loose}", plain[1], plain[2:]
    return plain[0].loose, plain[0], plain[1:]


class _Unpinned(UnpinnedRule):
    programs: tuple[str, ...]
    hint = "write PACKAGE-VERSION"

    def unpinned(self, run: "WrittenRun") -> list[Spot]:
        spots: list[Spot] = []
        for call in run.named(*self.programs):
            verb, _, packages = _verbs(call)
            if verb in ("install", "in"):
                known = verb == "install"
                spots += [Spot(call, word, known) for word in packages if not re.search(_PINNED, word.loose)]
            elif verb == "module install":
                spots += [Spot(call, word) for word in packages if not re.search(_STREAM, word.loose)]
        return spots


class _Asking(ConfirmationRule):
    programs: tuple[str, ...]

    def asking(self, run: "WrittenRun") -> list[Spot]:
        found, yes = list[Spot](), affirmed(run)
        for call in run.named(*self.programs):
            verb, word, _ = _verbs(call)
            asks = verb in ("install", "localinstall", "groupinstall", "module install", "group install")
            if asks and word is not None and not call.has("-y", "--assumeyes") and not answered(call, yes):
                found.append(Spot(call, word))
        return found


class _CacheKept(PackageRule):
    programs: tuple[str, ...]
    only_of: tuple[tuple[str, str], ...] = ()
    verbs: tuple[str, ...]
    fix_class = "A"

    def inspect(self, run: "WrittenRun", subject: "Subject") -> Finding | None:
        dirty = [call for call in run.named(*self.programs) if _verbs(call)[0] in self.verbs]
        if any(re.match(_CACHE, mount) for mount in run.mounts()):
            return None
        left = [call for call in _uncleaned(run, self.programs) if _verbs(call)[0] in self.verbs]
        # For hadolint one cleaning behind the first installation is enough.
        seen = not dirty or not _hadolint_sees_cleaning(run, dirty[0])
        if not left:
            return None
        text, program = left[-1].text, left[-1].program
        cleaning = " && ".join(dict.fromkeys(f"{call.program} clean all" for call in left))
        edit = appended(run, text, cleaning, subject.dockerfile.escape) if text is not None else None
        return self.found(
            run,
            [Spot(call, call.head, seen) for call in left],
            message=f"`{program}` leaves its cache in the layer",
            hint=f"end the RUN with `{program} clean all`",
            fix=fix(run, advice="clean the cache at the end of the RUN", edits=[edit]),
            level=None if run.shipped or run.trigger else "style",
            without=tuple(alias for alias, name in self.only_of if name not in [call.program for call in left]),
        )


def _uncleaned(run: "WrittenRun", programs: tuple[str, ...]) -> "list[Call]":
    """The calls of the programs behind which nothing cleans up after them."""
    found: list[Call] = []
    cleaned: set[str] = set()
    for call in reversed(run.calls):
        if call.program in programs and call.program not in cleaned:
            found.append(call)
        cleaned.update(program for program in programs if _cleans(call, program))
    found.reverse()
    return found


def _cleans(call: "Call", program: str) -> bool:
    said = [word.loose for word in call.words]
    if call.program == "rm":
        recursive = any(word.startswith("-") and "r" in word.lower() for word in said)
        return any(re.search(_CACHE, word) or (recursive and "$" in word) for word in said)
    if call.program != program or "clean" not in said:
        return False
    # Without a word that yum knows `yum clean` does nothing but tell which ones there are.
    return program != "yum" or not _CLEANED.isdisjoint(said) or "$" in "".join(said)


def _hadolint_sees_cleaning(run: "WrittenRun", call: "Call") -> bool:
    """Behind dnf hadolint takes any `rm -rf` for a removal of the cache; behind yum it did so in earlier versions."""
    return any(
        other.seen
        and (
            _cleans(other, call.program)
            or (call.program != "yum" and other.program == "rm" and any(word.loose == "-rf" for word in other.words))
        )
        for other in run.after(call)
    )


class UnpinnedYumPackage(_Unpinned):
    """hadolint's DL3033."""

    name = "UnpinnedYumPackage"
    aliases = ("DL3033",)
    programs = _YUM
    summary = "Packages that yum installs should have a version"
    why = (
        "Without a version, the same Dockerfile gives other packages on another day. With one (`httpd-2.4.57`), a "
        "build "
        "stops working where the repository drops that version. Files, URLs, groups and paths have no version to write."
    )
    japanese = (
        "yum でインストールするパッケージにはバージョンを指定する",
        "バージョンを書かないと、同じ Dockerfile でもビルドした日によって入るパッケージが変わります。書いた場合"
        "(`httpd-2.4.57`)は、リポジトリがその版を消した時点でビルドできなくなります。ファイル、URL、グループ、パスには"
        "バージョンを書けないので、何も報告しません。",
    )
    bad = Example("FROM rockylinux:9\nRUN yum install -y httpd && yum clean all\n")
    good = Example("FROM rockylinux:9\nRUN yum install -y httpd-2.4.57 && yum clean all\n")
    url = WIKI + "DL3033"


class UnpinnedDnfPackage(_Unpinned):
    """hadolint's DL3041."""

    name = "UnpinnedDnfPackage"
    aliases = ("DL3041",)
    programs = _DNF
    summary = "Packages that dnf installs should have a version"
    why = (
        "Without a version, the same Dockerfile gives other packages on another day. With one (`httpd-2.4.62`), a "
        "build "
        "stops working where the repository drops that version. Files, URLs, groups and paths have no version to write."
    )
    japanese = (
        "dnf でインストールするパッケージにはバージョンを指定する",
        "バージョンを書かないと、同じ Dockerfile でもビルドした日によって入るパッケージが変わります。書いた場合"
        "(`httpd-2.4.62`)は、リポジトリがその版を消した時点でビルドできなくなります。ファイル、URL、グループ、パスには"
        "バージョンを書けないので、何も報告しません。",
    )
    bad = Example("FROM fedora:41\nRUN dnf install -y httpd && dnf clean all\n")
    good = Example("FROM fedora:41\nRUN dnf install -y httpd-2.4.62 && dnf clean all\n")
    url = WIKI + "DL3041"


class YumConfirmationMissing(_Asking):
    """hadolint's DL3030."""

    name = "YumConfirmationMissing"
    aliases = ("DL3030",)
    programs = _YUM
    summary = "yum install should be called with -y"
    why = "yum asks before it installs. In a build there is nobody to answer: it takes the end of its input for a no."
    japanese = (
        "yum install には -y を付ける",
        "yum はインストールの前に確認を求めます。ビルドには答える人がいないため、入力の終わりを「いいえ」と受け取りま"
        "す。",
    )
    bad = Example("FROM rockylinux:9\nRUN yum install httpd-2.4.57 && yum clean all\n")
    good = Example("FROM rockylinux:9\nRUN yum install -y httpd-2.4.57 && yum clean all\n")
    url = WIKI + "DL3030"


class DnfConfirmationMissing(_Asking):
    """hadolint's DL3038."""

    name = "DnfConfirmationMissing"
    aliases = ("DL3038",)
    programs = _DNF
    summary = "dnf install should be called with -y"
    why = "dnf asks before it installs. In a build there is nobody to answer: it takes the end of its input for a no."
    japanese = (
        "dnf install には -y を付ける",
        "dnf はインストールの前に確認を求めます。ビルドには答える人がいないため、入力の終わりを「いいえ」と受け取りま"
        "す。",
    )
    bad = Example("FROM fedora:41\nRUN dnf install httpd-2.4.62 && dnf clean all\n")
    good = Example("FROM fedora:41\nRUN dnf install -y httpd-2.4.62 && dnf clean all\n")
    url = WIKI + "DL3038"


class YumCacheKept(_CacheKept):
    """hadolint's DL3032."""

    name = "YumCacheKept"
    aliases = ("DL3032", "DS-0015")
    programs = _YUM
    verbs = ("install", "module install", "group install")
    summary = "yum's cache should be cleaned in the RUN that filled it"
    why = (
        "yum keeps the repositories' metadata in `/var/cache/yum`, often more than 100 MB. What a later RUN removes "
        "stays "
        "in the layer below. A cache mount on that directory leaves nothing to clean."
    )
    japanese = (
        "yum のキャッシュは、作られたのと同じ RUN の中で消す",
        "yum はリポジトリのメタデータを `/var/cache/yum` に残し、100 MB を超えることもよくあります。後の RUN で消して"
        "も下の"
        "レイヤーには残ります。このディレクトリにキャッシュマウントがあれば、消すものはありません。",
    )
    bad = Example("FROM rockylinux:9\nRUN yum install -y httpd-2.4.57\n")
    good = Example("FROM rockylinux:9\nRUN yum install -y httpd-2.4.57 && yum clean all\n")
    url = WIKI + "DL3032"


class DnfCacheKept(_CacheKept):
    """hadolint's DL3040."""

    name = "DnfCacheKept"
    aliases = ("DL3040", "DS-0019", "DS-0027")
    only_of = (("DS-0019", "dnf"), ("DS-0027", "microdnf"))
    programs = _DNF
    verbs = (
        *("install", "in", "upgrade", "up", "upgrade-minimal", "up-min", "reinstall", "rei"),
        *("module install", "module in", "group install", "group in"),
    )
    summary = "dnf's cache should be cleaned in the RUN that filled it"
    why = (
        "dnf keeps the repositories' metadata in `/var/cache/dnf` (`/var/cache/libdnf5` from version 5 on), often more "
        "than 100 MB. What a later RUN removes stays in the layer below. A cache mount on that directory leaves "
        "nothing "
        "to clean."
    )
    japanese = (
        "dnf のキャッシュは、作られたのと同じ RUN の中で消す",
        "dnf はリポジトリのメタデータを `/var/cache/dnf`(バージョン 5 からは `/var/cache/libdnf5`)に残し、100 MB を超"
        "える"
        "こともよくあります。後の RUN で消しても下のレイヤーには残ります。このディレクトリにキャッシュマウントがあれ"
        "ば、"
        "消すものはありません。",
    )
    bad = Example("FROM fedora:41\nRUN dnf install -y httpd-2.4.62\n")
    good = Example("FROM fedora:41\nRUN dnf install -y httpd-2.4.62 && dnf clean all\n")
    url = WIKI + "DL3040"


RULES = (
    DnfCacheKept(),
    DnfConfirmationMissing(),
    UnpinnedDnfPackage(),
    UnpinnedYumPackage(),
    YumCacheKept(),
    YumConfirmationMissing(),
)
