"""What Trivy's users have in their fingers and pipelines: its commands, and the variables that stand in for options."""

import os
from collections.abc import Mapping

from kezuri.cli.options import Option, Parsed, parse

WORDS = ("image", "fs", "filesystem", "rootfs", "sbom")
"""Trivy's commands: with one of them before what is scanned, defaults and JSON are Trivy's."""
OTHER_WORDS = {
    "repo": "clone it, and name the directory",
    "repository": "clone it, and name the directory",
    "config": "`kezuri check DIR` checks Dockerfiles, Compose files and workflows",
    "conf": "`kezuri check DIR` checks Dockerfiles, Compose files and workflows",
    "k8s": "name the images of the cluster one by one",
    "kubernetes": "name the images of the cluster one by one",
    "vm": "name the root directory of its file system",
    "server": "kezuri is one program without a daemon: there is nothing to connect to",
}
"""Its other commands, and the answers."""
_FLAGS = ("--ignore-unfixed", "--quiet", "--show-suppressed")
_VALUES = (
    *("--exit-code", "--exit-on-eol", "--format", "--ignore-status", "--ignorefile", "--input", "--output"),
    *("--pkg-types", "--platform", "--scanners", "--severity", "--skip-dirs", "--skip-files", "--template", "--vex"),
    *("--vuln-type", "--security-checks"),
)
CONFIG = "trivy.yaml"
"""The file of options that Trivy reads where it lies."""


def with_variables(parsed: Parsed, options: tuple[Option, ...], environ: Mapping[str, str]) -> Parsed:
    """What argv said, and what Trivy's variables say (`TRIVY_SEVERITY`) of options that it did not give. UsageError for
    a value that the option does not take, naming the option."""
    keys = {name: option.key for option in options for name in option.names}
    argv = []
    for name in (*_FLAGS, *_VALUES):
        value = environ.get(f"TRIVY_{name.removeprefix('--').replace('-', '_').upper()}", "")
        if value and name in keys and not parsed.given(keys[name]):
            argv.append(f"{name}={value}")
    if not argv:
        return parsed
    return Parsed({**parsed.values, **parse(argv, options, {}).values}, parsed.operands)


def has_config() -> bool:
    """Whether Trivy would read options from a file here."""
    return os.path.isfile(CONFIG)
