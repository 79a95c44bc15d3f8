"""`kezuri db update`, `import`, `status`, `origins`, `rm`: the database of advisories that `scan` and `base` ask."""

from collections.abc import Mapping
from time import time
from typing import TYPE_CHECKING

from kezuri.cli.commands.build import PROGRESS
from kezuri.cli.console import Console
from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option
from kezuri.cli.quantities import size
from kezuri.cli.settings import SETTINGS
from kezuri.cli.table import FORMAT, listing
from kezuri.diagnostics import KezuriError
from kezuri.diagnostics.render import render

if TYPE_CHECKING:
    from kezuri.app.advisory_writing import Change
    from kezuri.cli.progress_display import Progress

_LOSSES = 5
"""How much of what could not be read is named for each data set."""
_ORIGIN = next(setting.option for setting in SETTINGS if setting.name == "db-origin")
_QUIET = Option(("--quiet", "-q"), "flag", "Print nothing but errors")

UPDATE = Command(
    "db update",
    "Fetch what is new of advisories",
    (
        Option(("--afresh",), "flag", "Fetch everything again, and keep nothing of what is there"),
        _ORIGIN,
        PROGRESS,
        _QUIET,
    ),
    operands="[SET...]",
    most=-1,
    completes="origin",
    description="Without a SET those that are fetched by default, and those that the database has beside.\n"
    "Exit code 1 when one of them could not be fetched: it stays as it was.",
    holds=True,
)
IMPORT = Command(
    "db import",
    "Put advisories from files into the database, without a network",
    (PROGRESS, _QUIET),
    operands="FILE|DIR...",
    least=1,
    most=-1,
    completes="file",
    description="OSV (JSON, YAML, zip), Debian's tracker, secdb of Alpine and Wolfi, RustSec, Node.js, KEV, EPSS,\n"
    "or the database of another kezuri: what they are is seen by what they hold.",
    holds=True,
)
STATUS = Command(
    "db status",
    "Show what advisories there are, and how old",
    (
        FORMAT,
        Option(("--verify",), "flag", "Look at every page of the database"),
    ),
    aliases=("db ls", "db list"),
)
ORIGINS = Command(
    "db origins",
    "List what can be fetched, and from where",
    (_ORIGIN, FORMAT),
)
RM = Command(
    "db rm",
    "Take data sets out of the database",
    (PROGRESS, _QUIET),
    operands="SET...",
    least=1,
    most=-1,
    completes="data set",
    aliases=("db remove",),
)
_COLUMNS = {"Name": "DATA SET", "Entries": "ENTRIES", "Date": "DATE", "Current": "CURRENT", "Address": "ORIGIN"}
_HEADINGS = {**_COLUMNS, "Fetched": "FETCHED", "Checked": "CHECKED", "Licence": "LICENCE", "Ecosystems": "ECOSYSTEMS"}
_ORIGIN_COLUMNS = {"Name": "DATA SET", "Usual": "DEFAULT", "Licence": "LICENCE", "Address": "ORIGIN"}
_ORIGIN_HEADINGS = {**_ORIGIN_COLUMNS, "Format": "FORMAT"}


def execute(invocation: Invocation) -> int:
    """Do what the command's name says."""
    acts = {
        UPDATE.name: _update,
        IMPORT.name: _import,
        STATUS.name: _status,
        ORIGINS.name: _origins,
        RM.name: _remove,
    }
    return acts[invocation.command.name](invocation)


def _update(invocation: Invocation) -> int:
    from kezuri.app.advisory_update import update

    parsed, console = invocation.parsed, invocation.console
    with _progress(invocation, "updating") as progress:
        updated = update(invocation.settings, parsed.operands, progress, parsed.flag("--afresh"))
    if not parsed.flag("--quiet"):
        _tell(console, updated.changes)
        if updated.unchanged:
            console.say(console.phrase("{}: nothing newer", ", ".join(updated.unchanged)))
    _lost(console, updated.changes)
    return _failed(updated.failed)


