"""The ids that a process is made to believe in change as the kernel's do."""

import marshal
import os
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kezuri.linux import libc
from kezuri.sandbox.credentials import SAME, Credentials

IDS = st.sampled_from([0, 1, 1000, 1001, SAME])
CALLS = st.one_of(
    st.tuples(st.sampled_from(["setuid", "setgid"]), st.tuples(st.sampled_from([0, 1, 1000, 1001]))),
    st.tuples(st.sampled_from(["setreuid", "setregid"]), st.tuples(IDS, IDS)),
    st.tuples(st.sampled_from(["setresuid", "setresgid"]), st.tuples(IDS, IDS, IDS)),
)
Said = list[tuple[tuple[int, int, int], tuple[int, int, int]] | None]


def believed(calls: list[tuple[str, tuple[int, ...]]]) -> Said:
    held = Credentials()
    changes: dict[str, Callable[..., Credentials | None]] = {
        "setuid": Credentials.set_user,
        "setgid": Credentials.set_group,
        "setreuid": Credentials.set_two_users,
        "setregid": Credentials.set_two_groups,
        "setresuid": Credentials.set_users,
        "setresgid": Credentials.set_groups,
    }
    said: Said = []
    for name, ids in calls:
        new = changes[name](held, *ids)
        held = new or held
        said.append((held.users, held.groups) if new else None)
    return said


def real(calls: list[tuple[str, tuple[int, ...]]]) -> Said:
    """What the kernel makes of the calls, in a process of its own that begins as root."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        said: Said = []
        for name, ids in calls:
            try:
                libc.call(name, *(-1 if number == SAME else number for number in ids))
                said.append((os.getresuid(), os.getresgid()))
            except PermissionError:
                said.append(None)
        os.write(write, marshal.dumps(said))
        os._exit(0)
    os.close(write)
    with open(read, "rb") as pipe:
        data = pipe.read()
    os.waitpid(child, 0)
    found: Said = marshal.loads(data)
    return found


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become others")
@settings(max_examples=150, deadline=None)
@given(st.lists(CALLS, max_size=6))
def test_changes_are_the_kernels(calls: list[tuple[str, tuple[int, ...]]]) -> None:
    libc.load()
    assert believed(calls) == real(calls)


def test_who_is_not_root_has_no_say_in_groups() -> None:
    user = Credentials().set_users(1000, 1000, 0)
    assert user is not None and not user.privileged and user.set_supplementary((5,)) is None
    again = user.set_users(SAME, 0, SAME)
    assert again is not None and again.privileged and again.set_supplementary((5,)) is not None
