"""Recorded cases: inputs, and what BuildKit v0.33.1's own code makes of them (see `cases/README.md`)."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from kezuri.dockerfile import (
    Arg,
    Cmd,
    Copy,
    Entrypoint,
    Env,
    Expose,
    Folder,
    From,
    Healthcheck,
    Ignore,
    Instruction,
    Label,
    Maintainer,
    Onbuild,
    Run,
    Shell,
    Stopsignal,
    User,
    Volume,
    Workdir,
)


@cache
def load(topic: str) -> Any:
    """The recorded cases of a topic."""
    return json.loads((Path(__file__).parent / "cases" / f"{topic}.json").read_text("utf-8"))


def plain(instruction: Instruction) -> dict[str, object]:
    """An instruction as the cases have it: its keyword and what is not empty, false, zero or the default."""
    found = {"is": instruction.node.keyword, **_fields(instruction)}
    return {name: value for name, value in found.items() if value not in ("", [], False, 0, None) or name in _KEPT}


_KEPT = ("argv", "pairs", "keep_git_dir", "unpack", "test")


def _fields(instruction: Instruction) -> Mapping[str, object]:
    match instruction:
        case From():
            return {"image": instruction.image, "name": instruction.name, "platform": instruction.platform}
        case Env() | Label():
            return {"pairs": [list(pair) for pair in instruction.pairs], "legacy": instruction.legacy}
        case Arg():
            return {"pairs": [list(pair) for pair in instruction.pairs]}
        case Run():
            return {
                "argv": list(instruction.command.argv),
                "shell": instruction.command.shell,
                "heredocs": [[h.name, h.body, h.strip_tabs] for h in instruction.heredocs],
                "mounts": len(instruction.mounts),
                "network": None if instruction.network == "default" else instruction.network,
                "security": None if instruction.security == "sandbox" else instruction.security,
                "devices": len(instruction.devices),
            }
        case Cmd() | Entrypoint():
            return {"argv": list(instruction.command.argv), "shell": instruction.command.shell}
        case Copy():
            return _copy(instruction)
        case Healthcheck():
            command = instruction.command
            kind = "NONE" if command is None else "CMD-SHELL" if command.shell else "CMD"
            return {
                "test": [kind, *(command.argv if command is not None else ())],
                "interval": instruction.interval,
                "timeout": instruction.timeout,
                "start_period": instruction.start_period,
                "start_interval": instruction.start_interval,
                "retries": instruction.retries,
            }
        case Shell():
            return {"argv": list(instruction.argv)}
        case Expose():
            return {"ports": sorted(instruction.ports)}
        case Volume():
            return {"paths": list(instruction.paths)}
        case Workdir():
            return {"path": instruction.path}
        case User():
            return {"user": instruction.user}
        case Stopsignal():
            return {"signal": instruction.signal}
        case Onbuild():
            return {"text": instruction.text}
        case Maintainer():
            return {"name": instruction.name}


def _copy(instruction: Copy) -> dict[str, object]:
    found: dict[str, object] = {
        "sources": list(instruction.sources),
        "dest": instruction.destination,
        "contents": [[h.name, h.text, h.expand] for h in instruction.heredocs],
        "chown": instruction.chown,
        "chmod": instruction.chmod,
        "link": instruction.link,
        "excludes": list(instruction.excludes),
        "from": instruction.source_image,
        "parents": instruction.parents,
        "checksum": instruction.checksum,
    }
    if instruction.keep_git_dir is not None:
        found["keep_git_dir"] = instruction.keep_git_dir
    if instruction.unpack is not None:
        found["unpack"] = instruction.unpack
    return found


def walked(ignore: Ignore, paths: list[str]) -> set[str]:
    """The paths of a tree that a walk comes to, with the directories above what it keeps."""
    below: dict[str, list[str]] = {}
    for path in paths:
        below.setdefault(path.rpartition("/")[0], []).append(path)
    found: set[str] = set()

    def visit(folder: Folder, directory: str) -> None:
        for path in below.get(directory, ()):
            name = path.rpartition("/")[2]
            if not folder.excluded(name):
                parts = path.split("/")
                found.update("/".join(parts[:count]) for count in range(1, len(parts) + 1))
            inner = folder.enter(name)
            if inner is not None:
                visit(inner, path)

    visit(ignore.walk(), "")
    return found
