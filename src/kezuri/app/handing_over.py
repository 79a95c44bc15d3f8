"""`--load`: a built image handed to docker or podman, through the archive that both read."""

from typing import Literal

from kezuri.diagnostics import KezuriError
from kezuri.export.image import Exported
from kezuri.export.layout import write_tar
from kezuri.progress.events import WorkName
from kezuri.progress.reporter import Reporter
from kezuri.store.store import Store
from kezuri.transfer.engines import loading

_ENGINES: tuple[Literal["docker", "podman"], ...] = ("docker", "podman")


def hand_over(engine: str, image: Exported, store: Store, epoch: int | None, reporter: Reporter) -> None:
    """Have docker or podman load the image: the `engine` that is named; else the first of the two that is installed and
    takes it. Where neither is installed the store has the image, and a step says that. KezuriError when those that are
    there do not take it."""
    from shutil import which

    there = [name for name in _ENGINES if (name == engine if engine else which(name))]
    if not there:
        with reporter.step(WorkName("no docker or podman to load the image into: it is in the store of kezuri")):
            return
    failures: list[str] = []
    for name in there:
        with reporter.step(WorkName(f"loading into {name}")) as ticket:
            try:
                with loading(name) as sink:
                    write_tar(image, sink, store.blobs.open, docker=True, epoch=epoch)
                return
            except KezuriError as error:
                failures.append(str(error))
                if name == there[-1]:
                    raise KezuriError.of(
                        "; ".join(failures),
                        hint="the image is built, and in the store of kezuri: without --load it stays there",
                        exit_code=125,
                    ) from error
                ticket.output(2, f"{error}\n".encode())
