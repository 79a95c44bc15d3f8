"""What a range of layers does to the tree of an image's files, and what of it somebody wants to see."""

import re
from collections.abc import Callable
from typing import Literal, NamedTuple

from kezuri.anatomy.listing_tree import FileTree, Node, Stand

Change = Literal["same", "added", "changed", "rewritten", "removed", "absent"]
"""What the layers of a range did at a path: `rewritten` is the same content with other metadata, `absent` means that
there is nothing before and nothing after."""

CHANGES: tuple[Change, ...] = ("added", "changed", "rewritten", "removed", "same")


class TreeView:
    """The tree as the layers up to `level` show it, compared with those up to `since` (-1: with nothing). By the number
    of each node: `changes`; `sizes`, the bytes that are there; `gone`, those that are not there any more; `wasted`,
    those that the layers of the range hold and the whole image does not show; `touched`, how many changes it has."""

    def __init__(self, tree: FileTree, level: int, since: int) -> None:
        self.tree = tree
        self.level = level
        self.since = since
        count = len(tree.nodes)
        self.changes: list[Change] = ["absent"] * count
        self.sizes = [0] * count
        self.gone = [0] * count
        self.wasted = [0] * count
        self.touched = [0] * count
        self._implied: set[int] = set()
        self._compare()

    @classmethod
    def of_layer(cls, tree: FileTree, layer: int) -> "TreeView":
        """What one layer does to those below it."""
        return cls(tree, layer, layer - 1)

    def _compare(self) -> None:
        level, since = self.level, self.since
        count = len(self.changes)
        now, then = bytearray(count), bytearray(count)
        # Children come first: a directory that no layer describes is there for what is in it.
        for node in reversed(self.tree.nodes):
            number, stands = node.number, node.stands
            after = before = None
            for stand in stands:
                if after is None and stand.visible(level):
                    after = stand
                if stand.visible(since):
                    before = stand
                    break
            is_there = after is not None or now[number]
            was_there = before is not None or then[number]
            if node.parent is not None:
                if is_there:
                    now[node.parent.number] = 1
                if was_there:
                    then[node.parent.number] = 1
            if after is not None:
                self.sizes[number] = after.size
            elif now[number]:
                self._implied.add(number)
            if not is_there or not was_there:
                change: Change = "added" if is_there else "removed" if was_there else "absent"
            elif after is not None and before is not None:
                change = "same" if after is before else _change(stands, after, before)
            else:
                # One of them is a directory that is not described.
                described = after or before
                change = "same" if described is None or described.kind == "dir" else "changed"
            self.changes[number] = change
            if change == "removed" and before is not None:
                self.gone[number] = before.size
            if stands and change not in ("same", "absent"):
                self.touched[number] = 1
            for stand in stands:
                if since < stand.layer <= level and stand.fate != "shown":
                    self.wasted[number] += stand.size
        for totals in (self.sizes, self.gone, self.wasted, self.touched):
            self.tree.gather(totals)

    def stand(self, node: Node) -> Stand | None:
        """What is to be seen of a node: what is there or, where it was removed, what was; None for directories that no
        layer describes."""
        return None if node.number in self._implied else node.at(self.level) or node.at(self.since)

    def lost(self, node: Node) -> Stand | None:
        """The uppermost of what the layers of the range have at a path and the whole image does not show; None where
        that is nothing."""
        for stand in node.stands:
            if self.since < stand.layer <= self.level and stand.size and stand.fate != "shown":
                return stand
        return None

    def directory(self, node: Node) -> bool:
        """Whether the node is a directory, or was one."""
        stand = self.stand(node)
        return bool(node.children) if stand is None else stand.kind == "dir"


def _change(stands: tuple[Stand, ...], after: Stand, before: Stand) -> Change:
    upper, lower = stands.index(after), stands.index(before)
    if after.kind != "file":
        return "same" if all(stand.alike for stand in stands[upper:lower]) else "changed"
    # Each of the versions below is the content of the next one with other metadata.
    return "rewritten" if all(stand.fate == "rewritten" for stand in stands[upper + 1 : lower + 1]) else "changed"


