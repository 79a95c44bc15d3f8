"""Options of docker, buildx, buildah, podman, dive, Trivy, Grype and Syft that kezuri's own tables do not have: taken
without effect, or answered with what to do in their place. Looked at only when an option is unknown."""

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


_CREDENTIALS = (
    "everybody on the machine can read what stands on a command line: `kezuri login --password-stdin`, "
    "or the variable DOCKER_AUTH_CONFIG"
)
_ENGINE = "steps run in kezuri's sandbox with docker's default rights; RUN --security=insecure gives more of them"
_RESOLVER = "steps have the machine's resolver; --add-host adds names"
_KEYS = "kezuri neither signs nor encrypts images"
_REGISTRY = (
    *_answered(_CREDENTIALS, "--creds"),
    *_answered(_KEYS, "--decryption-key"),
    *_taken("--retry", "--retry-delay"),
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
    *_answered("write ENV in the Dockerfile", "--env"),
    *_answered("--unset env=NAME does it", "--unsetenv"),
    *_answered("write RUN --mount=type=bind or type=cache in the Dockerfile", "--volume", "-v"),
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
_PUSH = (
    *_REGISTRY,
    *_taken("--remove-signatures", "--disable-compression", value=False),
    *_answered("a push is of an image as it is: build it with --compression", "--compression-format"),
    *_answered("a push is of an image as it is: build it with --compression-level", "--compression-level"),
    *_answered("layers are compressed when they are built", "--compress", value=False),
    *_answered("an index is pushed with all its images", "--all", value=False),
    *_answered("the last line is TAG: digest: DIGEST size: SIZE; --format json has it, too", "--digestfile"),
    *_answered("`kezuri rmi NAME` takes the name away", "--rm", value=False),
    *_answered(_KEYS, "--encrypt-layer", "--encryption-key", "--sign-by", "--sign-by-sigstore-private-key"),
    *_answered(_KEYS, "--sign-passphrase-file"),
)
_PRUNE = _taken("--external", value=False)
_SIDES = ("src", "dest")
_AS_THEY_ARE = "what is copied stays byte for byte as it is"
_COPY = (
    *_answered(_CREDENTIALS, *(f"--{side}-{what}" for side in _SIDES for what in ("creds", "password", "username"))),
    *_answered(_CREDENTIALS, *(f"--{side}-registry-token" for side in _SIDES)),
    *_answered("--authfile FILE has the credentials of both", *(f"--{side}-authfile" for side in _SIDES)),
    *_answered("--cert-dir DIR is for both, certs.d for each by itself", *(f"--{side}-cert-dir" for side in _SIDES)),
    *(
        Option(
            (f"--{side}-tls-verify",),
            "optional",
            "",
            refused="--insecure-registry HOST for one of them, --tls-verify=false for both",
            harmless=("true",),
            foreign=True,
        )
        for side in _SIDES
    ),
    *_answered("everything is copied, unless --platform says less", "--multi-arch", harmless=("all",)),
    *_answered(_AS_THEY_ARE, "--format", "-f", "--dest-compress-format", "--dest-compress-level"),
    *_answered(_AS_THEY_ARE, "--dest-compress", "--dest-decompress", value=False),
    *_answered("copy once more: what is there is not sent again", "--additional-tag"),
    *_answered(_KEYS, "--encryption-key", "--encrypt-layer", "--sign-by", "--sign-passphrase-file", "--sign-identity"),
    *_answered(_KEYS, "--sign-by-sigstore-private-key"),
    *_answered("DOCKER_HOST names docker's socket", *(f"--{side}-daemon-host" for side in _SIDES)),
    *_answered(
        "layers that images share are stored once in each layout", *(f"--{side}-shared-blob-dir" for side in _SIDES)
    ),
    *_taken("--retry-times"),
    *_taken("--preserve-digests", "--remove-signatures", "--dest-oci-accept-uncompressed-layers", value=False),
    *_answered("--authfile FILE with an empty file", "--src-no-creds", "--dest-no-creds", value=False),
    *_taken("--dest-precompute-digests", value=False),
    *_REGISTRY,
)
_SAVE = _taken("--uncompressed", value=False)
_ANALYZE = (
    *_answered("redirect standard output: --format json > FILE", "--json", "-j"),
    *_answered("the image's name says where it is: docker-archive:FILE, oci:DIR:NAME, docker://NAME", "--source"),
    *_taken("--ignore-errors", "-i", value=False),
)
"""dive's."""
_MANIFEST = (
    *_REGISTRY,
    *_taken("--features", "--os-features"),
    *_answered(_KEYS, "--sign-by", "--sign-passphrase-file", "--sign-by-sigstore-private-key"),
    *_answered(_AS_THEY_ARE, "--format", "-f", harmless=("oci",)),
    *_answered(_AS_THEY_ARE, "--compression-format"),
    *_taken("--remove-signatures", value=False),
)
_TAGS = (
    *_answered(_CREDENTIALS, "--creds", "--username", "--password", "--registry-token"),
    *_taken("--retry-times"),
    *_taken("--no-creds", value=False),
)

_DATABASE = "`kezuri db update` fetches the database, `kezuri db status` tells how old it is"
_POLICIES = "kezuri has no language for policies: --ignorefile, --vex and --forbid-licence name what may pass"
_SOURCE = "the name says where it is: docker://NAME, docker-daemon:NAME, containers-storage:NAME, oci:DIR, dir:DIR"
_NO_SERVER = "kezuri is one program without a daemon: there is nothing to connect to"
_SCAN = (
    *_taken(
        "--no-progress", "--skip-db-update", "--skip-update", "--skip-java-db-update", "--offline-scan", value=False
    ),
    *_taken("--skip-check-update", "--skip-policy-update", "--skip-vex-repo-update", "--dependency-tree", value=False),
    *_taken("--list-all-pkgs", "--include-dev-deps", "--include-non-failures", "--light", "-d", value=False),
    *_taken("--disable-telemetry", "--skip-version-check", "--no-color", value=False),
    *_taken("--timeout", "--cache-dir", "--cache-backend", "--cache-ttl", "--parallel", "--db-repository"),
    *_taken("--java-db-repository", "--checks-bundle-repository", "--detection-priority", "--image-config-scanners"),
    *_taken(
        "--ansible-extra-vars", "--ansible-inventory", "--ansible-playbook", "--cf-params", "--config-file-schemas"
    ),
    *_taken("--helm-api-versions", "--helm-kube-version", "--helm-set", "--helm-set-file", "--helm-set-string"),
    *_taken("--helm-values", "--tf-vars", "--raw-config-scanners", "--file-patterns", "--license-confidence-level"),
    *_taken("--max-image-size", "--rego-error-limit", "--render-cause", "--report", "--table-mode"),
    *_taken("--redis-ca", "--redis-cert", "--redis-key", "--module-dir"),
    *_taken("--redis-tls", "--tf-exclude-downloaded-modules", "--trace", "--trace-rego", value=False),
    *_taken("--include-deprecated-checks", value=False),
    *_taken("--misconfig-scanners", "--secret-config", "--pkg-relationships", "--vuln-severity-source"),
    *_answered(_DATABASE, "--download-db-only", "--download-java-db-only", "--reset", "--clear-cache", value=False),
    *_answered(_NO_SERVER, "--server", "--token", "--token-header", "--custom-headers"),
    *_answered(_POLICIES, "--ignore-policy", "--config-check", "--config-policy", "--config-data", "--policy"),
    *_answered(_POLICIES, "--check-namespaces", "--compliance", "--ignored-licenses"),
    *_answered("the distribution is that of the os-release of what is scanned", "--distro"),
    *_answered("--ca-certificates FILE has the authorities", "--cacert"),
    *_answered("kezuri loads no modules and plugins", "--enable-modules", "--output-plugin-arg"),
    *_answered("options are given on the command line, or as TRIVY_… variables", "-c"),
    *_answered("options are given on the command line", "--generate-default-config", value=False),
    *_answered("`kezuri login --password-stdin` keeps them", "--password-stdin", value=False),
    *_answered("--tls-verify=false, or --insecure-registry HOST for one registry", "--insecure", value=False),
    *_answered(_SOURCE, "--image-src"),
    *_answered("`docker-daemon:NAME`, and DOCKER_HOST for its socket", "--docker-host", "--podman-host"),
    *_answered("`kezuri sbom --attached IMAGE` reads what is beside an image", "--sbom-sources", "--rekor-url"),
    *_answered(_CREDENTIALS, "--username", "--password", "--registry-token"),
    *_answered("what removed packages left is known by the files that layers have", "--removed-pkgs", value=False),
    *_answered("the licences of packages are those of their records", "--license-full", value=False),
)
"""Trivy's."""
_SHOWN = "what the image shows counts; secrets are looked for in every layer"
_BASE = "`--since BASE` leaves out what the base image has as well"
_OF_GRYPE = (
    *_taken("--by-cve", "--add-cpes-if-none", "--verbose", "-v", value=False),
    *_answered("--exit-code N fails; --severity says for what", "--fail-on", "--severity-threshold"),
    *_answered("write --ignore-unfixed", "--only-fixed", value=False),
    *_answered("write --ignore-status fixed", "--only-notfixed", "--only-unfixed", value=False),
    *_answered("write --ignore-status", "--ignore-states"),
    *_answered("--output FILE writes a file; a Dockerfile is not asked for", "--file"),
    *_answered("write --skip-dirs or --skip-files", "--exclude"),
    *_answered(_SHOWN, "--scope", harmless=("squashed",)),
    *_answered("what is urgent stands first: docs/scan.md", "--sort-by"),
    *_answered(_SOURCE, "--from"),
    *_answered("options are given on the command line", "--profile"),
    *_answered("a report has the name that the image was asked for by", "--name"),
)
_OF_DOCKER = (
    *_taken("--accept-license", "--group-issues", "--only-vuln-packages", "--epss", "--locations", value=False),
    *_taken("--details", "--multi-stage", "--login", value=False),
    *_taken("--epss-date", "--org"),
    *_answered("write --format json", "--json", value=False),
    *_answered(_BASE, "--exclude-base", "--ignore-base", value=False),
    *_answered("scan the base image itself; `kezuri base IMAGE` says which it is", "--only-base", value=False),
    *_answered("write --severity", "--only-severity"),
    *_answered("write --only-kev", "--only-cisa-kev", value=False),
    *_answered("write --pkg-types os or --pkg-types library", "--only-package-type"),
    *_answered("write --exit-code N", "-e", value=False),
    *_answered("write --since IMAGE", "--to"),
    *_answered("write --vex FILE", "--vex-location"),
    *_answered("statements of every author count", "--vex-author"),
    *_answered("what is ignored does not count", "--ignore-suppressed", "--only-vex-affected", value=False),
    *_answered("--format json has all of it: jq selects", "--only-cve-id", "--only-package", "--only-stage"),
    *_answered("--format json has all of it: jq selects", "--only-metric", "--epss-score", "--epss-percentile"),
    *_answered("nobody needs to log in, and nothing is sent anywhere", "--reject-license", value=False),
    *_answered("there are no environments to compare with: --since IMAGE", "--env", "--stream"),
    *_answered("write FILE:NAME, as `kezuri ls` takes it", "--ref"),
)
"""What `docker scan` had, and `docker scout cves` has."""
_SBOM = (
    *_taken("--quiet", "-q", "--verbose", "-v", value=False),
    *_taken("--parallelism", "--enrich"),
    *_answered("write --output FILE", "--file"),
    *_answered("what the image shows is listed", "--scope", "-s", harmless=("squashed",)),
    *_answered("`kezuri scan --skip-dirs` leaves out what lies there; a bill has all", "--exclude"),
    *_answered("everything is looked for: docs/sbom.md", "--select-catalogers", "--override-default-catalogers"),
    *_answered("everything is looked for: docs/sbom.md", "--catalogers"),
    *_answered("a bill has the name that the image was asked for by", "--source-name", "--source-version", "--name"),
    *_answered("a bill has the name that the image was asked for by", "--source-supplier"),
    *_answered("links that lead out of the directory are not followed", "--base-path"),
    *_answered(_SOURCE, "--from"),
    *_answered("kezuri fills in no templates: --format json has all of it", "--template", "-t"),
    *_answered("options are given on the command line", "-c", "--profile"),
)
"""Syft's."""
_BASES = (
    *_answered("the tags of the same line of versions are listed in any case", "--only-refresh", value=False),
    *_answered("newer lines of versions are listed in any case", "--only-update", value=False),
    *_answered("--base NAME names the base image", "--tag"),
    *_answered("redirect standard output: > FILE", "--output", "-o"),
)
"""What `docker scout recommendations` has."""

_LEVELS = ("trace", "debug", "info", "warn", "warning", "error", "fatal", "panic")
_PASSWORD = "everybody on the machine can read what stands on a command line: --password-stdin reads it"
_ACCOUNT = (
    *_answered(_PASSWORD, "--password", "-p"),
    *_answered("--authfile FILE: what is written there docker and podman read, too", "--compat-auth-file"),
    *_answered(_PASSWORD, "--secret", "--secret-file"),
    *_taken("--verbose", "-v", value=False),
)
_CLUSTER = "a volume is on this machine alone"
_VOLUME = (
    *_answered(_CLUSTER, "--availability", "--group", "--limit-bytes", "--required-bytes", "--scope", "--secret"),
    *_answered(_CLUSTER, "--sharing", "--topology-preferred", "--topology-required", "--type"),
)
_VOLUMES = _answered(_CLUSTER, "--cluster", value=False)
_EVERY_VOLUME = _answered(
    "`kezuri volume inspect $(kezuri volume ls -q)` shows every volume", "--all", "-a", value=False
)
_NO_VOLUME = (
    *_answered("`kezuri volume prune --all` removes every volume that no container has", "--all", "-a", value=False),
    *_answered("nobody's container is stopped for it: a volume in use stays", "--time", "-t"),
)
_DAEMON = "kezuri is one program without a daemon: there is nothing to connect to"
_PROGRAM = (
    *_answered(_DAEMON, "--context", "-c", "--connection", harmless=("default",)),
    *_answered(_DAEMON, "--host", "-H", "--url", "--identity"),
    *_answered(_DAEMON, "--remote", "-r", value=False),
    *_answered("--cert-dir DIR has the authorities and certificates", "--tlscacert", "--tlscert", "--tlskey"),
    *_answered("the files of images lie below --root", "--storage-driver", "--storage-opt", "--runroot"),
    *_answered("--debug shows where an unexpected error came from", "--log-level", "-l", harmless=_LEVELS),
)
_TABLES = {
    "volume create": _VOLUME,
    "volume ls": _VOLUMES,
    "volume inspect": _EVERY_VOLUME,
    "volume rm": _NO_VOLUME,
    "build": _BUILD,
    "images": _IMAGES,
    "rmi": _REMOVE,
    "inspect": _INSPECT,
    "pull": _PULL,
    "push": _PUSH,
    "prune": _PRUNE,
    "image prune": _PRUNE,
    "copy": _COPY,
    "save": _SAVE,
    "analyze": _ANALYZE,
    "scan": (*_SCAN, *_OF_GRYPE, *_OF_DOCKER),
    "sbom": _SBOM,
    "base": _BASES,
    "import": _PLATFORM,
    **dict.fromkeys(("manifest create", "manifest add", "manifest annotate", "manifest push"), _MANIFEST),
    "tags": _TAGS,
    "": _PROGRAM,
    "login": _ACCOUNT,
    "logout": _ACCOUNT,
}


def foreign_options(command: str) -> tuple[Option, ...]:
    """All options of others for the command; for no command those that stand before one."""
    return _TABLES.get(command, ())


def foreign_option(command: str, name: str) -> Option | None:
    """The option of that name that others have for the command; None when they have none either."""
    return next((option for option in foreign_options(command) if name in option.names), None)
