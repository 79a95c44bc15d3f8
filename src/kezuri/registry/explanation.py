"""What a user is told when a registry was not reached, refused, or gave something else.

Imported when that has happened.
"""

from kezuri.diagnostics import KezuriError
from kezuri.oci.reference import HUB
from kezuri.registry.failure import Failure, Refused, Unanswered, WrongBytes
from kezuri.registry.forbidden import advice
from kezuri.registry.server import Server
from kezuri.registry.wire import TransportError

UNREACHED = ("resolve", "resolve-later", "refused", "connect-timeout", "proxy")
"""The transport's troubles in which nobody was spoken to."""


def explain(
    what: str,
    host: str,
    error: TransportError | Refused | WrongBytes,
    also: tuple[str, ...] = (),
    *,
    writing: bool = False,
) -> KezuriError:
    """The error to show for `what` (a reference, perhaps with a blob), asked of `host`; `also` tells of mirrors that
    failed before; `writing` is whether something was to be written there. The exit code is 1 where the registry says
    that it has no such thing for us, else 125."""
    kind = KezuriError
    absent = isinstance(error, Refused) and error.failure.status in (401, 403, 404)
    if isinstance(error, TransportError):
        kind = KezuriError if error.kind == "url" else Unanswered
        message, hint = _transport(error)
        if writing and error.kind in UNREACHED:
            hint = "is the network there, and is this the registry's name?"
            if Server.of(host).host == HUB:
                hint = "a name without a registry is Docker Hub's: for another one `kezuri tag` it HOST/NAME first"
        if error.origin.partition(":")[0] != host.partition(":")[0]:
            message += f" (sent there by {host})"
    elif isinstance(error, Refused):
        message, hint = error.failure.words(), _refusal(error.failure, host)
    else:
        message, hint = str(error), "the registry, or something on the way to it, damages or forges content"
        what = what.removesuffix(": " + " ".join(message.split(" ", 2)[:2]))  # It names the blob itself.
    hint = "\n".join(t for t in (hint, *also) if t)
    return kind.of(f"{what}: {message}", hint=hint, exit_code=1 if absent else 125)


def _transport(error: TransportError) -> tuple[str, str]:
    if error.kind in UNREACHED:
        return (
            f"no registry can be reached at {error.origin}: {error.message}",
            "is the network there? A mirror (`--registry-mirror`) may have it, too",
        )
    if error.kind == "certificate" and "mismatch" in error.message.lower():
        return (
            f"the certificate of {error.origin} is for another name: {error.message}",
            "something else answers there, or the registry has a certificate for another of its names",
        )
    if error.kind == "certificate":
        return (
            f"the certificate of {error.origin} is not trusted: {error.message}",
            "if your network or your registry has its own certificate authority, name its PEM file in the "
            "`ca-certificates` setting, or put it into "
            f"/etc/docker/certs.d/{error.origin} or ~/.config/containers/certs.d/{error.origin} as ca.crt",
        )
    if error.kind == "handshake" and "certificate" in error.message:
        return (
            f"{error.origin} wants a certificate of ours, or another one: {error.message}",
            f"put client.cert and client.key into /etc/docker/certs.d/{error.origin} or "
            f"~/.config/containers/certs.d/{error.origin}, or name a directory that has them with --cert-dir",
        )
    if error.kind == "handshake":
        return (
            f"no TLS with {error.origin}: {error.message}",
            f"if it speaks plain HTTP, say so: --insecure-registry {error.origin}",
        )
    if error.kind == "url" and error.message.endswith("it is a private address"):
        return (
            f"{error.origin}: {error.message}",
            f"if that is right, name {error.origin} in the setting allow-private (KEZURI_ALLOW_PRIVATE)",
        )
    return (
        f"{error.origin}: {error.message}",
        "" if error.kind == "url" else "the network or the registry is in trouble: try again later",
    )


def _refusal(failure: Failure, host: str) -> str:
    status, codes = failure.status, failure.codes
    if failure.method in ("POST", "PUT", "DELETE") and (hint := _refused_writing(failure)):
        return hint
    if status == 429 or "TOOMANYREQUESTS" in codes:
        after = failure.headers.get("retry-after")
        wait = f"; it asks to wait {after} s" if after.isascii() and after.isdigit() else ""
        return f"{host} limits how often it is asked{wait}: wait, or use a mirror (`--registry-mirror`)"
    if status in (401, 403) or "UNAUTHORIZED" in codes or "DENIED" in codes:
        return advice(failure.push, host, failure.account)
    if "NAME_UNKNOWN" in codes:
        if failure.push:
            return f"{host} makes no repository by itself: it has to be made there before something is pushed to it"
        return "there is no such repository: is the name spelled right?"
    if status == 404 and ("MANIFEST_UNKNOWN" in codes or "/manifests/" in failure.url):
        return "there is no such tag or digest in the repository, or no such repository: is the name spelled right?"
    if status == 404 and "/blobs/" in failure.url:
        return "the manifest is there but its content is not: the registry is incomplete, push the image again"
    if status == 407:
        return "the proxy wants a name and a password: put them into the proxy's URL"
    if status >= 500:
        return "the registry is in trouble: try again later"
    return ""


def _refused_writing(failure: Failure) -> str:
    status, codes, said = failure.status, failure.codes, failure.message.lower()
    if failure.immutable:
        return "the tag names another image already and must not change: push by another tag"
    if failure.method == "DELETE" and status in (400, 404, 405) and "NAME_UNKNOWN" not in codes:
        return (
            "not every registry lets manifests be deleted, and many delete by digest only, with all tags of it: "
            "name NAME@sha256:…"
        )
    if status == 413 or "too large" in said:
        return "it is larger than the registry, or a proxy before it, takes: its owner sets the limit"
    if status == 404 and any(code.startswith("BLOB_UPLOAD") for code in codes):
        return (
            "the registry does not know an upload that it has just begun: several servers behind one name need a "
            "storage and a secret in common"
        )
    if "MANIFEST_BLOB_UNKNOWN" in codes or "BLOB_UNKNOWN" in codes:
        return "the registry lost content that it had just before: push again"
    if status == 415 or "MANIFEST_INVALID" in codes or "media type" in said:
        return "the registry may be too old for OCI media types: build with `-o type=registry,oci-mediatypes=false`"
    if "DIGEST_INVALID" in codes or "SIZE_INVALID" in codes:
        return "something on the way to the registry changes what is sent"
    if status == 405 or "UNSUPPORTED" in codes:
        return "the registry takes no pushes: it may be a mirror or a cache"
    if status == 507 or "quota" in said:
        return "the registry is full, or its quota is used up"
    return ""
