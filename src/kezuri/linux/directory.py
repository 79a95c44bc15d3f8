"""Directories of our own, whose content gets nothing from where they lie."""

import os


def make_plain(path: str, mode: int = 0o755) -> None:
    """Make a directory with exactly this mode, whatever the umask, which hands on nothing to what is made in it: it has
    neither a default ACL nor the group of the directory above. OSError as mkdir(2), or when it cannot be changed."""
    os.mkdir(path, 0o700)
    for name in ("system.posix_acl_default", "system.posix_acl_access"):
        try:
            os.removexattr(path, name)
        except OSError:
            pass  # it has none, or the file system knows none
    if os.stat(path).st_gid != os.getegid():
        os.chown(path, -1, os.getegid())
    os.chmod(path, mode)
