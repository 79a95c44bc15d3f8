"""BuildKit's built-in build arguments as values: those that mean something to the builder itself."""

from kezuri.app.request import BuiltinArguments
from kezuri.diagnostics import KezuriError
from kezuri.keys.options import DEFAULT_HOSTNAME
from kezuri.plan.epoch import epoch_seconds
from kezuri.scalars import parse_bool


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
        given.get("BUILDKIT_SANDBOX_HOSTNAME") or DEFAULT_HOSTNAME,
        parse_bool(given.get("BUILDKIT_CONTEXT_KEEP_GIT_DIR", "")) is True,
        given.get("BUILDKIT_DOCKERFILE_CHECK"),
    )
