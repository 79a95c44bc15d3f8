"""What a user can ask for, as frozen values: argv has been understood, nothing has happened yet."""

from typing import TYPE_CHECKING, Literal, NamedTuple

from kezuri.app.stored_image import StoredImage
from kezuri.keys.options import DEFAULT_HOSTNAME

if TYPE_CHECKING:
    from kezuri.app.outputs import ImageOutput, Output, PushedImage
    from kezuri.edits.settings import Unset
    from kezuri.linux.cgroups import Limits
    from kezuri.sandbox.disguise import Disguise
    from kezuri.travel.places import CacheSource, CacheTarget


class SecretSource(NamedTuple):
    """`--secret id=…`: `kind` is `file`, `env`, `stdin` (src=-) or `auto` (an environment variable of that name, else
    a file); `value` is the path or the variable's name."""

    id: str
    kind: str
    value: str


class AgentSource(NamedTuple):
    """`--ssh default|id[=socket|key[,key]]`: an agent's socket, or private `keys` for an agent of our own; neither
    means $SSH_AUTH_SOCK."""

    id: str
    socket: str
    keys: tuple[str, ...] = ()


class Salvage(NamedTuple):
    """`--on-error=export,path=PATH,dest=DIR`: what a failed step has at `path` (from its working directory on) is
    written into the directory `dest`."""

    path: str
    dest: str


class BuiltinArguments(NamedTuple):
    """What the build arguments say that mean something to the builder, beside what a Dockerfile does with them.

    * `epoch`, of SOURCE_DATE_EPOCH: seconds since 1970, None when it is not given or empty
    * `syntax`, of BUILDKIT_SYNTAX: the frontend that is named, empty when none is
    * `cache_namespace`, of BUILDKIT_CACHE_MOUNT_NS: empty when not given
    * `multi_platform`, of BUILDKIT_MULTI_PLATFORM: whether an image index is wanted, None when that follows from the
      number of platforms
    * `hostname`, of BUILDKIT_SANDBOX_HOSTNAME: the name of the machine that a RUN sees
    * `keep_git_dir`, of BUILDKIT_CONTEXT_KEEP_GIT_DIR: whether a git context keeps its `.git`
    * `checks`, of BUILDKIT_DOCKERFILE_CHECK: options of the checks as text, None when not given; they are read where a
      Dockerfile's own are
    """

    epoch: int | None = None
    syntax: str = ""
    cache_namespace: str = ""
    multi_platform: bool | None = None
    hostname: str = DEFAULT_HOSTNAME
    keep_git_dir: bool = False
    checks: str | None = None


