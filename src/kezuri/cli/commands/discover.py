"""`kezuri discover`: what is attached to an image."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option

if TYPE_CHECKING:
    from kezuri.app.artifacts import Referring

COMMAND = Command(
    "discover",
    "Show what is attached to an image",
    (
        Option(("--artifact-type",), "text", "Only what is of this type", "TYPE"),
        Option(("--format", "-o", "--output"), "choice", "How (default tree)", "FORMAT", ("tree", "json")),
        Option(("--platform",), "text", "Of the image of this platform, not of the index", "OS/ARCH"),
        Option(("--verbose", "-v"), "flag", "Also the annotations"),
    ),
    operands="IMAGE",
    least=1,
    most=1,
    description="IMAGE is docker://NAME (a registry), oci:DIRECTORY[:NAME], or a name of the store. What refers to\n"
    "an artifact stands below it.",
    completes="image",
)


def execute(invocation: Invocation) -> int:
    """A tree by type and digest, as oras draws it, or JSON."""
    from kezuri.app.artifacts import discover

    parsed, console = invocation.parsed, invocation.console
    (image,) = parsed.operands
    kind, platform = parsed.text("--artifact-type"), parsed.text("--platform")
    found = discover(invocation.settings, image, kind, platform, console.warn)
    if parsed.text("--format") == "json":
        from kezuri.cli.json_text import json_text

        referring = [_json(one) for one in found.referrers]
        console.say(
            json_text(
                {"reference": image, **found.descriptor._replace(annotations={}).to_json(), "referrers": referring},
                indent=4,
            )
        )
        return 0
    name = image.partition("@")[0]
    console.say(f"{name}@{found.descriptor.digest}")
    for line in _lines(found.referrers, "", parsed.flag("--verbose")):
        console.say(line)
    return 0


def _json(one: "Referring") -> dict[str, Any]:
    return {**one.descriptor.to_json(), "referrers": [_json(more) for more in one.referrers]}


def _lines(found: "Sequence[Referring]", before: str, verbose: bool) -> Iterator[str]:
    kinds: dict[str, list[Referring]] = {}
    for one in found:
        kinds.setdefault(one.descriptor.artifact_type or one.descriptor.media_type, []).append(one)
    for kind, last in _marked(list(kinds)):
        yield f"{before}{'└── ' if last else '├── '}{kind}"
        below = before + ("    " if last else "│   ")
        for one, final in _marked(kinds[kind]):
            yield f"{below}{'└── ' if final else '├── '}{one.descriptor.digest}"
            deeper = below + ("    " if final else "│   ")
            if verbose:
                for key, value in sorted(one.descriptor.annotations.items()):
                    yield f"{deeper}{key}: {value}"
            yield from _lines(one.referrers, deeper, verbose)


def _marked(items: "Sequence[Any]") -> Iterator[tuple[Any, bool]]:
    return ((item, number == len(items)) for number, item in enumerate(items, 1))
