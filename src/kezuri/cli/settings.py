"""Every setting in one table, and the Settings of a call: a flag wins over a variable, that over the user's file, that
over the system's, that over the default."""

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple

from kezuri.cli.options import Option, Parsed, UsageError
from kezuri.cli.values import split
from kezuri.diagnostics import KezuriError

if TYPE_CHECKING:
    from kezuri.app.request import Settings

Form = Literal["text", "path", "number", "list", "mirrors", "size", "duration", "choice"]


class Setting(NamedTuple):
    """One setting. `name` is its key in the files; `--name` is its flag where it has a `flag` (`every` command has it,
    or `some` do), and $KEZURI_NAME its variable. `form` is what its value may be: `list` a text or a list of texts,
    `mirrors` also a table of host = URL. `default` says in words what holds where nobody says anything."""

    name: str
    form: Form
    help: str
    default: str = ""
    metavar: str = ""
    flag: Literal["every", "some", ""] = "every"
    choices: tuple[str, ...] = ()
    completes: str = ""

    @property
    def variable(self) -> str:
        """The environment variable that says it."""
        return "KEZURI_" + self.name.upper().replace("-", "_")

    @property
    def option(self) -> Option:
        """The option that says it."""
        kind: Literal["text", "repeated"] = "repeated" if self.form in ("list", "mirrors") else "text"
        return Option(
            (f"--{self.name}",), kind, self.help, self.metavar, variable=self.variable, completes=self.completes
        )


SETTINGS = (
    Setting(
        "root",
        "path",
        "Where images and the cache are kept (default $XDG_DATA_HOME/kezuri)",
        "$XDG_DATA_HOME/kezuri",
        "DIR",
        completes="directory",
    ),
    Setting(
        "runtime",
        "text",
        "What runs steps: kezuri or native (our own sandbox), crun, runc, or the path of an OCI runtime",
        "kezuri",
        "NAME",
    ),
    Setting(
        "ca-certificates",
        "path",
        "Certificate authorities (PEM) to trust in addition, also inside steps",
        metavar="FILE",
        completes="file",
    ),
    Setting(
        "registry-mirror",
        "mirrors",
        "Pull what HOST (default docker.io) serves from URL first",
        metavar="[HOST=]URL",
    ),
    Setting("insecure-registry", "list", "A registry that may speak plain HTTP", metavar="HOST"),
    Setting(
        "cert-dir",
        "path",
        "For every registry: authorities (*.crt) and our certificate (*.cert, *.key)",
        metavar="DIR",
        completes="directory",
    ),
    Setting(
        "allow-private",
        "list",
        "A registry that may send us on to addresses of a private network",
        metavar="HOST",
        flag="",
    ),
    Setting(
        "authfile",
        "path",
        "The file with credentials (default: those of docker and podman)",
        "those of docker and podman",
        "FILE",
        completes="file",
    ),
    Setting(
        "db",
        "path",
        "The database of advisories (default $XDG_CACHE_HOME/kezuri/advisories.db)",
        "$XDG_CACHE_HOME/kezuri/advisories.db",
        "FILE",
        completes="file",
    ),
    Setting(
        "db-age",
        "duration",
        "How old advisories may be before it is said that they are (default 7d)",
        "7d",
        "DURATION",
        "",
    ),
    Setting(
        "db-origin",
        "list",
        "Where `kezuri db update` asks for the data set NAME instead of at its own address",
        metavar="NAME=URL",
        flag="some",
    ),
    Setting(
        "max-parallelism",
        "number",
        "How many steps may run at once (default: one per processor)",
        "one per processor",
        "N",
    ),
    Setting(
        "progress",
        "choice",
        "How progress is shown",
        "auto",
        "MODE",
        "some",
        ("auto", "plain", "tty", "quiet", "none", "rawjson"),
    ),
    Setting(
        "max-used-space",
        "size",
        "After a build or a pull, remove cache until it takes no more than this",
        "no limit",
        "BYTES",
        "",
    ),
    Setting(
        "min-free-space",
        "size",
        "After a build or a pull, remove cache until the disk has this much left",
        "no limit",
        "BYTES",
        "",
    ),
    Setting("reserved-space", "size", "What the two limits above leave of the cache", "0", "BYTES", ""),
    Setting(
        "keep-age",
        "duration",
        "After a build or a pull, remove cache that was not used for so long",
        "for ever",
        "DURATION",
        "",
    ),
    Setting(
        "max-local-cache",
        "size",
        "How large a cache of --cache-to type=local gets where it says no max-size",
        "no limit",
        "BYTES",
        "",
    ),
)
"""What the settings files may say."""

GLOBAL = (
    *(setting.option for setting in SETTINGS if setting.flag == "every"),
    Option(
        ("--tls-verify",),
        "flag",
        "Check the certificates of registries (default true); false: they may also speak plain HTTP",
    ),
    Option(
        ("--config",),
        "text",
        "Settings file (default $XDG_CONFIG_HOME/kezuri/config.toml)",
        "FILE",
        variable="KEZURI_CONFIG",
        completes="file",
    ),
    Option(("--debug", "-D"), "flag", "Show where an unexpected error came from", variable="KEZURI_DEBUG"),
)

