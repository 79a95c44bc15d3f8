"""What the databases of package managers in an image say about development: tools of builds, dependencies of tests."""

import re
from typing import Final

from kezuri.anatomy.walk import Item
from kezuri.check.image.subject import Gathering
from kezuri.check.image.waste import Heap
from kezuri.packages.python import normalised

COMPILERS: Final = frozenset(
    [
        "gcc",
        "g++",
        "clang",
        "make",
        "cmake",
        "ninja-build",
        "meson",
        "autoconf",
        "automake",
        "build-essential",
        "build-base",
        "gfortran",
        "rustc",
        "rust",
        "cargo",
        "golang",
        "golang-go",
        "go",
        "maven",
        "gradle",
        "openjdk-17-jdk",
        "openjdk-17-jdk-headless",
        "openjdk-21-jdk",
        "openjdk-21-jdk-headless",
        "default-jdk",
        "default-jdk-headless",
        "openjdk17-jdk",
        "openjdk21-jdk",
        "linux-headers",
        "dpkg-dev",
    ]
)
_VERSIONED: Final = re.compile(r"(?:gcc|g\+\+|clang|golang|gfortran)-\d+(?:\.\d+)?$")
PYTHON_TOOLS: Final = frozenset(
    [
        "pytest",
        "coverage",
        "mypy",
        "ruff",
        "black",
        "flake8",
        "pylint",
        "tox",
        "nox",
        "pre-commit",
        "isort",
        "hypothesis",
        "pytest-cov",
        "pytest-asyncio",
        "pytest-mock",
        "pytest-xdist",
        "bandit",
        "sphinx",
        "mkdocs",
        "ipdb",
        "debugpy",
        "pyright",
    ]
)
NODE_TOOLS: Final = frozenset(
    [
        "typescript",
        "eslint",
        "prettier",
        "jest",
        "mocha",
        "vitest",
        "nodemon",
        "ts-node",
        "tsx",
        "webpack",
        "vite",
        "rollup",
        "esbuild",
        "nyc",
        "husky",
        "lint-staged",
        "ts-jest",
        "@types/node",
        "@biomejs/biome",
        "cypress",
        "playwright",
        "@playwright/test",
        "tsup",
        "supertest",
    ]
)


def builds(name: str) -> bool:
    """Whether a package of the system is there to build others."""
    return name in COMPILERS or bool(_VERSIONED.match(name))


_DIST_INFO = re.compile(r"(?:.*/)?(?:site|dist)-packages/([A-Za-z0-9._-]+?)-[^-/]+\.dist-info$")
_TOOLS: Final = {
    "usr/local/go/bin/go": "go",
    "usr/local/cargo/bin/cargo": "cargo",
    "root/.cargo/bin/cargo": "cargo",
    "usr/bin/gcc": "gcc",
    "usr/bin/make": "make",
    "usr/share/maven/bin/mvn": "mvn",
    "opt/java/openjdk/bin/javac": "javac",
}


class Installed(Gathering):
    """Packages of Python and node by directory, with what they weigh, and tools that no database knows."""

    def __init__(self) -> None:
        self.python: dict[str, int] = {}
        """Distributions in site-packages, by name, with their layer."""
        self.node: dict[str, Heap] = {}
        """Packages by their directory."""
        self.layers: dict[str, int] = {}
        """The layer of each of these directories."""
        self.tools: dict[str, int] = {}

    def take(self, item: Item) -> bool:
        """As Gathering says."""
        if not item.visible:
            return False
        path = item.path
        if path in _TOOLS and item.entry.kind in ("file", "symlink", "hardlink"):
            self.tools[_TOOLS[path]] = item.layer
        at = path.rfind("node_modules/")
        if at >= 0 and (not at or path[at - 1] == "/") and item.entry.kind == "file":
            rest = path[at + 13 :].split("/", 2)
            if len(rest) > 1:
                name = "/".join(rest[:2]) if rest[0].startswith("@") else rest[0]
                directory = path[: at + 13] + name
                self.node.setdefault(directory, Heap()).add(item.entry.size, path)
                self.layers[directory] = item.layer
            return False
        if path.endswith(".dist-info/METADATA"):
            found = _DIST_INFO.match(path[:-9])
            if found is not None:
                self.python[normalised(found[1])] = item.layer
        return False
