"""The stages of a file: which instructions they hold, and which of them a name or a number means."""

from bisect import bisect_left
from collections.abc import Mapping
from typing import NamedTuple

from kezuri.diagnostics import KezuriError, Place, nearest
from kezuri.dockerfile.instructions import Copy, From, Instruction, Run
from kezuri.dockerfile.parser import Dockerfile
from kezuri.oci.reference import Reference
from kezuri.plan.head import Head


class WrittenStage(NamedTuple):
    """The instructions from one FROM to the next."""

    number: int
    start: From
    instructions: tuple[Instruction, ...]

    @property
    def label(self) -> str:
        """What progress and errors call the stage."""
        return self.start.name or f"stage-{self.number}"


def split_stages(dockerfile: Dockerfile) -> tuple[tuple[Instruction, ...], tuple[WrittenStage, ...]]:
    """The global ARGs before the first FROM, and the stages."""
    head: list[Instruction] = []
    stages: list[WrittenStage] = []
    start: From | None = None
    body: list[Instruction] = []
    for instruction in dockerfile.instructions:
        if isinstance(instruction, From):
            if start is not None:
                stages.append(WrittenStage(len(stages), start, tuple(body)))
            start, body = instruction, []
        elif start is None:
            head.append(instruction)
        else:
            body.append(instruction)
    if start is not None:
        stages.append(WrittenStage(len(stages), start, tuple(body)))
    return tuple(head), tuple(stages)


class StageNames:
    """The stages of one file, to be asked for by name."""

    def __init__(self, stages: tuple[WrittenStage, ...]) -> None:
        self.all = stages
        self._numbers: dict[str | None, list[int]] = {}
        for stage in stages:
            self._numbers.setdefault(stage.start.name, []).append(stage.number)

    @property
    def names(self) -> list[str]:
        """The names that stages have, in file order."""
        return [s.start.name for s in self.all if s.start.name]

    def target(self, wanted: str) -> int:
        """The stage that `--target` means; the last one when it is empty. KezuriError when there is none."""
        if not wanted:
            return len(self.all) - 1
        for stage in reversed(self.all):
            if stage.start.name == wanted.lower():
                return stage.number
        near = nearest(wanted.lower(), self.names)
        raise KezuriError.of(
            f"target stage {wanted!r} could not be found",
            hint=f"did you mean `{near}`?" if near else f"the stages are: {', '.join(self.names) or 'all unnamed'}",
            source=self.all[-1].start.node.source,
        )

    def earlier(self, stage: WrittenStage, name: str) -> int | None:
        """The stage before this one that FROM means by the name; of several of one name the nearest."""
        numbers = self._numbers.get(name, [])
        before = bisect_left(numbers, stage.number)
        return numbers[before - 1] if before else None

    def last(self, name: str) -> int | None:
        """The last stage of the name."""
        return self._numbers[name][-1] if name in self._numbers else None

    def called(self, name: str, place: Place) -> int | None:
        """The stage that `from=` means by a name or a number; None when it can only be an image or a context."""
        number = self.last(name.lower())
        if number is not None:
            return number
        if name.isascii() and name.isdigit():
            if len(name) < 4000 and int(name) < len(self.all):
                return int(name)
            raise KezuriError.of(
                f"invalid from flag value {name}: stage index {name} does not exist",
                hint=f"the last stage is {len(self.all) - 1}; they are counted from 0",
            ).at(place)
        return None

    def circular(self, path: list[int], place: Place) -> KezuriError:
        """The error of stages that need each other: `path` begins and ends with the same one."""
        labels = [self.all[i].label for i in path]
        return KezuriError.of(
            f"circular dependency detected on stage: {labels[-1]}",
            hint=f"the circle is {' -> '.join(labels)}",
        ).at(place)

    def circle(self, needs: Mapping[int, list[tuple[int, Place]]]) -> KezuriError | None:
        """The error of the first circle among stages. `needs` has, for each, which others it takes files from, and
        where that is said."""
        state: dict[int, int] = {}

        def visit(index: int, path: list[int]) -> KezuriError | None:
            state[index] = 1
            for other, place in needs.get(index, ()):
                if state.get(other) == 1:
                    return self.circular([*path[path.index(other) :], other], place)
                if other not in state and (found := visit(other, [*path, other])) is not None:
                    return found
            state[index] = 2
            return None

        for stage in self.all:
            if stage.number not in state and (found := visit(stage.number, [stage.number])) is not None:
                return found
        return None

    def errors(self, head: Head) -> tuple[list[KezuriError], bool]:
        """What can be found wrong without images, also in stages that nobody needs: names of bases that are none,
        indexes that do not exist, circles. And whether every stage can have a base and none needs itself: stages can
        be planned then."""
        found: list[KezuriError] = []
        sound = True
        needs: dict[int, list[tuple[int, Place]]] = {}
        for stage in self.all:
            try:
                self._check_base(stage, head)
            except KezuriError as error:
                found.append(error)
                sound = False
            edges = needs.setdefault(stage.number, [])
            for instruction in stage.instructions:
                for name, place in names_used(instruction):
                    if "$" in name:
                        continue
                    try:
                        other = self.called(name, place)
                        if other is None and name != "scratch":
                            Reference.parse(name)
                    except KezuriError as error:
                        found.append(error.at(place))
                        continue
                    if other is not None:
                        edges.append((other, place))
        circle = self.circle(needs)
        return [*found, *([circle] if circle is not None else [])], sound and circle is None

    def _check_base(self, stage: WrittenStage, head: Head) -> None:
        """KezuriError when what FROM names is neither an earlier stage nor an image's reference. A base is always an
        earlier stage, so that bases alone make no circle."""
        name = head.base_name(stage.start)
        head.platform(stage.start)
        if name == "scratch" or self.earlier(stage, name) is not None:
            return
        try:
            Reference.parse(name)
        except KezuriError as error:
            failed = KezuriError(error.diagnostics[0])
            if self.earlier(stage, name.lower()) is not None:
                first = error.diagnostics[0]
                hint = f"FROM takes names of stages in lower case: did you mean `{name.lower()}`?"
                failed = KezuriError(first._replace(hint=hint))
            raise failed.at(stage.start.image_place) from error


def names_used(instruction: Instruction) -> list[tuple[str, Place]]:
    """The names after `from=` in an instruction, and where they are said."""
    node = instruction.node
    if isinstance(instruction, Copy) and instruction.source_image is not None:
        return [(instruction.source_image, node.part(instruction.from_span))]
    if isinstance(instruction, Run):
        return [(v, node.part(m.span)) for m in instruction.mounts for k, v in m.options if k == "from" and v]
    return []
