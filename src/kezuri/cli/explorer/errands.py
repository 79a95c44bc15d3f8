"""What is done with a single file of an image: it is shown, compared, written out, each by the thread that reads."""

import os
from collections.abc import Callable

from textual.message import Message

from kezuri.anatomy.listing_tree import Node
from kezuri.app.exploring import Exploration
from kezuri.cli.explorer.content_text import differences
from kezuri.cli.explorer.details import Details
from kezuri.cli.explorer.messages import Done
from kezuri.cli.explorer.screens import ContentScreen
from kezuri.cli.phrase import Phrase
from kezuri.cli.quantities import size
from kezuri.diagnostics import KezuriError, visible
from kezuri.progress.calling_off import CalledOff


class Errands:
    """Has things done by the thread of an image. `post` may be called by any thread; `say` and `push`, which show a
    line and a screen, are called by that of the user interface only."""

    def __init__(
        self,
        exploration: Exploration,
        phrase: Phrase,
        post: Callable[[Message], object],
        say: Callable[[str], None],
        push: Callable[[ContentScreen], None],
    ) -> None:
        self._exploration = exploration
        self._phrase = phrase
        self._post = post
        self._say = say
        self._push = push

    def show(self, node: Node, layer: int, details: Details) -> None:
        """Show what a layer has at a path."""

        def job() -> Callable[[], None]:
            version = self._exploration.version(node.path, layer)
            screen = ContentScreen(self._phrase, details.version(node, version), version.data)
            return lambda: self._push(screen)

        self._begin(job)

    def compare(self, node: Node, layer: int, details: Details) -> None:
        """Show how the file that a layer has differs from what the next lower one has at its path."""
        below = next((each for each in node.stands if each.layer < layer), None)
        if below is None or below.kind not in ("file", "hardlink"):
            self._say(self._phrase("No layer below has a file here"))
            return
        lower = below.layer

        def job() -> Callable[[], None]:
            before = self._exploration.version(node.path, lower)
            after = self._exploration.version(node.path, layer)
            head, lines = details.comparison(node, before, after), differences(before, after)
            if lines is None:
                lines = [(self._phrase("The bytes are the same."), "")]
            screen = ContentScreen(self._phrase, head, after.data, lines)
            return lambda: self._push(screen)

        self._begin(job)

    def write(self, node: Node, layer: int, target: str) -> None:
        """Write what a layer has at a path to a new file."""
        where = os.path.expanduser(target)

        def job() -> Callable[[], None]:
            written = self._exploration.write(node.path, layer, where)
            text = self._phrase("Wrote {} to {}", size(written), visible(where))
            return lambda: self._say(text)

        self._begin(job)

    def _begin(self, job: Callable[[], Callable[[], None]]) -> None:
        """Have the thread do something, and show then what it says."""

        def work() -> None:
            try:
                then = job()
            except (KezuriError, OSError) as error:
                reason = error.diagnostics[0].message if isinstance(error, KezuriError) else error.strerror
                text = visible(reason or str(error))
                then = lambda: self._say(text)  # noqa: E731
            except CalledOff:
                return
            except Exception as error:
                broken = error

                def then() -> None:
                    raise broken

            self._post(Done(then))

        self._say(self._phrase("Reading…"))
        self._exploration.post(work)
