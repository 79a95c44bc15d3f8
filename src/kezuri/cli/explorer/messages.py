"""What threads tell the explorer; its messages may be posted by any of them."""

from collections.abc import Callable

from textual.message import Message

from kezuri.anatomy.tree_view import Selection


class Heard(Message):
    """Something came from the thread that has the image."""

    def __init__(self, what: object) -> None:
        super().__init__()
        self.what = what


class Looked(Message):
    """A view was computed; `number` says for which wish."""

    def __init__(self, number: int, selection: Selection | None, error: Exception | None = None) -> None:
        super().__init__()
        self.number = number
        self.selection = selection
        self.error = error


class Done(Message):
    """A job of the thread is done: what the user interface does then."""

    def __init__(self, then: Callable[[], None]) -> None:
        super().__init__()
        self.then = then
