"""`doctor`: what this machine can do for kezuri, and whether the store is well."""

import os

from kezuri.app.request import Check, Settings
from kezuri.linux.ownership import Privilege


def doctor(settings: Settings) -> tuple[Check, ...]:
    """What was found, the machine first, then the store."""
    from kezuri.sandbox.doctor import findings

    found = [Check(f.name, f.state, f.detail, f.remedy) for f in findings()]
    return (*found, *_store(settings))


def _store(settings: Settings) -> tuple[Check, ...]:
    from kezuri.diagnostics import KezuriError
    from kezuri.store.store import Store

    try:
        with Store(settings.root) as store:
            names = len(store.names.all())
            status = os.statvfs(store.root)
            free = status.f_bavail * status.f_frsize
    except KezuriError as error:
        return (Check("store", "error", str(error), error.diagnostics[0].hint),)
    state = "warning" if free < 2 << 30 else "ok"
    remedy = "`kezuri prune` frees space; --root puts the store on another disk" if state == "warning" else ""
    return (Check("store", state, f"{settings.root}: {names} images, {free / 1e9:.1f} GB free", remedy),)


def check_store(settings: Settings, repair: bool = False) -> tuple[Check, ...]:
    """Look at everything in the store; what is wrong, or one line saying that all is well."""
    from kezuri.store.store import Store
    from kezuri.upkeep.soundness import Soundness

    with Store(settings.root) as store:
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
