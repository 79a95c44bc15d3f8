"""What there is to say about the bytes of an image: layers, fates, owners, heaps of files."""

from typing import Literal, NamedTuple

from kezuri.layer.entry import Entry

Fate = Literal["shown", "removed", "replaced", "rewritten", "superseded"]
"""What becomes of an entry in the final root file system. `shown`: it is there. `removed`: a higher layer takes it
away, itself, with a directory above it, or by an opaque directory. `replaced`: a higher layer has something else at its
path. `rewritten`: a higher layer has the same bytes there, with another owner, mode, time or attribute. `superseded`:
the same layer's tar has the path again further on. A file with several names is what becomes of its last name."""

OwnerKind = Literal["system", "language", "runtime", "application", "nobody"]
"""`system`: a package of dpkg, apk or rpm. `language`: a package of npm, PyPI, Go, Maven and the like. `runtime`: an
interpreter or toolchain that no package manager knows. `application`: what the image's own instructions brought and no
package has. `nobody`: the rest, which came with the base."""


class Owner(NamedTuple):
    """Whom a file belongs to. `ecosystem` is the type of a package URL (deb, apk, rpm, npm, pypi, golang, maven, gem,
    cargo, composer, nuget, generic); empty for the application and for nobody."""

    kind: OwnerKind
    ecosystem: str = ""
    name: str = ""
    version: str = ""

    def __str__(self) -> str:
        if not self.ecosystem:
            return {"application": "the application", "nobody": "no package"}.get(self.kind, self.name)
        return f"{self.name} {self.version}".rstrip()


APPLICATION = Owner("application")
NOBODY = Owner("nobody")


class Maker(NamedTuple):
    """What made a layer: the instruction as Dockerfiles have it, the Dockerfile and the line where it stands (empty and
    0 where that is not known), and whether it came with the base image, whose name is `base` where it is known."""

    text: str
    dockerfile: str = ""
    line: int = 0
    of_base: bool = False
    base: str = ""


class Piece(NamedTuple):
    """One entry of one layer. `layer` counts from 0, the lowest; `by` is the layer that hides it, -1 where it is shown.
    `digest` is the SHA-256 of a file's bytes (empty for what has none); `owner` the number of its owner in
    `Dissection.owners`; `leftover` the name of the kind of known leftovers that it is of, empty for none. `name` is the
    one under which the image shows a file whose first name, in `entry`, it does not; empty where there is no need.
    `gone` is the layer that takes it away from its own path, -1 for none: that is `by`, but for a file of several
    names, whose bytes are hidden when the last name is."""

    entry: Entry
    layer: int
    fate: Fate = "shown"
    by: int = -1
    digest: bytes = b""
    owner: int = 0
    leftover: str = ""
    name: str = ""
    gone: int = -1

    @property
    def size(self) -> int:
        """How many bytes of content it has in the layer: those of a file, under its first name."""
        return self.entry.size if self.entry.kind == "file" else 0


class Heap(NamedTuple):
    """Files of one kind: how many, of how many bytes, and the largest of them, as (size, path)."""

    files: int = 0
    size: int = 0
    largest: tuple[tuple[int, str], ...] = ()


class LayerShare(NamedTuple):
    """One layer. `tar` are its plain bytes: those that the image shows (`useful`), those that it does not (`wasted`),
    and what is no file's content: headers, padding, the end of the tar (`metadata`). Of the wasted ones `rewritten` are
    there a second time with other metadata only. `blob` is its size as it travels, `digest` and `media_type` that
    blob's, empty where they are not known. `unread` says why the layer could not be read, so that all figures but
    `blob` are 0; it is empty for others."""

    number: int
    diff_id: str
    maker: Maker
    tar: int
    useful: int
    wasted: int
    metadata: int
    rewritten: int = 0
    files: int = 0
    entries: int = 0
    blob: int = 0
    digest: str = ""
    media_type: str = ""
    unread: str = ""


class OwnerShare(NamedTuple):
    """What belongs to one owner: bytes that are shown, bytes that are wasted, files that are shown, and the shown bytes
    by layer, as (layer, bytes)."""

    owner: Owner
    size: int
    wasted: int
    files: int
    layers: tuple[tuple[int, int], ...] = ()


class Waste(NamedTuple):
    """Bytes of one layer that another one hides, or the same one supersedes: what hides them is layer `by`."""

    fate: Fate
    layer: int
    by: int
    heap: Heap


class Leftover(NamedTuple):
    """Files that are shown and that nobody needs to run a program: their kind, the layer, and the rule of the checks
    that mends it, empty where none does."""

    kind: str
    layer: int
    heap: Heap
    rule: str = ""


class Duplicate(NamedTuple):
    """The same content at several paths that are shown: `copies` times `size` bytes, some of the paths. `of_base` of
    the copies lie in layers of the base image."""

    digest: str
    size: int
    copies: int
    paths: tuple[str, ...]
    of_base: int = 0

    @property
    def regained(self) -> int:
        """The bytes that one copy alone would spare."""
        return self.size * (self.copies - 1)

    @property
    def regained_of_base(self) -> int:
        """Those of them that only another base can spare: of the copies that came with it."""
        return self.size * max(0, self.of_base - 1)


class Anatomy(NamedTuple):
    """A whole image in figures. `files` and `directories` are counted as the image shows them; `owners` come largest
    first, `waste` and `leftovers` too, `duplicates` by what they would give back. `largest` are the largest shown
    files. `told` is what could not be found out.
    `packages` are those that the image has in the end, in order: those too that have no file of their own, and that lie
    within programs and archives."""

    name: str
    digest: str
    platform: str
    layers: tuple[LayerShare, ...]
    owners: tuple[OwnerShare, ...]
    waste: tuple[Waste, ...]
    leftovers: tuple[Leftover, ...]
    duplicates: tuple[Duplicate, ...]
    largest: tuple[tuple[int, str], ...]
    files: int
    directories: int
    told: tuple[str, ...] = ()
    packages: tuple[Owner, ...] = ()

    @property
    def tar(self) -> int:
        """The plain bytes of all layers."""
        return sum(layer.tar for layer in self.layers)

    @property
    def useful(self) -> int:
        """The bytes of files that the image shows."""
        return sum(layer.useful for layer in self.layers)

    @property
    def wasted(self) -> int:
        """The bytes of files that the image does not show."""
        return sum(layer.wasted for layer in self.layers)

    @property
    def metadata(self) -> int:
        """The bytes of tars that are no content of files."""
        return sum(layer.metadata for layer in self.layers)

    @property
    def blob(self) -> int:
        """The bytes that travel."""
        return sum(layer.blob for layer in self.layers)

    @property
    def held(self) -> frozenset[Owner]:
        """The packages that the image has in the end, by their records or by files that it shows. What a layer had and
        a higher one took away is an owner of wasted bytes, and is not held."""
        shown = [share.owner for share in self.owners if share.files]
        return frozenset(owner for owner in (*shown, *self.packages) if owner.kind not in ("application", "nobody"))
