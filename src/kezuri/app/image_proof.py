"""Fixes of class V proved: the file is built without it and with it, and what both came to is compared and probed."""

import os
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import NamedTuple

from kezuri.app.plan_proof import told
from kezuri.app.request import BuildRequest, Settings
from kezuri.app.session import Session
from kezuri.check.mending import Verdict
from kezuri.check.revision import NEW, Texts
from kezuri.check.rule import Fix
from kezuri.diagnostics import KezuriError
from kezuri.dockerfile.parser import parse
from kezuri.oci.platform import Platform
from kezuri.plan.inputs import BaseImage, ImageSource
from kezuri.plan.planner import Planner, PlanRequest
from kezuri.plan.stages import split_stages
from kezuri.progress.events import Listener
from kezuri.proof.configs import config_differences
from kezuri.proof.difference import Difference, undeclared
from kezuri.proof.probes import Probe, Prober, probe_differences
from kezuri.proof.roots import root_differences
from kezuri.proof.vocabulary import unknown


class Ground(NamedTuple):
    """What is built: the directory of the context, the Dockerfile's path (empty: there is none on this machine), where
    in the context other texts lie (`places`, by the keys of Texts), and the request that holds besides."""

    context: str
    dockerfile: str
    request: BuildRequest
    places: Mapping[str, str] = {}