class BuildRequest(NamedTuple):
    """Everything that `kezuri build` can be asked for. Empty texts and tuples mean: not given.

    `context` is a directory, `-` or an address; `file` is the Dockerfile's path as given (`-` for stdin).
    `build_args` values are resolved already (a `--build-arg K` without a value and without a variable K is left out).
    `builtin` is what those of them say that have a meaning for the builder. `ulimits` are (name, soft, hard); `hosts`
    are (name, address); `shm_size` is bytes, 0 for the default. `no_new_privileges` keeps set-id programs (sudo)
    of steps from working; `limits` hold for each step; `salvage` is done when a RUN fails; one that failed by the
    network alone is run again `retry_network` times. `cache_from` are caches of other machines that are looked into,
    `cache_to` those that are written. Without `outputs` nothing leaves. `squash` makes the new layers one (`new`), or
    those of the base, too (`all`); the image does not declare what is `unset`. `disguise` is what steps are shown
    instead of what there is. With `sbom` each image has its bill attached, with `provenance` how it was built: `min`
    from what, `max` also with what values; `builder_id` says who builds, `reproducible` that the caller vouches for
    it.
    """

    context: str = "."
    file: str = ""
    tags: tuple[str, ...] = ()
    target: str = ""
    platforms: tuple[str, ...] = ()
    build_args: tuple[tuple[str, str], ...] = ()
    builtin: BuiltinArguments = BuiltinArguments()
    build_contexts: tuple[tuple[str, str], ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    secrets: tuple[SecretSource, ...] = ()
    agents: tuple[AgentSource, ...] = ()
    outputs: "tuple[Output, ...]" = (StoredImage(),)
    iidfile: str = ""
    metadata_file: str = ""
    no_cache: bool = False
    no_cache_filter: tuple[str, ...] = ()
    pull: bool = False
    network: str = "default"
    hosts: tuple[tuple[str, str], ...] = ()
    ulimits: tuple[tuple[str, int, int], ...] = ()
    shm_size: int = 0
    allow: tuple[str, ...] = ()
    no_new_privileges: bool = False
    limits: "Limits | None" = None
    salvage: tuple[Salvage, ...] = ()
    retry_network: int = 0
    squash: Literal["", "new", "all"] = ""
    unset: "tuple[Unset, ...]" = ()
    cache_from: "tuple[CacheSource, ...]" = ()
    cache_to: "tuple[CacheTarget, ...]" = ()
    disguise: "Disguise | None" = None
    sbom: bool = False
    provenance: Literal["", "min", "max"] = ""
    builder_id: str = ""
    reproducible: bool = False

    @property
    def attests(self) -> bool:
        """Whether something is said about the images beside them."""
        return self.sbom or bool(self.provenance)

    @property
    def images(self) -> "tuple[ImageOutput, ...]":
        """The outputs that are images."""
        return tuple(output for output in self.outputs if output.options is not None)

    @property
    def files(self) -> tuple[str, ...]:
        """The files that outputs are written to; `-` is standard output."""
        if all(isinstance(output, StoredImage) for output in self.outputs):
            return ()
        from kezuri.app.outputs import FileOutput

        return tuple(output.dest for output in self.outputs if isinstance(output, FileOutput))

    @property
    def pushed(self) -> "tuple[PushedImage, ...]":
        """The outputs that go to registries."""
        if all(isinstance(output, StoredImage) for output in self.outputs):
            return ()
        from kezuri.app.outputs import PushedImage

        return tuple(output for output in self.outputs if isinstance(output, PushedImage))

    @property
    def passed_on(self) -> bool:
        """Whether all that is made goes to registries and nothing of it is kept here."""
        if not self.pushed or self.sbom:
            return False  # A bill is made of layers that are here.
        from kezuri.app.outputs import CacheOnly, PushedImage

        made = (output for output in self.outputs if not isinstance(output, CacheOnly))
        return all(isinstance(output, PushedImage) and not output.kept for output in made)


class BuildResult(NamedTuple):
    """What a build gave: digests of the manifest and the config (empty for outputs that make no image), the names
    that the image got, and the size of its layers in bytes, as they are transferred and, where that is known, unpacked.
    """

    digest: str
    config_digest: str
    names: tuple[str, ...]
    size: int
    cached: int
    ran: int
    unpacked: int | None = None


class Settings(NamedTuple):
    """What the machine's owner has set, from flags, environment and the config file, in that order of precedence.

    `root` is the store's directory; `runtime` is `kezuri` or `native` (our own sandbox) or the name or path of an OCI
    runtime; `ca_certificates` is a PEM file that is trusted in addition, by our sockets and inside steps; `mirrors` are
    (registry host, mirror URL); `insecure` are hosts that may speak plain HTTP; without `tls_verify` every registry
    may, but nothing else; `authfile` is the one file with credentials that counts (empty: the usual ones);
    `certificates` is a directory with authorities, and a certificate to show, for every registry; `allow_private` are
    registries that may send us on to addresses of a private network. `progress` is how progress is shown when neither a
    flag nor a variable says so. `max_used_space`, `min_free_space` and `reserved_space` (bytes) and `keep_age`
    (seconds) are what the cache is cut down to after builds and pulls, `max_local_cache` (bytes) is what an exported
    cache is cut down to that says no size of its own; None for no limit. `db` is the database of advisories
    (empty where this user has no home directory), `db_age` how many seconds old its data may be before that is said
    (None: a week), `db_origins` are (data set, URL) where that is not the usual one.
    """

    root: str
    runtime: str = "kezuri"
    ca_certificates: str = ""
    mirrors: tuple[tuple[str, str], ...] = ()
    insecure: tuple[str, ...] = ()
    max_parallelism: int = 0
    authfile: str = ""
    certificates: str = ""
    tls_verify: bool = True
    allow_private: tuple[str, ...] = ()
    progress: str = ""
    max_used_space: int | None = None
    min_free_space: int | None = None
    reserved_space: int | None = None
    keep_age: int | None = None
    max_local_cache: int | None = None
    db: str = ""
    db_age: int | None = None
    db_origins: tuple[tuple[str, str], ...] = ()

    @property
    def limited(self) -> bool:
        """Whether the cache is cut down after commands that make it grow."""
        return (self.max_used_space, self.min_free_space, self.keep_age) != (None, None, None)
