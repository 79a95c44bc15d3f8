"""The rules about package managers: agreement with what hadolint is recorded to say, and what their edits change."""

import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.check.check_dockerfiles import examine
from tests.check.check_package_cases import CODES, recorded

from kezuri.check.catalogue import every_rule
from kezuri.check.rule import Finding, Rule, apply
from kezuri.proof.vocabulary import unknown

RULES = tuple(rule for rule in every_rule() if isinstance(rule, Rule) and CODES & set(rule.aliases))
RECORDED = recorded()

SILENT = {
    "the option answers": (r"DL3014", r"--force-yes|Assume-Yes=true"),
    "yes answers": (r"DL3014", r"yes \|"),
    "no installation": (r"DL30\d\d", r"download install|del add|list install|run install"),
    "the value of an option is no package": (
        r"DL30",
        r"-c cfg|--root /x|--timeout 5|--cache-dir x|--omit dev|-tags x|-v1",
    ),
    "the value of an option of yum or dnf is no package": (r"DL30(33|41)", r"--enablerepo x"),
    "recommendations are off in another spelling": (r"DL3015", r"Install-Recommends=0|-oAPT"),
    "the lists are removed in another way": (r"DL3009", r"rm -(r|fr) /var|-delete|dist-clean|sudo rm|target=/var/lib "),
    "the cache lies in a mount that holds its directory": (r"DL30(19|32|36|40|42|60)", r"--mount=type=(cache|tmpfs)"),
    "the cache is removed in another way": (r"DL30(32|40|60)", r"rm -r /var/cache/dnf|\.cache$"),
    "pip takes the short form of the option": (r"DL3042", r"--no-cache "),
    "pip's cache is switched off in another way": (r"DL3042", r"ARG PIP|=\"1\""),
    "a file, a directory or a URL has no version": (
        r"DL30(13|16|28|33|37|41|62)",
        r"\.(rpm|gem|zip)|\./foo|/usr/bin|/x |main\.go",
    ),
    "npm's other ways to name a place and a revision": (r"DL3016", r"file:x|install \.$|#"),
    "the project itself has no version": (r"DL3013", r"\.\[x\]"),
    "a group, a pattern, a capability has no version": (r"DL30(33|37|41)", r"@foo|pattern|command\(|group install"),
    "the version is in a variable, as later versions of hadolint see": (r"DL30(33|41)", r"foo-\$"),
    "packages of Go itself have no version": (r"DL3062", r" (std|cmd/foo)$"),
}
"""Where hadolint 2.15.1 reports and we do not: its codes, and the texts, by reason."""


AHEAD = {
    ("DL3032:1", "RUN yum install -y foo-1 && rm -rf /tmp/x\n"),
    ("DL3032:1", "RUN yum install -y foo-1 && yum clean\n"),
}
"""Where we report what versions of hadolint after 2.15.1 do: yum's cache is gone by nothing but its own removal."""


def told(findings: tuple[Finding, ...]) -> set[str]:
    """The findings as hadolint would call them."""
    said = set()
    for finding in findings:
        assert finding.node is not None
        line = finding.node.source.text.count("\n", 0, finding.node.span.start) + 1
        aliases = finding.rule.aliases if finding.aliases is None else finding.aliases
        said |= {f"{alias}:{line}" for alias in aliases if alias in CODES}
    return said


def test_packages_the_record_has_every_rule_and_only_what_hadolint_reads() -> None:
    assert not any(code.startswith("DL1000") for codes in RECORDED.values() for code in codes)
    assert {code.split(":")[0] for codes in RECORDED.values() for code in codes} == CODES


def test_packages_agree_with_hadolint_but_where_it_is_wrong() -> None:
    unexplained, used, ahead = [], set(), set()
    for text, codes in RECORDED.items():
        ours = told(examine(text, rules=RULES).findings)
        unexplained += [("only ours", code, text) for code in sorted(ours - set(codes)) if (code, text) not in AHEAD]
        ahead |= {(code, text) for code in ours - set(codes)}
        for code in sorted(set(codes) - ours):
            reasons = {
                why for why, (which, form) in SILENT.items() if re.match(which, code) and re.search(form, text, re.M)
            }
            used |= reasons
            if not reasons:
                unexplained.append(("only hadolint's", code, text))
    assert unexplained == []
    assert used == set(SILENT), "every reason is needed"
    assert ahead == AHEAD


