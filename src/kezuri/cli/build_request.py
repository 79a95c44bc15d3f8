"""`kezuri build`'s argv as a BuildRequest."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple

from kezuri.app.request import AgentSource, BuildRequest, BuiltinArguments, Salvage, SecretSource
from kezuri.cli.console import Console
from kezuri.cli.options import LIMITS, Parsed, UsageError
from kezuri.cli.values import host, memory, pair, pairs, split, ulimit
from kezuri.diagnostics import KezuriError, nearest
from kezuri.scalars import parse_bool

if TYPE_CHECKING:
    from kezuri.app.outputs import Output
    from kezuri.edits.settings import Unset
    from kezuri.linux.cgroups import Limits
    from kezuri.travel.places import CacheSource, CacheTarget

_ACTIONS = ("fail", "shell", "export")
_POLICIES = {"always": True, "newer": True, "missing": False, "ifmissing": False, "ifnewer": True}
_ENTITLEMENTS = ("network.host", "security.insecure")


def build_request(parsed: Parsed, console: Console) -> BuildRequest:
    """What the command line asks for. UsageError naming the option that cannot be understood."""
    environ = console.environ
    context = parsed.operands[0] if parsed.operands else "."
    file = parsed.text("--file")
    if not context:
        raise UsageError.because("the context's path is empty", "write . for the current directory")
    secrets = tuple(_secret(text) for text in parsed.all("--secret"))
    stdin = ["the context"] * (context == "-") + ["the Dockerfile"] * (file == "-")
    stdin += [f"secret {secret.id}" for secret in secrets if secret.kind == "stdin"]
    if len(stdin) > 1:
        raise UsageError.because(f"standard input cannot be {' and '.join(stdin)} at once")
    build_args = build_arguments(parsed, environ)
    return BuildRequest(
        context=context,
        file=file,
        tags=parsed.all("--tag"),
        target=parsed.text("--target"),
        platforms=_platforms(parsed, console),
        build_args=build_args,
        builtin=_builtin(build_args),
        build_contexts=tuple(pair("--build-context", text, "NAME=SOURCE") for text in parsed.all("--build-context")),
        labels=tuple(_label(text) for text in parsed.all("--label")),
        secrets=secrets,
        agents=tuple(_agent(text, environ) for text in parsed.all("--ssh")),
        outputs=_outputs(parsed, console),
        iidfile=parsed.text("--iidfile"),
        metadata_file=parsed.text("--metadata-file"),
        no_cache=parsed.flag("--no-cache"),
        no_cache_filter=split(parsed.all("--no-cache-filter")),
        pull=_pull(parsed.text("--pull", "false")),
        network=parsed.text("--network", "default"),
        hosts=tuple(host("--add-host", text) for text in parsed.all("--add-host")),
        ulimits=tuple(ulimit("--ulimit", text) for text in parsed.all("--ulimit")),
        shm_size=memory("--shm-size", parsed.text("--shm-size")) if parsed.given("--shm-size") else 0,
        allow=tuple(_entitlement(text) for text in split(parsed.all("--allow"))),
        no_new_privileges=_no_new_privileges(parsed.all("--security-opt")),
        limits=_limits(parsed),
        retry_network=_retries(parsed.text("--retry-network")),
        unset=_unset(parsed.all("--unset")),
        squash="all" if parsed.flag("--squash-all") else "new" if parsed.flag("--squash") else "",
        salvage=_salvage(parsed.all("--on-error")),
        cache_from=_cache_from(parsed, console),
        cache_to=_cache_to(parsed, build_args, console),
        **_attested(parsed)._asdict(),
    )


def built_request(parsed: Parsed, console: Console) -> BuildRequest:
    """What `kezuri check` builds, for --built and to prove fixes, but for the context and the file."""
    build_args = build_arguments(parsed, console.environ)
    platform = parsed.text("--platform")
    return BuildRequest(
        target=parsed.text("--target"),
        platforms=(platform,) if platform else (),
        build_args=build_args,
        builtin=_builtin(build_args),
        build_contexts=tuple(pair("--build-context", text, "NAME=SOURCE") for text in parsed.all("--build-context")),
        secrets=tuple(_secret(text) for text in parsed.all("--secret")),
    )


class _Attested(NamedTuple):
    """What is to be said about the images."""

    sbom: bool = False
    provenance: Literal["", "min", "max"] = ""
    builder_id: str = ""
    reproducible: bool = False


def _attested(parsed: Parsed) -> _Attested:
    """What `--attest type=TYPE[,disabled=BOOL]` asks for, and its short forms `--sbom` and `--provenance`, which count
    before it. UsageError for what nobody knows, or is not done here."""
    wanted = _Attested()
    for text in parsed.all("--attest"):
        said = dict(pairs("--attest", text)) if "=" in text else {"type": text}
        kind = said.pop("type", "")
        off = parse_bool(said.pop("disabled", "false"))
        if off is None:
            raise UsageError.because(f"--attest {text}: disabled is true or false")
        if kind == "sbom":
            wanted = wanted._replace(sbom=not off)
            _no_generator("--attest", said)
        elif kind == "provenance":
            wanted = _provenance("--attest", said, wanted) if not off else wanted._replace(provenance="")
        else:
            raise UsageError.because(f"--attest {text}: there is no such type", "there are sbom and provenance")
    if given := parsed.text("--sbom"):
        asked = parse_bool(given)
        if asked is None:
            _no_generator("--sbom", dict(pairs("--sbom", given)) if "=" in given else {"generator": given})
        wanted = wanted._replace(sbom=bool(asked))
    if given := parsed.text("--provenance"):
        asked = parse_bool(given)
        if asked is False:
            wanted = wanted._replace(provenance="")
        else:
            said = {} if asked else dict(pairs("--provenance", given)) if "=" in given else {"mode": given}
            wanted = _provenance("--provenance", said, wanted)
    return wanted


def _provenance(option: str, said: Mapping[str, str], wanted: _Attested) -> _Attested:
    mode = said.get("mode", "min")
    if mode not in ("min", "max"):
        raise UsageError.because(f"{option}: mode={mode}: there are min and max")
    if said.get("version", "v1") != "v1":
        raise UsageError.because(f"{option}: version={said['version']}: provenance is written as v1 of SLSA only")
    for key in said:
        # Where there is no image, there is no file of it either: `filename` and `inline-only` are about that one.
        if key not in ("mode", "version", "builder-id", "reproducible", "filename", "inline-only"):
            raise UsageError.because(
                f"{option}: unknown key {key!r}", "there are mode, version, builder-id and reproducible"
            )
    reproducible = parse_bool(said.get("reproducible", "false"))
    if reproducible is None:
        raise UsageError.because(f"{option}: reproducible is true or false")
    return wanted._replace(
        provenance="max" if mode == "max" else "min",
        builder_id=said.get("builder-id", ""),
        reproducible=reproducible,
    )


def _no_generator(option: str, said: Mapping[str, str]) -> None:
    for key, value in said.items():
        if key != "generator":
            raise UsageError.because(f"{option}: unknown key {key!r}", "there are type and disabled")
        raise UsageError.because(
            f"{option}: generator={value}: kezuri writes SBOMs itself and runs no generator",
            f"leave the generator out: {'--sbom=true' if option == '--sbom' else '--attest type=sbom'}",
        )


def _cache_from(parsed: Parsed, console: Console) -> "tuple[CacheSource, ...]":
    if not parsed.given("--cache-from"):
        return ()
    from kezuri.cli.caches import read_sources

    return read_sources(parsed.all("--cache-from"), console.note)


def _cache_to(parsed: Parsed, build_args: tuple[tuple[str, str], ...], console: Console) -> "tuple[CacheTarget, ...]":
    inline = parse_bool(dict(build_args).get("BUILDKIT_INLINE_CACHE", "")) is True
    if not (inline or parsed.given("--cache-to")):
        return ()
    from kezuri.cli.caches import read_targets

    return read_targets(parsed.all("--cache-to"), inline, console.note)


def build_arguments(parsed: Parsed, environ: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """In order, the last of a name wins. SOURCE_DATE_EPOCH of the environment counts as given, as in buildx."""
    out: dict[str, str] = {}
    for text in parsed.all("--build-arg"):
        key, equals, value = text.partition("=")
        if not key:
            raise UsageError.because(f"--build-arg {text!r} is not of the form KEY[=VALUE]")
        if equals:
            out[key] = value
        elif key in environ:
            out[key] = environ[key]
    epoch = environ.get("SOURCE_DATE_EPOCH", "")
    if epoch:
        out.setdefault("SOURCE_DATE_EPOCH", epoch)
    return tuple(out.items())


def _pull(policy: str) -> bool:
    """`--pull`, `--pull=BOOL`, and buildah's words for it."""
    asked = parse_bool(policy)
    if asked is None:
        if policy not in _POLICIES:
            known = ", ".join(_POLICIES)
            raise UsageError.because(
                f"--pull cannot be {policy!r}", f"--pull alone asks the registry; or one of: {known}"
            )
        asked = _POLICIES[policy]
    return asked


