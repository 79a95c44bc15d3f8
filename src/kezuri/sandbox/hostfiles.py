"""The files that a sandbox itself shows to a step: name resolution, and the certificates of this machine's network."""

from kezuri.sandbox.failure import StartFailure, reason
from kezuri.sandbox.step import FileMount, Mount, Step
from kezuri.sandbox.truststore import java_trust_store

CA_VARIABLES = (
    "SSL_CERT_FILE",
    "NODE_EXTRA_CA_CERTS",
    "PIP_CERT",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "CARGO_HTTP_CAINFO",
    "AWS_CA_BUNDLE",
    "DENO_CERT",
)
"""Variables in which clients look for certificates. All but NODE_EXTRA_CA_CERTS and DENO_CERT *replace* the client's
own roots: the bundle must hold every authority that the step needs, not only the local one."""

CA_PATH = "/dev/.kezuri/ca-certificates.crt"
"""Where a step finds the CA bundle: on the sandbox's own /dev, out of every layer's reach."""

_TRUST_STORE = CA_PATH.removesuffix(".crt") + ".jks"


def files(step: Step, name: str = "") -> tuple[Mount, ...]:
    """The sandbox's own mounts; `name` is what the step's kernel calls the machine, if that is not the name that it was
    to have. StartFailure when the CA bundle cannot be read."""
    made: list[Mount] = [
        FileMount("/etc/hosts", _hosts(step, name).encode("utf-8", "surrogateescape")),
        FileMount("/etc/resolv.conf", _resolver(step)),
    ]
    if step.network == "private":
        # Only containers of `kezuri run` get this file. In a build a step may want to write the image's own.
        made.append(FileMount("/etc/hostname", f"{step.hostname}\n".encode()))
    if step.ca_bundle:
        try:
            with open(step.ca_bundle, "rb") as f:
                bundle = f.read()
        except OSError as e:
            raise StartFailure(f"cannot read the CA bundle: {reason(e)}") from None
        made.append(FileMount(CA_PATH, bundle))
        made.append(FileMount(_TRUST_STORE, java_trust_store(bundle)))
    return tuple(made)


def environment(step: Step) -> dict[str, str]:
    """The step's environment, with the variables that announce the CA bundle unless they are set already."""
    env = dict(step.env)
    if step.ca_bundle:
        for name in CA_VARIABLES:
            env.setdefault(name, CA_PATH)
        # The JDK reads no other variable, and prints a line on stderr about this one.
        env.setdefault("JAVA_TOOL_OPTIONS", f"-Djavax.net.ssl.trustStore={_TRUST_STORE}")
    return env


def _hosts(step: Step, name: str) -> str:
    names = dict.fromkeys(("localhost", step.hostname, name or step.hostname))
    lines = [f"127.0.0.1 {' '.join(names)}", "::1 localhost ip6-localhost ip6-loopback"]
    lines += [f"{address} {host}" for host, address in step.hosts]
    return "\n".join(lines) + "\n"


def _resolver(step: Step) -> bytes:
    if step.resolver:
        return step.resolver.encode("utf-8", "surrogateescape")
    if step.network != "host":
        return b"# this process has no network but loopback\n"
    try:
        with open("/etc/resolv.conf", "rb") as f:
            return f.read(1 << 20)
    except OSError:
        return b""
