"""Options of docker, buildx, buildah and podman that kezuri's own tables do not have: taken without effect, or answered
with what to do in their place. Looked at only when an option is unknown."""

from kezuri.cli.options import Option


def _taken(*names: str, value: bool = True) -> tuple[Option, ...]:
    return tuple(
        Option((name,), "text" if value else "flag", "Accepted and ignored", "VALUE" if value else "", ignored=True)
        for name in names
    )


def _answered(answer: str, *names: str, value: bool = True, harmless: tuple[str, ...] = ()) -> tuple[Option, ...]:
    return tuple(
        Option(
            (name,),
            "text" if value else "flag",
            "",
            "VALUE" if value else "",
            refused=answer,
            harmless=harmless,
            foreign=True,
        )
        for name in names
    )


_CREDENTIALS = "kezuri sends no credentials yet: use a registry or a mirror that answers without (--registry-mirror)"
_ENGINE = "steps run in kezuri's sandbox with docker's default rights; RUN --security=insecure gives more of them"
_RESOLVER = "steps have the machine's resolver; --add-host adds names"
_KEYS = "kezuri neither signs nor encrypts images"
_REGISTRY = (
    *_answered(_CREDENTIALS, "--authfile", "--creds"),
    *_answered("name the authority with --ca-certificates FILE, or keep it in certs.d", "--cert-dir"),
    *_answered(_KEYS, "--decryption-key"),
    *_taken("--retry", "--retry-delay"),
    Option(
        ("--tls-verify",),
        "optional",
        "",
        refused="a registry without TLS: --insecure-registry HOST; one with its own authority: --ca-certificates FILE",
        harmless=("true",),
        foreign=True,
    ),
    *_taken("--disable-content-trust", value=False),
)
_PLATFORM = _answered("write --platform OS/ARCH[/VARIANT]", "--arch", "--os", "--variant")

