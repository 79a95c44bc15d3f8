"""The files of an image as one tree: at each path what every layer has there, whoever hides it."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from kezuri.anatomy.values import Fate, Piece
from kezuri.layer.entry import Kind

_BATCH = 2000


class Stand(NamedTuple):
    """What one layer has at a path, as Piece says. `alike` means that it says nothing but a time that the next lower
    layer does not say there, too: tars describe the directories that their files are in again."""

    layer: int
    kind: Kind
    size: int = 0
    fate: Fate = "shown"
    by: int = -1
    owner: int = 0
    leftover: str = ""
    alike: bool = False
    gone: int = -1

    def visible(self, level: int) -> bool:
        """Whether it is there when the layers up to `level` lie on each other."""
        return self.layer <= level and not 0 <= self.gone <= level and self.kind != "whiteout"


class Node:
    """A path. `number` is its place in `FileTree.nodes`, `stands` what the layers have there, the uppermost first:
    nothing for a directory that none of them describes. `children` are in the order of their names."""

    __slots__ = ("children", "name", "number", "parent", "stands")

    def __init__(self, number: int, name: str, parent: "Node | None") -> None:
        self.number = number
        self.name = name
        self.parent = parent
        self.stands: tuple[Stand, ...] = ()
        self.children: list[Node] | tuple[()] = ()

    @property
    def path(self) -> str:
        """The path as entries have it; empty for the root."""
        names: list[str] = []
        node: Node | None = self
        while node is not None and node.parent is not None:
            names.append(node.name)
            node = node.parent
        return "/".join(reversed(names))

    def at(self, level: int) -> Stand | None:
        """What is there when the layers up to `level` lie on each other; None for nothing, and for directories that
        no layer describes."""
        for stand in self.stands:
            if stand.visible(level):
                return stand
        return None

    @property
    def shown(self) -> int:
        """The bytes that the image shows at this very path."""
        return sum(stand.size for stand in self.stands if stand.fate == "shown")

    @property
    def wasted(self) -> int:
        """The bytes that layers have at this very path and the image does not show."""
        return sum(stand.size for stand in self.stands if stand.fate != "shown")


class FileTree:
    """Every path that a layer of an image has. `nodes` begins with the root, and has each directory before what is in
    it; `layers` is the number of the image's layers. It must not be changed once it is made."""

    def __init__(self, layers: int) -> None:
        self.layers = layers
        self.root = Node(0, "", None)
        self.nodes: list[Node] = [self.root]
        self._known: dict[str, Node] = {"": self.root}

    @classmethod
    def of(cls, pieces: Iterable[Piece], layers: int, told: Callable[[int], None] = lambda count: None) -> "FileTree":
        """The tree of the pieces as `Dissection.pieces` gives them: those of one path one after the other, the
        uppermost layer's first. `told` hears now and then how many there have been; what it raises ends the work."""
        tree = cls(layers)
        path: str | None = None
        same: list[Piece] = []
        for count, piece in enumerate(pieces):
            if not count % _BATCH:
                told(count)
            if piece.entry.path != path:
                if same:
                    tree._add(same)
                path, same = piece.entry.path, []
            same.append(piece)
        if same:
            tree._add(same)
        tree._known = {}
        for node in tree.nodes:
            # Directories that no layer describes were met after their neighbours.
            if not isinstance(node.children, tuple) and any(not child.stands for child in node.children):
                node.children.sort(key=lambda child: child.name)
        return tree

    def _add(self, pieces: list[Piece]) -> None:
        path = pieces[0].entry.path
        stands: tuple[Stand, ...] = ()
        for place, (entry, layer, fate, by, _, owner, leftover, _, gone) in enumerate(pieces):
            alike = place + 1 < len(pieces) and _alike(pieces[place], pieces[place + 1])
            size = entry.size if entry.kind == "file" else 0
            stands += (Stand(layer, entry.kind, size, fate, by, owner, leftover, alike, gone),)
        known = self._known.get(path)
        if known is not None:
            known.stands = stands
            return
        self._node(path).stands = stands

    def _node(self, path: str) -> Node:
        """A new node, with the directories above it that are not known yet."""
        above, _, name = path.rpartition("/")
        parent = self._known.get(above)
        if parent is None:
            missing: list[str] = []
            while above not in self._known:
                missing.append(above)
                above = above.rpartition("/")[0]
            for directory in reversed(missing):
                parent = self._node(directory)
            assert parent is not None
        node = Node(len(self.nodes), name, parent)
        if isinstance(parent.children, tuple):
            parent.children = [node]  # most nodes are files, which have none
        else:
            parent.children.append(node)
        self.nodes.append(node)
        self._known[path] = node
        return node

    def find(self, path: str) -> Node | None:
        """The node of a path as entries have it."""
        node = self.root
        for name in path.split("/") if path else ():
            below = next((child for child in node.children if child.name == name), None)
            if below is None:
                return None
            node = below
        return node

    def sums(self, own: Callable[[Node], int]) -> list[int]:
        """For every node, by its number, what it and everything in it come to."""
        totals = [own(node) for node in self.nodes]
        self.gather(totals)
        return totals

    def gather(self, totals: list[int]) -> None:
        """Add to each node's figure those of everything in it."""
        for node in reversed(self.nodes):
            if node.parent is not None:
                totals[node.parent.number] += totals[node.number]

    def above(self, node: Node) -> Iterator[Node]:
        """The directories that a node is in, the nearest first, the root last."""
        while node.parent is not None:
            node = node.parent
            yield node


def _alike(piece: Piece, lower: Piece) -> bool:
    above, below = piece.entry, lower.entry
    return (
        above.kind == below.kind
        and above[2:5] == below[2:5]
        and above[7:] == below[7:]
        and (above.kind != "file" or (piece.size == lower.size and piece.digest == lower.digest))
    )
