"""The key of each operation in the state that it meets: all that a build needs which finds everything in the cache."""

from contextlib import suppress

from kezuri.diagnostics import KezuriError, Place
from kezuri.keys.components import copy_components, run_components, workdir_components
from kezuri.keys.inputs import Choice, Inputs, StateOf
from kezuri.keys.options import Options
from kezuri.keys.state import State
from kezuri.plan.key import Components
from kezuri.plan.operation import (
    AgentMount,
    BindMount,
    CacheMount,
    ContextInput,
    CopyOperation,
    Input,
    Operation,
    RunMount,
    RunOperation,
    SecretMount,
)
from kezuri.tree.selection import SourceError


class StepKeys:
    """Computes keys. KezuriError, at the instruction's line, when a source is not there or a secret is missing."""

    def __init__(self, inputs: Inputs, options: Options) -> None:
        self._inputs = inputs
        self._options = options

    def components(self, operation: Operation, before: State, states: StateOf) -> Components:
        """The operation's key, part by part."""
        try:
            if isinstance(operation, RunOperation):
                return self._run(operation, before, states)
            if isinstance(operation, CopyOperation):
                return copy_components(operation, before, self._files(operation, states))
            return workdir_components(operation, before)
        except KezuriError as error:
            raise error.at(place_of(error, operation)) from error

    def _files(self, operation: CopyOperation, states: StateOf) -> Components:
        if operation.remotes:
            from kezuri.keys.words import components_of_words

            return components_of_words(operation, self._inputs, states)
        return (("files", self._inputs.digest(choice_of(operation), states)),)

    def keep_file_lists(self, operation: Operation) -> None:
        """Write down what counted of each file that the operation takes from contexts, for telling differences later.
        That there is no room for it is no reason to fail."""
        choices = []
        if isinstance(operation, CopyOperation) and not operation.remotes:
            choices.append(choice_of(operation))
        if isinstance(operation, RunOperation):
            choices += [bound_by(mount) for mount in operation.mounts if isinstance(mount, BindMount)]
        with suppress(KezuriError):
            for choice in choices:
                self._inputs.keep_file_list(choice)

    def _run(self, operation: RunOperation, before: State, states: StateOf) -> Components:
        for asked, entitlement in (
            (operation.network == "host", "network.host"),
            (operation.insecure, "security.insecure"),
        ):
            if asked and entitlement not in self._options.allow:
                raise KezuriError.of(
                    f"{entitlement} is not allowed", hint=f"`--allow {entitlement}` allows it for this build"
                )
        self._check_given(operation)
        bound = {
            position: self._inputs.digest(choice, states)
            for position, mount in enumerate(operation.mounts)
            if (choice := _files_of(mount)) is not None
        }
        return run_components(operation, before, self._options.settings, bound)

    def _check_given(self, operation: RunOperation) -> None:
        for mount in operation.mounts:
            if isinstance(mount, SecretMount) and mount.required and self._options.secrets.get(mount.id) is None:
                raise KezuriError.of(
                    f"secret {mount.id}: not found", hint=f"give it with --secret id={mount.id},src=FILE or env=NAME"
                )
            if isinstance(mount, AgentMount) and mount.required and mount.id not in self._options.agents:
                raise KezuriError.of(f"ssh agent {mount.id}: not found", hint=f"give it with --ssh {mount.id}")


def _files_of(mount: RunMount) -> Choice | None:
    if isinstance(mount, BindMount):
        return bound_by(mount)
    if isinstance(mount, CacheMount) and mount.input is not None:
        return seeding(mount.input, mount)
    return None


def bound_by(mount: BindMount) -> Choice:
    """What a bind mount shows: a directory's own metadata is seen, too, but for the context's root, in whose
    place there is a directory of our own."""
    whole = not isinstance(mount.input, ContextInput) or bool(mount.source.strip("/."))
    return Choice(mount.input, (mount.source,), whole=whole, literal=True)


def seeding(source: Input, mount: CacheMount) -> Choice:
    """What a new cache mount begins with."""
    return Choice(source, (mount.source,), literal=True)


def choice_of(operation: CopyOperation) -> Choice:
    """What a COPY or ADD selects."""
    return Choice(operation.input, operation.sources, operation.parents, operation.excludes)


def place_of(error: KezuriError, operation: Operation) -> Place:
    """Where an error of the operation belongs: to the source word that it is about, else to the whole instruction."""
    place = operation.node.place
    if isinstance(error, SourceError) and isinstance(operation, CopyOperation):
        spans = operation.source_spans
        if error.word < len(spans):
            return place._replace(span=spans[error.word])
    return place
