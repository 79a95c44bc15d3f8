"""Interpreters and toolchains that no package manager put there, as the official images have them: what tells their
version, and which files are theirs."""

import re
from collections.abc import Mapping
from typing import Final

from kezuri.packages.package import Package, Peek, path_of

_WINDOW = 1 << 20
_NUMBER = re.compile(rb"\d+\.\d+\.\d+")
_PROGRAMS: Final = {
    "node": ("node program", 10 << 20),
    "busybox": ("busybox program", 128 << 10),
    "[": ("busybox program", 128 << 10),
}
"""Programs that are looked into, from how many bytes on. The first name of busybox's many is often `[`."""
_MARKS: Final = {"node program": b"node.js/v", "busybox program": b"BusyBox v"}
"""What programs call themselves, before the number of their version."""
_PYTHON = re.compile(r"(?P<prefix>.*?)/?include/python(?P<short>\d+\.\d+)t?/patchlevel\.h$")
_RUBY = re.compile(r"(?P<prefix>.*?)/?lib/ruby/(?P<short>\d+\.\d+\.\d+)/[^/]+/rbconfig\.rb$")
_PHP = re.compile(r"(?P<prefix>.*?)/?include/php/main/php_version\.h$")
_RUST = re.compile(r"(?P<whole>(?:.*/)?toolchains/(?P<version>[^/]+))/lib/rustlib/components$")
_DOTNET = re.compile(r"(?P<whole>(?:.*/)?(?:shared/(?P<name>[^/]+)|(?P<sdk>sdk))/(?P<version>[0-9][^/]*))/\.version$")
_RUSTUP: Final = (
    "rustup", "cargo", "rustc", "rustdoc", "rustfmt", "rust-gdb", "rust-gdbgui", "rust-lldb", "rust-analyzer", "rls",
    "cargo-fmt", "cargo-clippy", "cargo-miri", "clippy-driver",
)  # fmt: skip
_LARGEST_MARK = 256 << 10


def kind_of(path: str, name: str, size: int) -> str:
    """The kind of runtime that a file tells of; empty for none."""
    if name in _NAMES:
        kind, pattern = _NAMES[name]
        if size <= _LARGEST_MARK and (pattern is None or pattern.search(path)):
            return kind
    if name in _PROGRAMS:
        kind, smallest = _PROGRAMS[name]
        return kind if size >= smallest else ""
    return ""


_NAMES: Final = {
    "node_version.h": ("node", re.compile(r"(?:^|/)include/node/node_version\.h$")),
    "patchlevel.h": ("cpython", _PYTHON),
    "VERSION": ("go", re.compile(r"(?:^|/)go/VERSION$")),
    "release": ("java", None),
    "rbconfig.rb": ("ruby", _RUBY),
    "php_version.h": ("php", _PHP),
    "components": ("rust", _RUST),
    ".version": ("dotnet runtime", _DOTNET),
}
KINDS: Final = frozenset((*(kind for kind, _ in _NAMES.values()), *_MARKS))


def runtime(kind: str, path: str, data: Peek) -> Package | None:
    """The runtime that a file of this kind tells of; None where it does not."""
    if kind in _MARKS:
        return _program(kind, path, data)
    return _READERS[kind](path, data.at(0, _LARGEST_MARK))


def _package(name: str, version: str, prefix: str, files: tuple[str, ...], directories: tuple[str, ...]) -> Package:
    """A runtime whose files and directories lie relative to a prefix."""
    own, whole = ([path_of(prefix, each) for each in group] for group in (files, directories))
    return Package("generic", name, version, tuple(own), tuple(whole))


def _node(path: str, data: bytes) -> Package | None:
    words = [re.search(rb"#define NODE_%s_VERSION\s+(\d+)" % word, data) for word in (b"MAJOR", b"MINOR", b"PATCH")]
    numbers = [found[1].decode() for found in words if found is not None]
    prefix = path.removesuffix("include/node/node_version.h").rstrip("/")
    return _of_node(prefix, ".".join(numbers)) if len(numbers) == 3 else None


