"""`RUN --mount=`: from options as written to mounts as planned (BuildKit's Dockerfile reference, RUN --mount)."""

import posixpath
from collections.abc import Callable

from kezuri.diagnostics import KezuriError, SourceText, nearest
from kezuri.dockerfile.instructions import MountOption
from kezuri.plan.operation import (
    AgentMount,
    BindMount,
    CacheMount,
    ContextInput,
    Input,
    RunMount,
    SecretMount,
    TmpfsMount,
)

_KEYS = {
    "bind": {"from", "source", "target", "readonly"},
    "cache": {"id", "sharing", "from", "source", "target", "mode", "uid", "gid", "readonly"},
    "tmpfs": {"target", "size"},
    "secret": {"id", "target", "env", "required", "mode", "uid", "gid"},
    "ssh": {"id", "target", "required", "mode", "uid", "gid"},
}
_SYNONYMS = {"src": "source", "dst": "target", "destination": "target", "ro": "readonly"}
_UNITS = {"b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50}


def plan_mounts(
    options: tuple[MountOption, ...],
    workdir: str,
    source: SourceText,
    expand: Callable[[str], str],
    find: Callable[[str, MountOption], Input],
) -> tuple[RunMount, ...]:
    """The mounts of one RUN, in the order of their targets so that a parent comes before what is mounted in it."""
    mounts = []
    for number, option in enumerate(options):
        try:
            mounts.append(_Reader(option, workdir, expand, find, number).read())
        except KezuriError as error:
            first = error.diagnostics[0]
            if first.span is not None:
                raise
            raise KezuriError(first._replace(source=source, span=option.span), exit_code=error.exit_code) from error
    return tuple(sorted(mounts, key=lambda m: m.target))


def parse_size(text: str) -> int:
    """A size such as `64m`, `1.5GiB` or `1024` in bytes (go-units RAMInBytes); ValueError when it is none."""
    low = text.strip().lower()
    number = low.rstrip("bikmgtp")
    unit = low[len(number) :]
    if unit not in ("", "b") and (unit[0] not in _UNITS or unit[1:] not in ("", "b", "ib")):
        raise ValueError(text)
    value = float(number.strip())
    if value < 0 or value != value or value == float("inf"):
        raise ValueError(text)
    return int(value * (_UNITS[unit[0]] if unit else 1))


class _Reader:
    def __init__(
        self,
        option: MountOption,
        workdir: str,
        expand: Callable[[str], str],
        find: Callable[[str, MountOption], Input],
        number: int,
    ) -> None:
        self._option = option
        self._workdir = workdir
        self._expand = expand
        self._find = find
        self._number = number
        self._values: dict[str, str] = {}
        self._writable: bool | None = None

    def read(self) -> RunMount:
        kind = next((v for k, v in self._option.options if k == "type"), "bind")
        kind = self._expand(kind).lower()
        if kind not in _KEYS:
            near = nearest(kind, _KEYS)
            raise KezuriError.of(
                f"unsupported mount type {kind!r}",
                hint=f"did you mean {near}?" if near else f"there are {', '.join(_KEYS)}",
            )
        self._collect(kind)
        if kind == "bind":
            return self._bind()
        if kind == "cache":
            return self._cache()
        if kind == "tmpfs":
            return self._tmpfs()
        return self._secret() if kind == "secret" else self._agent()

    def _collect(self, kind: str) -> None:
        allowed = _KEYS[kind]
        for key, raw in self._option.options:
            if key == "type":
                continue
            value = raw if key == "from" else self._expand(raw)
            if key in ("rw", "readwrite"):
                if kind not in ("bind", "cache"):
                    raise KezuriError.of(f"unexpected key {key!r} for mount type {kind!r}")
                self._writable = self._flag(key, value)
                continue
            name = _SYNONYMS.get(key, key)
            if kind in ("secret", "ssh") and key == "source":
                name = "id"
            if name == "readonly" and name in allowed:
                self._writable = not self._flag(key, value)
                continue
            if name not in allowed:
                near = nearest(name, allowed)
                raise KezuriError.of(
                    f"unexpected key {key!r} for mount type {kind!r}",
                    hint=f"did you mean {near}?" if near else f"it takes {', '.join(sorted(allowed))}",
                )
            if name != "required" and not value and name not in ("source",):
                raise KezuriError.of(f"mount option {key!r} needs a value")
            if name == "id" and kind == "secret" and name in self._values:
                raise KezuriError.of("a secret mount takes either id or source, not both")
            self._values[name] = value

    def _flag(self, key: str, value: str) -> bool:
        if value.lower() in ("", "true", "1", "t"):
            return True
        if value.lower() in ("false", "0", "f"):
            return False
        raise KezuriError.of(f"invalid value for {key}: {value!r}", hint="write true or false")

    def _number_of(self, name: str, base: int = 10) -> int | None:
        value = self._values.get(name)
        if value is None:
            return None
        try:
            number = int(value, base)
            if number < 0:
                raise ValueError
        except ValueError:
            raise KezuriError.of(
                f"invalid value {value!r} for {name}", hint="an octal number" if base == 8 else "a number"
            ) from None
        return number

    def _target(self, required: bool = True) -> str:
        value = self._values.get("target", "")
        if not value:
            if required:
                raise KezuriError.of("this mount needs a target", hint="add target=/some/path")
            return ""
        path = posixpath.normpath(posixpath.join(self._workdir, value))
        if path in ("/", "//"):
            raise KezuriError.of("invalid mount target '/'")
        return path

    def _input(self) -> Input | None:
        name = self._values.get("from")
        return None if name is None else self._find(name, self._option)

    def _bind(self) -> BindMount:
        found = self._input()
        return BindMount(
            self._target(),
            ContextInput() if found is None else found,
            self._values.get("source", "/"),
            bool(self._writable),
        )

    def _cache(self) -> CacheMount:
        target = self._target()
        sharing = self._values.get("sharing", "shared")
        if sharing not in ("shared", "private", "locked"):
            raise KezuriError.of(f"unsupported sharing value {sharing!r}", hint="shared, private or locked")
        return CacheMount(
            target,
            self._values.get("id", target),
            sharing,
            self._input(),
            self._values.get("source", "/"),
            self._number_of("mode", 8),
            self._number_of("uid"),
            self._number_of("gid"),
            self._writable is False,
        )

    def _tmpfs(self) -> TmpfsMount:
        size = self._values.get("size")
        try:
            return TmpfsMount(self._target(), parse_size(size) if size else 0)
        except ValueError:
            raise KezuriError.of(f"invalid size {size!r}", hint="for instance size=64m") from None

    def _required(self) -> bool:
        return self._flag("required", self._values["required"]) if "required" in self._values else False

    def _secret(self) -> SecretMount:
        target, env = self._target(required=False), self._values.get("env", "")
        name = self._values.get("id", "")
        if not name:
            if not target and not env:
                raise KezuriError.of("a secret mount needs an id", hint="add id=NAME")
            name = posixpath.basename(target) if target else env
        if not target and not env:
            target = f"/run/secrets/{posixpath.basename(name)}"
        mode = self._number_of("mode", 8)
        return SecretMount(
            name,
            target,
            env,
            self._required(),
            0o400 if mode is None else mode,
            self._number_of("uid") or 0,
            self._number_of("gid") or 0,
        )

    def _agent(self) -> AgentMount:
        target = self._target(required=False) or f"/run/buildkit/ssh_agent.{self._number}"
        mode = self._number_of("mode", 8)
        return AgentMount(
            self._values.get("id", "default"),
            target,
            self._required(),
            0o600 if mode is None else mode,
            self._number_of("uid") or 0,
            self._number_of("gid") or 0,
        )
