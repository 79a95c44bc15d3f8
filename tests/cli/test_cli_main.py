"""The door: which command, which exit code, and what is said when something is wrong."""

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

import kezuri.cli.help as help_room
from kezuri.app.request import Settings
from kezuri.cli.commands import ALIASES, GROUPS, MODULES, load
from kezuri.cli.console import Console
from kezuri.cli.main import Stopped, call, main
from kezuri.cli.options import Option
from kezuri.cli.settings import GLOBAL
from kezuri.containers.request import RunRequest
from kezuri.diagnostics import Diagnostic, KezuriError, SourceText, Span
from kezuri.linux.descriptors import hold_standard

ROOT = Path(__file__).parents[2]
Called = Callable[..., tuple[int, str, str]]


def kezuri(*argv: str, **environ: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    environ.setdefault("HOME", "/nowhere")
    code = call(argv, Console(out, err, environ))
    return code, out.getvalue(), err.getvalue()


def replace(monkeypatch: pytest.MonkeyPatch, name: str, **functions: object) -> None:
    """Stand in for a module of `kezuri.app`: what is tested is what the command does with its answer."""
    module = ModuleType(f"kezuri.app.{name}")
    for key, function in functions.items():
        setattr(module, key, function)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(sys.modules["kezuri.app"], name, module, raising=False)


def raising(error: BaseException) -> Callable[..., None]:
    def raise_it(*args: object, **more: object) -> None:
        raise error

    return raise_it


def test_help_and_version() -> None:
    assert kezuri()[0] == 0 and kezuri()[1].startswith("kezuri builds container images")
    assert kezuri("--help") == kezuri() == kezuri("help") == kezuri("-h")
    assert kezuri("build", "--help") == kezuri("help", "build") == kezuri("bud", "-h") == kezuri("--help", "build")
    assert kezuri("--version")[1].startswith("kezuri version ") and kezuri("-v") == kezuri("--version")
    assert "Python" in kezuri("version")[1]
    assert kezuri("version", "--format", "{{.Python}}")[1].strip() == ".".join(map(str, sys.version_info[:3]))
    assert kezuri("run", "-h", "box")[0] == 2  # the letter is --hostname there: the image is what is missing


def test_help_names_every_option_that_works() -> None:
    for name in MODULES:
        command = load(name)[0]
        text = help_room.command_help(command)
        assert command.name == name
        assert max(map(len, text.split("\n"))) <= 150
        for option in command.options:
            assert (f"{option.key} " in text + " " or f"{option.key}[" in text or f"{option.key}\n" in text) is (
                not (option.refused or option.ignored or option.warned)
            ), option
        for alias in command.aliases:
            assert ALIASES[alias] == name
        assert name in ("build", "__complete") or set(command.aliases) == {a for a, n in ALIASES.items() if n == name}


def test_summaries_stand_in_one_column() -> None:
    lines = help_room.overview().split("\n\n")[2].splitlines()[1:]
    assert len(lines) > 40
    column = max(len(name) for name in MODULES if not load(name)[0].hidden) + 4
    assert [line for line in lines if line[column - 2 : column] != "  " or line[column] == " "] == []


def test_tables_are_sound() -> None:
    for name in MODULES:
        command = load(name)[0]
        names = [n for option in command.options for n in option.names]
        assert len(names) == len(set(names)), name
        for option in (*command.options, *GLOBAL):
            assert isinstance(option, Option)
            assert option.names[0].startswith("--")
            assert bool(option.choices) is (option.kind == "choice") or option.kind == "repeated", option
            assert option.help and not option.help.endswith("."), option
            assert option.kind in ("flag", "optional") or option.metavar, option
        assert not {o.key for o in command.options} & {o.key for o in GLOBAL}
    for alias in ALIASES:
        assert " " not in alias or alias.split()[0] in GROUPS


def test_the_page_is_made_from_the_tables() -> None:
    assert (ROOT / "docs/cli.md").read_text() == help_room.page() + "\n", "python -m kezuri.cli.help > docs/cli.md"


def test_golden_help() -> None:
    assert kezuri("store", "check", "--help")[1] == (
        "Verify every blob and record of the store\n"
        "\n"
        "usage: kezuri store check [OPTIONS]\n"
        "\n"
        "Exit code 1 when something is damaged.\n"
        "\n"
        "options:\n"
        "      --repair                    Remove what is damaged, so that it is fetched or built again\n"
        "      --format FORMAT             How to print: table, json\n"
        "\n"
        "options of every command:\n"
        "      --root DIR                  Where images and the cache are kept (default $XDG_DATA_HOME/kezuri)"
        " [$KEZURI_ROOT]\n"
        "      --runtime NAME              What runs steps: kezuri or native (our own sandbox), crun, runc, or the path"
        " of an OCI runtime [$KEZURI_RUNTIME]\n"
        "      --ca-certificates FILE      Certificate authorities (PEM) to trust in addition, also inside steps"
        " [$KEZURI_CA_CERTIFICATES]\n"
        "      --registry-mirror [HOST=]URL\n"
        "                                  Pull what HOST (default docker.io) serves from URL first"
        " [$KEZURI_REGISTRY_MIRROR]\n"
        "      --insecure-registry HOST    A registry that may speak plain HTTP [$KEZURI_INSECURE_REGISTRY]\n"
        "      --cert-dir DIR              For every registry: authorities (*.crt) and our certificate (*.cert, *.key)"
        " [$KEZURI_CERT_DIR]\n"
        "      --authfile FILE             The file with credentials (default: those of docker and podman)"
        " [$KEZURI_AUTHFILE]\n"
        "      --db FILE                   The database of advisories (default $XDG_CACHE_HOME/kezuri/advisories.db)"
        " [$KEZURI_DB]\n"
        "      --max-parallelism N         How many steps may run at once (default: one per processor)"
        " [$KEZURI_MAX_PARALLELISM]\n"
        "      --tls-verify                Check the certificates of registries (default true); false: they may also"
        " speak plain HTTP\n"
        "      --config FILE               Settings file (default $XDG_CONFIG_HOME/kezuri/config.toml)"
        " [$KEZURI_CONFIG]\n"
        "  -D, --debug                     Show where an unexpected error came from [$KEZURI_DEBUG]\n"
        "      --help                      Show this help\n"
    )


def test_the_help_of_a_group_lists_its_commands() -> None:
    for name in GROUPS:
        code, out, err = kezuri(name, "--help")
        assert (code, err) == (0, "") and out.startswith(f"usage: kezuri {name} COMMAND\n")
        assert kezuri("help", name) == kezuri("--help", name) == (code, out, err)
    assert "  db update   Fetch what is new of advisories\n" in kezuri("db", "-h")[1]
    assert "  image ls       List images" in kezuri("image", "-h")[1]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("biuld",), "error: unknown command 'biuld'\n  help: did you mean kezuri build?\n"),
        (("xyzzyxyzzy",), "error: unknown command 'xyzzyxyzzy'\n  help: see kezuri --help\n"),
        (("image",), "error: kezuri image needs a command\n  help: one of: build, copy, digest, history"),
        (("db", "fetch"), "error: unknown command 'db fetch'\n  help: one of: import, list, ls, origins, "),
        (("db", "info"), "error: unknown command 'db info'\n  help: one of: import, list, ls, origins, "),
        (("trivy", "image", "a"), "error: kezuri has no command trivy\n  help: write `kezuri scan` in its place"),
        (("scan", "--exit-code", "a"), "error: --exit-code is a number from 0 to 255, not 'a'\n"),
        (("scan", "--only-fixed", "a"), "error: kezuri has no option --only-fixed\n  help: write --ignore-unfixed\n"),
        (("image", "lss"), "error: unknown command 'image lss'\n  help: did you mean kezuri image ls?\n"),
        (("--bogus", "build"), "error: unknown option --bogus\n"),
        (("build", "--bogus"), "error: unknown option --bogus\n"),
        (
            ("build", "a", "b"),
            "error: kezuri build takes [PATH | URL | -]: 'b' is one too many\n  help: words with blanks",
        ),
        (("du", "x"), "error: kezuri du takes no argument 'x'\nusage: kezuri du [OPTIONS]\n"),
        (("tag", "x"), "error: kezuri tag needs SOURCE TARGET\nusage: kezuri tag [OPTIONS] SOURCE TARGET\n"),
        (("run",), "error: kezuri run needs IMAGE"),
        (("completion", "tcsh"), "error: there is no completion for 'tcsh'"),
        (("build", "--config", "/no/such/file"), "error: cannot read the settings file /no/such/file"),
    ],
)
def test_wrong_usage_is_2_on_standard_error(
    argv: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace(monkeypatch, "build", build=raising(AssertionError("must not be reached")))
    code, out, err = kezuri(*argv)
    assert (code, out) == (2, "")
    assert err.startswith(message)


@pytest.mark.parametrize("alias", sorted(ALIASES))
def test_aliases(alias: str) -> None:
    code, out, err = kezuri(*alias.split(), "--help")
    assert (code, err) == (0, "")
    assert out == kezuri(*ALIASES[alias].split(), "--help")[1]


def test_global_options_stand_before_and_after(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def usage(settings: Settings) -> tuple[()]:
        seen.append(settings)
        return ()

    replace(monkeypatch, "prune", usage=usage)
    assert kezuri("--root", "/a", "--insecure-registry", "x", "du", "--insecure-registry=y", KEZURI_ROOT="/e")[0] == 0
    assert kezuri("du", "--root", "/b", KEZURI_ROOT="/e")[0] == 0
    assert kezuri("--root=/a", "du", "--root=/b")[0] == 0
    assert kezuri("system", "df", KEZURI_ROOT="/e")[0] == 0
    assert [settings.root for settings in seen] == ["/a", "/b", "/b", "/e"]
    assert seen[0].insecure == ("x", "y")


def test_everything_after_the_image_belongs_to_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def run(request: RunRequest, settings: Settings, say: Callable[[str], None]) -> int:
        seen.append((request, settings))
        return 7

    replace(monkeypatch, "run", run=run)
    assert kezuri("run", "--root=/r", "--rm", "alpine", "sh", "--root", "x", "--help", "-D")[0] == 7
    ((request, settings),) = seen
    assert request.command == ("sh", "--root", "x", "--help", "-D") and settings.root == "/r"


def test_an_error_of_the_build_is_rendered_with_its_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    source = SourceText("Dockerfile", "FROM a\nRUN false\n")
    error = KezuriError(
        Diagnostic("error", "the command failed with exit code 1", source, Span(7, 16), output="no\nno\n"),
        Diagnostic("warning", "another"),
        exit_code=125,
    )
    replace(monkeypatch, "build", build=raising(error))
    code, out, err = kezuri("build", "--progress=plain")
    assert (code, out) == (125, "")
    assert err == (
        # The place comes last: a long output does not make it scroll away.
        "output:\n"
        "  | no\n"
        "  | no\n"
        "error: the command failed with exit code 1\n"
        " --> Dockerfile:2:1\n"
        "  |\n"
        "2 | RUN false\n"
        "  | ^^^^^^^^^\n"
        "warning: another\n"
    )
    assert "\x1b[1;31merror" in kezuri("build", CLICOLOR_FORCE="1")[2]
    assert "\x1b" not in kezuri("build", CLICOLOR_FORCE="1", NO_COLOR="1")[2]


def test_a_container_that_cannot_start_is_125(monkeypatch: pytest.MonkeyPatch) -> None:
    replace(monkeypatch, "run", run=raising(KezuriError.of("no such image")))
    assert kezuri("run", "nothing") == (125, "", "error: no such image\n")
    replace(monkeypatch, "run", run=raising(KezuriError.of("not a reference", exit_code=2)))
    assert kezuri("run", "NOTHING")[0] == 2


def test_interruptions(monkeypatch: pytest.MonkeyPatch) -> None:
    replace(monkeypatch, "prune", usage=raising(KeyboardInterrupt()))
    assert kezuri("du") == (130, "", "kezuri: interrupted\n")
    replace(monkeypatch, "prune", usage=raising(Stopped(15)))
    assert kezuri("du") == (143, "", "kezuri: stopped by signal 15\n")


def test_an_unexpected_error_is_one_line_and_a_traceback_only_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    replace(monkeypatch, "prune", usage=raising(ValueError("so\nsorry")))
    line = "kezuri: sorry, something unexpected went wrong: ValueError: so sorry"
    assert kezuri("du") == (125, "", line + " (--debug shows where)\n")
    assert kezuri("du", KEZURI_DEBUG="0")[2] == line + " (--debug shows where)\n"
    for code, _, err in (kezuri("--debug", "du"), kezuri("du", "-D"), kezuri("du", KEZURI_DEBUG="1")):
        assert code == 125
        assert err.startswith("Traceback") and err.endswith(line + "\n")


def process(*argv: str, **environ: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), **environ}
    return subprocess.Popen(
        [sys.executable, "-m", "kezuri", *argv],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def test_a_reader_that_has_enough_ends_us_quietly() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed:
        done = subprocess.run(
            [sys.executable, "-m", "kezuri", "build", "--help"],
            stdout=closed,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        )
    assert (done.returncode, done.stderr) == (141, b"")


HANG = """
import sys, time, types
module = types.ModuleType("kezuri.app.run")
def run(request, settings, say):
    import os
    pid = os.fork()
    if not pid:  # a child has the default handler: it dies of the signal and does not unwind our frames
        os.kill(os.getpid(), 1)
        time.sleep(60)
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == 1
    print("running", flush=True)
    try:
        time.sleep(60)
    finally:
        print("put back", flush=True)
module.run = run
import kezuri.app
kezuri.app.run = sys.modules["kezuri.app.run"] = module
from kezuri.cli.main import main
sys.exit(main(["run", "x"]))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)], ids=["TERM", "HUP", "INT"]
)
def test_signals_let_everything_be_put_back(number: signal.Signals, code: int) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", HANG],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "HOME": "/nowhere"},
        preexec_fn=lambda: [signal.signal(n, signal.SIG_DFL) for n in (signal.SIGHUP, signal.SIGINT)],
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "running\n"
    time.sleep(0.05)
    child.send_signal(number)
    out, err = child.communicate(timeout=20)
    assert (out, child.returncode) == ("put back\n", code)
    assert err.count("\n") == 1


def test_odd_characters_are_printed_not_fatal() -> None:
    with process("no-such-\udcff-command", LC_ALL="C.UTF-8") as child:
        _, err = child.communicate()
    assert child.returncode == 2 and "Traceback" not in err


EVERY = [
    ("build", "--check", "."),
    ("build", "-o", "type=oci,dest=made", "."),
    ("run", "nothing"),
    ("pull", "localhost:1/nothing"),
    ("login", "--get-login", "localhost:1"),
    ("logout", "localhost:1"),
    ("push", "localhost:1/nothing"),
    ("cat", "localhost:1/nothing:/etc/hostname"),
    ("ls", "localhost:1/nothing:/"),
    ("cp", "localhost:1/nothing:/etc", "."),
    ("export", "localhost:1/nothing"),
    ("images",),
    ("inspect", "nothing"),
    ("history", "nothing"),
    ("analyze", "nothing"),
    ("sbom", "nothing"),
    ("tag", "nothing", "more"),
    ("rmi", "nothing"),
    ("mutate", "nothing", "--user", "1"),
    ("append", "nothing", "."),
    ("flatten", "nothing"),
    ("rebase", "nothing"),
    ("attach", "nothing", "--artifact-type", "text/plain"),
    ("discover", "nothing"),
    ("copy", "nothing", "more"),
    ("save", "nothing"),
    ("load", "-i", "Dockerfile"),
    ("import", "Dockerfile"),
    ("tags", "localhost:1/nothing"),
    ("digest", "localhost:1/nothing"),
    ("manifest", "create", "--amend", "x"),
    ("manifest", "inspect", "--raw", "localhost:1/nothing"),
    ("manifest", "add", "x", "nothing"),
    ("manifest", "annotate", "x", "y", "--os", "linux"),
    ("manifest", "remove", "x", "y"),
    ("manifest", "rm", "x"),
    ("manifest", "push", "x"),
    ("imagetools", "create", "-t", "localhost:1/x", "localhost:1/nothing"),
    ("imagetools", "inspect", "localhost:1/nothing"),
    ("image", "prune", "--force"),
    ("diff", "nothing", "nothing"),
    ("compare", "nothing", "nothing"),
    ("base", "nothing"),
    ("explore", "nothing"),
    ("plan", "."),
    ("check", "."),
    ("fmt", "--check", "."),
    ("lsp",),
    ("why",),
    ("profile",),
    ("context", "."),
    ("prune", "--force"),
    ("du",),
    ("config",),
    ("reproduce", "-f", "nothing", "."),
    ("scan", "--db", "nothing", "nothing"),
    ("size", "record", "nothing"),
    ("size", "show"),
    ("size", "gate", "nothing", "--budget", "wire=+5%"),
    ("doctor",),
    ("store", "check"),
    ("bases",),
    ("volume", "create", "data"),
    ("volume", "ls"),
    ("volume", "inspect", "data"),
    ("volume", "rm", "data"),
    ("volume", "prune", "--force"),
    ("db", "update", "--db-origin", "kev=http://127.0.0.1:1/kev.json", "kev"),
    ("db", "import", "Dockerfile"),
    ("db", "status"),
    ("db", "origins"),
    ("db", "rm", "kev"),
    ("buildx", "create", "--use", "--name", "x"),
    ("buildx", "use", "x"),
    ("buildx", "ls"),
    ("buildx", "inspect", "--bootstrap"),
    ("completion", "bash"),
    ("__complete", "bash", "0", ""),
    ("version",),
    ("--help",),
    ("nonsense",),
]
"""A call of every command, as far as it works without a network: all are to be found here (demo builds and runs)."""


def test_every_command_is_walked() -> None:
    walked = {" ".join(argv[: name.count(" ") + 1]) for name in MODULES for argv in EVERY}
    assert set(MODULES) - walked == {"demo"}


class Streams:
    """Calls kezuri in a child process whose standard streams are what a test gives them: None is a closed one."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        (directory / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")

    def __call__(self, argv: tuple[str, ...], *given: Path | int | None) -> int:
        (self._directory / "made").unlink(missing_ok=True)
        pid = os.fork()
        if not pid:
            code = 99
            try:
                opened = [os.open(g, os.O_RDWR) if isinstance(g, Path) else g for g in given]
                for number, descriptor in enumerate(opened):
                    if descriptor is None:
                        os.close(number)
                    else:
                        os.dup2(descriptor, number)
                os.environ.update(KEZURI_ROOT=str(self._directory / "store"), HOME="/")
                os.chdir(self._directory)
                hold_standard()
                sys.stdin = open(0, closefd=False)  # noqa: SIM115
                code = main(argv)
            finally:
                os._exit(code)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.slow
@pytest.mark.parametrize("argv", EVERY, ids=lambda argv: "-".join(argv[:2]))
def test_streams_that_take_nothing_stop_no_command(argv: tuple[str, ...], tmp_path: Path) -> None:
    """Closed: as if they were read. Full, or without a reader: the work is done, and the exit code tells of a result
    that was lost. Never a traceback or an apology, and nothing is written into the store by mistake."""
    call = Streams(tmp_path)
    null, full, out, err = Path("/dev/null"), Path("/dev/full"), tmp_path / "out", tmp_path / "err"
    reader, unread = os.pipe()
    os.close(reader)
    out.touch()
    code = call(argv, null, out, null)
    result = bool(out.read_bytes())
    for streams, expected, told in (
        ((null, null, null), code, False),
        ((null, null, None), code, False),
        ((null, None, err), code, False),
        ((None, null, err), code, False),
        ((None, None, None), code, False),
        ((null, null, full), code, False),
        ((null, full, err), 125 if result and not code else code, result),
        ((null, unread, err), 141 if result and not code else code, False),
        ((null, null, unread), code, False),
    ):
        err.write_text("")
        assert call(argv, *streams) == expected, streams
        said = err.read_text()
        assert "Traceback" not in said and "sorry" not in said and "Exception" not in said
        assert ("cannot write to standard output: No space left" in said) == told
        assert (tmp_path / "made").exists() == ("made" in " ".join(argv))
    os.close(unread)


def test_streams_that_the_shell_closed(tmp_path: Path) -> None:
    """The interpreter has no stream objects then."""
    call = Streams(tmp_path)
    assert call(("build", "-t", "x", "."), *[Path("/dev/null")] * 3) == 0
    for closed, code in (("2>&-", 0), (">&-", 0), ("<&- >&- 2>&-", 0), ("<&- >/dev/full", 125)):
        done = subprocess.run(
            ["sh", "-c", f"{sys.executable} -m kezuri images {closed}"],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "KEZURI_ROOT": str(tmp_path / "store"), "HOME": "/"},
        )
        assert done.returncode == code and done.stderr.count("\n") == (code != 0)


def test_closed_streams_are_no_input(tmp_path: Path) -> None:
    call = Streams(tmp_path)
    for argv in (("build", "-"), ("build", "-f-", "."), ("plan", "--if-changed", "-", ".")):
        err = tmp_path / "err"
        err.write_text("")
        (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
        code = call(argv, None, Path("/dev/null"), err)
        assert code == 1 and "standard input cannot be read: Bad file descriptor" in err.read_text()


def test_the_current_directory_was_removed(tmp_path: Path) -> None:
    def outcome(*argv: str) -> tuple[int, str]:
        shell = f'mkdir gone && cd gone && rmdir ../gone && {sys.executable} -m kezuri "$@"'
        environ = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "KEZURI_ROOT": str(tmp_path / "store"), "HOME": "/"}
        done = subprocess.run(
            ["sh", "-c", shell, "sh", *argv], cwd=tmp_path, capture_output=True, text=True, env=environ
        )
        return done.returncode, done.stderr

    assert outcome("images") == (0, "")
    for argv in (("build", "."), ("plan", "."), ("build", "-f", "x", "/")):
        code, said = outcome(*argv)
        assert code == 125 and said.startswith("error: the current directory was removed\n"), said
