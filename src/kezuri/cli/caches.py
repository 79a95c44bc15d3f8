"""`--cache-from` and `--cache-to` as values: read and checked here, before anything is opened."""

from collections.abc import Callable

from kezuri.cli.options import UsageError
from kezuri.cli.values import fields, memory, pairs
from kezuri.diagnostics import KezuriError, nearest
from kezuri.oci.reference import Reference
from kezuri.scalars import parse_bool
from kezuri.travel.places import CacheSource, CacheTarget

_ELSEWHERE = {"gha": "GitHub's cache service", "s3": "Amazon S3", "azblob": "Azure Blob Storage"}
_ANY = ("registry", "local", "inline", *_ELSEWHERE)
_OF_BLOBS = ("compression", "compression-level", "force-compression", "oci-mediatypes", "image-manifest")
_FROM = {
    "registry": ("ref", "scope", "mounts", "registry.insecure"),
    "local": ("src", "tag", "digest", "scope", "mounts"),
}
_TO = {
    "registry": (
        "ref",
        "mode",
        "write",
        "ignore-error",
        "scope",
        "mounts",
        "max-size",
        "registry.insecure",
        *_OF_BLOBS,
    ),
    "local": (
        "dest",
        "tag",
        "mode",
        "write",
        "ignore-error",
        "scope",
        "mounts",
        "max-size",
        "keep-storage",
        "reset",
        *_OF_BLOBS,
    ),
    "inline": ("mode", "write", "ignore-error", *_OF_BLOBS),
}
_HIGHEST = {"": 9, "gzip": 9, "zstd": 22, "uncompressed": 0}


def read_sources(texts: tuple[str, ...], warn: Callable[[str], None]) -> tuple[CacheSource, ...]:
    """The caches that the values of `--cache-from` name. UsageError naming the attribute that is wrong; `warn` hears of
    types that kezuri does not know how to read, which are passed over."""
    found = []
    for text in texts:
        for kind, said in _each("--cache-from", text, warn):
            if kind == "inline":
                raise UsageError.because(
                    "--cache-from has no type=inline", "write the image's name: type=registry,ref=NAME"
                )
            _check("--cache-from", kind, said, _FROM)
            name, scope = f"--cache-from type={kind}", said.get("scope", "")
            mounts = _boolean(f"{name}: mounts", said.get("mounts"))
            if kind == "registry":
                found.append(CacheSource("registry", _reference(name, said, digest=True), scope=scope, mounts=mounts))
            else:
                place = _needed(name, said, "src", "DIR")
                found.append(CacheSource("local", place, said.get("tag", ""), said.get("digest", ""), scope, mounts))
    return tuple(found)


def read_targets(texts: tuple[str, ...], inline: bool, warn: Callable[[str], None]) -> tuple[CacheTarget, ...]:
    """The caches that the values of `--cache-to` name; `inline` adds that one (BUILDKIT_INLINE_CACHE). One with
    `write=false` is checked and left out. Errors and `warn` as for `read_sources`."""
    found = []
    for text in texts:
        for kind, said in _each("--cache-to", text, warn):
            _check("--cache-to", kind, said, _TO)
            if kind == "inline" and said.get("mode") == "max":
                warn("warning: --cache-to type=inline has mode=min only: an image has no layers of other stages")
                said["mode"] = "min"
            target = _target(kind, said)
            if _boolean(f"--cache-to type={kind}: write", said.get("write", "true")):
                found.append(target)
    if inline and all(target.kind != "inline" for target in found):
        found.append(CacheTarget("inline"))
    return tuple(found)


