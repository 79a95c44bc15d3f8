"""The explorer: layers on one side, the files that they make on the other, on Textual."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Input, Static

from kezuri.anatomy.listing_tree import Node
from kezuri.anatomy.tree_view import Change, Filter
from kezuri.app.exploring import Came, Counted, Ended, Exploration, Opened
from kezuri.cli.explorer.details import Details
from kezuri.cli.explorer.errands import Errands
from kezuri.cli.explorer.lines import Lines, key
from kezuri.cli.explorer.look import LOOK
from kezuri.cli.explorer.messages import Done, Heard, Looked
from kezuri.cli.explorer.panes import FilesPane, LayersPane
from kezuri.cli.explorer.patterns import Limited, TooLong, matched
from kezuri.cli.explorer.screens import ChoiceScreen, ContentScreen, HelpScreen
from kezuri.cli.explorer.views import Views
from kezuri.cli.explorer.words import name
from kezuri.cli.phrase import Phrase
from kezuri.cli.quantities import amount
from kezuri.diagnostics import visible
from kezuri.layer.entry import Entry

_OF_PANES = frozenset(
    ("ask", "leave", "switch_pane", "search_again", "toggle_wasted", "toggle_leftovers", "owners", "aggregate_other")
) | {"everything", "help"}
_NARROW = 80
_LOW = 18


class Explorer(App[None]):
    """Looks around in an image that is being opened."""

    ENABLE_COMMAND_PALETTE = False
    CSS = LOOK
    BINDINGS: ClassVar[list[BindingType]] = [
        key("q", "leave"),
        key("ctrl+c,ctrl+q", "quit"),
        key("tab,shift+tab", "switch_pane"),
        key("ctrl+f,f", "ask('filter')"),
        key("slash,ctrl+slash,ctrl+underscore", "ask('search')"),
        key("ctrl+e,e", "ask('write')"),
        key("n", "search_again(False)"),
        key("N", "search_again(True)"),
        key("w", "toggle_wasted"),
        key("L", "toggle_leftovers"),
        key("o", "owners"),
        key("a", "aggregate_other"),
        key("escape", "everything"),
        key("question_mark,f1", "help"),
    ]

    def __init__(self, exploration: Exploration, named: str, phrase: Phrase) -> None:
        super().__init__(ansi_color=True)
        self.theme = "ansi-dark" if "ansi-dark" in self.available_themes else "textual-ansi"
        self._exploration = exploration
        self._named = named
        self._phrase = phrase
        self._opened: Opened | None = None
        self._filter = Filter()
        self._aggregate = False
        self._matched: tuple[str, bytearray | None] = ("", None)
        self._mistyped = ""
        self.broken: Exception | None = None
        """What went wrong in here, to be raised once the terminal is given back."""
        self._asked = ""
        self._sought = ""
        self._shown: tuple[Node, int] | None = None
        self._views = Views(self.post_message)
        self._errands = Errands(exploration, phrase, self.post_message, self._say, self._push)

    def _handle_exception(self, error: Exception) -> None:
        """End, as Textual does, but leave it to whoever called to say why: a story on the screen helps no user."""
        self.broken = self.broken or error
        self._return_code = 125
        self._close_messages_no_wait()

    # what is there

    def compose(self) -> ComposeResult:
        yield Static(Text(name(self._named), no_wrap=True, overflow="ellipsis"), id="title")
        with Horizontal(id="panes"):
            with Vertical(id="left"):
                yield LayersPane()
                yield Static(id="details")
            with Vertical(id="right"):
                yield FilesPane(self._entry_of)
        yield Static(id="place")
        yield Static(Text(self._phrase("Opening the image…")), id="state")
        yield Input(id="prompt")
        yield Static(Text(self._keys(), no_wrap=True, overflow="ellipsis"), classes="keys")

    def on_mount(self) -> None:
        self._first.set_focus(self._first.query_one(FilesPane))
        self._first.add_class("files")
        self._fit(self.size.width, self.size.height)
        self._exploration.listen(self.hear)

    def on_unmount(self) -> None:
        self._views.close()

    def on_resize(self, event: events.Resize) -> None:
        self._fit(event.size.width, event.size.height)
        # A terminal that was smaller for a moment has forgotten what it cut off, and Textual draws nothing anew where
        # the size that it hears of is the one that it knows.
        self.refresh()

    def _fit(self, width: int, height: int) -> None:
        for screen in self.screen_stack:
            screen.set_class(width < _NARROW, "narrow")
            screen.set_class(height < _LOW, "low")

    def _keys(self) -> str:
        return self._phrase("Tab layers/files · Space open · / search · f filter · w wasted · o owner · ? keys · q end")

    def _entry_of(self, node: Node) -> Entry | None:
        selection = self._first.query_one(FilesPane).rows.selection
        if selection is None:
            return None
        stand = selection.stand(node)
        return None if stand is None else self._exploration.entry(node, stand.layer)

    # what comes from the thread

    def hear(self, what: object) -> None:
        """Called by the thread that has the image."""
        self.post_message(Heard(what))

    def on_heard(self, message: Heard) -> None:
        what = message.what
        state = self._first.query_one("#state", Static)
        if isinstance(what, Came):
            text = self._phrase("Read {} of {} from {}", amount(what.size), amount(what.whole), visible(what.source))
            state.update(Text(text))
        elif isinstance(what, Counted):
            count = f"{what.entries:,}"
            text = self._phrase("Listed {} files…", count) if what.listing else self._phrase("Sorted {} paths…", count)
            state.update(Text(text))
        elif isinstance(what, Ended):
            self.exit()
        elif isinstance(what, Opened):
            self._open(what)

    @property
    def _first(self) -> Screen[object]:
        return self.screen_stack[0]

    def _open(self, opened: Opened) -> None:
        self._opened = opened
        details = Details(opened, self._phrase)
        self._first.query_one("#title", Static).update(details.title())
        layers = self._first.query_one(LayersPane)
        layers.seen = opened.layers
        layers.go(len(opened.layers), quiet=True)
        self._look()

    def _look(self) -> None:
        """Show what is chosen."""
        opened = self._opened
        if opened is None:
            return
        layers = self._first.query_one(LayersPane)
        if opened.layers:
            self._first.query_one("#details", Static).update(Details(opened, self._phrase).layer(layers.cursor))
        self._views.wish(opened, layers.cursor, self._filter, self._aggregate, self._matched[1])

    @contextmanager
    def _complaining(self) -> Iterator[None]:
        """Say what is wrong with an expression."""
        try:
            yield
        except re.error as error:
            self._say(self._phrase("This is no regular expression: {}", error))
        except TooLong:
            self._say(self._phrase("This regular expression takes too long"))

    def on_looked(self, message: Looked) -> None:
        if not self._views.is_last(message):
            return
        if message.selection is None:
            assert message.error is not None
            raise message.error
        files = self._first.query_one(FilesPane)
        node = files.node
        files.rows.show(message.selection)
        files.keep(node)
        self._tell()

    def on_done(self, message: Done) -> None:
        message.then()

    def _say(self, text: str) -> None:
        if len(self.screen_stack) > 1:
            self.notify(text, markup=False, timeout=4)
        self._first.query_one("#state", Static).update(Text(text, no_wrap=True, overflow="ellipsis"))

    def _tell(self) -> None:
        """The lines below: where the cursor is, and what is shown."""
        files = self._first.query_one(FilesPane)
        selection, opened = files.rows.selection, self._opened
        if selection is None or opened is None:
            return
        details = Details(opened, self._phrase)
        self._first.query_one("#place", Static).update(details.path(files.node, selection))
        self._say(details.state(selection, files.rows.by_size))

    def on_lines_moved(self, message: Lines.Moved) -> None:
        if isinstance(message.lines, LayersPane):
            self._look()
        elif isinstance(message.lines, FilesPane):
            self._tell()

    def on_lines_chosen(self, message: Lines.Chosen) -> None:
        if isinstance(message.lines, LayersPane):
            self.action_switch_pane()
        elif isinstance(message.lines, FilesPane):
            files = message.lines
            if files.node is not None and files.rows.opens(files.node):
                files.action_toggle_row()
            else:
                self._show_content()

    # what keys do

    def action_switch_pane(self) -> None:
        screen = self._first
        to_layers = isinstance(screen.focused, FilesPane)
        screen.set_class(to_layers, "layers")
        screen.set_class(not to_layers, "files")
        screen.set_focus(screen.query_one(LayersPane) if to_layers else screen.query_one(FilesPane))

    def action_aggregate(self, on: bool) -> None:
        self._aggregate = on
        self._look()

    def action_aggregate_other(self) -> None:
        self.action_aggregate(not self._aggregate)

    def action_toggle_change(self, change: Change) -> None:
        which: set[Change] = {"changed", "rewritten"} if change == "changed" else {change}
        shown = set(self._filter.changes)
        shown = shown - which if which <= shown else shown | which
        self._wanted(self._filter._replace(changes=frozenset(shown)))

    def action_toggle_wasted(self) -> None:
        self._wanted(self._filter._replace(wasted=not self._filter.wasted))

    def action_toggle_leftovers(self) -> None:
        self._wanted(self._filter._replace(leftover=not self._filter.leftover))

    def action_everything(self) -> None:
        if self._asked:
            self._answered("")
        else:
            self._wanted(Filter())

    def _wanted(self, wanted: Filter) -> None:
        pattern = wanted.pattern
        if pattern != self._matched[0] and self._opened is not None:
            with self._complaining():
                self._matched = pattern, matched(pattern, self._opened.tree) if pattern else None
            if self._matched[0] != pattern:
                self._mistyped = pattern  # what was shown before still is
                return
        self._mistyped = ""
        self._filter = wanted
        self._look()

    def action_owners(self) -> None:
        opened = self._opened
        if opened is None:
            return
        details = Details(opened, self._phrase)
        numbers, choices = details.owners()
        current = numbers.index(self._filter.owner) if self._filter.owner in numbers else 0

        def chosen(number: int | None) -> None:
            if number is not None and number >= 0:
                self._wanted(self._filter._replace(owner=numbers[number]))

        self.push_screen(ChoiceScreen(self._phrase("Files of which owner?"), choices, current), chosen)

    def action_help(self) -> None:
        self.push_screen(HelpScreen(self._phrase("Keys"), Details.keys(self._phrase)))

    # questions

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Whether a key means this now: not while letters are typed, or something lies over the panes."""
        if action in _OF_PANES and (self._asked or len(self.screen_stack) > 1):
            return action == "everything" and bool(self._asked)
        return super().check_action(action, parameters)

    def action_leave(self) -> None:
        self.exit()

    def action_ask(self, what: str) -> None:
        if self._opened is None:
            return
        if what == "write":
            self._shown = self._chosen()
            if self._shown is None:
                return
        self._asked = what
        prompt = self._first.query_one("#prompt", Input)
        written = "./" + re.sub(r"[^\w.+@-]", "_", self._shown[0].name) if self._shown is not None else ""
        prompt.value = {"filter": self._mistyped or self._filter.pattern, "search": self._sought, "write": written}.get(
            what, ""
        )
        prompt.cursor_position = len(prompt.value)
        prompt.placeholder = {
            "filter": self._phrase("Show only paths with this regular expression"),
            "search": self._phrase("Go to a name with this regular expression"),
            "write": self._phrase("Write it to this new file"),
        }.get(what, "")
        self._prompting(True)
        # At once, so that what is typed ahead goes there; `focus` waits for the next turn.
        self._first.set_focus(prompt)

    def _prompting(self, on: bool) -> None:
        self._first.query_one("#prompt").display = on
        self._first.query_one("#state").display = not on

    def on_input_submitted(self, message: Input.Submitted) -> None:
        self._answered(message.value, True)

    def _answered(self, text: str, given: bool = False) -> None:
        asked, self._asked = self._asked, ""
        files = self._first.query_one(FilesPane)
        self._first.set_focus(files)
        self._prompting(False)
        self._first.set_class(False, "layers")
        self._first.set_class(True, "files")
        if not given:
            self._tell()
        elif asked == "filter":
            self._wanted(self._filter._replace(pattern=text))
        elif asked == "search":
            self._sought = text
            self.action_search_again(False)
        elif asked == "write":
            self._write(text)

    def action_search_again(self, backwards: bool) -> None:
        files = self._first.query_one(FilesPane)
        if not self._sought:
            return
        with self._complaining():
            with Limited():
                found = files.rows.find(self._sought, files.node, backwards)
            if found is None:
                self._say(self._phrase("Nothing that is shown is called so: {}", visible(self._sought)))
            else:
                files.reveal(found)

    # contents

    def _chosen(self) -> tuple[Node, int] | None:
        """The file that the cursor is on, and the layer that has it as it is shown."""
        files = self._first.query_one(FilesPane)
        node, selection = files.node, files.rows.selection
        if node is None or selection is None:
            return None
        stand = selection.stand(node)
        return None if stand is None else (node, stand.layer)

    def _show_content(self) -> None:
        if (chosen := self._chosen()) is not None and self._opened is not None:
            self._errands.show(*chosen, Details(self._opened, self._phrase))

    def action_compare(self) -> None:
        """Show how the chosen file differs from what the layers below have at its path."""
        if (chosen := self._chosen()) is not None and self._opened is not None:
            self._errands.compare(*chosen, Details(self._opened, self._phrase))

    def _push(self, screen: ContentScreen) -> None:
        self._tell()
        self.push_screen(screen)

    def action_write_out(self) -> None:
        """Ask where the chosen file is to be written."""
        while len(self.screen_stack) > 1:
            self.pop_screen()
        self.action_ask("write")

    def _write(self, target: str) -> None:
        if self._shown is None or not target.strip():
            self._tell()
            return
        self._errands.write(*self._shown, target.strip())
