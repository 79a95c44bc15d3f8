"""What the settings files, and the command line, say about checks."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kezuri.check.policy import Policy
from kezuri.check.preferences import Preferences
from kezuri.cli.check_options import LEVELS
from kezuri.cli.options import Parsed, UsageError
from kezuri.cli.settings import file_places, files
from kezuri.cli.settings_file import CHECK
from kezuri.cli.values import split
from kezuri.report.forms import FORMATS

if TYPE_CHECKING:
    from kezuri.check.rule import Level
    from kezuri.diagnostics import SourceText


def settings_preferences(parsed: Parsed, environ: Mapping[str, str]) -> Preferences:
    """The tables `[check]` of the settings files, the user's over the system's. KezuriError, at its key, for what is
    wrong in them."""
    files(parsed, environ)  # whatever else is wrong is said first, as every command says it
    found = Preferences()
    own, system, _ = file_places(parsed, environ)
    for path in (own, system):
        table = _table(path) if path else None
        if table is not None:
            from kezuri.check.preferences_toml import read_table

            text, value = table
            found = found.over(read_table(value, text, FORMATS))
    return found


def _table(path: str) -> "tuple[SourceText, Any] | None":
    try:
        with open(path, "rb") as file:
            data = file.read(1 << 20)
    except OSError:
        return None
    if CHECK.encode() not in data:
        return None
    import tomllib

    from kezuri.diagnostics import SourceText

    text = data.decode()
    table = tomllib.loads(text)
    return (SourceText(path, text), table[CHECK]) if CHECK in table else None


def command_preferences(parsed: Parsed) -> Preferences:
    """What the options say; UsageError for a rule that nobody has."""
    rules = parsed.all("--rule")
    levels: dict[str, Level] = {}
    for level in LEVELS:
        levels |= dict.fromkeys(_names(f"--{level}", parsed.all(f"--{level}")), level)
    pragmas = parsed.flag("--disable-ignore-pragma")
    return Preferences(
        ignored=_names("--ignore", parsed.all("--ignore")),
        only=_names("--rule", rules, only=True) if rules else None,
        levels=levels,
        threshold=parsed.text("--failure-threshold"),
        format=parsed.text("--format"),
        no_fail=parsed.flag("--no-fail") if parsed.given("--no-fail") else None,
        heed=not pragmas if parsed.given("--disable-ignore-pragma") else None,
        policy=Policy(
            split(parsed.all("--trusted-registry")),
            tuple(_label(text) for text in parsed.all("--require-label")),
            parsed.flag("--strict-labels"),
        ),
    )


def _label(text: str) -> tuple[str, str]:
    """Its name and form; as for hadolint, a name alone is of the form `text`."""
    from kezuri.check.preferences_toml import LABEL_FORMS

    name, _, form = text.rpartition(":") if ":" in text else (text, "", "")
    form = form or "text"
    if not name or form not in LABEL_FORMS:
        raise UsageError.because(
            f"--require-label {text!r} is not of the form NAME:FORM", f"forms: {', '.join(LABEL_FORMS)}"
        )
    return name, form


def _names(option: str, given: tuple[str, ...], *, only: bool = False) -> frozenset[str]:
    """The names that an option gives. UsageError for one that no rule has; with `only`, where nothing else is asked,
    also for one that another tool may have: nothing would be looked for."""
    from kezuri.check.names import answered, canonicals, known, meant

    names = [name.strip() for text in given for name in text.split(",") if name.strip()]
    for name in names:
        if not (answered(name) if only else known(name)):
            near = meant(name)
            hint = f"did you mean {near}?" if near else "`kezuri check --list` shows the rules"
            raise UsageError.because(f"{option}: there is no rule {name!r}", hint)
    return canonicals(names)
