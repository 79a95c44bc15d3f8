"""The sandbox that a user asked for by name."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kezuri.linux.cgroups import Groups
    from kezuri.sandbox.native import NativeSandbox


def is_own(name: str) -> bool:
    """Whether the name is one of kezuri's own sandbox: "kezuri", "native", or none at all."""
    return name in ("", "kezuri", "native")


def choose(name: str, no_new_privileges: bool = False, groups: "Groups | None" = None) -> "NativeSandbox":
    """kezuri's own sandbox where the name says that, else the OCI runtime of this name or path.

    KezuriError names a runtime that is not installed.
    """
    if is_own(name):
        from kezuri.sandbox.native import NativeSandbox as Native

        return Native(no_new_privileges, groups)
    from kezuri.sandbox.runtime import RuntimeSandbox

    return RuntimeSandbox(name, no_new_privileges, groups)
