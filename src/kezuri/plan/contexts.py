"""Named build contexts: what `--build-context` puts in the place of an image or a stage."""

from collections.abc import Mapping
from typing import NamedTuple

from kezuri.diagnostics import KezuriError
from kezuri.oci.platform import Platform
from kezuri.oci.reference import Reference


class NamedContext(NamedTuple):
    """A `--build-context`: a `directory`, or an image from a `registry` or `layout`; `text` says which."""

    kind: str
    text: str


def context_name(name: str) -> str:
    """The one form in which names of contexts are compared: `node` and `docker.io/library/node:latest` are the same.

    `node::linux/arm64` is the context `node` for one platform."""
    if "::" in name:
        name, _, platform = name.partition("::")
        return f"{context_name(name)}::{Platform.parse(platform)}"
    try:
        folded = Reference.parse(name.lower() if "/" not in name and ":" not in name else name)
        return folded.familiar.removesuffix(":latest")
    except KezuriError:
        return name.lower()


def find_context(
    contexts: Mapping[str, NamedContext], name: str, platform: Platform
) -> tuple[str, NamedContext] | None:
    """The named context that stands for a name, and its key; one for the very platform comes first."""
    if not contexts or name == "scratch":
        return None
    folded = context_name(name)
    for key in (f"{folded}::{platform}", folded):
        if (context := contexts.get(key)) is not None:
            return key, context
    return None
