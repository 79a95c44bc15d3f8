"""`kezuri analyze`: what an image is made of, what it wastes, and what could go."""

from kezuri.cli.html_page import HTML
from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option

COMMAND = Command(
    "analyze",
    "Show what an image is made of, what it wastes, and what could go",
    (
        Option(("--all", "-a"), "flag", "Show every row of every table"),
        Option(("--format",), "choice", "How to print", "FORMAT", ("text", "json")),
        HTML,
        Option(("--platform",), "text", "Which platform's image", "OS/ARCH"),
    ),
    operands="IMAGE",
    least=1,
    most=1,
    completes="image",
    holds=True,
)


def execute(invocation: Invocation) -> int:
    """Print the figures."""
    from kezuri.anatomy.advice import advise
    from kezuri.app.anatomy import Named, anatomy
    from kezuri.cli.html_page import anatomy_page, foresee_page

    parsed, console = invocation.parsed, invocation.console
    foresee_page(invocation)
    image = anatomy(invocation.settings, Named(parsed.operands[0], parsed.text("--platform")))
    if anatomy_page(invocation, image):
        return 0
    if parsed.text("--format") == "json":
        from kezuri.cli.json_text import json_text
        from kezuri.report.anatomy_json import document

        console.data(json_text(document(image, advise(image)), 2))
        return 0
    from kezuri.cli.analyze_text import AnalyzeText

    text = AnalyzeText(console.phrase, console.words, console.colour(console.out), console.columns(console.out))
    console.say(text.page(image, advise(image), parsed.flag("--all")), styled=True)
    return 0
