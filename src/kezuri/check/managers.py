"""Package managers: what a command of theirs does, what it reads, and where it keeps what it downloads."""

from typing import Literal, NamedTuple

from kezuri.shell.script import SimpleCommand

Deed = Literal["install", "add", "fetch", "build", "script", "prune", "export", "other"]
"""`install`: everything that the manifest asks for; `add`: what the words name; `fetch`: dependencies alone, where
`build` would fetch them, too; `script`: a script of the project."""

Scope = Literal["", "production", "everything"]


class Manager(NamedTuple):
    """A package manager. `manifests` and `locks` are names of files (`*` allowed); one of each belongs together.
    `caches` are the directories for a cache mount where root installs; `ecosystem` is the language."""

    name: str
    ecosystem: str
    manifests: tuple[str, ...]
    locks: tuple[str, ...]
    caches: tuple[str, ...]
    locked: bool = False
    """Whether two of them must not use the cache at a time."""


NPM = Manager("npm", "node", ("package.json",), ("package-lock.json", "npm-shrinkwrap.json"), ("/root/.npm",))
YARN = Manager("yarn", "node", ("package.json",), ("yarn.lock",), ("/usr/local/share/.cache/yarn",))
PNPM = Manager(
    "pnpm", "node", ("package.json",), ("pnpm-lock.yaml", "pnpm-workspace.yaml"), ("/root/.local/share/pnpm/store",)
)
BUN = Manager("bun", "node", ("package.json",), ("bun.lock", "bun.lockb"), ("/root/.bun/install/cache",))
PIP = Manager("pip", "python", ("requirements*.txt",), (), ("/root/.cache/pip",))
UV = Manager("uv", "python", ("pyproject.toml",), ("uv.lock",), ("/root/.cache/uv",))
POETRY = Manager("poetry", "python", ("pyproject.toml",), ("poetry.lock",), ("/root/.cache/pypoetry",))
PIPENV = Manager("pipenv", "python", ("Pipfile",), ("Pipfile.lock",), ("/root/.cache/pipenv",))
GO = Manager("go", "go", ("go.mod",), ("go.sum",), ("/go/pkg/mod", "/root/.cache/go-build"))
MAVEN = Manager("maven", "java", ("pom.xml",), (), ("/root/.m2",))
GRADLE = Manager(
    "gradle",
    "java",
    ("build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts"),
    ("gradle.lockfile",),
    ("/root/.gradle",),
)
CARGO = Manager("cargo", "rust", ("Cargo.toml",), ("Cargo.lock",), ("/usr/local/cargo/registry",))
BUNDLER = Manager("bundler", "ruby", ("Gemfile",), ("Gemfile.lock",), ("/usr/local/bundle/cache",))
COMPOSER = Manager("composer", "php", ("composer.json",), ("composer.lock",), ("/tmp/cache",))
NUGET = Manager(
    "nuget", "dotnet", ("*.csproj", "*.fsproj", "*.sln"), ("packages.lock.json",), ("/root/.nuget/packages",)
)
APT = Manager("apt-get", "", (), (), ("/var/cache/apt", "/var/lib/apt/lists"), True)
APK = Manager("apk", "", (), (), ("/var/cache/apk",), True)
DNF = Manager("dnf", "", (), (), ("/var/cache/dnf",), True)

LANGUAGES = (NPM, YARN, PNPM, BUN, PIP, UV, POETRY, PIPENV, GO, MAVEN, GRADLE, CARGO, BUNDLER, COMPOSER, NUGET)
"""Those that read a manifest of the project."""


class Use(NamedTuple):
    """A command as a manager's. `scope` tells whether development dependencies are left out or asked for by the
    command itself. `words` are what it was given beside options: packages, the name of a script, files. `source` tells
    that it cannot work without the project's source."""

    manager: Manager
    deed: Deed
    scope: Scope
    words: tuple[str, ...]
    source: bool
    command: SimpleCommand
    everywhere: bool = False
    """Into the machine, not into the project (`-g`)."""


