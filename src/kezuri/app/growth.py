"""`size record`, `size show` and `size gate`: images measured, the measurements kept, and held against budgets."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from kezuri.anatomy.values import Maker
from kezuri.app.anatomy import Named, anatomy
from kezuri.app.request import Settings
from kezuri.diagnostics import KezuriError
from kezuri.growth import records
from kezuri.growth.budgets import Budget, Verdict, judged
from kezuri.growth.change import Change, change
from kezuri.growth.measuring import Occasion, measured
from kezuri.growth.values import Measurement
from kezuri.oci.reference import Reference

KIND = "application/vnd.kezuri.size.v1+json"
"""The artifact type of a measurement that is kept beside an image in a registry, and the media type of its file."""


class Measuring(NamedTuple):
    """What is measured: an image by the name that a user gives it, and the platform; `name` is what its measurements
    are found by (empty: the image's own, without a tag), `at` the time. `told` are `commit` and `branch`, empty where
    they are to be found out."""

    image: str
    at: str
    platform: str = ""
    name: str = ""
    commit: str = ""
    branch: str = ""


class Recorded(NamedTuple):
    """What became of a measurement: whether the file has got it now (it had one like it), what it had last of the same
    image and branch, and what changed since; `attached` is the digest of the artifact beside the image, empty for
    none. `passed` are lines of the file that say nothing."""

    measurement: Measurement
    appended: bool
    change: Change | None
    attached: str = ""
    passed: tuple[tuple[int, str], ...] = ()


class Gated(NamedTuple):
    """An image held against budgets: what there was before (None: nothing to compare with, `missing` says why), what
    changed since, and what came of each budget."""

    measurement: Measurement
    change: Change | None
    verdicts: tuple[Verdict, ...]
    missing: str = ""
    passed: tuple[tuple[int, str], ...] = ()

    @property
    def kept(self) -> bool:
        """Whether no budget is exceeded."""
        return all(verdict.kept for verdict in self.verdicts)


def measure(settings: Settings, wanted: Measuring, environ: Mapping[str, str] | None) -> Measurement:
    """The image measured now. `environ` is where to look for the commit and the branch that are not told; None: they
    are not asked for. KezuriError when there is no such image, or its layers cannot be had or read."""
    told = anatomy(settings, Named(wanted.image, wanted.platform))
    unread = next((layer for layer in told.layers if layer.unread), None)
    if unread is not None:  # It would seem to be small, and keep to every budget.
        raise KezuriError.of(
            f"{wanted.image}: layer {unread.number + 1} could not be read: {unread.unread}",
            hint="a part of an image is not measured: mend the image, or measure one whose layers are all there",
            exit_code=125,
        )
    commit, branch = wanted.commit, wanted.branch
    if environ is not None and not (commit and branch):
        from kezuri.app.revisions import revision

        found = revision(".", environ)
        commit, branch = commit or found.commit, branch or found.branch
    # Where the Dockerfile lies on this machine is nobody's business: the file goes into a repository.
    here = tuple(layer._replace(maker=_near(layer.maker)) for layer in told.layers)
    told = told._replace(layers=here)
    return measured(told, Occasion(wanted.name or plain_name(wanted.image), wanted.at, commit, branch))


def _near(maker: Maker) -> Maker:
    """The maker with its Dockerfile as seen from the current directory; of one that lies elsewhere the name only."""
    path = maker.dockerfile
    if os.path.isabs(path):
        path = os.path.relpath(path)
        path = os.path.basename(path) if path.startswith("..") else path
    return maker._replace(dockerfile=path)


def record(
    settings: Settings,
    wanted: Measuring,
    file: str,
    attach: bool,
    environ: Mapping[str, str],
    warn: Callable[[str], None] = lambda text: None,
) -> Recorded:
    """Measure the image and append that to the file (empty: to none); with `attach` keep it beside the image, too.
    KezuriError when it cannot be measured, or not be kept: then the file is as it was."""
    now = measure(settings, wanted, environ)
    known = records.read(file) if file else records.Records(())
    attached = attach_measurement(settings, wanted, now, warn) if attach else ""
    appended = records.append(file, now) if file else False
    before = records.chosen(known.measurements, now.name, now.platform, now.branch)
    before = [one for one in before if not records.same(one, now)]
    return Recorded(now, appended, change(before[-1], now) if before else None, attached, known.passed)


def gate(
    settings: Settings,
    wanted: Measuring,
    budgets: Sequence[Budget],
    before: "Baseline",
    environ: Mapping[str, str],
    warn: Callable[[str], None] = lambda text: None,
) -> Gated:
    """Measure the image, compare it with what there was before, and judge by the budgets."""
    now = measure(settings, wanted, environ)
    was, missing, passed = before.find(settings, wanted, now, warn)
    verdicts = judged(budgets, now.figures, None if was is None else was.figures)
    return Gated(now, None if was is None else change(was, now), verdicts, missing, passed)


class Baseline(NamedTuple):
    """What an image is compared with: another image (`image`; what is kept beside it, where it is there, else it is
    measured), or the last of its measurements in a file, with `branch` that one's only."""

    file: str
    branch: str = ""
    image: str = ""

    def find(
        self,
        settings: Settings,
        wanted: Measuring,
        now: Measurement,
        warn: Callable[[str], None],
    ) -> tuple[Measurement | None, str, tuple[tuple[int, str], ...]]:
        """What there was before, None with the reason where there is nothing; and the lines of the file that say
        nothing. KezuriError where an image that was named is not there."""
        if self.image:
            kept = attached_measurement(settings, self.image, wanted.platform, warn)
            if kept is None:
                kept = measure(settings, wanted._replace(image=self.image, commit="", branch=""), None)
            return kept, "", ()
        known = records.read(self.file)
        found = records.chosen(known.measurements, now.name, now.platform, self.branch)
        # The image may have been recorded before it is judged, in an earlier run of the same job, too. Who works on has
        # several at one commit, and compares with the last that is another one.
        found = [one for one in found if not records.same(one, now)]
        earlier = [one for one in found if not now.commit or one.commit != now.commit] or found
        if earlier:
            return earlier[-1], "", known.passed
        if not os.path.exists(self.file):
            return None, f"there is no {self.file}", known.passed
        of = f" of branch {self.branch}" if self.branch else ""
        return None, f"{self.file} has no earlier measurement of {now.name}{of}", known.passed


def shown(file: str, image: str, platform: str, branch: str) -> tuple[records.Records, tuple[Measurement, ...]]:
    """The measurements of a file, and those of them that are of the image; without one they must be of a single image.
    KezuriError where there is no such file, or none of them is meant."""
    if not os.path.exists(file):
        hint = "kezuri size record IMAGE begins one"
        raise KezuriError.of(f"there is no {file}", hint=hint)
    known = records.read(file)
    names = sorted({one.name for one in known.measurements})
    wanted = image
    if image and image not in names:
        wanted = plain_name(image)
    elif not image:
        if len(names) > 1:
            hint = f"name one of them: {', '.join(names[:20])}"
            raise KezuriError.of(f"{file} has measurements of {len(names)} images", hint=hint, exit_code=2)
        wanted = names[0] if names else ""
    found = records.chosen(known.measurements, wanted, platform, branch)
    if not found:
        of = f" of {image}" if image else ""
        on = f" of branch {branch}" if branch else ""
        raise KezuriError.of(f"{file} has no measurement{of}{on}", hint=f"it has {', '.join(names[:20]) or 'none'}")
    return known, tuple(found)


def repository_measurements(
    settings: Settings, repository: str, platform: str, warn: Callable[[str], None] = lambda text: None
) -> tuple[Measurement, ...]:
    """What is kept beside the images of a registry's repository, by the names of its tags, oldest first. KezuriError
    where there is no such repository."""
    from kezuri.app.tags import repository as parsed
    from kezuri.app.tags import tags

    named = parsed(repository)
    found: dict[str, Measurement] = {}
    for tag in tags(settings, repository, warn):
        if tag.startswith("sha256-"):
            continue
        place = f"docker://{named._replace(tag=tag)}"
        for one in attached_measurements(settings, place, platform, warn):
            found.setdefault(f"{one.digest} {one.at}", one)
    return tuple(sorted(found.values(), key=records.moment))


def attach_measurement(
    settings: Settings, wanted: Measuring, measured: Measurement, warn: Callable[[str], None]
) -> str:
    """Keep the measurement beside the image; the artifact's digest."""
    from tempfile import TemporaryDirectory

    from kezuri.app.artifacts import AttachedFile, attach
    from kezuri.growth.values import line_of

    with TemporaryDirectory(prefix="kezuri-size-") as place:
        path = os.path.join(place, "size.json")
        with open(path, "w", encoding="utf-8") as file:
            file.write(line_of(measured) + "\n")
        notes = {"org.opencontainers.image.created": measured.at}
        if measured.commit:
            notes["org.opencontainers.image.revision"] = measured.commit
        files = [AttachedFile(path, KIND)]
        return attach(settings, wanted.image, KIND, files, notes, wanted.platform, warn).descriptor.digest


def attached_measurement(
    settings: Settings, image: str, platform: str, warn: Callable[[str], None]
) -> Measurement | None:
    """The youngest measurement that is kept beside the image; None where there is none."""
    found = attached_measurements(settings, image, platform, warn)
    return found[-1] if found else None


def attached_measurements(
    settings: Settings, image: str, platform: str, warn: Callable[[str], None]
) -> tuple[Measurement, ...]:
    """What is kept beside the image, oldest first; nothing where its place can keep nothing. What is not of the very
    image that it is kept beside is passed over. KezuriError where there is no such image."""
    from kezuri.app.artifacts import referring
    from kezuri.app.session import Session
    from kezuri.app.transfers import Places
    from kezuri.growth.values import Unreadable, read_line
    from kezuri.oci.descriptor import Manifest, digest_of
    from kezuri.oci.platform import Platform
    from kezuri.transfer.places import LayoutPlace, RegistryPlace, StorePlace, read_place
    from kezuri.transfer.walking import image_for

    place = read_place(image)
    if not isinstance(place, RegistryPlace | StorePlace | LayoutPlace):
        return ()
    found = []
    with Session(settings, reading=True, warn=warn) as session, Places(session) as places:
        try:
            source = places.source(place)
            root = source.root()
        except KezuriError:
            if isinstance(place, StorePlace):
                return ()  # It may be a registry's: whoever measures it will find out.
            raise
        digests = {root.descriptor.digest}
        if not isinstance(root.content, Manifest):
            wanted = Platform.parse(platform) if platform else Platform.host()
            digests.add(image_for(source, root, wanted).descriptor.digest)
        for one in (one for digest in sorted(digests) for one in referring(source, digest, KIND)):
            document = source.document(one.descriptor)
            if not isinstance(document.content, Manifest):
                continue
            for layer in document.content.layers:
                if layer.media_type != KIND or layer.size > _MOST:
                    continue
                with source.open(layer) as file:
                    data = file.read(_MOST + 1)
                if digest_of(data) != layer.digest:
                    raise KezuriError.of(f"{source.where}: {layer.digest}: is not what its digest says")
                try:
                    found.append(read_line(data.decode("utf-8", "replace")))
                except Unreadable as error:
                    warn(f"{one.descriptor.digest[:19]}: is no measurement: {error}")
    return tuple(sorted(found, key=records.moment))


_MOST = 1 << 20


def plain_name(image: str) -> str:
    """What the measurements of an image are found by: its name without tag, digest and the word for its place; of a
    layout or an archive without a name in it, and of a directory, the name of the file."""
    from kezuri.transfer.places import ArchivePlace, DirectoryPlace, LayoutPlace, RegistryPlace, read_place

    try:
        match read_place(image):
            case RegistryPlace(reference):
                named = str(reference)
            case LayoutPlace(path, name) | ArchivePlace(_, path, name):
                named = name
                if not name:
                    return os.path.basename(os.path.abspath(path))
            case DirectoryPlace(path):
                return os.path.basename(os.path.abspath(path))
            case place:
                named = place.name
        return Reference.parse(named)._replace(tag="", digest="").familiar
    except KezuriError:
        return image