SYSTEM_FILE = "/etc/kezuri/config.toml"
"""The settings of all users of this machine; KEZURI_CONFIG_SYSTEM names another file, or none when it is empty."""


class Said(NamedTuple):
    """The values given for one setting, and who said so: a flag, a variable or a place in a file; nobody where both are
    empty."""

    values: tuple[str, ...] = ()
    origin: str = ""


class Sources:
    """What flags, variables and files say of each setting. KezuriError for a file that is wrong, and where."""

    def __init__(self, parsed: Parsed, environ: Mapping[str, str]) -> None:
        self._parsed = parsed
        self._environ = environ
        self._files = files(parsed, environ)

    def said(self, setting: Setting) -> Said:
        """The values that hold, and their origin."""
        told = self._environ.get(setting.variable, "")
        flag = f"--{setting.name}"
        values = self._parsed.all(flag) if setting.flag else ()
        if values:
            return Said(values, f"${setting.variable}" if told == values[-1] else flag)
        if told:
            return Said((told,), f"${setting.variable}")
        for file in self._files:
            if setting.name in file:
                return file[setting.name]
        return Said()


def settings(parsed: Parsed, environ: Mapping[str, str]) -> "Settings":
    """The settings of this invocation. KezuriError naming the flag, variable or line of the file that is wrong."""
    from kezuri.app.request import Settings

    sources = Sources(parsed, environ)
    told = {setting.name: sources.said(setting) for setting in SETTINGS}

    def one(key: str) -> str:
        return "".join(told[key].values[-1:])

    def path(key: str) -> str:
        return os.path.abspath(expand(one(key), environ)) if one(key) else ""

    root = one("root") or default_root(environ)
    if not root:
        raise _homeless("where the store is")
    bundle = path("ca-certificates")
    if bundle and not os.path.isfile(bundle):
        raise KezuriError.of(
            f"ca-certificates: there is no file {one('ca-certificates')}",
            hint=f"{told['ca-certificates'].origin} must name a PEM file",
            exit_code=2,
        )
    certificates = path("cert-dir")
    if certificates and not os.path.isdir(certificates):
        raise KezuriError.of(
            f"cert-dir: there is no directory {certificates}",
            hint=f"{told['cert-dir'].origin} must name a directory with *.crt, *.cert and *.key",
            exit_code=2,
        )
    text = one("max-parallelism") or "0"
    if not text.isdecimal():
        raise KezuriError.of(
            f"max-parallelism is a number of steps, not {text!r}",
            hint=f"it comes from {told['max-parallelism'].origin}: write a number, such as 4",
            exit_code=2,
        )
    mirrors = told["registry-mirror"]
    return Settings(
        root=os.path.abspath(expand(root, environ)),
        runtime=one("runtime") or "kezuri",
        ca_certificates=bundle,
        mirrors=tuple(_mirror(value, mirrors.origin) for value in split(mirrors.values)),
        insecure=tuple(_registry(value) for value in split(told["insecure-registry"].values)),
        max_parallelism=int(text),
        authfile=path("authfile"),
        certificates=certificates,
        allow_private=split(told["allow-private"].values),
        tls_verify=parsed.flag("--tls-verify", True),
        progress=_progress(told["progress"]),
        max_used_space=_measure(told["max-used-space"], _size),
        min_free_space=_measure(told["min-free-space"], _size),
        reserved_space=_measure(told["reserved-space"], _size),
        keep_age=_measure(told["keep-age"], _duration),
        max_local_cache=_measure(told["max-local-cache"], _size),
        db=path("db") or default_database(environ),
        db_age=_measure(told["db-age"], _duration),
        db_origins=tuple(_origin(value, told["db-origin"].origin) for value in split(told["db-origin"].values)),
    )


def files(parsed: Parsed, environ: Mapping[str, str]) -> tuple[dict[str, Said], ...]:
    """What the settings files say that there are: the user's, or the one that --config or KEZURI_CONFIG names, then the
    system's. KezuriError for one that is wrong, or that was asked for and is not there."""
    found = []
    own, system, asked = file_places(parsed, environ)
    for path, why in ((own, "--config or KEZURI_CONFIG names it" if asked else ""), (system, "")):
        if not path:
            continue
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            if not why and isinstance(error, FileNotFoundError | NotADirectoryError):
                continue
            if not why and path == own and isinstance(error, PermissionError):
                why = "HOME, or XDG_CONFIG_HOME, is another user's: set it (sudo -H), or name a file with --config"
            if not why and path == system:
                why = "everybody has to be able to read it; KEZURI_CONFIG_SYSTEM= leaves it out"
            raise KezuriError.of(
                f"cannot read the settings file {path}: {error.strerror}", hint=why, exit_code=2
            ) from None
        from kezuri.cli.settings_file import read_settings

        base = os.path.dirname(os.path.abspath(path))
        forms = {setting.name: setting.form for setting in SETTINGS}
        said = {}
        for name, (values, line) in read_settings(descriptor, path, forms).items():
            if forms[name] == "path":
                values = tuple(os.path.join(base, expand(value, environ)) for value in values)
            said[name] = Said(values, f"{name} in {path}:{line}")
        found.append(said)
    return tuple(found)


