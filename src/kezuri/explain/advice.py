"""What would have spared a build work: said only where the journal shows it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kezuri.explain.changes import Change

if TYPE_CHECKING:
    from kezuri.explain.answers import StepAnswer

_INSTALLS = (
    (("npm ci", "npm install", "npm i "), ("package.json", "package-lock.json")),
    (("yarn install", "yarn --frozen-lockfile"), ("package.json", "yarn.lock")),
    (("pnpm install", "pnpm i "), ("package.json", "pnpm-lock.yaml")),
    (("bun install",), ("package.json", "bun.lockb")),
    (("pip install -r", "pip3 install -r", "pip install --no-cache-dir -r"), ("requirements.txt",)),
    (("poetry install",), ("pyproject.toml", "poetry.lock")),
    (("uv sync",), ("pyproject.toml", "uv.lock")),
    (("go mod download",), ("go.mod", "go.sum")),
    (("bundle install",), ("Gemfile", "Gemfile.lock")),
    (("composer install",), ("composer.json", "composer.lock")),
    (("cargo fetch",), ("Cargo.toml", "Cargo.lock")),
)
"""Commands that install what others made, and the files that say what."""

_LITTER = (".git", "node_modules", "__pycache__", ".venv", ".idea", ".vscode")
_LITTER_ENDS = (".log", ".swp", ".pyc", ".DS_Store")


def advice(steps: "tuple[StepAnswer, ...]") -> tuple[str, ...]:
    """Advice, at most one of a kind for a step."""
    return tuple(dict.fromkeys(text for answer in steps for text in _of(answer, steps)))


def _of(answer: "StepAnswer", steps: "tuple[StepAnswer, ...]") -> Iterator[str]:
    step = answer.step
    for because in answer.because:
        source = because.source
        if because.kind != "files" or not because.files or source is None or source.kind != "context":
            continue
        litter = sorted({found for change in because.files if (found := _litter(change))})
        if litter:
            yield f"leave {_and(litter)} out with .dockerignore: what changes there makes step {step.number} run again"
        if step.kind in ("COPY", "ADD"):
            yield from _install(answer, because.files, steps)


def _install(answer: "StepAnswer", files: tuple[Change, ...], steps: "tuple[StepAnswer, ...]") -> Iterator[str]:
    """A directory is copied before an install that needs only a few files of it, none of which changed."""
    changed = {change.path.rpartition("/")[2] for change in files}
    for other in steps:
        if other.step.kind != "RUN" or other.step.stage != answer.step.stage or other.step.outcome == "cached":
            continue
        behind = [b for b in other.because if b.kind == "step" and b.step == answer.step.number]
        if not behind or other.because[0] is not behind[0]:
            continue
        for commands, needed in _INSTALLS:
            asked = any(command in f"{other.step.title} " for command in commands)
            if asked and not changed.intersection(needed):
                yield (
                    f"COPY {_and(needed)} alone before step {other.step.number} ({other.step.title}) and the rest "
                    "after it: then it runs only when these change"
                )
                return


def _litter(change: Change) -> str:
    parts = change.path.split("/")
    for name in _LITTER:
        if name in parts:
            return name
    return next((f"*{end}" if end[1:].islower() else end for end in _LITTER_ENDS if parts[-1].endswith(end)), "")


def _and(words: "list[str] | tuple[str, ...]") -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
