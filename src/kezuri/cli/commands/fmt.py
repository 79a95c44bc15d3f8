"""`kezuri fmt`: Dockerfiles in one style, with the proof that they still build the same."""

from typing import TYPE_CHECKING

from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option, UsageError

if TYPE_CHECKING:
    from kezuri.app.check_places import Found
    from kezuri.app.formatting import Styled
    from kezuri.diagnostics import KezuriError

COMMAND = Command(
    "fmt",
    "Lay out Dockerfiles in one style that builds the same",
    (
        Option(("--check",), "flag", "Write nothing; exit with 1 if a file is not in the style"),
        Option(("--diff", "-d"), "flag", "Write nothing; print what would change, and exit with 1 if something would"),
        Option(("--quiet", "-q"), "flag", "Name no files"),
        Option(
            ("--reindent",), "flag", "Also indent the lines of RUN commands: these steps run again, with the same words"
        ),
    ),
    operands="[FILE | DIRECTORY | -]...",
    most=-1,
    description="Of a DIRECTORY the Dockerfiles in it, without an argument those of the current one; - reads standard\n"
    "input and writes to standard output. Casing, blanks between words, line breaks and blank lines are laid out;\n"
    "what a shell or an image gets stays byte for byte, so that every cached result is found again. A file is written\n"
    "when its plan was compared, by a rename; one with errors is left alone. docs/format.md shows the style.",
    completes="file",
)


def execute(invocation: Invocation) -> int:
    """0; 1 where a file has errors, or is not in the style and shall not be changed."""
    from kezuri.app.formatting import style
    from kezuri.diagnostics import KezuriError

    parsed = invocation.parsed
    operands = parsed.operands or (".",)
    if operands.count("-") > 1:
        raise UsageError.because("standard input can be read once only")
    code = 0
    files = []
    for operand in operands:
        try:
            files += _dockerfiles(operand)
        except KezuriError as error:
            code = max(code, _fail(invocation, error))
    changed = unchanged = 0
    for found in files:
        try:
            styled = style(found, parsed.flag("--reindent"))
            code = max(code, _deliver(invocation, styled))
            changed += styled.changed
            unchanged += not styled.changed
        except KezuriError as error:
            code = max(code, _fail(invocation, error))
    if files and not parsed.flag("--quiet") and operands != ("-",):
        _summary(invocation, changed, unchanged, len(files) - changed - unchanged)
    return code


def _dockerfiles(operand: str) -> "list[Found]":
    """The Dockerfiles that an operand means; KezuriError where it means none."""
    from kezuri.app.check_places import find
    from kezuri.diagnostics import KezuriError

    found = [file for file in find(operand) if not file.document]
    if not found:
        raise KezuriError.of(f"there is no Dockerfile in {operand}", hint="name the file")
    return found


def _deliver(invocation: Invocation, styled: "Styled") -> int:
    """What is to be done with a file that was laid out."""
    from kezuri.app.formatting import difference, pour, write

    parsed, console = invocation.parsed, invocation.console
    looks = parsed.flag("--check") or parsed.flag("--diff")
    if parsed.flag("--diff") and styled.changed:
        console.exactly(difference(styled))
    if not styled.found.path:
        if not looks:
            pour(styled)
    elif styled.changed and not looks:
        write(styled)
    if styled.changed and not parsed.flag("--quiet") and styled.found.path and not parsed.flag("--diff"):
        shown = styled.found.shown
        console.note(f"would change {shown}" if looks else f"changed {shown}")
    return 1 if looks and styled.changed else 0


def _fail(invocation: Invocation, error: "KezuriError") -> int:
    from kezuri.diagnostics.render import render_all

    console = invocation.console
    text = render_all(
        error.diagnostics, console.colour(console.err), columns=console.columns(console.err), words=console.words
    )
    console.note(text, styled=True)
    return error.exit_code


def _summary(invocation: Invocation, changed: int, unchanged: int, failed: int) -> None:
    console, parsed = invocation.console, invocation.parsed
    looks = parsed.flag("--check") or parsed.flag("--diff")
    said = []
    if changed:
        said.append(console.phrase("{} would change", changed) if looks else console.phrase("{} changed", changed))
    if unchanged:
        said.append(console.phrase("{} in the style", unchanged))
    if failed:
        said.append(console.phrase("{} with errors", failed))
    console.note(", ".join(said))
