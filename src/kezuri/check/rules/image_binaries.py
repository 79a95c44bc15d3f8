"""ELF files that nothing in the image can load: for another C library, without their loader or libraries, for another
machine."""

import re
from collections.abc import Iterator

from kezuri.check.image.binaries import Binaries, Binary
from kezuri.check.image.linking import Linking, package_of
from kezuri.check.image.rule import ImageExample, ImageLook, ImageRule, ImageSide, Made
from kezuri.check.image.start import start_programs
from kezuri.check.image.subject import Image, abridged
from kezuri.check.image.texts import Texts
from kezuri.check.rule import Finding, Level
from kezuri.elf.machines import architecture, c_library, runs_on
from kezuri.elf.minimal import minimal_elf

_LOADER = "/lib64/ld-linux-x86-64.so.2"
_MUSL = "/lib/ld-musl-x86_64.so.1"
_ON_PATH = ("usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin", "sbin", "bin")
_DRIVERS = ("libcuda.so", "libnvidia-", "libnvcuvid.so", "libGLX_nvidia", "libcudadebugger.so", "libnvoptix.so")
"""What the machine's own graphics driver puts into a container when it starts."""
_LIBC_WORDS = re.compile(r"[-_.]?(?:linux)?[-_.]?(?:gnueabihf|musleabihf|gnu|glibc|musl)|[-_.]linux")


def _binaries(image: Image) -> list[Binary]:
    """The files to look at: all of the image where they were gathered, else what a container starts."""
    if image.has_gathered(Binaries):
        return image.gathered(Binaries).found
    found = []
    for path in start_programs(image):
        program = image.program(path)
        if program is not None and program.elf is not None:
            found.append(Binary(path, image.layer_of(path), program.elf, True))
    return found


def _listed(paths: list[str]) -> str:
    shown = ", ".join(f"/{abridged(path, 100)}" for path in paths[:3])
    return shown if len(paths) <= 3 else f"{shown} and {len(paths) - 3} more"


class ModulesForOtherLibc(ImageSide):
    """Compares the C library that modules of packages were built for with that of the image. A package that brings
    files for both is all right."""

    of = "libraries.ModulesOfOtherLibc"
    needs = (Binaries, Texts)
    bad = ImageExample(
        "FROM node:20 AS builder\nWORKDIR /app\nRUN npm ci\nFROM node:20-alpine\nCOPY --from=builder /app /app\n",
        {"lib/ld-musl-x86_64.so.1": Made(minimal_elf(library=True), 0o755)},
        {"app/node_modules/@a/b-linux-x64-gnu/b.node": Made(minimal_elf(needed=("libc.so.6",), library=True))},
    )
    good = ImageExample(
        (
            "FROM node:20-alpine AS builder\nWORKDIR /app\nRUN npm ci\nFROM node:20-alpine\nCOPY --from=builder /app "
            "/app\n"
        ),
        {"lib/ld-musl-x86_64.so.1": Made(minimal_elf(library=True), 0o755)},
        {
            "app/node_modules/@a/b-linux-x64-musl/b.node": Made(
                minimal_elf(needed=("libc.musl-x86_64.so.1",), library=True)
            )
        },
    )

    def look(self, image: Image) -> Iterator[Finding]:
        yield from _foreign(self, image, programs=False)


class ProgramForOtherLibc(ImageSide):
    """Compares the C library that programs were built for with that of the image."""

    of = "libraries.ProgramOfOtherLibc"
    needs = (Binaries, Texts)
    quick = True
    bad = ImageExample(
        "FROM node:20-alpine\nCOPY --from=busybox /bin/wget /usr/local/bin/\n",
        {"lib/ld-musl-x86_64.so.1": Made(minimal_elf(library=True), 0o755)},
        {"usr/local/bin/wget": Made(minimal_elf(_LOADER, ("libc.so.6",)), 0o755)},
        Cmd=["wget"],
    )
    good = ImageExample(
        "FROM node:20-alpine\nCOPY --from=busybox:musl /bin/wget /usr/local/bin/\n",
        {"lib/ld-musl-x86_64.so.1": Made(minimal_elf(library=True), 0o755)},
        {"usr/local/bin/wget": Made(minimal_elf(_MUSL, ("libc.musl-x86_64.so.1",)), 0o755)},
        Cmd=["wget"],
    )

    def look(self, image: Image) -> Iterator[Finding]:
        yield from _foreign(self, image, programs=True)


