"""`kezuri scan`: what is wrong with an image, a directory or a bill, and what to do about it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from time import time
from typing import TYPE_CHECKING, NamedTuple

from kezuri.advisories.values import SEVERITIES, DataSet, Severity
from kezuri.app.request import Settings
from kezuri.app.sbom import BillRequest
from kezuri.app.scan_subject import is_document, lock_files
from kezuri.diagnostics import KezuriError
from kezuri.sbom.values import Bill
from kezuri.scan.findings import asked, vulnerabilities
from kezuri.scan.urgency import ordered
from kezuri.scan.values import Finding, Report

if TYPE_CHECKING:
    from kezuri.advisories.matching import Matched

SCANNERS = ("vuln", "secret", "misconfig", "licence")
STATUSES = ("fixed", "affected", "will_not_fix", "under_investigation")
"""Trivy's words for what becomes of a fault."""
_EXPLOITED = "kev"
"""The data set that tells what is known to be exploited."""
_MOST_NAMED = 3


class ScanRequest(NamedTuple):
    """What is scanned, and for what. `scanners` are `vuln`, `secret`, `misconfig`, `licence`; `packages` the kinds that
    are looked at, `os` for the distribution's and `library` for all others. What is shown is of these `severities`; of
    faults not the `ignored_statuses` (see STATUSES), with `ignore_unfixed` only those that a version mends, with
    `only_exploited` only those that are known to be exploited (KEV). `ignore_files` are those of Trivy, and one that is
    not there is told; what lies in files that the patterns `skip` match is no finding. `vex` are documents of OpenVEX,
    and with `attached_vex` those that are beside the image count, too. `since` names an image whose findings are no
    news. `forbidden_licences` are identifiers or patterns. `now` is the time of the scan, in seconds since 1970; 0 for
    the clock's."""

    subject: BillRequest
    scanners: tuple[str, ...] = ("vuln", "secret", "misconfig")
    severities: tuple[Severity, ...] = SEVERITIES
    ignore_unfixed: bool = False
    only_exploited: bool = False
    ignore_files: tuple[str, ...] = ()
    vex: tuple[str, ...] = ()
    since: str = ""
    forbidden_licences: tuple[str, ...] = ()
    packages: tuple[str, ...] = ("os", "library")
    ignored_statuses: tuple[str, ...] = ()
    attached_vex: bool = False
    skip: tuple[str, ...] = ()
    now: float = 0.0


class Scanned(NamedTuple):
    """A report, and the bill that it is about."""

    report: Report
    bill: Bill


def scan(settings: Settings, request: ScanRequest) -> Report:
    """KezuriError where the subject cannot be read or, when it is asked for faults, there is no database."""
    return scan_with_bill(settings, request).report


def scan_with_bill(settings: Settings, request: ScanRequest) -> Scanned:
    """As `scan`, with the bill of the subject."""
    from kezuri.app.sbom import bill, located

    if "vuln" in request.scanners:
        _prove_database(settings)
    request = request._replace(subject=located(settings, request.subject))
    found = bill(settings, request.subject)
    return Scanned(scanned(settings, request, found), found)


def scanned(settings: Settings, request: ScanRequest, bill: Bill) -> Report:
    """As `scan`, of a bill that is here already. An image is read for secrets and settings only where these are asked
    for, and a bill that a document has is of no image."""
    now = request.now or time()
    from kezuri.app.scan_passed import Excuses, let_pass

    found, told, data = _found(settings, request, bill, now, demanding=True)
    if request.skip:
        from kezuri.dockerfile.ignore import Patterns

        skipped = Patterns.of(request.skip)
        found = [finding for finding in found if not (finding.path and skipped.matches(finding.path))]
    excuses = Excuses(request.ignore_files, request.vex, request.subject if request.attached_vex else None)
    findings = let_pass(settings, excuses, bill, found, told, now)
    if request.since:
        findings = _news(settings, request, findings, now)
    shown = [finding for finding in findings if _is_wanted(finding, request)]
    hidden = Counter(each.severity for each in findings if not _is_wanted(each, request) and not each.ignored)
    told += _unrated(findings, request)
    from kezuri.app.base_lines import with_base_lines
    from kezuri.scan.remedies import remedies

    in_order = ordered(shown)
    return Report(
        bill.name,
        bill.kind,
        bill.digest,
        bill.platform,
        bill.distribution.title or f"{bill.distribution.id} {bill.distribution.version}".strip(),
        with_base_lines(bill.layers),
        len(bill.components),
        in_order,
        remedies(bill, in_order),
        data,
        bill.base,
        tuple(dict.fromkeys(told)),
        tuple((severity, hidden[severity]) for severity in SEVERITIES if hidden[severity]),
    )


