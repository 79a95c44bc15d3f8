"""Compose files: whether a service is well, who asks, and who waits for the answer."""

from collections.abc import Iterator

from kezuri.check.compose import Compose, Service
from kezuri.check.document import DocumentRule, DocumentSubject, fix_of
from kezuri.check.programs import lacks
from kezuri.check.rule import Example, Finding, Fix
from kezuri.documents.edits import TextEdit, indentation, newline
from kezuri.documents.value import Scalar, Sequence, Value, strings

_APP = "services:\n  app:\n    image: node:20-alpine\n    command: node server.js\n    healthcheck:\n"
_SHELL = frozenset(("||", "&&", "|", ";", ">", ">/dev/null", "2>&1"))


class ServiceHealthcheckProgramMissing(DocumentRule):
    """A health check that asks with what the image does not have."""

    name = "ServiceHealthcheckProgramMissing"
    summary = "The program of a service's health check must be in its image"
    why = (
        "`curl` is in no Alpine image and in no -slim one that does not install it. The check then fails however well "
        "the service is, and it is unhealthy for ever: whoever waits for it never starts. BusyBox has `wget` (`wget "
        "-qO /dev/null http://localhost:3000/health`), `node -e` and `python -c` can ask too. The image is judged by "
        "its name, or by the Dockerfile that the service builds: where an instruction mentions the program, nothing is "
        "said."
    )
    japanese = (
        "サービスのヘルスチェックが使うプログラムはイメージの中に要る",
        "`curl` は Alpine にも -slim のイメージにも、入れない限りありません。"
        "するとサービスがいくら正常でもチェックは失敗し、永久に unhealthy のままで、それを待つサービスは起動しません。"
        "BusyBox には `wget` があり（`wget -qO /dev/null http://localhost:3000/health`）、`node -e` や `python -c` "
        "でも問い合わせられます。イメージは名前、またはサービスがビルドする Dockerfile から判断し、"
        "そのプログラムに触れる命令があれば何も言いません。",
    )
    kinds = ("compose",)
    bad = Example(f'{_APP}      test: ["CMD", "curl", "-f", "http://localhost:3000/"]\n', name="compose.yaml")
    good = Example(
        f'{_APP}      test: ["CMD", "wget", "-qO", "/dev/null", "http://localhost:3000/"]\n', name="compose.yaml"
    )

    def look_at(self, document: DocumentSubject) -> Iterator[Finding]:
        for service in document.facts(Compose).services:
            test = service.value.get("healthcheck", "test")
            program, scalar = _program(test)
            if scalar is None:
                continue
            if service.builds:
                made = service.built_from
                if made is None or not lacks(made.base, program) or made.mentions(program):
                    continue
                message = (
                    f"{service.name} is unhealthy for ever: its health check runs {program}, and {made.base}, which it "
                    "is built from, has none"
                )
            else:
                image = service.image
                if image is None or "$" in image or not lacks(image, program) or _installs(service, program):
                    continue
                message = f"{service.name} is unhealthy for ever: its health check runs {program}, and {image} has none"
            hint = "ask with a program of the image (BusyBox's wget, node -e, python -c), or install it"
            yield self.found(document, scalar.span, message, hint)


