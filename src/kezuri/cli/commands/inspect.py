"""`kezuri inspect`: everything about images, as JSON."""

from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option
from kezuri.diagnostics import KezuriError

COMMAND = Command(
    "inspect",
    "Show everything about images, as JSON",
    (
        Option(("--format", "-f"), "text", "json, or a Go template: {{.Config.User}}", "FORMAT"),
        Option(("--platform",), "text", "Which platform's image", "OS/ARCH"),
        Option(("--type", "-t"), "choice", "Accepted: there are only images", "TYPE", ("image",), ignored=True),
    ),
    operands="IMAGE...",
    least=1,
    most=-1,
    aliases=("image inspect",),
    completes="image",
)


def execute(invocation: Invocation) -> int:
    """Print one JSON array, or the template for each image; those that are there, whatever is not."""
    from kezuri.app.images import inspect

    parsed, console = invocation.parsed, invocation.console
    form = parsed.text("--format")
    missed: list[KezuriError] = []
    template = None
    if form not in ("", "json"):
        from kezuri.cli.template import Template

        template = Template(form)
    found = inspect(invocation.settings, parsed.operands, parsed.text("--platform"), missed.append)
    if template is None:
        from kezuri.cli.json_text import json_text

        console.say(json_text(found, None if form else 4))
    else:
        for text in [template.render(image) for image in found]:
            console.data(text)
    if missed:
        raise KezuriError(*(d for error in missed for d in error.diagnostics), exit_code=missed[0].exit_code)
    return 0
