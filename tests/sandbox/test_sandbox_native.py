"""The sandbox's promises, kept by kezuri's own and by each OCI runtime that is installed, as root and as others."""

import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from kezuri.diagnostics import KezuriError
from kezuri.linux import userns
from kezuri.sandbox.choice import choose
from kezuri.sandbox.step import (
    AgentMount,
    FileMount,
    HostMount,
    Port,
    Root,
    SecretMount,
    Step,
    TmpfsMount,
    TreeMount,
)

conftest: Any = sys.modules.get("tests.sandbox.conftest") or sys.modules["conftest"]