WIDER = [
    ("RUN apt install -y foo", {"AptInsteadOfAptGet", "AptRecommendsInstalled", "UnpinnedAptPackage"}),
    ("RUN apt-get update && apt-get install -yqq --no-install-recommends foo=1 && rm -rf /tmp/x", {"AptListsKept"}),
    ("RUN /opt/venv/bin/pip install foo", {"PipCacheKept", "UnpinnedPipPackage"}),
    ("RUN npm i -g foo", {"UnpinnedNpmPackage"}),
    ("RUN gem install --no-document foo", {"UnpinnedGem"}),
    ("RUN sudo yum install foo-1 && yum clean all", {"YumConfirmationMissing"}),
    ("RUN bash <<EOF\napk add foo=1\nEOF", {"ApkIndexKept"}),
    ('RUN ["/bin/sh", "-c", "apk add foo=1"]', {"ApkIndexKept"}),
]


@pytest.mark.parametrize(("text", "names"), WIDER, ids=[text for text, _ in WIDER])
def test_packages_what_hadolint_does_not_see_goes_by_our_name_only(text: str, names: set[str]) -> None:
    findings = examine(f"FROM debian:12\n{text}\n", rules=RULES).findings
    assert {finding.rule.name for finding in findings} == names
    assert told(findings) <= {"DL3027:2"}


def test_packages_what_stays_in_no_image_is_a_matter_of_style() -> None:
    text = "FROM python:3.12 AS build\nRUN pip install foo==1\nFROM scratch\nCOPY --from=build /x /x\n"
    (finding,) = examine(text, rules=RULES).findings
    assert (finding.rule.name, finding.level) == ("PipCacheKept", "style")
    assert told((finding,)) == {"DL3042:2"}


FIXES = {
    "-y": ("RUN apt-get install foo", "RUN apt-get install -y foo"),
    "-y behind a quoted verb": ('RUN apt-get "install" foo', 'RUN apt-get "install" -y foo'),
    "-y in each": (
        "RUN yum install a && yum clean all\nRUN dnf install b && dnf clean all",
        "RUN yum install -y a && yum clean all\nRUN dnf install -y b && dnf clean all",
    ),
    "-y in a here-document": ("RUN <<EOF\napt-get install foo\nEOF", "RUN <<EOF\napt-get install -y foo\nEOF"),
    "-y in a substitution": ('RUN echo "$(apt-get install foo)"', 'RUN echo "$(apt-get install -y foo)"'),
    "-y over lines": (
        "RUN apt-get \\\n    # why\n    install \\\n    foo",
        "RUN apt-get \\\n    # why\n    install -y \\\n    foo",
    ),
    "zypper": ("RUN zypper rm foo", "RUN zypper --non-interactive rm foo"),
    "apt": (
        "RUN apt install -y a; apt show b; apt upgrade -y",
        "RUN apt-get install -y a; apt-cache show b; apt-get upgrade --with-new-pkgs -y",
    ),
    "apt full-upgrade": ("RUN apt full-upgrade -y", "RUN apt-get dist-upgrade -y"),
    "--no-cache": ("RUN apk add foo && x", "RUN apk add --no-cache foo && x"),
    "--no-cache for --update": ("RUN apk add --update foo", "RUN apk add --no-cache foo"),
    "--no-cache-dir": ("RUN python -m pip install -r r.txt", "RUN python -m pip install --no-cache-dir -r r.txt"),
    "clean all": ("RUN yum install -y foo", "RUN yum install -y foo && yum clean all"),
    "clean all for both": (
        "RUN dnf install -y a && microdnf install -y b",
        "RUN dnf install -y a && microdnf install -y b && dnf clean all && microdnf clean all",
    ),
    "clean behind a group": ("RUN { dnf install -y a; }", "RUN { dnf install -y a; } && dnf clean all"),
    "clean in the manner of the lines": (
        "RUN true \\\n && yarn install \\\n && true",
        "RUN true \\\n && yarn install \\\n && true \\\n && yarn cache clean",
    ),
    "clean in the other manner": (
        "RUN true && \\\n  yarn install",
        "RUN true && \\\n  yarn install && \\\n  yarn cache clean",
    ),
    "clean with semicolons": (
        "RUN set -e; \\\n    dnf install -y a; \\\n    b",
        "RUN set -e; \\\n    dnf install -y a; \\\n    b && \\\n    dnf clean all",
    ),
    "clean in a here-document": (
        "RUN <<EOF\nyum install -y a\nb\nEOF",
        "RUN <<EOF\nyum install -y a\nb && yum clean all\nEOF",
    ),
    "clean in a here-document that stops": (
        "RUN <<EOF\nset -e\nyum install -y a\nEOF",
        "RUN <<EOF\nset -e\nyum install -y a\nyum clean all\nEOF",
    ),
    "clean before the last semicolon": (
        "RUN yum install -y a; \\\n  b;",
        "RUN yum install -y a; \\\n  b && \\\n  yum clean all;",
    ),
    "clean where it stops on failure": (
        "RUN yum install -y a || exit 1",
        "RUN yum install -y a || exit 1 && yum clean all",
    ),
    "clean before a comment": ("RUN yum install -y a # why", "RUN yum install -y a && yum clean all # why"),
    "clean with its line endings": (
        "RUN a && \\\r\n  yum install -y a\r",
        "RUN a && \\\r\n  yum install -y a && \\\r\n  yum clean all\r",
    ),
    "lists": (
        "RUN apt-get update && apt-get install -y --no-install-recommends a",
        "RUN apt-get update && apt-get install -y --no-install-recommends a && rm -rf /var/lib/apt/lists/*",
    ),
    "behind ONBUILD": ("ONBUILD RUN apk add foo", "ONBUILD RUN apk add --no-cache foo"),
    "among characters of several bytes": (
        "RUN echo 日本 && apk add é && echo ü",
        "RUN echo 日本 && apk add --no-cache é && echo ü",
    ),
}


