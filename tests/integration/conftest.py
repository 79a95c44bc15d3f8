"""What the integration tests share: base images, one store, the command line, and a word about what was skipped."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

PROJECT = Path(__file__).resolve().parents[2]
EXAMPLES = PROJECT / "examples"
SKIPPED = pytest.StashKey[dict[str, list[str]]]()


def in_ci() -> bool:
    """Whether nothing may be skipped."""
    return os.environ.get("CI", "").lower() in ("1", "true", "yes")


def absent(reason: str) -> None:
    """Skips the test, which names the reason; in CI fails it instead."""
    if in_ci():
        pytest.fail(f"nothing may be skipped in CI: {reason}", pytrace=False)
    pytest.skip(reason)


class Entry(NamedTuple):
    """One build of an example, or one broken recipe: the directory that describes it, and what its file says."""

    name: str
    directory: Path
    data: Mapping[str, Any]

    @property
    def dockerfile(self) -> Path:
        return self.directory / str(self.data.get("dockerfile", "Dockerfile"))

    @property
    def context(self) -> Path:
        return (self.directory / str(self.data.get("context", "."))).resolve()

    @property
    def bases(self) -> tuple[str, ...]:
        return tuple(self.data.get("bases", ()))


def examples() -> list[Entry]:
    """Every build of every example."""
    found = []
    for path in sorted(EXAMPLES.glob("*/example.json")):
        for build in json.loads(path.read_text(encoding="utf-8"))["builds"]:
            name = f"{path.parent.name}-{build.get('name') or build['dockerfile'].removeprefix('Dockerfile').strip('.')}"
            found.append(Entry(name.rstrip("-"), path.parent, build))
    return found


def broken() -> list[Entry]:
    """The corpus of broken recipes."""
    return [
        Entry(path.parent.name, path.parent, json.loads(path.read_text(encoding="utf-8")))
        for path in sorted(EXAMPLES.glob("broken/*/case.json"))
    ]


def full_name(name: str) -> str:
    """A reference written out as the layout's index has it: docker.io/library/node:20-alpine."""
    host = name.partition("/")[0]
    if "/" not in name:
        name = f"docker.io/library/{name}"
    elif "." not in host and ":" not in host and host != "localhost":
        name = f"docker.io/{name}"
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


class Bases:
    """An OCI layout that holds base images under their full names."""

    def __init__(self, directory: Path, origin: str) -> None:
        self.directory = directory
        self.origin = origin
        index = json.loads((directory / "index.json").read_bytes())
        self._manifests = {
            m["annotations"]["org.opencontainers.image.ref.name"]: m["digest"]
            for m in index["manifests"]
            if "org.opencontainers.image.ref.name" in m.get("annotations", {})
        }

    def __contains__(self, name: str) -> bool:
        return full_name(name) in self._manifests

    def require(self, names: Iterable[str]) -> None:
        """Skips the test by name when one of the images is not there."""
        missing = [name for name in names if name not in self]
        if missing:
            absent(f"no base image {', '.join(missing)} (bases: {self.origin})")

    def arguments(self, names: Iterable[str]) -> list[str]:
        """The flags of `kezuri build` that put these images in the place of the registry's."""
        flags = []
        for name in names:
            flags += ["--build-context", f"{name}=oci-layout://{self.directory}:{full_name(name)}"]
        return flags

    def diff_ids(self, name: str) -> list[str]:
        """The layers of an image, as its config names them."""
        manifest = self._blob(self._manifests[full_name(name)])
        found: list[str] = self._blob(manifest["config"]["digest"])["rootfs"]["diff_ids"]
        return found

    def _blob(self, digest: str) -> Any:
        algorithm, _, value = digest.partition(":")
        return json.loads((self.directory / "blobs" / algorithm / value).read_bytes())


def _wanted() -> list[str]:
    return sorted({full_name(base) for entry in [*examples(), *broken()] for base in entry.bases})


def _has(directory: Path, names: Iterable[str]) -> bool:
    return (directory / "index.json").is_file() and all(name in Bases(directory, "") for name in names)


def _made_by_stand_in_maker(cache: Path) -> tuple[Path | None, str]:
    maker = PROJECT.parent / "shared" / "bases" / "make-bases"
    if not maker.is_file():
        return None, f"there is no {maker}"
    directory, wanted = cache / "stand-ins", _wanted()
    if not _has(directory, wanted):
        if os.geteuid():
            return None, f"{maker} runs as root only"
        done = subprocess.run([sys.executable, maker, "--out", directory, *wanted], capture_output=True, text=True)
        if done.returncode:
            return None, f"{maker} failed: {(done.stderr or done.stdout).strip()[-300:]}"
    return directory, "stand-ins made from package registries"


