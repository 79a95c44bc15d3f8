"""Files that are shown and that no program needs to run: what they are told by, and what keeps them out of an image."""

import re
from functools import lru_cache
from typing import Final, NamedTuple

CACHES_RULE: Final = "PackageCacheShipped"
"""The rule about caches of package managers."""
_CACHE = CACHES_RULE
_STRAY_RULE = "StrayFilesShipped"
_TOOLS_RULE = "BuildToolsShipped"


class Kind(NamedTuple):
    """One kind of leftovers: its name in documents, what a sentence calls it, the rule of the checks that finds it
    (empty where none does), and the line of a Dockerfile, or of an ignore file, that mends it."""

    name: str
    words: str
    rule: str = ""
    mending: str = ""


_HOME = r"(?:root|home/[^/]+)"
_APT = "RUN apt-get update && apt-get install -y … && rm -rf /var/lib/apt/lists/*"


def _mounted(target: str, command: str) -> str:
    return f"RUN --mount=type=cache,target={target} {command}"


_PATTERNS: Final = (
    (r"var/lib/apt/lists/(?!lock$|partial$|auxfiles$).+",
     Kind("apt-lists", "the list of packages of apt", _CACHE, _APT)),
    (r"var/cache/apt/(?:archives/.+\.deb|(?:src)?pkgcache\.bin)$",
     Kind("apt-cache", "the cache of apt", _CACHE, "RUN apt-get update && apt-get install -y … && apt-get clean")),
    (r"(?:var/cache|etc)/apk/(?:APKINDEX.+|cache/.+|.+\.apk)$",
     Kind("apk-cache", "the cache of apk", _CACHE, "RUN apk add --no-cache …")),
    (r"var/cache/(?:dnf|yum|libdnf5|zypp)/.+",
     Kind("dnf-cache", "the cache of dnf, yum or zypper", _CACHE, "RUN dnf install -y … && dnf clean all")),
    (_HOME + r"/\.npm/_cacache/.+",
     Kind("npm-cache", "the cache of npm", _CACHE, _mounted("/root/.npm", "npm ci"))),
    (r"(?:usr/local/share|root|home/[^/]+)/\.cache/yarn/.+|" + _HOME + r"/\.yarn/berry/cache/.+",
     Kind("yarn-cache", "the cache of yarn", _CACHE,
          _mounted("/usr/local/share/.cache/yarn", "yarn install --frozen-lockfile"))),
    (_HOME + r"/\.local/share/pnpm/store/.+",
     Kind("pnpm-store", "the store of pnpm", _CACHE,
          _mounted("/root/.local/share/pnpm/store", "pnpm install --frozen-lockfile"))),
    (_HOME + r"/\.cache/pip/.+",
     Kind("pip-cache", "the cache of pip", _CACHE,
          _mounted("/root/.cache/pip", "pip install -r requirements.txt"))),
    (_HOME + r"/\.cache/(?:uv|pypoetry)/.+",
     Kind("uv-cache", "the cache of uv or poetry", _CACHE, _mounted("/root/.cache/uv", "uv sync --frozen"))),
    (_HOME + r"/\.cache/go-build/.+",
     Kind("go-build-cache", "the build cache of Go", _CACHE,
          _mounted("/root/.cache/go-build", "go build -o /server ."))),
    (r"(?:go|root/go|home/[^/]+/go)/pkg/mod/.+",
     Kind("go-modules", "the module cache of Go", _CACHE, _mounted("/go/pkg/mod", "go build -o /server ."))),
    (_HOME + r"/\.m2/repository/.+",
     Kind("maven-repository", "the repository of Maven", _CACHE, _mounted("/root/.m2", "mvn package"))),
    (_HOME + r"/\.gradle/caches/.+",
     Kind("gradle-cache", "the cache of Gradle", _CACHE, _mounted("/root/.gradle", "gradle build"))),
    (r"(?:usr/local/cargo|" + _HOME + r"/\.cargo)/registry/.+",
     Kind("cargo-registry", "the registry of Cargo", _CACHE,
          _mounted("/usr/local/cargo/registry", "cargo build --release"))),
    (_HOME + r"/\.bun/install/cache/.+",
     Kind("bun-cache", "the cache of Bun", _CACHE,
          _mounted("/root/.bun/install/cache", "bun install --frozen-lockfile"))),
    (_HOME + r"/\.composer/cache/.+",
     Kind("composer-cache", "the cache of Composer", _CACHE,
          _mounted("/root/.composer/cache", "composer install --no-dev"))),
    (r"(?:.+/)?node_modules/\.cache/.+",
     Kind("node-cache", "a cache in node_modules", _CACHE, "RUN npm run build && rm -rf node_modules/.cache")),
    (r"(?:.+/)?\.next/cache/.+",
     Kind("next-cache", "the build cache of Next.js", "",
          "COPY --from=builder /app/.next/standalone ./")),
)  # fmt: skip
_CACHES: Final = tuple((re.compile(pattern), kind) for pattern, kind in _PATTERNS)
_STARTS: Final = ("var/", "etc/apk", "root/", "home/", "usr/local/share", "usr/local/cargo", "go/")
_FIRST = re.compile(
    r"var/|etc/apk|root/|home/|usr/local/(?:share|cargo)/|go/|(?:.*/)?(?:node_modules/\.|\.next/)cache/"
)

