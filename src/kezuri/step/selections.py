"""The files that a task names, found: picked from a context, in a stack of layers, or fetched."""

from kezuri.diagnostics import KezuriError
from kezuri.forms.forms import Forms
from kezuri.keys.stepkeys import at_word
from kezuri.layer.entry import Item
from kezuri.step.task import Fetched, Files, Picked, Supplies
from kezuri.tree.content import on_hand
from kezuri.tree.selection import Selection, select


class Selections:
    """Finds files for a performer: in its own layers, and with its supplies."""

    def __init__(self, forms: Forms, supplies: Supplies) -> None:
        self._forms = forms
        self._supplies = supplies

    def select(self, files: Files) -> Selection:
        """The files, entry by entry. KezuriError when they cannot be had, a SourceError where one word is to blame."""
        if isinstance(files, Picked):
            return self._supplies.selection(files)
        if isinstance(files, Fetched):
            try:
                return (self._supplies.fetched(files),)
            except KezuriError as error:
                raise at_word(error, files.word) from error
        self._forms.fetch_missing(files.layers)  # several at a time
        tree = self._forms.view(files.layers).named("the stage")
        return select(tree, files.words, parents=files.parents, excludes=files.excludes, literal=files.literal)


def as_tree(selection: Selection) -> tuple[tuple[Item, ...], str]:
    """What one source word selects, as entries of a tree of its own, and the path in it that stands for the word."""
    items: list[Item] = []
    place = "/"
    for root in selection:
        if root.directory:
            items += [(item.entry._replace(path=item.path), on_hand(item.content)) for item in root.items]
        else:
            place = f"/{root.name}"
            items.append((root.top.entry._replace(path=root.name), on_hand(root.top.content)))
    return tuple(items), place
