"""The small registry: it hands out what its layout has, and nothing else of the disk."""

import hashlib
import json
from http.client import HTTPConnection
from pathlib import Path

import pytest
from tests.build.build_workshop import write_layout
from tests.comparison.comparison_images import File, tar

from kezuri.comparison.registry import own


def ask(port: int, path: str, method: str = "GET") -> tuple[int, bytes, str]:
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request(method, path)
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    return answer.status, data, answer.getheader("Docker-Content-Digest", "") or ""


def test_an_image_is_handed_out_whole(tmp_path: Path) -> None:
    layout = tmp_path / "layout"
    write_layout(layout, [tar({"a": File(b"x" * 100_000)})], name="compared/before:latest")
    (tmp_path / "secret").write_text("secret")
    with own(str(layout)) as registry:
        assert ask(registry.port, "/v2/")[0] == 200
        status, manifest, digest = ask(registry.port, "/v2/compared/before/manifests/latest")
        assert status == 200
        assert digest == f"sha256:{hashlib.sha256(manifest).hexdigest()}"
        assert ask(registry.port, f"/v2/compared/before/manifests/{digest}")[1] == manifest
        said = json.loads(manifest)
        for blob in (said["config"], *said["layers"]):
            status, data, _ = ask(registry.port, f"/v2/compared/before/blobs/{blob['digest']}")
            assert (status, f"sha256:{hashlib.sha256(data).hexdigest()}") == (200, blob["digest"])
        assert ask(registry.port, f"/v2/compared/before/blobs/{digest}", "HEAD")[:2] == (200, b"")
        for path in (
            "/v2/compared/before/manifests/other",
            "/v2/compared/after/manifests/latest",
            f"/v2/compared/before/blobs/sha256:{'0' * 64}",
            "/v2/compared/before/blobs/../../../secret",
            "/v2/compared/before/blobs/sha256:../../../../secret",
            "/../secret",
            "/",
        ):
            assert ask(registry.port, path)[0] == 404, path
        assert ask(registry.port, "/v2/compared/before/blobs/uploads/", "POST")[0] == 501


@pytest.mark.slow
def test_kezuri_pulls_from_it(tmp_path: Path) -> None:
    from tests.integration.integration_command import Kezuri

    layout = tmp_path / "layout"
    write_layout(layout, [tar({"a": File(b"x" * 100_000)})], name="compared/before:latest")
    kezuri = Kezuri(tmp_path / "store", tmp_path)
    with own(str(layout)) as registry:
        name = f"127.0.0.1:{registry.port}/compared/before:latest"
        words = ("--format", "json", "--runs", "1", "--bandwidth", "1G", "--rtt", "0", "--no-check")
        both = kezuri("compare", *words, name, f"oci:{layout}:compared/before:latest")
        assert both.code == 0, both.text
        assert kezuri("images", "-q").out == "", "an image that is elsewhere is not kept"
        answer = kezuri("pull", "-q", name)
    assert answer.code == 0, answer.text
    rows = {row["key"]: row for row in json.loads(both.out)["figures"]}
    assert rows["size.wire"]["saved"] == 0
    assert rows["pull"]["before"]["median"] > 0
    assert "build.cold" not in rows, "images are not built"
