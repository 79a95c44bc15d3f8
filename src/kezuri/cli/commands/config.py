"""`kezuri config`: each setting, its value, and where that came from."""

import re
from collections.abc import Mapping

from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, UsageError
from kezuri.cli.settings import SETTINGS, Said, Setting, Sources, default_root
from kezuri.cli.table import FORMAT, listing
from kezuri.diagnostics import nearest

COMMAND = Command(
    "config",
    "Show the settings, and where each came from",
    (FORMAT,),
    operands="[NAME]",
    most=1,
    description="A flag wins over a variable, that over the user's file ($XDG_CONFIG_HOME/kezuri/config.toml), that\n"
    "over the system's (/etc/kezuri/config.toml), that over the default. With NAME the value only, a line for each of\n"
    "several.",
)

_COLUMNS = {"Name": "NAME", "Value": "VALUE", "Origin": "ORIGIN"}
_HEADINGS = {**_COLUMNS, "Flag": "FLAG", "Variable": "VARIABLE", "Values": "VALUES"}
_PASSWORD = re.compile(r"(://)[^/@\s]*@")


def execute(invocation: Invocation) -> int:
    """Print every setting, or the value of one; a value that is wrong is printed, and then the error."""
    parsed, console = invocation.parsed, invocation.console
    sources = Sources(parsed, console.environ)
    wanted = [setting for setting in SETTINGS if parsed.operands in ((), (setting.name,))]
    if not wanted:
        names = [setting.name for setting in SETTINGS]
        guess = nearest(parsed.operands[0], names)
        hint = f"did you mean {guess}?" if guess else f"known: {', '.join(names)}"
        raise UsageError.because(f"there is no setting {parsed.operands[0]!r}", hint)
    told = [(setting, sources.said(setting)) for setting in wanted]
    if parsed.operands and not parsed.given("--format"):
        for value in _values(*told[0], console.environ):
            console.data(value)
    else:
        rows = [_row(setting, said, console.environ) for setting, said in told]
        listing(console, parsed.text("--format"), rows, _COLUMNS, _HEADINGS)
    assert invocation.settings
    return 0


def _values(setting: Setting, said: Said, environ: Mapping[str, str]) -> tuple[str, ...]:
    values = said.values
    if setting.form == "list":
        values = tuple(part for value in values for part in value.split(",") if part)
    elif setting.form != "mirrors":
        values = values[-1:]
    if not values and setting.name == "root":
        values = tuple(filter(None, (default_root(environ),)))
    if not values and setting.default and " " not in setting.default and "$" not in setting.default:
        values = (setting.default,)
    return tuple(_PASSWORD.sub(r"\1***@", value) for value in values)


def _row(setting: Setting, said: Said, environ: Mapping[str, str]) -> dict[str, object]:
    values = _values(setting, said, environ)
    return {
        "Name": setting.name,
        "Value": ",".join(values) or (f"({setting.default})" if setting.default else ""),
        "Values": list(values),
        "Origin": said.origin.removeprefix(f"{setting.name} in ") or "default",
        "Flag": f"--{setting.name}" if setting.flag else "",
        "Variable": setting.variable,
    }
