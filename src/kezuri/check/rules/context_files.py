"""What of the build context comes into an image without being asked for."""

from collections.abc import Iterator
from posixpath import normpath

from kezuri.check.course import Courses, courses
from kezuri.check.rule import Example, Finding, Level, Rule
from kezuri.check.rules.dependencies import EVERYTHING
from kezuri.check.subject import Subject
from kezuri.check.surroundings import Surroundings
from kezuri.dockerfile.instructions import Copy

LARGE = (
    ".git", "node_modules", ".venv", "venv", "__pycache__", ".next", "coverage", ".pytest_cache", ".mypy_cache", ".tox",
    ".gradle", ".terraform", ".cache", ".yarn/cache", ".nyc_output", ".svn", ".hg",
)  # fmt: skip
"""Directories of a working tree that an image does not need."""
SECRETS = (
    ".env",
    ".netrc",
    ".pypirc",
    "id_rsa",
    "id_ed25519",
    ".git-credentials",
    ".env.local",
    ".env.production.local",
)


class ContextNotFiltered(Rule):
    """COPY of the whole context, with what should not be in it."""

    name = "ContextNotFiltered"
    summary = "What is copied as a whole should be filtered by .dockerignore"
    why = (
        "`COPY . .` takes everything: the history in .git, node_modules of another system, local caches, and "
        "passwords in "
        ".env. Each of them makes the image larger, changes the key of the step, and some are nobody else's "
        "business. A "
        "`.dockerignore` beside the Dockerfile leaves them out.\n\nIt is a `warning` where such files lie in "
        "the context, "
        "and `info` where there is only no ignore file. Where a file that another COPY names is not there, the context "
        "is taken to be another directory, and nothing is said."
    )
    japanese = (
        "丸ごとコピーするものは .dockerignore で絞る",
        "`COPY . .` はすべてを持っていきます。.git の履歴、別のシステムの node_modules、手元のキャッシュ、"
        ".env のパスワードなどです。どれもイメージを"
        "大きくし、ステップのキーを変え、人に見せるべきでないものもあります。Dockerfile の隣の "
        "`.dockerignore` で除きます。ほかの COPY の挙げるファイルがなければ、コンテキストは別のディレクトリとみなし、"
        "報告しません。",
    )
    severity = "warning"
    fix_class = "V"
    bad = Example(
        "FROM node:22-slim\nWORKDIR /app\nCOPY . .\n",
        files={"main.js": "", ".git/HEAD": "ref: refs/heads/main\n", "node_modules/a/index.js": "", ".env": "KEY=1"},
    )
    good = Example(
        "FROM node:22-slim\nWORKDIR /app\nCOPY . .\n",
        ignore=".git\nnode_modules\n.env\n",
        files={"main.js": "", ".git/HEAD": "ref: refs/heads/main\n", "node_modules/a/index.js": "", ".env": "KEY=1"},
    )

    def look(self, subject: Subject) -> Iterator[Finding]:
        around = subject.surroundings
        if around is None:
            return
        for course in courses(subject).all:
            for step in course.copies():
                copy = step.instruction
                assert isinstance(copy, Copy)
                if step.origin is not None or copy.excludes or not any(w in EVERYTHING for w in step.sources):
                    continue
                taken = needless(subject, around)
                if not taken and (subject.ignore is not None or _elsewhere(courses(subject), around)):
                    return
                level: Level = "warning" if taken else "info"
                if taken:
                    names, word = ", ".join(taken[:3]), copy.node.keyword
                    text = f"`{word} {step.sources[0]}` takes {names}"
                    if len(taken) > 3:
                        text = f"`{word} {step.sources[0]}` takes {names} and {len(taken) - 3} more"
                else:
                    text = "nothing is left out of the build context: there is no .dockerignore"
                fix = None
                if subject.surroundings is not None:
                    from kezuri.check.repairs.ignoring import ignore_file

                    fix = ignore_file(subject, taken)
                yield Finding(self, text, copy.node, None, fix, "leave it out with a .dockerignore", level=level)
                return


