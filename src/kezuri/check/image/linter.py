"""Rules are asked about an image, those that want its files gathered all at once."""

from collections.abc import Iterable, Iterator
from functools import cache

from kezuri.check.image.rule import ImageLook
from kezuri.check.image.subject import Gathering, Image
from kezuri.check.rule import Finding
from kezuri.diagnostics import KezuriError

_FILES = ("accounts", "binaries", "history", "secrets", "shipped", "start", "waste")
_QUICK = ("binaries", "secrets", "start")


@cache
def every_look() -> tuple[ImageLook, ...]:
    """All that looks at images: the rules about them, and those sides of rules about Dockerfiles that do."""
    from importlib import import_module

    found: list[ImageLook] = []
    for name in _FILES:
        module = import_module(f"kezuri.check.rules.image_{name}")
        found += [*module.RULES, *getattr(module, "SIDES", ())]
    return tuple(found)


@cache
def quick_looks() -> tuple[ImageLook, ...]:
    """Those that can be asked after every build; no others are loaded for it."""
    from importlib import import_module

    modules = [import_module(f"kezuri.check.rules.image_{name}") for name in _QUICK]
    return tuple(look for module in modules for look in (*module.RULES, *module.SIDES) if look.quick)


def gather(image: Image, looks: Iterable[ImageLook]) -> list[ImageLook]:
    """Let the files of the image go by once for all of them; those that can be asked then. What cannot be read is told
    to the image's `unchecked`, and what wants files is left out."""
    system = image.config.platform.os
    looks = [look for look in looks if system in ("linux", "") or not look.linux]
    kinds: dict[type[Gathering], None] = {}
    for look in looks:
        kinds.update(dict.fromkeys(look.needs))
    try:
        image.gather(kinds)
    except KezuriError as error:
        for diagnostic in error.diagnostics:
            image.unchecked(diagnostic.message)
        return [look for look in looks if not look.needs]
    return looks


def look_at(image: Image, looks: Iterable[ImageLook]) -> Iterator[Finding]:
    """What they find."""
    for look in gather(image, looks):
        yield from look.look(image)
