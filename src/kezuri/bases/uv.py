"""The one layer of uv's stand-in: the programs of its wheel, in the root."""

from collections.abc import Mapping

from kezuri.bases.layer_writer import Files, LayerWriter
from kezuri.bases.recipe import PinnedLayer
from kezuri.bases.wheel import WheelPin
from kezuri.oci import Platform

VERSION = "0.13.9"
_PINS = {
    "amd64": WheelPin(
        "uv",
        VERSION,
        "2c45530751517d6c3bbc69a19473f6effe47cce047bede01ffd8af7ea7b36b25",
        19295638,
        "packages/fe/fe/794884de0efd3ac77a427cab21aa72c0483e100c55a42cd5cbb02c141b84/"
        f"uv-{VERSION}-py3-none-musllinux_1_1_x86_64.whl",
    ),
    "arm64": WheelPin(
        "uv",
        VERSION,
        "5435c5ce14a56431208ca0996416d310f1598e8c2c8ba707688985a16bb82dbe",
        18026789,
        "packages/57/15/94b6cd62ac3ff6550288328e8035288875197cbc183f51554b266a69877b/"
        f"uv-{VERSION}-py3-none-manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64.whl",
    ),
}


def _place(path: str) -> str | None:
    folder, _, name = path.rpartition("/")
    if folder.endswith(".data/scripts"):
        return name
    return f"usr/share/doc/uv/{name}" if folder.endswith(".dist-info/licenses") else None


def _write(layer: LayerWriter, packages: Mapping[str, Files]) -> None:
    layer.take(packages["uv"], _place)


def layer(platform: Platform) -> PinnedLayer:
    """/uv and /uvx, as the official image has them."""
    return PinnedLayer(f"uv-{VERSION}", (_PINS[platform.architecture],), _write)
