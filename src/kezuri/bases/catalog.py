"""Which base images can be assembled, under the official images' names."""

from kezuri.bases import golang, node
from kezuri.bases.alpine import ALPINE, BUSYBOX, RELEASE
from kezuri.bases.distroless import NONROOT, STATIC
from kezuri.bases.elf import MACHINES
from kezuri.bases.recipe import Recipe
from kezuri.bases.system_files import BUNDLE
from kezuri.oci import ImageConfig, Platform, Reference

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
                *(_golang(release, accepted) for release in golang.RELEASES),
                _golang(golang.RELEASES[-1], accepted, "1.17", "1.17.2"),
                *(_node(release, accepted) for release in node.RELEASES),
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
        (BUSYBOX,),
        ImageConfig(platform, env=(f"PATH={_PATH}",), cmd=("sh",)),
        "not the official image, but Debian's static busybox with links for its applets, the same for every variant",
    )


def _golang(release: golang.Release, platform: Platform, *instead_of: str) -> Recipe:
    """Go for Alpine; `instead_of` are versions that no package has, under whose names this one stands in."""
    names = instead_of or (release.version,)
    tags = [f"{name}-alpine{suffix}" for name in names for suffix in ("", RELEASE.rpartition(".")[0])]
    not_this = f"not Go {instead_of[0]}" if instead_of else "not the official image"
    return Recipe(
        f"{_LIBRARY}/golang:{tags[0]}",
        tuple(f"{_LIBRARY}/golang:{tag}" for tag in tags[1:]),
        platform,
        (ALPINE, golang.layer(release)),
        ImageConfig(
            platform,
            env=(f"PATH=/go/bin:/usr/local/go/bin:{_PATH}", "GOTOOLCHAIN=local", "GOPATH=/go"),
            working_dir="/go",
        ),
        f"{not_this}, but Debian's Go {release.version} in /usr/local/go over a stand-in for Alpine Linux:"
        " no C compiler, no git, no package manager",
        (("GOLANG_VERSION", release.package),),
    )


def _node(release: node.Release, platform: Platform) -> Recipe:
    tags = [f"{release.major}-alpine", f"{release.version}-alpine"]
    tags += [f"{tag}{RELEASE.rpartition('.')[0]}" for tag in tags]
    return Recipe(
        f"{_LIBRARY}/node:{tags[0]}",
        tuple(f"{_LIBRARY}/node:{tag}" for tag in tags[1:]),
        platform,
        (ALPINE, node.RUNTIME, node.layer(release, platform)),
        ImageConfig(
            platform,
            env=(f"PATH={_PATH}", f"NODE_VERSION={release.version}", f"YARN_VERSION={node.YARN.version}"),
            entrypoint=("docker-entrypoint.sh",),
            cmd=("node",),
        ),
        f"not the official image, but nodejs.org's Node.js {release.version} from the npm registry, with Debian's"
        " C and C++ libraries, over a stand-in for Alpine Linux: no musl, no compiler, no git, no package manager",
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
