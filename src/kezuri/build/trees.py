"""The trees that a build copies from: contexts as they lie on this machine, stages and images as stacks of layers."""

import json
import threading
from collections.abc import Callable, Mapping
from typing import NamedTuple

from kezuri.build.forms import Forms
from kezuri.build.state import State, base_state
from kezuri.plan.key import state_of
from kezuri.plan.operation import ContextInput, ImageInput, Input, StageInput
from kezuri.source.checksum import Record, digest, fingerprint, text
from kezuri.source.selection import Selection, select
from kezuri.source.stack import StackTree
from kezuri.source.stat_index import StatIndex
from kezuri.source.tree import Tree
from kezuri.store.database import Database

StateOf = Callable[[StageInput], State]
"""The state that a stage ends with; waits for it if it is still being built."""


class Context(NamedTuple):
    """A build context: its tree, and what is known of its files' content."""

    tree: Tree
    digests: StatIndex


class Choice(NamedTuple):
    """What an instruction selects from an input."""

    input: Input
    sources: tuple[str, ...]
    parents: bool = False
    excludes: tuple[str, ...] = ()


class Trees:
    """Finds the tree of an input, and digests what instructions select from it.

    A selection from a context is made once in a build: what was digested is what is copied, and the stamps of its
    files tell afterwards whether they were left alone.
    """

    def __init__(self, contexts: Mapping[str, Context], forms: Forms, database: Database, index: StatIndex) -> None:
        self._contexts = contexts
        self._forms = forms
        self._database = database
        # Files of stages carry no stamp, for nobody else can change them: the index only hashes them.
        self._index = index
        self._guard = threading.Lock()
        self._selected: dict[Choice, tuple[str, Mapping[str, Record], Selection]] = {}

    def digest(self, choice: Choice, states: StateOf) -> str:
        """The content digest of what is selected. A stage's or an image's is computed once for each state."""
        if isinstance(choice.input, ContextInput):
            return self._from_context(choice)[0]
        state = self._state(choice.input, states)
        key = state_of("selection", state.id, json.dumps([choice.sources, choice.parents, choice.excludes]))
        known = self._database.memo(key)
        if known is None:
            known = digest(self.select(choice, states), self._index)
            self._database.put_memo(key, known)
        return known

    def select(self, choice: Choice, states: StateOf) -> Selection:
        """What is selected, entry by entry."""
        if isinstance(choice.input, ContextInput):
            return self._from_context(choice)[2]
        tree = self._tree(choice.input, states)
        return select(tree, choice.sources, parents=choice.parents, excludes=choice.excludes)

    def detail(self, choice: Choice) -> str:
        """What counted of each file of a selection from a context, for telling differences later; else empty."""
        return text(self._from_context(choice)[1]) if isinstance(choice.input, ContextInput) else ""

    def _from_context(self, choice: Choice) -> tuple[str, Mapping[str, Record], Selection]:
        with self._guard:
            known = self._selected.get(choice)
            if known is None:
                assert isinstance(choice.input, ContextInput)
                context = self._contexts[choice.input.name]
                selection = select(context.tree, choice.sources, parents=choice.parents, excludes=choice.excludes)
                found, recorded = fingerprint(selection, context.digests)
                known = self._selected[choice] = (found, recorded, selection)
            return known

    def _tree(self, source: StageInput | ImageInput, states: StateOf) -> Tree:
        name = f"image {source.image.name}" if isinstance(source, ImageInput) else "the stage"
        return StackTree(self.lowers(source, states), name, userxattr=self._forms.userxattr)

    def lowers(self, source: StageInput | ImageInput, states: StateOf) -> tuple[str, ...]:
        """The layer directories of a stage or an image, topmost first."""
        return self._forms.directories(self._state(source, states).layers)

    def _state(self, source: StageInput | ImageInput, states: StateOf) -> State:
        if isinstance(source, StageInput):
            return states(source)
        for layer, descriptor in zip(source.image.config.diff_ids, source.image.layers):
            self._forms.know_pulled(layer, descriptor)
        return base_state(source.image)
