"""LABEL: the names of labels, and what an organisation's label schema says about them."""

import re
from collections.abc import Iterator

from kezuri.check.editing import bare
from kezuri.check.label_forms import fits
from kezuri.check.policy import Policy
from kezuri.check.rule import Edit, Example, Finding, Fix, Rule
from kezuri.check.standing import related
from kezuri.check.subject import Subject
from kezuri.diagnostics import Span
from kezuri.dockerfile.instructions import Copy, Label

_KEY = re.compile(r"[a-z](?:[a-z0-9./_-]*[a-z0-9])?\Z")
_RESERVED = ("com.docker.", "io.docker.", "org.dockerproject.")
_WHERE = "`label-schema` in the table `[check]` of `kezuri.toml`, or in `.hadolint.yaml`"


class LabelKey(Rule):
    """hadolint's DL3048."""

    name = "LabelKey"
    aliases = ("DL3048",)
    severity = "style"
    fix_class = "A"
    summary = "Names of labels are lower-case letters, digits, dots and hyphens"
    why = (
        "Docker's rules for names of labels: they begin with a letter and end with a letter or a digit, two separators "
        "do not follow each other, and `com.docker.`, `io.docker.` and `org.dockerproject.` are Docker's own. Other "
        "names work, but tools that read labels compare them letter by letter: `Maintainer` is not `maintainer`."
    )
    japanese = (
        "ラベル名には英小文字、数字、ドット、ハイフンを使う",
        "Docker のラベル名の決まりです。英字で始まり英数字で終わり、区切りは続けて書かず、`com.docker.`、`io.docker.`、"
        "`org.dockerproject.` は Docker のものです。ほかの名前も使えますが、ラベルを読むツールは一字ずつ比べるため、"
        "`Maintainer` と `maintainer` は別のものになります。",
    )
    bad = Example("FROM debian:12\nLABEL Vendor=kezuri\n")
    good = Example("FROM debian:12\nLABEL org.example.vendor=kezuri\n")
    url = "https://github.com/hadolint/hadolint/wiki/DL3048"

    def look(self, subject: Subject) -> Iterator[Finding]:
        for _, label in subject.placed(Label):
            names = [bare(name) for name, _ in label.pairs]
            for name in names:
                if _KEY.match(name) and not name.startswith(_RESERVED) and ".." not in name and "--" not in name:
                    continue
                text = f"the label {name} is not named as labels are"
                if name.startswith(_RESERVED):
                    text = f"the label {name} begins like Docker's own"
                fix = _lowered(label, name) if name.lower() not in names else None
                yield Finding(self, text, label.node, _span(label, name), fix, hint="lower-case it: `org.example.name`")


_VERSIONED = Policy(label_schema=(("version", "semver"),))


class MissingLabel(Rule):
    """hadolint's DL3049."""

    name = "MissingLabel"
    aliases = ("DL3049",)
    severity = "info"
    file_wide = True
    summary = "The labels of the label schema are there"
    why = (
        "An image without its labels cannot be traced to a team, a version or a source. Which ones there must be is "
        f"said by {_WHERE}; a stage on which another one stands may leave them to that, and one of which files are "
        "copied needs none."
    )
    japanese = (
        "ラベルスキーマのラベルがそろっている",
        "ラベルがなければ、イメージがどのチームの、どのバージョンの、どのソースのものか分かりません。必要なラベル"
        "は、`kezuri.toml` の表 `[check]` か `.hadolint.yaml` の `label-schema` で決めます。別のステージの土台になる"
        "ステージでは、ラベルを上のステージに任せられます。",
    )
    bad = Example("FROM debian:12\nRUN make\n", policy=_VERSIONED)
    good = Example("FROM debian:12\nLABEL version=1.0.0\n", policy=_VERSIONED)
    url = "https://github.com/hadolint/hadolint/wiki/DL3049"

    def look(self, subject: Subject) -> Iterator[Finding]:
        if subject.policy is None or not subject.policy.label_schema:
            return
        own: dict[int, set[str]] = {}
        for part, label in subject.placed(Label):
            own.setdefault(part.number, set()).update(bare(name) for name, _ in label.pairs)
        copied = _copied(subject)
        has = {
            name: related(subject, {n for n, names in own.items() if name in names and n >= 0} - copied)
            for name, _ in subject.policy.label_schema
        }
        for stage in subject.stages:
            for name, form in subject.policy.label_schema if stage.number not in copied else ():
                if stage.number in has[name]:
                    continue
                start = stage.start
                yield Finding(self, f"the label {name} is missing", start.node, hint=f"write `LABEL {name}=…` ({form})")


_STRICT = Policy(label_schema=(("version", "semver"),), strict_labels=True)


class UnknownLabel(Rule):
    """hadolint's DL3050."""

    name = "UnknownLabel"
    aliases = ("DL3050",)
    severity = "info"
    summary = "There are no labels beside those of the label schema"
    why = (
        "With `strict-labels` in the table `[check]` of `kezuri.toml`, or in `.hadolint.yaml`, an organisation says "
        "that its label schema is complete: another name is a slip of the pen, or one that nobody agreed on."
    )
    japanese = (
        "ラベルスキーマにないラベルを使わない",
        "`kezuri.toml` の表 `[check]` か `.hadolint.yaml` の `strict-labels` は、ラベルスキーマが完全であるという宣言"
        "です。ほかの名前は、書き間違いか、合意のない名前です。",
    )
    bad = Example("FROM debian:12\nLABEL vresion=1.0.0\n", policy=_STRICT)
    good = Example("FROM debian:12\nLABEL version=1.0.0\n", policy=_STRICT)
    url = "https://github.com/hadolint/hadolint/wiki/DL3050"

    def look(self, subject: Subject) -> Iterator[Finding]:
        if subject.policy is None or not subject.policy.strict_labels:
            return
        known = dict(subject.policy.label_schema)
        for _, label in subject.placed(Label):
            for name, _ in label.pairs:
                if bare(name) not in known:
                    from kezuri.check.suggest import suggest

                    near = suggest(bare(name), known)
                    hint = f"did you mean {near}?" if near else "remove it, or add it to the label schema"
                    text = f"the label {bare(name)} is not in the label schema"
                    yield Finding(self, text, label.node, _span(label, bare(name)), hint=hint)


