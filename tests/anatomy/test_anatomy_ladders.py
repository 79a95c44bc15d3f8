"""The ladders of `benchmarks.sizes`: their Dockerfiles are such, and their examples are there."""

import pytest

from kezuri.dockerfile.parser import parse

sizes = pytest.importorskip("benchmarks.sizes")


def test_every_rung_can_be_read() -> None:
    for name, ladder in sizes.LADDERS.items():
        assert (sizes.EXAMPLES / ladder.context).is_dir(), name
        assert ladder.rungs[0].article == max(rung.article for rung in ladder.rungs)
        for rung in ladder.rungs:
            text = rung.dockerfile if isinstance(rung.dockerfile, str) else rung.dockerfile.read_text()
            parse(text, rung.title)
        assert all("/" in base and ":" in base for base in sizes._bases(ladder)), name


def test_savings_are_those_of_the_first_rung() -> None:
    ladder = sizes.LADDERS["go"]
    measured = [
        sizes.Measured(rung, 5_000_000, 0, size, 0, 3) for rung, size in zip(ladder.rungs, (10**9, 10**8, 0, 0))
    ]
    rows = sizes.table(ladder, measured).split("\n")
    assert rows[4].startswith("| one stage (golang:1.23) | 862 MB |  | 1,000 MB |  |")
    assert rows[5].startswith("| several stages, on alpine | 45 MB | 94.8 % | 100 MB | 90.0 % |")
