"""What an organisation asks of its Dockerfiles, as values."""

from typing import NamedTuple


class Policy(NamedTuple):
    """`trusted_registries` may hold wildcards (`*.example.com`); empty: every registry is trusted. `label_schema` are
    required labels and the form of their values (text, rfc3339, semver, url, hash, spdx, email); with `strict_labels`
    no others may be there. `required_labels` must be there. `forbidden_instructions` are keywords, `forbidden_bases`
    names of images, both with wildcards allowed."""

    trusted_registries: tuple[str, ...] = ()
    label_schema: tuple[tuple[str, str], ...] = ()
    strict_labels: bool = False
    required_labels: tuple[str, ...] = ()
    forbidden_instructions: tuple[str, ...] = ()
    forbidden_bases: tuple[str, ...] = ()
