"""How much findings weigh in files that are right as they are, or nearly: a maintainer of one would say so."""

import pytest
from tests.check.check_dockerfiles import Table, resolver

from kezuri.check.rule import Fix, apply
from kezuri.check.selection import Selection
from kezuri.check.sheets import Terms, check_dockerfile


def levels(text: str, rule: str) -> set[str]:
    """The levels of a rule's findings."""
    terms = Terms(resolver(), selection=Selection(only=frozenset({rule.lower()})))
    sheet = check_dockerfile(text, "Dockerfile", terms)
    assert sheet.defects == ()
    return {one.level for one in sheet.told}


@pytest.mark.parametrize(
    ("rule", "text", "expected"),
    [
        pytest.param(
            "WholeRootCopied",
            "FROM tonistiigi/xx:1.6 AS xx\nFROM golang:1.24\nCOPY --from=xx / /\n",
            {"info"},
            id="WholeRootCopied: an image made to be copied",
        ),
        pytest.param(
            "WholeRootCopied",
            "FROM golang:1.24\nCOPY --from=tonistiigi/xx:1.6 / /\n",
            {"info"},
            id="WholeRootCopied: an image that is no stage",
        ),
        pytest.param(
            "WholeRootCopied",
            "FROM debian:12 AS b\nRUN make DESTDIR=/out\nFROM scratch AS out\nCOPY --from=b /out /\n"
            "FROM debian:12\nCOPY --from=out / /\n",
            {"info"},
            id="WholeRootCopied: a stage on scratch",
        ),
        pytest.param(
            "WholeRootCopied",
            "FROM debian:12 AS b\nRUN make\nFROM scratch\nCOPY --from=b / /\n",
            {"info"},
            id="WholeRootCopied: one layer of many",
        ),
        pytest.param(
            "WholeRootCopied",
            "FROM debian:12 AS b\nRUN make\nFROM b AS c\nFROM debian:12\nCOPY --from=c / /\n",
            {"warning"},
            id="WholeRootCopied: a stage that was worked in",
        ),
        pytest.param(
            "ManySourcesNoDirectory",
            "FROM debian:12\nWORKDIR /app\nCOPY a b .\n",
            {"style"},
            id="ManySourcesNoDirectory: the working directory",
        ),
        pytest.param(
            "ManySourcesNoDirectory",
            "FROM debian:12\nCOPY a b /usr/local/bin\n",
            {"info"},
            id="ManySourcesNoDirectory: a directory that Debian has",
        ),
        pytest.param(
            "ManySourcesNoDirectory",
            "FROM scratch\nCOPY a b /usr/local/bin\n",
            {"error"},
            id="ManySourcesNoDirectory: and scratch has not",
        ),
        pytest.param(
            "RelativeCopyDestination",
            "FROM scratch\nCOPY app .\n",
            {"info"},
            id="RelativeCopyDestination: scratch works in the root",
        ),
        pytest.param(
            "RelativeCopyDestination",
            "FROM debian:12\nCOPY app .\n",
            {"warning"},
            id="RelativeCopyDestination: somebody else says where",
        ),
        pytest.param(
            "UnknownCopySource",
            "FROM php:8\nCOPY --from=mlocati/php-extension-installer /usr/bin/x /usr/bin/\n",
            {"info"},
            id="UnknownCopySource: an image by its name",
        ),
        pytest.param(
            "UnknownCopySource",
            "FROM php:8\nCOPY --from=scratch / /empty\n",
            {"info"},
            id="UnknownCopySource: an empty directory",
        ),
        pytest.param(
            "UnknownCopySource",
            "FROM php:8 AS build\nFROM php:8\nCOPY --from=biuld /a /a\n",
            {"warning"},
            id="UnknownCopySource: a slip of the pen",
        ),
        pytest.param(
            "UntaggedBaseImage",
            "ARG V=slim\nFROM debian:12 AS base-slim\nFROM base-${V}\n",
            {"style"},
            id="UntaggedBaseImage: a stage named by a variable",
        ),
        pytest.param(
            "UntaggedBaseImage", 'ARG V\nFROM "${V}"\n', {"style"}, id="UntaggedBaseImage: whatever the variable says"
        ),
        pytest.param("UntaggedBaseImage", "FROM debian\n", {"warning"}, id="UntaggedBaseImage: no tag"),
        pytest.param(
            "SystemDirectoryAsWorkdir",
            "FROM scratch\nWORKDIR /bin/\nCOPY app .\n",
            set(),
            id="SystemDirectoryAsWorkdir: nothing but the program",
        ),
        pytest.param(
            "SystemDirectoryAsWorkdir",
            "FROM scratch\nWORKDIR /proc\n",
            {"warning"},
            id="SystemDirectoryAsWorkdir: the kernel is everywhere",
        ),
        pytest.param(
            "SystemDirectoryAsWorkdir",
            "FROM alpine:3.22\nWORKDIR /bin\n",
            {"info"},
            id="SystemDirectoryAsWorkdir: where programs are",
        ),
        pytest.param(
            "SystemDirectoryAsWorkdir",
            "FROM alpine:3.22\nWORKDIR /etc\n",
            {"warning"},
            id="SystemDirectoryAsWorkdir: the settings of all",
        ),
        pytest.param(
            "SystemDirectoryAsVolume",
            'FROM debian:12\nVOLUME ["/sys/fs/cgroup"]\nCMD ["/lib/systemd/systemd"]\n',
            set(),
            id="SystemDirectoryAsVolume: systemd asks for it",
        ),
        pytest.param(
            "SystemDirectoryAsVolume",
            "FROM debian:12\nVOLUME /sys\n",
            {"warning"},
            id="SystemDirectoryAsVolume: not for all of it",
        ),
        pytest.param(
            "HealthcheckMissing",
            'FROM debian:12\nCOPY tool /usr/bin/\nENTRYPOINT ["tool"]\n',
            {"style"},
            id="HealthcheckMissing: a tool",
        ),
        pytest.param(
            "HealthcheckMissing",
            'FROM debian:12\nEXPOSE 80\nCMD ["serve"]\n',
            {"info"},
            id="HealthcheckMissing: a port",
        ),
        pytest.param(
            "HealthcheckMissing",
            'FROM python:3\nCMD ["uvicorn", "app:app"]\n',
            {"info"},
            id="HealthcheckMissing: a server",
        ),
        pytest.param(
            "RootUser",
            "FROM ubuntu:24.04\nUSER ci\nRUN make\nUSER root\n",
            {"info"},
            id="RootUser: an image that starts nothing",
        ),
        pytest.param(
            "RootUser",
            'FROM ubuntu:24.04\nUSER root\nCMD ["serve"]\n',
            {"warning"},
            id="RootUser: an image that starts something",
        ),
        pytest.param(
            "RootUser", "FROM nginx:1.29\nUSER root\n", {"warning"}, id="RootUser: a base that starts something"
        ),
        pytest.param("NamedUser", "FROM debian:12\nUSER root\n", {"style"}, id="NamedUser: root is 0"),
        pytest.param(
            "NamedUser", "FROM debian:12\nENV ID=999\nUSER $ID\n", {"style"}, id="NamedUser: a number by its variable"
        ),
        pytest.param("NamedUser", "FROM debian:12\nUSER app\n", {"info"}, id="NamedUser: a name"),
        pytest.param(
            "PipeWithoutPipefail",
            'FROM debian:12\nRUN echo "deb x" | tee /etc/apt/sources.list.d/x.list\n',
            {"info"},
            id="PipeWithoutPipefail: echo does not fail",
        ),
        pytest.param(
            "PipeWithoutPipefail",
            "FROM debian:12\nRUN make TAGS=$(cat tags | tr a b)\n",
            {"info"},
            id="PipeWithoutPipefail: among the words of a command",
        ),
        pytest.param(
            "PipeWithoutPipefail",
            "FROM debian:12\nRUN V=$(curl -f https://x.org | tr a b) && make $V\n",
            {"warning"},
            id="PipeWithoutPipefail: an assignment fails with it",
        ),
        pytest.param(
            "PipeWithoutPipefail",
            "FROM debian:12\nRUN echo a | tr a b && curl https://x.org/a | tar x\n",
            {"warning"},
            id="PipeWithoutPipefail: the second pipe",
        ),
        pytest.param(
            "PipeWithoutPipefail",
            "FROM debian:12\nRUN curl https://x.org/a | tar x || exit 0\n",
            {"info"},
            id="PipeWithoutPipefail: a failure that is meant",
        ),
        pytest.param(
            "ConsecutiveRuns",
            "FROM debian:12 AS b\nRUN make a\nRUN make b\nFROM scratch\nCOPY --from=b /a /a\n",
            {"style"},
            id="ConsecutiveRuns: a stage that is not shipped",
        ),
        pytest.param(
            "ConsecutiveRuns", "FROM debian:12\nRUN make a\nRUN make b\n", {"info"}, id="ConsecutiveRuns: the image"
        ),
        pytest.param(
            "DirectoryChangedInRun",
            "FROM debian:12\nRUN cd /srv && make\n",
            {"info"},
            id="DirectoryChangedInRun: needed by what follows",
        ),
        pytest.param(
            "DirectoryChangedInRun",
            "FROM debian:12\nRUN mkdir /srv/a && cd /srv/a\nRUN make\n",
            {"warning"},
            id="DirectoryChangedInRun: lost at the end of the step",
        ),
        pytest.param(
            "HighUserIdLogged",
            "FROM debian:12\nARG NUMBER=999\nRUN useradd -r -u $NUMBER app\n",
            {"style"},
            id="HighUserIdLogged: a number that nobody sees",
        ),
        pytest.param(
            "WorkdirRelativePath",
            "# escape=`\nFROM mcr.microsoft.com/windows/servercore:ltsc2022\n"
            "ENV GOPATH=C:\\gopath\nWORKDIR ${GOPATH}\\src\n",
            set(),
            id="WorkdirRelativePath: a drive of Windows",
        ),
        pytest.param(
            "WorkdirRelativePath",
            "FROM debian:12 AS b\nWORKDIR /src\nFROM b\nWORKDIR web\n",
            {"info"},
            id="WorkdirRelativePath: a directory of this file",
        ),
        pytest.param(
            "SecretsUsedInArgOrEnv",
            "FROM golang:1.24\nENV GOPRIVATE=github.com/us/*\n",
            {"info"},
            id="SecretsUsedInArgOrEnv: names of modules",
        ),
        pytest.param(
            "SecretsUsedInArgOrEnv",
            "FROM golang:1.24\nARG DEPLOY_TOKEN\n",
            {"warning"},
            id="SecretsUsedInArgOrEnv: a secret",
        ),
        pytest.param(
            "MissingUser",
            "FROM golang:1.24 AS b\nRUN go build -o /out/\nFROM scratch\nCOPY --from=b /out /\n",
            set(),
            id="MissingUser: files for somebody else",
        ),
        pytest.param(
            "CopyAfterUser",
            "FROM debian:12\nUSER 1000\nCOPY app /usr/local/bin/app\n",
            set(),
            id="CopyAfterUser: programs belong to root",
        ),
        pytest.param(
            "CopyAfterUser",
            'FROM debian:12\nUSER 1000\nCOPY run.sh /run.sh\nENTRYPOINT ["/run.sh"]\n',
            set(),
            id="CopyAfterUser: so does what is started",
        ),
        pytest.param(
            "CopyAfterUser",
            "FROM debian:12\nUSER 1000\nCOPY data /srv/data\n",
            {"info"},
            id="CopyAfterUser: data do not",
        ),
        pytest.param(
            "FullBase",
            'FROM python:3\nRUN git clone https://x.org/a\nCMD ["python", "a"]\n',
            set(),
            id="FullBase: git is not in the small one",
        ),
        pytest.param(
            "FullBase",
            'FROM python:3\nCOPY a /a\nCMD ["python", "a"]\n',
            {"info"},
            id="FullBase: nothing is needed of it",
        ),
        pytest.param(
            "DynamicGoBinary",
            "FROM golang:1.24 AS b\nRUN go build -o /out/x\nFROM scratch\nCOPY --from=b /out/x /\n",
            set(),
            id="DynamicGoBinary: a program for whoever takes it out",
        ),
        pytest.param(
            "LockFileIgnored",
            "FROM node:22\nCOPY package.json yarn.lock ./\nRUN yarn workspaces focus --all\n",
            set(),
            id="LockFileIgnored: a command without that option",
        ),
        pytest.param(
            "ApkIndexKept",
            "FROM alpine:3.22\nRUN apk add --no-network --virtual .run so:libc.so\n",
            {"style"},
            id="ApkIndexKept: nothing is fetched",
        ),
        pytest.param(
            "JSONArgsRecommended",
            "FROM debian:12\nHEALTHCHECK CMD nc -z localhost 80 || exit 1\n",
            {"style"},
            id="JSONArgsRecommended: no signal reaches it",
        ),
        pytest.param(
            "FromPlatformFlagConstDisallowed",
            "ARG TARGETARCH\nFROM --platform=linux/$TARGETARCH debian:12\n",
            {"style"},
            id="FromPlatformFlagConstDisallowed: no constant",
        ),
        pytest.param(
            "MissingUser", "FROM debian:12\nRUN make test\n", {"style"}, id="MissingUser: nothing is started by itself"
        ),
        pytest.param(
            "MissingUser",
            'FROM example.com/base:1\nENTRYPOINT ["/app"]\n',
            {"info"},
            id="MissingUser: nobody knows the base",
        ),
    ],
)
def test_level_is_what_it_means(rule: str, text: str, expected: set[str]) -> None:
    assert levels(text, rule) == expected