def file_places(parsed: Parsed, environ: Mapping[str, str]) -> tuple[str, str, bool]:
    """The user's settings file and the system's, empty where there can be none; and whether the first was asked for."""
    asked = parsed.text("--config")
    directory = "" if asked else _home(environ, "XDG_CONFIG_HOME", ".config")
    own = expand(asked, environ) if asked else os.path.join(directory, "config.toml") if directory else ""
    return own, environ.get("KEZURI_CONFIG_SYSTEM", SYSTEM_FILE), bool(asked)


def _progress(said: Said) -> str:
    mode = "".join(said.values[-1:])
    modes = next(setting.choices for setting in SETTINGS if setting.name == "progress")
    if mode and mode not in modes:
        raise KezuriError.of(
            f"progress cannot be {mode!r}", hint=f"it comes from {said.origin}: one of {', '.join(modes)}", exit_code=2
        )
    # A flag and its variable are read by the command, before a variable of BuildKit's; this is what holds after that.
    return mode if not said.origin.startswith(("-", "$")) else ""


def _measure(said: Said, read: Callable[[str, str], int]) -> int | None:
    """A size in bytes or a duration in seconds; None where nobody says one."""
    text = "".join(said.values[-1:])
    return read(said.origin, text) if text else None


def _size(origin: str, text: str) -> int:
    from kezuri.cli.values import memory

    return memory(origin, text)


def _duration(origin: str, text: str) -> int:
    from kezuri.cli.values import duration

    return int(duration(origin, text))


def default_root(environ: Mapping[str, str]) -> str:
    """Where the store is when nobody says so; empty where this user has no home directory."""
    return _home(environ, "XDG_DATA_HOME", ".local/share")


def default_database(environ: Mapping[str, str]) -> str:
    """Where the database of advisories is when nobody says so: it can be fetched again, and is a cache."""
    directory = _home(environ, "XDG_CACHE_HOME", ".cache")
    return os.path.join(directory, "advisories.db") if directory else ""


def _origin(text: str, origin: str) -> tuple[str, str]:
    """`NAME=URL` as (name, URL)."""
    name, _, url = text.partition("=")
    if not name or not url.startswith(("http://", "https://")) or not url.partition("://")[2]:
        raise UsageError.because(f"not an origin of advisories: {text!r}", f"write NAME=https://HOST/FILE ({origin})")
    return name, url


def _mirror(text: str, origin: str) -> tuple[str, str]:
    """`HOST=URL` or `URL` (then for docker.io) as (host, URL); http:// and https:// only."""
    host, equals, url = text.partition("=")
    if not equals or "://" in host:
        host, url = "docker.io", text
    if host in ("index.docker.io", "registry-1.docker.io"):
        host = "docker.io"
    if not host or not url.startswith(("http://", "https://")) or not url.partition("://")[2]:
        raise UsageError.because(
            f"not a registry mirror: {text!r}", f"write HOST=https://MIRROR or https://MIRROR for docker.io ({origin})"
        )
    return host, url.rstrip("/")


def _registry(text: str) -> str:
    if text == "*":
        raise UsageError.because(
            f"--insecure-registry is a host, not {text!r}", "--tls-verify=false is for every registry"
        )
    if "/" in text:
        raise UsageError.because(f"--insecure-registry is a host, not {text!r}", "write for instance localhost:5000")
    return text


def _home(environ: Mapping[str, str], variable: str, fallback: str) -> str:
    """$variable/kezuri, or its XDG default; a relative value of the variable is ignored, as the XDG rules ask. Empty
    where this user has no home directory."""
    base = environ.get(variable, "")
    if not base.startswith("/"):
        home = _home_directory(environ)
        if not home:
            return ""
        base = os.path.join(home, fallback)
    return os.path.join(base, "kezuri")


def _home_directory(environ: Mapping[str, str]) -> str:
    """HOME, or what the password file has; empty where neither names one, as in containers for a user of whom their
    image knows nothing."""
    home = environ.get("HOME", "")
    if home.startswith("/"):
        return home
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return ""


def expand(path: str, environ: Mapping[str, str]) -> str:
    """A leading `~` or `~/` as the home directory. KezuriError where there is none."""
    if path != "~" and not path.startswith("~/"):
        return path
    home = _home_directory(environ)
    if not home:
        raise _homeless(f"what {path} means")
    return home + path[1:]


def _homeless(unknown: str) -> KezuriError:
    return KezuriError.of(
        f"it is not known {unknown}: HOME is not set, and the password file does not have user {os.getuid()}",
        hint="set HOME, or name the store with --root or KEZURI_ROOT",
        exit_code=125,
    )
