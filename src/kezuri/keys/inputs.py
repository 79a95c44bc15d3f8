"""What instructions select from their inputs (contexts, stages, images), and the digest of it."""

import json
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from kezuri.diagnostics import KezuriError
from kezuri.forms.forms import Forms
from kezuri.keys.state import State, StateOf, base_state
from kezuri.plan.inputs import BaseImage, Choice, ContextInput, ImageInput, Remote, StageInput
from kezuri.plan.key import state_of
from kezuri.store.database import Database
from kezuri.tree.checksum import Record, fingerprint, text
from kezuri.tree.selection import Root, Selection, select
from kezuri.tree.stat_index import StatIndex
from kezuri.tree.tree import Tree

if TYPE_CHECKING:
    from kezuri.cache.file_lists import FileLists
    from kezuri.source.remotes import Remotes


class Context(NamedTuple):
    """A build context: its tree, and what is known of its files' content."""

    tree: Tree
    digests: StatIndex


def selection_key(state: State, choice: Choice) -> str:
    """Under which the digest of what is chosen from a stage or an image in this state is remembered."""
    said: list[object] = [choice.sources, choice.parents, choice.excludes]
    said += [name for name, given in (("whole", choice.whole), ("literal", choice.literal)) if given]
    return state_of("selection", state.id, json.dumps(said))


class _Chosen:
    """What was chosen from a context, once it was looked at. The lock is held while its files are hashed: others that
    choose the same wait, and those that choose something else do not."""

    __slots__ = ("found", "lock")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.found: tuple[str, Mapping[str, Record], Selection] | None = None


class Inputs:
    """Selects from inputs what instructions name, and digests it.

    A selection from a context is made once in a build: what was digested is what is copied, and the stamps of its
    files tell afterwards whether they were left alone.
    """

    def __init__(
        self,
        contexts: Mapping[str, Context],
        forms: Forms,
        database: Database,
        index: StatIndex,
        file_lists: "Callable[[], FileLists]",
        remotes: "Callable[[], Remotes] | None" = None,
        elsewhere: "Callable[[str], str] | None" = None,
    ) -> None:
        """`file_lists` is called when files were digested of which the store knew nothing. `remotes` is called when an
        instruction has a remote source; without it there can be none. `elsewhere` gives the digest of a selection
        that another machine has computed, by its key; empty when it is not known."""
        self._elsewhere = elsewhere
        self._remotes = remotes
        self._contexts = contexts
        self._forms = forms
        self._database = database
        self._file_lists = file_lists
        # Files of stages carry no stamp, for nobody else can change them: the index only hashes them.
        self._index = index
        self._guard = threading.Lock()
        self._chosen: dict[Choice, _Chosen] = {}

    def digest(self, choice: Choice, states: StateOf) -> str:
        """The content digest of what is selected. A stage's or an image's is computed once for each state."""
        if isinstance(choice.input, ContextInput):
            return self._from_context(choice)[0]
        state = self.state(choice.input, states)
        key = selection_key(state, choice)
        known = self._database.facts.selection(key)
        if not known and self._elsewhere is not None:
            # Not written down: it is as true as the cache that says so, which later builds need not read.
            known = self._elsewhere(key)
        if not known:
            known, recorded = fingerprint(self._from_layers(choice, states), self._index, whole=choice.whole)
            # Before the digest is remembered: who finds the one finds the other.
            self._file_lists().keep(known, text(recorded), "stage")
            self._database.facts.put_selection(key, known)
        return known

    def selected(self, choice: Choice) -> Selection:
        """What is selected from a context, entry by entry."""
        return self._from_context(choice)[2]

    def _from_layers(self, choice: Choice, states: StateOf) -> Selection:
        assert not isinstance(choice.input, ContextInput)
        name = f"image {choice.input.image.name}" if isinstance(choice.input, ImageInput) else "the stage"
        layers = self.state(choice.input, states).layers
        self._forms.fetch_missing(layers)  # several at a time
        return _select(self._forms.view(layers).named(name), choice)

    def keep_file_list(self, choice: Choice) -> None:
        """Write down what counted of each file of a selection from a context, for telling differences later; for
        stages and images that happens where their digest is computed."""
        if isinstance(choice.input, ContextInput):
            digest, recorded, _ = self._from_context(choice)
            self._file_lists().keep(digest, text(recorded))

    def _from_context(self, choice: Choice) -> tuple[str, Mapping[str, Record], Selection]:
        with self._guard:
            chosen = self._chosen.setdefault(choice, _Chosen())
        with chosen.lock:
            if chosen.found is None:
                assert isinstance(choice.input, ContextInput)
                context = self._contexts[choice.input.name]
                selection = _select(context.tree, choice)
                digest, recorded = fingerprint(selection, context.digests, whole=choice.whole)
                chosen.found = (digest, recorded, selection)
            return chosen.found

    def identity(self, source: Remote) -> tuple[str, str]:
        """What a remote source is now, as a part of a key: see `Remotes.identity`."""
        return self._fetcher().identity(source)

    def fetched(self, source: Remote, excludes: tuple[str, ...], unpack: bool) -> Root:
        """A remote source as a word selects it: see `Remotes.root`."""
        return self._fetcher().root(source, excludes, unpack)

    def prefetch(self, sources: list[Remote]) -> None:
        """Begin to find out about remote sources: see `Remotes.prefetch`."""
        self._fetcher().prefetch(sources)

    def _fetcher(self) -> "Remotes":
        if self._remotes is None:
            raise KezuriError.of("remote sources are not fetched here")
        return self._remotes()

    def state(self, source: StageInput | ImageInput, states: StateOf) -> State:
        """The state of a stage or an image, whose layers are known to this store afterwards."""
        return states(source) if isinstance(source, StageInput) else self.image(source.image)

    def image(self, image: BaseImage) -> State:
        """The state that an image gives, whose layers are known to this store afterwards."""
        for layer, descriptor in zip(image.config.diff_ids, image.layers):
            self._forms.know_pulled(layer, descriptor)
        return base_state(image)


def _select(tree: Tree, choice: Choice) -> Selection:
    return select(tree, choice.sources, parents=choice.parents, excludes=choice.excludes, literal=choice.literal)