_BUILD = (
    *_REGISTRY,
    *_PLATFORM,
    *_taken("--layers", "--identity-label", "--skip-unused-stages", "--http-proxy", value=False),
    *_taken("--disable-compression", "-D", "--stdin", "--logsplit", value=False),
    *_taken("--runtime-flag", "--cache-ttl", "--hooks-dir"),
    *_answered("--max-parallelism N says how many steps run at once", "--jobs"),
    *_answered(
        "images are in the OCI format; `-o type=docker,dest=FILE` writes an archive for docker",
        "--format",
        harmless=("oci",),
    ),
    *_answered("write --platform with their names", "--all-platforms", value=False),
    *_answered("write `FROM ${BASE}` with an ARG BASE before it, and give --build-arg BASE=IMAGE", "--from"),
    *_answered("put it beside the Dockerfile, as Dockerfile.dockerignore", "--ignorefile"),
    *_answered("--build-arg SOURCE_DATE_EPOCH=SECONDS sets all times", "--timestamp", "--source-date-epoch"),
    *_answered("redirect standard error: 2>FILE", "--logfile"),
    *_answered("--tag names the index, and --platform A,B what is in it", "--manifest"),
    *_answered("write ENV in the Dockerfile", "--env", "--unsetenv"),
    *_answered("write RUN --mount=type=bind or type=cache in the Dockerfile", "--volume", "-v"),
    *_answered("a last stage with COPY --from= does the same", "--squash-all", value=False),
    *_answered("the history is part of what an image is known by, and stays", "--omit-history", value=False),
    *_answered("Dockerfiles are not run through cpp; ARG and stages do most of it", "--cpp-flag"),
    *_answered("the image's config is the base image's: FROM another one", "--os-feature", "--os-version"),
    *_answered(_ENGINE, "--cap-add", "--cap-drop", "--device", "--cgroupns", "--ipc", "--pid", "--uts", "--userns"),
    *_answered(_ENGINE, "--userns-gid-map", "--userns-gid-map-group", "--userns-uid-map", "--userns-uid-map-user"),
    *_answered(_RESOLVER, "--dns", "--dns-option", "--dns-search"),
    *_answered(_RESOLVER, "--no-hosts", value=False),
    *_answered(_KEYS, "--sign-by"),
)
_IMAGES = (
    *_answered("images of an index are listed one by one, with their platform", "--tree", value=False),
    *_answered("`kezuri history IMAGE` shows what an image was made by", "--history", value=False),
    *_answered("write --format json", "--json", value=False),
    *_answered("the newest stands first; `| sort` sorts otherwise", "--sort"),
)
_REMOVE = (
    *_answered("`kezuri rmi $(kezuri images -q)` removes every image", "--all", "-a", value=False),
    *_answered("`kezuri prune` removes images without a name", "--prune", "-p", value=False),
    *_answered("name the image of that platform by its id: `kezuri images` lists them", "--platform"),
)
_INSPECT = (
    *_taken("--size", "-s", value=False),
    *_answered("name the image: `kezuri images -q` has the newest first", "--latest", "-l", value=False),
)
_PULL = (*_REGISTRY, *_PLATFORM, *_taken("--policy"), *_taken("--remove-signatures", value=False))
_PRUNE = _taken("--external", value=False)
_COPY = (
    *_answered(_CREDENTIALS, "--src-authfile", "--dest-authfile", "--src-creds", "--dest-creds"),
    *_answered(_CREDENTIALS, "--src-username", "--src-password", "--dest-username", "--dest-password"),
    *_answered(_CREDENTIALS, "--src-registry-token", "--dest-registry-token"),
    *_answered(_CERTIFICATES, "--src-cert-dir", "--dest-cert-dir"),
    *(_tls(name) for name in ("--src-tls-verify", "--dest-tls-verify")),
    *_answered("everything is copied without it; --platform takes one image out", "--multi-arch", harmless=("all",)),
    *_answered("manifests are copied as they are, so that digests stay", "--format", "-f"),
    *_answered("layers are copied as they are, so that digests stay", "--dest-compress-format"),
    *_answered("layers are copied as they are, so that digests stay", "--dest-compress", "--dest-decompress", value=False),
    *_answered("layers are copied as they are, so that digests stay", "--dest-compress-level"),
    *_answered("copy once more: layers that are there are not sent again", "--additional-tag"),
    *_answered(_KEYS, "--encryption-key", "--encrypt-layer", "--sign-by", "--sign-passphrase-file"),
    *_answered(_KEYS, "--sign-by-sigstore-private-key", "--sign-identity", "--sign-by-sigstore"),
    *_answered("DOCKER_HOST names docker's socket", "--src-daemon-host", "--dest-daemon-host"),
    *_taken("--src-shared-blob-dir", "--dest-shared-blob-dir", "--retry-times", "--src-no-creds", "--dest-no-creds"),
    *_taken("--preserve-digests", "--remove-signatures", "--dest-oci-accept-uncompressed-layers", value=False),
    *_REGISTRY,
)
_SAVE = (
    *_taken("--uncompressed", "--dir-mode", value=False),
    *_answered(_SIGNATURES, "--signature-policy"),
)
_IMPORT = (
    *_answered("write --platform OS/ARCH", "--arch", "--os", "--variant"),
    *_answered(_SIGNATURES, "--signature-policy"),
)
_MANIFEST = (
    *_REGISTRY,
    *_answered("entries of indexes have no features that anybody reads", "--features", "--os-features"),
    *_answered("an annotation of the index: `kezuri imagetools create --annotation`", "--index", value=False),
    *_answered(_KEYS, "--sign-by", "--sign-passphrase-file", "--sign-by-sigstore-private-key"),
    *_answered(_MANIFESTS_STAY, "--format", "-f", harmless=("oci",)),
    *_taken("--remove-signatures", value=False),
)

_TABLES = {
    "build": _BUILD,
    "images": _IMAGES,
    "rmi": _REMOVE,
    "inspect": _INSPECT,
    "pull": _PULL,
    "prune": _PRUNE,
}


def foreign_option(command: str, name: str) -> Option | None:
    """The option of that name that others have for the command; None when they have none either."""
    return next((option for option in _TABLES.get(command, ()) if name in option.names), None)
