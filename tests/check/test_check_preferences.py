"""Files and variables that say what is checked: every key is read, and what is wrong is named with its place."""

import pytest

from kezuri.check.policy import Policy
from kezuri.check.preferences import Preferences
from kezuri.check.preferences_hadolint import hadolint_variables, read_hadolint
from kezuri.check.preferences_ignores import read_ignored
from kezuri.check.preferences_toml import read_project
from kezuri.check.rules import RULES
from kezuri.check.selection import Selection
from kezuri.diagnostics import KezuriError

FORMATS = ("text", "json")
RULE = next(rule for rule in RULES if rule.name == "WorkdirRelativePath")
EXPERIMENTAL = next(rule for rule in RULES if rule.experimental)


def project(text: str) -> Preferences:
    return read_project(text, "kezuri.toml", FORMATS)


def refused(text: str) -> tuple[str, str, int]:
    with pytest.raises(KezuriError) as caught:
        project(text)
    (diagnostic,) = caught.value.diagnostics
    assert caught.value.exit_code == 2
    assert diagnostic.source is not None and diagnostic.source.name == "kezuri.toml"
    return diagnostic.message, diagnostic.hint, diagnostic.line


def test_every_key_of_a_project() -> None:
    said = project(
        """
[check]
ignore = ["DL3008", "AVD-DS-0002", "DS026"]
rules = "WorkdirRelativePath"
select = ["DL1001"]
levels = { DL3007 = "error", UndefinedVar = "style" }
failure_threshold = "info"
format = "json"
no-fail = true
heed-comments = false
trusted-registries = ["docker.io", "*.example.com"]
required-labels = ["org.opencontainers.image.source"]
strict-labels = true
forbidden-instructions = ["ADD"]
forbidden-bases = ["*:latest"]
[check.label-schema]
version = "semver"
"""
    )
    assert said == Preferences(
        ignored=frozenset({"dl3008", "ds-0002", "ds-0026"}),
        only=frozenset({"workdirrelativepath"}),
        also=frozenset({"dl1001"}),
        levels={"dl3007": "error", "undefinedvar": "style"},
        threshold="info",
        format="json",
        no_fail=True,
        heed=False,
        policy=Policy(
            ("docker.io", "*.example.com"),
            (("version", "semver"),),
            True,
            ("org.opencontainers.image.source",),
            ("ADD",),
            ("*:latest",),
        ),
    )
    assert project("") == project("[check]\n") == Preferences()


@pytest.mark.parametrize(
    ("text", "message", "hint", "line"),
    [
        ("a = 1\n[chek]\n", "unknown table 'a' in kezuri.toml", "there is [check]", 1),
        ("\n[chek]\n", "unknown table 'chek' in kezuri.toml", "did you mean check?", 2),
        (
            "[check]\nignore = []\nignor = 1\n",
            "unknown key 'ignor' of [check] in kezuri.toml",
            "did you mean ignore?",
            3,
        ),
        ("[check]\nignore = 1\n", "ignore is a text or a list of texts", "", 2),
        ("[check]\nignore = [1]\n", "ignore is a text or a list of texts", "", 2),
        ("[check]\nfailure-threshold = 'warnin'\n", "failure-threshold cannot be 'warnin'", "mean warning?", 2),
        ("[check]\nfailure-threshold = 3\n", "failure-threshold cannot be 3", "one of: error", 2),
        ("[check]\nno-fail = 'yes'\n", "no-fail is true or false", "", 2),
        ("[check.levels]\nDL3008 = 'fatal'\n", "levels.DL3008 cannot be 'fatal'", "one of", 2),
        ("[check]\nlevels = 1\n", "levels is a table of texts", "write for instance", 2),
        ("[check.label-schema]\nv = 'number'\n", "label-schema.v cannot be 'number'", "one of", 2),
        ("[check]\nno-fail = true\nno_fail = true\n", "no-fail is twice in kezuri.toml", "once with", 3),
        ("check = 1\n", "check is a table in kezuri.toml", "write [check]", 1),
        ("[check]\nx = \n", "kezuri.toml is not TOML: Invalid value", "", 2),
    ],
)
def test_what_is_wrong_is_named_by_key_and_line(text: str, message: str, hint: str, line: int) -> None:
    said = refused(text)
    assert said[0] == message and hint in said[1] and said[2] == line