def _made_by_kezuri(cache: Path, kezuri: "Kezuri") -> tuple[Path | None, str]:
    listed = kezuri("bases")
    if listed.code:
        return None, f"kezuri bases failed: {listed.err.strip()[-300:]}"
    known = [line.split()[0] for line in listed.out.splitlines()[1:] if line.strip()]
    names = [name for name in known if full_name(name) in _wanted()]
    directory = cache / "kezuri"
    if not _has(directory, names):
        made = kezuri("bases", "--out", str(directory), *names, timeout=1800)
        if made.code:
            return None, f"kezuri bases --out failed: {made.err.strip()[-300:]}"
    return directory, "made by kezuri bases"


@pytest.fixture(scope="session")
def bases(kezuri: "Kezuri") -> Bases:
    """Base images: those that $KEZURI_BASES names, stand-ins, or what kezuri can make itself."""
    given = os.environ.get("KEZURI_BASES", "")
    if given:
        if not (Path(given) / "index.json").is_file():
            pytest.fail(f"KEZURI_BASES={given} is not an OCI image layout", pytrace=False)
        return Bases(Path(given).resolve(), f"KEZURI_BASES={given}")
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    cache = Path(home, "kezuri-test-bases")
    cache.mkdir(parents=True, exist_ok=True)
    reasons = []
    for directory, said in (_made_by_stand_in_maker(cache), _made_by_kezuri(cache, kezuri)):
        if directory is not None:
            return Bases(directory, said)
        reasons.append(said)
    absent("no base images: KEZURI_BASES is not set; " + "; ".join(reasons))
    raise AssertionError


class Answer(NamedTuple):
    """What a command gave."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


class Kezuri:
    """Runs the command line with a store of its own and the machine's certificate authorities."""

    def __init__(self, root: Path, directory: Path) -> None:
        self.root = root
        self.directory = directory
        self.environ = {k: v for k, v in os.environ.items() if not k.startswith("KEZURI_")}
        self.environ["KEZURI_ROOT"] = str(root)
        self.environ["PYTHONPATH"] = os.pathsep.join(
            filter(None, [str(PROJECT / "src"), os.environ.get("PYTHONPATH", "")])
        )
        for name in ("KEZURI_RUNTIME", "KEZURI_DEBIAN_MIRROR"):
            if name in os.environ:
                self.environ[name] = os.environ[name]
        if os.environ.get("SSL_CERT_FILE"):
            self.environ["KEZURI_CA_CERTIFICATES"] = os.environ["SSL_CERT_FILE"]

    def __call__(
        self,
        *arguments: str,
        stdin: str = "",
        environ: Mapping[str, str] | None = None,
        timeout: float = 300,
    ) -> Answer:
        """Runs `kezuri ARGUMENTS`; `timeout` is seconds, after which the test fails with what was said so far."""
        try:
            done = subprocess.run(
                self.argv(*arguments),
                input=stdin.encode(),
                capture_output=True,
                cwd=self.directory,
                env={**self.environ, **(environ or {})},
                timeout=timeout,
            )
        except subprocess.TimeoutExpired as late:
            said = b"".join(filter(None, (late.stdout, late.stderr))).decode("utf-8", "replace")
            pytest.fail(f"kezuri {' '.join(arguments)} took more than {timeout:.0f} s\n{said[-4000:]}", pytrace=False)
        return Answer(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))

    def argv(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "kezuri", *arguments]


@pytest.fixture(scope="session")
def kezuri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kezuri]:
    """The command line. All tests of a session share one store, so that they share bases and steps."""
    given = os.environ.get("KEZURI_TEST_ROOT", "")
    root = Path(given) if given else tmp_path_factory.mktemp("store")
    yield Kezuri(root, tmp_path_factory.mktemp("empty"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, None]:
    """Remembers why a test was skipped; in CI a skipped test is a failed one, whoever skipped it."""
    outcome = yield
    report: pytest.TestReport = outcome.get_result()
    if not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    reason = reason.removeprefix("Skipped: ")
    if in_ci():
        report.outcome = "failed"
        report.longrepr = f"nothing may be skipped in CI: {reason}"
        return
    item.config.stash.setdefault(SKIPPED, {}).setdefault(reason, []).append(item.name)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """How many integration tests were skipped, and why."""
    skipped = config.stash.get(SKIPPED, {})
    if not skipped:
        return
    terminalreporter.section("integration tests that were skipped")
    for reason, names in sorted(skipped.items()):
        terminalreporter.write_line(f"{len(names):4} {reason}")
    terminalreporter.write_line(f"{sum(map(len, skipped.values())):4} in all")


Copier = Callable[[Entry], Path]


@pytest.fixture(scope="session")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Copier:
    """Copies the context of an entry to a directory of the test's own, where it may be changed."""
    import shutil

    def copy(entry: Entry) -> Path:
        target = tmp_path_factory.mktemp("context") / "context"
        ignored = shutil.ignore_patterns("node_modules", ".venv", "__pycache__", ".next", "target", "dist")
        shutil.copytree(entry.context, target, symlinks=True, ignore=ignored)
        return target

    return copy
