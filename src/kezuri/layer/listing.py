"""What one layer contains, path by path, small enough to keep beside every layer."""

from collections.abc import Collection, Iterator, Mapping
from functools import partial
from io import BytesIO
from typing import Any, BinaryIO, Protocol, cast

from kezuri.diagnostics import KezuriError
from kezuri.layer.decompression import Decompressed
from kezuri.layer.entry import Entry, Kind
from kezuri.layer.member_digests import MemberDigests
from kezuri.layer.placement import Placement
from kezuri.layer.read_ahead import ReadAhead
from kezuri.layer.tar_reader import read_tar
from kezuri.layer.view import View

KEPT = ("etc/passwd", "etc/group")
"""Files whose content a listing keeps, so that looking up a user opens no layer."""
MOST_KEPT = 1 << 20

_MAGIC = b"kezuri listing 1\n"
_WITH_DIGESTS = b"kezuri listing 2\n"
"""How a file begins that holds a listing with the digests of its files. The first form has none, and versions
of kezuri that know only that one refuse this one."""
_DIGEST = 32
_LETTERS: dict[Kind, str] = {
    "file": "f",
    "dir": "d",
    "symlink": "l",
    "hardlink": "h",
    "char": "c",
    "block": "b",
    "fifo": "p",
    "whiteout": "w",
}
_KINDS = {letter: kind for kind, letter in _LETTERS.items()}
_IMPLIED = "\0i"


class Onlooker(Protocol):
    """Who looks into some files of a layer while their digests are taken, so that the layer is read once."""

    def begin(self) -> None:
        """A layer is read from its beginning; what was seen before was of no use."""
        ...

    def wants(self, entry: Entry) -> bool:
        """Whether to look into a file."""
        ...

    def look(self, entry: Entry, data: BinaryIO) -> None:
        """Read the file as far as is wanted. It may be one that the layer has again further on, which counts then."""
        ...


