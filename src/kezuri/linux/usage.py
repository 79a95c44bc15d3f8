"""What files take on the disk, counted as `du` does."""

import errno
import os

_NOT_COUNTED = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)


def disk_use(path: str, seen: set[tuple[int, int]] | None = None) -> int:
    """What `du -s` says of the path, in bytes: blocks of everything, hard-linked files once (also those in `seen`).
    0 when it is gone. What lies deeper than a path can say is not counted."""
    try:
        total = os.lstat(path).st_blocks * 512
    except FileNotFoundError:
        return 0
    seen = set() if seen is None else seen
    stack = [path]
    while stack:
        try:
            entries = os.scandir(stack.pop())
        except OSError as error:
            if error.errno in _NOT_COUNTED:
                continue
            raise
        with entries:
            for entry in entries:
                try:
                    status = entry.stat(follow_symlinks=False)
                except OSError as error:
                    if error.errno in _NOT_COUNTED:
                        continue
                    raise
                if entry.is_dir(follow_symlinks=False):
                    stack.append(entry.path)
                elif status.st_nlink > 1:
                    if (status.st_dev, status.st_ino) in seen:
                        continue
                    seen.add((status.st_dev, status.st_ino))
                total += status.st_blocks * 512
    return total


def content_use(directory: str) -> int:
    """What the files of a directory take, in bytes, without the directory itself."""
    return disk_use(directory) - os.lstat(directory).st_blocks * 512
