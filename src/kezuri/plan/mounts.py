"""`RUN --mount=`: from options as written to mounts as planned (BuildKit's Dockerfile reference, RUN --mount)."""

import posixpath
from collections.abc import Callable

from kezuri.diagnostics import KezuriError, Place, nearest
from kezuri.dockerfile.instructions import MountOption, Run
from kezuri.plan.inputs import ContextInput, Finder, Input
from kezuri.plan.operation import AgentMount, BindMount, CacheMount, RunMount, SecretMount, TmpfsMount
from kezuri.plan.paths import clean
from kezuri.scalars import parse_bool

_TYPES = ("bind", "cache", "tmpfs", "secret", "ssh")
_SHARINGS = ("shared", "private", "locked")
_NAMES = {
    "from": "from",
    "source": "source",
    "src": "source",
    "target": "target",
    "dst": "target",
    "destination": "target",
    "id": "id",
    "sharing": "sharing",
    "env": "env",
    "size": "size",
    "mode": "mode",
    "uid": "uid",
    "gid": "gid",
}
_SWITCHES = {"readonly": True, "ro": True, "readwrite": False, "rw": False}


def plan_mounts(run: Run, workdir: str, expand: Callable[[str], str], find: Finder) -> tuple[tuple[RunMount, ...], str]:
    """The mounts of one RUN, in the order of their targets so that a parent comes before what is mounted in it; and
    where the first agent's socket is, empty when there is none. KezuriError, at the mount, for what it must not say."""
    mounts: list[RunMount] = []
    agents: list[str] = []
    for option in run.mounts:
        place = run.node.part(option.span)
        try:
            mount = _Reader(option, place, workdir, expand, find, len(agents)).read()
        except KezuriError as error:
            raise error.at(place) from error
        mounts.append(mount)
        if isinstance(mount, AgentMount):
            agents.append(mount.target)
    return tuple(sorted(mounts, key=lambda m: m.target)), agents[0] if agents else ""


