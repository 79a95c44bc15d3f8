"""Which base images can be assembled, under the official images' names."""

from kezuri.bases import golang, java, node, python, uv
from kezuri.bases.alpine import ALPINE, BUSYBOX, RELEASE
from kezuri.bases.debian import DEBIAN
from kezuri.bases.distroless import NONROOT, STATIC
from kezuri.bases.elf import MACHINES
from kezuri.bases.nginx import NGINX
from kezuri.bases.recipe import Recipe
from kezuri.bases.system_files import BUNDLE
from kezuri.oci import ImageConfig, Platform, Reference

_LIBRARY = "docker.io/library"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_JAVA = (f"JAVA_HOME=/{java.HOME}", f"PATH=/{java.HOME}/bin:{_PATH}", "LANG=C.UTF-8")


def recipes(platform: Platform | None = None) -> tuple[Recipe, ...]:
    """All recipes for the platform, this machine's when none is given; empty where it is neither amd64 nor arm64."""
    system = platform or Platform.host()
    for accepted in system.accepted():
        if accepted.os == "linux" and accepted.architecture in MACHINES and not accepted.variant:
            return (
                _alpine(accepted),
                _busybox(accepted),
                _debian(accepted),
                _python(accepted),
                *(_golang(release, accepted) for release in golang.RELEASES),
                _golang(golang.RELEASES[-1], accepted, "1.17", "1.17.2"),
                *(_node(release, accepted) for release in node.RELEASES),
                *(_node_on_debian(release, accepted) for release in node.RELEASES),
                _nginx(accepted),
                _uv(accepted),
                _java(accepted),
                _maven(accepted),
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


def _debian(platform: Platform) -> Recipe:
    tags = [f"{name}{slim}" for name in ("trixie", "13", "latest", "bookworm", "12") for slim in ("-slim", "")]
    return Recipe(
        f"{_LIBRARY}/debian:{tags[0]}",
        tuple(f"{_LIBRARY}/debian:{tag}" for tag in (*tags[1:], "stable-slim") if tag != "latest-slim"),
        platform,
        (DEBIAN,),
        ImageConfig(platform, env=(f"PATH={_PATH}",), cmd=("bash",)),
        "not the official image, but Debian 13's own packages, unpacked and recorded without running their scripts,"
        " the same for Debian 12",
    )


def _python(platform: Platform) -> Recipe:
    versions = (python.OFFERED, python.VERSION, "3")
    tags = [f"{v}-slim{suite}" for v in versions for suite in ("", "-bookworm", "-trixie")] + [*versions, "slim"]
    return Recipe(
        f"{_LIBRARY}/python:{tags[0]}",
        tuple(f"{_LIBRARY}/python:{tag}" for tag in tags[1:]),
        platform,
        (DEBIAN, python.PYTHON),
        ImageConfig(platform, env=(f"PATH={_PATH}", "LANG=C.UTF-8"), cmd=("python3",)),
        f"not Python {python.OFFERED}, but Debian's Python {python.VERSION} in /usr/local with pip, over a stand-in for"
        " Debian: no compiler, no headers",
        (("PYTHON_VERSION", f"python{python.VERSION}"),),
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


def _node_on_debian(release: node.Release, platform: Platform) -> Recipe:
    suites = ("", "-slim", "-bookworm", "-bookworm-slim", "-trixie", "-trixie-slim")
    tags = [f"{version}{suite}" for version in (release.major, release.version) for suite in suites]
    return Recipe(
        f"{_LIBRARY}/node:{tags[0]}",
        tuple(f"{_LIBRARY}/node:{tag}" for tag in tags[1:]),
        platform,
        (DEBIAN, node.ON_DEBIAN, node.layer(release, platform)),
        ImageConfig(
            platform,
            env=(f"PATH={_PATH}", f"NODE_VERSION={release.version}", f"YARN_VERSION={node.YARN.version}"),
            entrypoint=("docker-entrypoint.sh",),
            cmd=("node",),
        ),
        f"not the official image, but nodejs.org's Node.js {release.version} from the npm registry over a stand-in for"
        " Debian, the same with -slim and without: no compiler, no git (apt-get install brings them)",
    )


def _nginx(platform: Platform) -> Recipe:
    return Recipe(
        f"{_LIBRARY}/nginx:alpine",
        tuple(f"{_LIBRARY}/nginx:{tag}" for tag in ("1-alpine", "stable-alpine", "mainline-alpine", "alpine-slim")),
        platform,
        (ALPINE, NGINX),
        ImageConfig(
            platform,
            env=(f"PATH={_PATH}",),
            entrypoint=("/docker-entrypoint.sh",),
            cmd=("nginx", "-g", "daemon off;"),
            exposed_ports=("80/tcp",),
            stop_signal="SIGQUIT",
        ),
        "not the official image, but Debian's nginx with Debian's libraries over a stand-in for Alpine Linux:"
        " no musl, no package manager, no templates in the entrypoint",
        (("NGINX_VERSION", "nginx"),),
    )


def _uv(platform: Platform) -> Recipe:
    short = uv.VERSION.rpartition(".")[0]
    return Recipe(
        "ghcr.io/astral-sh/uv:latest",
        tuple(f"ghcr.io/astral-sh/uv:{tag}" for tag in (uv.VERSION, short)),
        platform,
        (uv.layer(platform),),
        ImageConfig(platform, env=(f"PATH={_PATH}",), entrypoint=("/uv",), working_dir="/io"),
        f"not the official image, but uv {uv.VERSION} and uvx from the Python Package Index",
    )


def _java(platform: Platform) -> Recipe:
    tags = [f"{version}-jre{suite}" for version in (java.OFFERED, java.VERSION) for suite in ("", "-jammy", "-noble")]
    return Recipe(
        f"{_LIBRARY}/eclipse-temurin:{tags[0]}",
        tuple(f"{_LIBRARY}/eclipse-temurin:{tag}" for tag in tags[1:]),
        platform,
        (DEBIAN, java.RUNTIME),
        ImageConfig(platform, env=_JAVA, cmd=("bash",)),
        f"not Temurin, nor Java {java.OFFERED}, but Debian's OpenJDK {java.VERSION} without a desktop, over a stand-in"
        " for Debian instead of Ubuntu",
        (("JAVA_VERSION", f"openjdk-{java.VERSION}-jre-headless"),),
        java.libraries(platform),
    )


def _maven(platform: Platform) -> Recipe:
    tags = [f"3{minor}-eclipse-temurin-{version}" for version in (java.OFFERED, java.VERSION) for minor in (".9", "")]
    return Recipe(
        f"{_LIBRARY}/maven:{tags[0]}",
        tuple(f"{_LIBRARY}/maven:{tag}" for tag in tags[1:]),
        platform,
        (DEBIAN, java.RUNTIME, java.MAVEN),
        ImageConfig(platform, env=(*_JAVA, "MAVEN_HOME=/usr/share/maven"), cmd=("mvn",)),
        f"not the official image, but Debian's Maven and OpenJDK {java.VERSION} over a stand-in for Debian",
        (("JAVA_VERSION", f"openjdk-{java.VERSION}-jre-headless"), ("MAVEN_VERSION", "maven")),
        java.libraries(platform),
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
