"""`kezuri scan`: what is printed of a scan, in which form, with which exit code it ends; and what Trivy's words do."""

import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.scan.scan_samples import BILL, fault

from kezuri.advisories.values import Advisory, Affected, DataSet, Entry, Signal
from kezuri.advisories.writing import write
from kezuri.cli.commands.scan import COMMAND, FORMS
from kezuri.cli.console import Console
from kezuri.cli.foreign_options import foreign_options
from kezuri.cli.main import call
from kezuri.cli.scan_markdown import ScanMarkdown
from kezuri.cli.scan_text import ScanText
from kezuri.cli.screen_text import width
from kezuri.cli.settings import GLOBAL
from kezuri.report.scan_json import document
from kezuri.scan.remedies import remedies
from kezuri.scan.urgency import ordered
from kezuri.scan.values import Finding, Report
from kezuri.versions.ranges import Event

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "scan.schema.json").read_text())

OPTIONS_OF_TRIVY = """
--ansible-extra-vars --ansible-inventory --ansible-playbook --cacert --cache-backend --cache-dir --cache-ttl
--cf-params --check-namespaces --checks-bundle-repository --compliance --config --config-check --config-data
--config-file-schemas --custom-headers --db-repository --debug --dependency-tree --detection-priority
--disable-telemetry --distro --docker-host --download-db-only --download-java-db-only --enable-modules --exit-code
--exit-on-eol --file-patterns --format --generate-default-config --helm-api-versions --helm-kube-version --helm-set
--helm-set-file --helm-set-string --helm-values --ignore-policy --ignore-status --ignore-unfixed --ignored-licenses
--ignorefile --image-config-scanners --image-src --include-deprecated-checks --include-dev-deps
--include-non-failures --input --insecure --java-db-repository --license-confidence-level --license-full
--list-all-pkgs --max-image-size --misconfig-scanners --module-dir --no-progress --offline-scan --output
--output-plugin-arg --parallel --password --password-stdin --pkg-relationships --pkg-types --platform --podman-host
--quiet --raw-config-scanners --redis-ca --redis-cert --redis-key --redis-tls --registry-token --rego-error-limit
--rekor-url --removed-pkgs --render-cause --report --sbom-sources --scanners --secret-config --server --severity
--show-suppressed --skip-check-update --skip-db-update --skip-dirs --skip-files --skip-java-db-update
--skip-version-check --skip-vex-repo-update --table-mode --template --tf-exclude-downloaded-modules --tf-vars
--timeout --token --token-header --trace-rego --username --vex --vuln-severity-source -c -d -f -o -q -s -t
"""
"""Those of its commands image, fs, rootfs and sbom, as its help (of 2026) lists them."""


def report(*more: Finding, told: tuple[str, ...] = ()) -> Report:
    """A scan with findings of all kinds."""
    findings = ordered(
        [
            fault("CVE-2024-1", "critical", 0, ("3.0.2-1",), Signal("CVE-2024-1", "2024-02-01", True, 0.9)),
            fault("CVE-2024-2", "high", 2, ("4.17.21",), Signal("CVE-2024-2", chance=0.42)),
            fault("CVE-2024-3", "unknown", 1),
            fault("CVE-2024-4", "low", 1)._replace(ignored=".trivyignore:1: why"),
            Finding("secret", "aws-access-key", "an access key of AWS", "critical", path="app/.env", line=3, layer=2),
            *more,
        ]
    )
    data = (DataSet("debian", "https://x", "2026-11-20", "2026-11-21T00:00:00Z", 5, "", (("Debian", "12"),)),)
    return Report(
        BILL.name, "image", BILL.digest, BILL.platform, BILL.distribution.title, BILL.layers, len(BILL.components),
        findings, remedies(BILL, findings), data, BILL.base, told, (("medium", 7),),
    )  # fmt: skip