def _builtin(build_args: tuple[tuple[str, str], ...]) -> BuiltinArguments:
    if not build_args:
        return BuiltinArguments()
    from kezuri.app.arguments import read_builtin_arguments

    try:
        return read_builtin_arguments(build_args)
    except KezuriError as error:
        raise UsageError(*error.diagnostics, exit_code=error.exit_code) from None


def _label(text: str) -> tuple[str, str]:
    key, _, value = text.partition("=")
    if not key:
        raise UsageError.because(f"--label {text!r} is not of the form KEY=VALUE")
    return key, value


def _secret(text: str) -> SecretSource:
    """`id=ID`, `id=ID,src=FILE`, `id=ID,src=-`, `id=ID,env=VARIABLE`, `id=ID,type=env[,src=VARIABLE]`."""
    name = kind = path = variable = ""
    for key, value in pairs("--secret", text):
        if key == "id":
            name = value
        elif key in ("src", "source"):
            path = value
        elif key == "env":
            variable = value
        elif key == "type":
            if value not in ("file", "env"):
                raise UsageError.because(f"--secret: the type is file or env, not {value!r}")
            kind = value
        else:
            guess = nearest(key, ("id", "src", "env", "type"))
            hint = f"did you mean {guess}?" if guess else "a secret comes from a file (src=) or a variable (env=)"
            raise UsageError.because(f"--secret: unknown key {key!r}", hint)
    if not name:
        raise UsageError.because(f"--secret {text!r} has no id", "write id=NAME,src=FILE or id=NAME,env=VARIABLE")
    if kind == "env" and not variable:
        path, variable = "", path or name
    if variable and (path or kind == "file"):
        raise UsageError.because(f"--secret {text!r} is a file and a variable at once", "give src= or env=, not both")
    if variable:
        return SecretSource(name, "env", variable)
    if path == "-":
        return SecretSource(name, "stdin", "-")
    if path:
        return SecretSource(name, "file", path)
    return SecretSource(name, "file" if kind == "file" else "auto", name)


