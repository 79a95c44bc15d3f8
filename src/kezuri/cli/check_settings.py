"""What the settings files, and the command line, say about checks."""

from collections.abc import Mapping

from kezuri.check.preferences import Preferences
from kezuri.cli.options import Parsed, UsageError
from kezuri.cli.settings import file_places, files
from kezuri.cli.settings_file import CHECK
from kezuri.report.forms import FORMATS


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


def _table(path: str):  # type: ignore[no-untyped-def]
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
    return Preferences(
        ignored=_names("--ignore", parsed.all("--ignore")),
        only=_names("--rule", rules) if rules else None,
        threshold=parsed.text("--failure-threshold"),
        format=parsed.text("--format"),
        no_fail=parsed.flag("--no-fail") if parsed.given("--no-fail") else None,
    )


def _names(option: str, given: tuple[str, ...]) -> frozenset[str]:
    from kezuri.check.names import canonicals, known, meant

    names = [name.strip() for text in given for name in text.split(",") if name.strip()]
    for name in names:
        if not known(name):
            near = meant(name)
            hint = f"did you mean {near}?" if near else "`kezuri check --list` shows the rules"
            raise UsageError.because(f"{option}: there is no rule {name!r}", hint)
    return canonicals(names)