class ImageProver:
    """A Prover that builds both. What it builds stays in the store's cache; the images themselves go again."""

    def __init__(self, ground: Ground, settings: Settings, listener: Listener, prober: Prober | None) -> None:
        """Without `prober` the images are not started."""
        self._ground = ground
        self._settings = settings
        self._listener = listener
        self._prober = prober
        self._built: dict[tuple[tuple[str, str], ...], str | KezuriError] = {}
        self._probed: dict[str, Probe] = {}
        self._unsteady: dict[str, frozenset[tuple[str, str]]] = {}
        self._nameless: frozenset[str] | None = None
        self.builds = 0
        """How many builds were made."""

    def prove(self, before: Texts, after: Texts, fix: Fix) -> Verdict:
        """As the door has it."""
        if wrong := unknown(fix.changes):
            return Verdict((f"it declares what means nothing: {', '.join(sorted(wrong))}",))
        verdict = self._prove(before, after, fix, self._ground.request.target)
        for stage in aside(before[""], after[""], self._ground.request):
            # What the image does not need can be built by its name: it is not to break either.
            if not verdict.reasons:
                there = self._prove(before, after, fix, stage)
                verdict = there if there.reasons else verdict
        return verdict

    def _prove(self, before: Texts, after: Texts, fix: Fix, target: str) -> Verdict:
        one = self._image(before, target)
        if isinstance(one, KezuriError):
            if "error.gone" in fix.changes and not isinstance(self._image(after, target), KezuriError):
                return Verdict(proved=("it can be built with it",))
            return Verdict((f"nothing can be proved, since it does not build as it is: {_first(one)}",))
        two = self._image(after, target)
        if isinstance(two, KezuriError):
            return Verdict((f"it breaks the build: {_first(two)}",))
        edited = {key for key, text in after.items() if before.get(key) != text}
        return self.compared(one, two, before, fix, edited, target)

    def compared(
        self, one: str, two: str, before: Texts, fix: Fix, edited: Iterable[str] = ("",), target: str = ""
    ) -> Verdict:
        """Two images of the store that these texts gave, by digest, compared as `prove` does. `edited` are the keys of
        the texts that are not the same: a context that is copied whole has them in it."""
        if one == two:
            return Verdict(proved=("both builds give the same image, byte for byte",))
        names = {os.path.basename(self._path(key)) for key in edited}
        found = tuple(_told_apart(difference, names) for difference in self._compared(one, two))
        wrong_ones = undeclared(found, fix.changes)
        if any(d.name.startswith("file.") for d in wrong_ones):
            # Some of it may differ between any two builds of the very same file.
            unsteady = self._differs_anyway(before, one, target)
            wrong_ones = tuple(d for d in wrong_ones if not _anyway(d, unsteady))
        if wrong_ones:
            return Verdict(told(wrong_ones))
        run: tuple[str, ...] = ()
        if self._prober is not None and target == self._ground.request.target:
            probes = [self._probe(digest) for digest in (one, two)]
            wrong_ones = undeclared(probe_differences(*probes), fix.changes)
            if wrong_ones:
                # A machine with much to do may have been too slow for one of them.
                self._probed.clear()
                probes = [self._probe(digest) for digest in (one, two)]
                wrong_ones = undeclared(probe_differences(*probes), fix.changes)
            if wrong_ones:
                end = probes[1].output.strip().splitlines()[-1:]
                return Verdict((*told(wrong_ones), *(f"it says: {line[:200]}" for line in end)))
            run = (_in_words(probes[1]),)
        return Verdict(proved=("built before and after", *_differing(found), *run))

    def close(self) -> None:
        """Let go of the images that were built for proofs."""
        if self._nameless is not None:
            built = {digest for digest in self._built.values() if isinstance(digest, str)}
            _forget(self._settings, built - self._nameless)

    def _path(self, key: str) -> str:
        if not key:
            return self._ground.dockerfile or "Dockerfile"
        return self._ground.places.get(key, key.removeprefix(NEW))

    def _image(self, texts: Texts, target: str) -> str | KezuriError:
        key = (("target", target), *sorted(texts.items()))
        known = self._built.get(key)
        if known is None:
            try:
                known = self._build(texts, target, no_cache=False)
            except KezuriError as error:
                known = error
            self._built[key] = known
        return known

    def _build(self, texts: Texts, target: str, no_cache: bool) -> str:
        from kezuri.app.build import build

        self.builds += 1
        with ExitStack() as held:
            session = held.enter_context(Session(self._settings))
            if self._nameless is None:
                self._nameless = frozenset(descriptor.digest for descriptor in session.store.names.untagged())
            place = held.enter_context(session.store.scratch("proof"))
            try:
                context, dockerfile = _laid(texts, self._ground, place)
            except OSError as error:
                why = error.strerror or str(error)
                raise KezuriError.of(f"the build context cannot be copied: {why[:300]}") from None
            request = self._ground.request._replace(
                context=context,
                file=dockerfile,
                tags=(),
                iidfile="",
                metadata_file="",
                no_cache=no_cache,
                target=target,
            )
            return build(request, self._settings, self._listener).digest

    def _compared(self, one: str, two: str) -> tuple[Difference, ...]:
        from kezuri.images.kept import choose

        with Session(self._settings, reading=True) as session:
            images = [choose(session.store, digest, "") for digest in (one, two)]
            for image in images:
                for layer, descriptor in zip(image.config.diff_ids, image.manifest.layers):
                    session.forms.know_pulled(layer, descriptor)
            before, after = (session.forms.view(image.config.diff_ids) for image in images)
            found = config_differences(images[0].config, images[1].config)
            if images[0].config.diff_ids == images[1].config.diff_ids:
                return found
            return (*found, *root_differences(before, after))

    def _differs_anyway(self, texts: Texts, digest: str, target: str) -> frozenset[tuple[str, str]]:
        """What is not the same when the file is built once more as it is, with nothing from the cache."""
        known = self._unsteady.get(digest)
        if known is None:
            try:
                again = self._build(texts, target, no_cache=True)
            except KezuriError:
                known = frozenset()
            else:
                self._built[("again", digest),] = again
                known = frozenset((d.name, d.where) for d in self._compared(digest, again))
            self._unsteady[digest] = known
        return known

    def _probe(self, digest: str) -> Probe:
        known = self._probed.get(digest)
        if known is None:
            assert self._prober is not None
            known = self._probed[digest] = self._prober.probe(digest)
        return known


def aside(before: str, after: str, request: BuildRequest) -> tuple[str, ...]:
    """The names of the stages that a build of the target does not need, and that are not the same in both texts."""
    written = [split_stages(parse(text, "Dockerfile"))[1] for text in (before, after)]
    same = 0
    while same < min(len(before), len(after)) and before[same] == after[same]:
        same += 1
    tail = 0
    while tail < min(len(before), len(after)) - same and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    starts = [stage.start.node.span.start for stage in written[0]]
    first = max(0, bisect_right(starts, same) - 1)
    last = max(first, bisect_right(starts, len(before) - tail) - 1)
    names = {stage.start.name for stage in written[1]}
    touched = [stage for stage in written[0][first : last + 1] if stage.start.name in names]
    needed = _needed(before, request) if touched else frozenset()
    return tuple(stage.start.name for stage in touched if stage.start.name and stage.number not in needed)


