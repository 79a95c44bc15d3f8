"""`tags`: the tags that a repository of a registry has."""

from collections.abc import Callable, Iterator

from kezuri.app.request import Settings
from kezuri.app.session import Session
from kezuri.diagnostics import KezuriError
from kezuri.oci.reference import Reference


def repository(text: str) -> Reference:
    """The repository that a user names, with or without `docker://`. KezuriError when a tag or digest is named too."""
    reference = Reference.parse(text.removeprefix("docker://"), default_tag=False)
    if reference.tag or reference.digest:
        bare = reference._replace(tag="", digest="").familiar
        raise KezuriError.of(
            f"{text} names one image, and a repository is wanted",
            hint=f"leave the {'tag' if reference.tag else 'digest'} out: {bare}",
            exit_code=2,
        )
    return reference


def tags(settings: Settings, name: str, warn: Callable[[str], None] = lambda text: None) -> Iterator[str]:
    """The tags, in the registry's order, a page at a time. `warn` hears of credentials that cannot be asked for.
    KezuriError when the registry has no such repository."""
    reference = repository(name)
    with Session(settings, reading=True, warn=warn) as session:
        yield from session.registry().tags(reference)