def test_a_rule_that_nobody_has_is_a_warning() -> None:
    said = project("[check]\nignore = ['DL3008', 'WorkdirRelativPath']\n")
    (warning,) = said.warnings
    assert warning.message == "there is no rule 'WorkdirRelativPath'" and warning.line == 2
    assert warning.hint == "did you mean WorkdirRelativePath?"
    assert said.ignored == {"dl3008", "workdirrelativpath"}


def test_every_key_of_hadolint() -> None:
    said = read_hadolint(
        """\
failure-threshold: style
format: gitlab_codeclimate
ignored: [DL3008, SC2086]
label-schema:
  author: text
  created: rfc3339
no-color: true
no-fail: false
override:
  error: [DL3001]
  warning:
    - DL3002
  info: [DL3003]
  style: [DL3004]
strict-labels: true
disable-ignore-pragma: true
trustedRegistries:
  - my.example.com
""",
        ".hadolint.yaml",
    )
    assert said == Preferences(
        ignored=frozenset({"dl3008", "sc2086"}),
        levels={"dl3001": "error", "dl3002": "warning", "dl3003": "info", "dl3004": "style"},
        threshold="style",
        format="gitlab",
        no_fail=False,
        heed=False,
        policy=Policy(("my.example.com",), (("author", "text"), ("created", "rfc3339")), True),
    )
    assert read_hadolint("", "x") == read_hadolint("ignored:\n", "x") == Preferences()


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("ignored: DL3008\n", "ignored is a list in .hadolint.yaml", 1),
        ("a: b\nfailure-threshold: loud\n", "failure-threshold cannot be 'loud' in .hadolint.yaml", 2),
        ("label-schema:\n  a:\n", "label-schema.a cannot be '' in .hadolint.yaml", 2),
        ("label-schema:\n  a: number\n", "label-schema.a cannot be 'number' in .hadolint.yaml", 2),
        ("no-fail: maybe\n", "no-fail is true or false in .hadolint.yaml", 1),
        ("override: []\n", "override is a table of keys in .hadolint.yaml", 1),
        ("- a\n", ".hadolint.yaml is no table of keys", 1),
        ("ignored: [\n", "no YAML", 0),
    ],
)
def test_what_hadolint_would_not_read_is_an_error_with_its_line(text: str, message: str, line: int) -> None:
    with pytest.raises(KezuriError) as caught:
        read_hadolint(text, ".hadolint.yaml")
    (diagnostic,) = caught.value.diagnostics
    assert caught.value.exit_code == 2
    assert diagnostic.message.startswith(message)
    assert not line or diagnostic.line == line


def test_keys_that_hadolint_passes_over_are_warnings() -> None:
    said = read_hadolint("ignore: [DL3008]\nignored: [Nonsense]\n", ".hadolint.yaml")
    assert [w.message for w in said.warnings] == [
        "unknown key 'ignore' in .hadolint.yaml",
        "there is no rule 'Nonsense'",
    ]
    assert said.warnings[0].hint == "did you mean ignored?"


def test_variables_of_hadolint() -> None:
    environ = {
        "HADOLINT_NOFAIL": "Yes",
        "HADOLINT_FORMAT": "codeclimate",
        "HADOLINT_FAILURE_THRESHOLD": "error",
        "HADOLINT_OVERRIDE_ERROR": "DL3001,DL3002",
        "HADOLINT_OVERRIDE_STYLE": "DL3003",
        "HADOLINT_IGNORE": "DL3008, DL3009",
        "HADOLINT_TRUSTED_REGISTRIES": "a.example.com,b.example.com",
        "HADOLINT_REQUIRE_LABELS": "author:text,odd:thing,made,by:",
        "HADOLINT_STRICT_LABELS": "1",
        "HADOLINT_DISABLE_IGNORE_PRAGMA": "on",
    }
    assert hadolint_variables(environ) == Preferences(
        ignored=frozenset({"dl3008", "dl3009"}),
        levels={"dl3001": "error", "dl3002": "error", "dl3003": "style"},
        threshold="error",
        format="gitlab",
        no_fail=True,
        heed=False,
        policy=Policy(("a.example.com", "b.example.com"), (("author", "text"), ("made", "text"), ("by", "text")), True),
    )
    assert hadolint_variables({"HADOLINT_FORMAT": "odd", "HADOLINT_FAILURE_THRESHOLD": "odd"}) == Preferences()


