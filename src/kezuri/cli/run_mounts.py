"""`--volume`, `--mount` and `--tmpfs` of `kezuri run`, as docker writes them."""

import os
import stat

from kezuri.cli.options import UsageError
from kezuri.cli.values import fields, memory
from kezuri.containers.request import NamedVolume
from kezuri.diagnostics import KezuriError, nearest
from kezuri.sandbox.step import HostMount, TmpfsMount
from kezuri.scalars import parse_bool
from kezuri.store.volumes import check_name

_VOLUME_WORDS = ("ro", "rw", "z", "Z", "cached", "delegated", "consistent", "nocopy", "rprivate", "private")

Mounted = HostMount | TmpfsMount | NamedVolume | str
"""What an option asks for; a path alone is a volume that is gone with the container."""


def volume(text: str) -> Mounted:
    """`HOST:CONTAINER[:ro]`, `NAME:CONTAINER[:ro]` for a volume that stays, or `CONTAINER` alone for one that is gone
    with the container."""
    parts = text.split(":")
    if len(parts) == 1:
        return _target(f"--volume {text}", text)
    source, target = parts[0], parts[1]
    words = parts[2].split(",") if len(parts) == 3 else []
    if len(parts) > 3 or not source or any(word not in _VOLUME_WORDS for word in words):
        raise UsageError.because(f"--volume {text!r} is not of the form HOST:CONTAINER[:ro] or NAME:CONTAINER[:ro]")
    if "/" not in source and source not in (".", "..") and not source.startswith("~"):
        return _named(f"--volume {text}", source, target, "ro" not in words, "nocopy" not in words)
    target = _target(f"--volume {text}", target)
    return HostMount(_source(f"--volume {text}", source), target, "ro" not in words)


def device(text: str) -> HostMount:
    """`HOST[:CONTAINER][:rwm]`: a device of this machine, or a directory of devices. No part of the rights can be taken
    away: a device that is seen can be used as its mode says."""
    where = f"--device {text}"
    source, *rest = text.split(":")
    rights = rest.pop() if rest and not rest[-1].startswith("/") else "rwm"
    target = rest.pop() if rest else source
    if rest or not source.startswith("/") or not rights or set(rights) - set("rwm"):
        hint = "devices are named by their paths" if "=" in source or not source.startswith("/") else ""
        raise UsageError.because(f"{where} is not of the form HOST[:CONTAINER][:rwm]", hint)
    if not {"r", "w"} <= set(rights):
        raise UsageError.because(f"{where}: the rights of a device cannot be limited to {rights}", "leave them out")
    try:
        kind = os.stat(source).st_mode
    except OSError as error:
        raise UsageError.because(f"{where}: {error.strerror}: {source}") from None
    if not (stat.S_ISCHR(kind) or stat.S_ISBLK(kind) or stat.S_ISDIR(kind)):
        raise UsageError.because(f"{where}: {source} is no device", f"for a file: -v {source}:{target}")
    return HostMount(os.path.realpath(source), _target(where, target), device=True)


def _named(where: str, name: str, target: str, writable: bool, copies: bool) -> NamedVolume:
    try:
        check_name(name)
    except KezuriError as error:
        raise UsageError.because(f"{where}: {error}", error.diagnostics[0].hint) from None
    return NamedVolume(name, _target(where, target), writable, copies)


def tmpfs(text: str) -> TmpfsMount:
    """`PATH[:OPTIONS]`: rw, ro, exec, noexec, size=, mode=, uid=, gid=; noexec unless exec is said, as with docker."""
    path, _, options = text.partition(":")
    made = TmpfsMount(_target(f"--tmpfs {text}", path), noexec=True)
    for word in filter(None, options.split(",")):
        made = _tmpfs_option(f"--tmpfs {text}", made, word)
    return made


def _tmpfs_option(where: str, made: TmpfsMount, word: str) -> TmpfsMount:
    key, _, value = word.partition("=")
    match key:
        case "rw" | "ro":
            return made._replace(readonly=key == "ro")
        case "exec" | "noexec":
            return made._replace(noexec=key == "noexec")
        case "nosuid" | "nodev" | "async" | "noatime" | "relatime" | "private" | "rprivate":
            return made
        case "suid" | "dev":
            raise UsageError.because(f"{where}: {key} is not supported", "a tmpfs here is always nosuid and nodev")
        case "size" | "tmpfs-size":
            return made._replace(size=memory(where, value))
        case "mode" | "tmpfs-mode":
            return made._replace(mode=_number(where, key, value, 8, 0o7777), exact=True)
        case "uid":
            return made._replace(uid=_number(where, key, value, 10, (1 << 31) - 1))
        case "gid":
            return made._replace(gid=_number(where, key, value, 10, (1 << 31) - 1))
    known = ("rw", "ro", "exec", "noexec", "size", "mode", "uid", "gid", "nosuid", "nodev")
    guess = nearest(key, known)
    raise UsageError.because(
        f"{where}: {key!r} is not supported", f"did you mean {guess}?" if guess else f"known are {', '.join(known)}"
    )


