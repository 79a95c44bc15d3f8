"""The files of a context that are not hidden, as a tree in which what is read is marked."""

from collections.abc import Iterator

Idle = tuple[str, int, int]
"""A path, with a slash at its end for a directory, how many files are there, and of how many bytes."""


class Node:
    """A directory: what is in it by name, how many files there are below and of how many bytes, whether it is marked as
    read, or something below it is, and whether the ignore file hides something below."""

    __slots__ = ("children", "files", "hides", "read", "size")

    def __init__(self) -> None:
        self.children: dict[str, Node | File] = {}
        self.files = self.size = 0
        self.read = self.hides = False

    def idle(self, path: str = "") -> Iterator[Idle]:
        """What nothing reads, each directory with all that is below it."""
        todo: list[tuple[str, Node]] = [(path, self)]
        while todo:
            above, node = todo.pop()
            for name in sorted(node.children):
                child = node.children[name]
                inner = f"{above}/{name}" if above else name
                if isinstance(child, File):
                    if not child.read:
                        yield inner, 1, child.size
                elif not child.read:
                    if child.files:
                        yield f"{inner}/", child.files, child.size
                else:
                    todo.append((inner, child))


class ContextTree(Node):
    """The topmost directory. It knows the directories that are hidden themselves, though something in them may have
    been brought back (`veiled`)."""

    __slots__ = ("veiled",)

    def __init__(self) -> None:
        super().__init__()
        self.veiled: set[str] = set()

    def put_directory(self, path: str) -> None:
        """There is a directory at the path."""
        self._directory(path)

    def put_file(self, path: str, size: int) -> None:
        """There is something of this size at the path."""
        parent, _, name = path.rpartition("/")
        self._directory(parent).children[name] = File(size)
        for node in self._way(parent):
            node.files += 1
            node.size += size

    def hide(self, path: str, directory: bool = False) -> None:
        """Something at the path is hidden."""
        if directory:
            self.veiled.add(path)
        for node in self._way(path.rpartition("/")[0]):
            node.hides = True

    def mark(self, path: str) -> None:
        """The path is read."""
        at: Node | File | None = self
        self.read = True
        for part in path.split("/") if path else ():
            at = at.children.get(part) if isinstance(at, Node) else None
            if at is None:
                return
            at.read = True

    def _directory(self, path: str) -> "Node":
        at: Node = self
        for part in path.split("/") if path else ():
            below = at.children.get(part)
            if not isinstance(below, Node):
                below = at.children[part] = Node()
            at = below
        return at

    def _way(self, path: str) -> "Iterator[Node]":
        at: Node | File | None = self
        yield self
        for part in path.split("/") if path else ():
            at = at.children.get(part) if isinstance(at, Node) else None
            if not isinstance(at, Node):
                return
            yield at


class File:
    """Something in a directory that is none itself."""

    __slots__ = ("read", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.read = False
