"""What prune says it would remove is what it removes, whatever is asked for."""

import os
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kezuri.linux.ownership import Privilege
from kezuri.oci.descriptor import LAYER, MANIFEST, Descriptor, Manifest, canonical
from kezuri.store.schema import FormRow, RecordRow
from kezuri.store.store import Store
from kezuri.upkeep.choice import choice
from kezuri.upkeep.collector import Collector, Limits

NOW = time.time()
AGES = st.sampled_from([10.0, 5_000.0, 90_000.0, 900_000.0])
LAYERS = st.lists(
    st.tuples(
        st.booleans(),  # a result gives it
        st.booleans(),  # it has a directory
        st.sampled_from(["", "own", "shared", "named", "base", "own+named"]),  # its blobs
        AGES,
        st.sampled_from(["RUN", "COPY"]),
    ),
    max_size=6,
)
MOUNTS = st.lists(AGES, max_size=2)
LOOSE = st.lists(st.sampled_from(["blob", "directory", "listing", "temporary"]), max_size=3, unique=True)
FILTERS = st.lists(
    st.sampled_from(
        [
            *("type=regular", "type=internal", "type=exec.cachemount", "type=image", "shared", "private"),
            *("id=k1", "id=m0", "id=sha256", "id!=k0", "description~=step", "inuse=false"),
        ]
    ),
    max_size=2,
    unique=True,
)


def fill(store: Store, layers: list[tuple[bool, bool, str, float, str]], mounts: list[float], loose: list[str]) -> None:
    database, blobs = store.database, store.blobs
    config = blobs.put(b"{}")
    for name in ("named", "base"):
        layer = Descriptor(LAYER, blobs.put(name.encode()), len(name))
        manifest = canonical(Manifest(Descriptor(LAYER, config, 2), (layer,), MANIFEST, {"name": name}).to_json())
        digest = blobs.put(manifest)
        if name == "named":
            store.names.put("docker.io/library/n:latest", Descriptor(MANIFEST, digest, len(manifest)))
        else:
            database.facts.put_image("docker.io/library/b:latest", "linux/amd64", digest)
    state = ""
    for i, (given_by, directory, blob, age, kind) in enumerate(layers):
        layer_id = f"l{i}"
        database.put_layer(layer_id)
        if directory:
            made = Path(store.layer_directory(layer_id))
            made.mkdir()
            (made / "f").write_bytes(b"x" * 3000)
            database.put_directory(layer_id, "mine", layer_id, 4096)
        for name in filter(None, blob.split("+")):
            data = f"own {i}" if name == "own" else name
            digest = blobs.put(data.encode())
            database.put_form(FormRow(layer_id, f"e {name}", digest, len(data), LAYER, digest))
        database.rows("UPDATE layer SET used = ? WHERE id = ?", NOW - age, layer_id)
        if given_by:
            components = f'[["kind","x"],["state before","{state}"]]'
            state = f"{i:064}"
            row = RecordRow(f"k{i}", state, layer_id, kind, f"step {i}", components, 1.0, NOW - age, NOW - age, 1)
            database.put_record(row)
    for i, age in enumerate(mounts):
        os.makedirs(store.path("mounts", f"m{i}"))
        Path(store.path("mounts", f"m{i}", "f")).write_bytes(b"y" * 5000)
        database.put_mount(f"m{i}", f"m{i}")
        database.rows("UPDATE mount SET used = ? WHERE id = ?", NOW - age, f"m{i}")
    for what in loose:
        if what == "blob":
            blobs.put(b"nobody needs this")
        elif what == "directory":
            os.mkdir(store.layer_directory("nobodys"))
        elif what == "listing":
            Path(store.path("listings", "nobodys")).write_bytes(b"z")
        else:
            dead = os.fork()
            if dead == 0:
                os._exit(0)
            os.waitpid(dead, 0)
            os.mkdir(store.path("tmp", f"{dead}-step-x"))


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    LAYERS,
    MOUNTS,
    LOOSE,
    FILTERS,
    st.booleans(),
    st.none() | st.sampled_from([1.0, 50_000.0]),
    st.none() | st.sampled_from([0, 20_000, 1 << 30]),
)
# The manifest of a base goes, as no piece of an image; its layer is an image's all the same, and no leftover.
@example(
    [*[(True, False, "", 10.0, "COPY")] * 2, (False, True, "base", 10.0, "COPY"), (False, True, "", 10.0, "COPY")],
    [],
    [],
    ["type=internal"],
    True,
    None,
    0,
)
def test_what_is_foreseen_is_what_goes(
    layers: list[tuple[bool, bool, str, float, str]],
    mounts: list[float],
    loose: list[str],
    filters: list[str],
    everything: bool,
    age: float | None,
    keep_bytes: int | None,
) -> None:
    with tempfile.TemporaryDirectory() as root, Store(root) as store:
        fill(store, layers, mounts, loose)
        collection = Collector(store, Privilege())
        chosen = choice(filters, lambda piece: not collection.may_go(piece)) if filters else None
        before = None if age is None else NOW - age
        limits = Limits(everything, before, keep_bytes, chosen)
        there = {piece.id for piece in collection.pieces(everything)}
        foreseen = {p.id for c in collection.candidates(limits) for p in c.pieces}
        list(collection.collect(limits))
        assert there - {piece.id for piece in collection.pieces(everything)} == foreseen
        if keep_bytes is None and before is None and chosen is None:
            # What is left is needed: also what some of the removed things had in common.
            assert not {p.id for c in collection.candidates(limits) for p in c.pieces}


def test_the_one_that_an_id_names_and_nothing_else(tmp_path: Path) -> None:
    with Store(str(tmp_path)) as store:
        layers = [
            (True, True, "own", 10.0, "RUN"),
            (False, True, "own", 10.0, "RUN"),
            (False, False, "named", 1.0, "RUN"),
        ]
        fill(store, layers, [10.0], ["blob", "directory", "listing", "temporary"])
        collection = Collector(store, Privilege())
        chosen = choice(("id=m0",), lambda piece: False)
        gone = list(collection.collect(Limits(everything=True, chosen=chosen)))
        assert [(g.kind, g.name) for g in gone] == [("mount", "m0")]
