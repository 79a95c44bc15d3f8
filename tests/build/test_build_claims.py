"""An image that claims another image's diff id over other bytes harms nobody but itself."""

from collections import Counter
from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from tests.build.build_workshop import Workshop, oci, tar_of, write_layout

from kezuri.diagnostics import KezuriError
from kezuri.images.layout import Layout
from kezuri.oci.descriptor import Descriptor, digest_of
from kezuri.store.store import Store

HONEST = tar_of(("etc", None), ("etc/passwd", b"app:x:7:8::/:/bin/sh\n"), ("bin", None), ("bin/sh", b"honest"))
EVIL = tar_of(("evil", b"other bytes\n"))
METADATA = "FROM {}\nLABEL a=b\n"
LOOKS = "FROM {}\nCOPY --chown=app f /g\nWORKDIR /w\n"


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    shop = Workshop(tmp_path)
    shop.write(f="content")
    write_layout(tmp_path / "honest", [HONEST])
    write_layout(tmp_path / "evil", [EVIL], claims=[HONEST])
    return shop


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each blob was brought."""
    count: Counter[str] = Counter()
    fetch: Callable[..., Any] = Layout.fetch

    def counting(self: Layout, descriptor: Descriptor, *rest: Any) -> Any:
        count[descriptor.digest] += 1
        return fetch(self, descriptor, *rest)

    monkeypatch.setattr(Layout, "fetch", counting)
    return count


def build(shop: Workshop, text: str, *names: str) -> list[str]:
    """The digests of the layers that the image leaves with."""
    result = shop.build(
        text.format(*names),
        build_contexts=tuple((name, f"oci-layout://{shop.directory / name}") for name in ("honest", "evil")),
        outputs=oci(shop.directory / "out.tar"),
        tags=("x",),
    )
    return [str(layer["digest"]) for layer in shop.manifest(result)["layers"]]


ORDERS = [
    *permutations(["honest metadata", "honest looks", "evil metadata"]),
    *permutations(["honest looks", "evil metadata", "evil looks"]),
]


@pytest.mark.parametrize("order", ORDERS)
def test_the_honest_image_builds_right_whatever_was_built_before(
    shop: Workshop, fetched: Counter[str], order: tuple[str, ...]
) -> None:
    for what in order:
        name, _, how = what.partition(" ")
        text = METADATA if how == "metadata" else LOOKS
        if name == "honest":
            assert build(shop, text, name)[0] == digest_of(HONEST)
            continue
        try:
            # The other image leaves with its own bytes, or with those that its config names: that is its affair.
            assert build(shop, text, name)[0] in (digest_of(HONEST), digest_of(EVIL))
        except KezuriError as error:
            assert how == "looks" and "its content has the digest" in str(error)
    assert fetched[digest_of(HONEST)] == 1
    assert shop.check() == []


@pytest.mark.slow
@pytest.mark.parametrize(("first", "second"), [("honest", "evil"), ("evil", "honest")])
def test_both_in_one_build(shop: Workshop, first: str, second: str) -> None:
    text = "FROM {} AS a\nCOPY --link f /g\nFROM {}\nCOPY --from=a /etc/passwd /h\nCOPY --chown=app f /i\n"
    base = build(shop, text, first, second)[0]
    assert base == digest_of(HONEST) or second == "evil"
    assert shop.blob(digest_of(HONEST)) == HONEST
    assert build(shop, METADATA, "honest") == [digest_of(HONEST)]


def test_a_blob_that_was_packed_here_needs_no_second_look(shop: Workshop) -> None:
    build(shop, "FROM scratch\nCOPY f /g\n")
    with Store(str(shop.root)) as store:
        (packed,) = store.database.forms()
    shop.build("FROM x\nLABEL c=d\n", tags=("y",))
    with Store(str(shop.root)) as store:
        (pulled,) = (form for form in store.database.forms() if form.pulled)
        assert pulled.digest == packed.digest and pulled.verified


def test_what_is_seen_to_be_right_is_remembered(shop: Workshop) -> None:
    build(shop, METADATA, "honest")
    with Store(str(shop.root)) as store:
        assert [form.verified for form in store.database.forms(digest_of(HONEST))] == [False]
    build(shop, LOOKS, "honest")
    with Store(str(shop.root)) as store:
        assert [form.verified for form in store.database.forms(digest_of(HONEST))] == [True]
