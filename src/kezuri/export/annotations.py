"""Annotations of an image by where they go: onto manifests, the index, or the descriptors of either."""

from typing import NamedTuple

from kezuri.diagnostics import KezuriError, nearest
from kezuri.oci.platform import Platform

LEVELS = ("manifest", "index", "manifest-descriptor", "index-descriptor")
"""Where annotations can go; a descriptor is what points at a manifest or an index from outside."""


class Annotation(NamedTuple):
    """One annotation. `platform` says whose manifest or descriptor is meant, None every one."""

    level: str
    platform: Platform | None
    key: str
    value: str


class Annotations(NamedTuple):
    """All annotations of one output; of two for the same place the later one counts, and one that names its platform
    before one that does not."""

    given: tuple[Annotation, ...] = ()

    def on(self, level: str, platform: Platform | None = None) -> dict[str, str]:
        """Those that go there, sorted. An index is one for all platforms: there the platform is not looked at."""
        chosen = [a for a in self.given if a.level == level]
        if level.startswith("index"):
            found = {a.key: a.value for a in chosen}
        else:
            found = {a.key: a.value for a in chosen if a.platform is None}
            found |= {a.key: a.value for a in chosen if a.platform is not None and a.platform == platform}
        return dict(sorted(found.items()))

    def check(self, platforms: tuple[Platform, ...], index: bool) -> None:
        """KezuriError for an annotation that has no place: of a platform that is not built, or on an index where the
        image has none."""
        for annotation in self.given:
            if annotation.platform is not None and annotation.platform not in platforms:
                raise KezuriError.of(
                    f"annotation {annotation.key} is for {annotation.platform}, which is not built",
                    hint=f"this build is for {', '.join(str(p) for p in platforms)}",
                    exit_code=2,
                )
            if annotation.level.startswith("index") and not index:
                raise KezuriError.of(
                    f"annotation {annotation.key} is for the index, and an image for a single platform has none",
                    hint="name several platforms, or give --build-arg BUILDKIT_MULTI_PLATFORM=1",
                    exit_code=2,
                )


def of_option(name: str, value: str) -> tuple[Annotation, ...]:
    """From `--annotation [LEVEL[[PLATFORM]][,…]:]KEY=VALUE`, of which `name` is what stands before the `=`."""
    places, colon, key = name.partition(":")
    if not colon:
        return (Annotation("manifest", None, name, value),)
    if not key:
        raise KezuriError.of(f"--annotation {name}={value} has no key after {places}:", exit_code=2)
    return tuple(_at(place, key, value, f"--annotation {name}") for place in places.split(","))


def of_attribute(name: str, value: str) -> Annotation | None:
    """From the output attribute `annotation[-LEVEL][[PLATFORM]].KEY`; None when it is another attribute."""
    import re

    if not name.startswith("annotation"):
        return None
    found = re.fullmatch(r"annotation(?:-([a-z-]+))?(\[[^]]*\])?\.(.+)", name, re.DOTALL)
    if found is None:
        raise KezuriError.of(
            f"--output: {name!r} is no annotation's place and key",
            hint="write annotation.KEY=VALUE or annotation-index.KEY=VALUE",
            exit_code=2,
        )
    level, brackets, key = found.groups()
    return _at(f"{level or 'manifest'}{brackets or ''}", key, value, f"--output {name}")


def _at(place: str, key: str, value: str, where: str) -> Annotation:
    level, bracket, rest = place.partition("[")
    if level not in LEVELS:
        near = nearest(level, LEVELS)
        raise KezuriError.of(
            f"{where}: there is no place {level!r} for annotations",
            hint=f"did you mean {near}?" if near else f"the places are {', '.join(LEVELS)}",
            exit_code=2,
        )
    if bracket and not rest.endswith("]"):
        raise KezuriError.of(f"{where}: {place!r} has no ] at its end", exit_code=2)
    return Annotation(level, Platform.parse(rest[:-1]) if bracket else None, key, value)
