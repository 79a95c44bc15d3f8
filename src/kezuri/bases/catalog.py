"""Which base images can be assembled, under the official images' names."""

from kezuri.bases.alpine import ALPINE, BUSYBOX, RELEASE
from kezuri.bases.distroless import NONROOT, STATIC
from kezuri.bases.elf import MACHINES
from kezuri.bases.golang import GOLANG, VERSION
from kezuri.bases.recipe import Recipe
from kezuri.bases.system_files import BUNDLE
from kezuri.oci import ImageConfig, Platform, Reference

SUITE = "trixie"
"""The Debian release that everything is taken from."""

_LIBRARY = "docker.io/library"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def recipes(platform: Platform | None = None) -> tuple[Recipe, ...]:
    """All recipes for the platform, this machine's when none is given; empty where it is neither amd64 nor arm64."""
    system = platform or Platform.host()
    for accepted in system.accepted():
        if accepted.os == "linux" and accepted.architecture in MACHINES and not accepted.variant:
            return (
                _alpine(accepted),
                _busybox(accepted),
                _golang(accepted),
                _static(accepted, nonroot=False),
                _static(accepted, nonroot=True),
            )
    return ()


def find(reference: Reference, platform: Platform | None = None) -> Recipe | None:
    """The recipe for the image of this name, or None. A reference with a digest has none: no stand-in can be it."""
    if reference.digest:
        return None
    name = str(reference)
    return next((r for r in recipes(platform) if name == r.name or name in r.aliases), None)


def _alpine(platform: Platform) -> Recipe:
    minor = RELEASE.rpartition(".")[0]
    return Recipe(
        f"{_LIBRARY}/alpine:{minor}",
        tuple(f"{_LIBRARY}/alpine:{tag}" for tag in ("latest", "3", RELEASE, "3.21", "3.20", "3.19")),
        platform,
        SUITE,
        (ALPINE,),
        ImageConfig(platform, env=(f"PATH={_PATH}",), cmd=("/bin/sh",), working_dir="/"),
        f"not Alpine Linux, but Debian's static busybox in Alpine {minor}'s layout, the same for every version:"
        " no musl, no package manager",
    )


def _busybox(platform: Platform) -> Recipe:
    return Recipe(
        f"{_LIBRARY}/busybox:latest",
        tuple(f"{_LIBRARY}/busybox:{tag}" for tag in ("1", "1.37", "stable", "musl", "uclibc", "glibc")),
        platform,
        SUITE,
        (BUSYBOX,),
        ImageConfig(platform, env=(f"PATH={_PATH}",), cmd=("sh",)),
        "not the official image, but Debian's static busybox with links for its applets, the same for every variant",
    )


def _golang(platform: Platform) -> Recipe:
    return Recipe(
        f"{_LIBRARY}/golang:{VERSION}-alpine",
        (f"{_LIBRARY}/golang:{VERSION}-alpine{RELEASE.rpartition('.')[0]}",),
        platform,
        SUITE,
        (ALPINE, GOLANG),
        ImageConfig(
            platform,
            env=(f"PATH=/go/bin:/usr/local/go/bin:{_PATH}", "GOTOOLCHAIN=local", "GOPATH=/go"),
            working_dir="/go",
        ),
        f"not the official image, but Debian's Go {VERSION} in /usr/local/go over a stand-in for Alpine Linux:"
        " no C compiler, no git, no package manager",
        (("GOLANG_VERSION", f"golang-{VERSION}-go"),),
    )


def _static(platform: Platform, *, nonroot: bool) -> Recipe:
    tag = "nonroot" if nonroot else "latest"
    repositories = (
        "gcr.io/distroless/static-debian12",
        "gcr.io/distroless/static-debian13",
        "gcr.io/distroless/static",
    )
    names = [f"{repository}:{tag}" for repository in repositories]
    return Recipe(
        names[0],
        tuple(names[1:]),
        platform,
        SUITE,
        (STATIC,),
        ImageConfig(
            platform,
            user=str(NONROOT) if nonroot else "0",
            env=(f"PATH={_PATH}", f"SSL_CERT_FILE=/{BUNDLE}"),
            working_dir="/home/nonroot" if nonroot else "/",
        ),
        "not Google's build, but the same kinds of files from Debian 13's packages:"
        " certificates, time zones, accounts, no shell and no library",
    )
