"""The sandbox that a user asked for by name."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kezuri.sandbox.native import NativeSandbox


def choose(name: str, new_privileges: bool = False) -> "NativeSandbox":
    """kezuri's own sandbox for "", "kezuri" or "native", else the OCI runtime of this name or path.

    KezuriError names a runtime that is not installed.
    """
    if name in ("", "kezuri", "native"):
        from kezuri.sandbox.native import NativeSandbox as Native

        return Native(new_privileges)
    from kezuri.sandbox.runtime import RuntimeSandbox

    return RuntimeSandbox(name, new_privileges)
