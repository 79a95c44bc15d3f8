"""What the explorer says about an image, a layer, a path, and the version of a file that a layer has."""

from collections.abc import Sequence

from rich.text import Text

from kezuri.anatomy.listing_tree import Node, Stand
from kezuri.anatomy.tree_view import CHANGES, Selection
from kezuri.app.exploring import Opened, Version
from kezuri.cli.explorer.words import MARKS, Part, bytes_of, mode, moment
from kezuri.cli.phrase import Phrase
from kezuri.cli.quantities import size
from kezuri.diagnostics import visible


class Details:
    """Texts about an open image in the reader's language."""

    def __init__(self, opened: Opened, phrase: Phrase) -> None:
        self._opened = opened
        self._phrase = phrase

    def title(self) -> Text:
        """The image in one line."""
        opened = self._opened
        tar, wasted = sum(each.tar for each in opened.layers), sum(each.wasted for each in opened.layers)
        files = sum(files for _, files in opened.owned)
        text = _line()
        text.append(visible(opened.name))
        text.append("  " + self._phrase("{} in {} layers, {} files", size(tar), len(opened.layers), f"{files:,}"))
        if wasted:
            text.append("  " + self._phrase("{} wasted", size(wasted)), "red")
        if opened.told:
            text.append("  " + self._phrase("not all could be read"), "yellow")
        return text

    def layer(self, number: int) -> Text:
        """What there is to say about one layer, in lines."""
        layer = self._opened.layers[number]
        maker = layer.maker
        text = Text(overflow="fold")
        rest = max(0, layer.tar - layer.useful - layer.wasted)
        text.append(self._phrase("Layer {} of {}", number + 1, len(self._opened.layers)), "bold")
        if layer.blob:
            text.append(" · " + self._phrase("{} as it travels", size(layer.blob)))
        text.append("\n" + self._phrase("{} shown", size(layer.useful)))
        text.append(" · ")
        text.append(self._phrase("{} wasted", size(layer.wasted)), "red" if layer.wasted else "")
        text.append(" · " + self._phrase("{} headers", size(rest)))
        text.append(" · " + self._phrase("{} entries", f"{layer.entries:,}"))
        if maker.dockerfile and maker.line:
            text.append(f"\n{visible(maker.dockerfile)}:{maker.line}", "cyan")
        elif maker.of_base:
            text.append("\n" + (self._phrase("of the base {}", visible(maker.base)) if maker.base else self._of_base()))
        text.append(f"\n{visible(layer.diff_id)[:19]}", "dim")
        made = " ".join(visible(maker.text).split())
        text.append(f"\n{made[:600]}{'…' if len(made) > 600 else ''}")
        for told in self._opened.told:
            text.append(f"\n{visible(told)}", "yellow")
        return text

    def _of_base(self) -> str:
        return self._phrase("of the base image")

    def path(self, node: Node | None, selection: Selection) -> Text:
        """The path that the cursor is on: where it comes from and what became of it."""
        text = _line()
        if node is None:
            return text.append(self._phrase("Nothing to show"), "dim")
        text.append("/" + visible(node.path), "bold")
        stand = selection.stand(node)
        if stand is None:
            return text
        text.append("  " + self._phrase("layer {}", stand.layer + 1))
        owner = self._opened.owners[stand.owner] if stand.owner < len(self._opened.owners) else None
        if stand.kind != "dir" and owner is not None:
            text.append(f" · {visible(owner.name and str(owner)) or self._nobody(owner.kind)}")
        if stand.leftover:
            text.append(f" · {visible(stand.leftover)}", "yellow")
        if (fate := self._fate(stand)) and stand.kind != "dir":
            text.append(f" · {fate}", "red")
        others = sum(each.kind == "file" for each in node.stands) - 1
        if others > 0:
            text.append(" · " + self._phrase("other versions: {}", others), "yellow")
        return text

    def _nobody(self, kind: str) -> str:
        return self._phrase("the application") if kind == "application" else self._phrase("no package")

    def _fate(self, stand: Stand) -> str:
        by = stand.by + 1
        if stand.fate == "removed":
            return self._phrase("removed by layer {}", by)
        if stand.fate == "replaced":
            return self._phrase("replaced by layer {}", by)
        if stand.fate == "rewritten":
            return self._phrase("the same bytes again in layer {}", by)
        return "" if stand.fate == "shown" else self._phrase("superseded within its layer")

    def state(self, selection: Selection, by_size: bool) -> str:
        """What is shown: of which layers, and what the filter leaves."""
        view, wanted = selection.view, selection.filter
        first, last = view.since + 2, view.level + 1
        words = [
            self._phrase("layers {} to {}", first, last) if first < last else self._phrase("layer {}", last),
            self._phrase("{} paths, {}", f"{selection.matches:,}", size(selection.sizes[0])),
        ]
        hidden = [change for change in CHANGES if change not in wanted.changes]
        if hidden:
            shown = " ".join(f"[{MARKS[change]}]" for change in CHANGES if change not in hidden)
            words.append(self._phrase("only {}", shown or "-"))
        if wanted.wasted:
            words.append(self._phrase("only wasted"))
        if wanted.leftover:
            words.append(self._phrase("only leftovers"))
        if wanted.owner >= 0:
            owner = self._opened.owners[wanted.owner]
            words.append(visible(owner.name and str(owner)) or self._nobody(owner.kind))
        if wanted.pattern:
            words.append(f"/{visible(wanted.pattern)}/")
        if by_size:
            words.append(self._phrase("largest first"))
        return " · ".join(words)

    def owners(self) -> tuple[list[int], list[list[Part]]]:
        """The owners to choose from, those with most bytes first, by number, and a line for each; -1 is all."""
        opened = self._opened
        order = sorted(range(len(opened.owners)), key=lambda number: -opened.owned[number][0])
        numbers = [-1, *(number for number in order if opened.owned[number][1])]
        lines: list[list[Part]] = [[(" " * 8 + self._phrase("everybody's"), "bold")]]
        for number in numbers[1:]:
            owner, (count, files) = opened.owners[number], opened.owned[number]
            said = visible(owner.name and str(owner)) or self._nobody(owner.kind)
            kind = f" {owner.ecosystem}" if owner.ecosystem else ""
            lines.append([(f"{bytes_of(count) or '     0B'} ", ""), (said, "bold"), (f"{kind} ({files:,})", "dim")])
        return numbers, lines

    def version(self, node: Node, version: Version) -> list[Part]:
        """Lines above the content of a file."""
        entry = version.entry
        about = f"{mode(entry)} {entry.uid}:{entry.gid} {size(entry.size)} {moment(entry)}"
        lines: list[Part] = [
            ("/" + visible(node.path), "bold"),
            (f"{about} · {self._phrase('layer {}', version.layer + 1)}", ""),
        ]
        if entry.link:
            lines.append((f"→ {visible(entry.link)}", "cyan"))
        for attribute, value in entry.xattrs:
            lines.append((f"{visible(attribute)} = {value[:40].hex()}", "dim"))
        if not version.whole:
            lines.append((self._phrase("only the first {} are shown", size(len(version.data))), "yellow"))
        return lines

    def comparison(self, node: Node, before: Version, after: Version) -> list[Part]:
        """Lines above the difference of two versions."""
        lines: list[Part] = [("/" + visible(node.path), "bold")]
        for sign, style, each in (("-", "red", before), ("+", "green", after)):
            entry = each.entry
            about = f"{mode(entry)} {entry.uid}:{entry.gid} {size(entry.size)} {moment(entry)}"
            lines.append((f"{sign} {about} · {self._phrase('layer {}', each.layer + 1)}", style))
        if not before.whole or not after.whole:
            lines.append((self._phrase("only the first {} are shown", size(len(after.data))), "yellow"))
        return lines

    @staticmethod
    def keys(phrase: Phrase) -> Sequence[tuple[str, str]]:
        """Every key, and what it does."""
        return [
            ("Tab", phrase("go to the layers, or to the files")),
            ("↑ ↓ k j", phrase("one line")),
            ("PageUp PageDown u d", phrase("one page")),
            ("Home End g G", phrase("the first line, the last")),
            ("Space", phrase("open a directory, or close it")),
            ("← → h l", phrase("close or go out, open or go in")),
            ("Ctrl+Space", phrase("open all directories, or close all")),
            ("Enter", phrase("show a file: as text, or in hexadecimal (x)")),
            ("c", phrase("compare a file with what the layer below has there")),
            ("e Ctrl+E", phrase("write a file out")),
            ("/ n N", phrase("search a name, the next one, the one before")),
            ("f Ctrl+F", phrase("show only paths with a regular expression")),
            ("1 Ctrl+A", phrase("with or without what was added (+)")),
            ("2 m", phrase("with or without what was changed (~), also in its metadata only (=)")),
            ("3 Ctrl+R", phrase("with or without what was removed (-)")),
            ("4 Ctrl+U", phrase("with or without what is as before")),
            ("w", phrase("only files with bytes that the image does not show")),
            ("L", phrase("only known leftovers: caches, tests, documentation")),
            ("o", phrase("only files of one package, or of the application")),
            ("Esc", phrase("everything again")),
            ("a", phrase("the changes of all layers up to this one, or of this one")),
            ("Ctrl+A Ctrl+L", phrase("the same, while the layers have the focus")),
            ("s Ctrl+O", phrase("by size, or by name")),
            ("b Ctrl+B", phrase("with or without permissions and owners")),
            ("q Ctrl+C", phrase("leave")),
        ]


def _line() -> Text:
    return Text(no_wrap=True, overflow="ellipsis")
