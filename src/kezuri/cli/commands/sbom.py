"""`kezuri sbom`: what an image, a directory or a document of the kind consists of."""

from typing import TYPE_CHECKING

from kezuri.cli.console import Console
from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option, UsageError

if TYPE_CHECKING:
    from kezuri.cli.options import Parsed
    from kezuri.sbom.values import Bill

_ALSO = {"cyclonedx-json": "cyclonedx", "spdx-json": "spdx", "table": "text"}
"""What other programs call these forms."""
_FORMS = ("text", "json", "cyclonedx", "cyclonedx-1.7", "spdx", *_ALSO)

COMMAND = Command(
    "sbom",
    "Show what an image or a directory consists of: every package, what brought it, its licence",
    (
        Option(
            ("--base",), "text", "The base image, or how many of the lowest layers it has", "IMAGE|N", completes="image"
        ),
        Option(("--files",), "flag", "With --format json: the files of every package, too"),
        Option(("--format", "-f"), "choice", "How to print (default text)", "FORMAT", _FORMS),
        Option(("--output", "-o"), "text", "Write it to FILE", "FILE", completes="file"),
        Option(("--platform",), "text", "Which platform's image", "OS/ARCH"),
    ),
    operands="IMAGE|DIR|FILE",
    least=1,
    most=1,
    completes="image",
    description="IMAGE is a name of the store, docker://NAME (a registry), oci:DIRECTORY[:NAME], or what else\n"
    "`kezuri copy` reads; dir:DIR is the root directory of a system, sbom:FILE a document of CycloneDX or SPDX.\n"
    "Nothing is unpacked. docs/sbom.md says what is read, and what is not.",
    holds=True,
)


def execute(invocation: Invocation) -> int:
    """Print the bill, or write it to a file."""
    from kezuri.app.sbom import BillRequest, bill

    parsed, console = invocation.parsed, invocation.console
    file = parsed.text("--output")
    if file.partition("=")[0] in ("cyclonedx-json", "spdx-json", "syft-json", "syft-table", "table", "json"):
        raise UsageError.because(
            f"--output takes a file, not the form {file!r}", "use --format, and --output for the file"
        )
    request = BillRequest(parsed.operands[0], parsed.text("--platform"), parsed.text("--base"))
    found = bill(invocation.settings, request)
    if file and file != "-":
        from io import StringIO

        from kezuri.export.destination import write_text

        text = StringIO()
        _say(found, parsed, Console(text, console.err, {**console.environ, "NO_COLOR": "1"}))
        write_text(file, text.getvalue().encode("utf-8", "backslashreplace"))
    else:
        _say(found, parsed, console)
    for told in found.told:
        console.warn(told)
    return 0


def _say(found: "Bill", parsed: "Parsed", console: Console) -> None:
    form = parsed.text("--format", "text")
    form = _ALSO.get(form, form)
    if form == "text":
        from kezuri.cli.sbom_text import page

        console.say(page(found, console.phrase, console.colour(console.out), console.columns(console.out)), styled=True)
        return
    from kezuri.cli.json_text import json_text

    if form == "json":
        from kezuri.report.sbom_json import document

        console.data(json_text(document(found, parsed.flag("--files")), 2))
    elif form == "spdx":
        from kezuri.sbom import spdx

        console.data(json_text(spdx.document(found), 2))
    else:
        from kezuri.sbom import cyclonedx

        console.data(json_text(cyclonedx.document(found, "1.7" if form == "cyclonedx-1.7" else "1.6"), 2))