class _Reader:
    """Reads one mount. `agents` is how many agents the RUN has mounted before."""

    def __init__(
        self,
        option: MountOption,
        place: Place,
        workdir: str,
        expand: Callable[[str], str],
        find: Finder,
        agents: int,
    ) -> None:
        self._option = option
        self._place = place
        self._workdir = workdir
        self._expand = expand
        self._find = find
        self._agents = agents
        self._type = "bind"
        self._required = False
        self._values: dict[str, str] = {}
        self._readonly: bool | None = None

    def read(self) -> RunMount:
        # Options are read in their order, as BuildKit does: `required` and `size` want the type before them.
        for key, raw in self._option.options:
            if raw is None and key not in _SWITCHES and key != "required":
                hint = f"write {key}=VALUE" if key else "remove the comma that nothing follows"
                raise KezuriError.of(f"invalid field '{key}' must be a key=value pair", hint=hint)
            self._take(key, "true" if raw is None else raw if key == "from" else self._expand(raw))
        self._check()
        found = self._find(self._values["from"], self._place) if self._values.get("from") else None
        if self._type == "bind":
            return BindMount(
                self._target(),
                ContextInput() if found is None else found,
                self._values.get("source") or "/",
                self._readonly is False,
            )
        if self._type == "cache":
            return self._cache(found)
        if self._type == "tmpfs":
            return TmpfsMount(self._target(), self._size())
        return self._secret() if self._type == "secret" else self._agent()

    def _take(self, key: str, value: str) -> None:
        if key == "type":
            self._type = self._one_of("mount type", value, _TYPES)
        elif key in _SWITCHES:
            self._readonly = self._flag(key, value) is _SWITCHES[key]
        elif key == "required" and self._type in ("secret", "ssh"):
            self._required = self._flag(key, value)
        elif key == "required" or (key == "size" and self._type != "tmpfs"):
            wanted = "type=secret and type=ssh" if key == "required" else "type=tmpfs"
            raise KezuriError.of(
                f"unexpected key '{key}' for mount type '{self._type}'", hint=f"it stands behind {wanted}"
            )
        elif key in _NAMES:
            self._values[_NAMES[key]] = value
        else:
            near = nearest(key, (*_NAMES, *_SWITCHES, "type", "required"))
            raise KezuriError.of(
                f"unexpected key '{key}' in '{key}={value}'",
                hint=f"did you mean {near}?" if near else "see `RUN --mount` in the Dockerfile reference",
            )

    def _check(self) -> None:
        if self._type in ("bind", "tmpfs"):
            for name in ("mode", "uid", "gid"):
                if name in self._values:
                    raise KezuriError.of(f'{name} not allowed for "{self._type}" type mounts')
        if "sharing" in self._values:
            self._values["sharing"] = self._one_of("sharing value", self._values["sharing"], _SHARINGS)
            if self._type != "cache":
                raise KezuriError.of(f"invalid cache sharing set for {self._type} mount")
        if self._type == "ssh" and self._values.get("source"):
            raise KezuriError.of("ssh does not support source", hint="id=NAME says which agent")
        if self._type == "secret":
            if self._values.get("from"):
                raise KezuriError.of("secret mount should not have a from")
            if not any(self._values.get(name) for name in ("source", "target", "id")):
                raise KezuriError.of("invalid secret mount. one of source, target required", hint="add id=NAME")
            if self._values.get("source") and self._values.get("id"):
                raise KezuriError.of("both source and id can't be set")

    def _one_of(self, what: str, value: str, known: tuple[str, ...]) -> str:
        if value.lower() in known:
            return value.lower()
        near = nearest(value.lower(), known)
        raise KezuriError.of(
            f"unsupported {what} {value!r}", hint=f"did you mean {near}?" if near else f"there are {', '.join(known)}"
        )

    def _flag(self, key: str, value: str) -> bool:
        found = parse_bool(value)
        if found is None:
            raise KezuriError.of(f"invalid value for {key}: {value}", hint="write true or false")
        return found

    def _number(self, name: str, base: int = 10) -> int | None:
        value = self._values.get(name)
        if value is None:
            return None
        digits = "01234567" if base == 8 else "0123456789"
        if not value or value.strip(digits) or int(value, base) >= 1 << 32:
            hint = "an octal number" if base == 8 else "a number"
            raise KezuriError.of(f"invalid value {value!r} for {name}", hint=hint)
        return int(value, base)

    def _target(self) -> str:
        path = clean(posixpath.join("/", self._workdir, self._values.get("target", "")))
        if path == "/":
            hint = "" if self._values.get("target") else "add target=/some/path"
            raise KezuriError.of('invalid mount target "/"', hint=hint)
        return path

    def _size(self) -> int:
        size = self._values.get("size")
        if size is None:
            return 0
        from kezuri.scalars.sizes import parse_size

        try:
            return parse_size(size)
        except ValueError:
            raise KezuriError.of(f"invalid value for size: {size}", hint="for instance size=64m") from None

    def _cache(self, found: Input | None) -> CacheMount:
        mode, uid, gid = self._number("mode", 8), self._number("uid"), self._number("gid")
        source = self._values.get("source") or "/"
        if clean(source) != "/":
            # The directory that source= names has a mode and an owner already, and keeps them.
            mode = uid = gid = None
        elif (mode, uid, gid) != (None, None, None):
            # For an owner or a mode BuildKit starts with a new, empty directory, so that from= has no effect.
            found = None
        return CacheMount(
            self._target(),
            # The target as written, before it is joined to the working directory.
            self._values.get("id") or posixpath.normpath(self._values.get("target") or "."),
            self._values.get("sharing", "shared"),
            found,
            source,
            mode,
            uid,
            gid,
            self._readonly is True,
        )

    def _secret(self) -> SecretMount:
        target, env = self._values.get("target", ""), self._values.get("env")
        name = self._values.get("source") or self._values.get("id") or posixpath.basename(target.rstrip("/"))
        if not target and env is None:
            target = f"/run/secrets/{posixpath.basename(name.rstrip('/'))}"
        mode = self._number("mode", 8)
        return SecretMount(
            name,
            clean(target) if target else "",
            # An empty name means the secret's own.
            "" if env is None else env or name,
            self._required,
            0o400 if mode is None else mode,
            self._number("uid") or 0,
            self._number("gid") or 0,
        )

    def _agent(self) -> AgentMount:
        target = self._values.get("target")
        mode = self._number("mode", 8)
        return AgentMount(
            self._values.get("id") or "default",
            clean(target) if target else f"/run/buildkit/ssh_agent.{self._agents}",
            self._required,
            0o600 if mode is None else mode,
            self._number("uid") or 0,
            self._number("gid") or 0,
        )