def _foreign(look: ImageLook, image: Image, programs: bool) -> Iterator[Finding]:
    """Files for the C library that the image does not have."""
    linking = Linking(image)
    if linking.musl == linking.glibc:
        return
    own = "musl" if linking.musl else "glibc"
    served = {_family(each) for each in _binaries(image) if c_library(each.elf) in (own, "")}
    groups: dict[int, list[str]] = {}
    for each in _binaries(image):
        library = c_library(each.elf)
        if library in ("", own) or each.elf.program != programs:
            continue
        if not runs_on(each.elf, image.config.platform.architecture):
            continue
        if each.elf.program:
            if not each.executable or (each.elf.interpreter and linking.exists(each.elf.interpreter)):
                continue
        elif not package_of(each.path):
            continue
        if package_of(each.path) and _family(each) in served:
            continue
        groups.setdefault(each.layer, []).append(each.path)
    other = "glibc" if own == "musl" else "musl"
    for layer, paths in sorted(groups.items()):
        if len(paths) == 1:
            message = f"{_listed(paths)} is built for {other}, and the image has {own}"
            hint = "install it in a stage of the final image's family, or link statically"
        else:
            message = f"{_listed(paths)} are built for {other}, and the image has {own}"
            hint = "install them in a stage of the final image's family, or link statically"
        yield look.found(image, image.line(layer), message, hint, "error")


def _family(binary: Binary) -> str:
    """What is the same for a package's files for one C library and for another."""
    package = package_of(binary.path)
    if not package:
        return f"/{binary.path}"
    if "node_modules" in package:
        return _LIBC_WORDS.sub("", package)
    name = binary.path.rpartition("/")[2].partition(".")[0]
    return f"{package}/{name}"


class LoaderMissing(ImageRule):
    """Looks for the loader (PT_INTERP) of every program in the final root."""

    name = "LoaderMissing"
    severity = "error"
    summary = "The loader that a program asks for should be in the image"
    why = (
        "A dynamically linked program names its loader, and the kernel starts that one first. On `scratch` and on "
        "`distroless/static` there is none: the program ends with `no such file or directory`, though it is there. Go "
        "links dynamically as soon as `net` or `os/user` go through cgo; `CGO_ENABLED=0` prevents that. Otherwise take "
        "a base with a C library, such as `distroless/base`."
    )
    japanese = (
        "プログラムが求めるローダーはイメージの中にあるべきです",
        "動的リンクされたプログラムはローダーを指名し、カーネルはまずそれを起動します。`scratch` や "
        "`distroless/static` にはなく、プログラムがそこにあるのに `no such file or directory` で終わります。Go は "
        "`net` や `os/user` が cgo を通ると動的リンクになります（`CGO_ENABLED=0` で防げます）。そうでなければ "
        "`distroless/base` のように C ライブラリーのあるベースを使います。",
    )
    needs = (Binaries, Texts)
    quick = True
    bad = ImageExample(
        "FROM golang AS builder\nRUN go build -o /app\nFROM gcr.io/distroless/static\nCOPY --from=builder /app /app\n",
        {"app": Made(minimal_elf(_LOADER, ("libc.so.6",)), 0o755)},
        Cmd=["/app"],
    )
    good = ImageExample(
        (
            "FROM golang AS builder\nRUN CGO_ENABLED=0 go build -o /app\nFROM gcr.io/distroless/static\nCOPY "
            "--from=builder /app /app\n"
        ),
        {"app": Made(minimal_elf(), 0o755)},
        Cmd=["/app"],
    )

    def look(self, image: Image) -> Iterator[Finding]:
        linking = Linking(image)
        starts = set(start_programs(image))
        groups: dict[tuple[int, str, Level], list[str]] = {}
        for each in _binaries(image):
            loader = each.elf.interpreter
            if not loader or not each.elf.program or not each.executable or linking.exists(loader):
                continue
            if not runs_on(each.elf, image.config.platform.architecture):
                continue
            if linking.musl != linking.glibc and c_library(each.elf) not in ("", "musl" if linking.musl else "glibc"):
                continue  # ProgramForOtherLibc says it.
            level = _weight(image, each, starts)
            if level is not None:
                groups.setdefault((each.layer, loader, level), []).append(each.path)
        for (layer, loader, level), paths in sorted(groups.items()):
            message = f"{_listed(paths)} ask for the loader {loader}, which is not in the image"
            if len(paths) == 1:
                message = f"{_listed(paths)} asks for the loader {loader}, which is not in the image"
            hint = "link it statically (Go: CGO_ENABLED=0), or take a base that has the loader"
            yield self.found(image, image.line(layer), message, hint, level)


