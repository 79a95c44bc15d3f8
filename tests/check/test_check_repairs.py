"""Fixes that two builds prove: what each of them makes of a Dockerfile, and where it keeps its hands off."""

from collections.abc import Mapping

import pytest
from tests.check.check_dockerfiles import Table, resolver

from kezuri.check.rule import Fix, apply
from kezuri.check.selection import Selection
from kezuri.check.sheets import Terms, check_dockerfile
from kezuri.dockerfile.ignore import Ignore
from kezuri.proof.vocabulary import unknown

NODE = {
    "package.json": '{"scripts": {"start": "node main.js", "build": "tsc"}}',
    "package-lock.json": "{}",
    "main.js": "",
}
PIP = {"requirements.txt": "flask==3.0.0\n", "app.py": ""}


def fixes(text: str, rule: str, files: Mapping[str, str], ignore: str = "") -> list[Fix]:
    """The fixes that a rule has for a Dockerfile in its context."""
    terms = Terms(
        resolver(),
        surroundings=Table({**files, "Dockerfile": text}),
        ignore=Ignore.parse(ignore, ".dockerignore") if ignore else None,
        selection=Selection(only=frozenset({rule.lower()})),
    )
    sheet = check_dockerfile(text, "Dockerfile", terms)
    assert sheet.defects == ()
    found = [one.fix for one in sheet.told if one.fix is not None]
    for fix in found:
        assert fix.kind == "V"
        assert not unknown(fix.changes)
    return found


def mended(text: str, rule: str, files: Mapping[str, str]) -> str:
    return apply(text, fixes(text, rule, files))


