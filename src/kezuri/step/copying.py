"""COPY, ADD and WORKDIR: making their layers from recipes."""

import os
from collections.abc import Callable, Sequence
from time import time_ns

from kezuri.diagnostics import KezuriError, SourceText
from kezuri.dockerfile.chmod import parse_chmod
from kezuri.forms.forms import Forms
from kezuri.forms.packing import Packing
from kezuri.keys.state import State
from kezuri.keys.stepkeys import choice_of, located
from kezuri.keys.trees import StateOf, Trees
from kezuri.layer.entry import Entry, Item
from kezuri.plan.key import Components, digest
from kezuri.plan.operation import CopyOperation, WorkdirOperation
from kezuri.store.store import Store
from kezuri.tree.accounts import chown_ids, user_ids
from kezuri.tree.checksum import verify_unchanged
from kezuri.tree.content import on_hand
from kezuri.tree.extraction import taken_out
from kezuri.tree.materialise import materialise
from kezuri.tree.recipe import CopyOptions, new_directory, recipe
from kezuri.tree.selection import Root, Selected, Selection


class CopySteps:
    """Makes the layers of COPY, ADD and WORKDIR steps."""

    def __init__(self, store: Store, forms: Forms, trees: Trees, packing: Packing, source: SourceText) -> None:
        self._store = store
        self._forms = forms
        self._trees = trees
        self._packing = packing
        self._source = source

    def execute(
        self, operation: CopyOperation, components: Components, before: State, states: StateOf, directory: bool
    ) -> str:
        """Make the layer and return its id. `directory`: steps will run on top of it, so it is written out as a
        directory; otherwise it goes straight from the source into a blob."""
        layer = f"copy-{digest(components)}"
        try:
            with self._store.scratch("add") as scratch:
                selection = taken_out(self._selection(operation, states), scratch)
                options = self._options(operation, before, scratch)
                # A linked copy does not look at what lies below: an image there need not be fetched for it.
                view = self._forms.view(() if options.linked else before.layers)
                items = recipe(_with_heredocs(selection, operation), options, view)
                # Files of the context may be written while they are read: what was packed must be what the key says.
                self._make(layer, items, directory, lambda: verify_unchanged(selection))
        except KezuriError as error:
            raise located(error, operation, self._source) from error
        return layer

    def _selection(self, operation: CopyOperation, states: StateOf) -> Selection:
        if operation.remotes:
            from kezuri.keys.mixture import mixed_selection

            return mixed_selection(operation, self._trees, states)
        return self._trees.select(choice_of(operation), states)

    def _options(self, operation: CopyOperation, before: State, scratch: str) -> CopyOptions:
        unpack = None
        if operation.unpack or (operation.add and operation.unpack is None):
            from kezuri.tree.archive import Archives

            unpack = Archives(scratch).extract
        view = self._forms.view(() if operation.link else before.layers)
        return CopyOptions(
            destination=operation.destination,
            chown=chown_ids(operation.chown, view) if operation.chown else None,
            chmod=parse_chmod(operation.chmod) if operation.chmod else None,
            link=operation.link,
            unpack=unpack,
        )

    def _make(
        self, layer: str, items: Sequence[Item], directory: bool, check: Callable[[], None] | None = None
    ) -> None:
        if not directory:
            self._forms.pack(layer, items, self._packing, check)
            return
        with self._store.scratch("copy") as scratch:
            made = os.path.join(scratch, "diff")
            materialise(items, made, self._forms.warn)
            if check is not None:
                check()
            self._forms.publish_directory(layer, made)

    def make_directory(
        self, operation: WorkdirOperation, components: Components, before: State, directory: bool
    ) -> str:
        """Make the layer of a WORKDIR and return its id: it is empty when the directory is there already."""
        layer = f"copy-{digest(components)}"
        try:
            self._make(layer, self._missing_directories(operation, before), directory)
        except KezuriError as error:
            raise located(error, operation, self._source) from error
        return layer

    def _missing_directories(self, operation: WorkdirOperation, before: State) -> list[Item]:
        view = self._forms.view(before.layers)
        path = view.resolve(operation.path)
        found = view.lookup(path)
        if found is not None:
            if found.kind != "dir":
                raise KezuriError.of(f"WORKDIR {operation.path} is a {found.kind} in the image, not a directory")
            return []
        owner: tuple[int, int] | None = None
        if operation.user:
            name, _, group = operation.user.partition(":")
            if name.isdigit() and not group:
                # A lone number is the group as well, as for --chown and unlike for RUN.
                owner = chown_ids(operation.user, view)
            else:
                owner = user_ids(operation.user, view)[:2]
        items: list[Item] = []
        above = view.lookup("")
        parts = path.split("/")
        for i in range(1, len(parts) + 1):
            parent = "/".join(parts[:i])
            there = view.lookup(parent)
            if there is not None and there.kind != "dir":
                raise KezuriError.of(f"WORKDIR {operation.path}: /{parent} is a {there.kind}, not a directory")
            above = there or new_directory(parent, above, 0o755, owner)
            items.append((above, None))
        return items


def _with_heredocs(selection: Selection, operation: CopyOperation) -> Selection:
    """The selection with the heredoc files: they come after the words, as BuildKit copies them."""
    roots = []
    for name, data in operation.heredocs:
        entry = Entry(name, "file", 0o644, 0, 0, len(data), time_ns())
        roots.append(Root(name, Selected("", entry, data)))
    return (*selection, *roots)


def selected_items(selection: Selection) -> tuple[tuple[Item, ...], str]:
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