class HealthcheckTestForm(DocumentRule):
    """A health check that runs something else than it seems to."""

    name = "HealthcheckTestForm"
    summary = "A health check begins with CMD or CMD-SHELL, and only the second one has a shell"
    why = (
        'In `["CMD", "curl", "-f", "http://localhost/", "||", "exit", "1"]` curl gets `||`, `exit` and `1` as '
        "addresses, and "
        'fails. `["CMD", "curl -f http://localhost/"]` looks for a program of that whole name. A list that begins '
        "with neither word is refused. What needs a shell is one text: `test: curl -f http://localhost/ || exit 1`, or "
        '`["CMD-SHELL", "…"]`.'
    )
    japanese = (
        "ヘルスチェックは CMD か CMD-SHELL で始め、シェルがあるのは後者だけ",
        '`["CMD", "curl", "-f", "http://localhost/", "||", "exit", "1"]` では curl が `||`・`exit`・`1` を URL '
        "として受け取り失敗します。"
        '`["CMD", "curl -f http://localhost/"]` はその全体を名前とするプログラムを探します。'
        "どちらの語でも始まらないリストは拒否されます。"
        'シェルが必要なら一つの文字列 `test: curl -f http://localhost/ || exit 1` か `["CMD-SHELL", "…"]` と書きます。',
    )
    kinds = ("compose",)
    fix_class = "A"
    bad = Example(
        "services:\n  web:\n    image: httpd:2.4\n    healthcheck:\n"
        '      test: ["CMD", "curl -f http://localhost/ || exit 1"]\n',
        name="compose.yaml",
    )
    good = Example(bad.text.replace('"CMD"', '"CMD-SHELL"'), name="compose.yaml")

    def look_at(self, document: DocumentSubject) -> Iterator[Finding]:
        for service in document.facts(Compose).services:
            test = service.value.get("healthcheck", "test")
            if not isinstance(test, Sequence) or not test.items:
                continue
            words = list(strings(test))
            if len(words) != len(test.items) or any("${" in word.text for word in words[:1]):
                continue
            path = f"services.{service.name}.healthcheck.test"
            first = words[0]
            if first.text not in ("CMD", "CMD-SHELL", "NONE"):
                message = f"a health check begins with CMD, CMD-SHELL or NONE, not with {first.text}"
                yield self.found(document, first.span, message, "put CMD before it")
            elif first.text == "CMD" and len(words) == 2 and " " in words[1].text.strip():
                message = f"no program is called `{_short(words[1].text)}`: CMD has no shell that would take it apart"
                edit = TextEdit(first.span, _as_written(first, "CMD-SHELL"))
                fix = fix_of(document, "let a shell read it: CMD-SHELL", (edit,), "A", (path,))
                yield self.found(document, words[1].span, message, "write CMD-SHELL", fix)
            elif first.text == "CMD":
                shell = words[1].text.rpartition("/")[2] in ("sh", "bash", "ash") if len(words) > 1 else False
                wrong = next((word for word in words[2:] if word.text in _SHELL), None)
                if wrong is not None and not shell:
                    message = f"{words[1].text} gets `{wrong.text}` as an argument: CMD has no shell"
                    yield self.found(document, wrong.span, message, "write the command as one text, or with CMD-SHELL")


class DependsOnWithoutHealth(DocumentRule):
    """A service that could wait until another one is well, and waits until it is there."""

    name = "DependsOnWithoutHealth"
    summary = "A service should wait until what it depends on is healthy, where that can be asked"
    why = (
        "The short form of `depends_on` waits until the other container was started: a database takes seconds more "
        "until it answers. Where it has a health check, `condition: service_healthy` waits for that. A program that "
        "tries again by itself needs neither, which is why this is no warning."
    )
    japanese = (
        "依存先にヘルスチェックがあるなら healthy になるまで待つ",
        "短い形の `depends_on` は、相手のコンテナが起動されるまでしか待ちません。"
        "データベースが応答するのはその数秒後です。ヘルスチェックがあれば `condition: service_healthy` "
        "でそれを待てます。自分で再試行するプログラムには不要なので、警告にはしません。",
    )
    severity = "info"
    kinds = ("compose",)
    fix_class = "V"
    bad = Example(
        "services:\n  app:\n    image: app:1\n    depends_on:\n      - db\n  db:\n    image: postgres:16\n"
        "    healthcheck:\n      test: pg_isready -U postgres\n",
        name="compose.yaml",
    )
    good = Example(
        bad.text.replace("      - db\n", "      db:\n        condition: service_healthy\n"), name="compose.yaml"
    )

    def look_at(self, document: DocumentSubject) -> Iterator[Finding]:
        compose = document.facts(Compose)
        for service in compose.services:
            entry = service.here("depends_on")
            value = entry.value if entry is not None and not entry.alias else None
            if entry is None or not isinstance(value, Sequence):
                continue
            for scalar in strings(value):
                other = compose.service(scalar.text)
                if other is None or not _checked(other):
                    continue
                message = f"{service.name} does not wait until {other.name} is healthy, though it has a health check"
                hint = f"write `{other.name}: {{condition: service_healthy}}` below depends_on"
                fix = _conditions(document, compose, service, value, entry.key)
                yield self.found(document, scalar.span, message, hint, fix)