def _target(kind: str, said: dict[str, str]) -> CacheTarget:
    name = f"--cache-to type={kind}"
    mode = said.get("mode", "min")
    if mode not in ("min", "max"):
        raise UsageError.because(f"{name}: mode is min or max, not {mode!r}")
    if kind == "inline":
        return CacheTarget("inline")
    for key in ("oci-mediatypes", "image-manifest"):
        if not _boolean(f"{name}: {key}", said.get(key, "true")):
            raise UsageError.because(f"{name}: {key}=false is not supported", "a cache is an OCI image manifest")
    _boolean(f"{name}: force-compression", said.get("force-compression"))
    _boolean(f"{name}: reset", said.get("reset"))
    compression = said.get("compression", "")
    if compression not in _HIGHEST:
        raise UsageError.because(f"{name}: unknown compression {compression!r}", "gzip, zstd or uncompressed")
    level = said.get("compression-level", "")
    if level and not (level.isascii() and level.isdecimal() and int(level) <= _HIGHEST[compression]):
        raise UsageError.because(f"{name}: compression-level={level}: there are levels 0 to {_HIGHEST[compression]}")
    most = said.get("max-size") or said.get("keep-storage") or ""
    place = _reference(name, said, digest=False) if kind == "registry" else _needed(name, said, "dest", "DIR")
    return CacheTarget(
        "registry" if kind == "registry" else "local",
        place,
        said.get("tag", ""),
        "max" if mode == "max" else "min",
        "gzip" if compression == "gzip" else "zstd" if compression == "zstd" else "uncompressed" if compression else "",
        int(level) if level else None,
        said.get("scope", ""),
        _boolean(f"{name}: mounts", said.get("mounts")),
        memory(f"{name}: max-size", most) if most else 0,
        _boolean(f"{name}: ignore-error", said.get("ignore-error")),
    )


def _each(option: str, text: str, warn: Callable[[str], None]) -> list[tuple[str, dict[str, str]]]:
    """The types of a value with their attributes; names of images alone are of type registry, as in buildx."""
    if not text:
        raise UsageError.because(f"{option} is empty", "write for instance type=registry,ref=NAME")
    names = fields(option, text)
    if all("=" not in name for name in names):
        return [("registry", {"ref": name.strip()}) for name in names]
    if "=" not in names[0]:
        rest = ",".join(names[1:])
        raise UsageError.because(f"{option} {text!r} has no type", f"write type=registry,ref={names[0]},{rest}")
    said = dict(pairs(option, text))
    kind = said.pop("type", "")
    if not kind:
        raise UsageError.because(f"{option} {text!r} has no type", "one of: registry, local, inline")
    if kind in _ELSEWHERE:
        warn(
            f"warning: {option} type={kind} is not used: kezuri keeps no cache in {_ELSEWHERE[kind]}; use type=registry"
        )
        return []
    if kind not in _TO:
        guess = nearest(kind, _ANY)
        raise UsageError.because(
            f"{option}: unknown type {kind!r}", f"did you mean {guess}?" if guess else "one of: registry, local, inline"
        )
    return [(kind, said)]


def _check(option: str, kind: str, said: dict[str, str], known: dict[str, tuple[str, ...]]) -> None:
    if _boolean(f"{option} type={kind}: registry.insecure", said.get("registry.insecure")):
        raise UsageError.because(
            f"{option}: registry.insecure=true is not supported", "name the host with --insecure-registry HOST"
        )
    for key in said:
        if key not in known[kind]:
            guess = nearest(key, known[kind])
            there = f"there are {', '.join(known[kind])}"
            raise UsageError.because(
                f"{option} type={kind}: unknown attribute {key!r}", f"did you mean {guess}?" if guess else there
            )


def _reference(name: str, said: dict[str, str], *, digest: bool) -> str:
    text = _needed(name, said, "ref", "NAME")
    try:
        reference = Reference.parse(text)
    except KezuriError as error:
        raise UsageError(*error.diagnostics, exit_code=2) from None
    if reference.digest and not digest:
        raise UsageError.because(f"{name}: a cache is written under a tag, not under a digest: {text}")
    return text


def _needed(name: str, said: dict[str, str], key: str, form: str) -> str:
    value = said.get(key, "")
    if not value:
        raise UsageError.because(f"{name} needs {key}", f"write {key}={form}")
    return value


def _boolean(name: str, text: str | None) -> bool:
    found = parse_bool(text) if text is not None else False
    if found is None:
        raise UsageError.because(f"{name} is true or false, not {text!r}")
    return found
