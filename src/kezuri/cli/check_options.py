"""The options of `kezuri check`: its own, and those that hadolint has."""

from typing import TYPE_CHECKING

from kezuri.cli.options import Option
from kezuri.report.forms import FORMATS

if TYPE_CHECKING:
    from kezuri.check.rule import Level

LEVELS: "tuple[Level, ...]" = ("error", "warning", "info", "style")

OPTIONS = (
    Option(
        ("--build-arg",), "repeated", "Set a build argument; without =VALUE that of the environment", "NAME[=VALUE]"
    ),
    Option(
        ("--build-context",),
        "repeated",
        "For what is built: replace or add a source: a directory, oci-layout://, docker-image://",
        "NAME=SOURCE",
    ),
    Option(("--built",), "flag", "Build each Dockerfile, and check the image as well"),
    Option(("--context",), "text", "The build context (default: the file's directory)", "DIR", completes="directory"),
    Option(("--disable-ignore-pragma",), "flag", "Report what comments silence, too"),
    *(
        Option(
            (f"--{level}",), "repeated", f"Let the findings of a rule be of the level {level}", "RULE", completes="rule"
        )
        for level in LEVELS
    ),
    Option(("--exit-code",), "text", "The exit code when findings fail the command (default 1)", "N"),
    Option(("--explain",), "text", "Show the page of a rule, by any of its names", "RULE", completes="rule"),
    Option(
        ("--failure-threshold", "-t"),
        "choice",
        "Fail on findings of this level and above (default warning)",
        "LEVEL",
        (*LEVELS, "ignore", "none"),
    ),
    Option(("--file-path-in-report",), "text", "What standard input is called in what is printed (default -)", "PATH"),
    Option(("--format", "-f"), "choice", "How to print (default text)", "FORMAT", FORMATS),
    Option(
        ("--ignore",), "repeated", "Leave out the findings of a rule, by any of its names", "RULE", completes="rule"
    ),
    Option(("--level",), "choice", "The lightest findings that are printed as text (default info)", "LEVEL", LEVELS),
    Option(("--list",), "flag", "List the rules, with --format json as JSON"),
    Option(("--no-color",), "flag", "Print no colours"),
    Option(("--no-fail",), "flag", "Exit with 0 whatever is found"),
    Option(("--online",), "flag", "Ask registries for base images that are not in the store"),
    Option(("--output", "-o"), "text", "Write the findings to FILE", "FILE", completes="file"),
    Option(("--platform",), "text", "Check for this platform", "OS/ARCH"),
    Option(
        ("--require-label",),
        "repeated",
        "A label that images must have, and the form of its value: text, url, semver, rfc3339, hash, spdx, email",
        "NAME:FORM",
    ),
    Option(("--rule",), "repeated", "Ask only this rule, by any of its names", "RULE", completes="rule"),
    Option(
        ("--secret",),
        "repeated",
        "For what is built: a secret for RUN --mount=type=secret",
        "id=ID[,src=FILE|-][,env=VARIABLE]",
    ),
    Option(("--strict-labels",), "flag", "Allow no labels but those that are required"),
    Option(("--target",), "text", "Check what this stage needs only", "STAGE", completes="stage"),
    Option(("--trusted-registry",), "repeated", "A registry that images may come from; * stands for any text", "HOST"),
)
