"""The components of each step's key: everything that can change its result, and nothing else.

What does not count: modification times, the values of secrets, proxy variables, the contents and the ids of cache
mounts (what seeds a new one does), the addresses of extra hosts, the certificate bundle, the runtime.
"""

import json
from collections.abc import Mapping

from kezuri.keys.options import DEFAULT_HOSTNAME, RunSettings
from kezuri.keys.state import State
from kezuri.plan.key import Components
from kezuri.plan.operation import (
    AgentMount,
    BindMount,
    CacheMount,
    CopyOperation,
    RunMount,
    RunOperation,
    SecretMount,
    TmpfsMount,
    WorkdirOperation,
)

_VERSION = "1"


def run_components(
    operation: RunOperation, before: State, settings: RunSettings, bound: Mapping[int, str]
) -> Components:
    """The key of a RUN. `bound` holds the content digest of what each bind mount shows and of what each cache mount is
    seeded with, by the mount's position."""
    parts = [
        ("version", _VERSION),
        ("kind", operation.kind),
        ("state before", before.id),
        ("command", _text(operation.argv)),
        *((f"env {name}", value) for name, value in operation.env),
        ("working directory", operation.cwd),
        ("user", operation.user),
        ("platform", str(operation.platform)),
    ]
    if operation.network != "default":
        parts.append(("network", operation.network))
    if operation.insecure:
        parts.append(("security", "insecure"))
    if operation.script:
        parts.append(("script", operation.script.decode("utf-8", "surrogateescape")))
    for position, mount in enumerate(operation.mounts):
        parts.append((f"mount {mount.target or position}", _mount(mount)))
        if isinstance(mount, BindMount | CacheMount) and position in bound:
            parts.append((mount.component, bound[position]))
    if settings.hosts:
        parts.append(("extra hosts", _text(sorted(name for name, _ in settings.hosts))))
    if settings.ulimits:
        parts.append(("ulimits", _text(settings.ulimits)))
    if settings.shm_size:
        parts.append(("shm size", str(settings.shm_size)))
    if settings.hostname != DEFAULT_HOSTNAME:
        parts.append(("hostname", settings.hostname))
    if settings.no_new_privileges:
        parts.append(("no new privileges", "true"))
    return tuple(parts)


def copy_components(operation: CopyOperation, before: State, files: Components) -> Components:
    """The key of a COPY or ADD. `files` says exactly what the instruction selects: a content digest of local files,
    and what each remote source is."""
    parts = [("version", _VERSION), ("kind", operation.kind)]
    if operation.link:
        parts.append(("link", "true"))
    else:
        parts.append(("state before", before.id))
    parts += [*files, ("destination", operation.destination)]
    for name, value in (
        ("owner", operation.chown),
        ("mode", operation.chmod),
        ("parents", "true" if operation.parents else ""),
        ("exclude", _text(operation.excludes) if operation.excludes else ""),
        ("unpack", "" if operation.unpack is None else str(operation.unpack).lower()),
    ):
        if value:
            parts.append((name, value))
    for name, data in operation.heredocs:
        parts.append((f"heredoc {name}", data.decode("utf-8", "surrogateescape")))
    if operation.heredocs:
        parts.append(("order", _text(operation.order)))
    return tuple(parts)


def workdir_components(operation: WorkdirOperation, before: State) -> Components:
    """The key of a WORKDIR."""
    return (
        ("version", _VERSION),
        ("kind", operation.kind),
        ("state before", before.id),
        ("path", operation.path),
        ("user", operation.user),
    )


def _mount(mount: RunMount) -> str:
    match mount:
        case BindMount():
            return _text(["bind", mount.source, mount.writable])
        case CacheMount():
            # A mode or an owner makes another cache, and shows in the step.
            made = (mount.mode, mount.uid, mount.gid)
            return _text(["cache", mount.readonly, *(made if made != (None, None, None) else ())])
        case TmpfsMount():
            return _text(["tmpfs", mount.size])
        case SecretMount():
            return _text(["secret", mount.id, mount.env, mount.required, mount.mode, mount.uid, mount.gid])
        case AgentMount():
            return _text(["ssh", mount.id, mount.required, mount.mode, mount.uid, mount.gid])


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))
