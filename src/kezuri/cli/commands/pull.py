"""`kezuri pull`: an image from a registry into the local store."""

from time import time

from kezuri.cli.commands.build import PROGRESS
from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option

COMMAND = Command(
    "pull",
    "Fetch an image from a registry",
    (
        Option(("--platform",), "text", "Which platform's image (default: this machine's)", "OS/ARCH"),
        PROGRESS,
        Option(("--quiet", "-q"), "flag", "Print only the digest"),
        Option(("--all-tags", "-a"), "flag", "Pull every tag of the repository"),
    ),
    operands="NAME[:TAG|@DIGEST]",
    least=1,
    most=1,
    aliases=("image pull",),
    completes="image",
    holds=True,
)


def execute(invocation: Invocation) -> int:
    """The manifest's digest on standard output, with --all-tags behind each name; what became of the layers, in
    docker's words, on standard error."""
    from kezuri.app.pull import pull
    from kezuri.cli.progress import open_progress

    parsed, console = invocation.parsed, invocation.console
    mode = "quiet" if parsed.flag("--quiet") else parsed.text("--progress")
    settings, since = invocation.settings, time()
    layers: dict[str, bool] = {}
    with open_progress(mode, console, settings.progress, doing="pulling") as progress:
        name, platform = parsed.operands[0], parsed.text("--platform")

        def told(digest: str, there: bool) -> None:
            layers.setdefault(digest, there)

        if parsed.flag("--all-tags"):
            from kezuri.app.pull import pull_all

            every = pull_all(settings, name, platform, progress, told)
            results = [f"{pulled.name.familiar}@{pulled.digest}" for pulled in every]
        else:
            results = [pull(settings, name, platform, progress, told)]
    if progress.talks:
        for layer, there in layers.items():
            short = layer.removeprefix("sha256:")[:12]
            console.note(f"{short}: Already exists" if there else f"{short}: Pull complete")
    for result in results:
        console.say(result)
    if settings.limited:
        from kezuri.cli.tidying import tidy

        tidy(invocation, since, parsed.flag("--quiet"))
    return 0
