"""A list of lines of which only those on the screen are ever made: the same for ten rows and for a million."""

from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from kezuri.cli.explorer.words import Part


def key(keys: str, action: str) -> Binding:
    """What keys do. All of them are done before the next one is looked at, so that people, and scripts, may type ahead:
    other bindings of Textual wait until the key has come up from the widget that has the focus."""
    return Binding(keys, action, show=False, priority=True)


class Lines(Widget, can_focus=True):
    """Lines with a cursor, which keys and the mouse move. Whoever inherits says how many lines there are (`count`) and
    what each is (`parts`)."""

    DEFAULT_CSS = "Lines { height: 1fr; width: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        key("up,k", "move(-1)"),
        key("down,j", "move(1)"),
        key("pageup,u", "page(-1)"),
        key("pagedown,d", "page(1)"),
        key("home,g", "first"),
        key("end,G", "last"),
    ]

    class Moved(Message):
        """The cursor is on another line."""

        def __init__(self, lines: "Lines") -> None:
            super().__init__()
            self.lines = lines

    class Chosen(Message):
        """A line was chosen with the mouse or Enter."""

        def __init__(self, lines: "Lines") -> None:
            super().__init__()
            self.lines = lines

    cursor = 0
    top = 0
    left = 0
    pointing = True
    """Whether the line of the cursor is marked."""

    def count(self) -> int:
        """How many lines there are."""
        return 0

    def parts(self, number: int, width: int) -> list[Part]:
        """The pieces of one line."""
        return []

    def render_line(self, y: int) -> Strip:
        """As Textual wants a line of the screen."""
        number, width = self.top + y, self.size.width
        if number >= self.count():
            return Strip.blank(width)
        marked = self.pointing and number == self.cursor
        segments = []
        for text, style in self.parts(number, width):
            looks = Style.parse(style) if style else Style.null()
            if marked:
                looks = _CURSOR if self.has_focus else looks + _RESTING
            segments.append(Segment(text, looks))
        strip = Strip(segments)
        if self.left:
            strip = strip.crop(self.left)
        filling = (_CURSOR if self.has_focus else _RESTING) if marked else Style.null()
        return strip.adjust_cell_length(width, filling)

    def go(self, number: int, quiet: bool = False) -> None:
        """Move the cursor to a line, and the lines so that it is seen."""
        before = self.cursor
        self.cursor = max(0, min(number, self.count() - 1))
        height = max(1, self.size.height)
        if not self.pointing:
            self.top = max(0, min(number, self.count() - height))
            self.cursor = self.top
        elif self.cursor < self.top:
            self.top = self.cursor
        elif self.cursor >= self.top + height:
            self.top = self.cursor - height + 1
        self.top = max(0, min(self.top, self.count() - height))
        self.refresh()
        if not quiet and self.cursor != before:
            self.post_message(self.Moved(self))

    def on_resize(self, event: events.Resize) -> None:
        self.go(self.cursor, quiet=True)

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def action_move(self, by: int) -> None:
        self.go(self.cursor + by)

    def action_page(self, by: int) -> None:
        self.go(self.cursor + by * max(1, self.size.height - 1))

    def action_first(self) -> None:
        self.go(0)

    def action_last(self) -> None:
        self.go(self.count())

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.go(self.cursor + 3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.go(self.cursor - 3)

    def on_click(self, event: events.Click) -> None:
        number = self.top + event.y
        if not self.pointing or number >= self.count():
            return
        again = number == self.cursor
        self.go(number)
        if again:
            self.post_message(self.Chosen(self))


_CURSOR = Style(reverse=True)
_RESTING = Style(bold=True, underline=True)