def test_the_page() -> None:
    page = ScanText().page(report(told=("one thing\x1b[31m",)), suppressed=True)
    lines = [" ".join(line.split()) for line in page.splitlines()]
    for line in (
        "registry.example/team/app:1 sha256:abababababab (linux/amd64)",
        "Debian GNU/Linux 12 (bookworm), 5 packages, base image node:20",
        "critical 2, high 1, unknown 1 (1 known to be exploited)",
        "not shown, as was asked: medium 7",
        "data: debian of 2026-11-20",
        "1 goes build on a newer build of node:20: kezuri build --pull",
        "1 goes npm install lodash@4.17.21",
        "1 stays nothing mends these yet",
        "critical CVE-2024-1 ransomware libssl3 3.0.1-1 3.0.2-1 base image",
        "high CVE-2024-2 42.0 % lodash 4.17.15 4.17.21 Dockerfile:5",
        "critical aws-access-key app/.env:3 (Dockerfile:5) an access key of AWS",
        "low CVE-2024-4 curl .trivyignore:1: why",
    ):
        assert line in lines
    assert "\x1b" not in page
    assert lines.index("data: debian of 2026-11-20") < next(n for n, x in enumerate(lines) if x.startswith("not known"))


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_the_page_fits_and_hostile_names_do_nothing(columns: int) -> None:
    hostile = fault("CVE-2024-9")._replace(name="a\x1b]0;x\x07\n|`" * 30, title="</td>\u202e")
    page = ScanText(columns=columns, colour=False).page(report(hostile))
    assert all(char not in page for char in "\x1b\x07\u202e")
    table = next(block for block in page.split("\n\n") if "FAULT" in block)
    assert columns == 40 or max(map(width, table.splitlines())) <= max(columns, 100)
    ScanMarkdown().page(report(hostile))


def test_markdown() -> None:
    page = ScanMarkdown().page(report(Finding("secret", "a|b", "`x`\n# y", "high", path="p`q")))
    assert "| critical | CVE-2024-1<br>about CVE-2024-1 | ransomware | libssl3 | 3.0.1-1 | 3.0.2-1 |" in page
    assert "\n# y" not in page and "a\\|b" in page


@pytest.mark.slow
def test_json_is_as_the_schema_says() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    made = document(report(told=("x",)), BILL, "2026-11-28T00:00:00Z")
    check = jsonschema.Draft202012Validator(SCHEMA)
    check.validate(json.loads(json.dumps(made)))
    assert made["summary"]["severities"]["critical"] == 2
    for broken in (made | {"version": 2}, {key: made[key] for key in made if key != "data"}, made | {"findings": [{}]}):
        assert not check.is_valid(json.loads(json.dumps(broken)))


Scan = Callable[..., tuple[int, str, str]]


@pytest.fixture
def scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scan:
    """Scans a root directory with two packages of npm, of which a database knows something."""
    monkeypatch.chdir(tmp_path)
    for name, version in (("lodash", "4.17.15"), ("minimist", "1.2.5")):
        place = tmp_path / "root/app/node_modules" / name
        place.mkdir(parents=True)
        (place / "package.json").write_text(json.dumps({"name": name, "version": version, "license": "MIT"}))
    entries = [
        entry("GHSA-1", "lodash", "high", "4.17.21", "CVE-2024-1"),
        entry("GHSA-2", "minimist", "critical", "", "CVE-2024-2"),
    ]
    write(f"{tmp_path}/a.db", *entries, Signal("CVE-2024-1", "2024-02-01"), fetched="2026-11-21T00:00:00Z")

    def run(*words: str, db: str = "a.db", **more: str) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        environ = more | {"KEZURI_DB": f"{tmp_path}/{db}", "KEZURI_ROOT": f"{tmp_path}/store", "HOME": f"{tmp_path}"}
        code = call(["scan", *words], Console(out, err, environ))
        return code, out.getvalue(), err.getvalue()

    return run


def entry(id: str, name: str, severity: str, fixed: str, *aliases: str) -> Entry:
    """An advisory about a package of npm."""
    events = (Event("introduced", "0"), *((Event("fixed", fixed),) if fixed else ()))
    advisory = Advisory(id, "osv/npm", aliases, f"about {name}", severity)  # type: ignore[arg-type]
    return Entry(advisory, (Affected("npm", "", name, (events,)),))


def faults(scan: Scan, *words: str) -> list[str]:
    """The names of the faults that count."""
    code, out, err = scan("root", "--scanners", "vuln", "--format", "json", *words)
    assert code == 0, err
    return [each["id"] for each in json.loads(out)["findings"] if not each["ignored"]]


def test_filters(scan: Scan) -> None:
    assert faults(scan) == ["CVE-2024-1", "CVE-2024-2"]
    assert faults(scan, "--severity", "CRITICAL") == ["CVE-2024-2"]
    assert faults(scan, "--severity", "low,medium") == []
    assert faults(scan, "--ignore-unfixed") == ["CVE-2024-1"]
    assert faults(scan, "--only-kev") == ["CVE-2024-1"]
    assert faults(scan, "--ignore-status", "affected") == ["CVE-2024-1"]
    assert faults(scan, "--pkg-types", "os") == []
    assert faults(scan, "--since", "root") == []
    assert faults(scan, "--skip-dirs", "/app/**/lodash,other") == ["CVE-2024-2"]
    assert faults(scan, "--skip-files", "**/package.json") == []