def _import(invocation: Invocation) -> int:
    from kezuri.app.advisories import import_data

    parsed, console = invocation.parsed, invocation.console
    with _progress(invocation, "importing") as progress:
        done = import_data(invocation.settings, parsed.operands, progress)
    if not parsed.flag("--quiet"):
        _tell(console, done.changes)
    _lost(console, done.changes)
    return 0


def _status(invocation: Invocation) -> int:
    from kezuri.advisories.age import current
    from kezuri.app.advisories import status

    parsed, console = invocation.parsed, invocation.console
    form = parsed.text("--format")
    found = status(invocation.settings, time(), parsed.flag("--verify"))
    rows = [
        {
            "Name": data.name,
            "Entries": data.entries,
            "Date": data.date[:10],
            "Current": current(data)[:10],
            "Address": data.address,
            "Fetched": data.fetched,
            "Checked": data.checked,
            "Licence": data.licence,
            "Ecosystems": ", ".join(f"{name}:{release}" if release else name for name, release in data.ecosystems),
        }
        for data in found.data
    ]
    if form in ("", "table"):
        console.say(f"{found.path} ({size(found.size)})")
    listing(console, form, rows, _COLUMNS, _HEADINGS)
    colour = console.colour(console.err)
    for remark in found.remarks:
        console.note(render(remark, colour, words=console.words), styled=True)
    return 0


def _origins(invocation: Invocation) -> int:
    from kezuri.advisories.origins import origins

    rows = [
        {
            "Name": origin.name,
            "Usual": "yes" if origin.usual else "",
            "Licence": origin.licence,
            "Address": origin.address,
            "Format": origin.format,
        }
        for origin in origins(invocation.settings.db_origins).values()
    ]
    listing(invocation.console, invocation.parsed.text("--format"), rows, _ORIGIN_COLUMNS, _ORIGIN_HEADINGS)
    return 0


def _remove(invocation: Invocation) -> int:
    from kezuri.app.advisories import remove

    with _progress(invocation, "removing") as progress:
        gone = remove(invocation.settings, invocation.parsed.operands, progress)
    if not invocation.parsed.flag("--quiet"):
        for name in gone:
            invocation.console.say(f"Deleted: {name}")
    return 0


def _progress(invocation: Invocation, doing: str) -> "Progress":
    from kezuri.cli.progress import open_progress

    parsed = invocation.parsed
    mode = "quiet" if parsed.flag("--quiet") else parsed.text("--progress")
    return open_progress(mode, invocation.console, invocation.settings.progress, doing=doing)


def _tell(console: Console, changes: "tuple[Change, ...]") -> None:
    for change in changes:
        data = change.data
        date = f" ({data.date[:10]})" if data.date else ""
        if change.before >= 0 and change.before != data.entries:
            text = console.phrase("{}: {} entries, {} before{}", data.name, data.entries, change.before, date)
        elif data.entries == 1:
            text = console.phrase("{}: 1 entry{}", data.name, date)
        else:
            text = console.phrase("{}: {} entries{}", data.name, data.entries, date)
        console.say(text)


def _lost(console: Console, changes: "tuple[Change, ...]") -> None:
    """What could not be read of data that is in the database now: never left out in silence."""
    for change in changes:
        if not change.lost:
            continue
        if change.lost == 1:
            console.warn(console.phrase("{}: 1 part could not be read", change.data.name))
        else:
            console.warn(console.phrase("{}: {} parts could not be read", change.data.name, change.lost))
        for loss in change.told[:_LOSSES]:
            console.note(f"  {loss.name}: {console.words(loss.why)}")


def _failed(failed: Mapping[str, KezuriError]) -> int:
    if failed:
        raise KezuriError(*dict.fromkeys(d for error in failed.values() for d in error.diagnostics))
    return 0