class Listing:
    """The tree of one layer: path → entry; made by `of_tar`, `load` or an unpacking.

    Directories that the layer implies but does not describe are known as such; an opaque directory is marked. Entries
    are kept as lines of text and become values when they are asked for. The digests of the files' bytes are known once
    somebody has computed them: see `learn`.
    """

    __slots__ = ("_children", "_digests", "_lines", "_linked", "kept", "members", "opaque", "plain", "stored")

    def __init__(
        self,
        lines: dict[str, str],
        opaque: frozenset[str],
        kept: dict[str, bytes],
        members: dict[str, int],
        digests: bytes = b"",
        plain: int = 0,
        stored: int = 0,
    ) -> None:
        self._lines = lines
        self.opaque = opaque
        """Directories of this layer that hide what lower layers have in them."""
        self.kept = kept
        """The content of KEPT files that this layer has, of at most MOST_KEPT bytes."""
        self.members = members
        """Files whose bytes a reader of the tar does not find by name → the number of the tar member that has them."""
        self._digests = digests
        """The SHA-256 of every file in turn; empty while they are not known."""
        self.plain = plain
        """How many bytes the layer's tar has; 0 while that is not known."""
        self.stored = stored
        """How many bytes of content the files of the tar have, those too that the tar itself supersedes; 0 while that
        is not known."""
        self._children: dict[str, list[str]] | None = None
        self._linked: frozenset[str] | None = None

    @classmethod
    def of_placement(cls, placed: Placement, kept: dict[str, bytes], spent: bool = False) -> "Listing":
        """The listing of a finished placement. `spent`: nobody looks at the placement's entries any more, so that each
        gives its memory back when its line is there: of a million of them that is a third of the whole."""
        placed.drop_links_of_aufs()
        nodes = placed.nodes
        still = {path: data for path, data in kept.items() if (node := nodes.get(path)) and node.kind == "file"}
        numbers, opaque = placed.numbers(), frozenset(placed.opaque)
        paths = [path for path in placed.implied() if path or path in opaque or placed.names[path]]
        paths += nodes
        paths.sort(key=_by_parts)
        take = nodes.pop if spent else nodes.get
        lines = {}
        for path in paths:
            entry = take(path, None)
            lines[path] = _IMPLIED if entry is None else _line(entry)
        return cls(lines, opaque, still, numbers)

    @classmethod
    def of_tar(
        cls,
        stream: BinaryIO,
        where: str = "layer",
        *,
        lower: View | None = None,
        limit: int | None = None,
        hasher: Any = None,
        hashing: bool = False,
        onlooker: "Onlooker | None" = None,
    ) -> "Listing":
        """The listing of a layer's tar, compressed or not, read to its end.

        With `lower`, hard links may lead to files of lower layers, as in unpacking. `limit` bounds the plain bytes;
        `hasher` (of hashlib) gets them all, for the diff id. With `hashing` the digests of the files are known, too,
        and an `onlooker` sees those files that it wants to. KezuriError as for `read_tar` and `decompress`.
        """
        placed = Placement(where, lower)
        if onlooker is not None:
            onlooker.begin()
        kept: dict[str, bytes] = {}
        digests = MemberDigests()
        stored = 0
        plain = Decompressed(stream, where, limit)
        with ReadAhead(plain, hasher, even=hashing) as pieces:
            for number, (entry, data) in enumerate(read_tar(cast(BinaryIO, pieces), where)):
                at = placed.place(entry)
                placed.put(at, number, entry.path)
                stored += entry.size
                if at.path in KEPT:
                    kept.pop(at.path, None)
                    if data is not None and entry.size <= MOST_KEPT:
                        kept[at.path] = content = data.read()
                        data = BytesIO(content)
                if hashing and entry.size and data is not None:
                    look = None
                    if onlooker is not None and onlooker.wants(at):
                        look = partial(onlooker.look, at)
                    digests.add(number, data, look)
        listing = cls.of_placement(placed, kept, spent=True)
        listing.plain, listing.stored = plain.total, stored
        if hashing:
            listing._digests = digests.of(placed.member(path) for path in listing.files())
        return listing

    @classmethod
    def load(cls, path: str) -> "Listing":
        """The listing that was saved at `path`. OSError when it is not there, KezuriError when it is damaged."""
        import zlib

        with open(path, "rb") as file:
            raw = file.read()
        try:
            if not raw.startswith((_MAGIC, _WITH_DIGESTS)):
                raise ValueError
            return cls._decoded(zlib.decompress(raw[len(_MAGIC) :]))
        except (ValueError, KeyError, IndexError, zlib.error) as error:
            raise KezuriError.of(f"{path} is not a layer listing, or is damaged", hint="remove the file") from error

    @classmethod
    def _decoded(cls, body: bytes) -> "Listing":
        import json

        size = int(body[:12])
        head = json.loads(body[12 : 12 + size])
        at = 12 + size
        kept: dict[str, bytes] = {}
        for path, length in head["kept"].items():
            kept[path] = body[at : at + length]
            at += length
        size = head.get("digests", 0) * _DIGEST
        digests = body[at : at + size]
        text = body[at + size :].decode("utf-8", "surrogateescape")
        lines: dict[str, str] = {}
        for line in text.split("\n") if text else ():
            cut = line.index("\0")
            path = line[:cut]
            if "\\" in path:
                path = _unescaped(path)
            lines[path] = line[cut:]
        if len(lines) != head["entries"]:
            raise ValueError("a listing with another number of entries")
        sizes = head.get("plain", 0), head.get("stored", 0)
        listing = cls(lines, frozenset(head["opaque"]), kept, head["members"], digests, *sizes)
        if digests and len(digests) != _DIGEST * len(listing.files()):
            raise ValueError("a listing with another number of digests")
        return listing

    def save(self, path: str) -> None:
        """Write the listing to `path`: aside, synced, then renamed. OSError when that fails."""
        import json
        import zlib

        from kezuri.linux.replacement import replacement

        head: dict[str, object] = {
            "entries": len(self._lines),
            "opaque": sorted(self.opaque),
            "kept": {name: len(data) for name, data in sorted(self.kept.items())},
            "members": dict(sorted(self.members.items())),
        }
        if self.plain:
            head["plain"], head["stored"] = self.plain, self.stored
        if self._digests:
            head["digests"] = len(self._digests) // _DIGEST
        first = json.dumps(head).encode()
        text = "\n".join([_escaped(name) + line for name, line in self._lines.items()])
        body = [b"%012d" % len(first), first, *(data for _, data in sorted(self.kept.items())), self._digests]
        body.append(text.encode("utf-8", "surrogateescape"))
        with replacement(path) as file:
            file.write(_WITH_DIGESTS if self._digests else _MAGIC)
            file.write(zlib.compress(b"".join(body), 1))

    def __len__(self) -> int:
        return len(self._lines)

    def __contains__(self, path: object) -> bool:
        return path in self._lines

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Listing):
            return NotImplemented
        return (self._lines, self.opaque, self.kept) == (other._lines, other.opaque, other.kept)

    __hash__ = None  # type: ignore[assignment]

    @property
    def complete(self) -> bool:
        """Whether the size of the tar and the digests of all files are known."""
        return self.plain > 0 and (bool(self._digests) or not self.files())

    def entry(self, path: str) -> Entry | None:
        """What the layer says about exactly this path; None for nothing, and for directories it only implies."""
        line = self._lines.get(path)
        return None if line is None or line == _IMPLIED else _entry(path, line)

    def implies(self, path: str) -> bool:
        """Whether the path is a directory that the layer does not describe, but puts something into."""
        return self._lines.get(path) == _IMPLIED

    def entries(self) -> Iterator[Entry]:
        """Every described entry in order; opaque marks follow their directory."""
        for path, line in self._lines.items():
            if line != _IMPLIED:
                yield _entry(path, line)
            if path in self.opaque:
                yield Entry(path, "opaque", 0)

    def linked(self) -> frozenset[str]:
        """The files that have further names in the layer, by their first name."""
        if self._linked is None:
            self._linked = frozenset(link for _, link in self.links())
        return self._linked

    def links(self) -> list[tuple[str, str]]:
        """The hard links, each with the first name of its file, which may be one of a lower layer."""
        return [(path, self._link(line)) for path, line in self._lines.items() if line.startswith("\0h")]

    def _link(self, line: str) -> str:
        link = line.split("\0")[7]
        return _unescaped(link) if "\\" in link else link

    def files(self) -> list[str]:
        """The files that are not empty, by their first names, in order."""
        return [path for path, line in self._lines.items() if line.startswith("\0f") and line.split("\0", 6)[5] != "0"]

    def content(self) -> int:
        """How many bytes the files have, those with several names once."""
        return sum(int(line.split("\0", 6)[5]) for line in self._lines.values() if line.startswith("\0f"))

    def learn(self, digests: Mapping[str, bytes]) -> None:
        """Take note of the SHA-256 of the bytes of all `files`."""
        self._digests = b"".join([digests[path] for path in self.files()])

    def digests(self, paths: Collection[str]) -> dict[str, bytes] | None:
        """The SHA-256 of the bytes of some of the `files`; None while they are not known."""
        if not self._digests:
            return None if self.files() else {}
        wanted = frozenset(paths)
        return {
            path: self._digests[at : at + _DIGEST]
            for path, at in zip(self.files(), range(0, len(self._digests), _DIGEST))
            if path in wanted
        }

    def children(self, path: str) -> list[str]:
        """The names that the layer has, removes or implies in a directory; sorted."""
        start = len(path) + 1 if path else 0
        return [each[start:] for each in self.within(path)]

    def within(self, path: str) -> list[str]:
        """The paths of `children`."""
        if self._children is None:
            found: dict[str, list[str]] = {}
            last, inside = "", found.setdefault("", [])
            for each in self._lines:
                parent = each[: max(each.rfind("/"), 0)]
                if parent != last:
                    last, inside = parent, found.setdefault(parent, [])
                if each:
                    inside.append(each)
            self._children = found
        return self._children.get(path, [])