@pytest.mark.parametrize("name", FIXES)
def test_packages_edits(name: str) -> None:
    before, after = FIXES[name]
    findings = examine(f"FROM debian:12\n{before}\n", rules=RULES).findings
    fixes = [finding.fix for finding in findings if finding.fix is not None and finding.fix.kind == "A"]
    assert fixes
    assert all(fix.changes and not unknown(fix.changes) for fix in fixes)
    assert apply(f"FROM debian:12\n{before}\n", fixes) == f"FROM debian:12\n{after}\n"


REFUSED = {
    "a script that is not understood": "RUN yum install a && (",
    "a word in quotes that do not end": "RUN apt-get install 'foo",
    "tabs that are stripped": "RUN <<-EOF\n\tapt-get install foo\n\tEOF",
    "another shell": 'SHELL ["pwsh", "-c"]\nRUN yum install -y a',
    "the exec form": 'RUN ["apt-get", "install", "foo"]',
    "something in the background at the end": "RUN yum install -y a && b &",
    "the end is not reached": "RUN yum install -y a && exit 0",
    "another program takes over": "RUN yum install -y a; exec b",
    "a here-document within": "RUN yum install -y a && cat <<EOF\nx\nEOF",
    "lists that a later RUN needs": "RUN apt-get update && apt-get install -y a\nRUN apt-get install -y b",
    "lists that nothing in the RUN needs": "RUN apt-get update",
    "an index that a later RUN needs": "RUN apk add -U foo\nRUN apk add bar && (",
    "apt in a way that apt-get has not": "RUN apt list --installed",
}


@pytest.mark.parametrize("name", REFUSED)
def test_packages_edits_are_refused(name: str) -> None:
    findings = examine(f"FROM debian:12\n{REFUSED[name]}\n", rules=RULES).findings
    assert findings
    assert [f.fix for f in findings if f.fix is not None and f.fix.kind == "A"] == []


def test_packages_lists_that_a_script_may_need_are_removed_only_with_a_proof() -> None:
    text = "FROM debian:12\nRUN apt-get update && apt-get install -y a=1\nRUN ./setup.sh\n"
    fixes = [f.fix for f in examine(text, rules=RULES).findings if f.rule.name == "AptListsKept"]
    assert [fix.kind for fix in fixes if fix is not None] == ["V"]


