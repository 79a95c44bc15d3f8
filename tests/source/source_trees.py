"""Trees and views for the tests of this room."""

import os

from kezuri.layer.entry import Content, Entry, Item
from kezuri.tree.tree import clean, resolve


class DictView:
    """A view of an image that is a dictionary."""

    def __init__(self, *entries: Entry, files: dict[str, bytes] | None = None) -> None:
        self.entries = {entry.path: entry for entry in entries}
        self.files = files or {}
        for path, data in self.files.items():
            self.entries[path] = Entry(path, "file", 0o644, size=len(data))
        for path in list(self.entries):
            while path := path.rpartition("/")[0]:
                self.entries.setdefault(path, Entry(path, "dir", 0o755, mtime=11))

    def lookup(self, path: str) -> Entry | None:
        return self.entries.get(path) or (Entry("", "dir", 0o755) if not path else None)

    def resolve(self, path: str) -> str:
        return resolve(path, self.lookup)

    def read(self, path: str, limit: int = 10 << 20) -> bytes | None:
        return self.files.get(self.resolve(clean(path)))


def make(root: str, tree: dict[str, str | bytes | None]) -> str:
    """Make a tree on disk: text is a file, None a directory, `-> x` a link. Times are 1000 s and on."""
    os.makedirs(root, exist_ok=True)
    paths = []
    for path, what in tree.items():
        host = os.path.join(root, path)
        os.makedirs(os.path.dirname(host), exist_ok=True)
        if what is None:
            os.makedirs(host, exist_ok=True)
        elif isinstance(what, str) and what.startswith("-> "):
            os.symlink(what[3:], host)
        else:
            with open(host, "wb") as file:
                file.write(what.encode() if isinstance(what, str) else what)
            os.chmod(host, 0o644)
        paths.append(host)
    for number, (at, directories, names) in enumerate(os.walk(root, topdown=False)):
        for name in [*directories, *names]:
            stamp = (1000 + number) * 10**9 + 7
            os.utime(os.path.join(at, name), ns=(stamp, stamp), follow_symlinks=False)
            if os.path.isdir(os.path.join(at, name)) and not os.path.islink(os.path.join(at, name)):
                os.chmod(os.path.join(at, name), 0o755)
    os.utime(root, ns=(999 * 10**9, 999 * 10**9))
    return root


def by_path(items: tuple[Item, ...]) -> dict[str, Entry]:
    return {entry.path: entry for entry, _ in items}


def bytes_of(content: Content) -> bytes:
    if isinstance(content, str):
        with open(content, "rb") as file:
            return file.read()
    return content or b""