def _of_node(prefix: str, version: str) -> Package:
    files = ("bin/node", "bin/nodejs", "share/man/man1/node.1", "LICENSE", "README.md", "CHANGELOG.md")
    return _package("node", version, prefix, files, ("include/node", "share/doc/node", "share/systemtap"))


def _program(kind: str, path: str, data: Peek) -> Package | None:
    """By what the program calls itself."""
    mark, before, at = _MARKS[kind], b"", 0
    while piece := data.at(at, _WINDOW):
        text = before + piece
        start = text.find(mark)
        while start >= 0:
            found = _NUMBER.match(text, start + len(mark))
            if found is not None and found.end() < len(text):
                version = found[0].decode()
                if kind == "busybox program":
                    return Package("generic", "busybox", version, (path,))
                prefix = path.removesuffix("node").rstrip("/").removesuffix("bin").rstrip("/")
                package = _of_node(prefix, version)
                return package._replace(files=(*package.files, path))
            start = text.find(mark, start + 1)
        before = text[-64:]
        at += len(piece)
    return None


def _cpython(path: str, data: bytes) -> Package | None:
    place, version = _PYTHON.match(path), re.search(rb'#define PY_VERSION\s+"([^"\n]{1,40})"', data)
    if place is None or version is None:
        return None
    short = place["short"]
    files = (
        *(f"bin/{name}" for name in ("python", "python3", f"python{short}", f"python{short}-config", f"pydoc{short}",
                                     f"idle{short}", f"2to3-{short}")),
        *(f"lib/{name}" for name in (f"libpython{short}.so.1.0", f"libpython{short}.so", f"libpython{short}.a",
                                     "libpython3.so", f"pkgconfig/python-{short}.pc",
                                     f"pkgconfig/python-{short}-embed.pc")),
        f"share/man/man1/python{short}.1",
    )  # fmt: skip
    return _package(
        "python", version[1].decode(), place["prefix"], files, (f"lib/python{short}", f"include/python{short}")
    )


def _go(path: str, data: bytes) -> Package | None:
    version = re.match(rb"go(\d[\w.]{0,40})", data)
    return Package("generic", "go", version[1].decode(), (), (path.rpartition("/")[0],)) if version else None


def _java(path: str, data: bytes) -> Package | None:
    version = re.search(rb'^JAVA_VERSION="([^"\n]{1,40})"', data, re.MULTILINE)
    place = path.rpartition("/")[0]
    return Package("generic", "openjdk", version[1].decode(), (), (place,)) if version and place else None


def _ruby(path: str, data: bytes) -> Package | None:
    place = _RUBY.match(path)
    words = [re.search(rb'CONFIG\["%s"\]\s*=\s*"(\d+)"' % word, data) for word in (b"MAJOR", b"MINOR", b"TEENY")]
    numbers = [found[1].decode() for found in words if found is not None]
    if place is None or len(numbers) != 3:
        return None
    short, version = place["short"], ".".join(numbers)
    programs = (
        "ruby",
        "irb",
        "erb",
        "gem",
        "bundle",
        "bundler",
        "rake",
        "rdoc",
        "ri",
        "racc",
        "rbs",
        "typeprof",
        "rdbg",
    )
    files = (
        *(f"bin/{name}" for name in programs),
        f"lib/libruby.so.{version}",
        "lib/libruby-static.a",
        f"lib/pkgconfig/ruby-{short.rpartition('.')[0]}.pc",
    )
    return _package("ruby", version, place["prefix"], files, (f"lib/ruby/{short}", f"include/ruby-{short}"))


def _php(path: str, data: bytes) -> Package | None:
    place, version = _PHP.match(path), re.search(rb'#define PHP_VERSION\s+"([^"\n]{1,40})"', data)
    if place is None or version is None:
        return None
    programs = ("php", "php-cgi", "php-config", "phpdbg", "phpize", "phar", "phar.phar", "pear", "peardev", "pecl")
    files = (*(f"bin/{name}" for name in programs), "sbin/php-fpm", "lib/libphp.so", "../src/php.tar.xz")
    return _package("php", version[1].decode(), place["prefix"], files, ("lib/php", "include/php", "php"))


