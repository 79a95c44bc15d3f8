"""Which tags could replace one: those of the same line of versions first, then newer lines, then distroless images."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from kezuri.alternatives.catalogue import Catalogue, official
from kezuri.alternatives.groups import Group
from kezuri.alternatives.tags import Tag, parse_tag
from kezuri.alternatives.values import Way
from kezuri.oci.reference import Reference

_LINES: Final = {
    "golang": 2, "python": 2, "ruby": 2, "php": 2, "perl": 2, "pypy": 2, "alpine": 2, "ubuntu": 2, "mongo": 2,
    "mysql": 2, "mariadb": 2, "elixir": 2, "julia": 2, "nginx": 2, "haproxy": 2, "httpd": 2, "kong": 2, "traefik": 2,
    "rust": 1,
}  # fmt: skip
"""How many numbers of a version stay the same as long as nothing is expected to break; 1 where nothing is said."""
_DISTRIBUTIONS: Final = {
    "alpine": "alpine", "debian": "debian", "ubuntu": "ubuntu", "amazonlinux": "amzn", "almalinux": "almalinux",
    "rockylinux": "rocky", "fedora": "fedora", "oraclelinux": "ol",
}  # fmt: skip
"""Official images that are a distribution: their version is its release."""
_RUNTIMES: Final = {
    "node": "node", "python": "python", "golang": "go", "ruby": "ruby", "php": "php", "rust": "rust",
    "eclipse-temurin": "java", "amazoncorretto": "java", "openjdk": "java", "sapmachine": "java",
}  # fmt: skip
"""Official images that are a runtime, by the name that lives are listed by."""
_DISTROLESS: Final = {
    "node": ("nodejs{line}", frozenset(("18", "20", "22", "24", "26"))),
    "eclipse-temurin": ("java{line}", frozenset(("11", "17", "21", "25"))),
    "amazoncorretto": ("java{line}", frozenset(("11", "17", "21", "25"))),
    "openjdk": ("java{line}", frozenset(("11", "17", "21", "25"))),
}  # fmt: skip
"""Images of gcr.io/distroless that have the runtime of an official one. Python's are left out: they have Debian's own
Python, whose version nobody chooses."""
_DISTROLESS_RELEASES: Final = ("13", "12")
_DISTROLESS_NAME = re.compile(r"gcr\.io/distroless/(nodejs|java|python|static|base|cc)(\d{0,4})-debian(\d{1,3})\Z")
_DISTROLESS_LINES: Final = {"nodejs": ("24", "22", "20"), "java": ("25", "21", "17")}
"""Lines that are made, the youngest first: as far as is known, so that what is not there is no error."""
_NEWER_LINES = 3


class Candidate(NamedTuple):
    """A tag that could replace the base; `tag` is what all names of the image say together. `known` tells whether
    somebody said that it is there."""

    name: str
    tag: Tag
    way: Way
    known: bool = True


class Choice(NamedTuple):
    """What is known of a base's tag, and what could replace it, the likeliest first. `made` is false where the
    catalogue has the repository, and not the tag."""

    tag: Tag
    made: bool | None
    candidates: tuple[Candidate, ...]


def line_depth(repository: str) -> int:
    """How many numbers of a version of this repository (`docker.io/library/node`) make its line."""
    return _LINES.get(official(repository), 1)


def runtime_of(repository: str) -> str:
    """The runtime, or the distribution, whose lines the versions of an official image are; empty for others."""
    return _RUNTIMES.get(official(repository), "")


def is_distroless(repository: str) -> bool:
    """Whether a repository is one of the distroless images of a release of Debian."""
    return _DISTROLESS_NAME.match(repository) is not None


def whole_tag(reference: Reference, catalogue: Catalogue) -> Tag:
    """What is known of the image by its tag, and by the tags that are the same image."""
    group = catalogue.group(reference.repository, reference.tag)
    tag = parse_tag(reference.tag) if group is None else group.tag
    return _of_distribution(reference, tag)


def choose(
    reference: Reference,
    catalogue: Catalogue,
    listed: Collection[str] | None,
    architecture: str,
    most: int,
    ended: Callable[[Reference, Tag], bool] = lambda reference, tag: False,
) -> Choice:
    """The candidates for a base. `listed` are the tags that its registry has, None where it does not tell; `most` is
    how many are likely to be looked at; `ended` says whether a tag's life is known to be over: no newer line is offered
    that is."""
    if (distroless := _DISTROLESS_NAME.match(reference.repository)) is not None:
        return _between_distroless(reference, distroless)
    groups = catalogue.groups(reference.repository)
    made = None if not groups else catalogue.group(reference.repository, reference.tag) is not None
    tag = whole_tag(reference, catalogue)
    depth = line_depth(reference.repository)
    wanted = parse_tag(reference.tag).depth or depth
    found: dict[tuple[object, ...], Candidate] = {}
    for group in (*groups, *_unknown(groups, listed, depth)):
        if architecture and group.architectures and architecture not in group.architectures:
            continue
        there = [text for text in group.tags if (listed is None or text in listed) and _lasting(text)]
        about = _of_distribution(reference, group.tag)
        if not there or not about.number or about.early or about.windows or about.flavours != tag.flavours:
            continue
        if about.dated and not tag.dated:
            continue
        line, way = about.number[:depth], _way(about.number[:depth], tag.number[:depth])
        if way is None or reference.tag in group.tags or (way == "newer" and ended(reference, about)):
            continue
        name = reference._replace(tag=_best_name(there, wanted), digest="").familiar
        key = (line, about.shape) if about.distribution else (line, about.shape, name)
        if key not in found:
            found[key] = Candidate(name, about, way, listed is not None)
    same = [each for each in found.values() if each.way == "same"]
    newer = _newer(tag, [each for each in found.values() if each.way == "newer"], depth, official(reference.repository))
    same.sort(key=lambda each: _nearness(tag, each.tag))
    without = list(_distroless(reference, tag))
    return Choice(tag, made, tuple(_mixed(same, newer, without, most)))


def _mixed(
    same: Sequence[Candidate], newer: Sequence[Candidate], without: Sequence[Candidate], most: int
) -> list[Candidate]:
    """All of them. The same line has the first word, and leaves a third of the room to others, where there are any."""
    others = [*newer[:1], *without, *newer[1:]]
    room = max(most - len(others), most - most // 3) if others else most
    first = [*same[:room], *others]
    return [*first, *same[room:]]


def _unknown(groups: Iterable[Group], listed: Collection[str] | None, depth: int) -> Iterator[Group]:
    """Tags that the registry has and the catalogue does not: older ones, or those of a repository of somebody's own.
    Each is taken for an image of its own, unless a shorter tag says the same."""
    if listed is None:
        return
    known = {text for group in groups for text in group.tags}
    for text in sorted(set(listed) - known, key=lambda text: (len(text), text)):
        if 0 < parse_tag(text).depth <= depth:
            yield Group((text,))


def _of_distribution(reference: Reference, tag: Tag) -> Tag:
    """Of images that are a distribution the version is its release."""
    distribution = _DISTRIBUTIONS.get(official(reference.repository), "")
    if not distribution:
        return tag
    depth = line_depth(reference.repository)
    release = tag.release or ".".join(map(str, tag.number[:depth]))
    number = tag.number
    if not number and release:
        number = tuple(int(part) for part in release.split(".") if part.isdigit())
    return tag._replace(distribution=distribution, release=release, number=number)


def _lasting(text: str) -> bool:
    """Whether a tag stays with its line: `latest` and `lts` do not."""
    tag = parse_tag(text)
    return bool(tag.number or tag.release)


def _way(line: tuple[int, ...], own: tuple[int, ...]) -> Way | None:
    if not own or line == own or line[: len(own)] == own:
        return "same" if own else "newer"
    return "newer" if line > own else None


def _nearness(own: Tag, other: Tag) -> tuple[object, ...]:
    """What is compared of candidates of one line: those with the same C library first, small ones, young releases."""
    release = tuple(-int(part) for part in other.release.split(".") if part.isdigit())
    return (
        (own.libc or "glibc") != (other.libc or "glibc"),
        not other.slim,
        own.distribution != other.distribution,
        release,
    )


def _newer(own: Tag, found: Sequence[Candidate], depth: int, repository: str) -> list[Candidate]:
    """Of newer lines the youngest ones, and of each its small variant of the base's distribution, and one of Alpine."""
    lines = sorted({each.tag.number[:depth] for each in found}, reverse=True)
    if repository in ("node", "ubuntu"):
        # Odd lines of Node.js live for half a year, releases of Ubuntu between the April ones of even years for nine
        # months.
        lines = [line for line in lines if line[0] % 2 == 0 and line[1:] in ((), (4,))]
    kept: list[Candidate] = []
    for line in lines[:_NEWER_LINES]:
        of_line = sorted(
            (each for each in found if each.tag.number[:depth] == line), key=lambda each: _nearness(own, each.tag)
        )
        kinds: set[tuple[str, bool]] = set()
        for each in of_line:
            kind = (each.tag.libc, each.tag.slim)
            if kind not in kinds and (each.tag.slim or each.tag.libc == "musl" or not own.slim):
                kinds.add(kind)
                kept.append(each)
    # One of each line comes before the second one of any.
    rank: dict[tuple[int, ...], int] = {}
    ranked = []
    for position, each in enumerate(kept):
        line = each.tag.number[:depth]
        rank[line] = rank.get(line, 0) + 1
        ranked.append((rank[line], position, each))
    return [each for _, _, each in sorted(ranked, key=lambda item: item[:2])]