@pytest.mark.parametrize(
    ("rule", "files", "before", "after"),
    [
        pytest.param(
            "SourceBeforeDependencies",
            NODE,
            "FROM node:22-slim\nWORKDIR /app\nCOPY . .\nRUN npm ci\nRUN npm run build\n",
            "FROM node:22-slim\nWORKDIR /app\nCOPY package.json package-lock.json ./\nRUN npm ci\nCOPY . .\n"
            "RUN npm run build\n",
            id="order",
        ),
        pytest.param(
            "SourceBeforeDependencies",
            PIP,
            "from python:3.12-slim\r\ncopy . /app\r\nworkdir /app\r\nrun pip install -r requirements.txt\r\n",
            "from python:3.12-slim\r\nworkdir /app\r\ncopy requirements.txt /app/\r\n"
            "run pip install -r requirements.txt\r\ncopy . /app\r\n",
            id="order, WORKDIR between, lower case and CRLF kept",
        ),
        pytest.param(
            "SourceBeforeDependencies",
            {"backend/requirements.txt": "flask\n", "backend/app.py": ""},
            "FROM python:3.12-slim\nWORKDIR /app\nCOPY --chown=1000 backend/ ./\nRUN pip install -r requirements.txt",
            "FROM python:3.12-slim\nWORKDIR /app\nCOPY --chown=1000 backend/requirements.txt ./\n"
            "RUN pip install -r requirements.txt\nCOPY --chown=1000 backend/ ./",
            id="order, of a directory, with an owner, no newline at the end",
        ),
        pytest.param(
            "SourceBeforeDependencies",
            {"go.mod": "module x\n", "go.sum": "", "main.go": ""},
            "FROM golang:1.24\nWORKDIR /src\n# all of it\nCOPY . .\nRUN go build -o /x .\n",
            "FROM golang:1.24\nWORKDIR /src\n# all of it\nCOPY go.mod go.sum ./\nRUN go mod download\nCOPY . .\n"
            "RUN go build -o /x .\n",
            id="modules first",
        ),
        pytest.param(
            "SourceBeforeDependencies",
            {"pyproject.toml": "[build-system]\n", "uv.lock": "", "app/main.py": ""},
            "FROM python:3.12-slim\nWORKDIR /app\nCOPY . .\nRUN uv sync --frozen\n",
            "FROM python:3.12-slim\nWORKDIR /app\nCOPY pyproject.toml uv.lock ./\n"
            "RUN uv sync --frozen --no-install-project\nCOPY . .\nRUN uv sync --frozen\n",
            id="uv installs the project when its source is there",
        ),
        pytest.param(
            "InstallWithoutCacheMount",
            PIP,
            "FROM python:3.12-slim\nRUN pip install --no-cache-dir -r requirements.txt\n",
            "FROM python:3.12-slim\nRUN --mount=type=cache,target=/root/.cache/pip pip install -r requirements.txt\n",
            id="cache, without --no-cache-dir",
        ),
        pytest.param(
            "InstallWithoutCacheMount",
            NODE,
            "FROM node:22-slim\nRUN npm ci && npm cache clean --force\n",
            "FROM node:22-slim\nRUN --mount=type=cache,target=/root/.npm npm ci\n",
            id="cache, without cleaning",
        ),
        pytest.param(
            "InstallWithoutCacheMount",
            {},
            "FROM debian:12-slim\nRUN apt-get update \\\n && apt-get install -y curl \\\n && apt-get clean \\\n"
            " && rm -rf /var/lib/apt/lists/*\n",
            "FROM debian:12-slim\nRUN --mount=type=cache,target=/var/cache/apt,sharing=locked "
            "--mount=type=cache,target=/var/lib/apt/lists,sharing=locked rm -f /etc/apt/apt.conf.d/docker-clean && "
            "apt-get update \\\n && apt-get install -y curl\n",
            id="cache of apt",
        ),
        pytest.param(
            "InstallWithoutCacheMount",
            {"go.mod": "", "go.sum": ""},
            "FROM golang:1.24\nRUN go mod download\nCOPY . .\nRUN go build .\n",
            "FROM golang:1.24\nRUN --mount=type=cache,target=/go/pkg/mod "
            "--mount=type=cache,target=/root/.cache/go-build go mod download\nCOPY . .\n"
            "RUN --mount=type=cache,target=/go/pkg/mod "
            "--mount=type=cache,target=/root/.cache/go-build go build .\n",
            id="cache of Go, in every step that needs it, once",
        ),
        pytest.param(
            "ChownAfterCopy",
            {},
            "FROM node:22-slim\nWORKDIR /app\nCOPY a.js b.js ./\nCOPY lib lib\nRUN chown -R node:node /app\n"
            "USER node\n",
            "FROM node:22-slim\nWORKDIR /app\nCOPY --chown=node:node a.js b.js ./\nCOPY --chown=node:node lib lib\n"
            "USER node\n",
            id="owners",
        ),
        pytest.param(
            "MissingUser",
            {},
            'FROM node:22-slim\nCOPY main.js /\nEXPOSE 3000\nENTRYPOINT ["node"]\nCMD ["/main.js"]\n',
            'FROM node:22-slim\nCOPY main.js /\nEXPOSE 3000\nUSER node\nENTRYPOINT ["node"]\nCMD ["/main.js"]\n',
            id="the account of the base",
        ),
        pytest.param(
            "MissingUser",
            {},
            'FROM python:3.12-slim\nRUN useradd --uid 1001 -s /bin/false app\nEXPOSE 8000\nCMD ["gunicorn", "a:b"]\n',
            "FROM python:3.12-slim\nRUN useradd --uid 1001 -s /bin/false app\nEXPOSE 8000\nUSER app\n"
            'CMD ["gunicorn", "a:b"]\n',
            id="the account that the file makes",
        ),
        pytest.param(
            "MissingUser",
            {},
            'FROM scratch\nCOPY x /x\nEXPOSE 8080\nCMD ["/x"]\n',
            'FROM scratch\nCOPY x /x\nEXPOSE 8080\nUSER 65532:65532\nCMD ["/x"]\n',
            id="a number where there are no accounts",
        ),
        pytest.param(
            "PackageManagerAsProcess",
            NODE,
            "FROM node:22-slim\nWORKDIR /app\nCMD npm run start\n",
            'FROM node:22-slim\nWORKDIR /app\nCMD ["node", "main.js"]\n',
            id="npm start",
        ),
        pytest.param(
            "SecretsUsedInArgOrEnv",
            {},
            "FROM node:22-slim\nARG NPM_TOKEN\nRUN echo $NPM_TOKEN > .npmrc && npm ci && rm .npmrc\n",
            "FROM node:22-slim\nRUN --mount=type=secret,id=npm_token,env=NPM_TOKEN echo $NPM_TOKEN > .npmrc && npm ci "
            "&& rm .npmrc\n",
            id="secret",
        ),
        pytest.param(
            "HealthcheckMissing",
            {"src/app.py": '@app.get("/healthz")\n'},
            'FROM python:3.12-slim\nEXPOSE 8000\nCMD ["uvicorn", "a:b"]\n',
            "FROM python:3.12-slim\nEXPOSE 8000\nHEALTHCHECK --interval=30s --timeout=3s --start-period=10s CMD "
            '["python", "-c", "import urllib.request; urllib.request.urlopen(\'http://127.0.0.1:8000/healthz\', '
            'timeout=2)"]\nCMD ["uvicorn", "a:b"]\n',
            id="health",
        ),
        pytest.param(
            "LockFileIgnored",
            NODE,
            "FROM node:22-slim\nCOPY package*.json ./\nRUN npm install\n",
            "FROM node:22-slim\nCOPY package*.json ./\nRUN npm ci\n",
            id="lock file",
        ),
        pytest.param(
            "DeprecatedInstallFlag",
            {},
            "FROM node:22-slim\nRUN npm ci --only=production --silent\n",
            "FROM node:22-slim\nRUN npm ci --omit=dev --silent\n",
            id="flag",
        ),
    ],
)
def test_what_a_fix_makes(rule: str, files: Mapping[str, str], before: str, after: str) -> None:
    assert mended(before, rule, files) == after
    assert not fixes(after, rule, files) or rule == "SourceBeforeDependencies"


