"""A rule about finished images, how its findings get their places, and images that show what it means."""

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import ClassVar, NamedTuple

from kezuri.anatomy.history import Line
from kezuri.check.image.subject import Gathering, Image
from kezuri.check.rule import Example, Finding, Level, RulePage
from kezuri.layer.entry import Kind


class Made(NamedTuple):
    """A file of an example: what it holds and whose it is. `link` is the target of a symlink or a hard link."""

    data: bytes = b""
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    kind: Kind = "file"
    link: str = ""
    mtime: int = 1_700_000_000_000_000_000
    size: int = -1


ExampleLayer = dict[str, Made]


class ImageExample(Example):
    """An image that shows a rule: its `layers`, lowest first, each a table of files by path, and its `config` as the
    JSON of images has it. `text` is a Dockerfile that such an image may come from."""

    __slots__ = ("config", "layers")

    def __init__(self, text: str, *layers: ExampleLayer, **config: object) -> None:
        super().__init__(text)
        self.layers = layers
        self.config = config


class ImageLook:
    """One way to look at a finished image.

    `needs` is what it wants gathered. A `quick` one asks for single files only where nothing is gathered, so that it
    can be asked after every build. One that is not for `linux` alone is asked about images of other systems, too. Of
    `bad` it finds something, of `good` nothing.
    """

    needs: ClassVar[tuple[type[Gathering], ...]] = ()
    quick: ClassVar[bool] = False
    linux: ClassVar[bool] = True

    @property
    def page(self) -> RulePage:
        """The rule that its findings are of."""
        raise NotImplementedError

    def look(self, image: Image) -> Iterator[Finding]:
        """Every place where the rule is broken."""
        raise NotImplementedError

    def found(
        self, image: Image, line: Line | None, message: str, hint: str = "", level: Level | None = None
    ) -> Finding:
        """A finding at what made the thing: the instruction of the Dockerfile where that is known, else the entry of
        the history."""
        node = line.node if line is not None else None
        place = image.history.place(line) if line is not None and node is None else None
        return Finding(self.page, message, node, hint=hint, place=place, level=level)


class ImageRule(ImageLook, RulePage):
    """A rule of its own about finished images."""

    @property
    def page(self) -> RulePage:
        """Itself."""
        return self


class ImageSide(ImageLook):
    """What a rule about Dockerfiles is of a finished image: one rule, two subjects.

    `of` names the file in `check/rules` and the rule. `aliases` are the names of other tools that hold for the image.
    """

    of: ClassVar[str]
    aliases: ClassVar[tuple[str, ...] | None] = None
    bad: ClassVar[ImageExample]
    good: ClassVar[ImageExample]

    @property
    def page(self) -> RulePage:
        """The rule about Dockerfiles."""
        return page_of(self.of)

    def found(
        self, image: Image, line: Line | None, message: str, hint: str = "", level: Level | None = None
    ) -> Finding:
        """As ImageLook says."""
        return super().found(image, line, message, hint, level)._replace(aliases=self.aliases)


@cache
def page_of(name: str) -> RulePage:
    """A rule by its file and its name: no other rules are loaded for it."""
    file, _, rule = name.rpartition(".")
    module = f"kezuri.check.rules.{file}" if file else "kezuri.check.rules"
    found: RulePage = next(each for each in import_module(module).RULES if each.name == rule)
    return found
