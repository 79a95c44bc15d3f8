"""COPY and ADD as they are written: sources, destinations, and the stage that is copied from."""

import re
from collections.abc import Iterator
from posixpath import normpath

from kezuri.check.editing import bare, cased
from kezuri.check.rule import Edit, Example, Finding, Fix, Rule
from kezuri.check.standing import base_directory
from kezuri.check.subject import Subject
from kezuri.check.written import Part
from kezuri.diagnostics import Span
from kezuri.dockerfile.instructions import Copy

_ARCHIVE = re.compile(
    r"\.(?:tar|tar\.(?:gz|bz2|xz|zst|Z|lz|lzma)|tgz|tbz|tbz2|tb2|txz|tzst|tlz|tpz|tZ|gz|bz2|xz|Z|lz|lzma)\Z"
)
_REMOTE = re.compile(r"https?://|git://|ssh://|git@|[\w.-]+@[\w.-]+:")


class AddForPlainFiles(Rule):
    """hadolint's DL3020."""

    name = "AddForPlainFiles"
    aliases = ("DL3020", "DS-0005", "CIS-DI-0009")
    severity = "error"
    fix_class = "A"
    summary = "Plain files and directories are copied with COPY"
    why = (
        "ADD does more than it looks like: it fetches what looks like a URL and unpacks what is an archive inside, "
        "whatever its name. COPY does what it says. ADD is for URLs, git repositories and local archives; these are "
        "not reported, and neither are archives compressed with zstd, which hadolint does not know."
    )
    japanese = (
        "普通のファイルやディレクトリには COPY を使う",
        "ADD は見かけ以上のことをします。URL に見えるものは取得し、中身がアーカイブなら名前にかかわらず展開します。"
        "COPY は書いてあるとおりにしか動きません。ADD を使うのは URL、git リポジトリ、手元のアーカイブのときです。"
        "それらは報告しません。hadolint が知らない zstd のアーカイブも報告しません。",
    )
    bad = Example("FROM debian:12\nADD app /app\n", files={"app/main": ""})
    good = Example("FROM debian:12\nCOPY app /app\nADD vendor.tar.gz /vendor/\n", files={"app/main": ""})
    url = "https://github.com/hadolint/hadolint/wiki/DL3020"

    def look(self, subject: Subject) -> Iterator[Finding]:
        for _, copy in _copies(subject, "ADD"):
            plain = [s for s in copy.sources if not _REMOTE.match(bare(s)) and not _ARCHIVE.search(bare(s))]
            if not plain:
                continue
            word = cased(copy.node, "COPY")
            sure = len(plain) == len(copy.sources) and not any(sign in s for s in plain for sign in "*?[$")
            sure = sure and not any(_may_be_archive(subject, bare(s)) for s in plain)
            flags = copy.checksum is not None or copy.keep_git_dir is not None or copy.unpack is not None
            fix = Fix(f"write `{word}`", (Edit(copy.node.keyword_span, word),), "A", frozenset(("kind", "unpack")))
            yield Finding(
                self,
                f"ADD of {bare(plain[0])}: what is neither fetched nor unpacked is for COPY",
                copy.node,
                copy.node.keyword_span,
                fix if sure and not flags else None,
                hint=f"write `{word}`",
            )


def _may_be_archive(subject: Subject, path: str) -> bool:
    """Whether a file of the context is no text: ADD unpacks archives, which it knows by their first bytes."""
    around, at = subject.surroundings, normpath(path).lstrip("/")
    if around is None or at == "." or not around.exists(at):
        return False
    return around.read(at) is None and not any(around.names(at))


