"""An edit of one line, as developers make it: which file of a context, and a comment that changes nothing else."""

import os
from collections.abc import Iterable, Mapping

_SLASHES, _HASH = "// {}", "# {}"
_COMMENTS: Mapping[str, str] = {
    **dict.fromkeys(("ts", "tsx", "js", "jsx", "mjs", "cjs", "go", "rs", "java", "kt", "scala", "swift"), _SLASHES),
    **dict.fromkeys(("c", "h", "cc", "cpp", "cxx", "hpp", "cs", "fs", "dart", "zig", "proto", "scss"), _SLASHES),
    **dict.fromkeys(("py", "rb", "sh", "bash", "pl", "ex", "exs", "r", "jl", "nim", "yaml", "yml", "toml"), _HASH),
    **dict.fromkeys(("html", "xml", "vue", "svelte", "md"), "<!-- {} -->"),
    **dict.fromkeys(("css",), "/* {} */"),
    **dict.fromkeys(("sql", "lua", "hs", "elm"), "-- {}"),
    **dict.fromkeys(("erl", "tex"), "% {}"),
    **dict.fromkeys(("clj", "lisp", "el"), ";; {}"),
}
"""How a comment is written, by the ending of a file's name."""
_SECOND = frozenset(
    ("h", "hpp", "md", "yaml", "yml", "toml", "html", "xml", "css", "scss", "sh", "bash", "sql", "proto")
)
"""Files that are edited where there is nothing else."""
_ASIDE = frozenset(
    ("node_modules", "vendor", "dist", "build", "target", "test", "tests", "__tests__", "spec", "docs", "scripts")
)
_SOURCES = ("src", "app", "pages", "lib", "cmd", "internal", "pkg")


def chosen_file(paths: Iterable[str]) -> str:
    """The file of a context that is edited where nobody names one: a source of the application, rather than a test,
    a setting or what others wrote; empty where none can have a comment."""
    ranked = sorted((_rank(path), path) for path in paths if _ending(path) in _COMMENTS)
    return ranked[0][1] if ranked else ""


def commented(path: str, text: bytes, said: str) -> bytes:
    """The file's bytes with a comment as their last line; with a blank one where nobody knows how its comments look."""
    end = b"" if not text or text.endswith(b"\n") else b"\n"
    form = _COMMENTS.get(_ending(path))
    return text + end + (form.format(said).encode() if form else b"") + b"\n"


def _ending(path: str) -> str:
    return os.path.basename(path).rpartition(".")[2].lower() if "." in os.path.basename(path).lstrip(".") else ""


def _rank(path: str) -> tuple[bool, bool, bool, int, int]:
    parts = path.split("/")
    name = parts[-1].lower()
    setting = ".config." in name or name.endswith(".d.ts") or name.startswith((".", "setup.", "conftest"))
    tested = any(mark in name for mark in (".test.", ".spec.", "_test.", "test_"))
    aside = any(part in _ASIDE for part in parts[:-1])
    own = not any(part in _SOURCES for part in parts[:-1])
    return aside or tested, setting, _ending(path) in _SECOND, int(own), len(parts)
