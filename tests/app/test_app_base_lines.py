"""Layers of a base are said to come from the FROM of the stage that stands on them."""

import os
from pathlib import Path

import pytest

from kezuri.app.base_lines import with_base_lines
from kezuri.sbom.values import BillLayer

BASE = BillLayer("sha256:1", "ADD rootfs /", of_base=True)
TEXT = """# syntax=docker/dockerfile:1
FROM golang AS build
RUN <<END
FROM nowhere
END
RUN go build

from alpine \\
  AS final
COPY --from=build /app /app
RUN x
"""


@pytest.fixture
def dockerfile(tmp_path: Path) -> str:
    path = tmp_path / "Dockerfile"
    path.write_text(TEXT)
    return str(path)


def lines(*layers: BillLayer) -> list[tuple[str, int]]:
    return [(os.path.basename(layer.dockerfile), layer.line) for layer in with_base_lines(layers)]


def test_the_last_from_above_the_lowest_own_layer(dockerfile: str) -> None:
    own = BillLayer("sha256:2", "COPY …", dockerfile, 10)
    assert lines(BASE, BASE, own, own._replace(line=11)) == [
        ("Dockerfile", 8), ("Dockerfile", 8), ("Dockerfile", 10), ("Dockerfile", 11)
    ]  # fmt: skip
    assert lines(BASE, own._replace(line=6)) == [("Dockerfile", 2), ("Dockerfile", 6)], "no FROM of a heredoc"


def test_layers_stay_as_they_are_where_nothing_is_known(dockerfile: str, tmp_path: Path) -> None:
    own = BillLayer("sha256:2", "COPY …", dockerfile, 10)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(b"FROM x\n" * 200_000)
    for other in (
        own._replace(dockerfile=str(tmp_path / "gone")),
        own._replace(dockerfile=str(tmp_path / "pipe")),
        own._replace(dockerfile=str(tmp_path / "large")),
        own._replace(dockerfile=str(tmp_path)),
        own._replace(dockerfile="a\0b"),
        own._replace(line=1),
    ):
        assert with_base_lines((BASE, other)) == (BASE, other)
    assert with_base_lines((BASE,)) == (BASE,) and with_base_lines(()) == ()
    assert with_base_lines((own,)) == (own,)