class ManySourcesNoDirectory(Rule):
    """hadolint's DL3021."""

    name = "ManySourcesNoDirectory"
    aliases = ("DL3021", "DS-0011")
    severity = "error"
    fix_class = "A"
    summary = "The destination of several sources ends with a slash"
    why = (
        "Several files can only be copied into a directory, and the builder takes the destination for one when it ends "
        "with `/`: without it the build fails. Of a variable nobody can tell by the text: an info."
    )
    japanese = (
        "コピー元が複数なら、コピー先をスラッシュで終わらせる",
        "複数のファイルはディレクトリにしかコピーできず、ビルダーがディレクトリとみなすのは `/` で終わるコピー先だけ"
        "です。なければビルドは失敗します。変数は文面から判断できないため、情報として報告します。",
    )
    bad = Example("FROM debian:12\nCOPY a b /srv\n", files={"a": "", "b": ""})
    good = Example("FROM debian:12\nCOPY a b /srv/\n", files={"a": "", "b": ""})
    url = "https://github.com/hadolint/hadolint/wiki/DL3021"

    def look(self, subject: Subject) -> Iterator[Finding]:
        for _, copy in _copies(subject, "COPY"):
            if len(copy.sources) + len(copy.heredocs) < 2 or bare(copy.destination).endswith("/"):
                continue
            variable = bare(copy.destination).endswith("}") or re.search(r"\$\w+\Z", bare(copy.destination))
            right = f"{bare(copy.destination)}/"
            span = destination_span(copy)
            fix = None
            if span is not None and not variable and "\\" not in copy.destination:
                fix = Fix(f"write `{right}`", (Edit(span, right),), "A", frozenset(("destination",)))
            yield Finding(
                self,
                f"several sources, and {bare(copy.destination)} is no directory by its name",
                copy.node,
                span,
                fix,
                hint=f"write `{right}`",
                level="info" if variable else None,
            )


class RelativeCopyDestination(Rule):
    """hadolint's DL3045."""

    name = "RelativeCopyDestination"
    aliases = ("DL3045",)
    fix_class = "A"
    summary = "A relative destination stands below a WORKDIR"
    why = (
        "A relative destination of COPY goes on from the WORKDIR. Where the file sets none, it is the base image's: "
        "the same line puts the files elsewhere when the base changes. A base image that was looked at and has a "
        "WORKDIR of its own is taken as meant. kezuri's example `go-distroless/Dockerfile.002` copies to `./` of an "
        "image that works in `/` today."
    )
    japanese = (
        "相対パスへの COPY の前に WORKDIR を書く",
        "COPY の相対パスは WORKDIR から始まります。ファイルに WORKDIR がなければベースイメージのものになり、ベースが"
        "変わると同じ行が別の場所にコピーします。調べたベースイメージに独自の WORKDIR があれば、意図したものとみなし"
        "ます。",
    )
    bad = Example("FROM debian:12\nCOPY app srv/app\n", files={"app": ""})
    good = Example("FROM debian:12\nWORKDIR /srv\nCOPY app ./\n", files={"app": ""})
    url = "https://github.com/hadolint/hadolint/wiki/DL3045"

    def look(self, subject: Subject) -> Iterator[Finding]:
        settled: set[str] = set()
        for part in subject.parts:
            start = part.start
            known = start is not None and start.image in settled
            home = base_directory(subject, part.number) if start is not None else None
            for piece in part.pieces:
                instruction = piece.instruction
                if instruction.node.keyword == "WORKDIR" and not piece.trigger:
                    known = True
                if piece.trigger or not isinstance(instruction, Copy) or instruction.node.keyword != "COPY":
                    continue
                path = bare(instruction.destination)
                if known or path.startswith(("/", "$")) or re.match(r"[A-Za-z]:", path):
                    continue
                if home is not None and home.strip("/"):
                    continue
                yield self._finding(instruction, path, home)
            if known and start is not None and start.name:
                settled |= {start.name, start.written_name or ""}

    def _finding(self, copy: Copy, path: str, home: str | None) -> Finding:
        span = destination_span(copy)
        fix = None
        plain = re.fullmatch(r"[\w./-]+", path) is not None and ".." not in path.split("/")
        if span is not None and plain and home is not None:
            right = "/" + path.removeprefix("./") if path not in (".", "./") else "/"
            fix = Fix(f"write `{right}`", (Edit(span, right),))
        text = f"{path} is relative, and no WORKDIR of this file says to what"
        return Finding(self, text, copy.node, span, fix, hint="write the whole path, or set WORKDIR before it")


