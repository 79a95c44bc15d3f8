"""`kezuri lsp` as an editor meets it: a process, spoken to over its pipes."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.cli_lsp import PROJECT, Editor, applied

pytestmark = pytest.mark.slow

UNTIDY = "from alpine as Build\nENV A é😀 b\nMAINTAINER 😀 x\nRUN true\n"


@pytest.fixture
def editor(tmp_path: Path) -> Iterator[Editor]:
    with Editor(tmp_path / "store") as editor:
        editor.initialize()
        yield editor


def uri(path: Path) -> str:
    return path.as_uri()


def codes(found: list[dict[str, object]]) -> list[object]:
    return [d.get("code") for d in found]


def test_it_says_what_it_can_do_and_leaves(tmp_path: Path) -> None:
    with Editor(tmp_path) as editor:
        can = editor.initialize()
        assert can["positionEncoding"] == "utf-16"
        assert can["hoverProvider"] and can["definitionProvider"] and can["documentFormattingProvider"]
        assert can["codeActionProvider"]["codeActionKinds"] == ["quickfix", "source.fixAll.kezuri"]
        assert editor.leave() == 0
        assert editor.errors == ""


def test_leaving_without_a_word(tmp_path: Path) -> None:
    with Editor(tmp_path) as editor:
        editor.initialize()
        editor.hang_up()
        assert editor.ended() == 1
        assert editor.errors == "the editor is gone\n"
    with Editor(tmp_path) as editor:
        editor.initialize()
        editor.tell("exit")
        assert editor.ended() == 1


def test_findings_stand_where_they_are(editor: Editor, tmp_path: Path) -> None:
    found = editor.open(uri(tmp_path / "Dockerfile"), UNTIDY)
    by_code = {d["code"]: d for d in found}
    assert by_code["MaintainerDeprecated"]["range"] == {
        "start": {"line": 2, "character": 0},
        "end": {"line": 2, "character": 15},
    }, "an emoji is two units wide"
    assert by_code["LegacyKeyValueFormat"]["range"]["end"] == {"line": 1, "character": 11}
    assert by_code["MaintainerDeprecated"]["severity"] == 2
    assert by_code["MaintainerDeprecated"]["source"] == "kezuri"
    assert by_code["MaintainerDeprecated"]["codeDescription"]["href"].startswith("https://")


def test_another_unit_is_agreed_upon(tmp_path: Path) -> None:
    for unit, end in (("utf-8", 17), ("utf-32", 14)):
        with Editor(tmp_path / "store") as editor:
            can = editor.initialize(capabilities={"general": {"positionEncodings": [unit]}})
            assert can["positionEncoding"] == unit
            found = {d["code"]: d for d in editor.open(uri(tmp_path / "Dockerfile"), UNTIDY)}
            assert found["MaintainerDeprecated"]["range"]["end"] == {"line": 2, "character": end}


def test_the_open_text_counts_and_not_the_disk(editor: Editor, tmp_path: Path) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text("FROM alpine\nMAINTAINER x\n")
    assert "MaintainerDeprecated" not in codes(editor.open(uri(file), "FROM alpine\nRUN true\n"))
    editor.change(uri(file), "FROM alpine\nMAINTAINER x\n", 2)
    assert "MaintainerDeprecated" in codes(editor.diagnostics(uri(file), 2))
    file.unlink()
    editor.change(uri(file), "FROM alpine\nMAINTAINER y\n", 3)
    assert "MaintainerDeprecated" in codes(editor.diagnostics(uri(file), 3)), "the file need not be there"


def test_a_directory_that_vanishes(editor: Editor, tmp_path: Path) -> None:
    away = tmp_path / "away"
    away.mkdir()
    editor.open(uri(away / "Dockerfile"), "FROM alpine\nCOPY . .\nMAINTAINER x\n")
    away.rmdir()
    editor.change(uri(away / "Dockerfile"), "FROM alpine\nCOPY . .\nMAINTAINER y\n", 2)
    assert "MaintainerDeprecated" in codes(editor.diagnostics(uri(away / "Dockerfile"), 2))


def test_typing_is_checked_when_it_pauses(editor: Editor, tmp_path: Path) -> None:
    name = uri(tmp_path / "Dockerfile")
    editor.open(name, "FROM alpine\n")
    for version in range(2, 202):
        editor.change(name, f"FROM alpine\nRUN echo {version}\nMAINTAINER x\n", version)
    assert "MaintainerDeprecated" in codes(editor.diagnostics(name, 201))
    published = [m for m in editor.heard if m.get("method") == "textDocument/publishDiagnostics"]
    assert len(published) < 20, "not every letter"
    assert editor.leave() == 0


def test_errors_are_shown_with_what_else_there_is(editor: Editor, tmp_path: Path) -> None:
    found = editor.open(uri(tmp_path / "Dockerfile"), "FROM alpine AS\nRUNN x\nMAINTAINER x\n")
    worst = [d for d in found if d["severity"] == 1]
    assert worst and any("RUNN" in d["message"] for d in worst)
    assert {d["range"]["start"]["line"] for d in worst} == {0, 1, 2}, "without a FROM, MAINTAINER has no stage"


def test_several_documents_and_closing(editor: Editor, tmp_path: Path) -> None:
    one, two = uri(tmp_path / "Dockerfile"), uri(tmp_path / "ünïcode dir" / "web.Dockerfile")
    assert "MaintainerDeprecated" in codes(editor.open(one, "FROM alpine\nMAINTAINER x\n"))
    assert "LegacyKeyValueFormat" in codes(editor.open(two, "FROM alpine\nENV a b\n"))
    assert "MaintainerDeprecated" in codes(editor.open("untitled:Untitled-1", "FROM alpine\nMAINTAINER x\n"))
    editor.tell("textDocument/didClose", textDocument={"uri": one})
    assert editor.diagnostics(one, None) == []
    assert editor.at("textDocument/hover", one, 0, 0) is None
    assert editor.at("textDocument/definition", one, 0, 0) is None
    editor.change(one, "FROM alpine\n", 9)
    assert editor.at("textDocument/definition", two, 0, 0) is None


def test_a_document_beside_it(editor: Editor, tmp_path: Path) -> None:
    found = editor.open(uri(tmp_path / "compose.yaml"), "services:\n  a: [\n", language="yaml")
    assert found, "what is no YAML is said to be none"
    assert editor.actions(uri(tmp_path / "compose.yaml"), (0, 2)) == []


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_quick_fixes_mend_what_they_say(editor: Editor, tmp_path: Path, newline: str) -> None:
    name, text = uri(tmp_path / "Dockerfile"), UNTIDY.replace("\n", newline)
    editor.open(name, text)
    found = editor.actions(name, (2, 2), ["quickfix"])
    (fix,) = [a for a in found if a.get("isPreferred")]
    assert fix["diagnostics"][0]["code"] == "MaintainerDeprecated"
    after = applied(text, fix["edit"]["changes"][name])
    assert after == text.replace("MAINTAINER 😀 x", 'LABEL org.opencontainers.image.authors="😀 x"')


def test_a_rule_is_silenced_where_it_speaks(editor: Editor, tmp_path: Path) -> None:
    name = uri(tmp_path / "Dockerfile")
    editor.open(name, UNTIDY)
    (silence,) = [a for a in editor.actions(name, (2, 2)) if a["title"] == "Ignore MaintainerDeprecated here"]
    after = applied(UNTIDY, silence["edit"]["changes"][name])
    editor.change(name, after, 2)
    assert "MaintainerDeprecated" not in codes(editor.diagnostics(name, 2))


def test_all_is_mended_at_once(editor: Editor, tmp_path: Path) -> None:
    name = uri(tmp_path / "Dockerfile")
    editor.open(name, UNTIDY)
    (action,) = editor.actions(name, (0, 0), ["source.fixAll"])
    assert "edit" not in action or action["edit"] is None
    action = editor.ask("codeAction/resolve", **action)
    after = applied(UNTIDY, action["edit"]["changes"][name])
    assert 'ENV A="é😀 b"' in after and "LABEL org" in after and after.startswith("FROM alpine AS build")
    editor.change(name, after, 2)
    left = codes(editor.diagnostics(name, 2))
    assert "MaintainerDeprecated" not in left and "LegacyKeyValueFormat" not in left
    stale = editor.ask("codeAction/resolve", **{**action, "edit": None})
    assert stale.get("edit") is None, "it was for another version"


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_formatting(editor: Editor, tmp_path: Path, newline: str) -> None:
    name = uri(tmp_path / "Dockerfile")
    text = "from 😀 as b\n\n\n\nrun  x \\\n  y  \nENV A=1 B=2".replace("\n", newline)
    editor.open(name, text)
    asked = {"textDocument": {"uri": name}, "options": {"tabSize": 4, "insertSpaces": True}}
    edits = editor.ask("textDocument/formatting", **asked)
    wanted = "FROM 😀 AS b\n\nRUN x \\\n  y\nENV A=1 \\\n    B=2\n".replace("\n", newline)
    assert applied(text, edits) == wanted
    editor.change(name, wanted, 2)
    assert editor.ask("textDocument/formatting", **asked) == []
    editor.change(name, "FROM a b\n", 3)
    assert editor.ask("textDocument/formatting", **asked) is None


def test_hover_tells_what_a_step_took_and_what_a_change_runs_again(tmp_path: Path) -> None:
    file, store = tmp_path / "Dockerfile", tmp_path / "store"
    text = (
        "FROM scratch AS one\nCOPY a /a\nCOPY b /b\nFROM scratch\nLABEL x=y\nCOPY --from=one /a /c\n"
        "FROM one\nCOPY b /d\n"
    )
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    file.write_text(text)
    words = [sys.executable, "-m", "kezuri", "--root", f"{store}", "build", "-q", f"{tmp_path}"]
    subprocess.run(words, check=True, capture_output=True, cwd=PROJECT)
    with Editor(store) as editor:
        editor.initialize()
        editor.open(uri(file), text)

        def hover(line: int) -> str:
            found = editor.at("textDocument/hover", uri(file), line, 1)
            return "" if found is None else str(found["contents"]["value"])

        said = hover(1)
        assert "in the last build" in said and "A change here runs 3 later steps again (" in said
        assert "one: `COPY b /b`" in said and "stage-2: `COPY b /d`" in said
        assert "stage-1: `COPY --from=one /a /c` (if what it takes is different)" in said
        assert "Nothing else runs again" in hover(7)
        assert hover(4) == "", "a label runs nothing"
        assert "No build of this file has run this step yet." in hover(5), "the target did not need it"


def test_hover_on_the_name_of_a_rule(editor: Editor, tmp_path: Path) -> None:
    name = uri(tmp_path / "Dockerfile")
    editor.open(name, "# check=skip=MaintainerDeprecated\nFROM alpine\n# hadolint ignore=DL4000\nMAINTAINER x\n")
    found = editor.at("textDocument/hover", name, 0, 20)
    assert found["contents"]["value"].startswith("**MaintainerDeprecated**")
    assert found["range"]["start"] == {"line": 0, "character": 13}
    assert editor.at("textDocument/hover", name, 2, 22)["contents"]["value"].startswith("**MaintainerDeprecated**")


def test_the_editors_language_is_spoken(tmp_path: Path) -> None:
    with Editor(tmp_path / "store") as editor:
        editor.initialize(locale="ja")
        name = uri(tmp_path / "Dockerfile")
        editor.open(name, "# check=skip=all\nFROM alpine\nMAINTAINER x\nRUN x\n")
        assert "ビルド" in editor.at("textDocument/hover", name, 3, 0)["contents"]["value"]


def test_definitions(editor: Editor, tmp_path: Path) -> None:
    name = uri(tmp_path / "Dockerfile")
    editor.open(
        name,
        "ARG V=1\nFROM alpine:${V} AS Build\nARG V\nENV é=1 W=$V\n"
        "FROM build\nCOPY --from=0 /a /b\nRUN --mount=type=bind,from=build,target=/x echo é $W\n",
    )

    def defined(line: int, column: int) -> tuple[int, int] | None:
        found = editor.at("textDocument/definition", name, line, column)
        return None if found is None else (found["range"]["start"]["line"], found["range"]["start"]["character"])

    assert defined(1, 14) == (0, 4)
    assert defined(2, 4) == (0, 4)
    assert defined(3, 11) == (2, 4)
    assert defined(4, 6) == (1, 20)
    assert defined(5, 8) == (1, 20)
    assert defined(6, 10) == (1, 20)
    assert defined(6, 54) == (3, 8)
    assert defined(0, 0) is None


def test_completions(editor: Editor, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "main.py").touch()
    name = uri(tmp_path / "Dockerfile")
    versions = iter(range(2, 1000))

    def offered(text: str) -> list[str]:
        editor.change(name, text, next(versions))
        lines = text.split("\n")
        found = editor.at("textDocument/completion", name, len(lines) - 1, len(lines[-1]))
        return [item["textEdit"]["newText"] for item in found]

    editor.open(name, "")
    head = "FROM alpine AS base\nARG TOKEN\n"
    assert "FROM " in offered("F") and "from " in offered("f")
    assert offered(head + "COPY --") == ["--chmod=", "--chown=", "--exclude=", "--from=", "--link", "--parents"]
    assert offered(head + "FROM x\nCOPY --from=") == ["base"]
    assert offered(head + "FROM ")[0] == "base"
    assert offered(head + "FROM x ") == ["AS "]
    assert "TOKEN" in offered(head + "RUN a \\\n  # why\n  ${")
    assert offered(head + "RUN --mount=type=") == ["bind", "cache", "tmpfs", "secret", "ssh"]
    assert "sharing=" in offered(head + "RUN --mount=type=cache,")
    assert offered(head + "COPY src/") == ["main.py"]
    assert "MaintainerDeprecated" in offered(head + "# kezuri ignore=")
    assert "RUN " in offered(head + "ONBUILD ")
    assert offered(head + "RUN <<EOF\nFRO") == [] or "FROM " in offered(head + "RUN <<EOF\nFRO")
    assert offered(head + "RUN apt-get ") == []


def test_the_outline(editor: Editor, tmp_path: Path) -> None:
    name = uri(tmp_path / "Dockerfile")
    editor.open(name, "ARG V\nFROM alpine AS one\nRUN a\nFROM one\nENV a=1 b=2\n")
    found = editor.ask("textDocument/documentSymbol", textDocument={"uri": name})
    assert [s["name"] for s in found] == ["ARG V", "one", "one"]
    assert [s["name"] for s in found[2]["children"]] == ["ENV a, b"]
    assert found[1]["range"]["end"] == {"line": 2, "character": 5}


def test_what_saving_another_file_changes(editor: Editor, tmp_path: Path) -> None:
    name = uri(tmp_path / "Dockerfile")
    assert "MaintainerDeprecated" in codes(editor.open(name, "FROM alpine\nMAINTAINER x\n"))
    (tmp_path / "kezuri.toml").write_text('[check]\nignore = ["MaintainerDeprecated"]\n')
    watched = [{"uri": uri(tmp_path / "kezuri.toml"), "type": 1}]
    editor.tell("workspace/didChangeWatchedFiles", changes=watched)
    assert "MaintainerDeprecated" not in codes(editor.diagnostics(name, 1))
    (tmp_path / "kezuri.toml").write_text("[check\n")
    editor.tell("workspace/didChangeWatchedFiles", changes=watched)
    found = editor.diagnostics(name, 1)
    assert any("kezuri.toml:1" in d["message"] for d in found) and "MaintainerDeprecated" in codes(found)


def test_what_is_no_message_ends_nothing(editor: Editor, tmp_path: Path) -> None:
    editor.raw(b"Content-Length: 3\r\n\r\n{{{")
    editor.raw(b"Content-Length: 2\r\n\r\n[]")
    editor.raw(b"X-Header: 1\r\nContent-Length: 2\r\n\r\n{}")
    assert "error" in editor.answer(editor.begin("textDocument/nonsense"))
    editor.begin("textDocument/hover", nothing=1)
    assert editor.at("textDocument/hover", "file:///nowhere", 99, 99) is None
    name = uri(tmp_path / "Dockerfile")
    assert editor.open(name, "FROM alpine\nMAINTAINER \ud83d\n\x00\ufffe")
    editor.at("textDocument/hover", name, 10**9, 10**9)
    assert editor.at("textDocument/completion", name, 0, 10**9) is not None
    assert editor.leave() == 0


def test_odd_line_endings_are_counted_as_editors_count_them(editor: Editor, tmp_path: Path) -> None:
    name = uri(tmp_path / "Dockerfile")
    text = "# a\rb\u2028c\x0cd\n\nFROM alpine\nMAINTAINER x\n"
    found = {d["code"]: d for d in editor.open(name, text)}
    assert found["MaintainerDeprecated"]["range"]["start"] == {"line": 4, "character": 0}


def test_a_giant_text_answers(editor: Editor, tmp_path: Path) -> None:
    name = uri(tmp_path / "Dockerfile")
    text = "FROM alpine\n" + "RUN echo a && \\\n    echo b\n" * 2000 + "MAINTAINER x\n"
    assert "MaintainerDeprecated" in codes(editor.open(name, text))
    assert len(json.dumps(editor.ask("textDocument/documentSymbol", textDocument={"uri": name}))) > 100_000
    assert editor.leave() == 0


def test_a_name_that_no_file_can_have(editor: Editor, tmp_path: Path) -> None:
    uri = "file:///a%00b/Dockerfile"
    assert "MaintainerDeprecated" in codes(editor.open(uri, "FROM alpine\nMAINTAINER x\n"))
    assert editor.actions(uri, (1, 1))
