"""`kezuri build`: a Dockerfile becomes an image."""

import os
from time import time
from typing import TYPE_CHECKING

from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option, UsageError, limit_options
from kezuri.cli.settings import SETTINGS

if TYPE_CHECKING:
    from kezuri.app.request import BuildRequest, BuildResult

_MODES = next(setting.choices for setting in SETTINGS if setting.name == "progress")
_LATER = "kezuri does not do this yet; see docs/compatibility.md"

PROGRESS = Option(("--progress",), "choice", "How progress is shown", "MODE", _MODES, variable="KEZURI_PROGRESS")

COMMAND = Command(
    "build",
    "Build an image from a Dockerfile",
    (
        Option(("--tag", "-t"), "repeated", "Name the image, as NAME[:TAG]", "NAME"),
        Option(
            ("--file", "-f"), "text", "The Dockerfile (default PATH/Dockerfile; - is stdin)", "FILE", completes="file"
        ),
        Option(("--target",), "text", "The stage to build (default: the last)", "STAGE", completes="stage"),
        Option(("--build-arg",), "repeated", "Set an ARG; without a value, from the environment", "KEY[=VALUE]"),
        Option(
            ("--build-context",),
            "repeated",
            "Replace or add a source: a directory, oci-layout://, docker-image://",
            "NAME=SOURCE",
        ),
        Option(("--secret",), "repeated", "A secret for RUN --mount=type=secret", "id=ID[,src=FILE|-][,env=VARIABLE]"),
        Option(("--ssh",), "repeated", "An SSH agent for RUN --mount=type=ssh", "default|ID[=SOCKET|KEY[,KEY]]"),
        Option(("--platform",), "repeated", "Platforms to build for", "OS/ARCH[,OS/ARCH]"),
        Option(
            ("--output", "-o"),
            "repeated",
            "Where the result goes: type=image|oci|docker|tar|local, a directory, or - (tar)",
            "DEST",
            completes="file",
        ),
        Option(
            ("--on-error",),
            "repeated",
            "When a RUN fails: open a shell in the state that it failed in, or write paths of it to a directory",
            "shell|export,path=PATH,dest=DIR",
            completes="on-error",
        ),
        Option(("--retry-network",), "text", "Run a RUN that the network alone made fail again, so many times", "N"),
        Option(("--watch",), "flag", "Build again after each change of a file that a step reads, until Ctrl-C"),
        Option(("--run",), "optional", "With --watch: run the image anew after each good build", "RUN-OPTIONS"),
        Option(("--no-cache",), "flag", "Run every step, whatever the cache has; cache mounts begin empty"),
        Option(
            ("--no-cache-filter",),
            "repeated",
            "Run every step of these stages; their cache mounts begin empty",
            "STAGE[,STAGE]",
            completes="stage",
        ),
        Option(("--pull",), "optional", "Ask the registry for base images even when they are here", "always|missing"),
        PROGRESS,
        Option(("--quiet", "-q"), "flag", "Print only the image's id, on standard output"),
        Option(("--iidfile",), "text", "Write the image's id to a file", "FILE", completes="file"),
        Option(("--metadata-file",), "text", "Write the build's digests to a file, as JSON", "FILE", completes="file"),
        Option(("--label",), "repeated", "Add a label to the image", "KEY=VALUE"),
        Option(("--annotation",), "repeated", "Add an annotation, to the manifests or at LEVEL", "[LEVEL:]KEY=VALUE"),
        Option(("--add-host",), "repeated", "A line of /etc/hosts in steps", "HOST:IP"),
        Option(("--network",), "choice", "The network of steps", "MODE", ("default", "host", "none")),
        Option(("--ulimit",), "repeated", "A resource limit of steps", "LIMIT=SOFT[:HARD]"),
        *limit_options("a step"),
        Option(("--resource",), "repeated", "The same limits as in buildx, for instance memory=2g", "LIMIT=VALUE"),
        Option(("--shm-size",), "text", "The size of /dev/shm in steps (default 64m)", "BYTES"),
        Option(("--allow",), "repeated", "Permit network.host or security.insecure", "ENTITLEMENT"),
        Option(
            ("--compression",),
            "choice",
            "How new layers are packed (default gzip)",
            "TYPE",
            ("gzip", "zstd", "uncompressed"),
        ),
        Option(("--compression-level",), "text", "How hard they are packed", "N"),
        Option(("--load",), "optional", "Hand the image to a docker or podman that is here, too", "docker|podman"),
        Option(("--builder",), "text", "Accepted and ignored: there is one builder", "NAME", ignored=True),
        Option(("--rm",), "flag", "Accepted and ignored", ignored=True),
        Option(("--force-rm",), "flag", "Accepted and ignored", ignored=True),
        Option(("--compress",), "flag", "Accepted and ignored", ignored=True),
        Option(("--push",), "flag", "Push the image to the registries of its names"),
        Option(("--check",), "flag", "Check the Dockerfile and build nothing (docs/checks.md)"),
        Option(("--call",), "text", "Ask: check, outline or targets, with ,format=json", "METHOD[,format=json]"),
        Option(
            ("--cache-from",),
            "repeated",
            "Use results of a cache: type=registry,ref=NAME|local,src=DIR, or an image with an inline one",
            "NAME|type=TYPE[,KEY=VALUE]",
        ),
        Option(
            ("--cache-to",),
            "repeated",
            "Write the cache: type=registry,ref=NAME|local,dest=DIR|inline, with mode=min|max",
            "NAME|type=TYPE[,KEY=VALUE]",
        ),
        # As buildx has them: options with a value, which `=` or a blank stands before.
        Option(("--scan",), "flag", "Say what is known to be broken in the image (default true)"),
        Option(("--sbom",), "text", "Attach an SBOM to the image, in its index: true or false", "VALUE"),
        Option(("--provenance",), "text", "Attach how the image was built: true, false, mode=min or mode=max", "VALUE"),
        Option(("--attest",), "repeated", "Attach an attestation: type=sbom or provenance", "type=TYPE[,KEY=VALUE]"),
        Option(("--policy",), "repeated", "Evaluate a source policy", "POLICY", refused=_LATER),
        Option(("--squash",), "flag", "Make the new layers one, on those of the base"),
        Option(("--squash-all",), "flag", "Make all layers one, those of the base, too"),
        Option(
            ("--unset",),
            "repeated",
            "Do not declare what the base does: label=KEY, env=KEY, port=80/tcp, volume=/PATH, cmd, user, …",
            "SETTING[=KEY]",
        ),
        Option(
            ("--cgroup-parent",),
            "text",
            "The cgroup of steps",
            "CGROUP",
            refused="each step gets a group below kezuri's own: start kezuri in that one",
        ),
        Option(
            ("--security-opt",),
            "repeated",
            "no-new-privileges: sudo and other set-id programs of steps give nothing",
            "OPTION",
        ),
        Option(
            ("--isolation",),
            "text",
            "Isolation of steps",
            "NAME",
            refused="steps run in kezuri's own sandbox, or in what --runtime names",
            harmless=("default",),
        ),
    ),
    operands="[PATH | URL | -]",
    most=1,
    aliases=("bud", "image build", "builder build", "buildx build", "buildx b"),
    description="PATH is the build context (default: the current directory); - reads a Dockerfile or a tar archive\n"
    "from standard input; URL is a git repository (https://HOST/REPO.git#REF:DIR, git@HOST:REPO,\n"
    "github.com/USER/REPO), a tar archive or a Dockerfile. The image goes to the local store unless --output\n"
    "sends it elsewhere.",
    completes="directory",
    holds=True,
)