_BEFORE = frozenset(("sudo", "env", "exec", "time", "nice", "command", "corepack", "dumb-init", "--"))
_SYSTEM = {"apt-get": APT, "apt": APT, "apk": APK, "dnf": DNF, "microdnf": DNF, "yum": DNF}
_NODE_BUILTIN = frozenset(
    (
        "add", "audit", "autoclean", "bin", "cache", "check", "config", "create", "dedupe", "dlx", "exec",
        "generate-lock-entry", "global", "help", "import", "info", "init", "install", "i", "licenses",
        "link", "list", "login", "logout", "node", "outdated", "owner", "pack", "plugin", "policies", "prune",
        "publish", "rebuild", "remove", "run", "set", "tag", "team", "unlink", "unplug", "upgrade", "up",
        "version", "versions", "why", "workspace", "workspaces", "fetch", "deploy", "store", "env", "patch",
        "ci", "rm", "un", "uninstall", "update", "x", "pm", "setup", "self-update",
    )
)  # fmt: skip


def use(command: SimpleCommand) -> Use | None:
    """What a command does if it is one of a package manager's that this file knows."""
    words = list(command.words)
    while words and (words[0].loose in _BEFORE or ("=" in words[0].loose and not words[0].loose.startswith("-"))):
        words.pop(0)
    if not words:
        return None
    said = [word.loose for word in words]
    program = said[0].rsplit("/", 1)[-1]
    if program.startswith("python") and said[1:2] == ["-m"] and len(said) > 2:
        said = said[2:]
        program = said[0]
    rest = said[1:]
    reading = _READERS.get(program)
    if reading is None and program.startswith("pip3."):
        reading = _pip
    return reading(command, program, rest) if reading is not None else None


def _split(rest: list[str], valued: frozenset[str] = frozenset()) -> tuple[list[str], list[str]]:
    """Options and other words; those of `valued` take the word after them."""
    options: list[str] = []
    plain: list[str] = []
    skip = False
    for word in rest:
        if skip:
            skip = False
        elif word.startswith("-") and word != "-":
            options.append(word)
            skip = word in valued
        else:
            plain.append(word)
    return options, plain


_NPM_VALUED = frozenset(
    ("--prefix", "--registry", "--cache", "--loglevel", "--omit", "--include", "--only", "-w", "--workspace", "-C",
     "--cwd", "--filter", "-F", "--network-timeout", "--cache-folder", "--dir", "--mode", "--modules-folder", "-c")
)  # fmt: skip
_OMITTED = frozenset(
    (
        "--production",
        "--production=true",
        "--prod",
        "-P",
        "--only=production",
        "--only=prod",
        "--omit=dev",
        "--prod=true",
    )
)
_WANTED = frozenset(("--production=false", "--include=dev", "--prod=false", "--only=dev", "--dev", "-D", "--also=dev"))


def _node(command: SimpleCommand, program: str, rest: list[str]) -> Use | None:
    manager = {"npm": NPM, "yarn": YARN, "yarnpkg": YARN, "pnpm": PNPM, "bun": BUN}[program]
    options, plain = _split(rest, _NPM_VALUED)
    scope: Scope = ""
    joined = " ".join(rest)
    if any(o in _WANTED for o in options) or "--include dev" in joined or "--production false" in joined:
        scope = "everything"
    elif (
        any(o in _OMITTED for o in options)
        or any(sign in joined for sign in ("--omit dev", "--only production", "--only prod"))
        or (manager is BUN and "-p" in options)
    ):
        scope = "production"
    verb, more = (plain[0], tuple(plain[1:])) if plain else ("", ())
    everywhere = "-g" in options or "--global" in options or "--location=global" in options
    if verb == "global":
        return Use(manager, "add", scope, more[1:], False, command, True)
    if not verb:
        bare = manager is YARN and not any(o in ("--version", "-v", "--help", "-h") for o in options)
        return Use(manager, "install", scope, (), False, command) if bare else None
    if verb in ("ci", "clean-install", "install", "i", "add", "isntall", "install-clean", "immutable"):
        if more or everywhere or verb == "add":
            return Use(manager, "add", scope, more, False, command, everywhere)
        return Use(manager, "install", scope, (), False, command)
    if verb == "fetch" and manager is PNPM:
        return Use(manager, "fetch", scope, (), False, command)
    if verb in ("run", "run-script", "rum", "urn") and more:
        return Use(manager, "script", scope, more[:1], True, command)
    if verb in ("test", "t", "start", "build") and manager in (NPM, PNPM):
        return Use(manager, "script", scope, (verb,), True, command)
    if verb == "prune" or (verb == "deploy" and manager is PNPM):
        return Use(manager, "prune", scope or ("production" if verb == "deploy" else ""), more, False, command)
    if verb == "workspaces" and more[:1] == ("focus",):
        return Use(manager, "install", scope, (), False, command)
    if verb == "workspace" and len(more) > 1:
        return Use(manager, "script", scope, more[1:2], True, command)
    if manager is YARN and verb not in _NODE_BUILTIN:
        return Use(manager, "script", scope, (verb,), True, command)
    if manager is BUN and verb == "build":
        return Use(manager, "build", scope, more, True, command)
    return Use(manager, "other", scope, tuple(plain), False, command)