def test_only_kev_without_its_data_is_no_zero(scan: Scan, tmp_path: Path) -> None:
    write(f"{tmp_path}/b.db", entry("GHSA-1", "lodash", "high", "4.17.21"), fetched="2026-11-21T00:00:00Z")
    assert scan("root", "--scanners", "vuln", db="b.db")[0] == 0
    code, out, err = scan("root", "--scanners", "vuln", "--only-kev", db="b.db")
    assert (code, out) == (2, "") and "no data about what is known to be exploited" in err and "db update kev" in err


def test_what_is_only_likely_to_be_exploited_is_not_known_to_be(scan: Scan, tmp_path: Path) -> None:
    entries = entry("CVE-1-1", "lodash", "high", ""), entry("CVE-1-2", "minimist", "high", "")
    signals = Signal("CVE-1-1", chance=0.9), Signal("CVE-1-2", "2024-02-01")
    write(f"{tmp_path}/b.db", *entries, *signals, fetched="2026-11-21T00:00:00Z")
    _, out, _ = scan("root", "--scanners", "vuln", "--format", "json", "--only-kev", db="b.db")
    assert [each["id"] for each in json.loads(out)["findings"]] == ["CVE-1-2"]


def test_what_passes_is_not_counted_among_what_is_not_shown(scan: Scan, tmp_path: Path) -> None:
    words = ("root", "--scanners", "vuln", "--severity", "high")
    assert "not shown, as was asked: critical 1" in " ".join(scan(*words)[1].split())
    (tmp_path / ".trivyignore").write_text("CVE-2024-2\n")
    assert "not shown" not in scan(*words)[1]


def test_faults_that_nobody_rates_are_not_left_out_in_silence(scan: Scan, tmp_path: Path) -> None:
    rated, unrated = entry("GHSA-1", "lodash", "high", ""), entry("GHSA-2", "minimist", "unknown", "2")
    exploited = Signal("CVE-2000-1", "2024-02-01")
    write(f"{tmp_path}/b.db", rated, unrated, exploited, fetched="2026-11-21T00:00:00Z")
    said = "faults that were left out because nobody says how severe they are (--severity unknown): 1"
    for words, code, wanted in (
        (("--severity", "critical,high"), 0, True),
        (("--severity", "critical,high", "--strict"), 1, True),
        (("--severity", "critical,unknown"), 0, False),
        (("--severity", "critical", "--ignore-status", "fixed"), 0, False),
        (("--severity", "critical", "--only-kev"), 0, False),
        ((), 0, False),
    ):
        found, out, _ = scan("root", "--scanners", "vuln", *words, db="b.db")
        assert (found, said in out) == (code, wanted), words


def test_exit_codes(scan: Scan) -> None:
    assert scan("root", "--scanners", "vuln")[0] == 0
    assert scan("root", "--scanners", "vuln", "--exit-code", "7")[0] == 7
    assert scan("root", "--scanners", "vuln", "--exit-code", "7", "--severity", "LOW")[0] == 0
    assert scan("root", "--scanners", "vuln", "--forbid-licence", "GPL-*")[0] == 0
    assert scan("root", "--scanners", "vuln", "--forbid-licence", "MIT")[0] == 1
    for words in (
        ["--exit-code", "256"],
        ["--exit-code", "-1"],
        ["--severity", "bad"],
        ["--scanners", "x"],
        ["a", "b"],
    ):
        assert scan("root", *words)[0] == 2


def test_ends_of_life_pass_every_filter_and_count_when_asked(scan: Scan, tmp_path: Path) -> None:
    (tmp_path / "root/etc").mkdir()
    (tmp_path / "root/etc/os-release").write_text('ID=debian\nVERSION_ID="9"\nPRETTY_NAME="Debian 9"\n')
    quiet = ("root", "--scanners", "vuln", "--severity", "LOW", "--only-kev", "--exit-code", "3")
    code, out, _ = scan(*quiet)
    assert code == 0 and "debian:9" in out
    assert scan(*quiet, "--exit-on-eol", "4")[0] == 4
    (tmp_path / ".trivyignore").write_text("debian:9")
    code, out, _ = scan(*quiet, "--exit-on-eol", "4", "--all")
    assert code == 0 and "debian:9" not in out


