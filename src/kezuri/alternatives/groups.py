"""Tags of a repository that are one image, and what they say of it together."""

from typing import NamedTuple

from kezuri.alternatives.tags import Tag, parse_tag


class Group(NamedTuple):
    """One image of a repository: all its tags, and the architectures in the words of Go (`amd64`, `arm64`, `arm/v7`);
    empty where nobody tells them."""

    tags: tuple[str, ...]
    architectures: tuple[str, ...] = ()

    @property
    def tag(self) -> Tag:
        """What its tags say together: the longest version, and whatever any of them tells."""
        parsed = [parse_tag(text) for text in self.tags]
        numbered = [tag for tag in parsed if tag.version] or parsed
        best = max(numbered, key=lambda tag: (not tag.dated, tag.depth))
        named = next((tag for tag in numbered if tag.distribution and tag.release), None)
        named = named or next((tag for tag in parsed if tag.distribution and tag.release), best)
        return best._replace(
            distribution=named.distribution or best.distribution,
            release=named.release or best.release,
            slim=any(tag.slim for tag in numbered),
            flavours=min((tag.flavours for tag in numbered), key=len),
            early=any(tag.early for tag in parsed),
            windows=any(tag.windows for tag in parsed),
        )
