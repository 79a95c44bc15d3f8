"""`doctor`: what this machine can do for kezuri, and whether the store is well."""

import os

from kezuri.app.answers import Check
from kezuri.app.request import Settings
from kezuri.linux.ownership import Privilege


def doctor(settings: Settings) -> tuple[Check, ...]:
    """What was found: how a build goes here, what explains that, and the store."""
    from kezuri.sandbox.doctor import findings, tried

    trial = tried(lambda: _build(settings))
    found = tuple(Check(f.name, f.state, f.detail, f.remedy) for f in findings(trial))
    return (*found, _store(settings), *_cache(settings), *_advisories(settings))


def _build(settings: Settings) -> None:
    """Make the smallest build that needs all that builds need, with these settings, in a store of its own where the
    store keeps its work in progress: nothing of it stays."""
    from kezuri.app.build import build
    from kezuri.app.outputs import CacheOnly
    from kezuri.app.request import BuildRequest
    from kezuri.sandbox import probe
    from kezuri.step.failure import StepFailed
    from kezuri.store.store import Store

    with Store(settings.root) as store, store.scratch("doctor") as place:
        context = os.path.join(place, "context")
        probe.lay_out(context)
        request = BuildRequest(context=context, outputs=(CacheOnly(),))
        try:
            build(request, settings._replace(root=os.path.join(place, "store")), lambda event: None)
        except StepFailed as error:
            if not probe.is_refused_program(os.uname().machine, error.ended):
                raise


def _store(settings: Settings) -> Check:
    from kezuri.diagnostics import KezuriError
    from kezuri.linux.mounts import type_at
    from kezuri.linux.refusal import refused
    from kezuri.store.store import Store

    try:
        with Store(settings.root) as store:
            names = len(store.names.all())
            status = os.statvfs(store.root)
            # Some file systems (ramfs) do not count.
            free = status.f_bavail * status.f_frsize if status.f_blocks else 1 << 60
            kind = type_at(store.root) or "an unknown file system"
    except KezuriError as error:
        return Check("store", "error", str(error), error.diagnostics[0].hint)
    except OSError as error:
        told = refused(error).diagnostics[0]
        return Check("store", "error", told.message, told.hint)
    state = "warning" if free < 2 << 30 else "ok"
    remedy = "`kezuri prune` frees space; --root puts the store on another disk" if state == "warning" else ""
    room = f"{free / 1e9:.1f} GB free, on {kind}" if free < 1 << 60 else f"on {kind}"
    return Check("store", state, f"{settings.root}: {names} images, {room}", remedy)


def _cache(settings: Settings) -> tuple[Check, ...]:
    """How far the cache is from what the settings allow; nothing where they allow everything."""
    from kezuri.app.housekeeping import standing
    from kezuri.diagnostics import KezuriError

    if not settings.limited:
        return ()
    try:
        stands = standing(settings)
    except KezuriError as error:
        return (Check("cache", "warning", str(error), error.diagnostics[0].hint),)
    used, free = f"{stands.used / 1e9:.1f}", f"{stands.free / 1e9:.1f}"
    most = "" if settings.max_used_space is None else f"{settings.max_used_space / 1e9:.1f}"
    least = "" if settings.min_free_space is None else f"{settings.min_free_space / 1e9:.1f}"
    if most and least:
        detail = f"{used} GB of {most} GB allowed, {free} GB free of {least} GB wanted"
    elif most:
        detail = f"{used} GB of {most} GB allowed"
    else:
        detail = f"{used} GB, {free} GB free of {least} GB wanted" if least else f"{used} GB"
    if not stands.excess:
        return (Check("cache", "ok", detail),)
    return (
        Check(
            "cache",
            "warning",
            detail,
            "a later build or pull cuts it down; `kezuri prune --max-used-space BYTES` does so now",
        ),
    )


def _advisories(settings: Settings) -> tuple[Check, ...]:
    """Whether the database of advisories is well; nothing where there is none, which builds do without."""
    from time import time

    from kezuri.app.advisories import status
    from kezuri.diagnostics import KezuriError

    if not settings.db or not os.path.exists(settings.db):
        return ()
    try:
        found = status(settings, time())
    except KezuriError as error:
        return (Check("advisories", "warning", str(error), error.diagnostics[0].hint),)
    for remark in found.remarks:
        return (Check("advisories", "warning", remark.message, remark.hint),)
    return (Check("advisories", "ok", f"{found.path}: {len(found.data)} data sets"),)


def check_store(settings: Settings, repair: bool = False) -> tuple[Check, ...]:
    """Look at everything in the store; what is wrong, or one line saying that all is well."""
    from kezuri.store.store import Store
    from kezuri.upkeep.soundness import Soundness

    with Store(settings.root, reading=not repair) as store:
        found = [
            Check(
                f"{finding.kind} {finding.name}",
                "warning" if finding.repaired else "error",
                finding.detail + (" (repaired)" if finding.repaired else ""),
                "" if finding.repaired else "run it again with --repair; what is lost is built or pulled again",
            )
            for finding in Soundness(store, Privilege()).check(repair)
        ]
        blobs = len(store.blobs.digests())
    return tuple(found) or (Check("store", "ok", f"{blobs} blobs, every digest right, nothing missing"),)
