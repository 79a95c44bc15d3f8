"""Where a dynamic loader looks for a library."""

from kezuri.elf.reader import Elf

_GLIBC = {
    "amd64": ("x86_64-linux-gnu", True),
    "386": ("i386-linux-gnu", False),
    "arm64": ("aarch64-linux-gnu", True),
    "arm": ("arm-linux-gnueabihf", False),
    "ppc64le": ("powerpc64le-linux-gnu", True),
    "s390x": ("s390x-linux-gnu", True),
    "riscv64": ("riscv64-linux-gnu", True),
    "loong64": ("loongarch64-linux-gnu", True),
}


def own_path(elf: Elf, directory: str, platform: str = "") -> tuple[str, ...]:
    """The directories that the file itself names, relative to the root; `directory` is where it lies. `$LIB` and
    `$PLATFORM` are tried as what they commonly are."""
    found: list[str] = []
    for path in elf.runpath or elf.rpath:
        for name in ("$ORIGIN", "${ORIGIN}"):
            path = path.replace(name, f"/{directory}" if directory else "")
        choices = [path]
        for name in ("$LIB", "${LIB}"):
            choices = [c.replace(name, lib) for c in choices for lib in (("lib", "lib64") if name in c else ("",))]
        for name in ("$PLATFORM", "${PLATFORM}"):
            choices = [c.replace(name, platform or "x86_64") for c in choices]
        found += choices
    return tuple(found)


def common_path(architecture: str) -> tuple[str, ...]:
    """Where loaders look without being told, whatever the distribution."""
    triplet, wide = _GLIBC.get(architecture, ("", True))
    found = [f"{base}/{triplet}" for base in ("lib", "usr/lib", "usr/local/lib") if triplet]
    found += ["lib64", "usr/lib64", "usr/local/lib64"] if wide else ["lib32", "usr/lib32"]
    return (*found, "lib", "usr/lib", "usr/local/lib")


def configured(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What a file like /etc/ld.so.conf, or musl's /etc/ld-musl-*.path, says: directories, and files to be read as well
    (`include`), which may hold wildcards."""
    directories: list[str] = []
    includes: list[str] = []
    for line in text.splitlines():
        line = line.partition("#")[0].strip()
        first, _, rest = line.partition(" ")
        if first == "include":
            includes += rest.split()
        elif first == "hwcap":
            continue
        else:
            directories += [path.partition("=")[0] for path in line.replace(":", " ").replace(",", " ").split()]
    return tuple(directories), tuple(includes)
