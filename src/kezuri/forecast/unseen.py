"""Keys of steps whose files are not all at hand: what nobody can know yet stands in them as a made-up text."""

from collections.abc import Callable, Mapping

from kezuri.cache.file_lists import FileLists
from kezuri.forms.forms import Forms
from kezuri.keys.inputs import Context, Inputs, selection_key
from kezuri.keys.state import StateOf, base_state
from kezuri.plan.inputs import Choice, ImageInput, Remote, StageInput
from kezuri.plan.key import Components, state_of
from kezuri.store.store import Store

_UNSEEN = "not known yet "
_KNOWN = ("kind", "state before", "command", "destination", "path")
"""Parts of keys that never stand for a digest."""


class InputsAtHand(Inputs):
    """Inputs that are looked at only as far as they are there: nothing is pulled or unpacked for a digest.

    A digest that would need that is a made-up text (`is_unseen`), unless another machine has computed it (`elsewhere`,
    see Inputs).
    """

    def __init__(
        self,
        contexts: Mapping[str, Context],
        forms: Forms,
        store: Store,
        elsewhere: Callable[[str], str] | None = None,
    ) -> None:
        digests = contexts[""].digests
        super().__init__(
            contexts, forms, store.database, digests, lambda: FileLists(store.database), elsewhere=elsewhere
        )
        self._store = store
        self._told = elsewhere

    def digest(self, choice: Choice, states: StateOf) -> str:
        """As Inputs says, where the layers are directories or the digest is remembered."""
        if isinstance(choice.input, StageInput | ImageInput):
            state = states(choice.input) if isinstance(choice.input, StageInput) else base_state(choice.input.image)
            key = selection_key(state, choice)
            known = self._store.database.facts.selection(key) or (self._told(key) if self._told is not None else "")
            if known:
                return known
            if not all(map(self._forms.is_unpacked, state.layers)):
                return _UNSEEN + key
        return super().digest(choice, states)

    def identity(self, source: Remote) -> tuple[str, str]:
        """As Inputs says, where no network is needed for it."""
        from kezuri.source.remotes import pinned_identity

        name, value = pinned_identity(source)
        return name, value or _UNSEEN + state_of(repr(source))


def may_be_equal(one: Components, other: Components) -> bool:
    """Whether two keys can be the same once the digests are known that nobody can know yet."""
    return len(one) == len(other) and all(
        mine[0] == theirs[0] and (mine[1] == theirs[1] or is_unseen(mine[1]) or is_unseen(theirs[1]))
        for mine, theirs in zip(one, other)
    )


def family(components: Components) -> tuple[object, ...]:
    """Two keys of different families can never turn out to be the same: their parts have other names, or differ in one
    that is always known. Spares comparing each key with every other one."""
    return tuple((name, value if name in _KNOWN else "") for name, value in components)


def is_unseen(value: str) -> bool:
    """Whether a component stands for a digest that nobody can know yet."""
    return value.startswith(_UNSEEN)
