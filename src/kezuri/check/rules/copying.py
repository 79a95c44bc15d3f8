"""COPY and ADD as they are written: sources, destinations, and the stage that is copied from."""

import re
from collections.abc import Iterator
from posixpath import normpath

from kezuri.check.copied import copies, stands_on_nothing
from kezuri.check.course import courses
from kezuri.check.editing import bare, cased
from kezuri.check.rule import Edit, Example, Finding, Fix, Level, Rule
from kezuri.check.standing import base_directory
from kezuri.check.subject import Subject
from kezuri.diagnostics import Span
from kezuri.dockerfile.instructions import Copy

_ARCHIVE = re.compile(
    r"\.(?:tar|tar\.(?:gz|bz2|xz|zst|Z|lz|lzma)|tgz|tbz|tbz2|tb2|txz|tzst|tlz|tpz|tZ|gz|bz2|xz|Z|lz|lzma)\Z"
)
_STANDARD = frozenset(
    (
        "/bin", "/etc", "/home", "/opt", "/root", "/sbin", "/srv", "/tmp", "/usr", "/usr/bin", "/usr/lib",
        "/usr/local/bin", "/usr/share", "/var",
    )
)  # fmt: skip
"""Directories that every distribution has."""
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
        for _, copy in copies(subject, "ADD"):
            plain = [s for s in copy.sources if not _REMOTE.match(bare(s)) and not _ARCHIVE.search(bare(s))]
            if not plain:
                continue
            word = cased(copy.node, "COPY")
            sure = len(plain) == len(copy.sources) and not any(sign in s for s in plain for sign in "*?[$")
            sure = sure and not any(_may_be_archive(subject, bare(s)) for s in plain)
            flags = copy.checksum is not None or copy.keep_git_dir is not None or copy.unpack is not None
            fix = Fix(f"write `{word}`", (_in_line(copy, word),), "A", frozenset(("kind", "unpack")))
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
        "Several files can only be copied into a directory. Without a `/` at its end the destination is a directory "
        "only where there is one already: otherwise BuildKit and kezuri write one file over the other, and the last "
        "one is left; Docker's builder of old refuses the line. Where the base surely has the directory, or a variable "
        "may end with a slash, it is an info; `.` is the working directory, which is always there: a matter of style."
    )
    japanese = (
        "コピー元が複数なら、コピー先をスラッシュで終わらせる",
        "複数のファイルはディレクトリにしかコピーできません。末尾に `/` がないコピー先は、すでにディレクトリがある"
        "ときだけディレクトリになります。なければ BuildKit と kezuri はファイルを順に上書きし、最後の一つだけが残りま"
        "す。Docker の古いビルダーはエラーにします。ベースに必ずあるディレクトリと、スラッシュで終わるかもしれない"
        "変数は情報、必ず存在する作業ディレクトリの `.` はスタイルの問題として報告します。",
    )
    bad = Example("FROM debian:12\nCOPY a b /app\n", files={"a": "", "b": ""})
    good = Example("FROM debian:12\nCOPY a b /app/\n", files={"a": "", "b": ""})
    url = "https://github.com/hadolint/hadolint/wiki/DL3021"

    def look(self, subject: Subject) -> Iterator[Finding]:
        for part, copy in copies(subject, "COPY"):
            if len(copy.sources) + len(copy.heredocs) < 2 or bare(copy.destination).endswith("/"):
                continue
            variable = bare(copy.destination).endswith("}") or re.search(r"\$\w+\Z", bare(copy.destination))
            level: Level | None = "info" if variable else _there(subject, part.number, bare(copy.destination))
            right = f"{bare(copy.destination)}/"
            span = destination_span(copy)
            fix = None
            if span is not None and not variable and "\\" not in copy.destination:
                same = level == "style"
                changes = frozenset(("destination",) if same else ("file",))
                fix = Fix(f"write `{right}`", (Edit(span, right),), "A" if same else "V", changes)
            yield Finding(
                self,
                f"several sources, and {bare(copy.destination)} is no directory by its name",
                copy.node,
                span,
                fix,
                hint=f"write `{right}`",
                level=level,
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
        "WORKDIR of its own is taken as meant. Nothing is below a stage on scratch: it works in `/`, and the finding "
        "is an info. kezuri's example `go-distroless/Dockerfile.002` copies to `./` of an image that works in `/` "
        "today."
    )
    japanese = (
        "相対パスへの COPY の前に WORKDIR を書く",
        "COPY の相対パスは WORKDIR から始まります。ファイルに WORKDIR がなければベースイメージのものになり、ベースが"
        "変わると同じ行が別の場所にコピーします。調べたベースイメージに独自の WORKDIR があれば、意図したものとみなし"
        "ます。scratch の上のステージは必ず `/` から始まるため、情報として報告します。",
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
                level: Level | None = "info" if stands_on_nothing(subject, part.number) else None
                yield self._finding(instruction, path, home)._replace(level=level)
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


def _in_line(copy: Copy, word: str) -> Edit:
    """A keyword that is one letter longer, in a column that stays where it is."""
    span, text = copy.node.keyword_span, copy.node.source.text
    return Edit(Span(span.start, span.end + text.startswith("  ", span.end)), word)


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


def _there(subject: Subject, number: int, path: str) -> Level | None:
    """How much it weighs that a directory is not written as one: little where it is there in any case."""
    if path == ".":
        return "style"
    stages = courses(subject).all
    course = stages[number] if 0 <= number < len(stages) else None
    if course is None or course.ground.family in ("", "scratch", "distroless"):
        return None
    return "info" if path in _STANDARD else None


RULES = (
    AddForPlainFiles(),
    ManySourcesNoDirectory(),
    RelativeCopyDestination(),
)
