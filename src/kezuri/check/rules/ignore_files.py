"""Ignore files: lines that do not do what they look like, and what they forget."""

import re
from collections.abc import Iterator

from kezuri.check.document import DocumentRule, DocumentSubject
from kezuri.check.ignore_lines import Around, IgnoreLine, ignore_lines
from kezuri.check.rule import Edit, Example, Finding, Fix, Level
from kezuri.diagnostics import KezuriError, Span
from kezuri.documents.edits import newline

_NODE = "FROM node:22\nWORKDIR /app\nCOPY . .\nRUN npm ci\n"

_EVERYWHERE = frozenset(
    (
        "__pycache__", "*.pyc", "*.pyo", "*.py[cod]", ".DS_Store", "Thumbs.db", "*.swp", "*.swo", "*~", "*.egg-info",
        ".pytest_cache", ".ipynb_checkpoints", "node_modules", "*.test.js", "*.test.ts", "*.spec.js", "*.spec.ts",
        "__tests__", "*.tsbuildinfo",
    )
)  # fmt: skip
"""Patterns of things that lie in any directory of a project."""

_ALWAYS_DEEP = frozenset(("__pycache__", "*.pyc", "*.pyo", "*.py[cod]", "*.swp", "*.swo", ".DS_Store"))
"""Those that are hardly ever in the first one only."""

_LOCAL = {
    ".env": "secrets",
    ".env.local": "secrets",
    "node_modules": "modules of this machine",
    ".venv": "an environment",
}
"""What developers have in their checkouts and no repository, and what it holds."""

_MOST = 1_000
"""Lines that are held against each other."""

_TESTS = re.compile(
    r"(?<![\w./-])(?:npm (?:run )?test|yarn (?:run )?test|pnpm (?:run )?test|go test|pytest|cargo test|jest|vitest|"
    r"mvn [^\n]*\btest|gradle test|\./gradlew test|rspec|phpunit)(?![\w:-])"
    r"|\"(?:npm|yarn|pnpm)\", (?:\"run\", )?\"test\""
)
_TEST_FILES = re.compile(r"^(?:\*\*/)?(?:tests?|__tests__|spec|\*\.(?:test|spec)\.\w+|\*_test\.\w+|test_\*\.py)$")


class CommentBehindPattern(DocumentRule):
    """A line that is a pattern to its end."""

    name = "CommentBehindPattern"
    summary = "A comment in an ignore file stands on a line of its own"
    why = (
        "`#` begins a comment in the first column only. `node_modules # installed in the image` is one pattern, blanks "
        "and all, and no file has such a name: node_modules is not left out. The same holds for a remark in brackets "
        "behind a pattern (`vendor/（…）`)."
    )
    japanese = (
        "ignore ファイルのコメントは独立した行に書く",
        "`#` がコメントになるのは行の先頭だけです。`node_modules # イメージ内で入れる` "
        "は空白も含めて全体が一つのパターンで、そんな名前のファイルはないため node_modules は除外されません。"
        "パターンの後ろの括弧書き（`vendor/（…）`）も同じです。",
    )
    kinds = ("ignore",)
    fix_class = "V"
    bad = Example("node_modules # installed in the image\n.git\n", name=".dockerignore")
    good = Example("# installed in the image\nnode_modules\n.git\n", name=".dockerignore")

    def look_at(self, document: DocumentSubject) -> Iterator[Finding]:
        around = document.surroundings
        for line in ignore_lines(document.source):
            found = re.match(r"(\S+)[ \t]+(#.*)$", line.written) or re.match(r"(\S*?)[ \t]*（(.*)）$", line.written)
            if found is None or (around is not None and around.exists(line.pattern)):
                continue
            if found[2].startswith("#"):
                shown, title, kind = found[2].lstrip("# "), "put the comment above", "V"
                new = f"# {shown}{newline(document.source)}{found[1]}"
            else:
                title, kind, new = "make the line a comment: it leaves nothing out now", "A", f"# {line.written}"
            edit = Edit(line.span, new, document.source)
            fix = Fix(title, (edit,), "V" if kind == "V" else "A")
            message = "the line matches nothing: what stands behind the pattern is a part of it, not a comment"
            yield self.found(document, line.span, message, "put the comment on a line of its own, behind a #", fix)


