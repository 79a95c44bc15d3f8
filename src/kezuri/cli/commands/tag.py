"""`kezuri tag`: another name for an image."""

from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command

COMMAND = Command(
    "tag",
    "Give an image another name",
    operands="SOURCE TARGET",
    least=2,
    most=2,
    aliases=("image tag",),
    completes="image",
)


def execute(invocation: Invocation) -> int:
    """Silent when it went well, as docker's."""
    from kezuri.app.images import tag

    source, target = invocation.parsed.operands
    tag(invocation.settings, source, target)
    return 0
