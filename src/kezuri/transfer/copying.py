"""One image copied from a source to a destination."""

from contextlib import ExitStack
from typing import NamedTuple

from kezuri.diagnostics import KezuriError
from kezuri.oci.descriptor import Descriptor, Index
from kezuri.oci.platform import Platform
from kezuri.transfer.doors import Destination, Progress, Source
from kezuri.transfer.walking import Walk, image_for


class Wish(NamedTuple):
    """What of an image is copied: everything, or with `platform` that platform's image. `referrers`: also what refers
    to it (signatures, attestations, SBOMs). `partial`: of an index only what the source has."""

    platform: Platform | None = None
    referrers: bool = False
    partial: bool = False


class Copied(NamedTuple):
    """What was copied: the root's descriptor, the blobs in all and how many of them were at the destination already,
    and the entries of indexes that the source lacked."""

    descriptor: Descriptor
    blobs: int
    there: int
    lacking: tuple[Descriptor, ...] = ()


def copy(source: Source, destination: Destination, wish: Wish, progress: Progress) -> Copied:
    """Copy the image, byte for byte, so that it has the same digest afterwards; only where the destination cannot hold
    it as it is (an archive for docker) is an index narrowed to one platform, and zstd made plain. The name comes last:
    until then nobody sees anything of it."""
    root = source.root()
    platform = wish.platform
    if platform is None and destination.single:
        platform = Platform.host()
    if platform is not None:
        root = image_for(source, root, platform)
    with ExitStack() as held:
        if destination.single:
            from kezuri.transfer.plain_layers import PlainLayers

            plain = PlainLayers(source)
            held.callback(plain.close)
            made = plain.manifest(root)
            if made is not root:
                source, root = plain, made
        load = Walk(source, partial=wish.partial).load(root, referrers=wish.referrers)
        if load.lacking and isinstance(root.content, Index) and len(load.lacking) == len(root.content.manifests):
            raise KezuriError.of(
                f"{source.where}: nothing of the index {root.descriptor.digest} is there", exit_code=125
            )
        there = destination.take(source, load.blobs, progress)
        for document in load.below:
            destination.put(document)
        destination.finish(load.root)
        for document in load.referrers:
            destination.put(document)
        return Copied(root.descriptor, len(load.blobs), there, load.lacking)
