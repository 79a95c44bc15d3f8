"""Known leftovers: what is taken for one, and what is left alone."""

from tests.suites.suites_folded import folded

from kezuri.anatomy.leftovers import KINDS, leftover_of, rule_of
from kezuri.check.catalogue import every_rule

_NODE = "app/node_modules"
_PYTHON = "usr/lib/python3.12/site-packages"

CASES = {
    "apt-lists": ("var/lib/apt/lists/deb.debian.org_dists_bookworm_InRelease",),
    "apt-cache": ("var/cache/apt/archives/curl_8_amd64.deb", "var/cache/apt/pkgcache.bin"),
    "apk-cache": ("var/cache/apk/APKINDEX.x.tar.gz", "etc/apk/cache/musl.apk"),
    "npm-cache": ("root/.npm/_cacache/index-v5/a", "home/node/.npm/_cacache/tmp/x"),
    "yarn-cache": ("usr/local/share/.cache/yarn/v6/a", "root/.yarn/berry/cache/a.zip"),
    "pip-cache": ("root/.cache/pip/http/a",),
    "go-modules": ("go/pkg/mod/cache/a", "root/go/pkg/mod/a"),
    "node-cache": (f"{_NODE}/.cache/babel/a.json",),
    "next-cache": ("app/.next/cache/webpack/0.pack", ".next/cache/a"),
    "version-control": ("app/.git/objects/aa/bb", ".git/HEAD", "srv/.hg/x"),
    "working-copy": ("app/.env", "app/Dockerfile", "app/.vscode/settings.json", ".dockerignore", "x/.pytest_cache/a"),
    "tests": (
        f"{_NODE}/qs/test/parse.js", f"{_NODE}/@a/b/__tests__/x.js", f"{_PYTHON}/numpy/tests/a.py", "app/tests/a.py",
        f"{_PYTHON}/tests/a.py", "usr/lib/python3.12/test/a.py", "usr/local/go/src/a/testdata/x",
        "usr/local/go/src/a/b_test.go", "usr/local/go/test/a.go", "test/a.js",
    ),
    "source-maps": ("app/dist/index.js.map", "app/a.css.map"),
    "bytecode": (f"{_PYTHON}/__pycache__/six.cpython-312.pyc", "app/__pycache__/x.pyc"),
    "static-libraries": ("usr/lib/x86_64-linux-gnu/libz.a", "usr/local/lib/libx.la"),
    "headers": ("usr/include/zlib.h", "usr/local/include/node/node.h"),
    "documentation": ("usr/share/doc/bash/README", "usr/share/man/man1/ls.1.gz"),
    "package-documentation": (f"{_NODE}/qs/CHANGELOG.md", f"{_NODE}/@a/b/docs/x.html"),
    "locales": ("usr/share/locale/de/LC_MESSAGES/a.mo",),
    "type-declarations": (f"{_NODE}/a/index.d.ts", f"{_NODE}/a/index.d.mts"),
    "logs": ("var/log/apt/term.log",),
    "temporary": ("tmp/v8-compile-cache-0/x", "var/tmp/a"),
    "old-records": ("var/lib/dpkg/status-old", "var/cache/debconf/config.dat-old"),
}  # fmt: skip


@folded([(kind, path) for kind, paths in CASES.items() for path in paths], lambda case: case[1])
def test_leftovers_are_known(case: tuple[str, str]) -> None:
    kind, path = case
    assert leftover_of(path) == kind


@folded(
    [
        "var/lib/apt/lists/lock", "usr/share/doc/bash/copyright", f"{_NODE}/test/index.js", f"{_NODE}/@a/test/index.js",
        f"{_NODE}/tests/package.json", "usr/bin/test", "usr/lib/test/x", f"{_NODE}/a/.env", "app/src/a.ts",
        "app/index.d.ts", "usr/lib/git-core/x", f"{_NODE}/docs/index.js", "app/latest/a", "etc/a.map", "app/a.map",
        "usr/share/locale/locale.alias", "app/lib.a.js", "home/x/a", "var/lib/dpkg/status", "",
    ],
    str,
)  # fmt: skip
def test_other_files_are_none(path: str) -> None:
    assert leftover_of(path) == ""


def test_each_kind_is_known_by_its_name_and_mended_by_a_rule_that_there_is() -> None:
    rules = {rule.name for rule in every_rule()}
    for name, kind in KINDS.items():
        assert kind.name == name and kind.words and kind.mending and rule_of(name) == kind.rule
        assert not kind.rule or kind.rule in rules
        assert kind.mending.startswith(("RUN ", "COPY ", "echo "))
    assert rule_of("unheard of") == "" and CASES.keys() <= KINDS.keys()


def test_long_paths_take_no_time_worth_a_word() -> None:
    """Patterns that go back over a path again and again took 20 ms for one of these; it would not end for many."""
    for part in ("node_modules/", "site-packages/", "tests/", "a/.git/", "toolchains/", ".next/", "usr/share/"):
        for _ in range(50):
            leftover_of(part * (4096 // len(part)) + "x")
