"""Booleans, sizes and durations: text read as Go reads it, for BuildKit is written in Go.

Truth values are read by `parse_bool`, as BuildKit, buildx and docker read them with ParseBool. What they do with a
text that is neither true nor false differs, because it differs there:

    place                                          neither true nor false       no text at all
    ---------------------------------------------  ---------------------------  ---------------------------
    flags of commands and their variables          error                        error (`--no-cache=`)
    --security-opt no-new-privileges               error                        true
    -o tar, oci-mediatypes, force-compression      error                        true
    -o push, platform-split                        error                        error
    --call ignorestatus                            error                        error
    images --filter dangling                       error                        error
    prune --filter shared, inuse, …                error                        true
    BUILDKIT_MULTI_PLATFORM                        error                        as if not given
    BUILDKIT_CONTEXT_KEEP_GIT_DIR                  false                        false
    check=error=                                   error                        error
    RUN --mount readonly, required; --device       error                        error (without `=`: true)
    keep-git-dir, submodules of a git address      error                        true

Two places read something else. Flags of instructions (`COPY --link=TRUE`) know the words true and false in any case and
nothing more (`dockerfile/flags.py`). The variables CI, CLICOLOR_FORCE and, where a mistake of kezuri's is told of,
KEZURI_DEBUG are on unless they are empty, `0` or `false`, as other programs read them.
"""

TRUE = ("1", "t", "T", "TRUE", "true", "True")
FALSE = ("0", "f", "F", "FALSE", "false", "False")


def parse_bool(text: str) -> bool | None:
    """The truth value that the text spells, None when it spells none."""
    if text in TRUE:
        return True
    return False if text in FALSE else None
