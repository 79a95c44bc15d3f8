"""`kezuri explore`, as somebody uses it: the real program in a real terminal."""

import gzip
import io
import os
import pty
import re
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.app.app_shelf import Shelf
from tests.cli.cli_tmux import Tmux, needs_tmux

from kezuri.anatomy.listing_tree import FileTree
from kezuri.anatomy.tree_view import Filter, Selection, TreeView
from kezuri.anatomy.values import Piece
from kezuri.app.exploring import Version
from kezuri.cli.explorer.content_text import differences, drawn, hex_line, is_text
from kezuri.cli.explorer.patterns import Limited, TooLong, compiled, matched
from kezuri.cli.explorer.rows import Rows
from kezuri.layer.entry import Entry

EVIL = "evil\x1b[2J\x1b]0;title\x07\u202e"
MANY = 100_000


def tar(files: dict[str, bytes | str | None], modes: dict[str, int] | None = None) -> bytes:
    """A layer: bytes are a file, text is where a link leads, None is a directory."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", errors="surrogateescape") as archive:
        for path, content in files.items():
            info = tarfile.TarInfo(path)
            info.mode = (modes or {}).get(path, 0o644)
            if content is None:
                info.type = tarfile.DIRTYPE
            elif isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
            else:
                info.size = len(content)
            archive.addfile(info, io.BytesIO(content) if isinstance(content, bytes) else None)
    return sink.getvalue()


LOWER: dict[str, bytes | str | None] = {
    "etc": None,
    "etc/conf": b"one\ntwo\nthree\n",
    "etc/link": "conf",
    "old": None,
    "old/huge": b"x" * 200_000,
    "usr": None,
    "usr/lib": None,
    "usr/lib/needle.so": bytes(range(256)) * 8,
    "usr/lib/plain.txt": b"plain\n",
}
UPPER: dict[str, bytes | str | None] = {
    "etc": None,
    "etc/conf": b"one\n2\nthree\n",
    ".wh.old": b"",
    f"etc/{EVIL}": b"\x1b[31mred\x1b[0m\ttab\n",
    "etc/\udcff-bytes": b"",
    "etc/[bold]日本": b"",
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("explored")
    shelf = Shelf(root)
    history = [{"created_by": "COPY . ."}, {"created_by": f"RUN step \x1b[5m{EVIL}"}]
    shelf.put("img", [tar(LOWER), tar(UPPER, {f"etc/{EVIL}": 0o6755})], history=history)
    return root


@contextmanager
def exploring(
    root: Path, tmp_path: Path, name: str, columns: int = 110, lines: int = 30, **environ: str
) -> Iterator[Tmux]:
    words = [sys.executable, "-m", "kezuri", "--root", str(root), "explore", name]
    with Tmux(tmp_path, words, environ, columns, lines) as tmux:
        yield tmux


@pytest.mark.slow
@needs_tmux
def test_looking_around(root: Path, tmp_path: Path) -> None:
    """One visit: layers, tree, filters, search, files, comparison, writing out."""
    with exploring(root, tmp_path, "img") as tmux:
        screen = tmux.wait("layer 2 ·", "RUN step", "COPY . .")
        assert "2 layers" in screen and "200kB wasted" in screen
        # Directories are shut at first; what layers removed is there, marked.
        assert "- " in next(line for line in screen.splitlines() if "old/" in line)
        assert "conf" not in screen
        tmux.keys("Space")
        screen = tmux.wait("link → conf", "conf")
        assert "evil\\x1b[2J\\x1b]0;title\\x07\\u202e" in screen and "\\xff-bytes" in screen and "[bold]日本" in screen
        assert "~ " in next(line for line in screen.splitlines() if line.endswith("conf") and "link" not in line)
        # A search opens what is shut, and begins anew at the end.
        tmux.keys("/")
        tmux.wait("expression")
        tmux.type("needle")
        tmux.keys("Enter")
        tmux.wait("/usr/lib/needle.so", "layer 1")
        tmux.keys("Enter")
        screen = tmux.wait("00000010  10 11 12 13 14 15 16 17  18 19", "e write out")
        tmux.keys("Escape")
        tmux.wait("▾ usr/")
        # Another search takes the place of the last one: the file that was changed, and how.
        tmux.keys("/")
        tmux.type("^conf$")
        tmux.wait("^conf$")
        tmux.keys("Enter")
        tmux.wait("/etc/conf", "other versions: 1")
        tmux.keys("c")
        tmux.wait("-two", "+2", " three", "layer 1", "layer 2")
        tmux.keys("q")
        tmux.wait("▾ etc/")
        tmux.keys("e")
        tmux.wait("./conf")
        tmux.type(str(tmp_path / "written"))
        tmux.keys("Enter")
        tmux.wait("Wrote 12B")
        assert (tmp_path / "written").read_bytes() == b"one\n2\nthree\n"
        # Never over what is there.
        tmux.keys("e")
        tmux.wait("./conf")
        tmux.type(str(tmp_path / "written"))
        tmux.keys("Enter")
        tmux.wait("cannot write", "File exists")
        # What is wasted: nothing in the upper layer, the huge file in the lower one.
        tmux.keys("w")
        tmux.wait("only wasted", "0 paths", "Nothing to show")
        tmux.keys("Tab", "Up")
        tmux.wait("layer 1 · 2 paths, 200kB · only wasted", "huge")
        tmux.keys("Tab", "Down", "Down", "Down")
        tmux.wait("/old/huge", "removed by layer 2")
        # Its bytes are still there for whoever looks for them.
        tmux.keys("Enter")
        tmux.wait("xxxxxxxxxxxxxxxxxxxx", "200kB")
        tmux.keys("Escape")
        tmux.wait("only wasted")
        tmux.keys("Escape")
        tmux.wait("layer 1 ·", without="only wasted")
        # A filter, right and wrong.
        tmux.keys("C-f")
        tmux.wait("Show only")
        tmux.type("[plain")
        tmux.keys("Enter")
        tmux.wait("no regular expression")
        tmux.keys("f")
        tmux.wait("[plain")
        tmux.type(r"plain\.")
        tmux.keys("Enter")
        screen = tmux.wait("1 paths, 6B", "plain.txt", without="old/")
        tmux.keys("Escape")
        tmux.wait("old/")
        # Kinds of changes, with dive's keys; the panes understand C-a differently.
        tmux.keys("Tab", "Down", "Tab", "C-u")
        tmux.wait("layer 2 ·", "only [+] [~] [=] [-]", without="▸ usr/")
        tmux.keys("C-r")
        tmux.wait("only [+] [~] [=]", without="old/")
        tmux.keys("Escape")
        tmux.wait("old/", without="only")
        tmux.keys("Tab", "C-a")
        tmux.wait("layer 2 ·")
        tmux.keys("?")
        tmux.wait("Ctrl+Space", "with or without")
        tmux.keys("Escape")
        tmux.wait("q end")
        tmux.keys("o")
        tmux.wait("Files of which owner?", "everybody's")
        tmux.keys("Escape")
        tmux.wait("q end")
        tmux.keys("q")
        assert tmux.code() == 0


@pytest.mark.slow
@needs_tmux
def test_files_show_as_text_and_cannot_steer(root: Path, tmp_path: Path) -> None:
    with exploring(root, tmp_path, "img", LANG="ja_JP.UTF-8") as tmux:
        tmux.wait("レイヤー 2 ·")
        tmux.keys("/")
        tmux.wait("正規表現")
        tmux.type("^evil")
        tmux.keys("Enter")
        tmux.wait("/etc/evil\\x1b[2J")
        tmux.keys("Enter")
        screen = tmux.wait("\\x1b[31mred\\x1b[0m", "rwsr-sr-x")
        assert "title" in screen
        tmux.keys("x")
        tmux.wait("1b 5b 33 31 6d 72 65 64")
        assert tmux._call("display-message", "-p", "#{pane_title}").strip() != "title"
        tmux.keys("C-c")
        assert tmux.code() == 0


@pytest.mark.slow
@needs_tmux
def test_small_terminals_no_colours_and_other_sizes(root: Path, tmp_path: Path) -> None:
    with exploring(root, tmp_path, "img", columns=50, lines=12, NO_COLOR="1") as tmux:
        # One pane at a time.
        tmux.wait("layer 2 ·", "etc/", without="COPY")
        for colour in range(30, 38):
            assert f"\x1b[{colour}m" not in tmux.screen(styles=True)
        assert "\x1b[38;" not in tmux.screen(styles=True) and "\x1b[7m" in tmux.screen(styles=True)
        tmux.keys("Tab")
        tmux.wait("COPY . .", without="etc/")
        tmux.resize((120, 40))
        tmux.wait("COPY . .", "etc/")
        for size in ((7, 3), (1, 1), (300, 80), (30, 10), (120, 40)):
            tmux.resize(size)
        tmux.wait("COPY . .", "etc/", "layer 2 ·", "? keys")
        for _ in range(5):
            # What the terminal forgot meanwhile is drawn anew, though the size is what it was.
            tmux.resize((20, 5), (120, 40))
            tmux.wait("COPY . .", "etc/", "layer 2 ·", "? keys", seconds=20)
        tmux.keys("Tab", "End", "Home", "PageDown", "PageUp", "G", "g", "u", "d", "C-Space", "C-Space", "s", "b")
        tmux.wait("largest first")
        os.kill(tmux.pid, signal.SIGTERM)
        assert tmux.code() == 143
        assert "stopped by signal 15" in tmux.screen()


@pytest.mark.slow
@needs_tmux
def test_what_cannot_be_opened_is_said_on_a_terminal_as_it_was(root: Path, tmp_path: Path) -> None:
    lost = tar({"a": b"lost"})
    Shelf(root).put("broken", [tar({"b": b"b"}), lost])
    (root / "blobs" / "sha256" / sha256(gzip.compress(lost, mtime=0)).hexdigest()).unlink()
    with exploring(root, tmp_path, "broken") as tmux:
        assert tmux.code() != 0
        assert "error:" in tmux.screen()


@pytest.mark.slow
@needs_tmux
def test_a_hundred_thousand_files(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "root")
    files: dict[str, bytes | str | None] = {f"flat/{number:06d}": b"" for number in range(MANY // 2)}
    files |= {f"deep/{number % 97}/{number % 1009}/{number}": b"x" for number in range(MANY // 2)}
    shelf.put("many", [tar(files), tar({"deep/5/.wh.5": b"", "last": b"last"})])
    with exploring(tmp_path / "root", tmp_path, "many") as tmux:
        tmux.wait("layer 2 ·", "deep/", "flat/", seconds=120)
        tmux.keys("C-Space", "End")
        tmux.wait("/last")
        tmux.keys("Up")
        tmux.wait("/flat/049999")
        tmux.keys("1", "2", "4")
        tmux.wait("only [-]", "deep/", without="flat/")
        tmux.keys("Escape")
        tmux.wait("100,001 paths", without="only [-]")
        tmux.keys("w")
        tmux.wait("only wasted")
        tmux.keys("a")
        tmux.wait("layers 1 to 2", "only wasted")
        tmux.keys("q")
        assert tmux.code() == 0


@pytest.mark.slow
def test_without_a_terminal(root: Path) -> None:
    """As every other mistake in a call; with TERM=dumb too."""
    argv = [sys.executable, "-m", "kezuri", "--root", str(root), "explore", "img"]
    done = subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 2 and "kezuri explore draws on a terminal" in done.stderr and "analyze" in done.stderr
    ours, theirs = pty.openpty()
    try:
        dumb = subprocess.run(
            argv, stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "dumb"}, check=False
        )
        assert dumb.returncode == 2
    finally:
        os.close(ours)
        os.close(theirs)


def rows_of(*paths: str) -> Rows:
    pieces = [Piece(Entry(path, "file", size=len(path)), 0) for path in sorted(paths, key=lambda p: (p.count("/"), p))]
    rows = Rows()
    rows.show(Selection(TreeView(FileTree.of(pieces, 1), 0, -1), Filter()))
    return rows


def shown(rows: Rows) -> list[str]:
    return ["  " * depth + node.name for node, depth in zip(rows.nodes, rows.depths, strict=True)]


def test_rows_open_and_close() -> None:
    rows = rows_of("a/b/c", "a/b/long-name", "a/x", "b", "c/d")
    assert shown(rows) == ["a", "b", "c"]
    rows.toggle(0)
    assert shown(rows) == ["a", "  b", "  x", "b", "c"] and rows.parent(2) == 0 and rows.parent(3) == 3
    rows.toggle(1)
    assert shown(rows) == ["a", "  b", "    c", "    long-name", "  x", "b", "c"]
    rows.toggle(5)  # a file: nothing
    rows.toggle(0)
    assert shown(rows) == ["a", "b", "c"]
    rows.toggle(0)  # what was open in it is open again
    assert "    long-name" in shown(rows)
    rows.by_size = True
    rows.rebuild()
    assert shown(rows)[:4] == ["a", "  b", "    long-name", "    c"]
    rows.by_size = False
    rows.close_all()
    assert not rows.anything_open
    # A search goes around, both ways, and to what is in shut directories; case counts only where there are capitals.
    found = rows.find("^C$|LONG", None)
    assert found is None
    first = rows.find("^c$|long", None)
    assert first is not None and first.path == "a/b/c"
    second = rows.find("^c$|long", first)
    assert second is not None and second.path == "a/b/long-name"
    third = rows.find("^c$|long", second)
    assert third is not None and third.path == "c" and rows.find("^c$|long", third) is first
    assert rows.find("^c$|long", first, True) is third and rows.find("^c$|long", third, True) is second
    row = rows.reveal(second)
    assert rows.nodes[row] is second and rows.is_open(rows.nodes[0])
    # A few matches are shown with all that they are in; where nothing matches there is nothing.
    rows.show(Selection(rows.selection.view, Filter(pattern="/d$")))  # type: ignore[union-attr]
    assert shown(rows) == ["c", "  d"] and rows.reveal(second) == -1
    rows.show(Selection(rows.selection.view, Filter(pattern="nothing")))  # type: ignore[union-attr]
    assert shown(rows) == []


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from("abc"), min_size=2, max_size=4), min_size=1, max_size=9),
    st.lists(st.integers(0, 30)),
)
def test_opening_one_after_the_other_is_opening_them_all_anew(paths: list[list[str]], where: list[int]) -> None:
    rows = rows_of(*{"/".join([*path, "file"]) for path in paths})
    for row in where:
        rows.toggle(row % len(rows.nodes))
        before = shown(rows)
        rows.rebuild()
        assert shown(rows) == before


def test_bytes_as_lines() -> None:
    assert is_text("日本\n".encode()) and is_text(b"") and is_text(b"\x1b[31m" * 20) and not is_text(b"\x7fELF\x02\0\0")
    assert drawn("a\tb\r") == "a       b" and drawn("\x1b[2J") == "\\x1b[2J" and drawn("x" * 9000).endswith("x…")
    assert "".join(text for text, _ in hex_line(b"0123456789abcdefgh\0", 1)).split() == [
        "00000010",
        "67",
        "68",
        "00",
        "gh.",
    ]


def test_versions_compared() -> None:
    def version(data: bytes, size: int = -1) -> Version:
        return Version(0, Entry("f", "file", size=len(data) if size < 0 else size), data)

    assert differences(version(b"same"), version(b"same")) is None
    assert differences(version(b"a\nb\n"), version(b"a\nc\n")) == [
        ("@@ -1,2 +1,2 @@", "cyan"),
        (" a", ""),
        ("-b", "red"),
        ("+c", "green"),
    ]
    told = differences(version(b"\0" * 32), version(b"\0" * 16 + b"\1" * 16))
    assert told is not None and len(told) == 2 and told[0][0].startswith("-00000010") and told[1][1] == "green"
    # Beginnings that are equal, of files that are not.
    assert differences(version(b"x" * 10, 10), version(b"x" * 10, 20)) == []


def test_expressions_that_run_away_or_are_too_large(tmp_path: Path) -> None:
    tree = FileTree.of([Piece(Entry("a" * 60, "file"), 0), Piece(Entry("b", "file"), 0)], 1)
    assert list(matched("/b$", tree)) == [0, 0, 1]
    with pytest.raises(TooLong), Limited(0.05):
        compiled("(a+)+$")("a" * 60 + "!")
    for pattern in ("a{99999999999999999999}", "(" * 5000, "["):
        with pytest.raises(re.error):
            compiled(pattern)


BROKEN = """
import sys
from kezuri.cli.explorer.app import Explorer
from kezuri.cli.main import main

def broken(self):
    raise RuntimeError("a mistake of ours")

Explorer.action_help = broken
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
@needs_tmux
def test_a_mistake_ends_with_a_sentence_and_a_runaway_expression_does_not_end_anything(
    root: Path, tmp_path: Path
) -> None:
    script = tmp_path / "broken.py"
    script.write_text(BROKEN)
    with Tmux(tmp_path, [sys.executable, str(script), "--root", str(root), "explore", "img"], {}, 110, 30) as tmux:
        tmux.wait("layer 2 ·")
        for key in ("f", "/"):
            tmux.keys(key)
            tmux.wait("expression")
            tmux.type(r"(.?.?.?)*(.?.?.?)*\d\d!")
            tmux.keys("Enter")
            tmux.wait("takes too long")
            tmux.keys("Escape")
            tmux.wait("layer 2 ·", without="takes too long")
        tmux.keys("?")
        tmux.wait("sorry, something unexpected went wrong: RuntimeError: a mistake of ours", without="Traceback")
        assert tmux.code() == 125