def execute(invocation: Invocation) -> int:
    """Build, then say what was made."""
    from kezuri.cli.build_request import build_request
    from kezuri.cli.progress import open_progress

    parsed, console = invocation.parsed, invocation.console
    quiet = parsed.flag("--quiet")
    mode = "quiet" if quiet else parsed.text("--progress")
    request = build_request(parsed, console)
    if parsed.given("--check") or parsed.given("--call"):
        from kezuri.cli.call import Call, answer

        call = Call.of(parsed)
        if call is not None:
            with open_progress(mode or "quiet", console) as progress:
                return answer(call, request, invocation, progress)
    if request.limits is not None:
        from kezuri.app.limits import foretell

        foretell(request.limits, lambda text: console.note(f"warning: {text}"))
    if parsed.flag("--watch"):
        from kezuri.cli.watching import watch

        if parsed.given("--run") and mode in ("", "auto"):
            mode = "plain"  # a container that prints beside a build would tear a display that is redrawn
        return watch(request, invocation, lambda request: _build(request, invocation, mode))
    if parsed.given("--run"):
        raise UsageError.because("--run goes with --watch", "to run an image once: kezuri run IMAGE")
    return 1 if _build(request, invocation, mode) is None else 0


def _build(request: "BuildRequest", invocation: Invocation, mode: str) -> "BuildResult | None":
    """Build, and say what was made; None where a step failed and everything is said about it."""
    from kezuri.app.build import build
    from kezuri.cli.progress import open_progress

    parsed, console, settings = invocation.parsed, invocation.console, invocation.settings
    since = time()
    with open_progress(mode, console, settings.progress) as progress:
        if [action for action in parsed.all("--on-error") if not action.startswith("export")][-1:] == ["shell"]:
            from kezuri.cli.interlude import build_with_shell

            looked = build_with_shell(request, settings, progress)
            if looked is None:
                return None
            result = looked
        else:
            result = build(request, settings, progress, expect=progress.expecting())
    if parsed.flag("--quiet"):
        console.say(result.config_digest or result.digest)
    elif progress.talks:
        built = result.config_digest or result.digest
        if built:
            console.note(f"Successfully built {built.removeprefix('sha256:')[:12]}")
        for name in result.names:
            console.note(f"Successfully tagged {_familiar(name)}")
        if built:
            from kezuri.cli.quantities import size

            if result.unpacked is None:
                console.note(f"Image size: {size(result.size)} compressed")
            else:
                console.note(f"Image size: {size(result.unpacked)} unpacked, {size(result.size)} compressed")
            _say_faults(invocation, result, time() - since)
    if settings.limited and result.ran:
        from kezuri.cli.tidying import tidy

        tidy(invocation, since, parsed.flag("--quiet"))
    return result


def _say_faults(invocation: Invocation, result: "BuildResult", took: float) -> None:
    """In one line what a scan of the image would say, where there is a database of advisories."""
    settings = invocation.settings
    if not invocation.parsed.flag("--scan", True) or not settings.db or not os.path.isfile(settings.db):
        return
    from kezuri.app.known_faults import built_faults

    found = built_faults(settings, result.digest, result.ran, took)
    if found is not None:
        from kezuri.cli.scan_line import line

        console = invocation.console
        name = _familiar(result.names[0]) if result.names else result.digest[7:19]
        console.note(line(found, name, console.phrase), styled=True)


def _familiar(name: str) -> str:
    from kezuri.oci import Reference

    return Reference.parse(name).familiar
