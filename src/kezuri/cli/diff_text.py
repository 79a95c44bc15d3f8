"""What `kezuri diff` prints for people: sizes, layers, settings, packages, files, the weightiest first."""

from collections.abc import Iterator, Sequence

from kezuri.anatomy.values import LayerShare
from kezuri.cli.figures import headings, row
from kezuri.cli.phrase import Phrase
from kezuri.cli.quantities import size
from kezuri.cli.screen_text import clip, one_line, width
from kezuri.comparison.difference import (
    FileChange,
    ImageDifference,
    LayerChange,
    Origin,
    PackageChange,
    SettingChange,
    Tally,
)
from kezuri.comparison.values import Side
from kezuri.diagnostics import visible

SECTIONS = ("sizes", "layers", "settings", "packages", "files")
_RED, _GREEN, _YELLOW, _RESET = "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[0m"
_SIGNS = {"new": "+", "gone": "-"}
_LONGEST_VALUE = 60


class DiffText:
    """The sections, each as lines. `most` are the rows that a section has at most (0: all), `columns` the width of the
    terminal (0: none)."""

    def __init__(self, found: ImageDifference, phrase: Phrase, most: int, colour: bool, columns: int) -> None:
        self._found = found
        self._phrase = phrase
        self._most = most
        self._colour = colour
        self._columns = columns

    def heading(self) -> list[str]:
        """Which two images these are."""
        before, after = self._found.before, self._found.after
        lines = [self._marked("-", _named(before)), self._marked("+", _named(after))]
        if before.digest and before.digest == after.digest:
            lines.append(self._phrase("It is the same image under both names."))
        elif self._found.same:
            lines.append(self._phrase("Their settings, packages and files are the same."))
        return lines

    def section(self, name: str) -> list[str]:
        """One of SECTIONS; nothing where nothing differs."""
        sections = {
            "sizes": self._sizes,
            "layers": self._layers,
            "settings": self._settings,
            "packages": self._packages,
            "files": self._files,
        }
        return list(sections[name]())

    def _sizes(self) -> Iterator[str]:
        yield from _columns(
            [headings(self._phrase, change=True), *(row(f, self._phrase, change=True) for f in self._found.figures)]
        )

    def _layers(self) -> Iterator[str]:
        found, phrase = self._found, self._phrase
        if not found.layers:
            return
        shared = phrase("{} shared ({})", found.shared, size(found.shared_size)) if found.shared else ""
        yield self._title(phrase("Layers"), shared, *self._counted([each.what for each in found.layers]))
        weighty = sorted(found.layers, key=lambda each: -each.layer.tar)
        yield from self._rows([self._layer(each) for each in weighty])

    def _layer(self, change: LayerChange) -> tuple[str, ...]:
        layer = change.layer
        return _SIGNS[change.what], str(layer.number + 1), size(layer.tar), _made_by(layer, self._phrase)

    def _settings(self) -> Iterator[str]:
        found = self._found.settings
        if not found:
            return
        yield self._title(self._phrase("Settings"))
        yield from self._rows([self._setting(each) for each in found])

    def _setting(self, change: SettingChange) -> tuple[str, ...]:
        if change.before is None:
            return "+", change.name, _value(change.after)
        if change.after is None:
            return "-", change.name, _value(change.before)
        return "~", change.name, "{} → {}".format(*_apart(change.before, change.after))

    def _packages(self) -> Iterator[str]:
        found, phrase = self._found.packages, self._phrase
        if not found:
            return
        yield self._title(phrase("Packages"), *self._counted([each.what for each in found]))
        yield from self._rows([self._package(each) for each in found])

    def _package(self, change: PackageChange) -> tuple[str, ...]:
        name = one_line(f"{change.owner.ecosystem}/{change.owner.name}")
        versions = " → ".join(", ".join(side) for side in (change.before, change.after) if side)
        grown = change.size_after - change.size_before
        return _SIGNS.get(change.what, "~"), name, _signed(grown), one_line(versions), self._brought(change.origin)

    def _files(self) -> Iterator[str]:
        found, phrase = self._found, self._phrase
        tally = found.tally
        if not tally.every:
            return
        yield self._title(phrase("Files"), *self._tally(tally))
        for origin, part in found.origins:
            yield f"  {self._brought(origin) or phrase('unknown')}: {', '.join(self._tally(part))}"
        weighty = sorted(found.files, key=lambda each: (-each.weight, each.path))
        yield from self._rows([self._file(each) for each in weighty], tally.every)
        directories = [each for each in found.directories if each[1].size_new or each[1].size_gone or each[1].grown]
        if len(found.files) > 1 and directories:
            yield ""
            yield self._title(phrase("Directories"))
            yield from self._rows([self._directory(path, part) for path, part in directories])

    def _file(self, change: FileChange) -> tuple[str, ...]:
        sign = {"new": "+", "gone": "-", "metadata": "·"}.get(change.what, "~")
        size_told = _signed(change.grown) if change.grown or change.what != "metadata" else ""
        details = ", ".join(f"{self._word(word)} {old or '-'} → {new or '-'}" for word, old, new in change.details)
        path = "/" + visible(change.path) + ("/" if change.kind == "dir" else "")
        return sign, size_told, path if not details else f"{path} ({clip(one_line(details), 2 * _LONGEST_VALUE)})"

    def _directory(self, path: str, tally: Tally) -> tuple[str, ...]:
        sign = "+" if tally.grown > 0 else "-" if tally.grown < 0 else "~"
        return sign, _signed(tally.grown), f"/{visible(path)}/", ", ".join(self._tally(tally))

    # words

    def _tally(self, tally: Tally) -> list[str]:
        phrase = self._phrase
        said = []
        if tally.new:
            said.append(phrase("{} new ({})", f"{tally.new:,}", size(tally.size_new)))
        if tally.gone:
            said.append(phrase("{} gone ({})", f"{tally.gone:,}", size(tally.size_gone)))
        if tally.changed:
            said.append(phrase("{} changed", f"{tally.changed:,}"))
        if tally.metadata:
            said.append(phrase("{} with other metadata only", f"{tally.metadata:,}"))
        return said

    def _counted(self, whats: Sequence[str]) -> list[str]:
        phrase = self._phrase
        said = []
        if new := whats.count("new"):
            said.append(phrase("{} new", new))
        if gone := whats.count("gone"):
            said.append(phrase("{} gone", gone))
        if other := whats.count("version"):
            said.append(phrase("{} in another version", other))
        return said

    def _brought(self, origin: Origin) -> str:
        if origin == "base":
            return self._phrase("from the base image")
        return self._phrase("from the image's own layers") if origin else ""

    def _word(self, word: str) -> str:
        phrase = self._phrase
        words = {
            "kind": phrase("kind"),
            "mode": phrase("mode"),
            "owner": phrase("owner"),
            "attributes": phrase("extended attributes"),
            "target": phrase("target"),
            "device": phrase("device"),
            "time": phrase("time"),
        }
        return words.get(word, word)

    # lines

    def _title(self, word: str, *told: str) -> str:
        rest = ", ".join(each for each in told if each)
        return f"{word}: {rest}" if rest else word

    def _rows(self, rows: Sequence[tuple[str, ...]], every: int = 0) -> Iterator[str]:
        most = self._most or len(rows)
        lines = _columns([each[1:] for each in rows[:most]])
        for each, line in zip(rows, lines):
            yield self._marked(each[0], clip(line, self._columns - 4) if self._columns > 20 else line, "  ")
        more = max(every, len(rows)) - min(most, len(rows))
        if more > 0:
            yield "  " + self._phrase("… and {} more (--top 0 shows all)", f"{more:,}")

    def _marked(self, sign: str, text: str, indent: str = "") -> str:
        line = visible(f"{sign} {text}")
        if not self._colour:
            return indent + line
        colour = {"+": _GREEN, "-": _RED, "~": _YELLOW}.get(sign, "")
        return f"{indent}{colour}{line}{_RESET if colour else ''}"