VERSION_CONTROL: Final = Kind("version-control", "the history of the source", _STRAY_RULE, "echo .git >> .dockerignore")
WORKING_COPY: Final = Kind("working-copy", "files of a working copy", _STRAY_RULE, "COPY package.json src ./")
TESTS: Final = Kind("tests", "tests", "", "echo '**/tests' >> .dockerignore")
SOURCE_MAPS: Final = Kind("source-maps", "source maps", "", "RUN npm run build && find . -name '*.map' -delete")
BYTECODE: Final = Kind("bytecode", "compiled modules of Python", "", "RUN pip install --no-compile -r requirements.txt")
STATIC_LIBRARIES: Final = Kind(
    "static-libraries", "static libraries", _TOOLS_RULE, "COPY --from=builder /app/server /server"
)
HEADERS: Final = Kind("headers", "headers of C", _TOOLS_RULE, "COPY --from=builder /app/server /server")
DOCUMENTATION: Final = Kind(
    "documentation", "documentation", "", "RUN echo 'path-exclude /usr/share/doc/*' > /etc/dpkg/dpkg.cfg.d/no-doc"
)
PACKAGE_DOCUMENTATION: Final = Kind(
    "package-documentation", "documentation of packages", "", "RUN npm ci && find node_modules -name '*.md' -delete"
)
LOCALES: Final = Kind(
    "locales", "translations", "", "RUN echo 'path-exclude /usr/share/locale/*' > /etc/dpkg/dpkg.cfg.d/no-locale"
)
DECLARATIONS: Final = Kind(
    "type-declarations",
    "type declarations of TypeScript",
    "",
    "RUN npm run build && find node_modules -name '*.d.ts' -delete",
)
LOGS: Final = Kind("logs", "logs", "", "RUN apt-get install -y … && rm -rf /var/log/*")
TEMPORARY: Final = Kind("temporary", "temporary files", "", "RUN … && rm -rf /tmp/*")
OLD_RECORDS: Final = Kind(
    "old-records", "former versions of the records of dpkg", "", "RUN apt-get install -y … && rm -f /var/lib/dpkg/*-old"
)

KINDS: Final = {
    kind.name: kind
    for kind in (
        *(kind for _, kind in _PATTERNS),
        VERSION_CONTROL,
        WORKING_COPY,
        TESTS,
        SOURCE_MAPS,
        BYTECODE,
        STATIC_LIBRARIES,
        HEADERS,
        DOCUMENTATION,
        PACKAGE_DOCUMENTATION,
        LOCALES,
        DECLARATIONS,
        LOGS,
        TEMPORARY,
        OLD_RECORDS,
    )
}
"""Every kind by its name, which pieces have."""

HISTORIES: Final = frozenset((".git", ".hg", ".svn"))
DIRECTORIES: Final = HISTORIES | {
    ".vscode", ".idea", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".tox", ".nyc_output", ".terraform", ".aws"
}  # fmt: skip
"""Directories of a working copy that nobody needs."""
FILES: Final = frozenset(
    (".env", ".env.local", ".env.production", ".env.development", ".env.production.local", ".DS_Store", "Dockerfile",
     "docker-compose.yml", "docker-compose.yaml", "compose.yaml", "compose.yml", ".dockerignore")
)  # fmt: skip
"""Files of a working copy that nobody needs."""
THEIRS: Final = re.compile(
    r"(?:^|/)(?:node_modules|site-packages|dist-packages|vendor|testdata|\.nvm|\.pyenv|\.rbenv|\.oh-my-zsh|\.cache)/"
    r"|^(?:usr|lib|go/pkg|proc|sys|var/lib)/"
)
"""Where such files are no rest of a working copy, but belong to a package."""
_WITHIN = re.compile(rf"((?:.*?/)?(?:{'|'.join(map(re.escape, sorted(DIRECTORIES)))}|__pycache__))/")
_TESTS: Final = frozenset(("test", "tests", "__tests__", "testdata"))
_PACKAGES: Final = frozenset(("node_modules", "site-packages", "dist-packages"))
_SYSTEM: Final = frozenset(
    ("usr", "lib", "lib32", "lib64", "libx32", "bin", "sbin", "etc", "var", "boot", "dev", "proc", "sys", "run")
)
"""Directories of the root in which no application keeps its tests."""
_DOCUMENTS: Final = (
    *(f"usr/share/{each}/" for each in ("doc", "man", "info", "gtk-doc")),
    *(f"usr/local/share/{each}/" for each in ("doc", "man", "info")),
    "usr/local/man/",
)
_DOCUMENT_PARTS: Final = frozenset(("doc", "docs", "example", "examples"))
_DOCUMENT_NAMES = re.compile(
    r"(?:README|CHANGELOG|HISTORY|CONTRIBUTING|AUTHORS|UPGRADING)[^/]*\.(?:md|markdown|txt)$", re.IGNORECASE
)
_LOCALES = re.compile(r"usr/(?:local/)?share/(?:locale|i18n)/(?!locale\.alias$)")
_OLD = re.compile(r"var/(?:lib/dpkg/[^/]+-old|cache/debconf/[^/]+-old|lib/dpkg/[^/]+\.dpkg-old)$")


