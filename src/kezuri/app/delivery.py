"""What a build gives leaves: into the store, a layout, an archive or a directory, with the files that tell of it."""

import json
from collections.abc import Callable, Iterator, Mapping
from time import time
from typing import TYPE_CHECKING, Any

from kezuri.app.request import BuildRequest, BuildResult
from kezuri.app.session import Session
from kezuri.app.stored_image import StoredImage
from kezuri.build.builder import Built
from kezuri.diagnostics import KezuriError
from kezuri.export.image import LayerBlob
from kezuri.forms.packing import Packing
from kezuri.oci.config import HistoryEntry
from kezuri.oci.descriptor import Descriptor
from kezuri.oci.platform import Platform
from kezuri.plan.inputs import BaseImage, StageInput
from kezuri.plan.operation import Plan
from kezuri.progress.events import Listener, WorkName
from kezuri.progress.reporter import Reporter

if TYPE_CHECKING:
    from kezuri.app.caches import Caches
    from kezuri.app.outputs import CacheOnly, ImageOutput, Output, RootOutput
    from kezuri.app.pushing import Pushing
    from kezuri.export.annotations import Annotations
    from kezuri.export.image import Exported, Parts, Squash


class Delivery:
    """Takes the result of a build to every output that was asked for. `names` are references in full; `epoch` is the
    build's SOURCE_DATE_EPOCH in seconds."""

    def __init__(
        self,
        request: BuildRequest,
        names: tuple[str, ...],
        epoch: int | None,
        session: Session,
        reporter: Reporter,
        listener: Listener,
        pushing: "Pushing | None" = None,
        caches: "Caches | None" = None,
        provenance: "Callable[[int], Mapping[str, Any]] | None" = None,
    ) -> None:
        """`pushing` sends the images that go to registries; `caches` are asked where the image is to carry its
        cache; `provenance` says how the image of a stage was built."""
        self._provenance = provenance
        self._pushing = pushing
        self._caches = caches if caches is not None and caches.inline else None
        self._imports = caches
        # Nothing is kept of an image that is only pushed: what the registry has already need not come here.
        self._passes_on = not request.squash and request.passed_on
        self._called: list[str] = []
        self._request = request
        self._names = names
        self._epoch = epoch
        self._session = session
        self._reporter = reporter
        self._listener = listener

    def check(self, plan: Plan) -> None:
        """KezuriError when what was asked for cannot be made of this plan: known before anything is built."""
        platforms = tuple(target.platform for target in plan.targets) or (plan.stage(plan.target).config.platform,)
        for output in self._request.outputs:
            if not isinstance(output, StoredImage):
                _check_platforms(output, plan)
            if self._request.attests:
                _check_attested(output)
            if output.options is not None:
                annotations = _annotations(output)
                if annotations is not None:
                    annotations.check(platforms, index=bool(plan.targets) or self._request.attests)
        files = [(path, True) for path in self._request.files]
        files += [(path, False) for path in (self._request.iidfile, self._request.metadata_file) if path]
        if files:
            from kezuri.export import destination

            destination.check(files)

    def deliver(self, plan: Plan, built: Built) -> BuildResult:
        """Put the image together, send it where it is wanted, and write the files that tell of it."""
        image: Exported | None = None
        images = self._request.images
        parts = self._parts(plan, built, images) if images else {}
        now = time()
        for output in self._request.outputs:
            if output.options is not None:
                way = (self._packing(output), output.options.forced)
                image = self._compose(output, parts[way], now, index=bool(plan.targets))
                if self._request.attests:
                    image = self._attested(output, image, plan)
                self._write(output, image)
            else:
                self._write_root(output, plan, built)
        self._write_files(image)
        if image is None:
            return BuildResult("", "", (), 0, built.cached, built.ran)
        config = image.config.digest if image.config is not None else ""
        size = sum(layer.size for layer in image.layers)
        # Only what is known: nothing is read for a figure.
        counted = self._session.store.database.facts.unpacked
        known = (self._imports.unpacked if self._imports is not None else counted)(image.diff_ids)
        whole = all(diff_id in known for diff_id in image.diff_ids)
        unpacked = sum(known[diff_id] for diff_id in image.diff_ids) if whole else None
        return BuildResult(image.descriptor.digest, config, self._names, size, built.cached, built.ran, unpacked)

    def _packing(self, output: "ImageOutput") -> Packing:
        return packing(output, self._epoch)

    def _parts(
        self, plan: Plan, built: Built, images: "tuple[ImageOutput, ...]"
    ) -> "dict[tuple[Packing, bool], tuple[Parts, ...]]":
        """What the image is made of, for each way in which an output wants its layers packed, and whether those of the
        base as well."""
        targets: list[tuple[int, Platform | None]] = [(t.stage, t.platform) for t in plan.targets]
        targets = targets or [(plan.target, None)]
        ways = tuple(dict.fromkeys((self._packing(output), output.options.forced) for output in images))
        with self._reporter.step(WorkName("exporting layers")):
            # Layers are packed from directories before bases are fetched: an ordinary user can read those directories
            # only in a user namespace, and cannot enter it while threads fetch and draw how far they are.
            packings = tuple(dict.fromkeys(packing for packing, _ in ways))
            self._gather(plan, built, [number for number, _ in targets], packings)
            made = {way: [self._made_blobs(plan, built, number, way[0]) for number, _ in targets] for way in ways}
            return {
                way: tuple(
                    self._part(plan, number, platform, blobs, way[0] if way[1] else None)
                    for (number, platform), blobs in zip(targets, each)
                )
                for way, each in made.items()
            }

    def _gather(self, plan: Plan, built: Built, targets: list[int], packings: tuple[Packing, ...]) -> None:
        """Have the layers here that only a cache has, several at a time; what is here already is packed before."""
        forms = self._session.forms
        if self._imports is None or self._imports.imported is None:
            return
        stages = [plan.stage(number) for number in targets]
        places = [(item.stage, item.operation) for stage in stages for item in stage.history if item.operation >= 0]
        layers = list(dict.fromkeys(built.layers[place] for place in places))
        lacking = [layer for layer in layers if not forms.usable(layer)]
        for layer in layers if lacking else ():
            if layer not in lacking:
                for packing in packings:
                    forms.blob(layer, packing)
        if self._passes_on:
            lacking = [layer for layer in lacking if not any(forms.promised(layer, packing) for packing in packings)]
        forms.fetch_missing(lacking)

    def _made_blobs(self, plan: Plan, built: Built, number: int, packing: Packing) -> dict[tuple[int, int], LayerBlob]:
        places = [(item.stage, item.operation) for item in plan.stage(number).history if item.operation >= 0]
        return {place: self._blob(built.layers[place], packing) for place in places}

    def _part(
        self,
        plan: Plan,
        number: int,
        platform: Platform | None,
        made: dict[tuple[int, int], LayerBlob],
        forced: Packing | None,
    ) -> "Parts":
        from kezuri.export.image import Parts

        target = plan.stage(number)
        base = target.base
        while isinstance(base, StageInput):
            base = plan.stage(base.stage).base
        base_layers: list[LayerBlob] = []
        history: tuple[HistoryEntry, ...] = ()
        if isinstance(base, BaseImage):
            history = base.config.history
            base_layers = [LayerBlob(layer, descriptor, 0.0) for layer, descriptor in self._base_blobs(base, forced)]
        cache = None
        if self._caches is not None:
            from kezuri.travel.document import INLINE

            cache = {INLINE: self._caches.inlined(plan, made)}
        config = target.config
        if self._request.unset:
            from kezuri.edits.settings import without

            config = without(config, self._request.unset)
        return Parts(platform, config, base_layers, history, target.history, made, cache)

    def _base_blobs(self, base: BaseImage, forced: Packing | None) -> Iterator[tuple[str, Descriptor]]:
        """The layers of a base with the blobs that its own manifest names, so that an image does not depend on what
        else the store has; where these cannot be had, with other blobs of the same layers. `forced` is how they are
        to be compressed whatever they are."""
        forms, layers = self._session.forms, tuple(zip(base.config.diff_ids, base.layers))
        sources = self._session.store.database.facts.sources
        if forced is None and self._passes_on and all(sources(blob.digest) for _, blob in layers):
            yield from layers
            return
        try:
            forms.fetch_named(layers)
        except KezuriError:
            forms.fetch_missing(base.config.diff_ids)
            for layer, descriptor in layers:
                form = forms.base_blob(layer, descriptor)
                yield layer, Descriptor(form.media_type or descriptor.media_type, form.digest, form.size)
        else:
            for layer, descriptor in layers:
                if forced is not None:
                    form = forms.recompressed(layer, descriptor, forced)
                    descriptor = Descriptor(form.media_type, form.digest, form.size)
                yield layer, descriptor

    def _compose(self, output: "ImageOutput", parts: "tuple[Parts, ...]", now: float, *, index: bool) -> "Exported":
        from kezuri.export.image import compose

        return compose(
            parts,
            self._names,
            dict(self._request.labels),
            _annotations(output),
            self._epoch,
            now,
            index=index,
            docker=output.options.docker_types,
            squash=self._squash(output),
        )

    def _attested(self, output: "ImageOutput", image: "Exported", plan: Plan) -> "Exported":
        """The image with what is said about it."""
        from kezuri.app.attesting import attested

        numbers = [target.stage for target in plan.targets] or [plan.target]
        say = self._provenance
        called = (*self._names, *output.options.names)
        with self._reporter.step(WorkName("generating attestations")):
            return attested(
                self._session,
                image,
                tuple(dict.fromkeys(called)),
                _annotations(output),
                bills=self._request.sbom,
                provenance=(lambda number: say(numbers[number])) if say is not None else None,
            )

    def _squash(self, output: "ImageOutput") -> "Squash | None":
        """What makes layers of each image one, if that was asked for."""
        if not self._request.squash:
            return None
        from kezuri.app.layering import squasher

        return squasher(self._session, self._packing(output), self._request.squash == "all")

    def _blob(self, layer: str, packing: Packing) -> LayerBlob:
        forms = self._session.forms
        unfetched = self._imports.unfetched(layer, packing) if self._imports is not None and self._passes_on else None
        if unfetched is not None:
            return unfetched
        form = forms.blob(layer, packing)
        row = self._session.store.database.layer(layer)
        created = row.created if row is not None else time()
        return LayerBlob(form.diff_id, Descriptor(form.media_type, form.digest, form.size), created, form.epoch)

    def _write(self, output: "ImageOutput", image: "Exported") -> None:
        if isinstance(output, StoredImage):
            self._export(image)
        else:
            self._send(output, image)

    def _send(self, output: "ImageOutput", image: "Exported") -> None:
        """Write the image where an output wants it that was asked for by name."""
        from kezuri.app.outputs import DockerArchive, LayoutDirectory, LoadedImage, PushedImage

        if isinstance(output, PushedImage):
            if output.kept:
                self._export(image)
            if self._pushing is not None:
                self._pushing.push(output, image)
                self._called += self._pushing.names(output, image.descriptor.digest)
            return
        if isinstance(output, LoadedImage | StoredImage):
            self._export(image)
            if isinstance(output, LoadedImage):
                from kezuri.app.handing_over import hand_over

                hand_over(output.engine, image, self._session.store, self._epoch, self._reporter)
            return
        from kezuri.export.destination import destination
        from kezuri.export.layout import write_directory, write_tar

        open_blob = self._session.store.blobs.open
        docker = isinstance(output, DockerArchive)
        with self._reporter.step(WorkName(f"exporting to {'docker' if docker else 'oci'} image format")):
            if isinstance(output, LayoutDirectory):
                write_directory(image, output.dest, open_blob)
            else:
                with destination(output.dest) as sink:
                    write_tar(image, sink, open_blob, docker=docker, epoch=self._epoch)
            if self._names and (docker or self._request.tags):
                self._keep(image)

    def _write_root(self, output: "RootOutput | CacheOnly", plan: Plan, built: Built) -> None:
        from kezuri.app.outputs import CacheOnly

        if isinstance(output, CacheOnly):
            return
        from kezuri.app.root_export import export_root

        export_root(output, plan, built, self._session, self._epoch, self._reporter, self._listener)

    def _export(self, image: "Exported") -> None:
        with self._reporter.step(WorkName("exporting to image")):
            self._keep(image)

    def _keep(self, image: "Exported") -> None:
        """Put the image into the local store under its names; without any it is found by its id."""
        store = self._session.store
        for data in image.documents.values():
            store.blobs.put(data)
        store.sync_new()
        store.names.enter(self._names, image.descriptor)

    def _write_files(self, image: "Exported | None") -> None:
        if not self._request.iidfile and not self._request.metadata_file:
            return
        from kezuri.export.destination import write_text

        config = image.config.digest if image is not None and image.config is not None else ""
        if self._request.iidfile:
            write_text(
                self._request.iidfile, (config or (image.descriptor.digest if image is not None else "")).encode()
            )
        if self._request.metadata_file:
            report: dict[str, object] = {}
            if image is not None:
                report = {
                    **({"containerimage.config.digest": config} if config else {}),
                    "containerimage.descriptor": image.descriptor.to_json(),
                    "containerimage.digest": image.descriptor.digest,
                }
                if names := (*self._names, *self._called):
                    report["image.name"] = ",".join(dict.fromkeys(names))
            write_text(self._request.metadata_file, json.dumps(report, indent=2).encode() + b"\n")


