"""`kezuri store check`: whether everything in the store is what it should be."""

from kezuri.cli.commands.doctor import FORMAT, show
from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option

COMMAND = Command(
    "store check",
    "Verify every blob and record of the store",
    (Option(("--repair",), "flag", "Remove what is damaged, so that it is fetched or built again"), FORMAT),
    description="Exit code 1 when something is damaged.",
)


def execute(invocation: Invocation) -> int:
    """Exit code 1 when something is damaged."""
    from kezuri.app.doctor import check_store

    parsed = invocation.parsed
    checks = check_store(invocation.settings, parsed.flag("--repair"))
    return show(invocation.console, checks, parsed.text("--format"))
