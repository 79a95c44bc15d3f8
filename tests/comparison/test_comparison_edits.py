"""The one-line edit: which file gets it, and how it looks."""

import pytest

from kezuri.comparison.edits import chosen_file, commented


@pytest.mark.parametrize(
    ("paths", "chosen"),
    [
        (["package.json", "src/index.js", "src/a/b.js", "test/x.js"], "src/index.js"),
        (["next.config.js", "pages/index.tsx", "node_modules/a/index.js", "public/x.css"], "pages/index.tsx"),
        (["main.go", "main_test.go", "vendor/a.go", "README.md"], "main.go"),
        (["setup.py", "app/main.py", "app/__init__.py", "tests/test_main.py"], "app/__init__.py"),
        (["README.md", "main.c", "main.h"], "main.c"),
        (["README.md", "data.bin"], "README.md"),
        (["package.json", "package-lock.json", "Makefile", ".eslintrc"], ""),
        ([], ""),
    ],
)
def test_a_source_of_the_application_is_chosen(paths: list[str], chosen: str) -> None:
    assert chosen_file(paths) == chosen
    assert chosen_file(reversed(paths)) == chosen, "whatever the order"


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("a.ts", b"x\n", b"x\n// edit\n"),
        ("a.py", b"x", b"x\n# edit\n"),
        ("a.css", b"", b"/* edit */\n"),
        ("a.html", b"<p>\n", b"<p>\n<!-- edit -->\n"),
        ("a.json", b"{}\n", b"{}\n\n"),
        ("Makefile", b"all:\n", b"all:\n\n"),
    ],
)
def test_a_comment_is_the_last_line(path: str, text: bytes, expected: bytes) -> None:
    assert commented(path, text, "edit") == expected