_PIP_VALUED = frozenset(
    ("-r", "--requirement", "-c", "--constraint", "-i", "--index-url", "--extra-index-url", "-f", "--find-links",
     "-t", "--target", "--prefix", "--trusted-host", "--timeout", "--platform", "--python", "-e", "--editable",
     "--group", "--cache-dir", "--root", "--retries", "--proxy", "--no-binary", "--only-binary", "-p")
)  # fmt: skip


def _pip(command: SimpleCommand, program: str, rest: list[str], manager: Manager = PIP) -> Use | None:
    if rest[:1] not in (["install"], ["sync"], ["wheel"]):
        return None
    files: list[str] = []
    editable = False
    for at, word in enumerate(rest):
        if word in ("-r", "--requirement") and at + 1 < len(rest):
            files.append(rest[at + 1])
        elif word.startswith("--requirement="):
            files.append(word.split("=", 1)[1])
        elif word.startswith("-r") and len(word) > 2 and not word.startswith("--"):
            files.append(word[2:])
        elif word in ("-e", "--editable") or word.startswith("--editable="):
            editable = True
    _, plain = _split(rest[1:], _PIP_VALUED)
    local = editable or any(w == "." or w.startswith(("./", ".[", "/", "../", "$")) for w in plain)
    if rest[0] == "sync":
        files += plain
    if files and not local:
        return Use(manager, "install", "", tuple(files), False, command)
    if local:
        return Use(manager, "build", "", tuple(plain), True, command)
    return Use(manager, "add", "", tuple(plain), False, command)


def _uv(command: SimpleCommand, program: str, rest: list[str]) -> Use | None:
    options, plain = _split(
        rest, frozenset(("--extra", "--group", "--python", "-p", "--package", "--directory", "--project"))
    )
    if plain[:1] == ["sync"]:
        scope: Scope = "production" if "--no-dev" in options or "--no-default-groups" in options else ""
        alone = any(o in ("--no-install-project", "--no-install-workspace", "--no-install-local") for o in options)
        return Use(UV, "install", scope, (), not alone, command)
    if plain[:1] == ["pip"] and "pip" in rest:
        return _pip(command, program, rest[rest.index("pip") + 1 :], UV)
    return Use(UV, "other", "", tuple(plain), False, command)


def _poetry(command: SimpleCommand, program: str, rest: list[str]) -> Use | None:
    options, plain = _split(
        rest, frozenset(("--only", "--without", "--with", "-E", "--extras", "-C", "--directory", "-f", "-o"))
    )
    joined = " ".join(rest)
    if plain[:1] == ["install"] or plain[:1] == ["sync"]:
        out = "--no-dev" in options or "--only main" in joined or "--only=main" in options or "--without" in joined
        bare = "--no-root" in options or "--no-directory" in options or "--only-root" in options
        return Use(POETRY, "install", "production" if out else "", (), not bare, command)
    if plain[:1] == ["export"]:
        return Use(POETRY, "export", "", (), False, command)
    return Use(POETRY, "other", "", tuple(plain), False, command)


def _pipenv(command: SimpleCommand, program: str, rest: list[str]) -> Use | None:
    options, plain = _split(rest)
    if plain[:1] in (["install"], ["sync"]):
        scope: Scope = "everything" if "--dev" in options or "-d" in options else "production"
        return Use(PIPENV, "add" if plain[1:] else "install", scope, tuple(plain[1:]), False, command)
    return None


def _go(command: SimpleCommand, program: str, rest: list[str]) -> Use | None:
    if rest[:2] == ["mod", "download"]:
        return Use(GO, "install", "", (), False, command)
    if rest[:1] == ["build"] or (rest[:1] == ["install"] and not any("@" in w for w in rest)):
        return Use(GO, "build", "", tuple(rest[1:]), True, command)
    if rest[:1] in (["install"], ["get"]):
        return Use(GO, "add", "", tuple(w for w in rest[1:] if not w.startswith("-")), False, command, True)
    return None


