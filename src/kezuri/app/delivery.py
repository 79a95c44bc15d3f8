"""What a build gives leaves: into the store, a layout, an archive or a directory, with the files that tell of it."""

import json
import sys
from time import time

from kezuri.app.request import BuildRequest, BuildResult, Output
from kezuri.app.session import Session
from kezuri.build.builder import Built
from kezuri.build.forms import PULLED, Packing
from kezuri.build.image import ImageDocuments, LayerBlob, assemble
from kezuri.build.reporting import Reporter
from kezuri.oci.config import HistoryEntry
from kezuri.oci.descriptor import Descriptor
from kezuri.plan.operation import BaseImage, Plan, StageInput
from kezuri.progress.events import Listener, Warned


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

    def deliver(self, plan: Plan, built: Built) -> BuildResult:
        """Put the image together, send it where it is wanted, and write the files that tell of it."""
        documents: ImageDocuments | None = None
        if any(o.type in ("image", "oci", "docker") for o in self._outputs):
            documents = self._documents(plan, built)
        for output in self._outputs:
            self._write(output, built, documents)
        digest = documents.descriptor.digest if documents else ""
        config = documents.config_descriptor.digest if documents else ""
        self._write_files(documents)
        size = sum(layer.size for layer in documents.layers) if documents else 0
        return BuildResult(digest, config, self._names if documents else (), size, built.cached, built.ran)

    def _documents(self, plan: Plan, built: Built) -> ImageDocuments:
        session = self._session
        with self._reporter.step("exporting layers"):
            target = plan.stage(plan.target)
            base, number = target.base, plan.target
            while isinstance(base, StageInput):
                number = base.stage
                base = plan.stage(number).base
            base_layers = []
            history: tuple[HistoryEntry, ...] = ()
            if isinstance(base, BaseImage):
                history = base.config.history
                session.forms.fetch_missing(base.config.diff_ids)
                for layer, descriptor in zip(base.config.diff_ids, base.layers):
                    form = session.forms.blob(layer, self._packing)
                    kept = Descriptor(form.media_type or descriptor.media_type, form.digest, form.size)
                    base_layers.append(LayerBlob(layer, kept, 0.0))
            made: dict[tuple[int, int], LayerBlob] = {}
            for item in target.history:
                if item.operation >= 0:
                    place = (item.stage, item.operation)
                    made[place] = self._blob(built.layers[place])
            config = target.config
            return assemble(
                config,
                base_layers,
                history,
                target.history,
                made,
                dict(self._request.labels),
                self._annotations(),
                self._epoch,
                time(),
            )

    def _annotations(self) -> dict[str, str]:
        pairs = [pair for output in self._outputs for pair in output.attributes]
        given = {k.removeprefix("annotation."): v for k, v in pairs if k.startswith("annotation.")}
        return {**dict(self._request.annotations), **given}

    def _blob(self, layer: str) -> LayerBlob:
        forms = self._session.forms
        form = forms.blob(layer, self._packing)
        row = self._session.store.database.layer(layer)
        created = row.created if row is not None else time()
        assert form.encoder != PULLED
        return LayerBlob(form.diff_id, Descriptor(form.media_type, form.digest, form.size), created)

    def _write(self, output: Output, built: Built, documents: ImageDocuments | None) -> None:
        if output.type == "cacheonly":
            return
        if output.type in ("local", "tar"):
            self._write_root(output, built)
            return
        assert documents is not None
        if output.type == "image":
            with self._reporter.step("exporting to image"):
                self._keep(documents)
            return
        from kezuri.export.layout import Exported, output_file, write_directory, write_tar

        image = Exported(
            self._names,
            documents.descriptor,
            documents.config_descriptor,
            documents.layers,
            {documents.descriptor.digest: documents.manifest, documents.config_descriptor.digest: documents.config},
        )
        attributes = dict(output.attributes)
        path_of = self._session.store.blobs.path
        with self._reporter.step(
            f"exporting to {'oci image format' if output.type == 'oci' else 'docker image format'}"
        ):
            if output.type == "oci" and attributes.get("tar", "true").lower() in ("false", "0"):
                write_directory(image, output.dest, path_of)
            else:
                with output_file(output.dest, sys.stdout.buffer) as sink:
                    write_tar(image, sink, path_of, docker=output.type == "docker", epoch=self._epoch)
            if output.type == "docker" or self._request.tags:
                self._keep(documents)

    def _keep(self, documents: ImageDocuments) -> None:
        """Put the image into the local store under its names."""
        store = self._session.store
        store.blobs.put(documents.config)
        store.blobs.put(documents.manifest)
        store.sync_new()
        for name in self._names:
            store.names.put(name, documents.descriptor)

    def _write_root(self, output: Output, built: Built) -> None:
        from kezuri.diagnostics import Diagnostic
        from kezuri.export.layout import output_file
        from kezuri.export.root import merged_items, write_directory
        from kezuri.layer.packer import compression, pack
        from kezuri.source.stack import StackTree

        def warn(text: str) -> None:
            self._listener(Warned(time(), Diagnostic("warning", text)))

        self._session.privileged()
        forms = self._session.forms
        tree = StackTree(forms.directories(built.state.layers), "the image", userxattr=forms.userxattr)
        if output.type == "local":
            with self._reporter.step("exporting to client directory"):
                write_directory(tree, output.dest, warn, self._epoch)
        else:
            with (
                self._reporter.step("exporting to client tarball"),
                output_file(output.dest, sys.stdout.buffer) as sink,
            ):
                pack(merged_items(tree), sink, compression("none", None), epoch=self._epoch)

    def _write_files(self, documents: ImageDocuments | None) -> None:
        from kezuri.store.names import publish

        if self._request.iidfile:
            publish(self._request.iidfile, (documents.config_descriptor.digest if documents else "").encode())
        if self._request.metadata_file:
            report: dict[str, object] = {}
            if documents is not None:
                report = {
                    "containerimage.config.digest": documents.config_descriptor.digest,
                    "containerimage.descriptor": documents.descriptor.to_json(),
                    "containerimage.digest": documents.descriptor.digest,
                }
                if self._names:
                    report["image.name"] = ",".join(self._names)
            publish(self._request.metadata_file, json.dumps(report, indent=2).encode() + b"\n")