def _by_parts(path: str) -> str:
    return path.replace("/", "\0")


def _line(entry: Entry) -> str:
    _, kind, mode, uid, gid, size, mtime, link, device, xattrs = entry
    line = f"\0{_LETTERS[kind]}\0{mode:o}\0{uid}\0{gid}\0{size}\0{mtime}"
    if link or xattrs or device != (0, 0):
        extra = ",".join(f"{name.encode('utf-8', 'surrogateescape').hex()}={value.hex()}" for name, value in xattrs)
        line += f"\0{_escaped(link)}\0{device[0]}:{device[1]}\0{extra}"
    return line


def _entry(path: str, line: str) -> Entry:
    fields = line.split("\0")
    _, letter, mode, uid, gid, size, mtime, *more = fields
    if not more:
        return Entry(path, _KINDS[letter], int(mode, 8), int(uid), int(gid), int(size), int(mtime))
    link, device, extra = more
    major, _, minor = device.partition(":")
    xattrs = tuple(
        (bytes.fromhex(name).decode("utf-8", "surrogateescape"), bytes.fromhex(value))
        for name, _, value in (pair.partition("=") for pair in extra.split(",") if pair)
    )
    numbers = (int(major), int(minor))
    target = _unescaped(link) if "\\" in link else link
    return Entry(path, _KINDS[letter], int(mode, 8), int(uid), int(gid), int(size), int(mtime), target, numbers, xattrs)


def _escaped(text: str) -> str:
    if "\\" in text or "\n" in text:
        return text.replace("\\", "\\\\").replace("\n", "\\n")
    return text


def _unescaped(text: str) -> str:
    return "\\".join(part.replace("\\n", "\n") for part in text.split("\\\\"))
