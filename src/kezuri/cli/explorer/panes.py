"""The two panes of the explorer: the layers of an image, and its files."""

from collections.abc import Callable
from typing import ClassVar

from textual.binding import BindingType

from kezuri.anatomy.listing_tree import Node
from kezuri.anatomy.values import Fate
from kezuri.app.exploring import SeenLayer
from kezuri.cli.explorer.lines import Lines, key
from kezuri.cli.explorer.rows import Rows
from kezuri.cli.explorer.words import MARKS, STYLES, Part, attributes, bytes_of, name
from kezuri.diagnostics import visible
from kezuri.layer.entry import Entry

_FATES: dict[Fate, str] = {"removed": MARKS["removed"], "rewritten": MARKS["rewritten"]}


class LayersPane(Lines):
    """The layers, the lowest first: size, what of it is wasted, and what made it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key("ctrl+a", "app.aggregate(True)"),
        key("ctrl+l", "app.aggregate(False)"),
        key("enter,right,l", "app.switch_pane"),
    ]

    def __init__(self) -> None:
        super().__init__(id="layers")
        self.seen: tuple[SeenLayer, ...] = ()

    def count(self) -> int:
        return len(self.seen)

    def parts(self, number: int, width: int) -> list[Part]:
        layer = self.seen[number]
        lost = bytes_of(layer.wasted)
        text = " ".join(visible(layer.maker.text).split()) or "?"
        return [
            (f"{number + 1:>3} {bytes_of(layer.tar) if layer.tar else '     0B'} ", ""),
            (f"{lost} ", "red"),
            (text, "dim" if layer.maker.of_base else ""),
        ]


class FilesPane(Lines):
    """The files of the layers up to the chosen one, as a tree."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key("space", "toggle_row"),
        key("ctrl+space,ctrl+@,ctrl+at", "toggle_all"),
        key("left,h", "out"),
        key("right,l", "into"),
        key("enter", "open"),
        key("ctrl+a,1", "app.toggle_change('added')"),
        key("m,2", "app.toggle_change('changed')"),
        key("ctrl+r,3", "app.toggle_change('removed')"),
        key("ctrl+u,4", "app.toggle_change('same')"),
        key("ctrl+b,b", "attributes"),
        key("ctrl+o,s", "sort"),
        key("c", "app.compare"),
    ]

    def __init__(self, entry_of: Callable[[Node], Entry | None]) -> None:
        super().__init__(id="files")
        self.rows = Rows()
        self.show_attributes = True
        self._entry_of = entry_of

    def count(self) -> int:
        return len(self.rows.nodes)

    @property
    def node(self) -> Node | None:
        """The path that the cursor is on."""
        nodes = self.rows.nodes
        return nodes[self.cursor] if self.cursor < len(nodes) else None

    def parts(self, number: int, width: int) -> list[Part]:
        node, selection = self.rows.nodes[number], self.rows.selection
        assert selection is not None
        view = selection.view
        change = view.changes[node.number]
        mark, style = MARKS[change], STYLES[change]
        directory = view.directory(node) or bool(node.children)
        if directory and change == "same" and view.touched[node.number]:
            mark, style = "*", "yellow"
        if selection.filter.wasted:
            # What became of it is more than what was done to it.
            lost = view.lost(node)
            mark, style = (" ", "") if lost is None else (_FATES.get(lost.fate, MARKS["changed"]), "red")
        entry = self._entry_of(node)
        parts: list[Part] = [(mark, style)]
        if self.show_attributes and width >= 60:
            parts.append((f" {attributes(entry)}", "dim"))
        weight = selection.sizes[node.number] or (view.gone[node.number] if change == "removed" else 0)
        parts.append((f" {bytes_of(weight)} ", ""))
        sign = "  "
        if directory:
            sign = "▾ " if self.rows.is_open(node) else "▸ " if self.rows.opens(node) else "· "
        # Somewhere the deepest names have to be read, too.
        parts.append(("  " * min(self.rows.depths[number], max(2, width // 6)) + sign, "dim"))
        own = name(node.name) + ("/" if directory else "")
        parts.append((own, "" if mark == "*" else style))
        if entry is not None and entry.link:
            arrow = " → " if entry.kind == "symlink" else " ⇒ "
            parts.append((arrow + name(entry.link), "dim"))
        return parts

    def keep(self, node: Node | None) -> None:
        """Have the cursor on this path after the rows have changed, or on one above it."""
        while node is not None:
            row = next((row for row, each in enumerate(self.rows.nodes) if each is node), -1)
            if row >= 0:
                self.go(row, quiet=True)
                break
            node = node.parent
        else:
            self.go(0, quiet=True)
        self.post_message(self.Moved(self))

    def reveal(self, node: Node) -> None:
        """Open what is above a path and move there."""
        row = self.rows.reveal(node)
        if row >= 0:
            self.go(row)
        self.refresh()

    def action_toggle_row(self) -> None:
        if self.node is not None:
            self.rows.toggle(self.cursor)
            self.go(self.cursor)

    def action_toggle_all(self) -> None:
        node = self.node
        if self.rows.anything_open:
            self.rows.close_all()
        else:
            self.rows.open_all()
        self.keep(node)

    def action_out(self) -> None:
        node = self.node
        if node is None:
            return
        if self.rows.is_open(node):
            self.action_toggle_row()
        elif self.rows.depths[self.cursor]:
            self.go(self.rows.parent(self.cursor))
        else:
            self.app.action_switch_pane()  # type: ignore[attr-defined]

    def action_into(self) -> None:
        node = self.node
        if node is None:
            return
        if self.rows.is_open(node):
            self.go(self.cursor + 1)
        elif self.rows.opens(node):
            self.action_toggle_row()

    def action_open(self) -> None:
        if self.node is not None and self.rows.opens(self.node):
            self.action_toggle_row()
        elif self.node is not None:
            self.post_message(self.Chosen(self))

    def action_attributes(self) -> None:
        self.show_attributes = not self.show_attributes
        self.refresh()

    def action_sort(self) -> None:
        node = self.node
        self.rows.by_size = not self.rows.by_size
        self.rows.rebuild()
        self.keep(node)
