"""The right to own files of other ids is taken when somebody needs it, and before threads that may need it."""

import os
import threading
import time

import pytest
from tests.sandbox.conftest import become
from tests.users.users_child import in_child

from kezuri.linux import idmaps, userns
from kezuri.linux.ownership import Ownership, Privilege


class Machine:
    """An ordinary user's process, which has subordinate ids once it has entered a namespace."""

    def __init__(self, refuses: bool = False, entered: bool = False) -> None:
        self.entries = 0
        self._refuses = refuses
        self._entered = entered

    def enter(self) -> None:
        if self._refuses:
            raise PermissionError
        self.entries += 1

    def look(self) -> Ownership:
        ids = ((0, 1000, 1), (1, 100_000, 65_536))
        return Ownership(ids, ids, True, self._entered or self.entries > 0)

    def privilege(self) -> Privilege:
        return Privilege(self.enter, self.look)


def test_it_is_taken_once_by_whoever_needs_it_first() -> None:
    for first, second in ((Privilege.own, Privilege.mount), (Privilege.mount, Privilege.own)):
        machine = Machine()
        privilege = machine.privilege()
        assert machine.entries == 0 and not privilege.seen.entered
        for ask in (first, second, first):
            ask(privilege)
            assert machine.entries == 1 and privilege.seen.entered


def test_root_owns_all_files_already_and_takes_it_to_mount() -> None:
    machine = Machine(entered=True)
    privilege = machine.privilege()
    privilege.own()
    assert machine.entries == 0
    privilege.mount()
    assert machine.entries == 1


def test_threads_that_need_it_find_it_taken() -> None:
    machine = Machine()
    privilege = machine.privilege()
    with privilege.threads(needed=True):
        assert machine.entries == 1
        privilege.own()
        privilege.mount()
    assert machine.entries == 1 and not privilege.forgone


def test_threads_that_do_without_it_cannot_take_it_and_what_comes_after_them_can() -> None:
    machine = Machine()
    privilege = machine.privilege()
    with pytest.raises(ZeroDivisionError), privilege.threads(needed=False):
        assert privilege.forgone
        for ask in (privilege.own, privilege.mount):
            with pytest.raises(RuntimeError, match="needs it"):
                ask()
        raise ZeroDivisionError
    assert machine.entries == 0 and not privilege.forgone
    privilege.own()
    assert machine.entries == 1


def test_where_it_was_taken_before_no_threads_do_without_it() -> None:
    privilege = Machine(entered=True).privilege()
    with privilege.threads(needed=False):
        assert not privilege.forgone


def test_a_machine_that_refuses_says_so_before_threads_start() -> None:
    privilege = Machine(refuses=True).privilege()
    with pytest.raises(PermissionError), privilege.threads(needed=True):
        pytest.fail("they were started")
    with privilege.threads(needed=False):
        pass


@pytest.mark.slow
def test_a_thread_that_is_ending_is_waited_for() -> None:
    """The kernel lets no process with two threads enter a user namespace."""

    def act() -> None:
        become(54321)
        threading.Thread(target=time.sleep, args=(0.3,), daemon=True).start()
        outside = os.readlink("/proc/self/ns/user")
        userns.enter()
        assert os.readlink("/proc/self/ns/user") != outside and os.geteuid() == 0
        assert idmaps.id_map()[0][0] == 0

    in_child(act)