class IgnoreExceptionWithoutEffect(DocumentRule):
    """A `!` that changes nothing, or all."""

    name = "IgnoreExceptionWithoutEffect"
    summary = "A pattern should not be undone by the lines after it"
    why = (
        "The last pattern that fits decides. `!README.md` above `*.md` is undone by it: README.md is left out. `dist` "
        "above `!dist` leaves nothing out. Put what is general first and its exceptions below."
    )
    japanese = (
        "パターンが後の行で打ち消されないようにする",
        "最後に一致したパターンが決めます。`*.md` の上にある `!README.md` は打ち消され、README.md は除外されます。"
        "`!dist` の上にある `dist` は何も除外しません。一般的なものを先に、例外を後に書きます。",
    )
    kinds = ("ignore",)
    bad = Example("!README.md\n*.md\n", name=".dockerignore")
    good = Example("*.md\n!README.md\n", name=".dockerignore")

    def look_at(self, document: DocumentSubject) -> Iterator[Finding]:
        lines = ignore_lines(document.source)
        if document.ignore is None or len(lines) > _MOST:
            return
        for number, line in enumerate(lines):
            if _wild(line.pattern):
                continue
            for later in lines[number + 1 :]:
                if later.negated is line.negated or not _covers(later, line.pattern):
                    continue
                if line.negated:
                    message = (
                        f"`{line.written}` brings nothing back: `{later.written}` in line {later.number} comes after it"
                    )
                    yield self.found(document, line.span, message, "move it below that line")
                elif later.pattern == line.pattern:
                    message = (
                        f"`{line.written}` leaves nothing out: `{later.written}` in line {later.number} brings it back"
                    )
                    yield self.found(document, line.span, message, "remove both lines, or one of them")
                break


class IgnorePatternOnlyAtRoot(DocumentRule):
    """A pattern that looks at the first directory only."""

    name = "IgnorePatternOnlyAtRoot"
    summary = "A pattern for things in every directory begins with **/"
    why = (
        "Unlike .gitignore, .dockerignore takes a pattern from the root of the context: `__pycache__` and `*.pyc` "
        "leave out what lies there, and not what lies in `src/`. `**/__pycache__` fits at every depth, the root "
        "included. Where such a thing lies deeper in this context, it is a warning."
    )
    japanese = (
        "どのディレクトリにもあるもののパターンは **/ で始める",
        ".gitignore と違い、.dockerignore のパターンはコンテキストのルートから数えます。`__pycache__` や `*.pyc` "
        "が除外するのはルートにあるものだけで、`src/` の中のものは除外しません。`**/__pycache__` "
        "ならルートも含めどの深さでも一致します。このコンテキストの深い場所に実際にあれば警告にします。",
    )
    severity = "info"
    kinds = ("ignore",)
    fix_class = "V"
    bad = Example("__pycache__\n.git\n", name=".dockerignore")
    good = Example("**/__pycache__\n.git\n", name=".dockerignore")

    def look_at(self, document: DocumentSubject) -> Iterator[Finding]:
        lines = ignore_lines(document.source)
        if document.ignore is None or any(line.pattern in ("*", "**", "**/*") for line in lines):
            return
        everywhere = {line.pattern.removeprefix("**/") for line in lines if line.pattern.startswith("**/")}
        around = document.facts(Around)
        for line in lines:
            if line.negated or line.pattern not in _EVERYWHERE or line.pattern in everywhere:
                continue
            if line.pattern == "*.pyc" and "*.py[cod]" in everywhere:
                continue
            path = around.nested(line.pattern)
            if path is not None and document.ignore.matches(path):
                path = None
            if path is None and line.pattern not in _ALWAYS_DEEP:
                continue
            level: Level = "warning" if path is not None and around.whole is not None else "info"
            if path is not None:
                message = f"`{line.written}` fits in the first directory only: {path} is not left out"
            else:
                below = f"src/{line.pattern.replace('*', 'main')}"
                message = f"`{line.written}` fits in the first directory only, and not {below}"
            edit = Edit(Span(line.span.start, line.span.start), "**/", document.source)
            if line.written.startswith("/"):
                continue  # somebody meant the root
            fix = Fix("look for it in every directory", (edit,), "V")
            yield self.found(document, line.span, message, f"write **/{line.written}", fix, level)


