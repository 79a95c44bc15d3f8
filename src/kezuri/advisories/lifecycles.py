"""When distributions and runtimes end: a table with its sources and its date, and files of the same facts read."""

import os
import re
from collections.abc import Iterable, Iterator
from typing import Final

from kezuri.advisories.coordinates import Distribution
from kezuri.advisories.lifecycle import Lifecycle, Standing, titled

__all__ = ["Lifecycle", "Lifecycles", "Standing", "lifecycles"]

_FILE: Final = os.path.join(os.path.dirname(__file__), "life_table.txt")
"""The table; its first lines say how it is to be read."""
_NAMES: Final = {
    "nodejs": "node",
    "cpython": "python",
    "python3": "python",
    "golang": "go",
    "openjdk": "java",
    "jdk": "java",
    "jre": "java",
    "temurin": "java",
    "eclipse-temurin": "java",
    "dotnet-runtime": "dotnet",
    "dotnet-sdk": "dotnet",
    "aspnetcore-runtime": "dotnet",
    "microsoft.netcore.app": "dotnet",
    "microsoft.aspnetcore.app": "dotnet",
    "rustc": "rust",
}
"""What runtimes are called besides."""
_FIRST_RUST: Final = "2015-05-14"
_RUST_WEEKS: Final = 6
_RUST_SOURCE: Final = "https://forge.rust-lang.org/release/process.html"
_RELEASE = re.compile(r"(?:go|v|jdk-?)?(\d{1,4}(?:\.\d{1,4}){0,2})")
_OLD_JAVA = re.compile(r"1\.(\d)\b")


class Lifecycles:
    """Lives, asked by distribution and by runtime. `date` is the day on which the table was last right."""

    def __init__(self, lives: Iterable[Lifecycle], date: str) -> None:
        self.date = date
        self._lives: dict[str, dict[str, Lifecycle]] = {}
        for life in lives:
            self._lives.setdefault(life.subject, {})[life.cycle] = life

    def of_distribution(self, distribution: Distribution) -> Lifecycle | None:
        """The life of a distribution's release; None where it is not in the table."""
        lives = self._lives.get(distribution.id, {})
        if "*" in lives:
            return lives["*"]
        if distribution.id == "alpine" and ("_alpha" in distribution.version or not distribution.version):
            return lives.get("edge")
        found = self._by_version(lives, distribution.version)
        if found is None and distribution.codename:
            # Debian's testing has a codename alone, and is called `trixie/sid`.
            found = next((life for life in lives.values() if life.codename == distribution.codename), None)
        return found

    def of_runtime(self, name: str, version: str) -> Lifecycle | None:
        """The life of a runtime's release line, by the name that `packages` gives it (`node`, `python`, `go`, `java`,
        `ruby`, `php`, `dotnet`, `rust`, …) and its whole version; None where it is not in the table."""
        subject = _NAMES.get(name.lower(), name.lower())
        if subject == "java" and (old := _OLD_JAVA.match(version)):
            version = old[1]
        if subject == "rust":
            return _rust(version)
        return self._by_version(self._lives.get(subject, {}), version)

    def all(self, subject: str) -> tuple[Lifecycle, ...]:
        """All releases of a distribution or runtime, the newest first."""
        lives = self._lives.get(_NAMES.get(subject.lower(), subject.lower()), {})
        return tuple(sorted(lives.values(), key=_number, reverse=True))

    def successor(self, life: Lifecycle, day: str) -> Lifecycle | None:
        """The nearest later release of long term that its makers go on with for another year at least from a day on;
        else the newest that they support; None where there is none."""
        if life.subject == "rust":
            current = _rust(f"1.{_rust_number(day)}")
            return current if current is not None and _number(current) > _number(life) else None
        year = f"{int(day[:4]) + 1:04}{day[4:10]}"
        later = [
            each
            for each in reversed(self.all(life.subject))
            if _number(each) > _number(life) and each.long_term and each.standing(day) == "supported"
        ]
        lasting = [each for each in later if not each.ends or each.ends >= year]
        return lasting[0] if lasting else later[-1] if later else None

    def _by_version(self, lives: dict[str, Lifecycle], version: str) -> Lifecycle | None:
        found = _RELEASE.match(version)
        parts = found[1].split(".") if found is not None else []
        for count in range(len(parts), 0, -1):
            life = lives.get(".".join(parts[:count]))
            if life is not None:
                return life
        return None


def _number(life: Lifecycle) -> tuple[int, ...]:
    """Where a release stands among those of its subject; what has no number stands after them."""
    parts = life.cycle.split(".")
    return tuple(map(int, parts)) if all(part.isdigit() and part.isascii() for part in parts) else (1 << 30,)


def lifecycles(*paths: str) -> Lifecycles:
    """The table that comes with kezuri; what the files at `paths` say (JSON of endoflife.date, CSV of distro-info-data)
    goes before it. KezuriError for a file that is neither."""
    with open(_FILE, encoding="utf-8") as file:
        text = file.read()
    lives = list(_table(text))
    date = text.partition("# date: ")[2][:10]
    if paths:
        from kezuri.advisories.life_files import read

        for path in paths:
            read_lives, of_day = read(path)
            lives += read_lives
            date = max(date, of_day)
    return Lifecycles(lives, date)


def _table(text: str) -> Iterator[Lifecycle]:
    subject = title = source = ""
    for line in text.splitlines():
        cells = line.split()
        if cells[0] == "#":
            continue
        if cells[0] == "=":
            subject, title, source = cells[1], cells[2].replace("_", " "), cells[3]
            continue
        cycle, released, ends, extended, codename, kind = (*cells, *("-",) * (6 - len(cells)))
        yield Lifecycle(
            subject,
            cycle,
            titled(title, cycle, codename.replace("-", "")),
            "" if released in ("-", "rolling", "unreleased") else released,
            ends.strip("-"),
            extended.strip("-"),
            released == "rolling",
            source,
            codename.strip("-"),
            kind != "short" and (subject != "ubuntu" or kind == "lts"),
            released == "unreleased",
        )


def _rust(version: str) -> Lifecycle | None:
    """Rust's releases come every six weeks, and end with the next one (https://blog.rust-lang.org)."""
    from datetime import date, timedelta

    found = re.match(r"1\.(\d{1,3})(?:\D|$)", version)
    if found is None:
        return None
    number = int(found[1])
    first, step = date.fromisoformat(_FIRST_RUST), timedelta(weeks=_RUST_WEEKS)
    released, ends = first + number * step, first + (number + 1) * step
    cycle = f"1.{number}"
    return Lifecycle("rust", cycle, f"Rust {cycle}", str(released), str(ends), source=_RUST_SOURCE)


def _rust_number(day: str) -> int:
    """The release of Rust that is the newest on a day."""
    from datetime import date

    return max(0, (date.fromisoformat(day[:10]) - date.fromisoformat(_FIRST_RUST)).days // (7 * _RUST_WEEKS))
