"""`import`: an image of one layer, made of a root file system's archive."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from time import time
from typing import Any, BinaryIO, NamedTuple, cast

from kezuri.app.request import Settings
from kezuri.app.session import Session
from kezuri.diagnostics import KezuriError
from kezuri.oci.config import HistoryEntry, ImageConfig
from kezuri.oci.dates import timestamp
from kezuri.oci.descriptor import CONFIG, LAYER_GZIP, Descriptor, Manifest, canonical, digest_of
from kezuri.oci.platform import Platform
from kezuri.oci.reference import Reference
from kezuri.progress.events import Listener, WorkName
from kezuri.progress.reporter import Reporter


class ImportRequest(NamedTuple):
    """What `import` is asked for: a file, an http(s) URL, or `-` for standard input; a name or none; instructions of a
    Dockerfile that change the config; the comment in the history; a platform, empty for this machine's; and the time
    that the image claims to be from (SOURCE_DATE_EPOCH, in seconds)."""

    source: str
    name: str = ""
    changes: tuple[str, ...] = ()
    message: str = ""
    platform: str = ""
    epoch: int | None = None


class Imported(NamedTuple):
    """The image: the digest of its config, which is its id, and that of its manifest."""

    id: str
    digest: str


def import_root(settings: Settings, request: ImportRequest, listener: Listener) -> Imported:
    """Make the image and keep it. The archive may be compressed; what is in it stays as it is. KezuriError when it is
    no archive, or a change cannot be made; then nothing is kept."""
    name = str(_tagged(request.name)) if request.name else ""
    platform = Platform.parse(request.platform) if request.platform else Platform.host()
    config = changed(ImageConfig(platform), request.changes)
    reporter = Reporter(listener)
    with Session(settings) as session, ExitStack() as held:
        stream, where = held.enter_context(_opened(request.source, session, reporter, held))
        with reporter.step(WorkName(f"import {where}")):
            layer, diff_id = _layer(session, stream, where)
        created = timestamp(time() if request.epoch is None else request.epoch)
        config = config._replace(
            diff_ids=(diff_id,),
            created=created,
            history=(HistoryEntry(created, comment=request.message or f"Imported from {request.source}"),),
        )
        raw_config = canonical(config.to_json())
        manifest = Manifest(Descriptor(CONFIG, digest_of(raw_config), len(raw_config)), (layer,))
        raw = canonical(manifest.to_json())
        blobs, names = session.store.blobs, session.store.names
        blobs.put(raw_config)
        descriptor = Descriptor(manifest.media_type, blobs.put(raw), len(raw), platform=platform)
        session.store.sync_new()
        names.enter((name,) if name else (), descriptor)
        return Imported(manifest.config.digest, descriptor.digest)


def _tagged(name: str) -> Reference:
    reference = Reference.parse(name)
    if reference.digest:
        raise KezuriError.of(f"a name cannot carry a digest: {name}", exit_code=2)
    return reference


def changed(config: ImageConfig, changes: tuple[str, ...]) -> ImageConfig:
    """The config after the instructions, evaluated as those of a Dockerfile are. KezuriError, exit code 2, for those
    that would change files."""
    if not changes:
        return config
    from kezuri.dockerfile.instructions import Arg, Copy, From, Run
    from kezuri.dockerfile.parser import parse
    from kezuri.plan.inputs import BaseImage, ImageSource
    from kezuri.plan.planner import Planner, PlanRequest

    parsed = parse("FROM scratch\n" + "\n".join(changes) + "\n", "--change")
    for instruction in parsed.instructions[1:]:
        if isinstance(instruction, (From, Run, Copy, Arg)):
            raise KezuriError.of(
                f"--change: {instruction.node.original.strip()!r} cannot be made: only the config changes here",
                hint="CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME, WORKDIR",
                exit_code=2,
            )

    def none(source: ImageSource, platform: Platform) -> BaseImage:
        raise AssertionError(source)

    try:
        plan = Planner(parsed, PlanRequest(platform=config.platform), none).plan()
    except KezuriError as error:
        raise KezuriError(*error.diagnostics, exit_code=2) from None
    made = plan.stage(plan.target).config._replace(platform=config.platform)
    if not any("PATH" in change for change in changes):
        # That of a stage without a base. Nobody asked for it here, and what is in the archive may want another one.
        made = made._replace(env=tuple(text for text in made.env if not text.startswith("PATH=")))
    return made


@contextmanager
def _opened(source: str, session: Session, reporter: Reporter, held: ExitStack) -> Iterator[tuple[BinaryIO, str]]:
    """The archive's bytes, and what errors call it."""
    if source == "-":
        from kezuri.app.standard import standard_input

        yield standard_input(), "standard input"
        return
    path = source
    if source.startswith(("http://", "https://")):
        path = _downloaded(source, session, reporter, held)
    try:
        with open(path, "rb", buffering=0) as file:
            yield cast(BinaryIO, file), source
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise KezuriError.of(
            f"cannot read {source}: {error.strerror}",
            hint="for the files of a directory: `tar -C DIRECTORY -c . | kezuri import -`"
            if isinstance(error, IsADirectoryError)
            else "",
        ) from None


def _downloaded(url: str, session: Session, reporter: Reporter, held: ExitStack) -> str:
    from kezuri.app.remotes import open_remotes
    from kezuri.keys.options import NoSecrets
    from kezuri.plan.inputs import UrlSource

    remotes = open_remotes(session, NoSecrets(), lambda: "", reporter, held, None)
    return remotes.content(UrlSource(url, "root.tar"))


def _layer(session: Session, stream: BinaryIO, where: str) -> tuple[Descriptor, str]:
    """The archive as a layer of the store, and the digest of its plain bytes. It is read as a layer would be on the
    way, so that what cannot be unpacked later is refused now."""
    from kezuri.layer.blob_writer import BlobWriter
    from kezuri.layer.compression import compression
    from kezuri.layer.decompression import decompress
    from kezuri.layer.placement import Placement
    from kezuri.layer.tar_reader import read_tar

    with session.store.blobs.writer(hashed=True) as writer:
        with BlobWriter(cast(BinaryIO, writer), compression("gzip", None)) as blob:
            try:
                tee = _Tee(decompress(stream, where), blob)
                placed, entries = Placement(where), 0
                for entry, _ in read_tar(cast(BinaryIO, tee), where, rootless=True):
                    placed.put(placed.place(entry), entries, entry.path)
                    entries += 1
            except KezuriError as error:
                hint = "the archive of a root file system is wanted: a tar, which may be compressed"
                raise KezuriError(
                    *(d._replace(hint=d.hint or hint) for d in error.diagnostics), exit_code=error.exit_code
                ) from error
            if not entries:
                raise KezuriError.of(f"{where}: holds no files: not the archive of a root file system")
            written = blob.finish(tee.rest())
        writer.commit_known(written.digest)
    return Descriptor(LAYER_GZIP, written.digest, written.size), written.diff_id


class _Tee:
    """A stream that gives what is read through it to a writer of blobs, in the blocks that this one wants."""

    def __init__(self, stream: BinaryIO, blob: Any) -> None:
        self._stream = stream
        self._blob = blob
        self._held = bytearray()

    def read(self, size: int = -1) -> bytes:
        from kezuri.layer.compression import BLOCK

        data = self._stream.read(size)
        self._held += data
        while len(self._held) >= BLOCK:
            self._blob.put(bytes(self._held[:BLOCK]))
            del self._held[:BLOCK]
        return data

    def rest(self) -> bytes:
        """What is less than a block."""
        return bytes(self._held)
