"""Our orders against the programs that they are of, on versions made at random; each is asked where it is there."""

import json
import os
import random
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from kezuri.versions.order import Scheme, Unordered, comparison
from kezuri.versions.ranges import holds
from kezuri.versions.requirements import npm

pytestmark = pytest.mark.slow

Pairs = list[tuple[str, str]]


def pairs_of(seed: int, count: int, pieces: Sequence[str]) -> Pairs:
    """Pairs of which most differ in one place."""
    chance = random.Random(seed)

    def version() -> str:
        return "1" + "".join(chance.choice(pieces) for _ in range(chance.randint(0, 7)))

    found = []
    for _ in range(count):
        one = version()
        place = chance.randint(1, len(one))
        near = one[:place] + chance.choice(pieces) + one[place + chance.randint(0, 1) :]
        found.append((one, near if chance.random() < 0.7 else version()))
    return found


def differing(scheme: Scheme, pairs: Pairs, said: Sequence[str]) -> list[tuple[str, str, str, str]]:
    """Where we say something else; `E` is what is no version."""
    compare, found = comparison(scheme), []
    for (one, other), theirs in zip(pairs, said, strict=True):
        try:
            ours = str(compare(one, other))
        except Unordered:
            ours = "E"
        if ours != theirs:
            found.append((one, other, ours, theirs))
    return found


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not here")
    return found


def output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def test_dpkg() -> None:
    dpkg = program("dpkg")
    pieces = ["0", "1", "9", "10", "00", ".", "~", "+", "-", "a", "rc", "~~", "deb12u1", "z", "Z"]
    pairs, said = [], []
    for one, other in pairs_of(1, 700, pieces):
        told = subprocess.run([dpkg, "--compare-versions", one, "lt", other], capture_output=True)
        if told.stderr:
            continue
        later = subprocess.run([dpkg, "--compare-versions", one, "gt", other], capture_output=True)
        pairs.append((one, other))
        said.append("-1" if told.returncode == 0 else "1" if later.returncode == 0 else "0")
    assert len(pairs) > 300
    assert differing("dpkg", pairs, said) == []


def test_rpm(tmp_path: Path) -> None:
    rpm = program("rpm")
    pairs = pairs_of(2, 3000, ["0", "1", "9", "10", "00", ".", "~", "+", "-", "a", "rc", "^", "_", "z", "Z", "el9"])
    script = tmp_path / "pairs.lua"
    asked = [
        f'ok, found = pcall(rpm.vercmp, "{one}", "{other}") print((ok and found or "E") .. " ")' for one, other in pairs
    ]
    script.write_text("\n".join(asked))
    said = output(rpm, "--eval", f'%{{lua:dofile("{script}")}}').split()
    if "E" in said and set(said) == {"E"}:
        pytest.skip("this rpm compares no versions in its scripts")
    kept = [(pair, each) for pair, each in zip(pairs, said, strict=True) if each != "E"]
    assert len(kept) > 1000
    assert differing("rpm", [pair for pair, _ in kept], [each for _, each in kept]) == []


def npm_semver() -> str:
    npm_at = Path(program("npm")).resolve()
    for place in (npm_at.parent.parent / "node_modules/semver", Path("/usr/lib/node_modules/npm/node_modules/semver"),
                  Path("/usr/share/nodejs/semver")):  # fmt: skip
        if place.is_dir():
            return str(place)
    pytest.skip("npm's semver is not here")


