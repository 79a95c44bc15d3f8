"""What lies over the explorer for a while: a file's content, the owners to choose from, the keys."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from kezuri.cli.explorer.content_text import drawn, hex_count, hex_line, is_text, text_lines
from kezuri.cli.explorer.lines import Lines, key
from kezuri.cli.explorer.words import Part
from kezuri.cli.phrase import Phrase


class ContentLines(Lines):
    """Lines to be read; they move sideways, too."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key("left,h", "sideways(-8)"),
        key("right,l", "sideways(8)"),
        key("space", "page(1)"),
    ]
    pointing = False

    def __init__(self, count: Callable[[], int], line: Callable[[int], list[Part]]) -> None:
        super().__init__()
        self._count = count
        self._line = line

    def count(self) -> int:
        return self._count()

    def parts(self, number: int, width: int) -> list[Part]:
        return self._line(number)

    def action_sideways(self, by: int) -> None:
        self.left = max(0, self.left + by)
        self.refresh()


class ContentScreen(Screen[None]):
    """A file: as text or in hexadecimal, or its difference from another version. `head` are lines about it; where
    `lines` are given they are shown, else the bytes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key("escape,q,backspace", "app.pop_screen"),
        key("x", "hexadecimal"),
        key("c", "app.compare"),
        key("ctrl+e,e", "app.write_out"),
        key("ctrl+c", "app.quit"),
    ]

    def __init__(self, phrase: Phrase, head: Sequence[Part], data: bytes, lines: Sequence[Part] | None = None) -> None:
        super().__init__()
        self._phrase = phrase
        self._head = head
        self._data = data
        self._given = lines
        self._hex = not is_text(data)
        self._text = [] if self._hex or lines is not None else text_lines(data)

    def compose(self) -> ComposeResult:
        yield Static(_text(self._head, "\n"), classes="head")
        yield ContentLines(self._count, self._line)
        if self._given is not None:
            keys = self._phrase("Esc back · ←→ sideways")
        else:
            keys = self._phrase("Esc back · x hex/text · c compare with the layer below · e write out · ←→ sideways")
        yield Static(Text(keys), classes="keys")

    def _count(self) -> int:
        if self._given is not None:
            return len(self._given)
        return hex_count(self._data) if self._hex else len(self._text)

    def _line(self, number: int) -> list[Part]:
        if self._given is not None:
            return [self._given[number]]
        if self._hex:
            return hex_line(self._data, number)
        return [(f"{number + 1:>5}  ", "dim"), (drawn(self._text[number]), "")]

    def action_hexadecimal(self) -> None:
        if self._given is not None:
            return
        self._hex = not self._hex
        if not self._hex and not self._text:
            self._text = text_lines(self._data)
        lines = self.query_one(ContentLines)
        lines.left = 0
        lines.go(0)


class ChoiceLines(Lines):
    """Lines of which one is chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [key("enter,space", "choose")]

    def __init__(self, choices: Sequence[list[Part]]) -> None:
        super().__init__()
        self._choices = choices

    def count(self) -> int:
        return len(self._choices)

    def parts(self, number: int, width: int) -> list[Part]:
        return self._choices[number]

    def action_choose(self) -> None:
        self.post_message(self.Chosen(self))


class ChoiceScreen(ModalScreen[int]):
    """One of several lines to be chosen; its number is the result, -1 for none of them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key("escape,q", "dismiss(-1)"),
        key("ctrl+c", "app.quit"),
    ]

    def __init__(self, title: str, choices: Sequence[list[Part]], current: int = 0) -> None:
        super().__init__()
        self._title = title
        self._lines = ChoiceLines(choices)
        self._lines.cursor = current

    def compose(self) -> ComposeResult:
        yield Static(Text(self._title, "bold"), classes="head")
        yield self._lines

    def on_lines_chosen(self, message: Lines.Chosen) -> None:
        message.stop()
        self.dismiss(message.lines.cursor)


class HelpScreen(ModalScreen[None]):
    """The keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key("escape,q,question_mark,enter", "dismiss(None)"),
        key("ctrl+c", "app.quit"),
    ]

    def __init__(self, title: str, keys: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self._title = title
        self._keys = keys

    def compose(self) -> ComposeResult:
        yield Static(Text(self._title, "bold"), classes="head")
        wide = max(len(key) for key, _ in self._keys) + 2
        lines: list[list[Part]] = [[(key.ljust(wide), "bold"), (words, "")] for key, words in self._keys]
        yield ContentLines(lambda: len(lines), lambda number: lines[number])


def _text(parts: Sequence[Part], between: str = "") -> Text:
    text = Text(no_wrap=True, overflow="ellipsis")
    for number, (piece, style) in enumerate(parts):
        text.append(between if number else "")
        text.append(piece, style or None)
    return text
