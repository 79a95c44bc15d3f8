"""`kezuri digest`: what a name stands for now."""

from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option

COMMAND = Command(
    "digest",
    "Show the digest that a name stands for",
    (
        Option(("--full-ref",), "flag", "Print the name with the digest"),
        Option(("--platform",), "text", "Of an index, the digest of this platform's manifest", "OS/ARCH"),
    ),
    operands="IMAGE",
    least=1,
    most=1,
    aliases=("image digest",),
    completes="image",
    description="A name alone means the store's image if there is one, else the registry's; docker://NAME the\n"
    "registry's, of which only the head is asked for. Layouts and archives are named as for `kezuri copy`.",
)


def execute(invocation: Invocation) -> int:
    """Print the digest."""
    from kezuri.app.manifests import digest

    parsed, console = invocation.parsed, invocation.console
    text = parsed.operands[0]
    found = digest(invocation.settings, text, parsed.text("--platform"), console.warn)
    if parsed.flag("--full-ref"):
        from kezuri.oci.reference import Reference

        reference = Reference.parse(text.removeprefix("docker://").removeprefix("store:"))
        found = reference._replace(tag="", digest=found).familiar
    console.say(found)
    return 0
