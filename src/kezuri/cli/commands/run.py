"""`kezuri run`: one container in the foreground, enough to see that an image works."""

from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option, limit_options
from kezuri.cli.run_answers import ACCEPTED, ANSWERED

COMMAND = Command(
    "run",
    "Run an image: one container, in the foreground, gone afterwards",
    (
        Option(("--add-host",), "repeated", "A line of /etc/hosts", "HOST:IP"),
        Option(("--cap-add",), "repeated", "Give a capability; ALL: every one", "CAPABILITY"),
        Option(("--cap-drop",), "repeated", "Take a capability away; ALL: every one", "CAPABILITY"),
        Option(("--cidfile",), "text", "Write an id to this file, which must not be there", "FILE", completes="file"),
        Option(("--device",), "repeated", "Show a device of this machine", "HOST[:CONTAINER]", completes="file"),
        Option(("--dns",), "repeated", "A name server", "ADDRESS"),
        Option(("--dns-option", "--dns-opt"), "repeated", "An option of the resolver", "OPTION"),
        Option(("--dns-search",), "repeated", "A domain to search in", "DOMAIN"),
        Option(("--entrypoint",), "text", 'Instead of the image\'s own; "" for none', "COMMAND"),
        Option(("--env", "-e"), "repeated", "Set a variable; without a value, from the environment", "KEY[=VALUE]"),
        Option(("--env-file",), "repeated", "Read variables from a file", "FILE", completes="file"),
        Option(("--expose",), "repeated", "A port that --publish-all publishes, too", "PORT[/tcp|udp]"),
        Option(("--group-add",), "repeated", "Be in this group, too", "GROUP"),
        Option(("--health-cmd",), "text", "The shell command that tells whether it is well", "COMMAND"),
        Option(("--health-interval",), "text", "How long from one check to the next (30s)", "DURATION"),
        Option(("--health-retries",), "text", "How many failures make it unhealthy (3)", "N"),
        Option(("--health-start-interval",), "text", "The interval in the start period (5s)", "DURATION"),
        Option(("--health-start-period",), "text", "How long failures do not count (0s)", "DURATION"),
        Option(("--health-timeout",), "text", "How long one check may take (30s)", "DURATION"),
        Option(("--hostname", "-h"), "text", "The container's host name", "NAME"),
        Option(("--init",), "flag", "Run a small init: it passes signals on and waits for orphans"),
        Option(("--interactive", "-i"), "flag", "Connect standard input"),
        Option(
            ("--mount",),
            "repeated",
            "type=bind|volume|tmpfs,source=HOST or NAME,target=PATH[,ro]",
            "MOUNT",
        ),
        Option(
            ("--name",),
            "text",
            "The container's name, which no other that runs has, and host name where none is given",
            "NAME",
        ),
        Option(
            ("--network", "--net"),
            "choice",
            "bridge (its own, by pasta or slirp4netns; the default where installed), host or none",
            "MODE",
            ("default", "bridge", "host", "none"),
        ),
        Option(("--no-healthcheck",), "flag", "Do not run the image's health check"),
        Option(("--platform",), "text", "Which platform's image", "OS/ARCH"),
        Option(("--publish", "-p"), "repeated", "Publish a port: [[ADDRESS:]HOST:]CONTAINER[/tcp|udp]", "PORT"),
        Option(("--publish-all", "-P"), "flag", "Publish all exposed ports at free ones here"),
        Option(
            ("--pull",),
            "choice",
            "When to fetch the image (default missing)",
            "WHEN",
            ("missing", "always", "never"),
        ),
        Option(("--read-only",), "flag", "The root file system cannot be written"),
        Option(("--rm",), "flag", "Accepted: the container is always removed"),
        Option(
            ("--security-opt",),
            "repeated",
            "no-new-privileges, or seccomp=unconfined (no system call filter)",
            "OPTION",
        ),
        Option(("--shm-size",), "text", "The size of /dev/shm (default 64m)", "BYTES"),
        Option(("--sig-proxy",), "flag", "Pass signals on to the process (default true)"),
        Option(("--stop-signal",), "text", "The signal that asks it to end (the image's, or SIGTERM)", "SIGNAL"),
        Option(("--stop-timeout",), "text", "Seconds until it is killed after that (default 10)", "SECONDS"),
        Option(
            ("--tmpfs",),
            "repeated",
            "An empty directory in memory: size=, mode=, uid=, gid=, exec, ro",
            "PATH[:OPTIONS]",
        ),
        Option(
            ("--tools",),
            "flag",
            "A toolbox beside the root, and its shell or COMMAND: for images without one",
        ),
        Option(("--tty", "-t"), "flag", "Give it a terminal"),
        Option(("--ulimit",), "repeated", "A resource limit", "LIMIT=SOFT[:HARD]"),
        Option(("--user", "-u"), "text", "Run as this user", "USER[:GROUP]"),
        Option(
            ("--volume", "-v"),
            "repeated",
            "Show a directory or file of this machine, or a volume that stays (NAME:PATH) or not (PATH)",
            "HOST:CONTAINER[:ro]",
            completes="file",
        ),
        Option(("--workdir", "-w"), "text", "Start in this directory", "DIR"),
        *limit_options("the container"),
        *ACCEPTED,
        *ANSWERED,
    ),
    operands="IMAGE [COMMAND] [ARG...]",
    least=1,
    most=-1,
    passthrough=True,
    aliases=("container run",),
    description="Everything after IMAGE belongs to the command. The exit code is the command's own;\n"
    "125 when the container could not be started, 126 and 127 when the command could not.",
    completes="image",
    holds=True,
)


def execute(invocation: Invocation) -> int:
    """The exit code of the process; a failure of ours is 125, as docker has it."""
    from kezuri.app.run import run
    from kezuri.cli.options import UsageError
    from kezuri.cli.run_request import run_request
    from kezuri.diagnostics import KezuriError
    from kezuri.sandbox.choice import is_own

    request = run_request(invocation.parsed, invocation.console)
    settings = invocation.settings
    if request.init and not is_own(settings.runtime):
        raise UsageError.because(
            "--init needs kezuri's own sandbox: an OCI runtime is given no init here", "leave out --init or --runtime"
        )
    invocation.console.out.flush()

    def say(text: str) -> None:
        invocation.console.note(f"kezuri: {text}")
        if request.tty:
            # The terminal is the container's: it does not go to the beginning of a line by itself.
            invocation.console.err.write("\r")

    try:
        return run(request, settings, say)
    except UsageError:
        raise
    except KezuriError as error:
        if error.exit_code == 1:
            raise KezuriError(*error.diagnostics, exit_code=125) from error
        raise
