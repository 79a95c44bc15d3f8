"""The rows of a tree of files of which some directories are open: what of it is drawn, without drawing it."""

from collections.abc import Iterator

from kezuri.anatomy.listing_tree import Node
from kezuri.anatomy.tree_view import Selection
from kezuri.cli.explorer.patterns import compiled

_FEW = 200
"""A selection of no more paths than this is shown with all its directories open."""


class Rows:
    """The rows of a selection. Directories that are open stay so when something else is selected. `nodes` are the rows'
    nodes, `depths` how deep each lies."""

    def __init__(self) -> None:
        self.selection: Selection | None = None
        self.by_size = False
        self.nodes: list[Node] = []
        self.depths: list[int] = []
        self._open: set[int] = set()

    def show(self, selection: Selection) -> None:
        """Show another selection; a small one opened wholly where it leaves anything out."""
        self.selection = selection
        if selection.filter.narrow and sum(selection.kept) <= _FEW:
            self.open_all()
        else:
            self.rebuild()

    def rebuild(self) -> None:
        """Find all rows anew."""
        self.nodes, self.depths = [], []
        if self.selection is not None:
            self._fill(self.selection.view.tree.root, 0, self.nodes, self.depths)

    def _fill(self, top: Node, depth: int, nodes: list[Node], depths: list[int]) -> None:
        """Append what is to be seen below a directory."""
        todo = [(child, depth) for child in reversed(self._children(top))]
        while todo:
            node, at = todo.pop()
            nodes.append(node)
            depths.append(at)
            if node.number in self._open and node.children:
                todo += [(child, at + 1) for child in reversed(self._children(node))]

    def _children(self, node: Node) -> list[Node]:
        return [] if self.selection is None else self.selection.children(node, self.by_size)

    def opens(self, node: Node) -> bool:
        """Whether there is something in it to be seen."""
        return self.selection is not None and any(self.selection.kept[child.number] for child in node.children)

    def is_open(self, node: Node) -> bool:
        """Whether what is in it is shown."""
        return node.number in self._open and self.opens(node)

    def toggle(self, row: int) -> None:
        """Open the directory in this row, or close it."""
        node = self.nodes[row]
        if self.is_open(node):
            self._open.discard(node.number)
            end = row + 1
            while end < len(self.nodes) and self.depths[end] > self.depths[row]:
                end += 1
            del self.nodes[row + 1 : end], self.depths[row + 1 : end]
        elif self.opens(node):
            self._open.add(node.number)
            nodes: list[Node] = []
            depths: list[int] = []
            self._fill(node, self.depths[row] + 1, nodes, depths)
            self.nodes[row + 1 : row + 1], self.depths[row + 1 : row + 1] = nodes, depths

    def parent(self, row: int) -> int:
        """The row of the directory that this row's node is in; the same row at the top."""
        depth = self.depths[row]
        for above in range(row - 1, -1, -1):
            if self.depths[above] < depth:
                return above
        return row

    def open_all(self) -> None:
        """Open every directory."""
        if self.selection is not None:
            self._open.update(node.number for node in self.selection.view.tree.nodes if node.children)
        self.rebuild()

    def close_all(self) -> None:
        """Close every directory."""
        self._open.clear()
        self.rebuild()

    @property
    def anything_open(self) -> bool:
        """Whether any directory that is to be seen is open."""
        return any(depth for depth in self.depths)

    def reveal(self, node: Node) -> int:
        """The row of a node, after the directories that it is in were opened; -1 where it is not to be seen."""
        if self.selection is None or not self.selection.kept[node.number]:
            return -1
        above = [each for each in self.selection.view.tree.above(node) if each.parent is not None]
        shut = [each.number for each in above if each.number not in self._open]
        if shut:
            self._open.update(shut)
            self.rebuild()
        return next((row for row, each in enumerate(self.nodes) if each is node), -1)

    def find(self, pattern: str, after: Node | None, backwards: bool = False) -> Node | None:
        """The next node to be seen whose name the regular expression is found in, in the order of the rows when all is
        open, beginning anew at the end. re.error where the pattern is none."""
        search = compiled(pattern)
        first: Node | None = None
        last: Node | None = None
        passed = False
        for node in self._ordered():
            if node is after:
                if backwards and last is not None:
                    return last
                passed = True
                continue
            if search(node.name) is None:
                continue
            if passed and not backwards:
                return node
            first = first or node
            last = node
        found = last if backwards else first
        if found is None and after is not None and search(after.name) is not None:
            return after
        return found

    def _ordered(self) -> Iterator[Node]:
        if self.selection is None:
            return
        todo = list(reversed(self._children(self.selection.view.tree.root)))
        while todo:
            node = todo.pop()
            yield node
            if node.children:
                todo += reversed(self._children(node))
