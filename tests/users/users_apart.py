"""A pytest plugin: every test runs in a process of its own.

An ordinary user's process enters a user namespace at its first build, and stays in it: of the tests that share one
process only the first would see whether the namespace is entered in time. Use it with `-p tests.users.users_apart`.
"""

import marshal
import os
from typing import Any

import pytest
from _pytest.runner import runtestprotocol


def pytest_sessionstart(session: pytest.Session) -> None:
    """Make the directory of all tests once: pytest empties it when a process first asks for it."""
    factory: pytest.TempPathFactory = session.config._tmp_path_factory  # type: ignore[attr-defined]
    factory.getbasetemp()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    """Run the test, with its fixtures, in a child process, and report what the child reports."""
    hook = item.ihook
    hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        _report(item, write)
    os.close(write)
    with open(read, "rb") as pipe:
        said = pipe.read()
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    reports: list[Any] = marshal.loads(said) if said else []
    for data in reports:
        hook.pytest_runtest_logreport(report=hook.pytest_report_from_serializable(config=item.config, data=data))
    if not reports:
        report = pytest.TestReport(
            item.nodeid, item.location, {}, "failed", f"the test's process ended with {ended}", "call"
        )
        hook.pytest_runtest_logreport(report=report)
    hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def _report(item: pytest.Item, pipe: int) -> None:
    code = 1
    try:
        reports = runtestprotocol(item, log=False, nextitem=None)
        serial = [item.ihook.pytest_report_to_serializable(config=item.config, report=report) for report in reports]
        with open(pipe, "wb") as out:
            out.write(marshal.dumps(_plain(serial)))
        code = 0
    finally:
        os._exit(code)


def _plain(value: Any) -> Any:
    """The value in what marshal writes: paths and the like as text."""
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, tuple):
        return tuple(_plain(one) for one in value)
    return value if isinstance(value, str | int | float | bool | bytes | None) else str(value)
