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
        Option(("--attach",), "flag", "Attach it to the image, as an artifact that refers to it, and print its digest"),
        Option(("--attached",), "flag", "Show the one that is attached to the image, without looking into the image"),
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
    from kezuri.cli.values import output_file

    parsed, console = invocation.parsed, invocation.console
    file = output_file(parsed)
    subject, platform = parsed.operands[0], parsed.text("--platform")
    if parsed.flag("--attached"):
        from kezuri.app.attestations import attached_bill

        if parsed.flag("--attach") or parsed.given("--base"):
            raise UsageError.because("--attached shows what is there: --attach and --base do not go with it")
        found = attached_bill(invocation.settings, subject, platform, console.warn)
    else:
        found = bill(invocation.settings, BillRequest(subject, platform, parsed.text("--base")))
    if parsed.flag("--attach"):
        return _attach(found, subject, platform, invocation)
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


def _attach(found: "Bill", subject: str, platform: str, invocation: Invocation) -> int:
    """Put the bill beside its image, and print the digest of what was put there."""
    from kezuri.app.attestations import attach_document
    from kezuri.sbom import cyclonedx, spdx
    from kezuri.sbom.wording import encoded

    parsed, console = invocation.parsed, invocation.console
    form = parsed.text("--format", "cyclonedx")
    form = _ALSO.get(form, form)
    if found.kind != "image":
        raise UsageError.because(f"--attach: {subject} is no image", "kezuri attach puts any file beside an image")
    if parsed.given("--output"):
        raise UsageError.because("--attach and --output do not go together", "give the command twice")
    if form == "spdx":
        kind, name, document = spdx.MEDIA_TYPE, "sbom.spdx.json", spdx.document(found)
    elif form in ("cyclonedx", "cyclonedx-1.7"):
        document = cyclonedx.document(found, "1.7" if form.endswith("1.7") else "1.6")
        kind, name = cyclonedx.MEDIA_TYPE, "sbom.cdx.json"
    else:
        raise UsageError.because(f"--attach: {form} is no form that others read", "use --format cyclonedx or spdx")
    attached = attach_document(invocation.settings, subject, kind, name, encoded(document), platform, console.warn)
    for told in found.told:
        console.warn(told)
    console.say(attached.descriptor.digest)
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
