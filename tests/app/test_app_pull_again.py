"""An image that the store has already is pulled again: what is asked then, and that nothing is taken for unchanged."""

from pathlib import Path

import pytest
from tests.layer.layer_trees import tar_of
from tests.registry.registry_faults import FaultyRegistry, Handler, Image, make_image, make_index

from kezuri.app.pull import pull
from kezuri.app.request import Settings
from kezuri.diagnostics import KezuriError
from kezuri.layer.entry import Entry
from kezuri.oci import INDEX, digest_of
from kezuri.store.store import Store

pytestmark = pytest.mark.slow


def image(name: str, architecture: str = "amd64") -> Image:
    return make_image(tar_of([(Entry(name, "file", 0o644, size=2), b"ok")]), architecture=architecture)


def pulled(
    server: FaultyRegistry, root: Path, name: str = "app:1", platform: str = "linux/amd64"
) -> tuple[str, list[str]]:
    """The digest that a pull gives, and the requests that it took."""
    server.log.clear()
    digest = pull(Settings(str(root)), f"{server.host}/{name}", platform, lambda event: None)
    return digest, [f"{seen.method} {seen.path.rpartition('/')[2][:12]}" for seen in server.log]


@pytest.mark.parametrize("of_an_index", [False, True])
@pytest.mark.parametrize("by_digest", [False, True])
def test_what_is_unchanged_takes_one_small_request(
    server: FaultyRegistry, tmp_path: Path, of_an_index: bool, by_digest: bool
) -> None:
    one = image("f")
    server.put(one, "1")
    name = f"app@{one.digest}" if by_digest else "app:1"
    if of_an_index:
        index = make_index((one, {"architecture": "amd64", "os": "linux"}))
        server.put_document(index, INDEX, "1")
        name = f"app@{digest_of(index)}" if by_digest else "app:1"
    assert pulled(server, tmp_path, name)[0] == one.digest
    before = (tmp_path / "index.json").read_bytes()
    digest, asked = pulled(server, tmp_path, name)
    assert digest == one.digest and (tmp_path / "index.json").read_bytes() == before
    assert [request.split()[0] for request in asked] == ["HEAD"]


def test_a_tag_that_has_moved_is_followed_and_back(server: FaultyRegistry, tmp_path: Path) -> None:
    old, new = image("old"), image("new")
    server.put(old, "1")
    pulled(server, tmp_path)
    server.put(new, "1")
    digest, asked = pulled(server, tmp_path)
    assert digest == new.digest and asked[0].startswith("HEAD") and asked[1].startswith("GET")
    server.put(old, "1")
    assert pulled(server, tmp_path)[0] == old.digest
    with Store(str(tmp_path)) as store:
        named = store.names.get(f"{server.host}/app:1")
        assert named is not None and named.digest == old.digest


def test_another_platform_is_another_image(server: FaultyRegistry, tmp_path: Path) -> None:
    mine, other = image("f"), image("f", "arm64")
    for one in (mine, other):
        server.put(one)
    index = make_index(
        (mine, {"architecture": "amd64", "os": "linux"}), (other, {"architecture": "arm64", "os": "linux"})
    )
    server.put_document(index, INDEX, "1")
    assert pulled(server, tmp_path)[0] == mine.digest
    assert pulled(server, tmp_path, platform="linux/arm64")[0] == other.digest
    assert pulled(server, tmp_path)[0] == mine.digest


def test_what_the_store_has_lost_is_fetched_again(server: FaultyRegistry, tmp_path: Path) -> None:
    one = image("f")
    server.put(one, "1")
    pulled(server, tmp_path)
    (layer,) = one.layers
    (tmp_path / "blobs" / "sha256" / layer.digest[7:]).unlink()
    _, asked = pulled(server, tmp_path)
    assert asked == ["HEAD 1", f"GET {layer.digest[:12]}"]
    (tmp_path / "blobs" / "sha256" / one.digest[7:]).unlink()
    assert pulled(server, tmp_path)[0] == one.digest


@pytest.mark.parametrize("status", [403, 404, 405, 429])
def test_a_registry_that_refuses_a_look_is_asked_for_the_image(
    server: FaultyRegistry, tmp_path: Path, status: int
) -> None:
    one = image("f")
    server.put(one, "1")
    pulled(server, tmp_path)

    def refuse(handler: Handler, kind: str, data: bytes) -> None:
        handler.refuse(status, "DENIED", "not like this", {"Retry-After": "0"})

    server.on("HEAD", refuse, times=100)
    assert pulled(server, tmp_path)[0] == one.digest
    server.on("GET", refuse, times=100)
    with pytest.raises(KezuriError, match=str(status)):
        pulled(server, tmp_path)


def test_a_registry_that_is_gone_is_an_error_though_the_store_has_the_image(tmp_path: Path) -> None:
    with FaultyRegistry() as server:
        server.put(image("f"), "1")
        pulled(server, tmp_path)
    with pytest.raises(KezuriError, match="connection refused"):
        pulled(server, tmp_path)