def test_ignore_files_are_found(scan: Scan, tmp_path: Path) -> None:
    (tmp_path / ".trivyignore").write_text("CVE-2024-1\n")
    (tmp_path / ".trivyignore.yaml").write_text("vulnerabilities:\n- id: GHSA-2\n  statement: far away\n")
    assert faults(scan) == []
    assert faults(scan, "--ignorefile", "/dev/null") == ["CVE-2024-1", "CVE-2024-2"]
    assert "far away" in scan("root", "--scanners", "vuln", "--show-suppressed")[1]
    assert "no ignore file nowhere" in scan("root", "--scanners", "vuln", "--ignorefile", "nowhere")[1]


def test_vex(scan: Scan, tmp_path: Path) -> None:
    statement = {"vulnerability": {"name": "GHSA-2"}, "products": ["pkg:npm/minimist"], "status": "not_affected"}
    vex = {"@context": "https://openvex.dev/ns/v0.2.0", "statements": [statement]}
    (tmp_path / "vex.json").write_text(json.dumps(vex))
    assert faults(scan, "--vex", "vex.json") == ["CVE-2024-1"]
    for words in (["--vex", "root"], ["--vex", "nowhere"], ["--vex", "a.db"], ["--vex", "repo"]):
        assert scan("root", "--scanners", "vuln", *words)[0] == 2


def test_no_database_is_an_error(scan: Scan, tmp_path: Path) -> None:
    code, out, err = scan("root", db="none.db")
    assert (code, out) == (2, "") and "db update" in err
    write(f"{tmp_path}/other.db", entry("GHSA-1", "x", "low", "")._replace(affected=(Affected("PyPI", "", "x"),)))
    code, out, err = scan("root", db="other.db")
    assert (code, out) == (2, "") and "no data about npm" in err


