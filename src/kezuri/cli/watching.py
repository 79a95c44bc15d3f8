"""`build --watch`: a build after each change of what it reads, and with `--run` its container after each good one."""

import shlex
from collections.abc import Callable
from contextlib import ExitStack

from kezuri.app.outputs import LoadedImage, PushedImage
from kezuri.app.request import BuildRequest, BuildResult
from kezuri.app.rerun import Rerun
from kezuri.app.stored_image import StoredImage
from kezuri.app.watch import Awaited, Watch, later
from kezuri.cli.console import Console
from kezuri.cli.invocation import Invocation
from kezuri.cli.options import UsageError
from kezuri.cli.settings import GLOBAL
from kezuri.diagnostics import KezuriError
from kezuri.diagnostics.render import render_all

_MOST = 8


def watch(request: BuildRequest, invocation: Invocation, build: Callable[[BuildRequest], BuildResult | None]) -> int:
    """Build and wait for changes until Ctrl-C; 0 then. KezuriError where there is nothing to watch.

    `build` says by itself what it made; None or a KezuriError is a build that failed, which ends nothing.
    """
    console = invocation.console
    with ExitStack() as held:
        watching = held.enter_context(Watch(request, invocation.settings))
        for context in watching.unwatched():
            console.note(f"kezuri: changes of --build-context {context} are not seen: it is no directory here")
        rerun = _rerun(request, invocation)
        if rerun is not None:
            held.enter_context(rerun)
        try:
            while True:
                watching.look()
                result = _attempt(request, console, build) if len(watching) else build(request)
                if result is not None and rerun is not None:
                    rerun.start(result.config_digest or result.digest)
                many = f"{len(watching)} directories" if len(watching) != 1 else "1 directory"
                console.note(f"kezuri: watching {many} (Ctrl-C ends)")
                console.err.flush()
                _say(watching.wait(result is not None, lambda: _say_end(rerun, console)), console)
                request = later(request)
        except KeyboardInterrupt:
            console.note("kezuri: the watch has ended")
    return 0


def _attempt(
    request: BuildRequest, console: Console, build: Callable[[BuildRequest], BuildResult | None]
) -> BuildResult | None:
    try:
        return build(request)
    except UsageError:
        raise
    except KezuriError as error:
        if error.diagnostics:
            console.note(render_all(error.diagnostics, console.colour(console.err)), styled=True)
    return None


def _say(awaited: Awaited, console: Console) -> None:
    more = len(awaited.paths) - _MOST
    shown = ", ".join(awaited.paths[:_MOST]) + (f" and {more} more" if more > 0 else "")
    console.note(f"\nkezuri: changed: {shown}")
    for step in awaited.steps[:_MOST]:
        console.note(f"kezuri: runs: {' '.join(step.split())[:200]}")
    if len(awaited.steps) > _MOST:
        console.note(f"kezuri: and {len(awaited.steps) - _MOST} more steps")


def _say_end(rerun: Rerun | None, console: Console) -> None:
    code = None if rerun is None else rerun.ended()
    if code is not None:
        console.note(f"kezuri: the container has ended with exit code {code if code >= 0 else 128 - code}")
        console.err.flush()


def _rerun(request: BuildRequest, invocation: Invocation) -> Rerun | None:
    """What runs the image, if that was asked for: with the options of `--run=OPTIONS` and our own settings."""
    parsed = invocation.parsed
    if not parsed.given("--run"):
        return None
    if not any(
        isinstance(o, StoredImage | LoadedImage) or (isinstance(o, PushedImage) and o.kept) for o in request.outputs
    ):
        raise UsageError.because("--run needs an image in the store", "leave --output out, or give type=image too")
    text = parsed.text("--run")
    try:
        options = shlex.split("" if text == "true" else text)
    except ValueError as error:
        raise UsageError.because(f"--run={text}: {error}") from None
    settings = [f"{option.key}={value}" for option in GLOBAL for value in parsed.all(option.key)]
    return Rerun(settings, options)