def cache_of(path: str) -> Kind | None:
    """The kind of a package manager's cache that a file is of."""
    if (path.startswith(_STARTS) or "cache/" in path) and _FIRST.match(path):
        for pattern, kind in _CACHES:
            if pattern.match(path):
                return kind
    return None


def stray_directory(path: str) -> str:
    """The directory of a working copy, or of compiled modules, that a path lies in; empty for none."""
    found = _WITHIN.match(path) if "/." in path or path.startswith(".") or "__pycache__/" in path else None
    return found[1] if found is not None else ""


def leftover_of(path: str) -> str:
    """The name of the kind of leftovers that a file is of; empty for none."""
    kind = _kind(path)
    return kind.name if kind is not None else ""


def _kind(path: str) -> Kind | None:
    name = path[path.rfind("/") + 1 :]
    end = name[name.rfind(".") + 1 :] if "." in name else ""
    if end in ("pyc", "pyo"):
        return BYTECODE
    if end == "map" and name.endswith((".js.map", ".css.map", ".mjs.map", ".cjs.map", ".ts.map", ".mts.map")):
        return SOURCE_MAPS
    if end in ("a", "la") and not path.startswith(("etc/", "home/")) and "lib" in path:
        return STATIC_LIBRARIES
    kind = cache_of(path)
    if kind is not None:
        return kind
    inside = stray_directory(path)
    if inside and not THEIRS.search(path):
        if inside[inside.rfind("/") + 1 :] in HISTORIES:
            return VERSION_CONTROL
        return WORKING_COPY if not inside.endswith("__pycache__") else BYTECODE
    if name in FILES and not THEIRS.search(path):
        return WORKING_COPY
    if (end == "ts" and name.endswith(".d.ts")) or (end in ("mts", "cts") and name.endswith((".d.mts", ".d.cts"))):
        return DECLARATIONS if "node_modules/" in path else None
    if "test" in path and _is_test(path, name):
        return TESTS
    return _by_place(path, name)


def _is_test(path: str, name: str) -> bool:
    """Whether a file belongs to the tests of a package, of a runtime or of the application."""
    parts = path.split("/")
    del parts[-1]
    if path.startswith(("usr/local/go/", "usr/lib/go-", "usr/lib/go/")):
        return name.endswith("_test.go") or "testdata" in parts or parts[3:4] == ["test"]
    if _TESTS.isdisjoint(parts):
        return False
    inside = _in_package(parts)
    if inside is not None:
        return not _TESTS.isdisjoint(inside)
    if path.startswith(("usr/lib/python", "usr/local/lib/python")):
        return True
    return parts[0] not in _SYSTEM


def _in_package(parts: list[str]) -> list[str] | None:
    """The directories within the innermost package of a language; None outside of packages."""
    for at in range(len(parts) - 1, -1, -1):
        if parts[at] in _PACKAGES:
            # What lies right in node_modules are the packages, perhaps by scope, whatever they are called.
            first = at + 1
            if parts[at] == "node_modules":
                first += 2 if parts[at + 1 : at + 2] and parts[at + 1].startswith("@") else 1
            return parts[first:]
    return None


def _by_place(path: str, name: str) -> Kind | None:
    if path.startswith("usr/"):
        if path.startswith(_DOCUMENTS) and name != "copyright":
            return DOCUMENTATION
        if path.startswith(("usr/include/", "usr/local/include/")):
            return HEADERS
        if _LOCALES.match(path):
            return LOCALES
    if "node_modules/" in path:
        if _DOCUMENT_NAMES.match(name):
            return PACKAGE_DOCUMENTATION
        return PACKAGE_DOCUMENTATION if _documents(path[: path.rfind("/")]) else None
    if path.startswith("var/"):
        if path.startswith("var/log/"):
            return LOGS
        if path.startswith("var/tmp/"):
            return TEMPORARY
        return OLD_RECORDS if _OLD.match(path) else None
    return TEMPORARY if path.startswith("tmp/") else None


@lru_cache(16)
def _documents(directory: str) -> bool:
    """Whether a directory holds documentation of a package of a language. Files of one come one after the other."""
    inside = _in_package(directory.split("/"))
    return bool(inside) and not _DOCUMENT_PARTS.isdisjoint(inside or ())


def rule_of(kind: str) -> str:
    """The rule of the checks that finds and mends a kind of leftovers; empty for none."""
    found = KINDS.get(kind)
    return found.rule if found is not None else ""