class WholeRootCopied(Rule):
    """hadolint's DL3067."""

    name = "WholeRootCopied"
    aliases = ("DL3067",)
    summary = "Not the whole root of another stage is copied"
    why = (
        "`COPY --from=build / /` brings everything: the compilers, the caches and the secrets that the build stage was "
        "made to keep out. Name the paths that the program needs."
    )
    japanese = (
        "別のステージのルート全体をコピーしない",
        "`COPY --from=build / /` は、ビルド用ステージに閉じ込めたはずのコンパイラーやキャッシュ、シークレットまですべ"
        "て持ち込みます。プログラムに必要なパスだけを指定してください。",
    )
    bad = Example("FROM debian:12 AS build\nRUN make\nFROM debian:12\nCOPY --from=build / /\n")
    good = Example("FROM debian:12 AS build\nRUN make\nFROM debian:12\nCOPY --from=build /app /app\n")
    url = "https://github.com/hadolint/hadolint/wiki/DL3067"

    def look(self, subject: Subject) -> Iterator[Finding]:
        for _, copy in _copies(subject, "COPY"):
            if copy.source_image is None or bare(copy.destination) != "/":
                continue
            if any(bare(source) == "/" for source in copy.sources):
                text = f"the whole root of {copy.source_image} is copied: all that was needed to build comes along"
                yield Finding(self, text, copy.node, hint="name the files and directories that are needed")


class UnknownCopySource(Rule):
    """hadolint's DL3022."""

    name = "UnknownCopySource"
    aliases = ("DL3022",)
    fix_class = "V"
    summary = "COPY --from names an earlier stage, or an image with its tag"
    why = (
        "What is no stage of this file is taken for an image and fetched from a registry: a stage's name with a slip "
        "of the pen in it is somebody's image on Docker Hub. With a tag or a digest it is clear that an image is "
        "meant. A stage's name in another case means that stage all the same: an info."
    )
    japanese = (
        "COPY --from には前のステージか、タグ付きのイメージを指定する",
        "このファイルのステージでない名前はイメージとみなされ、レジストリから取得されます。書き間違えたステージ名は、"
        "Docker Hub にある誰かのイメージになります。タグかダイジェストがあれば、イメージを指すことがはっきりします。"
        "大文字と小文字だけが違うステージ名は同じステージを指すため、情報として報告します。",
    )
    bad = Example("FROM debian:12 AS build\nRUN make\nFROM debian:12\nCOPY --from=biuld /app /app\n")
    good = Example("FROM debian:12 AS build\nRUN make\nFROM debian:12\nCOPY --from=build /app /app\n")
    url = "https://github.com/hadolint/hadolint/wiki/DL3022"

    def look(self, subject: Subject) -> Iterator[Finding]:
        names: dict[str, str] = {}
        for part in subject.parts:
            own = part.start.written_name if part.start is not None else None
            for piece in part.pieces:
                copy = piece.instruction
                if not isinstance(copy, Copy) or piece.trigger or copy.source_image is None:
                    continue
                said = copy.source_image
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
        return Finding(self, text, copy.node, copy.from_span, fix, hint=hint, level="info" if same else None)


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
        for part, copy in _copies(subject, "COPY"):
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


def destination_span(copy: Copy) -> Span | None:
    """Where the destination stands, without its quotes; None where it is not written in one piece."""
    word = bare(copy.destination)
    text, node = copy.node.source.text, copy.node
    start = copy.source_spans[-1].end if copy.source_spans and not copy.json else node.keyword_span.end
    end = min([node.span.end, *(h.body_span.start for h in copy.heredocs if h.body_span.start > node.span.start)])
    at = text.rfind(word, start, end) if word else -1
    if at < 0 or text[at + len(word) : end].strip(" \t\r\n]\"'"):
        return None
    return Span(at, at + len(word))


def _copies(subject: Subject, keyword: str) -> Iterator[tuple[Part, Copy]]:
    for part in subject.parts:
        for piece in part.pieces:
            instruction = piece.instruction
            if isinstance(instruction, Copy) and instruction.node.keyword == keyword and not piece.trigger:
                yield part, instruction


RULES = (
    AddForPlainFiles(),
    ManySourcesNoDirectory(),
    RelativeCopyDestination(),
    WholeRootCopied(),
    UnknownCopySource(),
    CopyFromItself(),
)
