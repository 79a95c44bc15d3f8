"""Stages as targets: one for tests beside the one that is shipped."""

from collections.abc import Iterator

from kezuri.check.course import courses, words_of
from kezuri.check.rule import Example, Finding, Rule
from kezuri.check.stack import package_json, section
from kezuri.check.subject import Subject

_TESTS = frozenset(("test", "tests", "testing", "check", "ci", "lint", "e2e", "unittest"))


class TestStageMissing(Rule):
    """A project with tests and no stage that runs them."""

    __test__ = False
    name = "TestStageMissing"
    summary = "Tests can have a stage of their own, to be built with --target"
    why = (
        "A stage that runs the tests on what was built (`kezuri build --target test .`) tests the very "
        "dependencies and "
        "base that are shipped, on every machine alike, and shares the steps before it with the image. Only "
        "files with "
        "several stages and a package.json with a `test` script are looked at."
    )
    japanese = (
        "テストには専用のステージを用意し、--target で実行できる",
        "ビルドしたものに対してテストを実行するステージがあれば（`kezuri build --target test .`）、"
        "出荷するのと同じ依存関係とベースを、どの"
        "マシンでも同じようにテストでき、それより前のステップはイメージと共有されます。複数のステージがあり、"
        "package.json に `test` "
        "スクリプトがあるものだけを調べます。",
    )
    severity = "info"
    bad = Example(
        "FROM node:22-slim AS builder\nWORKDIR /app\nCOPY . .\n\n"
        "FROM node:22-slim\nCOPY --from=builder /app/main.js /main.js\n",
        files={"package.json": '{"scripts": {"test": "node --test"}}'},
    )
    good = Example(
        "FROM node:22-slim AS builder\nWORKDIR /app\nCOPY . .\n\nFROM builder AS test\nRUN npm test\n\n"
        "FROM node:22-slim\nCOPY --from=builder /app/main.js /main.js\n",
        files={"package.json": '{"scripts": {"test": "node --test"}}'},
    )

    def look(self, subject: Subject) -> Iterator[Finding]:
        script = section(package_json(subject.surroundings), "scripts").get("test")
        walked = courses(subject)
        last = walked.last
        if not isinstance(script, str) or "no test specified" in script or last is None or len(walked.all) < 2:
            return
        for course in walked.all:
            if words_of(course.name) & _TESTS:
                return
            for step in course.runs():
                for act in step.acts:
                    use = act.use
                    if use is not None and use.deed == "script" and use.words[0].split(":")[0] in _TESTS | {"t"}:
                        return
        text = "no stage runs the project's tests"
        hint = "add a stage `FROM builder AS test` with `RUN npm test`, and build it with --target test"
        yield Finding(self, text, last.stage.start.node, hint=hint)


RULES = (TestStageMissing(),)
