"""A small model of a terminal: enough to see what a person would see."""

import io
import re

_SEQUENCE = re.compile(r"\x1b\[(\??)([0-9;]*)([A-Za-z])")


class Terminal(io.StringIO):
    """Text written to it appears on `screen()`; lines that left the top are in `history`."""

    def __init__(self, columns: int = 80, rows: int = 24) -> None:
        super().__init__()
        self.columns, self.rows = columns, rows
        self.cells = [[" "] * columns for _ in range(rows)]
        self.history: list[str] = []
        self.row = self.column = 0
        self.cursor = True
        self.frames = 0
        self.raw = ""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.raw += text
        self.frames += 1
        at = 0
        while at < len(text):
            match = _SEQUENCE.match(text, at)
            if match:
                self._control(match[1], match[2], match[3])
                at = match.end()
                continue
            char = text[at]
            assert char != "\x1b", f"a sequence that the model does not know: {text[at : at + 10]!r}"
            self._put(char)
            at += 1
        return len(text)

    def _control(self, private: str, numbers: str, letter: str) -> None:
        if private:
            assert letter in "hl"
            if numbers == "25":
                self.cursor = letter == "h"
        elif letter == "A":
            self.row = max(0, self.row - int(numbers or 1))
        elif letter == "K":
            self.cells[self.row][self.column :] = [" "] * (self.columns - self.column)
        elif letter == "J":
            self.cells[self.row][self.column :] = [" "] * (self.columns - self.column)
            for row in range(self.row + 1, self.rows):
                self.cells[row] = [" "] * self.columns
        else:
            assert letter == "m", f"a sequence that the model does not know: {numbers}{letter}"

    def _put(self, char: str) -> None:
        from unicodedata import combining, east_asian_width

        if char == "\r":
            self.column = 0
        elif char == "\n":
            self.column = 0
            self._down()
        else:
            wide = 0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1
            if self.column + wide > self.columns:
                self.column = 0
                self._down()
            if wide:
                self.cells[self.row][self.column] = char
                if wide == 2:
                    self.cells[self.row][self.column + 1] = ""
                self.column += wide

    def _down(self) -> None:
        if self.row == self.rows - 1:
            self.history.append("".join(self.cells.pop(0)).rstrip())
            self.cells.append([" "] * self.columns)
        else:
            self.row += 1

    def screen(self) -> list[str]:
        """The visible lines, without trailing blanks and empty lines at the end."""
        lines = ["".join(row).rstrip() for row in self.cells]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    def everything(self) -> list[str]:
        """What scrolled away and what is visible."""
        return self.history + self.screen()
