"""`kezuri build`'s argv as a BuildRequest."""

import os
from collections.abc import Mapping

from kezuri.app.request import AgentSource, BuildRequest, Output, SecretSource
from kezuri.cli.console import Console
from kezuri.cli.options import Parsed, UsageError, is_false, is_true
from kezuri.cli.values import host, memory, pair, pairs, split, ulimit
from kezuri.diagnostics import nearest

_OUTPUTS = ("local", "tar", "oci", "docker", "image", "cacheonly")
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
    build_args = _build_args(parsed, environ)
    return BuildRequest(
        context=context,
        file=file,
        tags=parsed.all("--tag"),
        target=parsed.text("--target"),
        platforms=split(parsed.all("--platform")),
        build_args=build_args,
        build_contexts=tuple(pair("--build-context", text, "NAME=SOURCE") for text in parsed.all("--build-context")),
        labels=tuple(_label(text) for text in parsed.all("--label")),
        annotations=tuple(pair("--annotation", text) for text in parsed.all("--annotation")),
        secrets=secrets,
        agents=tuple(_agent(text, environ) for text in parsed.all("--ssh")),
        outputs=_outputs(parsed, console),
        iidfile=parsed.text("--iidfile"),
        metadata_file=parsed.text("--metadata-file"),
        no_cache=parsed.flag("--no-cache"),
        no_cache_filter=split(parsed.all("--no-cache-filter")),
        pull=parsed.flag("--pull"),
        network=parsed.text("--network", "default"),
        hosts=tuple(host("--add-host", text) for text in parsed.all("--add-host")),
        ulimits=tuple(ulimit("--ulimit", text) for text in parsed.all("--ulimit")),
        shm_size=memory("--shm-size", parsed.text("--shm-size", "0")),
        allow=tuple(_entitlement(text) for text in split(parsed.all("--allow"))),
        new_privileges=_new_privileges(parsed.all("--security-opt")),
        compression=parsed.text("--compression", "gzip"),
        compression_level=_level(parsed),
        source_date_epoch=_epoch(build_args),
    )


def _build_args(parsed: Parsed, environ: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
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


def _epoch(build_args: tuple[tuple[str, str], ...]) -> str:
    text = dict(build_args).get("SOURCE_DATE_EPOCH", "")
    if text and not (text.isdecimal() and text.isascii()):
        raise UsageError.because(f"SOURCE_DATE_EPOCH is a number of seconds since 1970, not {text!r}")
    return text


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
            raise UsageError.because(f"--secret: unknown key {key!r}", f"did you mean {guess}?" if guess else "")
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


def _outputs(parsed: Parsed, console: Console) -> tuple[Output, ...]:
    outputs = tuple(_output(text) for text in parsed.all("--output"))
    streams = [output for output in outputs if output.dest == "-"]
    if len(streams) > 1:
        raise UsageError.because("two outputs cannot both go to standard output", "give one of them a dest=")
    if streams and parsed.flag("--quiet"):
        raise UsageError.because("--quiet and an output both want standard output", "give the output a dest=")
    if streams and console.out.isatty():
        raise UsageError.because(
            f"output type={streams[0].type} would go to the terminal", "give it a dest=FILE, or redirect"
        )
    return outputs


def _output(text: str) -> Output:
    if text == "-":
        return Output("tar", "-")
    if not text:
        raise UsageError.because("--output is empty", "write for instance type=oci,dest=image.tar")
    if "=" not in text:
        return Output("local", text)
    kind = dest = ""
    attributes: list[tuple[str, str]] = []
    for key, value in pairs("--output", text):
        if key == "type":
            kind = value
        elif key == "dest":
            dest = value
        elif key == "push" and not is_false(value):
            raise UsageError.because("--output: push is not supported yet", "write type=oci,dest=FILE and copy that")
        elif key == "push":
            continue
        else:
            attributes.append((key, value))
    if not kind:
        raise UsageError.because(f"--output {text!r} has no type", f"one of: {', '.join(_OUTPUTS)}")
    if kind == "registry":
        raise UsageError.because(
            "--output type=registry is not supported yet", "write type=oci,dest=FILE and copy that"
        )
    if kind not in _OUTPUTS:
        guess = nearest(kind, _OUTPUTS)
        hint = f"did you mean {guess}?" if guess else f"one of: {', '.join(_OUTPUTS)}"
        raise UsageError.because(f"--output: unknown type {kind!r}", hint)
    if kind == "local" and dest in ("", "-"):
        raise UsageError.because("--output type=local needs a directory", "write type=local,dest=DIR")
    if kind in ("image", "cacheonly") and dest:
        raise UsageError.because(f"--output type={kind} takes no dest", "use type=oci or type=docker to write a file")
    if kind == "docker" and not dest:
        kind = "image"
    elif kind in ("oci", "tar") and not dest:
        dest = "-"
    unpacked = any(key == "tar" and is_false(value) for key, value in attributes)
    for key, value in attributes:
        if key == "tar" and not is_false(value) and not is_true(value):
            raise UsageError.because(f"--output: tar is true or false, not {value!r}")
    if unpacked and dest == "-":
        raise UsageError.because(f"--output type={kind},tar=false is a directory: it needs a dest")
    return Output(kind, dest, tuple(attributes))


def _entitlement(text: str) -> str:
    if text not in _ENTITLEMENTS:
        guess = nearest(text, _ENTITLEMENTS)
        hint = f"did you mean {guess}?" if guess else f"one of: {', '.join(_ENTITLEMENTS)}"
        raise UsageError.because(f"--allow {text} is not supported", hint)
    return text


def _new_privileges(options: tuple[str, ...]) -> bool:
    """`--security-opt no-new-privileges[=true|false]`, written with `=` or `:` as docker takes it; the last holds."""
    allowed = False
    for text in options:
        key, _, value = text.replace(":", "=", 1).partition("=")
        if key != "no-new-privileges" or not (is_true(value or "true") or is_false(value)):
            raise UsageError.because(
                f"--security-opt {text} is not supported", "there is no-new-privileges=true and no-new-privileges=false"
            )
        allowed = is_false(value)
    return allowed


def _level(parsed: Parsed) -> int | None:
    text = parsed.text("--compression-level")
    if not text:
        return None
    kind = parsed.text("--compression", "gzip")
    most = {"gzip": 9, "zstd": 22, "uncompressed": 0}[kind]
    if not text.isdecimal() or not 0 <= int(text) <= most:
        raise UsageError.because(f"--compression-level {text}: {kind} has levels 0 to {most}")
    return int(text)
