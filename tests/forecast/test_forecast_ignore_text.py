"""Lines of an ignore file: each means the path that it was written for, and leaves alone what words may lead to."""

from kezuri.dockerfile.ignore import Ignore
from kezuri.forecast.context_tree import ContextTree
from kezuri.forecast.ignore_text import Words, lines, pattern

NAMES = ("a", "#a", "!a", "a*", "a?", "[a]", "\\a", "a#", "#", "!", "!#a", "b/!a", "b/#a", "é", "a b")


def test_a_line_means_its_path_and_no_other() -> None:
    for path in NAMES:
        written = pattern(path)
        assert written is not None, path
        ignore = Ignore.parse(f"{written}\n", ".dockerignore")
        assert [name for name in NAMES if ignore.matches(name)] == [path], written
    for path in (" a", "a ", "a\nb", "a\r", "\ta"):
        assert pattern(path) is None, path


def test_a_directory_that_words_may_lead_into_is_never_hidden_whole() -> None:
    tree = ContextTree()
    for number in range(40):
        tree.put_file(f"data/{number}", 1)
    tree.mark("data/7")
    assert [line.text for line in lines(tree, Words(()), _nothing)] == ["data/*", "!data/7"]
    # A file that the wildcard selects may come there tomorrow.
    told = [line.text for line in lines(tree, Words(("data/*.txt",)), _nothing)]
    assert "data/*" not in told and len(told) == 39


def _nothing(path: str) -> bool:
    return False