def _agent(text: str, environ: Mapping[str, str]) -> AgentSource:
    """`default|ID`, `ID=SOCKET`, `ID=KEY[,KEY]`."""
    name, _, value = text.partition("=")
    if not name:
        raise UsageError.because(f"--ssh {text!r} is not of the form default|ID[=SOCKET|KEY[,KEY]]")
    if not value:
        if not environ.get("SSH_AUTH_SOCK"):
            raise UsageError.because(
                f"--ssh {name}: SSH_AUTH_SOCK is not set", "start ssh-agent, or give the socket's path or a key file"
            )
        return AgentSource(name, "")
    from stat import S_ISREG, S_ISSOCK

    paths = tuple(os.path.expanduser(path) for path in value.split(","))
    modes = []
    for path in paths:
        try:
            modes.append(os.stat(path).st_mode)
        except OSError as error:
            raise UsageError.because(f"--ssh {name}: {path}: {error.strerror}") from None
    if len(paths) == 1 and S_ISSOCK(modes[0]):
        return AgentSource(name, paths[0])
    for path, mode in zip(paths, modes):
        if not S_ISREG(mode):
            raise UsageError.because(f"--ssh {name}: {path} is no key file", "one agent's socket, or private keys")
    return AgentSource(name, "", paths)


def _outputs(parsed: Parsed, console: Console) -> "tuple[Output, ...]":
    asked = ("--output", "--annotation", "--compression", "--compression-level", "--push", "--load")
    if not any(parsed.given(option) for option in asked):
        return BuildRequest().outputs
    from kezuri.cli.outputs import loading, pushing, read_outputs, streamed, type_of

    outputs = read_outputs(
        parsed.all("--output"),
        parsed.all("--annotation"),
        parsed.text("--compression"),
        parsed.text("--compression-level"),
    )
    if parsed.flag("--push"):
        outputs = pushing(outputs)
    if (engine := parsed.text("--load")) and parse_bool(engine) is not False:
        outputs = loading(outputs, "true" if parse_bool(engine) else engine)
    streams = streamed(outputs)
    if len(streams) > 1:
        raise UsageError.because("two outputs cannot both go to standard output", "give one of them a dest=")
    if streams and parsed.flag("--quiet"):
        raise UsageError.because("--quiet and an output both want standard output", "give the output a dest=")
    if streams and console.out.isatty():
        raise UsageError.because(
            f"output type={type_of(streams[0])} would go to the terminal", "give it a dest=FILE, or redirect"
        )
    return outputs


