"""Caches with random damage: whatever they say, the image is right, and the store is sound."""

import json
import shutil
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.build.build_machines import STAGES
from tests.build.build_workshop import Workshop
from tests.build.test_build_caches import rewrite

from kezuri.travel.places import CacheSource, CacheTarget

pytestmark = pytest.mark.slow

VALUES: list[Any] = [
    *(None, 0, -1, True, 2**70, "", "x" * 10, [], {}, "../../x"),
    *("sha256:" + "0" * 64, "run-" + "0" * 32),
]


def mutated(value: Any, random: Random) -> Any:
    """The JSON value with something in it replaced."""
    if isinstance(value, dict) and value:
        key = random.choice(sorted(value))
        if random.random() < 0.1:
            return {k: v for k, v in value.items() if k != key}
        return value | {key: random.choice(VALUES) if random.random() < 0.4 else mutated(value[key], random)}
    if isinstance(value, list) and value:
        place = random.randrange(len(value))
        new = random.choice([*VALUES, *value]) if random.random() < 0.3 else mutated(value[place], random)
        return [*value[:place], new, *value[place + 1 :]]
    return random.choice(VALUES)


def change(document: dict[str, Any], random: Random) -> None:
    for _ in range(random.randrange(1, 6)):
        new = mutated(document, random)
        document.clear()
        document.update(new)


def damage(cache: Path, random: Random) -> None:
    """Flip bits of files, and cut some."""
    for _ in range(random.randrange(1, 4)):
        path = random.choice(sorted(path for path in cache.rglob("*") if path.is_file()))
        data = bytearray(path.read_bytes())
        if data:
            data[random.randrange(len(data))] ^= 1 << random.randrange(8)
            path.write_bytes(data[: random.choice([len(data), len(data), len(data) // 2])])


def machine(directory: Path, name: str) -> Workshop:
    shop = Workshop(directory, directory / f"store-{name}")
    shop.write(parts__a="a", parts__b="b", more="m" * 5000, top="top", end="end", Dockerfile=STAGES)
    return shop


@pytest.mark.parametrize("seed", range(4))
def test_no_cache_makes_a_build_fail_or_an_image_wrong(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    whole = tmp_path / "whole"
    machine(tmp_path, "one").build(cache_to=(CacheTarget("local", str(whole), mode=random.choice(["min", "max"])),))
    for number in range(8):
        cache = tmp_path / f"cache-{number}"
        shutil.copytree(whole, cache)
        if random.random() < 0.6:
            rewrite(cache, lambda document: change(document, random))
        else:
            damage(cache, random)
        shop = machine(tmp_path, f"{number}")
        top = random.choice(["top", "other"])
        shop.write(top=top)
        mended = (CacheTarget("local", str(cache), mode="max", patient=True),) if random.random() < 0.5 else ()
        result = shop.build(cache_from=(CacheSource("local", str(cache), mounts=True),), cache_to=mended)
        assert shop.files(result) == {"top": top.encode(), "a": b"a", "end": b"end"}, json.dumps(shop.said.warnings)
        assert len(shop.said.warnings) <= 2
        assert shop.check() == [] == shop.leftovers()
