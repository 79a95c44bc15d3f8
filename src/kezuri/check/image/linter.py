"""Rules are asked about an image, those that want its files gathered all at once."""

from collections.abc import Iterable, Iterator

from kezuri.check.image.rule import ImageRule
from kezuri.check.image.subject import Gathering, Image
from kezuri.check.rule import Finding
from kezuri.diagnostics import KezuriError


def gather(image: Image, rules: Iterable[ImageRule]) -> list[ImageRule]:
    """Let the files of the image go by once for all of the rules; the rules that can be asked then. What cannot be
    read is told to the image's `unchecked`, and rules that want files are left out."""
    rules = list(rules)
    kinds: dict[type[Gathering], None] = {}
    for rule in rules:
        kinds.update(dict.fromkeys(rule.needs))
    try:
        image.gather(kinds)
    except KezuriError as error:
        for diagnostic in error.diagnostics:
            image.unchecked(diagnostic.message)
        return [rule for rule in rules if not rule.needs]
    return rules


def look_at(image: Image, rules: Iterable[ImageRule]) -> Iterator[Finding]:
    """What the rules find."""
    for rule in gather(image, rules):
        yield from rule.look(image)
