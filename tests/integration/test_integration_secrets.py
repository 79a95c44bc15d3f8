"""A secret reaches the step that asks for it, by every way of giving it, and nothing else."""

import json
import os
from pathlib import Path

import pytest
from tests.integration.integration_bases import Bases
from tests.integration.integration_built import TOKEN, Built, holds, layer_path
from tests.integration.integration_command import Kezuri
from tests.integration.integration_entries import Copier, Entry, examples

SECRETIVE = [entry for entry in examples() if "secrets" in entry.data]


@pytest.mark.slow
@pytest.mark.parametrize("entry", SECRETIVE, ids=[entry.name for entry in SECRETIVE])
def test_secret_is_nowhere(entry: Entry, bases: Bases, kezuri: Kezuri, copied: Copier, tmp_path: Path) -> None:
    bases.require(entry.bases)
    # A store of its own: every byte of it is looked through, and that of the other tests has gigabytes.
    kezuri = Kezuri(tmp_path / "store", kezuri.directory)
    built = Built(entry, copied(entry), f"examples/{entry.name}:secret", bases, kezuri)
    assert TOKEN not in built.build(built.image, "--no-cache").text
    found = built.inspect(built.image)
    assert TOKEN not in json.dumps(found)
    for layer in found["Manifest"]["layers"]:
        assert not holds(layer_path(kezuri, layer["digest"]), TOKEN.encode()), layer["digest"]
    for directory, _, files in os.walk(kezuri.root):
        for name in files:
            path = Path(directory, name)
            if path.is_file() and not path.is_symlink():
                assert not holds(path, TOKEN.encode()), path
    kezuri("rmi", built.image)


def test_token_would_be_found(tmp_path: Path) -> None:
    import gzip

    (tmp_path / "plain").write_bytes(b"x" * (1 << 20) + TOKEN.encode())
    (tmp_path / "packed").write_bytes(gzip.compress(b"x" * ((1 << 20) - 7) + TOKEN.encode() + b"x" * 9))
    (tmp_path / "clean").write_bytes(gzip.compress(b"x" * (1 << 20)))
    assert holds(tmp_path / "plain", TOKEN.encode())
    assert holds(tmp_path / "packed", TOKEN.encode())
    assert not holds(tmp_path / "clean", TOKEN.encode())