def _elsewhere(walked: Courses, around: Surroundings) -> bool:
    """Whether the context is another directory than the one that is looked at: a file that is copied is not in it."""
    for course in walked.all:
        for step in course.copies():
            if step.origin is None:
                for word in step.sources:
                    plain = not any(sign in word for sign in "*?[$:<\\\"'") and word not in EVERYTHING
                    if plain and word.strip("./") and not around.exists(normpath(word).strip("/")):
                        return True
    return False


class SecretFileCopied(Rule):
    """A file that holds a secret, by its name, is copied."""

    name = "SecretFileCopied"
    summary = "Files with credentials should be mounted, not copied"
    why = (
        "What a COPY brings is in a layer, also when a later step removes it: everyone who has the image can "
        "read it. "
        "`RUN --mount=type=secret,id=npmrc,target=/root/.npmrc` shows the file to one step, and to nobody "
        "else.\n\nIt is "
        "`info` in a stage that only builds, whose layers are not shipped, but stay in the cache."
    )
    japanese = (
        "認証情報のファイルはコピーせずにマウントする",
        "COPY したものはレイヤーに残り、後のステップで消してもイメージを持つ人なら誰でも読めます。"
        "`RUN --mount=type=secret,id=npmrc,target=/root/.npmrc` なら、そのステップだけがファイルを見られます。",
    )
    aliases = ("DS-0031",)
    severity = "error"
    bad = Example("FROM node:22-slim\nCOPY .netrc /root/\nRUN npm ci\n")
    good = Example("FROM node:22-slim\nRUN --mount=type=secret,id=netrc,target=/root/.netrc npm ci\n")

    def look(self, subject: Subject) -> Iterator[Finding]:
        walked = courses(subject)
        last = walked.last
        shipped = {c.number for c in walked.chain(last)} if last is not None else set()
        for course in walked.all:
            for step in course.copies():
                copy = step.instruction
                assert isinstance(copy, Copy)
                for number, word in enumerate(step.sources if step.origin is None else ()):
                    level = _secret(subject.surroundings, word)
                    if level is None:
                        continue
                    if course.number not in shipped and level != "info":
                        level = "info"
                    span = copy.source_spans[number] if number < len(copy.source_spans) else None
                    text = f"`{word}` stays in a layer that everyone who has the image can read"
                    hint = "show it to the step that needs it: RUN --mount=type=secret,id=…,target=…"
                    yield Finding(self, text, copy.node, span, hint=hint, level=level)


def needless(subject: Subject, around: Surroundings) -> list[str]:
    """What lies at the root of the context, is not left out, and should not be copied."""
    names = {name.rstrip("/") for name in around.names()}
    ignore = subject.ignore
    return [n for n in (*SECRETS, *LARGE) if n in names and (ignore is None or not ignore.matches(n))]


def _secret(around: Surroundings | None, word: str) -> Level | None:
    path = word.removeprefix("./").strip("/")
    name = path.rsplit("/", 1)[-1]
    if name in (".netrc", ".pypirc", "id_rsa", "id_ed25519", "id_dsa", "id_ecdsa", ".git-credentials", ".dockercfg"):
        return "error"
    if path.endswith((".aws/credentials", ".docker/config.json", ".kube/config")):
        return "error"
    if name in (".env", ".env.local"):
        text = around.read(path) if around is not None else None
        if text is None:
            return "warning"
        from kezuri.check.sensitive import secret_name

        named = any(secret_name(line.partition("=")[0].strip()) for line in text.splitlines() if "=" in line)
        return "warning" if named else "info"
    if name == ".npmrc":
        text = around.read(path) if around is not None else None
        if text is None:
            return "info"
        lines = [line for line in text.splitlines() if "_authToken" in line or "_password" in line or "_auth=" in line]
        return "error" if any("${" not in line for line in lines) else None
    return None


RULES = (ContextNotFiltered(), SecretFileCopied())