def _program(test: Value | None) -> tuple[str, Scalar | None]:
    """The program that a check runs, and the word that names it."""
    if isinstance(test, Scalar):
        return (_of_shell(test.text), None if test.null else test)
    words = list(strings(test))
    if len(words) < 2:
        return "", None
    if words[0].text == "CMD" and " " not in words[1].text.strip():
        shell = words[1].text.rpartition("/")[2] in ("sh", "bash", "ash") and len(words) > 3 and words[2].text == "-c"
        return (_of_shell(words[3].text), words[3]) if shell else (words[1].text.rpartition("/")[2], words[1])
    return (_of_shell(words[1].text), words[1]) if words[0].text == "CMD-SHELL" else ("", None)


def _of_shell(text: str) -> str:
    """The first program of a shell text; empty where several are tried."""
    from kezuri.shell.reader import read

    commands = read(text.replace("$$", "$")).commands
    if not commands or not commands[0].words:
        return ""
    programs = {command.program for command in commands}
    if len(programs & {"curl", "wget", "nc"}) > 1:
        return ""
    return commands[0].program


def _installs(service: Service, program: str) -> bool:
    """Whether what the service starts mentions the program: it may install it."""
    from kezuri.documents.value import walk

    for name in ("command", "entrypoint", "volumes", "configs", "post_start"):
        value = service.get(name)
        for part in walk(value) if value is not None else ():
            if isinstance(part, Scalar) and program in part.text:
                return True
    return False


def _checked(service: Service) -> bool:
    test = service.get("healthcheck", "test")
    words = [scalar.text for scalar in strings(test)]
    return bool(words) and words[0] != "NONE" and service.text("healthcheck", "disable") != "true"


def _conditions(
    document: DocumentSubject, compose: Compose, service: Service, value: Sequence, key: Scalar
) -> Fix | None:
    """The list written as a mapping: healthy for those that can be asked, started for the others."""
    names = list(strings(value))
    text = document.source.text
    if value.flow or len(names) != len(value.items) or any(name.style != "plain" for name in names):
        return None
    if "#" in text[value.span.start : value.span.end] or len({name.text for name in names}) != len(names):
        return None
    dash = text.rfind("-", 0, names[0].span.start)
    indent = indentation(document.source, dash)
    own = indentation(document.source, key.span.start)
    if len(indent) <= len(own):
        indent = own + "  "
    step, eol = " " * max(2, len(indent) - len(own)), newline(document.source)
    parts = []
    for name in names:
        other = compose.service(name.text)
        condition = "service_healthy" if other is not None and _checked(other) else "service_started"
        parts.append(f"{indent}{name.text}:{eol}{indent}{step}condition: {condition}")
    start = text.rfind("\n", 0, dash) + 1
    edit = TextEdit(value.span._replace(start=start), eol.join(parts))
    return fix_of(document, "wait until it is healthy", (edit,), "V", (f"services.{service.name}.depends_on",))


def _as_written(scalar: Scalar, text: str) -> str:
    return {"single": f"'{text}'", "double": f'"{text}"'}.get(scalar.style, text)


def _short(text: str) -> str:
    said = " ".join(text.split())
    return said if len(said) <= 40 else said[:39] + "…"


RULES = (ServiceHealthcheckProgramMissing(), HealthcheckTestForm(), DependsOnWithoutHealth())
