"""`--output`, `--compression` and `--annotation` as outputs: read and checked here, before anything is opened."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from kezuri.app.outputs import (
    CacheOnly,
    DockerArchive,
    FileOutput,
    ImageOutput,
    LayoutDirectory,
    LayoutTar,
    LoadedImage,
    Output,
    PushedImage,
    RootDirectory,
    RootTar,
)
from kezuri.app.stored_image import Compression, ImageOptions, StoredImage
from kezuri.cli.options import UsageError
from kezuri.cli.values import pair, pairs
from kezuri.diagnostics import nearest
from kezuri.scalars import parse_bool

if TYPE_CHECKING:
    from kezuri.export.annotations import Annotation

_LEVELS: dict[Compression, int] = {"gzip": 9, "zstd": 22, "uncompressed": 0}
"""The ways to pack a layer, each with its highest level."""

_OF_IMAGES = ("name", "compression", "compression-level", "force-compression", "oci-mediatypes", "rewrite-timestamp")
_KNOWN = {
    "local": ("mode", "platform-split", "rewrite-timestamp"),
    "tar": ("platform-split", "rewrite-timestamp"),
    "oci": (*_OF_IMAGES, "tar"),
    "docker": (*_OF_IMAGES, "tar", "store", "unpack"),
    "image": (*_OF_IMAGES, "store", "unpack", "push-by-digest", "name-canonical"),
    "registry": (*_OF_IMAGES, "store", "unpack", "push-by-digest", "name-canonical"),
    "cacheonly": (),
}
"""The types of outputs and the attributes of each, beside type, dest and push; outputs that are images take annotations
as well. `rewrite-timestamp` and `unpack` say what kezuri does anyway, or what has no meaning here."""


def read_outputs(
    texts: tuple[str, ...], annotations: tuple[str, ...], compression: str = "", level: str = ""
) -> tuple[Output, ...]:
    """The outputs that the values of `--output`, `--annotation`, `--compression` and `--compression-level` ask for; an
    image in the store when no output is named. UsageError naming the option or the attribute that is wrong."""
    given = _annotations(annotations)
    read = _Reader(given, _compression(compression or "gzip"), level)
    if level:
        _level("--compression-level ", level, read.compression)
    return tuple(read.output(text) for text in texts) or (StoredImage(read.options([])),)


def streamed(outputs: tuple[Output, ...]) -> list[FileOutput]:
    """The outputs that go to standard output."""
    return [output for output in outputs if isinstance(output, FileOutput) and output.dest == "-"]


def type_of(output: FileOutput) -> str:
    """The word for it after `type=`."""
    return {LayoutTar: "oci", DockerArchive: "docker", RootTar: "tar"}[type(output)]


def pushing(outputs: tuple[Output, ...]) -> tuple[Output, ...]:
    """What `--push` makes of the outputs: the images among them that go to the store are pushed, as buildx has it; one
    more is where there is none."""
    images = [output for output in outputs if isinstance(output, StoredImage | PushedImage)]
    if not images:
        options = next((output.options for output in outputs if isinstance(output, ImageOutput)), ImageOptions())
        return (*outputs, PushedImage(options._replace(names=())))
    return tuple(PushedImage(output.options) if isinstance(output, StoredImage) else output for output in outputs)


def loading(outputs: tuple[Output, ...], engine: str) -> tuple[Output, ...]:
    """What `--load` makes of the outputs: one more that is handed to docker or podman, in the place of one that goes to
    the store only. `engine` is the option's value."""
    if engine not in ("true", "docker", "podman"):
        raise UsageError.because(f"--load hands images to docker or podman, not to {engine!r}")
    chosen: Literal["", "docker", "podman"] = "docker" if engine == "docker" else "podman" if engine == "podman" else ""
    stored = next((output for output in outputs if isinstance(output, StoredImage)), None)
    others = tuple(output for output in outputs if output is not stored)
    return (*others, LoadedImage(stored.options if stored is not None else ImageOptions(), chosen))


def _annotations(texts: tuple[str, ...]) -> "tuple[Annotation, ...]":
    if not texts:
        return ()
    from kezuri.export.annotations import of_option

    return tuple(found for text in texts for found in of_option(*pair("--annotation", text)))


