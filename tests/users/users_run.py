"""Runs tests as an ordinary user of this machine: `python -m tests.users.users_run WHO [argument of pytest]...`

WHO is `subordinate`, a user to whom /etc/subuid grants ids, or `single`, one to whom it grants none. Root calls it. The
checkout is shown to that user at a place that he can read, whoever it belongs to; what the tests write goes to a new
directory, which is removed at the end. Ends as pytest does; with 5, as if there were no tests, where nobody has
subordinate ids.
"""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from kezuri.linux import mounts, namespaces, userns

SINGLE = 54321
"""An id that no user of the machine has, and no subordinate ids either."""
CHECKOUT = Path(__file__).parents[2]
NOTHING_RAN = 5


def subordinate_user() -> int:
    """Some user of this machine to whom both /etc/subuid and /etc/subgid grant ids (0: none)."""
    for user in pwd.getpwall():
        paths = ("/etc/subuid", "/etc/subgid")
        if user.pw_uid and all(userns.subordinate(path, user.pw_name, user.pw_uid).ranges for path in paths):
            return user.pw_uid
    return 0


def main(who: str, arguments: list[str]) -> int:
    """See the head of this file."""
    uid = {"subordinate": subordinate_user(), "single": SINGLE}[who]
    if not uid or (who == "subordinate" and not userns.find_program("newuidmap")):
        print("no user here has subordinate ids: `useradd` makes one where uidmap is installed")
        return NOTHING_RAN
    # What was made is removed also when the run is called off.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    home = tempfile.mkdtemp(prefix="kezuri-user-")
    try:
        os.chown(home, uid, uid)
        os.chmod(home, 0o755)
        namespaces.unshare(namespaces.NEWNS)
        mounts.make_private("/")
        # Below a directory of root's, which the tests of this user cannot change.
        shown = tempfile.mkdtemp(prefix="kezuri-checkout-")
        os.chmod(shown, 0o755)
        subprocess.run(["mount", "--bind", str(CHECKOUT), shown], check=True)
        try:
            return _pytest(uid, home, Path(shown), arguments)
        finally:
            subprocess.run(["umount", "--lazy", shown], check=False)
            os.rmdir(shown)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _pytest(uid: int, home: str, checkout: Path, arguments: list[str]) -> int:
    python = sys.executable
    if Path(python).is_relative_to(CHECKOUT):
        python = str(checkout / Path(python).relative_to(CHECKOUT))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "KEZURI_"))}
    words = ["-m", "pytest", "-p", "no:cacheprovider", "-p", "tests.users.users_apart", f"--basetemp={home}/tests"]
    done = subprocess.run(
        [python, *words, *arguments],
        cwd=checkout,
        env={**kept, "HOME": home, "TMPDIR": home, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(checkout)},
        user=uid,
        group=uid if uid == SINGLE else pwd.getpwuid(uid).pw_gid,
        extra_groups=[],
        check=False,
    )
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