def _check_platforms(output: "Output", plan: Plan) -> None:
    """KezuriError when the output is for one platform and the plan is for several."""
    from kezuri.app.outputs import DockerArchive, LoadedImage

    if isinstance(output, LoadedImage) and plan.targets:
        raise KezuriError.of(
            "--load: docker and podman load the image of one platform, not an index of several",
            hint="build one platform, or push the index: --push",
            exit_code=2,
        )
    if isinstance(output, DockerArchive) and plan.targets:
        raise KezuriError.of(
            f"--output type=docker,dest={output.dest}: a docker archive cannot hold an image index",
            hint="use type=oci, or build one platform",
            exit_code=2,
        )


def _check_attested(output: "Output") -> None:
    """KezuriError when the output cannot carry what is said about its image."""
    from kezuri.app.outputs import CacheOnly, DockerArchive, LoadedImage, RootDirectory, RootTar

    if isinstance(output, LoadedImage | DockerArchive):
        named = "--load" if isinstance(output, LoadedImage) else f"--output type=docker,dest={output.dest}"
        raise KezuriError.of(
            f"{named}: attestations are kept in an image index, which this form has not",
            hint="use type=oci or --push; or write it to a file: kezuri sbom IMAGE --output FILE",
            exit_code=2,
        )
    if isinstance(output, RootDirectory | RootTar):
        raise KezuriError.of(
            "files that leave without an image have nothing that an attestation could be kept in",
            hint="write it to a file: kezuri sbom DIR --output FILE",
            exit_code=2,
        )
    if not isinstance(output, CacheOnly) and output.options.docker_types:
        raise KezuriError.of(
            "nothing can be attached to an image with oci-mediatypes=false",
            hint="leave out oci-mediatypes",
            exit_code=2,
        )


def packing(output: "ImageOutput", epoch: int | None) -> Packing:
    """How the output wants new layers packed; later times become `epoch`, in seconds."""
    options = output.options
    return Packing("none" if options.compression == "uncompressed" else options.compression, options.level, epoch)


def _annotations(output: "ImageOutput") -> "Annotations | None":
    if not output.options.annotations:
        return None
    from kezuri.export.annotations import Annotations

    return Annotations(output.options.annotations)