def _weight(image: Image, binary: Binary, starts: set[str]) -> Level | None:
    """How much a program counts that cannot be started."""
    if binary.path in starts:
        return "error"
    if image.of_base(binary.layer) or architecture(binary.elf) not in ("", image.config.platform.architecture):
        return None
    directory = binary.path.rpartition("/")[0]
    if directory in _ON_PATH or image.environment.get("PATH", "").split(":").count(f"/{directory}"):
        return "warning"
    if package_of(binary.path) or any(part in ("test", "tests", "testdata") for part in directory.split("/")):
        return None
    return "info"


class LibraryMissing(ImageRule):
    """Looks for the libraries (DT_NEEDED) of programs and of packages' modules, as their loader would."""

    name = "LibraryMissing"
    severity = "error"
    summary = "The libraries that a program needs should be in the image"
    why = (
        "A program was built against libraries of another stage, or a wheel expects one of the system's (`libGL.so.1` "
        "for OpenCV, `libpq.so.5` for psycopg2, `libgomp.so.1` for LightGBM). It ends with `error while loading "
        "shared libraries`, or the import fails. Install the package that has the library in the last stage. The "
        "places that a program names itself (RPATH, RUNPATH), `/etc/ld.so.conf` and LD_LIBRARY_PATH are looked into; "
        "what a graphics driver brings is left out. Of other programs than those that the image starts, a library "
        "only counts that is nowhere in the image."
    )
    japanese = (
        "プログラムが必要とするライブラリーはイメージの中にあるべきです",
        "プログラムが別のステージのライブラリーに対してビルドされたか、wheel がシステムのライブラリー（OpenCV の "
        "`libGL.so.1`、psycopg2 の `libpq.so.5`、LightGBM の `libgomp.so.1` など）を前提としています。`error while "
        "loading shared libraries` で終わるか、import に失敗します。ライブラリーを含むパッケージを最後のステージにイン"
        "ストールします。プログラム自身が指す場所（RPATH、RUNPATH）、`/etc/ld.so.conf`、LD_LIBRARY_PATH も調べます。グ"
        "ラフィックスドライバーが持ち込むものは除きます。イメージが起動するもの以外のプログラムについては、イメージの"
        "どこにもないライブラリーだけを数えます。",
    )
    needs = (Binaries, Texts)
    quick = True
    bad = ImageExample(
        'FROM debian\nCOPY --from=builder /app /app\nCMD ["/app"]\n',
        {"lib64/ld-linux-x86-64.so.2": Made(minimal_elf(library=True), 0o755)},
        {"app": Made(minimal_elf(_LOADER, ("libpq.so.5",)), 0o755)},
        Cmd=["/app"],
    )
    good = ImageExample(
        'FROM debian\nRUN apt-get update && apt-get install -y libpq5\nCOPY --from=builder /app /app\nCMD ["/app"]\n',
        {
            "lib64/ld-linux-x86-64.so.2": Made(minimal_elf(library=True), 0o755),
            "usr/lib/x86_64-linux-gnu/libpq.so.5": Made(minimal_elf(library=True, soname="libpq.so.5")),
        },
        {"app": Made(minimal_elf(_LOADER, ("libpq.so.5",)), 0o755)},
        Cmd=["/app"],
    )

    def look(self, image: Image) -> Iterator[Finding]:
        linking = Linking(image)
        starts = set(start_programs(image))
        whole = image.has_gathered(Binaries)
        anywhere = image.gathered(Binaries).basenames if whole else {}
        own = "musl" if linking.musl else "glibc"
        groups: dict[tuple[int, str, Level], list[str]] = {}
        for each in _binaries(image):
            elf = each.elf
            if not elf.needed or not runs_on(elf, image.config.platform.architecture):
                continue
            if elf.program:
                if not each.executable or not linking.exists(elf.interpreter):
                    continue
                level = _weight(image, each, starts)
                lacking = linking.lacking(each.path, elf) if level else ()
                if each.path not in starts:
                    lacking = tuple(name for name in lacking if name not in anywhere)
            elif package_of(each.path) and not image.of_base(each.layer):
                if not (linking.musl or linking.glibc) or c_library(elf) not in ("", own):
                    continue
                level = "warning"
                lacking = tuple(name for name in elf.needed if name not in anywhere and not _of_libc(name))
            else:
                continue
            for name in lacking if linking.sure else ():
                if level is not None and not name.startswith(_DRIVERS):
                    groups.setdefault((each.layer, name, level), []).append(each.path)
        # What the same files lack is said once.
        together: dict[tuple[int, Level, tuple[str, ...], str], list[str]] = {}
        for (layer, name, level), paths in sorted(groups.items()):
            elsewhere = anywhere.get(name, [""])[0]
            together.setdefault((layer, level, tuple(paths), elsewhere), []).append(name)
        for (layer, level, files, elsewhere), lacked in sorted(together.items()):
            shown, libraries = _listed(list(files)), _named(lacked)
            if elsewhere:
                message = f"the loader does not find {libraries} for {shown}: it is at /{elsewhere}"
            elif len(files) == 1:
                message = f"{shown} needs {libraries}, which is not in the image"
                if len(lacked) > 1:
                    message = f"{shown} needs {libraries}, which are not in the image"
            else:
                message = f"{shown} need {libraries}, which is not in the image"
                if len(lacked) > 1:
                    message = f"{shown} need {libraries}, which are not in the image"
            hint = "install the package that has it in the last stage, or copy it with the program"
            yield self.found(image, image.line(layer), message, hint, level)