class Filter(NamedTuple):
    """What of a view is wanted: paths that changed so, `wasted` only those with bytes that the image does not show,
    `owner` only those of one (by its number; -1: of any), `leftover` only known leftovers, `pattern` only paths, with
    their slash in front, that the regular expression is found in; capitals count if it has any."""

    changes: frozenset[Change] = frozenset(CHANGES)
    wasted: bool = False
    owner: int = -1
    leftover: bool = False
    pattern: str = ""

    @property
    def narrow(self) -> bool:
        """Whether it leaves anything out but by the kind of change."""
        return self.wasted or self.owner >= 0 or self.leftover or bool(self.pattern)


class Selection:
    """What of a view a filter keeps. By the number of each node: `kept`, whether it is to be seen, for itself or for
    what is in it; `sizes`, the bytes that match, in it and of it. `matches` are how many nodes match that are no
    directories. `found` says by the number of each node whether the pattern is found in its path; where it is not
    given, that is found out: re.error where the pattern is none."""

    def __init__(self, view: TreeView, wanted: Filter, found: bytearray | None = None) -> None:
        self.view = view
        self.filter = wanted
        self._found = found
        nodes = view.tree.nodes
        self.kept = bytearray(len(nodes))
        self.matches = 0
        self.sizes = view.sizes
        if wanted.wasted:
            self.sizes = view.wasted
        elif wanted.changes <= {"removed"}:
            self.sizes = view.gone
        whole = not wanted.narrow and wanted.changes >= frozenset(CHANGES)
        if whole:
            self._all()
        else:
            self._some()
        self.kept[0] = 1

    def stand(self, node: Node) -> Stand | None:
        """What is shown at a path: what the view has there, or, where what is wasted is wanted, what is lost there."""
        stand = self.view.stand(node)
        return self.view.lost(node) or stand if self.filter.wasted else stand

    def _all(self) -> None:
        view = self.view
        for node in view.tree.nodes:
            if view.changes[node.number] != "absent":
                self.kept[node.number] = 1
                if not view.directory(node):
                    self.matches += 1

    def _some(self) -> None:
        view, wanted, kept = self.view, self.filter, self.kept
        nodes = view.tree.nodes
        found = self._found
        matching = _matcher(wanted.pattern) if found is None else None
        own = [0] * len(nodes)
        paths = [""] * len(nodes) if matching is not None else []
        totals = view.wasted if wanted.wasted else view.gone if self.sizes is view.gone else view.sizes
        for node in nodes:
            number = node.number
            if matching is not None and node.parent is not None:
                paths[number] = f"{paths[node.parent.number]}/{node.name}"
            change = view.changes[number]
            if wanted.wasted:
                # What is wasted may be there no more, and may never have been: what counts is that the range holds it.
                stand = view.lost(node)
                if stand is None:
                    continue
            else:
                if change == "absent" or change not in wanted.changes:
                    continue
                stand = view.stand(node)
            directory = view.directory(node)
            if directory and (wanted.owner >= 0 or wanted.leftover):
                continue
            if wanted.owner >= 0 and (stand is None or stand.owner != wanted.owner):
                continue
            if wanted.leftover and (stand is None or not stand.leftover):
                continue
            if found is not None:
                if not found[number]:
                    continue
            elif matching is not None and matching(paths[number]) is None:
                continue
            kept[number] = 1
            if not directory:
                self.matches += 1
                own[number] = totals[number]
        for node in reversed(nodes):
            if node.parent is not None:
                if kept[node.number]:
                    kept[node.parent.number] = 1
                own[node.parent.number] += own[node.number]
        self.sizes = own

    def children(self, node: Node, by_size: bool = False) -> list[Node]:
        """What is to be seen in a directory: by name, or the largest first."""
        kept, sizes = self.kept, self.sizes
        found = [child for child in node.children if kept[child.number]]
        if by_size:
            gone = self.view.gone
            found.sort(key=lambda child: (-(sizes[child.number] or gone[child.number]), child.name))
        return found


def _matcher(pattern: str) -> "Callable[[str], object] | None":
    if not pattern:
        return None
    return re.compile(pattern, 0 if any(char.isupper() for char in pattern) else re.IGNORECASE).search
