"""Which official image another one may stand on, where nothing says it: by its runtime and its distribution."""

from collections.abc import Iterator
from typing import Final

from kezuri.alternatives.tags import CODENAMES
from kezuri.alternatives.values import Contents

_REPOSITORIES: Final = {
    "node": "node", "python": "python", "go": "golang", "ruby": "ruby", "php": "php", "rust": "rust",
    "openjdk": "eclipse-temurin", "redis": "redis", "postgresql": "postgres", "httpd": "httpd", "tomcat": "tomcat",
    "memcached": "memcached", "haproxy": "haproxy", "erlang": "erlang", "elixir": "elixir", "julia": "julia",
}  # fmt: skip
_FULL: Final = frozenset(("gcc", "libc6-dev", "linux-libc-dev"))


def guesses(contents: Contents) -> Iterator[str]:
    """Names of official images, the likeliest first, one of which may be the base: each is to be proved by its
    layers."""
    words = _words(contents)
    for package in contents.runtimes:
        repository = _REPOSITORIES.get(package.name)
        if repository is not None and words:
            parts = package.version.split(".")
            for depth in range(len(parts), 0, -1):
                version = ".".join(parts[:depth])
                yield from (f"{repository}:{version}-{word}" for word in words)
    distribution = contents.distribution
    release = ".".join(distribution.version.split(".")[:2])
    if distribution.id == "alpine" and release:
        yield f"alpine:{release}"
    elif distribution.id in ("debian", "ubuntu") and release:
        code = _codename(distribution.id, release)
        yield from (f"{distribution.id}:{code or release}{end}" for end in ("-slim", ""))


def _words(contents: Contents) -> tuple[str, ...]:
    """How tags say the distribution, the likelier variant first."""
    distribution = contents.distribution
    release = ".".join(distribution.version.split(".")[:2])
    if distribution.id == "alpine":
        return (f"alpine{release}", "alpine") if release else ("alpine",)
    code = _codename(distribution.id, release)
    if not code:
        return ()
    if distribution.id != "debian":
        return (code,)
    full = any(package.name in _FULL for package in contents.packages)
    ways = (code, f"{code}-slim", f"slim-{code}")
    return ways if full else (*ways[1:], code)


def _codename(distribution: str, release: str) -> str:
    return next((word for word, known in CODENAMES.items() if known == (distribution, release)), "")
