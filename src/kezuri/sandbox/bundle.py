"""An OCI runtime's config.json for a step (runtime-spec v1.0)."""

import os
from typing import Any

from kezuri.linux import idmaps, privileges
from kezuri.sandbox import hostfiles, identity, kernelfs, seccomp
from kezuri.sandbox.assembly import Assembly, Piece
from kezuri.sandbox.failure import StartFailure
from kezuri.sandbox.step import FileMount, HostMount, SecretMount, Step, TmpfsMount, TreeMount


def config(step: Step, made: Assembly, no_new_privileges: bool) -> dict[str, Any]:
    """The configuration of one step whose root is mounted already, with every mount outside /proc, /dev and /sys.

    Namespaces of the network and of users are not asked for: the runtime runs in the right ones. No control group is
    made, so nothing restricts devices: root does without the capability to make device nodes.
    """
    process: dict[str, Any] = {
        "terminal": False,
        "user": {"uid": step.uid, "gid": step.gid, "additionalGids": list(step.groups), "umask": 0o022},
        "args": list(step.argv),
        "env": [f"{k}={v}" for k, v in hostfiles.environment(step).items()],
        "cwd": step.cwd,
        "noNewPrivileges": no_new_privileges,
        "capabilities": _capabilities(step, no_new_privileges),
        "rlimits": [
            {"type": f"RLIMIT_{name.upper()}", "soft": soft % (1 << 64), "hard": hard % (1 << 64)}
            for name, soft, hard in identity.limits(step)
        ],
    }
    linux: dict[str, Any] = {
        "namespaces": [{"type": kind} for kind in ("pid", "mount", "ipc", "uts")],
        "maskedPaths": [] if step.insecure else list(kernelfs.MASKED),
        "readonlyPaths": [] if step.insecure else list(kernelfs.READ_ONLY),
    }
    if not (idmaps.is_initial_user() and privileges.permitted() & privileges.mask(("MKNOD",))):
        # The runtime then shows the device nodes of the machine, whose owner may be root of the step: read-only, so
        # that the step cannot change their modes.
        linux["readonlyPaths"] += [f"/dev/{name}" for name in kernelfs.DEVICES]
    if not (step.insecure or step.unfiltered):
        machine = os.uname().machine
        if not seccomp.is_known(machine):
            raise StartFailure(f"kezuri has no system call filter for {machine}")
        linux["seccomp"] = seccomp.oci_profile(machine)
    return {
        "ociVersion": "1.0.2",
        "root": {"path": made.root, "readonly": step.readonly},
        "hostname": step.hostname,
        "process": process,
        "mounts": [*_kernel(step), *(_bind(piece) for piece in made.pieces if is_inside_kernel(piece))],
        "linux": linux,
    }


def is_inside_kernel(piece: Piece) -> bool:
    """Whether a piece lies in a file system that the runtime mounts: then the runtime has to mount the piece too."""
    return piece.mount is not None and (piece.place.path + "/").startswith(("/dev/", "/sys/"))


def _capabilities(step: Step, no_new_privileges: bool) -> dict[str, list[str]]:
    refused = () if step.insecure or not idmaps.is_initial_user() else ("MKNOD",)
    has = identity.capabilities(step) & ~privileges.mask(refused)
    bounds = identity.bounds(step, no_new_privileges) & ~privileges.mask(refused)
    kept, named = (
        [f"CAP_{name}" for name in privileges.CAPABILITIES if have & privileges.mask((name,))] for have in (has, bounds)
    )
    return {"bounding": named, "effective": kept, "permitted": kept}


def _kernel(step: Step) -> list[dict[str, Any]]:
    lock = [] if step.insecure else ["ro"]
    pts = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]
    if idmaps.is_mapped(kernelfs.TTY_GROUP, idmaps.id_map("/proc/self/gid_map")):
        pts.append(f"gid={kernelfs.TTY_GROUP}")
    sys: dict[str, Any] = {
        "destination": "/sys",
        "type": "sysfs",
        "source": "sysfs",
        "options": ["nosuid", "noexec", "nodev", *lock],
    }
    if step.network == "host" and not idmaps.is_initial_user():
        # A user namespace gets a sysfs of its own only together with a network namespace.
        sys = {"destination": "/sys", "type": "none", "source": "/sys"}
        sys["options"] = ["rbind", "nosuid", "noexec", "nodev", *lock]
    return [
        {
            "destination": "/proc",
            "type": "proc",
            "source": "proc",
            "options": ["nosuid", "noexec", "nodev"],
        },
        {
            "destination": "/dev",
            "type": "tmpfs",
            "source": "tmpfs",
            "options": ["nosuid", "strictatime", "mode=755", "size=65536k"],
        },
        sys,
        {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": pts},
        {
            "destination": "/dev/shm",
            "type": "tmpfs",
            "source": "shm",
            "options": ["nosuid", "noexec", "nodev", "mode=1777", f"size={step.shm_size}"],
        },
        {
            "destination": "/dev/mqueue",
            "type": "mqueue",
            "source": "mqueue",
            "options": ["nosuid", "noexec", "nodev"],
        },
    ]


def _bind(piece: Piece) -> dict[str, Any]:
    options = ["rbind"]
    mount = piece.mount
    if isinstance(mount, FileMount | SecretMount) or (isinstance(mount, TreeMount | HostMount) and not mount.writable):
        options.append("ro")
    if isinstance(mount, FileMount | SecretMount | TmpfsMount):
        options += ["nosuid", "nodev"]
    if isinstance(mount, SecretMount) and not mount.mode & 0o111:
        options.append("noexec")
    return {"destination": piece.place.path, "type": "none", "source": piece.source, "options": options}
