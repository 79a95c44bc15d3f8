"""The layer of distroless static's stand-in: no shell, no library, only what a static program looks for."""

from collections.abc import Mapping

from kezuri.bases.deb import Deb
from kezuri.bases.layer_writer import LayerWriter
from kezuri.bases.recipe import Layer
from kezuri.bases.system_files import Account, accounts, certificates, licence, only, plain, records, zones
from kezuri.oci import Platform

NONROOT = 65532
_DIRECTORIES = (
    "bin boot dev etc home lib proc run sbin sys usr usr/bin usr/lib usr/sbin usr/share var var/backups var/cache"
    " var/lib var/log var/spool"
)


def _static(layer: LayerWriter, debs: Mapping[str, Deb], platform: Platform) -> None:
    for path in _DIRECTORIES.split():
        layer.dir(path)
    layer.dir("root", 0o700)
    layer.dir("home/nonroot", 0o700, NONROOT, NONROOT)
    layer.dir("tmp", 0o1777)
    layer.dir("var/tmp", 0o1777)
    layer.symlink("var/run", "/run")
    layer.symlink("var/lock", "/run/lock")
    layer.dir("run/lock", 0o1777)
    accounts(
        layer,
        (
            Account("root", 0, 0, "/root"),
            Account("nobody", 65534, 65534, "/nonexistent"),
            Account("nonroot", NONROOT, NONROOT, "/home/nonroot"),
        ),
        (("tty", 5), ("staff", 50)),
        shadow=False,
    )
    layer.file("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n")
    layer.take(debs["base-files"], only("etc/debian_version", "etc/host.conf", "etc/issue", "usr/lib/os-release"))
    layer.symlink("etc/os-release", "../usr/lib/os-release")
    layer.take(debs["netbase"], plain)
    layer.take(debs["media-types"], plain)
    certificates(layer, debs["ca-certificates"])
    layer.take(debs["ca-certificates"], licence)
    zones(layer, debs["tzdata"])
    layer.file("etc/timezone", "Etc/UTC\n")
    layer.symlink("etc/localtime", "/usr/share/zoneinfo/Etc/UTC")
    records(layer, {name: debs[name] for name in STATIC.packages})


STATIC = Layer("distroless-static", ("base-files", "ca-certificates", "media-types", "netbase", "tzdata"), _static)
