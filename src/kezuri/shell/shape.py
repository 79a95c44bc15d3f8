"""Everything that the grammar sees of a shell text but the blanks between its words."""

from kezuri.shell.reader import parse

Shape = tuple[tuple[str, int, bytes], ...]

_WHOLE = ("string", "translated_string", "concatenation", "expansion", "arithmetic_expansion")
"""Nodes that count with all their text: the blanks in them belong to a word."""


def shape(text: str) -> Shape | None:
    """The syntax tree from the top: the kind of each node, how many are below it, and the text of those that have none
    (words, what stands in quotes, operators, comments). Two texts of one shape are one script. None where the grammar
    cannot make sense of a part of the text, or does not see an escaped blank."""
    if "\\ " in text or "\\\t" in text:
        return None
    data = text.encode("utf-8", "surrogatepass")
    tree = parse(data)
    if tree.root_node.has_error:
        return None
    found: list[tuple[str, int, bytes]] = []
    todo = [tree.root_node]
    while todo:
        node = todo.pop()
        count = 0 if node.type in _WHOLE else node.child_count
        found.append((node.type, count, b"" if count else data[node.start_byte : node.end_byte]))
        if count:
            todo += reversed(node.children)
    return tuple(found)
