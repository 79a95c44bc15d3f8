"""`mutate`: other settings for an image of the store; no layer is touched, and nothing is unpacked."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from kezuri.app.request import Settings
from kezuri.diagnostics import KezuriError
from kezuri.edits.settings import Changes
from kezuri.export.annotations import Annotation, Annotations
from kezuri.images.altered import Altered, Original, keep_altered, new_names, original
from kezuri.oci.platform import Platform
from kezuri.store.store import Store


class Wanted(NamedTuple):
    """Of which platform's image something is made, empty for all, and the names that it gets; with `in_place` that of
    the image itself."""

    platform: str = ""
    tags: tuple[str, ...] = ()
    in_place: bool = False


def mutate(
    settings: Settings,
    name: str,
    wanted: Wanted,
    changes: Changes,
    annotations: Sequence[Annotation] = (),
    warn: Callable[[str], None] = lambda text: None,
) -> Altered:
    """Make an image of another one that has these settings and annotations. Documents in which nothing changes stay
    byte for byte. `warn` hears of what was to be taken away and is not there."""
    noted = Annotations(tuple(annotations))
    with Store(settings.root) as store:
        source = original(store, name, wanted.platform)
        names = new_names(source, wanted.tags, wanted.in_place)
        noted.check(tuple(part.platform for part in source.parts), index=source.whole is not None)
        images = [
            changes.of(part.image).annotated(noted.on("manifest", changes.platform or part.platform))
            for part in source.parts
        ]
        if changes.platform is not None and len(images) > 1:
            raise KezuriError.of(
                f"image {name} has {len(images)} platforms, which cannot all be {changes.platform}",
                hint="choose one with --platform OS/ARCH",
                exit_code=2,
            )
        unsets = changes.missed(part.image for part in source.parts)
        for unset in unsets:
            on_index = unset.kind == "annotation" and source.whole is not None and unset.key in source.whole.annotations
            if not on_index:
                warn(f"{name} has no {unset}: nothing to unset")
        say_attested(source, warn)

        def unnoted(notes: Mapping[str, str]) -> Mapping[str, str]:
            gone = [unset.key for unset in changes.unset if unset.kind == "annotation"]
            return {key: value for key, value in notes.items() if key not in gone and "" not in gone}

        return keep_altered(store, source, images, names, _places(noted), unnoted)


def say_attested(source: Original, warn: Callable[[str], None]) -> None:
    """Tell that attestations are left behind: they are about the images that were built."""
    if source.attested:
        warn(f"the attestations of {source.name} are left out: they are about other images than the changed ones")


def _places(noted: Annotations) -> Callable[[str, Platform | None], Mapping[str, str]]:
    return lambda level, platform: noted.on(level, platform)
