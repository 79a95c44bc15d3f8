"""`kezuri buildx create`, `use`, `ls`, `inspect`, …: what CI recipes do before they build. There is one builder."""

from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option

_NAME = "default"
_IGNORED = "Accepted: there is one builder"


def _ignored(*names: str, takes: bool = False) -> Option:
    return Option(names, "repeated" if takes else "flag", _IGNORED, "VALUE" if takes else "", ignored=True)


CREATE = Command(
    "buildx create",
    "Accepted: prints the name of the one builder",
    (
        Option(("--name",), "text", "What the builder is to be called", "NAME"),
        *(_ignored(name) for name in ("--append", "--bootstrap", "--leave", "--use")),
        *(_ignored(name, takes=True) for name in ("--driver", "--driver-opt", "--node", "--platform")),
        _ignored("--buildkitd-flags", takes=True),
        _ignored("--buildkitd-config", takes=True),
    ),
    operands="[CONTEXT | ENDPOINT]",
    most=1,
    hidden=True,
)
USE = Command(
    "buildx use",
    "Accepted: there is one builder",
    (
        *(_ignored(name) for name in ("--default", "--global", "--all-inactive", "--keep-daemon", "--keep-state")),
        _ignored("--force", "-f"),
    ),
    operands="[NAME...]",
    most=-1,
    aliases=("buildx rm", "buildx stop"),
    hidden=True,
)
LS = Command(
    "buildx ls",
    "The one builder",
    (_ignored("--no-trunc"), Option(("--format",), "text", "json, or a Go template", "FORMAT")),
    hidden=True,
)
INSPECT = Command(
    "buildx inspect",
    "The one builder, and what it builds for",
    (_ignored("--bootstrap"),),
    operands="[NAME]",
    most=1,
    hidden=True,
)


def execute(invocation: Invocation) -> int:
    """Say what there is; nothing changes."""
    name, console = invocation.command.name, invocation.console
    if name == "buildx create":
        console.say(invocation.parsed.text("--name", _NAME))
    elif name in ("buildx ls", "buildx inspect"):
        from kezuri import __version__
        from kezuri.oci.platform import Platform

        platform = str(Platform.host())
        if name == "buildx inspect":
            rows = {"Name": _NAME, "Driver": "kezuri", "Status": "running"}
            rows |= {"Kezuri version": __version__, "Platforms": platform}
            for title, value in rows.items():
                console.say(f"{title + ':':<16}{value}")
        else:
            from kezuri.cli.table import listing

            headings = {"Name": "NAME/NODE", "DriverEndpoint": "DRIVER/ENDPOINT", "Status": "STATUS"}
            headings |= {"Buildkit": "BUILDKIT", "Platforms": "PLATFORMS"}
            values = ("default*", "kezuri", "running", f"kezuri {__version__}", platform)
            row = dict(zip(headings, values))
            listing(console, invocation.parsed.text("--format"), [row], headings, headings)
    return 0
