"""Machines that build the same context, each with a store of its own."""

from pathlib import Path

from tests.build.build_workshop import Workshop

STAGES = """\
FROM scratch AS parts
COPY parts /parts
COPY more /more
FROM scratch
COPY top /top
COPY --from=parts /parts/a /a
COPY end /end
"""


def machine_of(tmp_path: Path, name: str) -> Workshop:
    """The machine of this name, with the context of STAGES."""
    shop = Workshop(tmp_path, tmp_path / f"store-{name}")
    shop.write(parts__a="a", parts__b="b", more="m" * 5000, top="top", end="end", Dockerfile=STAGES)
    return shop