@pytest.mark.parametrize(("files", "expected"), [({"go.mod": ""}, {"info"}), ({"main.py": ""}, set())])
def test_context_may_be_another_directory(files: dict[str, str], expected: set[str]) -> None:
    text = "FROM golang:1.24\nCOPY go.mod ./\nRUN go mod download\nCOPY . .\n"
    terms = Terms(
        resolver(),
        surroundings=Table({**files, "Dockerfile": text}),
        selection=Selection(only=frozenset({"contextnotfiltered"})),
    )
    assert {one.level for one in check_dockerfile(text, "Dockerfile", terms).told} == expected


def fixes(text: str, rule: str) -> list[Fix]:
    """The fixes that a rule has."""
    terms = Terms(resolver(), selection=Selection(only=frozenset({rule.lower()})))
    return [one.fix for one in check_dockerfile(text, "Dockerfile", terms).told if one.fix is not None]


def test_column_stays_where_it_is() -> None:
    text = "FROM debian:12\nRUN     mkdir /app\nADD     ./app /app/\nADD a /a\n"
    assert apply(text, fixes(text, "AddForPlainFiles")) == (
        "FROM debian:12\nRUN     mkdir /app\nCOPY    ./app /app/\nCOPY a /a\n"
    )


def test_quotes_of_a_maintainer_do_not_become_a_part_of_the_label() -> None:
    text = 'FROM debian:12\nMAINTAINER "Us <us@example.com>"\n'
    label = 'LABEL org.opencontainers.image.authors="Us <us@example.com>"\n'
    assert apply(text, fixes(text, "MaintainerDeprecated")) == f"FROM debian:12\n{label}"


