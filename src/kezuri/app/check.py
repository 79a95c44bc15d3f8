"""`build --check` and `build --call`: what can be said of a Dockerfile without building it."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from kezuri.app.definition import Definition
from kezuri.app.request import BuildRequest, Settings
from kezuri.app.session import Session
from kezuri.check.outline import Outline, TargetLine
from kezuri.diagnostics import Diagnostic, KezuriError, SourceText
from kezuri.progress.events import Event, Listener, Warned
from kezuri.progress.reporter import Reporter


class Checked(NamedTuple):
    """What `--check` found: warnings, errors, and what could not be looked at and why."""

    source: SourceText
    warnings: tuple[Diagnostic, ...]
    errors: tuple[Diagnostic, ...]
    unchecked: tuple[Diagnostic, ...]


def check(request: BuildRequest, settings: Settings, listener: Listener) -> Checked:
    """Ask every rule about the target's stages, or about all stages where no target is named. Nothing runs, no layer is
    fetched, and a registry that does not answer is no error: what hangs on its images is left out, and named."""
    heard: list[Diagnostic] = []

    def listen(event: Event) -> None:
        if isinstance(event, Warned):
            heard.append(event.diagnostic)
        else:
            listener(event)

    with _definition(request, settings, listen) as definition:
        found = definition.examine(everything=not request.target)
        source = definition.dockerfile.source
    survey = found.subject.survey
    errors = dict.fromkeys(d for error in survey.errors for d in error.diagnostics)
    verdict = found.report.verdict()
    if verdict is not None and not errors:
        errors.update(dict.fromkeys(verdict.diagnostics))
    unchecked = [
        d._replace(severity="info", message=f"not checked: {d.message}")
        for error in survey.absent.values()
        for d in error.diagnostics
    ]
    if unchecked:
        unchecked[-1] = unchecked[-1]._replace(
            hint="\n".join(
                t
                for t in (
                    unchecked[-1].hint,
                    "variables, platform and ONBUILD triggers of what stands on it are not known",
                )
                if t
            )
        )
    findings = [finding.diagnostic(source) for finding in found.report.findings]
    return Checked(source, (*heard, *findings), tuple(sorted(errors, key=_place)), tuple(unchecked))


def outline(request: BuildRequest, settings: Settings, listener: Listener) -> tuple[Outline, SourceText]:
    """The build arguments, secrets, agents and caches of the target; KezuriError when it cannot be planned."""
    from kezuri.check.outline import outline as draw

    with _definition(request, settings, listener) as definition:
        found = definition.examine(everything=False)
        survey = found.subject.survey
        if survey.errors:
            raise KezuriError(*dict.fromkeys(d for error in survey.errors for d in error.diagnostics))
        return draw(found.subject, survey.target, dict(request.build_args)), definition.dockerfile.source


def targets(request: BuildRequest, settings: Settings, listener: Listener) -> tuple[tuple[TargetLine, ...], SourceText]:
    """The stages of the Dockerfile; KezuriError when it cannot be read."""
    from kezuri.check.outline import targets as lines

    with _definition(request, settings, listener) as definition:
        dockerfile = definition.dockerfile.verify()
        return lines(dockerfile), dockerfile.source


@contextmanager
def _definition(request: BuildRequest, settings: Settings, listener: Listener) -> Iterator[Definition]:
    with ExitStack() as held:
        session = held.enter_context(Session(settings, pull=request.pull, reading=True))
        yield Definition(request, session, Reporter(listener), listener, held)


def _place(diagnostic: Diagnostic) -> int:
    return diagnostic.span.start if diagnostic.span is not None else sys.maxsize
