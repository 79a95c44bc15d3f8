"""`kezuri bases`: base images made here, from packages, for machines that reach no registry."""

from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option, UsageError
from kezuri.cli.table import FORMAT, listing

COMMAND = Command(
    "bases",
    "List base images that can be made from packages, or make some",
    (
        Option(("--out", "-o"), "text", "Write an OCI layout there, not the store", "DIR", completes="directory"),
        Option(("--all", "-a"), "flag", "Make all of them"),
        FORMAT,
    ),
    operands="[NAME...]",
    most=-1,
    description="Without a name the images that can be made are listed.",
    completes="base",
    holds=True,
)


def execute(invocation: Invocation) -> int:
    """List the base images that can be made, or make one."""
    from kezuri.app.bases import is_offered, make, names
    from kezuri.diagnostics import nearest

    parsed, console = invocation.parsed, invocation.console
    known = names()
    wanted = tuple(name for name, _ in known) if parsed.flag("--all") else parsed.operands
    if not wanted:
        if parsed.given("--out"):
            raise UsageError.because("kezuri bases --out needs names, or --all")
        columns = {"Name": "NAME", "Description": "WHAT IT IS"}
        rows = [{"Name": name, "Description": text} for name, text in known]
        listing(console, parsed.text("--format"), rows, columns, columns)
        return 0
    offered = [name for name, _ in known]
    for name in wanted:
        if name not in offered and not is_offered(name):
            guess = nearest(name, offered)
            raise UsageError.because(
                f"there is no base image {name!r} to be made", f"did you mean {guess}?" if guess else "see kezuri bases"
            )
    make(invocation.settings, wanted, parsed.text("--out"), console.note)
    return 0