def _entitlement(text: str) -> str:
    if text not in _ENTITLEMENTS:
        guess = nearest(text, _ENTITLEMENTS)
        hint = f"did you mean {guess}?" if guess else f"one of: {', '.join(_ENTITLEMENTS)}"
        raise UsageError.because(f"--allow {text} is not supported", hint)
    return text


def _retries(text: str) -> int:
    if not text.isdecimal() and text:
        raise UsageError.because(f"--retry-network is a number of times, not {text!r}")
    if len(text) > 2:
        raise UsageError.because(
            f"--retry-network {text}: a network that fails so often is not worth asking: at most 99"
        )
    return int(text or "0")


def _salvage(texts: tuple[str, ...]) -> tuple[Salvage, ...]:
    """`export,path=PATH,dest=DIR`, any number of times; beside it `fail` and `shell`, of which the last holds."""
    wanted = []
    for text in texts:
        action, comma, rest = text.partition(",")
        if action not in _ACTIONS or bool(comma) is not (action == "export"):
            guess = nearest(action, _ACTIONS)
            slip = f"did you mean {guess}? " if guess and guess != action else ""
            raise UsageError.because(
                f"--on-error cannot be {text!r}", f"{slip}there are fail, shell, and export,path=PATH,dest=DIR"
            )
        if action != "export":
            continue
        given = dict(pairs("--on-error=export", rest))
        unknown = [key for key in given if key not in ("path", "dest")]
        if unknown:
            raise UsageError.because(f"--on-error=export: unknown key {unknown[0]!r}", "there are path and dest")
        if not given.get("path") or not given.get("dest"):
            raise UsageError.because(
                "--on-error=export needs a path in the step and a directory here", "write export,path=/out,dest=DIR"
            )
        wanted.append(Salvage(given["path"], given["dest"]))
    return tuple(wanted)


def _platforms(parsed: Parsed, console: Console) -> tuple[str, ...]:
    """The platforms as they were given. One that nobody has heard of may be what is meant, or a mistake: it is told."""
    given = split(parsed.all("--platform"))
    if given:
        from kezuri.oci.platform import Platform

        for text in given:
            platform = Platform.parse(text)
            kind, word = platform.unknown()
            if not kind:
                continue
            said = f"warning: --platform {text}: no architecture called {word} is known"
            if kind == "operating system":
                said = f"warning: --platform {text}: no operating system called {word} is known"
            near = platform.nearest()
            console.note(said)
            if near:
                console.note(f"  help: did you mean {near}?")
    return given


def _limits(parsed: Parsed) -> "Limits | None":
    if not parsed.given("--resource") and not any(parsed.given(f"--{key}") for key in LIMITS):
        return None
    from kezuri.cli.limits import read_limits

    return read_limits(parsed)


def _unset(texts: tuple[str, ...]) -> "tuple[Unset, ...]":
    if not texts:
        return ()
    from kezuri.edits.settings import Unset

    unsets = tuple(map(Unset.parse, texts))
    if any(unset.kind == "annotation" for unset in unsets):
        raise UsageError.because("--unset annotation: a build takes no annotations over from its base")
    return unsets


def _no_new_privileges(options: tuple[str, ...]) -> bool:
    """`--security-opt no-new-privileges[=true|false]`, written with `=` or `:` as docker takes it; the last holds."""
    last = False
    for text in options:
        key, _, value = text.replace(":", "=", 1).partition("=")
        forbidden = parse_bool(value or "true")
        if key != "no-new-privileges" or forbidden is None:
            raise UsageError.because(
                f"--security-opt {text} is not supported", "there is no-new-privileges=true and no-new-privileges=false"
            )
        last = forbidden
    return last
