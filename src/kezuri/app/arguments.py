"""BuildKit's built-in build arguments: those that mean something to the builder, beside what a Dockerfile does with
them."""

from typing import NamedTuple

from kezuri.diagnostics import KezuriError
from kezuri.plan.epoch import epoch_seconds
from kezuri.scalars import parse_bool


class BuiltinArguments(NamedTuple):
    """What they say.

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
    hostname: str = "buildkitsandbox"
    keep_git_dir: bool = False
    checks: str | None = None


def read_builtin_arguments(build_args: tuple[tuple[str, str], ...]) -> BuiltinArguments:
    """What build arguments (name, value) tell the builder. KezuriError, exit code 2, for a value without a meaning.

    A BUILDKIT_CONTEXT_KEEP_GIT_DIR that is neither true nor false is not looked at, and none is an error, as in
    BuildKit.
    """
    given = dict(build_args)
    multi = given.get("BUILDKIT_MULTI_PLATFORM", "")
    if multi and parse_bool(multi) is None:
        raise KezuriError.of(
            f"BUILDKIT_MULTI_PLATFORM is true or false, not {multi!r}",
            hint="true gives an image index also for one platform",
            exit_code=2,
        )
    return BuiltinArguments(
        epoch_seconds(given.get("SOURCE_DATE_EPOCH", "")),
        given.get("BUILDKIT_SYNTAX", ""),
        given.get("BUILDKIT_CACHE_MOUNT_NS", ""),
        parse_bool(multi),
        given.get("BUILDKIT_SANDBOX_HOSTNAME") or "buildkitsandbox",
        parse_bool(given.get("BUILDKIT_CONTEXT_KEEP_GIT_DIR", "")) is True,
        given.get("BUILDKIT_DOCKERFILE_CHECK"),
    )
