"""One Dockerfile checked: looked at with the images that are known, every rule asked, what is silenced left out."""

from collections.abc import Mapping
from typing import NamedTuple

from kezuri.check.asking import Asking
from kezuri.check.catalogue import dockerfile_rules
from kezuri.check.data import Data
from kezuri.check.linter import CheckOptions
from kezuri.check.names import canonicals
from kezuri.check.policy import Policy
from kezuri.check.pragmas import Silence
from kezuri.check.rule import Rule
from kezuri.check.rules import RULES
from kezuri.check.selection import Selection
from kezuri.check.shell_checker import ShellChecker
from kezuri.check.subject import Subject
from kezuri.check.surroundings import Surroundings
from kezuri.check.told import Sheet, Told
from kezuri.diagnostics import KezuriError
from kezuri.dockerfile.ignore import Ignore
from kezuri.dockerfile.parser import Dockerfile, parse
from kezuri.oci.platform import Platform
from kezuri.plan.contexts import ImageResolver
from kezuri.plan.facts import Survey
from kezuri.plan.planner import Planner, PlanRequest


class Terms(NamedTuple):
    """What a Dockerfile is checked for: the arguments, target and platform of the build that is meant, what surrounds
    it, what is asked of it, and how images are found. `platform` is None for that of this machine; with `heed` comments
    silence findings; `today` is a date (2026-12-31) by which some of them have run out."""

    resolve: ImageResolver
    arguments: Mapping[str, str] = {}
    target: str = ""
    platform: Platform | None = None
    surroundings: Surroundings | None = None
    ignore: Ignore | None = None
    policy: Policy | None = None
    selection: Selection = Selection()
    heed: bool = True
    today: str = ""
    shell_checker: ShellChecker | None = None
    data: Data | None = None


def check_dockerfile(text: str, name: str, terms: Terms) -> Sheet:
    """What there is to say about a Dockerfile. Never raises for what stands in it."""
    dockerfile = parse(text, name)
    silence = Silence(dockerfile, terms.today, terms.heed)
    subject = look(dockerfile, terms, silence.wrong)
    source = dockerfile.source
    selection = _selection(terms.selection, silence.options)
    asking = Asking(name)
    rules = [rule for rule in selection.rules(dockerfile_rules()) if isinstance(rule, Rule)]
    told, silenced = selection.tell(
        asking(rules, lambda rule: rule.all(subject)),  # type: ignore[attr-defined]
        lambda finding: source,
        lambda finding, one: silence.silent(finding, finding.names, one.line),
    )
    if silence.options.error:
        told = [o._replace(level="error") if o.level == "warning" and o.rule in RULES else o for o in told]
    told.sort(key=order)
    unknown = tuple(d for error in subject.survey.absent.values() for d in error.diagnostics)
    return Sheet(source, tuple(told), tuple(asking.defects), silenced, unknown)


def look(dockerfile: Dockerfile, terms: Terms, wrong: KezuriError | None = None) -> Subject:
    """The Dockerfile as rules see it. Where its text has errors, what could be understood is looked at; `wrong` is
    another thing that would end a build."""
    survey, platform = _survey(dockerfile, terms)
    if dockerfile.errors:
        errors = survey.errors
        dockerfile = dockerfile._replace(diagnostics=tuple(d for d in dockerfile.diagnostics if d.severity != "error"))
        survey, platform = _survey(dockerfile, terms)
        survey = survey._replace(errors=errors)
    if wrong is not None:
        survey = survey._replace(errors=(*survey.errors, wrong))
    asked = terms.platform is not None
    around, policy, checker = terms.surroundings, terms.policy, terms.shell_checker
    return Subject(dockerfile, survey, platform, terms.ignore, asked, around, policy, checker, terms.data)


def _selection(selection: Selection, options: CheckOptions) -> Selection:
    """With the experimental rules that the file asks for."""
    names = canonicals(options.experimental)
    if options.experimental_all:
        names |= canonicals(rule.name for rule in dockerfile_rules() if rule.experimental)
    return selection._replace(also=selection.also | names) if names else selection


def _survey(dockerfile: Dockerfile, terms: Terms) -> tuple[Survey, Platform]:
    request = PlanRequest(target=terms.target, arguments=terms.arguments, platform=terms.platform)
    planner = Planner(dockerfile, request, terms.resolve)
    return planner.look(everything=not terms.target), planner.platform


def order(told: Told) -> tuple[int, int]:
    """By what findings of a text are ordered."""
    return (-1 if told.whole is None else told.whole.start, -1 if told.span is None else told.span.start)
