"""The options of other programs' commands, as their own help lists them, and what kezuri makes of each.

`python -m tests.cli.cli_flags record` asks the programs that are installed and writes flags.json; `page` writes the
tables of docs/compatibility.md.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from kezuri.cli.commands import ALIASES, load
from kezuri.cli.foreign_options import foreign_option
from kezuri.cli.options import Option
from kezuri.cli.settings import GLOBAL

PROJECT = Path(__file__).parents[2]
FACTS = Path(__file__).parent / "flags.json"
PAGE = PROJECT / "docs" / "compatibility.md"
BEGIN, END = "<!-- flags: made by tests/cli/cli_flags.py -->", "<!-- end of flags -->"

ASKED = {
    "docker": (
        *("build", "images", "inspect", "history", "rmi", "tag", "pull", "push"),
        *("image prune", "builder prune", "system prune", "system df", "login", "logout", "save", "load", "import"),
        *("manifest create", "manifest annotate", "manifest push", "manifest inspect", "manifest rm"),
        *("volume create", "volume ls", "volume inspect", "volume rm", "volume prune"),
    ),
    "buildah": ("build", "images", "inspect", "rmi", "tag", "pull", "push", "login", "logout"),
    "podman": (
        *("build", "images", "inspect", "history", "rmi", "tag", "pull", "push"),
        *("image prune", "system prune", "system df", "login", "logout", "save", "load", "import"),
        *("manifest create", "manifest add", "manifest annotate", "manifest push", "manifest inspect"),
        *("volume create", "volume ls", "volume inspect", "volume rm", "volume prune"),
    ),
    "skopeo": ("copy", "list-tags"),
    "trivy": ("image", "filesystem", "rootfs", "sbom"),
    "grype": ("",),
    "syft": ("scan",),
}
"""The commands that are asked for their help, by program."""

BUILDX = {
    "build": (
        *("--add-host", "--allow", "--annotation", "--attest", "--build-arg", "--build-context", "--builder"),
        *("--cache-from", "--cache-to", "--call", "--cgroup-parent", "--check", "--file", "--iidfile", "--label"),
        *("--load", "--metadata-file", "--network", "--no-cache", "--no-cache-filter", "--output", "--platform"),
        *("--policy", "--progress", "--provenance", "--pull", "--push", "--quiet", "--sbom", "--secret", "--shm-size"),
        *("--ssh", "--tag", "--target", "--ulimit"),
    ),
    "buildx prune": (
        *("--all", "--filter", "--force", "--max-used-space", "--min-free-space", "--reserved-space", "--verbose"),
    ),
    "buildx du": ("--filter", "--format", "--verbose"),
    "buildx create": (
        *("--append", "--bootstrap", "--buildkitd-config", "--buildkitd-flags", "--driver", "--driver-opt", "--leave"),
        *("--name", "--node", "--platform", "--use"),
    ),
    "buildx use": ("--default", "--global"),
    "buildx rm": ("--all-inactive", "--force", "--keep-daemon", "--keep-state"),
    "buildx ls": ("--format", "--no-trunc"),
    "buildx inspect": ("--bootstrap",),
}
"""buildx as its reference documents it: Debian has no package of it."""
SCOUT = {
    "scan": (
        *("--accept-license", "--dependency-tree", "--exclude-base", "--file", "--group-issues", "--json", "--login"),
        *("--reject-license", "--severity", "--token"),
    ),
    "scout cves": (
        *(
            "--details",
            "--env",
            "--epss",
            "--epss-date",
            "--epss-percentile",
            "--epss-score",
            "--exit-code",
            "--format",
        ),
        *("--ignore-base", "--ignore-suppressed", "--locations", "--multi-stage", "--only-base", "--only-cisa-kev"),
        *("--only-cve-id", "--only-fixed", "--only-metric", "--only-package", "--only-package-type", "--only-severity"),
        *("--only-stage", "--only-unfixed", "--only-vex-affected", "--only-vuln-packages", "--org", "--output"),
        *("--platform", "--ref", "--stream", "--vex-author", "--vex-location"),
    ),
    "scout recommendations": ("--only-refresh", "--only-update", "--output", "--platform", "--tag"),
}
"""docker's scanners as their references document them."""
_OWN = {
    **{("trivy", command): "scan" for command in ASKED["trivy"]},
    ("grype", ""): "scan",
    ("syft", "scan"): "sbom",
    ("docker", "scan"): "scan",
    ("docker", "scout cves"): "scan",
    ("docker", "scout recommendations"): "base",
}
"""What of kezuri's does the work of a program's command, where it is called otherwise."""
_FLAG = re.compile(r"^ {2,6}(?:-(\w), )?(?:    )?(--[a-z][a-z-]*)", re.MULTILINE)


