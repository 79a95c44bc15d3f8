"""An image's history written as a Dockerfile again, so that rules about texts can be asked about it."""

from kezuri.anatomy.history import Line
from kezuri.check.image.subject import Image
from kezuri.check.subject import Subject
from kezuri.diagnostics import KezuriError
from kezuri.dockerfile.parser import parse
from kezuri.oci.platform import Platform
from kezuri.plan.inputs import BaseImage, ImageSource
from kezuri.plan.planner import Planner, PlanRequest

_KEYWORDS = ("RUN", "ADD", "VOLUME")


class Rewritten:
    """The Dockerfile, and which entry of the history each of its lines comes from. Values of the environment are not in
    it."""

    def __init__(self, image: Image) -> None:
        said = ["FROM scratch"]
        self._lines: list[Line | None] = [None]
        for line in image.history.lines:
            text = _written(line)
            if text:
                said.append(text)
                self._lines.append(line)
        for name in image.environment:
            if name.isidentifier():
                said.append(f"ENV {name}=value")
                self._lines.append(image.history.last("ENV"))
        dockerfile = parse("\n".join(said) + "\n", image.history.source.name)
        request = PlanRequest(platform=image.config.platform, build_platform=image.config.platform)
        planner = Planner(dockerfile, request, _nothing)
        self.subject = Subject(dockerfile, planner.look(everything=True), planner.platform)

    def line(self, number: int) -> Line | None:
        """The entry that a line of the Dockerfile, counted from 1, comes from."""
        return self._lines[number - 1] if 0 < number <= len(self._lines) else None


def _written(line: Line) -> str:
    text = line.text.rstrip("\\ ")
    if line.keyword not in _KEYWORDS or "<<" in text or "…" in text:
        return ""
    if line.keyword == "VOLUME":
        paths = text[6:].strip().strip("[]").split()
        return "VOLUME " + " ".join(path for path in paths if path.startswith("/")) if paths else ""
    if line.keyword == "ADD" and (" in /" in text or text[4:].startswith(("file:", "dir:", "multi:"))):
        return ""  # as the classic builder wrote it, without the source
    return text


def _nothing(source: ImageSource, platform: Platform) -> BaseImage:
    raise KezuriError.of("a history stands on nothing")