def _news(settings: Settings, request: ScanRequest, findings: Sequence[Finding], now: float) -> tuple[Finding, ...]:
    from kezuri.app.sbom import bill, located
    from kezuri.scan.news import without_known

    # What was said of the subject, that it is an image and what its base is, is not said of this one.
    before = ScanRequest(
        located(settings, BillRequest(request.since, request.subject.platform)),
        request.scanners,
        forbidden_licences=request.forbidden_licences,
        packages=request.packages,
        skip=request.skip,
        now=now,
    )
    # What the database does not know of the image of before was not found in it: it would be new.
    found, _, _ = _found(settings, before, bill(settings, before.subject), now, demanding=False)
    return without_known(findings, found, request.since)


def _prove_database(settings: Settings) -> None:
    """Before anything is read that takes long, say that there is nothing to hold it against."""
    from kezuri.app.advisories import opened_database

    with opened_database(settings):
        pass


def _found(
    settings: Settings, request: ScanRequest, bill: Bill, now: float, *, demanding: bool
) -> tuple[list[Finding], list[str], tuple[DataSet, ...]]:
    findings: list[Finding] = []
    told = list(bill.told)
    data: tuple[DataSet, ...] = ()
    if "vuln" in request.scanners:
        data = _faults(settings, request, bill, now, findings, told, demanding)
    inside = [name for name in ("secret", "misconfig") if name in request.scanners]
    if inside and is_document(request.subject.subject):
        told.append(f"{request.subject.subject} is a document: there are no files to look for secrets and settings in")
    elif inside:
        from kezuri.app.scan_inside import look_inside

        seen = look_inside(settings, request.subject, bill, inside)
        findings += seen.findings
        told += seen.told
    if "licence" in request.scanners or request.forbidden_licences:
        from kezuri.scan.licences import findings as of_licences

        findings += of_licences(bill, request.forbidden_licences, all_of_them="licence" in request.scanners)
    return findings, told, data


def _faults(
    settings: Settings,
    request: ScanRequest,
    bill: Bill,
    now: float,
    findings: list[Finding],
    told: list[str],
    demanding: bool,
) -> tuple[DataSet, ...]:
    from kezuri.advisories.coordinates import coordinates
    from kezuri.advisories.lifecycles import lifecycles
    from kezuri.advisories.matching import match
    from kezuri.app.advisories import age_remarks, opened_database
    from kezuri.oci.dates import timestamp
    from kezuri.scan.ends import findings as of_ends

    numbers = asked(bill, request.packages)
    packages = [bill.components[number].package for number in numbers]
    with opened_database(settings) as database:
        matched = match(database, packages, bill.distribution)
        places = {(at.ecosystem, at.release) for each in packages if (at := coordinates(each, bill.distribution))}
        # What tells of no ecosystem (KEV, EPSS) tells of all.
        data = tuple(each for each in database.data() if not each.ecosystems or places.intersection(each.ecosystems))
    if demanding:
        _prove_covered(bill, matched)
        if request.only_exploited and not any(each.name == _EXPLOITED for each in data):
            raise KezuriError.of(
                "--only-kev: the database of advisories has no data about what is known to be exploited",
                hint=f"kezuri db update {_EXPLOITED} fetches it, kezuri db import FILE brings it along",
                exit_code=2,
            )
    findings += vulnerabilities(bill, numbers, matched.matches)
    told += _untold(bill, numbers, matched)
    told += _halves(data)
    told += (remark.message for remark in age_remarks(settings, data, now))
    findings += of_ends(bill, lifecycles(), timestamp(int(now))[:10])
    return data


