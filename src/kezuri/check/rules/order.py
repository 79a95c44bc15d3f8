"""What may stand where: before FROM, behind ONBUILD, in comments."""

import re
from collections.abc import Iterator

from kezuri.check.rule import Example, Finding, Rule
from kezuri.check.subject import Subject
from kezuri.diagnostics import Place, Span
from kezuri.dockerfile.instructions import Arg, From, Maintainer, Onbuild
from kezuri.dockerfile.parser import pieces

_PRAGMA = re.compile(r"(?m)^[ \t]*#[ \t]*hadolint[ \t]+ignore[ \t]*=[ \t]*(?:DL|SC)\d[DLSC0-9]*.*$")


class InstructionBeforeFrom(Rule):
    """hadolint's DL3061."""

    name = "InstructionBeforeFrom"
    aliases = ("DL3061",)
    severity = "error"
    summary = "Only ARG and comments stand before the first FROM"
    why = (
        "An instruction changes the stage that it stands in, and before the first FROM there is none: the build fails. "
        "Only ARG may stand there, for the FROMs to use."
    )
    japanese = (
        "最初の FROM より前に書けるのは ARG とコメントだけ",
        "命令は自分のいるステージを変えるものですが、最初の FROM より前にステージはなく、ビルドは失敗します。"
        "そこに書けるのは、FROM で使う ARG だけです。",
    )
    bad = Example("LABEL title=x\nFROM debian:12\n")
    good = Example("ARG VERSION=12\nFROM debian:$VERSION\nLABEL title=x\n")
    url = "https://github.com/hadolint/hadolint/wiki/DL3061"

    def look(self, subject: Subject) -> Iterator[Finding]:
        for part in subject.parts:
            if part.start is not None:
                continue
            for piece in part.pieces:
                node = piece.instruction.node
                if piece.trigger or not isinstance(piece.instruction, Arg):
                    yield Finding(
                        self,
                        f"{node.written} stands before the first FROM, where there is no stage",
                        node,
                        node.keyword_span,
                        hint="FROM must come first; only ARG may stand before it",
                    )


class ForbiddenTrigger(Rule):
    """hadolint's DL3043."""

    name = "ForbiddenTrigger"
    aliases = ("DL3043",)
    severity = "error"
    summary = "ONBUILD triggers no ONBUILD, FROM or MAINTAINER"
    why = (
        "A trigger runs within the stage that is based on the image: it can neither begin a stage nor leave a trigger "
        "of its own. The build fails."
    )
    japanese = (
        "ONBUILD に ONBUILD、FROM、MAINTAINER を書かない",
        "トリガーは、そのイメージをベースにしたステージの中で実行されます。新しいステージを始めることも、"
        "さらにトリガーを残すこともできず、ビルドは失敗します。",
    )
    bad = Example("FROM debian:12\nONBUILD MAINTAINER me\n")
    good = Example("FROM debian:12\nONBUILD LABEL org.opencontainers.image.authors=me\n")
    url = "https://github.com/hadolint/hadolint/wiki/DL3043"

    def look(self, subject: Subject) -> Iterator[Finding]:
        for part in subject.parts:
            for piece in part.pieces:
                if piece.trigger and isinstance(piece.instruction, (Onbuild, From, Maintainer)):
                    node = piece.instruction.node
                    text = f"ONBUILD cannot trigger {node.written}"
                    yield Finding(
                        self, text, node, node.keyword_span, hint="write an instruction that changes a stage, or none"
                    )


class InlineIgnore(Rule):
    """hadolint's DL1001."""

    name = "InlineIgnore"
    aliases = ("DL1001",)
    severity = "ignore"
    summary = "Findings are not silenced by comments of hadolint"
    why = (
        "Some teams want every exception in one place, where it is reviewed, and none in the files themselves. This "
        "rule finds `# hadolint ignore=` comments; it is asked only when it is named."
    )
    japanese = (
        "hadolint のコメントで検出を消さない",
        "例外はレビューされる一か所にまとめ、ファイルの中には書かせないというチームもあります。このルールは "
        "`# hadolint ignore=` というコメントを見つけます。名前を指定したときだけ使われます。",
    )
    bad = Example("FROM debian:12\n# hadolint ignore=DL3003\nRUN cd /srv && make\n")
    good = Example("FROM debian:12\nRUN make -C /srv\n")
    url = "https://github.com/hadolint/hadolint/wiki/DL1001"
    file_wide = True

    def look(self, subject: Subject) -> Iterator[Finding]:
        source = subject.dockerfile.source
        for piece in pieces(subject.dockerfile):
            for found in _PRAGMA.finditer(source.text, piece.span.start, piece.span.end) if piece.of is None else ():
                at = found.start() + found.group().index("#")
                place = Place(source, Span(at, found.end()))
                text = "a comment silences findings here"
                yield Finding(self, text, None, place=place, hint="mend what it hides, or say so in `.hadolint.yaml`")


RULES = (InstructionBeforeFrom(), ForbiddenTrigger(), InlineIgnore())
