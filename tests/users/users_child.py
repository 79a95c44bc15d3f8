"""Something done in a process of its own, which may enter a user namespace and take nobody else along."""

import json
import os
import traceback
from collections.abc import Callable
from typing import Any


def in_child(act: Callable[[], Any]) -> Any:
    """What `act` gives in a child of this process, as JSON has it; AssertionError with the child's traceback when it
    fails."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        try:
            said = json.dumps(["gave", act()])
        except BaseException:
            said = json.dumps(["failed", traceback.format_exc()])
        with open(write, "w") as pipe:
            pipe.write(said)
        os._exit(0)
    os.close(write)
    with open(read) as pipe:
        data = pipe.read()
    os.waitpid(child, 0)
    how, value = json.loads(data) if data else ("failed", "the process died")
    assert how == "gave", value
    return value
