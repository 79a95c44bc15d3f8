"""Processes that serve a step: their end is told."""

import os
import select
import signal

from kezuri.sandbox.companions import Companions


def _child(code: int = -1) -> int:
    pid = os.fork()
    if pid == 0:
        if code < 0:
            signal.pause()
        os._exit(code)
    return pid


def _heard(companions: Companions) -> list[str]:
    poll = select.poll()
    for fd in companions.descriptors():
        poll.register(fd, select.POLLIN)
    return [companions.ended(fd) for fd, _ in poll.poll(10_000) if companions.watches(fd)]


def test_an_end_is_told_once() -> None:
    companions, gone = Companions(), list[str]()
    living, dead = _child(), _child()
    companions.watch(living, "living", "nothing")
    companions.watch(dead, "dead", "much is lost", lambda: gone.append("dead"))
    os.kill(dead, signal.SIGKILL)
    assert _heard(companions) == ["dead was killed (SIGKILL): much is lost"]
    assert gone == ["dead"] and len(tuple(companions.descriptors())) == 1
    os.kill(living, signal.SIGTERM)
    assert _heard(companions) == ["living was killed (SIGTERM): nothing"]


def test_an_exit_code_is_told() -> None:
    companions = Companions()
    companions.watch(_child(3), "it", "x")
    assert _heard(companions) == ["it has ended (exit code 3): x"]


def test_no_process_is_not_watched() -> None:
    companions = Companions()
    companions.watch(0, "it", "x")
    assert not tuple(companions.descriptors())
