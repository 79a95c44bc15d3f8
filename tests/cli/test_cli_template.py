"""`--format`: the part of Go's templates that people use, sizes and ages, and tables."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kezuri.cli.options import UsageError
from kezuri.cli.quantities import age, amount, since, size
from kezuri.cli.table import aligned
from kezuri.cli.template import Template
from kezuri.cli.template_functions import show
from kezuri.cli.values import duration, fields, memory

IMAGE: dict[str, Any] = {
    "Id": "sha256:abc",
    "RepoTags": ["a:1", "b:2"],
    "Size": 1234,
    "Config": {"Env": ["A=1"], "Labels": {"x.y": "z", "n": "m"}, "Healthcheck": None},
    "Nothing": None,
    "Yes": True,
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("", ""),
        ("plain } text }}", "plain } text }}"),
        ("{{.Id}}:{{.Size}}", "sha256:abc:1234"),
        ("{{ .Id }}", "sha256:abc"),
        ("{{.RepoTags}}", "[a:1 b:2]"),
        ("{{.Config.Env}}", "[A=1]"),
        ("{{.Config.Labels}}", "map[n:m x.y:z]"),
        ("{{.Config.Labels.n}}-{{.Config.Labels.none}}", "m-"),
        ("{{.Config.User}}|{{.Config.Cmd}}", "|"),
        ('{{index .Config.Labels "x.y"}}', "z"),
        ('{{index .Config.Labels "none"}}', ""),
        ("{{index .RepoTags 1}}", "b:2"),
        ("{{json .RepoTags}}", '["a:1","b:2"]'),
        ("{{json .Config.Healthcheck}}", "null"),
        ("{{.Config.Labels | json}}", '{"x.y":"z","n":"m"}'),
        ('{{join .RepoTags ", "}}', "a:1, b:2"),
        ('{{join .RepoTags "|" | upper}}', "A:1|B:2"),
        ("{{.Id | upper | lower}}", "sha256:abc"),
        ('{{index (.X) "a"}}', None),
        ('{{split .Id ":"}}', "[sha256 abc]"),
        ("{{len .RepoTags}}", "2"),
        ("{{truncate .Id 6}}", "sha256"),
        ('{{println .Id "x"}}', "sha256:abc x\n"),
        ("{{.Nothing}}", "<no value>"),
        ("{{.Yes}}", "true"),
        ('{{"{{"}}{{`}}`}}', "{{}}"),
        ("a {{- .Id -}} b", "asha256:abcb"),
        ("{{/* nothing */}}x", "x"),
        ("{{range .RepoTags}}{{.}} {{end}}", "a:1 b:2 "),
        ("{{if .Id}}x{{end}}", "x"),
        ("{{$x := .Id}}{{$x}}", "sha256:abc"),
        ("{{.Id", None),
        ("{{}}", None),
        ("{{.Idd}}", None),
        ("{{.Id.X}}", None),
        ("{{jsn .}}", None),
        ("{{Id}}", None),
        ("{{.Id .Size}}", None),
        ("{{index .RepoTags 5}}", None),
        ("{{join .RepoTags}}", None),
        ("{{.Id | }}", None),
        ('{{"\\q"}}', None),
    ],
)
def test_templates(template: str, text: str | None) -> None:
    if text is None:
        with pytest.raises(UsageError) as caught:
            Template(template).render(IMAGE)
        assert caught.value.diagnostics[0].message.startswith("--format: ")
    else:
        assert Template(template).render(IMAGE) == text


@pytest.mark.parametrize(
    ("template", "message", "hint"),
    [
        ("{{range .RepoTags}}", "{{end}} is missing", "needs one"),
        ("{{$y}}", "there is no variable $y", "before it"),
        ("{{.RepoTag}}", "has no field 'RepoTag'", "did you mean .RepoTags?"),
        ("{{.config}}", "has no field 'config'", "did you mean .Config?"),
        ("{{.Config.Zzzzzzz}}", ".Config has no field 'Zzzzzzz'", "it has .Env, .Labels"),
        ("{{jsn .}}", "unknown function 'jsn'", "did you mean json?"),
        ("{{Id}}", "unknown function 'Id'", "write .Id for a field"),
    ],
)
def test_errors_name_the_thing(template: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        Template(template).render(IMAGE)
    assert message in caught.value.diagnostics[0].message
    assert hint in caught.value.diagnostics[0].hint


@given(st.text(alphabet='{}.|"`-/* ajsonx1\\', max_size=20))
def test_any_template_is_rendered_or_refused(text: str) -> None:
    try:
        Template(text).render(IMAGE)
    except UsageError:
        pass


@given(st.text().filter(lambda text: "{{" not in text))
def test_text_is_itself(text: str) -> None:
    assert Template(text).render({}) == text


def test_values_as_go_prints_them() -> None:
    assert show([1, None, {"b": False, "a": []}]) == "[1 <nil> map[a:[] b:false]]"


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0B"), (999, "999B"), (1000, "1kB"), (1234, "1.23kB"), (7_050_000, "7.05MB"), (133_400_000, "133MB"),
     (999_499, "999kB"), (999_500, "1MB"), (999_999_999, "1GB"), (1_200_000_000, "1.2GB"), (10**21, "1e+03EB")],
)  # fmt: skip
def test_sizes(count: int, text: str) -> None:
    assert size(count) == text


def test_amounts() -> None:
    assert [amount(n) for n in (0, 999, 1000, 12_345_678, 999_999)] == ["0B", "999B", "1.00kB", "12.35MB", "1.00MB"]


@pytest.mark.parametrize(
    ("span", "text"),
    [(0.4, "Less than a second"), (1, "1 second"), (59, "59 seconds"), (60, "About a minute"), (150, "2 minutes"),
     (46 * 60, "About an hour"), (5400, "2 hours"), (47 * 3600, "47 hours"), (48 * 3600, "2 days"),
     (13 * 86400, "13 days"), (14 * 86400, "2 weeks"), (59 * 86400, "8 weeks"), (61 * 86400, "2 months"),
     (729 * 86400, "24 months"), (730 * 86400, "2 years")],
)  # fmt: skip
def test_ages(span: float, text: str) -> None:
    assert age(span) == text


def test_moments() -> None:
    now = 1_700_000_000.0
    assert since("2023-11-14T22:13:20Z", now) == "Less than a second ago"
    assert since("2023-11-14T20:13:20.123456789Z", now) == "2 hours ago"
    assert since("2023-11-14T22:13:10+00:00", now) == "10 seconds ago"
    assert since("2024-11-14T22:13:10Z", now) == "Less than a second ago"
    assert since("1970-01-01T00:00:00Z", now) == "53 years ago"
    assert since("", now) == since("0001-01-01T00:00:00Z", now) == "N/A"
    assert since("yesterday", now) == "yesterday"
    assert since("2023-11-14T21:13:19.25+01:00", now) == "2 hours ago"


def test_tables_are_aligned_by_cells_not_characters() -> None:
    assert aligned([("A", "B"), ("日本語日本語", "x"), ("y", "")]) == [
        "A              B",
        "日本語日本語   x",
        "y",
    ]


@pytest.mark.parametrize(
    ("text", "parts"),
    [("a,b", ("a", "b")), ("", ("",)), ('"a,b",c', ("a,b", "c")), ('"a""b"', ('a"b',)), ('a,""', ("a", "")),
     ("a,,b,", ("a", "", "b", "")), ('x,"y",', ("x", "y", ""))],
)  # fmt: skip
def test_comma_separated_fields(text: str, parts: tuple[str, ...]) -> None:
    assert fields("--x", text) == parts


def test_sizes_and_durations_that_are_read() -> None:
    assert [memory("-x", t) for t in ("0", "5b", "1k", "1KiB", "2MB", ".5g")] == [0, 5, 1024, 1024, 2 << 20, 1 << 29]
    assert [duration("-x", t) for t in ("90", "1h30m", "1.5s", "2d", "100ms")] == [90, 5400, 1.5, 172800, 0.1]
    for text in ("", "x", "1", "1y", "h", "-1h", "1h-", "1.2.3s"):
        if text == "1":
            continue
        with pytest.raises(UsageError, match="-x: not a duration"):
            duration("-x", text)
    for text in ("", "x", "1x", "kb", "inf", "nan", "-5", "1ii"):
        with pytest.raises(UsageError, match="-x: not a size"):
            memory("-x", text)