def _prove_covered(bill: Bill, matched: "Matched") -> None:
    """KezuriError where the database has no data about anything that the bill has: that nothing was found would say
    nothing."""
    if not matched.uncovered or matched.covered:
        return
    names = _listed(sorted({f"{ecosystem} {release}".rstrip() for ecosystem, release, _ in matched.uncovered}))
    sources = [_source(ecosystem, release) for ecosystem, release, _ in matched.uncovered]
    wanted = " ".join(dict.fromkeys(source for source in sources if source))
    raise KezuriError.of(
        f"{bill.name}: the database of advisories has no data about {names}: nothing can be said of its packages",
        hint=f"kezuri db update {wanted} fetches it, kezuri db import FILE brings it along"
        if wanted
        else "kezuri db import FILE brings data along, kezuri db status shows what there is",
        exit_code=2,
    )


def _untold(bill: Bill, numbers: Sequence[int], matched: "Matched") -> Iterable[str]:
    """What the answer of the database leaves open, as sentences."""
    runtimes = [name for ecosystem, name, _ in matched.uncovered if ecosystem == "runtime"]
    if runtimes:
        yield f"the database has no data about runtimes themselves: {_listed(runtimes)}"
    for ecosystem, release, number in matched.uncovered:
        named = f"{ecosystem} {release}".rstrip()
        source = _source(ecosystem, release)
        if ecosystem == "runtime":
            continue
        if source:
            yield (
                f"the database has no data about {named} (kezuri db update {source} fetches it); packages that could "
                f"not be asked about: {number}"
            )
        else:
            yield f"the database has no data about {named}; packages that could not be asked about: {number}"
    if matched.unordered:
        names = [bill.components[numbers[each]].package.full_name for each in matched.unordered]
        yield f"packages with a version that cannot be compared: {_listed(names)}"
    foreign = [component.package.full_name for component in bill.components if component.foreign]
    if foreign:
        yield f"packages from elsewhere than the distribution, of which its data says nothing: {_listed(foreign)}"
    locked = lock_files(bill.name) if bill.kind == "directory" and bill.distribution.id else ()
    if locked:
        yield f"{', '.join(locked)} were not read: only what is installed is known"
    if not bill.components:
        yield f"{bill.name}: no packages were found, so nothing is known about it"


def _halves(data: "Iterable[DataSet]") -> Iterable[str]:
    """The repositories of a release of Alpine whose other one is there: each tells of its own packages only."""
    names = {each.name for each in data}
    for name in sorted(names):
        release, _, repository = name.rpartition("/")
        other = {"main": "community", "community": "main"}.get(repository, "")
        if release.startswith("alpine/") and other and f"{release}/{other}" not in names:
            yield (
                f"the database has no data about a part of Alpine {release.removeprefix('alpine/')}: its repository "
                f"{other} (data set {release}/{other})"
            )


def _source(ecosystem: str, release: str) -> str:
    """The data set that tells of an ecosystem and release and can be fetched, of several (Alpine's two repositories)
    the name of all; empty where there is none."""
    from kezuri.advisories.origins import ORIGINS

    wanted = ((ecosystem, release), (ecosystem, ""))
    first = next((origin.name for origin in ORIGINS if any(pair in wanted for pair in origin.ecosystems)), "")
    return first.removesuffix("/main")


def _listed(names: Sequence[str]) -> str:
    """The first of many names, and how many there are."""
    return ", ".join(names[:_MOST_NAMED]) + (f", … ({len(names)})" if len(names) > _MOST_NAMED else "")


def _is_wanted(finding: Finding, request: ScanRequest) -> bool:
    if finding.kind == "end-of-life":
        return True
    if finding.severity not in request.severities:
        return False
    if finding.kind != "vulnerability":
        return not request.only_exploited
    if request.ignore_unfixed and not finding.fixed:
        return False
    if request.only_exploited and not (finding.signal is not None and finding.signal.exploited):
        return False
    return status(finding) not in request.ignored_statuses


def _unrated(findings: Sequence[Finding], request: ScanRequest) -> Iterable[str]:
    """That faults are left out because nobody says how severe they are: they may be of the severities that are
    wanted."""
    if not request.severities or "unknown" in request.severities:
        return
    unknown = (each for each in findings if each.severity == "unknown" and not each.ignored)
    number = sum(_is_wanted(each._replace(severity=request.severities[0]), request) for each in unknown)
    if number:
        yield f"faults that were left out because nobody says how severe they are (--severity unknown): {number}"


def status(finding: Finding) -> str:
    """What becomes of a fault, in a word of STATUSES."""
    if finding.fixed:
        return "fixed"
    return {"wont-fix": "will_not_fix", "undetermined": "under_investigation"}.get(finding.status, "affected")