def _maven(command: SimpleCommand, program: str, rest: list[str]) -> Use | None:
    plain = [w for w in rest if not w.startswith("-")]
    if any("dependency:" in w for w in plain):
        return Use(MAVEN, "install", "", tuple(plain), False, command)
    if any(w in ("package", "install", "verify", "compile", "deploy") for w in plain):
        return Use(MAVEN, "build", "", tuple(plain), True, command)
    return None


def _gradle(command: SimpleCommand, program: str, rest: list[str]) -> Use | None:
    plain = [w.rsplit(":", 1)[-1] for w in rest if not w.startswith("-")]
    if any(w in ("dependencies", "resolveDependencies", "downloadDependencies") for w in plain):
        return Use(GRADLE, "install", "", tuple(plain), False, command)
    if any(w in ("build", "assemble", "bootJar", "shadowJar", "jar", "installDist", "war") for w in plain):
        return Use(GRADLE, "build", "", tuple(plain), True, command)
    return None


def _cargo(command: SimpleCommand, program: str, rest: list[str]) -> Use | None:
    options, plain = _split([w for w in rest if not w.startswith("+")])
    if plain[:1] == ["fetch"] or plain[:2] == ["chef", "cook"]:
        return Use(CARGO, "install", "", (), False, command)
    if plain[:1] in (["build"], ["b"], ["rustc"]):
        return Use(CARGO, "build", "", (), True, command)
    if plain[:1] == ["install"]:
        local = "--path" in options or any(o.startswith("--path=") for o in options)
        return Use(CARGO, "build" if local else "add", "", tuple(plain[1:]), local, command, not local)
    return None


def _bundle(command: SimpleCommand, program: str, rest: list[str]) -> Use | None:
    options, plain = _split(rest)
    if plain[:1] == ["install"] or not plain:
        out = any(o.startswith("--without") for o in options)
        return Use(BUNDLER, "install", "production" if out else "", (), False, command)
    return Use(BUNDLER, "other", "", tuple(plain), False, command)


def _composer(command: SimpleCommand, program: str, rest: list[str]) -> Use | None:
    options, plain = _split(rest, frozenset(("-d", "--working-dir")))
    if plain[:1] in (["install"], ["i"]):
        bare = "--no-scripts" in options and "--no-autoloader" in options
        return Use(COMPOSER, "install", "production" if "--no-dev" in options else "", (), not bare, command)
    return None


def _dotnet(command: SimpleCommand, program: str, rest: list[str]) -> Use | None:
    if rest[:1] == ["restore"]:
        return Use(NUGET, "install", "", tuple(rest[1:]), False, command)
    if rest[:1] in (["build"], ["publish"]):
        return Use(NUGET, "build", "", tuple(rest[1:]), True, command)
    return None


def _system(command: SimpleCommand, program: str, rest: list[str]) -> Use | None:
    _, plain = _split(rest, frozenset(("-o", "-t", "--virtual", "-c", "--repository", "-X", "--option")))
    manager = _SYSTEM[program]
    verb = plain[0] if plain else ""
    if verb in ("install", "add", "localinstall", "reinstall", "groupinstall", "build-dep"):
        return Use(manager, "add", "", tuple(plain[1:]), False, command, True)
    if verb in ("update", "upgrade", "dist-upgrade", "full-upgrade", "makecache", "clean", "autoremove", "remove"):
        return Use(manager, "other", "", tuple(plain), False, command, True)
    return None


_READERS = {
    **dict.fromkeys(("npm", "yarn", "yarnpkg", "pnpm", "bun"), _node),
    **dict.fromkeys(("pip", "pip3", "pip2"), _pip),
    "uv": _uv,
    "poetry": _poetry,
    "pipenv": _pipenv,
    "go": _go,
    **dict.fromkeys(("mvn", "mvnw", "mvnd"), _maven),
    **dict.fromkeys(("gradle", "gradlew"), _gradle),
    "cargo": _cargo,
    **dict.fromkeys(("bundle", "bundler"), _bundle),
    **dict.fromkeys(("composer", "composer.phar"), _composer),
    "dotnet": _dotnet,
    **dict.fromkeys(_SYSTEM, _system),
}
