"""The images that stages stand on: their tags."""

from collections.abc import Iterator
from typing import NamedTuple

from kezuri.check.editing import bare
from kezuri.check.rule import Edit, Example, Finding, Fix, Level, Rule
from kezuri.check.subject import Subject, used
from kezuri.dockerfile.instructions import From


class NamedImage(NamedTuple):
    """A reference taken apart; `tag` and `digest` are empty where it has none."""

    name: str
    tag: str
    digest: str

    @classmethod
    def read(cls, text: str) -> "NamedImage":
        """From what FROM says, variables and all: what is in braces has no meaning of its own."""
        name, _, digest = text.partition("@")
        depth, colon = 0, -1
        for at, char in enumerate(name):
            if char == "{":
                depth += 1
            elif char == "}":
                depth -= 1
            elif not depth and char in ":/":
                colon = at if char == ":" else -1
        return cls(name, "", digest) if colon < 0 else cls(name[:colon], name[colon + 1 :], digest)


class UntaggedBaseImage(Rule):
    """hadolint's DL3006."""

    name = "UntaggedBaseImage"
    aliases = ("DL3006",)
    fix_class = "D"
    summary = "Images are named with a tag or a digest"
    why = (
        "Without a tag `latest` is meant: the build of tomorrow stands on another image than that of today, and "
        "nothing in the file says so. A tag holds the version, a digest holds the very bytes. What a variable stands "
        "for is looked up among the ARGs; where that cannot be known, or is a stage of the file "
        "(`FROM base-${VARIANT}` below `FROM debian:12 AS base-slim`), it is a matter of style. kezuri's example "
        "`go-distroless/Dockerfile.002` has no tag, as its article has none."
    )
    japanese = (
        "イメージはタグかダイジェストを付けて指定する",
        "タグがなければ `latest` とみなされ、明日のビルドは今日と別のイメージの上に作られますが、ファイルからは分かり"
        "ません。タグはバージョンを、ダイジェストは中身そのものを固定します。変数の値は ARG から求めます。分からないと"
        "きや、ファイルのステージを指すとき（`FROM debian:12 AS base-slim` の下の `FROM base-${VARIANT}`）は、"
        "スタイルの問題として報告します。",
    )
    bad = Example("FROM debian\nRUN echo hello\n")
    good = Example("FROM debian:12\nRUN echo hello\n")
    url = "https://github.com/hadolint/hadolint/wiki/DL3006"

    def look(self, subject: Subject) -> Iterator[Finding]:
        names = {stage.start.name for stage in subject.stages}
        for start in _images(subject):
            image = NamedImage.read(start.image)
            if image.tag or image.digest or image.name == "scratch" or image.name.startswith("$"):
                continue
            level: Level | None = None
            host, _, rest = image.name.partition("/")
            hidden = "." in host and rest.startswith("$")
            if "$" in image.name:
                value = used(start.image, subject.survey.arguments, subject.dockerfile.escape)
                if value is not None and value.known and not value.unknown:
                    known = NamedImage.read(value.text)
                    if known.tag or known.digest:
                        continue
                    if value.text.lower() in names:
                        level = "style"
                elif hidden and "/" not in rest:
                    continue  # the tag may be in the variable
                else:
                    level = "style"
            # hadolint takes the port of a registry without a dot in its name for a tag.
            port = ":" in image.name and "." not in image.name.partition(":")[0]
            yield Finding(
                self,
                f"the image {bare(start.image)} has no tag",
                start.node,
                start.image_span,
                _pinned(subject, start, f"{bare(start.image)}:latest"),
                f"write the version that you mean: `{bare(start.image)}:VERSION`",
                aliases=() if port or hidden else None,
                level=level,
            )


class LatestBaseImage(Rule):
    """hadolint's DL3007."""

    name = "LatestBaseImage"
    aliases = ("DL3007", "DS-0001", "DKL-DI-0006")
    fix_class = "D"
    summary = "The tag of an image is not latest"
    why = (
        "`latest` is whatever was pushed last: the image changes under the file, and two machines that pulled on two "
        "days build two different things. A tag with a version, or a digest, says what was tried."
    )
    japanese = (
        "イメージのタグに latest を使わない",
        "`latest` は最後にプッシュされたものを指すだけです。ファイルはそのままでもイメージは変わり、別の日に取得した"
        "二台のマシンは別のものをビルドします。バージョンのタグかダイジェストなら、何を試したのかが残ります。",
    )
    bad = Example("FROM debian:latest\nRUN echo hello\n")
    good = Example("FROM debian:12\nRUN echo hello\n")
    url = "https://github.com/hadolint/hadolint/wiki/DL3007"

    def look(self, subject: Subject) -> Iterator[Finding]:
        for start in _images(subject):
            image = NamedImage.read(start.image)
            if image.tag == "latest" and not image.digest:
                yield Finding(
                    self,
                    f"the tag of {image.name} is latest: it means another image every time one is pushed",
                    start.node,
                    start.image_span,
                    _pinned(subject, start, start.image),
                    f"write the version that you mean: `{image.name}:VERSION`",
                )


def _pinned(subject: Subject, start: From, name: str) -> Fix | None:
    """The digest that the image has now, behind its name; None where nobody knows it."""
    digest = subject.data.digest(name) if subject.data is not None and "$" not in name else None
    if digest is None:
        return None
    edit = Edit(start.image_span, f"{name}@{digest}")
    return Fix(f"pin it: `{name}@{digest}`", (edit,), "D", frozenset(("base", "base.name")))


def _images(subject: Subject) -> Iterator[From]:
    """The FROMs that name no earlier stage."""
    names: set[str] = set()
    for stage in subject.stages:
        if stage.start.image not in names:
            yield stage.start
        if stage.start.name:
            names |= {stage.start.name, stage.start.written_name or ""}


RULES = (UntaggedBaseImage(), LatestBaseImage())