def test_packages_an_index_goes_when_nobody_needs_it_any_more() -> None:
    text = "FROM alpine\nRUN apk add -U foo=1\nRUN apk add bar=1\n"
    for _ in range(3):
        text = apply(text, [f.fix for f in examine(text, rules=RULES).findings if f.fix is not None])
    assert text == "FROM alpine\nRUN apk add --no-cache foo=1\nRUN apk add --no-cache bar=1\n"


MANAGERS = st.sampled_from(
    [
        *(
            "apt-get update",
            "apt-get install foo",
            "apt-get install -y 'foo' bar",
            "apt update",
            "apt install foo",
            "apk add x",
        ),
        *(
            "apk add -U x=1",
            "pip install x",
            "python3 -m pip -q install x==1",
            "yarn install",
            "yarn cache clean",
            "dnf install x",
        ),
        *(
            "microdnf install -y x",
            "dnf clean all",
            "yum install x",
            "zypper in x",
            "zypper clean",
            "npm install x",
            "echo é",
            "true",
        ),
        *("rm -rf /var/lib/apt/lists/*", "cd x", "set -e"),
    ]
)
FORMS = st.sampled_from(
    ["{}", "({})", "{{ {}; }}", "if true; then {}; fi", 'echo "$({})"', "! {}", "{} | tee x", "{} > x", "{} || true"]
)
JOINTS = st.sampled_from([" && ", "; ", " && \\\n    ", " \\\n && ", " && \\\n  # a comment\n  ", " || "])


@st.composite
def dockerfiles(draw: st.DrawFn) -> str:
    lines = ["FROM debian:12"]
    for _ in range(draw(st.integers(1, 3))):
        commands = [draw(FORMS).format(command) for command in draw(st.lists(MANAGERS, min_size=1, max_size=4))]
        if draw(st.booleans()):
            joint = draw(JOINTS)
            lines.append("RUN " + joint.join(commands))
        else:
            lines.append("RUN <<EOF\n" + "\n".join(commands) + "\nEOF")
    return "\n".join(lines) + "\n"


def words(text: str) -> list[str]:
    """All the words that are called, in order, those within substitutions as commands of their own only."""
    subject = examine(text, rules=()).subject
    return [
        word
        for run in subject.runs
        for call in run.calls
        for word in ("|", call.program, *(w.text for w in call.words if "$(" not in w.text))
    ]


ALLOWED = {
    *(
        "-y",
        "--no-cache",
        "--no-cache-dir",
        "--no-install-recommends",
        "--non-interactive",
        "--with-new-pkgs",
        "apt-get",
    ),
    *(
        "|",
        "rm",
        "-rf",
        "/var/lib/apt/lists/*",
        "yum",
        "dnf",
        "microdnf",
        "clean",
        "all",
        "zypper",
        "--all",
        "yarn",
        "cache",
    ),
}
REPLACED = {"apt", "-U"}


@settings(max_examples=20, deadline=None)
@given(dockerfiles())
def test_packages_law_fixes_change_what_they_say_and_come_to_an_end(text: str) -> None:
    fixes_keep_the_law(text)


@pytest.mark.slow
@settings(max_examples=1000, deadline=None)
@given(dockerfiles())
def test_packages_law_many_more_fixes_come_to_an_end(text: str) -> None:
    fixes_keep_the_law(text)


def fixes_keep_the_law(text: str) -> None:
    changed = text
    for _ in range(6):
        seen = examine(changed, rules=RULES)
        fixes = [finding.fix for finding in seen.findings if finding.fix is not None]
        if not fixes:
            break
        for finding in seen.findings:
            if finding.fix is not None:
                alone = apply(changed, [finding.fix])
                assert finding.node is not None and isinstance(finding.rule, Rule)
                number = finding.node.number
                again = examine(alone, rules=[finding.rule]).findings
                assert not [f for f in again if f.node is not None and f.node.number == number]
        changed = apply(changed, fixes)
    else:
        raise AssertionError("the fixes never end")
    before, after = Counter(words(text)), Counter(words(changed))
    assert set(after - before) <= ALLOWED
    assert set(before - after) <= REPLACED