class _Reader:
    """Reads outputs; what the options of the command ask of images holds for each that does not say otherwise."""

    def __init__(self, annotations: "tuple[Annotation, ...]", compression: Compression, level: str) -> None:
        self.annotations = annotations
        self.compression = compression
        self.level = level

    def output(self, text: str) -> Output:
        """One value of `--output`."""
        if text == "-":
            return RootTar("-")
        if not text:
            raise UsageError.because("--output is empty", "write for instance type=oci,dest=image.tar")
        if "=" not in text:
            return RootDirectory(text)
        kind = dest = ""
        push: bool | None = None
        attributes: list[tuple[str, str]] = []
        for key, value in pairs("--output", text):
            if key == "type":
                kind = value
            elif key == "dest":
                dest = value
            elif key == "push":
                push = _boolean("--output: push", value)
            else:
                attributes.append((key, value))
        if not kind:
            raise UsageError.because(f"--output {text!r} has no type", f"one of: {', '.join(_KNOWN)}")
        _check_type(kind)
        if push and kind not in ("image", "registry"):
            raise UsageError.because(
                f"--output type={kind} is not pushed", "write type=image,push=true, or give --push beside it"
            )
        for key, value in attributes:
            _check(kind, key, value)
        return self._made(kind, dest, attributes, kind == "registry" if push is None else push)

    def _made(self, kind: str, dest: str, attributes: list[tuple[str, str]], push: bool) -> Output:
        said = dict(attributes)
        tar = _boolean(f"--output type={kind}: tar", said.get("tar") or "true")
        if kind in ("image", "registry", "cacheonly") and dest:
            raise UsageError.because(
                f"--output type={kind} takes no dest", "use type=oci or type=docker to write a file"
            )
        if kind == "cacheonly":
            return CacheOnly()
        if kind in ("local", "tar"):
            split = said.get("platform-split")
            whether = _boolean(f"--output type={kind}: platform-split", split) if split is not None else None
            if kind == "tar":
                return RootTar(dest or "-", whether)
            if dest in ("", "-"):
                raise UsageError.because("--output type=local needs a directory", "write type=local,dest=DIR")
            return RootDirectory(dest, whether)
        if not tar and kind == "docker":
            raise UsageError.because(
                "--output type=docker,tar=false is not supported", "use type=oci,tar=false for a directory"
            )
        options = self.options(attributes)
        if kind == "docker" and options.compression == "zstd":
            raise UsageError.because(
                "a docker archive with zstd layers cannot be loaded by most versions of docker",
                "use --compression gzip, or --output type=oci",
            )
        if push:
            return self._pushed(kind, options, said)
        if not _boolean(f"--output type={kind}: store", said.get("store") or "true"):
            hint = "an image that is kept nowhere is type=cacheonly"
            raise UsageError.because("--output store=false is not supported where nothing is pushed", hint)
        if kind in ("image", "registry") or (kind == "docker" and not dest):
            return StoredImage(options)
        if kind == "docker":
            return DockerArchive(dest, options)
        if tar:
            return LayoutTar(dest or "-", options)
        if dest in ("", "-"):
            raise UsageError.because(f"--output type={kind},tar=false is a directory: it needs a dest")
        return LayoutDirectory(dest, options)

    def _pushed(self, kind: str, options: ImageOptions, said: dict[str, str]) -> PushedImage:
        def asked(key: str, default: str) -> bool:
            return _boolean(f"--output type={kind}: {key}", said.get(key) or default)

        return PushedImage(
            options, asked("push-by-digest", "false"), asked("name-canonical", "false"), asked("store", "true")
        )

    def options(self, attributes: list[tuple[str, str]]) -> ImageOptions:
        """What is asked of an image by the attributes of its output, and by the command's options."""
        said = dict(attributes)
        compression = _compression(said["compression"]) if said.get("compression") else self.compression
        if said.get("compression-level"):
            level = _level("--output: compression-level=", said["compression-level"], compression)
        else:
            # A level for the other outputs says nothing about one that is not compressed.
            level = _level("--compression-level ", self.level, compression) if _LEVELS[compression] else None
        names = tuple(name for key, value in attributes if key == "name" for name in value.split(",") if name)
        annotations = self.annotations
        if any(key.startswith("annotation") for key in said):
            from kezuri.export.annotations import of_attribute

            own = (of_attribute(key, value) for key, value in attributes)
            annotations = (*(found for found in own if found is not None), *annotations)
        docker_types = not _boolean("--output: oci-mediatypes", said.get("oci-mediatypes") or "true")
        if docker_types and annotations:
            raise UsageError.because(
                "--output oci-mediatypes=false: documents of Docker's media types have no annotations",
                "leave the annotations out, or the attribute",
            )
        forced = _boolean("--output: force-compression", said.get("force-compression") or "false")
        return ImageOptions(names, compression, level, annotations, docker_types, forced)


def _check_type(kind: str) -> None:
    if kind not in _KNOWN:
        guess = nearest(kind, _KNOWN)
        hint = f"did you mean {guess}?" if guess else f"one of: {', '.join(_KNOWN)}"
        raise UsageError.because(f"--output: unknown type {kind!r}", hint)


def _check(kind: str, key: str, value: str) -> None:
    """UsageError for an attribute that this type of output does not have, or that asks for what kezuri does not do."""
    known = _KNOWN[kind]
    if key.startswith("annotation") and "name" in known:
        return
    if key not in known:
        found = "name" if key.startswith("annotation") else key
        owners = ", ".join(f"type={other}" for other, keys in _KNOWN.items() if found in keys)
        if owners:
            raise UsageError.because(f"--output type={kind} has no attribute {key}", f"it is one of {owners}")
        near = nearest(key, known)
        there = ", ".join(known) + (" and annotation.KEY" if "name" in known else "") or "none"
        hint = f"did you mean {near}?" if near else f"there are {there}"
        raise UsageError.because(f"--output type={kind}: unknown attribute {key!r}", hint)
    refuse = _REFUSED.get(key)
    if refuse is not None:
        refuse(f"--output type={kind}: {key}", value)


def _refuse_mode(name: str, value: str) -> None:
    if value != "copy":
        raise UsageError.because(
            f"--output mode={value} is not supported",
            "what is in the directory stays, as with mode=copy: remove it before",
        )


_REFUSED: dict[str, Callable[[str, str], object]] = {
    "mode": _refuse_mode,
    "rewrite-timestamp": lambda name, value: _boolean(name, value),
    "unpack": lambda name, value: _boolean(name, value),
}


def _boolean(name: str, text: str) -> bool:
    found = parse_bool(text)
    if found is None:
        raise UsageError.because(f"{name} is true or false, not {text!r}")
    return found


def _compression(text: str) -> Compression:
    for known in _LEVELS:
        if text == known:
            return known
    raise UsageError.because(f"unknown compression {text!r}", "gzip, zstd or uncompressed")


def _level(name: str, text: str, compression: Compression) -> int | None:
    if not text:
        return None
    most = _LEVELS[compression]
    if not (text.isascii() and text.isdecimal()) or int(text) > most:
        raise UsageError.because(f"{name}{text}: {compression} has levels 0 to {most}")
    return int(text)
