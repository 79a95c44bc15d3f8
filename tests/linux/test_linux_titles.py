"""What `ps` shows of a process."""

import subprocess
import sys


def shown(name: str, *arguments: str) -> list[str]:
    program = (
        f"from kezuri.linux.titles import name_process\nname_process({name})\n"
        "print(open('/proc/self/comm').read().strip())\nprint(open('/proc/self/cmdline', 'rb').read().strip(b'\\0'))"
    )
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_the_command_line_is_replaced() -> None:
    assert shown("'kezuri-init'", "/secret/path") == ["kezuri-init", "b'kezuri-init'"]


def test_a_name_that_is_longer_than_the_command_line_is_cut() -> None:
    comm, line = shown("'x' * 5000")
    assert comm == "x" * 15 and set(line[2:-1]) == {"x"} and len(line) < 5000
