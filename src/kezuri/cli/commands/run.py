"""`kezuri run`: one container in the foreground, enough to see that an image works."""

from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option

_LIMITS = "kezuri sets no resource limits yet; --ulimit works"
_LATER = "kezuri runs one container in the foreground, to try an image; for more, use a container engine"

COMMAND = Command(
    "run",
    "Run an image: one container, in the foreground, gone afterwards",
    (
        Option(("--add-host",), "repeated", "A line of /etc/hosts", "HOST:IP"),
        Option(("--entrypoint",), "text", 'Instead of the image\'s own; "" for none', "COMMAND"),
        Option(("--env", "-e"), "repeated", "Set a variable; without a value, from the environment", "KEY[=VALUE]"),
        Option(("--env-file",), "repeated", "Read variables from a file", "FILE", completes="file"),
        Option(("--hostname", "-h"), "text", "The container's host name", "NAME"),
        Option(("--init",), "flag", "Run a small init: it passes signals on and waits for orphans"),
        Option(("--interactive", "-i"), "flag", "Connect standard input"),
        Option(("--name",), "text", "The container's name", "NAME"),
        Option(
            ("--network", "--net"), "choice", "default, host or none", "MODE", ("default", "bridge", "host", "none")
        ),
        Option(("--platform",), "text", "Which platform's image", "OS/ARCH"),
        Option(("--publish", "-p"), "repeated", "Publish a port: [ADDRESS:]HOST:CONTAINER[/tcp|udp]", "PORT"),
        Option(
            ("--pull",),
            "choice",
            "When to fetch the image (default missing)",
            "WHEN",
            ("missing", "always", "never"),
        ),
        Option(("--read-only",), "flag", "The root file system cannot be written"),
        Option(("--rm",), "flag", "Accepted: the container is always removed"),
        Option(("--shm-size",), "text", "The size of /dev/shm (default 64m)", "BYTES"),
        Option(("--sig-proxy",), "flag", "Pass signals on to the process (default true)"),
        Option(("--stop-signal",), "text", "The signal that asks it to end (the image's, or SIGTERM)", "SIGNAL"),
        Option(("--stop-timeout",), "text", "Seconds until it is killed after that (default 10)", "SECONDS"),
        Option(("--tty", "-t"), "flag", "Give it a terminal"),
        Option(("--ulimit",), "repeated", "A resource limit", "LIMIT=SOFT[:HARD]"),
        Option(("--user", "-u"), "text", "Run as this user", "USER[:GROUP]"),
        Option(
            ("--volume", "-v"),
            "repeated",
            "Show a directory or file of this machine",
            "HOST:CONTAINER[:ro]",
            completes="file",
        ),
        Option(("--workdir", "-w"), "text", "Start in this directory", "DIR"),
        Option(("--quiet", "-q"), "flag", "Accepted and ignored", ignored=True),
        Option(("--detach", "-d"), "flag", "Run in the background", refused=_LATER),
        Option(("--mount",), "repeated", "Attach a mount", "MOUNT", refused="write -v HOST:CONTAINER[:ro]"),
        Option(("--tmpfs",), "repeated", "A tmpfs", "PATH", refused=_LATER),
        Option(("--publish-all", "-P"), "flag", "Publish all ports", refused="publish them one by one: -p"),
        Option(("--restart",), "text", "Restart policy", "POLICY", refused=_LATER, harmless=("no",)),
        Option(("--privileged",), "flag", "All privileges", refused=_LATER),
        Option(("--cap-add",), "repeated", "Add a capability", "CAPABILITY", refused=_LATER),
        Option(("--cap-drop",), "repeated", "Drop a capability", "CAPABILITY", refused=_LATER),
        Option(("--security-opt",), "repeated", "Security options", "OPTION", refused=_LATER),
        Option(("--device",), "repeated", "Add a device", "DEVICE", refused=_LATER),
        Option(("--gpus",), "text", "Add GPUs", "GPUS", refused=_LATER),
        Option(("--label", "-l"), "repeated", "A label of the container", "KEY=VALUE", refused=_LATER),
        Option(("--memory", "-m"), "text", "Memory limit", "BYTES", refused=_LIMITS),
        Option(("--cpus",), "text", "Processor limit", "N", refused=_LIMITS),
        Option(("--pids-limit",), "text", "Process limit", "N", refused=_LIMITS),
    ),
    operands="IMAGE [COMMAND] [ARG...]",
    least=1,
    most=-1,
    passthrough=True,
    aliases=("container run",),
    description="Everything after IMAGE belongs to the command. The exit code is the command's own;\n"
    "125 when the container could not be started, 126 and 127 when the command could not.",
    completes="image",
)


def execute(invocation: Invocation) -> int:
    """The exit code of the process; a failure of ours is 125, as docker has it."""
    from kezuri.app.run import run
    from kezuri.cli.options import UsageError
    from kezuri.cli.run_request import run_request
    from kezuri.diagnostics import KezuriError

    request = run_request(invocation.parsed, invocation.console)
    settings = invocation.settings
    invocation.console.out.flush()
    try:
        return run(request, settings, lambda text: invocation.console.note(f"kezuri: {text}"))
    except UsageError:
        raise
    except KezuriError as error:
        if error.exit_code == 1:
            raise KezuriError(*error.diagnostics, exit_code=125) from error
        raise
