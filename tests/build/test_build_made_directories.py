"""Directories that a COPY or WORKDIR makes because something has to lie in them: their time, group and mode."""

import os
import tarfile
from pathlib import Path

import pytest
from tests.build.build_workshop import Workshop

from kezuri.app.request import BuildResult
from kezuri.diagnostics import KezuriError

DOCKERFILE = "FROM scratch\nCOPY f /made/by/copy/\nWORKDIR /made/by/workdir\n"
MADE = ("made", "made/by", "made/by/copy", "made/by/workdir")
EPOCH = 1_000_000_000


def times(shop: Workshop, result: BuildResult) -> list[float]:
    found = shop.members(result)
    return [found[path].mtime for path in MADE]


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    shop = Workshop(tmp_path)
    shop.write(f="f")
    return shop


def test_equal_inputs_give_equal_layers(shop: Workshop, tmp_path: Path) -> None:
    first = shop.build(DOCKERFILE)
    # Long ago enough for every zip archive, and no time of this build.
    assert set(times(shop, first)) == {315_532_800}
    other = Workshop(tmp_path, tmp_path / "other store")
    second = other.build(DOCKERFILE)
    assert shop.manifest(first)["layers"] == other.manifest(second)["layers"]


def test_with_an_epoch_they_have_its_time_whatever_was_built_before(shop: Workshop, tmp_path: Path) -> None:
    shop.build(DOCKERFILE)
    epoch = (("SOURCE_DATE_EPOCH", str(EPOCH)),)
    after = shop.build(DOCKERFILE, build_args=epoch)
    assert shop.said.ran == [] and set(times(shop, after)) == {EPOCH}
    other = Workshop(tmp_path, tmp_path / "other store")
    assert other.build(DOCKERFILE, build_args=epoch).digest == after.digest


@pytest.mark.parametrize("before", ["", "ARG T=1000000000\n"])
def test_the_default_of_a_global_argument_is_an_epoch(shop: Workshop, before: str) -> None:
    default = "$T" if before else str(EPOCH)
    result = shop.build(f"{before}ARG SOURCE_DATE_EPOCH={default}\n{DOCKERFILE}")
    assert set(times(shop, result)) == {EPOCH}
    assert shop.config(result)["created"] == "2001-09-09T01:46:40Z"
    given = shop.build(build_args=(("SOURCE_DATE_EPOCH", "1100000000"),))
    assert set(times(shop, given)) == {1_100_000_000}
    assert set(times(shop, shop.build(build_args=(("SOURCE_DATE_EPOCH", ""),)))) == {315_532_800}


@pytest.mark.parametrize("default", ["stage", "context", "-5", "253402300800", "9" * 5000])
def test_a_default_that_is_no_number_of_seconds(shop: Workshop, default: str) -> None:
    with pytest.raises(KezuriError, match="SOURCE_DATE_EPOCH is a number of seconds") as raised:
        shop.build(f"ARG SOURCE_DATE_EPOCH={default}\n{DOCKERFILE}")
    assert raised.value.exit_code == 1 and raised.value.diagnostics[0].span is not None
    assert shop.build(f"FROM scratch\nARG SOURCE_DATE_EPOCH={default}\nCOPY f /\n").digest, (
        "a stage's own is a variable"
    )


def test_a_set_group_id_directory_hands_on_its_group(shop: Workshop) -> None:
    shared = tarfile.TarInfo("shared")
    shared.type, shared.mode, shared.gid = tarfile.DIRTYPE, 0o2775, 8
    with tarfile.open(shop.context / "shared.tar", "w") as tar:
        tar.addfile(shared)
    text = "FROM scratch\nADD shared.tar /\nWORKDIR /shared/a/b\nCOPY f c/\nUSER 5:6\nWORKDIR /shared/d\n"
    found = shop.members(shop.build(text))
    made = {path: (found[path].mode, found[path].uid, found[path].gid) for path in found if path.startswith("shared/")}
    assert made.pop("shared/d") == (0o2755, 5, 6)
    assert made.pop("shared/a/b/c/f") == (0o644, 0, 0)
    assert made == dict.fromkeys(("shared/a", "shared/a/b", "shared/a/b/c"), (0o2755, 0, 8))


def test_an_epoch_takes_no_times_from_builds_with_another(shop: Workshop, tmp_path: Path) -> None:
    """Whichever is built first, every epoch and none give what they give in a store of their own."""
    text = DOCKERFILE.replace("/made/by/copy/", "/made/by/copy/\nCOPY old new /times/")
    for name, time in (("f", 1_150_000_000), ("old", 1_050_000_000), ("new", 1_250_000_000)):
        shop.write(**{name: name})
        os.utime(shop.context / name, (time, time))
    asked = [(("SOURCE_DATE_EPOCH", epoch),) for epoch in ("1100000000", "1200000000", "", "1000000000")]
    alone = []
    for number, arguments in enumerate(asked):
        other = Workshop(tmp_path, tmp_path / f"store {number}")
        alone.append(other.manifest(other.build(text, build_args=arguments))["layers"])
    assert [shop.manifest(shop.build(text, build_args=arguments))["layers"] for arguments in asked] == alone
    assert shop.said.ran == [] and len({str(layers) for layers in alone}) == 4
    assert shop.check() == []
