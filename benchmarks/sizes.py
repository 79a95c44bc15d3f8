"""The tables of sizes in the articles behind kezuri, built and measured: `python -m benchmarks.sizes express`.

Each table is a ladder of Dockerfiles for one of the examples; what a rung weighs, `kezuri analyze` says. The base
images are those of an OCI layout (`$KEZURI_BASES` or `--bases`); dependencies come from the public registries.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).resolve().parents[1]
EXAMPLES = PROJECT / "examples"
MEGA = 1_000_000


class Rung(NamedTuple):
    """One step of a ladder: what is done, the megabytes that the article has, and a Dockerfile: its text, or the path
    of one of the examples'. `ignore` says whether the ignore file of the example counts."""

    title: str
    article: float
    dockerfile: str | Path
    ignore: bool = False


class Ladder(NamedTuple):
    """A table of an article: where it stands, the directory of its example, and its steps."""

    source: str
    context: str
    rungs: tuple[Rung, ...]


_NODE = "FROM {}\nWORKDIR /app\nCOPY package*.json ./\nRUN npm ci\nCOPY . .\nRUN npm run build\nEXPOSE 3000\n"
_NODE_BUILDER = (
    "FROM node:20 AS builder\nWORKDIR /app\nCOPY package*.json ./\nRUN npm ci\nCOPY . .\nRUN npm run build\n"
    "FROM node:20-alpine AS runner\nWORKDIR /app\n"
)
_EXPRESS_PRODUCTION = (
    f"{_NODE_BUILDER}COPY package*.json ./\nRUN npm ci --omit=dev && npm cache clean --force\n"
    'COPY --from=builder /app/dist ./dist\nCMD ["node", "dist/index.js"]\n'
)
_NEXT_BUILDER = (
    "FROM node:20-alpine AS builder\nWORKDIR /app\nCOPY package*.json ./\nRUN npm ci\nCOPY . .\n"
    "ENV NEXT_TELEMETRY_DISABLED=1\nRUN npm run build\nFROM node:20-alpine AS runner\nWORKDIR /app\n"
    "ENV NODE_ENV=production\nCOPY --from=builder /app/public ./public\n"
)
_GO_SINGLE = 'FROM golang:1.23\nWORKDIR /app\nCOPY . .\nRUN go build -o /server ./cmd/server\nENTRYPOINT ["/server"]\n'
_GO_ALPINE = (
    "FROM golang:1.23-alpine AS builder\nWORKDIR /app\nCOPY go.mod go.sum ./\nRUN go mod download\nCOPY . .\n"
    "RUN CGO_ENABLED=0 go build -o /server ./cmd/server\nFROM alpine:3.20\nRUN apk add --no-cache ca-certificates\n"
    'COPY --from=builder /server /server\nENTRYPOINT ["/server"]\n'
)
_PYTHON = (
    "FROM {}\nCOPY --from=ghcr.io/astral-sh/uv:latest /uv /usr/local/bin/uv\nWORKDIR /app\n"
    "COPY pyproject.toml uv.lock ./\nRUN uv export --frozen --no-dev --no-emit-project -o requirements.txt "
    "{}&& {} -r requirements.txt\n"
)
_PYTHON_SINGLE = _PYTHON.format("python:3.12", "", "pip install") + 'COPY . .\nCMD ["uvicorn", "src.main:app"]\n'
_PYTHON_SLIM = (
    _PYTHON.format("python:3.12 AS builder", "&& python -m venv /app/.venv ", "/app/.venv/bin/pip install")
    + "FROM python:3.12-slim\nWORKDIR /app\nCOPY --from=builder /app/.venv /app/.venv\n"
    'ENV PATH="/app/.venv/bin:$PATH"\nCOPY . .\nCMD ["uvicorn", "src.main:app"]\n'
)

LADDERS: Mapping[str, Ladder] = {
    "express": Ladder(
        "001 §8, Node.js Express API",
        "express",
        (
            Rung("one stage (node:20)", 1234, _NODE.format("node:20") + 'CMD ["node", "dist/index.js"]\n'),
            Rung("on alpine", 420, _NODE.format("node:20-alpine") + 'CMD ["node", "dist/index.js"]\n'),
            Rung("several stages", 185, EXAMPLES / "express" / "Dockerfile.001"),
            Rung("without development dependencies", 145, _EXPRESS_PRODUCTION),
            Rung("with an ignore file", 143, _EXPRESS_PRODUCTION, ignore=True),
        ),
    ),
    "nextjs": Ladder(
        "001 §8, Next.js",
        "nextjs-standalone",
        (
            Rung("one stage (node:20)", 1456, _NODE.format("node:20") + 'CMD ["npm", "start"]\n'),
            Rung(
                "several stages, on alpine",
                320,
                f"{_NEXT_BUILDER}COPY package*.json ./\nRUN npm ci --omit=dev && npm cache clean --force\n"
                'COPY --from=builder /app/.next ./.next\nCMD ["npm", "start"]\n',
            ),
            Rung(
                "standalone",
                98,
                f"{_NEXT_BUILDER}COPY --from=builder /app/.next/standalone ./\n"
                'COPY --from=builder /app/.next/static ./.next/static\nCMD ["node", "server.js"]\n',
            ),
            Rung("as a user of its own", 98, EXAMPLES / "nextjs-standalone" / "Dockerfile", ignore=True),
        ),
    ),
    "go": Ladder(
        "001 §8, Go Web API",
        "go-scratch",
        (
            Rung("one stage (golang:1.23)", 862, _GO_SINGLE),
            Rung("several stages, on alpine", 45, _GO_ALPINE),
            Rung("on distroless", 12, EXAMPLES / "go-distroless" / "Dockerfile", ignore=True),
            Rung("from scratch", 8, EXAMPLES / "go-scratch" / "Dockerfile", ignore=True),
        ),
    ),
    "fastapi": Ladder(
        "001 §8, Python FastAPI",
        "fastapi-uv",
        (
            Rung("one stage (python:3.12)", 1012, _PYTHON_SINGLE),
            Rung("several stages, on slim", 180, _PYTHON_SLIM),
            Rung("with uv", 165, EXAMPLES / "fastapi-uv" / "Dockerfile", ignore=True),
        ),
    ),
}


