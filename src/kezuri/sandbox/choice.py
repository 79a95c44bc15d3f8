"""The sandbox that a user asked for by name."""

from kezuri.sandbox.step import Sandbox


def choose(name: str, new_privileges: bool = False) -> Sandbox:
    """kezuri's own sandbox for "", "kezuri" or "native", else the OCI runtime of this name or path.

    KezuriError names a runtime that is not installed.
    """
    if name in ("", "kezuri", "native"):
        from kezuri.sandbox.native import NativeSandbox

        return NativeSandbox(new_privileges)
    from kezuri.sandbox.runtime import RuntimeSandbox

    return RuntimeSandbox(name, new_privileges)
