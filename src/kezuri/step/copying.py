"""COPY, ADD and WORKDIR: making their layers from recipes."""

import os
from collections.abc import Callable, Sequence
from time import time_ns

from kezuri.diagnostics import KezuriError
from kezuri.dockerfile.chmod import parse_chmod
from kezuri.forms.forms import Forms
from kezuri.layer.entry import Entry, Item
from kezuri.step.selections import Selections
from kezuri.step.task import Copy, MakeDirectory, Task
from kezuri.store.store import Store
from kezuri.tree.accounts import chown_ids, user_ids
from kezuri.tree.checksum import verify_unchanged
from kezuri.tree.extraction import taken_out
from kezuri.tree.materialise import materialise
from kezuri.tree.recipe import CopyOptions, new_directory, recipe
from kezuri.tree.selection import Root, Selected, Selection


class Copying:
    """Makes the layers of COPY, ADD and WORKDIR. A layer that is wanted as a directory is written out as one; any other
    goes straight from its source into a blob."""

    def __init__(self, store: Store, forms: Forms, selections: Selections) -> None:
        self._store = store
        self._forms = forms
        self._selections = selections

    def copy(self, work: Copy, task: Task) -> str:
        """Make the layer and return its id."""
        with self._store.scratch("add") as scratch:
            found = tuple(root for files in work.files for root in self._selections.select(files))
            selection = taken_out(found, scratch)
            options = self._options(work, task, scratch)
            # A linked copy does not look at what lies below: an image there need not be fetched for it.
            view = self._forms.view(() if options.linked else task.below)
            items = recipe((*selection, *_heredocs(work)), options, view)
            # Files of the context may be written while they are read: what was packed must be what the key says.
            self._make(work.layer, task, items, lambda: verify_unchanged(selection))
        return work.layer

    def _options(self, work: Copy, task: Task, scratch: str) -> CopyOptions:
        unpack = None
        if work.unpack:
            from kezuri.tree.archive import Archives

            unpack = Archives(scratch).extract
        view = self._forms.view(() if work.link else task.below)
        return CopyOptions(
            destination=work.destination,
            chown=chown_ids(work.chown, view) if work.chown else None,
            chmod=parse_chmod(work.chmod) if work.chmod else None,
            link=work.link,
            unpack=unpack,
        )

    def _make(self, layer: str, task: Task, items: Sequence[Item], check: Callable[[], None] | None = None) -> None:
        if not task.directory:
            self._forms.pack(layer, items, task.packing, check)
            return
        with self._store.scratch("copy") as scratch:
            made = os.path.join(scratch, "diff")
            materialise(items, made, self._forms.warn, self._forms.recorded)
            if check is not None:
                check()
            self._forms.publish_directory(layer, made)

    def make_directory(self, work: MakeDirectory, task: Task) -> str:
        """Make the layer of a WORKDIR and return its id: it is empty when the directory is there already."""
        self._make(work.layer, task, self._missing_directories(work, task.below))
        return work.layer

    def _missing_directories(self, work: MakeDirectory, below: Sequence[str]) -> list[Item]:
        view = self._forms.view(below)
        path = view.resolve(work.path)
        found = view.lookup(path)
        if found is not None:
            if found.kind != "dir":
                raise KezuriError.of(f"WORKDIR {work.path} is a {found.kind} in the image, not a directory")
            return []
        owner: tuple[int, int] | None = None
        if work.user:
            name, _, group = work.user.partition(":")
            if name.isdigit() and not group:
                # A lone number is the group as well, as for --chown and unlike for RUN.
                owner = chown_ids(work.user, view)
            else:
                owner = user_ids(work.user, view)[:2]
        items: list[Item] = []
        above = view.lookup("")
        parts = path.split("/")
        for i in range(1, len(parts) + 1):
            parent = "/".join(parts[:i])
            there = view.lookup(parent)
            if there is not None and there.kind != "dir":
                raise KezuriError.of(f"WORKDIR {work.path}: /{parent} is a {there.kind}, not a directory")
            above = there or new_directory(parent, above, 0o755, owner)
            items.append((above, None))
        return items


def _heredocs(work: Copy) -> Selection:
    """The heredoc files as a selection: they come after the words, as BuildKit copies them."""
    roots = []
    for name, data in work.heredocs:
        entry = Entry(name, "file", 0o644, 0, 0, len(data), time_ns())
        roots.append(Root(name, Selected("", entry, data)))
    return tuple(roots)
