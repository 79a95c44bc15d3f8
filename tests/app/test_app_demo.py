"""The demonstration's container, which a process of its own holds while it is asked for an answer."""

import os
import signal
import subprocess
import sys
import time

import pytest

CODE = """
import os, time
from kezuri.app import demo, run
from kezuri.app.request import Settings
def serve(request, settings):
    print(os.getpid(), flush=True)
    time.sleep(1000)
run.run = serve
demo._ask(Settings("/nowhere"))
"""


@pytest.mark.slow
def test_the_container_dies_with_a_demonstration_that_is_killed() -> None:
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", CODE], env=environ, stdout=subprocess.PIPE, text=True) as asking:
        assert asking.stdout is not None
        child = int(asking.stdout.readline())
        asking.send_signal(signal.SIGKILL)
    end = time.monotonic() + 10
    while True:
        try:
            with open(f"/proc/{child}/stat") as f:
                if f.read().rpartition(")")[2].split()[0] == "Z":
                    break
        except FileNotFoundError:
            break
        assert time.monotonic() < end
        time.sleep(0.02)
