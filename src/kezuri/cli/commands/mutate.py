"""`kezuri mutate`: change the settings of an image without a build."""

from typing import TYPE_CHECKING, Any

from kezuri.cli.altering import CREATED, NAMES, PLATFORM
from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option, Parsed, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kezuri.edits.settings import Changes

COMMAND = Command(
    "mutate",
    "Change an image's settings without building it",
    (
        Option(
            ("--annotation",),
            "repeated",
            "An annotation, of the manifest or [LEVEL[PLATFORM]:]",
            "[LEVEL:]KEY=VALUE",
        ),
        Option(("--author",), "text", "Who made it", "TEXT"),
        Option(("--cmd",), "text", 'The default command: words, or ["JSON", "list"]; "" for none', "COMMAND"),
        CREATED,
        Option(
            ("--entrypoint",),
            "text",
            'The program that it starts, in the place of the command, too; "" for none',
            "COMMAND",
        ),
        Option(("--env", "-e"), "repeated", "Set a variable; without a value, from the environment", "KEY[=VALUE]"),
        Option(("--expose", "--port", "--exposed-ports"), "repeated", "Declare a port, or a range", "PORT[/tcp|udp]"),
        Option(("--health-cmd", "--healthcheck"), "text", 'How its health is checked; or ["JSON", "list"]', "COMMAND"),
        Option(("--health-interval",), "text", "How long from one check to the next (30s)", "DURATION"),
        Option(("--health-retries",), "text", "How many failures make it unhealthy (3)", "N"),
        Option(("--health-start-interval",), "text", "The interval in the start period (5s)", "DURATION"),
        Option(("--health-start-period",), "text", "How long failures do not count (0s)", "DURATION"),
        Option(("--health-timeout",), "text", "How long one check may take (30s)", "DURATION"),
        Option(("--label", "-l"), "repeated", "Set a label", "KEY=VALUE"),
        Option(("--no-healthcheck",), "flag", "Its health is not checked, not even as its base says"),
        PLATFORM,
        Option(("--set-platform",), "text", "The platform that it says it is for", "OS/ARCH"),
        Option(("--shell",), "text", "The shell of a Dockerfile's RUN on it: words, or a JSON list", "COMMAND"),
        Option(("--stop-signal",), "text", "The signal that asks it to end", "SIGNAL"),
        *NAMES,
        Option(
            ("--unset",),
            "repeated",
            "Take away: label=KEY, env=KEY, port=80/tcp, volume=/PATH, annotation=KEY; all of them, or one setting",
            "SETTING[=KEY]",
        ),
        Option(("--user", "-u"), "text", "Who it runs as", "USER[:GROUP]"),
        Option(("--volume", "-v"), "repeated", "Declare a volume", "/PATH"),
        Option(("--workdir", "-w"), "text", "Where it starts", "/DIR"),
    ),
    operands="IMAGE",
    least=1,
    most=1,
    description="What is unset goes first. Layers and history stay as they are, and so does the time at which the\n"
    "image was made, unless --created says another: the same changes give the same digest, which is\n"
    "printed.\n"
    "IMAGE is docker://NAME (a registry), oci:DIRECTORY[:NAME], or a name of the store, and so is what -t\n"
    "names; only what is lacking there is moved.",
    completes="image",
    holds=True,
)


def execute(invocation: Invocation) -> int:
    """Print the new digest."""
    from kezuri.app.mutate import mutate
    from kezuri.cli.altering import report, wanted

    parsed, console = invocation.parsed, invocation.console
    (name,) = parsed.operands
    if not any(parsed.given(option.key) for option in COMMAND.options):
        console.note("warning: no change was asked for: `kezuri mutate --help` lists what can be changed")
    changes = _changes(parsed, console.environ)
    annotations: tuple[Any, ...] = ()
    if parsed.given("--annotation"):
        from kezuri.cli.values import pair
        from kezuri.export.annotations import of_option

        for text in parsed.all("--annotation"):
            annotations += of_option(*pair("--annotation", text))
    altered = mutate(
        invocation.settings,
        name,
        wanted(parsed),
        changes,
        annotations,
        lambda text: console.note(f"warning: {text}"),
    )
    report(altered, console, name)
    return 0


