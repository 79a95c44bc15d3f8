"""The numbers of dive in dive's own forms: its JSON, and the report that it prints in CI."""

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any

from kezuri.anatomy.dive import DiveFigures, ordered
from kezuri.anatomy.thresholds import Verdict
from kezuri.layer.entry import Entry, Kind

_FLAGS: dict[Kind, int] = {
    "file": 48,
    "whiteout": 48,
    "hardlink": 49,
    "symlink": 50,
    "char": 51,
    "block": 52,
    "dir": 53,
    "fifo": 54,
}
_MODES: dict[Kind, int] = {
    "dir": 1 << 31,
    "symlink": 1 << 27,
    "block": 1 << 26,
    "char": 1 << 26 | 1 << 21,
    "fifo": 1 << 25,
}
_SPECIAL = ((0o4000, 1 << 23), (0o2000, 1 << 22), (0o1000, 1 << 20))
_NOTHING = {
    "path": "",
    "typeFlag": 0,
    "linkName": "",
    "size": 0,
    "fileMode": 0,
    "uid": 0,
    "gid": 0,
    "isDir": False,
}
"""What dive knows of a directory that no entry describes."""
_WORDS = {"pass": "PASS", "fail": "FAIL", "skip": "SKIP"}
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")


def json_lines(figures: DiveFigures) -> Iterator[str]:
    """dive's JSON, line by line: of a million files no list is held."""
    yield "{"
    yield '  "layer": ['
    for layer in figures.layers:
        head = {
            "index": layer.number,
            "id": "blobs",
            "digestId": layer.diff_id,
            "sizeBytes": layer.size,
            "command": layer.command,
        }
        yield "    {"
        for name, value in head.items():
            yield f"      {json.dumps(name)}: {_json(value)},"
        files = ordered(layer.listing)
        before = ""
        for path, entry in files:
            yield before or '      "fileList": ['
            before = f"        {_json(_file(path, entry))},"
        yield before.removesuffix(",") if before else '      "fileList": ['
        yield "      ]"
        yield "    }" + "," * (layer.number + 1 < len(figures.layers))
    yield "  ],"
    image = {
        "sizeBytes": figures.size,
        "inefficientBytes": figures.wasted,
        "efficiencyScore": figures.efficiency,
        "fileReference": [{"count": f.copies, "sizeBytes": f.size, "file": f.path} for f in figures.files],
    }
    first, *rest = _json(image, 2).split("\n")
    yield f'  "image": {first}'
    yield from (f"  {line}" for line in rest)
    yield "}"


def _json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=True, indent=indent)


def _file(path: str, entry: Entry | None) -> dict[str, Any]:
    if entry is None:
        return _NOTHING
    if entry.kind == "whiteout":
        parent, slash, name = path.rpartition("/")
        path = f"{parent}{slash}.wh.{name}"
    mode = entry.mode & 0o777 | _MODES.get(entry.kind, 0)
    for bit, go in _SPECIAL:
        mode |= go if entry.mode & bit else 0
    return {
        "path": path,
        "typeFlag": _FLAGS.get(entry.kind, 48),
        "linkName": entry.link,
        "size": entry.size if entry.kind == "file" else 0,
        "fileMode": mode,
        "uid": entry.uid,
        "gid": entry.gid,
        "isDir": entry.kind == "dir",
    }


def text(figures: DiveFigures, verdicts: Sequence[Verdict]) -> str:
    """The report that dive prints: the numbers, the paths, and what its rules say, where they were asked."""
    lines = ["Analysis:", f"  efficiency:        {figures.efficiency * 100:.2f} %"]
    wasted = f" ({humanized(figures.wasted)})" if figures.wasted else " "
    lines.append(f"  wastedBytes:       {figures.wasted} bytes{wasted}")
    percent = _go(figures.user_wasted * 100) if figures.wasted else "0"
    lines.append(f"  userWastedPercent: {percent} %")
    if figures.files:
        lines += ["", "Inefficient Files:", f"  {'Count':<5}  {'Wasted Space':<12}  File Path"]
        lines += [f"  {file.copies:<5}  {humanized(file.size):<12}  {file.path}" for file in figures.files]
    else:
        lines += ["", "Inefficient Files: (None)"]
    if verdicts:
        lines += ["", "Evaluation:"]
        ordered_by_name = sorted(verdicts, key=lambda verdict: verdict.rule)
        lines += [f"  {_WORDS[each.state]}  {each.rule} ({_message(each)})" for each in ordered_by_name]
        failed = any(each.state == "fail" for each in verdicts)
        counts = [(state, sum(each.state == state for each in verdicts)) for state in ("pass", "fail", "skip")]
        tally = " ".join(f"{state}:{count}" for state, count in counts if count)
        lines += ["", f"{'FAIL' if failed else 'PASS'} [{tally}]"]
    return "\n".join(lines)


def _message(verdict: Verdict) -> str:
    if verdict.state == "skip":
        return "disabled"
    if verdict.state == "pass":
        return verdict.written
    value = _go(verdict.value)
    limit = f"{verdict.limit:g}" if verdict.rule != "highestWastedBytes" else str(int(verdict.limit))
    return {
        "lowestEfficiency": f"image efficiency is too low (efficiency={value} < threshold={limit})",
        "highestWastedBytes": f"too many bytes wasted (wasted-bytes={int(verdict.value)} > threshold={limit})"
        if math.isfinite(verdict.value)
        else "",
        "highestUserWastedPercent": "too many bytes wasted, relative to the user bytes added "
        f"(%-user-wasted-bytes={value} > threshold={limit})",
    }[verdict.rule]


def _go(value: float) -> str:
    """A number with two decimals as Go writes it."""
    if math.isnan(value):
        return "NaN"
    return f"{value:.2f}" if math.isfinite(value) else "+Inf"


def humanized(size: int) -> str:
    """Bytes as the library of dive writes them: `1.7 kB`, `83 MB`."""
    if size < 10:
        return f"{size} B"
    power = min(int(math.log(size) / math.log(1000)), len(_UNITS) - 1)
    value = math.floor(size / 1000**power * 10 + 0.5) / 10
    return f"{value:.1f} {_UNITS[power]}" if value < 10 else f"{value:.0f} {_UNITS[power]}"
