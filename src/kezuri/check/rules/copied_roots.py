"""COPY --from: the stage or image that is copied from, and how much of it."""

from collections.abc import Iterator

from kezuri.check.copied import copies, stands_on_nothing
from kezuri.check.course import courses
from kezuri.check.editing import bare
from kezuri.check.rule import Edit, Example, Finding, Fix, Level, Rule
from kezuri.check.subject import Subject
from kezuri.diagnostics import Span
from kezuri.dockerfile.instructions import Copy, Run


class WholeRootCopied(Rule):
    """hadolint's DL3067."""

    name = "WholeRootCopied"
    aliases = ("DL3067",)
    summary = "Not the whole root of another stage is copied"
    why = (
        "`COPY --from=build / /` brings everything: the compilers, the caches and the secrets that the build stage was "
        "made to keep out. Name the paths that the program needs. It is an info where that is how it is meant: the "
        "root of an image that this file adds nothing to (`tonistiigi/xx` is copied that way), of a stage on scratch "
        "that holds nothing but what was put there, and a stage on scratch that makes one layer of another one."
    )
    japanese = (
        "別のステージのルート全体をコピーしない",
        "`COPY --from=build / /` は、ビルド用ステージに閉じ込めたはずのコンパイラーやキャッシュ、シークレットまですべ"
        "て持ち込みます。プログラムに必要なパスだけを指定してください。"
        "このファイルが何も加えていないイメージ（`tonistiigi/xx` はこの形で使います）、入れたものしかない scratch の上"
        "のステージ、別のステージを一つのレイヤーにまとめる scratch の上のステージでは意図したものなので、情報として"
        "報告します。",
    )
    bad = Example("FROM debian:12 AS build\nRUN make\nFROM debian:12\nCOPY --from=build / /\n")
    good = Example("FROM debian:12 AS build\nRUN make\nFROM debian:12\nCOPY --from=build /app /app\n")
    url = "https://github.com/hadolint/hadolint/wiki/DL3067"

    def look(self, subject: Subject) -> Iterator[Finding]:
        for part, copy in copies(subject, "COPY"):
            if copy.source_image is None or bare(copy.destination) != "/":
                continue
            if any(bare(source) == "/" for source in copy.sources):
                text = f"the whole root of {copy.source_image} is copied: all that was needed to build comes along"
                level: Level | None = None
                if stands_on_nothing(subject, part.number) or not _worked_in(subject, copy.source_image):
                    text = f"the whole root of {copy.source_image} is copied, whatever is in it"
                    level = "info"
                hint = "name the files and directories that are needed"
                yield Finding(self, text, copy.node, hint=hint, level=level)


class UnknownCopySource(Rule):
    """hadolint's DL3022."""

    name = "UnknownCopySource"
    aliases = ("DL3022",)
    fix_class = "V"
    summary = "COPY --from names an earlier stage, or an image with its tag"
    why = (
        "What is no stage of this file is taken for an image and fetched from a registry: a stage's name with a slip "
        "of the pen in it is somebody's image on Docker Hub. With a tag or a digest it is clear that an image is "
        "meant. A stage's name in another case means that stage all the same, `scratch` an empty directory, and a name "
        "with a slash can only be an image's: infos."
    )
    japanese = (
        "COPY --from には前のステージか、タグ付きのイメージを指定する",
        "このファイルのステージでない名前はイメージとみなされ、レジストリから取得されます。書き間違えたステージ名は、"
        "Docker Hub にある誰かのイメージになります。タグかダイジェストがあれば、イメージを指すことがはっきりします。"
        "大文字と小文字だけが違うステージ名は同じステージを指し、`scratch` は空のディレクトリを、スラッシュを含む名前"
        "はイメージだけを指すため、情報として報告します。",
    )
    bad = Example("FROM debian:12 AS build\nRUN make\nFROM debian:12\nCOPY --from=biuld /app /app\n")
    good = Example("FROM debian:12 AS build\nRUN make\nFROM debian:12\nCOPY --from=build /app /app\n")
    url = "https://github.com/hadolint/hadolint/wiki/DL3022"

    def look(self, subject: Subject) -> Iterator[Finding]:
        names: dict[str, str] = {}
        for part in subject.parts:
            own = part.start.written_name if part.start is not None else None
            for copy in part.own(Copy):
                said = copy.source_image
                if said is None:
                    continue
                if (
                    ":" in said
                    or said in (own, *names)
                    or (said.isascii() and said.isdigit() and len(said) < 10 and int(said) <= part.number)
                ):
                    continue
                if said.lower() == (own or "").lower() or not said:
                    continue
                yield self._finding(copy, said, names)
            if own:
                names[own] = own

    def _finding(self, copy: Copy, said: str, names: dict[str, str]) -> Finding:
        from kezuri.check.suggest import suggest

        folded = {name.lower(): name for name in names}
        same = folded.get(said.lower())
        near = same or folded.get(suggest(said.lower(), folded))
        fix = None
        if near and copy.from_span is not None:
            text = copy.node.source.text
            at = text.find(said, copy.from_span.start, copy.from_span.end)
            if at >= 0:
                changes = frozenset(() if same else ("files", "error.gone"))
                fix = Fix(f"write `{near}`", (Edit(Span(at, at + len(said)), near),), "A" if same else "V", changes)
        hint = f"did you mean `{near}`?" if near else f"write the tag if an image is meant: `--from={said}:VERSION`"
        text = f"{said} is no earlier stage of this file"
        plain = not near and ("/" in said or said == "scratch")
        if plain:
            text = f"the image {said} has no tag"
            if said == "scratch":
                text, hint = "scratch is no stage of this file, but an empty directory", "make directories with WORKDIR"
        level: Level | None = "info" if same or plain else None
        return Finding(self, text, copy.node, copy.from_span, fix, hint=hint, level=level)


class CopyFromItself(Rule):
    """hadolint's DL3023."""

    name = "CopyFromItself"
    aliases = ("DL3023", "DS-0006")
    severity = "error"
    summary = "A stage does not copy from itself"
    why = "The files of a stage that is still being made cannot be its own source: the build fails with a circle."
    japanese = (
        "ステージは自分自身からコピーしない",
        "作っている途中のステージを、そのステージ自身のコピー元にはできません。循環としてビルドが失敗します。",
    )
    bad = Example("FROM debian:12 AS build\nCOPY --from=build /a /b\n")
    good = Example("FROM debian:12 AS build\nRUN cp /a /b\n")
    url = "https://github.com/hadolint/hadolint/wiki/DL3023"

    def look(self, subject: Subject) -> Iterator[Finding]:
        for part, copy in copies(subject, "COPY"):
            name = part.start.written_name if part.start is not None else None
            said = copy.source_image or ""
            if name and said.lower() == name.lower():
                yield Finding(
                    self,
                    f"the stage {name} copies from itself",
                    copy.node,
                    copy.from_span,
                    hint="leave out `--from` for the build context, or copy within the stage: `RUN cp`",
                    aliases=None if said == name else ("DS-0006",),
                )


def _worked_in(subject: Subject, name: str) -> bool:
    """Whether the file itself put something into what is copied from, other than into an empty root."""
    walked = courses(subject)
    number = walked.called(name)
    if number is None:
        return False
    course = walked.all[number]
    whole = walked.whole(course)
    if course.ground.family == "scratch":
        return any(isinstance(step.instruction, Run) for step in whole)
    return any(isinstance(step.instruction, (Run, Copy)) for step in whole)


RULES = (WholeRootCopied(), UnknownCopySource(), CopyFromItself())