def _distroless(reference: Reference, own: Tag) -> Iterator[Candidate]:
    known = _DISTROLESS.get(official(reference.repository))
    line = str(own.number[0]) if own.number else ""
    if known is None or line not in known[1]:
        return
    for release in _DISTROLESS_RELEASES:
        name = f"gcr.io/distroless/{known[0].format(line=line)}-debian{release}:latest"
        yield Candidate(name, Tag("latest", line, own.number[:1], "debian", release, True), "distroless", False)


def _between_distroless(reference: Reference, name: re.Match[str]) -> Choice:
    """What could replace a distroless image: the same of a younger Debian, and newer lines of its runtime."""
    runtime, line, release = name[1], name[2], name[3]
    own = Tag(reference.tag, line, (int(line),) if line else (), "debian", release, True)
    lines = [line, *(each for each in _DISTROLESS_LINES.get(runtime, ()) if line and int(each) > int(line))]
    found = []
    for each in lines:
        for debian in _DISTROLESS_RELEASES:
            if int(debian) < int(release) or (each, debian) == (line, release):
                continue
            other = reference._replace(path=f"distroless/{runtime}{each}-debian{debian}", digest="")
            tag = own._replace(version=each, number=(int(each),) if each else (), release=debian)
            found.append(Candidate(other.familiar, tag, "same" if each == line else "newer", False))
    return Choice(own, None, tuple(found))


def _best_name(tags: Sequence[str], wanted: int) -> str:
    """Of the names of one image the one that says the distribution, and of the version as much as the base's name."""

    def rank(text: str) -> tuple[object, ...]:
        tag = parse_tag(text)
        return (
            tag.dated,
            not tag.number,
            abs(tag.depth - wanted),
            not (tag.distribution and tag.release),
            len(text),
            text,
        )

    return min(tags, key=rank)
