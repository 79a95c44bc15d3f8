"""`--on-error=export`: what a failed step left is written where it was asked for, and nowhere else."""

import os
from pathlib import Path

import pytest
from tests.build.build_busybox import RUNS_STEPS, busybox_layout, busybox_tar
from tests.build.build_workshop import Workshop

from kezuri.app.request import Salvage
from kezuri.diagnostics import KezuriError

pytestmark = RUNS_STEPS


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    busybox_layout(tmp_path / "base", busybox_tar(), "", {})
    return Workshop(tmp_path)


def failing(shop: Workshop, text: str, *salvage: Salvage) -> list[tuple[str, str]]:
    """What a build that fails says after its error, by severity."""
    contexts = (("base", f"oci-layout://{shop.directory / 'base'}"),)
    with pytest.raises(KezuriError) as caught:
        shop.build(f"FROM base\n{text}", build_contexts=contexts, salvage=salvage)
    assert caught.value.exit_code == 1
    first, *rest = caught.value.diagnostics
    assert "did not complete successfully: exit code: 3" in first.message and first.source is not None
    assert shop.leftovers() == [] and shop.check() == []
    return [(diagnostic.severity, diagnostic.message) for diagnostic in rest]


def test_a_directory_a_file_and_what_is_not_there(shop: Workshop, tmp_path: Path) -> None:
    one, two, three = tmp_path / "one", tmp_path / "two" / "deep", tmp_path / "three"
    said = failing(
        shop,
        "WORKDIR /w\nRUN echo old > changed; mkdir -p out/sub; echo a > out/a\n"
        "RUN echo new > changed; rm out/a; echo b > out/sub/b; ln out/sub/b out/sub/same; exit 3",
        Salvage("out", str(one)),
        Salvage("/w/changed", str(two)),
        Salvage("/none", str(three)),
    )
    assert said == [
        ("info", f"2 files of /w/out, as the failed step left it, written to {one}"),
        ("info", f"1 file of /w/changed, as the failed step left it, written to {two}"),
        ("warning", f"the failed step has no /none: nothing is written to {three}"),
    ]
    assert sorted(str(p.relative_to(one)) for p in one.rglob("*")) == ["sub", "sub/b", "sub/same"]
    assert (one / "sub/b").samefile(one / "sub/same") and (one / "sub/b").read_text() == "b\n"
    assert (two / "changed").read_text() == "new\n" and not three.exists()


def test_no_link_leads_out_of_either_side(shop: Workshop, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("of this machine")
    outside = tmp_path / "outside"
    outside.mkdir()
    dest = tmp_path / "dest"
    dest.mkdir()
    (dest / "trap").symlink_to(outside)
    (dest / "file").symlink_to(outside / "victim")
    said = failing(
        shop,
        f"RUN mkdir -p /out/trap; echo x > /out/trap/f; echo y > /out/file; ln -s {tmp_path}/secret /out/link; "
        f"ln -s {tmp_path} /up; exit 3",
        Salvage("/out", str(dest)),
        Salvage("/up", str(tmp_path / "up")),
    )
    assert said[0][0] == "info" and said[1][0] == "warning" and "has no /up" in said[1][1]
    assert list(outside.iterdir()) == []
    assert (dest / "trap/f").read_text() == "x\n" and not (dest / "trap").is_symlink()
    assert os.readlink(dest / "link") == f"{tmp_path}/secret" and (dest / "file").read_text() == "y\n"


def test_mounts_are_named(shop: Workshop, tmp_path: Path) -> None:
    said = failing(
        shop,
        "RUN --mount=type=cache,target=/w/c --mount=type=tmpfs,target=/t echo x > /w/c/f; echo y > /w/y; exit 3",
        Salvage("/t/a", str(tmp_path / "t")),
        Salvage("/w", str(tmp_path / "w")),
    )
    assert said[0] == ("warning", "/t/a was not exported: /t is a mount, not a part of the image")
    assert said[1] == ("info", "what was mounted at /w/c is not exported with /w")
    assert (tmp_path / "w/y").read_text() == "y\n" and not (tmp_path / "t").exists()


def test_a_destination_in_the_way_hides_no_failure(shop: Workshop, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    ((severity, message),) = failing(shop, "RUN echo x > /f; exit 3", Salvage("/f", str(tmp_path / "file")))
    assert severity == "warning" and "/f was not exported" in message and "a file is in the way" in message
    assert (tmp_path / "file").read_text() == "in the way"


def test_a_build_that_succeeds_writes_nothing(shop: Workshop, tmp_path: Path) -> None:
    contexts = (("base", f"oci-layout://{shop.directory / 'base'}"),)
    salvage = (Salvage("/f", str(tmp_path / "out")),)
    shop.build("FROM base\nRUN echo x > /f", build_contexts=contexts, salvage=salvage)
    assert not (tmp_path / "out").exists()
