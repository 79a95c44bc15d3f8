"""`kezuri inspect`: everything about images, as JSON."""

from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option

COMMAND = Command(
    "inspect",
    "Show everything about images, as JSON",
    (
        Option(("--format", "-f"), "text", "json, or a Go template: {{.Config.User}}", "FORMAT"),
        Option(("--platform",), "text", "Which platform's image", "OS/ARCH"),
        Option(("--type",), "choice", "Accepted: there are only images", "TYPE", ("image",), ignored=True),
    ),
    operands="IMAGE...",
    least=1,
    most=-1,
    aliases=("image inspect",),
    completes="image",
)


def execute(invocation: Invocation) -> int:
    """Print one JSON array, or the template for each image."""
    from kezuri.app.images import inspect

    parsed, console = invocation.parsed, invocation.console
    form, platform = parsed.text("--format"), parsed.text("--platform")
    if form in ("", "json"):
        from kezuri.cli.json_text import json_text

        found = inspect(invocation.settings, parsed.operands, platform)
        console.say(json_text(found, None if form else 4))
        return 0
    from kezuri.cli.template import Template

    template = Template(form)
    for text in [template.render(image) for image in inspect(invocation.settings, parsed.operands, platform)]:
        console.data(text)
    return 0
