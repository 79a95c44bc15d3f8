"""The head of a file: the ARGs before the first FROM, and what FROM lines say once these are known."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from kezuri.diagnostics import KezuriError
from kezuri.dockerfile.expansion import expand
from kezuri.dockerfile.instructions import Arg, From, Instruction
from kezuri.oci.platform import Platform
from kezuri.plan.epoch import epoch_seconds
from kezuri.plan.variables import Growth


class Head(NamedTuple):
    """The global arguments: those that FROM lines see, and that an ARG without a value takes over in a stage.

    `defaults` are the automatic ones (see `platform_arguments`), as build arguments may change them; `arguments` are
    these after the ARGs of the head. `epoch` is SOURCE_DATE_EPOCH in seconds, None where nothing gives it. `errors` are
    those of single ARGs, at their places.
    """

    escape: str
    defaults: Mapping[str, str] = {}
    arguments: Mapping[str, str] = {}
    epoch: int | None = None
    errors: tuple[KezuriError, ...] = ()

    @classmethod
    def read(
        cls,
        instructions: Iterable[Instruction],
        escape: str,
        automatic: Mapping[str, str],
        given: Mapping[str, str],
        growth: Growth,
    ) -> "Head":
        """Evaluate the ARGs; `given` are the build arguments. KezuriError for a SOURCE_DATE_EPOCH among them that is no
        number."""
        defaults = {name: given.get(name, value) for name, value in automatic.items()}
        scope, errors = dict(defaults), list[KezuriError]()
        epoch = epoch_seconds(given.get("SOURCE_DATE_EPOCH", ""))
        for instruction in instructions:
            for name, default in instruction.pairs if isinstance(instruction, Arg) else ():
                if growth.exceeded:
                    return cls(escape, defaults, scope, epoch, tuple(errors))
                try:
                    if name in given:
                        scope[name] = given[name]
                    elif default is not None:
                        scope[name] = expand(default, scope, escape)
                    growth.add(len(scope.get(name, "")))
                    if name == "SOURCE_DATE_EPOCH":
                        epoch = epoch_seconds(scope.get(name, ""), exit_code=1)
                except KezuriError as error:
                    errors.append(error.at(instruction.node.place))
        return cls(escape, defaults, scope, epoch, tuple(errors))

    def base_name(self, start: From) -> str:
        """The image or stage that a FROM names; KezuriError when it is empty or cannot be expanded."""
        try:
            name = expand(start.image, self.arguments, self.escape)
            if not name:
                raise KezuriError.of(
                    f"base name ({start.image}) should not be blank",
                    hint="an ARG before the first FROM gives the variable a default; `--build-arg` sets it",
                )
            self._check_tag(name, start)
            return name
        except KezuriError as error:
            raise error.at(start.image_place) from error

    def _check_tag(self, name: str, start: From) -> None:
        """KezuriError when nothing is left of a tag because the file has no such variable before its first FROM."""
        if not name.endswith((":", "@")) or "$" not in start.image:
            return
        raise KezuriError.of(
            f"the variables of {start.image} are empty here: {name}",
            hint="FROM knows the ARGs before the first FROM, and --build-arg sets them; those in a stage are its own",
        )

    def platform(self, start: From) -> Platform | None:
        """The platform that a FROM asks for, None where it says none; KezuriError when that is no platform."""
        if not start.platform:
            return None
        try:
            text = expand(start.platform, self.arguments, self.escape)
            if not text:
                raise KezuriError.of(f"empty platform value from expression {start.platform}")
            if text.lower() == "local":
                hint = "--platform=$BUILDPLATFORM is the platform of this machine"
                raise KezuriError.of(f"not a platform: {text!r}", hint=hint)
            return Platform.parse(text)
        except KezuriError as error:
            raise error.at(start.node.place) from error
