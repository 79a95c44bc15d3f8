"""`kezuri version`."""

import sys

from kezuri import __version__
from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option

COMMAND = Command(
    "version",
    "Show the versions of kezuri and Python",
    (Option(("--format", "-f"), "text", "json, or a Go template: {{.Version}}", "FORMAT"),),
    aliases=("buildx version",),
)


def execute(invocation: Invocation) -> int:
    """One line, or the values that a template asks for."""
    python = ".".join(map(str, sys.version_info[:3]))
    form = invocation.parsed.text("--format")
    if not form:
        invocation.console.say(f"kezuri version {__version__}, Python {python}")
        return 0
    from kezuri.cli.template import Template, as_json

    values = {"Version": __version__, "Python": python}
    invocation.console.data(as_json(values) if form == "json" else Template(form).render(values))
    return 0
