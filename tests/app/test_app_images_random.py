"""Builds, pulls, tags, removals and prunes in random order: every image that is listed has every blob that it names."""

import gzip
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.build.build_workshop import Workshop, tar_of, write_layout
from tests.registry.registry_faults import FaultyRegistry, make_image, make_index

from kezuri.app.budget import Budget
from kezuri.app.images import history, images, inspect, remove, tag
from kezuri.app.prune import foresee_prune, prune
from kezuri.app.pull import pull
from kezuri.app.request import Settings
from kezuri.diagnostics import KezuriError
from kezuri.oci import INDEX, digest_of
from kezuri.store.store import Store

ONE, TWO = tar_of(("one", b"1")), tar_of(("two", b"2"))
NAMES = ("p", "q", "r:1")
BOTH = ("linux/amd64", "linux/arm64")
EXPECTED = ("no such image", "names: ", "there is no image for")


class Player:
    """One store, a registry and two layouts whose images share layers in three compressions, and random commands."""

    def __init__(self, directory: Path, server: FaultyRegistry, seed: int) -> None:
        self.random = random.Random(seed)
        self.shop = Workshop(directory)
        self.settings = Settings(str(self.shop.root))
        self.ids: list[str] = []
        for name, tars in (("a", [ONE]), ("b", [ONE, TWO])):
            write_layout(directory / name, tars)
        small, large = make_image(gzip.compress(ONE)), make_image(gzip.compress(ONE, 1), gzip.compress(TWO))
        other = make_image(gzip.compress(ONE, 1), architecture="arm64")
        both = make_index(
            (large, {"os": "linux", "architecture": "amd64"}), (other, {"os": "linux", "architecture": "arm64"})
        )
        server.put(small, "small")
        server.put(large, "large")
        server.put(other)
        server.put_document(both, INDEX, "both")
        self.index = f"{server.host}/x:both"
        self.references = [self.index, f"{server.host}/x:small", f"{server.host}/x:large"]
        self.references += [f"{server.host}/x@{digest}" for digest in (small.digest, digest_of(both))]
        self.commands: list[Callable[[], None]] = [
            *[self.build] * 4,
            *[self.pull] * 2,
            *[self.remove] * 2,
            self.tag,
            self.prune,
            self.prune_what_is_no_image,
        ]

    def build(self) -> None:
        more: dict[str, Any] = {"tags": tuple(self.random.sample(NAMES, self.random.choice((0, 0, 1, 2))))}
        base = self.random.choice([*self.references, "a", "b", "scratch"])
        if base in ("a", "b"):
            more["build_contexts"] = ((base, f"oci-layout://{self.shop.directory / base}"),)
        more["platforms"] = BOTH if base == self.index else ("linux/amd64",)
        more["annotations"] = self.random.choice(((), (("manifests", '"manifests"'),)))
        more["compression"] = self.random.choice(("gzip", "gzip", "zstd", "uncompressed"))
        more["source_date_epoch"] = self.random.choice(("", "", "1000", "2000000000"))
        self.shop.write(f=str(self.random.randrange(2)))
        result = self.shop.build(f"FROM {base}\nCOPY f /f\n", **more)
        self.ids = [*self.ids, result.digest, result.config_digest or result.digest][-8:]
        assert inspect(self.settings, (result.digest,))

    def pull(self) -> None:
        name = self.random.choice(self.references)
        pull(self.settings, name, self.random.choice(BOTH), lambda _: None)
        assert inspect(self.settings, (name,))

    def tag(self) -> None:
        tag(self.settings, self.random.choice([*self.ids, *self.references, *NAMES]), name := self.random.choice(NAMES))
        assert inspect(self.settings, (name,))

    def remove(self) -> None:
        remove(self.settings, (self.random.choice([*self.ids, *self.references, *NAMES]),), self.random.random() < 0.5)

    def prune(self) -> None:
        everything = self.random.random() < 0.3
        self.prune_as_foreseen(all=everything)
        assert images(self.settings, ("dangling=true",)) == ()

    def prune_as_foreseen(self, **how: Any) -> None:
        foreseen = sum(candidate.size for candidate in foresee_prune(self.settings, **how))
        assert sum(one.size for one in prune(self.settings, **how)) == foreseen, how

    def prune_what_is_no_image(self) -> None:
        before = images(self.settings)
        how: list[dict[str, Any]] = [
            {"until": 3600.0},
            {"until": 3600.0, "all": True},
            {"budget": Budget(most=0)},
            {"filters": ("type=regular",), "all": True},
            {"filters": ("private",)},
        ]
        self.prune_as_foreseen(**self.random.choice(how))
        assert images(self.settings) == before

    def check(self) -> None:
        assert self.shop.check() == []
        warned: list[str] = []
        for image in images(self.settings, (), warned.append):
            (found,) = inspect(self.settings, (image.digest,))
            history(self.settings, image.id)
            for name in found["RepoDigests"]:
                assert inspect(self.settings, (name,))
            with Store(self.settings.root) as store:
                for blob in (found["Manifest"]["config"], *found["Manifest"]["layers"]):
                    assert store.blobs.size(blob["digest"]) == blob["size"]
        assert warned == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_every_image_keeps_every_blob(tmp_path: Path, seed: int) -> None:
    with FaultyRegistry() as server:
        player = Player(tmp_path, server, seed)
        for _ in range(40):
            command = player.random.choice(player.commands)
            try:
                command()
            except KezuriError as error:
                assert any(words in str(error) for words in EXPECTED), command
            player.check()