def _needed(text: str, request: BuildRequest) -> frozenset[int]:
    def resolve(source: ImageSource, platform: Platform) -> BaseImage:
        raise KezuriError.of(source.text, exit_code=125)

    wanted = PlanRequest(target=request.target, arguments=dict(request.build_args))
    survey = Planner(parse(text, "Dockerfile"), wanted, resolve).look(everything=False)
    return frozenset(facts.number for facts in survey.stages)


def _anyway(difference: Difference, unsteady: frozenset[tuple[str, str]]) -> bool:
    return difference.name.startswith("file.") and (difference.name, difference.where) in unsteady


def _told_apart(difference: Difference, names: Collection[str]) -> Difference:
    """The difference, marked where it is the very file that the fix edits or makes, copied into the image."""
    own = difference.name in ("file.content", "file.new") and os.path.basename(difference.where) in names
    return difference._replace(noise="it is the file that is mended") if own else difference


def _laid(texts: Texts, ground: Ground, place: str) -> tuple[str, str]:
    """The context and the Dockerfile as the texts have them. The user's own directory is the context where nothing in
    it but the Dockerfile is changed; else a copy is."""
    import shutil

    others = {
        ground.places.get(key, key.removeprefix(NEW)): text
        for key, text in texts.items()
        if key and (key.startswith(NEW) or key in ground.places)
    }
    context = ground.context
    if others:
        context = os.path.join(place, "context")
        shutil.copytree(ground.context, context, symlinks=True, ignore=special)
        for path, text in others.items():
            target = os.path.normpath(os.path.join(context, path))
            if not target.startswith(context + "/"):
                raise KezuriError.of(f"{path} lies outside the build context")
            os.makedirs(os.path.dirname(target), exist_ok=True)
            _write(target, text)
    os.makedirs(os.path.join(place, "file"))
    name = os.path.basename(ground.dockerfile) or "Dockerfile"
    dockerfile = os.path.join(place, "file", name)
    _write(dockerfile, texts[""])
    beside = f"{ground.dockerfile}.dockerignore"
    if ground.dockerfile and os.path.isfile(beside):
        shutil.copyfile(beside, f"{dockerfile}.dockerignore")
    relative = os.path.relpath(ground.dockerfile, ground.context) if ground.dockerfile else ".."
    if others and not relative.startswith(".."):
        _write(os.path.join(context, relative), texts[""])
        dockerfile = os.path.join(context, relative)
    return context, dockerfile


def special(directory: str, names: list[str]) -> list[str]:
    """Sockets and pipes cannot be copied, and no build wants them."""
    import stat

    kinds = {name: os.lstat(os.path.join(directory, name)).st_mode for name in names}
    return [
        name for name, mode in kinds.items() if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode))
    ]


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        file.write(text)


def _forget(settings: Settings, digests: Iterable[str]) -> None:
    """Take images that have no name out of the store: they were made for a proof."""
    from kezuri.store.store import Store

    with Store(settings.root) as store:
        for digest in digests:
            store.names.drop(digest)


def _differing(differences: Sequence[Difference]) -> Iterator[str]:
    changed = sorted({d.name for d in differences if not d.noise})
    if changed:
        yield f"files and config differ in {', '.join(changed)} only"
    else:
        yield "files and config are the same"
    if noise := sum(1 for d in differences if d.noise):
        yield f"{noise} differences say nothing"


def _in_words(probe: Probe) -> str:
    if probe.refused:
        return f"neither can be started ({probe.refused[:100]})"
    answers = [f"{answer.port} {answer}" for answer in probe.answers]
    said = [
        "stays alive" if probe.alive else f"ends with {probe.exit_code}",
        *answers,
        *([probe.health] * bool(probe.health)),
    ]
    return f"started before and after: {', '.join(filter(None, said))}"


def _first(error: KezuriError) -> str:
    return error.diagnostics[0].message.partition("\n")[0] if error.diagnostics else "no reason is known"