@pytest.mark.parametrize(
    ("rule", "files", "text"),
    [
        pytest.param(
            "SourceBeforeDependencies",
            {**NODE, "package.json": '{"scripts": {"prepare": "husky"}}'},
            "FROM node:22-slim\nWORKDIR /app\nCOPY . .\nRUN npm ci\n",
            id="a script runs at installation",
        ),
        pytest.param(
            "SourceBeforeDependencies",
            {**NODE, "package.json": '{"dependencies": {"a": "file:./a"}}'},
            "FROM node:22-slim\nWORKDIR /app\nCOPY . .\nRUN npm ci\n",
            id="a dependency lies in the project",
        ),
        pytest.param(
            "SourceBeforeDependencies",
            {"requirements.txt": "-e .\n"},
            "FROM python:3.12-slim\nWORKDIR /app\nCOPY . .\nRUN pip install -r requirements.txt\n",
            id="the requirements name the project",
        ),
        pytest.param(
            "SourceBeforeDependencies",
            NODE,
            "FROM node:22-slim\nWORKDIR /app\nCOPY . .\nRUN ./setup.sh\nRUN npm ci\n",
            id="something runs in between",
        ),
        pytest.param(
            "SourceBeforeDependencies",
            NODE,
            "FROM node:22-slim\nWORKDIR /app\nCOPY . .\nRUN npm ci && npm run build\n",
            id="the same step builds",
        ),
        pytest.param(
            "SourceBeforeDependencies",
            {},
            "FROM node:22-slim\nWORKDIR /app\nCOPY . .\nRUN npm ci\n",
            id="no manifest in the context",
        ),
        pytest.param(
            "InstallWithoutCacheMount",
            NODE,
            "FROM node:22-slim\nUSER node\nRUN npm ci\n",
            id="not root: the cache is elsewhere",
        ),
        pytest.param(
            "InstallWithoutCacheMount",
            {},
            "FROM debian:12-slim\nRUN apt-get update\nRUN apt-get install -y curl\n",
            id="the lists come from another step",
        ),
        pytest.param(
            "InstallWithoutCacheMount",
            {"pom.xml": ""},
            "FROM maven:3 AS b\nRUN mvn package\n\nFROM debian:12\nCOPY --from=b /root/.m2 /root/.m2\n",
            id="another stage takes what would be in the mount",
        ),
        pytest.param(
            "ChownAfterCopy",
            {},
            "FROM node:22-slim\nWORKDIR /app\nCOPY . .\nRUN npm ci\nRUN chown -R node /app\n",
            id="what a RUN made gets its owner, too",
        ),
        pytest.param(
            "ChownAfterCopy",
            {},
            "FROM debian:12-slim\nWORKDIR /app\nCOPY . .\nRUN useradd app && chown -R app /app\n",
            id="there is no account yet",
        ),
        pytest.param(
            "MissingUser",
            {},
            'FROM node:22-slim\nEXPOSE 80\nCMD ["node", "/main.js"]\n',
            id="a port below 1024",
        ),
        pytest.param(
            "PackageManagerAsProcess",
            {"package.json": '{"scripts": {"start": "NODE_ENV=production node main.js"}}'},
            'FROM node:22-slim\nWORKDIR /app\nCMD ["npm", "start"]\n',
            id="the script sets a variable",
        ),
        pytest.param(
            "PackageManagerAsProcess",
            {"package.json": '{"scripts": {"start": "node main.js", "prestart": "node migrate.js"}}'},
            'FROM node:22-slim\nWORKDIR /app\nCMD ["npm", "start"]\n',
            id="something runs before the script",
        ),
        pytest.param(
            "SecretsUsedInArgOrEnv",
            {},
            "FROM node:22-slim\nARG NPM_TOKEN\nENV TOKEN=$NPM_TOKEN\nRUN npm ci\n",
            id="an ENV takes the secret",
        ),
    ],
)
def test_where_there_is_no_fix(rule: str, files: Mapping[str, str], text: str) -> None:
    assert fixes(text, rule, files) == []


