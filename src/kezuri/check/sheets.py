"""One Dockerfile checked: looked at with the images that are known, every rule asked, what is silenced left out."""

from collections.abc import Mapping
from typing import NamedTuple

from kezuri.check.asking import Asking
from kezuri.check.catalogue import every_rule
from kezuri.check.policy import Policy
from kezuri.check.rule import Rule
from kezuri.check.selection import Selection
from kezuri.check.subject import Subject
from kezuri.check.surroundings import Surroundings
from kezuri.check.told import Sheet, Told
from kezuri.dockerfile.ignore import Ignore
from kezuri.dockerfile.parser import Dockerfile, parse
from kezuri.oci.platform import Platform
from kezuri.plan.contexts import ImageResolver
from kezuri.plan.facts import Survey
from kezuri.plan.planner import Planner, PlanRequest


class Terms(NamedTuple):
    """What a Dockerfile is checked for: the arguments, target and platform of the build that is meant, what surrounds
    it, what is asked of it, and how images are found. `platform` is None for that of this machine."""

    resolve: ImageResolver
    arguments: Mapping[str, str] = {}
    target: str = ""
    platform: Platform | None = None
    surroundings: Surroundings | None = None
    ignore: Ignore | None = None
    policy: Policy | None = None
    selection: Selection = Selection()


def check_dockerfile(text: str, name: str, terms: Terms) -> Sheet:
    """What there is to say about a Dockerfile. Never raises for what stands in it."""
    subject = look(text, name, terms)
    source = subject.dockerfile.source
    asking = Asking(name)
    rules = [rule for rule in terms.selection.rules(every_rule()) if isinstance(rule, Rule)]
    told: list[Told] = []
    silenced = 0
    for finding in asking(rules, subject):
        aliases = finding.rule.aliases if finding.aliases is None else finding.aliases
        level = terms.selection.level(finding.rule, (finding.rule.name, *aliases), finding.level)
        if level is None:
            silenced += 1
        else:
            told.append(Told.of(finding, source, level))
    told.sort(key=_order)
    return Sheet(source, tuple(told), tuple(asking.defects), silenced)


def look(text: str, name: str, terms: Terms) -> Subject:
    """The Dockerfile as rules see it. Where its text has errors, what could be understood is looked at."""
    dockerfile = parse(text, name)
    survey, platform = _survey(dockerfile, terms)
    if dockerfile.errors:
        errors = survey.errors
        dockerfile = dockerfile._replace(diagnostics=tuple(d for d in dockerfile.diagnostics if d.severity != "error"))
        survey, platform = _survey(dockerfile, terms)
        survey = survey._replace(errors=errors)
    return Subject(
        dockerfile, survey, platform, terms.ignore, terms.platform is not None, terms.surroundings, terms.policy
    )


def _survey(dockerfile: Dockerfile, terms: Terms) -> tuple[Survey, Platform]:
    request = PlanRequest(target=terms.target, arguments=terms.arguments, platform=terms.platform)
    planner = Planner(dockerfile, request, terms.resolve)
    return planner.look(everything=not terms.target), planner.platform


def _order(told: Told) -> tuple[int, int]:
    return (-1 if told.whole is None else told.whole.start, -1 if told.span is None else told.span.start)
