"""The options of every command, and the Settings they make: a flag wins over the environment, that over the file."""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from kezuri.app.request import Settings
from kezuri.cli.options import Option, Parsed, UsageError
from kezuri.cli.values import split
from kezuri.diagnostics import KezuriError, nearest

GLOBAL = (
    Option(
        ("--root",),
        "text",
        "Where images and the cache are kept (default $XDG_DATA_HOME/kezuri)",
        "DIR",
        variable="KEZURI_ROOT",
        completes="directory",
    ),
    Option(
        ("--runtime",),
        "text",
        "What runs steps: kezuri or native (our own sandbox), crun, runc, or the path of an OCI runtime",
        "NAME",
        variable="KEZURI_RUNTIME",
    ),
    Option(
        ("--ca-certificates",),
        "text",
        "Certificate authorities (PEM) to trust in addition, also inside steps",
        "FILE",
        variable="KEZURI_CA_CERTIFICATES",
        completes="file",
    ),
    Option(
        ("--registry-mirror",),
        "repeated",
        "Pull what HOST (default docker.io) serves from URL first",
        "[HOST=]URL",
        variable="KEZURI_REGISTRY_MIRROR",
    ),
    Option(
        ("--insecure-registry",),
        "repeated",
        "A registry that may speak plain HTTP",
        "HOST",
        variable="KEZURI_INSECURE_REGISTRY",
    ),
    Option(
        ("--tls-verify",),
        "flag",
        "Check the certificates of registries (default true); false: they may also speak plain HTTP",
    ),
    Option(
        ("--cert-dir",),
        "text",
        "For every registry: authorities (*.crt) and our certificate (*.cert, *.key)",
        "DIR",
        variable="KEZURI_CERT_DIR",
        completes="directory",
    ),
    Option(
        ("--authfile",),
        "text",
        "The file with credentials (default: those of docker and podman)",
        "FILE",
        variable="KEZURI_AUTHFILE",
        completes="file",
    ),
    Option(
        ("--max-parallelism",),
        "text",
        "How many steps may run at once (default: one per processor)",
        "N",
        variable="KEZURI_MAX_PARALLELISM",
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

KEYS = (
    "root",
    "runtime",
    "ca-certificates",
    "registry-mirror",
    "insecure-registry",
    "cert-dir",
    "authfile",
    "max-parallelism",
)
"""What the settings file may say: the long names of the options."""


class _Said(NamedTuple):
    """The values given for one setting, and who said so (for errors)."""

    values: tuple[str, ...]
    origin: str


def settings(parsed: Parsed, environ: Mapping[str, str]) -> Settings:
    """The settings of this invocation. KezuriError naming the flag, variable or line of the file that is wrong."""
    file = _file(parsed, environ)

    def said(key: str) -> _Said:
        flag = f"--{key}"
        values = parsed.all(flag)
        if values:
            variable = "KEZURI_" + key.upper().replace("-", "_")
            return _Said(values, f"${variable}" if environ.get(variable) == values[-1] else flag)
        return file.get(key, _Said((), ""))

    def one(key: str) -> _Said:
        found = said(key)
        return _Said(found.values[-1:], found.origin)

    def path(key: str) -> str:
        given = "".join(one(key).values)
        return os.path.abspath(_expand(given, environ)) if given else ""

    root = "".join(one("root").values) or _home(environ, "XDG_DATA_HOME", ".local/share")
    if not root:
        raise _homeless("where the store is")
    certificates = one("ca-certificates")
    bundle = ""
    if certificates.values:
        bundle = os.path.abspath(_expand(certificates.values[0], environ))
        if not os.path.isfile(bundle):
            raise KezuriError.of(
                f"ca-certificates: there is no file {certificates.values[0]}",
                hint=f"{certificates.origin} must name a PEM file",
                exit_code=2,
            )
    parallel = one("max-parallelism")
    text = "".join(parallel.values) or "0"
    if not text.isdecimal():
        raise KezuriError.of(
            f"max-parallelism is a number of steps, not {text!r}",
            hint=f"it comes from {parallel.origin}: write a number, such as 4",
            exit_code=2,
        )
    certificate_directory = path("cert-dir")
    if certificate_directory and not os.path.isdir(certificate_directory):
        raise KezuriError.of(
            f"cert-dir: there is no directory {certificate_directory}",
            hint=f"{one('cert-dir').origin} must name a directory with *.crt, *.cert and *.key",
            exit_code=2,
        )
    mirrors = said("registry-mirror")
    return Settings(
        root=os.path.abspath(_expand(root, environ)),
        runtime="".join(one("runtime").values) or "kezuri",
        ca_certificates=bundle,
        mirrors=tuple(_mirror(value, mirrors.origin) for value in split(mirrors.values)),
        insecure=tuple(_registry(value) for value in split(said("insecure-registry").values)),
        max_parallelism=int(text),
        authfile=path("authfile"),
        certificates=certificate_directory,
        tls_verify=parsed.flag("--tls-verify", True),
    )


def config_path(parsed: Parsed, environ: Mapping[str, str]) -> tuple[str, bool]:
    """The settings file's path (empty: there is no place for it), and whether somebody asked for it by name."""
    asked = parsed.text("--config")
    if asked:
        return _expand(asked, environ), True
    directory = _home(environ, "XDG_CONFIG_HOME", ".config")
    return (os.path.join(directory, "config.toml") if directory else ""), False


def _file(parsed: Parsed, environ: Mapping[str, str]) -> dict[str, _Said]:
    path, asked = config_path(parsed, environ)
    try:
        with open(path, "rb") as stream:
            data = stream.read(1 << 20)
    except OSError as error:
        if asked or not isinstance(error, FileNotFoundError | NotADirectoryError):
            hint = "--config or KEZURI_CONFIG names it" if asked else ""
            if not asked and isinstance(error, PermissionError):
                hint = "HOME, or XDG_CONFIG_HOME, is another user's: set it (sudo -H), or name a file with --config"
            raise KezuriError.of(
                f"cannot read the settings file {path}: {error.strerror}", hint=hint, exit_code=2
            ) from None
        return {}
    import tomllib

    try:
        table = tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise KezuriError.of(f"the settings file {path} is not TOML: {error}", exit_code=2) from None
    out: dict[str, _Said] = {}
    for key, value in table.items():
        name = key.replace("_", "-")
        if name not in KEYS:
            guess = nearest(name, KEYS)
            hint = f"did you mean {guess}?" if guess else f"known: {', '.join(KEYS)}"
            raise KezuriError.of(f"unknown setting {key!r} in {path}", hint=hint, exit_code=2)
        values = _texts(name, value, path)
        if name in ("root", "ca-certificates", "cert-dir", "authfile"):
            base = os.path.dirname(os.path.abspath(path))
            values = tuple(os.path.join(base, _expand(v, environ)) for v in values)
        out[name] = _Said(values, f"{name} in {path}")
    return out


def _texts(name: str, value: Any, path: str) -> tuple[str, ...]:
    """A value of the file as the texts that the flag would have been given."""
    if name == "max-parallelism":
        if isinstance(value, int) and not isinstance(value, bool):
            return (str(value),)
        raise KezuriError.of(f"{name} in {path} is a number", exit_code=2)
    many = name in ("registry-mirror", "insecure-registry")
    if isinstance(value, str):
        return (value,)
    if many and isinstance(value, list) and all(isinstance(v, str) for v in value):
        return tuple(value)
    if name == "registry-mirror" and isinstance(value, dict) and all(isinstance(v, str) for v in value.values()):
        return tuple(f"{host}={url}" for host, url in value.items())
    form = "a text or a list of texts" if many else "a text"
    raise KezuriError.of(f"{name} in {path} is {form}", exit_code=2)


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


def _expand(path: str, environ: Mapping[str, str]) -> str:
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