class Measured(NamedTuple):
    """What a rung weighs: as it travels, its tars, the content of its files, and of that what is wasted."""

    rung: Rung
    blob: int
    tar: int
    content: int
    wasted: int
    layers: int


def measure(ladder: Ladder, kezuri: str, environ: Mapping[str, str], build: Sequence[str]) -> Iterator[Measured]:
    """Build each rung and look at it. CalledProcessError where one cannot be built."""
    with tempfile.TemporaryDirectory() as directory:
        for number, rung in enumerate(ladder.rungs):
            file = Path(directory, f"{ladder.context}-{number}.Dockerfile")
            text = rung.dockerfile.read_text() if isinstance(rung.dockerfile, Path) else rung.dockerfile
            file.write_text(text)
            if not rung.ignore:
                Path(f"{file}.dockerignore").touch()
            name = f"sizes-{ladder.context}:{number}"
            argv = [kezuri, "build", "-q", "-t", name, "-f", str(file), *build, str(EXAMPLES / ladder.context)]
            subprocess.run(argv, check=True, env=environ, stdout=subprocess.DEVNULL)
            done = subprocess.run(
                [kezuri, "analyze", "--format", "json", f"store:{name}"],
                check=True,
                env=environ,
                stdout=subprocess.PIPE,
            )
            said = json.loads(done.stdout)
            sizes = said["sizes"]
            content = sizes["useful"] + sizes["wasted"]
            yield Measured(rung, sizes["blob"], sizes["tar"], content, sizes["wasted"], len(said["layers"]))


def table(ladder: Ladder, measured: Sequence[Measured]) -> str:
    """The ladder as Markdown, the article's figures beside ours."""
    lines = [f"### {ladder.source}", ""]
    lines.append("| | the article | saved | content of files | saved | wasted | on the wire | layers |")
    lines.append("|---|---:|---:|---:|---:|---:|---:|---:|")
    first = measured[0]
    for each in measured:
        claimed, saved = _saved(each.rung.article, first.rung.article), _saved(each.content, first.content)
        lines.append(
            f"| {each.rung.title} | {each.rung.article:,g} MB | {claimed} | {_mega(each.content)} | {saved} | "
            f"{_mega(each.wasted)} | {_mega(each.blob)} | {each.layers} |"
        )
    return "\n".join(lines)


def _mega(size: int) -> str:
    value = size / MEGA
    return f"{value:,.0f} MB" if value >= 10 else f"{value:.1f} MB"


def _saved(size: float, first: float) -> str:
    return f"{100 * (1 - size / first):.1f} %" if size != first else ""


def main(argv: Sequence[str]) -> int:
    """Print the tables that are asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sizes", description=__doc__)
    parser.add_argument("tables", nargs="*", choices=[*LADDERS, []], help="all of them, where none is named")
    parser.add_argument(
        "--bases", default=os.environ.get("KEZURI_BASES", ""), help="an OCI layout with the base images"
    )
    parser.add_argument("--kezuri", default=os.path.join(os.path.dirname(sys.executable), "kezuri"))
    parser.add_argument("--root", default="", help="the store; a new one that goes again by default")
    chosen = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as directory:
        environ = {**os.environ, "KEZURI_ROOT": chosen.root or directory}
        build: list[str] = []
        for ladder in (LADDERS[name] for name in chosen.tables or LADDERS):
            for base in _bases(ladder) if chosen.bases else ():
                copy = [chosen.kezuri, "copy", "-q", f"oci:{chosen.bases}:{base}", f"store:{base}"]
                subprocess.run(copy, check=True, env=environ, stdout=subprocess.DEVNULL)
            print(f"{table(ladder, list(measure(ladder, chosen.kezuri, environ, build)))}\n", flush=True)
    return 0


def _bases(ladder: Ladder) -> list[str]:
    """The full names of the images that the Dockerfiles begin with or copy from."""
    names = set[str]()
    for rung in ladder.rungs:
        text = rung.dockerfile.read_text() if isinstance(rung.dockerfile, Path) else rung.dockerfile
        stages = {line.split()[3] for line in text.splitlines() if line.startswith("FROM ") and len(line.split()) > 3}
        for line in text.splitlines():
            word = line.split()[1] if line.startswith(("FROM ", "COPY --from=")) else ""
            name = word.removeprefix("--from=")
            if name and name not in stages and name != "scratch":
                full = name if "/" in name else f"docker.io/library/{name}"
                names.add(full if ":" in full else f"{full}:latest")
    return sorted(names)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
