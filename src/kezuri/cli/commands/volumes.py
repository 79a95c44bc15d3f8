"""`kezuri volume create`, `ls`, `inspect`, `rm`, `prune`: what containers keep (`kezuri run -v NAME:PATH`)."""

from kezuri.cli.consent import agreed
from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option, UsageError
from kezuri.cli.quantities import size
from kezuri.cli.table import FORMAT, listing
from kezuri.diagnostics import KezuriError

_FILTER = Option(("--filter",), "repeated", "Only some: name=TEXT, label=KEY[=VALUE], dangling=true", "FILTER")
_COLUMNS = {"Driver": "DRIVER", "Name": "VOLUME NAME"}
_HEADINGS = {
    **_COLUMNS,
    "Mountpoint": "MOUNTPOINT",
    "CreatedAt": "CREATED AT",
    "Labels": "LABELS",
    "Scope": "SCOPE",
    "Links": "LINKS",
    "Size": "SIZE",
}

CREATE = Command(
    "volume create",
    "Make a volume: a directory that containers share and that stays",
    (
        Option(("--driver", "-d"), "choice", "Accepted: there is one kind", "NAME", ("local",), ignored=True),
        Option(("--label", "-l"), "repeated", "A label", "KEY=VALUE"),
        Option(
            ("--opt", "-o"),
            "repeated",
            "An option of the driver",
            "OPTION",
            refused="volumes are directories of the store",
        ),
    ),
    operands="[NAME]",
    most=1,
    description="`kezuri run -v NAME:PATH` makes it, too, and begins it with what the image has there.",
)
LS = Command(
    "volume ls",
    "List volumes",
    (
        _FILTER._replace(names=("--filter", "-f")),
        FORMAT,
        Option(("--noheading", "-n"), "flag", "Print no headings"),
        Option(("--quiet", "-q"), "flag", "Show only names"),
    ),
    aliases=("volume list",),
)
INSPECT = Command(
    "volume inspect",
    "Show everything about volumes, as JSON",
    (Option(("--format", "-f"), "text", "json, or a Go template: {{.Mountpoint}}", "FORMAT"),),
    operands="NAME...",
    least=1,
    most=-1,
    completes="volume",
)
RM = Command(
    "volume rm",
    "Remove volumes that no container has, with their files",
    (Option(("--force", "-f"), "flag", "A name that is not there is no error"),),
    operands="NAME...",
    least=1,
    most=-1,
    aliases=("volume remove",),
    completes="volume",
)
PRUNE = Command(
    "volume prune",
    "Remove volumes that no container has",
    (
        Option(("--all", "-a"), "flag", "Also those that somebody gave a name"),
        _FILTER,
        Option(("--force", "-f"), "flag", "Do not ask"),
    ),
)


def execute(invocation: Invocation) -> int:
    """Do what the command's name says."""
    acts = {
        CREATE.name: _create,
        LS.name: _list,
        INSPECT.name: _inspect,
        RM.name: _remove,
        PRUNE.name: _prune,
    }
    return acts[invocation.command.name](invocation)


def _create(invocation: Invocation) -> int:
    from kezuri.app.volumes import create
    from kezuri.cli.values import pair
    from kezuri.store.volumes import check_name

    name = "".join(invocation.parsed.operands)
    if invocation.parsed.operands:
        try:
            check_name(name)
        except KezuriError as error:
            raise UsageError.because(str(error), error.diagnostics[0].hint) from None
    labels = dict(pair("--label", text) if "=" in text else (text, "") for text in invocation.parsed.all("--label"))
    invocation.console.say(create(invocation.settings, name, labels))
    return 0


def _list(invocation: Invocation) -> int:
    from kezuri.app.volumes import volumes

    parsed, console = invocation.parsed, invocation.console
    rows = []
    for volume in volumes(invocation.settings, parsed.all("--filter")):
        labels = ",".join(f"{key}={value}" for key, value in volume["Labels"].items())
        rows.append({**volume, "Labels": labels, "Links": "N/A", "Size": "N/A"})
    if parsed.flag("--quiet"):
        for row in rows:
            console.say(row["Name"])
        return 0
    listing(console, parsed.text("--format"), rows, _COLUMNS, _HEADINGS, headed=not parsed.flag("--noheading"))
    return 0


def _inspect(invocation: Invocation) -> int:
    from kezuri.app.volumes import inspect

    parsed, console, missed = invocation.parsed, invocation.console, list[KezuriError]()
    form = parsed.text("--format")
    template = None
    if form not in ("", "json"):
        from kezuri.cli.template import Template

        template = Template(form)
    found = inspect(invocation.settings, parsed.operands, missed.append)
    if template is None:
        from kezuri.cli.json_text import json_text

        console.say(json_text(found, None if form else 4))
    else:
        for text in [template.render(volume) for volume in found]:
            console.data(text)
    return _all_of(missed)


def _remove(invocation: Invocation) -> int:
    from kezuri.app.volumes import remove
    from kezuri.store.volumes import NoSuchVolume

    missed: list[KezuriError] = []
    for gone in remove(invocation.settings, invocation.parsed.operands, missed.append):
        invocation.console.say(gone.name)
    if invocation.parsed.flag("--force"):
        missed = [error for error in missed if not isinstance(error, NoSuchVolume)]
    return _all_of(missed)


def _prune(invocation: Invocation) -> int:
    from kezuri.app.volumes import prune

    parsed, console = invocation.parsed, invocation.console
    everything = parsed.flag("--all")
    what = "all volumes that no container has" if everything else "the nameless volumes that no container has"
    if not parsed.flag("--force") and not agreed(invocation, what):
        return 1
    gone = prune(invocation.settings, everything, parsed.all("--filter"))
    for volume in gone:
        console.say(f"Deleted: {volume.name}")
    console.say(f"Total reclaimed space: {size(sum(volume.size for volume in gone))}")
    return 0


def _all_of(missed: list[KezuriError]) -> int:
    if missed:
        raise KezuriError(*(d for error in missed for d in error.diagnostics), exit_code=missed[0].exit_code)
    return 0
