"""What evaluation found out on its way and the plan does not need: the checks ask for it."""

from collections.abc import Mapping
from typing import NamedTuple

from kezuri.diagnostics import KezuriError
from kezuri.dockerfile.instructions import Instruction
from kezuri.plan.inputs import ImageSource
from kezuri.plan.operation import StagePlan


class Met(NamedTuple):
    """An instruction as evaluation met it.

    `words` are expanded: the path of WORKDIR, the ports of EXPOSE, the names of ENV, the sources of COPY and ADD.
    `values` are what the names of an ARG stand for from here on. `unset` are the variables that it used and that had
    no value, each with the names of those that had one. `own_shell` says that the image names a SHELL; `trigger`
    that it comes from an ONBUILD of the base and stands nowhere in this file.
    """

    instruction: Instruction
    words: tuple[str, ...]
    values: tuple[str | None, ...]
    unset: tuple[tuple[str, tuple[str, ...]], ...]
    own_shell: bool
    trigger: bool


class StageFacts(NamedTuple):
    """A stage that was evaluated; `inherited` is the stage that it is based on, by number. `plan` is None where
    its base could not be had."""

    number: int
    met: tuple[Met, ...]
    inherited: int | None
    plan: StagePlan | None


class Survey(NamedTuple):
    """What a planner knows when it is done: the number of the target (-1: none was looked for), the evaluated stages in
    their order, the global arguments before and after the ARGs of the file's head, what was wrong, and the images that
    could not be asked for, with the reason."""

    target: int
    stages: tuple[StageFacts, ...]
    defaults: Mapping[str, str]
    arguments: Mapping[str, str]
    errors: tuple[KezuriError, ...]
    absent: Mapping[ImageSource, KezuriError]