def _changes(parsed: Parsed, environ: "Mapping[str, str]") -> "Changes":
    from kezuri.cli.altering import created
    from kezuri.cli.run_request import environment, exposed, stop_signal
    from kezuri.edits.settings import Changes, Unset
    from kezuri.oci.platform import Platform

    labels = []
    for text in parsed.all("--label"):
        key, _, value = text.partition("=")
        if not key:
            raise UsageError.because(f"--label {text!r} is not of the form KEY=VALUE")
        labels.append((key, value))
    volumes = parsed.all("--volume")
    for path in volumes:
        if not path.startswith("/"):
            raise UsageError.because(f"--volume {path!r} is no path from the root of the image", "write /PATH")
        if ":" in path:
            raise UsageError.because(f"--volume {path}: an image declares a path only", "`kezuri run -v` binds one")
    workdir = parsed.text("--workdir")
    if parsed.given("--workdir") and not workdir.startswith("/"):
        raise UsageError.because(f"--workdir {workdir!r} is no path from the root of the image", "write /DIR")
    return Changes(
        tuple(map(Unset.parse, parsed.all("--unset"))),
        tuple(labels),
        environment(parsed, environ),
        tuple(port for text in parsed.all("--expose") for port in exposed(text)),
        volumes,
        _words(parsed, "--entrypoint"),
        _words(parsed, "--cmd"),
        _text(parsed, "--user"),
        workdir or None,
        stop_signal(parsed.text("--stop-signal")) or None,
        _healthcheck(parsed),
        _words(parsed, "--shell") or None,
        _text(parsed, "--author"),
        created(parsed, environ) or None,
        Platform.parse(parsed.text("--set-platform")) if parsed.given("--set-platform") else None,
    )


def _text(parsed: Parsed, option: str) -> str | None:
    return parsed.text(option) if parsed.given(option) else None


def _words(parsed: Parsed, option: str) -> tuple[str, ...] | None:
    """A command: a JSON list of texts as it is, anything else split as a shell splits words."""
    if not parsed.given(option):
        return None
    text = parsed.text(option)
    if text.lstrip().startswith("["):
        from kezuri.dockerfile.words import NotStrings, json_words

        try:
            words = json_words(text)
        except NotStrings:
            words = None
        if words is None:
            raise UsageError.because(f"{option} {text!r} is no JSON list of texts", 'write ["PROGRAM", "ARGUMENT"]')
        return words
    import shlex

    try:
        return tuple(shlex.split(text))
    except ValueError:
        raise UsageError.because(f"{option} {text!r}: a quote is not closed") from None


def _healthcheck(parsed: Parsed) -> "Mapping[str, Any] | None":
    """The check as a config has it. Options that only change the times of a check need a command, too."""
    from kezuri.cli.run_request import health_options

    asked = health_options(parsed)
    if asked.disabled or asked.command.strip().upper() == "NONE":
        return {"Test": ["NONE"]}
    if not asked.command:
        given = [name for name in parsed.values if name.startswith("--health-")]
        if given:
            raise UsageError.because(f"{given[0]} without --health-cmd", "give the command of the check again with it")
        return None
    if asked.command.lstrip().startswith("["):
        words = _words(parsed, "--health-cmd") or ()
        test = list(words) if words[:1] in (("CMD",), ("CMD-SHELL",)) else ["CMD", *words]
    else:
        test = ["CMD-SHELL", asked.command]
    times = {
        "Interval": asked.interval,
        "Timeout": asked.timeout,
        "StartPeriod": asked.start_period,
        "StartInterval": asked.start_interval,
        "Retries": asked.retries,
    }
    return {"Test": test, **{key: value for key, value in times.items() if value}}