def _number(where: str, key: str, value: str, base: int, most: int) -> int:
    try:
        number = int(value, base)
    except ValueError:
        number = -1
    if not 0 <= number <= most:
        raise UsageError.because(f"{where}: {key}={value} is no {'mode' if base == 8 else 'id'}")
    return number


_SAME = {"src": "source", "dst": "target", "destination": "target", "ro": "readonly"}
_BIND = ("bind-propagation", "bind-nonrecursive", "bind-recursive")
_VOLUME = ("volume-nocopy",)
_REFUSED = {
    "volume-driver": "volumes of other drivers are not supported",
    "volume-opt": "options of volume drivers are not supported",
    "volume-subpath": "the whole volume is shown",
    "volume-label": "kezuri volume create --label gives a volume labels",
}


def mount(text: str) -> Mounted:
    """`type=bind|tmpfs|volume,source=,target=,readonly`, in docker's words."""
    where = f"--mount {text}"
    said: dict[str, str] = {}
    for field in fields("--mount", text):
        key, equals, value = field.partition("=")
        said[_SAME.get(key.lower(), key.lower())] = value if equals else "true"
    kind = said.pop("type", "volume")
    if kind not in ("bind", "tmpfs", "volume"):
        hint = "bind, tmpfs and volume are there"
        raise UsageError.because(f"{where}: type={kind} is not supported", hint)
    if "target" not in said:
        raise UsageError.because(f"{where}: there is no target", "add target=/PATH")
    target, source = _target(where, said.pop("target")), said.pop("source", "")
    readonly = parse_bool(said.pop("readonly", "false"))
    if readonly is None:
        raise UsageError.because(f"{where}: readonly is true or false")
    said.pop("consistency", "")
    if kind == "tmpfs":
        made = TmpfsMount(target, readonly=readonly)
        for key in [key for key in said if key in ("tmpfs-size", "tmpfs-mode")]:
            made = _tmpfs_option(where, made, f"{key}={said.pop(key)}")
        if source:
            raise UsageError.because(f"{where}: a tmpfs has no source")
        _rest(where, said, ())
        return made
    if kind == "volume":
        nocopy = parse_bool(said.get("volume-nocopy", "false")) is True
        _rest(where, said, _VOLUME)
        if source:
            if "/" in source or source.startswith("~"):
                raise UsageError.because(
                    f"{where}: {source} is no name of a volume", f"for a directory here: type=bind,source={source}"
                )
            return _named(where, source, target, not readonly, not nocopy)
        if readonly:
            raise UsageError.because(f"{where}: a volume without a name that is read-only would stay empty")
        return target
    if said.get("bind-propagation", "rprivate") not in ("rprivate", "private"):
        raise UsageError.because(f"{where}: bind-propagation is rprivate here: mounts go neither in nor out")
    if said.get("bind-nonrecursive", "false") != "false" or said.get("bind-recursive", "enabled") != "enabled":
        raise UsageError.because(f"{where}: mounts below the source are always shown")
    _rest(where, said, _BIND)
    if not source:
        raise UsageError.because(f"{where}: a bind mount needs a source", "add source=DIRECTORY")
    return HostMount(_source(where, source), target, not readonly)


def _rest(where: str, said: dict[str, str], known: tuple[str, ...]) -> None:
    for key in said:
        if key in _REFUSED:
            raise UsageError.because(f"{where}: {key}: {_REFUSED[key]}")
        if key not in known:
            guess = nearest(key, ("type", "source", "target", "readonly", "tmpfs-size", "tmpfs-mode", *known))
            raise UsageError.because(f"{where}: {key!r} is not known here", f"did you mean {guess}?" if guess else "")


def _target(where: str, path: str) -> str:
    if not path.startswith("/"):
        raise UsageError.because(f"{where}: {path!r} is not an absolute path in the container")
    clean = os.path.normpath(path)
    if clean in ("/", "//"):
        raise UsageError.because(f"{where}: nothing can be mounted at / itself")
    return clean


def _source(where: str, path: str) -> str:
    if path.startswith("~"):
        path = os.path.expanduser(path)
    path = os.path.abspath(path)
    if not os.path.lexists(path):
        raise UsageError.because(f"{where}: there is no {path}", "make it first")
    return path
