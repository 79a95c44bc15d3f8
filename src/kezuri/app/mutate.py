"""`mutate`: other settings for an image; no layer is touched, and nothing is unpacked."""

from collections.abc import Callable, Mapping, Sequence

from kezuri.app.altering import Wanted, alter
from kezuri.app.request import Settings
from kezuri.app.session import Session
from kezuri.diagnostics import KezuriError
from kezuri.edits.settings import Changes
from kezuri.export.annotations import Annotation, Annotations
from kezuri.images.altered import Altered, Original
from kezuri.oci.platform import Platform


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
    with Session(settings, warn=warn) as session, alter(session, name, wanted, warn) as altering:
        source = altering.original
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

        return altering.keep(images, _places(noted), unnoted)


def say_attested(source: Original, warn: Callable[[str], None]) -> None:
    """Tell that attestations are left behind: they are about the images that were built."""
    if source.attested:
        warn(f"the attestations of {source.name} are left out: they are about other images than the changed ones")


def _places(noted: Annotations) -> Callable[[str, Platform | None], Mapping[str, str]]:
    return lambda level, platform: noted.on(level, platform)
