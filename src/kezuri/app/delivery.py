"""What a build gives leaves: into the store, a layout, an archive or a directory, with the files that tell of it."""

import json
from collections.abc import Iterable, Iterator
from time import time
from typing import TYPE_CHECKING

from kezuri.app.request import BuildRequest, BuildResult, Output
from kezuri.app.session import Session
from kezuri.build.builder import Built
from kezuri.diagnostics import KezuriError
from kezuri.export.image import LayerBlob
from kezuri.forms.forms import Packing
from kezuri.oci.config import HistoryEntry
from kezuri.oci.descriptor import Descriptor
from kezuri.oci.platform import Platform
from kezuri.plan.operation import BaseImage, Plan, StageInput, Target
from kezuri.progress.events import Listener, Warned, WorkName
from kezuri.progress.reporter import Reporter

if TYPE_CHECKING:
    from kezuri.export.annotations import Annotations
    from kezuri.export.images import Exported, Parts
    from kezuri.layer.entry import Item

_IMAGES = ("image", "oci", "docker")


class Delivery:
    """Takes the result of a build to every output that was asked for. `names` are references in full."""

    def __init__(
        self,
        request: BuildRequest,
        outputs: tuple[Output, ...],
        names: tuple[str, ...],
        packing: Packing,
        session: Session,
        reporter: Reporter,
        listener: Listener,
    ) -> None:
        self._request = request
        self._outputs = outputs
        self._names = names
        self._packing = packing
        self._epoch = packing.epoch
        self._session = session
        self._reporter = reporter
        self._listener = listener

    def check(self, plan: Plan) -> None:
        """KezuriError when what was asked for cannot be made of this plan: known before anything is built."""
        platforms = tuple(target.platform for target in plan.targets) or (plan.stage(plan.target).config.platform,)
        for output in self._outputs:
            split = dict(output.attributes).get("platform-split")
            if split is not None and _boolean(split) is None:
                raise KezuriError.of(f"--output: platform-split is true or false, not {split!r}", exit_code=2)
            if output.type == "docker" and plan.targets:
                raise KezuriError.of(
                    f"--output type=docker,dest={output.dest}: a docker archive cannot hold an image index",
                    hint="use type=oci, or build one platform",
                    exit_code=2,
                )
            if output.type in _IMAGES:
                annotations = self._annotations(output)
                if annotations is not None:
                    annotations.check(platforms, index=bool(plan.targets))
        files = [(output.dest, True) for output in self._outputs if output.dest and not _is_directory(output)]
        files += [(path, False) for path in (self._request.iidfile, self._request.metadata_file) if path]
        if files:
            from kezuri.export import destination

            destination.check(files)

    def deliver(self, plan: Plan, built: Built) -> BuildResult:
        """Put the image together, send it where it is wanted, and write the files that tell of it."""
        image: Exported | None = None
        images = [output for output in self._outputs if output.type in _IMAGES]
        parts = self._parts(plan, built) if images else ()
        now = time()
        for output in self._outputs:
            if output.type in ("local", "tar"):
                self._write_root(output, plan, built)
            elif output.type in _IMAGES:
                image = self._compose(output, parts, now, index=bool(plan.targets))
                self._write(output, image)
        self._write_files(image)
        if image is None:
            return BuildResult("", "", (), 0, built.cached, built.ran)
        config = image.config.digest if image.config is not None else ""
        size = sum(layer.size for layer in image.layers)
        return BuildResult(image.descriptor.digest, config, self._names, size, built.cached, built.ran)

    def _parts(self, plan: Plan, built: Built) -> "tuple[Parts, ...]":
        with self._reporter.step(WorkName("exporting layers")):
            if not plan.targets:
                return (self._part(plan, built, plan.target, None),)
            return tuple(self._part(plan, built, target.stage, target.platform) for target in plan.targets)

    def _part(self, plan: Plan, built: Built, number: int, platform: Platform | None) -> "Parts":
        from kezuri.export.images import Parts

        target = plan.stage(number)
        base = target.base
        while isinstance(base, StageInput):
            base = plan.stage(base.stage).base
        base_layers: list[LayerBlob] = []
        history: tuple[HistoryEntry, ...] = ()
        if isinstance(base, BaseImage):
            history = base.config.history
            base_layers = [LayerBlob(layer, descriptor, 0.0) for layer, descriptor in self._base_blobs(base)]
        made: dict[tuple[int, int], LayerBlob] = {}
        for item in target.history:
            if item.operation >= 0:
                place = (item.stage, item.operation)
                made[place] = self._blob(built.layers[place])
        return Parts(platform, target.config, base_layers, history, target.history, made)

    def _base_blobs(self, base: BaseImage) -> Iterator[tuple[str, Descriptor]]:
        """The layers of a base with the blobs that its own manifest names, so that an image does not depend on what
        else the store has; where these cannot be had, with other blobs of the same layers."""
        forms, layers = self._session.forms, tuple(zip(base.config.diff_ids, base.layers))
        try:
            forms.fetch_named(layers)
        except KezuriError:
            forms.fetch_missing(base.config.diff_ids)
            for layer, descriptor in layers:
                form = forms.base_blob(layer, descriptor)
                yield layer, Descriptor(form.media_type or descriptor.media_type, form.digest, form.size)
        else:
            yield from layers

    def _compose(self, output: Output, parts: "tuple[Parts, ...]", now: float, *, index: bool) -> "Exported":
        from kezuri.export.images import compose

        return compose(
            parts,
            self._names,
            dict(self._request.labels),
            self._annotations(output),
            self._epoch,
            now,
            index=index,
        )

    def _annotations(self, output: Output) -> "Annotations | None":
        if not self._request.annotations and not any(k.startswith("annotation") for k, _ in output.attributes):
            return None
        from kezuri.export.annotations import collect

        return collect(self._request.annotations, output.attributes)

    def _blob(self, layer: str) -> LayerBlob:
        forms = self._session.forms
        form = forms.blob(layer, self._packing)
        row = self._session.store.database.layer(layer)
        created = row.created if row is not None else time()
        assert not form.pulled
        return LayerBlob(form.diff_id, Descriptor(form.media_type, form.digest, form.size), created)

    def _write(self, output: Output, image: "Exported") -> None:
        if output.type == "image":
            with self._reporter.step(WorkName("exporting to image")):
                self._keep(image)
            return
        from kezuri.export.destination import destination
        from kezuri.export.layout import write_directory, write_tar

        path_of = self._session.store.blobs.path
        form = "oci image format" if output.type == "oci" else "docker image format"
        with self._reporter.step(WorkName(f"exporting to {form}")):
            if _is_directory(output):
                write_directory(image, output.dest, path_of)
            else:
                with destination(output.dest) as sink:
                    write_tar(image, sink, path_of, docker=output.type == "docker", epoch=self._epoch)
            if self._names and (output.type == "docker" or self._request.tags):
                self._keep(image)

    def _keep(self, image: "Exported") -> None:
        """Put the image into the local store under its names; without any it is found by its id."""
        store = self._session.store
        for data in image.documents.values():
            store.blobs.put(data)
        store.sync_new()
        for name in self._names:
            store.names.put(name, image.descriptor)
        if not self._names:
            store.names.keep(image.descriptor)

    def _write_root(self, output: Output, plan: Plan, built: Built) -> None:
        from kezuri.diagnostics import Diagnostic
        from kezuri.export.destination import destination
        from kezuri.export.root import common_items, dated, merged_items, platform_items, write_directory
        from kezuri.layer.packer import compression, pack
        from kezuri.tree.stack import StackTree

        def warn(text: str) -> None:
            self._listener(Warned(time(), Diagnostic("warning", text)))

        self._session.privileged()
        forms = self._session.forms
        targets = plan.targets or (Target(plan.stage(plan.target).config.platform, plan.target),)
        trees = []
        for target in targets:
            lowers = forms.directories(built.states[target.stage].layers)
            trees.append((str(target.platform), StackTree(lowers, "the image", userxattr=forms.userxattr)))
        split = _boolean(dict(output.attributes).get("platform-split", ""))
        items: Iterable[Item]
        if bool(plan.targets) if split is None else split:
            items = platform_items([(name.replace("/", "_"), tree) for name, tree in trees])
        elif len(trees) == 1:
            items = merged_items(trees[0][1])
        else:
            items = common_items(trees)
        if self._epoch is not None:
            items = dated(items, self._epoch)
        if output.type == "local":
            with self._reporter.step(WorkName("exporting to client directory")):
                write_directory(items, output.dest, warn)
        else:
            with (
                self._reporter.step(WorkName("exporting to client tarball")),
                destination(output.dest) as sink,
            ):
                pack(items, sink, compression("none", None))

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
                if self._names:
                    report["image.name"] = ",".join(self._names)
            write_text(self._request.metadata_file, json.dumps(report, indent=2).encode() + b"\n")


def _is_directory(output: Output) -> bool:
    """Whether the output's dest is a directory: the files themselves, or a layout that is not a tar."""
    unpacked = _boolean(dict(output.attributes).get("tar", "true")) is False
    return output.type == "local" or (output.type == "oci" and unpacked)


def _boolean(text: str) -> bool | None:
    """What a boolean attribute says; None when it says neither."""
    if text.lower() in ("true", "1", "t"):
        return True
    return False if text.lower() in ("false", "0", "f") else None
