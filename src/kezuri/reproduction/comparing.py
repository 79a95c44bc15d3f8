"""Two builds compared step by step: what each step left, path by path, causes told from what follows from them."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from kezuri.reproduction.mending import mending, of_config, of_program
from kezuri.reproduction.traces import BUILD_ID, CORES, Trace, Window, trace
from kezuri.reproduction.values import Kind, LeftEntry, Made, StepLeft, StepUnlike, Unlike

Contents = Callable[[StepLeft, Sequence[str]], tuple[Mapping[str, bytes], Mapping[str, bytes]]]
"""Gives the bytes of these files of a step in both builds; one that is not to be had is left out."""

MOST_READ = 200
"""How many files of a step are looked into."""
_NOT_COMPARED = ("rootfs", "created", "history")


def compared(one: Made, two: Made, contents: Contents, dated: bool = False) -> tuple[StepUnlike, ...]:
    """What differs, in the order of the plan; the config comes last. `dated`: both had the same SOURCE_DATE_EPOCH."""
    others = {(step.stage, step.position): step for step in two.steps}
    first, second = (Window(made.began, made.ended, made.cores) for made in (one, two))
    found: list[StepUnlike] = []
    unlike_stages: dict[int, str] = {}
    loose_stages: dict[int, str] = {}
    for step in one.steps:
        other = others.get((step.stage, step.position))
        if other is None:
            continue
        differences = tuple(_step(step, other, contents, first, second))
        if dated:
            differences = tuple(_dated(each, step.text) for each in differences)
        if not differences:
            continue
        # Times and modes of files seldom reach what is made of them; their bytes do.
        heavy = [each for each in differences if each.what not in ("mtime", "mode", "owner")]
        follows = ""
        if heavy:
            follows = next((unlike_stages[stage] for stage in step.stages if stage in unlike_stages), "")
            if not follows and step.kind == "RUN" and all(each.kind == "content" for each in heavy):
                # What has a kind of its own came about here; of the rest nobody knows.
                follows = unlike_stages.get(step.stage, "")
            unlike_stages.setdefault(step.stage, follows or step.name)
        if any(each.what in ("mode", "owner") for each in differences):
            if not heavy:
                # What is copied from a stage has its modes and owners from there.
                follows = next((loose_stages[stage] for stage in step.stages if stage in loose_stages), "")
            loose_stages.setdefault(step.stage, follows or step.name)
        found.append(StepUnlike(step.stage, step.name, step.text, step.line, differences, follows))
    config = tuple(_config(one.config, two.config))
    if config:
        found.append(StepUnlike(-1, "config", "", 0, config))
    return tuple(found)


def _step(one: StepLeft, two: StepLeft, contents: Contents, first: Window, second: Window) -> Iterator[Unlike]:
    differing = [
        path
        for path, was in one.entries.items()
        if (now := two.entries.get(path)) is not None and was.kind == now.kind == "file" and was.digest != now.digest
    ]
    read = contents(one, sorted(differing)[:MOST_READ]) if differing else ({}, {})
    alone = _Alone(one.entries, two.entries)
    for path in sorted(one.entries.keys() | two.entries.keys()):
        was, now = one.entries.get(path), two.entries.get(path)
        if was is None or now is None:
            yield alone.unlike(path, one.text)
            continue
        if was.kind != now.kind:
            yield _unlike(path, "kind", was.kind, now.kind, "content", one.text)
            continue
        if was.digest != now.digest:
            told = _content(path, read, first, second)
            said = (f"{was.size} bytes", f"{now.size} bytes") if was.size != now.size else _digests(was, now)
            yield _unlike(path, "bytes", *said, told.kind, one.text, told.about)
        if was.link != now.link:
            yield _unlike(path, "link", was.link, now.link, "content", one.text)
        if was.mode != now.mode:
            yield _unlike(path, "mode", f"{was.mode:04o}", f"{now.mode:04o}", "mode", one.text)
        if was.owner != now.owner:
            owners = (f"{uid}:{gid}" for uid, gid in (was.owner, now.owner))
            yield _unlike(path, "owner", next(owners), next(owners), "mode", one.text)
        if was.attributes != now.attributes:
            names = (", ".join(name for name, _ in entry.attributes) or "none" for entry in (was, now))
            yield _unlike(path, "attributes", next(names), next(names), "content", one.text)
        if was.mtime != now.mtime:
            yield _unlike(path, "mtime", _moment(was.mtime), _moment(now.mtime), "time", one.text)


class _Alone:
    """What only one of both builds has. A pair that lies in the same directory and is alike but for its name was given
    that name at random."""

    def __init__(self, one: Mapping[str, LeftEntry], two: Mapping[str, LeftEntry]) -> None:
        self._gone = {path: entry for path, entry in one.items() if path not in two}
        self._new = {path: entry for path, entry in two.items() if path not in one}
        self._looks = {
            what: {_looks(path, entry) for path, entry in entries.items()}
            for what, entries in (("gone", self._gone), ("new", self._new))
        }

    def unlike(self, path: str, instruction: str) -> Unlike:
        entry = self._gone.get(path) or self._new[path]
        what = "gone" if path in self._gone else "new"
        other = self._looks["new" if what == "gone" else "gone"]
        kind: Kind = "random" if _looks(path, entry) in other else "content"
        said = f"{entry.kind} of {entry.size} bytes" if entry.kind == "file" else entry.kind
        return _unlike(path, what, *((said, "") if what == "gone" else ("", said)), kind, instruction)


def _dated(unlike: Unlike, instruction: str) -> Unlike:
    """Times that differ although there is a SOURCE_DATE_EPOCH: another one does not mend them."""
    if unlike.what != "mtime":
        return unlike
    return unlike._replace(mending=mending(unlike.path, unlike.what, unlike.kind, instruction, dated=True)[2])


def _looks(path: str, entry: LeftEntry) -> tuple[str, str, int]:
    return entry.kind, path.rpartition("/")[0], len(path)


def _content(path: str, read: tuple[Mapping[str, bytes], Mapping[str, bytes]], first: Window, second: Window) -> Trace:
    one, two = read[0].get(path), read[1].get(path)
    return Trace("content") if one is None or two is None else trace(path, one, two, first, second)


def _unlike(path: str, what: str, was: str, now: str, kind: Kind, instruction: str, told: str = "") -> Unlike:
    kind, about, mended = mending(path, what, kind, instruction)
    if told == CORES and not mended:
        mended = "do not let it depend on nproc: give the number"
    if told == BUILD_ID:
        mended = of_program(mended)
    return Unlike(path, what, was, now, kind, "; ".join(filter(None, (about, told))), mended)


def _digests(was: LeftEntry, now: LeftEntry) -> tuple[str, str]:
    return f"sha256:{was.digest.hex()[:12]}", f"sha256:{now.digest.hex()[:12]}"


def _moment(nanoseconds: int) -> str:
    from kezuri.oci.dates import timestamp

    try:
        return timestamp(nanoseconds / 1e9)
    except (ValueError, OverflowError, OSError):
        return str(nanoseconds)


def _config(one: Mapping[str, object], two: Mapping[str, object]) -> Iterator[Unlike]:
    """Fields of the config, those of the history with their number; layers are compared by their files."""
    if one.get("created") != two.get("created"):
        yield Unlike(
            "created", "value", str(one.get("created")), str(two.get("created")), "time", *of_config("created")
        )
    was, now = one.get("history"), two.get("history")
    if isinstance(was, list) and isinstance(now, list) and was != now:
        plain = [[{k: v for k, v in entry.items() if k != "created"} for entry in entries] for entries in (was, now)]
        kind: Kind = "time" if plain[0] == plain[1] else "config"
        count = sum(old != new for old, new in zip(was, now))
        yield Unlike("history", "value", f"{count} entries", "", kind, *of_config("history"))
    for field in sorted(one.keys() | two.keys()):
        if field in _NOT_COMPARED or one.get(field) == two.get(field):
            continue
        yield Unlike(field, "value", str(one.get(field))[:200], str(two.get(field))[:200], "config")
