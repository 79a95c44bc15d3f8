"""What a maintainer would rightly call wrong is not said, or only as an info: kinds of Dockerfiles that are right."""

from collections.abc import Mapping

import pytest
from tests.check.check_dockerfiles import Table, resolver

from kezuri.check.selection import Selection
from kezuri.check.sheets import Terms, check_dockerfile

NODE = {
    "package.json": '{"scripts": {"build": "next build"}, "dependencies": {"next": "15"}}',
    "package-lock.json": "{}",
}


def levels(text: str, rule: str, files: Mapping[str, str] | None = None) -> set[str]:
    """The levels of a rule's findings; without files, nothing is known of what lies around."""
    surroundings = None if files is None else Table({**files, "Dockerfile": text})
    terms = Terms(resolver(), surroundings=surroundings, selection=Selection(only=frozenset({rule.lower()})))
    sheet = check_dockerfile(text, "Dockerfile", terms)
    assert sheet.defects == ()
    return {one.level for one in sheet.told}


@pytest.mark.parametrize(
    ("rule", "text", "files", "expected"),
    [
        pytest.param(
            "ProductionInstallBeforeBuild",
            "FROM node:22 AS b\nWORKDIR /app\nCOPY package*.json ./\nRUN npm ci --omit=dev\nCOPY . .\n"
            "RUN npm run build\n",
            NODE,
            set(),
            id="the tool is a dependency",
        ),
        pytest.param(
            "ProductionInstallBeforeBuild",
            "FROM node:22 AS b\nRUN npm ci --omit=dev && npm run build\n\nFROM nginx\nCOPY --from=b /build /srv\n",
            None,
            {"info"},
            id="nobody knows where the tool is",
        ),
        pytest.param(
            "ProductionInstallBeforeBuild",
            "FROM node:22 AS b\nWORKDIR /app\nRUN npm ci --omit=dev\nRUN cd web && npm ci\n"
            "RUN cd web && npm run build\n",
            None,
            set(),
            id="two projects in one stage",
        ),
        pytest.param(
            "ProductionInstallBeforeBuild",
            "FROM node:22 AS b\nENV NODE_ENV=production\nRUN npm ci --include=dev && npm run build\n",
            None,
            set(),
            id="asked for in spite of NODE_ENV",
        ),
        pytest.param(
            "DevelopmentDependenciesShipped",
            "FROM node:22-slim AS b\nWORKDIR /app\nRUN npm ci\nRUN npm run build && npm prune --omit=dev\n\n"
            "FROM node:22-slim\nCOPY --from=b /app/node_modules /app/node_modules\n",
            None,
            set(),
            id="pruned",
        ),
        pytest.param(
            "DevelopmentDependenciesShipped",
            "FROM node:22-slim AS d\nWORKDIR /d\nRUN npm ci\n\nFROM node:22-slim AS b\nWORKDIR /app\n"
            "COPY --from=d /d/node_modules ./node_modules\n\n"
            "FROM node:22-slim\nCOPY --from=b /app/node_modules /app/node_modules\n",
            None,
            {"warning"},
            id="over a third stage",
        ),
        pytest.param(
            "MissingUser",
            "FROM debian:12-slim\nRUN apt-get update && apt-get install -y gosu\nCOPY docker-entrypoint.sh /\n"
            'EXPOSE 6379\nENTRYPOINT ["/docker-entrypoint.sh"]\nCMD ["redis-server"]\n',
            None,
            {"info"},
            id="the entry point gives its rights up",
        ),
        pytest.param(
            "MissingUser",
            'FROM python:3.12-slim\nENTRYPOINT ["python", "tool.py"]\nCMD ["--help"]\n',
            None,
            {"info"},
            id="a tool",
        ),
        pytest.param(
            "MissingUser",
            'FROM nginx:1.27-alpine\nCOPY . /usr/share/nginx/html\nEXPOSE 8080\nCMD ["nginx", "-g", "daemon off;"]\n',
            None,
            {"info"},
            id="a server whose workers have a user",
        ),
        pytest.param(
            "MissingUser",
            'FROM gcr.io/distroless/static-debian12:nonroot\nCOPY x /x\nEXPOSE 8080\nCMD ["/x"]\n',
            None,
            set(),
            id="nonroot by its tag",
        ),
        pytest.param(
            "MissingUser",
            'FROM node:22-slim AS base\nUSER node\n\nFROM base\nEXPOSE 3000\nCMD ["node", "a.js"]\n',
            None,
            set(),
            id="inherited",
        ),
        pytest.param(
            "SourceBeforeDependencies",
            "FROM node:22\nWORKDIR /app\nCOPY package.json .\nRUN npm ci\nCOPY . .\nRUN npm ci --omit=dev\n",
            None,
            set(),
            id="installed before already",
        ),
        pytest.param(
            "SourceBeforeDependencies",
            "FROM python:3.12\nWORKDIR /app\nCOPY . .\nRUN --mount=type=cache,target=/root/.cache/pip "
            "pip install -r requirements.txt\n",
            None,
            {"info"},
            id="a cache makes it cheap",
        ),
        pytest.param(
            "SourceBeforeDependencies",
            "FROM python:3.12\nWORKDIR /app\nCOPY . .\nRUN pip install .\n",
            None,
            set(),
            id="the project itself",
        ),
        pytest.param(
            "SourceBeforeDependencies",
            "FROM node:22\nWORKDIR /app\nCOPY . .\nRUN pnpm install --frozen-lockfile --filter web...\n",
            None,
            {"info"},
            id="a workspace",
        ),
        pytest.param(
            "BuildToolsShipped",
            'FROM golang:1.24\nWORKDIR /app\nCOPY . .\nRUN go build ./...\nCMD ["go", "test", "./..."]\n',
            None,
            set(),
            id="an image for tests",
        ),
        pytest.param(
            "BuildToolsShipped",
            "FROM golang:1.24 AS builder\nWORKDIR /app\nCOPY . .\nRUN go build -o x .\n",
            None,
            set(),
            id="nothing is started",
        ),
        pytest.param(
            "DynamicGoBinary",
            "FROM golang:1.24-alpine AS b\nRUN go build -o /x .\n\nFROM scratch\nCOPY --from=b /x /x\n",
            None,
            set(),
            id="no C compiler in it",
        ),
        pytest.param(
            "DynamicGoBinary",
            "FROM golang:1.24 AS b\nRUN go build -o /x .\n\nFROM gcr.io/distroless/base-debian12\n"
            "COPY --from=b /x /x\n",
            None,
            set(),
            id="a base with a loader",
        ),
        pytest.param(
            "ProgramOfOtherLibc",
            "FROM rust:1.90-alpine AS b\nRUN cargo build --release\n\nFROM scratch\n"
            "COPY --from=b /target/release/x /x\n",
            None,
            set(),
            id="Rust on musl",
        ),
        pytest.param(
            "ShellFormWithoutShell",
            "FROM scratch\nADD rootfs.tar.gz /\nRUN apk add --no-cache curl\nCMD /bin/sh\n",
            None,
            set(),
            id="a root file system",
        ),
        pytest.param(
            "HealthcheckProgramMissing",
            "FROM node:22-alpine\nRUN apk add --no-cache curl\nHEALTHCHECK CMD curl -f http://localhost/\n",
            None,
            set(),
            id="installed",
        ),
        pytest.param(
            "HealthcheckProgramMissing",
            "FROM example.com/our/node:22-alpine\nHEALTHCHECK CMD curl -f http://localhost/\n",
            None,
            set(),
            id="a base that nobody here knows",
        ),
        pytest.param(
            "ChownAfterCopy",
            "FROM debian:12\nCOPY app.yml /etc/app/\nRUN chown -R nobody /etc/app\n",
            None,
            {"info"},
            id="a file of settings",
        ),
        pytest.param(
            "ChownAfterCopy",
            "FROM debian:12\nWORKDIR /app\nCOPY . .\nRUN mkdir data && chown -R nobody /app/data\n",
            None,
            set(),
            id="a directory of its own",
        ),
        pytest.param(
            "UnusedStage",
            "FROM node:22 AS test\nRUN npm test\n\nFROM node:22-slim\n",
            None,
            set(),
            id="a target",
        ),
        pytest.param(
            "UnusedStage",
            "FROM node:22\nRUN npm run build\n\nFROM nginx\nCOPY --from=0 /build /srv\n",
            None,
            set(),
            id="by its number",
        ),
        pytest.param(
            "PackageManagerAsProcess",
            'FROM node:22-slim\nCMD ["npm", "run", "dev"]\n',
            None,
            {"info"},
            id="for development",
        ),
        pytest.param(
            "ProjectWithoutSource",
            "FROM python:3.12\nWORKDIR /app\nCOPY pyproject.toml uv.lock ./\nRUN uv sync --frozen\n",
            {"pyproject.toml": "[project]\nname = 'a'\n", "uv.lock": ""},
            set(),
            id="no package",
        ),
        pytest.param(
            "SecretInFile",
            "FROM alpine\nENV DATABASE_URL=https://user:password@localhost/db\n",
            None,
            set(),
            id="a password that is none",
        ),
        pytest.param(
            "ContextNotFiltered",
            "FROM node:22\nCOPY src /app/src\n",
            {".git/HEAD": "", "src/a.js": ""},
            set(),
            id="not the whole context",
        ),
    ],
)
def test_right_dockerfile(rule: str, text: str, files: Mapping[str, str] | None, expected: set[str]) -> None:
    assert levels(text, rule, files) == expected
