"""A rule about finished images, how its findings get their places, and images that show what it means."""

from collections.abc import Iterator
from typing import ClassVar, NamedTuple

from kezuri.check.image.history import Line
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


class ImageRule(RulePage):
    """One check of a finished image.

    `needs` is what it wants gathered. A `quick` rule asks for single files only where nothing is gathered, so that it
    can be asked after every build.
    """

    needs: ClassVar[tuple[type[Gathering], ...]] = ()
    quick: ClassVar[bool] = False

    def look(self, image: Image) -> Iterator[Finding]:
        """Every place where the rule is broken."""
        raise NotImplementedError

    def found(
        self,
        image: Image,
        line: Line | None,
        message: str,
        hint: str = "",
        level: Level | None = None,
        page: RulePage | None = None,
    ) -> Finding:
        """A finding at what made the thing: the instruction of the Dockerfile where that is known, else the entry of
        the history."""
        return finding(page or self, image, line, message, hint, level)


def finding(
    page: RulePage, image: Image, line: Line | None, message: str, hint: str = "", level: Level | None = None
) -> Finding:
    """As `ImageRule.found` says."""
    if line is None:
        place = None
        node = None
    else:
        node = line.node
        place = None if node is not None else image.history.place(line)
    return Finding(page, message, node, hint=hint, place=place, level=level)