def test_of_runtimes_those_are_told_that_no_data_is_about(scan: Scan, tmp_path: Path) -> None:
    affected = Affected("runtime", "", "node", ((Event("introduced", "0"), Event("fixed", "9.0.0")),))
    write(f"{tmp_path}/node.db", Entry(Advisory("CVE-1", "node"), (affected,)))
    known = [
        {"type": "application", "name": name, "version": "20.1.0", "purl": f"pkg:generic/{name}@20.1.0"}
        for name in ("node", "ruby", "php")
    ]
    bill = {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": known}
    (tmp_path / "bill.json").write_text(json.dumps(bill))
    code, out, _ = scan("bill.json", "--format", "json", db="node.db")
    told = [each for each in json.loads(out)["told"] if "runtimes" in each]
    assert (code, told) == (0, ["the database has no data about runtimes themselves: php, ruby"])


def test_packages_that_no_data_is_about_do_not_hide_that_others_have_none_of_the_faults(
    scan: Scan, tmp_path: Path
) -> None:
    kinds = [{"type": "library", "name": f"a{n}", "version": "1", "purl": f"pkg:github/o/a{n}@1"} for n in range(9)]
    sound = {"type": "library", "name": "sound", "version": "9", "purl": "pkg:npm/sound@9.0.0"}
    bill = {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": [*kinds, sound]}
    (tmp_path / "bill.json").write_text(json.dumps(bill))
    code, out, err = scan("bill.json")
    assert code == 0 and "nothing was found that counts" in out and "no data about github" in out, err
    (tmp_path / "bad.db").write_bytes(b"x" * 5000)
    assert scan("root", db="bad.db")[0] == 2


def test_nothing_found_is_told(scan: Scan, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    code, out, _ = scan("empty")
    assert code == 0 and "no packages were found" in out
    (tmp_path / "root/go.sum").touch()
    assert "go.sum names packages, and is not read" in scan("root")[1]


def test_words_of_trivy(scan: Scan) -> None:
    quiet = ("--no-progress", "--skip-db-update", "--timeout", "5m", "--cache-dir", "x", "--quiet")
    for word in ("fs", "rootfs", "filesystem"):
        code, out, err = scan(
            word, *quiet, "--severity", "HIGH,CRITICAL", "--exit-code", "1", "--vuln-type", "library", "root"
        )
        assert code == 1 and "CVE-2024-1" in out and not err
    for words in (
        ("repo", "x"),
        ("config", "x"),
        ("other", "x"),
        ("image",),
        (),
        ("image", "a", "b"),
        ("--server", "x", "y"),
    ):
        code, _, err = scan(*words)
        assert code, words
    assert scan("sbom", "nowhere.json")[0]
    assert "needs what is to be scanned" in scan("image")[2]


def test_every_option_of_trivy_is_taken_or_answered() -> None:
    known = {name for option in (*COMMAND.options, *GLOBAL, *foreign_options("scan")) for name in option.names}
    assert set(OPTIONS_OF_TRIVY.split()) <= known


def test_bills_in_trivy_s_words_need_no_database(scan: Scan) -> None:
    for form in ("cyclonedx", "spdx-json", "github"):
        code, out, err = scan("fs", "root", "--format", form, db="none")
        assert code == 0 and "lodash" in out, err
        assert scan("root", "--format", form, db="none")[0] == 2


def test_variables_of_trivy(scan: Scan, tmp_path: Path) -> None:
    said = {"TRIVY_SEVERITY": "CRITICAL", "TRIVY_EXIT_CODE": "4", "TRIVY_IGNORE_UNFIXED": "true", "TRIVY_INSECURE": "1"}
    assert scan("fs", "root", **{**said, "TRIVY_IGNORE_UNFIXED": ""})[0] == 4
    assert scan("fs", "root", **said)[0] == 0
    assert scan("fs", "root", "--severity", "HIGH", **said)[0] == 4
    assert scan("root", "--scanners", "vuln", **said)[0] == 0
    assert scan("fs", "root", TRIVY_EXIT_CODE="x")[0] == 2
    (tmp_path / "trivy.yaml").write_text("severity: [HIGH]")
    assert "trivy.yaml is not read" in scan("fs", "root")[2]


def test_documents(scan: Scan, tmp_path: Path) -> None:
    parts = [{"type": "library", "name": "lodash", "version": "4.17.15", "purl": "pkg:npm/lodash@4.17.15"}]
    (tmp_path / "a.json").write_text(json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": parts}))
    code, out, _ = scan("a.json", "--exit-code", "9")
    assert code == 9 and "CVE-2024-1" in out and "is a document" in out
    code, out, _ = scan("sbom", "a.json", "--exit-code", "9")
    assert code == 9 and "CVE-2024-1" in out and "is a document" not in out


def test_an_image_of_before_of_which_nothing_is_known(scan: Scan, tmp_path: Path) -> None:
    parts = [{"type": "library", "name": "x", "version": "1", "purl": "pkg:pypi/x@1"}]
    (tmp_path / "old.json").write_text(
        json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": parts})
    )
    assert scan("old.json")[0] == 2
    assert faults(scan, "--since", "old.json") == ["CVE-2024-1", "CVE-2024-2"]


def test_output(scan: Scan, tmp_path: Path) -> None:
    for form in ("table", "json", "markdown"):
        code, out, _ = scan("root", "--scanners", "vuln", "-f", form, "-o", f"{form}.txt")
        assert (code, out) == (0, "") and "CVE-2024-1" in (tmp_path / f"{form}.txt").read_text()
    assert os.path.getsize("json.txt") > os.path.getsize("table.txt")


@pytest.mark.slow
@pytest.mark.parametrize("form", [form for form in FORMS if form != "template"])
def test_hostile_names_in_every_form(scan: Scan, tmp_path: Path, form: str) -> None:
    name = "y\x1b]0;x\x07\ud800\udcff</td>"
    (tmp_path / "root/app/node_modules/y").mkdir()
    (tmp_path / "root/app/node_modules/y/package.json").write_text(
        json.dumps({"name": name, "version": "1", "license": "GPL\x1b[31m"})
    )
    write(f"{tmp_path}/y.db", entry("GHSA-\x1b[31m", name, "high", "2\x1b"), entry("GHSA-1", "lodash", "low", ""))
    code, out, err = scan("root", "--scanners", "vuln,licence", "--format", form, "--all", db="y.db")
    assert code == 0, err
    assert not any(char in out for char in "\x1b\x07")


def test_forms_are_those_that_there_are() -> None:
    from kezuri.report.scan_forms import FORMATS

    choices = next(option.choices for option in COMMAND.options if option.key == "--format")
    assert choices == ("table", "json", "markdown", *FORMATS, "spdx-json", "template")


def test_an_archive_by_its_path_is_an_image(scan: Scan, tmp_path: Path) -> None:
    from tests.cli.test_cli_analyze import archive

    from kezuri.check.image.rule import Made

    archive(tmp_path / "image.tar", ({"app/node_modules/a/package.json": Made(b'{"name": "a", "version": "1"}')},))
    code, out, err = scan("image.tar", "--scanners", "vuln,secret,misconfig")
    assert code == 0 and out.splitlines()[0].startswith("docker-archive:image.tar"), err
    assert "is a document" not in out