def test_a_label_without_a_form_is_text_as_for_hadolint() -> None:
    assert read_hadolint("label-schema: {a: ''}\n", "").policy.label_schema == (("a", "text"),)


def test_ignore_files() -> None:
    text = "# all\nAVD-DS-0002\nDS026 # why\n\nCVE-2020-1 exp:2026-01-01\nDKL-DI-0005 exp:2026-11-28\r\n"
    assert read_ignored(text, "2026-11-28").ignored == {"ds-0002", "ds-0026", "dkl-di-0005"}


def test_one_over_another() -> None:
    first = Preferences(frozenset({"a"}), None, levels={"x": "info"}, threshold="error", policy=Policy(("r",)))
    second = Preferences(
        frozenset({"b"}), frozenset({"c"}), levels={"x": "error", "y": "style"}, threshold="info", no_fail=True
    )
    assert first.over(second) == Preferences(
        frozenset({"a", "b"}),
        frozenset({"c"}),
        levels={"x": "info", "y": "style"},
        threshold="error",
        no_fail=True,
        policy=Policy(("r",)),
    )


def test_which_rules_are_asked_and_what_findings_weigh() -> None:
    def level(selection: Selection, *aliases: str) -> str | None:
        return selection.level(RULE, (RULE.name, *aliases), None)

    usual = Selection()
    assert usual.rules([RULE, EXPERIMENTAL]) == [RULE]
    assert Selection(also=frozenset({EXPERIMENTAL.name.lower()})).rules([RULE, EXPERIMENTAL]) == [RULE, EXPERIMENTAL]
    assert Selection(only=frozenset({"other"})).rules([RULE]) == []
    assert Selection(ignored=frozenset({RULE.name.lower()})).rules([RULE]) == []
    assert level(usual) == "warning"
    assert level(Selection(ignored=frozenset({"dl3000"}))) is None, "no other tool has it: all names of the rule count"
    assert level(Selection(ignored=frozenset({"dl3000"})), "DS-0009") == "warning"
    assert level(Selection(ignored=frozenset({"dl3000"})), "DL3000") is None
    assert level(Selection(frozenset({"dl3000"}), ignored=frozenset({"dl3000"})), "DL3000") == "warning"
    assert level(Selection(frozenset({"dl3000"}))) is None
    assert level(Selection(levels={"ds-0009": "info"}), "DL3000", "DS-0009") == "info"
    assert level(Selection(levels={"dl3000": "ignore"}), "DL3000") is None
    assert usual.level(RULE, (RULE.name,), "style") == "style"
    assert usual.level(RULE, (RULE.name,), "ignore") is None
    assert Selection(also=frozenset({RULE.name.lower()})).level(RULE, (RULE.name,), "ignore") == "info"


def test_keys_of_inline_tables_are_found_where_they_stand() -> None:
    assert refused('[check]\nignore = []\nlevels = { DL3000 = "info", "DL3007" = "waring" }\n')[2] == 3
    assert refused('[check]\n\nlabel-schema = {a="txt"}\n')[1:] == ("did you mean text?", 3)


def test_an_instruction_that_is_none_is_named() -> None:
    (warning,) = project('[check]\nforbidden-instructions = ["add", "VOLUMES"]\n').warnings
    assert (warning.message, warning.hint) == ("there is no instruction 'VOLUMES'", "did you mean VOLUME?")


def test_a_level_that_hadolint_does_not_have_is_named() -> None:
    (warning,) = read_hadolint("override:\n  waring: [DL3000]\n  error: [DL3001]\n", ".hadolint.yaml").warnings
    assert (warning.hint, warning.line) == ("did you mean warning?", 2)


def test_of_thousands_of_unknown_names_some_are_told() -> None:
    names = ", ".join(f'"{"Nothing" * 9}{n}"' for n in range(5000))
    assert len(project(f"[check]\nignore = [{names}]\n").warnings) == 50
    assert len(read_hadolint(f"ignored: [{names}]\n", ".hadolint.yaml").warnings) == 50
