"""Images out of nothing, as hypothesis makes them: sound ones, of any form."""

from collections.abc import Callable
from hashlib import sha256
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kezuri.edits.image import Documents, Image, Layer
from kezuri.oci.config import HistoryEntry, ImageConfig
from kezuri.oci.descriptor import (
    CONFIG,
    DOCKER_CONFIG,
    DOCKER_LAYER,
    DOCKER_MANIFEST,
    LAYER_GZIP,
    MANIFEST,
    Descriptor,
    Manifest,
    canonical,
    digest_of,
)
from kezuri.oci.platform import Platform

NAMES = st.sampled_from(["a", "b", "c", "PATH", "x.y"])
TEXTS = st.text("abc:/ é", max_size=6)
WORDS = st.none() | st.lists(st.text("ab -", min_size=1, max_size=3), min_size=1, max_size=3).map(tuple)


def law(*strategies: st.SearchStrategy[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A test for what the strategies give. An image has many parts, which take their time to make up."""
    return lambda test: settings(max_examples=30, deadline=None)(given(*strategies)(test))


def layer(number: int, docker: bool = False) -> Layer:
    """The layer with this number: the same one wherever it is asked for."""
    digest = sha256(b"%d" % number).hexdigest()
    blob = Descriptor(DOCKER_LAYER if docker else LAYER_GZIP, f"sha256:{digest}", 100 + number)
    return Layer("sha256:" + sha256(digest.encode()).hexdigest(), blob)


def environments() -> st.SearchStrategy[tuple[str, ...]]:
    return st.dictionaries(NAMES, TEXTS, max_size=4).map(lambda env: tuple(f"{k}={v}" for k, v in env.items()))


@st.composite
def histories(draw: st.DrawFn, layers: int) -> tuple[HistoryEntry, ...]:
    """A history that accounts for so many layers."""
    entries = []
    for number in range(layers):
        entries += [HistoryEntry("", f"ENV {name}", empty_layer=True) for name in draw(st.lists(NAMES, max_size=2))]
        entries.append(HistoryEntry("2026-01-01T00:00:00Z", f"RUN {number}"))
    entries += [HistoryEntry("", f"CMD {name}", empty_layer=True) for name in draw(st.lists(NAMES, max_size=2))]
    return tuple(entries)


@st.composite
def configs(draw: st.DrawFn) -> ImageConfig:
    return ImageConfig(
        Platform("linux", "amd64"),
        created=draw(st.sampled_from(["", "2026-01-02T03:04:05Z"])),
        author=draw(TEXTS),
        user=draw(st.sampled_from(["", "1000", "www:www"])),
        exposed_ports=tuple(sorted(draw(st.sets(st.sampled_from(["80/tcp", "53/udp", "443/tcp"]))))),
        env=draw(environments()),
        entrypoint=draw(WORDS),
        cmd=draw(WORDS),
        volumes=tuple(sorted(draw(st.sets(st.sampled_from(["/data", "/var/lib/x"]))))),
        working_dir=draw(st.sampled_from(["", "/", "/app"])),
        labels=draw(st.dictionaries(NAMES, TEXTS, max_size=3)),
        stop_signal=draw(st.sampled_from(["", "SIGINT"])),
        healthcheck=draw(st.none() | st.just({"Test": ["CMD", "true"]})),
        shell=draw(WORDS),
    )


@st.composite
def images(draw: st.DrawFn, numbers: st.SearchStrategy[list[int]] | None = None) -> Image:
    docker = draw(st.booleans())
    of = draw(numbers if numbers is not None else st.lists(st.integers(0, 9), max_size=4, unique=True))
    layers = [layer(number, docker) for number in of]
    config = draw(configs())._replace(
        diff_ids=tuple(each.diff_id for each in layers), history=draw(histories(len(layers)))
    )
    raw = canonical(config.to_json())
    pointer = Descriptor(DOCKER_CONFIG if docker else CONFIG, digest_of(raw), len(raw))
    notes = {} if docker else draw(st.dictionaries(NAMES, TEXTS, max_size=2))
    manifest = Manifest(
        pointer,
        tuple(each.blob for each in layers),
        DOCKER_MANIFEST if docker else MANIFEST,
        dict(sorted(notes.items())),
    )
    return Image(config, manifest)


def documents(image: Image) -> Documents:
    """The bytes of a sound image, as its writer wrote them."""
    return Documents(canonical(image.manifest.to_json()), canonical(image.config.to_json()))
