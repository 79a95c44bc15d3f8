"""Rules about package lists that grow stale, and about upgrades of a whole distribution."""

from typing import TYPE_CHECKING

from kezuri.check.package_rule import PackageRule, Spot
from kezuri.check.rule import Example, Finding

if TYPE_CHECKING:
    from kezuri.check.runs import Call, WrittenRun
    from kezuri.check.subject import Subject
    from kezuri.shell.script import Word

_UPDATES = {"apt-get": ("update",), "apt": ("update",), "apk": ("update",), "zypper": ("refresh", "ref")}
_FAMILY = {"apt-get": "apt", "apt": "apt", "aptitude": "apt"}
_HARMLESS = frozenset(
    (
        *(
            "apt-get",
            "apt",
            "apk",
            "zypper",
            "apt-cache",
            "apt-mark",
            "rm",
            "echo",
            "printf",
            "set",
            "true",
            ":",
            "mkdir",
        ),
        *("cat", "sed", "export", "cp", "mv", "ln", "chmod", "chown", "tee", "test", "[", "[[", "ls", "cd", "wget"),
        *("curl", "gpg", "locale-gen", "update-locale", "touch", "date", "useradd", "groupadd", "adduser", "addgroup"),
    )
)
_INSTALLING = frozenset(
    (
        *("install", "upgrade", "dist-upgrade", "full-upgrade", "build-dep", "add", "reinstall", "source", "download"),
        *("fetch", "satisfy", "in", "up", "update", "patch", "dup", "si", "source-install", "fix", "search", "policy"),
        *("show", "madison", "info", "list", "depends", "changelog"),
    )
)
_VALUED = frozenset(("-o", "--option", "-c", "--config-file", "-t", "-X", "--repository", "--root", "-R"))


def _first(call: "Call") -> "Word | None":
    return next(iter(call.operands(_VALUED)), None)


class UpdateWithoutInstall(PackageRule):
    """Trivy's DS-0017 and dockle's CIS-DI-0007, for the lists of packages only."""

    name = "UpdateWithoutInstall"
    aliases = ("DS-0017", "CIS-DI-0007")
    summary = "Package lists should be fetched in the RUN that installs from them"
    why = (
        "A RUN that only fetches the lists is taken from the cache for as long as its text does not change. The "
        "install "
        "in the next RUN then works with lists of months ago: it gets old packages, or none, because the archive has "
        "dropped them. Trivy and dockle say the same of `yum update` and `dnf update`, which install new versions and "
        "fetch no lists for others: of these nothing is said here, nor where the RUN goes on with a program that may "
        "install something itself."
    )
    japanese = (
        "パッケージ一覧は、それを使ってインストールするのと同じ RUN で取得する",
        "一覧を取得するだけの RUN は、文面が変わらない限りキャッシュから取られます。次の RUN のインストールは何か月も"
        "前の一覧で"
        "動き、古いパッケージを入れるか、アーカイブから消えていて失敗します。Trivy と dockle は `yum update` や `dnf "
        "update` に"
        "ついても同じことを言いますが、これらは新しい版を入れるもので、ほかのための一覧を取得するものではないため、こ"
        "こでは報告"
        "しません。同じ RUN の続きに自分で何かをインストールし得るプログラムがある場合も同様です。",
    )
    bad = Example("FROM debian:12\nRUN apt-get update\nRUN apt-get install -y --no-install-recommends curl\n")
    good = Example(
        "FROM debian:12\nRUN apt-get update && apt-get install -y --no-install-recommends curl && "
        "rm -rf /var/lib/apt/lists/*\n"
    )
    url = "https://avd.aquasec.com/misconfig/ds-0017"

    def inspect(self, run: "WrittenRun", subject: "Subject") -> Finding | None:
        spots: list[Spot] = []
        used: set[str] = set()
        for call in reversed(run.calls):
            family = _FAMILY.get(call.program, call.program)
            word = _first(call)
            if call.program not in _HARMLESS or "/" in call.head.loose:
                break  # it may be something that installs from the lists
            if word is not None and word.loose in _UPDATES.get(call.program, ()) and family not in used:
                spots.append(Spot(call, word))
            if word is not None and word.loose in _INSTALLING:
                used.add(family)
        spots.reverse()
        if not spots:
            return None
        return self.found(
            run,
            spots,
            message=f"`{spots[0].call.program} {spots[0].word.text}` alone: its lists are cached and grow old",
            hint="install in the same RUN",
        )


class DistributionUpgrade(PackageRule):
    """Trivy's DS-0024 and dockle's DKL-DI-0003, and hadolint's DL3005, which later versions have no more."""

    name = "DistributionUpgrade"
    aliases = ("DS-0024", "DKL-DI-0003", "DL3005")
    severity = "info"
    summary = "apt-get dist-upgrade should not be used"
    why = (
        "`dist-upgrade` (`apt full-upgrade`) also removes packages and installs others to get everything upgraded: the "
        "image is then no longer what FROM says, and differs from one day to the next. Take a newer base image; where "
        "the base waits too long with a security update, name that package."
    )
    japanese = (
        "apt-get dist-upgrade を使わない",
        "`dist-upgrade`(`apt full-upgrade`)は、すべてを更新するためにパッケージを消したり別のものを入れたりします。"
        "イメージは FROM が言うものではなくなり、日によって変わります。新しいベースイメージを使ってください。ベースの"
        "セキュリティ更新が遅いときは、そのパッケージを名指しで入れてください。",
    )
    bad = Example("FROM debian:12\nRUN apt-get update && apt-get dist-upgrade -y && rm -rf /var/lib/apt/lists/*\n")
    good = Example("FROM debian:12\nRUN apt-get update && apt-get upgrade -y && rm -rf /var/lib/apt/lists/*\n")
    url = "https://github.com/goodwithtech/dockle/blob/master/CHECKPOINT.md#dkl-di-0003"

    def inspect(self, run: "WrittenRun", subject: "Subject") -> Finding | None:
        spots = []
        for call in run.named("apt-get", "apt", "aptitude"):
            word = _first(call)
            if word is not None and word.loose in ("dist-upgrade", "full-upgrade"):
                spots.append(Spot(call, word))
        if not spots:
            return None
        return self.found(
            run,
            spots,
            message=f"`{spots[0].call.program} {spots[0].word.text}` makes another system of what FROM names",
            hint="take a newer base image",
        )


RULES = (DistributionUpgrade(), UpdateWithoutInstall())
