"""The control groups that an engine makes for its steps and leaves behind: they are gone when the engine is."""

import glob
import os
from types import TracebackType
from typing import Self


class ControlGroups:
    """While it is entered an engine may make groups named `name` at the top of any hierarchy. Afterwards those that
    were not there before are removed, unless somebody's process is in them."""

    def __init__(self, name: str, top: str = "/sys/fs/cgroup") -> None:
        self._name = name
        self._top = top
        self._before: set[str] = set()

    def __enter__(self) -> Self:
        self._before = set(self._groups())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for group in sorted(set(self._groups()) - self._before, reverse=True):
            try:
                os.rmdir(group)
            except OSError:
                continue

    def _groups(self) -> list[str]:
        """Version 2 has one hierarchy at the top itself, version 1 one in each directory there."""
        tops = [f"{self._top}/{self._name}", *glob.glob(f"{glob.escape(self._top)}/*/{self._name}")]
        return [directory for top in tops for directory, _, _ in os.walk(top)]