def test_quotes_within_a_name_stay() -> None:
    text = 'FROM debian:12\nMAINTAINER "A" and "B"\n'
    assert '="\\"A\\" and \\"B\\""' in apply(text, fixes(text, "MaintainerDeprecated"))


@pytest.mark.parametrize(("command", "kind"), [("/run.sh", "V"), ("/bin/server", "A")])
def test_script_may_need_the_shell_to_start(command: str, kind: str) -> None:
    assert [fix.kind for fix in fixes(f"FROM scratch\nENTRYPOINT {command}\n", "JSONArgsRecommended")] == [kind]


def test_nothing_is_fetched_so_nothing_has_to_be_left_out() -> None:
    assert fixes("FROM alpine:3.22\nRUN apk add --no-network --virtual .run so:libc.so\n", "ApkIndexKept") == []


@pytest.mark.parametrize(("to", "kind"), [(".", "A"), ("/app", "V")])
def test_slash_changes_the_image_where_there_is_no_directory_yet(to: str, kind: str) -> None:
    text = f"FROM debian:12\nWORKDIR /srv\nCOPY a b {to}\n"
    assert [fix.kind for fix in fixes(text, "ManySourcesNoDirectory")] == [kind]


@pytest.mark.parametrize("below", [True, False])
def test_account_must_be_there_before_it_owns_what_is_copied(below: bool) -> None:
    copy, account = "COPY bin /srv/bin\n", "RUN useradd --system app\n"
    text = f"FROM debian:12\n{copy}{account}" if below else f"FROM debian:12\n{account}{copy}"
    terms = Terms(resolver(), selection=Selection(only=frozenset({"chownaftercopy"})))
    (told,) = check_dockerfile(f"{text}RUN chown -R app:app /srv\n", "Dockerfile", terms).told
    assert told.hint.startswith("make the account above the COPY") is below


def test_thousands_of_pipes_are_not_compared_with_each_other() -> None:
    assert levels(f"FROM debian:12\nRUN {'echo a | tr a b; ' * 1000}true\n", "PipeWithoutPipefail") == {"warning"}