_OF_A_TEAM = Policy(label_schema=(("team", "text"),))


class EmptyLabel(Rule):
    """hadolint's DL3051."""

    name = "EmptyLabel"
    aliases = ("DL3051",)
    summary = "Labels of the label schema have a value"
    why = f"A label that is there and says nothing passes for one that was set. It is asked for by {_WHERE}."
    japanese = (
        "ラベルスキーマのラベルに値がある",
        "値のないラベルがあると、設定済みのように見えてしまいます。必要なラベルは、`kezuri.toml` の表 `[check]` か "
        "`.hadolint.yaml` の `label-schema` で決めます。",
    )
    bad = Example('FROM debian:12\nLABEL team=""\n', policy=_OF_A_TEAM)
    good = Example("FROM debian:12\nLABEL team=platform\n", policy=_OF_A_TEAM)
    url = "https://github.com/hadolint/hadolint/wiki/DL3051"

    def look(self, subject: Subject) -> Iterator[Finding]:
        schema = dict(subject.policy.label_schema) if subject.policy is not None else {}
        for _, label in subject.placed(Label):
            for name, value in label.pairs:
                if bare(name) in schema and not bare(value):
                    text = f"the label {bare(name)} has no value"
                    yield Finding(self, text, label.node, _span(label, bare(name)), hint="give it a value")


class LabelForm(Rule):
    """hadolint's DL3052 to DL3056 and DL3058."""

    name = "LabelForm"
    aliases = ("DL3052", "DL3053", "DL3054", "DL3055", "DL3056", "DL3058")
    summary = "Labels of the label schema have the form that it asks for"
    why = (
        "Tools that read a label expect a time, a version, an address. Which form each one has is said by "
        f"{_WHERE}: `text`, `rfc3339` (2026-01-31T12:00:00Z), `semver`, `url`, `hash` (of a git commit, from 7 digits "
        "on), `spdx` (a licence of the SPDX list, or an expression of such), `email`. A value that is a variable "
        "cannot be checked: its form must be `text`."
    )
    japanese = (
        "ラベルの値がラベルスキーマの形式に合う",
        "ラベルを読むツールは、時刻、バージョン、アドレスなどの形を期待します。形式は `kezuri.toml` の表 `[check]` か "
        "`.hadolint.yaml` の `label-schema` で決めます。`text`、`rfc3339`(2026-01-31T12:00:00Z)、`semver`、`url`、"
        "`hash`(git コミット、7 桁以上)、`spdx`(SPDX の一覧にあるライセンスかその式)、`email` が使えます。"
        "変数の値は確かめられないため、形式を `text` にしてください。",
    )
    bad = Example("FROM debian:12\nLABEL version=one\n", policy=_VERSIONED)
    good = Example("FROM debian:12\nLABEL version=1.0.0\n", policy=_VERSIONED)
    url = "https://github.com/hadolint/hadolint/wiki/DL3056"

    def look(self, subject: Subject) -> Iterator[Finding]:
        schema = dict(subject.policy.label_schema) if subject.policy is not None else {}
        for _, label in subject.placed(Label) if schema else ():
            for name, value in label.pairs:
                form = schema.get(bare(name), "text")
                if fits(form, bare(value)):
                    continue
                alias, what, hint = _FORMS[form]
                text = f"the label {bare(name)} is no {what}: {bare(value)!r}"
                yield Finding(self, text, label.node, _span(label, bare(name)), hint=hint, aliases=(alias,))


_FORMS = {
    "url": ("DL3052", "URL", "write a whole address: https://example.com/"),
    "rfc3339": ("DL3053", "time after RFC 3339", "write it as `date -u +%Y-%m-%dT%H:%M:%SZ` does"),
    "spdx": ("DL3054", "licence of the SPDX list", "write its identifier: Apache-2.0"),
    "hash": ("DL3055", "hash of a git commit", "write what `git rev-parse HEAD` says"),
    "semver": ("DL3056", "semantic version", "write three numbers: 1.2.3"),
    "email": ("DL3058", "address for e-mail", "write it as name@example.com"),
}


def _copied(subject: Subject) -> set[int]:
    """The stages that a later one copies from by name."""
    names: dict[str, int] = {}
    found: set[int] = set()
    for part in subject.parts:
        if part.start is not None and part.start.written_name:
            names[part.start.written_name] = part.number
        for copy in part.own(Copy):
            number = names.get(copy.source_image or "")
            found |= {number} if number is not None else set()
    return found


def _span(label: Label, name: str) -> Span | None:
    text, node = label.node.source.text, label.node
    at = text.find(name, node.keyword_span.end, node.span.end) if name else -1
    return None if at < 0 else Span(at, at + len(name))


def _lowered(label: Label, name: str) -> Fix | None:
    span, right = _span(label, name), name.lower()
    if span is None or not _KEY.match(right) or right.startswith(_RESERVED) or ".." in right or "--" in right:
        return None
    changes = frozenset((f"config.Labels {name}", f"config.Labels {right}"))
    return Fix(f"write `{right}`", (Edit(span, right),), "A", changes)


RULES = (LabelKey(), MissingLabel(), UnknownLabel(), EmptyLabel(), LabelForm())