def _rust(path: str, data: bytes) -> Package | None:
    place = _RUST.match(path)
    if place is None or b"rustc" not in data:
        return None
    version = re.match(r"\d+\.\d+(?:\.\d+)?", place["version"])
    home = place["whole"].partition("toolchains/")[0].rstrip("/")
    # Each of rustup's programs is rustup itself; what `cargo install` puts beside them is not.
    own = [path_of(home, "../cargo/bin", name) for name in _RUSTUP] if home.endswith("rustup") else []
    return Package("generic", "rust", version[0] if version else "", tuple(own), (place["whole"],))


def _dotnet(path: str, data: bytes) -> Package | None:
    place = _DOTNET.match(path)
    if place is None:
        return None
    name, whole = place["name"] or "dotnet-sdk", place["whole"]
    files: tuple[str, ...] = ()
    directories: tuple[str, ...] = (whole,)
    if name == "Microsoft.NETCore.App":
        home = path_of(whole, "../../..")
        files = tuple([path_of(home, each) for each in ("dotnet", "LICENSE.txt", "ThirdPartyNotices.txt")])
        directories = (whole, path_of(home, "host"))
    return Package("generic", name, place["version"], files, directories)


_READERS: Final = {
    "node": _node,
    "cpython": _cpython,
    "go": _go,
    "java": _java,
    "ruby": _ruby,
    "php": _php,
    "rust": _rust,
    "dotnet runtime": _dotnet,
}

_DECLARED: Final = (
    ("NODE_VERSION", "node", ("usr/local/bin/node",), ("usr/local/include/node",)),
    ("PYTHON_VERSION", "python", ("usr/local/bin/python3",), ()),
    ("GOLANG_VERSION", "go", (), ("usr/local/go",)),
    ("REDIS_VERSION", "redis", tuple(f"usr/local/bin/redis-{name}" for name in
                                     ("server", "cli", "benchmark", "check-aof", "check-rdb", "sentinel")), ()),
    ("PG_VERSION", "postgresql", (), ("usr/local/lib/postgresql", "usr/local/share/postgresql",
                                      "usr/local/include/postgresql")),
    ("MEMCACHED_VERSION", "memcached", ("usr/local/bin/memcached",), ()),
    ("HAPROXY_VERSION", "haproxy", ("usr/local/sbin/haproxy",), ("usr/local/etc/haproxy",)),
    ("HTTPD_VERSION", "httpd", (), ("usr/local/apache2",)),
    ("TOMCAT_VERSION", "tomcat", (), ("usr/local/tomcat",)),
    ("MAVEN_VERSION", "maven", (), ("usr/share/maven",)),
    ("GRADLE_VERSION", "gradle", (), ("opt/gradle",)),
    ("DENO_VERSION", "deno", ("usr/bin/deno", "usr/local/bin/deno"), ()),
    ("BUN_VERSION", "bun", ("usr/local/bin/bun",), ()),
    ("ERLANG_VERSION", "erlang", (), ("usr/local/lib/erlang",)),
    ("ELIXIR_VERSION", "elixir", (), ("usr/local/lib/elixir",)),
    ("JULIA_VERSION", "julia", (), ("usr/local/julia",)),
)  # fmt: skip


VARIABLES: Final = {
    **{name: variable for variable, name, _, _ in _DECLARED},
    "openjdk": "JAVA_VERSION",
    "php": "PHP_VERSION",
    "ruby": "RUBY_VERSION",
    "rust": "RUST_VERSION",
    "Microsoft.NETCore.App": "DOTNET_VERSION",
    "Microsoft.AspNetCore.App": "ASPNET_VERSION",
}
"""By the name of a runtime the variable that tells its version."""


def declared(environment: Mapping[str, str]) -> list[Package]:
    """The runtimes whose version the config of an image has in its environment, as official images do."""
    found = []
    for variable, name, files, directories in _DECLARED:
        version = environment.get(variable, "").strip().lstrip("v")
        if version[:1].isdigit() and len(version) <= 60:
            found.append(Package("generic", name, version, files, directories))
    return found