def test_ignore_file_is_made_of_what_lies_there_and_leaves_what_is_copied() -> None:
    files = {
        **NODE,
        ".git/HEAD": "",
        "node_modules/a.js": "",
        "coverage/index.html": "",
        "dist/main.js": "",
        ".env": "TOKEN=1",
    }
    text = "FROM node:22-slim\nWORKDIR /app\nCOPY . .\nCOPY coverage /srv/coverage\n"
    (fix,) = fixes(text, "ContextNotFiltered", files)
    (new,) = fix.files
    assert new.path == ".dockerignore"
    lines = new.text.splitlines()
    assert {".git", "**/node_modules", ".env", "Dockerfile*"} <= set(lines)
    assert not {"coverage", "dist"} & set(lines)
    assert {"file.gone app/.git", "file.gone app/.env"} <= fix.changes
    assert not fixes(text, "ContextNotFiltered", files, new.text)


def test_ignore_file_that_is_there_gets_lines() -> None:
    files = {**NODE, ".git/HEAD": "", "node_modules/a.js": ""}
    text = "FROM node:22-slim\nWORKDIR /app\nCOPY . .\n"
    (fix,) = fixes(text, "ContextNotFiltered", files, ignore="*.log\nnode_modules")
    (edit,) = fix.edits
    assert edit.source is not None
    assert edit.source.name == ".dockerignore"
    assert edit.text == "\n.git\n"
    assert not fix.files


def test_history_that_a_step_reads_is_not_left_out() -> None:
    files = {**NODE, ".git/HEAD": "", "node_modules/a.js": ""}
    text = "FROM node:22-slim\nWORKDIR /app\nCOPY . .\nRUN git describe > version\n"
    (fix,) = fixes(text, "ContextNotFiltered", files)
    assert ".git" not in fix.files[0].text.splitlines()