def test_semver_and_ranges_of_npm(tmp_path: Path) -> None:
    node, module, chance = program("node"), npm_semver(), random.Random(3)

    def version(before: float) -> str:
        text = ".".join(str(chance.choice([0, 0, 1, 1, 2, 3, 10])) for _ in range(3))
        if chance.random() < before:
            text += "-" + ".".join(
                chance.choice(["alpha", "0", "1", "rc", "10", "x-y"]) for _ in range(chance.randint(1, 3))
            )
        return text

    def one() -> str:
        sign = chance.choice(["", ">=", "<", "<=", ">", "^", "~", "=", "~>"])
        numbers = version(0).split(".")
        size = chance.randint(1, 3)
        more = [".x"] * (3 - size) if chance.random() < 0.2 else []
        return sign + chance.choice(["", " ", "v"]) + ".".join(numbers[:size]) + "".join(more)

    def requirement() -> str:
        if chance.random() < 0.1:
            return f"{version(0)} - {version(0)}"
        return " ".join(one() for _ in range(chance.randint(1, 2)))

    cases = [
        [" || ".join(requirement() for _ in range(chance.randint(1, 3))), version(0), version(0.5), version(0.5)]
        for _ in range(3000)
    ]
    (tmp_path / "cases.json").write_text(json.dumps(cases))
    script = f"""const semver = require({json.dumps(module)});
        for (const [range, version, one, other] of require({json.dumps(str(tmp_path / "cases.json"))}))
            console.log((semver.satisfies(version, range) ? 1 : 0) + " " + semver.compare(one, other));"""
    said = [line.split() for line in output(node, "-e", script).splitlines()]
    assert differing("semver", [(case[2], case[3]) for case in cases], [compared for _, compared in said]) == []
    for (text, asked, _, _), (satisfied, _) in zip(cases, said, strict=True):
        assert any(holds("semver", events, asked) for events in npm(text)) == (satisfied == "1"), (text, asked)


def test_gems(tmp_path: Path) -> None:
    ruby = program("ruby")
    pairs = pairs_of(4, 3000, ["0", "1", "10", ".", "-", "a", "rc", "beta", ".0", ".1", ".0.", "A", "z"])
    (tmp_path / "pairs.json").write_text(json.dumps(pairs))
    script = """JSON.parse(File.read(ARGV[0])).each { |one, other|
        begin; puts Gem::Version.new(one) <=> Gem::Version.new(other); rescue ArgumentError; puts "E"; end }"""
    said = output(ruby, "-rrubygems", "-rjson", "-e", script, str(tmp_path / "pairs.json")).split()
    assert differing("gem", pairs, said) == []


def test_composer(tmp_path: Path) -> None:
    php, code = program("php"), Path("/usr/share/php/Composer/Semver/autoload.php")
    if not code.exists():
        pytest.skip("composer/semver is not here")
    pieces = ["0", "1", "10", ".", "-", "a", "RC", "beta", "dev", "p", "patch", "alpha", "v", "stable", ".1", ".0"]
    pairs = [(one[:5], other[:5]) for one, other in pairs_of(5, 3000, pieces)]
    (tmp_path / "pairs.json").write_text(json.dumps(pairs))
    script = f"""require "{code}"; $parser = new Composer\\Semver\\VersionParser;
        foreach (json_decode(file_get_contents("{tmp_path}/pairs.json")) as $pair) {{
            try {{ echo version_compare($parser->normalize($pair[0]), $parser->normalize($pair[1])) . "\\n"; }}
            catch (Exception $error) {{ echo "E\\n"; }} }}"""
    assert differing("composer", pairs, output(php, "-n", "-r", script).split()) == []


def maven_artifact() -> str:
    named = os.environ.get("KEZURI_MAVEN_ARTIFACT", "")
    for place in (named, "/usr/share/maven/lib/maven-artifact-3.x.jar"):
        if place and Path(place).exists():
            return place
    pytest.skip("Maven is not here")


def test_maven() -> None:
    java, jar, chance = program("java"), maven_artifact(), random.Random(6)
    words = [
        "alpha",
        "beta",
        "M",
        "milestone",
        "rc",
        "RC",
        "CR",
        "SNAPSHOT",
        "sp",
        "jre",
        "android",
        "redhat",
        "b",
        "a",
    ]

    def version() -> str:
        text = ".".join(str(chance.choice([0, 1, 2, 10, 2023])) for _ in range(chance.randint(1, 4)))
        if chance.random() < 0.6:
            text += "-" + chance.choice(words) + chance.choice(["", "", "1", "2", "-1", "01", "10"])
        elif chance.random() < 0.2:
            text += chance.choice("-.") + chance.choice(["ga", "Final", "RELEASE"])
        return text

    pairs = [(version(), version()) for _ in range(500)]
    asked = [each for pair in pairs for each in pair]
    name = "org.apache.maven.artifact.versioning.ComparableVersion"
    lines = [line.split() for line in output(java, "-cp", jar, name, *asked).splitlines() if line.startswith("   ")]
    said = [{"<": "-1", ">": "1", "==": "0"}[line[-2]] for line in lines[::2]]
    assert differing("maven", pairs, said) == []