class LocalFilesNotIgnored(DocumentRule):
    """What git leaves out and Docker takes."""

    name = "LocalFilesNotIgnored"
    summary = "What .gitignore keeps out of the repository should not get into the image"
    why = (
        "A file that .gitignore names is in the checkouts of those who work there, and not in a fresh clone: an image "
        "that is built on a desk has `.env` or the desk's node_modules in it, one that CI builds has not. Files that "
        "lie here are reported at the COPY that takes them (ContextNotFiltered)."
    )
    japanese = (
        ".gitignore で除外したものはイメージにも入れない",
        ".gitignore に書かれたファイルは開発者の手元にはあっても、クローンした直後にはありません。"
        "手元でビルドしたイメージには `.env` や手元の node_modules が入り、CI でビルドしたものには入りません。"
        "今ここにあるファイルは、それを取り込む COPY の側で報告します（ContextNotFiltered）。",
    )
    kinds = ("ignore",)
    whole = True
    fix_class = "V"
    bad = Example(".git\n", files={"Dockerfile": _NODE, ".gitignore": "node_modules\n.env\n"}, name=".dockerignore")
    good = Example(".git\nnode_modules\n.env\n", files=bad.files, name=".dockerignore")

    def look_at(self, document: DocumentSubject) -> Iterator[Finding]:
        around, ignore = document.facts(Around), document.ignore
        lines = ignore_lines(document.source)
        if around.surroundings is None or around.whole is None or ignore is None or not lines:
            return
        text = around.surroundings.read(".gitignore")
        kept = {line.strip().strip("/").removeprefix("**/") for line in (text or "").splitlines()}
        for name, what in _LOCAL.items():
            if name not in kept or around.surroundings.exists(name) or ignore.matches(name):
                continue
            last = lines[-1].span.end
            edit = Edit(Span(last, last), f"{newline(document.source)}{name}", document.source)
            fix = Fix(f"leave {name} out", (edit,), "V")
            message = f"{name} gets into the image where it lies ({what}): .gitignore names it, this file does not"
            yield self.found(document, lines[-1].span, message, f"add {name}", fix)


class TestsIgnored(DocumentRule):
    """Tests that run in an image without any."""

    name = "TestsIgnored"
    summary = "What a stage tests must be in the build context"
    why = (
        "A stage that runs the tests gets what the ignore file lets through. Where that leaves the tests out, the "
        "runner either finds none and succeeds, or fails for that. Another ignore file for the build of the tests "
        "(`test.Dockerfile.dockerignore`) keeps both."
    )
    japanese = (
        "ステージがテストするものはビルドコンテキストに要る",
        "テストを走らせるステージに届くのは、ignore ファイルが通したものだけです。テストが除外されていると、"
        "ランナーは何も見つけずに成功するか、見つからないといって失敗します。テスト用ビルドに別の ignore "
        "ファイル（`test.Dockerfile.dockerignore`）を用意すれば両立します。",
    )
    kinds = ("ignore",)
    bad = Example("**/*.test.ts\n", files={"Dockerfile": f"{_NODE}RUN npm test\n"}, name=".dockerignore")
    good = Example("**/*.test.ts\n", files={"Dockerfile": _NODE}, name=".dockerignore")

    def look_at(self, document: DocumentSubject) -> Iterator[Finding]:
        for use in document.facts(Around).uses:
            found = _TESTS.search(use.text) if use.whole else None
            if found is None:
                continue
            for line in ignore_lines(document.source):
                if not line.negated and _TEST_FILES.match(line.pattern):
                    said = found[0].replace('"', "").replace(",", "")
                    message = f"{use.path} runs `{said}`, and `{line.written}` leaves the tests out"
                    yield self.found(
                        document, line.span, message, "leave the tests in, or give that build its own file"
                    )
                    return


class EmptyIgnoreFile(DocumentRule):
    """An ignore file that leaves nothing out."""

    name = "EmptyIgnoreFile"
    summary = "An ignore file should leave something out"
    why = (
        "A file without patterns does what no file does: the whole directory is the context, `.git` included. It also "
        "takes the place of the general one, where it is called `NAME.dockerignore`: then it may be meant, which is "
        "why this is no warning."
    )
    japanese = (
        "ignore ファイルは何かを除外する",
        "パターンのないファイルは、ファイルがないのと同じです。`.git` も含めディレクトリ全体がコンテキストになります。"
        "`NAME.dockerignore` の場合は共通のファイルの代わりになるので意図的かもしれません。そのため警告にはしません。",
    )
    severity = "info"
    kinds = ("ignore",)
    whole = True
    bad = Example("# nothing yet\n", name=".dockerignore")
    good = Example(".git\n", name=".dockerignore")

    def look_at(self, document: DocumentSubject) -> Iterator[Finding]:
        if not ignore_lines(document.source):
            end = document.source.text.find("\n")
            span = Span(0, end if end > 0 else len(document.source.text))
            yield self.found(document, span, "the file leaves nothing out", "begin with .git and what the build makes")


def _wild(pattern: str) -> bool:
    return any(sign in pattern for sign in "*?[\\")


def _covers(line: IgnoreLine, path: str) -> bool:
    """Whether a line's pattern fits a path, or a directory above it."""
    from kezuri.dockerfile.ignore import Patterns

    try:
        return Patterns.of([line.pattern]).matches(path)
    except KezuriError:
        return False


RULES = (
    CommentBehindPattern(),
    IgnoreExceptionWithoutEffect(),
    IgnorePatternOnlyAtRoot(),
    LocalFilesNotIgnored(),
    TestsIgnored(),
    EmptyIgnoreFile(),
)
