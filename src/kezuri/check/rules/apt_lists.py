"""The rule about the package lists of apt."""

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from kezuri.check.package_rule import PackageRule, Spot
from kezuri.check.rule import Example, Finding, Fix
from kezuri.check.rules.apt import APT, VALUED, installs
from kezuri.check.shell_edits import appended, fix

if TYPE_CHECKING:
    from kezuri.check.runs import Call, WrittenRun
    from kezuri.check.subject import Subject

_SCRIPTS = frozenset((".", "source", "sh", "bash", "ash", "dash", "zsh", "make", "eval", "xargs", "just"))
_LISTS = r"/var/lib/(?:apt/?\*?\Z|apt/lists|\{[^}]*apt)|/var/lib/?\*?\Z|\$|\A/var/?\Z"


class AptListsKept(PackageRule):
    """hadolint's DL3009, which takes any `rm -rf` for enough."""

    name = "AptListsKept"
    aliases = ("DL3009", "DKL-DI-0005")
    severity = "info"
    fix_class = "A"
    summary = "The package lists of apt should be removed in the RUN that fetched them"
    why = (
        "`apt-get update` writes some 20 to 50 MB of package lists to `/var/lib/apt/lists`. What a later RUN removes "
        "stays in the layer below, so that `rm -rf /var/lib/apt/lists/*` belongs to the same RUN. With a cache mount "
        "there (or on both `/var/lib/apt` and `/var/cache/apt`) nothing is left to remove. Nothing is said of a stage "
        "that neither is the last one nor is one that others stand on."
    )
    japanese = (
        "apt のパッケージ一覧は、取得したのと同じ RUN の中で消す",
        "`apt-get update` は `/var/lib/apt/lists` に 20〜50 MB ほどのパッケージ一覧を書きます。後の RUN で消しても下の"
        "レイヤーには残るため、`rm -rf /var/lib/apt/lists/*` は同じ RUN に書いてください。そこに(または "
        "`/var/lib/apt` と "
        "`/var/cache/apt` の両方に)キャッシュマウントがあれば、消すものはありません。最後のステージでも、ほかのステー"
        "ジの土台"
        "でもないステージについては何も報告しません。",
    )
    bad = Example("FROM debian:12\nRUN apt-get update && apt-get install -y --no-install-recommends curl\n")
    good = Example(
        "FROM debian:12\nRUN apt-get update && apt-get install -y --no-install-recommends curl && "
        "rm -rf /var/lib/apt/lists/*\n"
    )
    url = "https://github.com/hadolint/hadolint/wiki/DL3009"

    def inspect(self, run: "WrittenRun", subject: "Subject") -> Finding | None:
        updates = [
            Spot(call, call.operands(VALUED)[0], not _hadolint_sees_removal(run))
            for call in run.named(*APT, "aptitude")
            if "update" in [word.loose for word in call.operands(VALUED)[:1]]
        ]
        mounts = set(run.mounts())
        if not updates or not (run.kept or run.trigger):
            return None
        if "/var/lib/apt/lists" in mounts or {"/var/lib/apt", "/var/cache/apt"} <= mounts or "/var/lib" in mounts:
            return None
        if any(_removes(call) for call in run.after(updates[-1].call)):
            return None
        return self.found(
            run,
            updates,
            message="the package lists that `apt-get update` fetched stay in the layer",
            hint="end the RUN with `rm -rf /var/lib/apt/lists/*`",
            fix=_lists_removed(run, updates[-1], subject),
        )


def _removes(call: "Call") -> bool:
    """Whether the lists are gone after a call, or may well be."""
    said = [word.loose for word in call.words]
    if call.program == "rm":
        return any(re.search(_LISTS, word) for word in said)
    if call.program == "find":
        return any(re.search(_LISTS, word) for word in said) and ("-delete" in said or "rm" in said)
    return call.program in APT and ("dist-clean" in said or "distclean" in said)


def _hadolint_sees_removal(run: "WrittenRun") -> bool:
    """hadolint is content with any `rm` that is given `-rf` as one word, or a path of the lists with a star."""
    return any(
        word.loose == "-rf" or "/var/lib/apt/lists/*" in word.loose
        for call in run.named("rm")
        if call.seen
        for word in call.words
    )


def _lists_removed(run: "WrittenRun", update: Spot, subject: "Subject") -> Fix | None:
    """The lists removed at the end of the RUN, unless a later one lives on them."""
    text = update.call.text
    if text is None or not any(c in run.after(update.call) for c, _, _ in installs(run, *APT, "aptitude")):
        return None
    if _last_without_update(subject) > run.run.node.number:
        return None
    command = "rm -rf /var/lib/apt/lists/*"
    edit = appended(run, text, command, subject.dockerfile.escape)
    kind = "V" if _last_unknown(subject) > run.run.node.number else "A"
    return fix(run, advice="remove the lists at the end of the RUN", edits=[edit], kind=kind)


@lru_cache(1)
def _last_unknown(subject: "Subject") -> int:
    """The number of the last instruction that runs a script, which may install from lists that it finds."""
    for run in reversed(subject.runs):
        if any("/" in call.head.loose or call.program in _SCRIPTS for call in run.calls):
            return run.run.node.number
    return -1


@lru_cache(1)
def _last_without_update(subject: "Subject") -> int:
    """The number of the last instruction that installs from lists that an earlier one left."""
    runs = reversed(subject.runs)
    return next((r.run.node.number for r in runs if installs(r, *APT, "aptitude") and not _updates(r)), -1)


def _updates(run: "WrittenRun") -> bool:
    return any("update" in [word.loose for word in call.operands(VALUED)[:1]] for call in run.named(*APT, "aptitude"))


RULES = (AptListsKept(),)