def _named(side: Side) -> str:
    return "  ".join(word for word in (one_line(side.name), side.digest[:19], side.platform) if word)


def _made_by(layer: LayerShare, phrase: Phrase) -> str:
    maker = layer.maker
    text = clip(one_line(maker.text), _LONGEST_VALUE)
    if maker.of_base:
        base = phrase("of the base image {}", maker.base) if maker.base else phrase("of the base image")
        return f"{text} ({base})"
    return f"{text} ({one_line(maker.dockerfile)}:{maker.line})" if maker.line else text


def _signed(count: int) -> str:
    return f"+{size(count)}" if count > 0 else f"-{size(-count)}" if count < 0 else "±0"


def _value(text: str | None) -> str:
    return clip(one_line(text or '""'), 2 * _LONGEST_VALUE)


def _apart(before: str, after: str) -> tuple[str, str]:
    """Two values, each cut to where they differ."""
    one, two = one_line(before or '""'), one_line(after or '""')
    same = next((i for i, (a, b) in enumerate(zip(one, two)) if a != b), min(len(one), len(two)))
    start = same - 20 if max(width(one), width(two)) > _LONGEST_VALUE and same > 30 else 0
    return tuple(clip("…" + each[start + 1 :] if start else each, _LONGEST_VALUE) for each in (one, two))  # type: ignore[return-value]


def _columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """The cells of rows under each other."""
    widths: dict[int, int] = {}
    for each in rows:
        for column, cell in enumerate(each):
            widths[column] = max(widths.get(column, 0), width(cell))
    return ["  ".join(cell + " " * (widths[i] - width(cell)) for i, cell in enumerate(each)).rstrip() for each in rows]