class Flag(NamedTuple):
    """One option of a command, whose it is, and what kezuri makes of it: there, taken, warned or answered, with
    words."""

    name: str
    programs: tuple[str, ...]
    state: str
    words: str


def recorded() -> dict[str, dict[str, list[str]]]:
    """Program, command, options."""
    facts: dict[str, dict[str, list[str]]] = json.loads(FACTS.read_text())
    return facts


def ask(program: str, command: str) -> list[str]:
    """The options that the installed program's help lists."""
    done = subprocess.run([program, *command.split(), "--help"], capture_output=True, text=True, check=True)
    return sorted({name for _, name in _FLAG.findall(done.stdout)} - {"--help", "--version"})


def flags() -> dict[str, list[Flag]]:
    """kezuri's commands, and for each the options that others have for it."""
    found: dict[str, dict[str, list[str]]] = {}
    facts: dict[str, dict[str, list[str]]] = recorded() | {
        "buildx": {command: list(names) for command, names in BUILDX.items()}
    }
    facts["docker"] = facts["docker"] | {command: list(names) for command, names in SCOUT.items()}
    for program, commands in facts.items():
        for command, names in commands.items():
            own = _OWN.get((program, command)) or ALIASES.get(command, command)
            for name in names:
                programs = found.setdefault(own, {}).setdefault(name, [])
                if program not in programs:
                    programs.append(program)
    return {
        command: [
            Flag(name, tuple(sorted(programs)), *made_of(command, name)) for name, programs in sorted(names.items())
        ]
        for command, names in found.items()
    }


def made_of(command: str, name: str) -> tuple[str, str]:
    """What kezuri makes of an option: a state, and words where there are some."""
    table = load(command)[0]
    option = next((o for o in (*table.options, *GLOBAL) if name in o.names), None) or foreign_option(command, name)
    if option is None:
        return "unknown", ""
    return _state(option)


def _state(option: Option) -> tuple[str, str]:
    if option.refused:
        return "answered", option.refused
    if option.warned:
        return "warned", option.warned
    return ("taken", "") if option.ignored else ("there", "")


def page() -> str:
    """The tables of docs/compatibility.md."""
    lines = [BEGIN, ""]
    for command, each in flags().items():
        lines += [f"### `kezuri {command}`", "", "| option | of | kezuri |", "|---|---|---|"]
        for flag in each:
            words = " ".join(flag.words.replace("|", "\\|").split())
            said = {"there": "there", "taken": "taken, without effect", "warned": f"taken, with a warning: {words}"}
            lines.append(
                f"| `{flag.name}` | {', '.join(flag.programs)} | {said.get(flag.state) or 'answered: ' + words} |"
            )
        lines.append("")
    lines.append(END)
    return "\n".join(lines)


def in_page(text: str) -> str:
    """The page with the tables as they are now."""
    before, _, rest = text.partition(BEGIN)
    return before + page() + rest.partition(END)[2]


def asked() -> Iterator[tuple[str, str]]:
    """Every program and command that can be asked."""
    for program, commands in ASKED.items():
        for command in commands:
            yield program, command


if __name__ == "__main__":
    if sys.argv[1:] == ["record"]:
        facts: dict[str, dict[str, list[str]]] = {}
        for one, command in asked():
            facts.setdefault(one, {})[command] = ask(one, command)
        FACTS.write_text(json.dumps(facts, indent=1) + "\n")
    else:
        PAGE.write_text(in_page(PAGE.read_text()))