def _named(libraries: list[str]) -> str:
    shown = ", ".join(abridged(name) for name in libraries[:5])
    return shown if len(libraries) <= 5 else f"{shown} and {len(libraries) - 5} more"


def _of_libc(name: str) -> bool:
    """Whether a library comes with every C library (musl has them all in one file)."""
    return name.startswith(("libc.so", "libc.musl", "ld-linux", "ld-musl", "ld64", "linux-vdso"))


class ForeignArchitecture(ImageRule):
    """Compares the machine of programs and modules with the image's architecture."""

    name = "ForeignArchitecture"
    severity = "error"
    summary = "Programs should be for the architecture that the image says it is for"
    why = (
        "A program for another machine ends with `exec format error`, or runs many times slower where the machine "
        "emulates it. It happens when `GOARCH=amd64` or a URL with `x86_64` in it is written out in a Dockerfile that "
        "is built with `--platform`, and when a binary of the builder's machine is copied in. ARG TARGETARCH names the "
        "architecture that is built for."
    )
    japanese = (
        "プログラムは、イメージが宣言するアーキテクチャー向けであるべきです",
        "別のマシンのプログラムは `exec format error` で終わるか、エミュレーションで何倍も遅く動きます。`--platform` "
        "でビルドする Dockerfile に `GOARCH=amd64` や `x86_64` を含む URL が書かれている場合や、ビルドするマシンのバイ"
        "ナリーをコピーした場合に起こります。ビルド対象のアーキテクチャーは ARG TARGETARCH が示します。",
    )
    needs = (Binaries,)
    quick = True
    bad = ImageExample(
        'FROM --platform=linux/arm64 scratch\nCOPY server-amd64 /server\nCMD ["/server"]\n',
        {"server": Made(minimal_elf(), 0o755)},
        Cmd=["/server"],
        architecture="arm64",
    )
    good = ImageExample(
        'FROM --platform=linux/arm64 scratch\nCOPY server-arm64 /server\nCMD ["/server"]\n',
        {"server": Made(minimal_elf(machine=183), 0o755)},
        Cmd=["/server"],
        architecture="arm64",
    )

    def look(self, image: Image) -> Iterator[Finding]:
        wanted = image.config.platform.architecture
        starts = set(start_programs(image))
        every = _binaries(image)
        served = {package_of(each.path) for each in every if architecture(each.elf) == wanted} - {""}
        families = {_machine_less(package) for package in served}
        groups: dict[tuple[int, str, Level], list[str]] = {}
        for each in every:
            if runs_on(each.elf, wanted):
                continue
            package = package_of(each.path)
            if package:
                if package in served or _machine_less(package) in families or each.elf.program:
                    continue
                level: Level | None = "warning"
            elif each.elf.program and each.executable:
                level = _weight(image, each, starts)
            else:
                continue
            if level in ("error", "warning"):
                groups.setdefault((each.layer, architecture(each.elf), level), []).append(each.path)
        for (layer, found, level), paths in sorted(groups.items()):
            message = f"{_listed(paths)} are for {found}, and the image for {wanted}"
            if len(paths) == 1:
                message = f"{_listed(paths)} is for {found}, and the image for {wanted}"
            hint = "build or fetch it for $TARGETARCH, which ARG TARGETARCH makes known"
            yield self.found(image, image.line(layer), message, hint, level)


_MACHINE_WORDS = re.compile(
    r"x64|x86[-_]64|amd64|arm64|aarch64|armv?[5-8]?(?:hf|l)?|ia32|i?[36]86|riscv64|ppc64(?:le)?|s390x"
)


def _machine_less(package: str) -> str:
    return _LIBC_WORDS.sub("", _MACHINE_WORDS.sub("", package))


RULES = (LoaderMissing(), LibraryMissing(), ForeignArchitecture())
SIDES = (ModulesForOtherLibc(), ProgramForOtherLibc())
